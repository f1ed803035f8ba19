//! ARP requests and neighbour solicitations: who is asked, who answers, and what a third container hears of it.

use std::net::IpAddr;

use switch_common::{
    abi::addr::MacAddr,
    wire::{arp, eth, icmp},
};
use switch_userspace::{datapath::Mode, netns::Netns};
use wye_tests::{
    both_datapaths,
    support::{
        netns,
        packet::{
            build,
            socket::{Capture, Sender},
        },
        segment::EXPERIMENT,
        topology::wait_until,
        wye::{Container, Family, Namespace, Wye},
    },
};

both_datapaths!(
    known_neighbours_are_found_without_asking_anybody_else,
    without_suppression_everybody_hears_the_question,
    a_question_for_nobody_known_is_heard_by_everybody,
    a_question_for_nobody_known_is_dropped_and_counted_where_the_network_says_so,
    duplicate_address_detection_of_a_stolen_address_fails,
    an_arp_probe_for_a_stolen_address_is_answered,
    a_question_with_many_options_is_answered_all_the_same,
    an_address_that_another_endpoint_takes_is_answered_with_its_mac,
    neighbours_are_still_known_after_a_daemon_that_was_killed,
    a_station_behind_an_uplink_is_answered,
);

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];
const SUBNETS: [&str; 4] = ["--subnet", "10.1.0.0/16", "--subnet", "fd00:1::/64"];
const NOBODY: [&str; 2] = ["10.1.0.99", "fd00:1::99"];
const FENCE: &[u8] = b"fence";

/// A network with two containers that talk, and one that listens.
struct Red {
    a: Container,
    b: Container,
    witness: Container,
    wye: Wye,
}

impl Red {
    fn new(mode: Mode, options: &[&str]) -> Self {
        let wye = Wye::start(mode);
        wye.ok(&[&["network", "create", "red"], &SUBNETS[..], options].concat());
        let [a, b, witness] = ["a", "b", "c"].map(|name| wye.container(name, "red"));
        Self { a, b, witness, wye }
    }

    /// The addresses of `b`.
    fn targets(&self) -> [String; 2] {
        FAMILIES.map(|family| self.b.ip(family))
    }

    /// Which addresses of `ips` the witness hears somebody ask for during `work`.
    fn heard_of(&self, ips: &[String], work: impl FnOnce()) -> Vec<String> {
        let capture = Capture::start(self.witness.netns(), "eth0");
        work();
        let fence = build::eth(mac(&self.witness), mac(&self.a), EXPERIMENT, FENCE);
        Sender::open(self.a.netns(), "eth0").send(&fence);
        wait_until("the fence is heard", || capture.has(|frame| frame.ends_with(FENCE)));
        let frames = capture.finish();
        let is_asked_for = |ip: &&String| frames.iter().any(|frame| asked_for(frame) == ip.parse().ok());
        ips.iter().filter(is_asked_for).cloned().collect()
    }

    /// Lets `a` forget its neighbours, then reach `b` over both families.
    fn a_finds_b(&self) {
        self.a.run("ip", &["neigh", "flush", "dev", "eth0"]);
        for ip in self.targets() {
            assert!(self.a.pings(&ip), "{ip}");
        }
    }

    fn sender(&self) -> Sender {
        Sender::open(self.a.netns(), "eth0")
    }
}

fn mac(container: &Container) -> MacAddr {
    container.mac().parse().expect("a MAC")
}

fn v4(ip: &str) -> [u8; 4] {
    ip.parse::<std::net::Ipv4Addr>().expect("an IPv4 address").octets()
}

fn v6(ip: &str) -> [u8; 16] {
    ip.parse::<std::net::Ipv6Addr>().expect("an IPv6 address").octets()
}

/// A broadcast ARP request of `asker`.
fn request(asker: &Container, sender: [u8; 4], target: &str) -> Vec<u8> {
    let message = build::arp(arp::REQUEST, (mac(asker), sender), (MacAddr::ZERO, v4(target)));
    build::eth(MacAddr::BROADCAST, mac(asker), eth::TYPE_ARP, &message)
}

/// A multicast neighbour solicitation of `asker`.
fn solicitation(asker: &Container, target: &str, more_options: &[u8]) -> Vec<u8> {
    let (target, own) = (v6(target), v6(&asker.ip(Family::V6)));
    let [.., x, y, z] = target;
    let group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, x, y, z];
    let options = [&build::link_layer(1, mac(asker)), more_options].concat();
    let message =
        build::icmp_message(icmp::NEIGHBOUR_SOLICITATION, [0; 4], &[&target[..], &options].concat());
    let mut packet = build::between(own, group, build::ipv6(icmp::PROTO_V6, &message));
    packet[7] = 255;
    build::eth(MacAddr::new([0x33, 0x33, 0xff, x, y, z]), mac(asker), eth::TYPE_IPV6, &packet)
}

/// The address that a frame asks for.
fn asked_for(frame: &[u8]) -> Option<IpAddr> {
    about(frame, arp::REQUEST, icmp::NEIGHBOUR_SOLICITATION, 38)
}

/// The address that a frame says the MAC of, where its sender has that MAC.
fn told(frame: &[u8]) -> Option<(IpAddr, MacAddr)> {
    let ip = about(frame, arp::REPLY, icmp::NEIGHBOUR_ADVERTISEMENT, 28)?;
    Some((ip, MacAddr::new(*frame[6..].first_chunk()?)))
}

/// The address in an ARP message with this operation, `at` bytes into the frame, or in an ICMPv6 message of this kind.
fn about(frame: &[u8], operation: u16, kind: u8, at: usize) -> Option<IpAddr> {
    let ethertype = u16::from_be_bytes(*frame.get(12..)?.first_chunk()?);
    let is_message = frame.get(20..22)? == operation.to_be_bytes();
    match ethertype {
        eth::TYPE_ARP if is_message => Some(IpAddr::from(*frame.get(at..)?.first_chunk::<4>()?)),
        eth::TYPE_IPV6 if frame.get(20) == Some(&icmp::PROTO_V6) && frame.get(54) == Some(&kind) => {
            Some(IpAddr::from(*frame.get(62..)?.first_chunk::<16>()?))
        }
        _ => None,
    }
}

/// Waits until a station hears that `ip` is at `at`.
fn wait_until_told(capture: &Capture, ip: &str, at: MacAddr) {
    let wanted = Some((ip.parse().expect("an address"), at));
    wait_until("the question is answered", || capture.has(|frame| told(frame) == wanted));
}

fn known_neighbours_are_found_without_asking_anybody_else(mode: Mode) {
    let red = Red::new(mode, &[]);
    let heard = red.heard_of(&red.targets(), || red.a_finds_b());
    assert_eq!(heard, [""; 0]);
    for ip in red.targets() {
        // What was told to a station itself, it believes without asking once more.
        let entry = red.a.run("ip", &["neigh", "show", &ip]);
        assert!(entry.contains(red.b.mac()) && entry.contains("REACHABLE"), "{entry}");
    }
}

fn without_suppression_everybody_hears_the_question(mode: Mode) {
    let red = Red::new(mode, &["--opt", "suppress=off"]);
    assert_eq!(red.heard_of(&red.targets(), || red.a_finds_b()), red.targets());
}

fn a_question_for_nobody_known_is_heard_by_everybody(mode: Mode) {
    let red = Red::new(mode, &[]);
    let nobody = NOBODY.map(String::from);
    let heard = red.heard_of(&nobody, || ask(&red, NOBODY, 1));
    assert_eq!(heard, nobody);
    assert_eq!(red.wye.drops("a", "no_neighbour"), 0);
}

fn a_question_for_nobody_known_is_dropped_and_counted_where_the_network_says_so(mode: Mode) {
    let red = Red::new(mode, &["--opt", "unknown-neighbours=drop"]);
    let before = red.wye.drops("a", "no_neighbour");
    let heard = red.heard_of(&NOBODY.map(String::from), || ask(&red, NOBODY, 5));
    assert_eq!(heard, [""; 0]);
    assert_eq!(red.wye.drops("a", "no_neighbour") - before, 10);
    red.a_finds_b();
}

/// Lets `a` ask `times` for an address of each family.
fn ask(red: &Red, targets: [&str; 2], times: usize) {
    let own = v4(&red.a.ip(Family::V4));
    for _ in 0..times {
        red.sender().send(&request(&red.a, own, targets[0]));
        red.sender().send(&solicitation(&red.a, targets[1], &[]));
    }
}

fn duplicate_address_detection_of_a_stolen_address_fails(mode: Mode) {
    let red = Red::new(mode, &[]);
    let [_, stolen] = red.targets();
    let heard = red.heard_of(&red.targets(), || {
        red.a.run("ip", &["address", "add", &format!("{stolen}/64"), "dev", "eth0"]);
        wait_until("the address is known as a duplicate", || {
            let addresses = red.a.run("ip", &["-6", "address", "show", "dev", "eth0"]);
            addresses.lines().any(|line| line.contains(&stolen) && line.contains("dadfailed"))
        });
    });
    assert_eq!(heard, [""; 0]);
    // An address that nobody else has is taken.
    red.a.run("ip", &["address", "add", "fd00:1::77/64", "dev", "eth0"]);
    wait_until("the address is in use", || {
        let addresses = red.a.run("ip", &["-6", "address", "show", "dev", "eth0", "-tentative"]);
        addresses.lines().any(|line| line.contains("fd00:1::77") && !line.contains("dadfailed"))
    });
}

fn an_arp_probe_for_a_stolen_address_is_answered(mode: Mode) {
    let red = Red::new(mode, &[]);
    let [stolen, _] = red.targets();
    let capture = Capture::start(red.a.netns(), "eth0");
    let heard = red.heard_of(&red.targets(), || {
        red.sender().send(&request(&red.a, [0; 4], &stolen));
        wait_until_told(&capture, &stolen, mac(&red.b));
    });
    assert_eq!(heard, [""; 0]);
    assert!(!capture.finish().is_empty());
}

fn a_question_with_many_options_is_answered_all_the_same(mode: Mode) {
    let red = Red::new(mode, &[]);
    let [_, target] = red.targets();
    let capture = Capture::start(red.a.netns(), "eth0");
    let nonces = [14, 1, 1, 2, 3, 4, 5, 6].repeat(6);
    red.sender().send(&solicitation(&red.a, &target, &nonces));
    wait_until_told(&capture, &target, mac(&red.b));
    assert!(!capture.finish().is_empty());
}

fn an_address_that_another_endpoint_takes_is_answered_with_its_mac(mode: Mode) {
    let red = Red::new(mode, &[]);
    red.a_finds_b();
    let [v4, v6] = red.targets();
    red.wye.ok(&["endpoint", "rm", "b"]);
    let heard = red.heard_of(&red.targets(), || ask(&red, [&v4, &v6], 1));
    assert_eq!(heard, red.targets(), "nobody is there any more");
    let heir = red.wye.container_with("heir", "red", &["--ip", &v4, "--ip", &v6]);
    let capture = Capture::start(red.a.netns(), "eth0");
    let heard = red.heard_of(&red.targets(), || {
        ask(&red, [&v4, &v6], 1);
        wait_until_told(&capture, &v4, mac(&heir));
        wait_until_told(&capture, &v6, mac(&heir));
    });
    assert_eq!(heard, [""; 0]);
    assert!(!capture.finish().is_empty());
}

fn neighbours_are_still_known_after_a_daemon_that_was_killed(mode: Mode) {
    let mut red = Red::new(mode, &["--opt", "unknown-neighbours=drop"]);
    red.wye.kill_daemon();
    if mode == Mode::Ebpf {
        assert_eq!(red.heard_of(&red.targets(), || red.a_finds_b()), [""; 0], "without a daemon");
    }
    red.wye.start_daemon();
    let heard = red.heard_of(&red.targets(), || red.a_finds_b());
    assert_eq!(heard, [""; 0]);
    let before = red.wye.drops("a", "no_neighbour");
    ask(&red, NOBODY, 1);
    wait_until("both questions are dropped", || red.wye.drops("a", "no_neighbour") - before == 2);
}

fn a_station_behind_an_uplink_is_answered(mode: Mode) {
    let wye = Wye::start(mode);
    let station = Namespace::new(&format!("{}-station", wye.instance()));
    let (host, outside) = (wye.host(), station.netns());
    let veth = ["link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", station.name()];
    netns::run(host, "ip", &veth);
    netns::run(host, "ip", &["link", "set", "up0", "up"]);
    ip(outside, &["link", "set", "eth0", "up"]);
    for address in ["10.1.0.200/16", "fd00:1::200/64"] {
        ip(outside, &["address", "add", address, "dev", "eth0"]);
    }
    wye.ok(&[&["network", "create", "red"], &SUBNETS[..], &["--opt", "uplink=up0"]].concat());
    let (a, witness) = (wye.container("a", "red"), wye.container("c", "red"));
    let capture = Capture::start(witness.netns(), "eth0");
    for family in FAMILIES {
        let target = a.ip(family);
        let ping = ["-c", "3", "-i", "0.02", "-W", "1", &target];
        wait_until("the station reaches a", || netns::output(outside, "ping", &ping).status.success());
        assert!(ip(outside, &["neigh", "show", &target]).contains(a.mac()));
    }
    let asked: Vec<_> = capture.finish().iter().filter_map(|frame| asked_for(frame)).collect();
    for family in FAMILIES {
        assert!(!asked.contains(&a.ip(family).parse().expect("an address")), "{asked:?}");
    }
}

fn ip(netns: &Netns, args: &[&str]) -> String {
    netns::run(netns, "ip", args)
}
