//! Source MACs: nobody takes another's, and nobody uses one that no station has (S05).

use switch_common::{
    DropReason,
    abi::addr::MacAddr,
    wire::{eth, udp},
};
use switch_userspace::datapath::Mode;
use wye_tests::{
    both_datapaths,
    support::{packet::build, segment::EXPERIMENT},
};

use crate::{
    arena::Arena,
    attack::{Attack, Cast},
};

both_datapaths!(frames_with_a_foreign_source_mac_reach_nobody_and_move_nobody);

const STRANGER: MacAddr = MacAddr::new([2, 0xbb, 0, 0, 0, 1]);
const GROUP: MacAddr = MacAddr::new([1, 0, 0x5e, 0, 0, 1]);

fn frames_with_a_foreign_source_mac_reach_nobody_and_move_nobody(mode: Mode) {
    let arena = Arena::start(mode);
    let cast = arena.cast();
    let entries = || {
        [cast.victim, cast.bystander].map(|station| {
            let entry = arena.wye.fdb_entry(&station.mac.to_string()).expect("an entry of an endpoint");
            (entry.port, entry.kind)
        })
    };
    let before = entries();
    arena.withstands(&attacks(&cast), &[]);
    assert_eq!(entries(), before);
}

fn attacks(cast: &Cast) -> Vec<Attack> {
    let reason = DropReason::SourceMac;
    let stations = [("a bystander", cast.bystander.mac), ("a stranger", STRANGER)];
    let groups = [("nobody", MacAddr::ZERO), ("everybody", MacAddr::BROADCAST), ("a group", GROUP)];
    let packets = packets(cast);
    let mut attacks = Vec::new();
    for (what, ethertype, packet) in &packets {
        for (to, dst) in [("all", MacAddr::BROADCAST), ("the victim", cast.victim.mac)] {
            let frame = |src| build::eth(dst, src, *ethertype, packet);
            let name = |of: &str| format!("{what} of {of} to {to}");
            attacks.extend(stations.map(|(of, mac)| Attack::new(name(of), reason, frame(mac))));
            attacks.extend(groups.map(|(of, mac)| Attack::impossible(name(of), reason, frame(mac))));
        }
        let of_victim = build::eth(MacAddr::BROADCAST, cast.victim.mac, *ethertype, packet);
        attacks.push(Attack::new(format!("{what} of the victim itself"), reason, of_victim));
    }
    attacks
}

fn packets(cast: &Cast) -> [(&'static str, u16, Vec<u8>); 4] {
    let datagram = build::udp(1, 2, b"hello");
    let ipv4 = build::between(cast.attacker.v4, cast.victim.v4, build::ipv4(udp::PROTO, &datagram));
    let ipv6 = build::between(cast.attacker.v6, cast.victim.v6, build::ipv6(udp::PROTO, &datagram));
    let arp = build::arp(1, (cast.attacker.mac, cast.attacker.v4), (MacAddr::ZERO, [10, 1, 200, 1]));
    [
        ("IPv4", eth::TYPE_IPV4, ipv4),
        ("IPv6", eth::TYPE_IPV6, ipv6),
        ("ARP", eth::TYPE_ARP, arp),
        ("something else", EXPERIMENT, b"hello".to_vec()),
    ]
}
