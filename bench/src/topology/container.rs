//! A container: a network namespace with one interface.

use std::net::Ipv6Addr;

use anyhow::{Context, Result};
use switch_common::abi::addr::MacAddr;
use switch_userspace::netns::{AddressFlags, Family, IfIndex, IfName, LinkSettings, Netlink, Netns, Sysctl};

/// The container's interface.
const INTERFACE: &str = "eth0";

/// A container.
pub(crate) struct Container {
    number: u8,
    netns: Netns,
}

impl Container {
    /// A container without its interface. `number` tells those of one lane apart.
    ///
    /// # Errors
    /// Without privilege.
    pub(crate) fn new(number: u8) -> Result<Self> {
        Ok(Self { number, netns: super::new_host()? })
    }

    /// A container whose veth pair ends in `host`, and the index of that end.
    ///
    /// # Errors
    /// Without privilege.
    pub(crate) fn behind(host: &Netns, number: u8) -> Result<(Self, IfIndex)> {
        let container = Self::new(number)?;
        let netlink = Netlink::open_in(host)?;
        let near =
            LinkSettings { name: Some(container.port_name()?), up: Some(true), ..LinkSettings::default() };
        let far = LinkSettings { netns: Some(&container.netns), ..container.link()? };
        netlink.create_veth(&near, &far).context("cannot make the veth pair")?;
        container.bring_up()?;
        let index = netlink.link_by_name(container.port_name()?.as_str())?.index;
        Ok((container, index))
    }

    /// What its interface is to be.
    ///
    /// # Errors
    /// None that can happen: the name is legal.
    pub(crate) fn link(&self) -> Result<LinkSettings<'static>> {
        Ok(LinkSettings {
            name: Some(IfName::new(INTERFACE)?),
            mac: Some(self.mac()),
            ..LinkSettings::default()
        })
    }

    /// Gives the interface its address and brings it up.
    ///
    /// # Errors
    /// The interface is not there.
    pub(crate) fn bring_up(&self) -> Result<IfIndex> {
        let netlink = Netlink::open_in(&self.netns)?;
        let index = netlink.link_by_name(INTERFACE)?.index;
        let [a, b, c, d] = self.ip();
        netlink.add_address(index, format!("{a}.{b}.{c}.{d}/24").parse()?, AddressFlags::default())?;
        netlink.set_link(index, &LinkSettings { up: Some(true), ..LinkSettings::default() })?;
        Ok(index)
    }

    /// Its namespace.
    #[must_use]
    pub(crate) fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Its interface.
    #[must_use]
    pub(crate) fn interface(&self) -> &'static str {
        INTERFACE
    }

    /// The other end of its veth pair.
    ///
    /// # Errors
    /// None that can happen: the name is legal.
    pub(crate) fn port_name(&self) -> Result<IfName> {
        Ok(IfName::new(format!("p{}", self.number))?)
    }

    /// Its number in the lane.
    #[must_use]
    pub(crate) fn number(&self) -> u8 {
        self.number
    }

    /// The MAC of its interface.
    #[must_use]
    pub(crate) fn mac(&self) -> MacAddr {
        MacAddr::new([2, 0, 0, 0, 0, self.number])
    }

    /// Lets it use IPv6, with the address [`Container::ipv6`], once its interface is up.
    ///
    /// # Errors
    /// `/proc/sys` cannot be written; the kernel has no IPv6.
    pub(crate) fn use_ipv6(&self) -> Result<()> {
        self.netns.run(|| {
            for key in ["conf/eth0/router_solicitations", "conf/eth0/disable_ipv6"] {
                Sysctl::family(Family::Ipv6, key).set("0").context("cannot turn IPv6 on")?;
            }
            anyhow::Ok(())
        })?;
        let netlink = Netlink::open_in(&self.netns)?;
        let index = netlink.link_by_name(INTERFACE)?.index;
        let address = format!("{}/64", Ipv6Addr::from(self.ipv6())).parse()?;
        let flags = AddressFlags { nodad: true, ..AddressFlags::default() };
        netlink.add_address(index, address, flags).context("cannot add an IPv6 address")
    }

    /// Its IPv6 address, where it uses IPv6.
    #[must_use]
    pub(crate) fn ipv6(&self) -> [u8; 16] {
        [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, self.number]
    }

    /// Its IPv4 address.
    #[must_use]
    pub(crate) fn ip(&self) -> [u8; 4] {
        [10, 0, 0, self.number]
    }
}

/// Turns IPv6 off, which speaks unasked.
///
/// # Errors
/// `/proc/sys` cannot be written.
pub(super) fn silence(netns: &Netns) -> Result<()> {
    netns.run(|| {
        for key in ["conf/all/disable_ipv6", "conf/default/disable_ipv6"] {
            Sysctl::family(Family::Ipv6, key).set("1").context("cannot turn IPv6 off")?;
        }
        Ok(())
    })
}
