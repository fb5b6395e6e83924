//! From a queue to its function, as Lambda's pollers do it: batches, partial failures, retries that wait longer
//! each time. Dead letters are the queue's own matter.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use nexus_core::queues::{QueueError, Received};
use nexus_core::{QueueAddress, Queues};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::running::{MAX_PAYLOAD, Running};

/// The first retry waits so long, each further one twice as long, at most the queue's visibility.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// A queue and the function that reads it.
pub struct Poller {
    /// Where the messages are.
    pub queue: QueueAddress,
    /// Who gets them.
    pub function: Arc<Running>,
    /// At most so many messages at once.
    pub batch_size: u32,
    /// So long a batch may wait to fill.
    pub window: Duration,
    /// A received message is hidden so long.
    pub visibility: Duration,
    /// At most so many batches at once.
    pub concurrency: u32,
}

impl Poller {
    /// Takes a batch and hands it to the function; how many messages it held.
    ///
    /// # Errors
    /// The queue does not answer.
    pub async fn once(&self, queues: &dyn Queues) -> Result<usize, QueueError> {
        let messages = queues.receive(&self.queue, self.batch_size, self.visibility).await?;
        self.work(queues, messages).await
    }

    /// The same, but a batch that is not full waits for more, as long as the template's window allows. Whenever
    /// `arrivals` changes, there may be more.
    ///
    /// # Errors
    /// The queue does not answer.
    pub async fn once_patiently(
        &self,
        queues: &dyn Queues,
        arrivals: &mut watch::Receiver<u64>,
    ) -> Result<usize, QueueError> {
        let mut batch = queues.receive(&self.queue, self.batch_size, self.visibility).await?;
        let until = Instant::now() + self.window;
        while !batch.is_empty() && Instant::now() < until {
            let room =
                self.batch_size.saturating_sub(u32::try_from(batch.len()).unwrap_or(u32::MAX));
            if room == 0 || tokio::time::timeout_at(until, arrivals.changed()).await.is_err() {
                break;
            }
            batch.extend(queues.receive(&self.queue, room, self.visibility).await?);
        }
        self.work(queues, batch).await
    }

    /// Hands messages to the function and deletes or gives back each as the reply says.
    ///
    /// # Errors
    /// The queue does not answer.
    pub async fn work(
        &self,
        queues: &dyn Queues,
        messages: Vec<Received>,
    ) -> Result<usize, QueueError> {
        let count = messages.len();
        for batch in within_payload(messages) {
            let event = self.event(&batch);
            let failed = match self.function.call(event.as_bytes(), None).await {
                Ok(reply) => failed(&batch, reply.get()),
                Err(_) => batch.iter().map(|m| m.id.clone()).collect(),
            };
            let (again, done): (Vec<_>, Vec<_>) =
                batch.into_iter().partition(|m| failed.contains(&m.id));
            let receipts: Vec<String> = done.into_iter().map(|m| m.receipt).collect();
            queues.delete(&self.queue, &receipts).await?;
            for message in again {
                let doublings = message.receive_count.saturating_sub(1).min(16);
                let wait = FIRST_RETRY.saturating_mul(1 << doublings).min(self.visibility);
                queues.retry(&self.queue, &message.receipt, wait).await?;
            }
        }
        Ok(count)
    }

    fn event(&self, batch: &[Received]) -> String {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{}", self.queue);
        let records: Vec<_> = batch
            .iter()
            .map(|m| {
                json!({
                    "messageId": m.id,
                    "receiptHandle": m.receipt,
                    "body": m.body,
                    "attributes": {
                        "ApproximateReceiveCount": m.receive_count.to_string(),
                        "SentTimestamp": m.sent.as_millisecond().to_string(),
                        "MessageGroupId": m.group,
                    },
                    "messageAttributes": {},
                    "eventSource": "aws:sqs",
                    "eventSourceARN": arn,
                    "awsRegion": "us-east-1",
                })
            })
            .collect();
        json!({ "Records": records }).to_string()
    }
}

/// Cuts messages into batches that fit Lambda's payload.
fn within_payload(messages: Vec<Received>) -> Vec<Vec<Received>> {
    let mut batches: Vec<Vec<Received>> = Vec::new();
    let mut room = 0usize;
    for message in messages {
        // A body may double when it is written as JSON text.
        let weight = message.body.len() * 2 + 1_000;
        match batches.last_mut() {
            Some(batch) if weight <= room => batch.push(message),
            _ => {
                batches.push(vec![message]);
                room = MAX_PAYLOAD;
            }
        }
        room = room.saturating_sub(weight);
    }
    batches
}

/// The ids that failed. A reply that cannot be read, or that names an id of no record, fails the whole batch, as
/// on AWS.
fn failed(batch: &[Received], reply: &str) -> HashSet<String> {
    let all = || batch.iter().map(|m| m.id.clone()).collect::<HashSet<_>>();
    let Ok(reply) = serde_json::from_str::<SqsBatchResponse>(reply) else { return all() };
    let named: HashSet<String> =
        reply.batch_item_failures.into_iter().map(|f| f.item_identifier).collect();
    if named.is_subset(&all()) { named } else { all() }
}

#[cfg(test)]
mod tests {
    use nexus_kernel::Timestamp;

    use super::*;

    fn message(id: &str, bytes: usize) -> Received {
        Received {
            id: id.into(),
            receipt: format!("r{id}"),
            body: "x".repeat(bytes),
            group: "g".into(),
            receive_count: 1,
            sent: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_reply_names_what_failed_and_a_wrong_one_fails_all() {
        let batch = [message("a", 1), message("b", 1)];
        let of = |reply: &str| failed(&batch, reply).len();
        assert_eq!(of(r#"{"batchItemFailures":[]}"#), 0);
        assert_eq!(of(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#), 1);
        assert_eq!(of(r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#), 2);
        assert_eq!(of(r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#), 2);
        assert_eq!(of("null"), 2);
    }

    #[test]
    fn batches_fit_the_payload() {
        let big = MAX_PAYLOAD / 5;
        let messages = (0..7).map(|i| message(&i.to_string(), big)).collect();
        let sizes: Vec<usize> = within_payload(messages).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 2, 2, 1]);
    }
}
