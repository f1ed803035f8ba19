//! Gateways: the host's own interface on a network, which is called as the network is.
//!
//! The host's end of the pair is in the daemon's own namespace; nothing of its stack's settings for forwarding matters, because
//! the datapath lets nothing through a gateway port but what is the host's own.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::{IpNet, Ipv6Net};
use switch_common::{
    abi::{addr::MacAddr, addr::PortId, host::HostAddress, neighbour::NeighbourKey},
    wire::ipv6,
};

use super::{
    Control,
    condition::Condition,
    error::ControlError,
    kernel::{Kernel, PortRecord, Role},
    plug::{neighbour_key, up},
    uplink::condition_of,
};
use crate::{
    model::{Gateway, InstanceName, Model, Network, NetworkName},
    netns::{AddressFlags, ErrorKind, Family, IfName, Link, LinkSettings, NetnsError, Sysctl, Undo},
};

/// What the host's end must not do by itself, whatever the host's interfaces do otherwise: settings and their values.
const QUIET: [(Family, &str, &str); 12] = [
    (Family::Ipv4, "route_localnet", "0"),
    (Family::Ipv4, "accept_source_route", "0"),
    (Family::Ipv4, "drop_unicast_in_l2_multicast", "1"),
    (Family::Ipv6, "drop_unicast_in_l2_multicast", "1"),
    // No routing header at all.
    (Family::Ipv6, "accept_source_route", "-1"),
    (Family::Ipv6, "seg6_enabled", "0"),
    (Family::Ipv6, "accept_ra", "0"),
    (Family::Ipv6, "autoconf", "0"),
    (Family::Ipv6, "router_solicitations", "0"),
    (Family::Ipv6, "accept_redirects", "0"),
    // The link-local address is the one that its MAC makes, and is given to it.
    (Family::Ipv6, "addr_gen_mode", "1"),
    (Family::Ipv6, "accept_dad", "0"),
];
/// Length of a link-local prefix (RFC 4291, 2.5.6).
const LINK_LOCAL_PREFIX: u8 = 64;

impl Control {
    /// Gives gateways to the networks that an earlier version left without one. A failure is a note, and tried again at the next
    /// start.
    pub(super) fn add_missing_gateways(&mut self) {
        let lacks = |network: &Network| {
            network.gateway.is_none() && network.wants_gateway && network.uplinks.is_empty()
        };
        let networks = self.model.networks.iter().filter(|(_, network)| lacks(network));
        let names: Vec<_> = networks.map(|(name, _)| name.clone()).collect();
        for name in names {
            let chosen = self.kernel.choose_gateway(&mut self.model, &self.settings.instance, &name);
            if let Err(error) = chosen {
                self.notes.push(format!("network {name} has no gateway: {error}"));
            }
        }
    }

    /// Takes the interfaces of a gateway that are there for its port.
    pub(super) fn adopt_gateway(&mut self, name: &NetworkName) -> Result<(), ControlError> {
        let network = self.model.network(name)?;
        let Some(gateway) = &network.gateway else { return Ok(()) };
        let link = gateway_link(&self.kernel, name, gateway)?;
        // It is up once it is furnished.
        let condition = Condition::up(link.mtu.min(network.mtu));
        self.kernel.attach_port(&gateway_record(network, gateway, condition))?;
        self.kernel.tell_neighbours(network, gateway)?;
        self.kernel.furnish_gateway(network, gateway, &link)?;
        self.attached.insert(gateway.slot, condition);
        Ok(())
    }

    /// Makes the interfaces of a gateway again.
    pub(super) fn replug_gateway(&mut self, name: &NetworkName) -> Result<(), ControlError> {
        let network = self.model.network(name)?;
        let Some(mut gateway) = network.gateway.clone() else { return Ok(()) };
        let mtu = network.mtu;
        gateway.port = self.kernel.free_index(&self.model)?;
        let mut undo = Undo::new();
        self.kernel.plug_gateway(&mut undo, &self.model, name, &mut gateway)?;
        undo.commit();
        self.attached.insert(gateway.slot, Condition::up(mtu));
        self.model.put_gateway(name, gateway);
        Ok(())
    }

    /// A gateway whose interfaces were deleted gets new ones.
    pub(super) fn heal_gateway(&mut self, name: &NetworkName) -> Result<(), ControlError> {
        let Some(gateway) = self.model.network(name)?.gateway.clone() else { return Ok(()) };
        if self.kernel.is_host_side(gateway.port, &gateway.host_ifname)? {
            return Ok(());
        }
        tracing::warn!(network = %name, "the gateway's interface was deleted and is made again");
        self.forget_port(gateway.slot);
        self.kernel.datapath(|datapath| datapath.detach_port(gateway.port))?;
        self.replug_gateway(name)?;
        Ok(self.keep(self.model.clone())?)
    }

    /// A gateway's port takes packets as long as the host's end does, up to its network's MTU, and none while that is down.
    pub(super) fn follow_gateway(&mut self, name: &NetworkName) -> Result<(), ControlError> {
        let network = self.model.network(name)?;
        let Some(gateway) = &network.gateway else { return Ok(()) };
        let condition = condition_of(network, &gateway_link(&self.kernel, name, gateway)?);
        self.put_condition(gateway.slot, condition)
    }
}

impl Kernel {
    /// Puts a gateway for a network into the model.
    pub(super) fn choose_gateway(
        &self,
        model: &mut Model,
        instance: &InstanceName,
        name: &NetworkName,
    ) -> Result<(), ControlError> {
        if self.host_link(name.as_str())?.is_some() {
            return Err(ControlError::GatewayNameTaken { ifname: name.to_string() });
        }
        let host = self.host_side(model)?;
        Ok(model.add_gateway(instance, name, host)?)
    }

    /// Makes the interfaces of a gateway and brings them up. The port's index may become another one.
    pub(super) fn plug_gateway<'a>(
        &'a self,
        undo: &mut Undo<'a>,
        model: &Model,
        name: &NetworkName,
        gateway: &mut Gateway,
    ) -> Result<(), ControlError> {
        let network = model.network(name)?;
        let peer = LinkSettings {
            name: Some(IfName::new(name.as_str()).map_err(NetnsError::from)?),
            mac: Some(gateway.mac),
            mtu: Some(network.mtu),
            netns: Some(&self.own),
            ..LinkSettings::default()
        };
        let made = self.make_pair(undo, model, gateway.port, &gateway.host_ifname, &peer);
        gateway.port = made.map_err(|error| {
            let is_taken = matches!(&error, ControlError::Netns(cause) if cause.kind() == ErrorKind::Exists);
            let taken = ControlError::GatewayNameTaken { ifname: name.to_string() };
            if is_taken { taken } else { error }
        })?;
        self.quiet_host_side(&gateway.host_ifname)?;
        self.add_port(undo, network, &gateway_record(network, gateway, Condition::up(network.mtu)))?;
        self.tell_neighbours(network, gateway)?;
        self.ports.set_link(gateway.port.into(), &up(true))?;
        self.furnish_gateway(network, gateway, &gateway_link(self, name, gateway)?)
    }

    /// Takes a gateway's interfaces and its port away. What is gone already is no failure.
    pub(super) fn unplug_gateway(&self, gateway: &Gateway) -> Result<(), ControlError> {
        let deleted = self.delete_host_side(gateway.port, gateway.host_ifname.as_str());
        let detached = self.datapath(|datapath| datapath.detach_port(gateway.port));
        deleted.and(detached).and(self.tell_host_addresses())
    }

    /// Tells the datapath which addresses the host has. Those of a link, and of the host for itself, mean nothing elsewhere.
    pub(super) fn tell_host_addresses(&self) -> Result<(), ControlError> {
        let own = self.host.addresses(None)?;
        let addresses: BTreeSet<HostAddress> = own
            .iter()
            .filter(|address| address.global && !address.net.addr().is_loopback())
            .map(|address| match address.net.addr() {
                IpAddr::V4(ip) => HostAddress::ipv4(ip.octets()),
                IpAddr::V6(ip) => HostAddress::ipv6(ip.octets()),
            })
            .collect();
        self.datapath(|datapath| datapath.set_host_addresses(&addresses))
    }

    fn tell_neighbours(&self, network: &Network, gateway: &Gateway) -> Result<(), ControlError> {
        self.datapath(|datapath| datapath.set_neighbours(gateway.port, &neighbours(network, gateway)))
    }

    /// Gives the host's end its addresses, those that it has not, and brings it up. The datapath knows them before a frame can use
    /// them.
    fn furnish_gateway(&self, network: &Network, gateway: &Gateway, link: &Link) -> Result<(), ControlError> {
        let name = IfName::new(link.name.as_str()).map_err(NetnsError::from)?;
        let nets = gateway_nets(network, gateway);
        let is_v6 = nets.iter().any(|net| net.addr().is_ipv6());
        for (family, key, value) in QUIET {
            Sysctl::interface(family, &name, key).set_if_there(value)?;
        }
        Sysctl::interface(Family::Ipv6, &name, "disable_ipv6").set_if_there(if is_v6 { "0" } else { "1" })?;
        for net in nets {
            let flags = AddressFlags { nodad: true, no_prefix_route: false };
            match self.host.add_address(link.index, net, flags) {
                Err(error) if error.kind() != ErrorKind::Exists => return Err(error.into()),
                _ => {}
            }
        }
        self.tell_host_addresses()?;
        Ok(self.host.set_link(link.index, &up(true))?)
    }

    /// Whether the interface with the index `port` is the host side `name`.
    pub(super) fn is_host_side(&self, port: PortId, name: &IfName) -> Result<bool, ControlError> {
        Ok(self.port_link(port)?.is_some_and(|link| link.name == name.as_str()))
    }
}

/// What the datapath is told of a gateway's port.
pub(super) fn gateway_record(
    network: &Network,
    gateway: &Gateway,
    condition: Condition,
) -> PortRecord<'static> {
    PortRecord {
        id: gateway.port,
        domain: network.domain,
        slot: gateway.slot,
        mac: gateway.mac,
        condition,
        settings: gateway.settings.clone(),
        addresses: network.gateway_addresses().collect(),
        vlans: network.vlans_of(&gateway.settings),
        role: Role::Gateway,
    }
}

/// The addresses that a gateway is known at.
pub(super) fn neighbours(network: &Network, gateway: &Gateway) -> Vec<(NeighbourKey, MacAddr)> {
    let ips = gateway_nets(network, gateway).into_iter().map(|net| net.addr());
    ips.map(|ip| (neighbour_key(network, ip), gateway.mac)).collect()
}

/// The addresses of the host's end: the gateway's in each subnet, and the link-local one where one is of IPv6.
fn gateway_nets(network: &Network, gateway: &Gateway) -> Vec<IpNet> {
    let is_v6 = network.gateway_addresses().any(|net| net.addr().is_ipv6());
    let link_local = Ipv6Net::new(ipv6::link_local(gateway.mac).into(), LINK_LOCAL_PREFIX).ok();
    network.gateway_addresses().chain(link_local.filter(|_| is_v6).map(IpNet::from)).collect()
}

/// The host's end, whatever it is called by now.
fn gateway_link(kernel: &Kernel, name: &NetworkName, gateway: &Gateway) -> Result<Link, ControlError> {
    let by_name = kernel.host_link(name.as_str())?.into_iter().collect::<Vec<_>>();
    if let Some(link) = gateway.find(&by_name) {
        return Ok(link.clone());
    }
    let links = kernel.host.links()?;
    let link = gateway.find(&links).cloned();
    link.ok_or_else(|| ControlError::NoGateway { ifname: name.to_string() })
}
