//! Whatever is asked, in whatever order, AWS answers as the adapters on one machine do.
//!
//! The same generated sequences go to both, on one clock, and every answer is compared. Where a port promises no more,
//! no more is compared:
//!
//! * rows of an index that have one sort key, the rows of a scan, and the messages of a queue come in any order;
//! * pages may be cut anywhere;
//! * a message whose receives are used up moves to the dead letters when somebody receives, so until then it is visible
//!   in one of the two queues;
//! * receives counted among the dead letters, and the moment of a message that was brought back, are a queue's own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nexus_aws::DynamoTable;
use nexus_contract::sequences::{TableStep, runner, table_step, told};
use nexus_core::queues::{Message, QueueAddress, QueueSettings, Queues, Received};
use nexus_core::scope::Product;
use nexus_core::table::{
    CommitToken, Condition, Index, Item, MAX_PAGE, Op, Page, Query, Slice, Table,
};
use nexus_embedded::Store;
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Clock as _, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::emulator::Emulator;

/// How many sequences each port is tried with.
const SEQUENCES: u32 = 200;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn open(dir: &Path, clock: &ManualClock) -> Store {
    Store::open(dir, Product::Engine, Ambient::seeded(Arc::new(clock.clone()), 1)).unwrap()
}

fn pass(clock: &ManualClock, by: Duration) {
    clock.move_to(clock.now() + by);
}

/// The rows of all pages of a question, or of everything.
async fn rows(table: &dyn Table, query: Option<&Query>, limit: u32) -> Vec<Item> {
    let (mut all, mut page) = (Vec::new(), Page::first(limit));
    loop {
        let slice: Slice = match query {
            Some(query) => table.query(query, &page).await.unwrap(),
            None => table.scan(&page).await.unwrap(),
        };
        assert!(slice.items.len() <= limit as usize, "a page keeps its limit");
        all.extend(slice.items);
        match slice.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

/// The rows in an order that does not depend on what is not promised, and the sort keys as they came.
fn comparable(index: Option<Index>, rows: Vec<Item>) -> (Vec<String>, Vec<Item>) {
    let sort = |item: &Item| match index {
        Some(Index::Base) => Some(item.key.sk().to_owned()),
        Some(Index::Due) => item.due.as_ref().map(|e| e.sort.clone()),
        Some(Index::List) => item.list.as_ref().map(|e| e.sort.clone()),
        None => None,
    };
    let order = rows.iter().filter_map(sort).collect();
    let mut rows = rows;
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    (order, rows)
}

/// A table of each sort, tried with one sequence after the other.
struct Tables {
    clock: ManualClock,
    ours: Arc<dyn Table>,
    aws: DynamoTable,
}

impl Tables {
    async fn step(&self, step: TableStep, case: u32) -> Result<(), TestCaseError> {
        match step {
            TableStep::Commit(ops, token) => {
                let token = token.map(|n| CommitToken(format!("{case}-{n}")));
                let expected = told(self.ours.commit(ops.clone(), token.as_ref()).await);
                let found = told(self.aws.commit(ops.clone(), token.as_ref()).await);
                prop_assert_eq!(found, expected, "{:?}", ops);
            }
            TableStep::Get(key) => {
                let expected = told(self.ours.get(&key).await);
                prop_assert_eq!(told(self.aws.get(&key).await), expected);
            }
            TableStep::GetMany(keys) => {
                let expected = told(self.ours.get_many(&keys).await);
                prop_assert_eq!(told(self.aws.get_many(&keys).await), expected);
            }
            TableStep::Query(query, limit) => {
                let expected = rows(&*self.ours, Some(&query), limit).await;
                let found = rows(&self.aws, Some(&query), limit).await;
                let index = Some(query.index);
                let (found, expected) = (comparable(index, found), comparable(index, expected));
                prop_assert_eq!(found, expected, "{:?}", query);
            }
            TableStep::Scan(limit) => {
                let expected = comparable(None, rows(&*self.ours, None, limit).await);
                prop_assert_eq!(comparable(None, rows(&self.aws, None, limit).await), expected);
            }
            TableStep::Pass(by) => pass(&self.clock, by),
        }
        Ok(())
    }

    /// Everything that is there, in both, and then nothing.
    async fn empty(&self) -> Result<(), TestCaseError> {
        let expected = rows(&*self.ours, None, MAX_PAGE).await;
        let found = rows(&self.aws, None, MAX_PAGE).await;
        prop_assert_eq!(comparable(None, found), comparable(None, expected.clone()));
        let delete = |item: Item| Op::Delete { key: item.key, when: Condition::Always };
        let ops: Vec<Op> = expected.into_iter().map(delete).collect();
        if !ops.is_empty() {
            self.ours.commit(ops.clone(), None).await.unwrap();
            self.aws.commit(ops, None).await.unwrap();
        }
        Ok(())
    }
}

#[test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
fn the_table_answers_as_the_one_on_one_machine() {
    let (runtime, dir) = (runtime(), tempfile::tempdir().unwrap());
    let emulator = runtime.block_on(Emulator::anew());
    let config = runtime.block_on(emulator.config());
    runtime.block_on(crate::table::create(&aws_sdk_dynamodb::Client::new(&config)));
    let tables = Tables {
        clock: emulator.clock.clone(),
        ours: open(dir.path(), &emulator.clock).table(),
        aws: DynamoTable::new(&config, crate::table::NAME),
    };
    let cases = AtomicU32::new(0);
    let run = |steps: Vec<TableStep>| {
        let case = cases.fetch_add(1, Ordering::Relaxed);
        runtime.block_on(async {
            for step in steps {
                tables.step(step, case).await?;
            }
            tables.empty().await
        })
    };
    runner(SEQUENCES).run(&vec(table_step(), 1..16), run).unwrap();
}

/// Times in seconds.
#[derive(Debug, Clone)]
enum QueueStep {
    Send(Vec<(u8, u64)>),
    /// Takes all that are visible: which of them a part would be is not promised.
    Receive {
        dead: bool,
        visibility: u64,
    },
    Delete(Vec<usize>),
    Retry(usize, u64),
    /// All of them, for the same reason.
    Redrive,
    Depth,
    Pass(u64),
}

fn queue_step() -> impl Strategy<Value = QueueStep> {
    prop_oneof![
        3 => vec((0..4u8, prop_oneof![3 => Just(0), 1 => 1..60u64]), 1..5)
            .prop_map(QueueStep::Send),
        6 => (proptest::bool::weighted(0.2), 1..60u64)
            .prop_map(|(dead, visibility)| QueueStep::Receive { dead, visibility }),
        2 => vec(0..30usize, 1..4).prop_map(QueueStep::Delete),
        3 => (0..30usize, prop_oneof![Just(0), 1..60u64])
            .prop_map(|(which, after)| QueueStep::Retry(which, after)),
        1 => Just(QueueStep::Redrive),
        2 => Just(QueueStep::Depth),
        3 => (0..40u64).prop_map(QueueStep::Pass),
    ]
}

/// A receive of one message, by both.
#[derive(Debug, Clone)]
struct Hand {
    body: String,
    ours: String,
    aws: String,
    /// When it ends, as far as it was not given back.
    until: Timestamp,
}

/// A queue of each sort with its dead letters, and what one sequence did with them.
struct Line {
    clock: ManualClock,
    ours: (Arc<dyn Queues>, QueueAddress, QueueAddress),
    aws: (Arc<dyn Queues>, QueueAddress, QueueAddress),
    sent: u32,
    /// In the order of receipt, outdated ones too; of one receive in the order of their bodies.
    hands: Vec<Hand>,
    redriven: BTreeSet<String>,
}

/// Of each message what is promised of it, by its body.
type Seen = BTreeMap<String, (String, Option<u32>, Option<Timestamp>)>;

impl Line {
    async fn step(&mut self, step: QueueStep) -> Result<(), TestCaseError> {
        match step {
            QueueStep::Send(messages) => self.send(messages).await,
            QueueStep::Receive { dead, visibility } => self.receive(dead, visibility).await?,
            QueueStep::Delete(which) => {
                let some: Vec<Hand> =
                    which.iter().filter_map(|n| self.hands.get(*n).cloned()).collect();
                let (ours, aws): (Vec<_>, Vec<_>) =
                    some.into_iter().map(|hand| (hand.ours, hand.aws)).unzip();
                self.ours.0.delete(&self.ours.1, &ours).await.unwrap();
                self.aws.0.delete(&self.aws.1, &aws).await.unwrap();
            }
            QueueStep::Retry(which, after) => self.retry(which, after).await,
            QueueStep::Redrive => self.redrive().await?,
            QueueStep::Depth => self.weigh().await?,
            QueueStep::Pass(seconds) => pass(&self.clock, Duration::from_secs(seconds)),
        }
        Ok(())
    }

    async fn weigh(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(depth(&self.aws).await, depth(&self.ours).await);
        Ok(())
    }

    async fn send(&mut self, messages: Vec<(u8, u64)>) {
        let mut made = Vec::new();
        for (group, delay) in messages {
            let delay = Duration::from_secs(delay);
            made.push(Message {
                body: format!("{:03}", self.sent),
                group: format!("g{group}"),
                delay,
            });
            self.sent += 1;
        }
        self.ours.0.send(&self.ours.1, made.clone()).await.unwrap();
        self.aws.0.send(&self.aws.1, made).await.unwrap();
    }

    async fn receive(&mut self, dead: bool, visibility: u64) -> Result<(), TestCaseError> {
        let visibility = Duration::from_secs(visibility);
        let ours = self.take(&self.ours, dead, visibility).await;
        let aws = self.take(&self.aws, dead, visibility).await;
        prop_assert_eq!(self.seen(dead, &aws), self.seen(dead, &ours));
        let until = self.clock.now() + visibility;
        let pairs = ours.into_iter().zip(aws);
        self.hands.extend(pairs.map(|(ours, aws)| Hand {
            body: ours.body,
            ours: ours.receipt,
            aws: aws.receipt,
            until,
        }));
        Ok(())
    }

    async fn take(
        &self,
        (queues, queue, letters): &(Arc<dyn Queues>, QueueAddress, QueueAddress),
        dead: bool,
        visibility: Duration,
    ) -> Vec<Received> {
        let from = if dead { letters } else { queue };
        let mut taken = queues.receive(from, 1_000, visibility).await.unwrap();
        taken.sort_by(|a, b| a.body.cmp(&b.body));
        taken
    }

    fn seen(&self, dead: bool, taken: &[Received]) -> Seen {
        let seen = |r: &Received| {
            let sent = (!self.redriven.contains(&r.body)).then_some(r.sent);
            (r.body.clone(), (r.group.clone(), (!dead).then_some(r.receive_count), sent))
        };
        taken.iter().map(seen).collect()
    }

    async fn retry(&mut self, which: usize, after: u64) {
        let now = self.clock.now();
        let Some(hand) = self.hands.get(which).cloned() else { return };
        let is_latest = self.hands.iter().rposition(|h| h.body == hand.body) == Some(which);
        // What is visible again the emulator hides (see EXCUSED); an outdated receipt may be used by all means.
        if is_latest && hand.until <= now {
            return;
        }
        let after = Duration::from_secs(after);
        self.ours.0.retry(&self.ours.1, &hand.ours, after).await.unwrap();
        self.aws.0.retry(&self.aws.1, &hand.aws, after).await.unwrap();
        if let Some(hand) = self.hands.get_mut(which) {
            hand.until = now + after;
        }
    }

    async fn redrive(&mut self) -> Result<(), TestCaseError> {
        let (queues, queue, dead) = &self.ours;
        let expected = queues.redrive(dead, queue, 1_000).await.unwrap();
        let (queues, queue, dead) = &self.aws;
        prop_assert_eq!(queues.redrive(dead, queue, 1_000).await.unwrap(), expected);
        if expected > 0 {
            self.redriven.extend((0..self.sent).map(|n| format!("{n:03}")));
        }
        Ok(())
    }
}

/// How many are visible in either queue, in hand of each, and delayed.
async fn depth(
    (queues, queue, dead): &(Arc<dyn Queues>, QueueAddress, QueueAddress),
) -> (u64, [u64; 2], u64) {
    let (queue, dead) = (queues.depth(queue).await.unwrap(), queues.depth(dead).await.unwrap());
    (queue.visible + dead.visible, [queue.in_flight, dead.in_flight], queue.delayed + dead.delayed)
}

#[test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
fn the_queues_answer_as_those_on_one_machine() {
    const GIVES_UP_AFTER: u32 = 2;
    let (runtime, dir) = (runtime(), tempfile::tempdir().unwrap());
    let emulator = runtime.block_on(Emulator::anew());
    let config = runtime.block_on(emulator.config());
    let (client, aws) = (aws_sdk_sqs::Client::new(&config), crate::queues::handle(&config));
    let store = open(dir.path(), &emulator.clock);
    let cases = AtomicU32::new(0);
    let run = |steps: Vec<QueueStep>| {
        let name = format!("line-{}", cases.fetch_add(1, Ordering::Relaxed));
        let (queue, dead) = (QueueAddress(name.clone()), QueueAddress(format!("{name}-dead")));
        let settings = QueueSettings::plain(queue.clone()).giving_up(GIVES_UP_AFTER, dead.clone());
        runtime.block_on(async {
            let (on_aws, dead_on_aws) = crate::queues::create(&client, &name, GIVES_UP_AFTER).await;
            let mut line = Line {
                clock: emulator.clock.clone(),
                ours: (store.queues(vec![settings]), queue, dead),
                aws: (Arc::clone(&aws) as _, on_aws, dead_on_aws),
                sent: 0,
                hands: Vec::new(),
                redriven: BTreeSet::new(),
            };
            for step in steps {
                line.step(step).await?;
            }
            line.weigh().await
        })
    };
    runner(SEQUENCES).run(&vec(queue_step(), 1..24), run).unwrap();
}
