//! Uplinks: interfaces of the host as ports.

use switch_userspace::{
    api::types::{ExitClass, NetworkCreate, PortKind},
    netns::{AddressFlags, Family, IfName, LinkSettings, Netlink, Netns, Sysctl},
};

use crate::support::{Switch, assert_told, ip, nets, reaches, run};

/// A machine at the other end of the host's `up0`, with 10.1.0.200.
struct Neighbour {
    netns: Netns,
}

impl Neighbour {
    fn of(switch: &Switch) -> Self {
        let netns = Netns::anonymous().expect("a namespace");
        let up0 = LinkSettings { name: Some(name("up0")), up: Some(true), ..LinkSettings::default() };
        let eth0 = LinkSettings { name: Some(name("eth0")), netns: Some(&netns), ..LinkSettings::default() };
        switch.at_host.create_veth(&up0, &eth0).expect("a wire");
        let at_netns = Netlink::open_in(&netns).expect("netlink");
        let index = at_netns.link_by_name("eth0").expect("eth0").index;
        let address = "10.1.0.200/24".parse().expect("address");
        at_netns.add_address(index, address, AddressFlags::default()).expect("address");
        at_netns.set_link(index, &LinkSettings { up: Some(true), ..LinkSettings::default() }).expect("up");
        Self { netns }
    }

    fn reaches(&self, to: &str) -> bool {
        reaches(&self.netns, to)
    }
}

fn name(text: &str) -> IfName {
    IfName::new(text).expect("a name")
}

fn on_uplink() -> NetworkCreate {
    NetworkCreate {
        name: "red".into(),
        subnets: nets(&["10.1.0.0/24"]),
        options: [("uplink".to_owned(), "up0".to_owned())].into(),
        ..NetworkCreate::default()
    }
}

fn is_promiscuous(switch: &Switch) -> bool {
    switch.at_host.link_by_name("up0").expect("up0").promiscuous
}

#[test]
fn a_machine_behind_an_uplink_is_reached_and_the_host_keeps_its_address() {
    let mut switch = Switch::new();
    let neighbour = Neighbour::of(&switch);
    let up0 = switch.at_host.link_by_name("up0").expect("up0").index;
    let address = "10.1.0.100/24".parse().expect("address");
    switch.at_host.add_address(up0, address, AddressFlags::default()).expect("address");
    let network = switch.create_with(on_uplink());
    assert_eq!(network.uplinks, ["up0"]);
    assert!(is_promiscuous(&switch));
    let a = switch.add("a", "red");
    assert!(switch.reaches(&a, "10.1.0.200"));
    assert!(neighbour.reaches(&ip(&a)));
    assert!(neighbour.reaches("10.1.0.100"), "the host's own address on the uplink");
    let port = switch.ask(|control| control.port("up0")).expect("port");
    assert_eq!((port.kind, port.endpoint), (PortKind::Uplink, None));
    switch.restart();
    assert!(switch.reaches(&a, "10.1.0.200"));
    switch.remove("a");
    switch.ask(|control| control.remove_network("red")).expect("removed");
    assert!(!is_promiscuous(&switch));
    assert!(neighbour.reaches("10.1.0.100"));
}

#[test]
fn an_uplink_that_was_promiscuous_stays_so() {
    let switch = Switch::new();
    let _neighbour = Neighbour::of(&switch);
    let up0 = switch.at_host.link_by_name("up0").expect("up0").index;
    let settings = LinkSettings { promiscuous: Some(true), ..LinkSettings::default() };
    switch.at_host.set_link(up0, &settings).expect("promiscuous");
    switch.create_with(on_uplink());
    switch.ask(|control| control.remove_network("red")).expect("removed");
    assert!(is_promiscuous(&switch));
}

#[test]
fn an_uplink_that_was_renamed_stays_a_port_and_is_given_back_as_it_was() {
    let mut switch = Switch::new();
    let neighbour = Neighbour::of(&switch);
    switch.create_with(on_uplink());
    let a = switch.add("a", "red");
    for words in ["up0 down", "up0 name foo0", "foo0 up"] {
        let arguments: Vec<&str> = ["link", "set"].into_iter().chain(words.split(' ')).collect();
        assert!(run(&switch.host, "ip", &arguments), "{words}");
    }
    let warned = |switch: &Switch| {
        switch
            .status()
            .warnings
            .iter()
            .any(|warning| warning.contains("up0 of network red is called foo0"))
            .then_some(())
    };
    switch.follow_until(warned);
    assert!(neighbour.reaches(&ip(&a)));
    switch.restart();
    assert!(warned(&switch).is_some());
    assert!(neighbour.reaches(&ip(&a)));
    assert!(switch.at_host.link_by_name("foo0").expect("foo0").promiscuous);
    switch.remove("a");
    switch.ask(|control| control.remove_network("red")).expect("removed");
    assert!(!switch.at_host.link_by_name("foo0").expect("foo0").promiscuous);
}

#[test]
fn an_uplink_that_comes_back_is_a_port_again() {
    let mut switch = Switch::new();
    let first = Neighbour::of(&switch);
    switch.create_with(on_uplink());
    let a = switch.add("a", "red");
    let missing = |switch: &Switch| {
        switch.status().warnings.iter().any(|warning| warning.contains("up0")).then_some(())
    };
    let whole = |switch: &Switch| switch.status().warnings.is_empty().then_some(());
    drop(first);
    switch.follow_until(missing);
    let second = Neighbour::of(&switch);
    switch.follow_until(whole);
    assert!(second.reaches(&ip(&a)));
}

#[test]
fn an_interface_is_the_uplink_of_one_network_and_of_no_bridge() {
    let switch = Switch::new();
    let _neighbour = Neighbour::of(&switch);
    switch.create_with(on_uplink());
    let twice = NetworkCreate { name: "blue".into(), subnets: nets(&["10.2.0.0/24"]), ..on_uplink() };
    let again = twice.clone();
    assert_told(
        switch.ask(move |control| control.create_network(twice)),
        ExitClass::Conflict,
        "up0 is an uplink of network red",
    );
    switch.ask(|control| control.remove_network("red")).expect("removed");
    let setup = |arguments: &[&str]| assert!(run(&switch.host, "ip", arguments), "{arguments:?}");
    setup(&["link", "add", "br0", "type", "bridge"]);
    setup(&["link", "set", "up0", "master", "br0"]);
    let before = switch.traces();
    assert_told(switch.ask(move |control| control.create_network(again)), ExitClass::Conflict, "bridge");
    assert_eq!(switch.traces(), before);
}

#[test]
fn the_host_settings_of_an_uplink_are_left_alone() {
    let switch = Switch::new();
    let _neighbour = Neighbour::of(&switch);
    let read = || {
        let setting = || Sysctl::interface(Family::Ipv6, &name("up0"), "disable_ipv6").read();
        switch.host.run(setting).expect("setting")
    };
    let before = read();
    switch.create_with(on_uplink());
    assert_eq!(read(), before);
}
