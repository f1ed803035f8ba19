//! Who is at an IP address: what the switch answers ARP requests and neighbour solicitations from.

use crate::abi::addr::{DomainId, IpWords, MacAddr, PortId};

/// Key of a neighbour record: an address in a domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct NeighbourKey {
    domain: DomainId,
    family: u16,
    ip: IpWords,
}

impl NeighbourKey {
    /// An IPv4 address.
    #[must_use]
    #[inline(always)]
    pub const fn ipv4(domain: DomainId, ip: [u8; 4]) -> Self {
        Self { domain, family: 4, ip: IpWords::v4(ip) }
    }

    /// An IPv6 address.
    #[must_use]
    #[inline(always)]
    pub const fn ipv6(domain: DomainId, ip: [u8; 16]) -> Self {
        Self { domain, family: 6, ip: IpWords::v6(ip) }
    }

    /// The bridge domain.
    #[must_use]
    pub const fn domain(self) -> DomainId {
        self.domain
    }
}

/// Value of a neighbour record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Neighbour {
    port: PortId,
    mac: MacAddr,
    reserved: [u8; 2],
}

impl Neighbour {
    /// The station with `mac` behind `port`; port 0 is none: the switch itself.
    #[must_use]
    pub const fn new(port: PortId, mac: MacAddr) -> Self {
        Self { port, mac, reserved: [0; 2] }
    }

    /// The port that the station is behind; 0 for the switch itself.
    #[must_use]
    #[inline(always)]
    pub const fn port(self) -> PortId {
        self.port
    }

    /// The station's MAC.
    #[must_use]
    #[inline(always)]
    pub const fn mac(self) -> MacAddr {
        self.mac
    }
}
