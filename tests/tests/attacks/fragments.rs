//! Fragments: none cuts an L4 header, writes over one, or reaches past the largest packet (S18).

use switch_common::{
    DropReason,
    wire::{eth, icmp, ipv6, tcp, udp},
};
use switch_userspace::datapath::Mode;
use wye_tests::{both_datapaths, support::packet::build};

use crate::{
    arena::Arena,
    attack::{Attack, Cast, Legal},
    message::{frame, v4, v6},
};

both_datapaths!(fragments_that_hide_a_header_reach_nobody);

const MORE: u16 = 0x2000;
/// The last offset there is: eight bytes there end at the largest packet's end and one byte.
const LAST: u16 = 0x1fff;

fn fragments_that_hide_a_header_reach_nobody(mode: Mode) {
    let arena = Arena::start(mode);
    let cast = arena.cast();
    arena.withstands(&attacks(&cast), &legal(&cast));
}

/// An IPv4 fragment at `units` of eight bytes.
fn at_v4(protocol: u8, units: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    build::ipv4_with(protocol, &[], units | flags, payload)
}

/// An IPv6 fragment at `units` of eight bytes.
fn at_v6(next: u8, units: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    build::ipv6(ipv6::NEXT_FRAGMENT, &build::fragment(next, 8 * units, more, payload))
}

fn attacks(cast: &Cast) -> Vec<Attack> {
    let of_v4 =
        |name: &str, reason, packet| Attack::malformed(format!("v4 {name}"), reason, v4(cast, packet));
    let of_v6 =
        |name: &str, reason, packet| Attack::malformed(format!("v6 {name}"), reason, v6(cast, packet));
    let segment = build::tcp((40_000, 22), 2, &[], &[]);
    let (short, tiny) = (DropReason::L4Header, DropReason::TinyFragment);
    vec![
        of_v4("TCP ports only", short, at_v4(tcp::PROTO, 0, MORE, &segment[..8])),
        of_v4("TCP without flags", short, at_v4(tcp::PROTO, 0, MORE, &segment[..16])),
        of_v4("nothing of UDP", short, at_v4(udp::PROTO, 0, MORE, &[])),
        of_v4("nothing of ICMP", short, at_v4(icmp::PROTO_V4, 0, MORE, &[])),
        of_v4("TCP flags alone", tiny, at_v4(tcp::PROTO, 1, 0, &segment[8..])),
        of_v4("TCP flags over others", tiny, at_v4(tcp::PROTO, 1, MORE, &segment[8..16])),
        of_v4("end of the TCP header", tiny, at_v4(tcp::PROTO, 2, 0, &segment[16..])),
        of_v4("past the largest packet", tiny, at_v4(udp::PROTO, LAST, 0, &[0; 8])),
        of_v4("far past the largest packet", tiny, at_v4(icmp::PROTO_V4, LAST, 0, &[0; 1400])),
        of_v6("TCP ports only", short, at_v6(tcp::PROTO, 0, true, &segment[..8])),
        of_v6("TCP without flags", short, at_v6(tcp::PROTO, 0, true, &segment[..16])),
        of_v6("nothing of UDP", short, at_v6(udp::PROTO, 0, true, &[])),
        of_v6("nothing of ICMPv6", short, at_v6(icmp::PROTO_V6, 0, true, &[])),
        of_v6("TCP flags alone", tiny, at_v6(tcp::PROTO, 1, false, &segment[8..])),
        of_v6("TCP flags over others", tiny, at_v6(tcp::PROTO, 1, true, &segment[8..16])),
        of_v6("end of the TCP header", tiny, at_v6(tcp::PROTO, 2, false, &segment[16..])),
        of_v6("rest of the extension headers", tiny, at_v6(ipv6::NEXT_DEST_OPTIONS, 1, false, &[0; 16])),
        of_v6("past the largest packet", tiny, at_v6(udp::PROTO, LAST, false, &[0; 8])),
        of_v6("far past the largest packet", tiny, at_v6(icmp::PROTO_V6, LAST, false, &[0; 1400])),
        of_v6(
            "TCP ports only, behind options",
            short,
            at_v6(ipv6::NEXT_DEST_OPTIONS, 0, true, &build::extension(tcp::PROTO, 0, &segment[..8])),
        ),
        of_v6(
            "extension headers that go on",
            DropReason::Ipv6Chain,
            at_v6(ipv6::NEXT_DEST_OPTIONS, 0, true, &build::extension(udp::PROTO, 4, &[])[..16]),
        ),
        Attack::new(
            "in a bystander's name",
            DropReason::SourceIp,
            frame(
                cast,
                eth::TYPE_IPV4,
                &build::between(cast.bystander.v4, cast.victim.v4, at_v4(udp::PROTO, 64, 0, &[0; 64])),
            ),
        ),
    ]
}

fn legal(cast: &Cast) -> Vec<Legal> {
    let datagram = build::udp(1, 2, &[0x5a; 1000]);
    let [head, tail] = [&datagram[..512], &datagram[512..]];
    let segment = build::tcp((40_000, 22), 2, &[], &[0x5a; 492]);
    vec![
        Legal::new("v4 later first", v4(cast, at_v4(udp::PROTO, 64, 0, tail))),
        Legal::new("v4 first", v4(cast, at_v4(udp::PROTO, 0, MORE, head))),
        Legal::new("v4 TCP", v4(cast, at_v4(tcp::PROTO, 0, MORE, &segment))),
        Legal::new("v4 TCP that goes on", v4(cast, at_v4(tcp::PROTO, 64, 0, tail))),
        Legal::new("v4 up to the largest packet", v4(cast, at_v4(udp::PROTO, LAST, 0, &[0; 7]))),
        Legal::new("v6 later first", v6(cast, at_v6(udp::PROTO, 64, false, tail))),
        Legal::new("v6 first", v6(cast, at_v6(udp::PROTO, 0, true, head))),
        Legal::new("v6 TCP", v6(cast, at_v6(tcp::PROTO, 0, true, &segment))),
        Legal::new("v6 up to the largest packet", v6(cast, at_v6(udp::PROTO, LAST, false, &[0; 7]))),
        Legal::new("v6 all in one", v6(cast, at_v6(udp::PROTO, 0, false, &datagram))),
    ]
}
