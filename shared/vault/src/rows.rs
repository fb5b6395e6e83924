//! The row of a secret: which generation stands. Its version *is* the generation, a number that never comes again,
//! so that a commit's condition on the version is the condition on the generation.

use std::sync::Arc;

use nexus_core::table::{CommitError, Condition, Item, Op, StoreError, Table};
use nexus_core::vault::{GRAVE_AGE, Generation, SecretName, VaultError};
use nexus_core::{RecordKind, vault};
use nexus_kernel::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How often a commit is tried that met others at the same row.
const TRIES: usize = 3;

/// What a row says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", bound(deserialize = "T: DeserializeOwned"))]
pub(crate) enum Row<T> {
    /// There is a value, and where it is.
    Here {
        /// The row's version that this writing replaced; 0 where there was no row.
        after: u64,
        /// Whether nothing stood there for its writer: no row, or a grave.
        first: bool,
        /// What the safe needs to find the value.
        ticket: T,
    },
    /// The name was forgotten. The row keeps out whoever is still about to write what followed an earlier one.
    Grave {},
}

/// A row as it stands.
pub(crate) struct Standing<T> {
    pub(crate) version: u64,
    pub(crate) row: Row<T>,
}

pub(crate) struct Rows(pub(crate) Arc<dyn Table>);

impl Rows {
    pub(crate) async fn look<T: DeserializeOwned>(
        &self,
        name: &SecretName,
    ) -> Result<Option<Standing<T>>, VaultError> {
        let Some(item) = self.0.get(&name.key()).await.map_err(unread)? else { return Ok(None) };
        if item.kind != RecordKind::Secret {
            return Err(VaultError::Corrupt("a row of another kind stands here".into()));
        }
        // Serde's message may quote what it read, which is nobody's to see.
        let row = serde_json::from_str(&item.body)
            .map_err(|_| VaultError::Corrupt("the row is not one of this vault's".into()))?;
        Ok(Some(Standing { version: item.version, row }))
    }

    /// The version that stands; 0 is no row.
    pub(crate) async fn version(&self, name: &SecretName) -> Result<u64, VaultError> {
        let found = self.0.get(&name.key()).await.map_err(unread)?;
        Ok(found.map_or(0, |item| item.version))
    }

    /// Writes the row that replaces this version of it.
    pub(crate) async fn write<T: Serialize>(
        &self,
        name: &SecretName,
        after: u64,
        to: Generation,
        row: &Row<T>,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        let expires = match row {
            Row::Here { .. } => None,
            Row::Grave {} => Some(now.saturating_add(GRAVE_AGE).unwrap_or(Timestamp::MAX)),
        };
        let item = Item {
            key: name.key(),
            kind: RecordKind::Secret,
            version: to.number(),
            expires,
            due: expires.and_then(|at| name.expiry(at)),
            list: None,
            counter: 0,
            body: serde_json::to_string(row)
                .map_err(|_| VaultError::Refused("the row cannot be written".into()))?,
        };
        let when = if after == 0 { Condition::Absent } else { Condition::Version(after) };
        for _ in 0..TRIES {
            let op = Op::Put { item: item.clone(), when };
            return match self.0.commit(vec![op], None).await {
                Ok(()) => Ok(()),
                Err(CommitError::Conditions(_)) => Err(VaultError::Overtaken),
                Err(CommitError::Contended) => continue,
                // The version is ours alone: where it stands, it was applied.
                Err(CommitError::Unknown(cause)) => match self.version(name).await {
                    Ok(stands) if stands == to.number() => Ok(()),
                    _ => Err(VaultError::Unknown(cause)),
                },
                Err(CommitError::Unavailable(cause)) => Err(VaultError::Unavailable(cause)),
                Err(CommitError::Refused(why)) => Err(VaultError::Refused(why)),
                Err(error @ CommitError::TokenReused) => {
                    Err(VaultError::Refused(error.to_string()))
                }
            };
        }
        Err(VaultError::Unavailable(Box::new(CommitError::Contended)))
    }
}

/// The version of the row that belongs to a path of the safe, 0 where there is none; `None` where it is no path of
/// a secret.
pub(crate) async fn stands(table: &dyn Table, path: &str) -> Result<Option<u64>, VaultError> {
    let Some(key) = vault::key_at(path) else { return Ok(None) };
    Ok(Some(table.get(&key).await.map_err(unread)?.map_or(0, |item| item.version)))
}

fn unread(error: StoreError) -> VaultError {
    match error {
        StoreError::Unavailable(cause) => VaultError::Unavailable(cause),
        StoreError::Corrupt(_) | StoreError::BadCursor => {
            VaultError::Corrupt("the row cannot be read".into())
        }
    }
}
