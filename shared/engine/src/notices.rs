//! What a tenant has to be told: an account that needs its owner, a post that nobody knows about or that was not sent.
//!
//! A notice is written in the same commit as what it tells of, so that nothing happens untold and nothing is told
//! twice. In that commit stands, too, the message that has it mailed to the tenant ([`mailing`](crate::mailing)). It is
//! kept for 90 days.
//!
//! **Never here:** sending it anywhere, a token, what somebody wrote.

use nexus_core::effect::{Effect, State};
use nexus_core::outbox::Outgoing;
use nexus_core::retention::NOTICE_AGE;
use nexus_core::table::{Index, Query};
use nexus_core::{Key, Op, Record, RecordKind, Scope, records};
use nexus_kernel::{Ambient, Failure, Timestamp};
use serde::{Deserialize, Serialize};

use crate::connections::place;
use crate::hops::{Hop, Notify};
use crate::mailing::Mailing;
use crate::publishing::PostPlan;

nexus_kernel::id!(
    /// Something that a tenant was told. Ids sort by the time of telling.
    NoticeId,
    "ntc_"
);

/// What a notice is about, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeCode {
    /// An account's tokens do not serve any more: somebody has to connect it anew.
    ReconnectNeeded,
    /// An account's owner took the connection back at its network.
    RevokedOutside,
    /// An account was disconnected here, and its network could not be told.
    RemoveThereToo,
    /// Nobody here can find out whether something happened: a person has to look.
    PersonNeeded,
    /// A post that was approved was not sent and will not be by itself.
    PostNotSent,
}

impl NoticeCode {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ReconnectNeeded,
        Self::RevokedOutside,
        Self::RemoveThereToo,
        Self::PersonNeeded,
        Self::PostNotSent,
    ];
}

/// Something that a tenant has to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which.
    pub id: NoticeId,
    /// When it was told.
    pub at: Timestamp,
    /// What it is about, for programs.
    pub code: NoticeCode,
    /// What it is about, in a sentence or two that say what to do.
    pub text: String,
    /// The id of the thing that it is about, if of one.
    pub about: Option<String>,
    /// What became of its mail.
    #[serde(default = "Mailing::before")]
    pub mail: Mailing,
}

impl Record for Notice {
    const KIND: RecordKind = RecordKind::Notice;

    fn key(&self, scope: &Scope) -> Key {
        notice_key(scope, self.id)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.at.saturating_add(NOTICE_AGE).unwrap_or(Timestamp::MAX))
    }
}

const NOTICES: &str = "notice";

/// Where a notice stands.
pub fn notice_key(scope: &Scope, id: NoticeId) -> Key {
    scope.key(NOTICES, id.to_string())
}

/// A tenant's notices, newest first, for [`records::list`].
pub fn notices(scope: &Scope) -> Query {
    Query::of(Index::Base, scope.partition(NOTICES)).newest_first()
}

/// The operations that tell a tenant something and have it mailed, for the commit of what it tells of.
///
/// The message goes by the relay alone, a minute later: whoever tells something need not be able to send mail.
///
/// # Errors
/// The message cannot be written: ours to repair.
pub fn tell(
    scope: &Scope,
    ambient: &Ambient,
    code: NoticeCode,
    text: impl Into<String>,
    about: Option<String>,
) -> Result<Vec<Op>, Failure> {
    let (id, at, mail) = (NoticeId::draw(&*ambient.ids), ambient.now(), Mailing::Waiting);
    let notice = Notice { id, at, code, text: text.into(), about, mail };
    // It goes back to no request: the notice begins a way of its own.
    let trace = id.to_string();
    let message =
        Outgoing::new(scope, Hop::Notify.name(), &Notify { notice: id }, &trace, ambient)?;
    Ok(vec![records::create(scope, &notice), message.op(scope)])
}

/// The operations that tell the tenant of a post as whoever sends it left it: that it was refused or called off, or that
/// only a person can find out what became of it. None where there is nothing to be told.
///
/// # Errors
/// As [`tell`].
pub fn about_post(
    scope: &Scope,
    ambient: &Ambient,
    post: &Effect<PostPlan>,
) -> Result<Vec<Op>, Failure> {
    let code = match post.state() {
        State::AskAPerson => NoticeCode::PersonNeeded,
        State::Refused | State::Cancelled => NoticeCode::PostNotSent,
        _ => return Ok(Vec::new()),
    };
    let plan = post.payload();
    let place = place(plan.network, None);
    let what = match plan.connection {
        Some(_) => format!("to `{}` at {place}", plan.account),
        None => format!("to {place}"),
    };
    let why = post.history().last().map(|moved| moved.reason.as_str()).unwrap_or_default();
    let why = why.trim_end_matches('.');
    let text = match code {
        NoticeCode::PersonNeeded => format!(
            "Your post {what} may be there or not, and nothing here can find out any more: {why}. It is not sent again \
             before a person has looked and said so."
        ),
        _ => format!("Your post {what} was not sent: {why}. It is not sent again by itself."),
    };
    tell(scope, ambient, code, text, Some(post.id.to_string()))
}
