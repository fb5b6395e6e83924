//! Queues on SQLite.
//!
//! The messages of one group in one queue are a lane, and lanes take turns. A lane knows when its first message is
//! visible, and is marked ready when that moment has come; so a receive goes straight to the lane whose turn it is
//! and to its first message, and takes no longer with a hundred thousand messages than with ten.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nexus_core::queues::{
    DeadLetters, Depth, Message, QueueAddress, QueueError, QueueSettings, Queues, Received,
    check_limits,
};
use nexus_kernel::Timestamp;
use rusqlite::{Connection, params};

use crate::processes::Presence;
use crate::sql;
use crate::store::Inner;
use crate::writer::WriteError;

/// How many receives may end with the death of the receiver's process without counting against the queue's allowed
/// ones: restarts are not the message's fault, but one that always kills its receiver must end as well.
const MOST_LOST: u32 = 20;

/// The queues on SQLite.
pub(crate) struct SqliteQueues {
    store: Arc<Inner>,
    declared: HashMap<QueueAddress, QueueSettings>,
}

impl SqliteQueues {
    pub(crate) fn new(store: Arc<Inner>, declared: Vec<QueueSettings>) -> Self {
        let dead = declared.iter().filter_map(|s| s.dead_letters.as_ref()).map(|d| d.queue.clone());
        let implied: Vec<_> = dead.map(QueueSettings::plain).collect();
        let declared =
            implied.into_iter().chain(declared).map(|s| (s.address.clone(), s)).collect();
        Self { store, declared }
    }

    fn settings(&self, queue: &QueueAddress) -> Result<&QueueSettings, QueueError> {
        self.declared.get(queue).ok_or_else(|| QueueError::NoSuchQueue(queue.clone()))
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        let written = self.store.writer.write(move |db| Ok(work(db)?)).await;
        written.map_err(WriteError::<QueueError>::into_one)
    }

    fn now(&self) -> i64 {
        self.store.ambient.now().as_millisecond()
    }
}

fn later(now: i64, by: Duration) -> i64 {
    now.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

#[async_trait]
impl Queues for SqliteQueues {
    async fn send(&self, queue: &QueueAddress, messages: Vec<Message>) -> Result<(), QueueError> {
        check_limits(&messages)?;
        let default_delay = self.settings(queue)?.delay;
        if messages.is_empty() {
            return Ok(());
        }
        let (queue, now) = (queue.0.clone(), self.now());
        self.write(move |db| {
            let order = "INSERT INTO message (queue, lane, sent, visible_at, body)
                         VALUES (?1, ?2, ?3, ?4, ?5)";
            for message in &messages {
                let delay = if message.delay.is_zero() { default_delay } else { message.delay };
                let row = params![queue, message.group, now, later(now, delay), message.body];
                sql::change(db, order, row)?;
            }
            let mut seen = HashSet::new();
            let lanes = messages.iter().map(|message| &message.group);
            lanes
                .filter(|lane| seen.insert(*lane))
                .try_for_each(|lane| line_up(db, &queue, lane, now))
        })
        .await?;
        self.store.announce();
        Ok(())
    }

    async fn receive(
        &self,
        queue: &QueueAddress,
        max: u32,
        visibility: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        let dead = self.settings(queue)?.dead_letters.clone();
        let now = self.now();
        // Whoever polls an empty queue keeps nobody from writing.
        let (address, presence) = (queue.0.clone(), Arc::clone(&self.store.presence));
        let (waits, gone) = self
            .store
            .readers
            .read(move |db| {
                let question = "
                    SELECT EXISTS (SELECT 1 FROM lane WHERE queue = ?1 AND ready = 1)
                        OR EXISTS (SELECT 1 FROM lane WHERE queue = ?1 AND ready = 0 AND ready_at <= ?2)";
                let waits = sql::value(db, question, params![address, now])?.unwrap_or(false);
                Ok((waits, gone_holders(db, &presence)?))
            })
            .await?;
        if max == 0 || (!waits && gone.is_empty()) {
            return Ok(Vec::new());
        }
        let presence = Arc::clone(&self.store.presence);
        let take = Take { queue: queue.0.clone(), dead, now, until: later(now, visibility) };
        let freed = !gone.is_empty();
        let taken = self
            .write(move |db| {
                free_leases_of_the_gone(db, &gone, now)?;
                take.messages(db, max, &presence)
            })
            .await?;
        if freed {
            self.store.announce();
        }
        Ok(taken)
    }

    async fn delete(&self, queue: &QueueAddress, receipts: &[String]) -> Result<(), QueueError> {
        self.settings(queue)?;
        let (queue, receipts, now) = (queue.0.clone(), receipts.to_vec(), self.now());
        self.write(move |db| {
            let order = "DELETE FROM message WHERE id = ?1 AND queue = ?2 AND receipt = ?3
                         RETURNING lane";
            let mut lanes = BTreeSet::new();
            for receipt in &receipts {
                let Some(id) = id_in(receipt) else { continue };
                lanes.extend(sql::value::<String>(db, order, params![id, queue, receipt])?);
            }
            lanes.into_iter().try_for_each(|lane| line_up(db, &queue, &lane, now))
        })
        .await
    }

    async fn retry(
        &self,
        queue: &QueueAddress,
        receipt: &str,
        after: Duration,
    ) -> Result<(), QueueError> {
        self.settings(queue)?;
        let (queue, receipt, now) = (queue.0.clone(), receipt.to_owned(), self.now());
        self.write(move |db| {
            let Some(id) = id_in(&receipt) else { return Ok(()) };
            let order = "
                UPDATE message SET visible_at = ?4, holder = NULL
                WHERE id = ?1 AND queue = ?2 AND receipt = ?3 AND visible_at > ?5
                RETURNING lane";
            let row = params![id, queue, receipt, later(now, after), now];
            let lane: Option<String> = sql::value(db, order, row)?;
            lane.map_or(Ok(()), |lane| line_up(db, &queue, &lane, now))
        })
        .await?;
        self.store.announce();
        Ok(())
    }

    async fn depth(&self, queue: &QueueAddress) -> Result<Depth, QueueError> {
        self.settings(queue)?;
        let (queue, now) = (queue.0.clone(), self.now());
        let depth = self.store.readers.read(move |db| {
            let question = "
                SELECT (SELECT count(*) FROM message WHERE queue = ?1),
                       (SELECT count(*) FROM message WHERE queue = ?1 AND visible_at <= ?2),
                       (SELECT count(*) FROM message
                            WHERE queue = ?1 AND visible_at > ?2 AND receipt IS NOT NULL),
                       (SELECT min(sent) FROM message WHERE queue = ?1)";
            sql::first(db, question, params![queue, now], |row| {
                let count = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
                let (all, visible, in_flight) = (count(0)?, count(1)?, count(2)?);
                let oldest: Option<i64> = row.get(3)?;
                Ok(Depth {
                    visible,
                    in_flight,
                    delayed: all.saturating_sub(visible).saturating_sub(in_flight),
                    oldest: oldest.map(moment).transpose()?,
                })
            })
        });
        Ok(depth.await?.unwrap_or_default())
    }

    async fn redrive(
        &self,
        dead: &QueueAddress,
        queue: &QueueAddress,
        max: u32,
    ) -> Result<u64, QueueError> {
        self.settings(dead)?;
        self.settings(queue)?;
        let (dead, queue, now) = (dead.0.clone(), queue.0.clone(), self.now());
        let moved = self
            .write(move |db| {
                let question = "SELECT id, lane FROM message WHERE queue = ?1 AND visible_at <= ?2
                                ORDER BY sent, id LIMIT ?3";
                let letters = sql::all(db, question, params![dead, now, max], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
                })?;
                for (id, lane) in &letters {
                    begin_anew(db, *id, &queue, now)?;
                    line_up(db, &dead, lane, now)?;
                    line_up(db, &queue, lane, now)?;
                }
                Ok(letters.len() as u64)
            })
            .await?;
        self.store.announce();
        Ok(moved)
    }
}

/// One receive.
struct Take {
    queue: String,
    dead: Option<DeadLetters>,
    now: i64,
    until: i64,
}

impl Take {
    fn messages(
        &self,
        db: &Connection,
        max: u32,
        presence: &Presence,
    ) -> rusqlite::Result<Vec<Received>> {
        let wake = "UPDATE lane SET ready = 1 WHERE queue = ?1 AND ready = 0 AND ready_at <= ?2";
        sql::change(db, wake, params![self.queue, self.now])?;
        let mut taken = Vec::new();
        while taken.len() < max as usize {
            let turn = "SELECT lane FROM lane WHERE queue = ?1 AND ready = 1 ORDER BY turn LIMIT 1";
            let Some(lane) = sql::value::<String>(db, turn, [&self.queue])? else { break };
            let Some(message) = self.first_of(db, &lane)? else {
                // Another process' clock was ahead of this one's when it marked the lane.
                line_up(db, &self.queue, &lane, self.now)?;
                continue;
            };
            match self.dead.as_ref().filter(|dead| message.is_spent(dead)) {
                Some(dead) => {
                    begin_anew(db, message.id, &dead.queue.0, self.now)?;
                    line_up(db, &dead.queue.0, &lane, self.now)?;
                }
                None => {
                    let receipt = format!("{}-{}", message.id, presence.draw());
                    let order = "
                        UPDATE message SET received = received + 1, visible_at = ?2,
                            receipt = ?3, holder = ?4
                        WHERE id = ?1";
                    let row = params![message.id, self.until, receipt, presence.id()];
                    sql::change(db, order, row)?;
                    let turn = next_turn(db, &self.queue)?;
                    let order = "UPDATE lane SET turn = ?3 WHERE queue = ?1 AND lane = ?2";
                    sql::change(db, order, params![self.queue, lane, turn])?;
                    taken.push(Received {
                        id: message.id.to_string(),
                        receipt,
                        body: message.body,
                        group: lane.clone(),
                        receive_count: message.received.saturating_add(1),
                        sent: moment(message.sent)?,
                    });
                }
            }
            line_up(db, &self.queue, &lane, self.now)?;
        }
        Ok(taken)
    }

    fn first_of(&self, db: &Connection, lane: &str) -> rusqlite::Result<Option<Waiting>> {
        let question = "
            SELECT id, sent, received, lost, body FROM message
            WHERE queue = ?1 AND lane = ?2 AND visible_at <= ?3
            ORDER BY visible_at, id LIMIT 1";
        sql::first(db, question, params![self.queue, lane, self.now], |row| {
            Ok(Waiting {
                id: row.get(0)?,
                sent: row.get(1)?,
                received: row.get(2)?,
                lost: row.get(3)?,
                body: row.get(4)?,
            })
        })
    }
}

/// A message whose turn it is.
struct Waiting {
    id: i64,
    sent: i64,
    received: u32,
    lost: u32,
    body: String,
}

impl Waiting {
    fn is_spent(&self, dead: &DeadLetters) -> bool {
        self.lost >= MOST_LOST || self.received.saturating_sub(self.lost) >= dead.after
    }
}

fn moment(millis: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(millis).map_err(|error| sql::unreadable(0, error))
}

/// The message's id in a receipt.
fn id_in(receipt: &str) -> Option<i64> {
    receipt.split_once('-').and_then(|(id, _)| id.parse().ok())
}

/// Moves a message to a queue, as if it had just been sent there.
fn begin_anew(db: &Connection, id: i64, queue: &str, now: i64) -> rusqlite::Result<()> {
    let order = "
        UPDATE message SET queue = ?2, visible_at = ?3, received = 0, lost = 0,
            receipt = NULL, holder = NULL
        WHERE id = ?1";
    sql::change(db, order, params![id, queue, now]).map(|_| ())
}

/// Brings a lane's place in the line up to date after its messages changed: a new one stands at the end, one
/// without messages goes.
fn line_up(db: &Connection, queue: &str, lane: &str, now: i64) -> rusqlite::Result<()> {
    let question = "SELECT min(visible_at) FROM message WHERE queue = ?1 AND lane = ?2";
    let Some(ready_at) = sql::value::<Option<i64>>(db, question, [queue, lane])?.flatten() else {
        let order = "DELETE FROM lane WHERE queue = ?1 AND lane = ?2";
        return sql::change(db, order, [queue, lane]).map(|_| ());
    };
    let ready = ready_at <= now;
    let order = "UPDATE lane SET ready_at = ?3, ready = ?4 WHERE queue = ?1 AND lane = ?2";
    if sql::change(db, order, params![queue, lane, ready_at, ready])? == 0 {
        let turn = next_turn(db, queue)?;
        let order =
            "INSERT INTO lane (queue, lane, turn, ready_at, ready) VALUES (?1, ?2, ?3, ?4, ?5)";
        sql::change(db, order, params![queue, lane, turn, ready_at, ready])?;
    }
    Ok(())
}

fn next_turn(db: &Connection, queue: &str) -> rusqlite::Result<i64> {
    let order = "INSERT INTO last_turn (queue, turn) VALUES (?1, 1)
                 ON CONFLICT DO UPDATE SET turn = turn + 1 RETURNING turn";
    Ok(sql::value(db, order, [queue])?.unwrap_or_default())
}

/// The processes that hold messages and are not here any more.
pub(crate) fn gone_holders(db: &Connection, presence: &Presence) -> rusqlite::Result<Vec<String>> {
    // From holder to holder by the index, whatever number of messages each holds.
    let question = "SELECT min(holder) FROM message WHERE holder > ?1";
    let (mut gone, mut last) = (Vec::new(), String::new());
    while let Some(holder) = sql::value::<Option<String>>(db, question, [&last])?.flatten() {
        if presence.is_gone(&holder) {
            gone.push(holder.clone());
        }
        last = holder;
    }
    Ok(gone)
}

/// Frees what these processes held.
pub(crate) fn free_leases_of_the_gone(
    db: &Connection,
    gone: &[String],
    now: i64,
) -> rusqlite::Result<()> {
    for holder in gone {
        let question = "SELECT DISTINCT queue, lane FROM message WHERE holder = ?1";
        let lanes = sql::all(db, question, [holder], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        let order = "
            UPDATE message SET visible_at = min(visible_at, ?2), lost = lost + (visible_at > ?2),
                receipt = NULL, holder = NULL
            WHERE holder = ?1";
        let freed = sql::change(db, order, params![holder, now])?;
        tracing::info!(process = %holder, messages = freed, "a process has gone; what it held is free");
        lanes.iter().try_for_each(|(queue, lane)| line_up(db, queue, lane, now))?;
    }
    Ok(())
}
