//! ICMP (RFC 792) and ICMPv6 (RFC 4443): the part that all messages share.

/// Protocol number of ICMP in IPv4.
pub const PROTO_V4: u8 = 1;
/// Protocol number of ICMPv6.
pub const PROTO_V6: u8 = 58;
/// Bytes that all messages share: type, code, checksum.
pub const LEN: u32 = 4;

/// Bytes in front of the packet that an error is about (RFC 792, RFC 4443, 3).
pub const ERROR_LEN: u32 = 8;

/// Destination unreachable.
pub const UNREACHABLE: u8 = 3;
/// Source quench (deprecated by RFC 6633).
pub const SOURCE_QUENCH: u8 = 4;
/// Redirect.
pub const REDIRECT: u8 = 5;
/// Router advertisement in IPv4 (RFC 1256).
pub const ROUTER_ADVERTISEMENT_V4: u8 = 9;
/// Time exceeded.
pub const TIME_EXCEEDED: u8 = 11;
/// Parameter problem.
pub const PARAMETER_PROBLEM: u8 = 12;

/// ICMPv6 destination unreachable: the first of the errors.
pub const UNREACHABLE_V6: u8 = 1;
/// ICMPv6 parameter problem: the last of the errors.
pub const PARAMETER_PROBLEM_V6: u8 = 4;
/// MLD query, of both versions (RFC 2710, RFC 3810).
pub const MLD_QUERY: u8 = 130;
/// MLDv1 report (RFC 2710).
pub const MLD_REPORT: u8 = 131;
/// MLDv1 done (RFC 2710).
pub const MLD_DONE: u8 = 132;
/// Router solicitation (RFC 4861).
pub const ROUTER_SOLICITATION: u8 = 133;
/// Router advertisement (RFC 4861).
pub const ROUTER_ADVERTISEMENT: u8 = 134;
/// Neighbour solicitation (RFC 4861).
pub const NEIGHBOUR_SOLICITATION: u8 = 135;
/// Neighbour advertisement (RFC 4861).
pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// ICMPv6 redirect (RFC 4861).
pub const REDIRECT_V6: u8 = 137;
/// MLDv2 report (RFC 3810).
pub const MLD_REPORT_V2: u8 = 143;

/// Whether an ICMP message is an error (RFC 1122, 3.2.2), a redirect among them.
#[must_use]
#[inline(always)]
pub const fn is_error(kind: u8) -> bool {
    matches!(kind, UNREACHABLE | SOURCE_QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM)
}

/// Whether an ICMPv6 message is one of those that nobody is told of: an error (RFC 4443, 2.1) or a redirect.
#[must_use]
#[inline(always)]
pub const fn is_error_v6(kind: u8) -> bool {
    kind < 128 || kind == REDIRECT_V6
}

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
