//! Any sequence of frames on any ports: one outcome each, counted exactly once, and accounts that agree with the FDB.
//!
//! Input: one byte of switches for each of the four ports, then records of port, clock step and frame.

#![no_main]

#[allow(dead_code, reason = "the stages' own tests use more of it")]
#[path = "../../../switch-common/tests/stages/double.rs"]
mod double;

use double::{DOMAIN, TestClock, TestTables};
use libfuzzer_sys::fuzz_target;
use switch_common::{
    DropReason,
    abi::{
        addr::DomainId,
        domain::{DomainConfig, DomainFlags},
        fdb::{FdbEntry, FdbKey, FdbKind},
        neighbour::{Neighbour, NeighbourKey},
        port::{PortConfig, PortFlags},
    },
    stage::{env::Frame, headers::Headers, pipeline},
    units::Nanos,
    verdict::Outcome,
};
use wye_fuzz::FuzzFrame;

const PORTS: u8 = 4;
/// The last port is alone in this one.
const OTHER_DOMAIN: DomainId = DomainId(2);
/// What bits 0 to 5 of a port's byte switch; the two above are its cap of learned MACs.
const SWITCHES: [PortFlags; 6] = [
    PortFlags::READY,
    PortFlags::LEARNING,
    PortFlags::FLOOD,
    PortFlags::ISOLATED,
    PortFlags::HAIRPIN,
    PortFlags::UPLINK,
];
const CLOCK_STEP: Nanos = Nanos::from_secs(2);

fuzz_target!(|input: &[u8]| {
    let Some((switches, mut records)) = input.split_first_chunk() else { return };
    let tables = tables(switches);
    let clock = TestClock::at_secs(1);
    while let Some(record) = wye_fuzz::next_record(&mut records) {
        let Some((&[number, steps], bytes)) = record.split_first_chunk() else { continue };
        let Some(frame) = FuzzFrame::new(bytes) else { continue };
        clock.advance(Nanos(CLOCK_STEP.0 * u64::from(steps)));
        judge(&tables, &clock, number % (PORTS + 1) + 1, &frame);
        check_fdb(&tables);
    }
});

/// The ports with an endpoint's entry and the address 10.0.0.N for each.
fn tables(switches: &[u8; PORTS as usize]) -> TestTables {
    let tables = TestTables::with_ports(0);
    let flags = DomainFlags::SUPPRESS.with(DomainFlags::DROP_UNKNOWN, true);
    tables.domains.borrow_mut().insert(DOMAIN, DomainConfig::new(double::AGEING, flags));
    let other = DomainConfig::new(double::AGEING, DomainFlags::NONE);
    tables.domains.borrow_mut().insert(OTHER_DOMAIN, other);
    for (number, switches) in (1..).zip(switches) {
        let mut flags = PortFlags::NONE;
        for (bit, flag) in SWITCHES.into_iter().enumerate() {
            flags = flags.with(flag, switches >> bit & 1 == 1);
        }
        let domain = if number < PORTS { DOMAIN } else { OTHER_DOMAIN };
        tables.set_port(number, domain, u32::from(switches >> 6), flags);
        let entry = FdbEntry::new(double::port(number), FdbKind::Endpoint, Nanos(0));
        tables.fdb.borrow_mut().insert(FdbKey::new(domain, double::mac(number)), entry);
        let at = Neighbour::new(double::port(number), double::mac(number));
        tables.neighbours.borrow_mut().insert(NeighbourKey::ipv4(domain, [10, 0, 0, number]), at);
    }
    tables
}

/// Runs one frame that came in on port `number`, the one after the last being none, and checks what was counted.
fn judge(tables: &TestTables, clock: &TestClock, number: u8, frame: &FuzzFrame<'_>) {
    let verdict = pipeline::run(frame, &mut { Headers::EMPTY }, double::port(number), tables, clock);
    let outcome = verdict.outcome().expect("every verdict can be read");
    let (rx, tx, drops) = (tables.rx.take(), tables.tx.take(), tables.drops.take());
    if number > PORTS {
        assert_eq!(outcome, Outcome::Drop(DropReason::UnknownPort));
        assert_eq!((rx, tx, drops), (vec![], vec![], vec![(pipeline::NO_SLOT, DropReason::UnknownPort)]));
        return;
    }
    let source = tables.config(number);
    let mut sent = Vec::new();
    let mut dropped = Vec::new();
    match outcome {
        Outcome::Forward(to, _) => {
            let out = tables.ports.borrow()[&to];
            check_egress(&source, &out);
            sent.push((out.slot(), frame.len()));
        }
        Outcome::Drop(reason) | Outcome::Refuse(reason, _) => dropped.push((source.slot(), reason)),
        Outcome::Respond(at) => assert_ne!(at, source.mac()),
        Outcome::ToHost => assert!(source.flags().has(PortFlags::UPLINK)),
        Outcome::Flood(..) | Outcome::Deliver(..) | Outcome::Punt(_) => {}
    }
    assert_eq!((rx, tx, drops), (vec![(source.slot(), frame.len())], sent, dropped));
    let ready = source.flags().has(PortFlags::READY);
    assert_eq!(outcome == Outcome::Drop(DropReason::PortNotReady), !ready);
}

fn check_egress(source: &PortConfig, out: &PortConfig) {
    let both_are = |flag| source.flags().has(flag) && out.flags().has(flag);
    assert_eq!(out.domain(), source.domain());
    assert!(out.flags().has(PortFlags::READY));
    assert!(!both_are(PortFlags::ISOLATED));
    assert!(out.slot() != source.slot() || source.flags().has(PortFlags::HAIRPIN));
}

/// Entries have station addresses and stay in their port's domain; each account is the number of its port's entries.
fn check_fdb(tables: &TestTables) {
    let fdb = tables.fdb.borrow();
    for (key, entry) in fdb.iter() {
        assert!(!key.mac().is_group() && !key.mac().is_zero());
        assert_eq!(tables.ports.borrow()[&entry.port()].domain(), key.domain());
    }
    for number in 1..=PORTS {
        let config = tables.config(number);
        let is_ours = |entry: &&FdbEntry| entry.is_learned() && entry.port() == double::port(number);
        let learned = fdb.values().filter(is_ours).count();
        assert_eq!(usize::try_from(tables.learned(number)), Ok(learned));
        assert!(config.max_macs() == 0 || tables.learned(number) <= config.max_macs());
        assert!(learned == 0 || config.flags().has(PortFlags::LEARNING));
    }
}
