//! What happens to interfaces behind the switch's back.

use switch_userspace::{
    api::types::{Connect, Endpoint, EndpointState},
    netns::{LinkSettings, Netlink, Netns},
};

use crate::support::{Switch, inside, ip, run};

fn state_is(switch: &mut Switch, name: &str, state: EndpointState) -> Endpoint {
    switch.follow_until(|switch| {
        let endpoint = switch.endpoint(name);
        (endpoint.state == state).then_some(endpoint)
    })
}

fn set_mtu(endpoint: &Endpoint, mtu: u32) {
    let netlink = Netlink::open_in(&inside(endpoint)).expect("netlink");
    let eth0 = netlink.link_by_name("eth0").expect("eth0").index;
    netlink.set_link(eth0, &LinkSettings { mtu: Some(mtu), ..LinkSettings::default() }).expect("mtu");
}

fn port_mtu(switch: &Switch, endpoint: &Endpoint) -> u32 {
    let name = endpoint.name.clone();
    switch.ask(move |control| control.port(&name)).expect("port").mtu
}

#[test]
fn an_endpoint_that_lost_its_interface_is_broken_until_a_restart_makes_it_again() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    let index = a.attachments[0].host_ifindex.into();
    switch.at_host.delete_link(index).expect("deleted");
    let broken = state_is(&mut switch, "a", EndpointState::Broken);
    let reason = broken.reason.expect("a reason");
    assert!(reason.contains(&a.attachments[0].host_ifname) && reason.contains("`wye up`"), "{reason}");
    assert_eq!(switch.status().endpoints_not_ready, 1);
    assert_eq!((switch.status().ports, switch.status().ports_missing), (2, 1));
    let ports = switch.ask(|control| control.ports()).expect("ports");
    assert!(ports.iter().all(|port| port.attached == (port.name != a.name)), "{ports:?}");
    switch.restart();
    let again = switch.endpoint("a");
    assert_eq!(again.state, EndpointState::Ready);
    assert_eq!((ip(&again), &again.attachments[0].mac), (ip(&a), &a.attachments[0].mac));
    assert!(switch.reaches(&again, &ip(&b)));
}

#[test]
fn an_endpoint_that_lost_its_address_unseen_is_broken_until_it_has_it_again() {
    let mut switch = Switch::new();
    switch.create("red", &["10.1.0.0/24"]);
    let a = switch.add("a", "red");
    let net = a.attachments[0].ips[0].to_string();
    switch.kill();
    assert!(run(&inside(&a), "ip", &["addr", "flush", "dev", "eth0"]));
    switch.start();
    let broken = switch.endpoint("a");
    assert_eq!(broken.state, EndpointState::Broken);
    assert!(broken.reason.is_some_and(|reason| reason.contains(&net) && reason.contains("ip addr add")));
    assert!(run(&inside(&a), "ip", &["addr", "add", &net, "dev", "eth0"]));
    assert_eq!(switch.endpoint("a").state, EndpointState::Ready);
}

#[test]
fn an_interface_that_is_renamed_inside_its_endpoint_is_noticed_and_so_is_its_name_again() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    let a = switch.add("a", "red");
    let rename = |from: &str, to: &str| {
        assert!(run(&inside(&a), "ip", &["link", "set", from, "down"]));
        assert!(run(&inside(&a), "ip", &["link", "set", from, "name", to]));
    };
    rename("eth0", "foo0");
    let broken = state_is(&mut switch, "a", EndpointState::Broken);
    assert!(broken.reason.is_some_and(|reason| reason.contains("eth0 is called foo0")));
    rename("foo0", "eth0");
    state_is(&mut switch, "a", EndpointState::Ready);
}

#[test]
fn a_port_that_was_lost_is_not_taken_for_attached_when_its_endpoint_gets_another_one() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    switch.create("blue", &[]);
    let a = switch.add("a", "red");
    switch.at_host.delete_link(a.attachments[0].host_ifindex.into()).expect("deleted");
    state_is(&mut switch, "a", EndpointState::Broken);
    assert_eq!(switch.status().ports, 2, "the gateways");
    let name = a.name.clone();
    switch.ask(move |control| control.connect("blue", &name, Connect::default())).expect("connected");
    assert_eq!(switch.status().ports, 3);
}

#[test]
fn an_interface_that_went_while_nobody_watched_is_made_again() {
    let mut switch = Switch::new();
    switch.create("red", &["10.1.0.0/24", "fd01::/64"]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    switch.kill();
    switch.at_host.delete_link(a.attachments[0].host_ifindex.into()).expect("deleted");
    switch.start();
    assert_eq!(switch.endpoint("a").state, EndpointState::Ready);
    assert!(switch.reaches(&a, &ip(&b)));
}

#[test]
fn an_endpoint_whose_namespace_is_gone_is_stale_and_can_be_removed() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    let before = switch.traces();
    let a = switch.add("a", "red");
    Netns::delete_named(&format!("{}@{}", a.name, switch.instance())).expect("deleted");
    let stale = state_is(&mut switch, "a", EndpointState::Stale);
    assert!(stale.reason.is_some_and(|reason| reason.contains("gone")));
    switch.restart();
    assert_eq!(switch.endpoint("a").state, EndpointState::Stale);
    switch.remove("a");
    assert_eq!(switch.traces(), before);
}

#[test]
fn a_port_follows_its_interface_s_mtu_up_to_the_network_s() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    let a = switch.add("a", "red");
    assert_eq!(port_mtu(&switch, &a), 1500);
    for (mtu, expected) in [(1400, 1400), (9000, 1500), (1300, 1300)] {
        set_mtu(&a, mtu);
        switch.follow_until(|switch| (port_mtu(switch, &a) == expected).then_some(()));
    }
    let host = a.attachments[0].host_ifindex.into();
    for (mtu, expected) in [(1100, 1100), (65_535, 1300)] {
        switch
            .at_host
            .set_link(host, &LinkSettings { mtu: Some(mtu), ..LinkSettings::default() })
            .expect("mtu");
        switch.follow_until(|switch| (port_mtu(switch, &a) == expected).then_some(()));
    }
    switch.kill();
    set_mtu(&a, 1200);
    switch.start();
    assert_eq!(port_mtu(&switch, &a), 1200);
}
