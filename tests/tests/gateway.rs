//! The host's own port on a network: host and containers reach each other, and the host passes nothing on for anybody.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use switch_userspace::{
    api::types::{Network, Port, PortKind, Status},
    datapath::Mode,
    model::{Model, NetworkName},
    netns::Netns,
    store::{Loaded, Store},
};
use wye_tests::{
    both_datapaths,
    support::{
        netns,
        topology::{PATIENCE, wait_until},
        wye::{Container, Family, Namespace, Wye},
    },
};

both_datapaths!(
    host_and_container_reach_each_other,
    container_reaches_every_address_of_the_host_that_is_not_its_loopback,
    networks_do_not_reach_each_other_through_a_host_that_forwards,
    sender_is_told_at_once_that_there_is_no_way,
    whoever_routes_through_the_host_reaches_nobody,
    host_is_not_heard_from_an_address_that_means_nothing_beyond_a_link,
    host_hears_no_unicast_that_is_sent_to_everybody,
    host_says_nothing_by_itself_on_a_network_without_ipv6,
    connection_between_host_and_container_outlives_a_crash,
    deleted_gateway_comes_back,
    network_of_an_earlier_version_gets_its_gateway_at_the_start,
    network_takes_its_gateway_with_it,
    interface_of_the_network_s_name_is_in_the_way,
    network_whose_router_is_elsewhere_has_no_gateway,
    gateway_is_a_port_like_others_and_stays_guarded,
);

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];
const L4_PORT: &str = "5201";

/// A network of both families; its gateway is the first address of each subnet.
fn network(wye: &Wye, name: &str, number: u8) {
    let (v4, v6) = (format!("10.{number}.0.0/24"), format!("fd00:{number}::/64"));
    wye.ok(&["network", "create", name, "--subnet", &v4, "--subnet", &v6]);
}

fn gateway(family: Family, number: u8) -> String {
    match family {
        Family::V4 => format!("10.{number}.0.1"),
        Family::V6 => format!("fd00:{number}::1"),
    }
}

fn pings(from: &Netns, ip: &str) -> bool {
    let args = ["-c", "3", "-i", "0.02", "-W", "1", ip];
    netns::output(from, "ping", &args).status.success()
}

/// Makes a namespace pass packets on, as far as its own settings go.
fn let_forward(host: &Netns) {
    for setting in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] {
        netns::run(host, "sysctl", &["-qw", setting]);
    }
}

fn host_and_container_reach_each_other(mode: Mode) {
    let wye = Wye::start(mode);
    network(&wye, "red", 1);
    let a = wye.container("a", "red");
    wye.wait_for_idleness();
    let drops = wye.port("a").drops;
    for family in FAMILIES {
        let gateway = gateway(family, 1);
        assert!(a.pings(&gateway) && pings(wye.host(), &a.ip(family)), "{family:?}");
        assert_transfer(a.netns(), wye.host(), &gateway);
        assert_transfer(wye.host(), a.netns(), &a.ip(family));
    }
    assert_eq!(wye.port("a").drops, drops);
}

/// A second of TCP arrives, in super-frames as the interfaces have them.
fn assert_transfer(from: &Netns, to: &Netns, ip: &str) {
    let mut serve = Command::new("iperf3");
    serve.args(["-s", "-1", "-p", L4_PORT]).stdout(Stdio::null());
    let mut server = netns::inside(to, || serve.spawn()).expect("iperf3 can be started");
    let filter = format!("sport = :{L4_PORT}");
    wait_until("iperf3 listens", || {
        !netns::run(to, "ss", &["--no-header", "--listening", "--numeric", "--tcp", &filter]).is_empty()
    });
    let report = netns::run(from, "iperf3", &["-c", ip, "-p", L4_PORT, "--time", "1", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let bytes = report["end"]["sum_received"]["bytes"].as_u64().expect("a count of bytes");
    assert!(bytes > 1_000_000, "{ip}: {bytes} bytes in a second");
    assert!(server.wait().expect("iperf3 ends").success());
}

fn container_reaches_every_address_of_the_host_that_is_not_its_loopback(mode: Mode) {
    let wye = Wye::start(mode);
    network(&wye, "red", 1);
    network(&wye, "blue", 2);
    let a = wye.container("a", "red");
    for family in FAMILIES {
        assert!(a.pings(&gateway(family, 2)), "the other network's gateway is the host too");
    }
    // Addresses that come later count, and those that went do not.
    for ip in ["198.51.100.7", "2001:db8::7"] {
        netns::run(wye.host(), "ip", &["addr", "add", ip, "dev", "lo"]);
        wait_until("the new address answers", || a.pings(ip));
        netns::run(wye.host(), "ip", &["addr", "del", ip, "dev", "lo"]);
        wait_until("the address that went does not answer", || {
            let before = wye.drops("a", "no_route");
            !a.pings(ip) && wye.drops("a", "no_route") > before
        });
    }
    // CVE-2020-8558: not even where a host routes to its loopback addresses.
    netns::run(wye.host(), "sysctl", &["-qw", "net.ipv4.conf.all.route_localnet=1"]);
    a.run("sysctl", &["-qw", "net.ipv4.conf.all.route_localnet=1"]);
    a.run("ip", &["route", "flush", "table", "local"]);
    a.run("ip", &["route", "replace", "127.0.0.0/8", "via", &gateway(Family::V4, 1), "dev", "eth0"]);
    a.run("ip", &["route", "add", "local", &a.ip(Family::V4), "dev", "eth0", "table", "local"]);
    let before = wye.drops("a", "no_route");
    assert!(!a.pings("127.0.0.1"));
    assert_eq!(wye.drops("a", "no_route"), before + 3);
    netns::run(wye.host(), "sysctl", &["-qw", "net.ipv4.conf.all.route_localnet=0"]);
}

fn sender_is_told_at_once_that_there_is_no_way(mode: Mode) {
    let wye = Wye::start(mode);
    network(&wye, "red", 1);
    let a = wye.container("a", "red");
    for (family, ip, words) in [
        (Family::V4, "192.0.2.1", "Destination Net Unreachable"),
        (Family::V6, "2001:db8::1", "Destination unreachable: No route"),
    ] {
        // Both whole and longer than what an error may quote.
        for size in ["56", "1400"] {
            let ping = netns::output(a.netns(), "ping", &["-c", "1", "-W", "10", "-s", size, ip]);
            let told = String::from_utf8_lossy(&ping.stdout).into_owned();
            let router = gateway(family, 1);
            assert!(told.contains(&router) && told.contains(words), "{family:?}, {size} bytes: {told}");
        }
        let target = match family {
            Family::V4 => format!("TCP4:{ip}:{L4_PORT},connect-timeout=10"),
            Family::V6 => format!("TCP6:[{ip}]:{L4_PORT},connect-timeout=10"),
        };
        let connect = netns::output(a.netns(), "socat", &["-u", "/dev/null", &target]);
        let told = String::from_utf8_lossy(&connect.stderr).into_owned();
        assert!(told.contains("Network is unreachable"), "{family:?}: {told}");
    }
    assert_eq!(wye.drops("a", "no_route"), 6);
}

fn networks_do_not_reach_each_other_through_a_host_that_forwards(mode: Mode) {
    let wye = Wye::start(mode);
    network(&wye, "red", 1);
    network(&wye, "blue", 2);
    let [a, b] = [wye.container("a", "red"), wye.container("b", "blue")];
    let before = settings(wye.host());
    let_forward(wye.host());
    for family in FAMILIES {
        let dropped = wye.drops("a", "no_route");
        assert!(!a.pings(&b.ip(family)), "{family:?}");
        assert_eq!(wye.drops("a", "no_route"), dropped + 3, "{family:?}");
        assert!(a.pings(&gateway(family, 1)), "the host itself is still there");
    }
    restore(wye.host(), &before);
}

/// What [`let_forward`] changes.
fn settings(host: &Netns) -> [String; 2] {
    ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]
        .map(|key| format!("{key}={}", netns::run(host, "sysctl", &["-n", key]).trim()))
}

fn restore(host: &Netns, settings: &[String; 2]) {
    for setting in settings {
        netns::run(host, "sysctl", &["-qw", setting]);
    }
}

/// S08 and S09: the container's subnet is routed to the host, and the host forwards.
fn whoever_routes_through_the_host_reaches_nobody(mode: Mode) {
    let wye = Wye::start(mode);
    network(&wye, "red", 1);
    let a = wye.container("a", "red");
    let before = settings(wye.host());
    let outside = outsider(&wye);
    let_forward(wye.host());
    for (family, host_outside) in [(Family::V4, "192.0.2.1"), (Family::V6, "2001:db8:9::1")] {
        assert!(pings(outside.netns(), host_outside), "the outsider reaches the host");
        let dropped = wye.drops("red", "src_ip");
        assert!(!pings(outside.netns(), &a.ip(family)), "{family:?}");
        assert_eq!(wye.drops("red", "src_ip"), dropped + 3, "{family:?}");
        assert!(a.pings(host_outside), "the container reaches that address of the host too");
    }
    for ip in ["192.0.2.2", "2001:db8:9::2"] {
        let dropped = wye.drops("a", "no_route");
        assert!(!a.pings(ip), "{ip}");
        assert_eq!(wye.drops("a", "no_route"), dropped + 3, "{ip}");
    }
    restore(wye.host(), &before);
    netns::run(wye.host(), "ip", &["link", "del", "lan0"]);
}

/// A machine beside the host, which takes the host for the router to network 1.
fn outsider(wye: &Wye) -> Namespace {
    let outside = Namespace::new(&format!("{}-outside", wye.instance()));
    let pair = ["link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", outside.name()];
    netns::run(wye.host(), "ip", &pair);
    for (netns, interface, last) in [(wye.host(), "lan0", 1), (outside.netns(), "eth0", 2)] {
        let (v4, v6) = (format!("192.0.2.{last}/24"), format!("2001:db8:9::{last}/64"));
        netns::run(netns, "ip", &["addr", "add", &v4, "dev", interface]);
        netns::run(netns, "ip", &["addr", "add", &v6, "dev", interface, "nodad"]);
        netns::run(netns, "ip", &["link", "set", interface, "up"]);
    }
    netns::run(outside.netns(), "ip", &["route", "add", "10.1.0.0/24", "via", "192.0.2.1"]);
    netns::run(outside.netns(), "ip", &["route", "add", "fd00:1::/64", "via", "2001:db8:9::1"]);
    outside
}

fn host_is_not_heard_from_an_address_that_means_nothing_beyond_a_link(mode: Mode) {
    let wye = Wye::start(mode);
    network(&wye, "red", 1);
    let a = wye.container("a", "red");
    assert!(pings(wye.host(), &a.ip(Family::V4)));
    netns::run(wye.host(), "ip", &["addr", "add", "198.51.100.7", "dev", "lo", "scope", "link"]);
    let dropped = wye.drops("red", "src_ip");
    let args = ["-c", "3", "-i", "0.02", "-W", "1", "-I", "198.51.100.7", &a.ip(Family::V4)];
    assert!(!netns::output(wye.host(), "ping", &args).status.success());
    assert_eq!(wye.drops("red", "src_ip"), dropped + 3);
    netns::run(wye.host(), "ip", &["addr", "del", "198.51.100.7", "dev", "lo"]);
}

/// A host that passes unicast on to its loopback would take it from a frame to everybody, too.
fn host_hears_no_unicast_that_is_sent_to_everybody(mode: Mode) {
    let wye = Wye::start(mode);
    network(&wye, "red", 1);
    let a = wye.container("a", "red");
    let gateway = gateway(Family::V4, 1);
    assert!(a.pings(&gateway));
    a.run("ip", &["neigh", "replace", &gateway, "lladdr", "ff:ff:ff:ff:ff:ff", "dev", "eth0"]);
    assert!(!a.pings(&gateway));
    assert!(wye.port("red").counters.tx_frames > 0, "the frames went to the host");
}

fn host_says_nothing_by_itself_on_a_network_without_ipv6(mode: Mode) {
    let wye = Wye::start(mode);
    wye.ok(&["network", "create", "red", "--subnet", "10.1.0.0/24"]);
    let a = wye.container("a", "red");
    wye.wait_for_idleness();
    assert_eq!(wye.port("red").counters.rx_frames, 0);
    assert!(a.pings("10.1.0.1"));
}

fn connection_between_host_and_container_outlives_a_crash(mode: Mode) {
    let mut wye = Wye::start(mode);
    network(&wye, "red", 1);
    let a = wye.container("a", "red");
    for family in FAMILIES {
        let listener = netns::inside(a.netns(), || TcpListener::bind((a.ip(family).as_str(), 0)));
        let listener = listener.expect("a listener");
        let target = listener.local_addr().expect("an address");
        let sender = netns::inside(wye.host(), || TcpStream::connect(target)).expect("connected");
        let (receiver, _) = listener.accept().expect("accepted");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let sent = scope.spawn(|| send(sender, &is_over));
            let received = scope.spawn(|| receive(receiver));
            let ports: Vec<Port> = wye.json(&["port", "ls"]);
            wye.kill_daemon();
            wye.start_daemon();
            let names = |ports: Vec<Port>| ports.into_iter().map(|port| (port.name, port.ifindex));
            assert!(names(wye.json(&["port", "ls"])).eq(names(ports)), "the same ports");
            let before = wye.port("red").counters.rx_frames;
            wait_until("the stream goes on", || wye.port("red").counters.rx_frames > before);
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(received.join().expect("the receiver"), sent.join().expect("the sender"));
        });
    }
}

/// Sends numbers until it is over; returns how many.
fn send(mut stream: TcpStream, is_over: &AtomicBool) -> u64 {
    let mut number = 0u64;
    while !is_over.load(Ordering::Relaxed) {
        stream.write_all(&number.to_le_bytes()).expect("sent");
        number += 1;
    }
    number
}

/// Receives numbers to the end, each one more than the last; returns how many.
fn receive(mut stream: TcpStream) -> u64 {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut expected = 0;
    let mut bytes = Vec::new();
    let mut block = [0; 1 << 16];
    loop {
        let len = stream.read(&mut block).expect("the stream goes on");
        if len == 0 {
            return expected;
        }
        bytes.extend_from_slice(&block[..len]);
        let whole = bytes.len() / size_of::<u64>() * size_of::<u64>();
        for word in bytes.drain(..whole).as_slice().chunks_exact(size_of::<u64>()) {
            assert_eq!(word, expected.to_le_bytes());
            expected += 1;
        }
    }
}

fn deleted_gateway_comes_back(mode: Mode) {
    let mut wye = Wye::start(mode);
    network(&wye, "red", 1);
    let a = wye.container("a", "red");
    assert_host_reaches(&wye, &a);
    netns::run(wye.host(), "ip", &["link", "del", "red"]);
    wait_until("the gateway is there again", || a.pings(&gateway(Family::V4, 1)));
    assert_host_reaches(&wye, &a);
    wye.kill_daemon();
    netns::run(wye.host(), "ip", &["link", "del", "red"]);
    wye.start_daemon();
    assert_host_reaches(&wye, &a);
    assert_eq!(wye.json::<Status>(&["status"]).warnings, Vec::<String>::new());
}

fn assert_host_reaches(wye: &Wye, container: &Container) {
    for family in FAMILIES {
        assert!(pings(wye.host(), &container.ip(family)), "{family:?}");
    }
}

fn network_of_an_earlier_version_gets_its_gateway_at_the_start(mode: Mode) {
    let mut wye = Wye::start(mode);
    network(&wye, "red", 1);
    let a = wye.container("a", "red");
    wye.kill_daemon();
    // What such a version left: ports and a state, and no gateway in either.
    let store = Store::open(&wye.dir().join("state").join(wye.instance())).expect("the state");
    let Loaded::State(mut model) = store.load::<Model>().expect("read") else { panic!("no state") };
    let red = model.networks.get_mut(&NetworkName::new("red").expect("a name")).expect("red");
    red.gateway = None;
    store.save(&model).expect("written");
    netns::run(wye.host(), "ip", &["link", "del", "red"]);
    wye.start_daemon();
    assert_host_reaches(&wye, &a);
}

fn network_takes_its_gateway_with_it(mode: Mode) {
    let mut wye = Wye::start(mode);
    let make_and_remove = || {
        network(&wye, "red", 1);
        wye.ok(&["network", "rm", "red"]);
    };
    // The first one makes the file that the state is in.
    make_and_remove();
    let before = wye.census();
    make_and_remove();
    before.assert_same(&wye.census());
    // Nor is anything left of one that the end takes by surprise.
    network(&wye, "red", 1);
    wye.purge();
}

fn interface_of_the_network_s_name_is_in_the_way(mode: Mode) {
    let wye = Wye::start(mode);
    netns::run(wye.host(), "ip", &["link", "add", "red", "type", "veth", "peer", "name", "other"]);
    let before = wye.census();
    let failure = wye.fails(&["network", "create", "red"]);
    assert_eq!(failure.code, 4, "{}", failure.stderr);
    assert!(failure.stderr.contains("an interface called red"), "{}", failure.stderr);
    before.assert_same(&wye.census());
    assert_eq!(wye.json::<Vec<Network>>(&["network", "ls"]), Vec::new());
    netns::run(wye.host(), "ip", &["link", "del", "red"]);
    wye.ok(&["network", "create", "red"]);
    let failure = wye.fails(&["endpoint", "add", "red", "--network", "red", "--create-netns"]);
    assert_eq!(failure.code, 4, "a port has that name: {}", failure.stderr);
}

fn network_whose_router_is_elsewhere_has_no_gateway(mode: Mode) {
    let wye = Wye::start(mode);
    netns::run(wye.host(), "ip", &["link", "add", "lan0", "type", "veth", "peer", "name", "wire0"]);
    wye.ok(&["network", "create", "red", "--opt", "uplink=lan0"]);
    let [red] = wye.json::<[Network; 1]>(&["network", "inspect", "red"]);
    assert_eq!(red.gateway_port, None);
    let ports: Vec<Port> = wye.json(&["port", "ls"]);
    assert_eq!(ports.iter().map(|port| port.kind).collect::<Vec<_>>(), [PortKind::Uplink]);
    wye.ok(&["network", "create", "own", "--opt", "gateway=off"]);
    assert_eq!(wye.json::<[Network; 1]>(&["network", "inspect", "own"])[0].gateway_port, None);
    wye.ok(&["network", "create", "blue"]);
    let failure = wye.fails(&["network", "create", "green", "--opt", "uplink=blue"]);
    assert!(failure.stderr.contains("the gateway of network blue"), "{}", failure.stderr);
    wye.ok(&["network", "rm", "red"]);
    netns::run(wye.host(), "ip", &["link", "del", "lan0"]);
}

fn gateway_is_a_port_like_others_and_stays_guarded(mode: Mode) {
    let wye = Wye::start(mode);
    network(&wye, "red", 1);
    let [red] = wye.json::<[Network; 1]>(&["network", "inspect", "red"]);
    assert_eq!(red.gateway_port.as_deref(), Some("red"));
    let port = wye.port("red");
    assert_eq!((port.kind, port.attached, port.mtu), (PortKind::Gateway, true, 1500));
    assert_eq!(Some(&port.mac), red.gateway_mac.as_ref());
    let failure = wye.fails(&["port", "set", "red", "--guard", "off"]);
    assert_eq!(failure.code, 4, "{}", failure.stderr);
    wye.ok(&["port", "set", "red", "--bcast-flood", "off"]);
    assert!(!wye.port("red").settings.bcast_flood);
    netns::run(wye.host(), "ip", &["link", "set", "red", "mtu", "1400"]);
    wait_until("the port follows its interface", || wye.port("red").mtu == 1400);
}
