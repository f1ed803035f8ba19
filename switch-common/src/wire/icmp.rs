//! ICMP (RFC 792) and ICMPv6 (RFC 4443): the part that all messages share.

/// Protocol number of ICMP in IPv4.
pub const PROTO_V4: u8 = 1;
/// Protocol number of ICMPv6.
pub const PROTO_V6: u8 = 58;
/// Bytes that all messages share: type, code, checksum.
pub const LEN: u32 = 4;

/// Type, code and checksum.
#[derive(Clone, Copy, Debug)]
pub struct IcmpHeader(pub [u8; 4]);

impl IcmpHeader {
    /// Message type.
    #[must_use]
    #[inline(always)]
    pub const fn kind(&self) -> u8 {
        self.0[0]
    }

    /// Message code.
    #[must_use]
    #[inline(always)]
    pub const fn code(&self) -> u8 {
        self.0[1]
    }
}
