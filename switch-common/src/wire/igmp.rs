//! IGMP (RFC 1112, RFC 2236, RFC 3376). Its messages begin as those of ICMP do: type, one more byte, checksum.

/// Protocol number.
pub const PROTO: u8 = 2;

/// Membership query, of every version.
pub const QUERY: u8 = 0x11;
/// IGMPv1 report.
pub const REPORT_V1: u8 = 0x12;
/// IGMPv2 report.
pub const REPORT_V2: u8 = 0x16;
/// IGMPv2 leave.
pub const LEAVE: u8 = 0x17;
/// IGMPv3 report.
pub const REPORT_V3: u8 = 0x22;
