//! Ports: their switches, and finding one by its name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use switch_common::{
    abi::{
        addr::{MacAddr, PortId, Slot},
        port::PortFlags,
    },
    wire::vlan::VlanId,
};

use super::{
    Model,
    endpoint::Attachment,
    error::ModelError,
    gateway::Gateway,
    multicast::McastRouter,
    names::{EndpointName, NetworkName},
    network::Uplink,
    source::SourcePair,
    storm::StormSettings,
    vlan::PortVlans,
};

/// A port's switches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortSettings {
    /// Source MACs are learned.
    pub learning: bool,
    /// Unknown unicast is flooded to it.
    pub flood: bool,
    /// Broadcast is flooded to it.
    pub bcast_flood: bool,
    /// Multicast is flooded to it.
    pub mcast_flood: bool,
    /// No frames to or from other isolated ports.
    pub isolated: bool,
    /// Frames may leave through the port that they came in on.
    pub hairpin: bool,
    /// Most MACs that may be learned; 0 is no cap.
    pub max_macs: u32,
    /// The port speaks for itself only: its own MAC and addresses, and those of `allow`.
    pub guard: bool,
    /// A source MAC must be in the FDB for this port.
    pub locked: bool,
    /// Sources beside the port's own.
    pub allow: Vec<SourcePair>,
    /// Limits to what it may have flooded.
    pub storm: StormSettings,
    /// Only one host is behind it: a group that it leaves ends at once.
    pub fast_leave: bool,
    /// Whether multicast routers are behind it.
    pub mcast_router: McastRouter,
    /// How it sorts frames by VLAN; `None` is as its network says.
    pub vlan: Option<PortVlans>,
}

impl Default for PortSettings {
    fn default() -> Self {
        Self {
            learning: true,
            flood: true,
            bcast_flood: true,
            mcast_flood: true,
            isolated: false,
            hairpin: false,
            max_macs: 0,
            guard: true,
            locked: false,
            allow: Vec::new(),
            storm: StormSettings::default(),
            fast_leave: false,
            mcast_router: McastRouter::Auto,
            vlan: None,
        }
    }
}

impl PortSettings {
    /// What a new uplink has: all the world is behind it, so that it speaks for everybody.
    #[must_use]
    pub fn of_uplink() -> Self {
        Self { guard: false, ..Self::default() }
    }

    /// What a new gateway has: nothing that is not for the host is of use to it.
    #[must_use]
    pub fn of_gateway() -> Self {
        Self { learning: false, flood: false, ..Self::default() }
    }

    /// The datapath's flags for these switches.
    #[must_use]
    pub fn flags(&self) -> PortFlags {
        PortFlags::NONE
            .with(PortFlags::LEARNING, self.learning)
            .with(PortFlags::FLOOD, self.flood)
            .with(PortFlags::BCAST_FLOOD, self.bcast_flood)
            .with(PortFlags::MCAST_FLOOD, self.mcast_flood)
            .with(PortFlags::ISOLATED, self.isolated)
            .with(PortFlags::HAIRPIN, self.hairpin)
            .with(PortFlags::GUARD, self.guard)
            .with(PortFlags::LOCKED, self.locked)
            .with(PortFlags::STORM, self.storm.is_limited())
            .with(PortFlags::MCAST_ROUTER, self.mcast_router == McastRouter::On)
    }
}

/// A port of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortRef<'a> {
    /// An endpoint's.
    Endpoint {
        /// The endpoint.
        endpoint: &'a EndpointName,
        /// Its interface.
        attachment: &'a Attachment,
        /// Whether it is the endpoint's only one.
        only: bool,
    },
    /// An interface of the host.
    Uplink {
        /// Its network.
        network: &'a NetworkName,
        /// The interface.
        uplink: &'a Uplink,
    },
    /// The host's own on a network.
    Gateway {
        /// Its network.
        network: &'a NetworkName,
        /// The port.
        gateway: &'a Gateway,
    },
}

impl<'a> PortRef<'a> {
    /// `EP` or `EP:IFNAME` of an endpoint's interface, the interface's own name of an uplink or gateway.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Endpoint { endpoint, only: true, .. } => endpoint.to_string(),
            Self::Endpoint { endpoint, attachment, only: false } => {
                format!("{endpoint}:{}", attachment.ifname)
            }
            Self::Uplink { uplink, .. } => uplink.ifname.to_string(),
            Self::Gateway { network, .. } => network.to_string(),
        }
    }

    /// Its network.
    #[must_use]
    pub fn network(&self) -> &'a NetworkName {
        match self {
            Self::Endpoint { attachment, .. } => &attachment.network,
            Self::Uplink { network, .. } | Self::Gateway { network, .. } => network,
        }
    }

    /// Its interface's index.
    #[must_use]
    pub fn id(&self) -> PortId {
        match self {
            Self::Endpoint { attachment, .. } => attachment.port,
            Self::Uplink { uplink, .. } => uplink.port,
            Self::Gateway { gateway, .. } => gateway.port,
        }
    }

    /// Its dense number.
    #[must_use]
    pub fn slot(&self) -> Slot {
        match self {
            Self::Endpoint { attachment, .. } => attachment.slot,
            Self::Uplink { uplink, .. } => uplink.slot,
            Self::Gateway { gateway, .. } => gateway.slot,
        }
    }

    /// The address of the interface behind it.
    #[must_use]
    pub fn mac(&self) -> MacAddr {
        match self {
            Self::Endpoint { attachment, .. } => attachment.mac,
            Self::Uplink { uplink, .. } => uplink.mac,
            Self::Gateway { gateway, .. } => gateway.mac,
        }
    }

    /// Its switches.
    #[must_use]
    pub fn settings(&self) -> &'a PortSettings {
        match self {
            Self::Endpoint { attachment, .. } => &attachment.settings,
            Self::Uplink { uplink, .. } => &uplink.settings,
            Self::Gateway { gateway, .. } => &gateway.settings,
        }
    }
}

impl Model {
    /// All ports, those of endpoints first.
    pub fn ports(&self) -> impl Iterator<Item = PortRef<'_>> {
        let endpoints = self.endpoints.iter().flat_map(|(name, endpoint)| {
            let only = endpoint.attachments.len() == 1;
            endpoint.attachments.iter().map(move |attachment| PortRef::Endpoint {
                endpoint: name,
                attachment,
                only,
            })
        });
        let uplinks = self.uplinks().map(|(network, _, uplink)| PortRef::Uplink { network, uplink });
        let gateways = self.gateways().map(|(network, _, gateway)| PortRef::Gateway { network, gateway });
        endpoints.chain(uplinks).chain(gateways)
    }

    /// The port called `name`: `EP` where the endpoint has one interface, `EP:IFNAME` in any case, an uplink, or a
    /// network for its gateway.
    ///
    /// # Errors
    /// There is none; or `EP` has several, which the error names.
    pub fn port_by_name(&self, name: &str) -> Result<PortRef<'_>, ModelError> {
        if let Some((endpoint, ifname)) = name.split_once(':') {
            let is_it = |port: &PortRef<'_>| {
                matches!(port, PortRef::Endpoint { endpoint: at, attachment, .. }
                    if at.as_str() == endpoint && attachment.ifname.as_str() == ifname)
            };
            return self.ports().find(is_it).ok_or_else(|| ModelError::NoPort { name: name.to_owned() });
        }
        if let Some(port) = self.ports().find(|port| port.name() == name) {
            return Ok(port);
        }
        match self.endpoints.get(name) {
            Some(endpoint) if !endpoint.attachments.is_empty() => Err(ModelError::SeveralPorts {
                endpoint: name.to_owned(),
                ports: endpoint.attachments.iter().map(|at| format!("{name}:{}", at.ifname)).collect(),
            }),
            _ => Err(ModelError::NoPort { name: name.to_owned() }),
        }
    }

    /// The port with the index `id`.
    #[must_use]
    pub fn port_by_id(&self, id: PortId) -> Option<PortRef<'_>> {
        self.ports().find(|port| port.id() == id)
    }

    /// Gives the port with the dense number `slot` other switches. The first VLAN of a network's ports makes it sort frames, and
    /// without the last one it sorts none, unless it was made so.
    pub fn set_port(&mut self, slot: Slot, settings: &PortSettings) {
        let found = self.ports().find(|port| port.slot() == slot).map(|port| port.network().clone());
        let Some(name) = found else { return };
        let before = self.natives(&name);
        let attachments = self.endpoints.values_mut().flat_map(|endpoint| endpoint.attachments.iter_mut());
        let of_networks = self.networks.values_mut().flat_map(|network| {
            let uplinks = network.uplinks.iter_mut().map(|uplink| (uplink.slot, &mut uplink.settings));
            uplinks.chain(network.gateway.as_mut().map(|gateway| (gateway.slot, &mut gateway.settings)))
        });
        let all =
            attachments.map(|attachment| (attachment.slot, &mut attachment.settings)).chain(of_networks);
        for (_, place) in all.filter(|(at, _)| *at == slot) {
            place.clone_from(settings);
        }
        let has_vlans = self.ports().any(|port| *port.network() == name && port.settings().vlan.is_some());
        if let Some(network) = self.networks.get_mut(&name) {
            network.sort_by_vlan(has_vlans);
        }
        let after = self.natives(&name);
        let both = before.into_iter().filter_map(|(slot, before)| Some((slot, (before, *after.get(&slot)?))));
        if let Some(network) = self.networks.get_mut(&name) {
            network.follow_natives(&both.collect());
        }
    }

    /// The VLAN of the untagged frames of each of a network's ports.
    fn natives(&self, name: &NetworkName) -> BTreeMap<Slot, VlanId> {
        let Some(network) = self.networks.get(name) else { return BTreeMap::new() };
        let ports = self.ports().filter(|port| port.network() == name);
        ports.map(|port| (port.slot(), network.native_vlan(port.settings()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_switches_are_those_of_the_datapath() {
        assert_eq!(PortSettings::default().flags(), PortFlags::DEFAULT.with(PortFlags::GUARD, true));
        assert_eq!(PortSettings::of_uplink().flags(), PortFlags::DEFAULT);
    }

    #[test]
    fn each_switch_sets_its_own_flag() {
        let off = PortSettings {
            learning: false,
            flood: false,
            bcast_flood: false,
            mcast_flood: false,
            guard: false,
            ..PortSettings::default()
        };
        let limited = StormSettings { mcast: "5".parse().expect("a rate"), ..StormSettings::default() };
        for (settings, flag) in [
            (PortSettings { learning: true, ..off.clone() }, PortFlags::LEARNING),
            (PortSettings { flood: true, ..off.clone() }, PortFlags::FLOOD),
            (PortSettings { bcast_flood: true, ..off.clone() }, PortFlags::BCAST_FLOOD),
            (PortSettings { mcast_flood: true, ..off.clone() }, PortFlags::MCAST_FLOOD),
            (PortSettings { isolated: true, ..off.clone() }, PortFlags::ISOLATED),
            (PortSettings { hairpin: true, ..off.clone() }, PortFlags::HAIRPIN),
            (PortSettings { guard: true, ..off.clone() }, PortFlags::GUARD),
            (PortSettings { locked: true, ..off.clone() }, PortFlags::LOCKED),
            (PortSettings { storm: limited, ..off.clone() }, PortFlags::STORM),
            (PortSettings { mcast_router: McastRouter::On, ..off.clone() }, PortFlags::MCAST_ROUTER),
        ] {
            assert_eq!(settings.flags(), flag);
        }
    }
}
