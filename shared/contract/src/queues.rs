//! The sentences of the queues' contract (see [`nexus_core::queues`]), each as tests.
#![expect(clippy::unwrap_used, reason = "a sentence that does not hold panics: that is its report")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use nexus_core::queues::{
    Depth, MAX_BODY_BYTES, MAX_DELAY, MAX_GROUP_CHARS, Message, QueueAddress, QueueError,
    QueueSettings, Queues, Received,
};

use crate::pair::{Pair, START};

/// What the sentences are tried on: a queue that gives messages up after [`GIVES_UP_AFTER`] receives, and the
/// queue to which it gives them, both empty.
pub struct Stand {
    /// Two handles to the queues.
    pub pair: Pair<dyn Queues>,
    /// The queue.
    pub queue: QueueAddress,
    /// Its dead letters.
    pub dead: QueueAddress,
}

/// How many receives the queue of a [`Stand`] allows.
pub const GIVES_UP_AFTER: u32 = 3;

impl Stand {
    /// The queue's settings, for adapters that are told them.
    pub fn settings() -> QueueSettings {
        QueueSettings::plain(QueueAddress("orders".into()))
            .giving_up(GIVES_UP_AFTER, QueueAddress("orders-dead".into()))
    }

    /// A stand on an adapter that was told [`settings`](Self::settings).
    pub fn new(pair: Pair<dyn Queues>) -> Self {
        let settings = Self::settings();
        let dead = settings.dead_letters.unwrap().queue;
        Self { pair, queue: settings.address, dead }
    }

    async fn send(&self, messages: impl IntoIterator<Item = Message>) {
        self.pair.one.send(&self.queue, messages.into_iter().collect()).await.unwrap();
    }

    /// Takes up to so many into hand, through the other handle.
    async fn take(&self, max: u32) -> Vec<Received> {
        take_from(&*self.pair.other, &self.queue, max).await
    }

    /// Takes the only message that can be taken.
    async fn take_one(&self) -> Received {
        let mut taken = self.take(10).await;
        assert_eq!(taken.len(), 1, "one message: {taken:?}");
        taken.remove(0)
    }

    async fn is_empty(&self) -> bool {
        self.take(10).await.is_empty()
    }

    async fn done(&self, taken: &[Received]) {
        let receipts: Vec<String> = taken.iter().map(|r| r.receipt.clone()).collect();
        self.pair.one.delete(&self.queue, &receipts).await.unwrap();
    }

    async fn depth(&self, queue: &QueueAddress) -> Depth {
        let (one, other) = (self.pair.one.depth(queue).await, self.pair.other.depth(queue).await);
        assert_eq!(one.as_ref().unwrap(), other.as_ref().unwrap(), "both handles tell the same");
        one.unwrap()
    }

    /// Receives until the queue gives the message up, without waiting in between.
    async fn wear_out(&self, messages: usize) {
        for _ in 0..GIVES_UP_AFTER {
            let taken = self.take(messages as u32).await;
            assert_eq!(taken.len(), messages);
            for message in &taken {
                self.pair.one.retry(&self.queue, &message.receipt, Duration::ZERO).await.unwrap();
            }
        }
        assert!(self.take(messages as u32).await.is_empty(), "given up rather than received");
    }
}

const VISIBILITY: Duration = Duration::from_secs(30);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn message(body: &str, group: &str) -> Message {
    Message { body: body.into(), group: group.into(), delay: Duration::ZERO }
}

/// Takes up to so many into hand, in as many calls as it needs.
async fn take_from(queues: &dyn Queues, queue: &QueueAddress, max: u32) -> Vec<Received> {
    let mut taken = Vec::new();
    while (taken.len() as u32) < max {
        let more = queues.receive(queue, max - taken.len() as u32, VISIBILITY).await.unwrap();
        if more.is_empty() {
            break;
        }
        taken.extend(more);
    }
    taken
}

fn bodies(taken: &[Received]) -> BTreeSet<&str> {
    taken.iter().map(|r| r.body.as_str()).collect()
}

/// 1: with all that was sent, once.
pub async fn s01_a_message_is_received_as_it_was_sent(stand: &Stand) {
    assert!(stand.is_empty().await);
    let largest = "x".repeat(MAX_BODY_BYTES);
    let sent = [
        message(r#"{"text":"Señal 😀 日本 \" ' \\"}"#, "ten_a"),
        message("1", "ten_b"),
        message("\t\r\n\u{7f}\u{d7ff}\u{e000}\u{fffd}\u{10ffff}", ""),
        message(&largest, &"!~".repeat(MAX_GROUP_CHARS / 2)),
    ];
    stand.send(sent.clone()).await;
    stand.pair.pass(seconds(5));
    let taken = stand.take(10).await;
    assert_eq!(taken.len(), 4);
    let sent: BTreeSet<_> = sent.iter().map(|m| (m.body.clone(), m.group.clone())).collect();
    assert_eq!(
        taken.iter().map(|r| (r.body.clone(), r.group.clone())).collect::<BTreeSet<_>>(),
        sent
    );
    assert!(taken.iter().all(|r| r.receive_count == 1 && r.sent == START));
    let ids: BTreeSet<&str> = taken.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids.len(), 4, "each has an id of its own");
    assert!(stand.is_empty().await, "in one receiver's hands");
    assert!(stand.pair.one.receive(&stand.queue, 10, VISIBILITY).await.unwrap().is_empty());
}

/// 1: however many receive at once.
pub async fn s01_concurrent_receivers_share_the_messages(stand: &Stand) {
    let all: BTreeSet<String> = (0..200).map(|n| format!("{n:03}")).collect();
    let groups = ["a", "b", "c"];
    stand.send(all.iter().enumerate().map(|(n, body)| message(body, groups[n % 3]))).await;
    let receivers = stand.pair.handles(8).map(|(_, queues)| {
        let queue = stand.queue.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let taken = queues.receive(&queue, 7, VISIBILITY).await.unwrap();
                assert!(taken.len() <= 7, "at most what was asked for");
                if taken.is_empty() {
                    return mine;
                }
                let receipts: Vec<_> = taken.iter().map(|r| r.receipt.clone()).collect();
                queues.delete(&queue, &receipts).await.unwrap();
                mine.extend(taken);
            }
        })
    });
    let received: Vec<Received> =
        join_all(receivers).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(received.len(), 200, "each by one receiver");
    assert_eq!(received.into_iter().map(|r| r.body).collect::<BTreeSet<_>>(), all);
    assert_eq!(stand.depth(&stand.queue).await, Depth::default());
}

/// 1: and however many send at once.
pub async fn s01_concurrent_senders_lose_nothing(stand: &Stand) {
    let senders = stand.pair.handles(8).map(|(task, queues)| {
        let queue = stand.queue.clone();
        tokio::spawn(async move {
            for n in 0..10 {
                let some = (0..3).map(|m| message(&format!("{task}-{n}-{m}"), "g")).collect();
                queues.send(&queue, some).await.unwrap();
            }
        })
    });
    join_all(senders).await.into_iter().for_each(Result::unwrap);
    let taken = stand.take(1_000).await;
    assert_eq!((taken.len(), bodies(&taken).len()), (240, 240));
}

/// 1: an address that is no queue's.
pub async fn s01_an_unknown_queue_is_named(stand: &Stand) {
    let nowhere = QueueAddress("nowhere".into());
    let queues = &*stand.pair.one;
    let is_told = |error: QueueError| matches!(error, QueueError::NoSuchQueue(q) if q == nowhere);
    assert!(is_told(queues.send(&nowhere, vec![message("1", "g")]).await.unwrap_err()));
    assert!(is_told(queues.receive(&nowhere, 1, VISIBILITY).await.unwrap_err()));
    assert!(is_told(queues.delete(&nowhere, &["x".into()]).await.unwrap_err()));
    assert!(is_told(queues.retry(&nowhere, "x", Duration::ZERO).await.unwrap_err()));
    assert!(is_told(queues.depth(&nowhere).await.unwrap_err()));
    assert!(is_told(queues.redrive(&nowhere, &stand.queue, 1).await.unwrap_err()));
    assert!(is_told(queues.redrive(&stand.dead, &nowhere, 1).await.unwrap_err()));
}

/// 2: it comes again when its visibility has ended, and not before.
pub async fn s02_a_message_is_invisible_until_its_visibility_ends(stand: &Stand) {
    stand.send([message("1", "g")]).await;
    let first = stand.take_one().await;
    stand.pair.pass(VISIBILITY - Duration::from_millis(1));
    assert!(stand.is_empty().await);
    stand.pair.pass(Duration::from_millis(1));
    let second = stand.take_one().await;
    assert_eq!((&second.id, &second.body, second.receive_count), (&first.id, &first.body, 2));
    assert_eq!(second.sent, first.sent);
    assert_ne!(second.receipt, first.receipt);
}

/// 2: what is given back comes again after the time that the receiver named.
pub async fn s02_a_retried_message_comes_again_when_it_was_asked_to(stand: &Stand) {
    let queues = &*stand.pair.one;
    stand.send([message("1", "g")]).await;
    let first = stand.take_one().await;
    queues.retry(&stand.queue, &first.receipt, Duration::ZERO).await.unwrap();
    let second = stand.take_one().await;
    assert_eq!((second.id, second.receive_count), (first.id, 2));
    queues.retry(&stand.queue, &second.receipt, seconds(300)).await.unwrap();
    stand.pair.pass(seconds(299));
    assert!(stand.is_empty().await, "longer than its visibility was");
    stand.pair.pass(seconds(1));
    assert_eq!(stand.take_one().await.receive_count, 3);
}

/// 3: neither at once nor ever.
pub async fn s03_a_deleted_message_never_comes_again(stand: &Stand) {
    stand.send((0..5).map(|n| message(&format!("{n}"), "g"))).await;
    let taken = stand.take(10).await;
    stand.done(&taken[..4]).await;
    stand.done(&taken[..4]).await;
    stand.pair.pass(VISIBILITY);
    let again = stand.take_one().await;
    assert_eq!(again.body, taken[4].body);
    stand.done(&[again]).await;
    stand.pair.pass(seconds(3600));
    assert!(stand.is_empty().await);
    assert_eq!(stand.depth(&stand.queue).await, Depth::default());
}

/// 3: who was too slow cannot take it from the one who has it now.
pub async fn s03_an_outdated_receipt_changes_nothing(stand: &Stand) {
    stand.send([message("1", "g")]).await;
    let slow = stand.take_one().await;
    stand.pair.pass(VISIBILITY);
    let now = stand.take_one().await;
    stand.done(std::slice::from_ref(&slow)).await;
    for after in [Duration::ZERO, seconds(600)] {
        stand.pair.one.retry(&stand.queue, &slow.receipt, after).await.unwrap();
    }
    assert!(stand.is_empty().await, "still in hand");
    stand.pair.pass(VISIBILITY);
    let again = stand.take_one().await;
    assert_eq!(again.receive_count, 3, "and not deleted");
    stand.done(&[now]).await;
    stand.done(&[again]).await;
    stand.pair.pass(VISIBILITY);
    assert!(stand.is_empty().await);
    assert_eq!(stand.depth(&stand.dead).await, Depth::default(), "deleted, not given up");
}

/// 3: what is no longer in hand is not hidden by its last holder.
pub async fn s03_a_message_visible_again_cannot_be_put_off(stand: &Stand) {
    stand.send([message("1", "g")]).await;
    let slow = stand.take_one().await;
    stand.pair.pass(VISIBILITY);
    stand.pair.one.retry(&stand.queue, &slow.receipt, seconds(600)).await.unwrap();
    assert_eq!(stand.take_one().await.receive_count, 2);
}

/// 3: what was never a receipt.
pub async fn s03_a_foreign_receipt_is_no_error(stand: &Stand) {
    stand.send([message("1", "g")]).await;
    let taken = stand.take_one().await;
    let foreign =
        ["", "x", "1", "-1", "1-1", "99999999999999999999-1", "日本-日本"].map(String::from);
    stand.pair.one.delete(&stand.queue, &foreign).await.unwrap();
    for receipt in &foreign {
        stand.pair.one.retry(&stand.queue, receipt, Duration::ZERO).await.unwrap();
    }
    // Nor is one of another queue.
    stand.pair.one.delete(&stand.dead, &[taken.receipt]).await.unwrap();
    stand.pair.pass(VISIBILITY);
    assert_eq!(stand.take_one().await.body, "1");
}

/// 4: to the very moment.
pub async fn s04_a_delayed_message_waits(stand: &Stand) {
    let delayed = |body: &str, delay| Message { delay, ..message(body, "g") };
    stand
        .send([delayed("late", MAX_DELAY), delayed("soon", seconds(10)), message("now", "g")])
        .await;
    assert_eq!(stand.take_one().await.body, "now");
    stand.pair.pass(Duration::from_millis(9_999));
    assert!(stand.is_empty().await);
    stand.pair.pass(Duration::from_millis(1));
    let soon = stand.take_one().await;
    assert_eq!((soon.body.as_str(), soon.receive_count), ("soon", 1));
    stand.pair.pass(MAX_DELAY - seconds(10));
    assert!(bodies(&stand.take(10).await).contains("late"));
}

/// 5: when its receives are used up, by whichever way they ended.
pub async fn s05_a_message_received_too_often_moves_to_the_dead_letters(stand: &Stand) {
    stand.send([message("poison", "ten_a"), message("good", "ten_a")]).await;
    for count in 1..=GIVES_UP_AFTER {
        let taken = stand.take(10).await;
        let poison = taken.iter().find(|r| r.body == "poison").unwrap();
        assert_eq!(poison.receive_count, count);
        // The other one is deleted at its last receive, which is early enough.
        if count == GIVES_UP_AFTER {
            let good = taken.iter().find(|r| r.body == "good").unwrap();
            stand.done(std::slice::from_ref(good)).await;
        }
        assert_eq!(stand.depth(&stand.dead).await, Depth::default(), "not before its time");
        stand.pair.pass(VISIBILITY);
    }
    assert!(stand.is_empty().await, "not received once more");
    assert_eq!(stand.depth(&stand.queue).await, Depth::default());
    let dead = take_from(&*stand.pair.one, &stand.dead, 10).await;
    assert_eq!(dead.len(), 1, "moved once");
    assert_eq!((dead[0].body.as_str(), dead[0].group.as_str()), ("poison", "ten_a"));
    assert_eq!(dead[0].sent, START, "it is as old as it was");
}

/// 5: the poisonous do not keep the others waiting.
pub async fn s05_what_is_given_up_keeps_nobody_waiting(stand: &Stand) {
    stand.send((0..20).map(|n| message(&format!("poison {n}"), "g"))).await;
    stand.wear_out(20).await;
    assert_eq!(stand.depth(&stand.dead).await.visible, 20);
    stand.send([message("good", "g")]).await;
    assert_eq!(stand.take_one().await.body, "good");
    // Dead letters stay, however often they are looked at.
    for _ in 0..2 * GIVES_UP_AFTER {
        assert_eq!(take_from(&*stand.pair.other, &stand.dead, 100).await.len(), 20);
        stand.pair.pass(VISIBILITY);
    }
}

/// 6: as if they had just been sent.
pub async fn s06_redrive_brings_dead_letters_back(stand: &Stand) {
    stand.send((0..5).map(|n| message(&format!("{n}"), &format!("ten_{n}")))).await;
    stand.wear_out(5).await;
    let queues = &*stand.pair.other;
    assert_eq!(queues.redrive(&stand.dead, &stand.queue, 2).await.unwrap(), 2, "at most so many");
    assert_eq!(stand.depth(&stand.dead).await.visible, 3);
    assert_eq!(queues.redrive(&stand.dead, &stand.queue, 100).await.unwrap(), 3);
    assert_eq!(queues.redrive(&stand.dead, &stand.queue, 100).await.unwrap(), 0);
    assert_eq!(stand.depth(&stand.dead).await, Depth::default());
    let taken = stand.take(10).await;
    assert_eq!(bodies(&taken), BTreeSet::from(["0", "1", "2", "3", "4"]));
    assert_eq!(taken.len(), 5);
    assert!(taken.iter().all(|r| r.receive_count == 1 && r.group == format!("ten_{}", r.body)));
    for message in &taken {
        stand.pair.one.retry(&stand.queue, &message.receipt, Duration::ZERO).await.unwrap();
    }
    // All receives are theirs again: two of the three are left.
    assert_eq!(stand.take(10).await.len(), 5);
}

/// 6: one that somebody is looking at is not pulled from their hands.
pub async fn s06_redrive_leaves_what_is_in_hand(stand: &Stand) {
    stand.send((0..3).map(|n| message(&format!("{n}"), "g"))).await;
    stand.wear_out(3).await;
    let looked_at = take_from(&*stand.pair.one, &stand.dead, 1).await;
    assert_eq!(stand.pair.other.redrive(&stand.dead, &stand.queue, 100).await.unwrap(), 2);
    stand.pair.one.delete(&stand.dead, &[looked_at[0].receipt.clone()]).await.unwrap();
    assert_eq!(stand.depth(&stand.dead).await, Depth::default());
    assert_eq!(stand.take(10).await.len(), 2);
}

/// 6: two who redrive at once bring each back once.
pub async fn s06_concurrent_redrives_bring_each_back_once(stand: &Stand) {
    stand.send((0..40).map(|n| message(&format!("{n}"), "g"))).await;
    stand.wear_out(40).await;
    let redrives = stand.pair.handles(4).map(|(_, queues)| {
        let (dead, queue) = (stand.dead.clone(), stand.queue.clone());
        tokio::spawn(async move {
            let mut moved = 0;
            loop {
                match queues.redrive(&dead, &queue, 7).await.unwrap() {
                    0 => return moved,
                    some => moved += some,
                }
            }
        })
    });
    let moved: u64 = join_all(redrives).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(moved, 40);
    let taken = stand.take(100).await;
    assert_eq!((taken.len(), bodies(&taken).len()), (40, 40));
}

/// 7: as soon as it is there, it is among the next.
pub async fn s07_a_thousand_messages_keep_no_other_group_waiting(stand: &Stand) {
    stand.send((0..1_000).map(|n| message(&format!("{n}"), "large"))).await;
    stand.send([message("small", "small")]).await;
    let taken = stand.take(10).await;
    assert!(bodies(&taken).contains("small"), "among the first ten");
    // The same while a receiver has been at the large group for a while.
    stand.take(100).await;
    stand.send([message("second", "small"), message("third", "tiny")]).await;
    let taken = stand.take(10).await;
    assert!(bodies(&taken).is_superset(&BTreeSet::from(["second", "third"])));
}

/// 7: groups share what is received.
pub async fn s07_groups_take_turns(stand: &Stand) {
    for (group, count) in [("a", 300), ("b", 60), ("c", 30), ("d", 15)] {
        stand.send((0..count).map(|n| message(&format!("{group}{n}"), group))).await;
    }
    let mut shares = BTreeMap::new();
    for _ in 0..10 {
        for message in stand.take(4).await {
            *shares.entry(message.group.clone()).or_insert(0) += 1;
            stand.done(&[message]).await;
        }
    }
    for group in ["a", "b", "c", "d"] {
        assert!(shares.get(group).is_some_and(|n| *n >= 5), "{group} of 40: {shares:?}");
    }
}

/// 8: and nothing of what was sent with it is there.
pub async fn s08_what_breaks_a_limit_is_refused_whole(stand: &Stand) {
    let bad = [
        message(&"x".repeat(MAX_BODY_BYTES + 1), "g"),
        message("", "g"),
        message("a\u{0}b", "g"),
        message("\u{1f}", "g"),
        message("\u{fffe}", "g"),
        message("1", &"g".repeat(MAX_GROUP_CHARS + 1)),
        message("1", "a group"),
        message("1", "é"),
        Message { delay: MAX_DELAY + seconds(1), ..message("late", "g") },
    ];
    for bad in bad {
        let outcome = stand.pair.one.send(&stand.queue, vec![message("1", "g"), bad]).await;
        assert!(matches!(outcome, Err(QueueError::Refused(_))), "{outcome:?}");
        assert_eq!(stand.depth(&stand.queue).await, Depth::default());
    }
    stand.send([]).await;
}

/// 9: at every turn of a message's life.
pub async fn s09_depth_tells_where_the_messages_are(stand: &Stand) {
    let depth = async || Depth { oldest: None, ..stand.depth(&stand.queue).await };
    assert_eq!(depth().await, Depth::default());
    stand.send((0..4).map(|n| message(&format!("{n}"), "g"))).await;
    stand.send([Message { delay: seconds(60), ..message("late", "h") }]).await;
    let at = |visible, in_flight, delayed| Depth { visible, in_flight, delayed, oldest: None };
    assert_eq!(depth().await, at(4, 0, 1));
    let taken = stand.take(3).await;
    assert_eq!(depth().await, at(1, 3, 1));
    stand.pair.one.retry(&stand.queue, &taken[0].receipt, Duration::ZERO).await.unwrap();
    assert_eq!(depth().await, at(2, 2, 1));
    stand.pair.one.retry(&stand.queue, &taken[1].receipt, seconds(45)).await.unwrap();
    assert_eq!(depth().await, at(2, 2, 1));
    stand.done(&taken[2..]).await;
    assert_eq!(depth().await, at(2, 1, 1));
    stand.pair.pass(seconds(60));
    assert_eq!(depth().await, at(4, 0, 0));
    let taken = stand.take(10).await;
    let (late, others): (Vec<_>, Vec<_>) = taken.into_iter().partition(|r| r.body == "late");
    stand.done(&others).await;
    assert_eq!(depth().await, at(0, 1, 0));
    stand.done(&late).await;
    assert_eq!(depth().await, Depth::default());
    assert_eq!(stand.depth(&stand.dead).await, Depth::default());
}

/// 9: rightly, or not at all; whichever, it stays so.
pub async fn s09_the_oldest_is_told_rightly_or_never(stand: &Stand) {
    let oldest = async || stand.depth(&stand.queue).await.oldest;
    assert_eq!(oldest().await, None, "nothing is there");
    stand.send([message("first", "g")]).await;
    let tells = oldest().await.is_some();
    let is_at = |at: u64| tells.then_some(START + seconds(at));
    assert_eq!(oldest().await, is_at(0));
    stand.pair.pass(seconds(1));
    stand.send([Message { delay: seconds(60), ..message("late", "h") }]).await;
    assert_eq!(oldest().await, is_at(0));
    let first = stand.take_one().await;
    assert_eq!(oldest().await, is_at(0), "in hand is not gone");
    stand.done(&[first]).await;
    assert_eq!(oldest().await, is_at(1), "delayed is there");
    stand.pair.pass(seconds(60));
    stand.done(&[stand.take_one().await]).await;
    assert_eq!(oldest().await, None);
}

sentences! {
    $ queues_contract, queues, Stand:
    s01_a_message_is_received_as_it_was_sent
    s01_concurrent_receivers_share_the_messages
    s01_concurrent_senders_lose_nothing
    s01_an_unknown_queue_is_named
    s02_a_message_is_invisible_until_its_visibility_ends
    s02_a_retried_message_comes_again_when_it_was_asked_to
    s03_a_deleted_message_never_comes_again
    s03_an_outdated_receipt_changes_nothing
    s03_a_message_visible_again_cannot_be_put_off
    s03_a_foreign_receipt_is_no_error
    s04_a_delayed_message_waits
    s05_a_message_received_too_often_moves_to_the_dead_letters
    s05_what_is_given_up_keeps_nobody_waiting
    s06_redrive_brings_dead_letters_back
    s06_redrive_leaves_what_is_in_hand
    s06_concurrent_redrives_bring_each_back_once
    s07_a_thousand_messages_keep_no_other_group_waiting
    s07_groups_take_turns
    s08_what_breaks_a_limit_is_refused_whole
    s09_depth_tells_where_the_messages_are
    s09_the_oldest_is_told_rightly_or_never
}
