//! UDP header (RFC 768).

use crate::wire::be16;

/// Protocol number.
pub const PROTO: u8 = 17;
/// Header length in bytes.
pub const LEN: u32 = 8;

/// A UDP header.
#[derive(Clone, Copy, Debug)]
pub struct UdpHeader(pub [u8; 8]);

impl UdpHeader {
    /// Source L4 port.
    #[must_use]
    #[inline(always)]
    pub const fn src_port(&self) -> u16 {
        be16(&self.0, 0)
    }

    /// Destination L4 port.
    #[must_use]
    #[inline(always)]
    pub const fn dst_port(&self) -> u16 {
        be16(&self.0, 2)
    }

    /// Length of header and payload in bytes; 0 in a jumbogram (RFC 2675).
    #[must_use]
    #[inline(always)]
    pub const fn len(&self) -> u32 {
        be16(&self.0, 4) as u32
    }

    /// Whether the length field says that there is nothing, not even this header.
    #[must_use]
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
