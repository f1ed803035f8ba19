//! Counts what cargo's test runners report while their output passes through.

use std::io::{self, BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::process;

/// How many tests a run passed, failed and left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed, and steps that failed without a test's name.
    pub(crate) failed: u64,
    /// Tests that the runner found and did not run because they are marked so.
    pub(crate) ignored: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl Tally {
    /// Reads a runner's closing line: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn of_line(line: &str) -> Option<Self> {
        let (_, counts) = line.trim_start().strip_prefix("test result: ")?.split_once(". ")?;
        let count =
            |word: &str| counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim_end().parse().ok());
        Some(Self { passed: count("passed")?, failed: count("failed")?, ignored: count("ignored")? })
    }
}

/// Shows and runs a command that runs tests, and counts them. A command that fails before or beside its tests counts as
/// one failure.
pub(crate) fn run(command: &mut Command) -> Result<Tally> {
    let line = process::show(command);
    eprintln!("$ {line}");
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{line}`"))?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        tally = count(BufReader::new(output), &mut io::stdout())
            .with_context(|| format!("lost the output of `{line}`"))?;
    }
    let status = child.wait().with_context(|| format!("cannot wait for `{line}`"))?;
    if !status.success() {
        eprintln!("`{line}` failed: {status}");
        tally.failed = tally.failed.max(1);
    }
    Ok(tally)
}

/// Copies the runners' output and adds up their closing lines.
fn count(output: impl BufRead, copy: &mut impl Write) -> io::Result<Tally> {
    let mut tally = Tally::default();
    for line in output.split(b'\n') {
        let line = line?;
        copy.write_all(&line)?;
        copy.write_all(b"\n")?;
        tally += Tally::of_line(&String::from_utf8_lossy(&line)).unwrap_or_default();
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_line_of_a_runner_is_counted() {
        let line = "test result: FAILED. 12 passed; 2 failed; 3 ignored; 0 measured; 4 filtered out; finished in 0.00s";
        assert_eq!(Tally::of_line(line), Some(Tally { passed: 12, failed: 2, ignored: 3 }));
    }

    #[test]
    fn other_lines_are_not_counted() {
        for line in ["test a::b ... ok", "running 3 tests", "test result: ok", ""] {
            assert_eq!(Tally::of_line(line), None, "{line}");
        }
    }

    #[test]
    fn command_that_fails_without_a_test_is_one_failure() {
        let tally = run(&mut Command::new("false")).unwrap();
        assert_eq!(tally, Tally { passed: 0, failed: 1, ignored: 0 });
    }

    #[test]
    fn several_runners_add_up_and_their_output_passes_through() {
        let output = "running 1 test\ntest result: ok. 1 passed; 0 failed; 0 ignored\n\
                      test result: FAILED. 2 passed; 1 failed; 0 ignored\n";
        let mut copy = Vec::new();
        let tally = count(output.as_bytes(), &mut copy).unwrap();
        assert_eq!(tally, Tally { passed: 3, failed: 1, ignored: 0 });
        assert_eq!(copy, output.as_bytes());
    }
}
