//! Gateways: the host's own port on a network, a veth pair whose host's end is an interface called as the network.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use switch_common::abi::addr::{MacAddr, PortId, Slot};

use super::{
    HostSide, Model,
    error::ModelError,
    names::{InstanceName, NetworkName},
    network::Network,
    port::PortSettings,
    serial::{StoredPortId, StoredSlot, text},
};
use crate::netns::{IfName, Link};

/// The host's own port on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// MAC address of the host's end.
    #[serde(with = "text")]
    pub mac: MacAddr,
    /// The interface at the switch's end.
    #[serde(with = "text")]
    pub host_ifname: IfName,
    /// Index of that interface.
    #[serde(with = "StoredPortId")]
    pub port: PortId,
    /// The port's dense number.
    #[serde(with = "StoredSlot")]
    pub slot: Slot,
    /// The port's switches.
    pub settings: PortSettings,
}

impl Gateway {
    /// The host's end of its pair among the host's interfaces, whatever it is called by now.
    #[must_use]
    pub fn find<'a>(&self, links: &'a [Link]) -> Option<&'a Link> {
        links.iter().find(|link| self.is_end(link))
    }

    /// Whether `link`, of the host, is the host's end of its pair.
    #[must_use]
    pub fn is_end(&self, link: &Link) -> bool {
        link.peer == Some(self.port.into()) && link.mac == Some(self.mac)
    }
}

impl Network {
    /// The gateway's addresses with the prefixes of their subnets.
    pub fn gateway_addresses(&self) -> impl Iterator<Item = IpNet> {
        self.subnets.iter().map(|subnet| subnet.with_prefix(subnet.gateway))
    }
}

impl Model {
    /// Gives a network its gateway, with a MAC that is nobody's.
    ///
    /// # Errors
    /// No such network; no free MAC.
    pub fn add_gateway(
        &mut self,
        instance: &InstanceName,
        name: &NetworkName,
        host: HostSide,
    ) -> Result<(), ModelError> {
        let gateway = Gateway {
            mac: self.mac(instance, name, host.slot, None)?,
            host_ifname: host.ifname,
            port: host.port,
            slot: host.slot,
            settings: PortSettings::of_gateway(),
        };
        self.put_gateway(name, gateway);
        Ok(())
    }

    /// Replaces the gateway of a network.
    pub fn put_gateway(&mut self, name: &NetworkName, gateway: Gateway) {
        if let Some(network) = self.networks.get_mut(name) {
            network.gateway = Some(gateway);
        }
    }

    /// All gateways, with their networks.
    pub fn gateways(&self) -> impl Iterator<Item = (&NetworkName, &Network, &Gateway)> {
        self.networks.iter().filter_map(|(name, network)| Some((name, network, network.gateway.as_ref()?)))
    }
}
