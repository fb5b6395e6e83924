//! The mail by which a notice reaches its tenant: it leaves once.
//!
//! ```text
//! Waiting ─claim→ Sending ┬→ Sent       a carrier took it over
//!    ↑ asked to wait      ├→ NotSent    it certainly did not leave, and will not
//!    └────────────────────┤
//!                         └→ Unknown    it was handed over, and nobody said whether it was taken
//! ```
//! It has the life of an [effect](nexus_core::effect) and is none: effects are approved by a person, and nobody approves
//! that a notice is mailed. A mail can neither be looked up nor called back. So one whose answer was lost, or whose
//! sender died with the claim, stays unknown and is never sent again: at most one leaves, and the notice stands in the
//! list of notices whatever became of its mail.
//!
//! **Never here:** who carries mail, what is worth a notice, an address at rest: it is the account's, read when the mail
//! leaves.

pub mod letter;

use std::time::Duration;

use jiff::SignedDuration;
use nexus_core::effect::Outcome;
use nexus_core::outbox::Outgoing;
use nexus_core::table::CommitError;
use nexus_core::{Op, Scope, Stored, Table, records};
use nexus_kernel::{Ambient, Failure, Timestamp};
use serde::{Deserialize, Serialize};

use crate::connections::surely;
use crate::hops::{Hop, Notify};
use crate::notices::{Notice, NoticeId, notice_key};

/// How long after a notice its mail is still tried; later it would be no news.
pub const TRIED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// The longest pause between two tries: the longest for which a queue keeps a message back.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// What became of the mail about a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Mailing {
    /// It is to be sent.
    Waiting,
    /// Somebody is sending it.
    Sending {
        /// Until then nobody else does.
        until: Timestamp,
    },
    /// A carrier took it over. Whether it arrived is another matter.
    Sent {
        /// When.
        at: Timestamp,
        /// The carrier's own id.
        receipt: String,
    },
    /// It was handed over, and nobody knows whether it was taken.
    Unknown {
        /// What is known, without an address and without a word of it.
        why: String,
    },
    /// It did not leave, and will not.
    NotSent {
        /// Why.
        why: String,
    },
}

impl Mailing {
    /// That of a notice that was written before notices were mailed.
    pub(crate) fn before() -> Self {
        Self::NotSent { why: "It was told before notices were mailed.".to_owned() }
    }
}

/// A notice whose mail waits to be sent.
#[derive(Debug)]
pub struct Waiting<'d> {
    place: Place<'d>,
    stored: Stored<Notice>,
}

/// A notice whose mail is its holder's alone to send.
#[derive(Debug)]
pub struct Claimed<'d>(Waiting<'d>);

/// Where notices stand.
#[derive(Clone, Copy)]
pub struct Place<'d> {
    /// The table.
    pub table: &'d dyn Table,
    /// Whose.
    pub scope: &'d Scope,
    /// Time, ids and chance.
    pub ambient: &'d Ambient,
}

impl std::fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("scope", self.scope).finish_non_exhaustive()
    }
}

/// The notice, if its mail is to be sent; `None` where there is nothing to do: it was sent, it will not be, or it is
/// unknown. What a holder left without a word becomes so here.
///
/// # Errors
/// Somebody else is sending it: come again. Or the store does not answer.
pub async fn open(place: Place<'_>, id: NoticeId) -> Result<Option<Waiting<'_>>, Failure> {
    let now = place.ambient.now();
    let key = notice_key(place.scope, id);
    let Some(stored) = records::load::<Notice>(place.table, &key, now).await? else {
        return Ok(None);
    };
    let mut waiting = Waiting { place, stored };
    match waiting.stored.record.mail {
        Mailing::Waiting => Ok(Some(waiting)),
        Mailing::Sending { until } if until > now => Err(elsewhere()),
        Mailing::Sending { .. } => {
            let why = "Whoever sent it went away without a word.".to_owned();
            waiting.become_of(Mailing::Unknown { why }, Vec::new()).await?;
            Ok(None)
        }
        Mailing::Sent { .. } | Mailing::Unknown { .. } | Mailing::NotSent { .. } => Ok(None),
    }
}

impl<'d> Waiting<'d> {
    /// The notice.
    pub fn notice(&self) -> &Notice {
        &self.stored.record
    }

    /// Claims its mail until then.
    ///
    /// # Errors
    /// Somebody else was faster, or the store does not answer.
    pub async fn claim(mut self, until: Timestamp) -> Result<Claimed<'d>, Failure> {
        self.become_of(Mailing::Sending { until }, Vec::new()).await?;
        Ok(Claimed(self))
    }

    /// Its mail will not be sent.
    ///
    /// # Errors
    /// Somebody else was faster, or the store does not answer.
    pub async fn not_sent(mut self, why: &str) -> Result<(), Failure> {
        self.become_of(Mailing::NotSent { why: why.to_owned() }, Vec::new()).await
    }

    async fn become_of(&mut self, mail: Mailing, more: Vec<Op>) -> Result<(), Failure> {
        self.stored.record.mail = mail;
        let Place { table, scope, ambient } = self.place;
        let mut ops = vec![self.stored.update(scope)];
        ops.extend(more);
        match surely::commit(table, ambient, ops).await {
            Ok(()) => {
                self.stored.version += 1;
                Ok(())
            }
            Err(CommitError::Conditions(_) | CommitError::Contended) => Err(elsewhere()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Claimed<'_> {
    /// The notice.
    pub fn notice(&self) -> &Notice {
        self.0.notice()
    }

    /// Writes down what the carrier said. What may go well later waits again, and the message that wakes it stands in
    /// the same commit.
    ///
    /// # Errors
    /// The claim was lost meanwhile: then it stands as unknown. Or the store does not answer.
    pub async fn settle(self, outcome: Outcome) -> Result<Mailing, Failure> {
        let Self(mut waiting) = self;
        let Place { scope, ambient, .. } = waiting.place;
        let now = ambient.now();
        let tried = now.duration_since(waiting.stored.record.at);
        let (mail, again) = match outcome {
            Outcome::Done { receipt, .. } => (Mailing::Sent { at: now, receipt }, None),
            Outcome::Refused { why } => (Mailing::NotSent { why }, None),
            Outcome::Unknown { why } => (Mailing::Unknown { why }, None),
            Outcome::Accepted { .. } => {
                let why = "Its carrier took it and gave it no id.".to_owned();
                (Mailing::Unknown { why }, None)
            }
            Outcome::Throttled { .. } if tried >= TRIED_FOR => {
                let why = "No carrier took it within a day.".to_owned();
                (Mailing::NotSent { why }, None)
            }
            Outcome::Login { why } if tried >= TRIED_FOR => (Mailing::NotSent { why }, None),
            Outcome::Throttled { after_seconds } => {
                let pause = Duration::from_secs(u64::from(after_seconds));
                (Mailing::Waiting, Some(pause.min(LONGEST_PAUSE)))
            }
            // Whoever operates this has to mend something.
            Outcome::Login { .. } => (Mailing::Waiting, Some(LONGEST_PAUSE)),
        };
        let mut ops = Vec::new();
        if let Some(pause) = again {
            let id = waiting.stored.record.id;
            let (message, trace) = (Notify { notice: id }, id.to_string());
            let message = Outgoing::new(scope, Hop::Notify.name(), &message, &trace, ambient)?;
            ops.push(message.delayed(pause).op(scope));
        }
        waiting.become_of(mail.clone(), ops).await?;
        Ok(mail)
    }
}

fn elsewhere() -> Failure {
    Failure::conflict("Somebody else is sending this mail.")
}
