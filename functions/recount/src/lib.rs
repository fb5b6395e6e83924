//! Counts the clicks of past days anew from their rows.
//!
//! Runs every hour, takes no input, and may run twice: a day that was counted is not due any more. Robots are told by the
//! rules of today, whatever those said when a click came. A tally that did not agree with its rows is corrected and wakes
//! somebody: it should never happen.
//!
//! **Never here:** how a day is counted, what a robot is (`nexus_engine` has both).

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use nexus_core::sweep::DueKind;
use nexus_core::table::Page;
use nexus_core::{Item, Key, Product, Sweep, Table, records};
use nexus_engine::EnginePlatform;
use nexus_engine::platform::Access;
use nexus_engine::tallies::{self, ByRules, Judge, Recount, Recounted};
use nexus_handler::{Env, Function, Invocation, Measure, Scheduled, SettingsError, Wire};
use nexus_kernel::Failure;
use serde::Serialize;

/// How many rows are read at once.
const PAGE: u32 = 200;
/// How many days are counted at once.
const AT_ONCE: usize = 4;
/// Nothing is begun when less time than this is left.
const MARGIN: Duration = Duration::from_secs(60);

/// What counting needs.
pub struct Deps {
    /// Where the clicks are.
    pub table: Arc<dyn Table>,
    /// Who tells robots from people.
    pub judge: Arc<dyn Judge>,
}

/// The function.
pub struct RecountClicks(Deps);

/// What a run did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Days of links that were counted.
    pub counted: u64,
    /// Days to which clicks came while they were counted: another time.
    pub later: u64,
    /// Clicks that today's rules judge otherwise than when they came.
    pub judged: u64,
    /// Tallies that did not agree with the rows.
    pub corrected: u64,
    /// Rows that could not be dealt with this time.
    pub failed: u64,
    /// Whether all was looked at that was due.
    pub complete: bool,
}

impl<P: EnginePlatform + ?Sized> Wire<P> for RecountClicks {
    type Deps = Deps;

    fn wire(platform: &P, _: &Env) -> Result<Deps, SettingsError> {
        Ok(Deps { table: platform.table(Access::Write), judge: Arc::new(ByRules::default()) })
    }
}

impl Function for RecountClicks {
    const NAME: &'static str = "recount";
    type Deps = Deps;
    type Event = Scheduled;
    type Reply = Done;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, _: Scheduled, at: Invocation) -> Result<Done, Failure> {
        let sweep = Sweep::begin(Product::Engine);
        let mut done = Done { complete: true, ..Done::default() };
        let walked = self.shards(sweep, &at, &mut done).await;
        // What was corrected before a store failed wakes somebody too.
        at.measures.note(Measure::CorrectedTallies, done.corrected);
        walked.map(|()| done)
    }
}

/// What became of a row.
enum Fate {
    Dealt(Recounted),
    NotDue,
    Failed,
    NoTime,
}

impl RecountClicks {
    async fn shards(&self, sweep: Sweep, at: &Invocation, done: &mut Done) -> Result<(), Failure> {
        for shard in 0..DueKind::Recount.shards() {
            self.shard(sweep, shard, at, done).await?;
        }
        Ok(())
    }

    async fn shard(
        &self,
        sweep: Sweep,
        shard: u32,
        at: &Invocation,
        done: &mut Done,
    ) -> Result<(), Failure> {
        let query = DueKind::Recount.query(shard, at.now);
        let mut page = Page::first(PAGE);
        loop {
            let slice = self.0.table.query(&query, &page).await?;
            let keys: Vec<Key> = slice.items.into_iter().map(|listed| listed.key).collect();
            // The index may be late: the rows themselves tell what is due.
            let rows = self.0.table.get_many(&keys).await?.into_iter().flatten();
            let mut fates =
                stream::iter(rows.map(|row| self.row(sweep, row, at))).buffer_unordered(AT_ONCE);
            while let Some((fate, corrected)) = fates.next().await {
                done.corrected += corrected;
                match fate {
                    Fate::Dealt(Recounted::Counted { judged }) => {
                        done.counted += 1;
                        done.judged += judged;
                    }
                    Fate::Dealt(Recounted::Later) => done.later += 1,
                    Fate::NotDue => {}
                    Fate::Failed => done.failed += 1,
                    Fate::NoTime => done.complete = false,
                }
            }
            match slice.next {
                Some(next) if done.complete => page = Page::after(PAGE, Some(next)),
                _ => return Ok(()),
            }
        }
    }

    /// What became of a row, and how many tallies were corrected: where it failed too. What was told then is told again
    /// by whoever ends the count.
    async fn row(&self, sweep: Sweep, row: Item, at: &Invocation) -> (Fate, u64) {
        if at.time_left() < MARGIN {
            return (Fate::NoTime, 0);
        }
        let mut corrected = 0;
        let dealt = async {
            let scope =
                sweep.scope_of(&row.key).ok_or_else(|| Failure::bug("a row of nobody's"))?;
            let mut recount = records::read::<Recount>(&row)?;
            if at.now < recount.record.due {
                return Ok(Fate::NotDue);
            }
            let (table, judge) = (&*self.0.table, &*self.0.judge);
            let outcome = tallies::recount(table, &scope, &mut recount, judge).await;
            corrected = recount.record.corrected;
            Ok::<_, Failure>(Fate::Dealt(outcome?))
        };
        let fate = dealt.await.unwrap_or_else(|failure| {
            tracing::warn!(key = row.key.sk(), %failure, "a day is counted again later");
            Fate::Failed
        });
        if corrected > 0 {
            tracing::error!(key = row.key.sk(), corrected, "tallies did not agree with their rows");
        }
        (fate, corrected)
    }
}
