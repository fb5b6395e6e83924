//! Looks at every queue and tells, as a few numbers for the whole suite, what should wake somebody: dead letters, and
//! queues that nobody works on.
//!
//! Runs on a schedule, no input. One sum instead of an alarm per queue: an alarm costs by the metric, and may look at
//! ten at most.
//!
//! **Never here:** repairing anything (that is a person's deed: `redrive`), what a tenant has (no number names one).

use futures::{StreamExt, TryStreamExt};
use nexus_core::Gauge;
use nexus_core::queues::Depth;
use nexus_engine::EnginePlatform;
use nexus_handler::{Env, Function, Invocation, Measure, Scheduled, SettingsError, Wire};
use nexus_kernel::Failure;
use serde::Serialize;

/// How many queues are asked at once.
const AT_ONCE: usize = 8;

/// What looking needs.
pub struct Deps {
    queues: Vec<Gauge>,
    dead_letters: Vec<Gauge>,
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Messages that wait in all queues, for a hand or for their delay.
    pub waiting: u64,
    /// Messages in somebody's hands.
    pub in_flight: u64,
    /// Queues in which messages wait and nobody works on any.
    pub stalled: u64,
    /// Messages that were given up.
    pub dead_letters: u64,
}

/// The function.
pub struct Health(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for Health {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let lists = (settings.queues("QUEUES"), settings.queues("DEAD_LETTERS"));
        let (queues, dead_letters) = settings.finish(lists)?;
        let gauges = |list: Vec<_>| list.into_iter().map(|a| platform.gauge(a)).collect();
        Ok(Deps { queues: gauges(queues), dead_letters: gauges(dead_letters) })
    }
}

impl Function for Health {
    const NAME: &'static str = "health";
    type Deps = Deps;
    type Event = Scheduled;
    type Reply = Seen;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, _: Scheduled, at: Invocation) -> Result<Seen, Failure> {
        let (queues, dead) = (read(&self.0.queues).await?, read(&self.0.dead_letters).await?);
        let seen = Seen {
            waiting: queues.iter().map(|d| d.visible + d.delayed).sum(),
            in_flight: queues.iter().map(|d| d.in_flight).sum(),
            stalled: queues.iter().filter(|d| d.visible > 0 && d.in_flight == 0).count() as u64,
            dead_letters: dead.iter().map(|d| d.visible + d.in_flight + d.delayed).sum(),
        };
        at.measures.note(Measure::StalledQueues, seen.stalled);
        at.measures.note(Measure::DeadLetters, seen.dead_letters);
        Ok(seen)
    }
}

async fn read(gauges: &[Gauge]) -> Result<Vec<Depth>, Failure> {
    let depths = futures::stream::iter(gauges).map(Gauge::read).buffered(AT_ONCE);
    Ok(depths.try_collect().await?)
}
