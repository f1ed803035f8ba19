//! Packets that the attackers of several families send.

use switch_common::wire::{eth, icmp, ipv6, udp};
use wye_tests::support::packet::build;

use crate::attack::{Cast, Station};

/// All nodes of the link, ff02::1.
pub(crate) const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A frame from the attacker to the victim.
pub(crate) fn frame(cast: &Cast, ethertype: u16, packet: &[u8]) -> Vec<u8> {
    build::eth(cast.victim.mac, cast.attacker.mac, ethertype, packet)
}

/// A frame with an IPv4 packet from the attacker's address to the victim's.
pub(crate) fn v4(cast: &Cast, packet: Vec<u8>) -> Vec<u8> {
    frame(cast, eth::TYPE_IPV4, &build::between(cast.attacker.v4, cast.victim.v4, packet))
}

/// A frame with an IPv6 packet from the attacker's address to the victim's.
pub(crate) fn v6(cast: &Cast, packet: Vec<u8>) -> Vec<u8> {
    frame(cast, eth::TYPE_IPV6, &build::between(cast.attacker.v6, cast.victim.v6, packet))
}

/// A packet of a link-local protocol: its hop limit says that no router has forwarded it.
pub(crate) fn unforwarded(mut packet: Vec<u8>) -> Vec<u8> {
    packet[7] = 255;
    packet
}

/// An IPv6 packet with a message of neighbour discovery between two addresses.
pub(crate) fn discovery(src: [u8; 16], dst: [u8; 16], message: &[u8]) -> Vec<u8> {
    unforwarded(build::between(src, dst, build::ipv6(icmp::PROTO_V6, message)))
}

/// An ARP reply that tells the victim that the gateway is at the attacker's.
pub(crate) fn arp_reply(cast: &Cast) -> Vec<u8> {
    build::arp(2, (cast.attacker.mac, cast.gateway.v4), (cast.victim.mac, cast.victim.v4))
}

/// A neighbour advertisement that says likewise.
pub(crate) fn advertisement(cast: &Cast) -> Vec<u8> {
    let message = advertise(cast.gateway.v6, cast.attacker);
    discovery(ipv6::link_local(cast.attacker.mac), cast.victim.v6, &message)
}

/// An advertisement, solicited and overriding, that `target` is at a station's MAC.
pub(crate) fn advertise(target: [u8; 16], station: Station) -> Vec<u8> {
    let named = build::link_layer(2, station.mac);
    build::icmp_message(icmp::NEIGHBOUR_ADVERTISEMENT, [0x60, 0, 0, 0], &[&target[..], &named].concat())
}

/// A router advertisement for all nodes: half an hour's router, with nothing else in it.
pub(crate) fn router_advertisement(cast: &Cast) -> Vec<u8> {
    discovery(ipv6::link_local(cast.attacker.mac), ALL_NODES, &router_message())
}

/// The message of [`router_advertisement`].
pub(crate) fn router_message() -> Vec<u8> {
    build::icmp_message(icmp::ROUTER_ADVERTISEMENT, [64, 0, 7, 8], &[0; 8])
}

/// An answer of a DHCP server to the victim.
pub(crate) fn dhcp_offer(cast: &Cast) -> Vec<u8> {
    build::between(cast.attacker.v4, cast.victim.v4, build::ipv4(udp::PROTO, &build::udp(67, 68, &[2; 240])))
}

/// An answer of a DHCPv6 server to the victim.
pub(crate) fn dhcp6_advertise(cast: &Cast) -> Vec<u8> {
    let src = ipv6::link_local(cast.attacker.mac);
    build::between(src, cast.victim.v6, build::ipv6(udp::PROTO, &build::udp(547, 546, &[2; 60])))
}

/// An ICMP redirect to the victim: another's way leads through the attacker.
pub(crate) fn redirect(cast: &Cast) -> Vec<u8> {
    let about = build::between(cast.victim.v4, cast.bystander.v4, build::ipv4(udp::PROTO, &[0; 8]));
    let message = build::icmp_message(icmp::REDIRECT, cast.attacker.v4, &about);
    build::between(cast.attacker.v4, cast.victim.v4, build::ipv4(icmp::PROTO_V4, &message))
}

/// An ICMPv6 redirect, likewise.
pub(crate) fn redirect6(cast: &Cast) -> Vec<u8> {
    let targets = [ipv6::link_local(cast.attacker.mac), cast.bystander.v6].concat();
    let message = build::icmp_message(icmp::REDIRECT_V6, [0; 4], &targets);
    discovery(ipv6::link_local(cast.attacker.mac), cast.victim.v6, &message)
}
