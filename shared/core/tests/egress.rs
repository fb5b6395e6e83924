//! The egress ledger and the caps, on a table in memory: what adds up, who passes at the edge, what is kept.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::future::join_all;
use nexus_contract::memory::MemoryTable;
use nexus_contract::{Fault, Faults, Flaky, START};
use nexus_core::egress::{
    self, Correction, Cost, DEFAULT_CAP, Ended, EntryId, Leaving, MAX_CAP, MAX_FIELDS, Month,
    Settled, SpendCap,
};
use nexus_core::sweep::DueKind;
use nexus_core::table::{CommitError, CommitToken, Page, Query, Slice, StoreError};
use nexus_core::{Caller, Claims, Item, Key, Op, Product, RecordKind, Scope, Table, records};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Failure, FailureKind, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tokio::sync::Barrier;

/// A scene: a table, ids and two tenants.
struct Scene {
    table: Arc<dyn Table>,
    ambient: Ambient,
    scope: Scope,
}

fn scope(number: u32) -> Scope {
    let claims =
        Claims { subject: "u".into(), groups: vec![format!("ten_{number:032x}/operator")] };
    *Caller::from_claims(&claims, Product::Engine, None).unwrap().scope()
}

fn scene() -> Scene {
    let clock = Arc::new(ManualClock::at(START));
    Scene {
        table: Arc::new(MemoryTable::new(Arc::clone(&clock) as _)),
        ambient: Ambient::seeded(clock, 1),
        scope: scope(1),
    }
}

fn fields(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn leaving(fields: &BTreeSet<String>, estimate: i64) -> Leaving<'_> {
    Leaving { vendor: "muse", operation: "write", fields, estimate: Cost::micros(estimate) }
}

fn settled(cost: i64) -> Settled {
    let cost = Cost::micros(cost);
    Settled { ended: Ended::Done, tries: 1, tokens_in: 0, tokens_out: 0, units: 0, cost }
}

impl Scene {
    fn now(&self) -> Timestamp {
        self.ambient.now()
    }

    fn id(&self) -> EntryId {
        EntryId::draw(&*self.ambient.ids)
    }

    async fn enter(&self, leaving: Leaving<'_>) -> Result<egress::Entry, Failure> {
        egress::enter_as(&*self.table, &self.scope, leaving, self.id(), self.now()).await
    }

    async fn settle(&self, entry: egress::Entry, settled: Settled) {
        egress::settle(&*self.table, &self.scope, entry, settled, self.now()).await.unwrap();
    }

    /// Corrects a call that was settled by so much.
    async fn correct(&self, settled: i64, cost: i64, tokens_out: u64) {
        let (settled, cost) = (Cost::micros(settled), Cost::micros(cost));
        let (vendor, operation, entered) = ("muse", "write", self.now());
        let tokens_in = 0;
        let correction =
            Correction { vendor, operation, entered, settled, cost, tokens_in, tokens_out };
        let ops = egress::correction(&*self.table, &self.scope, correction).await.unwrap();
        if !ops.is_empty() {
            self.table.commit(ops, None).await.unwrap();
        }
    }

    async fn cap(&self, vendor: &str, cap: i64) {
        let cap = SpendCap { vendor: vendor.into(), cap: Cost::micros(cap) };
        cap.check().unwrap();
        self.table.commit(vec![records::write(&self.scope, &cap)], None).await.unwrap();
    }

    async fn ledger(&self) -> Vec<egress::Line> {
        let (now, month) = (self.now(), Month::of(self.now()));
        egress::ledger(&*self.table, &self.scope, month, now).await.unwrap()
    }

    /// What is spent and what is reserved with `muse`.
    async fn standing(&self) -> (i64, i64) {
        let (now, month) = (self.now(), Month::of(self.now()));
        let all = egress::spending(&*self.table, &self.scope, month, now).await.unwrap();
        let muse = all.iter().find(|s| s.vendor == "muse");
        muse.map_or((0, 0), |s| (s.spent.as_micros(), s.reserved.as_micros()))
    }

    async fn rows(&self) -> Vec<Item> {
        self.table.scan(&Page::first(1_000)).await.unwrap().items
    }
}

fn kind(outcome: &Result<egress::Entry, Failure>) -> Option<FailureKind> {
    outcome.as_ref().err().map(Failure::kind)
}

#[tokio::test]
async fn n34_the_ledger_counts_calls_by_the_names_of_their_fields() {
    let scene = scene();
    let (short, long) = (fields(&["model", ":id"]), fields(&["model", "parts[].text#1", "?a%23"]));
    for fields in [&short, &long, &long] {
        let entry = scene.enter(leaving(fields, 500)).await.unwrap();
        let used = Settled { tries: 2, tokens_in: 30, tokens_out: 4, units: 5, ..settled(300) };
        scene.settle(entry, used).await;
    }
    let entry = scene.enter(leaving(&short, 500)).await.unwrap();
    scene.settle(entry, Settled { ended: Ended::Refused, ..settled(0) }).await;
    let other = Leaving { operation: "speak", ..leaving(&short, 0) };
    let unsettled = scene.enter(other).await.unwrap();
    drop(unsettled);

    let lines = scene.ledger().await;
    let [speak, write] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((speak.operation.as_str(), speak.calls, speak.tries), ("speak", 1, 0));
    assert!(speak.ended.is_empty());
    assert_eq!((write.vendor.as_str(), write.operation.as_str()), ("muse", "write"));
    assert_eq!(write.ended, BTreeMap::from([(Ended::Done, 3), (Ended::Refused, 1)]));
    assert_eq!((write.calls, write.tries), (4, 7));
    assert_eq!((write.tokens_in, write.tokens_out, write.units), (90, 12, 15));
    assert_eq!(write.cost, Cost::micros(900));
    let told: Vec<(&str, u64)> = write.fields.iter().map(|(f, n)| (f.as_str(), *n)).collect();
    assert_eq!(told, [(":id", 2), ("?a%23", 2), ("model", 4), ("parts[].text#1", 2)]);
    assert_eq!(scene.ledger().await, lines, "the same order each time");
}

#[tokio::test]
async fn n34_a_row_of_the_ledger_holds_a_number_and_nothing_else() {
    let scene = scene();
    let fields = fields(&["model", "parts[].text"]);
    for _ in 0..2 {
        let entry = scene.enter(leaving(&fields, 500)).await.unwrap();
        scene.settle(entry, Settled { tokens_in: 3, ..settled(400) }).await;
    }
    let mut keys = Vec::new();
    for row in scene.rows().await {
        assert_eq!(row.body, "null", "{row:?}");
        assert!(!row.kind.rule().personal, "{row:?}");
        let (_, month) = row.key.pk().split_once('#').unwrap();
        keys.push(format!("{month} {} {}", row.key.sk(), row.counter));
    }
    keys.sort();
    let expected = [
        "egress#2027-03 muse#write#calls 2",
        "egress#2027-03 muse#write#cost 800",
        "egress#2027-03 muse#write#done 2",
        "egress#2027-03 muse#write#field#model 2",
        "egress#2027-03 muse#write#field#parts[].text 2",
        "egress#2027-03 muse#write#tokens-in 6",
        "egress#2027-03 muse#write#tries 2",
        "spending#2027-03 muse#spent 800",
        "spending#2027-03 muse#taken 800",
    ];
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn n34_each_tenants_ledger_and_cap_are_its_own() {
    let (one, fields) = (scene(), fields(&["model"]));
    one.cap("muse", 1_000).await;
    let entry = one.enter(leaving(&fields, 1_000)).await.unwrap();
    drop(entry);
    let other =
        Scene { scope: scope(2), ambient: one.ambient.clone(), table: Arc::clone(&one.table) };
    assert!(other.ledger().await.is_empty());
    let entry = other.enter(leaving(&fields, 5_000)).await.unwrap();
    other.settle(entry, settled(5_000)).await;
    assert_eq!((one.standing().await, other.standing().await), ((0, 1_000), (5_000, 0)));
    assert_eq!(one.ledger().await[0].calls, 1);
}

#[tokio::test]
async fn a_cap_is_reached_exactly_and_says_what_helps() {
    let (scene, fields) = (scene(), fields(&["model"]));
    scene.cap("muse", 30_000).await;
    let first = scene.enter(leaving(&fields, 10_000)).await.unwrap();
    scene.settle(first, settled(2_100)).await;
    let waiting = scene.enter(leaving(&fields, 20_000)).await.unwrap();

    let over = scene.enter(leaving(&fields, 7_901)).await.unwrap_err();
    assert_eq!(over.kind(), FailureKind::Denied);
    assert_eq!(
        over.public(),
        "The cap of 0.03 USD for muse in 2027-03 leaves no room for this call: 0.0021 USD is spent, 0.02 USD is \
         reserved for calls that are not settled, and the call may cost 0.007901 USD. Raise the cap with \
         `PUT /v1/spending/muse`, or wait until 2027-04-01, when the next month begins (UTC)."
    );
    assert_eq!(scene.ledger().await[0].calls, 2, "what was held did not leave");
    let last = scene.enter(leaving(&fields, 7_900)).await.unwrap();
    assert_eq!(scene.standing().await, (2_100, 27_900));

    // What costs nothing goes; another vendor has a cap of its own; what was set free can be taken again.
    let free = scene.enter(leaving(&fields, 0)).await.unwrap();
    scene.settle(free, settled(0)).await;
    let other = Leaving { vendor: "other", ..leaving(&fields, DEFAULT_CAP.as_micros()) };
    let other = scene.enter(other).await.unwrap();
    drop((other, last));
    scene.settle(waiting, Settled { ended: Ended::Refused, ..settled(0) }).await;
    assert_eq!(scene.standing().await, (2_100, 7_900));
    scene.settle(scene.enter(leaving(&fields, 20_000)).await.unwrap(), settled(20_000)).await;
    assert_eq!(scene.standing().await, (22_100, 7_900));
    assert_eq!(kind(&scene.enter(leaving(&fields, 1)).await), Some(FailureKind::Denied));

    // A higher cap holds from the next call on, a lower one too.
    scene.cap("muse", 30_001).await;
    assert!(scene.enter(leaving(&fields, 1)).await.is_ok());
    scene.cap("muse", 0).await;
    assert_eq!(kind(&scene.enter(leaving(&fields, 1)).await), Some(FailureKind::Denied));
}

#[tokio::test]
async fn without_a_cap_of_its_own_a_vendor_has_that_of_the_suite() {
    let (scene, fields) = (scene(), fields(&[]));
    let whole = DEFAULT_CAP.as_micros();
    let more = scene.enter(leaving(&fields, whole + 1)).await;
    assert_eq!(kind(&more), Some(FailureKind::Denied));
    assert!(scene.rows().await.is_empty());
    assert!(scene.enter(leaving(&fields, whole)).await.is_ok());
    let (now, month) = (scene.now(), Month::of(scene.now()));
    let all = egress::spending(&*scene.table, &scene.scope, month, now).await.unwrap();
    let [muse] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((muse.cap, muse.cap_is_set, muse.left()), (DEFAULT_CAP, false, Cost::ZERO));
}

#[tokio::test]
async fn a_cost_beyond_the_estimate_is_told_and_holds_the_next_call() {
    let (scene, fields) = (scene(), fields(&["model"]));
    scene.cap("muse", 1_000).await;
    let entry = scene.enter(leaving(&fields, 900)).await.unwrap();
    scene.settle(entry, settled(1_500)).await;
    assert_eq!(scene.standing().await, (1_500, 0));
    assert_eq!(kind(&scene.enter(leaving(&fields, 1)).await), Some(FailureKind::Denied));
    // What nobody estimated is counted as well.
    let entry = scene.enter(leaving(&fields, 0)).await.unwrap();
    scene.settle(entry, settled(7)).await;
    assert_eq!(scene.standing().await, (1_507, 0));
}

#[tokio::test]
async fn a_settled_call_is_corrected_by_what_it_came_to_in_the_end() {
    let (scene, fields) = (scene(), fields(&["model"]));
    scene.cap("muse", 1_000).await;
    let entry = scene.enter(leaving(&fields, 1_000)).await.unwrap();
    scene.settle(entry, settled(1_000)).await;
    assert_eq!(kind(&scene.enter(leaving(&fields, 1)).await), Some(FailureKind::Denied));
    // What cost nothing in the end is free again, and what cost more is told.
    scene.correct(1_000, 0, 0).await;
    assert_eq!(scene.standing().await, (0, 0));
    let entry = scene.enter(leaving(&fields, 500)).await.unwrap();
    scene.settle(entry, settled(500)).await;
    scene.correct(500, 700, 46).await;
    scene.correct(700, 650, 4).await;
    assert_eq!(scene.standing().await, (650, 0));
    let lines = scene.ledger().await;
    let [write] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((write.calls, write.tokens_out, write.cost), (2, 50, Cost::micros(650)));
    // Where nothing is to be corrected nothing is written, and nobody gets money back that was not counted.
    let rows = scene.rows().await;
    scene.correct(650, 650, 0).await;
    assert_eq!(scene.rows().await, rows);
    scene.correct(9_000, 0, 0).await;
    assert_eq!(scene.standing().await, (0, 0));
}

/// A table that lets nobody commit before so many have read; later readers let others go first.
struct AllReadFirst {
    inner: Arc<dyn Table>,
    read: Barrier,
    waits: usize,
    reads: AtomicUsize,
}

#[async_trait]
impl Table for AllReadFirst {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.inner.get(key).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        let found = self.inner.query(query, page).await;
        let before = self.reads.fetch_add(1, Ordering::SeqCst);
        if before < self.waits {
            self.read.wait().await;
        } else {
            tokio::task::yield_now().await;
        }
        found
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        self.inner.commit(ops, token).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.inner.scan(page).await
    }
}

#[tokio::test]
async fn two_calls_at_the_edge_of_the_cap_cannot_both_pass() {
    // In a month without a counter, and where one stands already.
    for before in [0, 400] {
        let (scene, fields) = (scene(), fields(&["model"]));
        scene.cap("muse", 1_000).await;
        if before > 0 {
            let entry = scene.enter(leaving(&fields, before)).await.unwrap();
            scene.settle(entry, settled(before)).await;
        }
        let inner = Arc::clone(&scene.table);
        let table =
            AllReadFirst { inner, read: Barrier::new(2), waits: 2, reads: Default::default() };
        let enter = || {
            let call = leaving(&fields, 600);
            egress::enter_as(&table, &scene.scope, call, scene.id(), scene.now())
        };
        let (one, other) = futures::future::join(enter(), enter()).await;
        let mut kinds = [kind(&one), kind(&other)];
        kinds.sort_by_key(Option::is_some);
        assert_eq!(kinds, [None, Some(FailureKind::Denied)], "after {before}");
        assert_eq!(scene.standing().await, (before, 600));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_calls_at_once_pass_until_the_cap_and_none_beyond() {
    let mut scene = scene();
    scene.cap("muse", 1_000).await;
    let (inner, read) = (Arc::clone(&scene.table), Barrier::new(1));
    scene.table = Arc::new(AllReadFirst { inner, read, waits: 0, reads: AtomicUsize::new(0) });
    let scene = Arc::new(scene);
    let calls = (0..60).map(|n| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move {
            let fields = fields(&["model"]);
            match scene.enter(leaving(&fields, 100)).await {
                // Some are done before others begin, at half of what they might have cost.
                Ok(entry) if n % 2 == 0 => {
                    scene.settle(entry, settled(50)).await;
                    Ok(())
                }
                outcome => outcome.map(drop).map_err(|failure| failure.kind()),
            }
        })
    });
    let outcomes: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert!(
        outcomes.iter().all(|o| matches!(o, Ok(()) | Err(FailureKind::Denied))),
        "{outcomes:?}"
    );
    let passed = outcomes.iter().filter(|o| o.is_ok()).count();
    let (spent, reserved) = scene.standing().await;
    assert!((10..=20).contains(&passed), "{passed} passed");
    assert!(spent + reserved <= 1_000, "{spent} and {reserved}");
}

#[derive(Debug, Clone)]
enum Step {
    Enter(i64),
    /// The oldest that is open, at so many hundredths of its estimate.
    Settle(i64),
}

#[test]
fn whatever_comes_in_whatever_order_the_sums_hold_and_the_cap_too() {
    let steps =
        prop_oneof![(0i64..400).prop_map(Step::Enter), (0i64..=100).prop_map(Step::Settle),];
    let cases = (1i64..1_500, proptest::collection::vec(steps, 1..40));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let seed = RngSeed::Fixed(2027);
    let config =
        Config { cases: 96, rng_seed: seed, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&cases, |(cap, steps)| {
            runtime.block_on(async {
                let (scene, fields) = (scene(), fields(&["model"]));
                scene.cap("muse", cap).await;
                let (mut open, mut spent, mut calls) = (Vec::new(), 0, 0u64);
                for step in steps {
                    let reserved: i64 = open.iter().map(|(_, estimate)| estimate).sum();
                    match step {
                        Step::Enter(estimate) => {
                            let fits = estimate == 0 || spent + reserved + estimate <= cap;
                            let entry = scene.enter(leaving(&fields, estimate)).await;
                            assert_eq!(entry.is_ok(), fits, "{entry:?}");
                            calls += u64::from(fits);
                            open.extend(entry.ok().map(|entry| (entry, estimate)));
                        }
                        Step::Settle(hundredths) if !open.is_empty() => {
                            let (entry, estimate) = open.remove(0);
                            let cost = estimate * hundredths / 100;
                            spent += cost;
                            scene.settle(entry, settled(cost)).await;
                        }
                        Step::Settle(_) => {}
                    }
                    let reserved = open.iter().map(|(_, estimate)| estimate).sum();
                    assert_eq!(scene.standing().await, (spent, reserved));
                    assert!(spent + reserved <= cap);
                }
                let lines = scene.ledger().await;
                assert_eq!(lines.first().map_or(0, |line| line.calls), calls);
                assert_eq!(lines.first().map_or(0, |line| line.cost.as_micros()), spent);
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_asked_again_and_counted_once() {
    let (scene, fields) = (scene(), fields(&["model"]));
    // The first call of the month makes the counters.
    let first = scene.enter(leaving(&fields, 100)).await.unwrap();
    scene.settle(first, settled(100)).await;
    // Entering reads the cap, reads what is taken, commits.
    let faults = Faults::script([Fault::None, Fault::None, Fault::After, Fault::After]);
    let flaky = Flaky::new(Arc::clone(&scene.table), faults);
    let entry =
        egress::enter_as(&flaky, &scene.scope, leaving(&fields, 500), scene.id(), scene.now());
    let entry = entry.await.unwrap();
    assert_eq!((scene.ledger().await[0].calls, scene.standing().await), (2, (100, 500)));

    let faults = Faults::script([Fault::After, Fault::After]);
    let flaky = Flaky::new(Arc::clone(&scene.table), faults);
    egress::settle(&flaky, &scene.scope, entry, settled(200), scene.now()).await.unwrap();
    assert_eq!(scene.standing().await, (300, 0));
    let lines = scene.ledger().await;
    assert_eq!((lines[0].tries, lines[0].cost.as_micros()), (2, 300));

    // A store that loses every answer: it may stand there, and stays reserved.
    let lost = [Fault::None, Fault::None].into_iter().chain([Fault::After; 3]);
    let flaky = Flaky::new(Arc::clone(&scene.table), Faults::script(lost));
    let call = leaving(&fields, 500);
    let lost = egress::enter_as(&flaky, &scene.scope, call, scene.id(), scene.now()).await;
    assert_eq!(kind(&lost), Some(FailureKind::Unavailable));
    assert_eq!((scene.ledger().await[0].calls, scene.standing().await), (3, (300, 500)));
}

#[tokio::test]
async fn a_lost_answer_of_the_months_first_call_is_counted_once_too() {
    let (scene, fields) = (scene(), fields(&["model", ":id"]));
    // That the counters do not stand yet is learnt from a commit; each commit's answer is lost once.
    let lost = [Fault::None, Fault::None, Fault::After, Fault::None];
    let flaky = Flaky::new(Arc::clone(&scene.table), Faults::script([lost, lost].concat()));
    let call = leaving(&fields, 500);
    let entry =
        egress::enter_as(&flaky, &scene.scope, call, scene.id(), scene.now()).await.unwrap();
    let lost = [Fault::After, Fault::None, Fault::After];
    let flaky = Flaky::new(Arc::clone(&scene.table), Faults::script(lost));
    egress::settle(&flaky, &scene.scope, entry, settled(200), scene.now()).await.unwrap();
    let lines = scene.ledger().await;
    assert_eq!((lines[0].calls, lines[0].tries, scene.standing().await), (1, 1, (200, 0)));
}

#[tokio::test]
async fn what_never_gets_its_turn_or_makes_no_sense_is_not_sent() {
    let (scene, one) = (scene(), fields(&["model"]));
    let faults = Faults::script((0..8).map(|n| if n == 2 { Fault::Before } else { Fault::None }));
    let flaky = Flaky::new(Arc::clone(&scene.table), faults);
    let call = leaving(&one, 500);
    let down = egress::enter_as(&flaky, &scene.scope, call, scene.id(), scene.now()).await;
    assert_eq!(kind(&down), Some(FailureKind::Unavailable));

    let most: BTreeSet<String> = (0..MAX_FIELDS).map(|n| format!("field{n}")).collect();
    assert!(scene.enter(leaving(&most, 1)).await.is_ok());
    let more: BTreeSet<String> = (0..=MAX_FIELDS).map(|n| format!("field{n}")).collect();
    assert_eq!(kind(&scene.enter(leaving(&more, 1)).await), Some(FailureKind::Bug));
    assert_eq!(kind(&scene.enter(leaving(&one, -1)).await), Some(FailureKind::Bug));
}

#[tokio::test]
async fn what_an_answer_makes_up_fills_no_counter() {
    let (scene, fields) = (scene(), fields(&["model"]));
    let entry = scene.enter(leaving(&fields, 500)).await.unwrap();
    let absurd = Settled { tokens_in: u64::MAX, units: u64::MAX, ..settled(i64::MAX) };
    scene.settle(entry, absurd).await;
    // The cap is passed and holds; what costs nothing is still counted.
    assert_eq!(kind(&scene.enter(leaving(&fields, 1)).await), Some(FailureKind::Denied));
    let entry = scene.enter(leaving(&fields, 0)).await.unwrap();
    scene.settle(entry, Settled { tokens_in: u64::MAX, ..settled(-5) }).await;
    assert_eq!(scene.ledger().await[0].tokens_in, 2_000_000_000_000);
    assert_eq!(scene.standing().await, (MAX_CAP.as_micros(), 0));
}

#[tokio::test]
async fn a_call_is_settled_in_the_month_in_which_it_left() {
    let clock = ManualClock::at("2027-03-31T23:59:59Z".parse().unwrap());
    let clock = Arc::new(clock);
    let table = Arc::new(MemoryTable::new(Arc::clone(&clock) as _));
    let ambient = Ambient::seeded(Arc::clone(&clock) as _, 1);
    let scene = Scene { table, ambient, scope: scope(1) };
    let fields = fields(&["model"]);
    scene.cap("muse", 1_000).await;
    let late = scene.enter(leaving(&fields, 1_000)).await.unwrap();
    assert_eq!(kind(&scene.enter(leaving(&fields, 1_000)).await), Some(FailureKind::Denied));
    clock.move_to("2027-04-01T00:00:00Z".parse().unwrap());
    let next = scene.enter(leaving(&fields, 1_000)).await.unwrap();
    drop(next);
    scene.settle(late, settled(800)).await;
    assert_eq!(scene.standing().await, (0, 1_000));
    let march = Month::parse("2027-03").unwrap();
    let all = egress::spending(&*scene.table, &scene.scope, march, scene.now()).await.unwrap();
    assert_eq!((all[0].spent, all[0].reserved), (Cost::micros(800), Cost::ZERO));
}

#[tokio::test]
async fn counters_go_when_their_time_is_over_and_the_sweep_finds_each() {
    let clock = Arc::new(ManualClock::at(START));
    let table = Arc::new(MemoryTable::new(Arc::clone(&clock) as _));
    let scene =
        Scene { table, ambient: Ambient::seeded(Arc::clone(&clock) as _, 1), scope: scope(1) };
    let fields = fields(&["model"]);
    for _ in 0..2 {
        let entry = scene.enter(leaving(&fields, 10)).await.unwrap();
        scene.settle(entry, settled(10)).await;
    }
    let month = Month::of(START);
    let rows = scene.rows().await;
    let expires = rows[0].expires.unwrap();
    for (moment, lines) in [(expires.as_millisecond() - 1, 1), (expires.as_millisecond(), 0)] {
        let now = Timestamp::from_millisecond(moment).unwrap();
        let found = egress::ledger(&*scene.table, &scene.scope, month, now).await.unwrap();
        let spent = egress::spending(&*scene.table, &scene.scope, month, now).await.unwrap();
        assert_eq!((found.len(), spent.len()), (lines, lines));
        let mut due = 0;
        for shard in 0..DueKind::Expiry.shards() {
            let query = DueKind::Expiry.query(shard, now);
            due += scene.table.query(&query, &Page::first(100)).await.unwrap().items.len();
        }
        assert_eq!(due, if lines == 0 { rows.len() } else { 0 });
    }
    let kept: BTreeSet<RecordKind> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(kept, BTreeSet::from([RecordKind::Egress, RecordKind::Spending]));
}

#[test]
fn a_cap_is_an_amount_under_a_vendors_name() {
    let check = |vendor: &str, cap| SpendCap { vendor: vendor.into(), cap }.check();
    for (vendor, cap) in [("muse", Cost::ZERO), ("muse-2", MAX_CAP), (&"m".repeat(40), MAX_CAP)] {
        assert!(check(vendor, cap).is_ok(), "{vendor}");
    }
    let too_long = "m".repeat(41);
    for vendor in ["", "-a", "2muse", "Muse", "mu#se", "mu se", "müse", "a/b", &too_long] {
        assert_eq!(check(vendor, Cost::ZERO).unwrap_err().fields()[0].field, "vendor", "{vendor}");
    }
    for cap in [Cost::micros(-1), Cost::micros(MAX_CAP.as_micros() + 1)] {
        assert_eq!(check("muse", cap).unwrap_err().fields()[0].field, "cap");
    }
}
