//! ARP: nobody takes another's address (S01).

use switch_common::{DropReason, abi::addr::MacAddr, wire::eth};
use switch_userspace::datapath::Mode;
use wye_tests::{both_datapaths, support::packet::build};

use crate::{
    arena::Arena,
    attack::{Attack, Cast, Legal},
    message,
};

both_datapaths!(arp_that_speaks_for_others_reaches_nobody);

const NOBODY: [u8; 4] = [0; 4];
/// An address of the network that nobody has.
const UNUSED: [u8; 4] = [10, 1, 200, 1];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;
/// Every operation from RARP on that IANA has named, and 0.
const OTHER_OPERATIONS: [u16; 24] =
    [0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25];

fn arp_that_speaks_for_others_reaches_nobody(mode: Mode) {
    let arena = Arena::start(mode);
    let cast = arena.cast();
    arena.withstands(&attacks(&cast), &legal(&cast));
}

fn attacks(cast: &Cast) -> Vec<Attack> {
    let Cast { attacker, victim, bystander, gateway } = *cast;
    let spoof = |name: &str, dst, arp: Vec<u8>| {
        Attack::new(name, DropReason::ArpSpoof, build::eth(dst, attacker.mac, eth::TYPE_ARP, &arp))
    };
    let (all, to_victim) = (MacAddr::BROADCAST, (victim.mac, victim.v4));
    let own = build::arp(REPLY, (attacker.mac, attacker.v4), to_victim);
    let mut attacks = vec![
        spoof("reply for the gateway", victim.mac, message::arp_reply(cast)),
        spoof(
            "reply for a bystander",
            victim.mac,
            build::arp(REPLY, (attacker.mac, bystander.v4), to_victim),
        ),
        spoof(
            "request in the gateway's name",
            all,
            build::arp(REQUEST, (attacker.mac, gateway.v4), (MacAddr::ZERO, victim.v4)),
        ),
        spoof(
            "request in the victim's own name",
            victim.mac,
            build::arp(REQUEST, (attacker.mac, victim.v4), (MacAddr::ZERO, victim.v4)),
        ),
        spoof(
            "gratuitous request for the gateway",
            all,
            build::arp(REQUEST, (attacker.mac, gateway.v4), (MacAddr::ZERO, gateway.v4)),
        ),
        spoof(
            "gratuitous reply for the gateway",
            all,
            build::arp(REPLY, (attacker.mac, gateway.v4), (all, gateway.v4)),
        ),
        spoof("reply of nobody", victim.mac, build::arp(REPLY, (attacker.mac, NOBODY), to_victim)),
        spoof(
            "own address at a bystander's MAC",
            victim.mac,
            build::arp(REPLY, (bystander.mac, attacker.v4), to_victim),
        ),
        spoof("own address at everybody's MAC", victim.mac, build::arp(REPLY, (all, attacker.v4), to_victim)),
        spoof(
            "probe with another's MAC",
            all,
            build::arp(REQUEST, (bystander.mac, NOBODY), (MacAddr::ZERO, UNUSED)),
        ),
        spoof(
            "is an address free that somebody else may be about to take",
            all,
            build::arp(REQUEST, (attacker.mac, NOBODY), (MacAddr::ZERO, UNUSED)),
        ),
        Attack::new(
            "own ARP in a bystander's frame",
            DropReason::SourceMac,
            build::eth(victim.mac, bystander.mac, eth::TYPE_ARP, &own),
        ),
    ];
    attacks.extend(OTHER_OPERATIONS.map(|operation| {
        let arp = build::arp(operation, (attacker.mac, attacker.v4), to_victim);
        spoof(&format!("operation {operation}"), victim.mac, arp)
    }));
    let malformed = |name: &str, arp: &[u8]| {
        Attack::malformed(name, DropReason::ArpHeader, message::frame(cast, eth::TYPE_ARP, arp))
    };
    let other_kind = |at: usize, value| {
        let mut arp = message::arp_reply(cast);
        arp[at] = value;
        arp
    };
    attacks.extend([
        malformed("truncated by a byte", &message::arp_reply(cast)[..27]),
        malformed("truncated to its kind", &message::arp_reply(cast)[..8]),
        malformed("hardware type IEEE 802, which receivers take as well", &other_kind(1, 6)),
        malformed("longer hardware addresses", &other_kind(4, 8)),
        malformed("longer protocol addresses", &other_kind(5, 16)),
    ]);
    attacks
}

fn legal(cast: &Cast) -> Vec<Legal> {
    let Cast { attacker, victim, .. } = *cast;
    let (all, own) = (MacAddr::BROADCAST, (attacker.mac, attacker.v4));
    let legal =
        |name, dst, arp: Vec<u8>| Legal::new(name, build::eth(dst, attacker.mac, eth::TYPE_ARP, &arp));
    let padded = [build::arp(REQUEST, own, (MacAddr::ZERO, UNUSED)), vec![0; 18]].concat();
    vec![
        legal("reply", victim.mac, build::arp(REPLY, own, (victim.mac, victim.v4))),
        legal("request", all, build::arp(REQUEST, own, (MacAddr::ZERO, UNUSED))),
        legal("request with padding", all, padded),
        legal("probe", all, build::arp(REQUEST, (attacker.mac, NOBODY), (MacAddr::ZERO, attacker.v4))),
        legal("announcement", all, build::arp(REQUEST, own, (MacAddr::ZERO, attacker.v4))),
        legal("gratuitous reply", all, build::arp(REPLY, own, (all, attacker.v4))),
    ]
}
