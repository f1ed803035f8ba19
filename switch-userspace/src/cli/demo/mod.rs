//! `wye demo`: a tour of the switch with real programs, in a network namespace of its own that plays the host.

mod census;
mod command;
mod error;
mod ping;
mod stage;
mod throughput;
mod transfer;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

pub(super) use self::error::DemoError;
use self::{
    census::Census,
    stage::{CONTAINERS, NETWORKS, Stage},
};
use super::{error::CliError, output, style};
use crate::datapath::Mode;

const EXAMPLES: &str = "\
Examples:
  wye demo
  wye demo --datapath userspace";

/// Show the switch at work on this machine, then remove every trace of it.
///
/// Everything happens in a network namespace of its own that plays the host: the machine's interfaces are not touched. Takes
/// under a minute. Exits with 1 where anything is not as it should be.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct DemoArgs {
    /// The datapath that is shown.
    #[arg(long, value_enum, default_value_t = Mode::Ebpf)]
    datapath: Mode,
}

type Step = fn(&mut Stage) -> Result<(), DemoError>;

/// What is shown, in this order.
const STEPS: [(&str, Step); 8] = [
    ("A switch", start),
    ("Two networks", networks),
    ("Four containers", containers),
    ("Who reaches whom", ping::run),
    ("A 1 GiB transfer between two containers, with checksums", transfer::run),
    ("Throughput, beside a Linux bridge", throughput::run),
    ("What the switch has learned", fdb),
    ("What the switch has counted", counters),
];

/// A MAC that a container gives itself when it may.
const OTHER_MAC: &str = "02:00:5e:10:00:99";

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

pub(super) fn run(args: &DemoArgs) -> Result<(), CliError> {
    let began = Instant::now();
    let expectations = tour(args)?;
    output::line(format!("\nDone in {} s: {expectations} expectations, all met.", began.elapsed().as_secs()))
}

/// Shows everything and says how many expectations were met.
fn tour(args: &DemoArgs) -> Result<usize, DemoError> {
    command::require_programs()?;
    watch_signals()?;
    let mut stage = Stage::set(args.datapath)?;
    let before = Census::take(&stage)?;
    before.refuse_leftovers()?;
    let played = play(&mut stage);

    heading("Removing every trace")?;
    let removed = stage.strike();
    let after = Census::take(&stage)?;
    output::print(before.beside(&after))?;
    stage.expect("nothing is left behind", before == after)?;
    stage.close()?;

    played?;
    removed?;
    match stage.failed() {
        0 => Ok(stage.met()),
        number => Err(DemoError::Unexpected(number)),
    }
}

fn play(stage: &mut Stage) -> Result<(), DemoError> {
    for (title, step) in STEPS {
        heading(title)?;
        // An interruption ends the program that a step runs, and so the step: that is the reason to tell.
        let done = step(stage);
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err(DemoError::Interrupted);
        }
        done?;
    }
    Ok(())
}

fn heading(title: &str) -> Result<(), DemoError> {
    Ok(output::line(format!("\n{}", style::heading(title)))?)
}

fn start(stage: &mut Stage) -> Result<(), DemoError> {
    stage.up()?;
    stage.wye("status")?;
    Ok(())
}

fn networks(stage: &mut Stage) -> Result<(), DemoError> {
    for network in &NETWORKS {
        stage.wye(&format!(
            "network create {} --subnet {} --subnet {}",
            network.name, network.v4, network.v6
        ))?;
    }
    stage.wye("network ls")?;
    Ok(())
}

fn containers(stage: &mut Stage) -> Result<(), DemoError> {
    for container in &CONTAINERS {
        let (name, network) = (container.name, container.network);
        stage.wye(&format!(
            "endpoint add {name} --network {network} --create-netns --ip {} --ip {}",
            container.v4, container.v6
        ))?;
    }
    stage.wye("endpoint ls")?;
    Ok(())
}

/// The switch knows the containers' own addresses from the start; an address that one is allowed beside it learns.
fn fdb(stage: &mut Stage) -> Result<(), DemoError> {
    let (from, to) = (&CONTAINERS[0], &CONTAINERS[1]);
    stage.wye(&format!(
        "port set {} --allow {OTHER_MAC}/{} --allow {OTHER_MAC}/{}",
        from.name, from.v4, from.v6
    ))?;
    stage.wye(&format!("exec {} -- ip link set dev eth0 address {OTHER_MAC}", from.name))?;
    stage.wye(&format!("exec {} -- ping -n -q -c 1 -w 2 {}", from.name, to.v4))?;
    let table = stage.wye("fdb show")?;
    let learned = table.lines().any(|line| line.contains(OTHER_MAC) && line.contains("learned"));
    let has_own = |name| table.lines().any(|line| line.contains(name) && line.contains("endpoint"));
    let own = CONTAINERS.iter().all(|container| has_own(container.name));
    stage.expect("the FDB has every container's own address", own)?;
    stage.expect(&format!("the FDB has learned {OTHER_MAC}"), learned)
}

fn counters(stage: &mut Stage) -> Result<(), DemoError> {
    stage.wye("port ls")?;
    stage.wye(&format!("port show {}", CONTAINERS[0].name))?;
    Ok(())
}

/// From here on Ctrl-C ends the step that runs, so that everything is removed before the process ends.
fn watch_signals() -> Result<(), DemoError> {
    let failed = |source| DemoError::Io { op: "wait for", object: "signals".to_owned(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let context = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    drop(context);
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        INTERRUPTED.store(true, Ordering::Relaxed);
        runtime.block_on(std::future::pending::<()>());
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(failed)?;
    Ok(())
}
