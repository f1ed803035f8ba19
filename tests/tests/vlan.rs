//! VLANs by real frames, over either datapath: who hears whom, and with what tag.

use std::collections::BTreeMap;

use switch_common::{
    abi::addr::MacAddr,
    wire::vlan::{TPID_8021AD, TPID_8021Q},
};
use switch_userspace::datapath::Mode;
use wye_tests::{
    both_datapaths,
    support::{
        packet::{
            build,
            socket::{Capture, Sender},
        },
        segment::EXPERIMENT,
        wye::{Container, Wye},
    },
};

both_datapaths!(
    ports_of_a_vlan_hear_each_other_with_the_tags_of_their_ports,
    frames_that_a_port_does_not_carry_are_counted_drops,
    a_second_tag_never_becomes_the_first,
    a_unicast_leaves_with_the_tag_of_its_port,
    floods_longer_than_a_chunk_keep_their_vlan,
    programs_talk_within_a_vlan_and_not_across,
    the_fdb_tells_vlans_apart,
    the_first_vlan_of_a_port_sorts_the_whole_network,
    nonsense_changes_nothing,
);

/// A tag: its kind and the bits behind.
type Tag = (u16, u16);

/// What a container hears: its tags, outermost first, and the payload.
type Frame = (Vec<Tag>, String);

struct Lab {
    containers: BTreeMap<&'static str, Container>,
    wye: Wye,
}

impl Lab {
    /// A network of VLAN 1 with access ports `a`, `b` (10) and `c` (20), a trunk `t` of 10 and 20 with 30 as native VLAN, and a
    /// trunk `s` of 10 with service tags.
    fn start(mode: Mode) -> Self {
        let ports = [
            ("a", "access=10"),
            ("b", "access=10"),
            ("c", "access=20"),
            ("t", "trunk=10,20,native=30"),
            ("s", "trunk=10,proto=802.1ad"),
        ];
        let wye = Wye::start(mode);
        wye.ok(&["network", "create", "red", "--subnet", "10.1.0.0/16", "--vlan", "1"]);
        let containers = ports.map(|(name, vlan)| {
            let container = wye.container(name, "red");
            wye.ok(&["port", "set", name, "--vlan", vlan, "--guard", "off"]);
            (name, container)
        });
        Self { containers: containers.into(), wye }
    }

    fn mac(&self, name: &str) -> MacAddr {
        self.containers[name].mac().parse().expect("a MAC")
    }

    fn send(&self, from: &str, dst: MacAddr, tags: &[Tag]) {
        let body = (EXPERIMENT, b"hello".to_vec());
        let (ethertype, payload) = tags
            .iter()
            .rev()
            .fold(body, |(ethertype, payload), (tpid, tci)| (*tpid, build::tag(*tci, ethertype, &payload)));
        let frame = build::eth(dst, self.mac(from), ethertype, &payload);
        Sender::open(self.containers[from].netns(), "eth0").send(&frame);
    }

    /// Who hears a frame, and how.
    fn heard(&self, from: &str, dst: MacAddr, tags: &[Tag]) -> BTreeMap<&'static str, Vec<Frame>> {
        let captures: Vec<_> = self
            .containers
            .iter()
            .map(|(name, container)| (*name, Capture::start(container.netns(), "eth0")))
            .collect();
        self.send(from, dst, tags);
        self.wye.wait_for_idleness();
        let heard = captures.into_iter().map(|(name, capture)| {
            (name, capture.finish().iter().filter_map(|frame| read(frame)).collect::<Vec<_>>())
        });
        heard.filter(|(_, frames)| !frames.is_empty()).collect()
    }
}

/// A frame of these tests; other frames are nothing.
fn read(frame: &[u8]) -> Option<Frame> {
    let word = |at: usize| frame.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    let (mut at, mut tags) = (12, Vec::new());
    while matches!(word(at)?, TPID_8021Q | TPID_8021AD) {
        tags.push((word(at)?, word(at + 2)?));
        at += 4;
    }
    let is_ours = word(at)? == EXPERIMENT;
    is_ours.then(|| (tags, String::from_utf8_lossy(&frame[at + 2..]).into_owned()))
}

fn hello(tags: &[Tag]) -> Vec<Frame> {
    vec![(tags.to_vec(), String::from("hello"))]
}

fn ports_of_a_vlan_hear_each_other_with_the_tags_of_their_ports(mode: Mode) {
    let lab = Lab::start(mode);
    let all = MacAddr::BROADCAST;
    let tagged = |tpid, vlan| hello(&[(tpid, vlan)]);
    let in_10 = [("b", hello(&[])), ("s", tagged(TPID_8021AD, 10)), ("t", tagged(TPID_8021Q, 10))];
    assert_eq!(lab.heard("a", all, &[]), in_10.into());
    let in_10 = [("a", hello(&[])), ("b", hello(&[])), ("s", tagged(TPID_8021AD, 0x600a))];
    assert_eq!(lab.heard("t", all, &[(TPID_8021Q, 0x600a)]), in_10.into(), "the priority stays");
    assert_eq!(lab.heard("c", all, &[]), [("t", tagged(TPID_8021Q, 20))].into());
    assert_eq!(lab.heard("t", all, &[(TPID_8021Q, 20)]), [("c", hello(&[]))].into());
    let inner = (TPID_8021Q, 77);
    let behind = [("a", hello(&[inner])), ("b", hello(&[inner])), ("t", hello(&[(TPID_8021Q, 10), inner]))];
    assert_eq!(
        lab.heard("s", all, &[(TPID_8021AD, 10), inner]),
        behind.into(),
        "a customer's tag is payload"
    );
    let in_10 = [("b", hello(&[])), ("s", tagged(TPID_8021AD, 0xa00a)), ("t", tagged(TPID_8021Q, 0xa00a))];
    assert_eq!(lab.heard("a", all, &[(TPID_8021Q, 0xa000)]), in_10.into(), "a priority tag names no VLAN");
}

fn frames_that_a_port_does_not_carry_are_counted_drops(mode: Mode) {
    let lab = Lab::start(mode);
    let attempts: [(&str, &[Tag]); 7] = [
        ("a", &[(TPID_8021Q, 10)]),
        ("a", &[(TPID_8021Q, 20)]),
        ("a", &[(TPID_8021Q, 10), (TPID_8021Q, 20)]),
        ("a", &[(TPID_8021AD, 10)]),
        ("t", &[(TPID_8021Q, 11)]),
        ("t", &[(TPID_8021Q, 30), (TPID_8021Q, 20)]),
        ("s", &[]),
    ];
    for (from, tags) in attempts {
        let before = lab.wye.drops(from, "vlan");
        assert_eq!(lab.heard(from, MacAddr::BROADCAST, tags), BTreeMap::new(), "{from} {tags:?}");
        assert_eq!(lab.wye.drops(from, "vlan"), before + 1, "{from} {tags:?}");
    }
    let unknown_here = lab.heard("a", lab.mac("c"), &[]);
    assert!(!unknown_here.contains_key("c"), "{unknown_here:?}");
}

fn a_second_tag_never_becomes_the_first(mode: Mode) {
    let lab = Lab::start(mode);
    lab.wye.ok(&["port", "set", "t", "--vlan", "trunk=20,native=10"]);
    let hidden = (TPID_8021Q, 20);
    let as_payload = hello(&[hidden]);
    let behind_a_priority = [("b", as_payload.clone()), ("s", hello(&[(TPID_8021AD, 10), hidden]))];
    let from_a = lab.heard("a", MacAddr::BROADCAST, &[(TPID_8021Q, 0), hidden]);
    assert_eq!(from_a, behind_a_priority.into(), "behind a priority tag");
    let taken_off = [("a", as_payload.clone()), ("b", as_payload)];
    let from_s = lab.heard("s", MacAddr::BROADCAST, &[(TPID_8021AD, 10), hidden]);
    assert_eq!(from_s, taken_off.into(), "behind a tag that is taken off");
    let before = lab.wye.drops("s", "vlan");
    assert_eq!(lab.heard("s", lab.mac("t"), &[(TPID_8021AD, 10), hidden]), BTreeMap::new());
    assert_eq!(lab.wye.drops("s", "vlan"), before + 1, "to a known station of the trunk");
}

fn a_unicast_leaves_with_the_tag_of_its_port(mode: Mode) {
    let lab = Lab::start(mode);
    lab.send("t", MacAddr::BROADCAST, &[(TPID_8021Q, 10)]);
    lab.wye.wait_for_idleness();
    assert_eq!(lab.heard("a", lab.mac("t"), &[]), [("t", hello(&[(TPID_8021Q, 10)]))].into());
    assert_eq!(lab.heard("t", lab.mac("a"), &[(TPID_8021Q, 10)]), [("a", hello(&[]))].into());
    let again = lab.wye.drops("t", "vlan");
    assert_eq!(lab.heard("t", lab.mac("a"), &[(TPID_8021Q, 21)]), BTreeMap::new());
    assert_eq!(lab.wye.drops("t", "vlan"), again + 1);
}

fn floods_longer_than_a_chunk_keep_their_vlan(mode: Mode) {
    let lab = Lab::start(mode);
    // Positions of a flood list stay with their ports: the last ones are in another chunk.
    let fillers: Vec<_> = (0..130).map(|index| lab.wye.container(&format!("f{index}"), "red")).collect();
    let last = lab.wye.container("last", "red");
    lab.wye.ok(&["port", "set", "last", "--vlan", "trunk=10"]);
    let capture = Capture::start(last.netns(), "eth0");
    lab.send("a", MacAddr::BROADCAST, &[]);
    lab.wye.wait_for_idleness();
    let frames: Vec<_> = capture.finish().iter().filter_map(|frame| read(frame)).collect();
    assert_eq!(frames, hello(&[(TPID_8021Q, 10)]));
    drop(fillers);
}

fn programs_talk_within_a_vlan_and_not_across(mode: Mode) {
    let lab = Lab::start(mode);
    let ip = |name: &str| lab.containers[name].ip(wye_tests::support::wye::Family::V4);
    assert!(lab.containers["a"].pings(&ip("b")), "both are in VLAN 10");
    assert!(!lab.containers["a"].pings(&ip("c")), "they are in different VLANs");
    lab.wye.ok(&["port", "set", "c", "--vlan", "access=10"]);
    assert!(lab.containers["a"].pings(&ip("c")), "the next frame is judged by the new setting");
    lab.wye.ok(&["port", "set", "c", "--vlan", "none"]);
    assert!(!lab.containers["a"].pings(&ip("c")), "back in the network's own VLAN");
}

fn the_fdb_tells_vlans_apart(mode: Mode) {
    let lab = Lab::start(mode);
    let guest = "02:cc:00:00:00:01";
    lab.wye.ok(&["fdb", "add", guest, "dev", "t", "--vlan", "10"]);
    lab.wye.ok(&["fdb", "add", guest, "dev", "c"]);
    let entries = || -> Vec<(Option<u16>, String)> {
        let all: Vec<switch_userspace::api::types::FdbEntry> = lab.wye.json(&["fdb", "show"]);
        all.into_iter().filter(|entry| entry.mac == guest).map(|entry| (entry.vlan, entry.port)).collect()
    };
    assert_eq!(entries(), [(Some(10), String::from("t")), (Some(20), String::from("c"))]);
    let address: MacAddr = guest.parse().expect("a MAC");
    assert_eq!(lab.heard("a", address, &[]), [("t", hello(&[(TPID_8021Q, 10)]))].into());
    assert_eq!(lab.heard("t", address, &[(TPID_8021Q, 20)]), [("c", hello(&[]))].into());
    assert!(lab.wye.fails(&["fdb", "del", guest]).stderr.contains("several"));
    lab.wye.ok(&["fdb", "del", guest, "--vlan", "10"]);
    assert_eq!(entries(), [(Some(20), String::from("c"))]);
    assert!(lab.wye.fails(&["fdb", "add", guest, "dev", "s"]).stderr.contains("--vlan"));
}

fn the_first_vlan_of_a_port_sorts_the_whole_network(mode: Mode) {
    let wye = Wye::start(mode);
    wye.ok(&["network", "create", "red", "--subnet", "10.1.0.0/16"]);
    let containers = ["a", "b", "c"].map(|name| {
        let container = wye.container(name, "red");
        wye.ok(&["port", "set", name, "--guard", "off"]);
        (name, container)
    });
    let lab = Lab { containers: containers.into(), wye };
    let tag = (TPID_8021Q, 5);
    let as_it_is = [("b", hello(&[tag])), ("c", hello(&[tag]))];
    assert_eq!(lab.heard("a", MacAddr::BROADCAST, &[tag]), as_it_is.into());
    lab.wye.ok(&["port", "set", "c", "--vlan", "trunk=5,native=1"]);
    assert_eq!(lab.heard("a", MacAddr::BROADCAST, &[tag]), BTreeMap::new());
    assert_eq!(lab.wye.drops("a", "vlan"), 1);
    let untagged = [("b", hello(&[])), ("c", hello(&[]))];
    assert_eq!(lab.heard("a", MacAddr::BROADCAST, &[]), untagged.into());
    assert_eq!(lab.heard("c", lab.mac("a"), &[]), [("a", hello(&[]))].into(), "own addresses are known");
}

fn nonsense_changes_nothing(mode: Mode) {
    let lab = Lab::start(mode);
    let told = || lab.wye.port("a").settings;
    let before = told();
    for vlan in ["access=4095", "access=0", "trunk=", "trunk=5-1", "10", "trunk=1,proto=802.3"] {
        let failure = lab.wye.fails(&["port", "set", "a", "--vlan", vlan]);
        assert!(failure.code == 2 && failure.stderr.contains("1 to 4094"), "{vlan}: {failure:?}");
    }
    assert_eq!(told(), before);
    let failure = lab.wye.fails(&["network", "create", "blue", "--vlan", "4095"]);
    assert!(failure.code == 2 && failure.stderr.contains("1 to 4094"), "{failure:?}");
}
