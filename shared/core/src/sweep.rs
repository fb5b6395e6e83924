//! The right to walk everything of a product: for retention, the relay, recounts, a data subject's rights.
//!
//! A sweep takes no input from anybody. What is due stands in a sharded index: `due#{kind}#{shard}`, ordered by
//! the moment it is due (a DynamoDB partition takes 1,000 writes a second, so one partition would be too few).

use nexus_kernel::{Digest, Timestamp};

use crate::blobs::BlobKey;
use crate::retention::RecordKind;
use crate::scope::{Owner, Product, Scope};
use crate::table::{Index, IndexEntry, Item, Key, Query};

/// What sort of thing is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DueKind {
    /// An approved effect is to be carried out.
    Effect,
    /// A message still stands in the outbox.
    Outbox,
    /// A claimed effect whose outcome nobody wrote down has to be looked up, or a job that came of one.
    Unknown,
    /// An account's tokens are to be refreshed.
    Refresh,
    /// A row has expired, or an upload was abandoned.
    Expiry,
    /// A row has expired of which there are many at all times: apart, so that they hold up no other.
    Fleeting,
    /// A day of clicks is to be counted anew.
    Recount,
    /// Comments of a post are to be read.
    Listen,
}

impl DueKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Effect => "effect",
            Self::Outbox => "outbox",
            Self::Unknown => "unknown",
            Self::Refresh => "refresh",
            Self::Expiry => "expiry",
            Self::Fleeting => "fleeting",
            Self::Recount => "recount",
            Self::Listen => "listen",
        }
    }

    /// Over how many partitions the kind is spread.
    pub const fn shards(self) -> u32 {
        match self {
            Self::Effect => 16,
            Self::Outbox | Self::Expiry | Self::Fleeting => 8,
            Self::Unknown | Self::Recount => 4,
            Self::Refresh | Self::Listen => 2,
        }
    }

    /// The entry of a row in the index of what is due.
    pub fn entry(self, scope: &Scope, id: &str, at: Timestamp) -> IndexEntry {
        self.entry_of(&scope.owner().to_string(), id, at)
    }

    pub(crate) fn entry_of(self, owner: &str, id: &str, at: Timestamp) -> IndexEntry {
        let digest = Digest::of_parts([owner.as_bytes(), id.as_bytes()]);
        let shard = u32::from(digest.as_bytes()[0]) % self.shards();
        IndexEntry {
            partition: self.partition(shard),
            sort: format!("{}#{owner}#{id}", moment(at)),
        }
    }

    fn partition(self, shard: u32) -> String {
        format!("due#{}#{shard}", self.name())
    }

    /// The question for everything of a shard that is due at `until` or before.
    pub fn query(self, shard: u32, until: Timestamp) -> Query {
        Query::of(Index::Due, self.partition(shard))
            .between(moment(Timestamp::UNIX_EPOCH), format!("{}$", moment(until)))
    }
}

/// A moment as it stands in sort keys: milliseconds since 1970, 13 digits, so that text order is time order.
pub fn moment(at: Timestamp) -> String {
    format!("{:013}", at.as_millisecond().max(0))
}

/// The right to walk a product. Only functions that sweep begin one (kept by `tests/architecture.rs`).
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    product: Product,
}

impl Sweep {
    /// Begins a sweep.
    pub fn begin(product: Product) -> Self {
        Self { product }
    }

    /// The scope of a row that the sweep found; none for rows of the house.
    pub fn scope_of(&self, key: &Key) -> Option<Scope> {
        let head = key.pk().split('#').next()?;
        Owner::parse(head).map(|owner| Scope::new(self.product, owner))
    }

    /// The scope of a blob that the sweep found.
    pub fn scope_of_blob(&self, key: &BlobKey) -> Option<Scope> {
        let owner = key.as_str().split('/').nth(1)?;
        Owner::parse(owner).map(|owner| Scope::new(self.product, owner))
    }

    /// A row of the house itself, such as a receipt, kept until it expires.
    pub fn house_row(
        &self,
        kind: RecordKind,
        partition: &str,
        sort: &str,
        expires: Timestamp,
        body: String,
    ) -> Item {
        Item {
            key: Key::stored(format!("house#{partition}"), sort),
            kind,
            version: 1,
            expires: Some(expires),
            due: Some(DueKind::Expiry.entry_of("house", &format!("{partition}#{sort}"), expires)),
            list: None,
            counter: 0,
            body,
        }
    }

    /// The question for the house's rows of one sort.
    pub fn house_query(&self, partition: &str) -> Query {
        Query::base(format!("house#{partition}"))
    }
}
