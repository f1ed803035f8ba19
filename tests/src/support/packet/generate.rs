//! Frames by chance: valid ones of every encapsulation, damaged ones, and noise. The same seed gives the same frames.

use fastrand::Rng;
use switch_common::{
    abi::addr::MacAddr,
    wire::{
        eth, icmp, igmp, ipv6, sctp, tcp, udp,
        vlan::{TPID_8021AD, TPID_8021Q},
    },
};

use super::build;

/// Longest payload that is generated, headers aside.
const PAYLOAD_MAX: usize = 2_000;
const MORE_FRAGMENTS: u16 = 0x2000;
/// Where the hop limit is in an IPv6 header.
const HOP_LIMIT: usize = 7;

/// A frame of at least an Ethernet header: three in four are well-formed.
#[must_use]
pub fn frame(rng: &mut Rng, dst: MacAddr, src: MacAddr) -> Vec<u8> {
    let mut frame = well_formed(rng, dst, src);
    if rng.u8(..4) == 0 {
        damage(rng, &mut frame);
    }
    frame
}

/// A frame with nothing wrong in it.
#[must_use]
pub fn well_formed(rng: &mut Rng, dst: MacAddr, src: MacAddr) -> Vec<u8> {
    let (ethertype, payload) = network(rng, src);
    encapsulate(rng, dst, src, ethertype, &payload)
}

/// Random bytes behind two MACs.
#[must_use]
pub fn noise(rng: &mut Rng, dst: MacAddr, src: MacAddr, len: usize) -> Vec<u8> {
    let mut rest = vec![0; len.saturating_sub(12)];
    rng.fill(&mut rest);
    [&dst.bytes()[..], &src.bytes(), &rest].concat()
}

fn encapsulate(rng: &mut Rng, dst: MacAddr, src: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let small = payload.len() < 1_400;
    match rng.u8(..10) {
        0..=4 => build::eth(dst, src, ethertype, payload),
        5..=7 => {
            let count = rng.usize(1..=3);
            let (outermost, stack) = tags(rng, count, ethertype, payload);
            build::eth(dst, src, outermost, &stack)
        }
        8 if small => {
            let oui = if rng.bool() { [0; 3] } else { [0, 0, 0xf8] };
            build::eth_802_3(dst, src, &build::snap(oui, ethertype, payload))
        }
        9 if small => {
            let llc = build::snap([0; 3], ethertype, payload);
            let length = u16::try_from(llc.len()).expect("a small payload");
            let (outermost, stack) = tags(rng, 1, length, &llc);
            build::eth(dst, src, outermost, &stack)
        }
        _ => build::eth(dst, src, ethertype, payload),
    }
}

fn tags(rng: &mut Rng, count: usize, ethertype: u16, payload: &[u8]) -> (u16, Vec<u8>) {
    (0..count).fold((ethertype, payload.to_vec()), |(inner, payload), _| {
        let tpid = if rng.bool() { TPID_8021Q } else { TPID_8021AD };
        let tci = if rng.bool() {
            rng.u16(..)
        } else {
            *rng.choice(&[0, 0xa000, 5, 0x6005, 7]).expect("one of them")
        };
        (tpid, build::tag(tci, inner, &payload))
    })
}

/// 239.0.0.`last`.
#[must_use]
pub fn group_v4(last: u8) -> [u8; 4] {
    [239, 0, 0, last]
}

/// ff0e::`last`.
#[must_use]
pub fn group_v6(last: u8) -> [u8; 16] {
    [0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
}

/// Packets to groups: data, and membership messages, some of them too long for a copy.
fn multicast(rng: &mut Rng) -> (u16, Vec<u8>) {
    let (number, length) =
        (rng.u8(..4), if rng.u8(..8) == 0 { rng.usize(2_000..2_100) } else { rng.usize(8..40) });
    let mut body = vec![0; length];
    rng.fill(&mut body);
    if rng.bool() {
        body[0] = *rng
            .choice(&[igmp::QUERY, igmp::REPORT_V1, igmp::REPORT_V2, igmp::LEAVE, igmp::REPORT_V3])
            .expect("one");
        let to = if rng.u8(..4) == 0 { [224, 0, 0, number] } else { group_v4(number) };
        let protocol = if rng.u8(..3) == 0 { udp::PROTO } else { igmp::PROTO };
        let packet = build::ipv4_with(protocol, if rng.bool() { &[148, 4, 0, 0] } else { &[] }, 0, &body);
        return (eth::TYPE_IPV4, build::between([10, 0, 0, 1], to, packet));
    }
    body[0] =
        *rng.choice(&[icmp::MLD_QUERY, icmp::MLD_REPORT, icmp::MLD_DONE, icmp::MLD_REPORT_V2]).expect("one");
    let mut to = group_v6(number);
    if rng.u8(..4) == 0 {
        to[1] = rng.u8(..16);
    }
    let next = if rng.u8(..3) == 0 { udp::PROTO } else { icmp::PROTO_V6 };
    let packet = build::ipv6(ipv6::NEXT_HOP_BY_HOP, &build::extension(next, 0, &body));
    (eth::TYPE_IPV6, build::between(build::ipv6_address(1), to, packet))
}

fn network(rng: &mut Rng, src: MacAddr) -> (u16, Vec<u8>) {
    if rng.u8(..5) == 0 {
        return multicast(rng);
    }
    match rng.u8(..10) {
        0 => {
            let stranger = MacAddr::new([2, 0, 0, 0, 0, rng.u8(..)]);
            let mac = if rng.u8(..4) == 0 { stranger } else { src };
            let ip = match rng.u8(..6) {
                0 => [0; 4],
                1 => [10, 0, 0, rng.u8(..)],
                _ => [10, 0, 0, 1],
            };
            let target = (MacAddr::ZERO, [10, 0, 0, if rng.bool() { rng.u8(1..4) } else { rng.u8(..) }]);
            (eth::TYPE_ARP, build::arp(rng.u16(1..4), (mac, ip), target))
        }
        8 => (eth::TYPE_IPV6, discovery(rng, src)),
        9 => control_v4(rng),
        1 => (rng.u16(eth::MIN_TYPE..), payload(rng)),
        2..=4 => (eth::TYPE_IPV4, ipv4_packet(rng)),
        _ => (eth::TYPE_IPV6, ipv6_packet(rng)),
    }
}

/// Router and neighbour discovery with its options, a few of them malformed.
fn discovery(rng: &mut Rng, src: MacAddr) -> Vec<u8> {
    let kind = rng.u8(icmp::ROUTER_SOLICITATION..=icmp::REDIRECT_V6);
    let target = build::ipv6_address(rng.u8(1..3));
    let target = if kind == icmp::ROUTER_SOLICITATION { &[][..] } else { &target };
    let options: Vec<u8> = (0..rng.usize(..7))
        .flat_map(|_| match rng.u8(..8) {
            0 => vec![rng.u8(..), rng.u8(..4), 0, 0, 0, 0, 0, 0],
            1 => build::link_layer(rng.u8(1..3), MacAddr::new([2, 0, 0, 0, 0, rng.u8(..)])),
            2..=4 => vec![14, 1, 1, 2, 3, 4, 5, 6],
            _ => build::link_layer(rng.u8(1..3), src),
        })
        .collect();
    let message = build::icmp_message(kind, [0; 4], &[target, &options].concat());
    let mut packet = build::ipv6(icmp::PROTO_V6, &message);
    if rng.u8(..4) > 0 {
        packet[HOP_LIMIT] = 255;
    }
    match rng.u8(..6) {
        0 => build::between([0; 16], build::ipv6_address(2), packet),
        1 => build::between(ipv6::link_local(src), build::ipv6_address(2), packet),
        2 => build::ipv6(ipv6::NEXT_FRAGMENT, &build::fragment(icmp::PROTO_V6, 0, true, &message)),
        _ => packet,
    }
}

/// DHCP, ICMP errors and redirects.
fn control_v4(rng: &mut Rng) -> (u16, Vec<u8>) {
    let packet = match rng.u8(..4) {
        0 => build::ipv4(udp::PROTO, &build::udp(67, 68, b"offer")),
        1 => {
            let discover = build::ipv4(udp::PROTO, &build::udp(68, 67, b"discover"));
            build::between([0; 4], [255; 4], discover)
        }
        _ => {
            let about = build::ipv4(udp::PROTO, &build::udp(1, 2, b""));
            let about = if rng.bool() { build::between([10, 0, 0, 2], [10, 0, 0, 1], about) } else { about };
            let kind = rng.u8(icmp::UNREACHABLE..=icmp::PARAMETER_PROBLEM);
            build::ipv4(icmp::PROTO_V4, &build::icmp_message(kind, [0; 4], &about))
        }
    };
    (eth::TYPE_IPV4, packet)
}

fn ipv4_packet(rng: &mut Rng) -> Vec<u8> {
    let options = match rng.u8(..6) {
        0 => vec![148, 4, 0, 0],
        1 => vec![rng.u8(128..150), rng.u8(..5), 0, 0],
        2 => vec![1; 4 * rng.usize(..=10)],
        _ => Vec::new(),
    };
    match rng.u8(..8) {
        0 => build::ipv4_with(udp::PROTO, &options, MORE_FRAGMENTS, &segment(rng, udp::PROTO)),
        1 => build::ipv4_with(udp::PROTO, &options, rng.u16(1..0x2000), &payload(rng)),
        _ => {
            let protocol = protocol(rng, icmp::PROTO_V4);
            build::ipv4_with(protocol, &options, 0, &segment(rng, protocol))
        }
    }
}

fn ipv6_packet(rng: &mut Rng) -> Vec<u8> {
    let protocol = protocol(rng, icmp::PROTO_V6);
    let headers = if rng.bool() { 0 } else { rng.usize(..=6) };
    let innermost = (protocol, segment(rng, protocol));
    let (next, payload) = (0..headers).fold(innermost, |(next, payload), _| match rng.u8(..6) {
        0 => (ipv6::NEXT_HOP_BY_HOP, build::extension(next, rng.u8(..3), &payload)),
        1 => (ipv6::NEXT_ROUTING, build::extension(next, rng.u8(..3), &payload)),
        2 => (ipv6::NEXT_AUTH, build::auth(next, rng.u8(..6), &payload)),
        3 => (ipv6::NEXT_FRAGMENT, build::fragment(next, 8 * rng.u16(..2), rng.bool(), &payload)),
        // Long enough for two of them to reach behind what the fast path can look at.
        4 => (ipv6::NEXT_DEST_OPTIONS, build::extension(next, rng.u8(60..70), &payload)),
        _ => (ipv6::NEXT_DEST_OPTIONS, build::extension(next, 0, &payload)),
    });
    build::ipv6(next, &payload)
}

fn protocol(rng: &mut Rng, icmp: u8) -> u8 {
    match rng.u8(..6) {
        0..=1 => tcp::PROTO,
        2 => udp::PROTO,
        3 => sctp::PROTO,
        4 => icmp,
        _ => rng.u8(..),
    }
}

fn segment(rng: &mut Rng, protocol: u8) -> Vec<u8> {
    let (src_port, dst_port) = (rng.u16(..), rng.u16(..));
    let payload = payload(rng);
    match protocol {
        tcp::PROTO => {
            let options = vec![1; 4 * if rng.bool() { 0 } else { rng.usize(..=10) }];
            build::tcp((src_port, dst_port), rng.u8(..), &options, &payload)
        }
        udp::PROTO => build::udp(src_port, dst_port, &payload),
        sctp::PROTO => build::sctp(src_port, dst_port, &payload),
        icmp::PROTO_V4 | icmp::PROTO_V6 => build::icmp(rng.u8(..), rng.u8(..), &payload),
        _ => payload,
    }
}

/// Mostly short, now and then around the usual MTU, sometimes anything.
fn payload(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.u8(..8) {
        0 => rng.usize(1_400..1_500),
        1 => rng.usize(..PAYLOAD_MAX),
        _ => rng.usize(..64),
    };
    let mut payload = vec![0; len];
    rng.fill(&mut payload);
    payload
}

/// Cuts, pads or changes a frame behind its MACs.
fn damage(rng: &mut Rng, frame: &mut Vec<u8>) {
    let len = eth::LEN as usize;
    match rng.u8(..4) {
        0 => frame.truncate(rng.usize(len..=frame.len())),
        1 => frame.truncate(rng.usize(len..=frame.len().min(len + 80))),
        2 => frame.extend(std::iter::repeat_with(|| rng.u8(..)).take(64)),
        _ => {
            let reach = frame.len().min(len + 80);
            for _ in 0..rng.usize(1..4) {
                frame[rng.usize(12..reach)] = rng.u8(..);
            }
        }
    }
}
