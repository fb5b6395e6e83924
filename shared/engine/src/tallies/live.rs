//! What was written last, for whoever looks on.
//!
//! Each commit of clicks leaves a row that lists them, for an hour. A reader goes on behind the last row that it was
//! told. Rows are told once they are [`SETTLED`] old, since commits that were begun at once may end in another order:
//! so nothing is told twice, and only a commit that took longer than that is passed over. It is counted all the same.

use jiff::SignedDuration;
use nexus_core::retention::LIVE_AGE;
use nexus_core::sweep::{DueKind, moment};
use nexus_core::table::{IndexEntry, Page, Query};
use nexus_core::{Key, Record, RecordKind, Scope, Table, records};
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

use super::agents::Agents;
use super::keys::Day;
use super::row::{self, Row};
use crate::clicks::Click;

/// How old a row has to be to be told.
pub const SETTLED: SignedDuration = SignedDuration::from_secs(5);

const PARTITION: &str = "live";
/// How many commits one answer tells at most; each has fewer than a hundred clicks.
const COMMITS: u32 = 10;

/// The clicks of one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Live {
    /// When it was begun.
    pub(super) at: Timestamp,
    /// The link of all of them.
    #[serde(rename = "l")]
    pub(super) link: String,
    /// The day of all of them.
    #[serde(rename = "d")]
    pub(super) day: Day,
    /// Their sort keys.
    #[serde(rename = "s")]
    pub(super) sorts: Vec<String>,
}

impl Record for Live {
    const KIND: RecordKind = RecordKind::Live;

    fn key(&self, scope: &Scope) -> Key {
        // A click is written once, so the first tells the commits of one millisecond apart.
        let first = self.sorts.first().map_or("", String::as_str);
        scope.key(PARTITION, format!("{}#{}#{first}", moment(self.at), self.link))
    }

    fn expires(&self) -> Option<Timestamp> {
        self.at.saturating_add(LIVE_AGE).ok()
    }

    fn due(&self, scope: &Scope) -> Option<IndexEntry> {
        let id = self.key(scope).sk().to_owned();
        self.expires().map(|at| DueKind::Fleeting.entry(scope, &id, at))
    }
}

/// Clicks as they were written, and where to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// In the order in which they were written; those of robots too.
    pub clicks: Vec<Click>,
    /// What to ask with next.
    pub position: String,
    /// Whether more can be told at once.
    pub more: bool,
}

/// Where whoever begins now begins: at what is written from now on.
pub fn from_now(now: Timestamp) -> String {
    moment(now.saturating_sub(SETTLED).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// What was written after a position, up to a thousand clicks.
///
/// # Errors
/// The store does not answer, or a row cannot be read.
pub async fn written_after(
    table: &dyn Table,
    scope: &Scope,
    position: &str,
    now: Timestamp,
) -> Result<Written, Failure> {
    let settled = from_now(now);
    let begun = now.saturating_sub(LIVE_AGE).map(moment).unwrap_or_default();
    let mut position = position.to_owned().max(begun);
    let mut written = Written { clicks: Vec::new(), position: String::new(), more: false };
    if position < settled {
        let query =
            Query::base(scope.partition(PARTITION)).between(format!("{position}\u{1}"), &settled);
        let slice = table.query(&query, &Page::first(COMMITS)).await?;
        written.more = slice.next.is_some();
        let mut keys = Vec::new();
        for row in &slice.items {
            position = row.key.sk().to_owned();
            if !row.is_live(now) {
                continue;
            }
            let Live { link, day, sorts, .. } = records::read::<Live>(row)?.record;
            keys.extend(sorts.iter().filter_map(|sort| row::key_by_sort(scope, &link, day, sort)));
        }
        let rows = table.get_many(&keys).await?.into_iter().flatten();
        let rows = rows.map(Row::read).collect::<Result<Vec<_>, _>>()?;
        let mut agents = Agents::default();
        agents.learn(table, scope, rows.iter().filter_map(Row::agent)).await?;
        written.clicks = rows.iter().map(|r| r.click(&agents)).collect::<Result<_, _>>()?;
        if !written.more {
            // What is settled stays as it is: the next question begins there.
            position = position.max(settled);
        }
    }
    written.position = position;
    Ok(written)
}
