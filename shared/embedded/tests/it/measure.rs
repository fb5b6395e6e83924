//! Figures, for whoever changes the store: `cargo test -p nexus-embedded measure -- --ignored --nocapture`.
#![expect(clippy::print_stderr, reason = "figures are for a person to read")]

use std::time::Duration;

use nexus_contract::START;
use nexus_core::RecordKind;
use nexus_core::queues::{Message, QueueAddress, QueueSettings};
use nexus_core::table::{Condition, Item, Key, Op};
use nexus_kernel::ambient::ManualClock;
use tokio::time::Instant;

use crate::open;

fn row(task: u32, n: u32) -> Op {
    let item = Item {
        key: Key::stored(format!("task {task}"), format!("{n:06}")),
        kind: RecordKind::Draft,
        version: 1,
        expires: None,
        due: None,
        list: None,
        counter: 0,
        body: "x".repeat(500),
    };
    Op::Put { item, when: Condition::Absent }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, not a test"]
async fn measure() {
    for writers in [1, 4, 16, 64] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &ManualClock::at(START));
        let each = 4_000 / writers;
        let begun = Instant::now();
        let tasks = (0..writers).map(|task| {
            let table = store.table();
            tokio::spawn(async move {
                for n in 0..each {
                    table.commit(vec![row(task, n)], None).await.unwrap();
                }
            })
        });
        futures::future::join_all(tasks).await;
        let rate = f64::from(writers * each) / begun.elapsed().as_secs_f64();
        eprintln!("{writers:3} writers: {rate:8.0} commits/s");
    }
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let stores = [open(dir.path(), &clock), open(dir.path(), &clock)];
    let begun = Instant::now();
    let until = begun + Duration::from_secs(2);
    let tasks = stores.iter().enumerate().flat_map(|(store, handle)| {
        // The first has 15 who write without pause, the second one.
        (0..[15, 1][store]).map(move |task| {
            let table = handle.table();
            tokio::spawn(async move {
                let mut done = 0;
                while Instant::now() < until {
                    table.commit(vec![row(store as u32 * 100 + task, done)], None).await.unwrap();
                    done += 1;
                }
                done
            })
        })
    });
    let done = futures::future::join_all(tasks).await;
    let rates: Vec<u32> = done.into_iter().map(|n| n.unwrap() / 2).collect();
    eprintln!("two stores on one file, 15 writers and 1: {rates:?} commits/s of each writer");
    for (waiting, groups) in [(10, 3), (1_000, 10), (100_000, 1), (100_000, 100), (100_000, 10_000)]
    {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &ManualClock::at(START));
        let queue = QueueAddress("q".into());
        let queues = store.queues(vec![QueueSettings::plain(queue.clone())]);
        let message = |n: u32| Message {
            body: "x".repeat(300),
            group: format!("{}", n % groups),
            delay: Duration::ZERO,
        };
        let begun = Instant::now();
        for from in (0..waiting).step_by(1_000) {
            let some = (from..waiting.min(from + 1_000)).map(message).collect();
            queues.send(&queue, some).await.unwrap();
        }
        let filled = f64::from(waiting) / begun.elapsed().as_secs_f64();
        // As a host does: receive ten, delete them; and one comes for each that goes.
        let begun = Instant::now();
        let rounds = 200;
        let mut received = 0u32;
        for _ in 0..rounds {
            let taken = queues.receive(&queue, 10, Duration::from_secs(30)).await.unwrap();
            let receipts: Vec<_> = taken.iter().map(|m| m.receipt.clone()).collect();
            queues.delete(&queue, &receipts).await.unwrap();
            queues.send(&queue, (0..taken.len() as u32).map(message).collect()).await.unwrap();
            received += taken.len() as u32;
        }
        let rate = f64::from(received) / begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        queues.depth(&queue).await.unwrap();
        let depth = begun.elapsed();
        eprintln!(
            "{waiting:6} waiting in {groups:5} groups: {rate:7.0} received, deleted and sent/s \
             (filled at {filled:.0}/s, depth in {depth:?})"
        );
    }
}
