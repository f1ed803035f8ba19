//! Tables for people, JSON for programs, and the bounds that figures are held against.

use std::{fmt, fs, path::Path};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::stats::Estimate;

/// A figure that the design promises.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    /// What it is about.
    pub(crate) what: &'static str,
    /// What was measured.
    pub(crate) measured: Estimate,
    /// Its bound.
    pub(crate) bound: Bound,
    /// Whether the median keeps the bound.
    pub(crate) met: bool,
    /// Whether all of the interval lies on the median's side of the bound; otherwise another run may find the opposite.
    pub(crate) clear: bool,
}

/// A bound of a figure.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// Not more.
    AtMost(f64),
    /// Not less.
    AtLeast(f64),
}

impl Target {
    /// Holds a figure against its bound.
    #[must_use]
    pub(crate) fn check(what: &'static str, measured: Estimate, bound: Bound) -> Self {
        let keeps = |value: f64| match bound {
            Bound::AtMost(limit) => value <= limit,
            Bound::AtLeast(limit) => value >= limit,
        };
        let met = keeps(measured.median);
        let clear = keeps(measured.low) == met && keeps(measured.high) == met;
        Self { what, measured, bound, met, clear }
    }

    fn line(&self) -> String {
        let bound = match self.bound {
            Bound::AtMost(limit) => format!("at most {limit}"),
            Bound::AtLeast(limit) => format!("at least {limit}"),
        };
        let met = if self.met { "met" } else { "NOT MET" };
        let clear = if self.clear { "" } else { ", within the noise of this run" };
        format!("{}: {} ({bound}: {met}{clear})", self.what, ratio(self.measured))
    }
}

/// One line for people on each target.
///
/// # Errors
/// Those of the formatter.
pub(crate) fn write_targets(f: &mut fmt::Formatter<'_>, targets: &[Target]) -> fmt::Result {
    targets.iter().try_for_each(|target| writeln!(f, "{}", target.line()))
}

/// A table whose first column is text and whose others are figures.
#[must_use]
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// A ratio with its interval.
#[must_use]
pub(crate) fn ratio(estimate: Estimate) -> String {
    format!("{:.2} [{:.2}, {:.2}]", estimate.median, estimate.low, estimate.high)
}

/// Nanoseconds with their interval.
#[must_use]
pub(crate) fn nanos(estimate: Estimate) -> String {
    format!("{:.0} [{:.0}, {:.0}]", estimate.median, estimate.low, estimate.high)
}

/// How a measurement went, in a line.
#[derive(Debug, Serialize)]
pub(crate) struct Effort {
    /// Rounds that the figures are from.
    pub(crate) rounds: usize,
    /// Disturbed rounds that were left out.
    pub(crate) rounds_dropped: usize,
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "medians of {} rounds with 95 % intervals; {} disturbed rounds dropped",
            self.rounds, self.rounds_dropped
        )
    }
}

/// Writes a report for programs.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_json(path: &Path, report: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(report).context("cannot write the report as JSON")?;
    fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_on_its_bound_is_met() {
        let measured = Estimate { median: 0.35, low: 0.3, high: 0.4 };
        assert!(Target::check("x", measured, Bound::AtMost(0.35)).met);
        assert!(Target::check("x", measured, Bound::AtLeast(0.35)).met);
        assert!(!Target::check("x", measured, Bound::AtMost(0.34)).met);
    }

    #[test]
    fn an_interval_across_the_bound_is_not_clear() {
        let measured = Estimate { median: 1.02, low: 0.98, high: 1.1 };
        let target = Target::check("x", measured, Bound::AtLeast(1.0));
        assert!(target.met && !target.clear, "{target:?}");
        assert!(Target::check("x", measured, Bound::AtLeast(0.9)).clear);
    }

    #[test]
    fn what_could_not_be_measured_is_not_met() {
        let measured = Estimate { median: f64::NAN, low: f64::NAN, high: f64::NAN };
        assert!(!Target::check("x", measured, Bound::AtMost(1.0)).met);
    }
}
