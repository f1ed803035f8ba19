//! Endpoints: their namespaces, interfaces, labels.

use switch_common::abi::addr::MacAddr;
use switch_userspace::{
    api::types::{Connect, EndpointState, ExitClass, LabelChange, NetnsChoice},
    netns::{Family, IfName, Netlink, Netns, NetnsError, Sysctl, TABLE_MAIN},
};

use crate::support::{Switch, assert_told, inside, ip};

#[test]
fn an_endpoint_has_what_its_listing_says() {
    let switch = Switch::new();
    let network = switch.create("red", &["10.1.0.0/24"]);
    let mut wish = switch.wish("a", "red", NetnsChoice::Create);
    wish.connect = Connect {
        ips: vec!["10.1.0.9".parse().expect("ip")],
        mac: Some("02:00:00:00:00:99".into()),
        ifname: None,
    };
    let endpoint = switch.try_add(wish).expect("endpoint");
    assert_eq!(endpoint.state, EndpointState::Ready);
    assert_eq!(ip(&endpoint), "10.1.0.9");
    let eth0 = Netlink::open_in(&inside(&endpoint)).expect("netlink").link_by_name("eth0").expect("eth0");
    assert_eq!(eth0.mac, Some(MacAddr::new([2, 0, 0, 0, 0, 0x99])));
    assert_eq!((eth0.mtu, eth0.up), (network.mtu, true));
    let attachment = &endpoint.attachments[0];
    let host = switch.at_host.link_by_name(&attachment.host_ifname).expect("host side");
    assert_eq!(u32::from(host.index), attachment.host_ifindex);
    assert_eq!(eth0.peer, Some(host.index));
}

#[test]
fn an_endpoint_leaves_nothing_behind() {
    let switch = Switch::new();
    switch.create("red", &["10.1.0.0/24", "fd01::/64"]);
    let before = switch.traces();
    switch.add("a", "red");
    assert_ne!(switch.traces(), before);
    switch.remove("a");
    assert_eq!(switch.traces(), before);
}

#[test]
fn ipv6_is_off_where_the_network_has_none_and_nobody_listens_to_router_advertisements() {
    let switch = Switch::new();
    switch.create("red", &["10.1.0.0/24"]);
    switch.create("blue", &["fd02::/64"]);
    for (name, network, off) in [("a", "red", "1"), ("b", "blue", "0")] {
        let endpoint = switch.add(name, network);
        let read = |key| {
            let eth0 = IfName::new("eth0").expect("a name");
            inside(&endpoint).run(|| Sysctl::interface(Family::Ipv6, &eth0, key).read()).expect("setting")
        };
        assert_eq!((read("disable_ipv6").as_str(), read("accept_ra").as_str()), (off, "0"), "{network}");
        let host = IfName::new(endpoint.attachments[0].host_ifname.clone()).expect("a name");
        let at_host = switch.host.run(|| Sysctl::interface(Family::Ipv6, &host, "disable_ipv6").read());
        assert_eq!(at_host.expect("setting"), "1");
    }
}

#[test]
fn a_foreign_namespace_is_used_and_stays() {
    let switch = Switch::new();
    switch.create("red", &[]);
    let name = switch.name("theirs");
    let netns = Netns::create_named(&name).expect("a namespace");
    let added = switch.try_add(switch.wish("a", "red", NetnsChoice::Existing(name.clone())));
    let has_eth0 = || Netlink::open_in(&netns).expect("netlink").link_by_name("eth0").is_ok();
    let was_there = has_eth0();
    switch.remove("a");
    let is_there = has_eth0();
    let still_named = Netns::open_name(&name).is_ok();
    Netns::delete_named(&name).expect("deleted");
    let endpoint = added.expect("endpoint");
    assert!(!endpoint.netns.owned);
    assert!(was_there && !is_there && still_named);
}

#[test]
fn further_networks_are_further_interfaces_and_go_again() {
    let switch = Switch::new();
    switch.create("red", &["10.1.0.0/24"]);
    switch.create("blue", &["10.2.0.0/24"]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "blue"));
    let before = switch.traces();
    let name = a.name.clone();
    let both =
        switch.ask(move |control| control.connect("blue", &name, Connect::default())).expect("connected");
    let ports: Vec<&str> = both.attachments.iter().map(|attachment| attachment.port.as_str()).collect();
    assert_eq!(ports, [format!("{}:eth0", a.name), format!("{}:eth1", a.name)]);
    assert!(switch.reaches(&both, &ip(&b)));
    let name = a.name.clone();
    switch.ask(move |control| control.disconnect("blue", &name)).expect("disconnected");
    assert!(switch.is_cut_off(&a, &ip(&b)));
    assert_eq!(switch.traces(), before);
}

#[test]
fn an_endpoint_that_left_its_first_network_can_join_another_one() {
    let switch = Switch::new();
    for (network, subnet) in [("red", "10.1.0.0/24"), ("blue", "10.2.0.0/24"), ("green", "10.3.0.0/24")] {
        switch.create(network, &[subnet]);
    }
    let a = switch.add("a", "red");
    let join = |network: &'static str| {
        let name = a.name.clone();
        switch.ask(move |control| control.connect(network, &name, Connect::default()))
    };
    join("blue").expect("connected");
    let name = a.name.clone();
    switch.ask(move |control| control.disconnect("red", &name)).expect("disconnected");
    join("green").expect("connected");
    let routes = Netlink::open_in(&inside(&a)).expect("netlink").routes(TABLE_MAIN).expect("routes");
    let mut gateways: Vec<_> = routes
        .iter()
        .filter(|route| route.destination.prefix_len() == 0)
        .map(|route| (route.metric.unwrap_or_default(), route.gateway.expect("a gateway").to_string()))
        .collect();
    gateways.sort();
    assert_eq!(gateways, [(0, "10.3.0.1".to_owned()), (100, "10.2.0.1".to_owned())]);
}

#[test]
fn labels_are_put_on_and_taken_off() {
    let switch = Switch::new();
    switch.create("red", &[]);
    let a = switch.add("a", "red");
    let change = |set: &[(&str, &str)], remove: &[&str]| LabelChange {
        set: set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        remove: remove.iter().map(|key| (*key).to_owned()).collect(),
    };
    for (wish, expected) in [
        (change(&[("app", "web"), ("tier", "1")], &[]), vec![("app", "web"), ("tier", "1")]),
        (change(&[("tier", "2")], &["app"]), vec![("tier", "2")]),
    ] {
        let name = a.name.clone();
        let labelled = switch.ask(move |control| control.label_endpoint(&name, wish)).expect("labelled");
        let labels: Vec<_> =
            labelled.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(labels, expected);
    }
    let (name, wish) = (a.name.clone(), change(&[("app", "web")], &["never"]));
    let refused = switch.ask(move |control| control.label_endpoint(&name, wish));
    assert_told(refused, ExitClass::NotFound, "no label never");
    assert_eq!(switch.endpoint("a").labels.len(), 1);
}

#[test]
fn an_address_that_moved_to_another_endpoint_is_reached_at_once() {
    let switch = Switch::new();
    switch.create("red", &["10.1.0.0/24"]);
    let with_ip = |name: &str| {
        let mut wish = switch.wish(name, "red", NetnsChoice::Create);
        wish.connect.ips = vec!["10.1.0.50".parse().expect("ip")];
        switch.try_add(wish).expect("endpoint")
    };
    let a = switch.add("a", "red");
    let old = with_ip("old");
    assert!(switch.reaches(&a, "10.1.0.50"));
    switch.remove("old");
    switch.add("between", "red");
    let new = with_ip("new");
    assert_ne!(old.attachments[0].mac, new.attachments[0].mac);
    assert!(switch.reaches(&a, "10.1.0.50"));
}

#[test]
fn many_endpoints_get_names_indexes_and_addresses_of_their_own() {
    let switch = Switch::new();
    switch.create("red", &["10.1.0.0/24"]);
    let endpoints: Vec<_> = (0..20).map(|number| switch.add(&format!("e{number}"), "red")).collect();
    let distinct =
        |of: &dyn Fn(usize) -> String| (0..20).map(of).collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(distinct(&|number| ip(&endpoints[number])), 20);
    assert_eq!(distinct(&|number| endpoints[number].attachments[0].mac.clone()), 20);
    assert_eq!(distinct(&|number| endpoints[number].attachments[0].host_ifindex.to_string()), 20);
    assert!(endpoints.iter().all(|endpoint| endpoint.attachments[0].host_ifindex < 65_536));
    assert!(switch.reaches(&endpoints[0], &ip(&endpoints[19])));
}

#[test]
fn a_program_sees_its_loopback_interface_up() {
    let switch = Switch::new();
    switch.create("red", &[]);
    let a = switch.add("a", "red");
    let lo = inside(&a).run(|| Netlink::open()?.link_by_name("lo"));
    assert!(lo.map_err(|error: NetnsError| error.to_string()).expect("lo").up);
}
