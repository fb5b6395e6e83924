//! A process that is killed while it does everything at once loses nothing that it had acknowledged, and holds
//! nothing any longer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use nexus_contract::START;
use nexus_core::RecordKind;
use nexus_core::blobs::{BlobKey, Blobs};
use nexus_core::queues::{Message, QueueAddress, QueueSettings, Queues};
use nexus_core::table::{CommitToken, Condition, Item, Key, MAX_PAGE, Op, Page, Query, Table};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Digest};
use serde::{Deserialize, Serialize};

use crate::child::{FromChild, Process, answer, listen};
use crate::contents::files;
use crate::open;

const ROUNDS: u32 = 10;
const AN_HOUR: Duration = Duration::from_secs(3600);

/// What the child is told.
#[derive(Serialize, Deserialize)]
struct Task {
    dir: PathBuf,
    round: u32,
}

/// What the child says. What it is about to do is said before, what it has done after.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    Committed(String),
    Sent(String),
    Taken(Vec<String>),
    Deleting(String),
    Deleted(String),
    Putting(String, Option<String>),
    Put(String, Option<String>),
}

fn queue() -> QueueAddress {
    QueueAddress("q".into())
}

fn settings() -> Vec<QueueSettings> {
    vec![QueueSettings::plain(queue())]
}

fn row(round: u32, sk: &str) -> Item {
    Item {
        key: Key::stored(format!("round {round}"), sk),
        kind: RecordKind::Draft,
        version: 1,
        expires: None,
        due: None,
        list: None,
        counter: 0,
        body: "x".repeat(2_000),
    }
}

fn blob(name: &str) -> BlobKey {
    BlobKey::stored(format!("media/ten_a/{name}"))
}

fn content(round: u32, n: u32) -> Bytes {
    format!("{} ", (round * 7 + n) % 11).repeat(20_000).into()
}

#[test]
#[ignore = "the other process' part of the kill test"]
fn child_works_until_it_is_killed() {
    let Some(Task { dir, round }) = listen() else { return };
    let store = open(&dir, &ManualClock::at(START));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        for task in 0..4 {
            tokio::spawn(commit_rows(store.table(), round, task));
        }
        tokio::spawn(send_messages(store.queues(settings()), round));
        tokio::spawn(take_messages(store.queues(settings())));
        put_blobs(store.blobs(), round).await;
    });
}

async fn commit_rows(table: std::sync::Arc<dyn Table>, round: u32, task: u32) {
    for n in 0.. {
        let sk = format!("{task}-{n:05}");
        let count = Op::Add {
            key: Key::stored("count", format!("{round}")),
            kind: RecordKind::Draft,
            delta: 1,
            expires: None,
            when: Condition::Always,
        };
        let ops = vec![Op::Put { item: row(round, &sk), when: Condition::Absent }, count];
        table.commit(ops, Some(&CommitToken(format!("{round}-{sk}")))).await.unwrap();
        answer(&Said::Committed(sk));
    }
}

async fn send_messages(queues: std::sync::Arc<dyn Queues>, round: u32) {
    for n in 0.. {
        let body = format!("{round}-{n}");
        let group = format!("{}", n % 3);
        let message = Message { body: body.clone(), group, delay: Duration::ZERO };
        queues.send(&queue(), vec![message]).await.unwrap();
        answer(&Said::Sent(body));
    }
}

async fn take_messages(queues: std::sync::Arc<dyn Queues>) {
    loop {
        let taken = queues.receive(&queue(), 3, AN_HOUR).await.unwrap();
        answer(&Said::Taken(taken.iter().map(|m| m.body.clone()).collect()));
        // Every second one stays in hand.
        for message in taken.into_iter().step_by(2) {
            answer(&Said::Deleting(message.body.clone()));
            queues.delete(&queue(), &[message.receipt]).await.unwrap();
            answer(&Said::Deleted(message.body));
        }
        tokio::task::yield_now().await;
    }
}

async fn put_blobs(blobs: std::sync::Arc<dyn Blobs>, round: u32) {
    for n in 0.. {
        let name = format!("{}", n % 4);
        // Every fifth time it is deleted; else it gets a content that other keys have too.
        let bytes = (n % 5 != 4).then(|| content(round, n));
        let digest = bytes.as_ref().map(|bytes| Digest::of(bytes).to_hex());
        answer(&Said::Putting(name.clone(), digest.clone()));
        match bytes {
            Some(bytes) => {
                blobs.put(&blob(&name), bytes, "text/plain").await.unwrap();
            }
            None => {
                blobs.delete(&blob(&name)).await.unwrap();
            }
        }
        answer(&Said::Put(name, digest));
    }
}

/// All that a killed child had said, put in order.
#[derive(Default)]
struct Heard {
    committed: BTreeSet<String>,
    sent: BTreeSet<String>,
    held: BTreeSet<String>,
    deleting: BTreeSet<String>,
    deleted: BTreeSet<String>,
}

impl Heard {
    fn note(&mut self, said: Said, blobs: &mut BTreeMap<String, BTreeSet<Option<String>>>) {
        match said {
            Said::Committed(sk) => drop(self.committed.insert(sk)),
            Said::Sent(body) => drop(self.sent.insert(body)),
            Said::Taken(bodies) => self.held.extend(bodies),
            Said::Deleting(body) => drop(self.deleting.insert(body)),
            Said::Deleted(body) => {
                self.deleting.remove(&body);
                self.held.remove(&body);
                self.deleted.insert(body);
            }
            Said::Putting(name, digest) => drop(blobs.entry(name).or_default().insert(digest)),
            Said::Put(name, digest) => drop(blobs.insert(name, BTreeSet::from([digest]))),
        }
    }
}

/// Starts a child, lets it say so many things, kills it, and hears the rest of what it said.
fn work_and_die(
    dir: &Path,
    round: u32,
    says: u32,
    blobs: &mut BTreeMap<String, BTreeSet<Option<String>>>,
) -> Heard {
    let (mut process, mut to, mut from): (_, _, FromChild) =
        Process::start("kills::child_works_until_it_is_killed");
    to.say(&Task { dir: dir.to_owned(), round });
    let mut heard = Heard::default();
    for _ in 0..says {
        heard.note(from.hear().unwrap(), blobs);
    }
    process.kill();
    while let Some(said) = from.hear() {
        heard.note(said, blobs);
    }
    heard
}

async fn rows(table: &dyn Table, query: &Query) -> Vec<Item> {
    let (mut items, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let slice = table.query(query, &page).await.unwrap();
        items.extend(slice.items);
        match slice.next {
            Some(next) => page.after = Some(next),
            None => return items,
        }
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged_and_holds_nothing() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let chance = Ambient::seeded(std::sync::Arc::new(clock.clone()), 42).chance;
    // Open all the time: the other process.
    let store = open(dir.path(), &clock);
    let (table, queues, blobs) = (store.table(), store.queues(settings()), store.blobs());
    let mut contents: BTreeMap<String, BTreeSet<Option<String>>> =
        (0..4).map(|n| (n.to_string(), BTreeSet::from([None]))).collect();
    let (mut acknowledged, mut freed) = (0, 0);
    for round in 0..ROUNDS {
        let mut drawn = [0];
        chance.fill(&mut drawn);
        let says = 1 + u32::from(drawn[0]) * 2;
        let heard = work_and_die(dir.path(), round, says, &mut contents);
        acknowledged += heard.committed.len() + heard.sent.len() + heard.deleted.len();

        let rows = rows(&*table, &Query::base(format!("round {round}"))).await;
        let there: BTreeSet<&str> = rows.iter().map(|r| r.key.sk()).collect();
        let lost: Vec<_> =
            heard.committed.iter().filter(|sk| !there.contains(sk.as_str())).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        let count = table.get(&Key::stored("count", format!("{round}"))).await.unwrap();
        assert_eq!(count.map_or(0, |c| c.counter), rows.len() as i64, "all of a commit or none");

        // Without a moment passing: what the dead process held is free.
        let mut waiting = BTreeMap::new();
        loop {
            let taken = queues.receive(&queue(), 10, AN_HOUR).await.unwrap();
            if taken.is_empty() {
                break;
            }
            for message in taken {
                let receipt = message.receipt.clone();
                assert!(waiting.insert(message.body, receipt).is_none(), "each once");
            }
        }
        for body in &heard.deleted {
            assert!(!waiting.contains_key(body), "round {round}: {body} was deleted");
        }
        for body in heard.sent.union(&heard.held) {
            let may_be_gone = heard.deleted.contains(body) || heard.deleting.contains(body);
            assert!(may_be_gone || waiting.contains_key(body), "round {round}: {body} is lost");
        }
        freed += heard.held.len();
        let receipts: Vec<String> = waiting.into_values().collect();
        queues.delete(&queue(), &receipts).await.unwrap();

        for (name, may_be) in &mut contents {
            let found = blobs.get(&blob(name)).await.unwrap().map(|b| Digest::of(&b).to_hex());
            assert!(may_be.contains(&found), "round {round}: blob {name} is {found:?}");
            *may_be = BTreeSet::from([found]);
        }
        store.collect_strays().await.unwrap();
        let named: BTreeSet<_> = contents.values().flatten().flatten().collect();
        let standing = files(&dir.path().join("blobs"));
        assert_eq!(standing.len(), named.len(), "round {round}: {standing:?}");
    }
    assert!(acknowledged > 300 && freed > 20, "{acknowledged} acknowledged, {freed} freed");
    // Nothing is left of the dead but what they wrote.
    drop((table, queues, blobs, store));
    drop(open(dir.path(), &clock));
    let locks = files(&dir.path().join("processes"));
    assert_eq!(locks.iter().filter(|p| p.extension().is_some_and(|e| e == "lock")).count(), 0);
}
