//! What every test stands on: two namespaces, and a few short words.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use switch_common::abi::addr::MacAddr;
use switch_userspace::netns::{ErrorKind, IfIndex, IfName, LinkSettings, Netlink, Netns, NetnsError};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
pub(crate) const HOST_MAC: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
pub(crate) const PEER_MAC: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 2]);

/// A namespace that plays the host, one that plays a container, and a client of each.
pub(crate) struct Machine {
    pub(crate) host: Netns,
    pub(crate) container: Netns,
    pub(crate) at_host: Netlink,
    pub(crate) at_container: Netlink,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let host = Netns::anonymous().expect("these tests make network namespaces and have to run as root");
        let container = Netns::anonymous().expect("a second namespace");
        let at_host = Netlink::open_in(&host).expect("netlink at the host");
        let at_container = Netlink::open_in(&container).expect("netlink in the container");
        Self { host, container, at_host, at_container }
    }

    /// Joins both by a veth pair: `w0` at the host, `eth0` in the container, up, with their indices.
    pub(crate) fn join(&self) -> (IfIndex, IfIndex) {
        self.at_host.create_veth(&self.host_end(), &self.peer_end()).expect("veth pair");
        let peer = self.at_container.link_by_name("eth0").expect("peer").index;
        self.at_container.set_link(peer, &up()).expect("peer up");
        (self.at_host.link_by_name("w0").expect("host end").index, peer)
    }

    pub(crate) fn host_end(&self) -> LinkSettings<'_> {
        LinkSettings {
            name: Some(name("w0")),
            mac: Some(HOST_MAC),
            up: Some(true),
            ..LinkSettings::default()
        }
    }

    pub(crate) fn peer_end(&self) -> LinkSettings<'_> {
        LinkSettings {
            name: Some(name("eth0")),
            mac: Some(PEER_MAC),
            netns: Some(&self.container),
            ..LinkSettings::default()
        }
    }
}

pub(crate) fn name(text: &str) -> IfName {
    text.parse().expect("a good interface name")
}

pub(crate) fn up() -> LinkSettings<'static> {
    LinkSettings { up: Some(true), ..LinkSettings::default() }
}

pub(crate) fn net(text: &str) -> ipnet::IpNet {
    text.parse().expect("an address with a prefix")
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn census(netlink: &Netlink) -> BTreeSet<String> {
    netlink.links().expect("interfaces").into_iter().map(|link| link.name).collect()
}

pub(crate) fn kind<T>(result: Result<T, NetnsError>) -> ErrorKind {
    result.err().expect("a failure").kind()
}
