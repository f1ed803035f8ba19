//! The forwarding database.

use switch_userspace::{
    api::types::{
        Endpoint, EndpointState, ExitClass, FdbAdd, FdbDelete, FdbEntry, FdbFilter, FdbFlush, FdbQuery,
        FdbType, PortChange, SetType,
    },
    netns::{LinkSettings, Netlink},
};

use crate::support::{Switch, assert_told, inside, ip};

const MAC: &str = "02:00:00:00:aa:01";

/// Lets an endpoint send from another MAC than its own, so that one is learned.
fn learn(switch: &Switch, from: &Endpoint, to: &Endpoint) {
    let (name, unguarded) = (from.name.clone(), PortChange { guard: Some(false), ..PortChange::default() });
    switch.ask(move |control| control.set_port(&name, unguarded)).expect("a port without a guard");
    let netlink = Netlink::open_in(&inside(from)).expect("netlink");
    let eth0 = netlink.link_by_name("eth0").expect("eth0").index;
    let mac = LinkSettings { mac: Some(MAC.parse().expect("mac")), ..LinkSettings::default() };
    netlink.set_link(eth0, &mac).expect("another MAC");
    assert!(switch.reaches(from, &ip(to)));
}

fn entries(switch: &Switch, query: FdbQuery) -> Vec<FdbEntry> {
    switch.ask(move |control| control.fdb(&query)).expect("fdb")
}

fn dynamic() -> FdbQuery {
    FdbQuery { filter: Some(FdbFilter::Dynamic), ..FdbQuery::default() }
}

fn add(
    switch: &Switch,
    port: &str,
    kind: SetType,
) -> Result<FdbEntry, switch_userspace::api::types::ErrorBody> {
    let wish = FdbAdd { mac: MAC.into(), port: port.into(), network: None, kind, vlan: None, replace: false };
    switch.ask(move |control| control.add_fdb(wish))
}

#[test]
fn own_addresses_are_known_and_others_are_learned_and_flushed() {
    let switch = Switch::new();
    switch.create("red", &[]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    let known = entries(&switch, FdbQuery::default());
    assert_eq!(known.len(), 3, "theirs and the gateway's");
    assert!(
        known.iter().all(|entry| entry.kind == FdbType::Endpoint && entry.age_secs.is_none()),
        "{known:?}"
    );
    learn(&switch, &a, &b);
    let learned = entries(&switch, dynamic());
    assert_eq!((learned.len(), learned[0].mac.as_str(), learned[0].port.as_str()), (1, MAC, a.name.as_str()));
    assert!(learned[0].age_secs.is_some_and(|age| age < 10), "{learned:?}");
    let flushed = switch.ask(|control| control.flush_fdb(&FdbFlush::default())).expect("flushed");
    assert_eq!(flushed.removed, 1);
    assert_eq!(entries(&switch, dynamic()), []);
    assert_eq!(entries(&switch, FdbQuery::default()), known);
}

#[test]
fn entries_that_were_set_stay_over_a_restart_until_they_are_replaced_or_deleted() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    let set = add(&switch, &b.name, SetType::Sticky).expect("added");
    assert_eq!((set.kind, set.port.as_str()), (FdbType::Sticky, b.name.as_str()));
    assert_told(add(&switch, &a.name, SetType::Static), ExitClass::Conflict, MAC);
    assert_eq!(add(&switch, &b.name, SetType::Sticky).expect("the same again"), set);
    let moved = FdbAdd {
        mac: MAC.into(),
        port: a.name.clone(),
        network: None,
        kind: SetType::Static,
        vlan: None,
        replace: true,
    };
    let moved = switch.ask(move |control| control.add_fdb(moved)).expect("moved by command");
    switch.restart();
    let query = FdbQuery { port: Some(a.name.clone()), ..FdbQuery::default() };
    assert!(entries(&switch, query).contains(&moved));
    let flush = |all| FdbFlush { all, ..FdbFlush::default() };
    assert_eq!(switch.ask(move |control| control.flush_fdb(&flush(false))).expect("flushed").removed, 0);
    let delete = FdbDelete { mac: MAC.into(), network: Some("red".into()), vlan: None };
    let again = delete.clone();
    assert_eq!(switch.ask(move |control| control.delete_fdb(&delete)).expect("deleted"), moved);
    assert_told(switch.ask(move |control| control.delete_fdb(&again)), ExitClass::NotFound, MAC);
    add(&switch, &a.name, SetType::Static).expect("added");
    assert_eq!(switch.ask(move |control| control.flush_fdb(&flush(true))).expect("flushed").removed, 1);
    switch.restart();
    assert_eq!(entries(&switch, FdbQuery::default()).len(), 3, "theirs and the gateway's");
}

#[test]
fn entries_go_with_their_port() {
    let switch = Switch::new();
    switch.create("red", &[]);
    let b = switch.add("b", "red");
    add(&switch, &b.name, SetType::Static).expect("added");
    switch.remove("b");
    let left = entries(&switch, FdbQuery::default());
    assert!(left.iter().all(|entry| entry.port == "red"), "the gateway's only: {left:?}");
}

/// Sets an entry behind a port, then takes the port's interface away.
fn set_dormant(switch: &mut Switch, at: &Endpoint) {
    add(switch, &at.name, SetType::Static).expect("added");
    switch.at_host.delete_link(at.attachments[0].host_ifindex.into()).expect("deleted");
    let name = at.name.clone();
    switch.follow_until(|switch| {
        let name = name.clone();
        let endpoint = switch.ask(move |control| control.endpoint(&name)).expect("the endpoint");
        (endpoint.state == EndpointState::Broken).then_some(())
    });
}

#[test]
fn an_entry_that_was_set_outlives_a_flush_while_its_port_is_missing() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    let (a, b, c) = (switch.add("a", "red"), switch.add("b", "red"), switch.add("c", "red"));
    set_dormant(&mut switch, &a);
    learn(&switch, &b, &c);
    let flushed = switch.ask(|control| control.flush_fdb(&FdbFlush::default())).expect("flushed");
    assert_eq!(flushed.removed, 1, "the learned one");
    switch.restart();
    let query = FdbQuery { port: Some(a.name.clone()), filter: Some(FdbFilter::Static), network: None };
    assert!(entries(&switch, query).iter().any(|entry| entry.mac == MAC && entry.kind == FdbType::Static));
}

#[test]
fn an_entry_that_was_set_can_be_deleted_while_its_port_is_missing() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    let a = switch.add("a", "red");
    set_dormant(&mut switch, &a);
    let delete = FdbDelete { mac: MAC.into(), network: None, vlan: None };
    let deleted = switch.ask(move |control| control.delete_fdb(&delete)).expect("deleted");
    assert_eq!((deleted.mac.as_str(), deleted.port.as_str()), (MAC, a.name.as_str()));
    switch.restart();
    add(&switch, &a.name, SetType::Static).expect("added");
    switch.at_host.delete_link(switch.endpoint("a").attachments[0].host_ifindex.into()).expect("deleted");
    switch.follow_until(|switch| (switch.status().ports == 1).then_some(()));
    let all = FdbFlush { all: true, ..FdbFlush::default() };
    assert_eq!(switch.ask(move |control| control.flush_fdb(&all)).expect("flushed").removed, 1);
    switch.restart();
    assert!(entries(&switch, FdbQuery::default()).iter().all(|entry| entry.mac != MAC));
}

#[test]
fn what_commands_may_not_do_to_the_fdb_is_refused() {
    let switch = Switch::new();
    switch.create("red", &[]);
    switch.create("blue", &[]);
    let a = switch.add("a", "red");
    let own = a.attachments[0].mac.clone();
    let take = FdbAdd {
        mac: own.clone(),
        port: a.name.clone(),
        network: None,
        kind: SetType::Static,
        vlan: None,
        replace: false,
    };
    assert_told(switch.ask(move |control| control.add_fdb(take)), ExitClass::Conflict, &a.name);
    let delete = FdbDelete { mac: own, network: None, vlan: None };
    assert_told(switch.ask(move |control| control.delete_fdb(&delete)), ExitClass::Conflict, &a.name);
    assert_told(add(&switch, "nosuch", SetType::Static), ExitClass::NotFound, "nosuch");
    let other = FdbAdd {
        mac: MAC.into(),
        port: a.name.clone(),
        network: Some("blue".into()),
        kind: SetType::Static,
        vlan: None,
        replace: false,
    };
    assert_told(switch.ask(move |control| control.add_fdb(other)), ExitClass::Conflict, "red");
}

#[test]
fn a_mac_in_several_networks_has_to_be_told_apart() {
    let switch = Switch::new();
    for (network, endpoint) in [("red", "a"), ("blue", "b")] {
        switch.create(network, &[]);
        let endpoint = switch.add(endpoint, network);
        add(&switch, &endpoint.name, SetType::Static).expect("added");
    }
    let delete = |network: Option<&str>| FdbDelete {
        mac: MAC.into(),
        network: network.map(str::to_owned),
        vlan: None,
    };
    let both = delete(None);
    assert_told(switch.ask(move |control| control.delete_fdb(&both)), ExitClass::Usage, "blue, red");
    let one = delete(Some("red"));
    switch.ask(move |control| control.delete_fdb(&one)).expect("deleted");
    let last = delete(None);
    assert_eq!(switch.ask(move |control| control.delete_fdb(&last)).expect("deleted").network, "blue");
}
