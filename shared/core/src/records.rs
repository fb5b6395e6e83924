//! Typed rows: how a record of a product becomes a row of the table and is read back.
//!
//! A read treats what has expired as absent; nobody has to remember that.

use nexus_kernel::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::retention::RecordKind;
use crate::scope::Scope;
use crate::sweep::DueKind;
use crate::table::{Condition, Cursor, IndexEntry, Item, Key, Op, Page, Query, StoreError, Table};

/// Something that is kept as a row.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// What sort of record it is.
    const KIND: RecordKind;

    /// Where it stands.
    fn key(&self, scope: &Scope) -> Key;

    /// From when on it is gone for readers.
    fn expires(&self) -> Option<Timestamp> {
        None
    }

    /// Its place in the index of what is due; by default that of its expiry.
    fn due(&self, scope: &Scope) -> Option<IndexEntry> {
        let key = self.key(scope);
        self.expires()
            .map(|at| DueKind::Expiry.entry(scope, &format!("{}#{}", key.pk(), key.sk()), at))
    }

    /// Its place in the index of lists.
    fn list(&self, _scope: &Scope) -> Option<IndexEntry> {
        None
    }
}

/// A record as it was read, with the version that a change conditions on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<R> {
    /// The record.
    pub record: R,
    /// The version in which it was read.
    pub version: u64,
}

fn item<R: Record>(scope: &Scope, record: &R, version: u64) -> Item {
    // A record is plain data with string keys: writing it as JSON cannot fail. Should it ever, the empty body
    // is unreadable and shows as corrupt, rather than as another record.
    let body = serde_json::to_string(record).unwrap_or_default();
    Item {
        key: record.key(scope),
        kind: R::KIND,
        version,
        expires: record.expires(),
        due: record.due(scope),
        list: record.list(scope),
        counter: 0,
        body,
    }
}

/// The operation that writes a record where none stands.
pub fn create<R: Record>(scope: &Scope, record: &R) -> Op {
    Op::Put { item: item(scope, record, 1), when: Condition::Absent }
}

/// The operation that writes a record whatever stands there: for what may be written twice without harm.
pub fn write<R: Record>(scope: &Scope, record: &R) -> Op {
    Op::Put { item: item(scope, record, 1), when: Condition::Always }
}

impl<R: Record> Stored<R> {
    /// The operation that writes the record back, if nobody changed it since it was read.
    pub fn update(&self, scope: &Scope) -> Op {
        let item = item(scope, &self.record, self.version + 1);
        Op::Put { item, when: Condition::Version(self.version) }
    }

    /// The operation that deletes it, if nobody changed it since it was read.
    pub fn delete(&self, scope: &Scope) -> Op {
        Op::Delete { key: self.record.key(scope), when: Condition::Version(self.version) }
    }

    /// The operation that asks only that nobody changed it since it was read.
    pub fn unchanged(&self, scope: &Scope) -> Op {
        Op::Check { key: self.record.key(scope), when: Condition::Version(self.version) }
    }
}

/// Reads a row's record.
///
/// # Errors
/// The row holds something else.
pub fn read<R: Record>(item: &Item) -> Result<Stored<R>, StoreError> {
    if item.kind != R::KIND {
        let why = format!("a row of kind {:?} was read as {:?}", item.kind, R::KIND);
        return Err(StoreError::Corrupt(why.into()));
    }
    let record = serde_json::from_str(&item.body).map_err(|e| StoreError::Corrupt(Box::new(e)))?;
    Ok(Stored { record, version: item.version })
}

/// The record at a key, unless it is missing or expired.
///
/// # Errors
/// The store does not answer, or the row holds something else.
pub async fn load<R: Record>(
    table: &dyn Table,
    key: &Key,
    now: Timestamp,
) -> Result<Option<Stored<R>>, StoreError> {
    match table.get(key).await? {
        Some(item) if item.is_live(now) => read(&item).map(Some),
        _ => Ok(None),
    }
}

/// A page of records.
#[derive(Debug, Clone)]
pub struct Listed<R> {
    /// The records that are live.
    pub records: Vec<Stored<R>>,
    /// Where to go on, unless this was the end.
    pub next: Option<Cursor>,
}

/// A page of the records that a question finds, without the expired ones.
///
/// # Errors
/// The store does not answer, or a row holds something else.
pub async fn list<R: Record>(
    table: &dyn Table,
    query: &Query,
    page: &Page,
    now: Timestamp,
) -> Result<Listed<R>, StoreError> {
    let slice = table.query(query, page).await?;
    let records =
        slice.items.iter().filter(|i| i.is_live(now)).map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(Listed { records, next: slice.next })
}
