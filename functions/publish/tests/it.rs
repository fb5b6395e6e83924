//! Messages in, posts out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::approval::{self, Redeemed};
use nexus_core::effect::{Effect, EffectId, Found, LOOK_UPS, Outcome, Payload, State};
use nexus_core::table::{CommitError, CommitToken, Page, Query, Slice, StoreError};
use nexus_core::{
    Approver, Blobs, Condition, Envelope, Item, Key, Op, QueueAddress, Record, RecordKind, Scope,
    Sender, Table, records,
};
use nexus_engine::comments::{Listening, listening_key};
use nexus_engine::connections::{Connection, ConnectionId};
use nexus_engine::desk::Desk;
use nexus_engine::editing::{self, Edit, WordsEdit};
use nexus_engine::hops::Publish as Due;
use nexus_engine::notices::{Notice, NoticeCode};
use nexus_engine::publishing::{Decision, GRACE, Ground, Network, PostPlan, propose};
use nexus_engine::{Draft, EnginePlatform, approving, cancelling};
use nexus_handler::{Batch, Entry, ErasedFunction};
use nexus_kernel::{Digest, Language, Timestamp};
use nexus_publish::Publish;
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};

const MILLI: SignedDuration = SignedDuration::from_millis(1);

fn secs(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

fn scope() -> Scope {
    people::scope(people::tenant(1))
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
        let entry = Entry::event::<Batch<Publish>, _>(wired, &platform.env()).unwrap();
        let Entry::Event(function) = entry else { panic!("it takes events") };
        Self { platform, function }
    }

    /// Delivers a batch; which of its messages failed.
    async fn deliver_bodies(&self, bodies: &[String]) -> Vec<usize> {
        self.platform.deliver(&*self.function, bodies).await
    }

    /// Delivers the message of one post of the first tenant; whether it went well.
    async fn deliver(&self, id: EffectId) -> bool {
        self.deliver_bodies(&[letter(&scope(), id)]).await.is_empty()
    }

    /// A post with its video that waits for a person.
    async fn proposed(&self, scope: &Scope, number: u32, at: Timestamp) -> Effect<PostPlan> {
        let (_, draft) = build::finished(&self.platform, scope, build::media_id(number)).await;
        let plan = propose(&draft, &Ground::default()).posts.swap_remove(0);
        let plan = PostPlan { send_at: at, ..plan };
        let id = EffectId::derived(&["post", &number.to_string()]);
        let effect = Effect::proposed(id, plan, "usr", self.platform.now());
        self.platform.put(scope, &effect).await;
        effect
    }

    /// A post with its video that a person approved.
    async fn approved(&self, scope: &Scope, number: u32, at: Timestamp) -> Effect<PostPlan> {
        let mut effect = self.proposed(scope, number, at).await;
        let person = people::caller(&people::approver(scope.owner().tenant()));
        let digest = effect.payload().digest();
        let approver = Approver::of(&person).unwrap();
        approval::approve(&mut effect, approver, digest, self.platform.now()).unwrap();
        self.platform.put(scope, &effect).await;
        effect
    }

    /// A post that is due now.
    async fn due(&self) -> Effect<PostPlan> {
        self.approved(&scope(), 1, self.platform.now()).await
    }

    /// A post whose holder died with it in hand, without sending it.
    async fn held_by_the_dead(&self) -> Effect<PostPlan> {
        let effect = self.due().await;
        let scope = scope();
        let held = self.platform.redeem::<PostPlan>(&scope, effect.id, "publish", secs(30));
        assert!(matches!(held.await.unwrap(), Redeemed::Send(_)));
        effect
    }

    async fn now_of(&self, scope: &Scope, effect: &Effect<PostPlan>) -> Effect<PostPlan> {
        let effect = self.platform.load(scope, effect).await.unwrap();
        assert!(effect.history_is_whole());
        effect
    }

    async fn state(&self, effect: &Effect<PostPlan>) -> State {
        self.now_of(&scope(), effect).await.state()
    }

    fn sent(&self) -> usize {
        self.platform.publisher.published.all().len()
    }

    fn looked_up(&self) -> usize {
        self.platform.publisher.looked_up.all().len()
    }

    async fn notices(&self) -> Vec<Notice> {
        let rows = self.platform.rows().await.into_iter();
        rows.filter(|row| row.kind == RecordKind::Notice)
            .map(|row| records::read(&row).unwrap().record)
            .collect()
    }

    /// Changes a post's row behind everybody's back.
    async fn tamper(&self, effect: &Effect<PostPlan>, pointer: &str, value: Value) {
        let key = effect.key(&scope());
        let mut item = self.platform.table.get(&key).await.unwrap().unwrap();
        let mut body: Value = serde_json::from_str(&item.body).unwrap();
        let place = body.pointer_mut(pointer).unwrap();
        assert_ne!(*place, value, "{pointer}");
        *place = value;
        item.body = body.to_string();
        self.platform.commit(vec![Op::Put { item, when: Condition::Present }]).await;
    }
}

fn letter(scope: &Scope, effect: EffectId) -> String {
    Envelope::seal(scope, "trace", &Due { effect }).unwrap()
}

#[tokio::test]
async fn n15_an_approved_post_is_sent_once_although_its_message_comes_three_times() {
    let house = House::new();
    let post = house.due().await;
    let thrice = vec![letter(&scope(), post.id); 3];
    assert!(house.deliver_bodies(&thrice).await.is_empty());
    house.platform.advance(secs(3_600));
    assert!(house.deliver_bodies(&thrice).await.is_empty());

    let sent = house.platform.publisher.published.all();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].key, post.id.to_string());
    assert_eq!(sent[0].plan, *post.payload());
    assert_eq!(Some(sent[0].video), post.payload().media.as_ref().map(|m| m.digest));
    let done = house.now_of(&scope(), &post).await;
    assert_eq!((done.state(), done.attempt()), (State::Done, 1));
    let receipt = format!("receipt-{}", post.id);
    assert!(matches!(done.outcome(), Some(Outcome::Done { receipt: r, .. }) if *r == receipt));
    assert_eq!(house.looked_up(), 0);
}

#[tokio::test]
async fn n15_what_no_person_approved_never_reaches_a_network() {
    let house = House::new();
    let now = house.platform.now();
    let waiting = house.proposed(&scope(), 1, now).await;
    let mut rejected = house.proposed(&scope(), 2, now).await;
    rejected.reject("usr", "no", now).unwrap();
    let mut cancelled = house.approved(&scope(), 3, now).await;
    cancelled.cancel("usr", "called off", now).unwrap();
    for (post, state) in
        [(&waiting, State::Proposed), (&rejected, State::Rejected), (&cancelled, State::Cancelled)]
    {
        house.platform.put(&scope(), post).await;
        assert!(house.deliver(post.id).await);
        house.platform.advance(secs(60));
        assert!(house.deliver(post.id).await);
        assert_eq!(house.state(post).await, state);
    }
    assert_eq!((house.sent(), house.looked_up()), (0, 0));
}

#[tokio::test]
async fn n15_an_edit_or_a_person_calls_off_what_was_approved() {
    let house = House::new();
    let (platform, scope) = (&house.platform, scope());
    let (_, draft) = build::finished(platform, &scope, build::media_id(1)).await;
    let person = people::caller(&people::approver(people::tenant(1)));
    let ambient = platform.ambient();
    let desk = Desk {
        table: &platform.table,
        scope: &scope,
        by: person.subject(),
        trace: "trace",
        ambient: &ambient,
    };
    let queues = Arc::new(platform.queues.clone());
    let sender = |hop: &str| Sender::new(Arc::clone(&queues) as _, QueueAddress(hop.into()));
    let approve = async || {
        let draft: Draft = platform.load(&scope, &draft).await.unwrap();
        let seen = propose(&draft, &Ground::default()).digest;
        let approver = Approver::of(&person).unwrap();
        approving::approve(
            &desk,
            draft.id,
            approver,
            &Decision::at_once(seen),
            None,
            &sender("publish"),
        )
        .await
        .unwrap()
    };

    let first = approve().await;
    assert_eq!(first.len(), 2, "English and Spanish");
    let english = WordsEdit { description: Some("Another loaf.".into()), ..WordsEdit::default() };
    let edit = Edit { revision: None, words: [(Language::En, english)].into() };
    editing::edit(&desk, draft.id, &edit, &sender("narrate")).await.unwrap();
    let second = approve().await;
    cancelling::cancel(&desk, second[0].id).await.unwrap();

    let waiting: Vec<String> =
        platform.waiting(nexus_engine::Hop::Publish).into_iter().map(|m| m.body).collect();
    assert_eq!(waiting.len(), 4);
    assert!(house.deliver_bodies(&waiting).await.is_empty());
    let sent: Vec<String> = platform.publisher.published.all().into_iter().map(|p| p.key).collect();
    assert_eq!(sent, [second[1].id.to_string()]);
    for post in [&first[0], &first[1], &second[0]] {
        assert_eq!(house.state(post).await, State::Cancelled);
    }
}

#[tokio::test]
async fn n15_a_post_that_is_not_to_the_letter_what_was_approved_is_called_off() {
    for (pointer, value) in [
        ("/payload/text", json!("Something else.")),
        ("/payload/account", json!("another")),
        ("/payload/network", json!("x")),
        ("/payload/language", json!("es")),
        ("/payload/revision", json!(7)),
        ("/payload/media/digest", json!(Digest::of(b"another video"))),
        ("/payload/media", Value::Null),
        ("/payload/send_at", json!("2027-03-01T08:59:00Z")),
        ("/approval/digest", json!(Digest::of(b"another post"))),
        ("/approval", Value::Null),
    ] {
        let house = House::new();
        let post = house.due().await;
        house.tamper(&post, pointer, value).await;
        assert!(house.deliver(post.id).await, "{pointer}");
        assert!(house.deliver(post.id).await, "{pointer}");
        assert_eq!(house.sent(), 0, "{pointer}");
        assert_eq!(house.state(&post).await, State::Cancelled, "{pointer}");
    }
}

#[tokio::test]
async fn n15_a_video_whose_bytes_are_not_those_approved_is_refused() {
    let house = House::new();
    let media = |post: &Effect<PostPlan>| post.payload().media.clone().unwrap();
    let now = house.platform.now();

    let exchanged = house.approved(&scope(), 1, now).await;
    let other = Bytes::from_static(b"another video");
    house.platform.blobs.put(&media(&exchanged).blob, other.clone(), "video/mp4").await.unwrap();

    let moved = house.approved(&scope(), 2, now).await;
    let elsewhere = scope().blob("made", "elsewhere.mp4");
    house.platform.blobs.put(&elsewhere, other, "video/mp4").await.unwrap();
    house.tamper(&moved, "/payload/media/blob", json!(elsewhere)).await;

    let gone = house.approved(&scope(), 3, now).await;
    house.platform.blobs.delete(&media(&gone).blob).await.unwrap();

    for (post, said) in [(exchanged, "approved"), (moved, "approved"), (gone, "gone")] {
        assert!(house.deliver(post.id).await);
        assert!(house.deliver(post.id).await);
        let post = house.now_of(&scope(), &post).await;
        assert_eq!(post.state(), State::Refused);
        assert!(matches!(post.outcome(), Some(Outcome::Refused { why }) if why.contains(said)));
    }
    assert_eq!(house.sent(), 0);
}

#[tokio::test]
async fn n16_a_post_that_shows_nothing_is_refused_and_one_without_its_account_called_off() {
    let house = House::new();
    let now = house.platform.now();
    let person = people::caller(&people::approver(people::tenant(1)));
    let like = house.proposed(&scope(), 1, now).await;
    let bare = PostPlan { media: None, ..like.payload().clone() };
    let to_x = PostPlan { network: Network::X, ..like.payload().clone() };
    for (name, plan, state) in [("bare", bare, State::Refused), ("x", to_x, State::Cancelled)] {
        let digest = plan.digest();
        let mut post = Effect::proposed(EffectId::derived(&[name]), plan, "usr", now);
        approval::approve(&mut post, Approver::of(&person).unwrap(), digest, now).unwrap();
        house.platform.put(&scope(), &post).await;
        assert!(house.deliver(post.id).await);
        assert_eq!(house.state(&post).await, state, "{name}");
    }
    assert_eq!(house.sent(), 0);
}

#[tokio::test]
async fn n15_n17_a_post_is_sent_from_its_time_on_until_its_approval_ends() {
    let house = House::new();
    let at = house.platform.now().saturating_add(secs(600)).unwrap();
    let early = house.approved(&scope(), 1, at).await;
    let late = house.approved(&scope(), 2, at).await;
    let too_late = house.approved(&scope(), 3, at).await;

    for wait in [secs(0), secs(600) - MILLI] {
        house.platform.advance(wait);
        assert!(house.deliver(early.id).await);
        assert_eq!((house.sent(), house.state(&early).await), (0, State::Approved));
    }
    house.platform.advance(MILLI);
    assert!(house.deliver(early.id).await);
    assert_eq!((house.sent(), house.state(&early).await), (1, State::Done));

    house.platform.advance(GRACE - MILLI);
    assert!(house.deliver(late.id).await);
    assert_eq!((house.sent(), house.state(&late).await), (2, State::Done));
    house.platform.advance(MILLI);
    assert!(house.deliver(too_late.id).await);
    assert_eq!((house.sent(), house.state(&too_late).await), (2, State::Cancelled));
}

#[tokio::test]
async fn a_post_in_the_hands_of_somebody_is_left_to_them_until_their_time_is_over() {
    let house = House::new();
    let post = house.held_by_the_dead().await;
    for wait in [secs(0), secs(30) - MILLI] {
        house.platform.advance(wait);
        assert!(house.deliver(post.id).await);
        assert_eq!((house.sent(), house.looked_up()), (0, 0));
        assert_eq!(house.state(&post).await, State::Sending);
    }
}

#[tokio::test]
async fn a_post_whose_holder_died_is_looked_up_and_not_sent_again_where_it_is_there() {
    let house = House::new();
    let post = house.held_by_the_dead().await;
    house.platform.publisher.find(Found::Done { receipt: "there".into(), url: None });
    house.platform.advance(secs(30));
    for _ in 0..3 {
        assert!(house.deliver(post.id).await);
        house.platform.advance(secs(60));
    }
    assert_eq!((house.sent(), house.looked_up()), (0, 1));
    let post = house.now_of(&scope(), &post).await;
    assert_eq!(post.state(), State::Done);
    assert!(matches!(post.outcome(), Some(Outcome::Done { receipt, .. }) if receipt == "there"));
}

#[tokio::test]
async fn a_post_whose_holder_died_is_sent_in_a_next_attempt_where_it_is_not_there() {
    let house = House::new();
    let post = house.held_by_the_dead().await;
    house.platform.advance(secs(30));
    assert!(house.deliver(post.id).await);
    assert_eq!((house.sent(), house.looked_up()), (0, 1), "a look is not a post");
    assert_eq!(house.state(&post).await, State::Approved);

    assert!(house.deliver(post.id).await);
    let sent = house.platform.publisher.published.all();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].key, post.id.to_string(), "the same key as in the first attempt");
    let post = house.now_of(&scope(), &post).await;
    assert_eq!((post.state(), post.attempt()), (State::Done, 2));
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_looked_up_ever_later_until_a_person_is_asked() {
    let house = House::new();
    let post = house.held_by_the_dead().await;
    for _ in 0..LOOK_UPS {
        house.platform.publisher.find(Found::StillUnknown { why: "no answer".into() });
    }
    let mut wait = secs(30);
    for look in 1..=LOOK_UPS {
        house.platform.advance(wait - MILLI);
        assert!(house.deliver(post.id).await);
        assert_eq!(house.looked_up(), look as usize - 1, "before its time");
        house.platform.advance(MILLI);
        assert!(house.deliver(post.id).await);
        assert_eq!(house.looked_up(), look as usize);
        let state = if look < LOOK_UPS { State::Unknown } else { State::AskAPerson };
        assert_eq!(house.state(&post).await, state, "after look {look}");
        wait = secs(15 << look);
    }
    house.platform.advance(wait);
    assert!(house.deliver(post.id).await);
    assert_eq!((house.sent(), house.looked_up()), (0, LOOK_UPS as usize));
    let told = house.notices().await;
    assert_eq!(told.len(), 1, "told once, when a person was asked: {told:?}");
    assert_eq!(
        (told[0].code, &told[0].about),
        (NoticeCode::PersonNeeded, &Some(post.id.to_string()))
    );
    assert!(
        told[0].text.starts_with("Your post to the feed may be there or not"),
        "{}",
        told[0].text
    );
}

#[tokio::test]
async fn a_network_that_asks_to_wait_gets_its_time() {
    let house = House::new();
    let post = house.due().await;
    house.platform.publisher.answer(Outcome::Throttled { after_seconds: 120 });
    assert!(house.deliver(post.id).await);
    assert_eq!((house.sent(), house.state(&post).await), (1, State::Approved));
    house.platform.advance(secs(120) - MILLI);
    assert!(house.deliver(post.id).await);
    assert_eq!(house.sent(), 1);
    house.platform.advance(MILLI);
    assert!(house.deliver(post.id).await);
    let sent = house.platform.publisher.published.all();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].key, sent[1].key);
    assert_eq!(house.state(&post).await, State::Done);
}

#[tokio::test]
async fn what_a_network_says_ends_a_post_or_has_it_looked_up() {
    let why = || "because".to_owned();
    for (outcome, state, looked_up, at_last) in [
        (Outcome::Refused { why: why() }, State::Refused, 0, State::Refused),
        // Whom the network does not let in has posted nothing.
        (Outcome::Login { why: why() }, State::Refused, 0, State::Refused),
        (Outcome::Unknown { why: why() }, State::Unknown, 1, State::Done),
    ] {
        let house = House::new();
        let post = house.due().await;
        house.platform.publisher.answer(outcome);
        assert!(house.deliver(post.id).await);
        assert_eq!(house.state(&post).await, state);
        house.platform.advance(secs(15) - MILLI);
        assert!(house.deliver(post.id).await);
        assert_eq!((house.sent(), house.looked_up()), (1, 0));
        house.platform.advance(MILLI);
        assert!(house.deliver(post.id).await);
        assert_eq!((house.sent(), house.looked_up()), (1, looked_up));
        assert_eq!(house.state(&post).await, at_last);
    }
}

#[tokio::test]
async fn a_post_that_is_not_sent_any_more_is_told_once_with_its_reason() {
    let house = House::new();
    let now = house.platform.now();
    let refused = house.approved(&scope(), 1, now).await;
    house.platform.publisher.answer(Outcome::Refused { why: "It is too long.".into() });
    let late = house.approved(&scope(), 2, now).await;
    let person = people::caller(&people::approver(people::tenant(1)));
    let to_x = PostPlan { network: Network::X, ..late.payload().clone() };
    let digest = to_x.digest();
    let mut homeless = Effect::proposed(EffectId::derived(&["x"]), to_x, "usr", now);
    approval::approve(&mut homeless, Approver::of(&person).unwrap(), digest, now).unwrap();
    house.platform.put(&scope(), &homeless).await;
    for _ in 0..2 {
        assert!(house.deliver(refused.id).await && house.deliver(homeless.id).await);
    }
    house.platform.advance(GRACE);
    for _ in 0..2 {
        assert!(house.deliver(late.id).await);
    }
    let told = house.notices().await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|notice| notice.code == NoticeCode::PostNotSent), "{told:?}");
    for (post, text) in [
        (
            refused,
            "Your post to the feed was not sent: It is too long. It is not sent again by itself.",
        ),
        (
            homeless,
            "Your post to X was not sent: the account was removed. It is not sent again by itself.",
        ),
        (
            late,
            "Your post to the feed was not sent: its approval ran out before it could be sent. It is not sent again by \
             itself.",
        ),
    ] {
        let about = Some(post.id.to_string());
        let one = told.iter().find(|notice| notice.about == about).unwrap();
        assert_eq!(one.text, text);
    }
}

/// A table at which others are so often before a commit goes through.
struct Crowded(Arc<dyn Table>, Arc<AtomicU32>);

#[async_trait]
impl Table for Crowded {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.0.get(key).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        self.0.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        let less = |left: u32| left.checked_sub(1);
        match self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) {
            Ok(_) => Err(CommitError::Contended),
            Err(_) => self.0.commit(ops, token).await,
        }
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.0.scan(page).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_in_whose_way_others_are_comes_again_at_once() {
    for (others, state) in [(2, State::Done), (4, State::Done), (5, State::Approved)] {
        let left = Arc::new(AtomicU32::new(0));
        let platform =
            MemoryPlatform::new().with_table(|table| Arc::new(Crowded(table, Arc::clone(&left))));
        let house = House::on(platform);
        let post = house.due().await;
        left.store(others, Ordering::SeqCst);
        let begun = tokio::time::Instant::now();
        assert!(house.deliver(post.id).await, "the relay wakes it again");
        assert_eq!(house.state(&post).await, state, "after {others}");
        assert_eq!(house.sent(), usize::from(state == State::Done));
        let took = begun.elapsed().as_millis();
        let pauses = u128::from(others.min(4));
        assert!((30 * pauses..=500 * pauses).contains(&took), "{took} ms for {pauses} pauses");
    }
}

#[tokio::test(start_paused = true)]
async fn n15_a_network_that_never_answers_leaves_an_open_question_and_no_dead_letter() {
    let house = House::new();
    let post = house.due().await;
    house.platform.publisher.hangs();
    assert!(house.deliver(post.id).await, "its message does not fail");
    assert_eq!((house.sent(), house.state(&post).await), (1, State::Unknown));
    house.platform.advance(secs(15));
    house.platform.publisher.hangs();
    assert!(house.deliver(post.id).await);
    assert_eq!((house.looked_up(), house.state(&post).await), (1, State::Unknown));
    let seen = house.now_of(&scope(), &post).await.history().last().unwrap().reason.clone();
    assert_eq!(seen, "its network did not answer in time");
    house.platform.advance(secs(30));
    assert!(house.deliver(post.id).await);
    assert_eq!((house.sent(), house.state(&post).await), (1, State::Done));
}

#[tokio::test]
async fn a_network_without_time_is_looked_at_again_when_it_says_and_no_look_is_used_up() {
    let house = House::new();
    let post = house.due().await;
    house.platform.publisher.answer(Outcome::Unknown { why: "lost".into() });
    assert!(house.deliver(post.id).await);
    house.platform.advance(secs(15));
    for look in 1..=2 * LOOK_UPS {
        house.platform.publisher.find(Found::Later { after_seconds: 900 });
        assert!(house.deliver(post.id).await);
        house.platform.advance(secs(900) - MILLI);
        assert!(house.deliver(post.id).await);
        assert_eq!(house.looked_up(), look as usize, "before its time");
        house.platform.advance(MILLI);
    }
    assert_eq!((house.state(&post).await, house.notices().await), (State::Unknown, Vec::new()));
    assert!(house.deliver(post.id).await);
    assert_eq!((house.sent(), house.state(&post).await), (1, State::Done));
}

#[tokio::test]
async fn n48_another_tenants_post_is_not_found_under_an_envelope_of_ones_own() {
    let house = House::new();
    let stranger = people::scope(people::tenant(2));
    let post = house.due().await;
    assert!(house.deliver_bodies(&[letter(&stranger, post.id)]).await.is_empty());
    assert_eq!(house.sent(), 0);
    assert_eq!(house.platform.load(&scope(), &post).await.unwrap(), post);

    let namesake = house.approved(&stranger, 1, house.platform.now()).await;
    assert_eq!(namesake.id, post.id);
    assert!(house.deliver_bodies(&[letter(&stranger, post.id)]).await.is_empty());
    let sent = house.platform.publisher.published.all();
    assert_eq!(sent.len(), 1);
    assert!(stranger.holds(&sent[0].plan.media.as_ref().unwrap().blob));
    assert_eq!(house.state(&post).await, State::Approved);
}

#[tokio::test]
async fn a_message_that_is_not_ours_fails_alone() {
    let house = House::new();
    let post = house.due().await;
    let bodies = ["{}".to_owned(), letter(&scope(), post.id), "nonsense".to_owned()];
    let mut failed = house.deliver_bodies(&bodies).await;
    failed.sort_unstable();
    assert_eq!(failed, [0, 2]);
    assert_eq!((house.sent(), house.state(&post).await), (1, State::Done));
}

/// A table in front of which everybody waits for everybody else, so that two calls go step by step together.
struct StepByStep(Arc<dyn Table>);

#[async_trait]
impl Table for StepByStep {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let found = self.0.get(key).await;
        tokio::task::yield_now().await;
        found
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        tokio::task::yield_now().await;
        self.0.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        tokio::task::yield_now().await;
        let outcome = self.0.commit(ops, token).await;
        tokio::task::yield_now().await;
        outcome
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.0.scan(page).await
    }
}

/// The clock stands still: both deliveries see the same moment and would hold the post for the same time.
#[tokio::test(start_paused = true)]
async fn n15_two_deliveries_in_the_same_moment_are_one_post() {
    let platform = MemoryPlatform::new().with_table(|table| Arc::new(StepByStep(table)));
    let (one, other) = (House::on(platform.clone()), House::on(platform));
    let post = one.due().await;
    tokio::join!(one.deliver(post.id), other.deliver(post.id));
    assert_eq!((one.sent(), one.looked_up()), (1, 0));
    assert_eq!(one.state(&post).await, State::Done);

    // And within one batch.
    let post = one.approved(&scope(), 2, one.platform.now()).await;
    one.deliver_bodies(&vec![letter(&scope(), post.id); 4]).await;
    assert_eq!((one.sent(), one.looked_up()), (2, 0));
    assert_eq!(one.state(&post).await, State::Done);
}

/// The function on stores of which calls fail.
fn flaky(faults: &Faults) -> House {
    let (of_table, of_blobs) = (faults.clone(), faults.clone());
    let platform = MemoryPlatform::new()
        .with_table(|table| Arc::new(Flaky::new(table, of_table)))
        .with_blobs(|blobs| Arc::new(Flaky::new(blobs, of_blobs)));
    House::on(platform)
}

#[tokio::test]
async fn n15_a_process_that_dies_at_any_call_of_a_store_leaves_one_post() {
    let whole = Faults::none();
    let house = flaky(&whole);
    let post = house.due().await;
    assert!(house.deliver(post.id).await);
    let calls = whole.calls();
    assert_eq!(calls, 4, "read, claim, video, outcome");

    for at in 0..calls {
        for how in [Fault::Before, Fault::After] {
            let faults = Faults::crash(at, how);
            let house = flaky(&faults);
            let post = house.due().await;
            assert!(house.deliver(post.id).await, "{how:?} call {at}: the relay wakes it again");
            faults.revive();
            for _ in 0..5 {
                assert!(house.deliver(post.id).await, "{how:?} call {at}");
                house.platform.advance(secs(31));
            }
            assert_eq!(house.sent(), 1, "{how:?} call {at}");
            assert_eq!(house.state(&post).await, State::Done, "{how:?} call {at}");
        }
    }
}

#[tokio::test]
async fn n15_stores_that_fail_now_and_then_lead_to_one_post_all_the_same() {
    for seed in 0..60 {
        let faults = Faults::seeded(seed, 3);
        let house = flaky(&faults);
        let post = house.due().await;
        for _ in 0..20 {
            house.deliver(post.id).await;
            house.platform.advance(secs(20));
        }
        faults.revive();
        for _ in 0..5 {
            house.platform.advance(secs(60));
            assert!(house.deliver(post.id).await, "seed {seed}");
        }
        assert_eq!(house.sent(), 1, "seed {seed}");
        assert_eq!(house.state(&post).await, State::Done, "seed {seed}");
    }
}

#[tokio::test]
async fn a_post_that_is_there_begins_to_be_listened_to_where_its_network_tells_comments() {
    for (network, is_heard) in
        [(Network::Mastodon, true), (Network::X, true), (Network::TikTok, false)]
    {
        let mut platform = MemoryPlatform::new();
        platform.publisher = Arc::new(nexus_testkit::fakes::FakePublisher::to(network));
        let house = House::on(platform);
        let connection = connected(&house, network).await;
        let plan = house.proposed(&scope(), 1, house.platform.now()).await.payload().clone();
        let plan = PostPlan { network, connection: Some(connection.id), ..plan };
        let id = EffectId::derived(&["heard"]);
        let mut effect = Effect::proposed(id, plan, "usr", house.platform.now());
        let person = people::caller(&people::approver(scope().owner().tenant()));
        let digest = effect.payload().digest();
        let approver = Approver::of(&person).unwrap();
        approval::approve(&mut effect, approver, digest, house.platform.now()).unwrap();
        house.platform.put(&scope(), &effect).await;
        assert!(house.deliver(id).await);
        assert_eq!(house.now_of(&scope(), &effect).await.state(), State::Done, "{network}");
        let key = listening_key(&scope(), id);
        let now = house.platform.now();
        let stands = nexus_core::records::load::<Listening>(&house.platform.table, &key, now).await;
        let next = stands.unwrap().and_then(|stored| stored.record.next);
        assert_eq!(next, is_heard.then(|| now + SignedDuration::from_hours(1)), "{network}");
    }
}

async fn connected(house: &House, network: Network) -> Connection {
    let now = house.platform.now();
    let connection = build::connection(ConnectionId::derived(&["account"]), network, now);
    let tokens = r#"{"access":"canary-access","refresh":null}"#;
    house.platform.connect(&scope(), &connection, tokens).await;
    connection
}
