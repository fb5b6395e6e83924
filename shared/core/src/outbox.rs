//! How a message follows its commit: the message stands as a row in the same transaction as the result it
//! announces. The fast path sends it and clears the row; the `relay` function sends what is older than
//! [`PATIENCE`]. So nothing that was committed is left unannounced, and a message may come twice.

use std::time::Duration;

use jiff::SignedDuration;
use nexus_kernel::{Ambient, Failure, Timestamp};
use serde::{Deserialize, Serialize};

use crate::envelope::Envelope;
use crate::queues::{Message, Sender};
use crate::records::{self, Record};
use crate::retention::RecordKind;
use crate::scope::Scope;
use crate::sweep::DueKind;
use crate::table::{Condition, IndexEntry, Key, Op, Table};

/// How long the fast path may take before the relay sends in its stead.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

nexus_kernel::id!(
    /// A message that stands in the outbox.
    OutboxId,
    "out_"
);

/// A message that stands in the outbox until it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    id: OutboxId,
    /// The hop it is to take: which queue, by the product's own name for it.
    pub hop: String,
    body: String,
    group: String,
    delay_seconds: u32,
    relay_at: Timestamp,
}

impl Record for Outgoing {
    const KIND: RecordKind = RecordKind::Outbox;

    fn key(&self, scope: &Scope) -> Key {
        scope.key("outbox", self.id.to_string())
    }

    fn due(&self, scope: &Scope) -> Option<IndexEntry> {
        Some(DueKind::Outbox.entry(scope, &self.id.to_string(), self.relay_at))
    }
}

impl Outgoing {
    /// A message for a hop.
    ///
    /// # Errors
    /// The message cannot be written as JSON: ours to repair.
    pub fn new<M: Serialize>(
        scope: &Scope,
        hop: &str,
        message: &M,
        trace: &str,
        ambient: &Ambient,
    ) -> Result<Self, Failure> {
        Ok(Self {
            id: OutboxId::draw(&*ambient.ids),
            hop: hop.to_owned(),
            body: Envelope::seal(scope, trace, message)?,
            group: scope.owner().to_string(),
            delay_seconds: 0,
            relay_at: ambient.now().saturating_add(PATIENCE).unwrap_or(Timestamp::MAX),
        })
    }

    /// Not before so long, in whole seconds: a part of one counts as one, since what comes too early is let go.
    #[must_use]
    pub fn delayed(mut self, delay: Duration) -> Self {
        let seconds = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
        self.delay_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self
    }

    /// The operation that puts it into the outbox, for the commit whose result it announces.
    pub fn op(&self, scope: &Scope) -> Op {
        records::create(scope, self)
    }

    /// Sends it and clears its row. What fails here is logged and left to the relay: the result is committed,
    /// so the caller has succeeded either way.
    pub async fn pass_on(&self, scope: &Scope, table: &dyn Table, sender: &Sender) {
        if let Err(error) = self.send(scope, table, sender).await {
            tracing::warn!(hop = %self.hop, outbox.id = %self.id, %error, "a message stays in the outbox for the relay");
        }
    }

    /// Sends it and clears its row, telling what failed: for the relay.
    ///
    /// # Errors
    /// The queue or the table does not answer; the row stands and will be sent again.
    pub async fn send(
        &self,
        scope: &Scope,
        table: &dyn Table,
        sender: &Sender,
    ) -> Result<(), Failure> {
        let delay = Duration::from_secs(u64::from(self.delay_seconds));
        let message = Message { body: self.body.clone(), group: self.group.clone(), delay };
        sender.send(vec![message]).await?;
        let clear = Op::Delete { key: self.key(scope), when: Condition::Always };
        table.commit(vec![clear], None).await?;
        Ok(())
    }
}

/// Sends a message that announces nothing new: a step that ran before only passes on again.
///
/// # Errors
/// The queue does not answer; the caller fails and is delivered again.
pub async fn send_again<M: Serialize>(
    scope: &Scope,
    sender: &Sender,
    message: &M,
    trace: &str,
) -> Result<(), Failure> {
    let body = Envelope::seal(scope, trace, message)?;
    let group = scope.owner().to_string();
    Ok(sender.send(vec![Message { body, group, delay: Duration::ZERO }]).await?)
}
