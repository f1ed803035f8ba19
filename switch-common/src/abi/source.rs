//! Sources that a port may use beside its own MAC and addresses.

use crate::abi::addr::{IpWords, MacAddr, Slot};

/// Key of a source record: a MAC at a port, alone or with one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct SourceKey {
    slot: Slot,
    family: u16,
    mac: MacAddr,
    reserved: [u8; 2],
    ip: IpWords,
}

impl SourceKey {
    /// The MAC itself.
    #[must_use]
    #[inline(always)]
    pub const fn mac(slot: Slot, mac: MacAddr) -> Self {
        Self { slot, family: 0, mac, reserved: [0; 2], ip: IpWords::NONE }
    }

    /// The MAC with an IPv4 address.
    #[must_use]
    #[inline(always)]
    pub const fn ipv4(slot: Slot, mac: MacAddr, ip: [u8; 4]) -> Self {
        Self { slot, family: 4, mac, reserved: [0; 2], ip: IpWords::v4(ip) }
    }

    /// The MAC with an IPv6 address.
    #[must_use]
    #[inline(always)]
    pub const fn ipv6(slot: Slot, mac: MacAddr, ip: [u8; 16]) -> Self {
        Self { slot, family: 6, mac, reserved: [0; 2], ip: IpWords::v6(ip) }
    }

    /// The port that the record is about.
    #[must_use]
    pub const fn slot(self) -> Slot {
        self.slot
    }
}

/// What a source record lets a MAC do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SourceScope {
    /// Send from whatever address.
    AnyAddress = 1,
    /// Send from the addresses that have records of their own.
    Listed = 2,
}

impl SourceScope {
    /// Reads the kernel's number back.
    #[must_use]
    #[inline(always)]
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::AnyAddress),
            2 => Some(Self::Listed),
            _ => None,
        }
    }
}
