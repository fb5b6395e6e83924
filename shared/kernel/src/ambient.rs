//! Time, ids and chance come in by the front door: pure code takes `now`, everything else takes an [`Ambient`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use jiff::Timestamp;
use rand::{Rng, SeedableRng, TryRng};
use uuid::Uuid;

/// What the time is.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Where new ids come from.
pub trait Ids: Send + Sync + fmt::Debug {
    /// A UUID, version 7: its head is the present millisecond.
    fn draw(&self) -> Uuid;
}

/// Where chance comes from: nonces, jitter, A/B weights.
pub trait Chance: Send + Sync + fmt::Debug {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// The three together, cheap to clone.
#[derive(Clone, Debug)]
pub struct Ambient {
    /// What the time is.
    pub clock: Arc<dyn Clock>,
    /// Where new ids come from.
    pub ids: Arc<dyn Ids>,
    /// Where chance comes from.
    pub chance: Arc<dyn Chance>,
}

impl Ambient {
    /// The system's clock and the operating system's random source.
    ///
    /// Ids are drawn from a ChaCha12 that the source seeded: they are no secrets, and where clicks come a call of the
    /// operating system for each is felt.
    pub fn system() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let chance: Arc<dyn Chance> = Arc::new(SystemChance);
        let mut seed = [0; 32];
        chance.fill(&mut seed);
        let drawn = SeededChance(Mutex::new(rand::rngs::ChaCha12Rng::from_seed(seed)));
        let ids = Arc::new(DrawnIds { clock: Arc::clone(&clock), chance: Arc::new(drawn) });
        Self { clock, ids, chance }
    }

    /// For tests: the given clock, and ids and chance that follow from a seed.
    pub fn seeded(clock: Arc<dyn Clock>, seed: u64) -> Self {
        let chance: Arc<dyn Chance> =
            Arc::new(SeededChance(Mutex::new(rand::rngs::ChaCha12Rng::seed_from_u64(seed))));
        let ids = Arc::new(DrawnIds { clock: Arc::clone(&clock), chance: Arc::clone(&chance) });
        Self { clock, ids, chance }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The system's clock, cut to whole milliseconds: what is stored is what was compared.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one system clock")]
    fn now(&self) -> Timestamp {
        whole_millisecond(Timestamp::now())
    }
}

/// A clock that stands still until it is moved. Clones share the time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(whole_millisecond(start))))
    }

    /// Moves the clock; it never goes back.
    pub fn move_to(&self, to: Timestamp) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = whole_millisecond(to).max(*now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole_millisecond(t: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(t.as_millisecond()).unwrap_or(t)
}

#[derive(Debug)]
struct DrawnIds {
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

impl Ids for DrawnIds {
    fn draw(&self) -> Uuid {
        let mut tail = [0u8; 10];
        self.chance.fill(&mut tail);
        let millis = u64::try_from(self.clock.now().as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}

#[derive(Debug)]
struct SystemChance;

impl Chance for SystemChance {
    #[expect(
        clippy::expect_used,
        reason = "without the operating system's random source nothing may go on"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        rand::rngs::SysRng.try_fill_bytes(buffer).expect("the operating system gives random bytes");
    }
}

struct SeededChance(Mutex<rand::rngs::ChaCha12Rng>);

impl fmt::Debug for SeededChance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededChance")
    }
}

impl Chance for SeededChance {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(buffer);
    }
}
