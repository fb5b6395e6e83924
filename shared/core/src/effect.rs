//! Anything that changes the world outside (a post, an ad budget, a charge, a bought video, a mail) is one
//! record with one life:
//!
//! ```text
//! Proposed ─approve(digest)→ Approved ─claim→ Sending ┬→ Done(receipt)
//!    │                          │ edit or expiry      ├→ Refused(why)      certainly did not happen
//!    └→ Rejected                └→ Cancelled          ├→ Approved          did not happen, may be tried again
//!                                                     ├→ Accepted ─look→   Done | Refused | AskAPerson
//!                                                     └→ Unknown ─look up→ Done | Accepted | Approved | AskAPerson
//! ```
//!
//! `Accepted` is not `Done`: the outside took it and has not said yet that it is there.
//!
//! Pure: the moves and their history. Who may make the moves is `approval`'s matter.

use jiff::SignedDuration;
use nexus_kernel::{Digest, Failure, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::records::{self, Record, Stored};
use crate::retention::RecordKind;
use crate::scope::Scope;
use crate::sweep::{DueKind, moment};
use crate::table::{Condition, Index, IndexEntry, Item, Key, Op, Query, StoreError, Table};

nexus_kernel::id!(
    /// An effect, whatever product it belongs to.
    EffectId,
    "eff_"
);

nexus_kernel::id!(
    /// A claim, drawn anew for each.
    ClaimId,
    "clm_"
);

/// How often an unknown outcome is looked up before a person is asked.
pub const LOOK_UPS: u32 = 8;

/// How long what the outside has accepted may take until it is there, before a person is asked; and how long an outside
/// is waited for that has no time to say.
pub const ACCEPTED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What an effect would do outside.
pub trait Payload: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// The sort of effect, as it stands in histories: `post`.
    const SORT: &'static str;

    /// The digest of exactly what will be sent: an approval names it.
    fn digest(&self) -> Digest;

    /// When it is to happen.
    fn due_at(&self) -> Timestamp;

    /// How long after that an approval still holds.
    fn grace() -> SignedDuration;
}

/// Where an effect stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for a person.
    Proposed,
    /// A person approved exactly this; it waits for its time or its turn.
    Approved,
    /// Claimed: it may be happening right now.
    Sending,
    /// The outside took it; whether it comes to be is being looked at.
    Accepted,
    /// It happened.
    Done,
    /// It certainly did not happen and will not.
    Refused,
    /// It may have happened; it is being looked up and never sent again blindly.
    Unknown,
    /// Nobody but a person can tell or mend it.
    AskAPerson,
    /// A person said no.
    Rejected,
    /// It was called off, edited or ran out of time before it was claimed; or a person found that it is not there, or
    /// let go of what is never done anew.
    Cancelled,
}

impl State {
    /// All states.
    pub const ALL: [Self; 10] = [
        Self::Proposed,
        Self::Approved,
        Self::Sending,
        Self::Accepted,
        Self::Done,
        Self::Refused,
        Self::Unknown,
        Self::AskAPerson,
        Self::Rejected,
        Self::Cancelled,
    ];

    /// The table of moves: where a deed leads from here, if it may be done at all.
    pub const fn after(self, deed: Deed) -> Option<Self> {
        use Deed as D;
        Some(match (self, deed) {
            (Self::Proposed, D::Approve) => Self::Approved,
            (Self::Proposed, D::Reject) => Self::Rejected,
            (Self::Proposed | Self::Approved, D::CallOff) => Self::Cancelled,

            (Self::Approved, D::Postpone) => Self::Approved,
            (Self::Approved, D::Claim) => Self::Sending,

            (Self::Sending, D::SaidDone) => Self::Done,
            (Self::Sending, D::SaidAccepted) => Self::Accepted,
            (Self::Sending, D::SaidRefused) => Self::Refused,
            (Self::Sending, D::SaidLater) => Self::Approved,
            (Self::Sending, D::SaidLogin) => Self::AskAPerson,
            (Self::Sending, D::Lost) => Self::Unknown,

            (Self::Unknown | Self::Accepted, D::FoundDone) => Self::Done,
            (Self::Unknown, D::FoundAccepted) => Self::Accepted,
            (Self::Unknown | Self::Accepted, D::FoundRefused) => Self::Refused,
            (Self::Unknown | Self::Accepted, D::FoundMissing) => Self::Approved,
            (Self::Unknown, D::FoundNothing) => Self::Unknown,
            (Self::Unknown | Self::Accepted, D::GaveUp) => Self::AskAPerson,

            (Self::AskAPerson, D::PersonFound) => Self::Done,
            (Self::AskAPerson, D::PersonMissed | D::LetGo) => Self::Cancelled,
            _ => return None,
        })
    }

    /// Whether it left the house, or may have, and nobody knows yet what became of it.
    pub const fn is_unsure(self) -> bool {
        matches!(self, Self::Unknown | Self::AskAPerson)
    }

    /// Whether the life is over.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Refused | Self::Rejected | Self::Cancelled)
    }
}

/// What is done to an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// A person approves it.
    Approve,
    /// A person says no.
    Reject,
    /// It is called off, edited, or its approval ran out.
    CallOff,
    /// Its turn is put off.
    Postpone,
    /// A holder claims it.
    Claim,
    /// The outside said that it happened.
    SaidDone,
    /// The outside said that it has it.
    SaidAccepted,
    /// The outside said no.
    SaidRefused,
    /// The outside said: not now.
    SaidLater,
    /// The outside does not know us.
    SaidLogin,
    /// Nobody knows what the outside said, or the holder went away.
    Lost,
    /// Looked up: it is there.
    FoundDone,
    /// Looked up: the outside has it.
    FoundAccepted,
    /// Looked up: it will not be.
    FoundRefused,
    /// Looked up: it is certainly not there.
    FoundMissing,
    /// Looked up: the outside cannot tell.
    FoundNothing,
    /// It was looked up often enough.
    GaveUp,
    /// A person found it.
    PersonFound,
    /// A person found that it is not there.
    PersonMissed,
    /// A person does not want to know any more.
    LetGo,
}

impl Deed {
    /// All deeds.
    pub const ALL: [Self; 20] = [
        Self::Approve,
        Self::Reject,
        Self::CallOff,
        Self::Postpone,
        Self::Claim,
        Self::SaidDone,
        Self::SaidAccepted,
        Self::SaidRefused,
        Self::SaidLater,
        Self::SaidLogin,
        Self::Lost,
        Self::FoundDone,
        Self::FoundAccepted,
        Self::FoundRefused,
        Self::FoundMissing,
        Self::FoundNothing,
        Self::GaveUp,
        Self::PersonFound,
        Self::PersonMissed,
        Self::LetGo,
    ];
}

/// Who approved what, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The approver's id at the identity provider.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Of exactly this.
    pub digest: Digest,
    /// Until then.
    pub until: Timestamp,
}

/// Somebody is at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Counts claims: a holder with an older number lost its claim.
    pub fence: u64,
    /// Who holds it: two claims of one moment differ in this, so that only one of them can be taken.
    pub holder: ClaimId,
    /// After that the holder counts as gone.
    pub until: Timestamp,
}

/// What the outside said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It happened.
    Done {
        /// The outside's own id for it.
        receipt: String,
        /// Where a person can see it, if anywhere.
        url: Option<String>,
    },
    /// The outside took it, and will say later whether it is there.
    Accepted {
        /// Seconds after which to look.
        look_after_seconds: u32,
    },
    /// It certainly did not happen and never will so.
    Refused {
        /// Why, as a person should read it.
        why: String,
    },
    /// It did not happen; later it may.
    Throttled {
        /// Seconds to wait.
        after_seconds: u32,
    },
    /// It did not happen: the account has to be connected anew.
    Login {
        /// Why, as a person should read it.
        why: String,
    },
    /// Nobody knows.
    Unknown {
        /// What was seen, for the operator.
        why: String,
    },
}

/// What looking up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there.
    Done {
        /// The outside's own id for it.
        receipt: String,
        /// Where a person can see it.
        url: Option<String>,
    },
    /// The outside has it, and has not said yet whether it comes to be.
    Accepted {
        /// Seconds after which to look again.
        look_after_seconds: u32,
    },
    /// The outside has it and will not let it be.
    Refused {
        /// Why, as a person should read it.
        why: String,
    },
    /// It is certainly not there.
    NotDone,
    /// The outside was not asked, or has no time to say.
    Later {
        /// Seconds to wait.
        after_seconds: u32,
    },
    /// The outside cannot tell now.
    StillUnknown {
        /// What was seen, for the operator.
        why: String,
    },
}

/// A move, chained to the one before by its hash, so that an edited history shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// When.
    pub at: Timestamp,
    /// Into which state.
    pub to: State,
    /// Who: an approver's id, or the name of a function.
    pub by: String,
    /// Why, or what was seen.
    pub reason: String,
    /// SHA-256 over the hash before and this move.
    pub hash: Digest,
}

/// An effect and its life so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "P: Payload")]
pub struct Effect<P> {
    /// Which.
    pub id: EffectId,
    pub(crate) state: State,
    pub(crate) payload: P,
    pub(crate) approval: Option<Approval>,
    pub(crate) claim: Option<Claim>,
    pub(crate) attempt: u32,
    pub(crate) looked: u32,
    pub(crate) not_before: Option<Timestamp>,
    /// What the outside calls it while it is being sent, so that it can be looked up if the sender dies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handle: Option<String>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) history: Vec<Moved>,
}

/// A move that the table of moves does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an effect that is {from:?} has no move {deed:?}")]
pub struct IllegalMove {
    /// Where it stands.
    pub from: State,
    /// What was to be done.
    pub deed: Deed,
}

impl From<IllegalMove> for Failure {
    fn from(error: IllegalMove) -> Self {
        Self::conflict(match error.from {
            State::Sending | State::Accepted | State::Unknown | State::Done => {
                "It is too late: this is being sent or was sent.".to_owned()
            }
            State::AskAPerson => {
                "It is too late: it may have been sent. Say first whether it is there.".to_owned()
            }
            State::Proposed | State::Approved => {
                "This was changed meanwhile. Look again.".to_owned()
            }
            State::Refused | State::Rejected | State::Cancelled => {
                "It is over: it was refused, rejected or called off.".to_owned()
            }
        })
    }
}

impl<P: Payload> Effect<P> {
    /// Something that a person may approve.
    pub fn proposed(id: EffectId, payload: P, by: &str, now: Timestamp) -> Self {
        let mut effect = Self {
            id,
            state: State::Proposed,
            payload,
            approval: None,
            claim: None,
            attempt: 0,
            looked: 0,
            not_before: None,
            handle: None,
            outcome: None,
            history: Vec::new(),
        };
        effect.record(now, by, "proposed");
        effect
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// What it would do.
    pub fn payload(&self) -> &P {
        &self.payload
    }

    /// Who approved it.
    pub fn approval(&self) -> Option<&Approval> {
        self.approval.as_ref()
    }

    /// What the outside last said.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// What the outside calls it, where the holder wrote that down.
    pub fn handle(&self) -> Option<&str> {
        self.handle.as_deref()
    }

    /// All its moves, oldest first.
    pub fn history(&self) -> &[Moved] {
        &self.history
    }

    /// How many times it was claimed.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether the chain of hashes is whole and ends where this stands. Who cuts its tail off and sets the state back as
    /// well is not found out.
    pub fn history_is_whole(&self) -> bool {
        let mut before = Digest::of(self.id.to_string().as_bytes());
        let is_chained = self.history.iter().all(|m| {
            let expected = chained(before, m.at, m.to, &m.by, &m.reason);
            before = m.hash;
            expected == m.hash
        });
        is_chained && self.history.last().is_some_and(|last| last.to == self.state)
    }

    /// Calls it off before it is claimed.
    ///
    /// # Errors
    /// It is being sent, was sent or may have been, or its life is over.
    pub fn cancel(&mut self, by: &str, reason: &str, now: Timestamp) -> Result<(), IllegalMove> {
        self.go(Deed::CallOff, now, by, reason)
    }

    /// Ends it although nobody knows whether it happened: only for what is never done anew.
    ///
    /// # Errors
    /// No person is asked about it.
    pub fn let_go(&mut self, by: &str, reason: &str, now: Timestamp) -> Result<(), IllegalMove> {
        self.go(Deed::LetGo, now, by, reason)
    }

    /// A person said no.
    ///
    /// # Errors
    /// It does not wait for approval.
    pub fn reject(&mut self, by: &str, reason: &str, now: Timestamp) -> Result<(), IllegalMove> {
        self.go(Deed::Reject, now, by, reason)
    }

    /// When it was last moved into a state.
    pub fn moved_at(&self, to: State) -> Option<Timestamp> {
        self.history.iter().rev().find(|moved| moved.to == to).map(|moved| moved.at)
    }

    /// Since when it has stood where it stands, through all looking.
    pub(crate) fn here_since(&self) -> Option<Timestamp> {
        let last = self.history.iter().rev().take_while(|moved| moved.to == self.state);
        last.last().map(|moved| moved.at)
    }

    /// When it may next be carried out.
    pub(crate) fn runnable_at(&self) -> Timestamp {
        self.not_before.unwrap_or(Timestamp::MIN).max(self.payload.due_at())
    }

    pub(crate) fn go(
        &mut self,
        deed: Deed,
        at: Timestamp,
        by: &str,
        reason: &str,
    ) -> Result<(), IllegalMove> {
        let illegal = IllegalMove { from: self.state, deed };
        self.state = self.state.after(deed).ok_or(illegal)?;
        self.record(at, by, reason);
        Ok(())
    }

    fn record(&mut self, at: Timestamp, by: &str, reason: &str) {
        let before = self
            .history
            .last()
            .map_or_else(|| Digest::of(self.id.to_string().as_bytes()), |m| m.hash);
        let hash = chained(before, at, self.state, by, reason);
        self.history.push(Moved {
            at,
            to: self.state,
            by: by.to_owned(),
            reason: reason.to_owned(),
            hash,
        });
    }
}

fn chained(before: Digest, at: Timestamp, to: State, by: &str, reason: &str) -> Digest {
    let (at, to) = (at.to_string(), format!("{to:?}"));
    Digest::of_parts([
        before.as_bytes().as_slice(),
        at.as_bytes(),
        to.as_bytes(),
        by.as_bytes(),
        reason.as_bytes(),
    ])
}

/// The key of an effect.
pub fn key(scope: &Scope, id: EffectId) -> Key {
    scope.key("effect", id.to_string())
}

/// The operations that write an effect back, if nobody changed it since it was read: the row, and the question that
/// is open while nobody knows what became of it.
pub fn written<P: Payload>(scope: &Scope, stored: &Stored<Effect<P>>) -> Vec<Op> {
    let effect = &stored.record;
    let mut ops = vec![stored.update(scope)];
    if effect.state.is_unsure() {
        ops.push(records::write(scope, &Question::about(effect)));
    } else if effect.history.iter().any(|moved| moved.to.is_unsure()) {
        ops.push(Op::Delete { key: question_key(scope, effect.id), when: Condition::Always });
    }
    ops
}

/// What nobody knows yet about an effect, whatever its sort: the list of these is the one page of everything that is
/// unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// About which effect.
    pub effect: EffectId,
    /// Of which sort ([`Payload::SORT`]).
    pub sort: String,
    /// [`State::Unknown`] while it is being looked up, [`State::AskAPerson`] once only a person can tell.
    pub state: State,
    /// Since when nobody knows.
    pub since: Timestamp,
    /// What was seen last.
    pub seen: String,
}

impl Question {
    fn about<P: Payload>(effect: &Effect<P>) -> Self {
        let open = effect.history.iter().rev().take_while(|moved| moved.to.is_unsure());
        Self {
            effect: effect.id,
            sort: P::SORT.to_owned(),
            state: effect.state,
            since: open.last().map_or(Timestamp::UNIX_EPOCH, |moved| moved.at),
            seen: effect.history.last().map(|moved| moved.reason.clone()).unwrap_or_default(),
        }
    }
}

impl Record for Question {
    const KIND: RecordKind = RecordKind::Question;

    fn key(&self, scope: &Scope) -> Key {
        question_key(scope, self.effect)
    }
}

fn question_key(scope: &Scope, id: EffectId) -> Key {
    scope.key(QUESTIONS, id.to_string())
}

/// Everything that nobody knows about a tenant's effects, for [`records::list`].
pub fn questions(scope: &Scope) -> Query {
    Query::of(Index::Base, scope.partition(QUESTIONS))
}

const QUESTIONS: &str = "question";

/// The sort of the effect that a row holds ([`Payload::SORT`]), by the list in which it stands: for whoever meets
/// effects of every sort and reads none of them.
pub fn sort_of(row: &Item) -> Option<&str> {
    let list = row.list.as_ref().filter(|_| row.kind == RecordKind::Effect)?;
    list.partition.rsplit('#').next()
}

/// The effect of that id, if there is one of this sort.
///
/// # Errors
/// The store does not answer, or the row cannot be read.
pub async fn load<P: Payload>(
    table: &dyn Table,
    scope: &Scope,
    id: EffectId,
) -> Result<Option<Stored<Effect<P>>>, StoreError> {
    match table.get(&key(scope, id)).await? {
        Some(row) if sort_of(&row) == Some(P::SORT) => records::read(&row).map(Some),
        _ => Ok(None),
    }
}

/// As [`load`], of several at once, in order.
///
/// # Errors
/// The store does not answer, or a row cannot be read.
pub async fn load_many<P: Payload>(
    table: &dyn Table,
    scope: &Scope,
    ids: &[EffectId],
) -> Result<Vec<Option<Stored<Effect<P>>>>, StoreError> {
    let keys: Vec<Key> = ids.iter().map(|id| key(scope, *id)).collect();
    let rows = table.get_many(&keys).await?.into_iter();
    let rows = rows.map(|row| row.filter(|row| sort_of(row) == Some(P::SORT)));
    rows.map(|row| row.as_ref().map(records::read).transpose()).collect()
}

impl<P: Payload> Record for Effect<P> {
    const KIND: RecordKind = RecordKind::Effect;

    fn key(&self, scope: &Scope) -> Key {
        key(scope, self.id)
    }

    fn due(&self, scope: &Scope) -> Option<IndexEntry> {
        let id = self.id.to_string();
        match self.state {
            State::Approved => Some(DueKind::Effect.entry(scope, &id, self.runnable_at())),
            State::Sending => self.claim.map(|c| DueKind::Unknown.entry(scope, &id, c.until)),
            State::Unknown | State::Accepted => Some(DueKind::Unknown.entry(
                scope,
                &id,
                self.not_before.unwrap_or(Timestamp::UNIX_EPOCH),
            )),
            _ => None,
        }
    }

    fn list(&self, scope: &Scope) -> Option<IndexEntry> {
        let sort = format!("{}#{}", moment(self.payload.due_at()), self.id);
        Some(IndexEntry { partition: scope.partition(&format!("effects#{}", P::SORT)), sort })
    }
}
