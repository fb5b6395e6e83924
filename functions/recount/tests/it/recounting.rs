//! A day counted anew, whoever dies meanwhile.

use std::sync::Arc;

use jiff::{SignedDuration, ToSpan};
use nexus_contract::{Fault, Faults, Flaky, StaleIndex};
use nexus_core::{Op, RecordKind, Table};
use nexus_engine::EnginePlatform;
use nexus_engine::clicks::{Agent, BotReason, Click};
use nexus_engine::days::day_of;
use nexus_engine::tallies::{self, AsStored};
use nexus_handler::Wire as _;
use nexus_recount::{Done, RecountClicks};

use crate::ground::{Ground, MIDNIGHT, click, later, scope};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Sixty clicks of one link on the first day, some by robots.
fn day() -> Vec<Click> {
    (0..60u32).map(|n| click(n, "one", later(i64::from(n) * 13 * MINUTE), (n * 4) as u8)).collect()
}

async fn written() -> Ground {
    let ground = Ground::new();
    ground.write(&day()).await;
    ground.move_to(later(DAY + 121 * MINUTE));
    ground
}

#[tokio::test]
async fn a_day_is_counted_once_it_is_over() {
    let ground = Ground::new();
    ground.write(&day()).await;
    ground.move_to(later(DAY + 119 * MINUTE));
    assert_eq!(ground.run().await, Done { complete: true, ..Done::default() });
    ground.move_to(later(DAY + 120 * MINUTE));
    assert_eq!(ground.run().await, Done { counted: 1, complete: true, ..Done::default() });
    let days = ground.days().await;
    let [counted] = days.as_slice() else { panic!("{days:?}") };
    let people: Vec<Click> = day().into_iter().filter(|click| click.bot.is_none()).collect();
    assert_eq!((counted.day, counted.clicks()), (day_of(MIDNIGHT), people.len() as u64));
    assert_eq!(counted.hours().iter().sum::<u64>(), people.len() as u64);
    assert_eq!(counted.bots[&BotReason::Robot], 60 - people.len() as u64);
    assert_eq!(counted.visitors, 7);
    assert_eq!(counted.posts, [(people[0].post, people.len() as u64)]);
    assert!(ground.rows(RecordKind::Recount).await.is_empty());
    // It is not due any more.
    assert_eq!(ground.run().await, Done { complete: true, ..Done::default() });
}

#[tokio::test]
async fn a_tally_that_is_wrong_is_corrected_and_wakes_somebody() {
    let ground = written().await;
    let right = ground.tallies().await;
    let tallies = ground.rows(RecordKind::Tally).await;
    for (n, row) in tallies.iter().enumerate().filter(|(n, _)| n % 3 == 0) {
        let delta = if n % 2 == 0 { 5 } else { -1 };
        let (key, when) = (row.key.clone(), nexus_core::table::Condition::Present);
        let add = Op::Add { key, kind: RecordKind::Tally, delta, expires: None, when };
        ground.platform.commit(vec![add]).await;
    }
    let wrong = tallies.len().div_ceil(3) as u64;
    let done = ground.run().await;
    assert_eq!((done.counted, done.corrected), (1, wrong));
    assert_eq!(ground.tallies().await, right);
}

#[tokio::test]
async fn whoever_dies_at_any_call_leaves_what_the_next_run_ends() {
    let whole = written().await;
    whole.run().await;
    let (right, record) = (whole.tallies().await, whole.days().await);
    for at in 0..400 {
        let mut over = 0;
        for how in [Fault::Before, Fault::After] {
            let ground = written().await;
            // Many are wrong, so that they are corrected in several commits.
            let many = ground.tallies().await.len() as u64;
            for row in ground.rows(RecordKind::Tally).await {
                let (key, when) = (row.key, nexus_core::table::Condition::Present);
                let add = Op::Add { key, kind: RecordKind::Tally, delta: 2, expires: None, when };
                ground.platform.commit(vec![add]).await;
            }
            let faults = Faults::crash(at, how);
            let table: Arc<dyn Table> = Arc::new(ground.platform.table.clone());
            let flaky: Arc<dyn Table> = Arc::new(Flaky::new(table, faults.clone()));
            let (_, told) = ground.run_on(flaky, Arc::new(AsStored)).await;
            over += usize::from(faults.calls() <= at);
            let next = ground.run().await;
            let what = format!("call {at} {how:?}");
            // Each run tells what is known to be corrected: none is lost, and some may be told twice.
            assert_eq!(told.unwrap_or(0).max(next.corrected), many, "{what}: {told:?} {next:?}");
            assert_eq!(ground.tallies().await, right, "{what}");
            assert_eq!(ground.days().await, record, "{what}");
            assert!(ground.rows(RecordKind::Recount).await.is_empty(), "{what}");
        }
        if over == 2 {
            assert!(at > 20, "there are more calls than {at}");
            return;
        }
    }
    panic!("a run has fewer calls than this");
}

#[tokio::test]
async fn other_rules_judge_the_rows_anew_and_the_tallies_follow_wherever_it_dies() {
    // Today's rules take the third visitor for a robot, and everybody else for a person.
    let judge = |click: &Click| (click.visitor.0[0] == 3).then_some(BotReason::Preview);
    let ground = written().await;
    let judged: Vec<Click> =
        day().into_iter().map(|click| Click { bot: judge(&click), ..click }).collect();
    let fresh = Ground::new();
    fresh.write(&judged).await;
    fresh.move_to(later(DAY + 121 * MINUTE));
    fresh.run().await;
    let (right, record) = (fresh.tallies().await, fresh.days().await);

    ground.run().await;
    for at in 0..200 {
        let again = tallies::ask(&scope(), "one", day_of(MIDNIGHT), ground.platform.now(), 9 + at);
        ground.platform.commit(vec![again.unwrap()]).await;
        let faults = Faults::crash(usize::try_from(at).unwrap(), Fault::After);
        let table: Arc<dyn Table> = Arc::new(ground.platform.table.clone());
        let flaky: Arc<dyn Table> = Arc::new(Flaky::new(table, faults.clone()));
        let (done, _) = ground.run_on(flaky, Arc::new(judge)).await;
        if done.is_ok_and(|done| done.counted == 1) {
            break;
        }
    }
    let table: Arc<dyn Table> = Arc::new(ground.platform.table.clone());
    ground.run_on(Arc::clone(&table), Arc::new(judge)).await.0.unwrap();
    assert_eq!(ground.tallies().await, right);
    assert_eq!(ground.days().await, record);
    // Once they are judged, the rows are the truth again: nothing has to be corrected.
    let again = tallies::ask(&scope(), "one", day_of(MIDNIGHT), ground.platform.now(), 7_000);
    ground.platform.commit(vec![again.unwrap()]).await;
    let (done, alarm) = ground.run_on(table, Arc::new(judge)).await;
    let done = done.unwrap();
    assert_eq!((done.counted, done.judged, done.corrected, alarm), (1, 0, 0, Some(0)));
}

/// A table into which clicks come while it is being read.
struct Meanwhile {
    ground: Arc<Ground>,
    at: usize,
    faults: Faults,
}

#[async_trait::async_trait]
impl Table for Meanwhile {
    async fn get(
        &self,
        key: &nexus_core::Key,
    ) -> Result<Option<nexus_core::Item>, nexus_core::table::StoreError> {
        self.ground.platform.table.get(key).await
    }

    async fn query(
        &self,
        query: &nexus_core::table::Query,
        page: &nexus_core::table::Page,
    ) -> Result<nexus_core::table::Slice, nexus_core::table::StoreError> {
        if self.faults.calls() == self.at {
            self.ground.write(&[click(4_000, "one", later(7 * MINUTE), 2)]).await;
        }
        let answer = self.ground.platform.table.query(query, page);
        let fault = nexus_core::table::StoreError::Unavailable;
        self.faults.call(answer, fault, fault).await
    }

    async fn commit(
        &self,
        ops: Vec<Op>,
        token: Option<&nexus_core::table::CommitToken>,
    ) -> Result<(), nexus_core::table::CommitError> {
        self.ground.platform.table.commit(ops, token).await
    }

    async fn scan(
        &self,
        page: &nexus_core::table::Page,
    ) -> Result<nexus_core::table::Slice, nexus_core::table::StoreError> {
        self.ground.platform.table.scan(page).await
    }
}

#[tokio::test]
async fn a_click_that_comes_while_its_day_is_counted_is_counted_the_night_after() {
    // After the first shard's row was found, at any question.
    let mut later_days = 0;
    for at in 1..24 {
        let ground = Arc::new(written().await);
        let table = Meanwhile { ground: Arc::clone(&ground), at, faults: Faults::none() };
        let (done, alarm) = ground.run_on(Arc::new(table), Arc::new(AsStored)).await;
        let done = done.unwrap();
        assert_eq!(alarm, Some(0), "question {at}: nothing was wrong");
        later_days += done.later;
        ground.platform.advance(SignedDuration::from_hours(24));
        ground.run().await;
        let people = day().iter().filter(|click| click.bot.is_none()).count() as u64;
        let days = ground.days().await;
        let arrived = ground.rows(RecordKind::Click).await.len() == 61;
        assert_eq!(days[0].clicks(), people + u64::from(arrived), "question {at}");
    }
    assert!(later_days > 5, "{later_days}");
}

#[tokio::test]
async fn an_index_that_lags_counts_no_day_twice() {
    let ground = written().await;
    let table: Arc<dyn Table> = Arc::new(ground.platform.table.clone());
    let stale: Arc<dyn Table> = Arc::new(StaleIndex::new(table, 1));
    for _ in 0..4 {
        let (done, _) = ground.run_on(Arc::clone(&stale), Arc::new(AsStored)).await;
        done.unwrap();
        ground.platform.advance(SignedDuration::from_mins(10));
    }
    ground.run().await;
    assert_eq!(ground.days().await.len(), 1);
}

#[tokio::test]
async fn n23_a_day_that_is_asked_for_is_judged_by_the_rules_of_today() {
    let ground = Ground::new();
    // When they came, nobody knew that these are robots, and a browser was taken for one.
    let said = |n: u32, text: &str, bot| {
        let click = click(n, "one", later(i64::from(n) * MINUTE), 0);
        Click { agent: Agent { text: text.into(), ..Agent::default() }, bot, ..click }
    };
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let clicks = [
        said(1, "curl/8.5.0", None),
        said(2, "Slackbot 1.0", None),
        said(3, firefox, Some(BotReason::Robot)),
        Click { head: true, ..said(4, firefox, None) },
        said(5, firefox, None),
    ];
    ground.write(&clicks).await;
    ground.move_to(later(DAY + 121 * MINUTE));
    ground.run().await;
    assert_eq!(ground.days().await[0].clicks(), 4);

    let (table, ambient) = (&ground.platform.table, ground.platform.ambient());
    let day = day_of(MIDNIGHT);
    let ask = async || tallies::ask_for_days(table, &scope(), (day, day), &ambient).await.unwrap();
    assert_eq!((ask().await, ask().await), (1, 0), "what waits need not be asked for");
    let wired: &dyn EnginePlatform = &ground.platform;
    let judge = RecountClicks::wire(wired, &ground.platform.env()).unwrap().judge;
    let (done, alarm) = ground.run_on(Arc::new(table.clone()), judge).await;
    let done = done.unwrap();
    assert_eq!((done.counted, done.judged, done.corrected, alarm), (1, 4, 0, Some(0)));
    let days = ground.days().await;
    let counted = [BotReason::Robot, BotReason::Preview, BotReason::Head].map(|why| (why, 1));
    assert_eq!((days[0].clicks(), &days[0].bots), (2, &counted.into()));
}

#[tokio::test]
async fn only_days_that_were_counted_are_asked_for_and_of_a_month_at_most() {
    let ground = written().await;
    let (table, ambient) = (&ground.platform.table, ground.platform.ambient());
    let (first, last) = (day_of(MIDNIGHT), day_of(ground.platform.now()));
    let ask =
        async |first, last| tallies::ask_for_days(table, &scope(), (first, last), &ambient).await;
    assert_eq!(ask(first, last).await.unwrap(), 0, "it waits to be counted for the first time");
    ground.run().await;
    assert_eq!(ask(last, last).await.unwrap(), 0);
    assert!(ask(last, first).await.is_err());
    let before = |days: i32| first.checked_sub(days.days()).unwrap();
    assert!(ask(before(tallies::MOST_ASKED), first).await.is_err());
    assert_eq!(ask(before(tallies::MOST_ASKED - 1), first).await.unwrap(), 1, "of two months");
}
