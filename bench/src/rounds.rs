//! Rounds: every lane measured once, in turn forwards and backwards, so that what changes slowly hits all of them alike.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Result, bail};

use crate::report::Effort;

/// How many rounds, and how long.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Undisturbed rounds that are wanted.
    pub(crate) rounds: usize,
    /// Time of one measurement in seconds.
    pub(crate) seconds: f64,
    /// Whether disturbed rounds count as well.
    pub(crate) keep_disturbed: bool,
    /// Set when the user wants to stop.
    pub(crate) stop: Arc<AtomicBool>,
}

/// A measurement and whether others spoiled it.
pub(crate) struct Taken<T> {
    /// What was measured.
    pub(crate) value: T,
    /// Whether it is to be trusted.
    pub(crate) spoiled: bool,
}

impl<T> Taken<T> {
    /// The same measurement in another form.
    pub(crate) fn map<U>(self, form: impl FnOnce(T) -> U) -> Taken<U> {
        Taken { value: form(self.value), spoiled: self.spoiled }
    }
}

/// What was measured: `rounds[round][lane]`.
#[derive(Debug)]
pub(crate) struct Rounds<T> {
    /// Rounds to be trusted.
    pub(crate) kept: Vec<Vec<T>>,
    /// Rounds that were not.
    pub(crate) dropped: usize,
}

impl<T> Rounds<T> {
    /// How it went.
    pub(crate) fn effort(&self) -> Effort {
        Effort { rounds: self.kept.len(), rounds_dropped: self.dropped }
    }

    /// One value a round.
    pub(crate) fn each(&self, value: impl Fn(&[T]) -> f64) -> Vec<f64> {
        self.kept.iter().map(|round| value(round)).collect()
    }
}

/// Measures `lanes` lanes until enough rounds were undisturbed, or twice as many were tried. `measure` is told which lane.
///
/// # Errors
/// Those of `measure`; the user stopped it; too few rounds were undisturbed.
pub(crate) fn run<T>(
    plan: &Plan,
    lanes: usize,
    mut measure: impl FnMut(usize) -> Result<Taken<T>>,
) -> Result<Rounds<T>> {
    let mut rounds = Rounds { kept: Vec::new(), dropped: 0 };
    for number in 0..plan.rounds * 2 {
        let forwards: Vec<usize> = (0..lanes).collect();
        let order = if number % 2 == 0 { forwards } else { forwards.into_iter().rev().collect() };
        let mut round = Vec::new();
        for lane in order {
            if plan.stop.load(Ordering::Relaxed) {
                bail!("stopped by a signal");
            }
            round.push((lane, measure(lane)?));
        }
        round.sort_by_key(|(lane, _)| *lane);
        let spoiled = round.iter().any(|(_, taken)| taken.spoiled);
        if spoiled && !plan.keep_disturbed {
            rounds.dropped += 1;
        } else {
            rounds.kept.push(round.into_iter().map(|(_, taken)| taken.value).collect());
        }
        if rounds.kept.len() == plan.rounds {
            break;
        }
    }
    let (kept, least) = (rounds.kept.len(), least(plan.rounds));
    if kept < least {
        bail!(
            "other work on this machine disturbed all but {kept} of {} rounds: at least {least} are needed",
            kept + rounds.dropped
        );
    }
    Ok(rounds)
}

/// Fewer undisturbed rounds than this say nothing: a third of those wanted, and at least three, where so many are wanted.
fn least(wanted: usize) -> usize {
    wanted.div_ceil(3).max(3).min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rounds: usize) -> Plan {
        Plan { rounds, seconds: 0.0, keep_disturbed: false, stop: Arc::default() }
    }

    #[test]
    fn rounds_go_forwards_and_backwards_and_are_kept_in_lane_order() {
        let mut order = Vec::new();
        let rounds = run(&plan(2), 3, |lane| {
            order.push(lane);
            Ok(Taken { value: lane, spoiled: false })
        });
        assert_eq!(order, [0, 1, 2, 2, 1, 0]);
        assert_eq!(rounds.expect("rounds").kept, [[0, 1, 2], [0, 1, 2]]);
    }

    #[test]
    fn a_disturbed_round_is_made_up_for() {
        let mut measured = 0;
        let rounds = run(&plan(3), 1, |_| {
            measured += 1;
            Ok(Taken { value: (), spoiled: measured == 2 })
        });
        let rounds = rounds.expect("rounds");
        assert_eq!((rounds.kept.len(), rounds.dropped), (3, 1));
    }

    #[test]
    fn a_few_undisturbed_rounds_of_many_are_not_enough() {
        for (undisturbed, is_enough) in [(1, false), (4, false), (5, true)] {
            let mut measured = 0;
            let rounds = run(&plan(15), 1, |_| {
                measured += 1;
                Ok(Taken { value: (), spoiled: measured > undisturbed })
            });
            assert_eq!(rounds.is_ok(), is_enough, "{undisturbed}");
        }
    }

    #[test]
    fn rounds_end_when_all_are_disturbed() {
        let mut measured = 0;
        let rounds = run(&plan(3), 1, |_| {
            measured += 1;
            Ok(Taken { value: (), spoiled: true })
        });
        assert!(rounds.is_err());
        assert_eq!(measured, 6);
    }
}
