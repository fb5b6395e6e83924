//! Whether something is asked again, after which pause, and how often at most.
//!
//! Ours and not `backon`'s: its jitter adds to the pause and draws from a source of its own, while here the pause is
//! drawn whole (so that those who failed together do not come back together) from the chance that was handed over,
//! what the vendor says about waiting goes first, and all tries share one deadline.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nexus_kernel::Chance;
use tokio::time::Instant;

use crate::error::CallError;
use crate::vendor::Repeat;

/// The most tries of one call.
pub(crate) const MAX_TRIES: u32 = 3;
/// The longest first pause; each further one may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that nobody asked for.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// The longest wait that is believed: beyond it, asking again after that long does no harm.
pub(crate) const LONGEST_AFTER: Duration = Duration::from_secs(60 * 60);

/// Whether what ended so may be sent again.
pub(crate) fn may_repeat(repeat: Repeat, error: &CallError) -> bool {
    match error {
        // It did not happen.
        CallError::Throttled { .. } => true,
        CallError::Unknown { .. } => match repeat {
            Repeat::Safe | Repeat::Keyed(_) => true,
            Repeat::Never => false,
        },
        CallError::Refused { .. }
        | CallError::Login { .. }
        | CallError::Bug(_)
        | CallError::Held(_) => false,
    }
}

/// How long to wait after so many tries: any part of a time that doubles, and what the vendor asked for before it.
pub(crate) fn pause(tries: u32, asked_for: Option<Duration>, chance: &dyn Chance) -> Duration {
    let longest = match asked_for {
        Some(_) => FIRST_PAUSE,
        None => FIRST_PAUSE
            .saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)))
            .min(LONGEST_PAUSE),
    };
    asked_for.unwrap_or_default().saturating_add(part_of(longest, chance))
}

/// Any part of a time, each as likely.
fn part_of(whole: Duration, chance: &dyn Chance) -> Duration {
    let mut drawn = [0; 8];
    chance.fill(&mut drawn);
    let nanos = (whole.as_nanos() * u128::from(u64::from_be_bytes(drawn))) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Waits. The one place of this crate that does.
#[expect(
    clippy::disallowed_methods,
    reason = "a pause between tries is a span of the runtime's time, always within the call's deadline; the \
              injected clock has no sleep"
)]
pub(crate) async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// How many retries a vendor gets: a fifth of the calls, and a few in any case, so that an outage is not answered
/// with three times the load.
#[derive(Debug)]
pub(crate) struct Budget {
    purse: Mutex<Purse>,
}

#[derive(Debug)]
struct Purse {
    /// In hundredths of a retry.
    coins: u64,
    /// Until when the trickle was counted.
    at: Instant,
}

/// What a retry costs.
const RETRY: u64 = 100;
/// What each call brings in.
const A_CALL: u64 = 20;
/// What time brings in, whoever calls: a retry each ten seconds.
const TRICKLE: Duration = Duration::from_millis(100);
/// The most that is saved up, and what is there at the beginning: ten retries.
const MOST: u64 = 10 * RETRY;

impl Budget {
    pub(crate) fn new() -> Self {
        Self { purse: Mutex::new(Purse { coins: MOST, at: Instant::now() }) }
    }

    /// A call begins.
    pub(crate) fn a_call(&self) {
        self.with(|purse| purse.coins += A_CALL);
    }

    /// Takes a retry, if there is one.
    pub(crate) fn a_retry(&self) -> bool {
        self.with(|purse| match purse.coins.checked_sub(RETRY) {
            Some(left) => {
                purse.coins = left;
                true
            }
            None => false,
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Purse) -> T) -> T {
        let mut purse = self.purse.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = purse.at.elapsed().as_nanos() / TRICKLE.as_nanos();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        purse.at += TRICKLE * passed;
        purse.coins = (purse.coins + u64::from(passed)).min(MOST);
        let done = change(&mut purse);
        purse.coins = purse.coins.min(MOST);
        done
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nexus_kernel::ambient::ManualClock;
    use nexus_kernel::{Ambient, Timestamp};
    use proptest::prelude::*;
    use tokio::time::advance;

    use super::*;

    fn chance(seed: u64) -> Arc<dyn Chance> {
        Ambient::seeded(Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)), seed).chance
    }

    #[test]
    fn what_may_have_happened_is_repeated_only_where_that_does_no_harm() {
        let lost = CallError::Unknown { why: String::new() };
        let throttled = CallError::Throttled { after: None, why: String::new() };
        let refused = CallError::Refused { code: String::new(), why: String::new() };
        for (repeat, again) in
            [(Repeat::Safe, true), (Repeat::Keyed("k"), true), (Repeat::Never, false)]
        {
            assert_eq!(may_repeat(repeat, &lost), again);
            assert!(may_repeat(repeat, &throttled));
            assert!(!may_repeat(repeat, &refused));
        }
    }

    proptest! {
        #[test]
        fn a_pause_is_any_part_of_a_time_that_doubles_and_never_shorter_than_asked(
            seed: u64, tries in 1..200_u32, asked in prop::option::of(0..u64::MAX),
        ) {
            let asked = asked.map(Duration::from_secs);
            let pause = pause(tries, asked, &*chance(seed));
            match asked {
                Some(asked) => {
                    prop_assert!(asked <= pause && pause <= asked.saturating_add(FIRST_PAUSE));
                }
                None => prop_assert!(pause <= FIRST_PAUSE * 2_u32.pow(tries.min(6)) && pause <= LONGEST_PAUSE),
            }
        }
    }

    #[test]
    fn pauses_are_spread_over_the_whole_time() {
        let chance = chance(1);
        let drawn: Vec<Duration> = (0..200).map(|_| pause(1, None, &*chance)).collect();
        for quarter in 0..4 {
            let (from, to) = (FIRST_PAUSE / 4 * quarter, FIRST_PAUSE / 4 * (quarter + 1));
            let within = drawn.iter().filter(|pause| (from..to).contains(pause)).count();
            assert!((20..80).contains(&within), "{within} of 200 between {from:?} and {to:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_vendor_gets_a_fifth_of_its_calls_as_retries_and_a_few_in_any_case() {
        let budget = Budget::new();
        assert_eq!((0..50).filter(|_| budget.a_retry()).count(), 10, "what was saved up");
        (0..20).for_each(|_| budget.a_call());
        assert_eq!((0..50).filter(|_| budget.a_retry()).count(), 4, "a fifth of twenty");
        advance(Duration::from_secs(10)).await;
        assert_eq!((0..50).filter(|_| budget.a_retry()).count(), 1, "by time alone");
        advance(Duration::from_secs(1_000_000)).await;
        assert_eq!((0..50).filter(|_| budget.a_retry()).count(), 10, "no more than that");
    }
}
