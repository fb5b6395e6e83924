//! Lists, page by page, newest first.
//!
//! A page marker says where the last page ended and for which question; the question itself is formed anew from the
//! caller's scope each time. So a marker of another tenant or another list is refused, and a forged one could only
//! choose where in the caller's own list to go on.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use nexus_core::table::{Cursor, Index, Item, MAX_PAGE, Page, Query};
use nexus_core::{Key, Record, Table, records};
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;
/// Sorts before everything that stands in a sort key.
const FIRST: &str = "!";

/// Which page of a list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageOf {
    /// How many things at most: 1 to 100, else 20.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub(crate) limit: Option<u32>,
    /// Go on where a page ended: its `next`.
    pub(crate) after: Option<String>,
}

/// A page of a list, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// The things. There may be fewer than asked for, even none, before the list ends.
    pub(crate) items: Vec<T>,
    /// What to send as `after` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

impl<T> Listed<T> {
    pub(crate) fn map<U>(self, view: impl FnMut(T) -> U) -> Listed<U> {
        Listed { items: self.items.into_iter().map(view).collect(), next: self.next }
    }
}

/// The newest records that any of these partitions lists, each once.
///
/// An index may be late, so what it lists is read again: the answer is what stands now.
pub(crate) async fn newest<R: Record>(
    table: &dyn Table,
    partitions: &[Query],
    page: &PageOf,
    now: Timestamp,
) -> Result<Listed<R>, Failure> {
    let limit = page.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Failure::field("limit", format!("choose 1 to {MAX_LIMIT}")));
    }
    let limit = limit as usize;
    let from = page.after.clone().map(|after| position(after, &partitions)).transpose()?;

    let mut lists = Vec::new();
    for query in partitions {
        lists.push(some_of(table, query, from.as_deref(), limit + 1, now));
    }
    let mut found: Vec<(String, Item)> = try_join_all(lists).await?.into_iter().flatten().collect();
    found.sort_by(|(a, _), (b, _)| b.cmp(a));
    let mut seen = BTreeSet::new();
    // While it moves from list to list, a thing may stand in both.
    found.retain(|(_, item)| seen.insert(item.key.clone()));
    let more = found.len() > limit;
    found.truncate(limit);
    let end = found.last().filter(|_| more).map(|(sort, _)| Cursor::at(&partitions, &[sort]).0);

    let listed = found.into_iter().map(|(_, item)| item);
    let sure = partitions.iter().all(|query| query.index == Index::Base);
    let standing: Vec<Item> = if sure {
        listed.collect()
    } else {
        // An index may be late: the rows themselves tell what stands now.
        let keys: Vec<Key> = listed.map(|item| item.key).collect();
        table.get_many(&keys).await?.into_iter().flatten().collect()
    };
    let standing = standing.iter().filter(|item| item.is_live(now));
    let records = standing.map(|item| Ok(records::read::<R>(item)?.record));
    Ok(Listed { items: records.collect::<Result<_, Failure>>()?, next: end })
}

fn position(after: String, question: &dyn std::fmt::Debug) -> Result<String, Failure> {
    let mut position = Cursor(after).position(question).unwrap_or_default();
    position.pop().filter(|_| position.is_empty()).ok_or_else(|| {
        Failure::field(
            "after",
            "this page marker does not belong to this list: begin anew without it",
        )
    })
}

/// At most so many live rows of one partition, newest first, that come after a position.
async fn some_of(
    table: &dyn Table,
    query: &Query,
    from: Option<&str>,
    count: usize,
    now: Timestamp,
) -> Result<Vec<(String, Item)>, Failure> {
    let mut query = query.clone().newest_first();
    if let Some(from) = from {
        query = query.between(FIRST, from);
    }
    // One more for the position itself, which the range includes.
    let rows = u32::try_from(count + 1).unwrap_or(MAX_PAGE);
    let (mut found, mut page) = (Vec::new(), Page::first(rows));
    loop {
        let slice = table.query(&query, &page).await?;
        for item in slice.items.into_iter().filter(|item| item.is_live(now)) {
            let sort = match query.index {
                Index::Base => Some(item.key.sk()),
                Index::Due => item.due.as_ref().map(|entry| entry.sort.as_str()),
                Index::List => item.list.as_ref().map(|entry| entry.sort.as_str()),
            };
            if let Some(sort) = sort.filter(|sort| Some(*sort) != from).map(str::to_owned) {
                found.push((sort, item));
            }
        }
        match slice.next {
            Some(next) if found.len() < count => page = Page::after(rows, Some(next)),
            _ => break,
        }
    }
    found.truncate(count);
    Ok(found)
}
