//! Every path side by side: the time that it adds to a frame.

use std::fmt;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    cpus::{self, Cpus},
    frame,
    measure::{self, Rate},
    probe::Probe,
    report::{self, Bound, Effort, Target},
    rounds::{Plan, Rounds},
    stats::{Estimate, median},
    topology::{Lane, Netfilter, Wye},
};

const DIRECT: &str = "direct";
const DIRECT_AGAIN: &str = "direct2";
const WYE_EBPF: &str = "wye-ebpf";
const WYE_UNGUARDED: &str = "wye-ebpf-unguarded";
const WYE_USERSPACE: &str = "wye-userspace";
const BRIDGE: &str = "bridge";
const BRIDGE_NETFILTER: &str = "bridge-nf";
const BRIDGE_RULES: &str = "bridge-nf-rules";

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
    mpps: f64,
    ns_per_frame: f64,
    /// Over `direct`, in the same round.
    added_ns: Estimate,
    /// Of the added times, in the same round.
    added_to_bridge: Estimate,
    /// Of the rates, in the same round.
    rate_to_bridge: Estimate,
    loss: f64,
}

/// Measures.
///
/// # Errors
/// Something cannot be made or measured.
pub(crate) fn run(plan: &Plan, cpus: Cpus, rules: Option<u32>) -> Result<Report> {
    let mut probe = Probe::load()?;
    let lanes = lanes(rules, cpus)?;
    for lane in &lanes {
        probe.watch(lane.receiver())?;
    }
    let mut entries: Vec<_> = lanes.iter().map(|lane| (lane.name.as_str(), lane.entry())).collect();
    let ebpf = lanes.iter().find(|lane| lane.name == WYE_EBPF).context("there is a path of wye")?;
    let open = ebpf.others().last().context("it has an unguarded container")?;
    let frame = frame::udp(open.mac(), ebpf.receiver().mac(), open.ip(), ebpf.receiver().ip());
    entries.push((WYE_UNGUARDED, ebpf.entry_from(open, &frame)?));
    let rounds = measure::rates(&mut probe, &entries, plan, cpus)?;
    let names: Vec<_> = entries.iter().map(|(name, _)| *name).collect();
    Report::of(&rounds, &names)
}

fn lanes(rules: Option<u32>, cpus: Cpus) -> Result<Vec<Lane>> {
    let mut lanes = vec![
        Lane::direct(DIRECT)?,
        Lane::wye(WYE_EBPF, Wye::ebpf()?)?.with_unguarded()?,
        Lane::wye(WYE_USERSPACE, Wye::userspace(|| cpus::take(cpus.other))?)?,
        Lane::bridge(BRIDGE, Netfilter::Off)?,
        Lane::bridge(BRIDGE_NETFILTER, Netfilter::Rules(1))?,
    ];
    if let Some(count) = rules {
        lanes.push(Lane::bridge(BRIDGE_RULES, Netfilter::Rules(count))?);
    }
    lanes.push(Lane::direct(DIRECT_AGAIN)?);
    Ok(lanes)
}

impl Report {
    fn of(rounds: &Rounds<Rate>, names: &[&str]) -> Result<Self> {
        let position = |name: &str| {
            names.iter().position(|known| *known == name).with_context(|| format!("no path {name}"))
        };
        let direct = position(DIRECT)?;
        let bridge = position(BRIDGE)?;
        let added = |lane: usize, round: &[Rate]| round[lane].ns_per_frame - round[direct].ns_per_frame;
        let (guarded, unguarded) = (position(WYE_EBPF)?, position(WYE_UNGUARDED)?);
        let paths: Vec<Path> = names
            .iter()
            .enumerate()
            .map(|(lane, name)| Path {
                name: (*name).to_owned(),
                mpps: median(&rounds.each(|round| round[lane].mpps())),
                ns_per_frame: median(&rounds.each(|round| round[lane].ns_per_frame)),
                added_ns: Estimate::of(&rounds.each(|round| added(lane, round))),
                added_to_bridge: Estimate::of(
                    &rounds.each(|round| added(lane, round) / added(bridge, round)),
                ),
                rate_to_bridge: Estimate::of(&rounds.each(|round| round[lane].mpps() / round[bridge].mpps())),
                loss: median(&rounds.each(|round| round[lane].loss)),
            })
            .collect();
        let targets = vec![
            Target::check(
                "added time of wye-ebpf over the bridge's (br_netfilter off)",
                paths[guarded].added_to_bridge,
                Bound::AtMost(0.35),
            ),
            Target::check(
                "added time of wye-ebpf over that of wye-ebpf-unguarded",
                Estimate::of(&rounds.each(|round| added(guarded, round) / added(unguarded, round))),
                Bound::AtMost(1.1),
            ),
            Target::check(
                "frames per second of wye-userspace over the bridge's (br_netfilter off)",
                paths[position(WYE_USERSPACE)?].rate_to_bridge,
                Bound::AtLeast(0.25),
            ),
        ];
        Ok(Self { effort: rounds.effort(), paths, targets })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["path", "Mpps", "ns/frame", "added ns", "added / bridge's", "rate / bridge's", "lost"];
        let rows: Vec<_> = self
            .paths
            .iter()
            .map(|path| {
                vec![
                    path.name.clone(),
                    format!("{:.3}", path.mpps),
                    format!("{:.0}", path.ns_per_frame),
                    report::nanos(path.added_ns),
                    report::ratio(path.added_to_bridge),
                    report::ratio(path.rate_to_bridge),
                    format!("{:.1} %", path.loss * 100.0),
                ]
            })
            .collect();
        writeln!(f, "{}", report::table(&header, &rows))?;
        writeln!(f, "{}", self.effort)?;
        report::write_targets(f, &self.targets)
    }
}
