//! Undoing: what was done so far, in steps that can be taken back.

use std::{error::Error, fmt, mem};

type Failure = Box<dyn Error + Send + Sync>;
type Step<'a> = Box<dyn FnOnce() -> Result<(), Failure> + 'a>;

/// The undoing of everything done so far. A step is put on it right after what it undoes succeeded; dropping it takes all of
/// them back, last first, [`Undo::commit`] keeps what was done.
#[derive(Default)]
#[must_use = "dropping it undoes at once"]
pub struct Undo<'a> {
    steps: Vec<(String, Step<'a>)>,
}

impl<'a> Undo<'a> {
    /// Nothing to undo yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds how the last thing done is undone. `name` says so in an error: `delete veth pair`.
    pub fn push<E>(&mut self, name: impl Into<String>, step: impl FnOnce() -> Result<(), E> + 'a)
    where
        E: Into<Failure>,
    {
        self.steps.push((name.into(), Box::new(|| step().map_err(Into::into))));
    }

    /// Keeps everything that was done.
    pub fn commit(mut self) {
        self.steps.clear();
    }

    /// Undoes everything, last first. A step that fails does not stop those after it.
    ///
    /// # Errors
    /// All the steps that failed.
    pub fn unwind(mut self) -> Result<(), TeardownErrors> {
        self.undo_all()
    }

    fn undo_all(&mut self) -> Result<(), TeardownErrors> {
        let mut failures = Vec::new();
        for (name, step) in mem::take(&mut self.steps).into_iter().rev() {
            if let Err(source) = step() {
                failures.push(TeardownFailure { step: name, source });
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(TeardownErrors { failures }) }
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Err(errors) = self.undo_all() {
            tracing::warn!(%errors, "not everything could be undone");
        }
    }
}

/// A step of a teardown that failed.
#[derive(Debug)]
pub struct TeardownFailure {
    /// What it was to do.
    pub step: String,
    /// Why it did not.
    pub source: Failure,
}

/// Every step of a teardown that failed; all others were done.
#[derive(Debug)]
pub struct TeardownErrors {
    /// In the order they were tried; at least one.
    pub failures: Vec<TeardownFailure>,
}

impl fmt::Display for TeardownErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("left behind: ")?;
        for (position, failure) in self.failures.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", failure.step, failure.source)?;
        }
        Ok(())
    }
}

impl Error for TeardownErrors {}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, io};

    use super::*;

    fn record<'a>(
        log: &'a RefCell<Vec<&'static str>>,
        name: &'static str,
    ) -> impl FnOnce() -> io::Result<()> + 'a {
        move || {
            log.borrow_mut().push(name);
            Ok(())
        }
    }

    #[test]
    fn dropping_undoes_the_steps_last_first() {
        let log = RefCell::default();
        let mut undo = Undo::new();
        undo.push("one", record(&log, "one"));
        undo.push("two", record(&log, "two"));
        drop(undo);
        assert_eq!(*log.borrow(), ["two", "one"]);
    }

    #[test]
    fn committing_keeps_what_was_done() {
        let log = RefCell::default();
        let mut undo = Undo::new();
        undo.push("one", record(&log, "one"));
        undo.commit();
        assert!(log.borrow().is_empty());
    }

    #[test]
    fn a_failing_step_is_named_and_stops_no_other() {
        let log = RefCell::default();
        let mut undo = Undo::new();
        undo.push("one", record(&log, "one"));
        undo.push("delete veth pair", || Err(io::Error::other("gone already")));
        undo.push("three", record(&log, "three"));
        let errors = undo.unwind().expect_err("the second step fails");
        assert_eq!(*log.borrow(), ["three", "one"]);
        assert_eq!(errors.to_string(), "left behind: delete veth pair: gone already");
    }
}
