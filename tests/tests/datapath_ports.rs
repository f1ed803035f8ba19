//! The switches of a port by real frames, over either datapath: floods, isolation, hairpin, and what no port may send.

use switch_common::abi::addr::MacAddr;
use switch_userspace::datapath::Mode;
use wye_tests::{
    both_datapaths,
    support::{
        netns,
        packet::{build, socket::Sender},
        segment::{EXPERIMENT, Heard, Segment, by},
        topology::wait_until,
        wye::{Family, Wye},
    },
};

both_datapaths!(
    each_kind_of_flood_has_its_own_switch,
    isolated_ports_reach_others_and_not_each_other,
    hairpin_port_lets_its_guests_talk_through_the_switch,
    sources_that_no_station_has_are_counted_drops,
    link_local_groups_are_counted_drops,
    every_switch_is_told_as_it_was_set,
    frames_to_an_interface_that_is_down_are_counted_drops,
    a_port_takes_what_its_network_s_uplink_takes,
);

const GUEST: MacAddr = MacAddr::new([2, 0xbb, 0, 0, 0, 1]);
const GROUP: MacAddr = MacAddr::new([1, 0, 0x5e, 0x7f, 0, 1]);

/// Who hears a frame from `a`.
fn reached(segment: &Segment, dst: MacAddr) -> Heard {
    segment.heard(|| segment.send("a", dst, segment.mac("a"), "hello"))
}

fn each_kind_of_flood_has_its_own_switch(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    let kinds = [("--flood", GUEST), ("--bcast-flood", MacAddr::BROADCAST), ("--mcast-flood", GROUP)];
    for (switch, dst) in kinds {
        segment.set("b", switch, "off");
        for (other, dst_of_other) in kinds {
            let hearing: &[_] = if other == switch { &["c"] } else { &["b", "c"] };
            assert_eq!(reached(&segment, dst_of_other), by(hearing, "hello"), "{switch} off, {other}");
        }
        segment.set("b", switch, "on");
        assert_eq!(reached(&segment, dst), by(&["b", "c"], "hello"), "{switch} on");
    }
}

fn isolated_ports_reach_others_and_not_each_other(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    for name in ["a", "b"] {
        segment.set(name, "--isolated", "on");
    }
    let (a, b, c) = (segment.mac("a"), segment.mac("b"), segment.mac("c"));
    assert_eq!(reached(&segment, b), Heard::new());
    assert_eq!(segment.wye.drops("a", "isolated"), 1);
    assert_eq!(reached(&segment, c), by(&["c"], "hello"));
    assert_eq!(reached(&segment, MacAddr::BROADCAST), by(&["c"], "hello"));
    assert_eq!(segment.heard(|| segment.send("c", a, c, "and back")), by(&["a"], "and back"));
    segment.set("b", "--isolated", "off");
    assert_eq!(reached(&segment, b), by(&["b"], "hello"));
}

fn hairpin_port_lets_its_guests_talk_through_the_switch(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    let other = MacAddr::new([2, 0xbb, 0, 0, 0, 2]);
    segment.learn(GUEST, "b");
    segment.learn(other, "b");
    let before = segment.wye.drops("b", "same_port");
    let talk = || segment.heard(|| segment.send("b", GUEST, other, "next door"));
    assert_eq!(talk(), Heard::new());
    assert_eq!(segment.wye.drops("b", "same_port"), before + 1);
    segment.set("b", "--hairpin", "on");
    assert_eq!(talk(), by(&["b"], "next door"));
}

fn sources_that_no_station_has_are_counted_drops(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    let heard = segment.heard(|| {
        for source in [MacAddr::ZERO, MacAddr::BROADCAST, GROUP] {
            segment.send("a", segment.mac("b"), source, "from nobody");
        }
    });
    assert_eq!(heard, Heard::new());
    assert_eq!(segment.wye.drops("a", "src_mac"), 3);
}

fn link_local_groups_are_counted_drops(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    let before = segment.wye.drops("a", "reserved_group");
    let heard = segment.heard(|| {
        for last in 0..=0x0f {
            segment.send("a", MacAddr::new([1, 0x80, 0xc2, 0, 0, last]), segment.mac("a"), "to the bridge");
        }
        segment.send("a", MacAddr::new([1, 0x80, 0xc2, 0, 0, 0x10]), segment.mac("a"), "beyond");
    });
    assert_eq!(heard, by(&["b", "c"], "beyond"));
    assert_eq!(segment.wye.drops("a", "reserved_group"), before + 16);
}

fn every_switch_is_told_as_it_was_set(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    let told = || serde_json::to_value(segment.wye.port("a").settings).expect("settings are JSON");
    for switch in ["learning", "flood", "bcast_flood", "mcast_flood", "isolated", "hairpin"] {
        let word = format!("--{}", switch.replace('_', "-"));
        let before = told()[switch].as_bool().expect("a switch");
        segment.set("a", &word, if before { "off" } else { "on" });
        assert_eq!(told()[switch], !before, "{switch}");
    }
    segment.set("a", "--max-macs", "7");
    assert_eq!(told()["max_macs"], 7);
}

fn is_up(segment: &Segment, name: &str) -> bool {
    segment.wye.port(name).up
}

fn set_interface(segment: &Segment, name: &str, state: &str) {
    segment.container(name).run("ip", &["link", "set", "eth0", state]);
}

fn frames_to_an_interface_that_is_down_are_counted_drops(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    set_interface(&segment, "b", "down");
    wait_until("the port is known to be down", || !is_up(&segment, "b"));
    let delivered = || ["b", "c"].map(|name| segment.wye.port(name).counters.tx_frames);
    let (before, dropped) = (delivered(), segment.wye.drops("a", "egress_gone"));
    for _ in 0..10 {
        segment.send("a", segment.mac("b"), segment.mac("a"), "to nobody");
        segment.send("a", MacAddr::BROADCAST, segment.mac("a"), "to the others");
    }
    segment.wye.wait_for_idleness();
    assert_eq!(segment.wye.drops("a", "egress_gone"), dropped + 10);
    assert_eq!(delivered(), [before[0], before[1] + 10]);
    set_interface(&segment, "b", "up");
    wait_until("the port is known to be up", || is_up(&segment, "b"));
    assert_eq!(reached(&segment, segment.mac("b")), by(&["b"], "hello"));
}

#[test]
fn an_interface_that_comes_up_while_no_daemon_runs_is_heard_and_hears() {
    let mut segment = Segment::start(Mode::Ebpf, &[]);
    set_interface(&segment, "b", "down");
    wait_until("the port is known to be down", || !is_up(&segment, "b"));
    segment.wye.kill_daemon();
    set_interface(&segment, "b", "up");
    let to = segment.container("a").ip(Family::V4);
    wait_until("b reaches a", || segment.container("b").pings(&to));
    segment.wye.start_daemon();
}

fn a_port_takes_what_its_network_s_uplink_takes(mode: Mode) {
    let wye = Wye::start(mode);
    let ip = |args: &[&str]| netns::run(wye.host(), "ip", args);
    ip(&["link", "add", "up0", "mtu", "9000", "type", "veth", "peer", "name", "far0", "mtu", "9000"]);
    for end in ["up0", "far0"] {
        ip(&["link", "set", end, "up"]);
    }
    wye.ok(&["network", "create", "red", "--subnet", "10.1.0.0/16", "--opt", "uplink=up0"]);
    let a = wye.container("a", "red");
    assert_eq!([wye.port("a").mtu, wye.port("up0").mtu], [9000, 9000]);
    assert!(a.run("ip", &["link", "show", "eth0"]).contains("mtu 9000"));
    ip(&["link", "set", "up0", "mtu", "1400"]);
    wait_until("the uplink's port follows", || wye.port("up0").mtu == 1400);
    a.run("ip", &["link", "set", "eth0", "mtu", "2000"]);
    wait_until("the endpoint's port follows", || wye.port("a").mtu == 2000);
    let sent = |len: usize| {
        let src = a.mac().parse().expect("a MAC");
        Sender::open(a.netns(), "eth0").send(&build::eth(MacAddr::BROADCAST, src, EXPERIMENT, &vec![0; len]));
        wye.wait_for_idleness();
        wye.drops("up0", "too_big")
    };
    assert_eq!([sent(1400), sent(1401)], [0, 1]);
    ip(&["link", "delete", "up0"]);
}
