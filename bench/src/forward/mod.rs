//! `forward`: what a switch adds to a frame between two containers.

mod frames;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Result;
use serde::Serialize;

use crate::{cpus::Cpus, environment::Environment, report, rounds::Plan};

/// Measure forwarding: frames of 64 bytes from one container to another.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Undisturbed rounds.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Time of one measurement in a round.
    #[arg(long, default_value_t = 0.4)]
    seconds: f64,
    /// Also measure a bridge with this many iptables rules.
    #[arg(long, value_name = "N")]
    rules: Option<u32>,
    /// Two short rounds of everything, disturbed or not: shows that it works, not how fast it is.
    #[arg(long)]
    quick: bool,
    /// Also write the report here, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Two rounds of a twentieth of a second.
const QUICK_ROUNDS: usize = 2;
const QUICK_SECONDS: f64 = 0.05;

/// All of it, for programs.
#[derive(Serialize)]
struct Report {
    environment: Environment,
    frames: frames::Report,
}

/// Measures and reports.
///
/// # Errors
/// Something cannot be made or measured.
pub(crate) fn run(args: &Args, stop: Arc<AtomicBool>) -> Result<()> {
    let plan = args.plan(stop);
    let cpus = Cpus::choose()?;
    let environment = Environment::read();
    let (frames, environment) = frames::run(&plan, cpus, args.rules, environment)?;
    for line in environment.lines() {
        println!("{line}");
    }
    print!("{frames}");
    let report = Report { environment, frames };
    args.json.as_deref().map_or(Ok(()), |path| report::write_json(path, &report))
}

impl Args {
    fn plan(&self, stop: Arc<AtomicBool>) -> Plan {
        if self.quick {
            Plan { rounds: QUICK_ROUNDS, seconds: QUICK_SECONDS, keep_disturbed: true, stop }
        } else {
            Plan { rounds: self.rounds, seconds: self.seconds, keep_disturbed: false, stop }
        }
    }
}
