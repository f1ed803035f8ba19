//! Routers and DHCP servers: no container plays one, however it hides that (S03).

use switch_common::{
    DropReason,
    abi::addr::MacAddr,
    wire::{eth, icmp, ipv4, ipv6, udp, vlan::TPID_8021Q},
};
use switch_userspace::datapath::Mode;
use wye_tests::{both_datapaths, support::packet::build};

use crate::{
    arena::Arena,
    attack::{Attack, Cast, Legal},
    message::{self, ALL_NODES, frame, router_message, v4},
};

both_datapaths!(nobody_plays_the_router_or_the_dhcp_server);

const MORE_FRAGMENTS: u16 = 0x2000;
const DISCOVER: (u16, u16) = (68, 67);

fn nobody_plays_the_router_or_the_dhcp_server(mode: Mode) {
    let arena = Arena::start(mode);
    let cast = arena.cast();
    arena.withstands(&attacks(&cast), &legal(&cast));
}

fn attacks(cast: &Cast) -> Vec<Attack> {
    [advertisements(cast), dhcp(cast), redirects(cast)].concat()
}

/// Destination options of eight bytes, `count` of them, before a message.
fn behind_options(count: u32, units: u8, message: &[u8]) -> Vec<u8> {
    let last = build::extension(icmp::PROTO_V6, units, message);
    (1..count).fold(last, |rest, _| build::extension(ipv6::NEXT_DEST_OPTIONS, units, &rest))
}

fn advertisements(cast: &Cast) -> Vec<Attack> {
    let src = ipv6::link_local(cast.attacker.mac);
    let message = router_message();
    let packet = |next, payload: &[u8]| {
        message::unforwarded(build::between(src, ALL_NODES, build::ipv6(next, payload)))
    };
    let attack = |name: &str, packet: Vec<u8>| {
        Attack::new(name, DropReason::RouterAdvertisement, frame(cast, eth::TYPE_IPV6, &packet))
    };
    let first = build::fragment(icmp::PROTO_V6, 0, true, &message);
    let one_option = behind_options(1, 0, &message);
    let in_priority_tag = build::tag(0, eth::TYPE_IPV6, &message::router_advertisement(cast));
    // The first fragment ends before the message does begin: the options say that they are longer.
    let split =
        build::fragment(ipv6::NEXT_DEST_OPTIONS, 0, true, &build::extension(icmp::PROTO_V6, 3, &[])[..16]);
    vec![
        attack("advertisement", message::router_advertisement(cast)),
        attack(
            "behind hop-by-hop options",
            packet(ipv6::NEXT_HOP_BY_HOP, &build::extension(icmp::PROTO_V6, 0, &message)),
        ),
        attack("behind one option header", packet(ipv6::NEXT_DEST_OPTIONS, &one_option)),
        attack(
            "behind eight option headers",
            packet(ipv6::NEXT_DEST_OPTIONS, &behind_options(8, 0, &message)),
        ),
        attack(
            "behind 1,200 bytes of options",
            packet(ipv6::NEXT_DEST_OPTIONS, &behind_options(2, 74, &message)),
        ),
        attack(
            "behind an authentication header",
            packet(ipv6::NEXT_AUTH, &build::auth(icmp::PROTO_V6, 4, &message)),
        ),
        attack("in a fragment", packet(ipv6::NEXT_FRAGMENT, &first)),
        attack(
            "in a fragment behind options",
            packet(ipv6::NEXT_DEST_OPTIONS, &build::extension(ipv6::NEXT_FRAGMENT, 0, &first)),
        ),
        attack(
            "behind options in a fragment",
            packet(ipv6::NEXT_FRAGMENT, &build::fragment(ipv6::NEXT_DEST_OPTIONS, 0, true, &one_option)),
        ),
        attack(
            "in a fragment that is all there is",
            packet(ipv6::NEXT_FRAGMENT, &build::fragment(icmp::PROTO_V6, 0, false, &message)),
        ),
        Attack::malformed(
            "in the fragment behind one of options only",
            DropReason::Ipv6Chain,
            frame(cast, eth::TYPE_IPV6, &packet(ipv6::NEXT_FRAGMENT, &split)),
        ),
        Attack::new(
            "in a priority tag",
            DropReason::RouterAdvertisement,
            frame(cast, TPID_8021Q, &in_priority_tag),
        ),
    ]
}

fn dhcp(cast: &Cast) -> Vec<Attack> {
    let attack = |name: &str, ethertype, packet: Vec<u8>| {
        Attack::new(name, DropReason::DhcpServer, frame(cast, ethertype, &packet))
    };
    let between = |packet| build::between(cast.attacker.v4, cast.victim.v4, packet);
    let ipv4 = |name: &str, packet| attack(name, eth::TYPE_IPV4, between(packet));
    let src = ipv6::link_local(cast.attacker.mac);
    let ipv6 = |name: &str, next, payload: &[u8]| {
        attack(name, eth::TYPE_IPV6, build::between(src, cast.victim.v6, build::ipv6(next, payload)))
    };
    let datagram = |from, to| build::udp(from, to, &[2; 60]);
    let offer = datagram(547, 546);
    let last = build::extension(udp::PROTO, 0, &offer);
    let behind_eight = (1..8).fold(last, |rest, _| build::extension(ipv6::NEXT_DEST_OPTIONS, 0, &rest));
    vec![
        attack("DHCP", eth::TYPE_IPV4, message::dhcp_offer(cast)),
        ipv4("DHCP to a relay", build::ipv4(udp::PROTO, &datagram(67, 67))),
        ipv4("DHCP from another port than servers have", build::ipv4(udp::PROTO, &datagram(4011, 68))),
        ipv4("DHCP in a fragment", build::ipv4_with(udp::PROTO, &[], MORE_FRAGMENTS, &datagram(67, 68))),
        ipv4("DHCP behind IPv4 options", build::ipv4_with(udp::PROTO, &[1; 8], 0, &datagram(67, 68))),
        attack("DHCPv6", eth::TYPE_IPV6, message::dhcp6_advertise(cast)),
        ipv6("DHCPv6 to a relay", udp::PROTO, &datagram(547, 547)),
        ipv6("DHCPv6 from another port than servers have", udp::PROTO, &datagram(4011, 546)),
        ipv6(
            "DHCPv6 behind hop-by-hop options",
            ipv6::NEXT_HOP_BY_HOP,
            &build::extension(udp::PROTO, 0, &offer),
        ),
        ipv6("DHCPv6 behind eight option headers", ipv6::NEXT_DEST_OPTIONS, &behind_eight),
        ipv6("DHCPv6 in a fragment", ipv6::NEXT_FRAGMENT, &build::fragment(udp::PROTO, 0, true, &offer)),
        attack(
            "DHCP in a priority tag",
            TPID_8021Q,
            build::tag(0, eth::TYPE_IPV4, &message::dhcp_offer(cast)),
        ),
    ]
}

fn redirects(cast: &Cast) -> Vec<Attack> {
    let attack = |name: &str, ethertype, packet: &[u8]| {
        Attack::new(name, DropReason::IcmpRedirect, frame(cast, ethertype, packet))
    };
    let message = build::icmp_message(icmp::REDIRECT, cast.attacker.v4, &[0x45; 28]);
    let behind_options = build::ipv4_with(icmp::PROTO_V4, &[1; 4], 0, &message);
    let in_fragment = build::ipv4_with(icmp::PROTO_V4, &[], MORE_FRAGMENTS, &message);
    let own = |packet| build::between(cast.attacker.v4, cast.victim.v4, packet);
    vec![
        attack("redirect", eth::TYPE_IPV4, &message::redirect(cast)),
        attack("redirect behind IPv4 options", eth::TYPE_IPV4, &own(behind_options)),
        attack("redirect in a fragment", eth::TYPE_IPV4, &own(in_fragment)),
        attack("ICMPv6 redirect", eth::TYPE_IPV6, &message::redirect6(cast)),
        Attack::new(
            "redirect in the gateway's name",
            DropReason::SourceIp,
            frame(
                cast,
                eth::TYPE_IPV4,
                &build::between(cast.gateway.v4, cast.victim.v4, message::redirect(cast)),
            ),
        ),
    ]
}

fn legal(cast: &Cast) -> Vec<Legal> {
    let discover = build::ipv4(udp::PROTO, &build::udp(DISCOVER.0, DISCOVER.1, &[1; 240]));
    let nobody = build::between(ipv4::UNSPECIFIED, [255; 4], discover.clone());
    let solicit = build::ipv6(udp::PROTO, &build::udp(546, 547, &[1; 60]));
    let from_link_local = build::between(ipv6::link_local(cast.attacker.mac), cast.victim.v6, solicit);
    let broadcast = MacAddr::BROADCAST;
    vec![
        Legal::new("discover", build::eth(broadcast, cast.attacker.mac, eth::TYPE_IPV4, &nobody)),
        Legal::new("DHCP renewal", v4(cast, discover)),
        Legal::new("DHCPv6 solicitation", frame(cast, eth::TYPE_IPV6, &from_link_local)),
    ]
}
