//! Why the control plane could not do something, and how that is told.

use thiserror::Error;

use crate::{
    api::types::{ErrorBody, ExitClass},
    class,
    datapath::DatapathError,
    model::ModelError,
    netns::{NetnsError, TeardownErrors},
    store::StoreError,
};

/// Why the control plane could not do something.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The wish does not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The plumbing refused.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The datapath refused.
    #[error(transparent)]
    Datapath(#[from] DatapathError),
    /// Desired state could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing says which network namespace the endpoint is.
    #[error("{label}: there is no such network namespace")]
    NoNetns {
        /// As given.
        label: String,
    },
    /// There is a namespace of the endpoint's name.
    #[error("there is a network namespace called {name} already")]
    NetnsExists {
        /// The name.
        name: String,
    },
    /// The endpoint's namespace is gone, or another one has its name.
    #[error("its network namespace {label} is gone")]
    NetnsGone {
        /// The file that opened it.
        label: String,
    },
    /// The endpoint's namespace has an interface of that name.
    #[error("network namespace {netns} has an interface called {ifname} already")]
    InterfaceExists {
        /// The interface.
        ifname: String,
        /// The namespace.
        netns: String,
    },
    /// The endpoint's namespace has a default route.
    #[error("network namespace {netns} has a default route already")]
    DefaultRouteExists {
        /// The namespace.
        netns: String,
    },
    /// There is no such interface on the host.
    #[error("there is no interface called {ifname} on the host")]
    NoUplink {
        /// As given.
        ifname: String,
    },
    /// The interface cannot be an uplink.
    #[error("interface {ifname} cannot be an uplink: {why}")]
    UnfitUplink {
        /// The interface.
        ifname: String,
        /// Why.
        why: String,
    },
    /// The host has an interface that is called as a network's gateway would be.
    #[error(
        "the host has an interface called {ifname} already, and the network's gateway is one of that name"
    )]
    GatewayNameTaken {
        /// The interface.
        ifname: String,
    },
    /// The host's end of a gateway's pair is not where it was.
    #[error("{ifname}, the gateway's interface, is not among the host's interfaces any more")]
    NoGateway {
        /// The interface.
        ifname: String,
    },
    /// A gateway is to go unguarded.
    #[error("the gateway of network {network} is always guarded: the host would let everybody in otherwise")]
    UnguardedGateway {
        /// The network.
        network: String,
    },
    /// Every interface index that a port may have is in use.
    #[error("every interface index below {limit} is in use")]
    NoFreeIndex {
        /// The first index that no port may have.
        limit: u32,
    },
    /// The MAC is not for commands to delete.
    #[error("{mac} is the own address of port {port}, which the switch knows for as long as the port exists")]
    OwnMac {
        /// The address.
        mac: String,
        /// The port.
        port: String,
    },
    /// What was done before the failure could not be undone.
    #[error("{cause}")]
    LeftBehind {
        /// The failure.
        cause: Box<Self>,
        /// What could not be undone.
        left: TeardownErrors,
    },
    /// Something could not be removed.
    #[error("{0}")]
    Teardown(TeardownErrors),
    /// What was to be removed is, but the state that says so could not be kept.
    #[error("{0}")]
    NotForgotten(StoreError),
    /// The datapath was taken out already.
    #[error("the daemon is ending")]
    Stopping,
}

impl ControlError {
    /// The error as the API tells it: what was tried, and on what.
    #[must_use]
    pub fn told(self, failed: &str, object: &str) -> ErrorBody {
        ErrorBody {
            code: self.class(),
            failed: failed.to_owned(),
            object: object.to_owned(),
            why: self.to_string(),
            unchanged: self.unchanged(),
            next: self.next(),
        }
    }

    /// The class of the failure.
    fn class(&self) -> ExitClass {
        match self {
            Self::Model(error) => model_class(error),
            Self::Netns(error) => class::of_netns(error),
            Self::Datapath(error) => class::of_datapath(error),
            Self::Store(error) | Self::NotForgotten(error) => class::of_store(error),
            Self::NoNetns { .. } | Self::NoUplink { .. } | Self::NoGateway { .. } => ExitClass::NotFound,
            Self::NetnsExists { .. }
            | Self::NetnsGone { .. }
            | Self::InterfaceExists { .. }
            | Self::DefaultRouteExists { .. }
            | Self::UnfitUplink { .. }
            | Self::GatewayNameTaken { .. }
            | Self::UnguardedGateway { .. }
            | Self::OwnMac { .. } => ExitClass::Conflict,
            Self::NoFreeIndex { .. } | Self::Teardown(_) | Self::Stopping => ExitClass::Failed,
            Self::LeftBehind { cause, .. } => cause.class(),
        }
    }

    fn unchanged(&self) -> String {
        match self {
            Self::LeftBehind { left, .. } => format!("not everything could be undone: {left}"),
            Self::Teardown(_) => String::from("everything else was removed"),
            Self::NotForgotten(_) => String::from("its interfaces are gone, but it stays listed"),
            Self::Model(_)
            | Self::Netns(_)
            | Self::Datapath(_)
            | Self::Store(_)
            | Self::NoNetns { .. }
            | Self::NetnsExists { .. }
            | Self::NetnsGone { .. }
            | Self::InterfaceExists { .. }
            | Self::DefaultRouteExists { .. }
            | Self::NoUplink { .. }
            | Self::UnfitUplink { .. }
            | Self::GatewayNameTaken { .. }
            | Self::NoGateway { .. }
            | Self::UnguardedGateway { .. }
            | Self::NoFreeIndex { .. }
            | Self::OwnMac { .. }
            | Self::Stopping => String::from("nothing was changed"),
        }
    }

    fn next(&self) -> Option<String> {
        match self {
            Self::Model(error) => model_next(error),
            Self::NoNetns { .. } => {
                Some("`ip netns list` shows those with a name; --create-netns makes one".into())
            }
            Self::NetnsExists { name } => Some(format!("use it with --netns {name}, or choose another name")),
            Self::NetnsGone { .. } => {
                Some("remove the endpoint with `wye endpoint rm` and add it anew".into())
            }
            Self::InterfaceExists { .. } => Some("choose another name with --ifname".into()),
            Self::DefaultRouteExists { .. } => {
                Some("delete that route, or use a network made with --internal".into())
            }
            Self::GatewayNameTaken { .. } => {
                Some("give the network another name, or rename that interface".into())
            }
            Self::NoUplink { .. } => Some("`ip link` lists the host's interfaces".into()),
            Self::Teardown(_) | Self::NotForgotten(_) => {
                Some("repeat the command once the cause is gone".into())
            }
            Self::LeftBehind { cause, .. } => cause.next(),
            Self::Netns(_)
            | Self::Datapath(_)
            | Self::Store(_)
            | Self::UnfitUplink { .. }
            | Self::NoGateway { .. }
            | Self::UnguardedGateway { .. }
            | Self::NoFreeIndex { .. }
            | Self::OwnMac { .. }
            | Self::Stopping => None,
        }
    }
}

fn model_class(error: &ModelError) -> ExitClass {
    match error {
        ModelError::Name(_)
        | ModelError::Label(_)
        | ModelError::Subnet(_)
        | ModelError::Interface(_)
        | ModelError::SeveralPorts { .. }
        | ModelError::Mtu { .. }
        | ModelError::Vlan { .. }
        | ModelError::BadVlans { .. }
        | ModelError::OtherVlan { .. }
        | ModelError::UnknownOption { .. }
        | ModelError::BadOption { .. }
        | ModelError::AddressOutside { .. }
        | ModelError::AddressReserved { .. }
        | ModelError::TwoAddresses { .. }
        | ModelError::BadMac { .. }
        | ModelError::BadSource { .. }
        | ModelError::BadStorm { .. }
        | ModelError::SeveralNetworks { .. } => ExitClass::Usage,
        ModelError::NoNetwork { .. }
        | ModelError::NoEndpoint { .. }
        | ModelError::NoPort { .. }
        | ModelError::NotAttached { .. }
        | ModelError::NoLabel { .. }
        | ModelError::NoFdbEntry { .. } => ExitClass::NotFound,
        ModelError::AlreadyAttached { .. }
        | ModelError::NetworkExists { .. }
        | ModelError::EndpointExists { .. }
        | ModelError::PortNameTaken { .. }
        | ModelError::NetnsTaken { .. }
        | ModelError::UplinkTaken { .. }
        | ModelError::NetworkInUse { .. }
        | ModelError::Overlap { .. }
        | ModelError::AddressTaken { .. }
        | ModelError::MacTaken { .. }
        | ModelError::IfnameTaken { .. }
        | ModelError::FdbEntryExists { .. }
        | ModelError::OtherNetwork { .. } => ExitClass::Conflict,
        ModelError::NoFreeSubnet
        | ModelError::AddressesExhausted { .. }
        | ModelError::NoFreeMac { .. }
        | ModelError::Full { .. } => ExitClass::Failed,
    }
}

fn model_next(error: &ModelError) -> Option<String> {
    match error {
        ModelError::NoNetwork { .. } => Some("`wye network ls` lists the networks".into()),
        ModelError::NoEndpoint { .. } => Some("`wye endpoint ls` lists the endpoints".into()),
        ModelError::NoPort { .. } | ModelError::SeveralPorts { .. } => {
            Some("`wye port ls` lists the ports".into())
        }
        ModelError::NotAttached { endpoint, .. } => {
            Some(format!("`wye endpoint inspect {endpoint}` lists its networks"))
        }
        ModelError::NetworkInUse { name, .. } => {
            Some(format!("take them off with `wye network disconnect {name} ENDPOINT` or `wye endpoint rm`"))
        }
        ModelError::Overlap { free: Some(free), .. } => Some(format!("use --subnet {free}, which is free")),
        ModelError::NoFreeSubnet => Some("name one with --subnet".into()),
        ModelError::SeveralNetworks { .. } => Some("name one with --network, --vlan or both".into()),
        ModelError::OtherVlan { .. } => {
            Some("name one of its VLANs with --vlan, or none where it has none".into())
        }
        ModelError::FdbEntryExists { .. } => Some("--replace puts the new entry in its place".into()),
        ModelError::NoLabel { endpoint, .. } => {
            Some(format!("`wye endpoint inspect {endpoint}` lists its labels"))
        }
        ModelError::NoFdbEntry { .. } => Some("`wye fdb show` lists the entries".into()),
        ModelError::AddressesExhausted { .. } => {
            Some("remove an endpoint, or make a network with a larger --subnet or --ip-range".into())
        }
        ModelError::IfnameTaken { .. } => Some("choose another name with --ifname".into()),
        ModelError::NetnsTaken { owner, .. } => {
            Some(format!("give that endpoint another interface with `wye network connect NET {owner}`"))
        }
        ModelError::Name(_)
        | ModelError::Label(_)
        | ModelError::Subnet(_)
        | ModelError::Interface(_)
        | ModelError::AlreadyAttached { .. }
        | ModelError::NetworkExists { .. }
        | ModelError::EndpointExists { .. }
        | ModelError::PortNameTaken { .. }
        | ModelError::UplinkTaken { .. }
        | ModelError::Overlap { free: None, .. }
        | ModelError::Mtu { .. }
        | ModelError::Vlan { .. }
        | ModelError::BadVlans { .. }
        | ModelError::UnknownOption { .. }
        | ModelError::BadOption { .. }
        | ModelError::AddressOutside { .. }
        | ModelError::AddressReserved { .. }
        | ModelError::AddressTaken { .. }
        | ModelError::TwoAddresses { .. }
        | ModelError::BadMac { .. }
        | ModelError::BadSource { .. }
        | ModelError::BadStorm { .. }
        | ModelError::MacTaken { .. }
        | ModelError::NoFreeMac { .. }
        | ModelError::OtherNetwork { .. }
        | ModelError::Full { .. } => None,
    }
}
