//! The options that all measurements in rounds have.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Result;
use serde::Serialize;

use crate::{report, rounds::Plan};

/// How long to measure, and where to write what was found.
#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// Undisturbed rounds.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Time of one measurement in a round.
    #[arg(long, default_value_t = 0.4)]
    seconds: f64,
    /// Count disturbed rounds as well: for a first look on a machine that is never quiet.
    #[arg(long)]
    keep_disturbed: bool,
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

impl RunArgs {
    /// The plan that they name. Says so where its figures will say nothing.
    #[must_use]
    pub(crate) fn plan(&self, stop: Arc<AtomicBool>) -> Plan {
        if self.quick {
            println!("a quick run: it shows that everything works; its figures say nothing");
            Plan { rounds: QUICK_ROUNDS, seconds: QUICK_SECONDS, keep_disturbed: true, stop }
        } else {
            if self.keep_disturbed {
                println!("disturbed rounds count as well");
            }
            let Self { rounds, seconds, keep_disturbed, .. } = *self;
            Plan { rounds, seconds, keep_disturbed, stop }
        }
    }

    /// Writes the report where it was asked for.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, report: &impl Serialize) -> Result<()> {
        self.json.as_deref().map_or(Ok(()), |path| report::write_json(path, report))
    }
}
