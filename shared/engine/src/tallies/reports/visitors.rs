//! How many visitors there were, as far as it can be known without following anybody.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, TryFutureExt, TryStreamExt, stream};
use nexus_core::{Scope, Table};
use nexus_kernel::Failure;

use super::super::keys::{Day, SHARDS};
use super::super::row::Row;
use super::super::rows::Pages;
use super::standing::{AT_ONCE, Standing};
use crate::clicks::Visitor;

/// So many rows are read at most, of days that are not counted yet or that the period cuts.
pub const MOST_ROWS: usize = 20_000;

/// How many visitors. A visitor's salt is destroyed with its day of UTC, so nobody is known on the next: these are
/// visitors of each link on each day of UTC, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitors {
    /// So many.
    Counted(u64),
    /// More than [`MOST_ROWS`] clicks would have to be read.
    TooManyRows,
}

pub(super) async fn of(
    table: &dyn Table,
    scope: &Scope,
    standing: &Standing,
) -> Result<Visitors, Failure> {
    let (mut counted, mut asked) = (0, Vec::new());
    let seen: BTreeSet<_> = standing.parts().map(|part| (part.day, part.link.as_str())).collect();
    for (number, (day, link)) in seen.into_iter().enumerate() {
        match standing.counted_whole(day, link) {
            Some(day) => counted += day.visitors,
            None => asked.extend((0..SHARDS).map(|shard| (number, day, link, shard))),
        }
    }
    let rows = AtomicUsize::new(0);
    let shards = asked.into_iter().map(|(number, day, link, shard)| {
        let (from, to) = standing.within(day);
        let pages = Pages::of(table, scope, link, day).between(from, to).of_shard(shard);
        of_shard(standing, (day, link), pages, &rows).map_ok(move |those| (number, those))
    });
    let mut shards = stream::iter(shards.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let mut visitors: HashMap<usize, HashSet<Visitor>> = HashMap::new();
    while let Some((number, those)) = shards.try_next().await? {
        let Some(those) = those else { return Ok(Visitors::TooManyRows) };
        visitors.entry(number).or_default().extend(those);
    }
    let found: usize = visitors.values().map(HashSet::len).sum();
    Ok(Visitors::Counted(counted + found as u64))
}

/// The visitors of one shard of a link's day; `None` once all together have read too many rows.
async fn of_shard(
    standing: &Standing,
    (day, link): (Day, &str),
    mut pages: Pages<'_>,
    rows: &AtomicUsize,
) -> Result<Option<HashSet<Visitor>>, Failure> {
    let mut those = HashSet::new();
    while let Some(page) = pages.next_rows().await? {
        if rows.fetch_add(page.len(), Ordering::Relaxed) + page.len() > MOST_ROWS {
            return Ok(None);
        }
        let people = page.iter().map(Row::without_agent);
        let people = people.filter(|click| standing.wants(day, link, click));
        those.extend(people.map(|click| click.visitor));
    }
    Ok(Some(those))
}
