//! Names of things: MAC addresses, VLANs, ports, bridge domains, slots.

use core::{cmp::Ordering, fmt};

/// A 48-bit MAC address in wire order. Aligned, as every field below: the kernel programs handle bytes of unknown alignment one by
/// one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, align(2))]
pub struct MacAddr([u8; 6]);

impl MacAddr {
    /// `ff:ff:ff:ff:ff:ff`.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// `00:00:00:00:00:00`, never a valid source.
    pub const ZERO: Self = Self([0; 6]);

    /// From six bytes in wire order.
    #[must_use]
    #[inline(always)]
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// Six bytes in wire order.
    #[must_use]
    #[inline(always)]
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// The group bit (IEEE 802-2014, 8.2.2): multicast, or broadcast.
    #[must_use]
    #[inline(always)]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// All ones.
    #[must_use]
    #[inline(always)]
    pub const fn is_broadcast(self) -> bool {
        let b = self.0;
        b[0] & b[1] & b[2] & b[3] & b[4] & b[5] == 0xff
    }

    /// All zeros.
    #[must_use]
    #[inline(always)]
    pub const fn is_zero(self) -> bool {
        let b = self.0;
        b[0] | b[1] | b[2] | b[3] | b[4] | b[5] == 0
    }

    /// 01:80:C2:00:00:00 to 0F: addresses that no bridge forwards (IEEE 802.1Q-2018, table 8-1).
    #[must_use]
    #[inline(always)]
    pub const fn is_bridge_reserved(self) -> bool {
        let b = self.0;
        b[0] == 0x01 && b[1] == 0x80 && b[2] == 0xc2 && b[3] | b[4] | (b[5] & 0xf0) == 0
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not a MAC address in the form `aa:bb:cc:dd:ee:ff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacParseError;

impl fmt::Display for MacParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a MAC address: six pairs of hex digits with colons between, such as 02:00:5e:10:00:01",
        )
    }
}

impl core::error::Error for MacParseError {}

impl core::str::FromStr for MacAddr {
    type Err = MacParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0u8; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or(MacParseError)?;
            if !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(MacParseError);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| MacParseError)?;
        }
        if parts.next().is_some() { Err(MacParseError) } else { Ok(Self(bytes)) }
    }
}

/// An IP address in a key, in wire order; an IPv4 one in the first four bytes, the rest zeros. Words, because the kernel programs
/// handle bytes of unknown alignment one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct IpWords([u32; 4]);

impl IpWords {
    /// No address.
    pub const NONE: Self = Self([0; 4]);

    /// An IPv4 address.
    #[must_use]
    #[inline(always)]
    pub const fn v4(ip: [u8; 4]) -> Self {
        Self([u32::from_ne_bytes(ip), 0, 0, 0])
    }

    /// An IPv6 address.
    #[must_use]
    #[inline(always)]
    pub const fn v6(ip: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = ip;
        Self([
            u32::from_ne_bytes([a, b, c, d]),
            u32::from_ne_bytes([e, f, g, h]),
            u32::from_ne_bytes([i, j, k, l]),
            u32::from_ne_bytes([m, n, o, p]),
        ])
    }

    /// The bytes in wire order.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        let [first, second, third, fourth] = self.0;
        let ([a, b, c, d], [e, f, g, h]) = (first.to_ne_bytes(), second.to_ne_bytes());
        let ([i, j, k, l], [m, n, o, p]) = (third.to_ne_bytes(), fourth.to_ne_bytes());
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }
}

impl Ord for IpWords {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(&other.bytes())
    }
}

impl PartialOrd for IpWords {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A switch attachment point: the index of one interface in the switch's host namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct PortId(pub u32);

/// A bridge domain: one L2 broadcast scope. 0 is "no domain".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct DomainId(pub u16);

impl DomainId {
    /// No domain: what a port has before it belongs anywhere.
    pub const NONE: Self = Self(0);
}

/// A port's dense number within its switch; indexes counters and learned-MAC accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Slot(pub u16);

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn mac_text_survives_a_round_trip() {
        let mac = MacAddr::new([2, 0, 0x5e, 0x10, 0, 0xff]);
        assert_eq!(mac.to_string().parse(), Ok(mac));
    }

    #[test]
    fn odd_mac_texts_are_refused() {
        for text in
            ["", "02:00", "02:00:00:00:00:0g", "02:00:00:00:00:00:00", "2:0:0:0:0:0", "+2:00:00:00:00:00"]
        {
            assert_eq!(text.parse::<MacAddr>(), Err(MacParseError), "{text}");
        }
    }

    #[test]
    fn only_the_sixteen_reserved_groups_are_bridge_reserved() {
        assert!(MacAddr::new([1, 0x80, 0xc2, 0, 0, 0x0f]).is_bridge_reserved());
        assert!(!MacAddr::new([1, 0x80, 0xc2, 0, 0, 0x10]).is_bridge_reserved());
        assert!(!MacAddr::new([1, 0x80, 0xc2, 0, 1, 0]).is_bridge_reserved());
    }
}
