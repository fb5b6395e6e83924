//! A day that is over is counted anew from its rows, and its tallies are held against them.
//!
//! The row [`Recount`] is the lock: every commit of a late click puts it in another version, and every commit here is
//! conditioned on the version that was read. So whoever counts while a click comes writes nothing, and counts again
//! later. A crash after any commit leaves what the next run finds and finishes: a click that was judged anew was added
//! or taken away in the same commit, a tally that was corrected agrees, and the row is deleted with the day's record.
//! How many tallies were corrected stands in the row from the commit that corrects them: whoever ends the count tells it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;
use nexus_core::sweep::DueKind;
use nexus_core::table::{CommitError, IndexEntry, MAX_OPS, MAX_PAGE, Op, Page, Query};
use nexus_core::{Key, Record, RecordKind, Scope, Stored, Table, records};
use nexus_kernel::{Ambient, Failure, Timestamp};
use serde::{Deserialize, Serialize};

use super::day::Counting;
use super::keys::{self, Day, RECOUNT, begin};
use super::rows::{Found, Pages};
use super::side::{self, Counter};
use super::writing::drawn_version;
use crate::clicks::{BotReason, Click, bots};
use crate::days::day_of;

/// How long after midnight (UTC) days are counted anew.
const HOUR: SignedDuration = SignedDuration::from_hours(2);
/// How many clicks one commit judges anew at most: each touches its row and up to four counters.
const JUDGED_AT_ONCE: usize = 19;
/// Of how many days it can be asked at once that they be counted anew.
pub const MOST_ASKED: i32 = 31;
/// How many commits ask at once, and how often one is tried.
const AT_ONCE: usize = 8;
const TRIES: u32 = 6;
/// So many answers a judge remembers before it begins anew, so that its memory is bounded.
const REMEMBERED: usize = 20_000;

/// A day of a link that is not counted, or to which clicks have come since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recount {
    /// The day of UTC.
    pub day: Day,
    /// The link's code.
    pub link: String,
    /// When it may be counted.
    pub due: Timestamp,
    /// How many tallies did not agree with the rows and were corrected, by whoever began to count: somebody should know
    /// why.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub corrected: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Record for Recount {
    const KIND: RecordKind = RecordKind::Recount;

    fn key(&self, scope: &Scope) -> Key {
        scope.key(RECOUNT, keys::of_day(&self.link, self.day))
    }

    fn due(&self, scope: &Scope) -> Option<IndexEntry> {
        let id = keys::of_day(&self.link, self.day);
        Some(DueKind::Recount.entry(scope, &id, self.due))
    }
}

/// When a day is counted for the first time: two hours after its end.
pub(super) fn first_due(day: Day) -> Timestamp {
    let next = day.tomorrow().map_or(Timestamp::MAX, begin);
    next.saturating_add(HOUR).unwrap_or(Timestamp::MAX)
}

/// The next 02:00 of UTC after a moment.
pub(super) fn next_run(now: Timestamp) -> Timestamp {
    let today = begin(day_of(now)).saturating_add(HOUR).unwrap_or(Timestamp::MAX);
    if now < today { today } else { first_due(day_of(now)) }
}

/// Asks that a day be counted anew at once, for example because robots are told by other rules since.
///
/// # Errors
/// The day is not over.
pub fn ask(
    scope: &Scope,
    link: &str,
    day: Day,
    now: Timestamp,
    version: u64,
) -> Result<Op, Failure> {
    if now < first_due(day) {
        return Err(Failure::conflict("The day is not over: it will be counted in its time."));
    }
    let recount = Recount { day, link: link.to_owned(), due: now, corrected: 0 };
    Ok(match records::write(scope, &recount) {
        Op::Put { mut item, when } => {
            item.version = version;
            Op::Put { item, when }
        }
        other => other,
    })
}

/// Asks that the days of a tenant's links that were counted be counted anew, from the first to the last, both included;
/// how many. Those that wait for their count need not be asked for. Asking twice is once.
///
/// # Errors
/// The days are in another order, too many, or lie outside 2000 to 9990; the store does not answer.
pub async fn ask_for_days(
    table: &dyn Table,
    scope: &Scope,
    (first, last): (Day, Day),
    ambient: &Ambient,
) -> Result<u64, Failure> {
    if last < first {
        return Err(Failure::field("to", "choose a day that is not before `from`"));
    }
    if !(2000..=9990).contains(&first.year()) || !(2000..=9990).contains(&last.year()) {
        return Err(Failure::field("from", "choose days of the years 2000 to 9990"));
    }
    if first.until(last).map_or(i32::MAX, |span| span.get_days()) >= MOST_ASKED {
        return Err(Failure::field("from", format!("choose at most {MOST_ASKED} days")));
    }
    let mut asked = 0;
    let months = std::iter::successors(Some(first.first_of_month()), |month| {
        month.last_of_month().tomorrow().ok()
    });
    for month in months.take_while(|month| *month <= last) {
        let (from, to) = (keys::date(first), format!("{}#\u{10ffff}", keys::date(last)));
        let query = Query::base(keys::days(scope, month)).between(from, to);
        let mut page = Page::first(MAX_PAGE);
        loop {
            let slice = table.query(&query, &page).await?;
            let sorts = slice.items.iter().map(|row| row.key.sk());
            let waiting: Vec<Key> = sorts.clone().map(|sort| scope.key(RECOUNT, sort)).collect();
            let waiting = table.get_many(&waiting).await?;
            let ops = sorts.zip(waiting).filter(|(_, waits)| waits.is_none()).map(|(sort, _)| {
                let (day, link) = keys::read_of_day(sort)
                    .ok_or_else(|| Failure::bug("a counted day's key cannot be read"))?;
                ask(scope, link, day, ambient.now(), drawn_version(ambient))
            });
            let ops = ops.collect::<Result<Vec<Op>, Failure>>()?;
            asked += ops.len() as u64;
            let commits = ops.chunks(MAX_OPS).map(|some| surely(table, some));
            let mut commits = stream::iter(commits.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
            while commits.try_next().await?.is_some() {}
            drop(commits);
            match slice.next {
                Some(next) => page = Page::after(MAX_PAGE, Some(next)),
                None => break,
            }
        }
    }
    Ok(asked)
}

/// Commits what may be committed twice, also where others are at the same rows.
async fn surely(table: &dyn Table, ops: &[Op]) -> Result<(), Failure> {
    let mut tries = 1;
    loop {
        match table.commit(ops.to_vec(), None).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Contended | CommitError::Unknown(_)) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Says whether a click is a person's, by the rules of today.
pub trait Judge: Send + Sync {
    /// Why it is not; `None` if it is.
    fn judge(&self, click: &Click) -> Option<BotReason>;
}

impl<F: Fn(&Click) -> Option<BotReason> + Send + Sync> Judge for F {
    fn judge(&self, click: &Click) -> Option<BotReason> {
        self(click)
    }
}

/// Judges by the rules of today, from what is kept of a click; remembers what it said of an agent.
#[derive(Debug, Default)]
pub struct ByRules(Mutex<HashMap<(String, bool, bool), Option<BotReason>>>);

impl Judge for ByRules {
    fn judge(&self, click: &Click) -> Option<BotReason> {
        let of = (click.agent.text.clone(), click.head, click.no_accept);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > REMEMBERED {
            known.clear();
        }
        if let Some(reason) = known.get(&of) {
            return *reason;
        }
        let reason = bots::reason(&of.0, of.1, of.2);
        known.insert(of, reason);
        reason
    }
}

/// Stays by what was judged when the click came.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsStored;

impl Judge for AsStored {
    fn judge(&self, click: &Click) -> Option<BotReason> {
        click.bot
    }
}

/// What became of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recounted {
    /// It is counted.
    Counted {
        /// How many of its clicks today's rules judge otherwise.
        judged: u64,
    },
    /// A click came meanwhile: it is counted another time.
    Later,
}

/// Counts a day anew, corrects its tallies, keeps its record and deletes the row that asked for it. What was corrected
/// stands in the row that was handed over, however it ends.
///
/// # Errors
/// The store does not answer. Unless only the last answer was lost the row stands, and the next run goes on.
pub async fn recount(
    table: &dyn Table,
    scope: &Scope,
    row: &mut Stored<Recount>,
    judge: &dyn Judge,
) -> Result<Recounted, Failure> {
    let Recount { day, link, .. } = row.record.clone();
    let mut lock = Lock { table, scope, row };
    let (mut counting, mut judged) = (Counting::default(), 0);

    let mut pages = Pages::of(table, scope, &link, day);
    while let Some(page) = pages.next().await? {
        let mut others = Vec::new();
        for found in page {
            let bot = judge.judge(&found.click);
            counting.add(&found.click, bot);
            if bot != found.click.bot {
                others.push((found, bot));
            }
        }
        for some in others.chunks(JUDGED_AT_ONCE) {
            judged += some.len() as u64;
            if !lock.commit(judged_anew(scope, &link, day, some), 0).await? {
                return Ok(Recounted::Later);
            }
        }
    }

    let wrong = differences(table, scope, &link, day, &mut counting).await?;
    if !wrong.is_empty() {
        // Before they are corrected: a process that dies then has told it.
        let wrong = wrong.len();
        tracing::warn!(link, %day, wrong, "tallies that do not agree with their rows are to be corrected");
    }
    for some in wrong.chunks(MAX_OPS - 1) {
        let ops = some.iter().map(|(counter, delta)| counter.add(scope, &link, day, 0, *delta));
        if !lock.commit(ops.collect(), some.len() as u64).await? {
            return Ok(Recounted::Later);
        }
    }

    let counted = counting.done(&link, day);
    if lock.end(records::write(scope, &counted)).await? {
        Ok(Recounted::Counted { judged })
    } else {
        Ok(Recounted::Later)
    }
}

/// The row on whose version every commit is conditioned.
struct Lock<'a> {
    table: &'a dyn Table,
    scope: &'a Scope,
    row: &'a mut Stored<Recount>,
}

impl Lock<'_> {
    /// Commits, if no click came meanwhile; whether so. The row's version counts up, so that a commit whose answer was
    /// lost cannot be applied again.
    async fn commit(&mut self, mut ops: Vec<Op>, corrected: u64) -> Result<bool, Failure> {
        let mut next = self.row.clone();
        next.record.corrected = next.record.corrected.saturating_add(corrected);
        ops.push(next.update(self.scope));
        next.version = next.version.saturating_add(1);
        let done = applied(self.table.commit(ops, None).await)?;
        if done {
            *self.row = next;
        }
        Ok(done)
    }

    /// The last commit: the row goes.
    async fn end(&self, op: Op) -> Result<bool, Failure> {
        applied(self.table.commit(vec![op, self.row.delete(self.scope)], None).await)
    }
}

fn applied(outcome: Result<(), CommitError>) -> Result<bool, Failure> {
    match outcome {
        Ok(()) => Ok(true),
        Err(CommitError::Conditions(_) | CommitError::Contended) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The operations that write other judgements and add or take away what follows from them.
fn judged_anew(
    scope: &Scope,
    link: &str,
    day: Day,
    some: &[(Found, Option<BotReason>)],
) -> Vec<Op> {
    let mut deltas = std::collections::BTreeMap::<Counter<'_>, i64>::new();
    let mut ops = Vec::new();
    for (found, bot) in some {
        ops.push(found.judged(*bot));
        let delta = i64::from(bot.is_none()) - i64::from(found.click.bot.is_none());
        for counter in Counter::of(&found.click) {
            *deltas.entry(counter).or_default() += delta;
        }
    }
    let deltas = deltas.into_iter().filter(|(_, delta)| *delta != 0);
    ops.extend(deltas.map(|(counter, delta)| counter.add(scope, link, day, 0, delta)));
    ops
}

/// What has to be added to each tally so that it says what the rows say, in order.
async fn differences(
    table: &dyn Table,
    scope: &Scope,
    link: &str,
    day: Day,
    counting: &mut Counting,
) -> Result<Vec<(Counter<'static>, i64)>, Failure> {
    let mut wanted = std::mem::take(&mut counting.tallies);
    for side in counting.known_sides() {
        let query = Query::base(keys::tallies(scope, link, day)).prefix(side::of_day(side, day));
        let mut page = Page::first(MAX_PAGE);
        loop {
            let slice = table.query(&query, &page).await?;
            for row in &slice.items {
                let counter = Counter::read(row)
                    .ok_or_else(|| Failure::bug("a tally's key cannot be read"))?;
                *wanted.entry(counter).or_default() -= row.counter;
            }
            match slice.next {
                Some(next) => page = Page::after(MAX_PAGE, Some(next)),
                None => break,
            }
        }
    }
    let mut wrong: Vec<_> = wanted.into_iter().filter(|(_, delta)| *delta != 0).collect();
    wrong.sort();
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_counted_at_two_the_night_after_and_what_comes_later_the_next_night() {
        let at = |raw: &str| -> Timestamp { raw.parse().unwrap() };
        let day = Day::constant(2026, 12, 31);
        assert_eq!(first_due(day), at("2027-01-01T02:00:00Z"));
        assert_eq!(next_run(at("2027-01-01T01:59:59Z")), at("2027-01-01T02:00:00Z"));
        assert_eq!(next_run(at("2027-01-01T02:00:00Z")), at("2027-01-02T02:00:00Z"));
        assert_eq!(next_run(at("2027-01-01T23:00:00Z")), at("2027-01-02T02:00:00Z"));
    }
}
