//! VLANs: who is in which one, and what tag a frame leaves with.

use switch_common::{
    DropReason,
    abi::{
        addr::{MacAddr, Slot},
        fdb::{FdbEntry, FdbKey, FdbKind},
        port::PortFlags,
        vlan::VlanSet,
    },
    stage::{
        headers::Headers,
        parse::parse,
        pipeline::run,
        vlan::{Membership, TagChange, classify, leave},
    },
    units::Nanos,
    verdict::Outcome,
    wire::vlan::{TPID_8021AD, TPID_8021Q, Tag, VlanId},
};

use crate::{
    build,
    double::{DOMAIN, TestClock, TestFrame, TestTables, mac, port, ready},
};

const GUEST: MacAddr = mac(100);
const ACCESS: PortFlags = PortFlags::VLAN;
const TRUNK: PortFlags = PortFlags::VLAN.with(PortFlags::TRUNK, true);
const SERVICE_TRUNK: PortFlags = TRUNK.with(PortFlags::SERVICE_TAGS, true);

fn vlan(id: u16) -> VlanId {
    VlanId::new(id).expect("a VLAN")
}

fn tag(tpid: u16, tci: u16) -> Tag {
    Tag { tpid, tci }
}

/// Makes port `number` one with VLANs; `native` 0 is none.
fn set(tables: &TestTables, number: u8, flags: PortFlags, native: u16, carried: &[u16]) {
    tables.set_port(number, DOMAIN, 0, ready(flags));
    let config = tables.config(number).with_native_vlan(vlan(native));
    tables.ports.borrow_mut().insert(port(number), config);
    let set = carried.iter().fold(VlanSet::default(), |set, id| set.with(vlan(*id)));
    tables.vlans.borrow_mut().insert(Slot(number.into()), set);
}

fn frame(tags: &[Tag]) -> TestFrame {
    let body = (0x88b5, b"payload".to_vec());
    let (ethertype, payload) = tags
        .iter()
        .rev()
        .fold(body, |(ethertype, payload), tag| (tag.tpid, build::tag(tag.tci, ethertype, &payload)));
    TestFrame::new(build::eth(GUEST, mac(1), ethertype, &payload))
}

/// The VLAN of a frame that comes in on port 1.
fn classified(tables: &TestTables, tags: &[Tag]) -> Result<u16, DropReason> {
    let headers = parse(&frame(tags)).expect("a frame that parses");
    classify(&headers, &tables.config(1), tables).map(|member| member.vlan().get())
}

#[test]
fn ports_of_a_network_without_vlans_carry_tags_as_they_are() {
    let tables = TestTables::with_ports(1);
    for tags in [&[][..], &[tag(TPID_8021Q, 5)], &[tag(TPID_8021AD, 5), tag(TPID_8021Q, 6)]] {
        assert_eq!(classified(&tables, tags), Ok(0));
    }
    assert_eq!(leave(Membership::NONE, &tables.config(1), &tables), Some(TagChange::NONE));
}

#[test]
fn an_access_port_takes_untagged_frames_only() {
    let tables = TestTables::with_ports(1);
    set(&tables, 1, ACCESS, 7, &[]);
    assert_eq!(classified(&tables, &[]), Ok(7));
    assert_eq!(classified(&tables, &[tag(TPID_8021Q, 0xa000)]), Ok(7), "a priority tag names no VLAN");
    for tags in [tag(TPID_8021Q, 7), tag(TPID_8021Q, 8), tag(TPID_8021AD, 0), tag(TPID_8021AD, 7)] {
        assert_eq!(classified(&tables, &[tags]), Err(DropReason::Vlan), "{tags:?}");
    }
}

#[test]
fn a_trunk_takes_what_it_carries() {
    let tables = TestTables::with_ports(1);
    set(&tables, 1, TRUNK, 7, &[8, 4094]);
    for (tags, vlan) in [
        (&[][..], Ok(7)),
        (&[tag(TPID_8021Q, 8)], Ok(8)),
        (&[tag(TPID_8021Q, 0xf000 | 4094)], Ok(4094)),
        (&[tag(TPID_8021Q, 7)], Ok(7)),
        (&[tag(TPID_8021Q, 8), tag(TPID_8021Q, 9)], Ok(8)),
        (&[tag(TPID_8021Q, 9)], Err(DropReason::Vlan)),
        (&[tag(TPID_8021Q, 4095)], Err(DropReason::Vlan)),
        (&[tag(TPID_8021AD, 8)], Err(DropReason::Vlan)),
        (&[tag(TPID_8021Q, 7), tag(TPID_8021Q, 9)], Err(DropReason::Vlan)),
    ] {
        assert_eq!(classified(&tables, tags), vlan, "{tags:?}");
    }
    set(&tables, 1, TRUNK, 0, &[8]);
    assert_eq!(classified(&tables, &[]), Err(DropReason::Vlan), "no native VLAN");
}

#[test]
fn a_service_trunk_takes_customers_tags_as_payload() {
    let tables = TestTables::with_ports(1);
    set(&tables, 1, SERVICE_TRUNK, 7, &[8]);
    assert_eq!(classified(&tables, &[tag(TPID_8021AD, 8), tag(TPID_8021Q, 9)]), Ok(8));
    assert_eq!(classified(&tables, &[tag(TPID_8021Q, 9)]), Ok(7));
    assert_eq!(classified(&tables, &[tag(TPID_8021AD, 9)]), Err(DropReason::Vlan));
}

#[test]
fn frames_leave_with_the_tag_of_the_port_they_leave_by() {
    let tables = TestTables::with_ports(1);
    let member = |tag| Membership::of_tag(tag, 0).expect("a VLAN");
    let tagged = member(tag(TPID_8021Q, 0xa008));
    let left = |flags, native, carried: &[u16]| {
        set(&tables, 1, flags, native, carried);
        leave(tagged, &tables.config(1), &tables)
    };
    assert_eq!(left(ACCESS, 8, &[]), Some(TagChange { strip: true, push: None }));
    assert_eq!(left(ACCESS, 9, &[8]), None, "only a trunk carries more than one");
    let push = Some(tag(TPID_8021Q, 0xa008));
    assert_eq!(left(TRUNK, 0, &[8]), Some(TagChange { strip: true, push }));
    let push = Some(tag(TPID_8021AD, 0xa008));
    assert_eq!(left(SERVICE_TRUNK, 0, &[8]), Some(TagChange { strip: true, push }));
    assert_eq!(left(TRUNK, 8, &[]), Some(TagChange { strip: true, push: None }));
    assert_eq!(left(TRUNK, 0, &[9]), None);
}

#[test]
fn a_second_tag_never_becomes_the_first() {
    let tables = TestTables::with_ports(2);
    let hidden = |ingress: (PortFlags, u16, &[u16]), egress: PortFlags, tags: &[Tag]| {
        set(&tables, 1, ingress.0, ingress.1, ingress.2);
        set(&tables, 2, egress, 10, &[20]);
        let headers = parse(&frame(tags)).expect("a frame that parses");
        let member = classify(&headers, &tables.config(1), &tables).expect("a VLAN");
        assert_eq!(member.vlan(), vlan(10), "{tags:?}");
        leave(member, &tables.config(2), &tables)
    };
    let (c, s) = (|id| tag(TPID_8021Q, id), |id| tag(TPID_8021AD, id));
    assert_eq!(hidden((ACCESS, 10, &[]), TRUNK, &[c(0), c(20)]), None, "behind a priority tag");
    assert_eq!(hidden((TRUNK, 0, &[10]), TRUNK, &[c(10), c(20)]), None, "behind a tag that is taken off");
    assert_eq!(hidden((SERVICE_TRUNK, 10, &[]), TRUNK, &[c(20)]), None, "a customer's tag on a native VLAN");
    assert_eq!(hidden((SERVICE_TRUNK, 0, &[10]), SERVICE_TRUNK, &[s(10), s(20)]), None);
    let stripped = Some(TagChange { strip: true, push: None });
    assert_eq!(hidden((SERVICE_TRUNK, 0, &[10]), SERVICE_TRUNK, &[s(10), c(20)]), stripped, "payload there");
    assert_eq!(hidden((TRUNK, 0, &[10]), ACCESS, &[c(10), c(20)]), stripped, "an access port goes by no tag");
}

#[test]
fn a_station_is_known_in_the_vlan_where_it_is() {
    let tables = TestTables::with_ports(3);
    set(&tables, 1, PortFlags::DEFAULT.with(TRUNK, true), 0, &[7, 8]);
    set(&tables, 2, PortFlags::DEFAULT.with(ACCESS, true), 7, &[]);
    set(&tables, 3, PortFlags::DEFAULT.with(ACCESS, true), 8, &[]);
    let in_vlan = |id| FdbKey::new(DOMAIN, GUEST).in_vlan(vlan(id));
    let known = |number, kind| FdbEntry::new(port(number), kind, Nanos(0));
    tables.fdb.borrow_mut().insert(in_vlan(7), known(2, FdbKind::Static));
    tables.fdb.borrow_mut().insert(in_vlan(8), known(3, FdbKind::Static));
    for (id, number) in [(7, 2), (8, 3)] {
        let sent = frame(&[tag(TPID_8021Q, id)]);
        let verdict = run(&sent, &mut { Headers::EMPTY }, port(1), &tables, &TestClock::at_secs(1));
        let change = TagChange { strip: true, push: None };
        assert_eq!(verdict.outcome(), Some(Outcome::Forward(port(number), change)));
        let key = FdbKey::new(DOMAIN, mac(1)).in_vlan(vlan(id));
        assert!(tables.fdb.borrow().contains_key(&key), "the sender is known in VLAN {id}");
    }
}
