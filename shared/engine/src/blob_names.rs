//! Which record names a blob: a row put in the same commit as the record itself. A blob without one is left over
//! from a step that never committed, or from a record that is gone, and the sweep deletes it.

use nexus_core::{BlobKey, Condition, Key, Op, Record, RecordKind, Scope, records};
use serde::{Deserialize, Serialize};

/// That a record names a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobName {
    /// The blob.
    pub blob: BlobKey,
    /// The id of the record that names it.
    pub by: String,
}

impl Record for BlobName {
    const KIND: RecordKind = RecordKind::BlobName;

    fn key(&self, scope: &Scope) -> Key {
        blob_name_key(scope, &self.blob)
    }
}

/// Where it stands which record names a blob.
pub fn blob_name_key(scope: &Scope, blob: &BlobKey) -> Key {
    scope.key("blob", blob.as_str())
}

/// The operation that names a blob.
pub fn name(scope: &Scope, blob: &BlobKey, by: &dyn std::fmt::Display) -> Op {
    records::write(scope, &BlobName { blob: blob.clone(), by: by.to_string() })
}

/// The operation that takes a blob's name away.
pub fn forget(scope: &Scope, blob: &BlobKey) -> Op {
    Op::Delete { key: blob_name_key(scope, blob), when: Condition::Always }
}
