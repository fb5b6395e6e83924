//! The queues on SQS: standard queues, fair among groups by `MessageGroupId`. An address is a queue's URL.
//!
//! What a reader has to know of SQS: counts are approximate, times are whole seconds (rounded up, so that nothing
//! comes early), how often a message was received counts on among the dead letters, one that was redriven is sent anew,
//! and nothing tells when the oldest message was sent: [`Depth::oldest`] is always `None`. A message's age is
//! told by the batch that works on it.

mod batches;

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    Message as SqsMessage, MessageSystemAttributeName as Told, QueueAttributeName,
};
use nexus_core::queues::{
    Depth, Message, QueueAddress, QueueError, Queues, Received, check_limits,
};
use nexus_kernel::Timestamp;

/// The most messages in one call, as SQS has it.
const BATCH: usize = 10;
/// How long dead letters are in hand while they are moved back.
const MOVING: Duration = Duration::from_secs(60);
/// The longest wait for a message: well within the time limit of a call.
const LONGEST_WAIT: i32 = 3;
/// The longest that a message may be in hand, as SQS has it.
const LONGEST_IN_HAND: i32 = 12 * 3600;

/// The queues of an account.
#[derive(Debug, Clone)]
pub struct SqsQueues {
    client: Client,
    wait: Duration,
}

impl SqsQueues {
    /// The queues. A receive waits for a second, so that it asks every server on which messages may stand.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config), wait: Duration::from_secs(1) }
    }

    /// Lets a receive wait so long for a first message, in whole seconds to 3.
    #[must_use]
    pub fn waiting(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    async fn take(
        &self,
        queue: &QueueAddress,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        let request = self
            .client
            .receive_message()
            .queue_url(&queue.0)
            .max_number_of_messages(i32::try_from(max.min(BATCH)).unwrap_or(1))
            .visibility_timeout(seconds(visibility).min(LONGEST_IN_HAND))
            .wait_time_seconds(seconds(wait).min(LONGEST_WAIT))
            .message_system_attribute_names(Told::ApproximateReceiveCount)
            .message_system_attribute_names(Told::SentTimestamp)
            .message_system_attribute_names(Told::MessageGroupId);
        let found = request.send().await.map_err(|e| failed(e, queue))?;
        Ok(found.messages.unwrap_or_default().into_iter().map(received).collect())
    }
}

#[async_trait]
impl Queues for SqsQueues {
    async fn send(&self, queue: &QueueAddress, messages: Vec<Message>) -> Result<(), QueueError> {
        check_limits(&messages)?;
        for batch in batches::split(messages) {
            batches::send(&self.client, queue, batch).await?;
        }
        Ok(())
    }

    async fn receive(
        &self,
        queue: &QueueAddress,
        max: u32,
        visibility: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        let (max, mut taken) = (max as usize, Vec::new());
        while taken.len() < max {
            let wait = if taken.is_empty() { self.wait } else { Duration::ZERO };
            let more = self.take(queue, max - taken.len(), visibility, wait).await?;
            if more.is_empty() {
                break;
            }
            taken.extend(more);
        }
        Ok(taken)
    }

    async fn delete(&self, queue: &QueueAddress, receipts: &[String]) -> Result<(), QueueError> {
        for batch in receipts.chunks(BATCH) {
            batches::delete(&self.client, queue, batch).await?;
        }
        Ok(())
    }

    async fn retry(
        &self,
        queue: &QueueAddress,
        receipt: &str,
        after: Duration,
    ) -> Result<(), QueueError> {
        let request =
            self.client.change_message_visibility().queue_url(&queue.0).receipt_handle(receipt);
        match request.visibility_timeout(seconds(after).min(LONGEST_IN_HAND)).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_outdated(error.code(), error.message()) => Ok(()),
            Err(error) => Err(failed(error, queue)),
        }
    }

    async fn depth(&self, queue: &QueueAddress) -> Result<Depth, QueueError> {
        use QueueAttributeName as Name;
        let names = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.client.get_queue_attributes().queue_url(&queue.0);
        let request = request.set_attribute_names(Some(names.to_vec()));
        let told = request.send().await.map_err(|e| failed(e, queue))?;
        let [visible, in_flight, delayed] = names
            .map(|name| told.attributes().and_then(|a| a.get(&name)?.parse().ok()).unwrap_or(0));
        Ok(Depth { visible, in_flight, delayed, oldest: None })
    }

    /// Not by SQS's own move task, which knows no `max` and tells no number until it has ended. If this is cut off
    /// between sending and deleting, a letter comes back once more, as any message may.
    async fn redrive(
        &self,
        dead: &QueueAddress,
        queue: &QueueAddress,
        max: u32,
    ) -> Result<u64, QueueError> {
        // So that nothing is taken into hand that could not be put anywhere.
        self.depth(queue).await?;
        let mut moved = 0;
        while moved < max as usize {
            let letters = self.take(dead, max as usize - moved, MOVING, self.wait).await?;
            if letters.is_empty() {
                break;
            }
            moved += letters.len();
            let (receipts, messages): (Vec<_>, Vec<_>) = letters
                .into_iter()
                .map(|l| {
                    (l.receipt, Message { body: l.body, group: l.group, delay: Duration::ZERO })
                })
                .unzip();
            self.send(queue, messages).await?;
            self.delete(dead, &receipts).await?;
        }
        Ok(moved as u64)
    }
}

fn received(message: SqsMessage) -> Received {
    let mut told = message.attributes.unwrap_or_default();
    let sent = told.remove(&Told::SentTimestamp).and_then(|ms| ms.parse().ok());
    let count = told.remove(&Told::ApproximateReceiveCount).and_then(|n| n.parse().ok());
    Received {
        id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        group: told.remove(&Told::MessageGroupId).unwrap_or_default(),
        receive_count: count.unwrap_or(1),
        sent: sent
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> i32 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

/// Whether a receipt was refused because somebody else has the message now, or nobody.
fn is_outdated(code: Option<&str>, message: Option<&str>) -> bool {
    match code.unwrap_or_default() {
        "ReceiptHandleIsInvalid"
        | "MessageNotInflight"
        | "AWS.SimpleQueueService.MessageNotInflight" => true,
        // So the service words it where the message is visible again or gone.
        "InvalidParameterValue" => message.is_some_and(|m| m.contains("ReceiptHandle")),
        _ => false,
    }
}

fn failed<E>(error: SdkError<E>, queue: &QueueAddress) -> QueueError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match error.code().unwrap_or_default() {
        "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" | "InvalidAddress" => {
            QueueError::NoSuchQueue(queue.clone())
        }
        _ => QueueError::Unavailable(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{answering, sent};

    const NAME: &str = "https://sqs.us-east-1.amazonaws.com/1/orders";

    fn queue() -> QueueAddress {
        QueueAddress(NAME.into())
    }

    async fn send(answers: &[(u16, &str)]) -> (Result<(), QueueError>, Vec<String>) {
        let (config, client) = answering(1, answers);
        let message = |body: &str| Message {
            body: body.into(),
            group: "ten_a".into(),
            delay: Duration::ZERO,
        };
        let outcome =
            SqsQueues::new(&config).send(&queue(), vec![message("one"), message("two")]).await;
        (outcome, sent(&client).into_iter().map(|(_, _, body)| body).collect())
    }

    #[tokio::test]
    async fn what_failed_inside_an_answer_is_sent_again_alone() {
        let partly = r#"{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"d"}],
            "Failed":[{"Id":"1","SenderFault":false,"Code":"InternalError"}]}"#;
        let whole = r#"{"Successful":[{"Id":"1","MessageId":"m","MD5OfMessageBody":"d"}]}"#;
        let (outcome, bodies) = send(&[(200, partly), (200, whole)]).await;
        assert!(outcome.is_ok());
        assert!(bodies[0].contains("one") && bodies[0].contains(r#""MessageGroupId":"ten_a""#));
        assert!(!bodies[1].contains("one") && bodies[1].contains("two"));
        let (outcome, bodies) = send(&[(200, partly), (200, partly), (200, partly)]).await;
        assert!(matches!(outcome, Err(QueueError::Unavailable(_))) && bodies.len() == 3);
    }

    #[tokio::test]
    async fn what_is_our_fault_is_refused() {
        let ours = r#"{"Failed":[{"Id":"0","SenderFault":true,"Code":"InvalidMessageContents","Message":"no"}]}"#;
        let (outcome, _) = send(&[(200, ours)]).await;
        assert_eq!(outcome.unwrap_err().to_string(), "InvalidMessageContents: no");
        let missing = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}"#;
        let (outcome, _) = send(&[(400, missing)]).await;
        assert!(matches!(outcome, Err(QueueError::NoSuchQueue(q)) if q == queue()));
        let (outcome, _) = send(&[]).await;
        assert!(matches!(outcome, Err(QueueError::Unavailable(_))), "the line is dead");
    }

    #[tokio::test]
    async fn an_outdated_receipt_is_no_error_and_others_are() {
        let delete = async |answers: &[(u16, &str)]| {
            let (config, _) = answering(1, answers);
            SqsQueues::new(&config).delete(&queue(), &["r".into()]).await
        };
        let outdated =
            r#"{"Failed":[{"Id":"0","SenderFault":true,"Code":"ReceiptHandleIsInvalid"}]}"#;
        assert!(delete(&[(200, outdated)]).await.is_ok());
        let broken = r#"{"Failed":[{"Id":"0","SenderFault":false,"Code":"InternalError"}]}"#;
        assert!(delete(&[(200, broken), (200, r#"{"Successful":[{"Id":"0"}]}"#)]).await.is_ok());
        assert!(delete(&[(200, broken), (200, broken), (200, broken)]).await.is_err());
        let gone = r#"{"__type":"com.amazonaws.sqs#InvalidParameterValue","message":"Value r for parameter
            ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."}"#;
        let (config, _) = answering(1, &[(400, &gone.replace("\n", " "))]);
        assert!(SqsQueues::new(&config).retry(&queue(), "r", Duration::ZERO).await.is_ok());
    }

    /// What the contract's sentences on fairness rest on: the emulator takes no turns among groups.
    #[tokio::test]
    async fn every_message_of_a_batch_names_its_group_for_fair_queues() {
        let whole = r#"{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"d"},
            {"Id":"1","MessageId":"m","MD5OfMessageBody":"d"},{"Id":"2","MessageId":"m","MD5OfMessageBody":"d"}]}"#;
        let (config, client) = answering(1, &[(200, whole)]);
        let messages = ["ten_a", "ten_b", ""].map(|group| Message {
            body: format!("of {group}"),
            group: group.into(),
            delay: Duration::ZERO,
        });
        SqsQueues::new(&config).send(&queue(), messages.to_vec()).await.unwrap();
        let body = sent(&client).remove(0).2;
        for group in ["ten_a", "ten_b"] {
            let entry = format!(r#""MessageBody":"of {group}","MessageGroupId":"{group}""#);
            assert!(body.contains(&entry), "{body}");
        }
        assert_eq!(body.matches("MessageGroupId").count(), 2, "nobody's message is in no group");
        assert!(!body.contains("DelaySeconds"), "the queue's own delay holds: {body}");
    }

    /// What a retry of a message that is visible again comes to on SQS: the emulator would hide it.
    #[tokio::test]
    async fn what_is_not_in_flight_stays_as_it_is() {
        for code in ["MessageNotInflight", "ReceiptHandleIsInvalid"] {
            let answer = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"no"}}"#);
            let (config, client) = answering(1, &[(400, &answer)]);
            let queues = SqsQueues::new(&config);
            queues.retry(&queue(), "r", Duration::from_secs(600)).await.unwrap();
            assert_eq!(sent(&client).len(), 1, "asked once");
        }
        let (config, _) = answering(1, &[(500, "{}")]);
        let retried = SqsQueues::new(&config).retry(&queue(), "r", Duration::ZERO).await;
        assert!(matches!(retried, Err(QueueError::Unavailable(_))));
    }

    #[tokio::test]
    async fn what_sqs_would_refuse_is_not_sent() {
        let (config, client) = answering(1, &[]);
        for (body, group) in [("", "g"), ("a\u{0}", "g"), ("1", "é")] {
            let message = Message { body: body.into(), group: group.into(), delay: Duration::ZERO };
            let outcome = SqsQueues::new(&config).send(&queue(), vec![message]).await;
            assert!(matches!(outcome, Err(QueueError::Refused(_))), "{body:?}, {group:?}");
        }
        assert!(sent(&client).is_empty());
    }

    #[tokio::test]
    async fn a_message_is_read_with_its_group_and_count() {
        let answer = r#"{"Messages":[{"MessageId":"m","ReceiptHandle":"r","Body":"b","Attributes":
            {"ApproximateReceiveCount":"2","SentTimestamp":"1795165260123","MessageGroupId":"ten_a"}}]}"#;
        let (config, client) = answering(1, &[(200, answer)]);
        let taken = SqsQueues::new(&config)
            .receive(&queue(), 1, Duration::from_millis(1_500))
            .await
            .unwrap();
        let sent_at = Timestamp::from_millisecond(1_795_165_260_123).unwrap();
        let expected = Received {
            id: "m".into(),
            receipt: "r".into(),
            body: "b".into(),
            group: "ten_a".into(),
            receive_count: 2,
            sent: sent_at,
        };
        assert_eq!(taken, [expected]);
        assert!(sent(&client)[0].2.contains(r#""VisibilityTimeout":2"#), "rounded up");
    }
}
