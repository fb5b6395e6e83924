//! Whose a code is and where it leads: for whoever answers a click.

use nexus_core::directory::OutsideKind;
use nexus_core::{Directory, Product, Scope, Stored, Table, records};
use nexus_kernel::{Failure, Timestamp};

use super::link::link_key;
use super::{Link, LinkCode, LinkDefaults};
use crate::account::{Settings, settings_key};

/// A link, whose it is, and what its owner wants of links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose.
    pub scope: Scope,
    /// The link, whether it is open or not.
    pub link: Link,
    /// What its owner wants of links that say nothing else.
    pub defaults: LinkDefaults,
}

impl Found {
    /// Where it leads once it leads nowhere.
    pub fn fallback(&self) -> Option<&str> {
        self.link.fallback.as_deref().or(self.defaults.fallback.as_deref())
    }

    /// About how many bytes it takes: as many as its texts, and some.
    pub fn size(&self) -> usize {
        let texts = serde_json::to_vec(&(&self.link, &self.defaults)).unwrap_or_default();
        texts.len() + size_of::<Self>()
    }
}

/// What stands behind a code; nothing behind one that nobody has.
///
/// # Errors
/// The store does not answer, or a row cannot be read.
pub async fn find(
    table: &dyn Table,
    product: Product,
    code: &LinkCode,
    now: Timestamp,
) -> Result<Option<Found>, Failure> {
    let directory = Directory::of(product);
    let claimed = directory.resolve(table, OutsideKind::Link, code.as_str(), now).await?;
    let Some((scope, _)) = claimed else { return Ok(None) };
    let rows = table.get_many(&[link_key(&scope, code), settings_key(&scope)]).await?;
    let mut rows = rows.into_iter();
    let Some(row) = rows.next().flatten().filter(|row| row.is_live(now)) else { return Ok(None) };
    let link = records::read::<Link>(&row)?.record;
    let defaults = match rows.next().flatten().filter(|row| row.is_live(now)) {
        Some(row) => records::read::<Settings>(&row)?.record.links,
        None => LinkDefaults::default(),
    };
    Ok(Some(Found { scope, link, defaults }))
}

/// A tenant's own link.
///
/// # Errors
/// There is none of this code; the store does not answer.
pub async fn load(
    table: &dyn Table,
    scope: &Scope,
    code: &LinkCode,
    now: Timestamp,
) -> Result<Stored<Link>, Failure> {
    let found = records::load(table, &link_key(scope, code), now).await?;
    found.ok_or_else(|| Failure::not_found("link"))
}
