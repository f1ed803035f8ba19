//! Parsing of IPv4 with options, IPv6 with extension headers, and what they carry.

use crate::{
    build,
    double::{TestFrame, mac},
};
use switch_common::{
    DropReason, PuntReason, Verdict,
    stage::{
        env::Frame,
        headers::{Fragment, Headers, Network},
        parse::parse,
    },
    wire::{eth, icmp, ipv6, sctp, tcp, udp},
};

const MORE_FRAGMENTS: u16 = 0x2000;
const ESP: u8 = 50;
const NO_NEXT_HEADER: u8 = 59;

fn v4(packet: &[u8]) -> TestFrame {
    TestFrame::new(build::eth(mac(2), mac(1), eth::TYPE_IPV4, packet))
}

fn v6(packet: &[u8]) -> TestFrame {
    TestFrame::new(build::eth(mac(2), mac(1), eth::TYPE_IPV6, packet))
}

fn parsed(frame: &TestFrame) -> Headers {
    parse(frame).unwrap_or_else(|verdict| panic!("{:?}", verdict.outcome()))
}

fn dropped(reason: DropReason) -> Result<Headers, Verdict> {
    Err(Verdict::drop(reason))
}

/// (Protocol in IPv4, in IPv6, segment without payload, the two numbers that parse reads.)
type Segment = (u8, u8, Vec<u8>, (u16, u16));

/// Every L4 header, TCP's with and without options.
fn segments() -> [Segment; 5] {
    [
        (tcp::PROTO, tcp::PROTO, build::tcp((1, 2), 0x12, &[], &[]), (1, 2)),
        (tcp::PROTO, tcp::PROTO, build::tcp((1, 2), 0x12, &[1; 40], &[]), (1, 2)),
        (udp::PROTO, udp::PROTO, build::udp(3, 4, &[]), (3, 4)),
        (sctp::PROTO, sctp::PROTO, build::sctp(5, 6, &[]), (5, 6)),
        (icmp::PROTO_V4, icmp::PROTO_V6, build::icmp(128, 9, &[]), (128, 9)),
    ]
}

#[test]
fn every_l4_header_is_parsed_behind_ipv4_and_ipv6() {
    for (v4_protocol, v6_protocol, segment, ports) in segments() {
        let with_payload = [&segment[..], b"payload"].concat();
        let len = u32::try_from(segment.len()).unwrap();
        for (frame, network, l4) in [
            (v4(&build::ipv4(v4_protocol, &with_payload)), Network::Ipv4, 34),
            (v6(&build::ipv6(v6_protocol, &with_payload)), Network::Ipv6, 54),
        ] {
            let headers = parsed(&frame);
            assert_eq!((headers.network, headers.l4_offset), (network, l4));
            assert_eq!((headers.src_port, headers.dst_port), ports);
            assert_eq!((headers.payload_offset, headers.fragment), (l4 + len, Fragment::Whole));
        }
    }
}

#[test]
fn addresses_and_tcp_flags_are_read() {
    let segment = build::tcp((1, 2), 0x12, &[], &[]);
    let headers = parsed(&v4(&build::ipv4(tcp::PROTO, &segment)));
    assert_eq!((&headers.src_ip[..4], &headers.dst_ip[..4]), (&[10, 0, 0, 1][..], &[10, 0, 0, 2][..]));
    assert_eq!((headers.protocol, headers.tcp_flags), (tcp::PROTO, 0x12));
    let headers = parsed(&v6(&build::ipv6(tcp::PROTO, &segment)));
    assert_eq!((headers.src_ip, headers.dst_ip), (build::ipv6_address(1), build::ipv6_address(2)));
}

#[test]
fn ipv4_options_shift_l4_and_are_never_read_as_ports() {
    for words in 0..=10 {
        let options = vec![0xff; words * 4];
        let headers = parsed(&v4(&build::ipv4_with(udp::PROTO, &options, 0, &build::udp(7, 8, b"payload"))));
        assert_eq!((headers.src_port, headers.dst_port), (7, 8));
        assert_eq!(headers.l4_offset, 34 + u32::try_from(options.len()).unwrap());
    }
}

#[test]
fn protocols_without_parser_pass_with_their_number() {
    let headers = parsed(&v4(&build::ipv4(ESP, b"sealed")));
    assert_eq!((headers.protocol, headers.src_port, headers.payload_offset), (ESP, 0, 34));
    let headers = parsed(&v6(&build::ipv6(NO_NEXT_HEADER, &[])));
    assert_eq!((headers.protocol, headers.payload_offset), (NO_NEXT_HEADER, 54));
}

#[test]
fn ipv4_header_with_wrong_fields_is_refused() {
    let whole = build::ipv4(udp::PROTO, &build::udp(1, 2, b"payload"));
    let with = |at: usize, value: u8| {
        let mut packet = whole.clone();
        packet[at] = value;
        v4(&packet)
    };
    for (what, frame) in [
        ("version 6", with(0, 0x65)),
        ("header of 16 bytes", with(0, 0x44)),
        ("no header at all", with(0, 0x40)),
        ("header longer than the packet", with(0, 0x4f)),
        ("total length shorter than the header", with(3, 19)),
        ("total length longer than the frame", with(3, u8::try_from(whole.len()).unwrap() + 1)),
        ("total length zero", with(3, 0)),
    ] {
        assert_eq!(parse(&frame), dropped(DropReason::Ipv4Header), "{what}");
    }
}

#[test]
fn truncated_ipv4_is_refused_at_every_length() {
    let packet = build::ipv4_with(udp::PROTO, &[1; 8], 0, &build::udp(1, 2, b"payload"));
    for len in 0..packet.len() {
        assert_eq!(parse(&v4(&packet[..len])), dropped(DropReason::Ipv4Header), "{len}");
    }
}

#[test]
fn truncated_ipv6_is_refused_at_every_length() {
    let packet = build::ipv6(udp::PROTO, &build::udp(1, 2, b"payload"));
    for len in 0..packet.len() {
        assert_eq!(parse(&v6(&packet[..len])), dropped(DropReason::Ipv6Header), "{len}");
    }
}

#[test]
fn ipv6_of_another_version_is_refused() {
    let mut packet = build::ipv6(udp::PROTO, &build::udp(1, 2, &[]));
    packet[0] = 0x40;
    assert_eq!(parse(&v6(&packet)), dropped(DropReason::Ipv6Header));
}

#[test]
fn l4_header_cut_by_the_packet_s_own_length_is_refused_although_padding_follows() {
    for (v4_protocol, v6_protocol, segment, _) in segments() {
        for len in 0..segment.len() {
            let padding = [0; 64];
            let padded = v4(&[&build::ipv4(v4_protocol, &segment[..len])[..], &padding].concat());
            assert_eq!(parse(&padded), dropped(DropReason::L4Header), "IPv4 {v4_protocol}, {len}");
            let padded = v6(&[&build::ipv6(v6_protocol, &segment[..len])[..], &padding].concat());
            assert_eq!(parse(&padded), dropped(DropReason::L4Header), "IPv6 {v6_protocol}, {len}");
        }
    }
}

#[test]
fn tcp_data_offset_below_the_header_is_refused() {
    let mut segment = build::tcp((1, 2), 0, &[], &[]);
    segment[12] = 4 << 4;
    assert_eq!(parse(&v4(&build::ipv4(tcp::PROTO, &segment))), dropped(DropReason::L4Header));
}

#[test]
fn tcp_options_beyond_the_packet_are_refused() {
    let mut segment = build::tcp((1, 2), 0, &[], &[]);
    segment[12] = 6 << 4;
    assert_eq!(parse(&v4(&build::ipv4(tcp::PROTO, &segment))), dropped(DropReason::L4Header));
}

#[test]
fn first_ipv4_fragment_has_ports_and_later_ones_have_none() {
    let datagram = build::udp(1, 2, &[0; 16]);
    let headers = parsed(&v4(&build::ipv4_with(udp::PROTO, &[], MORE_FRAGMENTS, &datagram)));
    assert_eq!((headers.fragment, headers.src_port), (Fragment::First, 1));
    for place in [1, MORE_FRAGMENTS | 1, 0x1fff] {
        let headers = parsed(&v4(&build::ipv4_with(udp::PROTO, &[], place, &[])));
        assert_eq!((headers.fragment, headers.src_port), (Fragment::Later, 0));
        assert_eq!(headers.payload_offset, headers.l4_offset);
    }
}

#[test]
fn first_ipv6_fragment_has_ports_and_later_ones_have_none() {
    let datagram = build::udp(1, 2, &[0; 16]);
    let packet = |offset, more, payload: &[u8]| {
        build::ipv6(ipv6::NEXT_FRAGMENT, &build::fragment(udp::PROTO, offset, more, payload))
    };
    let headers = parsed(&v6(&packet(0, true, &datagram)));
    assert_eq!((headers.fragment, headers.src_port, headers.l4_offset), (Fragment::First, 1, 62));
    let headers = parsed(&v6(&packet(0, false, &datagram)));
    assert_eq!((headers.fragment, headers.src_port), (Fragment::Whole, 1));
    for (offset, more) in [(8, false), (8, true), (0xfff8, false)] {
        let headers = parsed(&v6(&packet(offset, more, &[0xff; 4])));
        assert_eq!((headers.fragment, headers.protocol, headers.src_port), (Fragment::Later, udp::PROTO, 0));
    }
}

#[test]
fn bytes_of_a_later_fragment_are_no_extension_header() {
    let inner = build::fragment(ipv6::NEXT_DEST_OPTIONS, 64, false, &[0xff; 8]);
    let headers = parsed(&v6(&build::ipv6(ipv6::NEXT_FRAGMENT, &inner)));
    assert_eq!((headers.fragment, headers.protocol), (Fragment::Later, ipv6::NEXT_DEST_OPTIONS));
}

/// A routing type that is in use (RFC 8754).
const SEGMENT_ROUTING: u8 = 4;
/// The routing type that lets a sender steer packets (RFC 5095).
const SOURCE_ROUTE: u8 = 0;

#[test]
fn source_routes_are_refused_and_other_routing_headers_are_not() {
    let packet = |kind| {
        v6(&build::ipv6(ipv6::NEXT_ROUTING, &build::routing(udp::PROTO, kind, &build::udp(1, 2, b""))))
    };
    assert_eq!(parsed(&packet(SEGMENT_ROUTING)).src_port, 1);
    assert_eq!(parse(&packet(SOURCE_ROUTE)), dropped(DropReason::Ipv6Chain));
}

#[test]
fn fragments_that_bring_a_piece_of_the_first_header_are_refused() {
    for offset in [8, 16] {
        let extension = build::fragment(ipv6::NEXT_DEST_OPTIONS, offset, false, &[0xff; 8]);
        assert_eq!(
            parse(&v6(&build::ipv6(ipv6::NEXT_FRAGMENT, &extension))),
            dropped(DropReason::TinyFragment)
        );
        let tcp = build::fragment(tcp::PROTO, offset, true, &[0xff; 16]);
        assert_eq!(parse(&v6(&build::ipv6(ipv6::NEXT_FRAGMENT, &tcp))), dropped(DropReason::TinyFragment));
    }
    let behind = build::fragment(tcp::PROTO, 24, false, &[0xff; 16]);
    assert_eq!(parsed(&v6(&build::ipv6(ipv6::NEXT_FRAGMENT, &behind))).fragment, Fragment::Later);
}

#[test]
fn a_fragment_of_a_fragment_is_refused() {
    for more in [false, true] {
        let inner = build::fragment(udp::PROTO, 0, false, &build::udp(1, 2, &[]));
        let outer = build::fragment(ipv6::NEXT_FRAGMENT, 0, more, &inner);
        assert_eq!(parse(&v6(&build::ipv6(ipv6::NEXT_FRAGMENT, &outer))), dropped(DropReason::Ipv6Chain));
    }
}

#[test]
fn fragments_behind_the_largest_packet_are_refused() {
    let fragment = build::fragment(udp::PROTO, 0xfff8, false, &[0xff; 8]);
    assert_eq!(parse(&v6(&build::ipv6(ipv6::NEXT_FRAGMENT, &fragment))), dropped(DropReason::TinyFragment));
}

/// `count` extension headers of all kinds by turns, then UDP from port 1 to 2; with the number of the first.
fn chain(count: usize) -> (u8, Vec<u8>) {
    let kinds = [ipv6::NEXT_HOP_BY_HOP, ipv6::NEXT_ROUTING, ipv6::NEXT_AUTH, ipv6::NEXT_DEST_OPTIONS];
    (0..count).rev().fold((udp::PROTO, build::udp(1, 2, b"payload")), |(next, payload), place| {
        let kind = kinds[place % kinds.len()];
        let header = match kind {
            ipv6::NEXT_AUTH => build::auth(next, 4, &payload),
            ipv6::NEXT_ROUTING => build::routing(next, SEGMENT_ROUTING, &payload),
            _ => build::extension(next, 1, &payload),
        };
        (kind, header)
    })
}

#[test]
fn l4_is_found_behind_as_many_extension_headers_as_the_depth_says() {
    for count in 0..=TestFrame::DEPTH.extensions as usize {
        let (first, payload) = chain(count);
        let headers = parsed(&v6(&build::ipv6(first, &payload)));
        assert_eq!((headers.protocol, headers.src_port, headers.dst_port), (udp::PROTO, 1, 2), "{count}");
    }
}

#[test]
fn one_extension_header_more_than_the_depth_is_punted() {
    let (first, payload) = chain(TestFrame::DEPTH.extensions as usize + 1);
    let verdict = Verdict::punt(PuntReason::LongHeaderChain);
    assert_eq!(parse(&v6(&build::ipv6(first, &payload))), Err(verdict));
}

#[test]
fn header_that_begins_behind_the_reach_is_punted() {
    let udp = build::udp(1, 2, b"payload");
    let units = |offset: u32| u8::try_from((offset - 54) / 8 - 1).unwrap();
    let reach = TestFrame::DEPTH.reach;
    let within = build::extension(udp::PROTO, units(reach - 1), &udp);
    let headers = parsed(&v6(&build::ipv6(ipv6::NEXT_DEST_OPTIONS, &within)));
    assert_eq!((headers.src_port, headers.l4_offset), (1, 1022));
    let behind = build::extension(udp::PROTO, units(reach - 1) + 1, &udp);
    let verdict = Verdict::punt(PuntReason::LongHeaderChain);
    assert_eq!(parse(&v6(&build::ipv6(ipv6::NEXT_DEST_OPTIONS, &behind))), Err(verdict));
}

#[test]
fn chain_that_ends_within_a_header_is_refused() {
    let (first, payload) = chain(3);
    let headers_len = payload.len() - build::udp(1, 2, b"payload").len();
    for len in 0..headers_len {
        let packet = build::ipv6(first, &payload[..len]);
        assert_eq!(parse(&v6(&packet)), dropped(DropReason::Ipv6Chain), "{len}");
        let padded = [&packet[..], &[0; 64]].concat();
        assert_eq!(parse(&v6(&padded)), dropped(DropReason::Ipv6Chain), "{len} with padding");
    }
}

#[test]
fn super_frame_above_64_kib_has_a_zero_length_field() {
    let segment = build::tcp((1, 2), 0x10, &[], &[0; 3000]);
    let mut v4_packet = build::ipv4(tcp::PROTO, &segment);
    v4_packet[2..4].fill(0);
    let mut v6_packet = build::ipv6(tcp::PROTO, &segment);
    v6_packet[4..6].fill(0);
    for frame in [v4(&v4_packet), v6(&v6_packet)] {
        let headers = parsed(&TestFrame { segment_size: 1448, ..frame });
        assert_eq!((headers.src_port, headers.dst_port), (1, 2));
    }
}

#[test]
fn zero_payload_length_without_super_frame_is_an_empty_packet() {
    let mut packet = build::ipv6(tcp::PROTO, &build::tcp((1, 2), 0x10, &[], &[]));
    packet[4..6].fill(0);
    assert_eq!(parse(&v6(&packet)), dropped(DropReason::L4Header));
}
