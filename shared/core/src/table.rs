//! The port to the table: one table a product, rows found by a partition and a sort key.
//!
//! The limits are DynamoDB's, so that what passes on one machine passes on AWS: a transaction has at most
//! [`MAX_OPS`] operations, one per key, and [`MAX_COMMIT_BYTES`]; a row has at most [`MAX_ITEM_BYTES`].
//!
//! # The contract
//! Each sentence is a test of `nexus_contract::table`, run against every adapter:
//! 1. What was committed is read back whole, through this handle and any other; an expired row too, until
//!    somebody deletes it: whether it is live is the reader's question ([`Item::is_live`]).
//! 2. A commit applies all its operations or none.
//! 3. Every condition that did not hold is named by its operation's index.
//! 4. Of two commits on the same version of a row exactly one succeeds.
//! 5. A commit repeated with its token within ten minutes succeeds and changes nothing; the token with other
//!    operations is refused. A commit that did not succeed leaves its token unused.
//! 6. A query returns its partition's rows in the order of their sort keys (byte by byte), page by page, each
//!    once. A range whose first lies behind its last is empty. A page may hold fewer rows than its limit.
//! 7. An index returns the rows that carry an entry in it; it may be late, so a reader re-reads the base row.
//! 8. A counter adds up under concurrent additions, and `CounterAtMost` lets none pass beyond its bound. An
//!    addition counts the row's version up, so that no one who read the row before writes over it.
//! 9. More operations, more bytes or a key twice are refused before anything is applied.
//! 10. A scan returns every row once.
//! 11. Many rows read at once are what each read alone is, in the order asked, however often one is asked for. Not all
//!     need be of the same moment.

use std::collections::{HashSet, VecDeque};
use std::error::Error;
use std::{fmt, iter};

use async_trait::async_trait;
use jiff::SignedDuration;
use nexus_kernel::{Digest, Failure, Timestamp};
use serde::{Deserialize, Serialize};

use crate::retention::RecordKind;

/// The most operations in one commit.
pub const MAX_OPS: usize = 100;
/// The most bytes in one commit.
pub const MAX_COMMIT_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes in one row, keys and attributes together.
pub const MAX_ITEM_BYTES: usize = 400 * 1024;
/// The most rows in one page.
pub const MAX_PAGE: u32 = 1_000;
/// About how many bytes of rows a page ends after, as DynamoDB has it: the row that crosses it is the last.
pub const PAGE_BYTES: usize = 1024 * 1024;
/// How long a commit's token is remembered, as DynamoDB has it.
pub const TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// The most characters in a commit's token, as DynamoDB has it.
pub const MAX_TOKEN_CHARS: usize = 36;

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    pk: String,
    sk: String,
}

impl Key {
    /// A key as an adapter read it back. Everyone else forms keys from a [`Scope`](crate::Scope), the
    /// directory or a sweep (kept by `tests/architecture.rs`).
    pub fn stored(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// The partition key.
    pub fn pk(&self) -> &str {
        &self.pk
    }

    /// The sort key.
    pub fn sk(&self) -> &str {
        &self.sk
    }
}

/// A row's place in a sparse index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IndexEntry {
    /// The index's partition.
    pub partition: String,
    /// The order within it.
    pub sort: String,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Where it stands.
    pub key: Key,
    /// What sort of record it is: decides how long it is kept.
    pub kind: RecordKind,
    /// Which state of the record this is; the writer counts up, `Version(n)` conditions on it.
    pub version: u64,
    /// From this moment on the row is absent to readers; the sweep deletes it.
    pub expires: Option<Timestamp>,
    /// Its place in the index of what is due.
    pub due: Option<IndexEntry>,
    /// Its place in the index of lists.
    pub list: Option<IndexEntry>,
    /// The number that [`Op::Add`] adds to.
    pub counter: i64,
    /// The record, as JSON.
    pub body: String,
}

impl Item {
    /// Whether the row is there for a reader at `now`: at its very moment of expiry it is gone.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|at| now < at)
    }

    /// What the row weighs: an upper bound of what DynamoDB would count.
    pub fn weight(&self) -> usize {
        let entry = |e: &Option<IndexEntry>| {
            e.as_ref().map_or(0, |e| e.partition.len() + e.sort.len() + 20)
        };
        self.key.pk.len()
            + self.key.sk.len()
            + self.body.len()
            + entry(&self.due)
            + entry(&self.list)
            + 120
    }
}

/// What has to hold of a row for an operation, else the whole commit changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// Nothing.
    Always,
    /// There is no such row.
    Absent,
    /// There is such a row.
    Present,
    /// The row is there in this version.
    Version(u64),
    /// The row's counter is at most this; a missing row counts as 0.
    CounterAtMost(i64),
}

impl Condition {
    /// Whether it holds of the row found there, told by its version and its counter.
    pub fn holds(self, found: Option<(u64, i64)>) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::Version(wanted) => found.is_some_and(|(version, _)| version == wanted),
            Self::CounterAtMost(bound) => found.map_or(0, |(_, counter)| counter) <= bound,
        }
    }
}

/// One operation of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Writes a row, replacing what stood there.
    Put {
        /// The row.
        item: Item,
        /// What has to hold of the row that stands there.
        when: Condition,
    },
    /// Deletes a row; a missing one is no error under `Always`.
    Delete {
        /// Which.
        key: Key,
        /// What has to hold.
        when: Condition,
    },
    /// Changes nothing and asks only that the condition holds.
    Check {
        /// Which.
        key: Key,
        /// What has to hold.
        when: Condition,
    },
    /// Adds to a row's counter and 1 to its version, making the row (version 1, body `null`) where there is
    /// none. Body, kind and index entries of a row that stands there stay as they are.
    Add {
        /// Which.
        key: Key,
        /// The kind that a new row gets.
        kind: RecordKind,
        /// How much, may be negative.
        delta: i64,
        /// When the row expires from now on; `None` is never.
        expires: Option<Timestamp>,
        /// What has to hold before the addition.
        when: Condition,
    },
}

impl Op {
    /// The row that the operation is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { item, .. } => &item.key,
            Self::Delete { key, .. } | Self::Check { key, .. } | Self::Add { key, .. } => key,
        }
    }

    /// What has to hold.
    pub fn condition(&self) -> Condition {
        match self {
            Self::Put { when, .. }
            | Self::Delete { when, .. }
            | Self::Check { when, .. }
            | Self::Add { when, .. } => *when,
        }
    }
}

/// Which rows to read through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Index {
    /// The rows by their own keys; always up to date.
    Base,
    /// What is due; may be late.
    Due,
    /// Lists by state; may be late.
    List,
}

/// Which part of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Range {
    /// All of it.
    All,
    /// Sort keys that begin so.
    Prefix(String),
    /// Sort keys from the first to the last, both included.
    Between(String, String),
}

impl Range {
    /// Whether a sort key lies within.
    pub fn contains(&self, sort: &str) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => sort.starts_with(prefix.as_str()),
            Self::Between(from, to) => from.as_str() <= sort && sort <= to.as_str(),
        }
    }
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Smallest sort key first.
    Ascending,
    /// Largest sort key first.
    Descending,
}

/// A question to one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Read through which index.
    pub index: Index,
    /// Which partition of it.
    pub partition: String,
    /// Which part.
    pub range: Range,
    /// In which order.
    pub order: Order,
}

impl Query {
    /// All rows of a partition by their own keys, in order.
    pub fn base(partition: impl Into<String>) -> Self {
        Self {
            index: Index::Base,
            partition: partition.into(),
            range: Range::All,
            order: Order::Ascending,
        }
    }

    /// All rows of an index's partition, in order.
    pub fn of(index: Index, partition: impl Into<String>) -> Self {
        Self { index, partition: partition.into(), range: Range::All, order: Order::Ascending }
    }

    /// Only sort keys that begin so.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.range = Range::Prefix(prefix.into());
        self
    }

    /// Only sort keys between these two, both included.
    #[must_use]
    pub fn between(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.range = Range::Between(from.into(), to.into());
        self
    }

    /// Largest sort key first.
    #[must_use]
    pub fn newest_first(mut self) -> Self {
        self.order = Order::Descending;
        self
    }
}

/// Where a page ended: opaque, valid only for the same question to the same adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

impl Cursor {
    /// The cursor of a page of this question that ended at this position: hexadecimal digits, so that it may
    /// stand in a URL. It names the question by a digest, so that it fits no other.
    pub fn at(question: &dyn fmt::Debug, position: &[&str]) -> Self {
        let name = name_of(question);
        let parts: Vec<&str> = iter::once(name.as_str()).chain(position.iter().copied()).collect();
        Self(hex::encode(serde_json::json!(parts).to_string()))
    }

    /// The position, if this is a cursor of this question.
    pub fn position(&self, question: &dyn fmt::Debug) -> Option<Vec<String>> {
        let raw = hex::decode(&self.0).ok()?;
        let mut parts: VecDeque<String> = serde_json::from_slice(&raw).ok()?;
        (parts.pop_front()? == name_of(question)).then(|| parts.into())
    }
}

fn name_of(question: &dyn fmt::Debug) -> String {
    hex::encode(&Digest::of(format!("{question:?}").as_bytes()).as_bytes()[..8])
}

/// How much to read at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// At most so many rows, 1 to [`MAX_PAGE`]; adapters clamp.
    pub limit: u32,
    /// Go on where this page ended.
    pub after: Option<Cursor>,
}

impl Page {
    /// The first page of so many rows.
    pub fn first(limit: u32) -> Self {
        Self { limit, after: None }
    }

    /// The page that follows a cursor.
    pub fn after(limit: u32, cursor: Option<Cursor>) -> Self {
        Self { limit, after: cursor }
    }

    /// The limit within its bounds.
    pub fn clamped(&self) -> u32 {
        self.limit.clamp(1, MAX_PAGE)
    }
}

/// A page of rows. An empty page with a `next` is possible; only `next: None` is the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The rows.
    pub items: Vec<Item>,
    /// Where to go on, unless this was the end.
    pub next: Option<Cursor>,
}

/// Why a read gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or does not answer.
    #[error("the store does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// What is stored cannot be understood.
    #[error("a stored row cannot be read")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
    /// A cursor of another question or adapter.
    #[error("this page marker does not belong to this question")]
    BadCursor,
}

/// Why a commit did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// These operations' conditions did not hold; nothing was changed.
    #[error("the conditions of operations {0:?} did not hold")]
    Conditions(Vec<usize>),
    /// The commit breaks a limit; nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// The token was used for other operations; nothing was changed.
    #[error("the idempotency token was used for another commit")]
    TokenReused,
    /// Others were at the same rows; nothing was changed, trying again makes sense.
    #[error("others are at the same rows")]
    Contended,
    /// The store cannot be reached; nothing was changed.
    #[error("the store does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The answer was lost: it may have been applied. With the same token, trying again is safe.
    #[error("the store's answer was lost")]
    Unknown(#[source] Box<dyn Error + Send + Sync>),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                Self::unavailable("The store does not answer now.").caused_by(error)
            }
            StoreError::Corrupt(_) => Self::bug(error),
            StoreError::BadCursor => Self::field("after", error.to_string()),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conditions(_) | CommitError::Contended => Self::conflict(
                "It was changed meanwhile. Read it again and repeat what you wanted.",
            )
            .caused_by(error),
            CommitError::Refused(_) | CommitError::TokenReused => Self::bug(error),
            CommitError::Unavailable(_) => {
                Self::unavailable("The store does not answer now.").caused_by(error)
            }
            CommitError::Unknown(_) => {
                Self::unavailable("The store's answer was lost; repeating the request is safe.")
                    .caused_by(error)
            }
        }
    }
}

/// The same commit, however often it is sent: 1 to [`MAX_TOKEN_CHARS`] characters (DynamoDB's client request token).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommitToken(pub String);

/// The table. See the module's text for the contract.
#[async_trait]
pub trait Table: Send + Sync {
    /// One row, as it stands now.
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError>;

    /// Many rows, each as it stands now (not all of the same moment), in the order asked; any number, also twice the
    /// same. One by one, unless the adapter can ask for many at once.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            found.push(self.get(key).await?);
        }
        Ok(found)
    }

    /// A page of one partition.
    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError>;

    /// All operations or none.
    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError>;

    /// A page of everything, in no order: for sweeps and exports.
    async fn scan(&self, page: &Page) -> Result<Slice, StoreError>;
}

/// Checks the length of a commit's token; every adapter calls it first.
///
/// # Errors
/// `CommitError::Refused`, naming the limit.
pub fn check_token(token: Option<&CommitToken>) -> Result<(), CommitError> {
    match token.map(|t| t.0.chars().count()) {
        Some(chars) if !(1..=MAX_TOKEN_CHARS).contains(&chars) => Err(CommitError::Refused(
            format!("a token has 1 to {MAX_TOKEN_CHARS} characters, this one {chars}"),
        )),
        _ => Ok(()),
    }
}

/// Checks the limits of a commit; every adapter calls it first.
///
/// # Errors
/// `CommitError::Refused`, naming the limit.
pub fn check_limits(ops: &[Op]) -> Result<(), CommitError> {
    let refuse = |why: String| Err(CommitError::Refused(why));
    if ops.is_empty() || ops.len() > MAX_OPS {
        return refuse(format!("a commit has 1 to {MAX_OPS} operations, this one {}", ops.len()));
    }
    let mut seen = HashSet::new();
    let mut bytes = 0usize;
    for op in ops {
        let key = op.key();
        if !fits(&key.pk, &key.sk) {
            return refuse(KEY_LIMITS.into());
        }
        if !seen.insert(key) {
            return refuse(format!("the row {}/{} stands twice in one commit", key.pk, key.sk));
        }
        if let Op::Put { item, .. } = op {
            if [&item.due, &item.list].into_iter().flatten().any(|e| !fits(&e.partition, &e.sort)) {
                return refuse(format!("an index entry is a key: {KEY_LIMITS}"));
            }
            let weight = item.weight();
            if weight > MAX_ITEM_BYTES {
                return refuse(format!(
                    "a row has at most {MAX_ITEM_BYTES} bytes, {}/{} has {weight}",
                    key.pk, key.sk
                ));
            }
            bytes += weight;
        }
    }
    if bytes > MAX_COMMIT_BYTES {
        return refuse(format!("a commit has at most {MAX_COMMIT_BYTES} bytes, this one {bytes}"));
    }
    Ok(())
}

const KEY_LIMITS: &str = "a key has 1 to 2,048 bytes of partition and 1 to 1,024 bytes of sort key";

fn fits(partition: &str, sort: &str) -> bool {
    (1..=2048).contains(&partition.len()) && (1..=1024).contains(&sort.len())
}
