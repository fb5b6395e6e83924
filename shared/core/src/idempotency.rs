//! A request that is sent twice under one key is done once.
//!
//! ```text
//! begin ─→ Fresh(lease) ─┬ done(answer)       → Done(answer), until the row expires after 24 hours
//!                        ├ nothing_happened   → the key is free again
//!                        └ unsure, or the lease ran out → Unsure(lease)
//! ```
//!
//! `Unsure` means that an earlier run may have done it or not. The new holder either looks it up or runs it again;
//! for the latter [`RepeatableIds`] draws the same first id in every run, so that a second run finds the row that
//! the first one made. A key belongs to one person of one tenant: nobody is answered with what somebody else asked.
//!
//! **Never here:** what a request is, and which answers count as done: that is the entrance's matter.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use nexus_kernel::id::{self, Uuid};
use nexus_kernel::{Digest, Failure, Ids, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::records::{self, Record, Stored};
use crate::retention::{IDEMPOTENCY_AGE, RecordKind};
use crate::scope::Scope;
use crate::table::{CommitError, Key, Table};

nexus_kernel::id!(
    /// A request that may be repeated, and the first id that it draws.
    RequestId,
    "req_"
);

/// How long somebody should wait who began at the same moment as somebody else.
const ELSEWHERE: SignedDuration = SignedDuration::from_secs(1);

/// A request and the key that its sender gave it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Who asks: the person's id at the identity provider.
    pub by: &'a str,
    /// The key.
    pub key: &'a str,
    /// The digest of everything that makes it this request and no other.
    pub request: Digest,
}

/// What is known of a request under its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "A: DeserializeOwned"))]
struct Remembered<A> {
    /// The digest of who asked and the key.
    name: Digest,
    request: Digest,
    id: RequestId,
    /// Until then somebody is at it.
    held_until: Timestamp,
    expires: Timestamp,
    answer: Option<A>,
}

impl<A: Serialize + DeserializeOwned + Send + Sync> Record for Remembered<A> {
    const KIND: RecordKind = RecordKind::Idempotency;

    fn key(&self, scope: &Scope) -> Key {
        key(scope, self.name)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

fn key(scope: &Scope, name: Digest) -> Key {
    scope.key("idempotency", name.to_hex())
}

/// Where a request stands.
#[derive(Debug)]
pub enum Begin<A> {
    /// Nobody has asked this: do it.
    Fresh(Lease<A>),
    /// It was done; this was the answer.
    Done(A),
    /// Somebody is at it, at most until then.
    Running(Timestamp),
    /// The key was used for another request.
    OtherRequest,
    /// It was begun, and nobody knows what came of it: look it up, or do it again if that does no harm.
    Unsure(Lease<A>),
}

/// The right to do a request, until its time is over.
#[derive(Debug)]
pub struct Lease<A> {
    stored: Stored<Remembered<A>>,
    scope: Scope,
    again: bool,
}

/// Begins a request for the time until `lease`.
///
/// # Errors
/// The store does not answer; then nothing was begun, or it is `Unsure` once the lease is over.
pub async fn begin<A: Serialize + DeserializeOwned + Send + Sync>(
    table: &dyn Table,
    scope: &Scope,
    asked: Asked<'_>,
    ids: &dyn Ids,
    now: Timestamp,
    lease: Timestamp,
) -> Result<Begin<A>, Failure> {
    let Asked { by, key: word, request } = asked;
    let name = Digest::of_parts([by.as_bytes(), word.as_bytes()]);
    let standing = table.get(&key(scope, name)).await?;
    let live = standing.as_ref().filter(|item| item.is_live(now));
    let live: Option<Stored<Remembered<A>>> = live.map(records::read).transpose()?;
    let (stored, again) = match live {
        Some(Stored { record, .. }) if record.request != request => return Ok(Begin::OtherRequest),
        Some(Stored { record: Remembered { answer: Some(answer), .. }, .. }) => {
            return Ok(Begin::Done(answer));
        }
        Some(Stored { record, .. }) if now < record.held_until => {
            return Ok(Begin::Running(record.held_until));
        }
        Some(Stored { record, version }) => {
            (Stored { record: Remembered { held_until: lease, ..record }, version }, true)
        }
        None => {
            let id = RequestId::draw(ids);
            let expires = now.saturating_add(IDEMPOTENCY_AGE).unwrap_or(Timestamp::MAX);
            let record = Remembered { name, request, id, held_until: lease, expires, answer: None };
            // An expired row that the sweep has not seen yet is written over.
            (Stored { record, version: standing.map_or(0, |item| item.version) }, false)
        }
    };
    let op = match stored.version {
        0 => records::create(scope, &stored.record),
        _ => stored.update(scope),
    };
    match table.commit(vec![op], None).await {
        Ok(()) => {}
        Err(CommitError::Conditions(_) | CommitError::Contended) => {
            return Ok(Begin::Running(now.saturating_add(ELSEWHERE).unwrap_or(now)));
        }
        Err(error) => return Err(error.into()),
    }
    let stored = Stored { version: stored.version + 1, ..stored };
    let lease = Lease { stored, scope: *scope, again };
    Ok(if again { Begin::Unsure(lease) } else { Begin::Fresh(lease) })
}

impl<A: Serialize + DeserializeOwned + Send + Sync> Lease<A> {
    /// Ids for the request: the first one drawn is the same in every run of it.
    pub fn ids(&self, rest: Arc<dyn Ids>) -> RepeatableIds {
        RepeatableIds { first: Mutex::new(self.stored.record.id.uuid()), rest }
    }

    /// It is done, and this is the answer for everybody who asks again.
    ///
    /// # Errors
    /// The lease was over and somebody else took it, or the store does not answer.
    pub async fn done(mut self, table: &dyn Table, answer: A) -> Result<(), Failure> {
        self.stored.record.answer = Some(answer);
        Ok(table.commit(vec![self.stored.update(&self.scope)], None).await?)
    }

    /// It was refused, and nothing happened: the key is free again. After an earlier run of which nobody knows
    /// what came, that tells nothing of the earlier one, and the request stays unsure.
    ///
    /// # Errors
    /// As [`done`](Self::done).
    pub async fn nothing_happened(self, table: &dyn Table, now: Timestamp) -> Result<(), Failure> {
        if self.again {
            return self.unsure(table, now).await;
        }
        Ok(table.commit(vec![self.stored.delete(&self.scope)], None).await?)
    }

    /// It may have happened or not: whoever asks again is told so at once.
    ///
    /// # Errors
    /// As [`done`](Self::done).
    pub async fn unsure(mut self, table: &dyn Table, now: Timestamp) -> Result<(), Failure> {
        self.stored.record.held_until = now;
        Ok(table.commit(vec![self.stored.update(&self.scope)], None).await?)
    }
}

impl RequestId {
    fn uuid(self) -> Option<Uuid> {
        id::parse(&self.to_string(), Self::PREFIX).ok()
    }
}

/// Draws the same first id in every run of a request.
#[derive(Debug)]
pub struct RepeatableIds {
    first: Mutex<Option<Uuid>>,
    rest: Arc<dyn Ids>,
}

impl Ids for RepeatableIds {
    fn draw(&self) -> Uuid {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.unwrap_or_else(|| self.rest.draw())
    }
}
