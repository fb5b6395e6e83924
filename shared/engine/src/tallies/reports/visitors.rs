//! How many visitors there were, as far as it can be known without following anybody.

use std::collections::{BTreeSet, HashSet};

use nexus_core::{Scope, Table};
use nexus_kernel::Failure;

use super::super::rows::Pages;
use super::standing::Standing;

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
    let (mut visitors, mut rows) = (0, 0);
    let seen: BTreeSet<_> = standing.parts().map(|part| (part.day, part.link.as_str())).collect();
    for (day, link) in seen {
        if let Some(counted) = standing.counted_whole(day, link) {
            visitors += counted.visitors;
            continue;
        }
        let (from, to) = standing.within(day);
        let mut pages = Pages::of(table, scope, link, day).between(from, to);
        let mut those = HashSet::new();
        while let Some(page) = pages.next().await? {
            rows += page.len();
            if rows > MOST_ROWS {
                return Ok(Visitors::TooManyRows);
            }
            let people = page.iter().map(|found| &found.click);
            let people = people.filter(|click| standing.wants(day, link, click));
            those.extend(people.map(|click| click.visitor));
        }
        visitors += those.len() as u64;
    }
    Ok(Visitors::Counted(visitors))
}
