//! Why a wish cannot become desired state.

use std::net::IpAddr;

use ipnet::IpNet;
use switch_common::abi::addr::MacAddr;
use thiserror::Error;

use super::{labels::LabelError, names::NameError, subnet::SubnetError};
use crate::netns;

/// A wish that cannot become desired state, and what stands against it.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A name that cannot be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A label that cannot be used.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// A subnet that no network can have.
    #[error(transparent)]
    Subnet(#[from] SubnetError),
    /// A source that no station has.
    #[error("{text:?} is no source: MAC or MAC/IP, each of one station")]
    BadSource {
        /// What was given.
        text: String,
    },
    /// A storm limit that no port can have.
    #[error(
        "{text:?} is no storm limit: RATE or RATE/BURST, whole frames a second and whole frames, each up to {}; RATE 0 is no limit",
        super::storm::MAX_STORM_RATE
    )]
    BadStorm {
        /// What was given.
        text: String,
    },
    /// An interface name that cannot be used.
    #[error(transparent)]
    Interface(#[from] netns::NameError),
    /// There is no such network.
    #[error("there is no network called {name}")]
    NoNetwork {
        /// As given.
        name: String,
    },
    /// There is no such endpoint.
    #[error("there is no endpoint called {name}")]
    NoEndpoint {
        /// As given.
        name: String,
    },
    /// There is no such port.
    #[error("there is no port called {name}")]
    NoPort {
        /// As given.
        name: String,
    },
    /// The endpoint has several ports.
    #[error("endpoint {endpoint} has several ports: {}", ports.join(", "))]
    SeveralPorts {
        /// The endpoint.
        endpoint: String,
        /// Their names.
        ports: Vec<String>,
    },
    /// The endpoint does not have the label.
    #[error("endpoint {endpoint} has no label {key}")]
    NoLabel {
        /// The endpoint.
        endpoint: String,
        /// The label's key.
        key: String,
    },
    /// The endpoint is not on the network.
    #[error("endpoint {endpoint} is not on network {network}")]
    NotAttached {
        /// The endpoint.
        endpoint: String,
        /// The network.
        network: String,
    },
    /// The endpoint is on the network.
    #[error("endpoint {endpoint} is on network {network} already")]
    AlreadyAttached {
        /// The endpoint.
        endpoint: String,
        /// The network.
        network: String,
    },
    /// The name is another network's.
    #[error("there is a network called {name} already")]
    NetworkExists {
        /// The name.
        name: String,
    },
    /// The name is another endpoint's.
    #[error("there is an endpoint called {name} already")]
    EndpointExists {
        /// The name.
        name: String,
    },
    /// A port of that name exists.
    #[error("{owner} is a port called {name} already")]
    PortNameTaken {
        /// The name.
        name: String,
        /// Whose it is.
        owner: String,
    },
    /// The network namespace is another endpoint's.
    #[error("network namespace {path} belongs to endpoint {owner} already")]
    NetnsTaken {
        /// A file that opens it.
        path: String,
        /// The endpoint.
        owner: String,
    },
    /// The interface is the uplink of another network.
    #[error("interface {ifname} is an uplink of network {network} already")]
    UplinkTaken {
        /// The interface.
        ifname: String,
        /// The network.
        network: String,
    },
    /// Endpoints are on the network.
    #[error("endpoints are on it: {}", endpoints.join(", "))]
    NetworkInUse {
        /// The network.
        name: String,
        /// Their names.
        endpoints: Vec<String>,
    },
    /// The subnet shares addresses with something else.
    #[error("subnet {net} overlaps {other}")]
    Overlap {
        /// As given.
        net: IpNet,
        /// With what.
        other: String,
        /// A subnet of the same size that is free.
        free: Option<IpNet>,
    },
    /// No subnet is left to choose.
    #[error("no /24 subnet of 10.0.0.0/8 is free")]
    NoFreeSubnet,
    /// The MTU is impossible.
    #[error("MTU {mtu} is outside of {least} to {most} bytes")]
    Mtu {
        /// As given.
        mtu: u32,
        /// The smallest possible.
        least: u32,
        /// The largest possible.
        most: u32,
    },
    /// A VLAN that there cannot be.
    #[error("VLAN {vlan}: a VLAN has a number from 1 to 4094")]
    Vlan {
        /// What was given.
        vlan: u16,
    },
    /// A VLAN setting that no port can have.
    #[error(
        "{text:?} is no VLAN setting: access=N, trunk=N,N-N[,native=N][,proto=802.1ad] or none, with numbers from 1 to 4094"
    )]
    BadVlans {
        /// What was given.
        text: String,
    },
    /// An FDB entry's VLAN that its port does not carry.
    #[error("port {port} is in {carried}, and the VLAN of an entry is one that its port carries")]
    OtherVlan {
        /// The port.
        port: String,
        /// How it sorts frames.
        carried: String,
    },
    /// There is no such option.
    #[error(
        "{key} is not a network option; the options are: ageing, gateway, loop-guard, querier, query-interval, snooping, suppress, unknown-neighbours, uplink"
    )]
    UnknownOption {
        /// As given.
        key: String,
    },
    /// The option does not take the value.
    #[error("option {key} does not take {value:?}: it takes {allowed}")]
    BadOption {
        /// The option.
        key: String,
        /// As given.
        value: String,
        /// What it takes.
        allowed: &'static str,
    },
    /// The address is in no subnet of the network.
    #[error("{ip} is in no subnet of network {network}: {}", listed(subnets))]
    AddressOutside {
        /// As given.
        ip: IpAddr,
        /// The network.
        network: String,
        /// Its subnets.
        subnets: Vec<IpNet>,
    },
    /// The address is the subnet's own or its broadcast address.
    #[error("{ip} is a reserved address of {net}")]
    AddressReserved {
        /// As given.
        ip: IpAddr,
        /// The subnet.
        net: IpNet,
    },
    /// The address is somebody else's.
    #[error("{ip} is the address of {owner}")]
    AddressTaken {
        /// As given.
        ip: IpAddr,
        /// Whose.
        owner: String,
    },
    /// Two addresses of one subnet were asked for.
    #[error("{ip} is a second address in {net}; an interface has one a subnet")]
    TwoAddresses {
        /// The second.
        ip: IpAddr,
        /// The subnet.
        net: IpNet,
    },
    /// Every address is in use.
    #[error("every address of {range} is in use")]
    AddressesExhausted {
        /// Where automatic addresses come from.
        range: IpNet,
    },
    /// Not the MAC address of a station.
    #[error("{text:?} cannot be the MAC address of an interface: {why}")]
    BadMac {
        /// As given.
        text: String,
        /// Why.
        why: String,
    },
    /// The MAC address is somebody else's.
    #[error("{mac} is the address of {owner}")]
    MacTaken {
        /// As given.
        mac: MacAddr,
        /// Whose.
        owner: String,
    },
    /// Every MAC address that was chosen is in use.
    #[error("{attempts} chosen MAC addresses are all in use")]
    NoFreeMac {
        /// How many.
        attempts: u32,
    },
    /// The endpoint has an interface of that name.
    #[error("endpoint {endpoint} has an interface called {ifname} already")]
    IfnameTaken {
        /// The endpoint.
        endpoint: String,
        /// The interface.
        ifname: String,
    },
    /// There is no such FDB entry.
    #[error("the FDB has no entry for {mac}{}", place(network.as_deref()))]
    NoFdbEntry {
        /// The address.
        mac: MacAddr,
        /// The network that was looked at; all of them where there is none.
        network: Option<String>,
    },
    /// Another entry was set for the MAC.
    #[error("{mac} was set on network {network} already, behind port {port} or of another type")]
    FdbEntryExists {
        /// The address.
        mac: MacAddr,
        /// The network.
        network: String,
        /// The port that it is behind.
        port: String,
    },
    /// The MAC is in several networks.
    #[error("{mac} is in the FDB of several networks or VLANs: {}", places.join(", "))]
    SeveralNetworks {
        /// The address.
        mac: MacAddr,
        /// Their names, with the VLAN where there is one.
        places: Vec<String>,
    },
    /// The port is on another network than the request says.
    #[error("port {port} is on network {actual}, not on {network}")]
    OtherNetwork {
        /// The port.
        port: String,
        /// As given.
        network: String,
        /// Where it is.
        actual: String,
    },
    /// There is no room for one more.
    #[error("there are {limit} {what}, which is as many as there can be")]
    Full {
        /// Of what.
        what: &'static str,
        /// How many there can be.
        limit: u32,
    },
}

fn listed(nets: &[IpNet]) -> String {
    nets.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", ")
}

fn place(network: Option<&str>) -> String {
    network.map(|name| format!(" on network {name}")).unwrap_or_default()
}
