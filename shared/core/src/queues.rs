//! The port to queues: at-least-once, unordered, fair among groups.
//!
//! # The contract
//! Each sentence is a test of `nexus_contract::queues`, run against every adapter:
//! 1. A message that was sent is received, with its body and group, by one receiver at a time.
//! 2. A received message is invisible until its visibility ends or it is retried; then it comes again, counted up.
//! 3. A deleted message never comes again; deleting or retrying with an outdated receipt changes nothing.
//! 4. A delayed message comes not before its delay ended.
//! 5. A message that was received as often as the queue allows and comes due again moves to the dead-letter
//!    queue instead.
//! 6. Redrive brings dead letters back, their count begun anew, each once; one in somebody's hands stays.
//! 7. One group's thousand messages do not keep another group's one waiting behind them.
//! 8. A body above [`MAX_BODY_BYTES`] is refused before anything is sent.
//! 9. Depth tells visible, in flight and delayed messages and the oldest one's moment.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

/// The longest body: 1 MiB, as SQS has it.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The longest delay: 15 minutes, as SQS has it.
pub const MAX_DELAY: Duration = Duration::from_secs(900);

/// Which queue: its URL on AWS, its name on one machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueueAddress(pub String);

impl fmt::Display for QueueAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A queue, as an adapter that keeps queues itself has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Which.
    pub address: QueueAddress,
    /// How long messages wait that ask for no delay of their own.
    pub delay: Duration,
    /// Where messages go that were received too often; that queue need not be declared apart.
    pub dead_letters: Option<DeadLetters>,
}

/// When a queue gives a message up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetters {
    /// Where the message goes then.
    pub queue: QueueAddress,
    /// After how many receives.
    pub after: u32,
}

impl QueueSettings {
    /// A queue that delays nothing and gives nothing up.
    pub fn plain(address: QueueAddress) -> Self {
        Self { address, delay: Duration::ZERO, dead_letters: None }
    }

    /// Gives a message up after so many receives.
    #[must_use]
    pub fn giving_up(mut self, after: u32, to: QueueAddress) -> Self {
        self.dead_letters = Some(DeadLetters { queue: to, after });
        self
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The sealed envelope.
    pub body: String,
    /// Whose it is: receivers take turns among groups.
    pub group: String,
    /// Not before so long, at most [`MAX_DELAY`].
    pub delay: Duration,
}

/// A message in somebody's hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The message's id; stays the same however often it comes.
    pub id: String,
    /// The right to delete or retry it, of this receive only.
    pub receipt: String,
    /// What was sent.
    pub body: String,
    /// Whose it is.
    pub group: String,
    /// The how manieth receive this is, from 1.
    pub receive_count: u32,
    /// When it was sent.
    pub sent: Timestamp,
}

/// How full a queue is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// Could be received now.
    pub visible: u64,
    /// In somebody's hands.
    pub in_flight: u64,
    /// Waiting for their delay.
    pub delayed: u64,
    /// When the oldest of all was sent.
    pub oldest: Option<Timestamp>,
}

/// Why a queue did not do it.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// No queue of this address.
    #[error("there is no queue `{0}`")]
    NoSuchQueue(QueueAddress),
    /// The message breaks a limit; nothing was sent.
    #[error("{0}")]
    Refused(String),
    /// The queue does not answer. Sent messages may or may not be there: sending again is safe, because every
    /// receiver may see a message twice anyway.
    #[error("the queue does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Unavailable(_) => {
                Self::unavailable("The queue does not answer now.").caused_by(error)
            }
            QueueError::NoSuchQueue(_) | QueueError::Refused(_) => Self::bug(error),
        }
    }
}

/// The queues. See the module's text for the contract.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends messages, any number.
    async fn send(&self, queue: &QueueAddress, messages: Vec<Message>) -> Result<(), QueueError>;

    /// Takes at most `max` messages into hand for `visibility`.
    async fn receive(
        &self,
        queue: &QueueAddress,
        max: u32,
        visibility: Duration,
    ) -> Result<Vec<Received>, QueueError>;

    /// Done with these.
    async fn delete(&self, queue: &QueueAddress, receipts: &[String]) -> Result<(), QueueError>;

    /// Gives one back, to come again after so long; one that is no longer in hand stays as it is.
    async fn retry(
        &self,
        queue: &QueueAddress,
        receipt: &str,
        after: Duration,
    ) -> Result<(), QueueError>;

    /// How full it is.
    async fn depth(&self, queue: &QueueAddress) -> Result<Depth, QueueError>;

    /// Moves at most `max` dead letters from `dead` back to `queue`; how many were moved.
    async fn redrive(
        &self,
        dead: &QueueAddress,
        queue: &QueueAddress,
        max: u32,
    ) -> Result<u64, QueueError>;
}

/// Checks the limits of what is to be sent; every adapter calls it first.
///
/// # Errors
/// `QueueError::Refused`, naming the limit.
pub fn check_limits(messages: &[Message]) -> Result<(), QueueError> {
    for message in messages {
        if message.body.len() > MAX_BODY_BYTES {
            return Err(QueueError::Refused(format!(
                "a message has at most {MAX_BODY_BYTES} bytes, this one {}",
                message.body.len()
            )));
        }
        if message.delay > MAX_DELAY {
            return Err(QueueError::Refused(format!(
                "a message waits at most {} s, this one {} s",
                MAX_DELAY.as_secs(),
                message.delay.as_secs()
            )));
        }
    }
    Ok(())
}

/// The right to send to one queue, and nothing else: what a function gets.
#[derive(Clone)]
pub struct Sender {
    queues: Arc<dyn Queues>,
    address: QueueAddress,
}

impl Sender {
    /// A sender to the queue at this address.
    pub fn new(queues: Arc<dyn Queues>, address: QueueAddress) -> Self {
        Self { queues, address }
    }

    /// Sends messages.
    ///
    /// # Errors
    /// As [`Queues::send`].
    pub async fn send(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        self.queues.send(&self.address, messages).await
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({})", self.address)
    }
}
