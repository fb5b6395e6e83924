//! The clicks of a period, by link and day: counted days from their records, open ones from tallies.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use nexus_core::effect::EffectId;
use nexus_core::table::{Item, MAX_PAGE, Page, Query};
use nexus_core::{Scope, Table, records};
use nexus_kernel::{Failure, Timestamp};

use super::super::day::ClickDay;
use super::super::keys::{self, DAY_MS, Day, QUARTER_MS, QUARTERS, RECOUNT, SHARDS, begin};
use super::super::recounting::Recount;
use super::super::row::read_post;
use super::super::rows::Pages;
use super::super::side::{self, Counter, Side};
use super::{Filter, Period, networks};
use crate::clicks::Click;
use crate::days::day_of;

/// How many questions the store is asked at once.
pub(super) const AT_ONCE: usize = 16;
/// How many shards of a day are read at once, beside other days.
const SHARDS_AT_ONCE: usize = 4;

/// The clicks of one link, of one post, on one day of UTC, as far as they lie in the period.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) day: Day,
    pub(super) link: String,
    pub(super) post: Option<EffectId>,
    /// By the quarter of an hour.
    quarters: Vec<u64>,
}

impl Part {
    pub(super) fn clicks(&self) -> u64 {
        self.quarters.iter().sum()
    }
}

/// What stands of a period.
#[derive(Debug)]
pub(super) struct Standing {
    from: Timestamp,
    to: Timestamp,
    /// The days of links that were counted anew and to which nothing came since.
    counted: BTreeMap<(Day, String), ClickDay>,
    /// The others.
    open: BTreeSet<(Day, String)>,
    parts: Vec<Part>,
    /// Days of links whose clicks are of several posts, of which only some are asked for.
    mixed: BTreeMap<(Day, String), BTreeSet<Option<EffectId>>>,
}

impl Standing {
    /// Reads it.
    pub(super) async fn read(
        table: &dyn Table,
        scope: &Scope,
        period: &Period,
        filter: &Filter,
    ) -> Result<Self, Failure> {
        let (from, to) = (period.from(), period.to());
        let (first, last) = (day_of(from), day_of(before(to)));
        let link = filter.link.as_deref();
        // What is open is read first: a day that is counted in between is then read from its tallies.
        let open = open_days(table, scope, first, last, link).await?;
        let counted = counted_days(table, scope, first, last, link).await?;
        let mut standing =
            Self { from, to, counted, open, parts: Vec::new(), mixed: BTreeMap::new() };
        // Something came since it was counted: its record is old.
        standing.counted.retain(|of, _| !standing.open.contains(of));

        let mut totals = Vec::new();
        for (of, day) in &standing.counted {
            match day.posts.as_slice() {
                [] => {}
                [(post, _)] => {
                    let quarters = day.quarters.iter().map(|count| u64::from(*count)).collect();
                    standing.parts.push(Part {
                        day: of.0,
                        link: of.1.clone(),
                        post: *post,
                        quarters,
                    });
                }
                // Which quarter is which post's, the tallies know.
                _ => totals.push(of.clone()),
            }
        }
        totals.extend(standing.open.iter().cloned());
        let totals = totals.into_iter().map(|(day, link)| parts_of(table, scope, day, link));
        let mut read = stream::iter(totals.collect::<Vec<_>>()).buffered(AT_ONCE);
        while let Some(parts) = read.try_next().await? {
            standing.parts.extend(parts);
        }
        standing.clip();
        standing.choose(table, scope, filter).await?;
        Ok(standing)
    }

    /// Takes out what lies on the first and last day, but not in the period.
    fn clip(&mut self) {
        let (from, to) = (self.from.as_millisecond(), self.to.as_millisecond());
        for part in &mut self.parts {
            let start = begin(part.day).as_millisecond();
            if from <= start && start + DAY_MS <= to {
                continue;
            }
            for (quarter, count) in (0i64..).zip(&mut part.quarters) {
                let at = start + quarter * QUARTER_MS;
                if at < from || to <= at {
                    *count = 0;
                }
            }
        }
        self.parts.retain(|part| part.clicks() > 0);
    }

    /// Takes out what the filter does not want.
    async fn choose(
        &mut self,
        table: &dyn Table,
        scope: &Scope,
        filter: &Filter,
    ) -> Result<(), Failure> {
        if filter.post.is_none() && filter.network.is_none() {
            return Ok(());
        }
        let on = match filter.network {
            None => HashMap::new(),
            Some(_) => {
                let posts = self.parts.iter().filter_map(|part| part.post).collect();
                networks(table, scope, posts).await?
            }
        };
        let wanted = |post: Option<EffectId>| {
            let network = post.and_then(|post| on.get(&post).copied());
            filter.post.is_none_or(|wanted| post == Some(wanted))
                && filter.network.is_none_or(|wanted| network == Some(wanted))
        };
        let mut posts: BTreeMap<(Day, String), BTreeSet<Option<EffectId>>> = BTreeMap::new();
        for part in &self.parts {
            posts.entry((part.day, part.link.clone())).or_default().insert(part.post);
        }
        self.parts.retain(|part| wanted(part.post));
        for (of, posts) in posts {
            let some: BTreeSet<_> = posts.iter().copied().filter(|post| wanted(*post)).collect();
            if !some.is_empty() && some.len() < posts.len() {
                self.mixed.insert(of, some);
            }
        }
        let left: BTreeSet<_> = self.parts.iter().map(|p| (p.day, p.link.clone())).collect();
        self.counted.retain(|of, _| left.contains(of));
        self.open.retain(|of| left.contains(of));
        Ok(())
    }

    /// Its parts.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter()
    }

    /// All its clicks.
    pub(super) fn clicks(&self) -> u64 {
        self.parts.iter().map(Part::clicks).sum()
    }

    /// The clicks of each quarter of an hour that has any, over all links, in order.
    pub(super) fn by_quarter(&self) -> Vec<(Timestamp, u64)> {
        let mut days: BTreeMap<Day, [u64; QUARTERS]> = BTreeMap::new();
        for part in &self.parts {
            let sums = days.entry(part.day).or_insert([0; QUARTERS]);
            for (sum, count) in sums.iter_mut().zip(&part.quarters) {
                *sum += count;
            }
        }
        let mut told = Vec::new();
        for (day, sums) in days {
            let start = begin(day).as_millisecond();
            for (quarter, count) in (0i64..).zip(sums).filter(|(_, count)| *count > 0) {
                let at = Timestamp::from_millisecond(start + quarter * QUARTER_MS);
                told.extend(at.ok().map(|at| (at, count)));
            }
        }
        told
    }

    /// Whether a day of UTC lies in the period as a whole.
    fn whole(&self, day: Day) -> bool {
        let start = begin(day);
        self.from <= start && start.as_millisecond() + DAY_MS <= self.to.as_millisecond()
    }

    /// A day of a link, if it was counted, lies in the period as a whole and is asked for as a whole.
    pub(super) fn counted_whole(&self, day: Day, link: &str) -> Option<&ClickDay> {
        let of = (day, link.to_owned());
        let counted = self.counted.get(&of).filter(|_| self.whole(day));
        counted.filter(|_| !self.mixed.contains_key(&of))
    }

    /// Which milliseconds of a day of UTC lie in the period: from the first to before the second.
    pub(super) fn within(&self, day: Day) -> (i64, i64) {
        let start = begin(day).as_millisecond();
        let of_day = |at: Timestamp| (at.as_millisecond() - start).clamp(0, DAY_MS);
        (of_day(self.from), of_day(self.to))
    }

    /// Whether a click of a link's day is a person's, and of a post that is asked for.
    pub(super) fn wants(&self, day: Day, link: &str, click: &Click) -> bool {
        let posts = self.mixed.get(&(day, link.to_owned()));
        click.bot.is_none() && posts.is_none_or(|posts| posts.contains(&click.post))
    }

    /// The clicks by the values of a side.
    pub(super) async fn by_side(
        &self,
        table: &dyn Table,
        scope: &Scope,
        side: Side,
    ) -> Result<BTreeMap<String, u64>, Failure> {
        let mut sums: HashMap<String, u64> = HashMap::new();
        let mut asked = Vec::new();
        let seen: BTreeSet<(Day, &str)> =
            self.parts.iter().map(|p| (p.day, p.link.as_str())).collect();
        for (day, link) in seen {
            let list = self.counted_whole(day, link).and_then(|counted| counted.top(side));
            match list.filter(|list| list.others == 0) {
                Some(list) => {
                    for (value, count) in &list.listed {
                        match sums.get_mut(value) {
                            Some(sum) => *sum += count,
                            None => drop(sums.insert(value.clone(), *count)),
                        }
                    }
                }
                None => asked.push((day, link.to_owned())),
            }
        }
        let asked = asked.into_iter().map(|of| self.one_by_side(table, scope, of, side));
        let mut read = stream::iter(asked.collect::<Vec<_>>()).buffered(AT_ONCE);
        while let Some(counts) = read.try_next().await? {
            for (value, count) in counts {
                *sums.entry(value).or_default() += count;
            }
        }
        Ok(sums.into_iter().filter(|(_, count)| *count > 0).collect())
    }

    async fn one_by_side(
        &self,
        table: &dyn Table,
        scope: &Scope,
        of: (Day, String),
        side: Side,
    ) -> Result<Vec<(String, u64)>, Failure> {
        if self.mixed.contains_key(&of) {
            // Only totals are counted by post.
            let part = self.within(of.0);
            return self.by_rows(table, scope, (of.0, &of.1), side, part).await;
        }
        self.by_tallies(table, scope, of.0, &of.1, side).await
    }

    /// Of one link and day, by its tallies; of an hour that the period cuts, by its rows.
    async fn by_tallies(
        &self,
        table: &dyn Table,
        scope: &Scope,
        day: Day,
        link: &str,
        side: Side,
    ) -> Result<Vec<(String, u64)>, Failure> {
        let start = begin(day).as_millisecond();
        let (from, to) = (self.from.as_millisecond(), self.to.as_millisecond());
        let (mut counts, mut cut) = (Vec::new(), BTreeSet::new());
        for (counter, count) in counters(table, scope, link, day, side).await? {
            let at = start + i64::from(counter.quarter) * QUARTER_MS;
            let end = at + 4 * QUARTER_MS;
            if from <= at && end <= to {
                counts.push((counter.value.into_owned(), count));
            } else if from < end && at < to {
                cut.insert(at);
            }
        }
        for at in cut {
            let part = (at.max(from) - start, (at + 4 * QUARTER_MS).min(to) - start);
            counts.extend(self.by_rows(table, scope, (day, link), side, part).await?);
        }
        Ok(counts)
    }

    /// Of a part of a day, in milliseconds, by its rows.
    async fn by_rows(
        &self,
        table: &dyn Table,
        scope: &Scope,
        (day, link): (Day, &str),
        side: Side,
        (from, to): (i64, i64),
    ) -> Result<Vec<(String, u64)>, Failure> {
        let shards = (0..SHARDS).map(|shard| async move {
            let mut pages = Pages::of(table, scope, link, day).between(from, to).of_shard(shard);
            let mut sums: HashMap<String, u64> = HashMap::new();
            while let Some(page) = pages.next().await? {
                for click in page.iter().map(|found| &found.click) {
                    if self.wants(day, link, click) {
                        *sums.entry(side.of(click).into_owned()).or_default() += 1;
                    }
                }
            }
            Ok::<_, Failure>(sums)
        });
        let mut read = stream::iter(shards.collect::<Vec<_>>()).buffer_unordered(SHARDS_AT_ONCE);
        let mut sums: HashMap<String, u64> = HashMap::new();
        while let Some(some) = read.try_next().await? {
            for (value, count) in some {
                *sums.entry(value).or_default() += count;
            }
        }
        Ok(sums.into_iter().collect())
    }
}

/// The millisecond before.
fn before(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond().saturating_sub(1)).unwrap_or(at)
}

/// All rows of a question.
async fn all(table: &dyn Table, query: Query) -> Result<Vec<Item>, Failure> {
    let (mut rows, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let slice = table.query(&query, &page).await?;
        rows.extend(slice.items);
        match slice.next {
            Some(next) => page = Page::after(MAX_PAGE, Some(next)),
            None => return Ok(rows),
        }
    }
}

/// The days of links that are not counted, or to which clicks came since.
async fn open_days(
    table: &dyn Table,
    scope: &Scope,
    first: Day,
    last: Day,
    link: Option<&str>,
) -> Result<BTreeSet<(Day, String)>, Failure> {
    // The last character of all sorts after every code.
    let (from, to) = (keys::date(first), format!("{}#\u{10ffff}", keys::date(last)));
    let query = Query::base(scope.partition(RECOUNT)).between(from, to);
    let mut open = BTreeSet::new();
    for row in all(table, query).await? {
        let Recount { day, link: of, .. } = records::read::<Recount>(&row)?.record;
        if link.is_none_or(|wanted| wanted == of) {
            open.insert((day, of));
        }
    }
    Ok(open)
}

/// The days of links that were counted anew.
async fn counted_days(
    table: &dyn Table,
    scope: &Scope,
    first: Day,
    last: Day,
    link: Option<&str>,
) -> Result<BTreeMap<(Day, String), ClickDay>, Failure> {
    let mut days = BTreeMap::new();
    if let Some(link) = link {
        let each = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        let keys: Vec<_> = each
            .take_while(|day| *day <= last)
            .map(|day| keys::counted(scope, link, day))
            .collect();
        for row in table.get_many(&keys).await?.iter().flatten() {
            let day = records::read::<ClickDay>(row)?.record;
            days.insert((day.day, day.link.clone()), day);
        }
        return Ok(days);
    }
    let months = std::iter::successors(Some(first.first_of_month()), |month| {
        month.last_of_month().tomorrow().ok()
    });
    let months: Vec<Day> = months.take_while(|month| *month <= last).collect();
    let (from, to) = (keys::date(first), format!("{}#\u{10ffff}", keys::date(last)));
    let months = months
        .into_iter()
        .map(|month| all_days(table, Query::base(keys::days(scope, month)).between(&from, &to)));
    let mut read = stream::iter(months.collect::<Vec<_>>()).buffered(AT_ONCE);
    while let Some(some) = read.try_next().await? {
        days.extend(some.into_iter().map(|day| ((day.day, day.link.clone()), day)));
    }
    Ok(days)
}

async fn all_days(table: &dyn Table, query: Query) -> Result<Vec<ClickDay>, Failure> {
    let rows = all(table, query).await?;
    rows.iter().map(|row| Ok(records::read::<ClickDay>(row)?.record)).collect()
}

/// One link's tallies of one side on one day.
async fn counters(
    table: &dyn Table,
    scope: &Scope,
    link: &str,
    day: Day,
    side: Side,
) -> Result<Vec<(Counter<'static>, u64)>, Failure> {
    let query = Query::base(keys::tallies(scope, link, day)).prefix(side::of_day(side, day));
    let rows = all(table, query).await?;
    let mut sums: BTreeMap<Counter<'static>, i64> = BTreeMap::new();
    for row in &rows {
        let counter =
            Counter::read(row).ok_or_else(|| Failure::bug("a tally's key cannot be read"))?;
        *sums.entry(counter).or_default() += row.counter;
    }
    Ok(sums.into_iter().map(|(c, sum)| (c, u64::try_from(sum).unwrap_or(0))).collect())
}

/// One link's clicks of one day, by post.
async fn parts_of(
    table: &dyn Table,
    scope: &Scope,
    day: Day,
    link: String,
) -> Result<Vec<Part>, Failure> {
    let mut posts: BTreeMap<Option<EffectId>, Vec<u64>> = BTreeMap::new();
    for (counter, count) in counters(table, scope, &link, day, Side::Total).await? {
        let quarters = posts.entry(read_post(&counter.value)).or_insert_with(|| vec![0; QUARTERS]);
        if let Some(sum) = quarters.get_mut(usize::from(counter.quarter)) {
            *sum += count;
        }
    }
    let part = |(post, quarters)| Part { day, link: link.clone(), post, quarters };
    Ok(posts.into_iter().map(part).collect())
}
