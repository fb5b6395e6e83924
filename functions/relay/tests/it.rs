//! A minute in, messages out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky, StaleIndex};
use nexus_core::approval::{self, Redeemed};
use nexus_core::effect::{Effect, EffectId, Outcome, Payload, State};
use nexus_core::outbox::{Outgoing, PATIENCE};
use nexus_core::queues::Depth;
use nexus_core::{
    Approver, Envelope, Op, QueueAddress, Queues, Record, RecordKind, Scope, Table, records,
};
use nexus_engine::footage::purchase::{FootageJob, JobState};
use nexus_engine::hops::{Footage, Publish as Due, Step};
use nexus_engine::publishing::{Ground, PostPlan, propose};
use nexus_engine::{DraftId, EnginePlatform, Hop};
use nexus_handler::{Batch, Entry, ErasedFunction};
use nexus_kernel::{Failure, Timestamp};
use nexus_publish::Publish;
use nexus_relay::Relay;
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};

const MILLI: SignedDuration = SignedDuration::from_millis(1);
const MINUTE: SignedDuration = SignedDuration::from_secs(60);

fn secs(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

fn scope(tenant: u32) -> Scope {
    people::scope(people::tenant(tenant))
}

fn draft(number: u32) -> DraftId {
    DraftId::derived(&[&number.to_string()])
}

fn queue(hop: Hop) -> QueueAddress {
    QueueAddress(hop.name().to_owned())
}

/// The function on a platform.
struct House {
    platform: MemoryPlatform,
    function: Arc<dyn ErasedFunction>,
}

impl House {
    fn new() -> Self {
        Self::on(MemoryPlatform::new())
    }

    fn on(platform: MemoryPlatform) -> Self {
        let wired: &dyn EnginePlatform = &platform;
        let entry = Entry::event::<Relay, _>(wired, &platform.env()).unwrap();
        let Entry::Event(function) = entry else { panic!("it takes events") };
        Self { platform, function }
    }

    async fn try_run(&self) -> Result<(u64, u64, u64), Failure> {
        let reply = self.function.call(b"{}", self.platform.invocation()).await?;
        let reply: Value = serde_json::from_str(reply.get()).unwrap();
        let count = |name: &str| reply[name].as_u64().unwrap();
        Ok((count("messages"), count("effects"), count("failed")))
    }

    /// How many messages, effects and failures a run counts.
    async fn run(&self) -> (u64, u64, u64) {
        self.try_run().await.unwrap()
    }

    fn outgoing(&self, tenant: u32, hop: &str, number: u32) -> Outgoing {
        let step = Step { draft: draft(number) };
        Outgoing::new(&scope(tenant), hop, &step, "trace", &self.platform.ambient()).unwrap()
    }

    /// A message that stands in the outbox, its result committed and its sender dead.
    async fn left(&self, tenant: u32, hop: Hop, number: u32) {
        let outgoing = self.outgoing(tenant, hop.name(), number);
        self.platform.commit(vec![outgoing.op(&scope(tenant))]).await;
    }

    async fn outbox(&self) -> usize {
        let rows = self.platform.rows().await;
        rows.iter().filter(|r| r.kind == RecordKind::Outbox).count()
    }

    fn drafts(&self, hop: Hop) -> Vec<(Scope, DraftId)> {
        let letters = self.platform.letters::<Step>(hop).into_iter();
        letters.map(|(scope, step)| (scope, step.draft)).collect()
    }

    async fn depth(&self) -> Depth {
        self.platform.queues.depth(&queue(Hop::Publish)).await.unwrap()
    }

    /// An approved post with its video, not written down yet.
    async fn post(&self, tenant: u32, number: u32, at: Timestamp) -> Effect<PostPlan> {
        let scope = scope(tenant);
        let (_, draft) = build::finished(&self.platform, &scope, build::media_id(number)).await;
        let plan = propose(&draft, &Ground::default()).posts.swap_remove(0);
        let plan = PostPlan { send_at: at, ..plan };
        let (id, now) = (EffectId::derived(&[&number.to_string()]), self.platform.now());
        let person = people::caller(&people::approver(people::tenant(tenant)));
        let digest = plan.digest();
        let mut post = Effect::proposed(id, plan, "usr", now);
        approval::approve(&mut post, Approver::of(&person).unwrap(), digest, now).unwrap();
        post
    }

    async fn approved(&self, tenant: u32, number: u32, wait: SignedDuration) -> Effect<PostPlan> {
        let at = self.platform.now().saturating_add(wait).unwrap();
        let post = self.post(tenant, number, at).await;
        self.platform.put(&scope(tenant), &post).await;
        post
    }
}

#[tokio::test]
async fn what_stands_in_the_outbox_is_left_to_its_own_sender_for_a_minute_and_then_sent() {
    let house = House::new();
    for (number, hop) in (0..).zip(Hop::ALL) {
        house.left(1, hop, number).await;
    }
    house.platform.advance(PATIENCE - MILLI);
    assert_eq!(house.run().await, (0, 0, 0));
    assert_eq!(house.outbox().await, Hop::ALL.len());

    house.platform.advance(MILLI);
    assert_eq!(house.run().await, (Hop::ALL.len() as u64, 0, 0));
    assert_eq!(house.outbox().await, 0);
    for (number, hop) in (0..).zip(Hop::ALL) {
        assert_eq!(house.drafts(hop), [(scope(1), draft(number))], "{}", hop.name());
        let (envelope, _) = Envelope::open::<Step>(&house.platform.waiting(hop)[0].body).unwrap();
        assert_eq!(envelope.trace(), "trace", "the request it goes back to");
    }
    assert_eq!(house.run().await, (0, 0, 0), "a second run sends nothing");
    assert_eq!(house.platform.waiting(Hop::Tag).len(), 1);
}

#[tokio::test]
async fn n48_a_message_keeps_its_tenant_and_its_turn() {
    let house = House::new();
    for tenant in [1, 2] {
        house.left(tenant, Hop::Tag, 7).await;
    }
    house.platform.advance(PATIENCE);
    assert_eq!(house.run().await, (2, 0, 0));
    let sent: BTreeSet<String> = house
        .platform
        .waiting(Hop::Tag)
        .into_iter()
        .map(|m| {
            let (envelope, step) = Envelope::open::<Step>(&m.body).unwrap();
            assert_eq!(m.group, envelope.scope().owner().to_string());
            assert_eq!(step.draft, draft(7));
            m.group
        })
        .collect();
    assert_eq!(sent, [1, 2].map(|t| people::tenant(t).to_string()).into());
}

#[tokio::test]
async fn a_message_that_was_to_wait_still_waits() {
    let house = House::new();
    let later = house.outgoing(1, "publish", 1).delayed(Duration::from_secs(300));
    house.platform.commit(vec![later.op(&scope(1))]).await;
    house.platform.advance(PATIENCE);
    assert_eq!(house.run().await, (1, 0, 0));
    let depth = house.depth().await;
    assert_eq!((depth.visible, depth.delayed), (0, 1));
    house.platform.advance(secs(300));
    assert_eq!(house.depth().await.visible, 1);
}

#[tokio::test]
async fn a_queue_that_fails_leaves_the_row_for_the_next_run() {
    for (how, sent) in [(Fault::Before, 1), (Fault::After, 2)] {
        let faults = Faults::script([how]);
        let of_queues = faults.clone();
        let house = House::on(
            MemoryPlatform::new().with_queues(|queues| Arc::new(Flaky::new(queues, of_queues))),
        );
        house.left(1, Hop::Tag, 1).await;
        house.platform.advance(PATIENCE);
        assert_eq!(house.run().await, (0, 0, 1), "{how:?}");
        assert_eq!(house.outbox().await, 1, "{how:?}");
        assert_eq!(house.run().await, (1, 0, 0), "{how:?}");
        assert_eq!(house.outbox().await, 0, "{how:?}");
        assert_eq!(house.drafts(Hop::Tag), vec![(scope(1), draft(1)); sent], "{how:?}");
    }
}

#[tokio::test]
async fn a_row_that_nobody_can_send_does_not_hold_up_the_others() {
    let house = House::new();
    let nowhere = house.outgoing(1, "nowhere", 0);
    house.platform.commit(vec![nowhere.op(&scope(1))]).await;
    for number in 1..=20 {
        house.left(1, Hop::Tag, number).await;
    }
    house.platform.advance(PATIENCE);
    assert_eq!(house.run().await, (20, 0, 1));
    assert_eq!(house.outbox().await, 1);
    assert_eq!(house.run().await, (0, 0, 1));
}

#[tokio::test]
async fn a_full_outbox_is_sent_page_by_page_each_message_once() {
    let house = House::new();
    for number in 0..2_500 {
        house.left(number % 3, Hop::Tag, number).await;
    }
    house.platform.advance(PATIENCE);
    assert_eq!(house.run().await, (2_500, 0, 0));
    assert_eq!(house.outbox().await, 0);
    let sent = house.drafts(Hop::Tag);
    let once: BTreeSet<DraftId> = sent.iter().map(|(_, draft)| *draft).collect();
    assert_eq!((sent.len(), once.len()), (2_500, 2_500));
}

#[tokio::test]
async fn n17_posts_due_within_three_minutes_are_woken_and_wait_in_the_queue_for_their_moment() {
    let house = House::new();
    let due = house.approved(1, 1, secs(0)).await;
    let soon = house.approved(2, 2, secs(180)).await;
    house.approved(1, 3, secs(180) + MILLI).await;
    assert_eq!(house.run().await, (0, 2, 0));
    let woken: BTreeSet<EffectId> = house
        .platform
        .letters::<Due>(Hop::Publish)
        .into_iter()
        .map(|(whose, message)| {
            assert_eq!(whose == scope(1), message.effect == due.id);
            message.effect
        })
        .collect();
    assert_eq!(woken, [due.id, soon.id].into());
    let groups: BTreeSet<String> =
        house.platform.waiting(Hop::Publish).into_iter().map(|m| m.group).collect();
    assert_eq!(groups, [1, 2].map(|t| people::tenant(t).to_string()).into());

    let depth = house.depth().await;
    assert_eq!((depth.visible, depth.delayed), (1, 1));
    house.platform.advance(secs(180) - MILLI);
    assert_eq!(house.depth().await.visible, 1);
    house.platform.advance(MILLI);
    assert_eq!(house.depth().await.visible, 2);
}

#[tokio::test]
async fn n17_a_post_is_woken_once_ahead_and_every_minute_once_it_is_due_and_not_claimed() {
    let house = House::new();
    assert_eq!(house.run().await, (0, 0, 0));
    let post = house.approved(1, 1, secs(400)).await;
    let mut woken = Vec::new();
    for _ in 0..20 {
        house.platform.advance(MINUTE);
        woken.push(house.run().await.1);
    }
    // Due in the seventh minute; from the tenth on only every fifth, by the clock.
    assert_eq!(woken, [0, 0, 0, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    let letters = house.platform.letters::<Due>(Hop::Publish);
    assert!(letters.iter().all(|(_, due)| due.effect == post.id));
    publish(&house.platform).await;
    assert_eq!(house.platform.publisher.published.all().len(), 1);
    house.platform.advance(secs(300));
    assert_eq!(house.run().await, (0, 0, 0));
}

#[tokio::test]
async fn n17_a_tenant_with_many_posts_keeps_nobody_waiting_who_has_few() {
    let house = House::new();
    let template = house.post(1, 0, house.platform.now()).await;
    let (many, few) = (scope(1), scope(2));
    for number in 0..1_000_u32 {
        let whose = if number % 100 == 0 { few } else { many };
        let post = copy(&house, &template, &whose, number, secs(60));
        house.platform.put(&whose, &post).await;
    }
    assert_eq!(house.run().await, (0, 1_000, 0));
    let sent = house.platform.waiting(Hop::Publish);
    assert_eq!(sent.len(), 1_000);
    let first: Vec<usize> =
        (0..1_000).filter(|at| sent[*at].group == few.owner().to_string()).collect();
    let turns: Vec<usize> = (0..10).map(|turn| first[0] + turn * 2).collect();
    assert_eq!(first, turns, "every second message until theirs are sent");
    assert!(first[0] < 2);
}

#[tokio::test]
async fn n17_runs_that_are_late_or_missed_or_begin_anew_make_no_post_late() {
    // Pauses between runs, in seconds; the process begins anew before the third.
    for pauses in [[60, 60, 60], [61, 118, 62], [90, 30, 119], [119, 1, 150], [170, 178, 60]] {
        let mut house = House::new();
        house.run().await;
        let template = house.post(1, 0, house.platform.now()).await;
        let begun = house.platform.now();
        let mut posts = Vec::new();
        for number in 0..=20 {
            // Long before their time, so that nothing but the relay wakes them.
            let post =
                copy(&house, &template, &scope(1), number, secs(181 + i64::from(number) * 15));
            house.platform.put(&scope(1), &post).await;
            posts.push(post);
        }
        for (at, pause) in pauses.into_iter().chain([60; 6]).enumerate() {
            for _ in 0..pause {
                house.platform.advance(secs(1));
                publish(&house.platform).await;
            }
            if at == 2 {
                house = House::on(house.platform);
            }
            house.run().await;
            publish(&house.platform).await;
        }
        for post in &posts {
            let post = house.platform.load(&scope(1), post).await.unwrap();
            let due = post.payload().send_at;
            let claimed = post.moved_at(State::Sending).unwrap();
            assert_eq!(claimed, due, "{pauses:?}: {} s after the begin", due.duration_since(begun));
            assert_eq!((post.state(), post.attempt()), (State::Done, 1));
        }
    }
}

/// A post as this one is, of that number and after so long.
fn copy(
    house: &House,
    like: &Effect<PostPlan>,
    scope: &Scope,
    number: u32,
    wait: SignedDuration,
) -> Effect<PostPlan> {
    let now = house.platform.now();
    let send_at = now.saturating_add(wait).unwrap();
    let plan = PostPlan { send_at, ..like.payload().clone() };
    let (id, digest) = (EffectId::derived(&["copy", &number.to_string()]), plan.digest());
    let mut post = Effect::proposed(id, plan, "usr", now);
    let person = people::caller(&people::approver(scope.owner().tenant()));
    approval::approve(&mut post, Approver::of(&person).unwrap(), digest, now).unwrap();
    post
}

#[tokio::test]
async fn posts_without_an_outcome_are_woken_when_their_holders_time_or_their_wait_is_over() {
    let house = House::new();
    let scope = scope(1);
    let post = house.approved(1, 1, secs(0)).await;
    let held = house.platform.redeem::<PostPlan>(&scope, post.id, "publish", secs(900));
    let Redeemed::Send(held) = held.await.unwrap() else { panic!("it is due") };
    assert_eq!(house.run().await, (0, 0, 0), "somebody has it in hand");

    house.platform.advance(secs(720));
    assert_eq!(house.run().await, (0, 1, 0));
    assert_eq!(house.depth().await.delayed, 1);
    house.platform.advance(secs(180));
    assert_eq!(house.depth().await.visible, 1, "at the end of its holder's time");

    let unknown = Outcome::Unknown { why: "no answer".into() };
    approval::settle(held, unknown, "publish", house.platform.now()).await.unwrap();
    assert_eq!(house.run().await, (0, 1, 0));
    let depth = house.depth().await;
    assert_eq!((depth.visible, depth.delayed), (1, 1));
    house.platform.advance(secs(15));
    assert_eq!(house.depth().await.visible, 2);
}

#[tokio::test]
async fn n29_a_purchase_is_woken_for_footage_and_its_job_where_a_message_of_it_was_lost() {
    let house = House::new();
    let (scope, now) = (scope(1), house.platform.now());
    let (medium, draft) = build::finished(&house.platform, &scope, build::media_id(1)).await;
    let purchase = build::purchase(&medium, &draft, now);
    let (id, digest) = (EffectId::derived(&["purchase"]), purchase.digest());
    let mut job = FootageJob::ordered(id, &purchase, now);
    let mut effect = Effect::proposed(id, purchase, "usr", now);
    house.platform.put(&scope, &effect).await;
    assert_eq!(house.run().await, (0, 0, 0), "nobody approved it");

    let person = people::caller(&people::approver(people::tenant(1)));
    approval::approve(&mut effect, Approver::of(&person).unwrap(), digest, now).unwrap();
    house.platform.put(&scope, &effect).await;
    house.platform.put(&scope, &job).await;
    assert_eq!(house.run().await, (0, 1, 0));
    let woken = house.platform.letters::<Footage>(Hop::Footage);
    assert_eq!(woken, [(scope, Footage { effect: id })]);

    effect.cancel("usr", "called off", now).unwrap();
    house.platform.put(&scope, &effect).await;
    house.platform.advance(secs(119));
    assert_eq!(house.run().await, (0, 0, 0), "its own message may still be on its way");
    house.platform.advance(secs(181));
    assert_eq!(house.run().await, (0, 1, 0));
    let woken = house.platform.letters::<Footage>(Hop::Footage);
    assert_eq!(woken, [(scope, Footage { effect: id }); 2]);
    assert!(house.platform.waiting(Hop::Publish).is_empty());

    job.rests_as(JobState::Cancelled { why: "Nothing was bought.".into() });
    house.platform.put(&scope, &job).await;
    assert_eq!(house.run().await, (0, 0, 0));
}

#[tokio::test]
async fn posts_whose_life_is_over_or_that_wait_for_a_person_are_not_woken() {
    let house = House::new();
    let (now, scope) = (house.platform.now(), scope(1));
    let like = house.post(1, 1, now).await;
    let proposed = |name: &str| {
        Effect::proposed(EffectId::derived(&[name]), like.payload().clone(), "usr", now)
    };
    let mut rejected = proposed("rejected");
    rejected.reject("usr", "no", now).unwrap();
    let mut cancelled = house.post(1, 2, now).await;
    cancelled.cancel("usr", "called off", now).unwrap();
    for post in [proposed("proposed"), rejected, cancelled] {
        house.platform.put(&scope, &post).await;
    }
    house.platform.advance(MINUTE);
    assert_eq!(house.run().await, (0, 0, 0));
    assert!(house.platform.waiting(Hop::Publish).is_empty());
}

#[tokio::test]
async fn a_store_that_fails_at_any_call_only_delays_what_is_to_be_sent() {
    for at in 0..100 {
        for how in [Fault::Before, Fault::After] {
            let faults = Faults::crash(at, how);
            let (of_table, of_queues) = (faults.clone(), faults.clone());
            let house = House::on(
                MemoryPlatform::new()
                    .with_table(|table| Arc::new(Flaky::new(table, of_table)))
                    .with_queues(|queues| Arc::new(Flaky::new(queues, of_queues))),
            );
            house.left(1, Hop::Tag, 1).await;
            house.left(1, Hop::Compose, 2).await;
            house.platform.advance(PATIENCE);
            let post = house.approved(1, 3, secs(0)).await;
            let first = house.try_run().await;
            faults.revive();
            house.run().await;
            assert_eq!(house.outbox().await, 0, "{how:?} call {at}");
            for (hop, number) in [(Hop::Tag, 1), (Hop::Compose, 2)] {
                let sent = house.drafts(hop);
                assert!((1..=2).contains(&sent.len()), "{how:?} call {at}");
                assert!(sent.iter().all(|s| *s == (scope(1), draft(number))));
            }
            let woken = house.platform.letters::<Due>(Hop::Publish);
            assert!(!woken.is_empty() && woken.iter().all(|(_, d)| d.effect == post.id));
            if first.is_ok_and(|counts| counts == (2, 1, 0)) {
                assert!(at > 28, "there are 28 shards to be asked, and {at} calls");
                return;
            }
        }
    }
    panic!("a run has fewer calls than this");
}

/// Takes every message that can be received and hands it to `publish`.
async fn publish(platform: &MemoryPlatform) {
    let wired: &dyn EnginePlatform = platform;
    let entry = Entry::event::<Batch<Publish>, _>(wired, &platform.env()).unwrap();
    let Entry::Event(function) = entry else { panic!("it takes events") };
    let address = queue(Hop::Publish);
    loop {
        let taken = platform.queues.receive(&address, 10, Duration::from_secs(30)).await.unwrap();
        if taken.is_empty() {
            return;
        }
        let records: Vec<Value> = taken
            .iter()
            .map(|m| {
                json!({
                    "messageId": m.id, "receiptHandle": m.receipt, "body": m.body,
                    "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs",
                })
            })
            .collect();
        let event = json!({ "Records": records }).to_string();
        function.call(event.as_bytes(), platform.invocation()).await.unwrap();
        let receipts: Vec<String> = taken.into_iter().map(|m| m.receipt).collect();
        platform.queues.delete(&address, &receipts).await.unwrap();
    }
}

#[tokio::test]
async fn n15_n17_late_indexes_lose_nothing_and_send_nothing_again() {
    for seed in 0..20 {
        let mut kept = None;
        let platform = MemoryPlatform::new().with_table(|table| {
            let stale = StaleIndex::new(table, seed);
            kept = Some(stale.clone());
            Arc::new(stale)
        });
        let (house, stale) = (House::on(platform), kept.unwrap());
        let commit = async |op: Op| stale.commit(vec![op], None).await.unwrap();
        let (mut drafts, mut posts) = (BTreeSet::new(), Vec::new());
        for number in 0..8 {
            let outgoing = house.outgoing(1, "tag", number);
            drafts.insert(draft(number));
            commit(outgoing.op(&scope(1))).await;
            let wait = secs(i64::from(number) * 45);
            let at = house.platform.now().saturating_add(wait).unwrap();
            let post = house.post(1, number, at).await;
            commit(records::create(&scope(1), &post)).await;
            posts.push(post);
        }
        for _ in 0..12 {
            house.run().await;
            publish(&house.platform).await;
            house.platform.advance(MINUTE);
        }
        assert_eq!(house.outbox().await, 0, "seed {seed}");
        let announced: BTreeSet<DraftId> =
            house.drafts(Hop::Tag).into_iter().map(|(_, draft)| draft).collect();
        assert_eq!(announced, drafts, "seed {seed}");
        let sent = house.platform.publisher.published.all();
        let keys: BTreeSet<&str> = sent.iter().map(|p| p.key.as_str()).collect();
        assert_eq!((sent.len(), keys.len()), (8, 8), "seed {seed}");
        for post in &posts {
            let post = house.platform.load(&scope(1), post).await.unwrap();
            assert_eq!((post.state(), post.attempt()), (State::Done, 1), "seed {seed}");
            let claimed = post.moved_at(State::Sending).unwrap();
            let late = claimed.duration_since(post.payload().send_at);
            assert!(late <= MINUTE * 2, "seed {seed}: {late}");
            assert!(post.due(&scope(1)).is_none());
        }
        assert!(house.platform.publisher.looked_up.all().is_empty(), "seed {seed}");
    }
}
