//! `broadcast`: copies of a broadcast that a switch delivers.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    cpus::{self, Cpus},
    environment::Environment,
    frame,
    measure::{self, Rate},
    probe::{Entry, Origin, Probe},
    report::{self, Bound, Effort, Target},
    rounds::Rounds,
    run_args::RunArgs,
    stats::{Estimate, median},
    topology::{Lane, Netfilter, Wye},
};

const WYE_EBPF: &str = "wye-ebpf";
const WYE_USERSPACE: &str = "wye-userspace";
const BRIDGE: &str = "bridge";
const BRIDGE_NETFILTER: &str = "bridge-nf";
const BRIDGE_AGAIN: &str = "bridge2";

/// Measure how many copies of broadcasts are delivered to many containers.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Containers on each switch.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u8).range(2..=250))]
    ports: u8,
    /// Who puts the broadcasts.
    #[arg(long, value_enum, default_value_t = Origin::Driver)]
    origin: Origin,
    #[command(flatten)]
    run: RunArgs,
}

/// What was found.
#[derive(Serialize)]
struct Report {
    environment: Environment,
    ports: u8,
    origin: Origin,
    effort: Effort,
    paths: Vec<Path>,
    targets: Vec<Target>,
}

/// One path.
#[derive(Serialize)]
struct Path {
    name: String,
    million_copies_per_second: f64,
    ns_per_copy: Estimate,
    /// Of the rates, in the same round.
    rate_to_bridge: Estimate,
    loss: f64,
}

/// Measures and reports.
///
/// # Errors
/// Something cannot be made or measured.
pub(crate) fn run(args: &Args, stop: Arc<AtomicBool>) -> Result<()> {
    let plan = args.run.plan(stop);
    let cpus = Cpus::choose()?;
    let lanes = [
        Lane::wye(WYE_EBPF, Wye::ebpf()?)?,
        Lane::wye(WYE_USERSPACE, Wye::userspace(|| cpus::take(cpus.other))?)?,
        Lane::bridge(BRIDGE, Netfilter::Off)?,
        Lane::bridge(BRIDGE_NETFILTER, Netfilter::Rules(1))?,
        Lane::bridge(BRIDGE_AGAIN, Netfilter::Off)?,
    ];
    let lanes = lanes.into_iter().map(|lane| lane.crowd(args.ports)).collect::<Result<Vec<_>>>()?;
    let first = lanes.first().context("there are paths")?;
    let environment = Environment::of(first);
    print!("{environment}");
    let mut probe = Probe::load()?;
    for container in lanes.iter().flat_map(Lane::receivers) {
        probe.watch(container)?;
    }
    let frame = frame::udp(first.sender().mac(), frame::BROADCAST, first.sender().ip(), frame::BROADCAST_IP);
    let arrivals = u32::from(args.ports) - 1;
    let entries: Vec<_> = lanes
        .iter()
        .map(|lane| {
            let entry = match args.origin {
                Origin::Driver => lane.flooding_entry(&frame),
                Origin::Container => lane.sending_entry(&frame)?,
            };
            Ok((lane.name.as_str(), Entry { arrivals, ..entry }))
        })
        .collect::<Result<_>>()?;
    let rounds = measure::rates(&mut probe, &entries, &plan, cpus)?;
    let names: Vec<_> = lanes.iter().map(|lane| lane.name.as_str()).collect();
    let report = Report::of(environment, args, &rounds, &names)?;
    print!("\n{report}");
    args.run.write(&report)
}

impl Report {
    fn of(environment: Environment, args: &Args, rounds: &Rounds<Rate>, names: &[&str]) -> Result<Self> {
        let position = |name: &str| {
            names.iter().position(|known| *known == name).with_context(|| format!("no path {name}"))
        };
        let to = |lane: usize, rival: usize| {
            Estimate::of(&rounds.each(|round| round[lane].mpps() / round[rival].mpps()))
        };
        let (ebpf, bridge) = (position(WYE_EBPF)?, position(BRIDGE)?);
        let paths = names
            .iter()
            .enumerate()
            .map(|(lane, name)| Path {
                name: (*name).to_owned(),
                million_copies_per_second: median(&rounds.each(|round| round[lane].mpps())),
                ns_per_copy: Estimate::of(&rounds.each(|round| round[lane].ns_per_frame)),
                rate_to_bridge: to(lane, bridge),
                loss: median(&rounds.each(|round| round[lane].loss)),
            })
            .collect();
        let targets = vec![
            Target::check(
                "copies per second of wye-ebpf over the bridge's (br_netfilter off)",
                to(ebpf, bridge),
                Bound::AtLeast(0.9),
            ),
            Target::check(
                "copies per second of wye-ebpf over the bridge's (br_netfilter on)",
                to(ebpf, position(BRIDGE_NETFILTER)?),
                Bound::AtLeast(0.9),
            ),
        ];
        let Args { ports, origin, .. } = *args;
        Ok(Self { environment, ports, origin, effort: rounds.effort(), paths, targets })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["broadcast", "million copies/s", "ns/copy", "rate / bridge's", "lost"];
        let rows: Vec<_> = self
            .paths
            .iter()
            .map(|path| {
                vec![
                    path.name.clone(),
                    format!("{:.3}", path.million_copies_per_second),
                    report::nanos(path.ns_per_copy),
                    report::ratio(path.rate_to_bridge),
                    format!("{:.1} %", path.loss * 100.0),
                ]
            })
            .collect();
        writeln!(f, "{}", report::table(&header, &rows))?;
        let putter = match self.origin {
            Origin::Driver => "a driver",
            Origin::Container => "a container",
        };
        writeln!(f, "{} ports; broadcasts put by {putter}; {}", self.ports, self.effort)?;
        report::write_targets(f, &self.targets)
    }
}
