//! The least and the middle of many runs.
//!
//! The least is what the work takes when nobody disturbs it; the middle is what to expect of this machine. A mean
//! is not told: one run during which the machine did something else would carry it away.

/// The spread of a set of runs.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "template", derive(serde::Serialize, serde::Deserialize))]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The middle; of an even number of runs the mean of the two in the middle.
    pub median: f64,
}

impl Spread {
    /// Of these runs; `None` of no runs.
    pub fn of(runs: &[f64]) -> Option<Self> {
        let mut sorted = runs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let (min, upper) = (*sorted.first()?, *sorted.get(half)?);
        let lower =
            if sorted.len().is_multiple_of(2) { *sorted.get(half.checked_sub(1)?)? } else { upper };
        Some(Self { min, median: f64::midpoint(lower, upper) })
    }
}

/// The least value that so large a part of the runs, 0 to 1, does not exceed; `None` of no runs.
pub fn quantile(runs: &[f64], part: f64) -> Option<f64> {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a number of runs, and a part of it"
    )]
    let rank = (part.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[3.0]), Some(Spread { min: 3.0, median: 3.0 }));
        assert_eq!(Spread::of(&[9.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0 }));
        assert_eq!(Spread::of(&[9.0, 1.0, 2.0, 4.0]), Some(Spread { min: 1.0, median: 3.0 }));
    }

    #[test]
    fn a_quantile_is_one_of_the_runs() {
        let runs: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        for (part, value) in [(0.0, 1.0), (0.5, 100.0), (0.99, 198.0), (1.0, 200.0)] {
            assert_eq!(quantile(&runs, part), Some(value));
        }
        assert_eq!(quantile(&[], 0.5), None);
    }
}
