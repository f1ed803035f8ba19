//! `arp`: questions for neighbours, answered by the switch or flooded until their target answers.

mod question;

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    cpus::{self, Cpus},
    environment::Environment,
    measure::{self, Rate},
    probe::{Entry, Probe},
    report::{self, Bound, Effort, Target},
    rounds::Rounds,
    run_args::RunArgs,
    stats::{Estimate, median},
    topology::{Lane, Netfilter, Wye},
};

/// Measure how many ARP requests and neighbour solicitations are answered.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Containers on each switch.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u8).range(2..=250))]
    ports: u8,
    #[command(flatten)]
    run: RunArgs,
}

const EBPF: usize = 0;
const EBPF_FLOODING: usize = 1;
const BRIDGE: usize = 3;
const AT_LEAST: Bound = Bound::AtLeast(3.0);

/// A family's question, and what is promised of it.
struct Question {
    name: &'static str,
    over_flooding: &'static str,
    over_bridge: &'static str,
}

const QUESTIONS: [Question; 2] = [
    Question {
        name: "ARP",
        over_flooding: "ARP: replies per second of wye-ebpf, answering over flooding",
        over_bridge: "ARP: replies per second of wye-ebpf over the bridge's",
    },
    Question {
        name: "ND",
        over_flooding: "ND: replies per second of wye-ebpf, answering over flooding",
        over_bridge: "ND: replies per second of wye-ebpf over the bridge's",
    },
];

/// What was found.
#[derive(Serialize)]
struct Report {
    environment: Environment,
    ports: u8,
    effort: Effort,
    paths: Vec<Path>,
    targets: Vec<Target>,
}

/// One path with the questions of one family.
#[derive(Serialize)]
struct Path {
    name: String,
    question: &'static str,
    replies_per_second: f64,
    ns_per_reply: Estimate,
    /// Of the replies per second, in the same round.
    rate_to_flooding: Estimate,
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
        Lane::wye("wye-ebpf, answering", Wye::ebpf()?)?,
        Lane::wye("wye-ebpf, flooding", Wye::ebpf()?.without_responder()?)?,
        Lane::wye("wye-userspace, answering", Wye::userspace(|| cpus::take(cpus.other))?)?,
        Lane::bridge("bridge, flooding", Netfilter::Off)?,
    ];
    let lanes = lanes.into_iter().map(|lane| lane.crowd(args.ports)).collect::<Result<Vec<_>>>()?;
    let first = lanes.first().context("there are paths")?;
    let environment = Environment::of(first);
    print!("{environment}");
    let mut probe = Probe::load()?;
    for lane in &lanes {
        probe.watch(lane.sender())?;
        for container in lane.receivers() {
            container.use_ipv6()?;
        }
    }
    let (asker, target) = (first.sender(), first.receiver());
    let questions = [question::arp_request(asker, target), question::solicitation(asker, target)];
    let entries: Vec<_> = questions
        .iter()
        .flat_map(|frame| {
            lanes.iter().map(|lane| (lane.name.as_str(), Entry { anew: true, ..lane.flooding_entry(frame) }))
        })
        .collect();
    let rounds = measure::rates(&mut probe, &entries, &plan, cpus)?;
    let names: Vec<_> = lanes.iter().map(|lane| lane.name.as_str()).collect();
    let report = Report::of(environment, args.ports, &rounds, &names);
    print!("\n{report}");
    args.run.write(&report)
}

impl Report {
    fn of(environment: Environment, ports: u8, rounds: &Rounds<Rate>, names: &[&str]) -> Self {
        let mut paths = Vec::new();
        let mut targets = Vec::new();
        for (number, question) in QUESTIONS.into_iter().enumerate() {
            let first = number * names.len();
            let to = |lane: usize, rival: usize| {
                let rate = |round: &[Rate], lane: usize| round[first + lane].mpps();
                Estimate::of(&rounds.each(|round| rate(round, lane) / rate(round, rival)))
            };
            paths.extend(names.iter().enumerate().map(|(lane, name)| Path {
                name: (*name).to_owned(),
                question: question.name,
                replies_per_second: median(&rounds.each(|round| round[first + lane].mpps() * 1e6)),
                ns_per_reply: Estimate::of(&rounds.each(|round| round[first + lane].ns_per_frame)),
                rate_to_flooding: to(lane, EBPF_FLOODING),
                rate_to_bridge: to(lane, BRIDGE),
                loss: median(&rounds.each(|round| round[first + lane].loss)),
            }));
            targets.push(Target::check(question.over_flooding, to(EBPF, EBPF_FLOODING), AT_LEAST));
            targets.push(Target::check(question.over_bridge, to(EBPF, BRIDGE), AT_LEAST));
        }
        Self { environment, ports, effort: rounds.effort(), paths, targets }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header =
            ["question", "path", "replies/s", "ns/reply", "rate / flooding's", "rate / bridge's", "lost"];
        let rows: Vec<_> = self
            .paths
            .iter()
            .map(|path| {
                vec![
                    path.question.to_owned(),
                    path.name.clone(),
                    format!("{:.0}", path.replies_per_second),
                    report::nanos(path.ns_per_reply),
                    report::ratio(path.rate_to_flooding),
                    report::ratio(path.rate_to_bridge),
                    format!("{:.1} %", path.loss * 100.0),
                ]
            })
            .collect();
        writeln!(f, "{}", report::table(&header, &rows))?;
        writeln!(f, "{} ports; flooding is wye-ebpf's; {}", self.ports, self.effort)?;
        report::write_targets(f, &self.targets)
    }
}
