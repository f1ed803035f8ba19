//! Networks.

use switch_userspace::api::types::{ExitClass, NetworkCreate};

use crate::support::{Switch, assert_told, ip, nets};

#[test]
fn endpoints_reach_each_other_on_their_network_and_nobody_on_another() {
    let switch = Switch::new();
    switch.create("red", &["10.1.0.0/24", "fd01::/64"]);
    switch.create("blue", &["10.2.0.0/24"]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    let c = switch.add("c", "blue");
    assert!(switch.reaches(&a, &ip(&b)));
    assert!(
        switch.reaches(&a, &b.attachments[0].ips[1].addr().to_string()),
        "IPv6 at once, without a wait for DAD"
    );
    assert!(switch.is_cut_off(&a, &ip(&c)));
}

#[test]
fn endpoints_of_an_isolated_network_do_not_reach_each_other() {
    let switch = Switch::new();
    let wish = NetworkCreate { name: "red".into(), isolated: true, ..NetworkCreate::default() };
    switch.create_with(wish);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    assert!(switch.is_cut_off(&a, &ip(&b)));
}

#[test]
fn a_network_is_removed_once_nobody_is_on_it() {
    let switch = Switch::new();
    let before = switch.traces();
    switch.create("red", &[]);
    let a = switch.add("a", "red");
    assert_told(switch.ask(|control| control.remove_network("red")), ExitClass::Conflict, &a.name);
    switch.remove("a");
    switch.ask(|control| control.remove_network("red")).expect("removed");
    assert_eq!(switch.traces(), before);
    assert_told(switch.ask(|control| control.network("red")), ExitClass::NotFound, "red");
}

#[test]
fn pruning_removes_the_networks_that_nobody_is_on() {
    let switch = Switch::new();
    for name in ["red", "green", "blue"] {
        switch.create(name, &[]);
    }
    switch.add("a", "green");
    let removed = switch.ask(|control| control.prune_networks()).expect("pruned");
    assert_eq!(removed.names, ["blue", "red"]);
    assert_eq!(switch.ask(|control| control.networks()).len(), 1);
}

#[test]
fn a_subnet_that_the_host_uses_is_refused_with_a_free_one() {
    let switch = Switch::new();
    let lo = switch.at_host.link_by_name("lo").expect("lo").index;
    let address = "10.88.0.7/24".parse().expect("address");
    switch.at_host.add_address(lo, address, Default::default()).expect("address");
    let chosen = switch.create("red", &[]);
    assert_ne!(chosen.subnets, nets(&["10.88.0.0/24"]), "it is in use");
    let wish =
        NetworkCreate { name: "blue".into(), subnets: nets(&["10.88.0.0/24"]), ..NetworkCreate::default() };
    let error = switch.ask(|control| control.create_network(wish)).expect_err("overlap");
    assert_eq!(error.code, ExitClass::Conflict);
    assert!(error.why.contains("10.88.0.7"), "{error}");
    assert!(error.next.is_some_and(|next| next.contains("10.88.2.0/24")), "neither the host's nor red's");
}

#[test]
fn endpoints_of_an_internal_network_have_no_default_route() {
    let switch = Switch::new();
    let wish = NetworkCreate { name: "red".into(), internal: true, ..NetworkCreate::default() };
    switch.create_with(wish);
    switch.create("blue", &["10.2.0.0/24", "fd02::/64"]);
    for (name, network, expected) in [("a", "red", 0), ("b", "blue", 2)] {
        let endpoint = switch.add(name, network);
        let netlink =
            switch_userspace::netns::Netlink::open_in(&crate::support::inside(&endpoint)).expect("netlink");
        let routes = netlink.routes(switch_userspace::netns::TABLE_MAIN).expect("routes");
        let defaults = routes.iter().filter(|route| route.destination.prefix_len() == 0).count();
        assert_eq!(
            (defaults, endpoint.attachments[0].gateways.len()),
            (expected, expected),
            "{network}: {routes:?}"
        );
    }
}
