//! Clicks come in batches, and count once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use nexus_attribute::Attribute;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::effect::EffectId;
use nexus_core::table::{CommitError, CommitToken, Page, Query, Slice, StoreError};
use nexus_core::{Envelope, Item, Key, Op, RecordKind, Scope, Table};
use nexus_engine::EnginePlatform;
use nexus_engine::clicks::{
    Agent, Click, ClickId, Clicks, Followed, Place, Referrer, Spot, Visitor, bots,
};
use nexus_engine::days::day_of;
use nexus_engine::platform::Access;
use nexus_engine::tallies::{ClickWriter, Letter, Pages, live};
use nexus_handler::{Entry, Invocation};
use nexus_kernel::Timestamp;
use nexus_testkit::{MemoryPlatform, people};
use serde_json::{Value, json};

fn scope(tenant: u32) -> Scope {
    people::scope(people::tenant(tenant))
}

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1";

/// The n-th click of some: from two countries, with three programs, one in five by a robot, some without what a person
/// sends.
fn click(n: u32, at: Timestamp) -> Click {
    let place = if n.is_multiple_of(3) {
        Place::Unlocated
    } else {
        Place::Spot(Spot {
            country: Some(["GB", "ES"][n as usize % 2].into()),
            region: Some("ENG".into()),
            city: n.is_multiple_of(2).then(|| "Kingston upon Hull".into()),
            tenths: Some([537, -3]),
        })
    };
    let text = match (n % 5, n % 3) {
        (0, _) => "facebookexternalhit/1.1",
        (_, 0) => "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
        _ => IPHONE,
    };
    let (head, no_accept) = (n.is_multiple_of(7), n.is_multiple_of(11));
    Click {
        id: ClickId::derived(&["click", &n.to_string()]),
        at,
        link: "BCDFGHJK23".into(),
        post: n.is_multiple_of(2).then(|| EffectId::derived(&["post"])),
        place,
        agent: Agent::of(text),
        referrer: (n % 4 == 1)
            .then(|| Referrer { host: "news.example".into(), path: "/a#b?".into() }),
        visitor: Visitor([7, 0, 0, 0, 0, 0, 0, (n % 5) as u8]),
        bot: bots::reason(text, head, no_accept),
        head,
        no_accept,
    }
}

fn some(platform: &MemoryPlatform, count: u32) -> Vec<Click> {
    let at = |n: u32| platform.now() + jiff::SignedDuration::from_mins(i64::from(n) * 7 % 400);
    (0..count).map(|n| click(n, at(n))).collect()
}

fn message(id: usize, scope: &Scope, clicks: &[Click]) -> Value {
    let body =
        Envelope::seal(scope, "trace", &Clicks::of(clicks.iter().map(Followed::from))).unwrap();
    json!({"messageId": format!("m{id}"), "body": body})
}

async fn deliver(platform: &MemoryPlatform, messages: &[Value], at: Invocation) -> Vec<String> {
    let wired: &dyn EnginePlatform = platform;
    let Entry::Event(function) = Entry::event::<Attribute, _>(wired, &platform.env()).unwrap()
    else {
        panic!("it takes events")
    };
    let event = json!({ "Records": messages }).to_string();
    let reply = function.call(event.as_bytes(), at).await.unwrap();
    let reply: Value = serde_json::from_str(reply.get()).unwrap();
    let failed = reply["batchItemFailures"].as_array().unwrap().iter();
    failed.map(|failed| failed["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

/// All clicks of a tenant's link, over some days.
async fn rows(platform: &MemoryPlatform, scope: &Scope) -> BTreeMap<ClickId, Click> {
    let mut clicks = BTreeMap::new();
    let mut day = day_of(platform.now());
    for _ in 0..3 {
        let mut pages = Pages::of(&platform.table, scope, "BCDFGHJK23", day);
        while let Some(page) = pages.next().await.unwrap() {
            clicks.extend(page.into_iter().map(|found| (found.click.id, found.click)));
        }
        day = day.tomorrow().unwrap();
    }
    clicks
}

fn of_kind(rows: &[Item], kind: RecordKind) -> Vec<&Item> {
    rows.iter().filter(|row| row.kind == kind).collect()
}

/// The sum of all counters of one side.
fn sum(rows: &[Item], side: &str) -> i64 {
    let tallies = of_kind(rows, RecordKind::Tally).into_iter();
    tallies.filter(|row| row.key.sk().starts_with(side)).map(|row| row.counter).sum()
}

/// Every tally says what the rows say.
async fn counted(platform: &MemoryPlatform, clicks: &[Click], what: &str) {
    let people = clicks.iter().filter(|click| click.bot.is_none()).count() as i64;
    let rows = platform.rows().await;
    assert_eq!(of_kind(&rows, RecordKind::Click).len(), clicks.len(), "{what}");
    for side in ["t#", "c#", "r#", "d#"] {
        assert_eq!(sum(&rows, side), people, "{what}: {side}");
    }
    let country = |code: &str| -> i64 {
        let of = of_kind(&rows, RecordKind::Tally).into_iter();
        let of = of
            .filter(|r| r.key.sk().starts_with("c#") && r.key.sk().ends_with(&format!("#{code}")));
        of.map(|row| row.counter).sum()
    };
    for code in ["GB", "ES"] {
        let is = |click: &&Click| {
            click.bot.is_none()
                && matches!(&click.place, Place::Spot(s) if s.country.as_deref() == Some(code))
        };
        assert_eq!(country(code), clicks.iter().filter(is).count() as i64, "{what}: {code}");
    }
    assert_eq!(of_kind(&rows, RecordKind::UserAgent).len(), 3, "{what}: each agent is kept once");
}

#[tokio::test]
async fn n8_a_click_reads_back_exactly_as_it_came_and_its_row_holds_nothing_else() {
    let platform = MemoryPlatform::new();
    let clicks = some(&platform, 300);
    let failed = deliver(&platform, &[message(0, &scope(1), &clicks)], platform.invocation()).await;
    assert!(failed.is_empty());
    let read: Vec<Click> = rows(&platform, &scope(1)).await.into_values().collect();
    let mut sent = clicks.clone();
    sent.sort_by_key(|click| click.id);
    assert_eq!(read, sent);
    counted(&platform, &clicks, "three hundred").await;
    for row in of_kind(&platform.rows().await, RecordKind::Click) {
        let body: Value = serde_json::from_str(&row.body).unwrap();
        for field in body.as_object().unwrap().keys() {
            assert!(["v", "g", "p", "l", "r", "b", "h", "n"].contains(&field.as_str()), "{field}");
        }
    }
}

#[tokio::test]
async fn n23_a_click_counts_once_however_it_is_cut_and_however_often_it_comes() {
    let platform = MemoryPlatform::new();
    let clicks = some(&platform, 250);
    let one = scope(1);
    let first: Vec<Value> =
        clicks.chunks(7).enumerate().map(|(n, some)| message(n, &one, some)).collect();
    // Twice in one batch, in another order, and again cut otherwise.
    let mut batch = first.clone();
    batch.extend(first.into_iter().rev());
    assert!(deliver(&platform, &batch, platform.invocation()).await.is_empty());
    let again: Vec<Value> =
        clicks.chunks(100).enumerate().map(|(n, some)| message(n, &one, some)).collect();
    assert!(deliver(&platform, &again, platform.invocation()).await.is_empty());
    counted(&platform, &clicks, "twice and again").await;
}

#[tokio::test]
async fn tenants_with_the_same_link_are_counted_apart_and_poison_fails_alone() {
    let platform = MemoryPlatform::new();
    let clicks = some(&platform, 40);
    let mut spoilt = clicks[..1].to_vec();
    spoilt[0].link = "a#b".into();
    let batch = [
        message(0, &scope(1), &clicks),
        json!({"messageId": "m1", "body": "{}"}),
        message(2, &scope(2), &clicks[..10]),
        message(3, &scope(1), &spoilt),
    ];
    assert_eq!(deliver(&platform, &batch, platform.invocation()).await, ["m1", "m3"]);
    assert_eq!(rows(&platform, &scope(1)).await.len(), 40);
    assert_eq!(rows(&platform, &scope(2)).await.len(), 10);
}

#[tokio::test]
async fn n23_whoever_dies_at_any_call_of_the_table_has_counted_nothing_twice_and_lost_nothing() {
    let mut died = 0;
    for at in 0..200 {
        let mut over = 0;
        for how in [Fault::Before, Fault::After] {
            let faults = Faults::crash(at, how);
            let flaky = faults.clone();
            let platform =
                MemoryPlatform::new().with_table(|table| Arc::new(Flaky::new(table, flaky)));
            let clicks = some(&platform, 180);
            let batch: Vec<Value> =
                clicks.chunks(9).enumerate().map(|(n, some)| message(n, &scope(1), some)).collect();
            let failed = deliver(&platform, &batch, platform.invocation()).await;
            over += usize::from(faults.calls() <= at);
            died += usize::from(!failed.is_empty());
            faults.revive();
            let again: Vec<Value> = batch
                .into_iter()
                .filter(|m| failed.iter().any(|id| m["messageId"] == id.as_str()))
                .collect();
            assert!(deliver(&platform, &again, platform.invocation()).await.is_empty());
            counted(&platform, &clicks, &format!("call {at} {how:?}")).await;
        }
        if over == 2 {
            assert!(at > 2 && died > 2, "{at} calls, {died} deaths");
            return;
        }
    }
    panic!("a batch has fewer calls than this");
}

#[tokio::test]
async fn a_table_that_fails_now_and_then_is_asked_again_by_the_queue() {
    for seed in 0..60 {
        let faults = Faults::seeded(seed, 3);
        let flaky = faults.clone();
        let platform = MemoryPlatform::new().with_table(|table| Arc::new(Flaky::new(table, flaky)));
        let clicks = some(&platform, 120);
        let mut batch: Vec<Value> =
            clicks.chunks(11).enumerate().map(|(n, c)| message(n, &scope(1), c)).collect();
        for _ in 0..50 {
            let failed = deliver(&platform, &batch, platform.invocation()).await;
            batch.retain(|m| failed.iter().any(|id| m["messageId"] == id.as_str()));
        }
        assert!(batch.is_empty(), "seed {seed}");
        counted(&platform, &clicks, &format!("seed {seed}")).await;
    }
}

/// A table in which others are at the same rows: of commits that begin with the same row the first eight change nothing.
struct Crowded {
    table: Arc<dyn Table>,
    met: Mutex<BTreeMap<Key, u32>>,
}

#[async_trait::async_trait]
impl Table for Crowded {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.table.get(key).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        self.table.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        let met = {
            let mut met = self.met.lock().unwrap();
            let met = met.entry(ops[0].key().clone()).or_default();
            *met += 1;
            *met
        };
        if met <= 8 { Err(CommitError::Contended) } else { self.table.commit(ops, token).await }
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.table.scan(page).await
    }
}

#[tokio::test]
async fn n23_where_many_follow_one_link_at_once_each_click_counts_once_and_none_is_lost() {
    let platform = MemoryPlatform::new()
        .with_table(|table| Arc::new(Crowded { table, met: Mutex::default() }));
    let clicks = some(&platform, 300);
    for _ in 0..2 {
        let messages = [message(0, &scope(1), &clicks)];
        let failed = deliver(&platform, &messages, platform.invocation()).await;
        assert_eq!(failed, [""; 0]);
        counted(&platform, &clicks, "where it is crowded").await;
    }
}

#[tokio::test]
async fn whoever_adds_begins_at_a_shard_by_chance() {
    let platform = MemoryPlatform::new();
    let wired: &dyn EnginePlatform = &platform;
    let writer = ClickWriter::new(wired.table(Access::Write), platform.ambient());
    for n in 0..32 {
        let letters = [Letter { scope: scope(1), clicks: &[click(2 * n + 1, platform.now())] }];
        assert!(writer.write(&letters).await.is_empty());
    }
    let rows = platform.rows().await;
    let tallies = of_kind(&rows, RecordKind::Tally).into_iter();
    let shards: BTreeSet<&str> = tallies.filter_map(|r| r.key.sk().split('#').nth(2)).collect();
    assert_eq!(shards, ["0", "1", "2", "3"].into());
}

#[tokio::test]
async fn a_day_is_to_be_counted_anew_two_hours_after_its_end() {
    let platform = MemoryPlatform::new();
    let clicks = some(&platform, 5);
    deliver(&platform, &[message(0, &scope(1), &clicks)], platform.invocation()).await;
    let rows = platform.rows().await;
    let recounts = of_kind(&rows, RecordKind::Recount);
    let [row] = recounts.as_slice() else { panic!("{recounts:?}") };
    let day = day_of(platform.now());
    let due = day.tomorrow().unwrap().at(2, 0, 0, 0).in_tz("UTC").unwrap().timestamp();
    let due = format!("{:013}", due.as_millisecond());
    assert!(row.due.as_ref().unwrap().sort.starts_with(&due), "{row:?}");
    // What comes after the day was counted puts another version.
    platform.advance(jiff::SignedDuration::from_hours(72));
    let late = [click(900, clicks[0].at), click(901, clicks[0].at)];
    let mut versions = vec![row.version];
    for one in late {
        deliver(&platform, &[message(0, &scope(1), &[one])], platform.invocation()).await;
        let rows = platform.rows().await;
        versions.push(of_kind(&rows, RecordKind::Recount)[0].version);
    }
    versions.dedup();
    assert_eq!(versions.len(), 3);
}

#[tokio::test]
async fn live_clicks_are_told_in_order_each_once_and_robots_among_them() {
    let platform = MemoryPlatform::new();
    let clicks = some(&platform, 230);
    let mut position = live::from_now(platform.now());
    let mut told = Vec::new();
    for part in clicks.chunks(46) {
        deliver(&platform, &[message(0, &scope(1), part)], platform.invocation()).await;
        platform.advance(jiff::SignedDuration::from_secs(2));
        let written =
            live::written_after(&platform.table, &scope(1), &position, platform.now()).await;
        let written = written.unwrap();
        position = written.position;
        told.extend(written.clicks);
    }
    assert!(told.len() < clicks.len(), "what was just written is not settled");
    platform.advance(jiff::SignedDuration::from_secs(6));
    loop {
        let written =
            live::written_after(&platform.table, &scope(1), &position, platform.now()).await;
        let written = written.unwrap();
        position = written.position;
        told.extend(written.clicks);
        if !written.more {
            break;
        }
    }
    let mut ids: Vec<ClickId> = told.iter().map(|click| click.id).collect();
    ids.sort_unstable();
    let mut sent: Vec<ClickId> = clicks.iter().map(|click| click.id).collect();
    sent.sort_unstable();
    assert_eq!(ids, sent, "each once");
    assert!(told.iter().any(|click| click.bot.is_some()));
    platform.advance(jiff::SignedDuration::from_hours(2));
    let old = live::written_after(&platform.table, &scope(1), "", platform.now()).await.unwrap();
    assert!(old.clicks.is_empty(), "after an hour nobody is told");
}
