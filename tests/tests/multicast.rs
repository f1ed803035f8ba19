//! Multicast by real frames, over either datapath: who hears a group, and who does not.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
};

use switch_common::{
    abi::addr::MacAddr,
    stage::flood::FLOOD_CHUNK,
    wire::{eth, icmp, igmp, ipv6, udp},
};
use switch_userspace::{
    api::types::{MdbEntry, MdbKind},
    datapath::Mode,
};
use wye_tests::{
    both_datapaths,
    support::{
        netns,
        packet::{
            build,
            socket::{Capture, Sender},
        },
        topology::wait_until,
        wye::{Container, Family, Wye},
    },
};

both_datapaths!(
    members_of_every_version_hear_their_group_and_nobody_else_does,
    everything_is_flooded_while_nobody_asks_for_members,
    groups_of_link_local_scope_are_always_flooded,
    a_guarded_container_does_not_become_a_router_by_asking,
    a_port_without_multicast_flood_hears_what_it_joined,
    a_group_is_of_one_vlan,
    hosts_answer_the_switch_and_age_out_when_they_are_gone,
    nonsense_changes_nothing,
    each_of_more_members_than_a_chunk_of_a_flood_has_hears_a_frame_once,
);

const STREAM: &[u8] = b"stream";
const NAMES: [&str; 4] = ["a", "b", "c", "r"];

/// One way to say who is a member.
#[derive(Clone, Copy, Debug)]
enum Version {
    Igmp1,
    Igmp2,
    Igmp3,
    Mld1,
    Mld2,
}

use Version::{Igmp1, Igmp2, Igmp3, Mld1, Mld2};

impl Version {
    fn group(self, number: u8) -> IpAddr {
        match self {
            Igmp1 | Igmp2 | Igmp3 => Ipv4Addr::new(239, 1, 2, number).into(),
            Mld1 | Mld2 => Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0, 0, number.into()).into(),
        }
    }

    /// A report that the host is a member, or has left; IGMPv1 knows no leaves.
    fn report(self, group: IpAddr, is_member: bool) -> Option<Vec<u8>> {
        let octets = match group {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let plain = |kind: u8| Some([&[kind, 0, 0, 0][..], &octets].concat());
        let plain_v6 = |kind: u8| Some([&[kind, 0, 0, 0, 0, 0, 0, 0][..], &octets].concat());
        let record = |kind: u8| {
            let change = if is_member { 4 } else { 3 };
            Some([&[kind, 0, 0, 0, 0, 0, 0, 1, change, 0, 0, 0][..], &octets].concat())
        };
        match (self, is_member) {
            (Igmp1, true) => plain(igmp::REPORT_V1),
            (Igmp1, false) => None,
            (Igmp2, true) => plain(igmp::REPORT_V2),
            (Igmp2, false) => plain(igmp::LEAVE),
            (Igmp3, _) => record(igmp::REPORT_V3),
            (Mld1, true) => plain_v6(icmp::MLD_REPORT),
            (Mld1, false) => plain_v6(icmp::MLD_DONE),
            (Mld2, _) => record(icmp::MLD_REPORT_V2),
        }
    }

    /// A general query that is to be answered within a tenth of a second.
    fn query(self) -> Vec<u8> {
        match self {
            Igmp1 | Igmp2 => vec![igmp::QUERY, 1, 0, 0, 0, 0, 0, 0],
            Igmp3 => vec![igmp::QUERY, 1, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0],
            Mld1 => [&[icmp::MLD_QUERY, 0, 0, 0, 0, 100, 0, 0][..], &[0; 16]].concat(),
            Mld2 => [&[icmp::MLD_QUERY, 0, 0, 0, 0, 100, 0, 0][..], &[0; 16], &[2, 125, 0, 0]].concat(),
        }
    }
}

struct Lab {
    containers: BTreeMap<&'static str, Container>,
    wye: Wye,
}

impl Lab {
    /// Containers `a`, `b`, `c` as they are by default, and `r`, which may be a router.
    fn start(mode: Mode, options: &[&str]) -> Self {
        let wye = Wye::start(mode);
        let subnets = ["--subnet", "10.1.0.0/16", "--subnet", "fd00:1::/64"];
        wye.ok(&[&["network", "create", "red"], &subnets[..], options].concat());
        let containers = NAMES.map(|name| (name, wye.container(name, "red")));
        wye.ok(&["port", "set", "r", "--guard", "off"]);
        Self { containers: containers.into(), wye }
    }

    fn mac(&self, name: &str) -> MacAddr {
        self.containers[name].mac().parse().expect("a MAC")
    }

    fn send(&self, from: &str, packet: &[u8]) {
        let is_ipv4 = packet[0] >> 4 == 4;
        let dst = if is_ipv4 {
            MacAddr::new([1, 0, 0x5e, packet[17] & 0x7f, packet[18], packet[19]])
        } else {
            MacAddr::new([0x33, 0x33, packet[36], packet[37], packet[38], packet[39]])
        };
        let ethertype = if is_ipv4 { eth::TYPE_IPV4 } else { eth::TYPE_IPV6 };
        let frame = build::eth(dst, self.mac(from), ethertype, packet);
        Sender::open(self.containers[from].netns(), "eth0").send(&frame);
    }

    /// Sends a membership message to a group.
    fn tell(&self, from: &str, to: IpAddr, mut message: Vec<u8>) {
        match to {
            IpAddr::V4(to) => {
                let sum = checksum(&message);
                message[2..4].copy_from_slice(&sum);
                let packet = build::ipv4_with(igmp::PROTO, &[148, 4, 0, 0], 0, &message);
                let mut packet = build::between(self.ipv4(from), to.octets(), packet);
                packet[8] = 1;
                self.send(from, &packet);
            }
            IpAddr::V6(to) => {
                let source = ipv6::link_local(self.mac(from));
                let length = u16::try_from(message.len()).expect("short").to_be_bytes();
                let pseudo = [&source[..], &to.octets(), &length, &[0, icmp::PROTO_V6], &message].concat();
                let sum = checksum(&pseudo);
                message[2..4].copy_from_slice(&sum);
                let alert = [&[icmp::PROTO_V6, 0, 5, 2, 0, 0, 1, 0][..], &message].concat();
                let packet = build::ipv6(ipv6::NEXT_HOP_BY_HOP, &alert);
                let mut packet = build::between(source, to.octets(), packet);
                packet[7] = 1;
                self.send(from, &packet);
            }
        }
    }

    /// Lets `from` ask for members, and waits until the switch takes those who do not answer for none.
    fn ask(&self, from: &str, version: Version) {
        self.tell(from, all_hosts(version), version.query());
        wait_until("a group without members is not flooded any more", || {
            !self.heard("b", version.group(99)).contains("c")
        });
    }

    fn join(&self, name: &str, version: Version, group: IpAddr) {
        self.tell(name, group, version.report(group, true).expect("there are joins"));
        wait_until("the switch knows a member", || self.members(group).contains(name));
    }

    /// Who hears a datagram to a group.
    fn heard(&self, from: &str, group: IpAddr) -> BTreeSet<&'static str> {
        self.copies(from, group).into_keys().collect()
    }

    /// How often each of those who hear a datagram to a group hears it.
    fn copies(&self, from: &str, group: IpAddr) -> BTreeMap<&'static str, usize> {
        let captures: Vec<_> =
            self.containers.iter().map(|(name, at)| (*name, Capture::start(at.netns(), "eth0"))).collect();
        let datagram = build::udp(5000, 5000, STREAM);
        match group {
            IpAddr::V4(to) => {
                let packet = build::ipv4(udp::PROTO, &datagram);
                self.send(from, &build::between(self.ipv4(from), to.octets(), packet));
            }
            IpAddr::V6(to) => {
                let packet = build::ipv6(udp::PROTO, &datagram);
                self.send(from, &build::between(ipv6::link_local(self.mac(from)), to.octets(), packet));
            }
        }
        self.wye.wait_for_idleness();
        let copies = captures.into_iter().map(|(name, capture)| {
            (name, capture.finish().iter().filter(|frame| frame.ends_with(STREAM)).count())
        });
        copies.filter(|(_, count)| *count > 0).collect()
    }

    fn ipv4(&self, name: &str) -> [u8; 4] {
        let ip: Ipv4Addr = self.containers[name].ip(Family::V4).parse().expect("an address");
        ip.octets()
    }

    fn mdb(&self) -> Vec<MdbEntry> {
        self.wye.json(&["port", "mdb"])
    }

    fn members(&self, group: IpAddr) -> BTreeSet<String> {
        let entries = self.mdb().into_iter().filter(|entry| entry.group == Some(group));
        entries.filter_map(|entry| entry.port).collect()
    }

    fn of_kind(&self, kind: MdbKind) -> Vec<MdbEntry> {
        self.mdb().into_iter().filter(|entry| entry.kind == kind).collect()
    }
}

fn all_hosts(version: Version) -> IpAddr {
    match version {
        Igmp1 | Igmp2 | Igmp3 => Ipv4Addr::new(224, 0, 0, 1).into(),
        Mld1 | Mld2 => Ipv6Addr::from(ipv6::ALL_NODES).into(),
    }
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)))
        .sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).expect("folded")).to_be_bytes()
}

fn members_of_every_version_hear_their_group_and_nobody_else_does(mode: Mode) {
    let lab = Lab::start(mode, &[]);
    lab.wye.ok(&["port", "set", "a", "--fast-leave", "on"]);
    for (number, version) in (1..).zip([Igmp1, Igmp2, Igmp3, Mld1, Mld2]) {
        let group = version.group(number);
        lab.ask("r", version);
        assert_eq!(lab.heard("b", group), ["r"].into(), "{version:?}: not registered");
        lab.join("a", version, group);
        assert_eq!(lab.heard("b", group), ["a", "r"].into(), "{version:?}");
        if let Some(leave) = version.report(group, false) {
            lab.tell("a", group, leave);
            wait_until("the member is gone", || lab.members(group).is_empty());
            assert_eq!(lab.heard("b", group), ["r"].into(), "{version:?}: left");
        }
    }
    let routers: BTreeSet<_> =
        lab.of_kind(MdbKind::Router).into_iter().map(|entry| (entry.family, entry.port)).collect();
    assert_eq!(routers, [(4, Some(String::from("r"))), (6, Some(String::from("r")))].into());
}

fn everything_is_flooded_while_nobody_asks_for_members(mode: Mode) {
    let lab = Lab::start(mode, &[]);
    for version in [Igmp2, Mld2] {
        lab.join("a", version, version.group(1));
        assert_eq!(lab.heard("b", version.group(1)), ["a", "c", "r"].into(), "{version:?}");
        assert_eq!(lab.heard("b", version.group(2)), ["a", "c", "r"].into(), "{version:?}");
    }
    let off = Lab::start(mode, &["--opt", "snooping=off"]);
    off.tell("r", all_hosts(Igmp2), Igmp2.query());
    assert_eq!(off.heard("b", Igmp2.group(1)), ["a", "c", "r"].into());
    assert_eq!(off.mdb(), []);
}

fn groups_of_link_local_scope_are_always_flooded(mode: Mode) {
    let lab = Lab::start(mode, &[]);
    for version in [Igmp2, Mld2] {
        lab.ask("r", version);
    }
    for group in ["224.0.0.251", "ff02::fb", "ff02::1:ff00:1"] {
        let group = group.parse().expect("an address");
        assert_eq!(lab.heard("b", group), ["a", "c", "r"].into(), "{group}");
    }
}

fn a_guarded_container_does_not_become_a_router_by_asking(mode: Mode) {
    let lab = Lab::start(mode, &[]);
    for (count, version) in (1..).zip([Igmp2, Igmp3, Mld1, Mld2]) {
        lab.tell("a", all_hosts(version), version.query());
        wait_until("the query is dropped", || lab.wye.drops("a", "mcast_query") == count);
    }
    assert_eq!(lab.mdb(), []);
    lab.wye.ok(&["port", "set", "a", "--mcast-router", "on"]);
    lab.ask("a", Igmp2);
    assert_eq!(lab.heard("b", Igmp2.group(1)), ["a"].into(), "who may be a router is one");
    lab.wye.ok(&["port", "set", "r", "--mcast-router", "off"]);
    lab.tell("r", all_hosts(Mld2), Mld2.query());
    lab.wye.wait_for_idleness();
    assert!(lab.of_kind(MdbKind::Router).iter().all(|entry| entry.port.as_deref() != Some("r")));
}

fn a_port_without_multicast_flood_hears_what_it_joined(mode: Mode) {
    let lab = Lab::start(mode, &[]);
    lab.wye.ok(&["port", "set", "a", "--mcast-flood", "off"]);
    assert_eq!(lab.heard("b", Igmp2.group(1)), ["c", "r"].into());
    lab.ask("r", Igmp2);
    lab.join("a", Igmp2, Igmp2.group(1));
    assert_eq!(lab.heard("b", Igmp2.group(1)), ["a", "r"].into());
}

fn a_group_is_of_one_vlan(mode: Mode) {
    let lab = Lab::start(mode, &["--vlan", "10"]);
    lab.wye.ok(&["port", "set", "c", "--vlan", "access=20"]);
    lab.tell("r", all_hosts(Igmp2), Igmp2.query());
    wait_until("the querier is known", || {
        lab.of_kind(MdbKind::Querier).first().is_some_and(|entry| entry.vlan == Some(10))
    });
    lab.join("c", Igmp2, Igmp2.group(1));
    lab.join("a", Igmp2, Igmp2.group(1));
    wait_until("only the member hears the group", || lab.heard("b", Igmp2.group(1)) == ["a", "r"].into());
    let vlans: BTreeSet<_> =
        lab.of_kind(MdbKind::Member).into_iter().map(|entry| (entry.port, entry.vlan)).collect();
    assert_eq!(vlans, [(Some("a".into()), Some(10)), (Some("c".into()), Some(20))].into());
}

fn hosts_answer_the_switch_and_age_out_when_they_are_gone(mode: Mode) {
    let lab = Lab::start(mode, &["--opt", "querier=on", "--opt", "query-interval=1"]);
    let sockets = netns::inside(lab.containers["a"].netns(), || {
        let v4 = UdpSocket::bind("0.0.0.0:5000").expect("a socket");
        let ip = lab.containers["a"].ip(Family::V4).parse().expect("an address");
        v4.join_multicast_v4(&Ipv4Addr::new(239, 1, 2, 1), &ip).expect("joined");
        let v6 = UdpSocket::bind("[::]:5001").expect("a socket");
        let index =
            switch_userspace::netns::Netlink::open().expect("netlink").link_by_name("eth0").expect("eth0");
        v6.join_multicast_v6(&Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0, 0, 1), index.index.into())
            .expect("joined");
        (v4, v6)
    });
    for version in [Igmp3, Mld2] {
        wait_until("only the member hears the group", || {
            lab.heard("b", version.group(1)) == ["a"].into() && lab.heard("b", version.group(2)).is_empty()
        });
    }
    lab.wye.ok(&["exec", "a", "--", "ip", "link", "set", "eth0", "down"]);
    drop(sockets);
    for version in [Igmp3, Mld2] {
        wait_until("the member is gone", || lab.members(version.group(1)).is_empty());
    }
}

fn nonsense_changes_nothing(mode: Mode) {
    let lab = Lab::start(mode, &[]);
    let told = || lab.wye.port("a").settings;
    let before = told();
    for (switch, value, said) in
        [("--fast-leave", "yes", "on|off"), ("--mcast-router", "maybe", "on|off|auto")]
    {
        let failure = lab.wye.fails(&["port", "set", "a", switch, value]);
        assert!(failure.code == 2 && failure.stderr.contains(said), "{failure:?}");
    }
    assert_eq!(told(), before);
    for option in ["snooping=maybe", "querier=1", "query-interval=0"] {
        let failure = lab.wye.fails(&["network", "create", "blue", "--opt", option]);
        assert_eq!(failure.code, 2, "{failure:?}");
    }
    assert_eq!(lab.wye.fails(&["port", "mdb", "nobody"]).code, 3);
}

fn each_of_more_members_than_a_chunk_of_a_flood_has_hears_a_frame_once(mode: Mode) {
    let mut lab = Lab::start(mode, &[]);
    let members: Vec<&'static str> =
        (0..FLOOD_CHUNK + 12).map(|number| &*format!("m{number}").leak()).collect();
    for name in &members {
        let container = lab.wye.container(name, "red");
        lab.containers.insert(name, container);
    }
    lab.ask("r", Igmp2);
    let group = Igmp2.group(1);
    for name in &members {
        lab.tell(name, group, Igmp2.report(group, true).expect("there are joins"));
    }
    wait_until("the switch knows every member", || lab.members(group).len() == members.len());
    let hearers = members.into_iter().chain(["r"]);
    assert_eq!(lab.copies("b", group), hearers.map(|name| (name, 1)).collect());
}

#[test]
fn a_stream_goes_on_when_the_daemon_is_killed_and_comes_back() {
    let mut lab = Lab::start(Mode::Ebpf, &[]);
    lab.ask("r", Igmp2);
    lab.join("a", Igmp2, Igmp2.group(1));
    let frames = || Capture::start(lab.containers["a"].netns(), "eth0");
    let capture = frames();
    lab.wye.kill_daemon();
    let packet = build::ipv4(udp::PROTO, &build::udp(5000, 5000, STREAM));
    let packet = build::between(lab.ipv4("b"), [239, 1, 2, 1], packet);
    lab.send("b", &packet);
    wait_until("the member hears the group without a daemon", || {
        capture.has(|frame| frame.ends_with(STREAM))
    });
    let _frames = capture.finish();
    lab.wye.start_daemon();
    assert_eq!(lab.members(Igmp2.group(1)), [String::from("a")].into());
    assert_eq!(lab.heard("b", Igmp2.group(1)), ["a", "r"].into());
    assert_eq!(lab.heard("b", Igmp2.group(2)), ["r"].into());
}

#[test]
fn userspace_switch_floods_groups_after_a_crash_until_it_has_asked_for_members() {
    let mut lab = Lab::start(Mode::Userspace, &[]);
    let group = Igmp2.group(1);
    lab.ask("r", Igmp2);
    lab.join("a", Igmp2, group);
    lab.wye.kill_daemon();
    lab.wye.start_daemon();
    assert_eq!(lab.heard("b", group), ["a", "c", "r"].into());
    lab.ask("r", Igmp2);
    lab.join("a", Igmp2, group);
    assert_eq!(lab.heard("b", group), ["a", "r"].into());
}
