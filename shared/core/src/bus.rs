//! The port to the bus: tells, to whoever cares, that something has happened.
//!
//! An event is a fact and a few ids, never content, never a person's data. Nobody may depend on hearing one: what
//! has to follow for sure goes through the outbox and a queue.
//!
//! **Never here:** commands, and anything that somebody must not miss.
//!
//! # The contract
//! Each sentence is a test of `nexus_contract::bus`, run against every adapter:
//! 1. What was told is heard whole: kind, product, owner, moment to the millisecond, facts.
//! 2. Any number can be told at once, and each is heard at least once, in no order.
//! 3. An event that breaks a limit cannot be made.

use std::error::Error;

use async_trait::async_trait;
use nexus_kernel::{Failure, Ids, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scope::{Owner, Product, Scope};

/// The most bytes of an event's facts, as JSON.
pub const MAX_FACTS_BYTES: usize = 8 * 1024;
/// The most characters of a kind, as EventBridge has it.
pub const MAX_KIND_CHARS: usize = 128;

nexus_kernel::id!(
    /// An event: who hears it twice knows it by this.
    EventId,
    "evt_"
);

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    id: EventId,
    kind: String,
    product: Product,
    owner: Owner,
    at: Timestamp,
    facts: Value,
}

impl Event {
    /// An event of a kind such as `draft.approved`, with a few facts: an object of ids and small numbers.
    ///
    /// # Errors
    /// `BusError::Refused`: the kind is not 1 to [`MAX_KIND_CHARS`] of `a-z`, `0-9`, `.` and `-`; the facts are no
    /// JSON object, or more than [`MAX_FACTS_BYTES`].
    pub fn new(
        scope: &Scope,
        kind: impl Into<String>,
        facts: &impl Serialize,
        ids: &dyn Ids,
        at: Timestamp,
    ) -> Result<Self, BusError> {
        let kind = kind.into();
        let is_kind = (1..=MAX_KIND_CHARS).contains(&kind.len())
            && kind.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
        if !is_kind {
            return Err(BusError::Refused(format!(
                "an event's kind has 1 to {MAX_KIND_CHARS} lower-case letters, digits, `.` and `-`"
            )));
        }
        let facts = serde_json::to_value(facts).map_err(|e| BusError::Refused(e.to_string()))?;
        if !facts.is_object() {
            return Err(BusError::Refused("an event's facts are a JSON object".into()));
        }
        let bytes = facts.to_string().len();
        if bytes > MAX_FACTS_BYTES {
            return Err(BusError::Refused(format!(
                "an event's facts have at most {MAX_FACTS_BYTES} bytes, these {bytes}"
            )));
        }
        let (product, owner) = (scope.product(), scope.owner());
        Ok(Self { id: EventId::draw(ids), kind, product, owner, at, facts })
    }

    /// By this it is known again.
    pub fn id(&self) -> EventId {
        self.id
    }

    /// What happened, such as `draft.approved`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// In which product.
    pub fn product(&self) -> Product {
        self.product
    }

    /// To whom. An owner is not yet a right: who hears this has no [`Scope`] by it.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// When.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Which ones: a JSON object.
    pub fn facts(&self) -> &Value {
        &self.facts
    }
}

/// Why not everything was told.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// A limit is broken; nothing was told.
    #[error("{0}")]
    Refused(String),
    /// So many of them were not told, or nobody knows; telling all of them again is safe.
    #[error("{failed} of {of} events were not told")]
    Failed {
        /// How many were not.
        failed: usize,
        /// How many there were.
        of: usize,
        /// The first reason.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl From<BusError> for Failure {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Refused(_) => Self::bug(error),
            BusError::Failed { .. } => {
                Self::unavailable("The bus does not answer now.").caused_by(error)
            }
        }
    }
}

/// The bus. See the module's text for the contract.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Tells events, any number.
    async fn tell(&self, events: Vec<Event>) -> Result<(), BusError>;
}
