//! Flooding: which ports of a domain take a copy.

use switch_common::{
    FloodKind,
    abi::{addr::DomainId, port::PortFlags},
    stage::{
        flood::{Flood, switch_of},
        vlan::Membership,
    },
};

use crate::double::{DOMAIN, TestTables, port, ready};

const KINDS: [(FloodKind, PortFlags); 3] = [
    (FloodKind::UnknownUnicast, PortFlags::FLOOD),
    (FloodKind::Broadcast, PortFlags::BCAST_FLOOD),
    (FloodKind::Multicast, PortFlags::MCAST_FLOOD),
];

/// The ports that get a copy of a flood from port 1.
fn reached(tables: &TestTables, kind: FloodKind) -> Vec<u8> {
    let flood =
        Flood { from: port(1), source: tables.config(1), switch: switch_of(kind), member: Membership::NONE };
    let count = u8::try_from(tables.ports.borrow().len()).expect("a few ports");
    (1..=count).filter(|number| flood.reaches(port(*number), &tables.config(*number))).collect()
}

#[test]
fn every_port_but_the_sender_s_takes_a_copy() {
    for (kind, _) in KINDS {
        assert_eq!(reached(&TestTables::with_ports(4), kind), [2, 3, 4], "{kind:?}");
    }
}

#[test]
fn each_kind_has_its_own_switch() {
    let tables = TestTables::with_ports(2);
    for (kind, flag) in KINDS {
        tables.set_port(2, DOMAIN, 0, ready(PortFlags::DEFAULT.with(flag, false)));
        for (other, _) in KINDS {
            assert_eq!(reached(&tables, other).is_empty(), other == kind, "{kind:?} off, {other:?}");
        }
    }
}

#[test]
fn hairpin_port_takes_its_own_flood() {
    let tables = TestTables::with_ports(2);
    tables.set_port(1, DOMAIN, 0, ready(PortFlags::DEFAULT.with(PortFlags::HAIRPIN, true)));
    assert_eq!(reached(&tables, FloodKind::Broadcast), [1, 2]);
}

#[test]
fn isolated_ports_do_not_reach_each_other() {
    let tables = TestTables::with_ports(3);
    let isolated = ready(PortFlags::DEFAULT.with(PortFlags::ISOLATED, true));
    tables.set_port(2, DOMAIN, 0, isolated);
    assert_eq!(reached(&tables, FloodKind::Broadcast), [2, 3]);
    tables.set_port(1, DOMAIN, 0, isolated);
    assert_eq!(reached(&tables, FloodKind::Broadcast), [3]);
}

#[test]
fn ports_of_other_domains_and_unready_ports_take_none() {
    let tables = TestTables::with_ports(4);
    tables.set_port(2, DomainId(2), 0, ready(PortFlags::DEFAULT));
    tables.set_port(3, DOMAIN, 0, PortFlags::DEFAULT);
    assert_eq!(reached(&tables, FloodKind::Broadcast), [4]);
}
