//! Source addresses: a port uses its own (S07).

use switch_common::{
    DropReason,
    wire::{eth, icmp, ipv4, ipv6, tcp, udp},
};
use switch_userspace::datapath::Mode;
use wye_tests::{both_datapaths, support::packet::build};

use crate::{
    arena::Arena,
    attack::{Attack, Cast, Legal},
    message::{frame, v4, v6},
};

both_datapaths!(packets_with_a_foreign_source_address_reach_nobody);

const SYN: u8 = 2;
const ECHO: u8 = 8;
const ECHO_V6: u8 = 128;
/// Of a fragment that is not the first, in units of eight bytes.
const LATER: u16 = 100;
const IGMP: u8 = 2;

fn packets_with_a_foreign_source_address_reach_nobody(mode: Mode) {
    let arena = Arena::start(mode);
    let cast = arena.cast();
    arena.withstands(&attacks(&cast), &legal(&cast));
}

fn attacks(cast: &Cast) -> Vec<Attack> {
    let attack = |what: &str, name: &str, ethertype, packet: &[u8]| {
        Attack::new(format!("{what} from {name}"), DropReason::SourceIp, frame(cast, ethertype, packet))
    };
    let from_v4 = foreign_v4(cast).into_iter().flat_map(|(name, src)| {
        packets_v4().map(|(what, packet)| {
            attack(what, name, eth::TYPE_IPV4, &build::between(src, cast.victim.v4, packet))
        })
    });
    let from_v6 = foreign_v6(cast).into_iter().flat_map(|(name, src)| {
        packets_v6().map(|(what, packet)| {
            attack(what, name, eth::TYPE_IPV6, &build::between(src, cast.victim.v6, packet))
        })
    });
    let mut attacks: Vec<Attack> = from_v4.chain(from_v6).collect();
    let discover = build::ipv4(udp::PROTO, &build::udp(68, 67, &[1; 240]));
    let report = build::ipv4(IGMP, &[0x16; 8]);
    let as_bystander = |packet| build::between(cast.bystander.v4, cast.victim.v4, packet);
    attacks.extend([
        attack("DHCP", "a bystander", eth::TYPE_IPV4, &as_bystander(discover)),
        attack("IGMP", "a bystander", eth::TYPE_IPV4, &as_bystander(report)),
    ]);
    attacks
}

fn foreign_v4(cast: &Cast) -> Vec<(&'static str, [u8; 4])> {
    vec![
        ("a bystander", cast.bystander.v4),
        ("the victim", cast.victim.v4),
        ("the gateway", cast.gateway.v4),
        ("nobody's address", [10, 1, 200, 1]),
        ("elsewhere", [192, 0, 2, 1]),
        ("0.0.0.0", ipv4::UNSPECIFIED),
        ("loopback", [127, 0, 0, 1]),
        ("link-local", [169, 254, 1, 1]),
        ("multicast", [224, 0, 0, 1]),
        ("the subnet's broadcast", [10, 1, 255, 255]),
        ("broadcast", [255; 4]),
    ]
}

fn foreign_v6(cast: &Cast) -> Vec<(&'static str, [u8; 16])> {
    let last = |first: [u8; 2]| {
        let mut ip = [0; 16];
        (ip[0], ip[1], ip[15]) = (first[0], first[1], 1);
        ip
    };
    let mut mapped = [0; 16];
    (mapped[10], mapped[11]) = (0xff, 0xff);
    mapped[12..].copy_from_slice(&cast.attacker.v4);
    vec![
        ("a bystander", cast.bystander.v6),
        ("the victim", cast.victim.v6),
        ("the gateway", cast.gateway.v6),
        ("a bystander's link-local", ipv6::link_local(cast.bystander.mac)),
        ("another link-local", last([0xfe, 0x80])),
        ("elsewhere", last([0x20, 0x01])),
        ("::", ipv6::UNSPECIFIED),
        ("::1", last([0, 0])),
        ("own IPv4 mapped", mapped),
        ("multicast", last([0xff, 0x02])),
    ]
}

fn packets_v4() -> [(&'static str, Vec<u8>); 4] {
    [
        ("UDP", build::ipv4(udp::PROTO, &build::udp(1, 2, b"hello"))),
        ("TCP", build::ipv4(tcp::PROTO, &build::tcp((1, 2), SYN, &[], &[]))),
        ("ICMP", build::ipv4(icmp::PROTO_V4, &build::icmp_message(ECHO, [0; 4], b"ping"))),
        ("fragment", build::ipv4_with(udp::PROTO, &[], LATER, &[0; 16])),
    ]
}

fn packets_v6() -> [(&'static str, Vec<u8>); 4] {
    let later = build::fragment(udp::PROTO, 8 * LATER, false, &[0; 16]);
    [
        ("UDP", build::ipv6(udp::PROTO, &build::udp(1, 2, b"hello"))),
        ("TCP", build::ipv6(tcp::PROTO, &build::tcp((1, 2), SYN, &[], &[]))),
        ("ICMPv6", build::ipv6(icmp::PROTO_V6, &build::icmp_message(ECHO_V6, [0; 4], b"ping"))),
        ("fragment", build::ipv6(ipv6::NEXT_FRAGMENT, &later)),
    ]
}

fn legal(cast: &Cast) -> Vec<Legal> {
    let from_link_local =
        |packet| build::between(ipv6::link_local(cast.attacker.mac), cast.victim.v6, packet);
    let own_v4 = packets_v4().map(|(what, packet)| Legal::new(what, v4(cast, packet)));
    let own_v6 = packets_v6().map(|(what, packet)| Legal::new(what, v6(cast, packet)));
    let own_link_local = packets_v6()
        .map(|(what, packet)| Legal::new(what, frame(cast, eth::TYPE_IPV6, &from_link_local(packet))));
    own_v4.into_iter().chain(own_v6).chain(own_link_local).collect()
}
