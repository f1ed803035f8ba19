//! `--tcp`: throughput of one TCP stream by iperf3.

use std::fmt;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::{
    cpus::{self, Cpus},
    disturbance, iperf,
    report::{self, Bound, Effort, Target},
    rounds::{self, Plan, Rounds},
    stats::Estimate,
    topology::{Lane, Netfilter, Wye},
};

/// iperf3 counts in whole seconds.
const SECONDS: u32 = 1;

const BRIDGE: usize = 0;
const WYE_EBPF: usize = 1;
const WYE_USERSPACE: usize = 2;

/// What was found.
#[derive(Serialize)]
pub(crate) struct Report {
    effort: Effort,
    paths: Vec<Path>,
    targets: Vec<Target>,
}

/// One path.
#[derive(Serialize)]
struct Path {
    name: String,
    gbits_per_second: Estimate,
    /// In the same round.
    to_bridge: Estimate,
}

/// Measures.
///
/// # Errors
/// Something cannot be made or measured.
pub(crate) fn run(plan: &Plan, cpus: Cpus) -> Result<Report> {
    let lanes = [
        Lane::bridge("bridge", Netfilter::Off)?,
        Lane::wye("wye-ebpf", Wye::ebpf()?)?,
        Lane::wye("wye-userspace", Wye::userspace(userspace_threads)?)?,
        Lane::direct("direct")?,
    ];
    let rounds = rounds::run(plan, lanes.len(), |lane| {
        let Some(lane) = lanes.get(lane) else { bail!("there is no path {lane}") };
        let stream = || iperf::one_stream(lane.sender(), lane.receiver(), SECONDS, cpus);
        Ok(disturbance::watch_machine(stream)?.taken())
    })?;
    Ok(Report::of(&rounds, &lanes))
}

/// They run where there is room beside sender and receiver.
fn userspace_threads() -> Result<()> {
    cpus::run_first();
    Ok(())
}

impl Report {
    fn of(rounds: &Rounds<f64>, lanes: &[Lane]) -> Self {
        let to_bridge = |lane: usize| Estimate::of(&rounds.each(|round| round[lane] / round[BRIDGE]));
        let paths = lanes
            .iter()
            .enumerate()
            .map(|(lane, Lane { name, .. })| Path {
                name: name.clone(),
                gbits_per_second: Estimate::of(&rounds.each(|round| round[lane] / 1e9)),
                to_bridge: to_bridge(lane),
            })
            .collect();
        let targets = vec![
            Target::check(
                "TCP throughput of wye-ebpf over the bridge's (br_netfilter off)",
                to_bridge(WYE_EBPF),
                Bound::AtLeast(1.0),
            ),
            Target::check(
                "TCP throughput of wye-userspace over the bridge's (br_netfilter off)",
                to_bridge(WYE_USERSPACE),
                Bound::AtLeast(0.5),
            ),
        ];
        Self { effort: rounds.effort(), paths, targets }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self
            .paths
            .iter()
            .map(|path| {
                vec![path.name.clone(), report::ratio(path.gbits_per_second), report::ratio(path.to_bridge)]
            })
            .collect();
        writeln!(f, "{}", report::table(&["one TCP stream", "Gbit/s", "to the bridge's"], &rows))?;
        writeln!(f, "{}", self.effort)?;
        report::write_targets(f, &self.targets)
    }
}
