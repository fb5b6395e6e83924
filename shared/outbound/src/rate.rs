//! How fast, and how much at once, a tenant asks a vendor: one busy tenant does not take the turns of the others.
//!
//! Within this process. Several processes have a limit each, and what is too much for all of them together the vendor
//! answers with 429, which the retries respect.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use nexus_core::Owner;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::retry::wait;

/// From so many tenants on, those that are idle are forgotten.
const REMEMBERED: usize = 1_000;

type Pace = RateLimiter<Owner, HashMapStateStore<Owner>, Ticks, NoOpMiddleware<Duration>>;

/// The turns of one vendor's tenants.
pub(crate) struct Turns {
    pace: Pace,
    at_once: usize,
    places: Mutex<HashMap<Owner, Arc<Semaphore>>>,
}

/// A try's turn; dropped, the next one gets its place.
#[must_use = "the place is free as soon as this is dropped"]
#[derive(Debug)]
pub(crate) struct Turn {
    _place: OwnedSemaphorePermit,
}

/// No turn comes in time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooBusy {
    /// When one would have come, where that can be told.
    pub(crate) after: Option<Duration>,
}

impl Turns {
    /// At most so many in a second, evenly spaced, and so many at once, for each tenant.
    pub(crate) fn new(per_second: NonZeroU32, at_once: usize) -> Self {
        // Without a burst: else a second could see twice as many.
        let quota = Quota::per_second(per_second).allow_burst(NonZeroU32::MIN);
        let pace = Pace::new(quota, HashMapStateStore::default(), Ticks(Instant::now()));
        Self { pace, at_once, places: Mutex::default() }
    }

    /// Waits for a turn, until then at most.
    pub(crate) async fn wait_for(&self, owner: Owner, until: Instant) -> Result<Turn, TooBusy> {
        let place = match timeout_at(until, self.place(owner).acquire_owned()).await {
            Ok(Ok(place)) => place,
            // Nobody closes a semaphore here.
            Ok(Err(_)) | Err(_) => return Err(TooBusy { after: None }),
        };
        while let Err(not_yet) = self.pace.check_key(&owner) {
            let pause = not_yet.wait_time_from(self.pace.clock().now());
            if Instant::now() + pause >= until {
                return Err(TooBusy { after: Some(pause) });
            }
            wait(pause).await;
        }
        if self.pace.len() > REMEMBERED {
            self.pace.retain_recent();
        }
        Ok(Turn { _place: place })
    }

    fn place(&self, owner: Owner) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() > REMEMBERED {
            // A place that is taken or waited for is held by somebody else too.
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        let place = places.entry(owner).or_insert_with(|| Arc::new(Semaphore::new(self.at_once)));
        Arc::clone(place)
    }
}

/// The runtime's time, so that a test can pause it.
#[derive(Debug, Clone)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use nexus_kernel::id::TenantId;

    use super::*;

    fn owner(name: &str) -> Owner {
        TenantId::derived(&[name]).into()
    }

    fn turns(per_second: u32, at_once: usize) -> Turns {
        Turns::new(NonZeroU32::new(per_second).unwrap(), at_once)
    }

    fn in_an_hour() -> Instant {
        Instant::now() + Duration::from_secs(3_600)
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_sees_more_tries_than_the_limit() {
        let (turns, begin) = (turns(4, 100), Instant::now());
        let all = (0..20).map(|_| async {
            let _turn = turns.wait_for(owner("a"), in_an_hour()).await.unwrap();
            begin.elapsed()
        });
        let mut at = join_all(all).await;
        at.sort();
        for window in at.windows(5) {
            let took = window[4] - window[0];
            assert!(took >= Duration::from_millis(999), "five tries within {took:?}");
        }
        assert!(at[19] < Duration::from_secs(6), "and none waits for nothing: {:?}", at[19]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_tenant_takes_no_turn_from_another() {
        let (turns, begin) = (turns(1, 1), Instant::now());
        let _held = turns.wait_for(owner("a"), in_an_hour()).await.unwrap();
        let other = turns.wait_for(owner("b"), in_an_hour()).await;
        assert!(other.is_ok() && begin.elapsed() == Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_at_once_than_there_are_places() {
        let turns = turns(1_000, 2);
        let (first, _second) = (
            turns.wait_for(owner("a"), in_an_hour()).await.unwrap(),
            turns.wait_for(owner("a"), in_an_hour()).await.unwrap(),
        );
        let soon = Instant::now() + Duration::from_secs(5);
        assert_eq!(turns.wait_for(owner("a"), soon).await.unwrap_err(), TooBusy { after: None });
        assert_eq!(Instant::now(), soon);
        drop(first);
        assert!(turns.wait_for(owner("a"), in_an_hour()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_beyond_the_end_is_told_so_at_once() {
        let turns = turns(1, 10);
        let _turn = turns.wait_for(owner("a"), in_an_hour()).await.unwrap();
        let (begin, soon) = (Instant::now(), Instant::now() + Duration::from_millis(500));
        let busy = turns.wait_for(owner("a"), soon).await.unwrap_err();
        assert_eq!(busy, TooBusy { after: Some(Duration::from_secs(1)) });
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn tenants_that_are_idle_are_forgotten() {
        let turns = turns(1_000, 1);
        for n in 0..REMEMBERED * 2 {
            drop(turns.wait_for(owner(&n.to_string()), in_an_hour()).await.unwrap());
            tokio::time::advance(Duration::from_millis(2)).await;
        }
        assert!(turns.places.lock().unwrap().len() <= REMEMBERED + 1);
        assert!(turns.pace.len() <= REMEMBERED + 1);
    }
}
