//! `test`: everything that must hold, step by step, with one count at the end.

mod steps;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process;
use crate::tally::Tally;
use steps::Step;

/// Run every check and test of the workspace (as root).
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Run only tests whose name contains one of these, and no other checks.
    filters: Vec<String>,
    /// Run only this step.
    #[arg(long, value_enum)]
    only: Option<Step>,
}

/// How a step ended.
struct Outcome {
    step: Step,
    tally: Tally,
    took: Duration,
}

/// Runs the steps in order, also after one has failed, and ends with a line `N passed, N failed`.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut outcomes = Vec::new();
    for step in Step::chosen(args.only, !args.filters.is_empty()) {
        let started = Instant::now();
        eprintln!("\n== {step}");
        let tally = step.run(&args.filters).unwrap_or_else(|error| {
            process::report(&error);
            Tally { failed: 1, ..Tally::default() }
        });
        outcomes.push(Outcome { step, tally, took: started.elapsed() });
    }
    summarise(&outcomes, !args.filters.is_empty())
}

fn summarise(outcomes: &[Outcome], filtered: bool) -> Result<()> {
    println!("\n{:<12} {:>8} {:>8} {:>8} {:>8}", "STEP", "PASSED", "FAILED", "IGNORED", "TIME");
    let mut total = Tally::default();
    for Outcome { step, tally, took } in outcomes {
        let (passed, failed, ignored, secs) = (tally.passed, tally.failed, tally.ignored, took.as_secs_f64());
        println!("{:<12} {passed:>8} {failed:>8} {ignored:>8} {secs:>7.1}s", step.to_string());
        total += *tally;
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 {
        let names = outcomes
            .iter()
            .filter(|outcome| outcome.tally.failed > 0)
            .map(|outcome| outcome.step.to_string());
        bail!("failed in: {}", names.collect::<Vec<_>>().join(", "));
    }
    if filtered && total.passed == 0 {
        bail!("no test has a name like that");
    }
    Ok(())
}
