//! `forward`: what a switch adds to a frame between two containers.

mod fdb;
mod frames;
mod program;
mod tcp;

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Result;
use serde::Serialize;

use crate::{cpus::Cpus, environment::Environment, run_args::RunArgs, topology::Lane};

/// Measure forwarding from one container to another: what every path adds to a frame, unless something else is named.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What a full FDB adds.
    #[arg(long)]
    fdb: bool,
    /// Throughput of one TCP stream by iperf3.
    #[arg(long)]
    tcp: bool,
    /// Time of the port program alone.
    #[arg(long)]
    program: bool,
    /// All of these.
    #[arg(long)]
    all: bool,
    /// Also measure a bridge with this many iptables rules.
    #[arg(long, value_name = "N")]
    rules: Option<u32>,
    #[command(flatten)]
    run: RunArgs,
}

/// All of it, for programs; what was not asked for is left out.
#[derive(Serialize)]
struct Report {
    environment: Environment,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<frames::Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fdb: Option<fdb::Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<tcp::Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<program::Report>,
}

/// Measures and reports.
///
/// # Errors
/// Something cannot be made or measured.
pub(crate) fn run(args: &Args, stop: Arc<AtomicBool>) -> Result<()> {
    let plan = args.run.plan(stop);
    let cpus = Cpus::choose()?;
    let environment = Environment::of(&Lane::direct("direct")?);
    print!("{environment}");
    let named = args.fdb || args.tcp || args.program;
    let report = Report {
        environment,
        frames: told(args.all || !named, || frames::run(&plan, cpus, args.rules))?,
        fdb: told(args.all || args.fdb, || fdb::run(&plan, cpus))?,
        tcp: told(args.all || args.tcp, || tcp::run(&plan, cpus))?,
        program: told(args.all || args.program, || program::run(&plan, cpus))?,
    };
    args.run.write(&report)
}

/// Measures what is wanted and prints it at once.
fn told<T: fmt::Display>(wanted: bool, measure: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    if !wanted {
        return Ok(None);
    }
    let report = measure()?;
    print!("\n{report}");
    Ok(Some(report))
}
