//! 802.2 LLC with SNAP (RFC 1042): another way to carry an ethertype.

use crate::wire::be16;

/// Length of LLC plus SNAP in bytes.
pub const SNAP_LEN: u32 = 8;

/// LLC header and SNAP header.
#[derive(Clone, Copy, Debug)]
pub struct SnapHeader(pub [u8; 8]);

impl SnapHeader {
    /// The ethertype of the payload; `None` unless this is SNAP with the OUI of RFC 1042.
    #[must_use]
    #[inline(always)]
    pub const fn ethertype(&self) -> Option<u16> {
        match self.0 {
            [0xaa, 0xaa, 0x03, 0, 0, 0, _, _] => Some(be16(&self.0, 6)),
            _ => None,
        }
    }

    /// What a receiver that looks at neither the OUI, the control byte nor the response bit takes for the ethertype; `None` unless
    /// this is SNAP.
    #[must_use]
    #[inline(always)]
    pub const fn protocol(&self) -> Option<u16> {
        match self.0 {
            [0xaa, 0xaa | 0xab, ..] => Some(be16(&self.0, 6)),
            _ => None,
        }
    }
}
