//! `verifier-budget`: holds every kernel program's verified instruction count against `tests/verifier-budget.toml`.

use anyhow::{Result, bail};

use crate::setup::{self, Need};
use crate::tally::{self, Tally};
use crate::{build_ebpf, process};

/// The part of a test's name that makes it one of the budget's.
pub(crate) const FILTER: &str = "verifier";

/// Check the instruction counts of the kernel programs against their budget.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the counts of this build into the budget file instead.
    #[arg(long)]
    update: bool,
}

/// Checks or updates the budget.
pub(crate) fn run(args: &Args) -> Result<()> {
    let tally = check(args.update)?;
    if tally.failed > 0 || tally.passed == 0 {
        bail!("verifier budget: {} checks passed, {} failed", tally.passed, tally.failed);
    }
    Ok(())
}

/// Builds the programs and runs the budget's tests on them.
pub(crate) fn check(update: bool) -> Result<Tally> {
    process::require_root("loading kernel programs")?;
    setup::ensure(&[Need::Programs, Need::Mounts])?;
    build_ebpf::run(&build_ebpf::Args {})?;
    let mut test = process::cargo("test");
    test.args(["--release", "--package", "wye-tests", "--no-fail-fast", FILTER]);
    if update {
        test.env("UPDATE", "1");
    }
    tally::run(&mut test)
}
