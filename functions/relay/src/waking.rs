//! From the index of what is due to messages, fair among tenants.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::SignedDuration;
use nexus_core::effect::{self, EffectId, Payload};
use nexus_core::queues::Message;
use nexus_core::sweep::{DueKind, moment};
use nexus_core::table::{Page, Query};
use nexus_core::{Envelope, Item, RecordKind, Scope, Sweep};
use nexus_engine::Hop;
use nexus_engine::footage::purchase::Purchase;
use nexus_engine::hops::Publish;
use nexus_engine::publishing::PostPlan;
use nexus_handler::Invocation;
use nexus_kernel::{Failure, Timestamp};

use crate::turns::by_turns;
use crate::{PAGE, Relay, Relayed};

/// How far ahead due effects are sent to their queue, to wait there for their moment: a schedule's own precision is a
/// minute, and a run may be missed.
pub const AHEAD: SignedDuration = SignedDuration::from_mins(3);
/// For how long after its moment an effect that nobody claims is woken by every run.
pub const FRESH: SignedDuration = SignedDuration::from_mins(3);
/// Every how many minutes it is woken after that. Where publishing is behind, messages about what waits anyway would
/// only take the places of others.
pub const SELDOM: i64 = 5;
/// The most rows that a run reads, spread evenly over the shards; of each, the earliest. What is beyond is read by
/// the next run. Of a row a hundred bytes are kept.
pub const MOST: usize = 40_000;
/// How many messages are sent between two looks at the time.
const AT_ONCE: usize = 500;
/// What remains of the time when no more is begun: for the outbox.
const MARGIN: Duration = Duration::from_secs(10);

/// The kinds of what is due that are woken.
const KINDS: [DueKind; 2] = [DueKind::Effect, DueKind::Unknown];

/// An effect that is to be woken.
struct Due {
    at: i64,
    scope: Scope,
    hop: Hop,
    effect: EffectId,
}

/// What a run looks for.
struct Look {
    now: Timestamp,
    /// Up to there everything was woken ahead before.
    woken_until: Timestamp,
    /// Whether this run wakes what has been due for longer than [`FRESH`], too.
    all: bool,
}

impl Look {
    /// A process that has woken nothing in the last minutes wakes all; another one the old only now and then.
    fn at(now: Timestamp, woken_until: Option<Timestamp>) -> Self {
        // Nothing later than this can have been woken, unless the clock went back.
        let latest = now.saturating_add(AHEAD).unwrap_or(now);
        match woken_until.filter(|until| now < *until && *until <= latest) {
            None => Self { now, woken_until: now, all: true },
            Some(woken_until) => {
                let minute = now.as_second().div_euclid(60);
                Self { now, woken_until, all: minute % SELDOM == 0 }
            }
        }
    }

    /// From where on effects are fresh.
    fn fresh_from(&self) -> Timestamp {
        self.now.saturating_sub(FRESH).unwrap_or(Timestamp::MIN)
    }

    /// Up to where effects are woken.
    fn until(&self) -> Timestamp {
        self.now.saturating_add(AHEAD).unwrap_or(self.now)
    }

    /// What is fresh or to come, in a shard.
    fn near(&self, kind: DueKind, shard: u32) -> Query {
        let (from, to) = (moment(self.fresh_from()), format!("{}$", moment(self.until())));
        kind.query(shard, self.until()).between(from, to)
    }

    /// What has been due for longer, in a shard.
    fn old(&self, kind: DueKind, shard: u32) -> Query {
        let (from, to) = (moment(Timestamp::UNIX_EPOCH), moment(self.fresh_from()));
        kind.query(shard, self.now).between(from, to)
    }

    /// Whether an effect that is due then is woken: not if it was ahead.
    fn wakes(&self, due: i64) -> bool {
        due <= self.now.as_millisecond() || due > self.woken_until.as_millisecond()
    }
}

impl Relay {
    /// Sends a message for every effect that is due, or will be soon, tenant by tenant in turns.
    pub(crate) async fn wake(
        &self,
        sweep: Sweep,
        at: &Invocation,
        done: &mut Relayed,
    ) -> Result<(), Failure> {
        let before = *self.woken_until.lock().unwrap_or_else(PoisonError::into_inner);
        let look = Look::at(at.now, before);
        self.wake_those(sweep, &look, Look::near, at, done).await?;
        if !done.left {
            let mut woken = self.woken_until.lock().unwrap_or_else(PoisonError::into_inner);
            *woken = Some(look.until());
        }
        // The old last, however many there are of them.
        if look.all {
            self.wake_those(sweep, &look, Look::old, at, done).await?;
        }
        Ok(())
    }

    /// Reads all shards, then sends.
    async fn wake_those(
        &self,
        sweep: Sweep,
        look: &Look,
        question: fn(&Look, DueKind, u32) -> Query,
        at: &Invocation,
        done: &mut Relayed,
    ) -> Result<(), Failure> {
        let mut due = Vec::new();
        for kind in KINDS {
            for shard in 0..kind.shards() {
                self.read(sweep, look, &question(look, kind, shard), &mut due, done).await?;
            }
        }
        due.sort_by_key(|due| (due.at, due.effect));
        let due = by_turns(due.into_iter().map(|due| (due.scope.owner(), due)));
        for some in due.chunks(AT_ONCE) {
            if at.time_left() < MARGIN {
                done.left = true;
                break;
            }
            self.send(some, at, done).await?;
        }
        Ok(())
    }

    /// Reads what is due of a shard, the earliest first, as many rows as are its share.
    async fn read(
        &self,
        sweep: Sweep,
        look: &Look,
        query: &Query,
        due: &mut Vec<Due>,
        done: &mut Relayed,
    ) -> Result<(), Failure> {
        let shards: u32 = KINDS.into_iter().map(DueKind::shards).sum();
        let mut share = (self.most / shards as usize).max(1);
        let mut page = Page::first(PAGE);
        loop {
            page.limit = PAGE.min(u32::try_from(share).unwrap_or(PAGE));
            let slice = self.deps.table.query(query, &page).await?;
            share = share.saturating_sub(slice.items.len());
            for entry in &slice.items {
                match woken(sweep, entry) {
                    Some(found) if look.wakes(found.at) => due.push(found),
                    Some(_) => {}
                    None => done.failed += 1,
                }
            }
            match slice.next {
                Some(_) if share == 0 => {
                    done.left = true;
                    return Ok(());
                }
                Some(next) => page.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Sends a message for each, in order.
    async fn send(&self, due: &[Due], at: &Invocation, done: &mut Relayed) -> Result<(), Failure> {
        let mut messages: BTreeMap<Hop, Vec<Message>> = BTreeMap::new();
        for Due { at: moment, scope, hop, effect } in due {
            let wait = moment.saturating_sub(at.now.as_millisecond()).max(0);
            // The messages of all hops that effects take say the same.
            let body = Envelope::seal(scope, &at.trace, &Publish { effect: *effect })?;
            let group = scope.owner().to_string();
            let delay = Duration::from_millis(wait.unsigned_abs());
            messages.entry(*hop).or_default().push(Message { body, group, delay });
        }
        for (hop, messages) in messages {
            let Some(sender) = self.deps.hops.get(&hop) else { continue };
            let sent = messages.len() as u64;
            sender.send(messages).await?;
            done.effects += sent;
        }
        Ok(())
    }
}

/// When a due row is due, whose it is, which function looks at it, and which effect it belongs to. The row itself is
/// not read: that is the function's matter, which claims it.
fn woken(sweep: Sweep, row: &Item) -> Option<Due> {
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
    let (moment, _) = row.due.as_ref()?.sort.split_once('#')?;
    Some(Due {
        at: moment.parse().ok()?,
        scope: sweep.scope_of(&row.key)?,
        hop,
        effect: EffectId::parse(row.key.sk()).ok()?,
    })
}
