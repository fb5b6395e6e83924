//! The port to queues: at-least-once, unordered, fair among groups.
//!
//! # The contract
//! Each sentence is a test of `nexus_contract::queues`, run against every adapter:
//! 1. A message that was sent is received, with its body and group, by one receiver at a time.
//! 2. A received message is invisible until its visibility ends or it is retried; then it comes again, counted up.
//! 3. A deleted message never comes again; deleting or retrying with an outdated receipt changes nothing.
//! 4. A delayed message comes not before its delay ended. (Delays and visibilities are whole seconds; an adapter that
//!    counts in seconds rounds up.)
//! 5. A message that was received as often as the queue allows and comes due again moves to the dead-letter
//!    queue instead, with its body, its group and the moment at which it was sent. How often it was received counts
//!    on or anew among the dead letters.
//! 6. Redrive brings dead letters back, their count begun anew, each once; one in somebody's hands stays.
//! 7. One group's thousand messages do not keep another group's one waiting behind them.
//! 8. What breaks a limit is refused before anything is sent: a body without a character, above [`MAX_BODY_BYTES`] or
//!    with a character that XML 1.0 forbids; a group above [`MAX_GROUP_CHARS`] or with anything but visible ASCII; a
//!    delay above [`MAX_DELAY`].
//! 9. Depth tells how many messages are visible, in flight and delayed. Where it tells the oldest one's moment, it is
//!    that one's.
//!
//! SQS keeps its queues on several machines. While one of them is away, a message may come a second time, even one
//! that was deleted, and a depth may be behind; so whoever receives is built to do a thing twice.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

/// The longest body: 1 MiB, as SQS has it.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The longest name of a group, as SQS has it.
pub const MAX_GROUP_CHARS: usize = 128;
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
    /// The sealed envelope: 1 byte to [`MAX_BODY_BYTES`], of the characters of XML 1.0.
    pub body: String,
    /// Whose it is: receivers take turns among groups. At most [`MAX_GROUP_CHARS`] of visible ASCII; an empty one is
    /// nobody's.
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
    /// When the oldest of all was sent; `None` of an empty queue, and where the queue cannot tell (SQS).
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
    let refuse = |why: String| Err(QueueError::Refused(why));
    for Message { body, group, delay } in messages {
        if !(1..=MAX_BODY_BYTES).contains(&body.len()) {
            return refuse(format!(
                "a message has 1 to {MAX_BODY_BYTES} bytes, this one {}",
                body.len()
            ));
        }
        if let Some(odd) = body.chars().find(|c| !may_stand_in_xml(*c)) {
            return refuse(format!(
                "a message has only characters that XML 1.0 allows, not {odd:?}"
            ));
        }
        if group.len() > MAX_GROUP_CHARS || !group.bytes().all(|b| b.is_ascii_graphic()) {
            return refuse(format!(
                "a group has at most {MAX_GROUP_CHARS} visible ASCII characters"
            ));
        }
        if *delay > MAX_DELAY {
            return refuse(format!(
                "a message waits at most {} s, this one {} s",
                MAX_DELAY.as_secs(),
                delay.as_secs()
            ));
        }
    }
    Ok(())
}

/// XML 1.0, section 2.2.
fn may_stand_in_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
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

/// The right to ask one queue how full it is, and nothing else.
#[derive(Clone)]
pub struct Gauge {
    queues: Arc<dyn Queues>,
    address: QueueAddress,
}

impl Gauge {
    /// A gauge of the queue at this address.
    pub fn new(queues: Arc<dyn Queues>, address: QueueAddress) -> Self {
        Self { queues, address }
    }

    /// How full it is.
    ///
    /// # Errors
    /// As [`Queues::depth`].
    pub async fn read(&self) -> Result<Depth, QueueError> {
        self.queues.depth(&self.address).await
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gauge({})", self.address)
    }
}
