//! Ordinary traffic of real programs passes guarded ports.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
};

use switch_common::{abi::addr::MacAddr, wire::eth};
use switch_userspace::{datapath::Mode, netns::Netlink};
use wye_tests::{
    both_datapaths,
    support::{
        netns,
        packet::socket::Sniffer,
        topology::{PATIENCE, wait_until},
        wye::{Container, Family},
    },
};

use crate::arena::Arena;

both_datapaths!(ordinary_traffic_passes_and_nothing_of_it_is_dropped);

/// Where nobody listens: what traceroute sends to first.
const TRACEROUTE_PORT: u16 = 33_434;
/// Larger than an interface's MTU: it goes in fragments.
const LARGE: &str = "4000";
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);
/// Where reports of IGMPv3 and MLDv2 go.
const IGMP_ROUTERS: MacAddr = MacAddr::new([1, 0, 0x5e, 0, 0, 22]);
const MLD_ROUTERS: MacAddr = MacAddr::new([0x33, 0x33, 0, 0, 0, 22]);

fn ordinary_traffic_passes_and_nothing_of_it_is_dropped(mode: Mode) {
    let arena = Arena::start(mode);
    let drops = || ["attacker", "victim", "left", "right"].map(|port| (port, arena.wye.port(port).drops));
    let before = drops();
    for family in [Family::V4, Family::V6] {
        let to = arena.victim.ip(family);
        let pings = |options: &[&str]| {
            let args = [&["-c", "3", "-i", "0.02", "-W", "2"], options, &[&to]].concat();
            arena.attacker.run("ping", &args);
        };
        pings(&[]);
        pings(&["-s", LARGE]);
        if family == Family::V4 {
            pings(&["-R"]);
            pings(&["-T", "tsandaddr"]);
        }
        traceroute_is_told_that_it_arrived(&arena.attacker, &to);
    }
    group_reports_arrive(&arena);
    assert_eq!(drops(), before);
}

/// The victim's kernel answers a datagram to a closed port with an ICMP error, which passes its guard.
fn traceroute_is_told_that_it_arrived(from: &Container, to: &str) {
    let target: IpAddr = to.parse().expect("an address");
    let unspecified: IpAddr =
        if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    netns::inside(from.netns(), || {
        let socket = UdpSocket::bind((unspecified, 0)).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        if target.is_ipv4() {
            socket.set_ttl(1).expect("a TTL");
        }
        socket.connect((target, TRACEROUTE_PORT)).expect("a route");
        socket.send(b"probe").expect("a datagram is taken");
        let error = socket.recv(&mut [0; 16]).expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{to}: {error}");
    });
}

fn group_reports_arrive(arena: &Arena) {
    let sniffer = Sniffer::open(arena.victim.netns(), "eth0");
    let socket =
        |ip: IpAddr| netns::inside(arena.attacker.netns(), || UdpSocket::bind((ip, 0))).expect("a socket");
    let own: Ipv4Addr = arena.attacker.ip(Family::V4).parse().expect("an IPv4 address");
    let (v4, v6) = (socket(Ipv4Addr::UNSPECIFIED.into()), socket(Ipv6Addr::UNSPECIFIED.into()));
    v4.join_multicast_v4(&GROUP, &own).expect("a member");
    let netlink = Netlink::open_in(arena.attacker.netns()).expect("netlink");
    let eth0 = netlink.link_by_name("eth0").expect("eth0").index;
    v6.join_multicast_v6(&GROUP_V6, eth0.into()).expect("a member");
    let mut frames = Vec::new();
    let own_mac: MacAddr = arena.attacker.mac().parse().expect("a MAC");
    for (name, routers, ethertype) in
        [("IGMP", IGMP_ROUTERS, eth::TYPE_IPV4), ("MLD", MLD_ROUTERS, eth::TYPE_IPV6)]
    {
        let head = [&routers.bytes()[..], &own_mac.bytes(), &ethertype.to_be_bytes()].concat();
        wait_until(&format!("a report of {name} arrives"), || {
            frames.extend(sniffer.take());
            frames.iter().any(|frame: &Vec<u8>| frame.starts_with(&head))
        });
    }
}
