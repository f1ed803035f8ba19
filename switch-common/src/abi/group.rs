//! Multicast groups, and the lists of ports that floods and groups go to.

use crate::{
    abi::addr::{DomainId, IpWords},
    wire::vlan::VlanId,
};

/// A list of ports: a domain's own has the domain's number, those of groups have numbers from [`super::MAX_DOMAINS`] on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ListId(pub u32);

impl ListId {
    /// No list.
    pub const NONE: Self = Self(0);

    /// The list of all ports of a domain.
    #[must_use]
    #[inline(always)]
    pub const fn of_domain(domain: DomainId) -> Self {
        Self(domain.0 as u32)
    }
}

/// A position in a list. The value is a [`super::addr::PortId`]; a missing position is a hole.
///
/// Holes make removal safe under traffic: entries never move, so no flood in flight can reach a port twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FloodKey {
    list: ListId,
    position: u32,
}

impl FloodKey {
    /// Position `position` of a list.
    #[must_use]
    #[inline(always)]
    pub const fn new(list: ListId, position: u32) -> Self {
        Self { list, position }
    }
}

/// Key of a group, as a domain knows it in one VLAN; the value is a [`ListId`].
///
/// The group without an address stands for all that are not registered: its list has the router ports, and that it exists says that
/// somebody asks for members, so that whoever did not answer is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct GroupKey {
    domain: DomainId,
    vlan: u16,
    family: u16,
    reserved: [u8; 2],
    ip: IpWords,
}

impl GroupKey {
    /// An IPv4 group; all zeros for those that are not registered.
    #[must_use]
    #[inline(always)]
    pub const fn ipv4(domain: DomainId, vlan: VlanId, ip: [u8; 4]) -> Self {
        Self { domain, vlan: vlan.get(), family: 4, reserved: [0; 2], ip: IpWords::v4(ip) }
    }

    /// An IPv6 group; all zeros for those that are not registered.
    #[must_use]
    #[inline(always)]
    pub const fn ipv6(domain: DomainId, vlan: VlanId, ip: [u8; 16]) -> Self {
        Self { domain, vlan: vlan.get(), family: 6, reserved: [0; 2], ip: IpWords::v6(ip) }
    }

    /// The key of the groups of the same domain, VLAN and family that are not registered.
    #[must_use]
    #[inline(always)]
    pub const fn unregistered(mut self) -> Self {
        self.ip = IpWords::NONE;
        self
    }

    /// The bridge domain.
    #[must_use]
    pub const fn domain(self) -> DomainId {
        self.domain
    }

    /// The VLAN; 0 where the domain knows no VLANs.
    #[must_use]
    pub const fn vlan(self) -> u16 {
        self.vlan
    }

    /// Whether the group is an IPv4 one.
    #[must_use]
    pub const fn is_ipv4(self) -> bool {
        self.family == 4
    }

    /// The group's address; an IPv4 one in the first four bytes.
    #[must_use]
    pub const fn ip(self) -> [u8; 16] {
        self.ip.bytes()
    }
}

/// Bytes of an IP packet that a copy for the control plane holds: every packet of the usual MTU.
pub const SNOOPED_BYTES: usize = 2_048;

/// A copy of a membership message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SnoopRecord {
    /// Monotonic time at which it came in, in nanoseconds.
    pub at_ns: u64,
    /// The port that it came in on.
    pub port: super::addr::PortId,
    /// The VLAN; 0 where the domain knows no VLANs.
    pub vlan: u16,
    /// Valid bytes in `packet`.
    pub len: u16,
    /// The packet from its IP header on, padding left out.
    pub packet: [u8; SNOOPED_BYTES],
}
