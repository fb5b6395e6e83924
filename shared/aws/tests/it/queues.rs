//! The queues' contract on SQS.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use nexus_aws::{SdkConfig, SqsQueues};
use nexus_contract::Pair;
use nexus_contract::queues::{GIVES_UP_AFTER, Stand};
use nexus_core::QueueAddress;

use crate::emulator::Emulator;

async fn open() -> Stand {
    let emulator = Emulator::anew().await;
    let config = emulator.config().await;
    let (queue, dead) = create(&Client::new(&config), "orders", GIVES_UP_AFTER).await;
    let (one, other) = (handle(&config), handle(&emulator.config().await));
    let pair = Pair::new(one as _, other as _, emulator.clock.clone()).keeping(emulator);
    Stand { pair, queue, dead }
}

/// The trial's clock stands still, so nobody may wait by it.
pub(crate) fn handle(config: &SdkConfig) -> Arc<SqsQueues> {
    Arc::new(SqsQueues::new(config).waiting(Duration::ZERO))
}

/// A queue as the template has it, and its dead letters.
pub(crate) async fn create(
    client: &Client,
    name: &str,
    gives_up_after: u32,
) -> (QueueAddress, QueueAddress) {
    let made = client.create_queue().queue_name(format!("{name}-dead")).send().await.unwrap();
    let dead = QueueAddress(made.queue_url.unwrap());
    let asked = client.get_queue_attributes().queue_url(&dead.0).attribute_names(Name::QueueArn);
    let arn = asked.send().await.unwrap().attributes.unwrap().remove(&Name::QueueArn).unwrap();
    let policy =
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{gives_up_after}"}}"#);
    let made = client.create_queue().queue_name(name).attributes(Name::RedrivePolicy, policy);
    (QueueAddress(made.send().await.unwrap().queue_url.unwrap()), dead)
}

crate::sentences! {
    queues, open:
    s01_a_message_is_received_as_it_was_sent
    s01_concurrent_receivers_share_the_messages
    s01_concurrent_senders_lose_nothing
    s01_an_unknown_queue_is_named
    s02_a_message_is_invisible_until_its_visibility_ends
    s02_a_retried_message_comes_again_when_it_was_asked_to
    s03_a_deleted_message_never_comes_again
    s03_an_outdated_receipt_changes_nothing
    s03_a_foreign_receipt_is_no_error
    s04_a_delayed_message_waits
    s05_a_message_received_too_often_moves_to_the_dead_letters
    s05_what_is_given_up_keeps_nobody_waiting
    s06_redrive_brings_dead_letters_back
    s06_redrive_leaves_what_is_in_hand
    s06_concurrent_redrives_bring_each_back_once
    s08_what_breaks_a_limit_is_refused_whole
    s09_depth_tells_where_the_messages_are
    s09_the_oldest_is_told_rightly_or_never
}
