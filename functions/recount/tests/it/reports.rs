//! Reports are held against a count of the clicks themselves (N23, and the clicks' half of N19).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use nexus_contract::memory::MemoryTable;
use nexus_core::table::{CommitError, CommitToken, Page, Query, Slice, StoreError};
use nexus_core::{Item, Key, Op, Table};
use nexus_engine::clicks::{Click, Place};
use nexus_engine::days::day_of;
use nexus_engine::tallies::reports::{self, By, Filter, Period, Unit, Visitors};
use nexus_kernel::Timestamp;
use proptest::prelude::*;

use crate::ground::{Ground, MIDNIGHT, click, later, post, scope};

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// What happens to clicks on their way.
#[derive(Debug, Clone)]
struct Way {
    clicks: Vec<Click>,
    /// After how many milliseconds each batch comes, and which clicks are in it; some are in several.
    batches: Vec<(i64, Vec<usize>)>,
    zone: &'static str,
    /// The period, in days from the first.
    from: i64,
    to: i64,
}

fn ways() -> impl Strategy<Value = Way> {
    let click = (0i64..3 * DAY, 0usize..3, 0u8..=255u8);
    let clicks = prop::collection::vec(click, 1..70);
    let batches =
        prop::collection::vec((0..5 * DAY, prop::collection::vec(0usize..70, 0..30)), 0..6);
    let zone = prop::sample::select(vec![
        "UTC",
        "Europe/Madrid",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "America/St_Johns",
        "Pacific/Apia",
    ]);
    (clicks, batches, zone, -1i64..3, 0i64..3).prop_map(|(clicks, batches, zone, from, length)| {
        let clicks: Vec<Click> = clicks
            .into_iter()
            .enumerate()
            .map(|(n, (at, link, side))| {
                crate::ground::click(n as u32, ["one", "two", "none"][link], later(at), side)
            })
            .collect();
        let mut batches: Vec<(i64, Vec<usize>)> = batches
            .into_iter()
            .map(|(at, some)| (at, some.into_iter().filter(|n| *n < clicks.len()).collect()))
            .collect();
        // Every click comes at least once, on the fourth day at the latest.
        batches.push((3 * DAY, (0..clicks.len()).rev().collect()));
        batches.sort_by_key(|(at, _)| *at);
        Way { clicks, batches, zone, from, to: from + length }
    })
}

fn date(days: i64) -> Date {
    day_of(later(days * DAY))
}

/// Those of a period, by hand.
fn within<'c>(clicks: &'c [Click], period: &Period) -> Vec<&'c Click> {
    let people = clicks.iter().filter(|click| click.bot.is_none());
    people.filter(|click| period.from() <= click.at && click.at < period.to()).collect()
}

fn value(click: &Click, by: By) -> String {
    match by {
        By::Country => match &click.place {
            Place::Spot(spot) => spot.country.clone().unwrap_or_default(),
            Place::Unlocated => String::new(),
        },
        By::Referrer => click.referrer.as_ref().map_or_else(String::new, |r| r.host.clone()),
        By::Device => click.agent.device.clone(),
        By::Link => click.link.clone(),
        By::Post => click.post.map_or_else(String::new, |post| post.to_string()),
        By::Network => String::new(),
    }
}

fn by_hand(clicks: &[&Click], by: By) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for click in clicks {
        *sums.entry(value(click, by)).or_default() += 1;
    }
    sums
}

async fn holds(ground: &Ground, clicks: &[Click], period: &Period, filter: &Filter, what: &str) {
    let table = &ground.platform.table;
    let wanted = |click: &&Click| {
        filter.link.as_ref().is_none_or(|link| *link == click.link)
            && filter.post.is_none_or(|post| Some(post) == click.post)
    };
    let those: Vec<&Click> = within(clicks, period).into_iter().filter(wanted).collect();
    let before: Vec<&Click> =
        within(clicks, &period.before().unwrap()).into_iter().filter(wanted).collect();

    for unit in [Unit::Hour, Unit::Day, Unit::Month] {
        let told = reports::series(table, &scope(), period, unit, filter).await.unwrap();
        assert_eq!((told.clicks, told.before), (those.len() as u64, before.len() as u64), "{what}");
        for (n, (start, count)) in told.points.iter().enumerate() {
            let end = told.points.get(n + 1).map_or(period.to(), |(next, _)| *next);
            let hand = those.iter().filter(|c| *start <= c.at && c.at < end).count() as u64;
            assert_eq!(*count, hand, "{what}: {unit:?} at {start}");
        }
        let hand: BTreeSet<_> = those.iter().map(|c| (&c.link, day_of(c.at), c.visitor)).collect();
        assert_eq!(told.visitors, Visitors::Counted(hand.len() as u64), "{what}");
    }
    for by in [By::Country, By::Referrer, By::Device, By::Link, By::Post] {
        let told = reports::top(table, &scope(), period, by, filter, 1_000).await.unwrap();
        let after: BTreeMap<String, u64> =
            told.rows.iter().map(|(value, clicks, _)| (value.clone(), *clicks)).collect();
        assert_eq!(after, by_hand(&those, by), "{what}: {by:?}");
        let earlier = by_hand(&before, by);
        for (value, _, before) in &told.rows {
            assert_eq!(*before, earlier.get(value).copied().unwrap_or(0), "{what}: {by:?} {value}");
        }
    }
}

async fn walk(way: Way) {
    let ground = Ground::new();
    let Way { clicks, batches, zone, from, to } = way;
    let zone = TimeZone::get(zone).unwrap();
    let period = Period::new(date(from), date(to), zone).unwrap();
    let filters = [
        Filter::default(),
        Filter { link: Some("two".into()), ..Filter::default() },
        Filter { post: Some(post(1)), ..Filter::default() },
    ];
    let mut came = BTreeSet::new();
    for (number, (at, some)) in batches.into_iter().enumerate() {
        ground.move_to(later(at));
        let batch: Vec<Click> = some.iter().map(|n| clicks[*n].clone()).collect();
        came.extend(some);
        ground.write(&batch).await;
        let done = ground.run().await;
        assert_eq!((done.corrected, done.failed), (0, 0));
        let so_far: Vec<Click> = came.iter().map(|n| clicks[*n].clone()).collect();
        let filter = &filters[number % filters.len()];
        holds(&ground, &so_far, &period, filter, &format!("batch {number}")).await;
    }
    ground.move_to(later(7 * DAY));
    ground.run().await;
    for filter in &filters {
        holds(&ground, &clicks, &period, filter, "at last").await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn n23_n19_reports_equal_a_recount_of_late_doubled_and_reordered_clicks(way in ways()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(walk(way));
    }
}

#[tokio::test]
async fn n19_clicks_per_post_equal_the_rows_and_a_network_is_that_of_its_posts() {
    let ground = Ground::new();
    let clicks: Vec<Click> = (0..40u32)
        .map(|n| {
            let link = ["one", "two", "none"][n as usize % 3];
            crate::ground::click(n, link, later(i64::from(n) * 600_000), n as u8)
        })
        .collect();
    ground.write(&clicks).await;
    let period = Period::new(date(0), date(0), TimeZone::UTC).unwrap();
    for _ in 0..2 {
        let (table, all) = (&ground.platform.table, Filter::default());
        let told = reports::top(table, &scope(), &period, By::Post, &all, 10).await.unwrap();
        let told: BTreeMap<String, u64> =
            told.rows.into_iter().map(|(post, n, _)| (post, n)).collect();
        let people: Vec<&Click> = clicks.iter().filter(|c| c.bot.is_none()).collect();
        assert_eq!(told, by_hand(&people, By::Post));
        assert_eq!(told.values().sum::<u64>(), people.len() as u64);
        // And once the day is counted.
        ground.move_to(later(2 * DAY));
        ground.run().await;
    }
}

#[tokio::test]
async fn a_moment_on_the_edge_belongs_to_the_day_that_begins() {
    let ground = Ground::new();
    let edge: Timestamp = "2027-03-01T18:30:00Z".parse().unwrap();
    let before = edge - jiff::SignedDuration::from_millis(1);
    let clicks =
        [crate::ground::click(1, "one", edge, 2), crate::ground::click(2, "one", before, 2)];
    ground.write(&clicks).await;
    let kolkata = TimeZone::get("Asia/Kolkata").unwrap();
    let day = Date::constant(2027, 3, 2);
    let period = Period::new(day, day, kolkata).unwrap();
    holds(&ground, &clicks, &period, &Filter::default(), "open").await;
    ground.move_to("2027-03-04T03:00:00Z".parse().unwrap());
    ground.run().await;
    holds(&ground, &clicks, &period, &Filter::default(), "counted").await;
}

/// A table that tells how many questions it is asked at once, and how many rows one by one.
struct Watched {
    table: MemoryTable,
    now: AtomicUsize,
    most: AtomicUsize,
    alone: AtomicUsize,
}

#[async_trait::async_trait]
impl Table for Watched {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.alone.fetch_add(1, Ordering::Relaxed);
        self.table.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        self.table.get_many(keys).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.now.fetch_sub(1, Ordering::Relaxed);
        self.table.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        self.table.commit(ops, token).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.table.scan(page).await
    }
}

#[tokio::test]
async fn a_report_asks_many_things_at_once_and_no_more_than_it_may() {
    let ground = Ground::new();
    let clicks: Vec<Click> =
        (0..40).map(|n| click(n, "two", later(i64::from(n) * 60_000), n as u8)).collect();
    ground.write(&clicks).await;
    let table = Watched {
        table: ground.platform.table.clone(),
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        alone: AtomicUsize::new(0),
    };
    let day = day_of(MIDNIGHT);
    let period = Period::new(day, day, TimeZone::UTC).unwrap();
    let all = Filter::default();
    let told = reports::series(&table, &scope(), &period, Unit::Day, &all).await.unwrap();
    assert_eq!(told.visitors, Visitors::Counted(7));
    let most = table.most.load(Ordering::Relaxed);
    assert!((8..=64).contains(&most), "its visitors are read shard beside shard: {most}");
    reports::top(&table, &scope(), &period, By::Network, &all, 10).await.unwrap();
    assert_eq!(table.alone.load(Ordering::Relaxed), 0, "posts are read together");
}
