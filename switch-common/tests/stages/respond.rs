//! The responder: which questions the switch answers itself, what becomes of the others, and the answers' bytes.

use switch_common::{
    DropReason, FloodKind, Verdict,
    abi::{
        addr::{DomainId, MacAddr, PortId},
        domain::{DomainConfig, DomainFlags},
        neighbour::{Neighbour, NeighbourKey},
        port::PortFlags,
    },
    stage::{
        headers::Headers,
        parse::parse,
        pipeline::run,
        respond::{advertisement, arp_reply},
    },
    verdict::Outcome,
    wire::{
        arp, eth, icmp, ipv6,
        vlan::{TPID_8021Q, Tag, VlanId},
    },
};

use crate::{
    build,
    double::{AGEING, DOMAIN, TestClock, TestFrame, TestTables, mac, port, ready},
};

const BROADCAST: Verdict = Verdict::flood(FloodKind::Broadcast);
const MULTICAST: Verdict = Verdict::flood(FloodKind::Multicast);
const NO_NEIGHBOUR: Verdict = Verdict::drop(DropReason::NoNeighbour);
const SUPPRESS: DomainFlags = DomainFlags::SUPPRESS;
const NOBODY: [u8; 4] = [0; 4];

fn ip(last: u8) -> [u8; 4] {
    [10, 0, 0, last]
}

fn ip6(last: u8) -> [u8; 16] {
    build::ipv6_address(last)
}

/// Three ports of one domain that answers: at each the addresses 10.0.0.N and fd00::N.
fn tables() -> TestTables {
    let tables = TestTables::with_ports(3);
    set_flags(&tables, SUPPRESS);
    for number in 1..=3 {
        add(&tables, number, Neighbour::new(port(number), mac(number)));
    }
    tables
}

fn set_flags(tables: &TestTables, flags: DomainFlags) {
    tables.domains.borrow_mut().insert(DOMAIN, DomainConfig::new(AGEING, flags));
}

/// Makes `neighbour` the station at 10.0.0.`last` and fd00::`last`.
fn add(tables: &TestTables, last: u8, neighbour: Neighbour) {
    let mut neighbours = tables.neighbours.borrow_mut();
    neighbours.insert(NeighbourKey::ipv4(DOMAIN, ip(last)), neighbour);
    neighbours.insert(NeighbourKey::ipv6(DOMAIN, ip6(last)), neighbour);
}

/// What becomes of a frame from port 1.
fn verdict(tables: &TestTables, frame: &TestFrame) -> Verdict {
    run(frame, &mut { Headers::EMPTY }, port(1), tables, &TestClock::at_secs(1000))
}

/// An ARP message from port 1's own MAC.
fn arp(dst: MacAddr, operation: u16, sender: [u8; 4], target: [u8; 4]) -> TestFrame {
    let message = build::arp(operation, (mac(1), sender), (MacAddr::ZERO, target));
    TestFrame::new(build::eth(dst, mac(1), eth::TYPE_ARP, &message))
}

fn request(target: [u8; 4]) -> TestFrame {
    arp(MacAddr::BROADCAST, arp::REQUEST, ip(1), target)
}

fn group_of(target: [u8; 16]) -> MacAddr {
    MacAddr::new([0x33, 0x33, 0xff, target[13], target[14], target[15]])
}

/// The address behind [`group_of`] (RFC 4291, 2.7.1).
fn solicited_node(target: [u8; 16]) -> [u8; 16] {
    [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, target[13], target[14], target[15]]
}

/// A neighbour solicitation from port 1's own MAC, with options.
fn solicitation_with(src: [u8; 16], target: [u8; 16], options: &[u8]) -> TestFrame {
    let message = build::icmp_message(icmp::NEIGHBOUR_SOLICITATION, [0; 4], &[&target, options].concat());
    let mut packet = build::between(src, solicited_node(target), build::ipv6(icmp::PROTO_V6, &message));
    packet[7] = 255;
    TestFrame::new(build::eth(group_of(target), mac(1), eth::TYPE_IPV6, &packet))
}

fn solicitation(target: [u8; 16]) -> TestFrame {
    solicitation_with(ip6(1), target, &build::link_layer(1, mac(1)))
}

fn probe(target: [u8; 16]) -> TestFrame {
    solicitation_with(ipv6::UNSPECIFIED, target, &[])
}

/// A solicitation with one byte changed.
fn changed(at: usize, value: u8) -> TestFrame {
    let mut frame = solicitation(ip6(2));
    frame.bytes[at] = value;
    frame
}

/// The frames that ask for address N of either family, and what floods them.
fn questions(last: u8) -> [(TestFrame, Verdict); 2] {
    [(request(ip(last)), BROADCAST), (solicitation(ip6(last)), MULTICAST)]
}

/// The frames with which a station tries address N before it takes it.
fn probes(last: u8) -> [(TestFrame, Verdict); 2] {
    [(arp(MacAddr::BROADCAST, arp::REQUEST, NOBODY, ip(last)), BROADCAST), (probe(ip6(last)), MULTICAST)]
}

#[test]
fn a_question_for_a_station_at_another_port_is_answered_with_its_mac() {
    for (frame, _) in questions(2) {
        assert_eq!(verdict(&tables(), &frame), Verdict::respond(mac(2)));
    }
    let to_a_group = arp(MacAddr::new([1, 0, 0x5e, 0, 0, 1]), arp::REQUEST, ip(1), ip(2));
    assert_eq!(verdict(&tables(), &to_a_group), Verdict::respond(mac(2)));
}

#[test]
fn a_question_to_one_station_goes_to_that_station() {
    let tables = tables();
    let to_one = arp(mac(2), arp::REQUEST, ip(1), ip(2));
    assert_eq!(verdict(&tables, &to_one), Verdict::flood(FloodKind::UnknownUnicast));
    let mut to_one = solicitation(ip6(2));
    to_one.bytes[..6].copy_from_slice(&mac(2).bytes());
    assert_eq!(verdict(&tables, &to_one), Verdict::flood(FloodKind::UnknownUnicast));
}

#[test]
fn a_question_for_the_asker_s_own_address_is_heard_by_everybody() {
    let tables = tables();
    set_flags(&tables, SUPPRESS.with(DomainFlags::DROP_UNKNOWN, true));
    for (frame, flooded) in questions(1).into_iter().chain(probes(1)) {
        assert_eq!(verdict(&tables, &frame), flooded);
    }
}

#[test]
fn who_tries_or_announces_another_s_address_is_told_whose_it_is() {
    for (frame, _) in probes(2) {
        assert_eq!(verdict(&tables(), &frame), Verdict::respond(mac(2)));
    }
    let announcement = arp(MacAddr::BROADCAST, arp::REQUEST, ip(2), ip(2));
    assert_eq!(verdict(&tables(), &announcement), Verdict::respond(mac(2)));
}

#[test]
fn a_question_for_nobody_known_is_flooded_or_dropped_as_the_domain_says() {
    let tables = tables();
    for (frame, flooded) in questions(9).into_iter().chain(probes(9)) {
        assert_eq!(verdict(&tables, &frame), flooded);
    }
    set_flags(&tables, SUPPRESS.with(DomainFlags::DROP_UNKNOWN, true));
    for (frame, _) in questions(9).into_iter().chain(probes(9)) {
        assert_eq!(verdict(&tables, &frame), NO_NEIGHBOUR);
    }
    assert_eq!(tables.drops.borrow().len(), 4);
}

#[test]
fn an_announcement_of_an_address_that_nobody_has_is_never_dropped() {
    let tables = tables();
    set_flags(&tables, SUPPRESS.with(DomainFlags::DROP_UNKNOWN, true));
    let announcement = arp(MacAddr::BROADCAST, arp::REQUEST, ip(9), ip(9));
    assert_eq!(verdict(&tables, &announcement), BROADCAST);
}

#[test]
fn replies_and_other_messages_are_flooded() {
    let tables = tables();
    set_flags(&tables, SUPPRESS.with(DomainFlags::DROP_UNKNOWN, true));
    for operation in [arp::REPLY, 3] {
        assert_eq!(verdict(&tables, &arp(MacAddr::BROADCAST, operation, ip(1), ip(2))), BROADCAST);
    }
    for kind in [icmp::ROUTER_SOLICITATION, icmp::NEIGHBOUR_ADVERTISEMENT] {
        assert_eq!(verdict(&tables, &changed(14 + 40, kind)), MULTICAST);
    }
}

#[test]
fn without_suppression_everything_is_flooded() {
    let tables = tables();
    set_flags(&tables, DomainFlags::DROP_UNKNOWN);
    for (frame, flooded) in [questions(2), probes(2), questions(9)].into_iter().flatten() {
        assert_eq!(verdict(&tables, &frame), flooded);
    }
}

#[test]
fn a_solicitation_that_receivers_must_not_believe_is_flooded_as_it_is() {
    let hop_limit = changed(14 + 7, 254);
    let code = changed(14 + 40 + 1, 1);
    let mut short = changed(14 + 5, 23);
    short.bytes.truncate(14 + 40 + 23);
    for frame in [hop_limit, code, short] {
        assert_eq!(verdict(&tables(), &frame), MULTICAST, "{frame:?}");
    }
}

#[test]
fn tagged_frames_and_snap_are_flooded_wherever_the_tag_is() {
    let tables = tables();
    for (frame, flooded) in questions(2) {
        let mut offloaded = frame.clone();
        offloaded.offloaded = Some(Tag { tpid: TPID_8021Q, tci: 5 });
        assert_eq!(verdict(&tables, &offloaded), flooded);

        let ethertype = u16::from_be_bytes([frame.bytes[12], frame.bytes[13]]);
        let dst = MacAddr::new(*frame.bytes.first_chunk().expect("a MAC"));
        let tag = build::tag(5, ethertype, &frame.bytes[14..]);
        let tagged = TestFrame::new(build::eth(dst, mac(1), TPID_8021Q, &tag));
        assert_eq!(verdict(&tables, &tagged), flooded);

        let snap = build::snap([0; 3], ethertype, &frame.bytes[14..]);
        let in_snap = TestFrame::new(build::eth_802_3(dst, mac(1), &snap));
        assert_eq!(verdict(&tables, &in_snap), flooded);
    }
}

#[test]
fn a_station_that_the_asker_s_frames_cannot_reach_is_nobody() {
    let isolated = ready(PortFlags::DEFAULT.with(PortFlags::ISOLATED, true));
    let both_isolated = tables();
    both_isolated.set_port(1, DOMAIN, 0, isolated);
    both_isolated.set_port(2, DOMAIN, 0, isolated);
    let moved = tables();
    moved.set_port(2, DomainId(2), 0, ready(PortFlags::DEFAULT));
    let unready = tables();
    unready.set_port(2, DOMAIN, 0, PortFlags::DEFAULT);
    let gone = tables();
    gone.ports.borrow_mut().remove(&port(2));
    for tables in [both_isolated, moved, unready, gone] {
        for (frame, flooded) in questions(2) {
            assert_eq!(verdict(&tables, &frame), flooded);
        }
        set_flags(&tables, SUPPRESS.with(DomainFlags::DROP_UNKNOWN, true));
        for (frame, _) in questions(2) {
            assert_eq!(verdict(&tables, &frame), NO_NEIGHBOUR);
        }
    }
}

#[test]
fn a_station_in_another_vlan_is_nobody() {
    let tables = tables();
    let access = |number: u8, id: u16| {
        tables.set_port(number, DOMAIN, 0, ready(PortFlags::VLAN));
        let config = tables.config(number).with_native_vlan(VlanId::new(id).expect("a VLAN"));
        tables.ports.borrow_mut().insert(port(number), config);
    };
    access(1, 5);
    access(2, 5);
    access(3, 7);
    for (frame, _) in questions(2) {
        assert_eq!(verdict(&tables, &frame), Verdict::respond(mac(2)));
    }
    for (frame, _) in questions(3) {
        assert!(matches!(verdict(&tables, &frame).outcome(), Some(Outcome::Flood(..))));
    }
}

#[test]
fn the_switch_s_own_addresses_are_behind_no_port() {
    let tables = tables();
    add(&tables, 7, Neighbour::new(PortId(0), mac(77)));
    for (frame, _) in questions(7) {
        assert_eq!(verdict(&tables, &frame), Verdict::respond(mac(77)));
    }
}

#[test]
fn neighbours_of_another_domain_are_unknown() {
    let tables = tables();
    let elsewhere = NeighbourKey::ipv4(DomainId(2), ip(9));
    tables.neighbours.borrow_mut().insert(elsewhere, Neighbour::new(port(2), mac(2)));
    assert_eq!(verdict(&tables, &request(ip(9))), BROADCAST);
}

#[test]
fn the_asker_s_mac_is_learned_all_the_same() {
    let tables = tables();
    let message = build::arp(arp::REQUEST, (mac(100), ip(1)), (MacAddr::ZERO, ip(2)));
    let frame = TestFrame::new(build::eth(MacAddr::BROADCAST, mac(100), eth::TYPE_ARP, &message));
    assert_eq!(verdict(&tables, &frame), Verdict::respond(mac(2)));
    assert_eq!(tables.entry(mac(100)).map(|entry| entry.port()), Some(port(1)));
}

#[test]
fn an_arp_reply_goes_to_the_asker_and_says_who_is_where() {
    for sender in [ip(1), NOBODY] {
        let frame = arp(MacAddr::BROADCAST, arp::REQUEST, sender, ip(2));
        let reply = arp_reply(&frame, &parse(&frame).expect("a frame"), mac(2)).expect("a reply");
        let message = build::arp(arp::REPLY, (mac(2), ip(2)), (mac(1), sender));
        assert_eq!(reply.to_vec(), build::eth(mac(1), mac(2), eth::TYPE_ARP, &message));
    }
}

#[test]
fn an_advertisement_goes_to_the_asker_and_says_where_the_target_is() {
    let frame = solicitation(ip6(2));
    let reply = advertisement(&frame, &parse(&frame).expect("a frame"), mac(2)).expect("a reply");
    assert_eq!(reply.to_vec(), expected(mac(1), ip6(1), 0x60));
    assert!(has_right_checksum(&reply));
}

#[test]
fn who_tries_an_address_hears_the_advertisement_with_all_nodes() {
    let frame = probe(ip6(2));
    let reply = advertisement(&frame, &parse(&frame).expect("a frame"), mac(2)).expect("a reply");
    assert_eq!(reply.to_vec(), expected(MacAddr::new([0x33, 0x33, 0, 0, 0, 1]), ipv6::ALL_NODES, 0x20));
    assert!(has_right_checksum(&reply));
}

#[test]
fn checksums_are_right_whatever_the_addresses() {
    for byte in [0x00, 0x7f, 0x80, 0xff] {
        let frame = solicitation_with([byte; 16], [byte ^ 0x55; 16], &[]);
        let at = MacAddr::new([0, byte, byte, 0xff, byte, 0xfe]);
        let reply = advertisement(&frame, &parse(&frame).expect("a frame"), at).expect("a reply");
        assert!(has_right_checksum(&reply), "{byte:#x}");
    }
}

/// An advertisement of station 2 as another implementation would write it, its checksum taken from the reply's place.
fn expected(dst: MacAddr, dst_ip: [u8; 16], flags: u8) -> Vec<u8> {
    let message = build::icmp_message(
        icmp::NEIGHBOUR_ADVERTISEMENT,
        [flags, 0, 0, 0],
        &[&ip6(2)[..], &build::link_layer(2, mac(2))].concat(),
    );
    let mut packet = build::between(ip6(2), dst_ip, build::ipv6(icmp::PROTO_V6, &message));
    packet[7] = 255;
    let sum = ones_complement_sum(&packet);
    packet[42..44].copy_from_slice(&(!sum).to_be_bytes());
    build::eth(dst, mac(2), eth::TYPE_IPV6, &packet)
}

/// A message and its checksum add up to all ones (RFC 1071).
fn has_right_checksum(frame: &[u8]) -> bool {
    ones_complement_sum(&frame[14..]) == 0xffff
}

/// The sum over pseudo-header and message of an ICMPv6 packet without extension headers.
fn ones_complement_sum(packet: &[u8]) -> u16 {
    let length = u64::try_from(packet.len() - 40).expect("a short packet");
    let words = packet[8..].chunks(2).map(|word| u64::from(u16::from_be_bytes([word[0], word[1]])));
    let mut sum = words.sum::<u64>() + length + u64::from(icmp::PROTO_V6);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("folded")
}
