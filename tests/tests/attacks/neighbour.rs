//! Neighbour discovery: nobody takes another's address, and nobody is kept from its own (S02).

use switch_common::{
    DropReason,
    wire::{eth, icmp, ipv6},
};
use switch_userspace::datapath::Mode;
use wye_tests::{both_datapaths, support::packet::build};

use crate::{
    arena::Arena,
    attack::{Attack, Cast, Legal},
    message::{self, ALL_NODES, advertise, discovery, frame},
};

both_datapaths!(neighbour_discovery_that_speaks_for_others_reaches_nobody);

/// An option of eight bytes that says nothing about addresses (RFC 3971).
const NONCE: [u8; 8] = [14, 1, 1, 2, 3, 4, 5, 6];
/// Addresses that the switch knows nobody at.
const UNUSED: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x99, 0x99];
const UNUSED_LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x99, 0x99];

fn neighbour_discovery_that_speaks_for_others_reaches_nobody(mode: Mode) {
    let arena = Arena::start(mode);
    let cast = arena.cast();
    arena.withstands(&attacks(&cast), &legal(&cast));
}

/// A solicitation for `target` with options.
fn solicit(target: [u8; 16], options: &[u8]) -> Vec<u8> {
    build::icmp_message(icmp::NEIGHBOUR_SOLICITATION, [0; 4], &[&target[..], options].concat())
}

fn attacks(cast: &Cast) -> Vec<Attack> {
    let Cast { attacker, victim, bystander, gateway } = *cast;
    let link_local = ipv6::link_local(attacker.mac);
    let attack =
        |name: &str, reason, packet: Vec<u8>| Attack::new(name, reason, frame(cast, eth::TYPE_IPV6, &packet));
    let spoof = |name: &str, src, dst, message: &[u8]| {
        attack(name, DropReason::NdSpoof, discovery(src, dst, message))
    };
    let (victims_mac, others_mac) = (build::link_layer(1, victim.mac), build::link_layer(1, bystander.mac));
    let behind_nonces = |option: &[u8]| solicit(victim.v6, &[&NONCE.repeat(6)[..], option].concat());
    let fragment = build::fragment(icmp::PROTO_V6, 0, true, &advertise(gateway.v6, attacker));
    let unforwarded = |next, payload: &[u8]| message::unforwarded(build::ipv6(next, payload));
    vec![
        attack("the gateway is here", DropReason::NdSpoof, message::advertisement(cast)),
        spoof("a bystander is here, to all", link_local, ALL_NODES, &advertise(bystander.v6, attacker)),
        spoof("a bystander's link-local address is here", link_local, victim.v6, &{
            advertise(ipv6::link_local(bystander.mac), attacker)
        }),
        spoof(
            "own address is at a bystander's MAC",
            attacker.v6,
            victim.v6,
            &advertise(attacker.v6, bystander),
        ),
        spoof("somebody has the address that the victim tries", attacker.v6, ALL_NODES, &{
            advertise(victim.v6, attacker)
        }),
        spoof("advertisement without a target", attacker.v6, victim.v6, &{
            build::icmp_message(icmp::NEIGHBOUR_ADVERTISEMENT, [0; 4], &[])
        }),
        attack(
            "the victim's address speaks",
            DropReason::SourceIp,
            discovery(victim.v6, ALL_NODES, &advertise(victim.v6, attacker)),
        ),
        attack(
            "the gateway asks from here",
            DropReason::SourceIp,
            discovery(gateway.v6, victim.v6, &solicit(victim.v6, &build::link_layer(1, attacker.mac))),
        ),
        spoof(
            "solicitation from a bystander's MAC",
            attacker.v6,
            victim.v6,
            &solicit(victim.v6, &others_mac),
        ),
        spoof("solicitation from the victim's own MAC", attacker.v6, victim.v6, &{
            solicit(victim.v6, &victims_mac)
        }),
        spoof(
            "second option",
            attacker.v6,
            victim.v6,
            &solicit(victim.v6, &[&NONCE[..], &others_mac].concat()),
        ),
        spoof("option behind six others", attacker.v6, victim.v6, &behind_nonces(&others_mac)),
        spoof(
            "option without length",
            attacker.v6,
            victim.v6,
            &solicit(victim.v6, &[1, 0, 0, 0, 0, 0, 0, 0]),
        ),
        spoof("half an option", attacker.v6, victim.v6, &solicit(victim.v6, &[1, 1, 2])),
        spoof("router solicitation from a bystander's MAC", attacker.v6, ALL_NODES, &{
            build::icmp_message(icmp::ROUTER_SOLICITATION, [0; 4], &others_mac)
        }),
        spoof("is an address free that somebody else may be about to take", ipv6::UNSPECIFIED, ALL_NODES, &{
            solicit(UNUSED, &NONCE)
        }),
        spoof("is a link-local address free that is not its MAC's", ipv6::UNSPECIFIED, ALL_NODES, &{
            solicit(UNUSED_LINK_LOCAL, &[])
        }),
        attack("redirect", DropReason::IcmpRedirect, message::redirect6(cast)),
        attack(
            "behind hop-by-hop options",
            DropReason::NdSpoof,
            build::between(
                link_local,
                victim.v6,
                unforwarded(ipv6::NEXT_HOP_BY_HOP, &{
                    build::extension(icmp::PROTO_V6, 0, &advertise(gateway.v6, attacker))
                }),
            ),
        ),
        attack(
            "in a fragment",
            DropReason::NdSpoof,
            build::between(link_local, victim.v6, unforwarded(ipv6::NEXT_FRAGMENT, &fragment)),
        ),
    ]
}

fn legal(cast: &Cast) -> Vec<Legal> {
    let Cast { attacker, victim, .. } = *cast;
    let own = build::link_layer(1, attacker.mac);
    let link_local = ipv6::link_local(attacker.mac);
    let legal = |name: &str, src, dst, message: &[u8]| {
        Legal::new(name, frame(cast, eth::TYPE_IPV6, &discovery(src, dst, message)))
    };
    let routers = build::icmp_message(icmp::ROUTER_SOLICITATION, [0; 4], &own);
    vec![
        legal("advertisement", attacker.v6, victim.v6, &advertise(attacker.v6, attacker)),
        legal("of the link-local address", link_local, ALL_NODES, &advertise(link_local, attacker)),
        legal(
            "with many options",
            attacker.v6,
            ALL_NODES,
            &solicit(attacker.v6, &[&NONCE.repeat(6)[..], &own].concat()),
        ),
        legal("is this address free", ipv6::UNSPECIFIED, ALL_NODES, &solicit(attacker.v6, &NONCE)),
        legal("is its link-local address free", ipv6::UNSPECIFIED, ALL_NODES, &solicit(link_local, &[])),
        legal("router solicitation", link_local, ALL_NODES, &routers),
        legal("router solicitation of nobody yet", ipv6::UNSPECIFIED, ALL_NODES, &routers[..8]),
    ]
}
