//! Encapsulations: tags, LLC and SNAP hide nothing from the guard that a receiver may see (S04).

use switch_common::{
    DropReason,
    wire::{
        eth,
        vlan::{TPID_8021AD, TPID_8021Q},
    },
};
use switch_userspace::datapath::Mode;
use wye_tests::{both_datapaths, support::packet::build};

use crate::{
    arena::Arena,
    attack::{Attack, Cast, Legal},
    message::{self, frame},
};

both_datapaths!(encapsulations_hide_nothing);

const RFC_1042: [u8; 3] = [0; 3];
const BRIDGE_TUNNEL: [u8; 3] = [0, 0, 0xf8];
const NOBODYS: [u8; 3] = [0x0a, 0x0b, 0x0c];

fn encapsulations_hide_nothing(mode: Mode) {
    let arena = Arena::start(mode);
    let cast = arena.cast();
    let attacks: Vec<Attack> = messages(&cast).iter().flat_map(|message| message.hidden(&cast)).collect();
    arena.withstands(&attacks, &legal(&cast));
}

/// A message of another family, and what it is refused for.
struct Message {
    name: &'static str,
    reason: DropReason,
    ethertype: u16,
    packet: Vec<u8>,
}

fn messages(cast: &Cast) -> Vec<Message> {
    let message = |name, reason, ethertype, packet| Message { name, reason, ethertype, packet };
    vec![
        message("ARP", DropReason::ArpSpoof, eth::TYPE_ARP, message::arp_reply(cast)),
        message("advertisement", DropReason::NdSpoof, eth::TYPE_IPV6, message::advertisement(cast)),
        message(
            "router",
            DropReason::RouterAdvertisement,
            eth::TYPE_IPV6,
            message::router_advertisement(cast),
        ),
        message("DHCP", DropReason::DhcpServer, eth::TYPE_IPV4, message::dhcp_offer(cast)),
        message("DHCPv6", DropReason::DhcpServer, eth::TYPE_IPV6, message::dhcp6_advertise(cast)),
        message("redirect", DropReason::IcmpRedirect, eth::TYPE_IPV4, message::redirect(cast)),
        message("ICMPv6 redirect", DropReason::IcmpRedirect, eth::TYPE_IPV6, message::redirect6(cast)),
    ]
}

impl Message {
    fn hidden(&self, cast: &Cast) -> Vec<Attack> {
        let tagged = |name: &str, reason, tags: &[(u16, u16)]| {
            Attack::new(format!("{}: {name}", self.name), reason, self.tagged(cast, tags))
        };
        let too_many = |name: &str, count| {
            let frame = self.tagged(cast, &[(TPID_8021Q, 0)].repeat(count));
            Attack::malformed(format!("{}: {name}", self.name), DropReason::TagStack, frame)
        };
        let snap = |name: &str, oui| {
            let llc = build::snap(oui, self.ethertype, &self.packet);
            let frame = build::eth_802_3(cast.victim.mac, cast.attacker.mac, &llc);
            Attack::new(format!("{}: {name}", self.name), DropReason::L2Encap, frame)
        };
        let ambiguous = DropReason::L2Encap;
        vec![
            tagged("a priority tag", self.reason, &[(TPID_8021Q, 0)]),
            tagged("a priority tag with a priority", self.reason, &[(TPID_8021Q, 0xe000)]),
            tagged("two priority tags", ambiguous, &[(TPID_8021Q, 0); 2]),
            too_many("three priority tags", 3),
            too_many("four priority tags", 4),
            tagged("an outer priority tag", self.reason, &[(TPID_8021AD, 0)]),
            tagged("802.1ad around 802.1Q", ambiguous, &[(TPID_8021AD, 0), (TPID_8021Q, 0)]),
            tagged("a priority tag around a VLAN's", ambiguous, &[(TPID_8021Q, 0), (TPID_8021Q, 7)]),
            tagged("a VLAN's tag", self.reason, &[(TPID_8021Q, 7)]),
            tagged("a VLAN's tag around a priority tag", self.reason, &[(TPID_8021AD, 7), (TPID_8021Q, 0)]),
            snap("SNAP of RFC 1042", RFC_1042),
            snap("SNAP of bridge tunnels", BRIDGE_TUNNEL),
            snap("SNAP of nobody", NOBODYS),
            self.snap_in_tag(cast),
            self.beyond_the_frame(cast),
        ]
    }

    fn tagged(&self, cast: &Cast, tags: &[(u16, u16)]) -> Vec<u8> {
        let innermost = (self.ethertype, self.packet.clone());
        let (outermost, stack) = tags.iter().rev().fold(innermost, |(ethertype, payload), (tpid, tci)| {
            (*tpid, build::tag(*tci, ethertype, &payload))
        });
        frame(cast, outermost, &stack)
    }

    fn snap_in_tag(&self, cast: &Cast) -> Attack {
        let llc = build::snap(RFC_1042, self.ethertype, &self.packet);
        let length = u16::try_from(llc.len()).expect("a small message");
        let frame = frame(cast, TPID_8021Q, &build::tag(0, length, &llc));
        Attack::new(format!("{}: SNAP in a priority tag", self.name), DropReason::L2Encap, frame)
    }

    fn beyond_the_frame(&self, cast: &Cast) -> Attack {
        let llc = build::snap(RFC_1042, self.ethertype, &self.packet);
        let length = u16::try_from(llc.len() + 1).expect("a small message");
        let name = format!("{}: SNAP that is longer than its frame", self.name);
        Attack::malformed(name, DropReason::BadLlcLength, frame(cast, length, &llc))
    }
}

fn legal(cast: &Cast) -> Vec<Legal> {
    let own = build::arp(1, (cast.attacker.mac, cast.attacker.v4), (cast.attacker.mac, [10, 1, 200, 1]));
    let spanning_tree_like = [0x42, 0x42, 3, 0, 0, 0, 0, 0];
    let other_protocol = build::snap([0, 0, 0x0c], 0x2000, b"discovery of neighbours");
    let (dst, src) = (cast.victim.mac, cast.attacker.mac);
    vec![
        Legal::new("own ARP in a priority tag", frame(cast, TPID_8021Q, &build::tag(0, eth::TYPE_ARP, &own))),
        Legal::new("LLC", build::eth_802_3(dst, src, &spanning_tree_like)),
        Legal::new("SNAP without IP", build::eth_802_3(dst, src, &other_protocol)),
    ]
}
