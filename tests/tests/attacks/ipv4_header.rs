//! IP headers that lie about themselves (S20).

use switch_common::{
    DropReason,
    wire::{eth, icmp, tcp, udp},
};
use switch_userspace::datapath::Mode;
use wye_tests::{both_datapaths, support::packet::build};

use crate::{
    arena::Arena,
    attack::{Attack, Cast, Legal},
    message::{frame, v4, v6},
};

both_datapaths!(headers_that_lie_about_themselves_reach_nobody);

const LOOSE_ROUTE: u8 = 131;
const STRICT_ROUTE: u8 = 137;
const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;
const ROUTER_ALERT: u8 = 148;
/// Where the header's fields are in a frame.
const VERSION: usize = 14;
const TOTAL_LEN: usize = 16;
const V6_LEN: usize = 18;

fn headers_that_lie_about_themselves_reach_nobody(mode: Mode) {
    let arena = Arena::start(mode);
    let cast = arena.cast();
    arena.withstands(&attacks(&cast), &legal(&cast));
}

fn with<const N: usize>(mut frame: Vec<u8>, at: usize, bytes: [u8; N]) -> Vec<u8> {
    frame[at..at + N].copy_from_slice(&bytes);
    frame
}

fn attacks(cast: &Cast) -> Vec<Attack> {
    [lengths(cast), options(cast), payloads(cast)].concat()
}

fn lengths(cast: &Cast) -> Vec<Attack> {
    let datagram = build::udp(1, 2, b"hello");
    let plain = || v4(cast, build::ipv4(udp::PROTO, &datagram));
    let whole = u16::try_from(20 + datagram.len()).expect("a small packet");
    let of_v4 = |name: &str, frame| Attack::malformed(name, DropReason::Ipv4Header, frame);
    let of_v6 = |name: &str, frame| Attack::malformed(name, DropReason::Ipv6Header, frame);
    let total = |len: u16| with(plain(), TOTAL_LEN, len.to_be_bytes());
    let plain6 = || v6(cast, build::ipv6(udp::PROTO, &datagram));
    vec![
        of_v4("header of four words", with(plain(), VERSION, [0x44])),
        of_v4("header of no words", with(plain(), VERSION, [0x40])),
        of_v4("header beyond the packet", with(plain(), VERSION, [0x4f])),
        of_v4("header beyond the total length", with(with(plain(), VERSION, [0x46]), TOTAL_LEN, [0, 20])),
        of_v4("version 5", with(plain(), VERSION, [0x55])),
        of_v4("version 6 in an IPv4 frame", with(plain(), VERSION, [0x65])),
        of_v4("total length of nothing", total(0)),
        of_v4("total length within the header", total(19)),
        of_v4("total length a byte beyond the frame", total(whole + 1)),
        of_v4("total length of the largest packet", total(u16::MAX)),
        of_v4("cut", plain()[..14 + 19].to_vec()),
        of_v4("cut at its kind", plain()[..15].to_vec()),
        of_v6("version 4 in an IPv6 frame", with(plain6(), VERSION, [0x45])),
        of_v6("payload a byte beyond the frame", with(plain6(), V6_LEN, (whole - 19).to_be_bytes())),
        of_v6("payload of the largest packet", with(plain6(), V6_LEN, [0xff; 2])),
        of_v6("IPv6 cut", plain6()[..14 + 39].to_vec()),
    ]
}

fn options(cast: &Cast) -> Vec<Attack> {
    let packet =
        |options: &[u8]| v4(cast, build::ipv4_with(udp::PROTO, options, 0, &build::udp(1, 2, b"hello")));
    let route = |kind| [&[kind, 7, 4][..], &cast.attacker.v4, &[0]].concat();
    let attack = |name: &str, options: &[u8]| Attack::new(name, DropReason::Ipv4Options, packet(options));
    let late = [&[1; 8][..], &[TIMESTAMP, 8, 5, 0, 0, 0, 0, 0], &route(STRICT_ROUTE)].concat();
    vec![
        attack("loose source route", &route(LOOSE_ROUTE)),
        attack("strict source route", &route(STRICT_ROUTE)),
        attack("source route behind others", &late),
        attack(
            "source route behind a router alert",
            &[&[ROUTER_ALERT, 4, 0, 0][..], &route(LOOSE_ROUTE)].concat(),
        ),
        attack("option without length", &[RECORD_ROUTE, 0, 0, 0]),
        attack("option of one byte", &[RECORD_ROUTE, 1, 0, 0]),
        attack("option beyond the header", &[RECORD_ROUTE, 5, 4, 0]),
        attack("option whose length is beyond the header", &[1, 1, 1, RECORD_ROUTE]),
    ]
}

fn payloads(cast: &Cast) -> Vec<Attack> {
    let of_v4 = |name: &str, protocol, payload: &[u8]| {
        Attack::malformed(name, DropReason::L4Header, v4(cast, build::ipv4(protocol, payload)))
    };
    let of_v6 = |name: &str, protocol, payload: &[u8]| {
        Attack::malformed(
            format!("v6 {name}"),
            DropReason::L4Header,
            v6(cast, build::ipv6(protocol, payload)),
        )
    };
    let segment = build::tcp((1, 2), 2, &[], &[]);
    let longer = with(segment.clone(), 12, [0xf0]);
    let shorter = with(segment.clone(), 12, [0x40]);
    let short_by_options = build::ipv4_with(udp::PROTO, &[1; 8], 0, &[0; 4]);
    let padded = [v4(cast, build::ipv4(udp::PROTO, &[])), build::udp(1, 2, b"in the padding")].concat();
    vec![
        of_v4("UDP without header", udp::PROTO, &[]),
        of_v4("half a UDP header", udp::PROTO, &[0; 4]),
        of_v4("TCP without header", tcp::PROTO, &segment[..12]),
        of_v4("TCP header beyond the packet", tcp::PROTO, &longer),
        of_v4("TCP header of four words", tcp::PROTO, &shorter),
        of_v4("ICMP without header", icmp::PROTO_V4, &[]),
        of_v6("UDP without header", udp::PROTO, &[]),
        of_v6("TCP without header", tcp::PROTO, &segment[..12]),
        of_v6("TCP header beyond the packet", tcp::PROTO, &longer),
        of_v6("ICMPv6 without header", icmp::PROTO_V6, &[]),
        Attack::malformed(
            "half a UDP header behind options",
            DropReason::L4Header,
            v4(cast, short_by_options),
        ),
        Attack::malformed("UDP header in the padding", DropReason::L4Header, padded),
    ]
}

fn legal(cast: &Cast) -> Vec<Legal> {
    let datagram = build::udp(1, 2, b"hello");
    let packet = |name: &str, options: &[u8]| {
        Legal::new(name, v4(cast, build::ipv4_with(udp::PROTO, options, 0, &datagram)))
    };
    let record = [&[RECORD_ROUTE, 39, 4][..], &[0; 37]].concat();
    let padded = [build::ipv4(udp::PROTO, &datagram), vec![0; 13]].concat();
    let own = build::between(cast.attacker.v4, cast.victim.v4, padded);
    vec![
        packet("longest header, of no-operations", &[1; 40]),
        packet("record route", &record),
        packet("timestamp", &[TIMESTAMP, 8, 5, 0, 0, 0, 0, 0]),
        packet("router alert", &[ROUTER_ALERT, 4, 0, 0]),
        packet("end of options", &[0, LOOSE_ROUTE, 0, 0]),
        Legal::new("padding behind the packet", frame(cast, eth::TYPE_IPV4, &own)),
    ]
}
