//! The FDB by real frames, over either datapath: learning, ageing, moving, entries set by hand, flushing, the cap.

use std::time::{Duration, Instant};

use switch_common::abi::addr::MacAddr;
use switch_userspace::{api::types::FdbType, datapath::Mode};
use wye_tests::{
    both_datapaths,
    support::{
        segment::{Heard, NETWORK, Segment, by},
        topology::wait_until,
    },
};

both_datapaths!(
    station_is_learned_where_it_sends_from,
    port_with_learning_off_learns_nobody,
    endpoint_is_known_without_learning,
    station_ages_from_its_last_frame,
    station_moves_with_its_frames,
    entry_set_by_hand_does_not_move_by_frames,
    flush_takes_learned_entries_of_a_port_or_a_network_and_all_where_asked,
    source_beyond_the_cap_is_a_counted_drop,
);

/// A station behind some port, other than the endpoint itself.
const GUEST: MacAddr = guest(1);

const fn guest(number: u8) -> MacAddr {
    MacAddr::new([2, 0xbb, 0, 0, 0, number])
}

/// Who hears a frame from `a` to the guest.
fn reached(segment: &Segment) -> Heard {
    segment.heard(|| segment.send("a", GUEST, segment.mac("a"), "to the guest"))
}

fn assert_goes_to(segment: &Segment, names: &[&'static str]) {
    assert_eq!(reached(segment), by(names, "to the guest"));
}

fn kind_of(segment: &Segment, mac: MacAddr) -> Option<(FdbType, String)> {
    segment.wye.fdb_entry(&mac.to_string()).map(|entry| (entry.kind, entry.port))
}

fn station_is_learned_where_it_sends_from(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    assert_goes_to(&segment, &["b", "c"]);
    segment.learn(GUEST, "b");
    let entry = segment.wye.fdb_entry(&GUEST.to_string()).expect("just learned");
    assert_eq!((entry.kind, entry.network.as_str()), (FdbType::Learned, NETWORK));
    assert!(entry.age_secs < Some(10), "{entry:?}");
    assert_eq!(segment.wye.port("b").learned, 1);
    assert_goes_to(&segment, &["b"]);
}

fn port_with_learning_off_learns_nobody(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    segment.set("b", "--learning", "off");
    let heard = segment.heard(|| segment.send("b", MacAddr::BROADCAST, GUEST, "hello"));
    assert_eq!(heard, by(&["a", "c"], "hello"));
    assert_eq!(kind_of(&segment, GUEST), None);
    assert_goes_to(&segment, &["b", "c"]);
    segment.set("b", "--learning", "on");
    segment.learn(GUEST, "b");
}

fn endpoint_is_known_without_learning(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    for name in ["a", "b", "c"] {
        segment.set(name, "--learning", "off");
    }
    let b = segment.mac("b");
    assert_eq!(kind_of(&segment, b), Some((FdbType::Endpoint, "b".into())));
    assert_eq!(segment.heard(|| segment.send("a", b, segment.mac("a"), "to b")), by(&["b"], "to b"));
}

fn station_ages_from_its_last_frame(mode: Mode) {
    let segment = Segment::start(mode, &["--opt", "ageing=3"]);
    segment.learn(GUEST, "b");
    // It goes on sending, so it stays longer than its first frame's age.
    let first = Instant::now();
    let mut last = first;
    while first.elapsed() < Duration::from_secs(4) {
        last = Instant::now();
        segment.send("b", segment.mac("b"), GUEST, "still here");
        assert!(kind_of(&segment, GUEST).is_some(), "{:?}", first.elapsed());
    }
    wait_until("the station is forgotten", || kind_of(&segment, GUEST).is_none());
    // The clock of the kernel programs ticks coarsely, and an entry is refreshed four times a second.
    assert!(last.elapsed() > Duration::from_millis(2_700), "{:?}", last.elapsed());
    assert_goes_to(&segment, &["b", "c"]);
    wait_until("its account is settled", || segment.wye.port("b").learned == 0);
}

fn station_moves_with_its_frames(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    segment.learn(GUEST, "b");
    segment.learn(GUEST, "c");
    assert_eq!((segment.wye.port("b").learned, segment.wye.port("c").learned), (0, 1));
    assert_goes_to(&segment, &["c"]);
}

fn entry_set_by_hand_does_not_move_by_frames(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    let mac = GUEST.to_string();
    for (word, kind) in [("static", FdbType::Static), ("sticky", FdbType::Sticky)] {
        segment.wye.ok(&["fdb", "add", &mac, "dev", "b", word]);
        let heard = segment.heard(|| segment.send("c", MacAddr::BROADCAST, GUEST, "I am here"));
        assert_eq!(heard, by(&["a", "b"], "I am here"));
        assert_eq!(kind_of(&segment, GUEST), Some((kind, "b".into())));
        assert_goes_to(&segment, &["b"]);
        let moved = ["fdb", "add", &mac, "dev", "c", word];
        assert_eq!(segment.wye.fails(&moved).code, 4);
        assert_goes_to(&segment, &["b"]);
        segment.wye.ok(&[&moved[..], &["--replace"]].concat());
        assert_goes_to(&segment, &["c"]);
        segment.wye.ok(&["fdb", "del", &mac]);
        assert_goes_to(&segment, &["b", "c"]);
    }
}

fn flush_takes_learned_entries_of_a_port_or_a_network_and_all_where_asked(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    let by_hand = guest(9);
    let learn_both = || {
        segment.learn(guest(1), "b");
        segment.learn(guest(2), "c");
    };
    let there = || [1, 2, 9].map(|number| kind_of(&segment, guest(number)).is_some());
    segment.wye.ok(&["fdb", "add", &by_hand.to_string(), "dev", "b", "static"]);
    learn_both();
    segment.wye.ok(&["fdb", "flush", "dev", "b"]);
    assert_eq!(there(), [false, true, true]);
    learn_both();
    segment.wye.ok(&["fdb", "flush", "--network", NETWORK]);
    assert_eq!(there(), [false, false, true]);
    assert_eq!((segment.wye.port("b").learned, segment.wye.port("c").learned), (0, 0));
    learn_both();
    segment.wye.ok(&["fdb", "flush", "--network", NETWORK, "--all"]);
    assert_eq!(there(), [false, false, false]);
    assert_eq!(kind_of(&segment, segment.mac("b")), Some((FdbType::Endpoint, "b".into())));
}

fn source_beyond_the_cap_is_a_counted_drop(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    segment.set("b", "--max-macs", "2");
    segment.learn(guest(1), "b");
    segment.learn(guest(2), "b");
    let heard = segment.heard(|| {
        for number in [3, 4] {
            segment.send("b", MacAddr::BROADCAST, guest(number), "one too many");
        }
        segment.send("b", MacAddr::BROADCAST, guest(1), "known");
    });
    assert_eq!(heard, by(&["a", "c"], "known"));
    assert_eq!(segment.wye.drops("b", "mac_limit"), 2);
    let own = segment.mac("b");
    let heard = segment.heard(|| segment.send("b", MacAddr::BROADCAST, own, "myself"));
    assert_eq!(heard, by(&["a", "c"], "myself"));
    segment.wye.ok(&["fdb", "del", &guest(1).to_string()]);
    segment.learn(guest(3), "b");
}
