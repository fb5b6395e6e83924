//! Results of paid steps, kept by the digest of what was asked, for as long as the tenant set (24 hours unless
//! told otherwise: N49, N50). At its very moment of expiry a result is gone for readers.

use nexus_core::table::StoreError;
use nexus_core::{Key, Record, RecordKind, Scope, Table, records};
use nexus_kernel::{Digest, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A kept result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cached {
    /// The digest of what was asked, the engine's name and version included.
    pub question: Digest,
    /// The answer.
    pub answer: serde_json::Value,
    /// From then on it is gone.
    pub expires: Timestamp,
}

impl Record for Cached {
    const KIND: RecordKind = RecordKind::Cache;

    fn key(&self, scope: &Scope) -> Key {
        key(scope, self.question)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

fn key(scope: &Scope, question: Digest) -> Key {
    scope.key("cache", question.to_hex())
}

/// The digest of a question to an engine.
pub fn question<Q: Serialize>(engine: &str, question: &Q) -> Digest {
    let text = serde_json::to_vec(question).unwrap_or_default();
    Digest::of_parts([engine.as_bytes(), text.as_slice()])
}

/// The kept answer, if there is one and it can be read.
///
/// # Errors
/// The store does not answer.
pub async fn find<A: DeserializeOwned>(
    table: &dyn Table,
    scope: &Scope,
    question: Digest,
    now: Timestamp,
) -> Result<Option<A>, StoreError> {
    let found = records::load::<Cached>(table, &key(scope, question), now).await?;
    Ok(found.and_then(|c| serde_json::from_value(c.record.answer).ok()))
}

/// The operation that keeps an answer, for the commit of the step that paid for it.
pub fn keep<A: Serialize>(
    scope: &Scope,
    question: Digest,
    answer: &A,
    expires: Timestamp,
) -> nexus_core::Op {
    let answer = serde_json::to_value(answer).unwrap_or_default();
    records::write(scope, &Cached { question, answer, expires })
}
