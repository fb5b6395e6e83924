//! The queues' contract on SQS.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use nexus_aws::SqsQueues;
use nexus_contract::queues::{GIVES_UP_AFTER, Stand};
use nexus_contract::{Pair, START};
use nexus_core::QueueAddress;
use nexus_core::queues::{Depth, MAX_BODY_BYTES, Message};

use crate::emulator::Emulator;

async fn open() -> Stand {
    let emulator = Emulator::anew().await;
    let config = emulator.config().await;
    let client = Client::new(&config);
    let made = client.create_queue().queue_name("orders-dead").send().await.unwrap();
    let dead = QueueAddress(made.queue_url.unwrap());
    let asked = client.get_queue_attributes().queue_url(&dead.0).attribute_names(Name::QueueArn);
    let arn = asked.send().await.unwrap().attributes.unwrap().remove(&Name::QueueArn).unwrap();
    let policy =
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{GIVES_UP_AFTER}"}}"#);
    let made = client.create_queue().queue_name("orders").attributes(Name::RedrivePolicy, policy);
    let queue = QueueAddress(made.send().await.unwrap().queue_url.unwrap());
    // The trial's clock stands still, so nobody may wait by it.
    let handle = |config| Arc::new(SqsQueues::new(config).waiting(Duration::ZERO));
    let (one, other) = (handle(&config), handle(&emulator.config().await));
    let pair = Pair::new(one as _, other as _, emulator.clock.clone()).keeping(emulator);
    Stand { pair, queue, dead }
}

crate::sentences! {
    queues, open:
    s01_concurrent_receivers_share_the_messages
    s01_concurrent_senders_lose_nothing
    s01_an_unknown_queue_is_named
    s02_a_message_is_invisible_until_its_visibility_ends
    s02_a_retried_message_comes_again_when_it_was_asked_to
    s03_a_deleted_message_never_comes_again
    s03_an_outdated_receipt_changes_nothing
    s03_a_foreign_receipt_is_no_error
    s04_a_delayed_message_waits
    s05_what_is_given_up_keeps_nobody_waiting
    s06_redrive_brings_dead_letters_back
    s06_redrive_leaves_what_is_in_hand
    s06_concurrent_redrives_bring_each_back_once
    s08_what_breaks_a_limit_is_refused_whole
}

const VISIBILITY: Duration = Duration::from_secs(30);

fn message(body: &str, group: &str, delay: u64) -> Message {
    Message { body: body.into(), group: group.into(), delay: Duration::from_secs(delay) }
}

/// In the place of s01: bodies of 1 character to the longest, with their groups, which are fair queues' groups.
#[tokio::test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
async fn messages_are_received_with_body_and_group() {
    let Stand { pair, queue, .. } = open().await;
    let longest = "x".repeat(MAX_BODY_BYTES);
    let sent =
        [("x", "ten_a"), (r#"{"text":"Señal 😀 日本 \" ' \\"}"#, "ten_b"), (&longest, "ten_a")];
    pair.one
        .send(&queue, sent.map(|(body, group)| message(body, group, 0)).to_vec())
        .await
        .unwrap();
    let mut taken = pair.other.receive(&queue, 10, VISIBILITY).await.unwrap();
    taken.sort_by_key(|r| r.body.len());
    let received: Vec<_> = taken.iter().map(|r| (r.body.as_str(), r.group.as_str())).collect();
    assert_eq!(received, sent);
    assert!(taken.iter().all(|r| r.receive_count == 1 && r.sent == START));
    assert!(pair.one.receive(&queue, 10, VISIBILITY).await.unwrap().is_empty());
}

/// In the place of s05.
#[tokio::test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
async fn a_message_received_too_often_becomes_a_dead_letter() {
    let Stand { pair, queue, dead } = open().await;
    pair.one.send(&queue, vec![message("poison", "ten_a", 0)]).await.unwrap();
    for count in 1..=GIVES_UP_AFTER {
        let taken = pair.other.receive(&queue, 10, VISIBILITY).await.unwrap();
        assert_eq!(taken[0].receive_count, count);
        pair.pass(VISIBILITY);
    }
    assert!(pair.one.receive(&queue, 10, VISIBILITY).await.unwrap().is_empty());
    assert_eq!(pair.one.depth(&queue).await.unwrap(), Depth::default());
    let letters = pair.one.receive(&dead, 10, VISIBILITY).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].body.as_str(), letters[0].group.as_str()), ("poison", "ten_a"));
}

/// In the place of s09.
#[tokio::test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
async fn depth_tells_how_many_are_where() {
    let Stand { pair, queue, .. } = open().await;
    let mut messages: Vec<_> = (0..4).map(|n| message(&format!("{n}"), "g", 0)).collect();
    messages.push(message("late", "h", 60));
    pair.one.send(&queue, messages).await.unwrap();
    let at = |visible, in_flight, delayed| Depth { visible, in_flight, delayed, oldest: None };
    assert_eq!(pair.other.depth(&queue).await.unwrap(), at(4, 0, 1));
    let taken = pair.one.receive(&queue, 3, VISIBILITY).await.unwrap();
    assert_eq!(pair.other.depth(&queue).await.unwrap(), at(1, 3, 1));
    pair.one.delete(&queue, &[taken[0].receipt.clone()]).await.unwrap();
    pair.one.retry(&queue, &taken[1].receipt, Duration::ZERO).await.unwrap();
    assert_eq!(pair.other.depth(&queue).await.unwrap(), at(2, 1, 1));
    pair.pass(Duration::from_secs(60));
    assert_eq!(pair.other.depth(&queue).await.unwrap(), at(4, 0, 0));
}
