//! Wakes effects that are due or were left without an outcome, and sends what still stands in the outbox.
//!
//! Runs every minute, takes no input, and may run twice: a message may come twice anyway. A run that dies half-way
//! loses nothing: what it did not send still stands in the index of what is due.
//!
//! | what | is woken |
//! |---|---|
//! | due within the next [`AHEAD`] | once: its message waits in the queue for its moment |
//! | due, and not claimed | by every run for [`FRESH`], then every [`SELDOM`] minutes |
//!
//! What was woken ahead is remembered as long as the process lives, and nowhere else. A process that begins, or comes
//! back after a pause, wakes everything: at the cost of messages that come twice, no run that is late or missed makes a
//! post late.
//!
//! **Never here:** deciding whether something may be sent: `publish` re-reads and claims.

mod turns;
mod waking;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use nexus_core::outbox::Outgoing;
use nexus_core::sweep::DueKind;
use nexus_core::table::Page;
use nexus_core::{Key, Product, Sender, Sweep, Table, records};
use nexus_engine::platform::Access;
use nexus_engine::{EnginePlatform, Hop};
use nexus_handler::{Env, Function, Invocation, Scheduled, SettingsError, Wire};
use nexus_kernel::{Failure, Timestamp};
use serde::Serialize;

pub use waking::{AHEAD, FRESH, MOST, SELDOM};

/// How many rows are read at once.
const PAGE: u32 = 200;

/// What relaying needs.
pub struct Deps {
    table: Arc<dyn Table>,
    hops: BTreeMap<Hop, Sender>,
}

/// The function.
pub struct Relay {
    deps: Deps,
    /// How many rows a run reads at most.
    most: usize,
    /// Up to which moment everything was woken by this process.
    woken_until: Mutex<Option<Timestamp>>,
}

/// What a run did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Relayed {
    /// Messages sent from the outbox.
    pub messages: u64,
    /// Effects woken, and jobs that came of them.
    pub effects: u64,
    /// Rows that could not be dealt with this time.
    pub failed: u64,
    /// Whether more was due than a run reads or has time for: the next run goes on.
    pub left: bool,
}

impl<P: EnginePlatform + ?Sized> Wire<P> for Relay {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let addresses: Vec<_> = Hop::ALL.map(|hop| (hop, settings.queue(hop.setting()))).into();
        let addresses = settings.finish(addresses)?;
        let hops = addresses.into_iter().map(|(hop, address)| (hop, platform.sender(hop, address)));
        Ok(Deps { table: platform.table(Access::Write), hops: hops.collect() })
    }
}

impl Function for Relay {
    const NAME: &'static str = "relay";
    type Deps = Deps;
    type Event = Scheduled;
    type Reply = Relayed;

    fn new(deps: Deps) -> Self {
        Self::reading(deps, MOST)
    }

    async fn handle(&self, _: Scheduled, at: Invocation) -> Result<Relayed, Failure> {
        let sweep = Sweep::begin(Product::Engine);
        let mut done = Relayed::default();
        // What is due does not wait for the outbox, nor the outbox for what cannot be woken.
        let woken = self.wake(sweep, &at, &mut done).await;
        self.send_outbox(sweep, at.now, &mut done).await?;
        woken.map(|()| done)
    }
}

impl Relay {
    fn reading(deps: Deps, most: usize) -> Self {
        Self { deps, most, woken_until: Mutex::default() }
    }

    async fn send_outbox(
        &self,
        sweep: Sweep,
        now: Timestamp,
        done: &mut Relayed,
    ) -> Result<(), Failure> {
        let Deps { table, hops } = &self.deps;
        for shard in 0..DueKind::Outbox.shards() {
            let query = DueKind::Outbox.query(shard, now);
            let mut page = Page::first(PAGE);
            loop {
                let slice = table.query(&query, &page).await?;
                let keys: Vec<Key> = slice.items.into_iter().map(|entry| entry.key).collect();
                // The index may be late: the rows themselves tell which messages still stand.
                for item in table.get_many(&keys).await?.into_iter().flatten() {
                    let sent = match (sweep.scope_of(&item.key), records::read::<Outgoing>(&item)) {
                        (Some(scope), Ok(row)) => {
                            match Hop::parse(&row.record.hop).and_then(|h| hops.get(&h)) {
                                Some(sender) => {
                                    row.record.send(&scope, &**table, sender).await.is_ok()
                                }
                                None => false,
                            }
                        }
                        _ => false,
                    };
                    *if sent { &mut done.messages } else { &mut done.failed } += 1;
                }
                match slice.next {
                    Some(next) => page = Page::after(PAGE, Some(next)),
                    None => break,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
