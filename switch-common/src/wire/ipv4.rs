//! IPv4 header (RFC 791).

use crate::wire::be16;

/// The unspecified address.
pub const UNSPECIFIED: [u8; 4] = [0; 4];
/// Length without options in bytes.
pub const MIN_LEN: u32 = 20;

/// Whether an address can be one station's: not of "this network", loopback, a group or everybody (RFC 6890).
#[must_use]
#[inline(always)]
pub const fn is_station(ip: [u8; 4]) -> bool {
    !matches!(ip[0], 0 | 127 | 224..)
}

/// The fixed part of an IPv4 header.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4Header(pub [u8; 20]);

impl Ipv4Header {
    /// Version, 4 in a valid header.
    #[must_use]
    #[inline(always)]
    pub const fn version(&self) -> u8 {
        self.0[0] >> 4
    }

    /// Header length with options in bytes: 0 to 60.
    #[must_use]
    #[inline(always)]
    pub const fn header_len(&self) -> u32 {
        ((self.0[0] & 0x0f) as u32) * 4
    }

    /// Length of header and payload in bytes; 0 in a super-frame above 64 KiB (Linux BIG TCP).
    #[must_use]
    #[inline(always)]
    pub const fn total_len(&self) -> u32 {
        be16(&self.0, 2) as u32
    }

    /// Offset of this fragment in bytes.
    #[must_use]
    #[inline(always)]
    pub const fn fragment_offset(&self) -> u32 {
        ((be16(&self.0, 6) & 0x1fff) as u32) * 8
    }

    /// Whether more fragments follow.
    #[must_use]
    #[inline(always)]
    pub const fn more_fragments(&self) -> bool {
        self.0[6] & 0x20 != 0
    }

    /// L4 protocol number.
    #[must_use]
    #[inline(always)]
    pub const fn protocol(&self) -> u8 {
        self.0[9]
    }

    /// Source address.
    #[must_use]
    #[inline(always)]
    pub const fn src(&self) -> [u8; 4] {
        let b = &self.0;
        [b[12], b[13], b[14], b[15]]
    }

    /// Destination address.
    #[must_use]
    #[inline(always)]
    pub const fn dst(&self) -> [u8; 4] {
        let b = &self.0;
        [b[16], b[17], b[18], b[19]]
    }
}
