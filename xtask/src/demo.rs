//! `demo`: builds `wye` and lets it show what it can do on this machine.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::setup::{self, Need};
use crate::{build, paths, process};

/// Show the switch at work: containers, real programs, figures beside a Linux bridge.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed to `wye demo`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// Sets up, builds and runs the demo.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[Need::Ebpf, Need::Programs, Need::Mounts])?;
    build::run(&build::Args {})?;
    let wye = paths::release_program("wye");
    let mut demo = process::as_root(&wye.to_string_lossy());
    process::run(demo.arg("demo").args(&args.rest)).context("the demo failed")
}
