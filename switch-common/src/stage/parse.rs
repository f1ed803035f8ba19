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

/// Parses a frame.
///
/// # Errors
/// The verdict on a frame that is malformed (drop) or too deep for this datapath (punt).
#[inline(always)]
pub fn parse<F: Frame>(frame: &F) -> Result<Headers, Verdict> {
    let eth = EthHeader(load(frame, 0, DropReason::ShortFrame)?);
    let mut headers = Headers {
        dst: eth.dst(),
        src: eth.src(),
        tag: None,
        tags: 0,
        ethertype: eth.type_or_len(),
        l3_offset: eth::LEN,
        network: Network::Other,
        fragment: Fragment::Whole,
        src_ip: [0; 16],
        dst_ip: [0; 16],
        protocol: 0,
        l4_offset: 0,
        payload_offset: 0,
        src_port: 0,
        dst_port: 0,
        tcp_flags: 0,
    };
    parse_tags(frame, &mut headers)?;
    let end = if headers.ethertype < eth::MIN_TYPE { parse_llc(frame, &mut headers)? } else { frame.len() };
    headers.payload_offset = headers.l3_offset;
    match headers.ethertype {
        eth::TYPE_IPV4 => parse_ipv4(frame, &mut headers, end)?,
        eth::TYPE_IPV6 => parse_ipv6(frame, &mut headers, end)?,
        eth::TYPE_ARP => parse_arp(frame, &mut headers, end)?,
        _ => {}
    }
    Ok(headers)
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
    if length < llc::SNAP_LEN {
        return Ok(end);
    }
    let snap = SnapHeader(load(frame, headers.l3_offset, DropReason::BadLlcLength)?);
    if let Some(ethertype) = snap.ethertype() {
        headers.ethertype = ethertype;
        headers.l3_offset += llc::SNAP_LEN;
    }
    Ok(end)
}

#[inline(always)]
fn parse_arp<F: Frame>(frame: &F, headers: &mut Headers, end: u32) -> Result<(), Verdict> {
    let arp = ArpMessage(load(frame, headers.l3_offset, DropReason::ArpHeader)?);
    headers.payload_offset = headers.l3_offset + arp::LEN;
    if !arp.is_ethernet_ipv4() || headers.payload_offset > end {
        return Err(Verdict::drop(DropReason::ArpHeader));
    }
    headers.network = Network::Arp;
    headers.src_ip = widen(arp.sender_ip());
    headers.dst_ip = widen(arp.target_ip());
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
    headers.src_ip = widen(ip.src());
    headers.dst_ip = widen(ip.dst());
    headers.protocol = ip.protocol();
    headers.fragment = place(ip.fragment_offset(), ip.more_fragments());
    headers.l4_offset = headers.l3_offset + ip.header_len();
    parse_l4(frame, headers, headers.l3_offset + total)
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
    let end = headers.l4_offset + payload;
    if ipv6::is_extension(headers.protocol) {
        walk_extensions(frame, headers, end)?;
    }
    parse_l4(frame, headers, end)
}

#[inline(always)]
fn walk_extensions<F: Frame>(frame: &F, headers: &mut Headers, end: u32) -> Result<(), Verdict> {
    for _ in 0..F::DEPTH.extensions {
        let kind = headers.protocol;
        let extension = ExtensionHeader(load(frame, headers.l4_offset, DropReason::Ipv6Chain)?);
        headers.l4_offset += extension.len(kind);
        if headers.l4_offset > end {
            return Err(Verdict::drop(DropReason::Ipv6Chain));
        }
        if headers.l4_offset > F::DEPTH.reach {
            return Err(F::DEPTH.beyond);
        }
        headers.protocol = extension.next_header();
        if kind == ipv6::NEXT_FRAGMENT {
            headers.fragment = place(extension.fragment_offset(), extension.more_fragments());
        }
        if headers.fragment == Fragment::Later || !ipv6::is_extension(headers.protocol) {
            return Ok(());
        }
    }
    Err(F::DEPTH.beyond)
}

/// `end` is where the IP packet ends: bytes behind it are padding and no header may use them.
#[inline(always)]
fn parse_l4<F: Frame>(frame: &F, headers: &mut Headers, end: u32) -> Result<(), Verdict> {
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
        icmp::PROTO_V4 | icmp::PROTO_V6 => {
            let icmp = IcmpHeader(load(frame, at, BAD)?);
            headers.src_port = u16::from(icmp.kind());
            headers.dst_port = u16::from(icmp.code());
            icmp::LEN
        }
        _ => 0,
    };
    headers.payload_offset = at + header_len;
    if headers.payload_offset > end { Err(Verdict::drop(BAD)) } else { Ok(()) }
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
const fn widen(ip: [u8; 4]) -> [u8; 16] {
    [ip[0], ip[1], ip[2], ip[3], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}
