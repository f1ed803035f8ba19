//! `test`: everything that must hold, step by step, with one count at the end.

mod steps;

use std::process::ExitCode;
use std::time::{Duration, Instant};

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
pub(crate) fn run(args: &Args) -> ExitCode {
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
    summarise(&outcomes)
}

fn summarise(outcomes: &[Outcome]) -> ExitCode {
    println!(
        "\n{:<12} {:<8} {:>8} {:>8} {:>8} {:>8}",
        "STEP", "RESULT", "PASSED", "FAILED", "IGNORED", "TIME"
    );
    let mut total = Tally::default();
    for Outcome { step, tally, took } in outcomes {
        let result = if tally.failed == 0 { "ok" } else { "failed" };
        let (passed, failed, ignored, secs) = (tally.passed, tally.failed, tally.ignored, took.as_secs_f64());
        println!("{step:<12} {result:<8} {passed:>8} {failed:>8} {ignored:>8} {secs:>7.1}s");
        total += *tally;
    }
    if total.passed + total.failed == 0 && outcomes.iter().any(|outcome| outcome.step.runs_tests()) {
        eprintln!("error: no test ran; none has a name like that");
        total.failed = 1;
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
