//! `--fdb`: what a full FDB costs over a nearly empty one.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use switch_common::abi::MAX_FDB_ENTRIES;

use crate::{
    cpus::Cpus,
    measure::{self, Rate},
    probe::Probe,
    report::{self, Bound, Effort, Target},
    rounds::{Plan, Rounds},
    stats::Estimate,
    topology::{Lane, Netfilter, Wye},
};

const FEW: u32 = 16;
const MANY: u32 = MAX_FDB_ENTRIES;
const BOUND: Bound = Bound::AtMost(1.3);

/// What was found.
#[derive(Serialize)]
pub(crate) struct Report {
    effort: Effort,
    few: u32,
    many: u32,
    switches: Vec<Switch>,
    targets: Vec<Target>,
}

/// One switch. Added times are over direct; ratios are of two added times in the same round.
#[derive(Serialize)]
struct Switch {
    name: &'static str,
    /// Few entries, frames to each of them in turn.
    added_ns_few: Estimate,
    /// Many entries, frames to few of them.
    added_ns_full: Estimate,
    /// Many entries, frames to each of them in turn: no entry is in a near cache.
    added_ns_sweep: Estimate,
    full_to_few: Estimate,
    sweep_to_few: Estimate,
}

/// Measures.
///
/// # Errors
/// Something cannot be made or measured.
pub(crate) fn run(plan: &Plan, cpus: Cpus) -> Result<Report> {
    let mut probe = Probe::load()?;
    let wye = |name| Lane::wye(name, Wye::ebpf()?);
    let bridge = |name| Lane::bridge(name, Netfilter::Off);
    let lanes = [
        Lane::direct("direct")?.spread(MANY),
        wye("wye-ebpf, few")?.fill(FEW)?.spread(FEW),
        wye("wye-ebpf, full")?.fill(MANY)?.spread(FEW),
        wye("wye-ebpf, sweep")?.fill(MANY)?.spread(MANY),
        bridge("bridge, few")?.fill(FEW)?.spread(FEW),
        bridge("bridge, full")?.fill(MANY)?.spread(FEW),
        bridge("bridge, sweep")?.fill(MANY)?.spread(MANY),
    ];
    for lane in &lanes {
        probe.watch(lane.receiver())?;
    }
    let entries: Vec<_> = lanes.iter().map(|lane| (lane.name.as_str(), lane.entry())).collect();
    let rounds = measure::rates(&mut probe, &entries, plan, cpus)?;
    Ok(Report::of(&rounds))
}

impl Report {
    fn of(rounds: &Rounds<Rate>) -> Self {
        let switches = vec![Switch::of(rounds, "wye-ebpf", 1), Switch::of(rounds, "bridge", 4)];
        let targets = vec![
            Target::check(
                "added time of wye-ebpf with a full FDB, to that with few entries",
                switches[0].full_to_few,
                BOUND,
            ),
            Target::check(
                "added time of wye-ebpf for a sweep over a full FDB, to that with few entries",
                switches[0].sweep_to_few,
                BOUND,
            ),
        ];
        Self { effort: rounds.effort(), few: FEW, many: MANY, switches, targets }
    }
}

impl Switch {
    /// Of the three lanes from `first` on; lane 0 is direct.
    fn of(rounds: &Rounds<Rate>, name: &'static str, first: usize) -> Self {
        let added = |round: &[Rate], lane: usize| round[first + lane].ns_per_frame - round[0].ns_per_frame;
        let added_ns = |lane| Estimate::of(&rounds.each(|round| added(round, lane)));
        let to_few = |lane| Estimate::of(&rounds.each(|round| added(round, lane) / added(round, 0)));
        Self {
            name,
            added_ns_few: added_ns(0),
            added_ns_full: added_ns(1),
            added_ns_sweep: added_ns(2),
            full_to_few: to_few(1),
            sweep_to_few: to_few(2),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["added ns", "few", "full", "sweep", "full / few", "sweep / few"];
        let rows: Vec<_> = self
            .switches
            .iter()
            .map(|switch| {
                vec![
                    switch.name.to_owned(),
                    report::nanos(switch.added_ns_few),
                    report::nanos(switch.added_ns_full),
                    report::nanos(switch.added_ns_sweep),
                    report::ratio(switch.full_to_few),
                    report::ratio(switch.sweep_to_few),
                ]
            })
            .collect();
        writeln!(f, "{}", report::table(&header, &rows))?;
        writeln!(
            f,
            "few: {few} FDB entries, frames to each in turn; full: {many} entries, frames to {few} of them; \
             sweep: {many} entries, frames to each in turn",
            few = self.few,
            many = self.many
        )?;
        writeln!(f, "{}", self.effort)?;
        report::write_targets(f, &self.targets)
    }
}
