//! Medians and how sure they are.

use serde::Serialize;

/// Resamples for an interval: enough for two digits of a 95 % bound.
const RESAMPLES: usize = 2_000;
/// The same rounds give the same interval.
const SEED: u64 = 0x7779_6521;

/// A median with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Estimate {
    /// The median.
    pub(crate) median: f64,
    /// 2.5 % of resampled medians are lower.
    pub(crate) low: f64,
    /// 2.5 % of resampled medians are higher.
    pub(crate) high: f64,
}

impl Estimate {
    /// Of one value a round; NaN where there are none.
    #[must_use]
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let resample: Vec<f64> = values
                    .iter()
                    .filter_map(|_| values.get(random.usize(0..values.len())).copied())
                    .collect();
                median(&resample)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let at = |rank: usize| medians.get(rank).copied().unwrap_or(f64::NAN);
        Self { median: median(values), low: at(RESAMPLES / 40), high: at(RESAMPLES - 1 - RESAMPLES / 40) }
    }
}

/// The middle value, or the mean of the two in the middle; NaN where there are none.
#[must_use]
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(below), Some(above)) if sorted.len().is_multiple_of(2) => f64::midpoint(*below, *above),
        (_, Some(value)) => *value,
        (_, None) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn an_interval_holds_its_median_and_ignores_one_outlier() {
        let mut values: Vec<f64> = (0..21).map(f64::from).collect();
        values.push(1e9);
        let estimate = Estimate::of(&values);
        assert!(estimate.low <= estimate.median && estimate.median <= estimate.high);
        assert!(estimate.high < 21.0, "{estimate:?}");
    }

    #[test]
    fn equal_rounds_have_no_spread() {
        assert_eq!(Estimate::of(&[2.0; 9]), Estimate { median: 2.0, low: 2.0, high: 2.0 });
    }
}
