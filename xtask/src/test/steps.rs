//! The steps of `test`.

use std::fmt;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::setup::{self, Need};
use crate::tally::{self, Tally};
use crate::verifier_budget;
use crate::{build, build_ebpf, fuzz, lint, process};

/// One step of the test run; the order here is the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Step {
    /// What the machine lacks is installed.
    Setup,
    /// Format, lints, documentation.
    Lint,
    /// The kernel programs compile.
    BuildEbpf,
    /// Unit, property and component tests of every crate.
    Unit,
    /// Whole-system tests on this machine's kernel.
    System,
    /// A short run of every fuzz target.
    Fuzz,
    /// The kernel programs' instruction counts.
    Verifier,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Setup => "setup",
            Self::Lint => "lint",
            Self::BuildEbpf => "build-ebpf",
            Self::Unit => "unit",
            Self::System => "system",
            Self::Fuzz => "fuzz",
            Self::Verifier => "verifier",
        };
        f.pad(name)
    }
}

impl Step {
    /// The steps to run: one, those that run named tests, or all.
    pub(super) fn chosen(only: Option<Self>, filtered: bool) -> Vec<Self> {
        match only {
            Some(step) => vec![step],
            None if filtered => vec![Self::Unit, Self::System],
            None => Self::value_variants().to_vec(),
        }
    }

    /// Whether the step counts the tests of a runner.
    pub(super) fn runs_tests(self) -> bool {
        matches!(self, Self::Unit | Self::System | Self::Verifier)
    }

    /// Runs the step and counts its tests; the checks that are no tests of a runner count nothing.
    pub(super) fn run(self, filters: &[String]) -> Result<Tally> {
        let none = Tally::default();
        let tally = match self {
            Self::Setup => setup::run(&setup::Args {}).map(|()| none),
            Self::Lint => lint::run(&lint::Args {}).map(|()| none),
            Self::BuildEbpf => build_ebpf::run(&build_ebpf::Args {}).map(|()| none),
            Self::Unit => unit(filters),
            Self::System => system(filters),
            Self::Fuzz => fuzz::smoke().map(|()| none),
            Self::Verifier => verifier_budget::check(false),
        }?;
        if self.runs_tests() && filters.is_empty() && tally.passed + tally.failed == 0 {
            bail!("step {self} has no test to run");
        }
        Ok(tally)
    }
}

fn unit(filters: &[String]) -> Result<Tally> {
    prepare("tests that make network namespaces and load kernel programs")?;
    let mut test = process::cargo("test");
    test.args([
        "--release",
        "--workspace",
        "--exclude",
        "switch-ebpf",
        "--exclude",
        "wye-tests",
        "--no-fail-fast",
    ]);
    tally::run(test.arg("--").args(filters))
}

fn system(filters: &[String]) -> Result<Tally> {
    prepare("whole-system tests")?;
    build::host("switch-userspace")?;
    let mut test = process::cargo("test");
    test.args(["--release", "--package", "wye-tests", "--no-fail-fast", "--"]);
    if filters.is_empty() {
        // The budget's tests have a step of their own.
        test.args(["--skip", verifier_budget::FILTER]);
    }
    tally::run(test.args(filters))
}

/// What every test may rely on: root, real programs, mounts, and the eBPF objects that the host crates carry.
fn prepare(what: &str) -> Result<()> {
    process::require_root(what)?;
    setup::ensure(&[Need::Programs, Need::Mounts])?;
    build_ebpf::run(&build_ebpf::Args {})
}
