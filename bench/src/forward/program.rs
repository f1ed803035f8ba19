//! `--program`: the time of the port program alone, without what the kernel does before and after it.

use std::{fmt, time::Duration};

use anyhow::{Context, Result, bail};
use aya::{TestRun, TestRunOptions, programs::SchedClassifier};
use serde::Serialize;
use switch_common::abi::{addr::MacAddr, names::PROG_PORT_INGRESS};

use crate::{
    cpus::Cpus,
    disturbance, frame,
    probe::Probe,
    report::{self, Effort},
    rounds::{self, Plan, Rounds},
    stats::Estimate,
    topology::{Lane, Wye},
};

/// Runs of a program in one measurement, for each second of the plan.
const RUNS_PER_SECOND: f64 = 5e6;
/// Where `struct __sk_buff` has `ifindex`, in words; the kernel takes the rest as zero.
const IFINDEX_WORD: usize = 10;

/// What was found.
#[derive(Serialize)]
pub(crate) struct Report {
    effort: Effort,
    programs: Vec<Program>,
}

/// One case.
#[derive(Serialize)]
struct Program {
    name: &'static str,
    ns: Estimate,
}

const CASES: [&str; 4] = [
    "a program that counts and drops",
    "port_ingress, forwarding from the endpoint's own MAC",
    "port_ingress, the same without guard",
    "port_ingress, forwarding from a learned MAC, without guard",
];

/// Measures.
///
/// # Errors
/// Something cannot be made or measured.
pub(crate) fn run(plan: &Plan, cpus: Cpus) -> Result<Report> {
    let probe = Probe::load()?;
    let lane = Lane::wye("wye-ebpf", Wye::ebpf()?)?.with_unguarded()?;
    let (sender, receiver) = (lane.sender(), lane.receiver());
    let open = lane.others().last().context("there is an unguarded container")?;
    let from = |src: MacAddr, ip| frame::udp(src, receiver.mac(), ip, receiver.ip());
    let own = from(sender.mac(), sender.ip());
    let (open_own, learned) = (from(open.mac(), open.ip()), from(frame::numbered(0), open.ip()));
    let port = PortProgram::at(&lane, lane.entry().interface.into())?;
    let open_port = PortProgram::at(&lane, lane.entry_from(open, &open_own)?.interface.into())?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let repeat = (RUNS_PER_SECOND * plan.seconds) as u32;
    let rounds = rounds::run(plan, CASES.len(), |case| {
        let watched = disturbance::watch(lane.entry().netns, cpus.source, || match case {
            0 => probe.idle_run(&own, repeat),
            1 => port.run(&own, repeat),
            2 => open_port.run(&open_own, repeat),
            3 => open_port.run(&learned, repeat),
            _ => bail!("there is no case {case}"),
        })?;
        Ok(watched.taken())
    })?;
    Ok(Report::of(&rounds))
}

/// The program of a lane's switch, at one of its ports.
struct PortProgram {
    program: SchedClassifier,
    context: Vec<u8>,
}

impl PortProgram {
    fn at(lane: &Lane, ifindex: u32) -> Result<Self> {
        let program = SchedClassifier::from_pin(lane.as_wye()?.programs_dir()?.join(PROG_PORT_INGRESS))
            .context("cannot open the pinned program")?;
        Ok(Self { program, context: skb_context(ifindex) })
    }

    fn run(&self, frame: &[u8], repeat: u32) -> Result<Duration> {
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(&self.context),
            repeat,
            ..TestRunOptions::default()
        };
        Ok(self.program.test_run(options).context("cannot run the port program alone")?.duration)
    }
}

impl Report {
    fn of(rounds: &Rounds<Duration>) -> Self {
        let ns = |case: usize| Estimate::of(&rounds.each(|round| round[case].as_secs_f64() * 1e9));
        let programs = CASES.iter().enumerate().map(|(case, name)| Program { name, ns: ns(case) }).collect();
        Self { effort: rounds.effort(), programs }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self
            .programs
            .iter()
            .map(|program| vec![program.name.to_owned(), report::nanos(program.ns)])
            .collect();
        writeln!(f, "{}", report::table(&["program alone", "ns"], &rows))?;
        writeln!(f, "{}", self.effort)
    }
}

/// The beginning of `struct __sk_buff`.
fn skb_context(ifindex: u32) -> Vec<u8> {
    let mut words = [0; IFINDEX_WORD + 1];
    words[IFINDEX_WORD] = ifindex;
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
