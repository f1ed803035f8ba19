//! `wye status`: the state of the switch at a glance.

use clap::Args;

use super::{
    error::CliError,
    output::{self, Format, Listed, Output, joined, size},
    place::Place,
    style,
    table::{Table, pairs},
};
use crate::api::{
    routes,
    types::{Status, TableFill},
};

const EXAMPLES: &str = "\
Examples:
  wye status
  wye status -o json | jq .pid";

/// Show the state of the switch: daemon, datapath, numbers, fill of every table.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    output: Output,
}

impl Listed for Status {
    const COLUMNS: &'static [&'static str] = &["INSTANCE", "VERSION", "PID", "DATAPATH", "SINCE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.instance.clone(),
            self.version.clone(),
            self.pid.to_string(),
            self.mode.clone(),
            self.since.clone(),
        ]
    }

    fn name(&self) -> String {
        self.instance.clone()
    }
}

pub(super) fn run(args: &StatusArgs, place: &Place) -> Result<(), CliError> {
    let status: Status = place.client()?.get(routes::STATUS)?;
    match args.output.format {
        Format::Table | Format::Wide => output::print(page(&status)),
        other @ (Format::Json | Format::Yaml | Format::Name) => output::one(&status, other),
    }
}

fn page(status: &Status) -> String {
    let not_ready = match status.endpoints_not_ready {
        0 => String::new(),
        number => format!(" ({number} not ready: see `wye endpoint ls -o wide`)"),
    };
    let missing = match status.ports_missing {
        0 => String::new(),
        number => format!(" ({number} missing: see `wye port ls`)"),
    };
    let blocked = match status.ports_blocked {
        0 => String::new(),
        number => format!(" ({number} blocked: see the warnings)"),
    };
    let facts = pairs(&[
        ("INSTANCE", status.instance.clone()),
        ("DAEMON", format!("ready since {}, pid {}, version {}", status.since, status.pid, status.version)),
        ("DATAPATH", status.mode.clone()),
        ("NETWORKS", status.networks.to_string()),
        ("ENDPOINTS", format!("{}{not_ready}", status.endpoints)),
        ("PORTS", format!("{}{missing}{blocked}", status.ports)),
        ("DROPS", drops(status)),
        ("MEMORY", format!("{} in tables", size(status.memory_bytes))),
    ]);
    let warnings: String =
        status.warnings.iter().map(|warning| format!("\n{} {warning}", style::bad("WARNING"))).collect();
    let end = if warnings.is_empty() { "" } else { "\n" };
    format!("{facts}\n{}{warnings}{end}", tables(&status.tables))
}

/// Frames of no port that were dropped; those of ports are told with the ports.
fn drops(status: &Status) -> String {
    let by_reason = joined(status.drops.iter().map(|(reason, frames)| format!("{reason}={frames}")));
    let total = status.drops.values().sum::<u64>();
    if total == 0 { "0 of no port".to_owned() } else { format!("{total} of no port: {by_reason}") }
}

fn tables(fills: &[TableFill]) -> Table {
    let mut table = Table::new(&["TABLE", "ENTRIES", "CAPACITY", "MEMORY"]);
    for fill in fills {
        table.row([
            fill.name.clone(),
            fill.entries.map(|entries| entries.to_string()).unwrap_or_default(),
            fill.capacity.to_string(),
            size(fill.memory_bytes),
        ]);
    }
    table
}
