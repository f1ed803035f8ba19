//! Membership messages: IGMPv1 (RFC 1112), v2 (RFC 2236), v3 (RFC 3376), MLDv1 (RFC 2710), v2 (RFC 3810).
//!
//! A message with a wrong checksum, length or sender is none. Sources are not told apart: whoever wants a group from some
//! sources is a member of it, and who wants it from none (`INCLUDE {}`) has left.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use switch_common::{
    units::Nanos,
    wire::{icmp, igmp, ipv6},
};

/// What a report says of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: IpAddr,
    /// Whether the host is a member of it; it has left otherwise.
    pub is_member: bool,
}

/// A question for members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Who asks; the unspecified address where a switch does.
    pub source: IpAddr,
    /// The group that it is about; `None` for all.
    pub group: Option<IpAddr>,
    /// Whether it is about some sources of the group only.
    pub has_sources: bool,
    /// How long members may take to answer.
    pub max_response: Nanos,
}

/// A membership message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// From a router, or from a switch in its place.
    Query(Query),
    /// From a host.
    Report(Vec<Membership>),
}

/// What an IGMPv1 router gives members to answer (RFC 2236, 4).
const RESPONSE_V1: Nanos = Nanos::from_secs(10);
const DECISECOND: u64 = Nanos::PER_SEC / 10;
const MILLISECOND: u64 = Nanos::PER_SEC / 1_000;
/// Extension headers in front of an MLD message; there is one in those that are made as the standard says.
const MOST_EXTENSIONS: usize = 8;

/// Reads the message of an IP packet, which begins with the IP header and ends with the payload.
#[must_use]
pub fn parse(packet: &[u8]) -> Option<Message> {
    match packet.first()? >> 4 {
        4 => parse_ipv4(packet),
        6 => parse_ipv6(packet),
        _ => None,
    }
}

/// Whether a group is one that is kept account of: those of link-local scope are everybody's.
#[must_use]
pub fn is_registered(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(ip) => ip.is_multicast() && ip.octets()[..3] != [224, 0, 0],
        IpAddr::V6(ip) => ip.is_multicast() && ip.octets()[1] & 0x0f > 2,
    }
}

fn parse_ipv4(packet: &[u8]) -> Option<Message> {
    let header_len = usize::from(packet.first()? & 0x0f) * 4;
    let (header, body) = packet.split_at_checked(header_len)?;
    let header = header.first_chunk::<20>()?;
    if header[9] != igmp::PROTO || sum(body, 0) != u16::MAX {
        return None;
    }
    let [kind, code, _, _, group @ ..] = *body.first_chunk::<8>()?;
    let group = IpAddr::from(group);
    match kind {
        igmp::QUERY => {
            let source = IpAddr::from(*header[12..].first_chunk::<4>()?);
            let (max_response, has_sources) = match (body.len(), code) {
                (8, 0) => (RESPONSE_V1, false),
                (8, code) => (Nanos(u64::from(code) * DECISECOND), false),
                (12.., code) => (Nanos(floating(code.into(), 7) * DECISECOND), body[10..12] != [0, 0]),
                _ => return None,
            };
            query(source, group, has_sources, max_response)
        }
        igmp::REPORT_V1 | igmp::REPORT_V2 => Some(report([Membership { group, is_member: true }])),
        igmp::LEAVE => Some(report([Membership { group, is_member: false }])),
        igmp::REPORT_V3 => records::<4>(body),
        _ => None,
    }
}

fn parse_ipv6(packet: &[u8]) -> Option<Message> {
    let header = packet.first_chunk::<40>()?;
    let source = Ipv6Addr::from(*header[8..].first_chunk::<16>()?);
    let mut next = header[6];
    let mut body = packet.get(40..)?;
    for _ in 0..MOST_EXTENSIONS {
        if next == icmp::PROTO_V6 {
            break;
        }
        if !matches!(next, ipv6::NEXT_HOP_BY_HOP | ipv6::NEXT_DEST_OPTIONS) {
            return None;
        }
        let [following, units] = *body.first_chunk::<2>()?;
        body = body.get((usize::from(units) + 1) * 8..)?;
        next = following;
    }
    // The pseudo-header's sum (RFC 8200, 8.1) is that of the addresses, the length and the protocol.
    let length = u32::try_from(body.len()).ok()? + u32::from(icmp::PROTO_V6);
    let is_from_link = header[7] == 1 && (source.is_unicast_link_local() || source.is_unspecified());
    if next != icmp::PROTO_V6 || !is_from_link || sum(body, length + folded(&header[8..])) != u16::MAX {
        return None;
    }
    let [kind, _, _, _, code_high, code_low, ..] = *body.first_chunk::<8>()?;
    let group = || Some(IpAddr::from(*body.get(8..)?.first_chunk::<16>()?));
    match kind {
        icmp::MLD_QUERY if source.is_unspecified() => None,
        icmp::MLD_QUERY => {
            let code = u16::from_be_bytes([code_high, code_low]);
            let (milliseconds, has_sources) = match body.len() {
                24 => (u64::from(code), false),
                28.. => (floating(code, 15), body[26..28] != [0, 0]),
                _ => return None,
            };
            query(source.into(), group()?, has_sources, Nanos(milliseconds * MILLISECOND))
        }
        icmp::MLD_REPORT => Some(report([Membership { group: group()?, is_member: true }])),
        icmp::MLD_DONE => Some(report([Membership { group: group()?, is_member: false }])),
        icmp::MLD_REPORT_V2 => records::<16>(body),
        _ => None,
    }
}

fn query(source: IpAddr, group: IpAddr, has_sources: bool, max_response: Nanos) -> Option<Message> {
    let group = (!group.is_unspecified()).then_some(group);
    let is_possible = group.is_none_or(|group| group.is_multicast());
    is_possible.then_some(Message::Query(Query { source, group, has_sources, max_response }))
}

fn report(memberships: impl IntoIterator<Item = Membership>) -> Message {
    Message::Report(memberships.into_iter().filter(|told| is_registered(told.group)).collect())
}

/// The records of an IGMPv3 (`N` 4) or MLDv2 (`N` 16) report; all of them must be whole.
fn records<const N: usize>(body: &[u8]) -> Option<Message>
where
    IpAddr: From<[u8; N]>,
{
    let count = u16::from_be_bytes([*body.get(6)?, *body.get(7)?]);
    let mut rest = body.get(8..)?;
    let mut memberships = Vec::new();
    for _ in 0..count {
        let [kind, aux_words, high, low] = *rest.first_chunk::<4>()?;
        let sources = usize::from(u16::from_be_bytes([high, low]));
        let group = IpAddr::from(*rest.get(4..)?.first_chunk::<N>()?);
        rest = rest.get(4 + N + sources * N + usize::from(aux_words) * 4..)?;
        memberships.extend(is_member(kind, sources).map(|is_member| Membership { group, is_member }));
    }
    Some(report(memberships))
}

/// What a record says (RFC 3376, 4.2.12); `None` where it neither joins nor leaves.
fn is_member(kind: u8, sources: usize) -> Option<bool> {
    const IS_INCLUDE: u8 = 1;
    const IS_EXCLUDE: u8 = 2;
    const TO_INCLUDE: u8 = 3;
    const TO_EXCLUDE: u8 = 4;
    const ALLOW: u8 = 5;
    match kind {
        IS_INCLUDE | TO_INCLUDE => Some(sources > 0),
        IS_EXCLUDE | TO_EXCLUDE => Some(true),
        ALLOW if sources > 0 => Some(true),
        _ => None,
    }
}

/// A response code: plain below half of its range, a floating point number above (RFC 3376, 4.1.1; RFC 3810, 5.1.3).
fn floating(code: u16, bits: u32) -> u64 {
    let mantissa_bits = bits - 3;
    if code >> bits == 0 {
        return code.into();
    }
    let exponent = u32::from(code) >> mantissa_bits & 7;
    let mantissa = u64::from(code) & ((1 << mantissa_bits) - 1);
    (mantissa | 1 << mantissa_bits) << (exponent + 3)
}

/// The Internet checksum's sum (RFC 1071) of bytes and what was added up before: all ones where the checksum among them is right.
fn sum(bytes: &[u8], before: u32) -> u16 {
    let mut sum = u64::from(before) + u64::from(folded(bytes));
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// The sum of the 16-bit words.
fn folded(bytes: &[u8]) -> u32 {
    let words =
        bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)));
    words.fold(0, |sum, word| {
        let sum = sum + word;
        (sum & 0xffff) + (sum >> 16)
    })
}

/// The checksum of bytes in whose place zeros stand, and of what was added up before.
pub(super) fn checksum(bytes: &[u8], before: u32) -> [u8; 2] {
    (!sum(bytes, before)).to_be_bytes()
}

/// What an ICMPv6 checksum counts beside the message itself.
pub(super) fn pseudo_header(source: Ipv6Addr, destination: Ipv6Addr, length: u32) -> u32 {
    folded(&source.octets()) + folded(&destination.octets()) + length + u32::from(icmp::PROTO_V6)
}

/// All hosts, which general queries go to.
pub(super) const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

#[cfg(test)]
mod tests;
