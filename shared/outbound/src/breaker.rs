//! A vendor that is down is left alone for a while, so that its outage does not eat the workers.
//!
//! After [`OUTAGES`] tries in a row that ended in an outage the way is closed for [`CLOSED_FOR`]; then one try is let
//! through, and its end decides. An outage is: no connection, a lost answer, a status of 500 and above. A vendor that
//! says 429 or refuses is there, and counts as such. What says nothing about the vendor (an address that the guard
//! does not allow, a try that was given up) changes nothing.
//!
//! Ours, because the crates for it are wrappers around one future and want the error types to decide; here a
//! permit is taken late, after the waiting, and may be given back without a verdict.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many outages in a row close the way.
pub(crate) const OUTAGES: u32 = 5;
/// For so long nobody is let through.
pub(crate) const CLOSED_FOR: Duration = Duration::from_secs(30);
/// When to ask again while the one try is on its way.
const PROBE_TAKES: Duration = Duration::from_secs(5);

/// The breaker of one vendor.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Everybody passes; so many outages in a row were seen.
    Open(u32),
    /// Nobody passes until then; afterwards one does.
    Closed(Instant),
    /// One is on its way.
    Probing,
}

/// The way is closed; asking again makes sense after this.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Down {
    pub(crate) after: Duration,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::Open(0)) }
    }

    /// Whether there is any sense in waiting for one's turn.
    pub(crate) fn look(&self) -> Result<(), Down> {
        match *self.state() {
            State::Open(_) => Ok(()),
            State::Probing => Err(Down { after: PROBE_TAKES }),
            State::Closed(until) => match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => Ok(()),
                after => Err(Down { after }),
            },
        }
    }

    /// Lets a try through. Its end is told to the permit; a permit that is dropped says nothing.
    pub(crate) fn pass(&self) -> Result<Permit<'_>, Down> {
        self.look()?;
        let mut state = self.state();
        let probe = match *state {
            State::Open(_) => false,
            State::Closed(_) => {
                *state = State::Probing;
                true
            }
            State::Probing => return Err(Down { after: PROBE_TAKES }),
        };
        drop(state);
        Ok(Permit { breaker: self, probe })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One try that was let through.
#[must_use = "the end of a try is told to its permit"]
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    /// Whether this is the one try that decides.
    probe: bool,
}

impl Permit<'_> {
    /// The vendor is there. Tells whether it was away before.
    pub(crate) fn there(mut self) -> bool {
        let mut state = self.breaker.state();
        match *state {
            State::Open(_) => *state = State::Open(0),
            State::Probing if self.probe => *state = State::Open(0),
            // A try that began before the way was closed does not decide.
            State::Probing | State::Closed(_) => {}
        }
        drop(state);
        std::mem::take(&mut self.probe)
    }

    /// The vendor is not there. Tells whether this closed the way.
    pub(crate) fn away(mut self) -> bool {
        let mut state = self.breaker.state();
        let closes = match *state {
            State::Open(seen) if seen + 1 < OUTAGES => {
                *state = State::Open(seen + 1);
                false
            }
            State::Open(_) => true,
            State::Probing => self.probe,
            State::Closed(_) => false,
        };
        if closes {
            *state = State::Closed(Instant::now() + CLOSED_FOR);
        }
        drop(state);
        let probed = std::mem::take(&mut self.probe);
        closes && !probed
    }
}

impl Drop for Permit<'_> {
    /// A probe without a verdict leaves its place to the next.
    fn drop(&mut self) {
        if self.probe {
            *self.breaker.state() = State::Closed(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn closed() -> Breaker {
        let breaker = Breaker::new();
        for nth in 1..=OUTAGES {
            let closes = breaker.pass().unwrap().away();
            assert_eq!(closes, nth == OUTAGES);
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn outages_in_a_row_close_the_way_and_one_try_opens_it() {
        let breaker = closed();
        assert_eq!(breaker.pass().unwrap_err(), Down { after: CLOSED_FOR });
        advance(CLOSED_FOR - Duration::from_secs(1)).await;
        assert_eq!(breaker.look(), Err(Down { after: Duration::from_secs(1) }));
        advance(Duration::from_secs(1)).await;
        let probe = breaker.pass().unwrap();
        assert!(breaker.pass().is_err(), "one at a time");
        assert!(probe.there());
        assert!(breaker.pass().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_between_outages_begins_the_count_anew() {
        let breaker = Breaker::new();
        for _ in 0..3 {
            (1..OUTAGES).for_each(|_| assert!(!breaker.pass().unwrap().away()));
            assert!(!breaker.pass().unwrap().there());
        }
        assert!(breaker.look().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_fails_closes_the_way_again_and_one_that_is_given_up_leaves_its_place() {
        let breaker = closed();
        advance(CLOSED_FOR).await;
        drop(breaker.pass().unwrap());
        assert!(!breaker.pass().unwrap().away(), "the way was closed before");
        assert_eq!(breaker.look(), Err(Down { after: CLOSED_FOR }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_from_before_does_not_decide() {
        let breaker = Breaker::new();
        let (early, late) = (breaker.pass().unwrap(), breaker.pass().unwrap());
        (0..OUTAGES).for_each(|nth| assert_eq!(breaker.pass().unwrap().away(), nth + 1 == OUTAGES));
        early.there();
        assert!(breaker.look().is_err());
        advance(CLOSED_FOR).await;
        let probe = breaker.pass().unwrap();
        late.away();
        assert!(probe.there());
        assert!(breaker.look().is_ok());
    }
}
