//! The plumbing against the real kernel. Needs root; every namespace is made by the test and has no name, so nothing outlives
//! a test, failed or not.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{IpAddr, TcpListener, TcpStream, UdpSocket},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use switch_common::abi::addr::MacAddr;
use switch_userspace::netns::{
    AddressFlags, ErrorKind, Family, IfIndex, IfName, LinkEvent, LinkSettings, Monitor, NeighState, Netlink,
    Netns, NetnsError, Offload, Route, Sysctl, TABLE_MAIN, Tap, TapSettings, Undo, named_path,
};

const PATIENCE: Duration = Duration::from_secs(10);
const HOST_MAC: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const PEER_MAC: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 2]);

/// A namespace that plays the host, one that plays a container, and a client of each.
struct Machine {
    host: Netns,
    container: Netns,
    at_host: Netlink,
    at_container: Netlink,
}

impl Machine {
    fn new() -> Self {
        let host = Netns::anonymous().expect("these tests make network namespaces and have to run as root");
        let container = Netns::anonymous().expect("a second namespace");
        let at_host = Netlink::open_in(&host).expect("netlink at the host");
        let at_container = Netlink::open_in(&container).expect("netlink in the container");
        Self { host, container, at_host, at_container }
    }

    /// Joins both by a veth pair: `w0` at the host, `eth0` in the container, up, with their indices.
    fn join(&self) -> (IfIndex, IfIndex) {
        self.at_host.create_veth(&self.host_end(), &self.peer_end()).expect("veth pair");
        let peer = self.at_container.link_by_name("eth0").expect("peer").index;
        self.at_container.set_link(peer, &up()).expect("peer up");
        (self.at_host.link_by_name("w0").expect("host end").index, peer)
    }

    fn host_end(&self) -> LinkSettings<'_> {
        LinkSettings {
            name: Some(name("w0")),
            mac: Some(HOST_MAC),
            up: Some(true),
            ..LinkSettings::default()
        }
    }

    fn peer_end(&self) -> LinkSettings<'_> {
        LinkSettings {
            name: Some(name("eth0")),
            mac: Some(PEER_MAC),
            netns: Some(&self.container),
            ..LinkSettings::default()
        }
    }
}

fn name(text: &str) -> IfName {
    text.parse().expect("a good interface name")
}

fn up() -> LinkSettings<'static> {
    LinkSettings { up: Some(true), ..LinkSettings::default() }
}

fn net(text: &str) -> ipnet::IpNet {
    text.parse().expect("an address with a prefix")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn census(netlink: &Netlink) -> BTreeSet<String> {
    netlink.links().expect("interfaces").into_iter().map(|link| link.name).collect()
}

fn kind<T>(result: Result<T, NetnsError>) -> ErrorKind {
    result.err().expect("a failure").kind()
}

/// Takes events until `wanted` picks one.
fn await_event(monitor: &mut Monitor, wanted: impl Fn(&LinkEvent) -> bool) -> LinkEvent {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match monitor.wait_event(Some(left)).expect("the monitor reads") {
            Some(event) if wanted(&event) => return event,
            Some(_) => {}
            None => panic!("the event did not come within {PATIENCE:?}"),
        }
    }
}

#[test]
fn a_new_namespace_has_nothing_but_a_loopback_interface() {
    let machine = Machine::new();
    assert_eq!(census(&machine.at_host), BTreeSet::from(["lo".to_owned()]));
}

#[test]
fn a_namespace_is_the_same_by_whatever_name_it_is_opened() {
    let own = Netns::current().expect("the test's own namespace");
    assert_eq!(own, Netns::open_pid(process::id()).expect("by pid"));
    assert_eq!(own, Netns::open("/proc/self/ns/net").expect("by path"));
    assert_ne!(own, Netns::anonymous().expect("a namespace of its own"));
}

#[test]
fn work_in_a_namespace_leaves_the_caller_where_it_was() {
    let machine = Machine::new();
    let before = Netns::current().expect("before");
    let inside = machine.container.run(Netns::current).expect("inside");
    assert_eq!(inside, machine.container);
    assert_eq!(before, Netns::current().expect("after"));
}

#[test]
fn the_hosts_own_namespace_is_refused_under_any_name() {
    let machine = Machine::new();
    let again = machine.host.run(Netns::current).expect("the host once more");
    let error = again.refuse_host(&machine.host).expect_err("the host is no container");
    assert!(error.to_string().contains("host's own"), "{error}");
    machine.container.refuse_host(&machine.host).expect("a container is one");
}

#[test]
fn what_is_no_namespace_is_not_opened_as_one() {
    assert_eq!(kind(Netns::open("/proc/self/status")), ErrorKind::Invalid);
    assert_eq!(kind(Netns::open("/proc/self/ns/mnt")), ErrorKind::Invalid);
    assert_eq!(kind(Netns::open("/proc/self/ns/nothing")), ErrorKind::NotFound);
    assert_eq!(kind(Netns::open("..")), ErrorKind::Invalid);
    assert_eq!(kind(Netns::open("wye-no-such-namespace")), ErrorKind::NotFound);
}

/// A name under `/run/netns` that goes with the test.
struct Named(String);

impl Named {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        Self(format!("wye-test-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        match Netns::delete_named(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound && !thread::panicking() => panic!("{error}"),
            _ => {}
        }
    }
}

#[test]
fn a_named_namespace_lasts_from_create_to_delete() {
    let named = Named::new();
    let made = Netns::create_named(&named.0).expect("create");
    assert_eq!(made, Netns::open(&named.0).expect("open by name"));
    assert_eq!(
        made,
        Netns::open(named_path(&named.0).expect("path").to_str().expect("UTF-8")).expect("by path")
    );
    assert_eq!(kind(Netns::create_named(&named.0)), ErrorKind::Exists);
    Netns::delete_named(&named.0).expect("delete");
    assert_eq!(kind(Netns::open(&named.0)), ErrorKind::NotFound);
    assert_eq!(kind(Netns::delete_named(&named.0)), ErrorKind::NotFound);
}

#[test]
fn ip_netns_sees_a_named_namespace() {
    let named = Named::new();
    let made = Netns::create_named(&named.0).expect("create");
    let shown = process::Command::new("ip")
        .args(["netns", "exec", &named.0, "readlink", "/proc/self/ns/net"])
        .output()
        .expect("iproute2 is installed");
    assert_eq!(
        String::from_utf8_lossy(&shown.stdout).trim(),
        format!("net:[{}]", made.id().ino),
        "{shown:?}"
    );
}

#[test]
fn a_veth_pair_is_made_in_one_request_with_all_that_was_chosen() {
    let machine = Machine::new();
    let host = LinkSettings {
        index: Some(IfIndex::from(4711)),
        mtu: Some(9000),
        queues: Some(1),
        tx_queue_len: Some(500),
        ..machine.host_end()
    };
    let peer = LinkSettings { index: Some(IfIndex::from(815)), mtu: Some(9000), ..machine.peer_end() };
    machine.at_host.create_veth(&host, &peer).expect("veth pair");

    let host = machine.at_host.link_by_index(IfIndex::from(4711)).expect("host end");
    assert_eq!((host.name.as_str(), host.mac, host.mtu, host.up), ("w0", Some(HOST_MAC), 9000, true));
    assert_eq!((host.kind.as_deref(), host.peer), (Some("veth"), Some(IfIndex::from(815))));
    assert!(host.peer_netns.is_some(), "the peer is in another namespace: {host:?}");
    assert!(!host.carrier, "the peer is still down: {host:?}");

    let peer = machine.at_container.link_by_name("eth0").expect("peer");
    assert_eq!((peer.index, peer.mac, peer.mtu, peer.up), (IfIndex::from(815), Some(PEER_MAC), 9000, false));
    machine.at_container.set_link(peer.index, &up()).expect("peer up");
    assert!(machine.at_host.link_by_name("w0").expect("host end").carrier);
}

#[test]
fn a_taken_index_is_told_from_a_taken_name() {
    let machine = Machine::new();
    let index = Some(IfIndex::from(77));
    let first = LinkSettings { index, ..machine.host_end() };
    machine.at_host.create_veth(&first, &machine.peer_end()).expect("veth pair");

    let peer = LinkSettings { name: Some(name("eth1")), ..machine.peer_end() };
    let same_index = LinkSettings { index, name: Some(name("w1")), ..machine.host_end() };
    assert_eq!(kind(machine.at_host.create_veth(&same_index, &peer)), ErrorKind::IndexTaken);
    let same_name = LinkSettings { index: Some(IfIndex::from(78)), ..machine.host_end() };
    let error = machine.at_host.create_veth(&same_name, &peer).expect_err("w0 exists");
    assert_eq!(error.kind(), ErrorKind::Exists);
    assert!(error.to_string().starts_with("create veth pair w0 and eth1: "), "{error}");
    assert_eq!(
        census(&machine.at_container),
        ["eth0", "lo"].map(String::from).into(),
        "no half of a pair is left"
    );
}

#[test]
fn a_link_becomes_what_its_settings_say() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let mac = MacAddr::new([2, 0, 0, 0, 0, 9]);
    let settings = LinkSettings {
        name: Some(name("w-renamed")),
        mac: Some(mac),
        mtu: Some(1400),
        up: Some(false),
        promiscuous: Some(true),
        arp: Some(false),
        gso_max_size: Some(16_000),
        ..LinkSettings::default()
    };
    machine.at_host.set_link(host, &settings).expect("changed");
    let link = machine.at_host.link_by_index(host).expect("the same interface");
    assert_eq!((link.name.as_str(), link.mac, link.mtu), ("w-renamed", Some(mac), 1400));
    assert_eq!((link.up, link.promiscuous, link.arp), (false, true, false));
}

#[test]
fn a_link_moves_to_another_namespace_under_another_name() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let settings = LinkSettings {
        index: Some(IfIndex::from(900)),
        name: Some(name("eth7")),
        netns: Some(&machine.container),
        ..LinkSettings::default()
    };
    machine.at_host.set_link(host, &settings).expect("moved");
    assert_eq!(kind(machine.at_host.link_by_index(host)), ErrorKind::NoDevice);
    assert_eq!(machine.at_container.link_by_name("eth7").expect("there").index, IfIndex::from(900));
}

#[test]
fn deleting_one_end_takes_the_pair() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    machine.at_host.delete_link(host).expect("deleted");
    assert_eq!(census(&machine.at_host), BTreeSet::from(["lo".to_owned()]));
    assert_eq!(census(&machine.at_container), BTreeSet::from(["lo".to_owned()]));
    assert_eq!(kind(machine.at_host.delete_link(host)), ErrorKind::NoDevice);
}

#[test]
fn an_mtu_that_the_device_cannot_take_is_explained() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let settings = LinkSettings { mtu: Some(70_000), ..LinkSettings::default() };
    let error = machine.at_host.set_link(host, &settings).expect_err("veth ends at 65535");
    assert!(error.to_string().contains("mtu greater than device maximum"), "{error}");
}

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

#[test]
fn every_offload_can_be_switched_off_and_on_at_both_ends() {
    let machine = Machine::new();
    machine.join();
    for (netlink, interface) in [(&machine.at_host, name("w0")), (&machine.at_container, name("eth0"))] {
        for offload in Offload::ALL {
            for on in [false, true] {
                netlink.set_offload(&interface, offload, on).expect("switched");
                assert_eq!(
                    netlink.offload(&interface, offload).expect("queried"),
                    on,
                    "{offload} of {interface}"
                );
            }
        }
    }
    assert_eq!(kind(machine.at_host.offload(&name("eth0"), Offload::Tso)), ErrorKind::NoDevice);
}

#[test]
fn a_setting_is_changed_in_its_namespace_only_and_undone() {
    let machine = Machine::new();
    let (_, peer) = machine.join();
    let setting = || Sysctl::interface(Family::Ipv6, &name("eth0"), "disable_ipv6");
    let takes_ipv6 =
        |text| machine.at_container.add_address(peer, net(text), AddressFlags::default()).is_ok();
    assert!(takes_ipv6("fd00:6::1/64"));
    let change = machine.container.run(|| setting().set("1")).expect("set").expect("it was 0");
    assert!(!takes_ipv6("fd00:6::2/64"));
    assert_eq!(machine.container.run(|| setting().set("1")).expect("set again"), None);
    assert_eq!(kind(machine.host.run(|| setting().read())), ErrorKind::NotFound);
    machine.container.run(|| change.undo()).expect("undone");
    assert_eq!(machine.container.run(|| setting().read()).expect("read"), "0");
    assert!(takes_ipv6("fd00:6::3/64"));
}

#[test]
fn frames_sent_to_a_tap_are_read_from_its_descriptor_behind_a_header() {
    let machine = Machine::new();
    let settings = TapSettings {
        name: name("t0"),
        index: Some(IfIndex::from(321)),
        vnet_header: true,
        persistent: false,
    };
    let tap = machine.host.run(|| Tap::open(&settings)).expect("TAP");
    let index = machine.at_host.link_by_name("t0").expect("t0").index;
    assert_eq!(index, IfIndex::from(321));
    assert_eq!(machine.at_host.link_by_index(index).expect("t0").kind.as_deref(), Some("tun"));
    machine
        .host
        .run(|| Sysctl::interface(Family::Ipv6, &name("t0"), "disable_ipv6").set("1"))
        .expect("quiet");
    machine.at_host.set_link(index, &up()).expect("up");
    machine.at_host.add_address(index, net("10.6.0.1/24"), AddressFlags::default()).expect("address");
    machine.at_host.set_neighbour(index, ip("10.6.0.2"), PEER_MAC).expect("neighbour");
    let sent = machine.host.run(|| {
        let socket = UdpSocket::bind("10.6.0.1:0")?;
        anyhow::Ok(socket.send_to(b"frame", "10.6.0.2:9")?)
    });
    assert_eq!(sent.expect("sent"), 5);

    let mut frame = [0; 2048];
    let length = tap.into_file().read(&mut frame).expect("a frame");
    let (header, ethernet) = frame[..length].split_at(10);
    assert_eq!(
        header[0], 1,
        "the checksum of a local packet is left to the reader (VIRTIO_NET_HDR_F_NEEDS_CSUM)"
    );
    assert_eq!(ethernet[..6], PEER_MAC.bytes());
    assert!(ethernet.ends_with(b"frame"));
    assert_eq!(kind(machine.at_host.link_by_name("t0")), ErrorKind::NoDevice, "it went with its descriptor");
}

#[test]
fn a_persistent_tap_stays_and_is_attached_again() {
    let machine = Machine::new();
    let mut settings = TapSettings { name: name("t0"), index: None, vnet_header: true, persistent: true };
    let first = machine.host.run(|| Tap::open(&settings)).expect("TAP");
    assert_eq!(kind(machine.host.run(|| Tap::open(&settings))), ErrorKind::Busy);
    drop(first);
    let index = machine.at_host.link_by_name("t0").expect("it stayed").index;
    settings.persistent = false;
    let second = machine.host.run(|| Tap::open(&settings)).expect("attached again");
    assert_eq!(machine.at_host.link_by_name("t0").expect("the same").index, index);
    drop(second);
    assert_eq!(kind(machine.at_host.link_by_name("t0")), ErrorKind::NoDevice);
}

#[test]
fn unwinding_halfway_leaves_nothing_behind() {
    let machine = Machine::new();
    let Machine { host: at, at_host, at_container, .. } = &machine;
    let before = (census(at_host), census(at_container), at_host.routes(TABLE_MAIN).expect("routes"));

    let half_of_an_endpoint = || -> Result<(), NetnsError> {
        let mut undo = Undo::new();
        at_host.create_veth(&machine.host_end(), &machine.peer_end())?;
        let host = at_host.link_by_name("w0")?.index;
        undo.push("delete veth pair", move || at_host.delete_link(host));
        let forwarding = at.run(|| Sysctl::family(Family::Ipv4, "ip_forward").set("1"))?;
        if let Some(change) = forwarding {
            undo.push("restore forwarding", || at.run(move || change.undo()));
        }
        let lo = at_host.link_by_name("lo")?.index;
        at_host.set_link(lo, &up())?;
        let route = Route { device: Some(lo), ..Route::to(net("10.7.0.0/16")) };
        at_host.add_route(&route)?;
        undo.push("delete route", move || at_host.delete_route(&route));
        assert!(census(at_host).contains("w0"));
        at_host.add_route(&Route::default_via(ip("192.0.2.1")))?;
        undo.commit();
        Ok(())
    };
    half_of_an_endpoint().expect_err("the last step cannot work");

    let after = (census(at_host), census(at_container), at_host.routes(TABLE_MAIN).expect("routes"));
    assert_eq!(before, after);
    let forwarding = at.run(|| Sysctl::family(Family::Ipv4, "ip_forward").read());
    assert_eq!(forwarding.expect("read"), "0");
}

#[test]
fn the_monitor_tells_of_new_changed_and_deleted_links_of_its_namespace() {
    let machine = Machine::new();
    let mut monitor = Monitor::open_in(&machine.host).expect("monitor");
    assert_eq!(monitor.next_event().expect("nothing yet"), None);
    let (host, _) = machine.join();
    await_event(
        &mut monitor,
        |event| matches!(event, LinkEvent::Changed(link) if link.index == host && link.carrier),
    );
    let settings = LinkSettings { mtu: Some(1300), ..LinkSettings::default() };
    machine.at_host.set_link(host, &settings).expect("mtu");
    await_event(&mut monitor, |event| matches!(event, LinkEvent::Changed(link) if link.mtu == 1300));
    // The container goes away with everything in it, and the host's end with its peer.
    drop((machine.at_container, machine.container));
    let event = await_event(&mut monitor, |event| matches!(event, LinkEvent::Deleted(_)));
    assert!(matches!(event, LinkEvent::Deleted(link) if link.index == host && link.name == "w0"));
}

#[test]
fn a_member_that_leaves_a_bridge_is_not_taken_for_deleted() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let ip_link = |arguments: &'static [&'static str]| {
        let status = machine
            .host
            .run(|| anyhow::Ok(process::Command::new("ip").arg("link").args(arguments).status()?));
        assert!(status.expect("iproute2 is installed").success(), "{arguments:?}");
    };
    ip_link(&["add", "br0", "type", "bridge"]);
    ip_link(&["set", "w0", "master", "br0"]);
    let bridge = machine.at_host.link_by_name("br0").expect("bridge").index;
    assert_eq!(machine.at_host.link_by_index(host).expect("member").master, Some(bridge));

    let mut monitor = Monitor::open_in(&machine.host).expect("monitor");
    ip_link(&["set", "w0", "nomaster"]);
    ip_link(&["set", "w0", "mtu", "1200"]);
    let event = await_event(&mut monitor, |event| match event {
        LinkEvent::Changed(link) => link.mtu == 1200,
        LinkEvent::Deleted(_) | LinkEvent::Resync => true,
    });
    assert!(matches!(event, LinkEvent::Changed(_)), "{event:?}");
}

#[test]
fn a_caller_without_privileges_is_told_so() {
    let machine = Machine::new();
    let worker = thread::spawn(move || {
        drop_privileges();
        let veth = machine.at_host.create_veth(&machine.host_end(), &LinkSettings::default());
        (kind(veth), kind(Netns::anonymous()), census(&machine.at_host))
    });
    let (veth, netns, left) = worker.join().expect("the unprivileged thread ended well");
    assert_eq!((veth, netns), (ErrorKind::Permission, ErrorKind::Permission));
    assert_eq!(left, BTreeSet::from(["lo".to_owned()]));
}

/// Takes the capabilities of the calling thread away; other threads keep theirs.
fn drop_privileges() {
    // SAFETY: the raw call takes an integer and changes the calling thread's user only.
    let changed = unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) };
    assert_eq!(changed, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_monitor_that_was_overrun_asks_for_a_resync() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let mut monitor = Monitor::open_in(&machine.host).expect("monitor");
    for round in 0..20_000 {
        let settings = LinkSettings { mtu: Some(1280 + round % 200), ..LinkSettings::default() };
        machine.at_host.set_link(host, &settings).expect("mtu");
    }
    await_event(&mut monitor, |event| *event == LinkEvent::Resync);
    while monitor.next_event().expect("usable after a resync").is_some() {}
    machine.at_host.delete_link(host).expect("deleted");
    await_event(&mut monitor, |event| matches!(event, LinkEvent::Deleted(_)));
}
