//! Addresses, routes and neighbours, and that real sockets talk over them.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use switch_userspace::netns::{AddressFlags, ErrorKind, NeighState, Route, TABLE_MAIN};

use crate::support::{HOST_MAC, Machine, PATIENCE, PEER_MAC, ip, kind, net};

#[test]
fn both_families_carry_data_as_soon_as_addresses_and_routes_are_set() {
    let machine = Machine::new();
    let (host, peer) = machine.join();
    let at_once = AddressFlags { nodad: true, ..AddressFlags::default() };
    machine.at_host.add_address(host, net("10.1.0.1/32"), AddressFlags::default()).expect("v4 at the host");
    machine.at_host.add_address(host, net("fd00:1::1/64"), at_once).expect("v6 at the host");
    machine
        .at_host
        .add_route(&Route { device: Some(host), ..Route::to(net("10.1.0.2/32")) })
        .expect("v4 back");
    machine
        .at_container
        .add_address(peer, net("10.1.0.2/32"), AddressFlags::default())
        .expect("v4 in the container");
    machine.at_container.add_address(peer, net("fd00:1::2/64"), at_once).expect("v6 in the container");
    machine
        .at_container
        .add_route(&Route { device: Some(peer), ..Route::to(net("10.1.0.1/32")) })
        .expect("v4 gateway on the link");
    machine.at_container.add_route(&Route::default_via(ip("10.1.0.1"))).expect("v4 default");
    machine.at_container.add_route(&Route::default_via(ip("fd00:1::1"))).expect("v6 default");

    for server in ["10.1.0.1", "fd00:1::1"] {
        let listener = machine
            .host
            .run(|| anyhow::Ok(TcpListener::bind((ip(server), 0))?))
            .expect("listening at the host");
        let address = listener.local_addr().expect("bound");
        let serve = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.write_all(b"across").expect("sent");
        });
        let mut stream = machine
            .container
            .run(|| anyhow::Ok(TcpStream::connect_timeout(&address, PATIENCE)?))
            .expect("connected across the pair");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("received");
        assert_eq!(text, "across");
        serve.join().expect("the server ended well");
    }
    let known = machine.at_container.neighbours(peer).expect("neighbours");
    assert!(known.iter().any(|n| n.ip == ip("10.1.0.1") && n.mac == Some(HOST_MAC)), "{known:?}");
}

#[test]
fn addresses_are_listed_by_interface_and_taken_away() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let at_once = AddressFlags { nodad: true, no_prefix_route: true };
    for text in ["10.2.0.1/24", "fd00:2::1/64"] {
        machine.at_host.add_address(host, net(text), at_once).expect("added");
        assert_eq!(kind(machine.at_host.add_address(host, net(text), at_once)), ErrorKind::Exists, "{text}");
        let listed = machine.at_host.addresses(Some(host)).expect("addresses");
        let address = listed.iter().find(|address| address.net == net(text)).expect(text);
        assert!(
            address.global && !address.tentative && !address.dad_failed && !address.deprecated,
            "{address:?}"
        );
        assert_eq!(address.index, host);
    }
    assert!(
        machine
            .at_host
            .routes(TABLE_MAIN)
            .expect("routes")
            .iter()
            .all(|route| route.destination != net("10.2.0.0/24"))
    );
    for text in ["10.2.0.1/24", "fd00:2::1/64"] {
        machine.at_host.delete_address(host, net(text)).expect("deleted");
        assert_eq!(kind(machine.at_host.delete_address(host, net(text))), ErrorKind::NotFound, "{text}");
    }
    let left = machine.at_host.addresses(None).expect("addresses of all interfaces");
    assert!(left.iter().all(|address| !address.global), "{left:?}");
}

#[test]
fn an_address_that_needs_no_detection_skips_it_and_any_other_does_not() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    machine.at_host.add_address(host, net("fd00:3::1/64"), AddressFlags::default()).expect("added");
    let listed = machine.at_host.addresses(Some(host)).expect("addresses");
    assert!(
        listed.iter().any(|address| address.net == net("fd00:3::1/64") && address.tentative),
        "{listed:?}"
    );
}

#[test]
fn routes_are_added_listed_and_deleted_in_their_table() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let at_once = AddressFlags { nodad: true, ..AddressFlags::default() };
    machine.at_host.add_address(host, net("10.3.0.1/24"), AddressFlags::default()).expect("v4");
    machine.at_host.add_address(host, net("fd00:3::1/64"), at_once).expect("v6");
    let routes = [
        Route { metric: Some(7), device: Some(host), ..Route::default_via(ip("10.3.0.254")) },
        Route { metric: Some(7), device: Some(host), ..Route::default_via(ip("fd00:3::fe")) },
        Route { device: Some(host), table: 1000, metric: Some(9), ..Route::to(net("10.9.0.0/16")) },
        Route { device: Some(host), table: 1000, metric: Some(9), ..Route::to(net("fd00:9::/32")) },
        Route {
            device: Some(host),
            source: Some(ip("10.3.0.1")),
            metric: Some(9),
            ..Route::to(net("10.8.0.0/16"))
        },
    ];
    for route in &routes {
        machine.at_host.add_route(route).expect("added");
        assert_eq!(kind(machine.at_host.add_route(route)), ErrorKind::Exists, "{route}");
        assert!(machine.at_host.routes(route.table).expect("routes").contains(route), "{route}");
    }
    assert_eq!(machine.at_host.routes(1000).expect("routes").len(), 2);
    for route in &routes {
        machine.at_host.delete_route(route).expect("deleted");
        assert_eq!(kind(machine.at_host.delete_route(route)), ErrorKind::NotFound, "{route}");
    }
    assert_eq!(machine.at_host.routes(1000).expect("an empty table"), []);
    assert_eq!(machine.at_host.routes(1001).expect("a table that never was"), []);
}

#[test]
fn a_gateway_on_no_link_is_explained() {
    let machine = Machine::new();
    machine.join();
    let error = machine.at_host.add_route(&Route::default_via(ip("192.0.2.1"))).expect_err("nobody knows it");
    let text = error.to_string();
    assert!(text.starts_with("add route to 0.0.0.0/0 via 192.0.2.1: "), "{text}");
    assert!(text.ends_with("Nexthop has invalid gateway"), "{text}");
}

#[test]
fn the_kernels_choice_of_way_can_be_asked_for() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    machine.at_host.add_address(host, net("10.4.0.1/24"), AddressFlags::default()).expect("address");
    machine.at_host.add_route(&Route::default_via(ip("10.4.0.254"))).expect("default route");
    let way = machine.at_host.lookup_route(ip("198.51.100.7")).expect("the default route leads there");
    assert_eq!(
        (way.gateway, way.device, way.source),
        (Some(ip("10.4.0.254")), Some(host), Some(ip("10.4.0.1")))
    );
    assert!(
        machine.at_container.lookup_route(ip("198.51.100.7")).is_err(),
        "no route leads out of the container"
    );
}

#[test]
fn neighbours_are_set_listed_and_forgotten() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    for text in ["10.5.0.2", "fd00:5::2"] {
        machine.at_host.set_neighbour(host, ip(text), PEER_MAC).expect("set");
        machine.at_host.set_neighbour(host, ip(text), HOST_MAC).expect("set again");
        let known = machine.at_host.neighbours(host).expect("neighbours");
        let neighbour = known.iter().find(|neighbour| neighbour.ip == ip(text)).expect(text);
        assert_eq!((neighbour.mac, neighbour.state), (Some(HOST_MAC), NeighState::Permanent));
        machine.at_host.delete_neighbour(host, ip(text)).expect("forgotten");
    }
    let lo = machine.at_host.link_by_name("lo").expect("loopback").index;
    machine.at_host.set_neighbour(lo, ip("10.5.0.2"), PEER_MAC).expect("set on another interface");
    let known = machine.at_host.neighbours(host).expect("neighbours");
    assert!(known.iter().all(|neighbour| neighbour.ip != ip("10.5.0.2")), "{known:?}");
}
