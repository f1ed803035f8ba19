//! `bench`: measurements of the switch beside its rivals.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::setup::{self, Need};
use crate::{build, paths, process};

/// Measure the switch beside its rivals, for example `bench forward`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to measure.
    name: String,
    /// Passed to the measurement.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// Sets up, builds and runs one measurement.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[Need::Ebpf, Need::Programs, Need::Mounts])?;
    build::run(&build::Args {})?;
    build::host("wye-bench")?;
    let program = paths::release_program("wye-bench");
    process::run(process::as_root(&program.to_string_lossy()).arg(&args.name).args(&args.rest))
        .with_context(|| format!("bench {} failed", args.name))
}
