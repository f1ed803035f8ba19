//! IPv6 extension headers: the true L4 header is judged, or the packet is refused (S19).

use switch_common::{
    DropReason,
    wire::{icmp, ipv6, udp},
};
use switch_userspace::datapath::Mode;
use wye_tests::{both_datapaths, support::packet::build};

use crate::{
    arena::Arena,
    attack::{Attack, Cast, Legal},
    message::{router_message, v6},
};

both_datapaths!(extension_headers_hide_nothing_and_steer_nothing);

const NO_NEXT_HEADER: u8 = 59;
/// For experiments (RFC 3692).
const UNKNOWN: u8 = 253;
const SEGMENT_ROUTING: u8 = 4;
/// More than the slow path walks.
const ENDLESS: usize = 33;

fn extension_headers_hide_nothing_and_steer_nothing(mode: Mode) {
    let arena = Arena::start(mode);
    let cast = arena.cast();
    arena.withstands(&attacks(&cast), &legal(&cast));
}

/// `count` headers of destination options, then `next`.
fn behind_options(count: usize, next: u8, payload: &[u8]) -> Vec<u8> {
    let last = build::extension(next, 0, payload);
    (1..count).fold(last, |rest, _| build::extension(ipv6::NEXT_DEST_OPTIONS, 0, &rest))
}

fn attacks(cast: &Cast) -> Vec<Attack> {
    let datagram = build::udp(1, 2, b"hello");
    let offer = build::udp(547, 546, &[2; 60]);
    let packet = |next, payload: &[u8]| v6(cast, build::ipv6(next, payload));
    let chain = |name: &str, next, payload: &[u8]| {
        Attack::malformed(name, DropReason::Ipv6Chain, packet(next, payload))
    };
    let short = |name: &str, next, payload: &[u8]| {
        Attack::malformed(name, DropReason::L4Header, packet(next, payload))
    };
    let options = ipv6::NEXT_DEST_OPTIONS;
    let route = build::routing(udp::PROTO, 0, &datagram);
    vec![
        chain("source route", ipv6::NEXT_ROUTING, &route),
        chain(
            "source route behind hop-by-hop options",
            ipv6::NEXT_HOP_BY_HOP,
            &build::extension(ipv6::NEXT_ROUTING, 0, &route),
        ),
        chain("source route behind eight others", options, &behind_options(8, ipv6::NEXT_ROUTING, &route)),
        chain(
            "source route in a fragment",
            ipv6::NEXT_FRAGMENT,
            &build::fragment(ipv6::NEXT_ROUTING, 0, true, &build::routing(udp::PROTO, 0, &[0; 8])),
        ),
        chain("endless", options, &behind_options(ENDLESS, udp::PROTO, &datagram)),
        chain("longer than the packet", options, &build::extension(udp::PROTO, 9, &[])[..16]),
        chain("cut", options, &build::extension(udp::PROTO, 0, &[])[..4]),
        chain(
            "authentication longer than the packet",
            ipv6::NEXT_AUTH,
            &build::auth(udp::PROTO, 20, &[])[..24],
        ),
        short("UDP cut behind options", options, &build::extension(udp::PROTO, 0, &datagram[..4])),
        short("UDP cut behind eight", options, &behind_options(8, udp::PROTO, &datagram[..4])),
        Attack::new(
            "router behind an authentication header",
            DropReason::RouterAdvertisement,
            packet(ipv6::NEXT_AUTH, &build::auth(icmp::PROTO_V6, 4, &router_message())),
        ),
        Attack::new(
            "router behind thirty option headers",
            DropReason::RouterAdvertisement,
            packet(options, &behind_options(30, icmp::PROTO_V6, &router_message())),
        ),
        Attack::new(
            "DHCPv6 behind a routing header that steers nothing",
            DropReason::DhcpServer,
            packet(ipv6::NEXT_ROUTING, &build::routing(udp::PROTO, SEGMENT_ROUTING, &offer)),
        ),
        Attack::new(
            "DHCPv6 behind three different headers",
            DropReason::DhcpServer,
            packet(
                ipv6::NEXT_HOP_BY_HOP,
                &build::extension(
                    options,
                    0,
                    &build::extension(ipv6::NEXT_AUTH, 0, &build::auth(udp::PROTO, 1, &offer)),
                ),
            ),
        ),
    ]
}

fn legal(cast: &Cast) -> Vec<Legal> {
    let datagram = build::udp(1, 2, b"hello");
    let options = ipv6::NEXT_DEST_OPTIONS;
    let packet = |name: &str, next, payload: &[u8]| Legal::new(name, v6(cast, build::ipv6(next, payload)));
    vec![
        packet("no next header", NO_NEXT_HEADER, &[]),
        packet("no next header, and more", NO_NEXT_HEADER, b"ignored"),
        packet("no next header behind options", options, &build::extension(NO_NEXT_HEADER, 0, &[])),
        packet("unknown protocol", UNKNOWN, b"an experiment"),
        packet("hop-by-hop options", ipv6::NEXT_HOP_BY_HOP, &build::extension(udp::PROTO, 0, &datagram)),
        packet("eight option headers", options, &behind_options(8, udp::PROTO, &datagram)),
        packet("authentication", ipv6::NEXT_AUTH, &build::auth(udp::PROTO, 4, &datagram)),
        packet(
            "a route that is at its end",
            ipv6::NEXT_ROUTING,
            &build::routing(udp::PROTO, SEGMENT_ROUTING, &datagram),
        ),
    ]
}
