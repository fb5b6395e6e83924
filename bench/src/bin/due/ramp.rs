//! How Lambda works off a queue, as a model: pure, and without chance.
//!
//! What AWS documents of an event source mapping of a standard queue: it begins with five invocations at a time and adds
//! up to 300 a minute, as long as messages wait, up to the mapping's `MaximumConcurrency` or the account's bound. An
//! invocation takes a batch and works on some of it at a time. Messages that carry a group are given out fairly: here
//! strictly by turns among the groups that have any waiting, where SQS promises less (a quiet group's messages go
//! before those of a group that has many in flight).
//!
//! Left out: cold starts (about 0.1 s each, `cold_start`), the networks' own limits, messages that come twice.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Load;

/// Seconds from beginning a post to the commit of its claim.
pub(crate) const CLAIM: f64 = 0.2;
/// Seconds from beginning a post to its end.
pub(crate) const WHOLE: f64 = 8.0;
/// Invocations at a time at the begin.
const FIRST: u32 = 5;
/// Invocations at a time that are added in a minute.
pub(crate) const MORE_A_MINUTE: u32 = 300;

/// The publishing function's bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// The mapping's `MaximumConcurrency`.
    pub(crate) bound: u32,
    /// The mapping's `BatchSize`.
    pub(crate) batch: u32,
    /// How many of a batch an invocation works on at a time.
    pub(crate) at_once: u32,
}

/// How invocations are added.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Growth {
    /// One after the other.
    Smooth,
    /// A minute's at its end.
    Steps,
}

impl Growth {
    /// When, in seconds, so many invocations may run at a time.
    fn reaches(self, invocations: u32) -> f64 {
        let more = f64::from(invocations.saturating_sub(FIRST)) / f64::from(MORE_A_MINUTE);
        60.0 * match self {
            Self::Smooth => more,
            Self::Steps => more.ceil(),
        }
    }
}

/// How late each claim came, in seconds.
#[derive(Debug, Default)]
pub(crate) struct Late {
    pub(crate) many: Vec<f64>,
    pub(crate) few: Vec<f64>,
    /// When the last post was done.
    pub(crate) done: f64,
}

impl Late {
    pub(crate) fn all(&self) -> Vec<f64> {
        self.many.iter().chain(&self.few).copied().collect()
    }
}

/// Seconds as they are compared: whole microseconds.
fn micros(seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds of a model: none negative, none beyond some hours"
    )]
    let whole = (seconds * 1e6).round() as u64;
    whole
}

/// Works the posts off, all of which wait at the second 0.
pub(crate) fn run(load: Load, setup: Setup, growth: Growth) -> Late {
    let (mut many, mut few) = (load.many, load.few);
    let mut late = Late::default();
    // Each place for an invocation, by when it is next free.
    let mut places: BinaryHeap<Reverse<u64>> = (1..=setup.bound.max(1))
        .map(|invocation| Reverse(micros(growth.reaches(invocation))))
        .collect();
    let mut turn_of_few = false;
    while many + few > 0 {
        let Some(Reverse(free)) = places.pop() else { return late };
        #[expect(clippy::cast_precision_loss, reason = "microseconds of some hours")]
        let begin = free as f64 / 1e6;
        let mut end = begin;
        for number in 0..setup.batch.min(many + few) {
            // So many at a time: the next as soon as one is done, and all take as long.
            let start = begin + f64::from(number / setup.at_once.max(1)) * WHOLE;
            let take_few = few > 0 && (turn_of_few || many == 0);
            turn_of_few = !take_few;
            let (left, line) =
                if take_few { (&mut few, &mut late.few) } else { (&mut many, &mut late.many) };
            *left -= 1;
            line.push(start + CLAIM);
            end = end.max(start + WHOLE);
        }
        late.done = late.done.max(end);
        places.push(Reverse(micros(end)));
    }
    late
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load { many: 9, few: 1 };

    #[track_caller]
    fn is(setup: Setup, growth: Growth, many: &[f64], few: &[f64], done: f64) {
        let late = run(LOAD, setup, growth);
        let same = |a: &[f64], b: &[f64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3)
        };
        assert!(same(&late.many, many) && same(&late.few, few), "{late:?}");
        assert!((late.done - done).abs() < 1e-3, "{late:?}");
    }

    #[test]
    fn two_places_take_two_posts_every_eight_seconds_and_the_few_have_the_second_turn() {
        let setup = Setup { bound: 2, batch: 1, at_once: 1 };
        let many = [0.2, 8.2, 8.2, 16.2, 16.2, 24.2, 24.2, 32.2, 32.2];
        is(setup, Growth::Smooth, &many, &[0.2], 40.0);
    }

    #[test]
    fn the_sixth_place_comes_after_a_fifth_of_a_second_or_after_a_minute() {
        let setup = Setup { bound: 6, batch: 1, at_once: 1 };
        let many = [0.2, 0.2, 0.2, 0.2, 0.4, 8.2, 8.2, 8.2, 8.2];
        is(setup, Growth::Smooth, &many, &[0.2], 16.0);
        let many = [0.2, 0.2, 0.2, 0.2, 8.2, 8.2, 8.2, 8.2, 8.2];
        is(setup, Growth::Steps, &many, &[0.2], 16.0);
    }

    #[test]
    fn a_batch_is_worked_on_so_many_at_a_time() {
        let setup = Setup { bound: 1, batch: 10, at_once: 4 };
        let many = [0.2, 0.2, 0.2, 8.2, 8.2, 8.2, 8.2, 16.2, 16.2];
        is(setup, Growth::Smooth, &many, &[0.2], 24.0);
    }
}
