//! Whatever is asked, in whatever order, the embedded adapters answer as those in memory do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nexus_contract::START;
use nexus_contract::memory::{MemoryQueues, MemoryTable};
use nexus_contract::sequences::{TableStep, runner, table_step, told};
use nexus_core::queues::{Message, QueueAddress, QueueSettings, Queues};
use nexus_core::table::{CommitToken, Condition, Item, Op, Page, Query, Slice, StoreError, Table};
use nexus_kernel::Clock as _;
use nexus_kernel::ambient::ManualClock;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::open;

fn pass(clock: &ManualClock, by: Duration) {
    clock.move_to(clock.now() + by);
}

/// All pages, each with its length, so that pages are compared as well.
async fn pages(table: &dyn Table, query: Option<&Query>, limit: u32) -> Vec<Vec<Item>> {
    let (mut all, mut page) = (Vec::new(), Page::first(limit));
    loop {
        let slice: Result<Slice, StoreError> = match query {
            Some(query) => table.query(query, &page).await,
            None => table.scan(&page).await,
        };
        let slice = slice.unwrap();
        all.push(slice.items);
        match slice.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

#[test]
fn the_table_answers_as_the_one_in_memory() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let embedded = open(dir.path(), &clock).table();
    let memory = MemoryTable::new(Arc::new(clock.clone()));
    let cases = AtomicU32::new(0);
    let run = |steps: Vec<TableStep>| {
        let case = cases.fetch_add(1, Ordering::Relaxed);
        runtime.block_on(async {
            for step in steps {
                match step {
                    TableStep::Commit(ops, token) => {
                        let token = token.map(|n| CommitToken(format!("{case}-{n}")));
                        let expected = memory.commit(ops.clone(), token.as_ref()).await;
                        let found = embedded.commit(ops.clone(), token.as_ref()).await;
                        prop_assert_eq!(told(found), told(expected), "{:?}", ops);
                    }
                    TableStep::Get(key) => {
                        let expected = told(memory.get(&key).await);
                        prop_assert_eq!(told(embedded.get(&key).await), expected);
                    }
                    TableStep::GetMany(keys) => {
                        let expected = told(memory.get_many(&keys).await);
                        prop_assert_eq!(told(embedded.get_many(&keys).await), expected);
                    }
                    TableStep::Scan(limit) => {
                        let expected = pages(&memory, None, limit).await;
                        prop_assert_eq!(pages(&*embedded, None, limit).await, expected);
                    }
                    TableStep::Query(query, limit) => {
                        let expected = pages(&memory, Some(&query), limit).await;
                        let found = pages(&*embedded, Some(&query), limit).await;
                        prop_assert_eq!(found, expected, "{:?}", query);
                    }
                    TableStep::Pass(by) => pass(&clock, by),
                }
            }
            let expected = pages(&memory, None, 4).await;
            prop_assert_eq!(pages(&*embedded, None, 4).await, expected.clone());
            let delete = |item: Item| Op::Delete { key: item.key, when: Condition::Always };
            let ops: Vec<Op> = expected.into_iter().flatten().map(delete).collect();
            if !ops.is_empty() {
                memory.commit(ops.clone(), None).await.unwrap();
                embedded.commit(ops, None).await.unwrap();
            }
            Ok(())
        })
    };
    runner(250).run(&vec(table_step(), 1..25), run).unwrap();
}

#[derive(Debug, Clone)]
enum QueueStep {
    Send(Vec<(u8, u64)>),
    Receive { dead: bool, max: u32, visibility: u64 },
    Delete(Vec<usize>),
    Retry(usize, u64),
    Redrive(u32),
    Pass(u64),
}

fn queue_step() -> impl Strategy<Value = QueueStep> {
    prop_oneof![
        3 => vec((0..4u8, prop_oneof![3 => Just(0), 1 => 1..5_000u64]), 1..6)
            .prop_map(QueueStep::Send),
        6 => (proptest::bool::weighted(0.2), 0..6u32, 1..5_000u64)
            .prop_map(|(dead, max, visibility)| QueueStep::Receive { dead, max, visibility }),
        2 => vec(0..40usize, 1..4).prop_map(QueueStep::Delete),
        2 => (0..40usize, prop_oneof![Just(0), 1..5_000u64])
            .prop_map(|(which, after)| QueueStep::Retry(which, after)),
        1 => (0..4u32).prop_map(QueueStep::Redrive),
        3 => (0..4_000u64).prop_map(QueueStep::Pass),
    ]
}

#[test]
fn the_queues_answer_as_those_in_memory() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let store = open(dir.path(), &clock);
    let cases = AtomicU32::new(0);
    let run = |steps: Vec<QueueStep>| {
        let case = cases.fetch_add(1, Ordering::Relaxed);
        let queue = QueueAddress(format!("q{case}"));
        let dead = QueueAddress(format!("dead{case}"));
        let settings = vec![QueueSettings::plain(queue.clone()).giving_up(2, dead.clone())];
        let memory = MemoryQueues::new(settings.clone(), Arc::new(clock.clone()));
        let embedded = store.queues(settings);
        let ms = Duration::from_millis;
        runtime.block_on(async {
            let mut bodies = 0;
            // The receipts of both, as they came, outdated ones too.
            let mut receipts: Vec<(String, String)> = Vec::new();
            for step in steps {
                match step {
                    QueueStep::Send(messages) => {
                        let messages: Vec<Message> = messages
                            .into_iter()
                            .map(|(group, delay)| {
                                bodies += 1;
                                let body = format!("{bodies}");
                                Message { body, group: format!("{group}"), delay: ms(delay) }
                            })
                            .collect();
                        memory.send(&queue, messages.clone()).await.unwrap();
                        embedded.send(&queue, messages).await.unwrap();
                    }
                    QueueStep::Receive { dead: from_dead, max, visibility } => {
                        let from = if from_dead { &dead } else { &queue };
                        let expected = memory.receive(from, max, ms(visibility)).await.unwrap();
                        let found = embedded.receive(from, max, ms(visibility)).await.unwrap();
                        let seen = |all: &[nexus_core::queues::Received]| -> Vec<_> {
                            all.iter()
                                .map(|m| (m.body.clone(), m.group.clone(), m.receive_count, m.sent))
                                .collect()
                        };
                        prop_assert_eq!(seen(&found), seen(&expected));
                        let pairs = expected.into_iter().zip(found);
                        receipts.extend(pairs.map(|(m, e)| (m.receipt, e.receipt)));
                    }
                    QueueStep::Delete(which) => {
                        let pairs = which.iter().filter_map(|n| receipts.get(*n).cloned());
                        let (in_memory, in_file): (Vec<_>, Vec<_>) = pairs.unzip();
                        memory.delete(&queue, &in_memory).await.unwrap();
                        embedded.delete(&queue, &in_file).await.unwrap();
                    }
                    QueueStep::Retry(which, after) => {
                        if let Some((in_memory, in_file)) = receipts.get(which) {
                            memory.retry(&queue, in_memory, ms(after)).await.unwrap();
                            embedded.retry(&queue, in_file, ms(after)).await.unwrap();
                        }
                    }
                    QueueStep::Redrive(max) => {
                        let expected = memory.redrive(&dead, &queue, max).await.unwrap();
                        let found = embedded.redrive(&dead, &queue, max).await.unwrap();
                        prop_assert_eq!(found, expected);
                    }
                    QueueStep::Pass(millis) => pass(&clock, ms(millis)),
                }
                for queue in [&queue, &dead] {
                    let expected = memory.depth(queue).await.unwrap();
                    prop_assert_eq!(embedded.depth(queue).await.unwrap(), expected);
                }
            }
            Ok(())
        })
    };
    runner(200).run(&vec(queue_step(), 1..36), run).unwrap();
}
