//! Forged ICMP errors: an error is about a packet that its sender was sent (S16).

use switch_common::{
    DropReason,
    wire::{icmp, ipv6, tcp, udp},
};
use switch_userspace::datapath::Mode;
use wye_tests::{both_datapaths, support::packet::build};

use crate::{
    arena::Arena,
    attack::{Attack, Cast, Legal},
    message::{v4, v6},
};

both_datapaths!(errors_about_packets_of_others_reach_nobody);

const ERRORS: [(&str, u8); 4] = [
    ("unreachable", icmp::UNREACHABLE),
    ("source quench", icmp::SOURCE_QUENCH),
    ("time exceeded", icmp::TIME_EXCEEDED),
    ("parameter problem", icmp::PARAMETER_PROBLEM),
];
const ERRORS_V6: [(&str, u8); 4] =
    [("unreachable", icmp::UNREACHABLE_V6), ("too big", 2), ("time exceeded", 3), ("parameter problem", 4)];
const MORE_FRAGMENTS: u16 = 0x2000;

fn errors_about_packets_of_others_reach_nobody(mode: Mode) {
    let arena = Arena::start(mode);
    let cast = arena.cast();
    arena.withstands(&attacks(&cast), &legal(&cast));
}

/// The packet that an error is about.
fn about<const N: usize>(src: [u8; N], dst: [u8; N]) -> Vec<u8> {
    let segment = build::tcp((443, 40_000), 0, &[], &[]);
    let packet = if N == 4 { build::ipv4(tcp::PROTO, &segment) } else { build::ipv6(tcp::PROTO, &segment) };
    build::between(src, dst, packet)
}

fn attacks(cast: &Cast) -> Vec<Attack> {
    let Cast { attacker, victim, bystander, gateway } = *cast;
    let mut attacks = Vec::new();
    let mut add = |name: String, frame| attacks.push(Attack::new(name, DropReason::IcmpError, frame));
    for (name, kind) in ERRORS {
        let error = |subject: &[u8]| {
            v4(cast, build::ipv4(icmp::PROTO_V4, &build::icmp_message(kind, [0; 4], subject)))
        };
        let own = about(victim.v4, attacker.v4);
        add(format!("{name}, of a bystander's packet"), error(&about(victim.v4, bystander.v4)));
        add(format!("{name}, of a packet to the gateway"), error(&about(victim.v4, gateway.v4)));
        add(format!("{name}, reversed"), error(&about(attacker.v4, victim.v4)));
        add(format!("{name}, of a packet that another sent"), error(&about(bystander.v4, attacker.v4)));
        add(format!("{name}, of nothing"), error(&[]));
        add(format!("{name}, of half a header"), error(&own[..12]));
        // The subject lies behind the packet: the receiver takes it from the next fragment.
        let first =
            build::ipv4_with(icmp::PROTO_V4, &[], MORE_FRAGMENTS, &build::icmp_message(kind, [0; 4], &[]));
        add(format!("{name}, of a packet in the padding"), [v4(cast, first), own].concat());
    }
    for (name, kind) in ERRORS_V6 {
        let message = |subject: &[u8]| build::icmp_message(kind, [0, 0, 5, 0], subject);
        let error = |subject: &[u8]| v6(cast, build::ipv6(icmp::PROTO_V6, &message(subject)));
        let own = about(victim.v6, attacker.v6);
        add(format!("v6 {name}, of a bystander's packet"), error(&about(victim.v6, bystander.v6)));
        add(format!("v6 {name}, of a packet to the gateway"), error(&about(victim.v6, gateway.v6)));
        add(format!("v6 {name}, reversed"), error(&about(attacker.v6, victim.v6)));
        add(format!("v6 {name}, of a packet that another sent"), error(&about(bystander.v6, attacker.v6)));
        add(format!("v6 {name}, of nothing"), error(&[]));
        add(format!("v6 {name}, of half a header"), error(&own[..24]));
        let first = build::fragment(icmp::PROTO_V6, 0, true, &message(&[]));
        let first = v6(cast, build::ipv6(ipv6::NEXT_FRAGMENT, &first));
        add(format!("v6 {name}, of a packet in the padding"), [first, own].concat());
    }
    attacks
}

fn legal(cast: &Cast) -> Vec<Legal> {
    let Cast { attacker, victim, .. } = *cast;
    let of_v4 = ERRORS.map(|(name, kind)| {
        let message = build::icmp_message(kind, [0; 4], &about(victim.v4, attacker.v4));
        Legal::new(name, v4(cast, build::ipv4(icmp::PROTO_V4, &message)))
    });
    let of_v6 = ERRORS_V6.map(|(name, kind)| {
        let message = build::icmp_message(kind, [0; 4], &about(victim.v6, attacker.v6));
        Legal::new(name, v6(cast, build::ipv6(icmp::PROTO_V6, &message)))
    });
    let datagram = build::between(victim.v4, attacker.v4, build::ipv4(udp::PROTO, &build::udp(9, 9, b"")));
    let behind_options = build::icmp_message(icmp::UNREACHABLE, [0; 4], &datagram);
    let no_operations = build::ipv4_with(icmp::PROTO_V4, &[1; 4], 0, &behind_options);
    let punted = Legal::new("unreachable behind IPv4 options", v4(cast, no_operations));
    of_v4.into_iter().chain(of_v6).chain([punted]).collect()
}
