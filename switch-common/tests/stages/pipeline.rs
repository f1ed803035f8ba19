//! The whole walk: the order of the stages and what is counted on the way.

use switch_common::{
    DropReason, FloodKind, PuntReason, Verdict,
    abi::{
        addr::{DomainId, MacAddr, Slot},
        port::PortFlags,
    },
    stage::{
        headers::Headers,
        pipeline::{NO_SLOT, run},
        probe::{PROBE_MAC, PROBE_TYPE},
    },
    wire::eth,
};

use crate::{
    build,
    double::{DOMAIN, TestClock, TestFrame, TestTables, mac, port, ready},
};

fn run_at_port_1(tables: &TestTables, frame: &TestFrame) -> Verdict {
    run(frame, &mut { Headers::EMPTY }, port(1), tables, &TestClock::at_secs(1000))
}

fn frame(dst: MacAddr, src: MacAddr) -> TestFrame {
    TestFrame::new(build::eth(dst, src, 0x88b5, b"payload"))
}

/// Lets a station behind a port be known.
fn learn_at(tables: &TestTables, number: u8, mac: MacAddr) {
    let hello = frame(MacAddr::BROADCAST, mac);
    run(&hello, &mut { Headers::EMPTY }, port(number), tables, &TestClock::at_secs(1000));
}

#[test]
fn interface_that_is_no_port_is_counted_apart() {
    let tables = TestTables::default();
    assert_eq!(run_at_port_1(&tables, &frame(mac(2), mac(1))), Verdict::drop(DropReason::UnknownPort));
    assert_eq!(*tables.drops.borrow(), [(NO_SLOT, DropReason::UnknownPort)]);

    let tables = TestTables::with_ports(1);
    tables.set_port(1, DomainId::NONE, 0, ready(PortFlags::DEFAULT));
    assert_eq!(run_at_port_1(&tables, &frame(mac(2), mac(1))), Verdict::drop(DropReason::UnknownPort));
    assert_eq!((tables.rx.borrow().len(), tables.fdb.borrow().len()), (0, 0));
}

#[test]
fn unready_port_forwards_nothing_and_learns_nothing() {
    let tables = TestTables::with_ports(2);
    tables.set_port(1, DOMAIN, 0, PortFlags::DEFAULT);
    let verdict = run_at_port_1(&tables, &frame(MacAddr::BROADCAST, mac(100)));
    assert_eq!(verdict, Verdict::drop(DropReason::PortNotReady));
    assert_eq!(tables.entry(mac(100)), None);
}

#[test]
fn frame_from_one_station_finds_the_answer_s_way() {
    let tables = TestTables::with_ports(2);
    let there = frame(mac(101), mac(100));
    assert_eq!(run_at_port_1(&tables, &there), Verdict::flood(FloodKind::UnknownUnicast));
    let back = frame(mac(100), mac(101));
    let clock = TestClock::at_secs(1000);
    assert_eq!(run(&back, &mut { Headers::EMPTY }, port(2), &tables, &clock), Verdict::forward(port(1)));
    assert_eq!(*tables.rx.borrow(), [(Slot(1), 21), (Slot(2), 21)]);
    assert_eq!(*tables.tx.borrow(), [(Slot(1), 21)]);
}

#[test]
fn every_drop_is_counted_once_with_its_reason_at_the_port_it_came_from() {
    let mut bad_ip = frame(mac(2), mac(1));
    bad_ip.bytes[12..14].copy_from_slice(&eth::TYPE_IPV4.to_be_bytes());
    let reserved = |last| MacAddr::new([1, 0x80, 0xc2, 0, 0, last]);
    for (frame, reason) in [
        (TestFrame::new(vec![0; 13]), DropReason::ShortFrame),
        (bad_ip, DropReason::Ipv4Header),
        (frame(mac(2), MacAddr::BROADCAST), DropReason::SourceMac),
        (frame(mac(2), MacAddr::new([3, 0, 0, 0, 0, 1])), DropReason::SourceMac),
        (frame(mac(2), MacAddr::ZERO), DropReason::SourceMac),
        (frame(reserved(0), mac(1)), DropReason::ReservedGroup),
        (frame(reserved(0x0f), mac(1)), DropReason::ReservedGroup),
    ] {
        let tables = TestTables::with_ports(2);
        assert_eq!(run_at_port_1(&tables, &frame), Verdict::drop(reason), "{frame:?}");
        assert_eq!(*tables.drops.borrow(), [(Slot(1), reason)]);
        assert_eq!((tables.rx.borrow().len(), tables.tx.borrow().len()), (1, 0));
    }
}

#[test]
fn source_of_a_frame_that_parse_or_guard_refuses_is_not_learned() {
    let tables = TestTables::with_ports(1);
    let mut bad_ip = frame(mac(2), mac(100));
    bad_ip.bytes[12..14].copy_from_slice(&eth::TYPE_IPV4.to_be_bytes());
    run_at_port_1(&tables, &bad_ip);
    run_at_port_1(&tables, &frame(MacAddr::new([1, 0x80, 0xc2, 0, 0, 0]), mac(100)));
    assert!(tables.fdb.borrow().is_empty());
}

#[test]
fn frame_dropped_for_its_source_goes_nowhere() {
    let tables = TestTables::with_ports(2);
    tables.set_port(1, DOMAIN, 1, ready(PortFlags::DEFAULT));
    run_at_port_1(&tables, &frame(MacAddr::BROADCAST, mac(100)));
    let verdict = run_at_port_1(&tables, &frame(MacAddr::BROADCAST, mac(101)));
    assert_eq!(verdict, Verdict::drop(DropReason::MacLimit));
}

#[test]
fn station_is_learned_before_it_is_looked_up() {
    let tables = TestTables::with_ports(1);
    let verdict = run_at_port_1(&tables, &frame(mac(100), mac(100)));
    assert_eq!(verdict, Verdict::drop(DropReason::SamePort));
}

#[test]
fn blocked_port_takes_no_frame_in_and_lets_none_out() {
    let tables = TestTables::with_ports(2);
    let blocked = ready(PortFlags::DEFAULT.with(PortFlags::BLOCKED, true));
    learn_at(&tables, 2, mac(100));
    tables.set_port(1, DOMAIN, 0, blocked);
    assert_eq!(run_at_port_1(&tables, &frame(mac(100), mac(101))), Verdict::drop(DropReason::Loop));
    assert_eq!(tables.entry(mac(101)), None);
    tables.set_port(1, DOMAIN, 0, ready(PortFlags::DEFAULT));
    tables.set_port(2, DOMAIN, 0, blocked);
    assert_eq!(run_at_port_1(&tables, &frame(mac(100), mac(101))), Verdict::drop(DropReason::Loop));
}

#[test]
fn probes_are_punted_from_every_port_and_never_learned() {
    for flags in [PortFlags::NONE, PortFlags::BLOCKED, PortFlags::GUARD, PortFlags::LOCKED, PortFlags::UPLINK]
    {
        let tables = TestTables::with_ports(2);
        tables.set_port(1, DOMAIN, 0, ready(PortFlags::DEFAULT.union(flags)));
        let probe = TestFrame::new(build::eth(PROBE_MAC, mac(100), PROBE_TYPE, b"payload"));
        assert_eq!(run_at_port_1(&tables, &probe), Verdict::punt(PuntReason::LoopProbe), "{flags:?}");
        assert_eq!(tables.entry(mac(100)), None);
        // Others may use the type, or the address, for what they like.
        let other = TestFrame::new(build::eth(mac(2), mac(1), PROBE_TYPE, b"payload"));
        assert_ne!(run_at_port_1(&tables, &other), Verdict::punt(PuntReason::LoopProbe));
    }
}

#[test]
fn port_whose_interface_is_down_gets_nothing_and_is_awake_with_its_first_frame() {
    let tables = TestTables::with_ports(2);
    learn_at(&tables, 1, mac(100));
    learn_at(&tables, 2, mac(101));
    tables.set_port(1, DOMAIN, 0, ready(PortFlags::DEFAULT.with(PortFlags::DOWN, true)));
    let at_port_2 =
        |frame: &TestFrame| run(frame, &mut { Headers::EMPTY }, port(2), &tables, &TestClock::at_secs(1000));
    assert_eq!(at_port_2(&frame(mac(100), mac(101))), Verdict::drop(DropReason::EgressGone));
    assert_eq!(run_at_port_1(&tables, &frame(mac(101), mac(100))), Verdict::forward(port(2)));
    assert_eq!(at_port_2(&frame(mac(100), mac(101))), Verdict::forward(port(1)));
}
