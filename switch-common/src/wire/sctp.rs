//! SCTP common header (RFC 9260, 3.1).

use crate::wire::be16;

/// Protocol number.
pub const PROTO: u8 = 132;
/// Length of the common header in bytes.
pub const LEN: u32 = 12;

/// The SCTP common header.
#[derive(Clone, Copy, Debug)]
pub struct SctpHeader(pub [u8; 12]);

impl SctpHeader {
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
}
