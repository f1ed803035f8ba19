//! Storm control: which floods a limited port may still start.

use switch_common::{
    DropReason, FloodKind, Verdict,
    abi::{
        addr::{MacAddr, Slot},
        port::PortFlags,
        storm::StormLimit,
    },
    stage::{headers::Headers, pipeline},
    units::Nanos,
    wire::{eth, udp},
};

use crate::{
    build,
    double::{DOMAIN, TestClock, TestFrame, TestTables, mac, port, ready},
};

const LIMITED: PortFlags = ready(PortFlags::DEFAULT).with(PortFlags::STORM, true);
const GROUP: MacAddr = MacAddr::new([1, 0, 0x5e, 0x7f, 0, 1]);
const KINDS: [(FloodKind, MacAddr); 3] = [
    (FloodKind::UnknownUnicast, mac(100)),
    (FloodKind::Broadcast, MacAddr::BROADCAST),
    (FloodKind::Multicast, GROUP),
];
const TOO_MANY: Verdict = Verdict::drop(DropReason::Storm);

/// Two ports of which the first has limits.
fn limited(limits: &[(FloodKind, StormLimit)]) -> TestTables {
    let tables = TestTables::with_ports(2);
    tables.set_port(1, DOMAIN, 0, LIMITED);
    for (kind, limit) in limits {
        tables.limit(1, *kind, *limit);
    }
    tables
}

fn to(dst: MacAddr) -> TestFrame {
    TestFrame::new(build::eth(dst, mac(1), 0x88b5, b"payload"))
}

fn run(tables: &TestTables, clock: &TestClock, frame: &TestFrame) -> Verdict {
    pipeline::run(frame, &mut { Headers::EMPTY }, port(1), tables, clock)
}

#[test]
fn a_burst_passes_then_one_frame_an_interval_and_the_rest_is_counted_at_its_sender() {
    for (kind, dst) in KINDS {
        let tables = limited(&[(kind, StormLimit::new(10, 3))]);
        let clock = TestClock::at_secs(1000);
        let passed = |times: u32| {
            (0..times).filter(|_| run(&tables, &clock, &to(dst)) == Verdict::flood(kind)).count()
        };
        assert_eq!(passed(5), 3, "{kind:?}");
        assert_eq!(*tables.drops.borrow(), [(Slot(1), DropReason::Storm); 2]);
        clock.advance(Nanos(Nanos::PER_SEC / 10));
        assert_eq!(passed(5), 1, "{kind:?}");
        clock.advance(Nanos(Nanos::PER_SEC));
        assert_eq!(passed(5), 3, "{kind:?}: silence earns a burst and no more");
    }
}

#[test]
fn each_kind_has_its_own_limit_and_what_is_not_flooded_has_none() {
    let tables = limited(&[(FloodKind::Broadcast, StormLimit::new(1, 1))]);
    let clock = TestClock::at_secs(1000);
    for _ in 0..2 {
        run(&tables, &clock, &to(MacAddr::BROADCAST));
        assert_eq!(run(&tables, &clock, &to(GROUP)), Verdict::flood(FloodKind::Multicast));
        assert_eq!(run(&tables, &clock, &to(mac(100))), Verdict::flood(FloodKind::UnknownUnicast));
    }
    assert_eq!(run(&tables, &clock, &to(MacAddr::BROADCAST)), TOO_MANY);
    let guest = TestFrame::new(build::eth(mac(1), mac(100), 0x88b5, b"here I am"));
    pipeline::run(&guest, &mut { Headers::EMPTY }, port(2), &tables, &clock);
    assert_eq!(run(&tables, &clock, &to(mac(100))), Verdict::forward(port(2)));
}

#[test]
fn a_port_without_the_flag_is_not_held_to_a_limit() {
    let tables = limited(&[(FloodKind::Broadcast, StormLimit::new(1, 1))]);
    tables.set_port(1, DOMAIN, 0, ready(PortFlags::DEFAULT));
    let clock = TestClock::at_secs(1000);
    for _ in 0..3 {
        assert_eq!(run(&tables, &clock, &to(MacAddr::BROADCAST)), Verdict::flood(FloodKind::Broadcast));
    }
}

#[test]
fn a_super_frame_is_charged_as_the_frames_that_it_will_become() {
    let packet = build::ipv4(udp::PROTO, &build::udp(1, 2, &[0; 1000]));
    let frame = TestFrame {
        segment_size: 100,
        ..TestFrame::new(build::eth(MacAddr::BROADCAST, mac(1), eth::TYPE_IPV4, &packet))
    };
    let verdict = |burst| {
        let tables = limited(&[(FloodKind::Broadcast, StormLimit::new(1, burst))]);
        let clock = TestClock::at_secs(1000);
        [run(&tables, &clock, &frame), run(&tables, &clock, &to(MacAddr::BROADCAST))]
    };
    let flood = Verdict::flood(FloodKind::Broadcast);
    assert_eq!(verdict(9), [TOO_MANY, flood]);
    assert_eq!(verdict(10), [flood, TOO_MANY]);
    assert_eq!(verdict(11), [flood, flood]);
}

#[test]
fn a_frame_passes_though_other_cpus_are_quicker_a_few_times_and_not_for_ever() {
    let tables = limited(&[(FloodKind::Broadcast, StormLimit::new(1, 9))]);
    let clock = TestClock::at_secs(1000);
    tables.refuse_charges.set(3);
    assert_eq!(run(&tables, &clock, &to(MacAddr::BROADCAST)), Verdict::flood(FloodKind::Broadcast));
    tables.refuse_charges.set(4);
    assert_eq!(run(&tables, &clock, &to(MacAddr::BROADCAST)), TOO_MANY);
}
