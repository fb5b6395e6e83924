//! Calls of up to ten messages: how they are cut, and what of them failed inside an answer that says 200.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, DeleteMessageBatchRequestEntry as Deletion,
    SendMessageBatchRequestEntry as Entry,
};
use nexus_core::queues::{MAX_BODY_BYTES, Message, QueueAddress, QueueError};

use super::{BATCH, failed, is_outdated, seconds};

/// How often what failed inside an answer is tried again.
const TRIES: usize = 3;

/// What did not go through, though the call did.
#[derive(Debug, thiserror::Error)]
#[error("{count} of a batch failed: {code}")]
struct PartlyFailed {
    count: usize,
    code: String,
}

/// Cuts messages into batches of at most ten and 1 MiB, in order.
pub(super) fn split(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut batches: Vec<Vec<Message>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        bytes += message.body.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes <= MAX_BODY_BYTES => batch.push(message),
            _ => {
                bytes = message.body.len();
                batches.push(vec![message]);
            }
        }
    }
    batches
}

/// Sends a batch, and again what of it failed.
pub(super) async fn send(
    client: &Client,
    queue: &QueueAddress,
    batch: Vec<Message>,
) -> Result<(), QueueError> {
    let entries = batch.into_iter().enumerate().map(|(n, message)| entry(n, message));
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(unbuilt)?;
    for tried in 1.. {
        let request =
            client.send_message_batch().queue_url(&queue.0).set_entries(Some(entries.clone()));
        let answer = request.send().await.map_err(|e| failed(e, queue))?;
        let Some(first) = answer.failed().first() else { break };
        if let Some(ours) = answer.failed().iter().find(|f| f.sender_fault()) {
            return Err(QueueError::Refused(format!(
                "{}: {}",
                ours.code(),
                ours.message().unwrap_or_default()
            )));
        }
        if tried == TRIES {
            return Err(partly(first, answer.failed().len()));
        }
        entries.retain(|entry| answer.failed().iter().any(|f| f.id() == entry.id()));
    }
    Ok(())
}

/// Deletes a batch, and again what of it failed; an outdated receipt has nothing to delete.
pub(super) async fn delete(
    client: &Client,
    queue: &QueueAddress,
    batch: &[String],
) -> Result<(), QueueError> {
    let entries = batch
        .iter()
        .enumerate()
        .map(|(n, receipt)| Deletion::builder().id(n.to_string()).receipt_handle(receipt).build());
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(unbuilt)?;
    for tried in 1.. {
        let request =
            client.delete_message_batch().queue_url(&queue.0).set_entries(Some(entries.clone()));
        let answer = request.send().await.map_err(|e| failed(e, queue))?;
        let again: Vec<_> =
            answer.failed().iter().filter(|f| !is_outdated(Some(f.code()), f.message())).collect();
        let Some(first) = again.first() else { break };
        if tried == TRIES {
            return Err(partly(first, again.len()));
        }
        entries.retain(|entry| again.iter().any(|f| f.id() == entry.id()));
    }
    Ok(())
}

fn entry(n: usize, message: Message) -> Result<Entry, BuildError> {
    // Without a delay of its own the queue's holds; without a group it is one of its own.
    let delay = (!message.delay.is_zero()).then(|| seconds(message.delay));
    let group = (!message.group.is_empty()).then_some(message.group);
    Entry::builder()
        .id(n.to_string())
        .message_body(message.body)
        .set_delay_seconds(delay)
        .set_message_group_id(group)
        .build()
}

fn unbuilt(error: BuildError) -> QueueError {
    QueueError::Refused(error.to_string())
}

fn partly(first: &BatchResultErrorEntry, count: usize) -> QueueError {
    QueueError::Unavailable(Box::new(PartlyFailed { count, code: first.code().to_owned() }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn message(bytes: usize) -> Message {
        Message { body: "x".repeat(bytes), group: "g".into(), delay: Duration::ZERO }
    }

    #[test]
    fn batches_keep_ten_messages_and_a_mebibyte() {
        let sizes = |messages| -> Vec<usize> { split(messages).iter().map(Vec::len).collect() };
        assert_eq!(sizes(vec![]), Vec::<usize>::new());
        assert_eq!(sizes((0..21).map(|_| message(1)).collect()), [10, 10, 1]);
        let half = MAX_BODY_BYTES / 2;
        assert_eq!(sizes(vec![message(half), message(half), message(1)]), [2, 1]);
        assert_eq!(sizes(vec![message(1), message(MAX_BODY_BYTES), message(1)]), [1, 1, 1]);
    }
}
