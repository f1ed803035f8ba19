//! `wye-bench`: measures wye beside a Linux bridge doing the same work in the same run. Everything happens in network
//! namespaces of its own; nothing of the machine is changed and nothing stays.
#![deny(unsafe_code)]

mod arp;
mod broadcast;
mod cpus;
mod disturbance;
mod environment;
mod forward;
mod frame;
mod idle;
mod iperf;
mod measure;
mod probe;
mod report;
mod rounds;
mod run_args;
mod stats;
mod storm;
mod sys;
mod topology;

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Measures wye beside a Linux bridge.
#[derive(Parser)]
#[command(name = "wye-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Forward(forward::Args),
    Broadcast(broadcast::Args),
    Arp(arp::Args),
    Storm(storm::Args),
    Idle(idle::Args),
}

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let done = stop_on_signals().and_then(|stop| match command {
        Command::Forward(args) => forward::run(&args, stop),
        Command::Broadcast(args) => broadcast::run(&args, stop),
        Command::Arp(args) => arp::run(&args, stop),
        Command::Storm(args) => storm::run(&args, stop),
        Command::Idle(args) => idle::run(&args, &stop),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Signals end a run in good order: what it made is removed.
fn stop_on_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot watch for signals")?;
    }
    Ok(stop)
}
