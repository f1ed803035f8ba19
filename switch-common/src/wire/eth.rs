//! Ethernet II and 802.3 header (IEEE 802.3-2022, 3.1.1).

use crate::{abi::addr::MacAddr, wire::be16};

/// Header length in bytes, without tags.
pub const LEN: u32 = 14;
/// Offset of the type field in bytes.
pub const TYPE_OFFSET: u32 = 12;
/// Smallest number in the type field that is a type and not an 802.3 length.
pub const MIN_TYPE: u16 = 0x0600;

/// IPv4 (RFC 894).
pub const TYPE_IPV4: u16 = 0x0800;
/// ARP (RFC 826).
pub const TYPE_ARP: u16 = 0x0806;
/// IPv6 (RFC 2464).
pub const TYPE_IPV6: u16 = 0x86dd;

/// The 14 bytes in front of every frame.
#[derive(Clone, Copy, Debug)]
pub struct EthHeader(pub [u8; 14]);

impl EthHeader {
    /// Destination MAC.
    #[must_use]
    #[inline(always)]
    pub const fn dst(&self) -> MacAddr {
        let b = &self.0;
        MacAddr::new([b[0], b[1], b[2], b[3], b[4], b[5]])
    }

    /// Source MAC.
    #[must_use]
    #[inline(always)]
    pub const fn src(&self) -> MacAddr {
        let b = &self.0;
        MacAddr::new([b[6], b[7], b[8], b[9], b[10], b[11]])
    }

    /// Type or 802.3 length.
    #[must_use]
    #[inline(always)]
    pub const fn type_or_len(&self) -> u16 {
        be16(&self.0, 12)
    }
}
