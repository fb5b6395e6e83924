//! The clicks of a link and day, read back page by page: what is in memory at once is a page.

use nexus_core::table::{Cursor, MAX_PAGE, Page, Query};
use nexus_core::{Op, Scope, Table};
use nexus_kernel::Failure;

use super::agents::Agents;
use super::keys::{self, Day, SHARDS};
use super::row::{Row, first_sort};
use crate::clicks::{BotReason, Click};

/// A click as it was found.
#[derive(Debug)]
pub struct Found {
    /// The click, exactly as it came.
    pub click: Click,
    row: Row,
}

impl Found {
    /// The operation that writes another judgement of it, if nobody changed the row since.
    pub(super) fn judged(&self, bot: Option<BotReason>) -> Op {
        self.row.judged(bot)
    }
}

/// Walks the clicks of one link and day.
pub struct Pages<'a> {
    table: &'a dyn Table,
    scope: &'a Scope,
    link: &'a str,
    day: Day,
    /// Sort keys from the first to the last, where only a part of the day is wanted.
    part: Option<(String, String)>,
    shard: u8,
    /// Before which shard it ends.
    end: u8,
    after: Option<Cursor>,
    agents: Agents,
}

impl<'a> Pages<'a> {
    /// All clicks of the day, in no order.
    pub fn of(table: &'a dyn Table, scope: &'a Scope, link: &'a str, day: Day) -> Self {
        let agents = Agents::default();
        Self { table, scope, link, day, part: None, shard: 0, end: SHARDS, after: None, agents }
    }

    /// Only those of one shard, so that several are read at once.
    #[must_use]
    pub(super) fn of_shard(self, shard: u8) -> Self {
        Self { shard, end: shard.saturating_add(1), ..self }
    }

    /// Only those from this millisecond of the day on, up to before that one.
    #[must_use]
    pub(super) fn between(self, from: i64, to: i64) -> Self {
        Self { part: Some((first_sort(from), first_sort(to))), ..self }
    }

    /// The next page, which may be empty; `None` at the end.
    ///
    /// # Errors
    /// The store does not answer, or a row cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Found>>, Failure> {
        let Some(rows) = self.next_rows().await? else { return Ok(None) };
        let agents = rows.iter().filter_map(Row::agent);
        self.agents.learn(self.table, self.scope, agents).await?;
        let found = rows.into_iter().map(|row| Ok(Found { click: row.click(&self.agents)?, row }));
        found.collect::<Result<Vec<_>, Failure>>().map(Some)
    }

    /// The next page of rows, for whoever need not know the agents.
    pub(super) async fn next_rows(&mut self) -> Result<Option<Vec<Row>>, Failure> {
        if self.shard >= self.end {
            return Ok(None);
        }
        let partition = format!("{}{}", keys::clicks(self.scope, self.link, self.day), self.shard);
        let mut query = Query::base(partition);
        if let Some((from, to)) = &self.part {
            query = query.between(from, to);
        }
        let slice = self.table.query(&query, &Page::after(MAX_PAGE, self.after.take())).await?;
        match slice.next {
            Some(next) => self.after = Some(next),
            None => self.shard += 1,
        }
        let last = self.part.as_ref().map(|(_, to)| to.as_str());
        // The last is the first that does not belong to it; no click has that very key but by chance of 2^-128.
        let items = slice.items.into_iter().filter(|item| last.is_none_or(|to| item.key.sk() < to));
        Ok(Some(items.map(Row::read).collect::<Result<_, _>>()?))
    }
}
