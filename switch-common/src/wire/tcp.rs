//! TCP header (RFC 9293, 3.1).

use crate::wire::be16;

/// Protocol number.
pub const PROTO: u8 = 6;
/// Length without options in bytes.
pub const MIN_LEN: u32 = 20;

/// The fixed part of a TCP header.
#[derive(Clone, Copy, Debug)]
pub struct TcpHeader(pub [u8; 20]);

impl TcpHeader {
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

    /// Header length with options in bytes: 0 to 60.
    #[must_use]
    #[inline(always)]
    pub const fn header_len(&self) -> u32 {
        (self.0[12] >> 4) as u32 * 4
    }

    /// CWR ECE URG ACK PSH RST SYN FIN, from the highest bit down.
    #[must_use]
    #[inline(always)]
    pub const fn flags(&self) -> u8 {
        self.0[13]
    }
}
