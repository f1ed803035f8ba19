//! Bytes to [`Headers`], from Ethernet to L4, or the verdict on a frame that cannot be parsed.
//!
//! Enforces: no header reaches past the frame or past the length that the header before it gives; at most [`MAX_TAGS`]
//! tags; extension headers up to the datapath's depth. What the switch has no parser for passes as [`Network::Other`].

use crate::{
    stage::{
        env::Frame,
        headers::{Fragment, Headers, Network},
    },
    verdict::{DropReason, Verdict},
    wire::{
        arp::{self, ArpMessage},
        eth::{self, EthHeader},
        icmp::{self, IcmpHeader},
        igmp,
        ipv4::{self, Ipv4Header},
        ipv6::{self, ExtensionHeader, Ipv6Header},
        llc::{self, SnapHeader},
        sctp::{self, SctpHeader},
        tcp::{self, TcpHeader},
        udp::{self, UdpHeader},
        vlan::{self, Tag, TagBytes},
    },
};

/// VLAN tags that a frame may carry, metadata included.
pub const MAX_TAGS: u8 = 2;
/// Bytes of the largest IP packet.
const LARGEST_PACKET: u32 = 65_535;

/// Parses a frame.
///
/// # Errors
/// The verdict on a frame that is malformed (drop) or too deep for this datapath (punt).
#[inline(always)]
pub fn parse<F: Frame>(frame: &F) -> Result<Headers, Verdict> {
    let mut headers = Headers::EMPTY;
    parse_into(frame, &mut headers)?;
    Ok(headers)
}

/// Parses a frame into memory that the caller has.
///
/// # Errors
/// As [`parse`]; then `headers` hold what was found so far.
#[inline(always)]
pub fn parse_into<F: Frame>(frame: &F, headers: &mut Headers) -> Result<(), Verdict> {
    let eth = EthHeader(load(frame, 0, DropReason::ShortFrame)?);
    *headers = Headers {
        dst: eth.dst(),
        src: eth.src(),
        ethertype: eth.type_or_len(),
        body_offset: eth::LEN,
        l3_offset: eth::LEN,
        l3_end: eth::LEN,
        l4_offset: eth::LEN,
        payload_offset: eth::LEN,
        src_ip: headers.src_ip,
        dst_ip: headers.dst_ip,
        ..Headers::EMPTY
    };
    parse_tags(frame, headers)?;
    headers.body_offset = headers.l3_offset;
    headers.is_ambiguous = headers.tags > 1 && headers.tag.is_some_and(Tag::is_priority);
    let end = if headers.ethertype < eth::MIN_TYPE { parse_llc(frame, headers)? } else { frame.len() };
    headers.payload_offset = headers.l3_offset;
    match headers.ethertype {
        eth::TYPE_IPV4 => parse_ipv4(frame, headers, end)?,
        eth::TYPE_IPV6 => parse_ipv6(frame, headers, end)?,
        eth::TYPE_ARP => parse_arp(frame, headers, end)?,
        _ => {}
    }
    Ok(())
}

#[inline(always)]
fn load<F: Frame, const N: usize>(frame: &F, offset: u32, reason: DropReason) -> Result<[u8; N], Verdict> {
    frame.load(offset).ok_or(Verdict::drop(reason))
}

#[inline(always)]
fn parse_tags<F: Frame>(frame: &F, headers: &mut Headers) -> Result<(), Verdict> {
    if let Some(tag) = frame.offloaded_tag() {
        headers.tag = Some(tag);
        headers.tags = 1;
        headers.behind_tag = headers.ethertype;
    }
    for _ in 0..=MAX_TAGS {
        if !vlan::is_tpid(headers.ethertype) {
            return Ok(());
        }
        if headers.tags == MAX_TAGS {
            break;
        }
        let bytes = TagBytes(load(frame, headers.l3_offset, DropReason::ShortFrame)?);
        if headers.tag.is_none() {
            headers.tag = Some(Tag { tpid: headers.ethertype, tci: bytes.tci() });
            headers.behind_tag = bytes.type_or_len();
        }
        headers.tags += 1;
        headers.ethertype = bytes.type_or_len();
        headers.l3_offset += vlan::LEN;
    }
    Err(Verdict::drop(DropReason::TagStack))
}

/// Returns where the 802.3 length says that the payload ends: bytes behind it are padding.
#[inline(always)]
fn parse_llc<F: Frame>(frame: &F, headers: &mut Headers) -> Result<u32, Verdict> {
    let length = u32::from(headers.ethertype);
    let end = headers.l3_offset + length;
    if end > frame.len() {
        return Err(Verdict::drop(DropReason::BadLlcLength));
    }
    headers.ethertype = 0;
    // Whatever the length says: not every receiver looks at it.
    let Some(bytes) = frame.load(headers.l3_offset) else { return Ok(end) };
    let snap = SnapHeader(bytes);
    headers.is_ambiguous |=
        snap.protocol().is_some_and(|protocol| is_judged(protocol) || vlan::is_tpid(protocol));
    if let Some(ethertype) = snap.ethertype()
        && length >= llc::SNAP_LEN
    {
        headers.ethertype = ethertype;
        headers.l3_offset += llc::SNAP_LEN;
    }
    Ok(end)
}

/// Whether a type is one that stages look into.
#[inline(always)]
const fn is_judged(ethertype: u16) -> bool {
    matches!(ethertype, eth::TYPE_IPV4 | eth::TYPE_IPV6 | eth::TYPE_ARP)
}

#[inline(always)]
fn parse_arp<F: Frame>(frame: &F, headers: &mut Headers, end: u32) -> Result<(), Verdict> {
    let arp = ArpMessage(load(frame, headers.l3_offset, DropReason::ArpHeader)?);
    headers.payload_offset = headers.l3_offset + arp::LEN;
    if !arp.is_ethernet_ipv4() || headers.payload_offset > end {
        return Err(Verdict::drop(DropReason::ArpHeader));
    }
    headers.network = Network::Arp;
    headers.l3_end = headers.payload_offset;
    put_ipv4(&mut headers.src_ip, arp.sender_ip());
    put_ipv4(&mut headers.dst_ip, arp.target_ip());
    Ok(())
}

#[inline(always)]
fn parse_ipv4<F: Frame>(frame: &F, headers: &mut Headers, end: u32) -> Result<(), Verdict> {
    const BAD: DropReason = DropReason::Ipv4Header;
    let ip = Ipv4Header(load(frame, headers.l3_offset, BAD)?);
    let room = end - headers.l3_offset;
    let total = if ip.total_len() == 0 && frame.segment_size() > 0 { room } else { ip.total_len() };
    if ip.version() != 4 || ip.header_len() < ipv4::MIN_LEN || ip.header_len() > total || total > room {
        return Err(Verdict::drop(BAD));
    }
    headers.network = Network::Ipv4;
    put_ipv4(&mut headers.src_ip, ip.src());
    put_ipv4(&mut headers.dst_ip, ip.dst());
    headers.protocol = ip.protocol();
    headers.fragment = place(ip.fragment_offset(), ip.more_fragments());
    headers.l4_offset = headers.l3_offset + ip.header_len();
    headers.l3_end = headers.l3_offset + total;
    check_fragment(headers, ip.fragment_offset()).map_err(Verdict::drop)?;
    parse_l4(frame, headers)
}

#[inline(always)]
fn parse_ipv6<F: Frame>(frame: &F, headers: &mut Headers, end: u32) -> Result<(), Verdict> {
    const BAD: DropReason = DropReason::Ipv6Header;
    let ip = Ipv6Header(load(frame, headers.l3_offset, BAD)?);
    let room = end.saturating_sub(headers.l3_offset + ipv6::LEN);
    let payload = if ip.payload_len() == 0 && frame.segment_size() > 0 { room } else { ip.payload_len() };
    headers.l4_offset = headers.l3_offset + ipv6::LEN;
    if ip.version() != 6 || headers.l4_offset + payload > end {
        return Err(Verdict::drop(BAD));
    }
    headers.network = Network::Ipv6;
    headers.src_ip = ip.src();
    headers.dst_ip = ip.dst();
    headers.protocol = ip.next_header();
    headers.l3_end = headers.l4_offset + payload;
    if ipv6::is_extension(headers.protocol) {
        walk_extensions(frame, headers)?;
    }
    parse_l4(frame, headers)
}

#[inline(always)]
fn walk_extensions<F: Frame>(frame: &F, headers: &mut Headers) -> Result<(), Verdict> {
    let mut is_fragment = false;
    for _ in 0..F::DEPTH.extensions {
        let kind = headers.protocol;
        let extension = ExtensionHeader(load(frame, headers.l4_offset, DropReason::Ipv6Chain)?);
        headers.l4_offset += extension.len(kind);
        if headers.l4_offset > headers.l3_end || extension.is_source_route(kind) {
            return Err(Verdict::drop(DropReason::Ipv6Chain));
        }
        if headers.l4_offset > F::DEPTH.reach {
            return Err(F::DEPTH.beyond);
        }
        headers.protocol = extension.next_header();
        if kind == ipv6::NEXT_FRAGMENT {
            if is_fragment {
                return Err(Verdict::drop(DropReason::Ipv6Chain));
            }
            is_fragment = true;
            headers.fragment = place(extension.fragment_offset(), extension.more_fragments());
            check_fragment(headers, extension.fragment_offset()).map_err(Verdict::drop)?;
        }
        if headers.fragment == Fragment::Later || !ipv6::is_extension(headers.protocol) {
            return Ok(());
        }
    }
    Err(F::DEPTH.beyond)
}

/// A fragment may neither reach past the largest packet nor bring a piece of the header that stages judge in the first one
/// (RFC 1858, RFC 3128). `offset` is in bytes.
#[inline(always)]
const fn check_fragment(headers: &Headers, offset: u32) -> Result<(), DropReason> {
    let has_header = headers.protocol == tcp::PROTO || ipv6::is_extension(headers.protocol);
    let cuts = offset > 0 && offset < tcp::MIN_LEN && has_header;
    let overruns = offset + (headers.l3_end - headers.l4_offset) > LARGEST_PACKET;
    if offset > 0 && (cuts || overruns) { Err(DropReason::TinyFragment) } else { Ok(()) }
}

/// No header may use the padding behind the IP packet.
#[inline(always)]
fn parse_l4<F: Frame>(frame: &F, headers: &mut Headers) -> Result<(), Verdict> {
    const BAD: DropReason = DropReason::L4Header;
    let at = headers.l4_offset;
    headers.payload_offset = at;
    if headers.fragment == Fragment::Later {
        return Ok(());
    }
    let header_len = match headers.protocol {
        tcp::PROTO => {
            let tcp = TcpHeader(load(frame, at, BAD)?);
            if tcp.header_len() < tcp::MIN_LEN {
                return Err(Verdict::drop(BAD));
            }
            headers.src_port = tcp.src_port();
            headers.dst_port = tcp.dst_port();
            headers.tcp_flags = tcp.flags();
            tcp.header_len()
        }
        udp::PROTO => {
            let udp = UdpHeader(load(frame, at, BAD)?);
            headers.src_port = udp.src_port();
            headers.dst_port = udp.dst_port();
            udp::LEN
        }
        sctp::PROTO => {
            let sctp = SctpHeader(load(frame, at, BAD)?);
            headers.src_port = sctp.src_port();
            headers.dst_port = sctp.dst_port();
            sctp::LEN
        }
        // IGMP begins as ICMP does.
        icmp::PROTO_V4 | icmp::PROTO_V6 | igmp::PROTO => {
            let icmp = IcmpHeader(load(frame, at, BAD)?);
            headers.src_port = u16::from(icmp.kind());
            headers.dst_port = u16::from(icmp.code());
            icmp::LEN
        }
        _ => 0,
    };
    headers.payload_offset = at + header_len;
    if headers.payload_offset > headers.l3_end { Err(Verdict::drop(BAD)) } else { Ok(()) }
}

#[inline(always)]
const fn place(offset: u32, more: bool) -> Fragment {
    match (offset, more) {
        (0, false) => Fragment::Whole,
        (0, true) => Fragment::First,
        _ => Fragment::Later,
    }
}

#[inline(always)]
const fn put_ipv4(field: &mut [u8; 16], ip: [u8; 4]) {
    [field[0], field[1], field[2], field[3]] = ip;
}
