//! Refusals: each says why, has its class, and leaves everything as it was.

use switch_userspace::{
    api::types::{
        Connect, EndpointAdd, EndpointState, ErrorBody, ExitClass, FdbAdd, FdbDelete, FdbFlush, NetnsChoice,
        NetworkCreate, SetType,
    },
    netns::{LinkSettings, Netlink, Netns, Route},
};

use crate::support::{Switch, assert_told, ip, nets};

#[test]
fn bad_networks_are_refused_and_change_nothing() {
    let switch = Switch::new();
    switch.create("red", &["10.1.0.0/16"]);
    let before = switch.traces();
    let wish = |name: &str| NetworkCreate { name: name.into(), ..NetworkCreate::default() };
    let with = |subnets: &[&str]| NetworkCreate { subnets: nets(subnets), ..wish("blue") };
    let option = |key: &str, value: &str| NetworkCreate {
        options: [(key.to_owned(), value.to_owned())].into(),
        ..wish("blue")
    };
    for (wish, code, why) in [
        (wish(".."), ExitClass::Usage, "1 to 15"),
        (wish("a%d"), ExitClass::Usage, "1 to 15"),
        (wish("lo"), ExitClass::Usage, "`lo`"),
        (wish("sixteen-letters-"), ExitClass::Usage, "1 to 15"),
        (wish("red"), ExitClass::Conflict, "already"),
        (with(&["10.1.7.0/24"]), ExitClass::Conflict, "10.1.0.0/16 of network red"),
        (with(&["10.2.0.1/24"]), ExitClass::Usage, "10.2.0.0/24"),
        (with(&["10.2.0.0/24", "10.2.0.0/25"]), ExitClass::Conflict, "the same network"),
        (option("colour", "red"), ExitClass::Usage, "unknown-neighbours, uplink"),
        (option("ageing", "soon"), ExitClass::Usage, "seconds"),
        (option("uplink", "nosuch0"), ExitClass::NotFound, "nosuch0"),
        (NetworkCreate { mtu: Some(67), ..wish("blue") }, ExitClass::Usage, "68"),
        (NetworkCreate { vlan: Some(4095), ..wish("blue") }, ExitClass::Usage, "1 to 4094"),
    ] {
        assert_told(switch.ask(move |control| control.create_network(wish)), code, why);
        assert_eq!(switch.traces(), before, "{why}");
    }
}

#[test]
fn bad_endpoints_are_refused_and_change_nothing() {
    let switch = Switch::new();
    switch.create("red", &["10.1.0.0/24"]);
    let a = switch.add("a", "red");
    let before = switch.traces();
    let wish = || switch.wish("b", "red", NetnsChoice::Create);
    let with_ip = |ip: &str| {
        let connect = Connect { ips: vec![ip.parse().expect("ip")], ..Connect::default() };
        EndpointAdd { connect, ..wish() }
    };
    let with_mac = |mac: &str| {
        let connect = Connect { mac: Some(mac.to_owned()), ..Connect::default() };
        EndpointAdd { connect, ..wish() }
    };
    let named = |name: &str| EndpointAdd { name: name.into(), ..wish() };
    let existing = |text: &str| EndpointAdd { netns: NetnsChoice::Existing(text.into()), ..wish() };
    for (wish, code, why) in [
        (named(".."), ExitClass::Usage, "1 to 63"),
        (named("a:b"), ExitClass::Usage, "1 to 63"),
        (named(&a.name), ExitClass::Conflict, "already"),
        (EndpointAdd { network: "blue".into(), ..wish() }, ExitClass::NotFound, "blue"),
        (EndpointAdd { namespace: Some("Upper".into()), ..wish() }, ExitClass::Usage, "lower-case"),
        (EndpointAdd { labels: [("-".into(), String::new())].into(), ..wish() }, ExitClass::Usage, "key"),
        (with_ip("10.1.0.1"), ExitClass::Conflict, "gateway"),
        (with_ip("10.1.0.2"), ExitClass::Conflict, &a.name),
        (with_ip("10.1.0.255"), ExitClass::Usage, "reserved"),
        (with_ip("10.9.0.1"), ExitClass::Usage, "10.1.0.0/24"),
        (with_mac("ff:ff:ff:ff:ff:ff"), ExitClass::Usage, "group"),
        (with_mac(&a.attachments[0].mac), ExitClass::Conflict, &a.name),
        (existing("nosuch"), ExitClass::NotFound, "nosuch"),
        (existing("/etc/passwd"), ExitClass::Usage, "not a network namespace"),
        (existing("/proc/thread-self/ns/net"), ExitClass::Usage, "host's own"),
        (existing(&a.netns.path.display().to_string()), ExitClass::Conflict, &a.name),
    ] {
        assert_told(switch.try_add(wish), code, why);
        assert_eq!(switch.traces(), before, "{why}");
    }
}

#[test]
fn a_failure_half_way_is_taken_back() {
    let switch = Switch::new();
    switch.create("red", &["10.1.0.0/24"]);
    let name = switch.name("theirs");
    let netns = Netns::create_named(&name).expect("a namespace");
    let at_theirs = Netlink::open_in(&netns).expect("netlink");
    let lo = at_theirs.link_by_name("lo").expect("lo").index;
    let up = LinkSettings { up: Some(true), ..LinkSettings::default() };
    at_theirs.set_link(lo, &up).expect("up");
    let default = Route { device: Some(lo), metric: Some(0), ..Route::to("0.0.0.0/0".parse().expect("net")) };
    at_theirs.add_route(&default).expect("route");
    let before = switch.traces();
    let refused = switch.try_add(switch.wish("a", "red", NetnsChoice::Existing(name.clone())));
    let after = switch.traces();
    let has_eth0 = at_theirs.link_by_name("eth0").is_ok();
    Netns::delete_named(&name).expect("deleted");
    assert_told(refused, ExitClass::Conflict, "default route");
    assert_eq!(after, before);
    assert!(!has_eth0);
}

#[test]
fn an_interface_name_that_is_taken_inside_is_told_apart() {
    let switch = Switch::new();
    switch.create("red", &[]);
    switch.create("blue", &[]);
    let a = switch.add("a", "red");
    let connect = |ifname: &str| {
        let (name, wish) = (a.name.clone(), Connect { ifname: Some(ifname.into()), ..Connect::default() });
        switch.ask(move |control| control.connect("blue", &name, wish))
    };
    assert_told(connect("eth0"), ExitClass::Conflict, "eth0");
    let dummy = LinkSettings { name: Some("x0".parse().expect("a name")), ..LinkSettings::default() };
    let other = LinkSettings { name: Some("x1".parse().expect("a name")), ..LinkSettings::default() };
    Netlink::open_in(&crate::support::inside(&a))
        .expect("netlink")
        .create_veth(&dummy, &other)
        .expect("a pair");
    let before = switch.traces();
    assert_told(connect("x0"), ExitClass::Conflict, "x0");
    assert_eq!(switch.traces(), before);
    let name = a.name.clone();
    let again = switch.ask(move |control| control.connect("red", &name, Connect::default()));
    assert_told(again, ExitClass::Conflict, "already");
    let missing = switch.ask(|control| control.disconnect("blue", "nosuch"));
    assert_told(missing, ExitClass::NotFound, "nosuch");
}

#[test]
fn state_that_cannot_be_kept_is_taken_back() {
    let switch = Switch::new();
    switch.create("red", &[]);
    let a = switch.add("a", "red");
    let (port, mac) = (a.name.clone(), "02:00:00:00:aa:01");
    let set =
        FdbAdd { mac: mac.into(), port, network: None, kind: SetType::Static, vlan: None, replace: false };
    switch.ask(move |control| control.add_fdb(set)).expect("added");
    switch.create("empty", &[]);
    let before = switch.traces();
    let refused = switch.refuse_saves();
    let told = |what: &str, result: Result<(), ErrorBody>| {
        let error = result.expect_err(what);
        assert!(error.why.contains("state.json"), "{what}: {error}");
        assert_eq!(
            (error.code, error.unchanged.as_str()),
            (ExitClass::Failed, "nothing was changed"),
            "{what}"
        );
        assert_eq!(switch.traces(), before, "{what}");
    };
    told("add", switch.try_add(switch.wish("b", "red", NetnsChoice::Create)).map(drop));
    told("remove", switch.ask(|control| control.remove_network("empty")).map(drop));
    told("prune", switch.ask(|control| control.prune_networks()).map(drop));
    let delete = FdbDelete { mac: mac.into(), network: None, vlan: None };
    told("delete", switch.ask(move |control| control.delete_fdb(&delete)).map(drop));
    let flush = FdbFlush { all: true, ..FdbFlush::default() };
    told("flush", switch.ask(move |control| control.flush_fdb(&flush)).map(drop));
    drop(refused);
    let b = switch.add("b", "empty");
    let c = switch.add("c", "empty");
    assert!(switch.reaches(&b, &ip(&c)), "the network that was not removed is whole");
}

#[test]
fn an_endpoint_that_is_removed_but_not_forgotten_says_so() {
    let switch = Switch::new();
    switch.create("red", &[]);
    let before = switch.traces();
    let name = switch.add("a", "red").name;
    let refused = switch.refuse_saves();
    let error = switch.ask(move |control| control.remove_endpoint(&name)).expect_err("no state is saved");
    assert!(error.unchanged.contains("stays listed"), "{error}");
    assert_eq!(switch.endpoint("a").state, EndpointState::Stale);
    assert_eq!(switch.status().ports, 1, "the gateway");
    drop(refused);
    switch.remove("a");
    assert_eq!(switch.traces(), before);
}
