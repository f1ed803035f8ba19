//! Learning: who is noted, refreshed, moved, left alone or refused.

use switch_common::{
    DropReason,
    abi::{
        addr::MacAddr,
        fdb::{FdbEntry, FdbKind},
        port::PortFlags,
    },
    stage::{
        env::InsertError,
        learn::{REFRESH_INTERVAL, learn_source},
        parse::parse,
    },
    units::Nanos,
    wire::vlan::VlanId,
};

use crate::{
    build,
    double::{DOMAIN, TestClock, TestFrame, TestTables, mac, port, ready},
};

/// A station that no port's own MAC is.
const GUEST: MacAddr = mac(100);

/// Lets port `number` send one frame from `source`.
fn send(tables: &TestTables, clock: &TestClock, number: u8, source: MacAddr) -> Result<(), DropReason> {
    let frame = TestFrame::new(build::eth(MacAddr::BROADCAST, source, 0x88b5, &[]));
    let headers = parse(&frame).expect("a bare Ethernet frame");
    learn_source(&headers, VlanId::NONE, port(number), &tables.config(number), tables, clock)
}

fn learned(number: u8, now: Nanos) -> FdbEntry {
    FdbEntry::new(port(number), FdbKind::Learned, now)
}

#[test]
fn unknown_source_is_learned_and_counted_at_its_port() {
    let (tables, clock) = (TestTables::with_ports(2), TestClock::at_secs(5));
    assert_eq!(send(&tables, &clock, 1, GUEST), Ok(()));
    assert_eq!(tables.entry(GUEST), Some(learned(1, Nanos::from_secs(5))));
    assert_eq!((tables.learned(1), tables.learned(2)), (1, 0));
}

#[test]
fn own_mac_of_the_port_is_not_learned() {
    let (tables, clock) = (TestTables::with_ports(1), TestClock::at_secs(5));
    assert_eq!(send(&tables, &clock, 1, mac(1)), Ok(()));
    assert_eq!((tables.entry(mac(1)), tables.learned(1)), (None, 0));
}

#[test]
fn port_with_learning_off_learns_nothing_and_refuses_nothing() {
    let (tables, clock) = (TestTables::with_ports(1), TestClock::at_secs(5));
    tables.set_port(1, DOMAIN, 1, PortFlags::READY);
    for guest in [mac(100), mac(101)] {
        assert_eq!(send(&tables, &clock, 1, guest), Ok(()));
        assert_eq!(tables.entry(guest), None);
    }
}

#[test]
fn entry_is_refreshed_once_the_interval_is_over_and_not_before() {
    let (tables, clock) = (TestTables::with_ports(1), TestClock::at_secs(5));
    let first = clock.0.get();
    send(&tables, &clock, 1, GUEST).unwrap();
    clock.advance(Nanos(REFRESH_INTERVAL.0 - 1));
    send(&tables, &clock, 1, GUEST).unwrap();
    assert_eq!(tables.entry(GUEST), Some(learned(1, first)));
    clock.advance(Nanos(1));
    send(&tables, &clock, 1, GUEST).unwrap();
    assert_eq!(tables.entry(GUEST), Some(learned(1, clock.0.get())));
    assert_eq!(tables.learned(1), 1);
}

#[test]
fn clock_that_runs_behind_the_entry_refreshes_nothing() {
    let (tables, clock) = (TestTables::with_ports(1), TestClock::at_secs(5));
    send(&tables, &clock, 1, GUEST).unwrap();
    let earlier = TestClock::at_secs(1);
    send(&tables, &earlier, 1, GUEST).unwrap();
    assert_eq!(tables.entry(GUEST), Some(learned(1, clock.0.get())));
}

#[test]
fn station_seen_at_another_port_moves_with_its_account() {
    let (tables, clock) = (TestTables::with_ports(2), TestClock::at_secs(5));
    send(&tables, &clock, 1, GUEST).unwrap();
    send(&tables, &clock, 2, GUEST).unwrap();
    assert_eq!(tables.entry(GUEST), Some(learned(2, clock.0.get())));
    assert_eq!((tables.learned(1), tables.learned(2)), (0, 1));
}

#[test]
fn whoever_loses_the_race_for_a_move_accounts_for_nothing() {
    let (tables, clock) = (TestTables::with_ports(2), TestClock::at_secs(5));
    send(&tables, &clock, 1, GUEST).unwrap();
    tables.refuse_move.set(true);
    send(&tables, &clock, 2, GUEST).unwrap();
    assert_eq!((tables.learned(1), tables.learned(2)), (1, 0));
}

#[test]
fn a_locked_port_lets_known_macs_send_and_learns_none() {
    let (tables, clock) = (TestTables::with_ports(2), TestClock::at_secs(5));
    tables.set_port(1, DOMAIN, 0, ready(PortFlags::DEFAULT.with(PortFlags::LOCKED, true)));
    assert_eq!(send(&tables, &clock, 1, GUEST), Err(DropReason::Locked));
    assert_eq!((tables.entry(GUEST), tables.learned(1)), (None, 0));
    send(&tables, &clock, 1, mac(1)).expect("the port's own MAC");
    tables.put(GUEST, FdbEntry::new(port(1), FdbKind::Static, Nanos(0)));
    send(&tables, &clock, 1, GUEST).expect("a MAC that is known here");
    tables.put(GUEST, FdbEntry::new(port(2), FdbKind::Static, Nanos(0)));
    assert_eq!(send(&tables, &clock, 1, GUEST), Err(DropReason::Locked), "known at another port");
}

#[test]
fn station_moves_away_from_a_port_that_is_gone() {
    let (tables, clock) = (TestTables::with_ports(2), TestClock::at_secs(5));
    send(&tables, &clock, 1, GUEST).unwrap();
    tables.ports.borrow_mut().remove(&port(1));
    send(&tables, &clock, 2, GUEST).unwrap();
    assert_eq!(tables.entry(GUEST), Some(learned(2, clock.0.get())));
    assert_eq!(tables.learned(2), 1);
}

#[test]
fn entries_that_were_not_learned_neither_move_nor_refresh() {
    for kind in [FdbKind::Static, FdbKind::Sticky, FdbKind::Endpoint] {
        let (tables, clock) = (TestTables::with_ports(2), TestClock::at_secs(5));
        let entry = FdbEntry::new(port(1), kind, Nanos(0));
        tables.put(GUEST, entry);
        for number in [1, 2] {
            assert_eq!(send(&tables, &clock, number, GUEST), Ok(()));
            assert_eq!((tables.entry(GUEST), tables.learned(number)), (Some(entry), 0), "{kind:?}");
        }
    }
}

#[test]
fn source_beyond_the_cap_is_refused_and_those_within_go_on() {
    let (tables, clock) = (TestTables::with_ports(1), TestClock::at_secs(5));
    tables.set_port(1, DOMAIN, 2, ready(PortFlags::DEFAULT));
    assert_eq!(send(&tables, &clock, 1, mac(100)), Ok(()));
    assert_eq!(send(&tables, &clock, 1, mac(101)), Ok(()));
    assert_eq!(send(&tables, &clock, 1, mac(102)), Err(DropReason::MacLimit));
    assert_eq!((tables.entry(mac(102)), tables.learned(1)), (None, 2));
    assert_eq!(send(&tables, &clock, 1, mac(100)), Ok(()));
    assert_eq!(send(&tables, &clock, 1, mac(1)), Ok(()));
}

#[test]
fn station_does_not_move_to_a_port_at_its_cap() {
    let (tables, clock) = (TestTables::with_ports(2), TestClock::at_secs(5));
    tables.set_port(2, DOMAIN, 1, ready(PortFlags::DEFAULT));
    send(&tables, &clock, 1, GUEST).unwrap();
    send(&tables, &clock, 2, mac(101)).unwrap();
    assert_eq!(send(&tables, &clock, 2, GUEST), Err(DropReason::MacLimit));
    assert_eq!(tables.entry(GUEST), Some(learned(1, clock.0.get())));
    assert_eq!((tables.learned(1), tables.learned(2)), (1, 1));
}

#[test]
fn room_is_made_again_when_a_station_moves_away() {
    let (tables, clock) = (TestTables::with_ports(2), TestClock::at_secs(5));
    tables.set_port(1, DOMAIN, 1, ready(PortFlags::DEFAULT));
    send(&tables, &clock, 1, GUEST).unwrap();
    send(&tables, &clock, 2, GUEST).unwrap();
    assert_eq!(send(&tables, &clock, 1, mac(101)), Ok(()));
    assert_eq!((tables.learned(1), tables.learned(2)), (1, 1));
}

#[test]
fn insert_lost_to_another_cpu_is_counted_once() {
    let (tables, clock) = (TestTables::with_ports(1), TestClock::at_secs(5));
    tables.refuse_insert.set(Some(InsertError::Exists));
    assert_eq!(send(&tables, &clock, 1, GUEST), Ok(()));
    assert_eq!((tables.learned(1), tables.not_learned.borrow().len()), (0, 0));
}

#[test]
fn full_table_costs_the_learning_and_not_the_frame() {
    let (tables, clock) = (TestTables::with_ports(1), TestClock::at_secs(5));
    tables.refuse_insert.set(Some(InsertError::Full));
    assert_eq!(send(&tables, &clock, 1, GUEST), Ok(()));
    assert_eq!((tables.entry(GUEST), tables.learned(1)), (None, 0));
    assert_eq!(*tables.not_learned.borrow(), [tables.config(1).slot()]);
}
