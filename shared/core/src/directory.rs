//! Resolves an outside id to its owner: the key of an upload, a link's code, an account at a vendor.
//!
//! A claim row `ext#{kind}#{sha256}` is put only if absent, in the same commit as what it points to. That makes
//! the outside id unique, and the directory the only way from it to a scope.

use nexus_kernel::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::retention::RecordKind;
use crate::scope::{Owner, Product, Scope};
use crate::sweep::DueKind;
use crate::table::{Condition, Item, Key, Op, StoreError, Table};

/// What sort of outside id it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideKind {
    /// The key under which a browser uploads.
    Upload,
    /// The state that somebody brings back from a network.
    OAuthState,
    /// An account at a network.
    Account,
    /// The code of a short link.
    Link,
    /// The code of a review link.
    Review,
    /// The code of a product's page.
    Page,
}

impl OutsideKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::OAuthState => "oauth-state",
            Self::Account => "account",
            Self::Link => "link",
            Self::Review => "review",
            Self::Page => "page",
        }
    }
}

/// The directory of one product.
#[derive(Debug, Clone, Copy)]
pub struct Directory {
    product: Product,
}

#[derive(Serialize, Deserialize)]
struct Claimed {
    owner: Owner,
    target: String,
}

impl Directory {
    /// The directory of this product.
    pub fn of(product: Product) -> Self {
        Self { product }
    }

    fn key(kind: OutsideKind, outside: &str) -> Key {
        Key::stored(format!("ext#{}#{}", kind.name(), Digest::of(outside.as_bytes())), "claim")
    }

    /// The operation that claims an outside id for a thing of this scope, refused where it is taken.
    pub fn claim(&self, scope: &Scope, kind: OutsideKind, outside: &str, target: &str) -> Op {
        let body = serde_json::json!({ "owner": scope.owner(), "target": target }).to_string();
        let item = Item {
            key: Self::key(kind, outside),
            kind: RecordKind::Claim,
            version: 1,
            expires: None,
            due: None,
            list: None,
            counter: 0,
            body,
        };
        Op::Put { item, when: Condition::Absent }
    }

    /// As [`claim`](Self::claim), for an outside id that leads nowhere after a moment.
    pub fn claim_until(
        &self,
        scope: &Scope,
        kind: OutsideKind,
        outside: &str,
        target: &str,
        until: Timestamp,
    ) -> Op {
        match self.claim(scope, kind, outside, target) {
            Op::Put { mut item, when } => {
                let id = format!("{}#{}", item.key.pk(), item.key.sk());
                item.due = Some(DueKind::Expiry.entry(scope, &id, until));
                item.expires = Some(until);
                Op::Put { item, when }
            }
            other => other,
        }
    }

    /// The operation that gives an outside id free.
    pub fn release(&self, kind: OutsideKind, outside: &str) -> Op {
        Op::Delete { key: Self::key(kind, outside), when: Condition::Always }
    }

    /// Whose the outside id is, and the id of what it points to.
    ///
    /// # Errors
    /// The store does not answer, or the row cannot be read.
    pub async fn resolve(
        &self,
        table: &dyn Table,
        kind: OutsideKind,
        outside: &str,
        now: Timestamp,
    ) -> Result<Option<(Scope, String)>, StoreError> {
        let Some(item) = table.get(&Self::key(kind, outside)).await?.filter(|i| i.is_live(now))
        else {
            return Ok(None);
        };
        let claimed: Claimed =
            serde_json::from_str(&item.body).map_err(|e| StoreError::Corrupt(Box::new(e)))?;
        Ok(Some((Scope::new(self.product, claimed.owner), claimed.target)))
    }
}
