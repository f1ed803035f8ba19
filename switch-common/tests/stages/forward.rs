//! Forwarding: where a frame goes by its destination, and what keeps it from there.

use switch_common::{
    DropReason, FloodKind, Verdict,
    abi::{
        addr::{DomainId, MacAddr, PortId},
        domain::{DomainConfig, DomainFlags},
        fdb::{FdbEntry, FdbKind},
        host::HostAddress,
        port::PortFlags,
    },
    stage::{
        env::Tables as _,
        forward::{to_group, to_station},
        headers::Headers,
        parse::parse,
        pipeline,
        vlan::Membership,
    },
    units::Nanos,
    wire::{eth, ipv6, tcp, udp, vlan::TPID_8021Q},
};

use crate::{
    build,
    double::{AGEING, DOMAIN, TestClock, TestFrame, TestTables, mac, port, ready},
};

/// A station behind a port, other than the port's own.
const GUEST: MacAddr = mac(100);
const MTU: usize = 1500;

/// Forwards `frame`, which came in on port 1, at second 1000.
fn forwarded(tables: &TestTables, frame: &TestFrame) -> Result<Verdict, DropReason> {
    let headers = parse(frame).expect("a frame that parses");
    let clock = TestClock::at_secs(1000);
    let (member, from) = (Membership::NONE, tables.config(1));
    if headers.dst.is_group() {
        to_group(frame, &headers, member, &from, tables, &clock)
    } else {
        to_station(frame, &headers, member, port(1), &from, tables, &clock)
    }
}

fn to(dst: MacAddr) -> TestFrame {
    TestFrame::new(build::eth(dst, mac(1), 0x88b5, b"payload"))
}

fn static_entry(port: PortId) -> FdbEntry {
    FdbEntry::new(port, FdbKind::Static, Nanos(0))
}

/// Two ports, and `GUEST` known to be behind the second.
fn guest_behind_port_2() -> TestTables {
    let tables = TestTables::with_ports(2);
    tables.put(GUEST, static_entry(port(2)));
    tables
}

#[test]
fn known_destination_gets_the_frame_and_is_counted() {
    for kind in [FdbKind::Learned, FdbKind::Static, FdbKind::Sticky, FdbKind::Endpoint] {
        let tables = TestTables::with_ports(2);
        tables.put(GUEST, FdbEntry::new(port(2), kind, Nanos::from_secs(999)));
        let frame = to(GUEST);
        assert_eq!(forwarded(&tables, &frame), Ok(Verdict::forward(port(2))), "{kind:?}");
        assert_eq!(*tables.tx.borrow(), [(tables.config(2).slot(), 21)]);
    }
}

#[test]
fn unknown_destination_is_flooded() {
    let tables = TestTables::with_ports(2);
    assert_eq!(forwarded(&tables, &to(GUEST)), Ok(Verdict::flood(FloodKind::UnknownUnicast)));
}

#[test]
fn groups_are_flooded_by_their_kind_whatever_the_fdb_says() {
    let tables = TestTables::with_ports(2);
    let group = MacAddr::new([0x33, 0x33, 0, 0, 0, 1]);
    for (dst, kind) in [(MacAddr::BROADCAST, FloodKind::Broadcast), (group, FloodKind::Multicast)] {
        tables.put(dst, static_entry(port(2)));
        assert_eq!(forwarded(&tables, &to(dst)), Ok(Verdict::flood(kind)));
    }
}

/// A port, the host behind port 2, which has 10.0.0.2 and fd00::2, and `payload` on its way to the host's MAC.
fn to_host(ethertype: u16, payload: &[u8]) -> Result<Verdict, DropReason> {
    let tables = TestTables::with_ports(2);
    tables.set_port(2, DOMAIN, 0, ready(PortFlags::DEFAULT.with(PortFlags::GATEWAY, true)));
    tables.put(mac(2), FdbEntry::new(port(2), FdbKind::Endpoint, Nanos(0)));
    let own = [HostAddress::ipv4([10, 0, 0, 2]), HostAddress::ipv6(build::ipv6_address(2))];
    tables.host_addresses.borrow_mut().extend(own);
    forwarded(&tables, &TestFrame::new(build::eth(mac(2), mac(1), ethertype, payload)))
}

fn datagram_v4() -> Vec<u8> {
    build::ipv4(udp::PROTO, &build::udp(1, 2, b""))
}

fn datagram_v6() -> Vec<u8> {
    build::ipv6(udp::PROTO, &build::udp(1, 2, b""))
}

#[test]
fn host_gets_what_is_for_its_own_addresses() {
    let delivered = Ok(Verdict::forward(port(2)));
    assert_eq!(to_host(eth::TYPE_IPV4, &datagram_v4()), delivered);
    for dst in [build::ipv6_address(2), ipv6::link_local(mac(2))] {
        let packet = build::between(build::ipv6_address(1), dst, datagram_v6());
        assert_eq!(to_host(eth::TYPE_IPV6, &packet), delivered, "{dst:?}");
    }
    let request = build::arp(1, (mac(1), [10, 0, 0, 1]), (MacAddr::ZERO, [10, 0, 0, 2]));
    assert_eq!(to_host(eth::TYPE_ARP, &request), delivered);
}

#[test]
fn host_gets_nothing_that_it_would_have_to_pass_on() {
    let no_route = Ok(Verdict::refuse(DropReason::NoRoute, port(2)));
    for dst in [[10, 0, 0, 3], [127, 0, 0, 1], [224, 0, 0, 1], [255; 4]] {
        let packet = build::between([10, 0, 0, 1], dst, datagram_v4());
        assert_eq!(to_host(eth::TYPE_IPV4, &packet), no_route, "{dst:?}");
    }
    for dst in [build::ipv6_address(3), ipv6::link_local(mac(1)), ipv6::ALL_NODES] {
        let packet = build::between(build::ipv6_address(1), dst, datagram_v6());
        assert_eq!(to_host(eth::TYPE_IPV6, &packet), no_route, "{dst:?}");
    }
    assert_eq!(to_host(0x8847, b"a label of somebody's"), no_route);
}

#[test]
fn entry_of_another_domain_is_not_found() {
    let tables = guest_behind_port_2();
    tables.set_port(1, DomainId(2), 0, ready(PortFlags::DEFAULT));
    assert_eq!(forwarded(&tables, &to(GUEST)), Ok(Verdict::flood(FloodKind::UnknownUnicast)));
}

#[test]
fn learned_entry_dies_at_the_ageing_time_to_the_nanosecond() {
    let tables = TestTables::with_ports(2);
    let at = |age: Nanos| {
        let last_seen = Nanos(Nanos::from_secs(1000).0 - age.0);
        tables.put(GUEST, FdbEntry::new(port(2), FdbKind::Learned, last_seen));
        forwarded(&tables, &to(GUEST))
    };
    assert_eq!(at(Nanos(AGEING.0 - 1)), Ok(Verdict::forward(port(2))));
    assert_eq!(at(AGEING), Ok(Verdict::flood(FloodKind::UnknownUnicast)));
}

#[test]
fn nothing_ages_where_the_ageing_time_is_zero_and_what_was_not_learned_never_does() {
    let tables = TestTables::with_ports(2);
    for kind in [FdbKind::Static, FdbKind::Sticky, FdbKind::Endpoint] {
        tables.put(GUEST, FdbEntry::new(port(2), kind, Nanos(0)));
        assert_eq!(forwarded(&tables, &to(GUEST)), Ok(Verdict::forward(port(2))), "{kind:?}");
    }
    tables.domains.borrow_mut().insert(DOMAIN, DomainConfig::new(Nanos(0), DomainFlags::NONE));
    tables.put(GUEST, FdbEntry::new(port(2), FdbKind::Learned, Nanos(0)));
    assert_eq!(forwarded(&tables, &to(GUEST)), Ok(Verdict::forward(port(2))));
}

#[test]
fn learned_entry_of_a_removed_domain_forwards_nothing() {
    let tables = TestTables::with_ports(2);
    tables.put(GUEST, FdbEntry::new(port(2), FdbKind::Learned, Nanos::from_secs(999)));
    tables.domains.borrow_mut().clear();
    assert_eq!(forwarded(&tables, &to(GUEST)), Err(DropReason::DomainGone));
}

#[test]
fn destination_behind_a_port_that_cannot_take_it_is_gone() {
    let tables = guest_behind_port_2();
    tables.ports.borrow_mut().remove(&port(2));
    assert_eq!(forwarded(&tables, &to(GUEST)), Err(DropReason::EgressGone), "removed");
    tables.set_port(2, DomainId(2), 0, ready(PortFlags::DEFAULT));
    assert_eq!(forwarded(&tables, &to(GUEST)), Err(DropReason::EgressGone), "in another domain");
    tables.set_port(2, DOMAIN, 0, PortFlags::DEFAULT);
    assert_eq!(forwarded(&tables, &to(GUEST)), Err(DropReason::EgressGone), "not ready");
}

#[test]
fn frame_does_not_go_back_out_of_its_port_unless_that_is_a_hairpin_port() {
    let tables = TestTables::with_ports(1);
    tables.put(GUEST, static_entry(port(1)));
    assert_eq!(forwarded(&tables, &to(GUEST)), Err(DropReason::SamePort));
    tables.set_port(1, DOMAIN, 0, ready(PortFlags::HAIRPIN));
    assert_eq!(forwarded(&tables, &to(GUEST)), Ok(Verdict::forward(port(1))));
}

#[test]
fn isolation_needs_both_ports() {
    for (first, second, verdict) in [
        (false, true, Ok(Verdict::forward(port(2)))),
        (true, false, Ok(Verdict::forward(port(2)))),
        (true, true, Err(DropReason::Isolated)),
    ] {
        let tables = guest_behind_port_2();
        for (number, isolated) in [(1, first), (2, second)] {
            tables.set_port(number, DOMAIN, 0, ready(PortFlags::NONE.with(PortFlags::ISOLATED, isolated)));
        }
        assert_eq!(forwarded(&tables, &to(GUEST)), verdict, "{first} {second}");
    }
}

#[test]
fn frame_for_the_uplink_s_own_mac_is_the_host_s() {
    let tables = TestTables::with_ports(1);
    tables.put(mac(1), static_entry(port(1)));
    let judged =
        || pipeline::run(&to(mac(1)), &mut { Headers::EMPTY }, port(1), &tables, &TestClock::default());
    assert_eq!(judged(), Verdict::drop(DropReason::SamePort));
    tables.set_port(1, DOMAIN, 0, ready(PortFlags::UPLINK));
    assert_eq!(judged(), Verdict::to_host());
}

#[test]
fn packet_of_exactly_the_mtu_fits_and_one_byte_more_does_not() {
    let tables = guest_behind_port_2();
    let sized = |len| TestFrame::new(build::eth(GUEST, mac(1), 0x88b5, &vec![0; len]));
    assert_eq!(forwarded(&tables, &sized(MTU)), Ok(Verdict::forward(port(2))));
    assert_eq!(forwarded(&tables, &sized(MTU + 1)), Err(DropReason::TooBig));
    assert_eq!(tables.tx.borrow().len(), 1, "what is too big is not counted as sent");
}

#[test]
fn tags_do_not_count_against_the_mtu() {
    let tables = guest_behind_port_2();
    let sized = |len| {
        let tag = build::tag(5, 0x88b5, &vec![0; len]);
        TestFrame::new(build::eth(GUEST, mac(1), TPID_8021Q, &tag))
    };
    assert_eq!(forwarded(&tables, &sized(MTU)), Ok(Verdict::forward(port(2))));
    assert_eq!(forwarded(&tables, &sized(MTU + 1)), Err(DropReason::TooBig));
}

#[test]
fn super_frame_is_measured_by_the_packets_it_will_become() {
    let tables = guest_behind_port_2();
    let headers_len = 20 + 32;
    let packet = build::ipv4(tcp::PROTO, &build::tcp((1, 2), 0x10, &[1; 12], &vec![0; 30_000]));
    let cut_at = |segment_size: usize| TestFrame {
        segment_size: u32::try_from(segment_size).unwrap(),
        ..TestFrame::new(build::eth(GUEST, mac(1), eth::TYPE_IPV4, &packet))
    };
    assert_eq!(forwarded(&tables, &cut_at(MTU - headers_len)), Ok(Verdict::forward(port(2))));
    assert_eq!(forwarded(&tables, &cut_at(MTU - headers_len + 1)), Err(DropReason::TooBig));
}

#[test]
fn only_what_is_addressed_to_the_interface_behind_a_port_goes_straight_into_its_namespace() {
    let tables = TestTables::with_ports(2);
    let own = tables.port(port(2)).expect("a port").mac();
    for (dst, flags, is_straight) in
        [(own, PortFlags::NONE, true), (GUEST, PortFlags::NONE, false), (own, PortFlags::UPLINK, false)]
    {
        tables.set_port(2, DOMAIN, 0, ready(flags));
        tables.put(dst, static_entry(port(2)));
        assert_eq!(
            forwarded(&tables, &to(dst)).map(Verdict::is_straight),
            Ok(is_straight),
            "{dst} {flags:?}"
        );
    }
}
