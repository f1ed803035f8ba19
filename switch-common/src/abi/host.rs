//! The host's own addresses: all that goes in and out at gateway ports.

use crate::abi::addr::IpWords;

/// Key of a record that the host has an address; the value says nothing more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct HostAddress {
    family: u32,
    ip: IpWords,
}

impl HostAddress {
    /// An IPv4 address.
    #[must_use]
    #[inline(always)]
    pub const fn ipv4(ip: [u8; 4]) -> Self {
        Self { family: 4, ip: IpWords::v4(ip) }
    }

    /// An IPv6 address.
    #[must_use]
    #[inline(always)]
    pub const fn ipv6(ip: [u8; 16]) -> Self {
        Self { family: 6, ip: IpWords::v6(ip) }
    }
}
