//! `ci`: what `.ci/run` calls. The same run as `test`, so that what passes here passes there.

use std::process::ExitCode;

use crate::test;

/// Run what continuous integration runs.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs every step of `test`.
pub(crate) fn run(_: &Args) -> ExitCode {
    test::run(&test::Args::default())
}
