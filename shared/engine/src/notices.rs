//! What a tenant has to be told: an account that needs its owner, a post that nobody knows about.
//!
//! A notice is written in the same commit as what it tells of, so that nothing happens untold and nothing is told
//! twice. It is kept for 90 days.
//!
//! **Never here:** sending it anywhere, a token, what somebody wrote.

use nexus_core::retention::NOTICE_AGE;
use nexus_core::table::{Index, Query};
use nexus_core::{Key, Op, Record, RecordKind, Scope, records};
use nexus_kernel::{Ambient, Timestamp};
use serde::{Deserialize, Serialize};

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
}

impl Record for Notice {
    const KIND: RecordKind = RecordKind::Notice;

    fn key(&self, scope: &Scope) -> Key {
        scope.key(NOTICES, self.id.to_string())
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.at.saturating_add(NOTICE_AGE).unwrap_or(Timestamp::MAX))
    }
}

const NOTICES: &str = "notice";

/// A tenant's notices, newest first, for [`records::list`].
pub fn notices(scope: &Scope) -> Query {
    Query::of(Index::Base, scope.partition(NOTICES)).newest_first()
}

/// The operation that tells a tenant something, for the commit of what it tells of.
pub fn tell(
    scope: &Scope,
    ambient: &Ambient,
    code: NoticeCode,
    text: impl Into<String>,
    about: Option<String>,
) -> Op {
    let id = NoticeId::draw(&*ambient.ids);
    records::create(scope, &Notice { id, at: ambient.now(), code, text: text.into(), about })
}
