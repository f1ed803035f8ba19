//! Storm control by real frames, over either datapath: what a limited port may have flooded, and what becomes of the rest.

use std::time::Instant;

use switch_common::abi::addr::MacAddr;
use switch_userspace::datapath::Mode;
use wye_tests::{
    both_datapaths,
    support::{
        packet::{
            build,
            socket::{Capture, Sender},
        },
        segment::{EXPERIMENT, Segment},
        topology::wait_until,
    },
};

both_datapaths!(
    each_kind_of_flood_has_a_limit_of_its_own,
    storm_delivers_what_the_limit_gives_and_the_rest_is_counted,
    what_is_not_flooded_passes_during_a_storm,
    limit_outlives_a_crash_and_goes_with_rate_0,
    limit_that_makes_no_sense_changes_nothing_and_is_told,
);

const STRANGER: MacAddr = MacAddr::new([2, 0xbb, 0, 0, 0, 1]);
const GROUP: MacAddr = MacAddr::new([1, 0, 0x5e, 0x7f, 0, 1]);
/// Frames that are sent before the switch has to have seen them all: a receive ring has room for them.
const BATCH: u64 = 500;

fn limit(segment: &Segment, text: &str) {
    segment.set("a", "--storm", text);
}

/// Sends `count` frames from `a`, and returns when the switch has seen them all.
fn send(segment: &Segment, dst: MacAddr, count: u64) {
    let frame = build::eth(dst, segment.mac("a"), EXPERIMENT, b"storm");
    let mut sender = Sender::open(segment.container("a").netns(), "eth0");
    let seen = || segment.wye.port("a").counters.rx_frames;
    let before = seen();
    for sent in 1..=count {
        sender.send(&frame);
        if sent % BATCH == 0 || sent == count {
            wait_until("the switch has seen every frame", || seen() >= before + sent);
        }
    }
}

/// How many of `count` frames from `a` reach each of the others: as many one as the other, and the rest is counted at `a`.
fn delivered(segment: &Segment, dst: MacAddr, count: u64) -> u64 {
    let captures = ["b", "c"].map(|name| Capture::start(segment.container(name).netns(), "eth0"));
    let before = segment.wye.drops("a", "storm");
    send(segment, dst, count);
    let passed = count - (segment.wye.drops("a", "storm") - before);
    for capture in captures {
        wait_until("what was not dropped arrives", || capture.count() >= passed);
        assert_eq!(capture.finish().len() as u64, passed);
    }
    passed
}

fn each_kind_of_flood_has_a_limit_of_its_own(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    // At one frame in many seconds' worth of test, a burst is all there is; the clock may give one more.
    let kinds = [("bcast", MacAddr::BROADCAST), ("mcast", GROUP), ("unicast", STRANGER)];
    for (kind, dst) in kinds {
        limit(&segment, &format!("{kind}=1/7"));
        let began = Instant::now();
        let passed = delivered(&segment, dst, 100);
        assert!((7..=7 + began.elapsed().as_secs() + 1).contains(&passed), "{kind}: {passed}");
        for (other, dst) in kinds.into_iter().filter(|(other, _)| *other != kind) {
            assert_eq!(delivered(&segment, dst, 20), 20, "{kind} limited, {other}");
        }
        limit(&segment, &format!("{kind}=0"));
        assert_eq!(delivered(&segment, dst, 20), 20, "{kind} without its limit");
    }
}

fn storm_delivers_what_the_limit_gives_and_the_rest_is_counted(mode: Mode) {
    const RATE: u64 = 1_000;
    const BURST: u64 = 200;
    const STORM: u64 = 20_000;
    let segment = Segment::start(mode, &[]);
    limit(&segment, &format!("bcast={RATE}/{BURST}"));
    let began = Instant::now();
    let passed = delivered(&segment, MacAddr::BROADCAST, STORM);
    let millis = u64::try_from(began.elapsed().as_millis()).expect("a short time");
    let earned = RATE * (millis + 1) / 1_000;
    assert!((BURST..=BURST + earned).contains(&passed), "{passed} of {STORM} in {millis} ms");
}

fn what_is_not_flooded_passes_during_a_storm(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    limit(&segment, "bcast=1/1");
    send(&segment, MacAddr::BROADCAST, 50);
    let b = segment.mac("b");
    let heard = segment.heard(|| {
        for number in 0..20 {
            segment.send("a", MacAddr::BROADCAST, segment.mac("a"), "storm");
            segment.send("a", b, segment.mac("a"), &format!("calm {number}"));
        }
    });
    let calm: Vec<_> = heard["b"].iter().filter(|payload| payload.starts_with("calm")).collect();
    assert_eq!(calm.len(), 20, "{heard:?}");
    // Another port's floods are its own affair.
    let heard = segment.heard(|| segment.send("c", MacAddr::BROADCAST, segment.mac("c"), "hello"));
    assert_eq!(heard["b"], ["hello"]);
}

fn limit_outlives_a_crash_and_goes_with_rate_0(mode: Mode) {
    let mut segment = Segment::start(mode, &[]);
    limit(&segment, "bcast=1/3");
    segment.wye.kill_daemon();
    segment.wye.start_daemon();
    let told = |segment: &Segment| {
        let settings = serde_json::to_value(segment.wye.port("a").settings).expect("settings are JSON");
        settings["storm"]["bcast"].clone()
    };
    assert_eq!(told(&segment), serde_json::json!({"rate": 1, "burst": 3}));
    assert!(delivered(&segment, MacAddr::BROADCAST, 100) < 50);
    assert!(segment.wye.ok(&["port", "show", "a"]).contains("bcast=1/3"));
    limit(&segment, "bcast=0");
    assert_eq!(told(&segment), serde_json::json!({"rate": 0, "burst": 0}));
    assert_eq!(delivered(&segment, MacAddr::BROADCAST, 100), 100);
}

fn limit_that_makes_no_sense_changes_nothing_and_is_told(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    limit(&segment, "bcast=5/6");
    let before = segment.wye.port("a").settings;
    for (text, told) in [
        ("bcast=-5", "RATE/BURST"),
        ("bcast=5/0", "RATE/BURST"),
        ("bcast=99999999999", "10000000"),
        ("all=5", "bcast=RATE[/BURST]"),
    ] {
        let failure = segment.wye.fails(&["port", "set", "a", "--storm", text]);
        assert_eq!(failure.code, 2, "{text}");
        assert!(failure.stderr.contains(told), "{text}: {}", failure.stderr);
    }
    assert_eq!(segment.wye.port("a").settings, before);
}
