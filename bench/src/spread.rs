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
        let lower = if sorted.len() % 2 == 0 { *sorted.get(half.checked_sub(1)?)? } else { upper };
        Some(Self { min, median: f64::midpoint(lower, upper) })
    }
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
}
