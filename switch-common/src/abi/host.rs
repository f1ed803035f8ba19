//! The host's own addresses: all that goes in and out at gateway ports.

/// Key of a record that the host has an address; the value says nothing more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct HostAddress {
    family: u32,
    ip: [u8; 16],
}

impl HostAddress {
    /// An IPv4 address.
    #[must_use]
    #[inline(always)]
    pub const fn ipv4(ip: [u8; 4]) -> Self {
        let [a, b, c, d] = ip;
        Self { family: 4, ip: [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// An IPv6 address.
    #[must_use]
    #[inline(always)]
    pub const fn ipv6(ip: [u8; 16]) -> Self {
        Self { family: 6, ip }
    }
}
