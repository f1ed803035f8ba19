//! An attachment's interfaces: a veth pair between the switch and the endpoint's namespace.
//!
//! Order that holds here: the port's record and program are in force before the endpoint's side goes up, and the host's side
//! is gone before the program is.

use std::{borrow::Cow, net::IpAddr};

use switch_common::{
    abi::{
        addr::{MacAddr, PortId},
        neighbour::NeighbourKey,
    },
    wire::ipv6,
};

use super::{
    condition::Condition,
    error::ControlError,
    kernel::{Kernel, PortRecord, Role},
};
use crate::{
    model::{Attachment, Model, Network},
    netns::{
        AddressFlags, ErrorKind, Family, IfIndex, IfName, LinkSettings, Netlink, Netns, NetnsError, Route,
        Sysctl, TeardownFailure, Undo,
    },
};

/// How often another index is tried where somebody else took the chosen one.
const INDEX_ATTEMPTS: u32 = 8;
/// The kernel's own metric for IPv6 routes; IPv4 has 0.
const METRIC_V6: u32 = 1_024;
/// How much a default route's metric grows from one interface of an endpoint to the next.
const METRIC_STEP: u32 = 100;

/// The host side takes frames of every size, so that it is the switch that drops what is too big, and counts it; the kernel
/// would drop it unseen.
const HOST_SIDE_MTU: u32 = 65_535;

impl Kernel {
    /// Makes the interfaces of an attachment and brings them up. The port's index may become another one.
    pub(super) fn plug<'a>(
        &'a self,
        undo: &mut Undo<'a>,
        model: &Model,
        attachment: &mut Attachment,
        inside: &Netns,
    ) -> Result<(), ControlError> {
        let network = model.network(&attachment.network)?;
        let peer = LinkSettings {
            name: Some(attachment.ifname.clone()),
            mac: Some(attachment.mac),
            mtu: Some(network.mtu),
            netns: Some(inside),
            ..LinkSettings::default()
        };
        attachment.port = match self.make_pair(undo, model, attachment.port, &attachment.host_ifname, &peer) {
            Err(ControlError::Netns(error))
                if error.kind() == ErrorKind::Exists && has_link(inside, attachment)? =>
            {
                return Err(ControlError::InterfaceExists {
                    ifname: attachment.ifname.to_string(),
                    netns: inside.label().to_owned(),
                });
            }
            made => made?,
        };
        let port = attachment.port;
        self.quiet_host_side(&attachment.host_ifname)?;
        self.add_port(undo, network, &record(network, attachment, Condition::up(network.mtu)))?;
        self.datapath(|datapath| datapath.set_neighbours(port, &neighbours(network, attachment)))?;
        self.ports.set_link(port.into(), &up(true))?;
        undo.push(format!("set interface {} down", attachment.host_ifname), move || {
            ignore_gone(self.ports.set_link(port.into(), &up(false)))
        });
        furnish(network, attachment, inside)
    }

    /// Removes the interfaces of an attachment and its port. What is gone already is no failure.
    pub(super) fn unplug(&self, attachment: &Attachment) -> Vec<TeardownFailure> {
        let mut failures = Vec::new();
        let deleted = self.delete_host_side(attachment.port, attachment.host_ifname.as_str());
        failures.extend(failure(format!("delete interface {}", attachment.host_ifname), deleted));
        let detached = self.datapath(|datapath| datapath.detach_port(attachment.port));
        failures.extend(failure(format!("detach port {}", attachment.port.0), detached));
        failures
    }

    /// Deletes a host-side interface, unless the index is somebody else's by now.
    pub(super) fn delete_host_side(&self, port: PortId, name: &str) -> Result<(), ControlError> {
        match self.port_link(port)? {
            Some(link) if link.name == name => Ok(ignore_gone(self.ports.delete_link(link.index))?),
            _ => Ok(()),
        }
    }

    /// Makes a veth pair with the host side `name` and `peer`, and returns the index of the host side: `index`, or another where
    /// somebody else took that.
    pub(super) fn make_pair<'a>(
        &'a self,
        undo: &mut Undo<'a>,
        model: &Model,
        mut index: PortId,
        name: &IfName,
        peer: &LinkSettings<'_>,
    ) -> Result<PortId, ControlError> {
        for attempt in 1.. {
            let host = LinkSettings {
                index: Some(index.into()),
                name: Some(name.clone()),
                mtu: Some(HOST_SIDE_MTU),
                ..LinkSettings::default()
            };
            match self.ports.create_veth(&host, peer) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::IndexTaken && attempt < INDEX_ATTEMPTS => {
                    index = self.free_index(model)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        undo.push(format!("delete interface {name}"), move || {
            ignore_gone(self.ports.delete_link(index.into()))
        });
        Ok(index)
    }

    /// The host has no business on a port: no address of its own, no answers.
    pub(super) fn quiet_host_side(&self, name: &IfName) -> Result<(), ControlError> {
        self.in_port_netns(|| Sysctl::interface(Family::Ipv6, name, "disable_ipv6").set_if_there("1"))
    }
}

/// What the datapath is told of an attachment's port.
pub(super) fn record<'a>(
    network: &Network,
    attachment: &'a Attachment,
    condition: Condition,
) -> PortRecord<'a> {
    PortRecord {
        id: attachment.port,
        domain: network.domain,
        slot: attachment.slot,
        mac: attachment.mac,
        condition,
        settings: attachment.settings.clone(),
        addresses: Cow::Borrowed(&attachment.addresses),
        vlans: network.vlans_of(&attachment.settings),
        role: Role::Endpoint,
    }
}

/// The addresses that an endpoint is known at: its own, and the link-local one that its MAC makes. Where it may use one of them with
/// another MAC, it is known there.
pub(super) fn neighbours(network: &Network, attachment: &Attachment) -> Vec<(NeighbourKey, MacAddr)> {
    let has_v6 = attachment.addresses.iter().any(|net| net.addr().is_ipv6());
    let link_local = has_v6.then(|| IpAddr::from(ipv6::link_local(attachment.mac)));
    let ips = attachment.addresses.iter().map(|net| net.addr()).chain(link_local);
    let allowed = |ip| attachment.settings.allow.iter().rev().find(|pair| pair.ip == Some(ip));
    ips.map(|ip| (neighbour_key(network, ip), allowed(ip).map_or(attachment.mac, |pair| pair.mac))).collect()
}

/// The key of what is known at an address of a network.
pub(super) fn neighbour_key(network: &Network, ip: IpAddr) -> NeighbourKey {
    match ip {
        IpAddr::V4(ip) => NeighbourKey::ipv4(network.domain, ip.octets()),
        IpAddr::V6(ip) => NeighbourKey::ipv6(network.domain, ip.octets()),
    }
}

pub(super) fn up(on: bool) -> LinkSettings<'static> {
    LinkSettings { up: Some(on), ..LinkSettings::default() }
}

/// Gives the endpoint's side its addresses and routes, and brings it up.
fn furnish(network: &Network, attachment: &Attachment, inside: &Netns) -> Result<(), ControlError> {
    let is_v6 = attachment.addresses.iter().any(|net| net.addr().is_ipv6());
    inside.run(|| {
        let name = &attachment.ifname;
        Sysctl::interface(Family::Ipv6, name, "disable_ipv6").set_if_there(if is_v6 { "0" } else { "1" })?;
        Sysctl::interface(Family::Ipv6, name, "accept_ra").set_if_there("0")?;
        // Neighbours may still know the address from an endpoint that is gone: it is announced when the interface goes up.
        Sysctl::interface(Family::Ipv4, name, "arp_notify").set_if_there("1")?;
        Sysctl::interface(Family::Ipv6, name, "ndisc_notify").set_if_there("1")?;
        let netlink = Netlink::open()?;
        let index = netlink.link_by_name(name.as_str())?.index;
        for net in &attachment.addresses {
            netlink.add_address(index, *net, AddressFlags { nodad: true, no_prefix_route: false })?;
        }
        netlink.set_link(index, &up(true))?;
        for gateway in default_gateways(network) {
            let route = default_route(gateway, index, attachment.rank);
            netlink.add_route(&route).map_err(|error| {
                let taken = ControlError::DefaultRouteExists { netns: inside.label().to_owned() };
                if error.kind() == ErrorKind::Exists { taken } else { error.into() }
            })?;
        }
        Ok(())
    })
}

/// The gateways that an endpoint's default routes lead to: the first of each family, none on an internal network.
pub(super) fn default_gateways(network: &Network) -> Vec<IpAddr> {
    let of_family = |is_v4: bool| {
        network.subnets.iter().map(|subnet| subnet.gateway).find(|gateway| gateway.is_ipv4() == is_v4)
    };
    if network.internal {
        Vec::new()
    } else {
        [of_family(true), of_family(false)].into_iter().flatten().collect()
    }
}

/// The default route of the interface with the lowest rank wins; the others' stand by.
fn default_route(gateway: IpAddr, device: IfIndex, rank: u16) -> Route {
    let base = if gateway.is_ipv4() { 0 } else { METRIC_V6 };
    Route {
        device: Some(device),
        metric: Some(base + u32::from(rank) * METRIC_STEP),
        ..Route::default_via(gateway)
    }
}

fn has_link(inside: &Netns, attachment: &Attachment) -> Result<bool, ControlError> {
    let netlink = Netlink::open_in(inside)?;
    Ok(netlink.link_by_name(attachment.ifname.as_str()).is_ok())
}

/// What was to be removed and is not there is no failure.
pub(super) fn ignore_gone(result: Result<(), NetnsError>) -> Result<(), NetnsError> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::NoDevice | ErrorKind::NotFound) => Ok(()),
        other => other,
    }
}

/// A failed step of a teardown.
pub(super) fn failure(step: String, result: Result<(), ControlError>) -> Option<TeardownFailure> {
    result.err().map(|error| TeardownFailure { step, source: Box::new(error) })
}
