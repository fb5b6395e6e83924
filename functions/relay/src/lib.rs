//! Sends what still stands in the outbox and wakes effects that are due or were left without an outcome.
//!
//! Runs every minute, takes no input, and may run twice: a message may come twice anyway.
//!
//! **Never here:** deciding whether something may be sent: `publish` re-reads and claims.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use nexus_core::effect::{self, EffectId, Payload};
use nexus_core::outbox::Outgoing;
use nexus_core::queues::Message;
use nexus_core::sweep::DueKind;
use nexus_core::table::Page;
use nexus_core::{Envelope, Item, Key, Product, RecordKind, Scope, Sender, Sweep, Table, records};
use nexus_engine::footage::purchase::Purchase;
use nexus_engine::hops::Publish;
use nexus_engine::platform::Access;
use nexus_engine::publishing::PostPlan;
use nexus_engine::{EnginePlatform, Hop};
use nexus_handler::{Env, Function, Invocation, Scheduled, SettingsError, Wire};
use nexus_kernel::{Failure, Timestamp};
use serde::Serialize;

/// How far ahead due effects are sent to their queue, to wait there for their moment: a schedule's own
/// precision is a minute.
const AHEAD: SignedDuration = SignedDuration::from_secs(180);
/// How many rows are read at once.
const PAGE: u32 = 200;

/// What relaying needs.
pub struct Deps {
    table: Arc<dyn Table>,
    hops: BTreeMap<Hop, Sender>,
}

/// The function.
pub struct Relay(Deps);

/// What a run did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Relayed {
    /// Messages sent from the outbox.
    pub messages: u64,
    /// Effects woken, and jobs that came of them.
    pub effects: u64,
    /// Rows that could not be dealt with this time.
    pub failed: u64,
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
        Self(deps)
    }

    async fn handle(&self, _: Scheduled, at: Invocation) -> Result<Relayed, Failure> {
        let sweep = Sweep::begin(Product::Engine);
        let mut done = Relayed::default();
        self.send_outbox(sweep, at.now, &mut done).await?;
        self.wake(sweep, DueKind::Effect, &at, &mut done).await?;
        self.wake(sweep, DueKind::Unknown, &at, &mut done).await?;
        Ok(done)
    }
}

impl Relay {
    async fn send_outbox(
        &self,
        sweep: Sweep,
        now: Timestamp,
        done: &mut Relayed,
    ) -> Result<(), Failure> {
        for shard in 0..DueKind::Outbox.shards() {
            let query = DueKind::Outbox.query(shard, now);
            let mut page = Page::first(PAGE);
            loop {
                let slice = self.0.table.query(&query, &page).await?;
                let keys: Vec<Key> = slice.items.into_iter().map(|entry| entry.key).collect();
                // The index may be late: the rows themselves tell which messages still stand.
                for item in self.0.table.get_many(&keys).await?.into_iter().flatten() {
                    let sent = match (sweep.scope_of(&item.key), records::read::<Outgoing>(&item)) {
                        (Some(scope), Ok(row)) => {
                            match Hop::parse(&row.record.hop).and_then(|h| self.0.hops.get(&h)) {
                                Some(sender) => {
                                    row.record.send(&scope, &*self.0.table, sender).await.is_ok()
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

    /// Sends a message for every effect of a kind that is due soon, fair among tenants by its group.
    async fn wake(
        &self,
        sweep: Sweep,
        kind: DueKind,
        at: &Invocation,
        done: &mut Relayed,
    ) -> Result<(), Failure> {
        let until = at.now.saturating_add(AHEAD).unwrap_or(at.now);
        for shard in 0..kind.shards() {
            let query = kind.query(shard, until);
            let mut page = Page::first(PAGE);
            loop {
                let slice = self.0.table.query(&query, &page).await?;
                let mut messages: BTreeMap<Hop, Vec<Message>> = BTreeMap::new();
                for entry in &slice.items {
                    let Some((scope, hop, effect)) = woken(sweep, entry) else {
                        done.failed += 1;
                        continue;
                    };
                    let due = entry
                        .due
                        .as_ref()
                        .and_then(|d| d.sort.split('#').next()?.parse::<i64>().ok());
                    let wait = due.unwrap_or(0).saturating_sub(at.now.as_millisecond()).max(0);
                    // The messages of all hops that effects take say the same.
                    let body = Envelope::seal(&scope, &at.trace, &Publish { effect })?;
                    let group = scope.owner().to_string();
                    let delay = Duration::from_millis(wait.unsigned_abs());
                    messages.entry(hop).or_default().push(Message { body, group, delay });
                }
                for (hop, messages) in messages {
                    let Some(sender) = self.0.hops.get(&hop) else { continue };
                    done.effects += messages.len() as u64;
                    sender.send(messages).await?;
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

/// Whose a due row is, which function looks at it, and which effect it belongs to. The row itself is not read: that is
/// the function's matter, which claims it.
fn woken(sweep: Sweep, row: &Item) -> Option<(Scope, Hop, EffectId)> {
    let hop = match row.kind {
        RecordKind::Effect => match effect::sort_of(row)? {
            PostPlan::SORT => Hop::Publish,
            Purchase::SORT => Hop::Footage,
            _ => return None,
        },
        // A job whose own message was lost.
        RecordKind::FootageJob => Hop::Footage,
        _ => return None,
    };
    Some((sweep.scope_of(&row.key)?, hop, EffectId::parse(row.key.sk()).ok()?))
}
