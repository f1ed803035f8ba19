//! `storm`: what a broadcast storm of one container does to two others that talk to each other.

mod echo;
mod sender;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use switch_common::abi::storm::{StormLimit, StormLimits};

use self::{
    echo::{Echo, RoundTrips},
    sender::Storm,
};
use crate::{
    cpus::{self, Cpus},
    disturbance,
    environment::Environment,
    report::{self, Bound, Effort, Target},
    rounds::{self, Rounds},
    run_args::RunArgs,
    stats::{Estimate, median},
    topology::{Lane, Netfilter, Wye},
};

/// Measure round-trip times between two containers while a third one sends broadcasts.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Containers on each switch.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(3..=250))]
    ports: u8,
    /// Broadcasts per second.
    #[arg(long, default_value_t = 100_000)]
    rate: u32,
    /// Let the storm come from the CPU that the two containers are on.
    #[arg(long)]
    same_cpu: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// What the guide sets: `wye port set PORT --storm bcast=100/200`.
const LIMIT: StormLimits = StormLimits { broadcast: StormLimit::new(100, 200), ..StormLimits::NONE };

const BOUND: Bound = Bound::AtMost(2.0);

/// What was found.
#[derive(Serialize)]
struct Report {
    environment: Environment,
    ports: u8,
    rate: u32,
    same_cpu: bool,
    effort: Effort,
    paths: Vec<Path>,
    targets: Vec<Target>,
}

/// One path.
#[derive(Serialize)]
struct Path {
    name: String,
    idle: Latency,
    storm: Latency,
    /// Of the p99s, in the same round.
    p99_to_idle: Estimate,
    /// Frames that the storm's sender got rid of.
    storm_per_second: f64,
}

/// Round-trip times in microseconds.
#[derive(Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p999: f64,
    /// Share of questions without an answer.
    loss: f64,
}

/// One measurement of one path.
struct Measured {
    idle: RoundTrips,
    storm: RoundTrips,
    storm_per_second: f64,
}

/// Measures and reports.
///
/// # Errors
/// Something cannot be made or measured.
pub(crate) fn run(args: &Args, stop: Arc<AtomicBool>) -> Result<()> {
    let plan = args.run.plan(stop);
    let cpus = Cpus::choose()?;
    // Its threads are ordinary ones: at real-time priority they would never let those run that talk.
    let userspace = || Wye::userspace(|| Ok(()));
    let lanes = [
        Lane::wye("wye-ebpf, limited", Wye::ebpf()?.limited(LIMIT))?,
        Lane::wye("wye-userspace, limited", userspace()?.limited(LIMIT))?,
        Lane::wye("wye-ebpf", Wye::ebpf()?)?,
        Lane::wye("wye-userspace", userspace()?)?,
        Lane::bridge("bridge", Netfilter::Off)?,
    ];
    let lanes = lanes.into_iter().map(|lane| lane.crowd(args.ports)).collect::<Result<Vec<_>>>()?;
    let environment = Environment::of(lanes.first().context("there are paths")?);
    print!("{environment}");
    let scenes = lanes.iter().map(Scene::on).collect::<Result<Vec<_>>>()?;
    let storm_cpu = if args.same_cpu { cpus.source } else { cpus.other };
    let duration = Duration::from_secs_f64(plan.seconds);
    let rounds = rounds::run(&plan, lanes.len(), |lane| {
        let Some(scene) = scenes.get(lane) else { bail!("there is no path {lane}") };
        let measured = || {
            Ok(Measured {
                idle: scene.talk(duration, cpus.source)?,
                ..scene.talk_in_storm(duration, cpus.source, f64::from(args.rate), storm_cpu)?
            })
        };
        Ok(disturbance::watch_machine(measured)?.taken())
    })?;
    let report = Report::of(environment, args, &rounds, &lanes);
    print!("\n{report}");
    args.run.write(&report)
}

/// Who talks, and who storms.
struct Scene {
    echo: Echo,
    storm: Storm,
}

impl Scene {
    fn on(lane: &Lane) -> Result<Self> {
        let loud = lane.others().first().context("nobody is there to storm")?;
        Ok(Self { echo: Echo::between(lane.sender(), lane.receiver())?, storm: Storm::from(loud)? })
    }

    /// Both ends on one CPU.
    fn talk(&self, duration: Duration, cpu: usize) -> Result<RoundTrips> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                cpus::take(cpu)?;
                self.echo.serve(&stop)
            });
            let client = scope.spawn(|| {
                cpus::take(cpu)?;
                self.echo.ask(duration)
            });
            let trips = client.join().map_err(|_| anyhow!("the client panicked"))?;
            stop.store(true, Ordering::Relaxed);
            server.join().map_err(|_| anyhow!("the server panicked"))??;
            trips
        })
    }

    fn talk_in_storm(&self, duration: Duration, cpu: usize, rate: f64, storm_cpu: usize) -> Result<Measured> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let sender = scope.spawn(|| self.storm.blow(rate, storm_cpu, &stop));
            let storm = self.talk(duration, cpu);
            stop.store(true, Ordering::Relaxed);
            let storm_per_second = sender.join().map_err(|_| anyhow!("the storm panicked"))??;
            Ok(Measured { idle: RoundTrips::default(), storm: storm?, storm_per_second })
        })
    }
}

impl Latency {
    fn of(rounds: &Rounds<Measured>, lane: usize, which: impl Fn(&Measured) -> &RoundTrips) -> Self {
        let micros =
            |parts, of| median(&rounds.each(|round| which(&round[lane]).percentile(parts, of) / 1e3));
        #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 round trips")]
        let loss = median(&rounds.each(|round| {
            let trips = which(&round[lane]);
            trips.lost as f64 / trips.count() as f64
        }));
        Self { p50: micros(1, 2), p99: micros(99, 100), p999: micros(999, 1000), loss }
    }
}

impl Report {
    fn of(environment: Environment, args: &Args, rounds: &Rounds<Measured>, lanes: &[Lane]) -> Self {
        let p99_to_idle = |lane: usize| {
            let p99 = |trips: &RoundTrips| trips.percentile(99, 100);
            Estimate::of(&rounds.each(|round| p99(&round[lane].storm) / p99(&round[lane].idle)))
        };
        let paths = lanes
            .iter()
            .enumerate()
            .map(|(lane, Lane { name, .. })| Path {
                name: name.clone(),
                idle: Latency::of(rounds, lane, |measured| &measured.idle),
                storm: Latency::of(rounds, lane, |measured| &measured.storm),
                p99_to_idle: p99_to_idle(lane),
                storm_per_second: median(&rounds.each(|round| round[lane].storm_per_second)),
            })
            .collect();
        let targets = vec![
            Target::check("p99 in a storm over idle, wye-ebpf, limited", p99_to_idle(0), BOUND),
            Target::check("p99 in a storm over idle, wye-userspace, limited", p99_to_idle(1), BOUND),
        ];
        let Args { ports, rate, same_cpu, .. } = *args;
        Self { environment, ports, rate, same_cpu, effort: rounds.effort(), paths, targets }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "round trip in us",
            "idle p50",
            "p99",
            "p99.9",
            "storm p50",
            "p99",
            "p99.9",
            "p99 / idle's",
            "lost",
            "storm, frames/s",
        ];
        let micros = |value: f64| format!("{value:.1}");
        let rows: Vec<_> = self
            .paths
            .iter()
            .map(|path| {
                vec![
                    path.name.clone(),
                    micros(path.idle.p50),
                    micros(path.idle.p99),
                    micros(path.idle.p999),
                    micros(path.storm.p50),
                    micros(path.storm.p99),
                    micros(path.storm.p999),
                    report::ratio(path.p99_to_idle),
                    format!("{:.2} %", path.storm.loss * 100.0),
                    format!("{:.0}", path.storm_per_second),
                ]
            })
            .collect();
        writeln!(f, "{}", report::table(&header, &rows))?;
        let place = if self.same_cpu { "the CPU of the two that talk" } else { "a CPU of its own" };
        writeln!(f, "{} ports; {} broadcasts a second were to be sent, from {place}", self.ports, self.rate)?;
        writeln!(f, "limited: at most 100 a second and 200 at once; without a limit is the default")?;
        writeln!(f, "{}", self.effort)?;
        report::write_targets(f, &self.targets)
    }
}
