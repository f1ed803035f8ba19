//! `idle`: what a daemon with many ports takes when nothing happens.

mod process;
mod switch;

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Serialize;

use self::{process::Process, switch::Switch};
use crate::report;

/// Measure memory and CPU time of an idle daemon.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ports, each with an endpoint in a namespace of its own.
    #[arg(long, default_value_t = 1_100)]
    ports: u32,
    /// How long to watch.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Which of the two datapaths.
    #[arg(long, value_enum, default_value_t = Datapath::Ebpf)]
    datapath: Datapath,
    /// Also write the report here, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// As `wye up --datapath` has it.
#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Datapath {
    Ebpf,
    Userspace,
}

/// More is more than a daemon with 1,100 ports may have, in MiB.
const RESIDENT_LIMIT_MIB: f64 = 48.0;
/// Less of one CPU cannot be told from nothing.
const CPU_LIMIT: f64 = 0.001;
/// After the last endpoint the daemon has events of its own making to work off.
const SETTLE: Duration = Duration::from_secs(2);

/// What was found.
#[derive(Serialize)]
struct Report {
    datapath: Datapath,
    ports: u64,
    seconds: f64,
    resident_mib: f64,
    threads: u64,
    /// Share of one CPU.
    cpu: f64,
    wakeups_per_second: f64,
    /// What the datapath's tables take, in the kernel or in the daemon.
    table_mib: f64,
    resident_met: bool,
    cpu_met: bool,
}

/// Measures and reports.
///
/// # Errors
/// The switch cannot be made; the user stopped it.
pub(crate) fn run(args: &Args, stop: &Arc<AtomicBool>) -> Result<()> {
    let switch = Switch::start(args.datapath)?;
    for number in 0..args.ports {
        if stop.load(Ordering::Relaxed) {
            bail!("stopped by a signal");
        }
        switch.add_endpoint(number)?;
    }
    thread::sleep(SETTLE);
    let status = switch.status()?;
    let daemon = Process(status.pid);
    let before = daemon.usage()?;
    thread::sleep(Duration::from_secs_f64(args.seconds));
    let after = daemon.usage()?;
    let resident_mib = mib(after.resident_bytes);
    let cpu = after.ran.saturating_sub(before.ran).as_secs_f64() / args.seconds;
    let report = Report {
        datapath: args.datapath,
        ports: status.ports,
        seconds: args.seconds,
        resident_mib,
        threads: after.threads,
        cpu,
        wakeups_per_second: exact(after.wakeups.saturating_sub(before.wakeups)) / args.seconds,
        table_mib: mib(status.memory_bytes),
        resident_met: resident_mib < RESIDENT_LIMIT_MIB,
        cpu_met: cpu < CPU_LIMIT,
    };
    print!("{report}");
    args.json.as_deref().map_or(Ok(()), |path| report::write_json(path, &report))
}

fn mib(bytes: u64) -> f64 {
    exact(bytes) / f64::from(1 << 20)
}

#[expect(clippy::cast_precision_loss, reason = "far less than 2^52")]
fn exact(count: u64) -> f64 {
    count as f64
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = |met| if met { "met" } else { "NOT MET" };
        writeln!(f, "{:?} daemon with {} ports, watched for {} s", self.datapath, self.ports, self.seconds)?;
        writeln!(
            f,
            "resident: {:.1} MiB (less than {RESIDENT_LIMIT_MIB}: {}), {} threads",
            self.resident_mib,
            met(self.resident_met),
            self.threads
        )?;
        writeln!(
            f,
            "CPU: {:.3} % of one (less than {} %: {}), {:.1} wake-ups a second",
            self.cpu * 100.0,
            CPU_LIMIT * 100.0,
            met(self.cpu_met),
            self.wakeups_per_second
        )?;
        writeln!(f, "tables: {:.1} MiB", self.table_mib)
    }
}
