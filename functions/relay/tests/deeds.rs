//! What a person does to a post that was approved: moves it, sends it anew, makes another draft of it. In the end stands
//! what reached the network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::approval::{self, Answer, Redeemed};
use nexus_core::effect::{Effect, EffectId, Outcome, Payload, State};
use nexus_core::queues::Received;
use nexus_core::{
    Approver, BlobKey, Caller, QueueAddress, Queues, RecordKind, Scope, Sender, Table,
};
use nexus_engine::blob_names::BlobName;
use nexus_engine::editing::{self, Edit, WordsEdit};
use nexus_engine::publishing::{Decision, Ground, PostPlan, propose};
use nexus_engine::scheduling::{self, When, plan_times, warnings};
use nexus_engine::{
    Desk, Draft, EnginePlatform, Hop, Media, Stage, approving, cancelling, duplicating, removal,
    rescheduling, retrying,
};
use nexus_handler::{Batch, Entry};
use nexus_kernel::{Ambient, Failure, FailureKind, Language, Timestamp};
use nexus_publish::Publish;
use nexus_relay::Relay;
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A tenant with a draft, and a person who decides.
struct Shop {
    platform: MemoryPlatform,
    ambient: Ambient,
    person: Caller,
    /// Where deeds are done.
    table: Arc<dyn Table>,
    draft: Draft,
}

impl Shop {
    async fn new() -> Self {
        let platform = MemoryPlatform::new();
        let person = people::caller(&people::approver(people::tenant(1)));
        let (_, draft) = build::finished(&platform, person.scope(), build::media_id(1)).await;
        let table = Arc::new(platform.table.clone());
        Self { ambient: platform.ambient(), platform, person, table, draft }
    }

    fn scope(&self) -> &Scope {
        self.person.scope()
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            table: &*self.table,
            scope: self.scope(),
            by: self.person.subject(),
            trace: "trace",
            ambient: &self.ambient,
        }
    }

    fn approver(&self) -> Approver<'_> {
        Approver::of(&self.person).unwrap()
    }

    fn sender(&self, hop: Hop) -> Sender {
        Sender::new(Arc::new(self.platform.queues.clone()), QueueAddress(hop.name().into()))
    }

    fn later(&self, by: SignedDuration) -> Timestamp {
        self.platform.now().saturating_add(by).unwrap()
    }

    /// The draft's posts, approved for then: English and Spanish.
    async fn approved(&self, at: Timestamp) -> Vec<Effect<PostPlan>> {
        let seen = propose(&self.draft().await, &Ground::default()).digest;
        let (desk, publish) = (self.desk(), self.sender(Hop::Publish));
        let decision = Decision { at: Some(at), ..Decision::at_once(seen) };
        let (draft, approver) = (self.draft.id, self.approver());
        approving::approve(&desk, draft, approver, &decision, None, &publish).await.unwrap()
    }

    async fn reschedule(
        &self,
        post: &Effect<PostPlan>,
        at: Timestamp,
    ) -> Result<Effect<PostPlan>, Failure> {
        let (seen, publish) = (post.payload().digest(), self.sender(Hop::Publish));
        rescheduling::reschedule(&self.desk(), post.id, self.approver(), seen, at, &publish).await
    }

    async fn retry(
        &self,
        post: &Effect<PostPlan>,
        at: Timestamp,
    ) -> Result<Effect<PostPlan>, Failure> {
        let (seen, publish) = (post.payload().digest(), self.sender(Hop::Publish));
        retrying::retry(&self.desk(), post.id, self.approver(), seen, at, &publish).await
    }

    async fn draft(&self) -> Draft {
        self.platform.load(self.scope(), &self.draft).await.unwrap()
    }

    async fn now_of(&self, post: &Effect<PostPlan>) -> Effect<PostPlan> {
        let post = self.platform.load(self.scope(), post).await.unwrap();
        assert!(post.history_is_whole());
        post
    }

    async fn claimed(&self, post: &Effect<PostPlan>) -> approval::Approved<PostPlan> {
        let (id, lease) = (post.id, SignedDuration::from_secs(60));
        let claim = self.platform.redeem::<PostPlan>(self.scope(), id, "publish", lease).await;
        let Redeemed::Send(approved) = claim.unwrap() else { panic!("it is due") };
        approved
    }

    async fn settled(&self, post: &Effect<PostPlan>, outcome: Outcome) {
        let approved = self.claimed(post).await;
        approval::settle(approved, outcome, "publish", self.platform.now()).await.unwrap();
    }

    fn sent(&self) -> Vec<EffectId> {
        let sent = self.platform.publisher.published.all().into_iter();
        sent.map(|post| EffectId::parse(&post.key).unwrap()).collect()
    }

    async fn effects(&self) -> usize {
        let rows = self.platform.rows().await;
        rows.iter().filter(|row| row.kind == RecordKind::Effect).count()
    }

    /// Lets minutes pass, in each of which the relay runs and `publish` works off its queue.
    async fn pass(&self, minutes: u32) {
        let wired: &dyn EnginePlatform = &self.platform;
        let env = self.platform.env();
        let (relay, publish) = (
            Entry::event::<Relay, _>(wired, &env).unwrap(),
            Entry::event::<Batch<Publish>, _>(wired, &env).unwrap(),
        );
        let (Entry::Event(relay), Entry::Event(publish)) = (relay, publish) else {
            panic!("both take events")
        };
        for _ in 0..minutes {
            relay.call(b"{}", self.platform.invocation()).await.unwrap();
            self.platform.advance(MINUTE);
            let address = QueueAddress(Hop::Publish.name().into());
            let seconds = Duration::from_secs(30);
            loop {
                let taken = self.platform.queues.receive(&address, 10, seconds).await.unwrap();
                if taken.is_empty() {
                    break;
                }
                let record = |m: &Received| {
                    json!({
                        "messageId": m.id, "receiptHandle": m.receipt, "body": m.body,
                        "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs",
                    })
                };
                let records: Vec<Value> = taken.iter().map(record).collect();
                let event = json!({ "Records": records }).to_string();
                publish.call(event.as_bytes(), self.platform.invocation()).await.unwrap();
                let receipts: Vec<String> = taken.into_iter().map(|m| m.receipt).collect();
                self.platform.queues.delete(&address, &receipts).await.unwrap();
            }
        }
    }
}

#[track_caller]
fn conflicts(done: Result<Effect<PostPlan>, Failure>, saying: &str) {
    let failure = done.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Conflict, "{failure}");
    assert!(failure.public().contains(saying), "{failure}");
}

#[tokio::test]
async fn n15_n17_a_post_that_was_moved_goes_out_at_its_new_time_and_only_then() {
    let shop = Shop::new().await;
    let posts = shop.approved(shop.later(HOUR)).await;
    let (earlier, later) = (shop.later(SignedDuration::from_mins(10)), shop.later(HOUR * 2));
    let first = shop.reschedule(&posts[0], earlier).await.unwrap();
    let second = shop.reschedule(&posts[1], later).await.unwrap();
    for (post, old, at) in [(&first, &posts[0], earlier), (&second, &posts[1], later)] {
        assert_eq!((post.state(), post.payload().send_at), (State::Approved, at));
        assert_eq!(post.approval().unwrap().by, shop.person.subject());
        assert_eq!(*post.payload(), PostPlan { send_at: at, ..old.payload().clone() });
        let old = shop.now_of(old).await;
        assert_eq!(old.state(), State::Cancelled);
        assert_eq!(old.history().last().unwrap().reason, format!("rescheduled to {at}"));
    }
    assert_eq!(shop.draft().await.posts, [first.id, second.id]);
    // What is due soon is announced at once.
    assert_eq!(shop.platform.waiting(Hop::Publish).len(), 1);

    shop.pass(9).await;
    assert!(shop.sent().is_empty());
    shop.pass(2).await;
    assert_eq!(shop.sent(), [first.id]);
    shop.pass(108).await;
    assert_eq!(shop.sent(), [first.id], "the old hour has passed");
    shop.pass(2).await;
    assert_eq!(shop.sent(), [first.id, second.id]);
    for post in [&first, &second] {
        let post = shop.now_of(post).await;
        let late = post.moved_at(State::Sending).unwrap().duration_since(post.payload().send_at);
        assert!((SignedDuration::ZERO..=MINUTE).contains(&late), "{late}");
    }
}

#[tokio::test]
async fn moving_a_post_twice_is_once_and_to_its_own_time_is_nothing() {
    let shop = Shop::new().await;
    let posts = shop.approved(shop.later(HOUR)).await;
    let same = shop.reschedule(&posts[0], shop.later(HOUR)).await.unwrap();
    assert_eq!((same.id, shop.effects().await), (posts[0].id, 2));
    let there = shop.reschedule(&posts[0], shop.later(HOUR * 2)).await.unwrap();
    let again = shop.reschedule(&posts[0], shop.later(HOUR * 2)).await.unwrap();
    assert_eq!((there.id, shop.effects().await), (again.id, 3));
    conflicts(shop.reschedule(&posts[0], shop.later(HOUR * 3)).await, &there.id.to_string());
    // It can be moved on, and back.
    let on = shop.reschedule(&there, shop.later(HOUR * 3)).await.unwrap();
    let back = shop.reschedule(&on, shop.later(HOUR)).await.unwrap();
    assert_eq!(shop.draft().await.posts, [back.id, posts[1].id]);
}

#[tokio::test]
async fn n17_a_move_reaches_a_post_until_it_is_claimed_and_then_says_that_it_is_too_late() {
    let shop = Shop::new().await;
    let posts = shop.approved(shop.platform.now()).await;
    let claimed = shop.claimed(&posts[0]).await;
    conflicts(shop.reschedule(&posts[0], shop.later(HOUR)).await, "too late");
    let accepted = Outcome::Accepted { look_after_seconds: 30 };
    approval::settle(claimed, accepted, "publish", shop.platform.now()).await.unwrap();
    conflicts(shop.reschedule(&posts[0], shop.later(HOUR)).await, "too late");
    let done = Outcome::Done { receipt: "r".into(), url: None };
    shop.settled(&posts[1], done).await;
    conflicts(shop.reschedule(&posts[1], shop.later(HOUR)).await, "too late");
    assert_eq!(shop.effects().await, 2);
}

#[tokio::test]
async fn n15_what_a_person_did_not_see_or_what_was_called_off_is_not_moved() {
    let shop = Shop::new().await;
    let posts = shop.approved(shop.later(HOUR)).await;
    let (wrong, publish) = (posts[1].payload().digest(), shop.sender(Hop::Publish));
    let desk = shop.desk();
    let unseen = rescheduling::reschedule(
        &desk,
        posts[0].id,
        shop.approver(),
        wrong,
        shop.later(HOUR),
        &publish,
    );
    conflicts(unseen.await, "not what you saw");
    let past = shop.reschedule(&posts[0], shop.platform.now() - HOUR).await.unwrap_err();
    assert_eq!(past.fields()[0].field, "at");
    cancelling::cancel(&shop.desk(), posts[0].id).await.unwrap();
    conflicts(shop.reschedule(&posts[0], shop.later(HOUR * 2)).await, "anew");

    let other = people::caller(&people::approver(people::tenant(2)));
    let desk = Desk { scope: other.scope(), by: other.subject(), ..shop.desk() };
    let (id, seen, at) = (posts[1].id, posts[1].payload().digest(), shop.later(HOUR * 2));
    let approver = Approver::of(&other).unwrap();
    let foreign = rescheduling::reschedule(&desk, id, approver, seen, at, &publish).await;
    assert_eq!(foreign.unwrap_err().kind(), FailureKind::NotFound);
    assert_eq!(shop.effects().await, 2);
}

#[tokio::test]
async fn n15_a_move_that_dies_or_loses_its_answer_anywhere_leaves_one_post() {
    for at in 0..40 {
        for how in [Fault::Before, Fault::After] {
            let mut shop = Shop::new().await;
            let posts = shop.approved(shop.later(HOUR)).await;
            let faults = Faults::crash(at, how);
            shop.table = Arc::new(Flaky::new(
                Arc::new(shop.platform.table.clone()) as Arc<dyn Table>,
                faults.clone(),
            ));
            let new = shop.later(MINUTE * 5);
            let first = shop.reschedule(&posts[0], new).await;
            faults.revive();
            let moved = shop.reschedule(&posts[0], new).await.unwrap();
            assert_eq!(moved.payload().send_at, new);
            assert_eq!(shop.effects().await, 3, "{how:?} call {at}");
            assert_eq!(shop.now_of(&posts[0]).await.state(), State::Cancelled);
            assert_eq!(shop.draft().await.posts, [moved.id, posts[1].id]);
            shop.pass(8).await;
            assert_eq!(shop.sent(), [moved.id], "{how:?} call {at}");
            if first.is_ok() && at > 10 {
                return;
            }
        }
    }
    panic!("a move has fewer calls than this");
}

#[tokio::test]
async fn a_post_that_certainly_did_not_go_out_is_sent_anew_once() {
    let shop = Shop::new().await;
    let posts = shop.approved(shop.platform.now()).await;
    shop.settled(&posts[0], Outcome::Refused { why: "too long".into() }).await;
    // Nobody can tell of the other; a person finds that it is not there.
    shop.settled(&posts[1], Outcome::Login { why: "connect it anew".into() }).await;
    conflicts(shop.retry(&posts[1], shop.later(HOUR)).await, "say first");
    let mut asked = shop.now_of(&posts[1]).await;
    approval::answer(&mut asked, shop.approver(), Answer::DidNotHappen, shop.platform.now())
        .unwrap();
    shop.platform.put(shop.scope(), &asked).await;

    let soon = shop.later(MINUTE * 3);
    let first = shop.retry(&posts[0], soon).await.unwrap();
    let second = shop.retry(&posts[1], soon).await.unwrap();
    assert_eq!(shop.retry(&posts[0], soon).await.unwrap().id, first.id);
    conflicts(shop.retry(&posts[0], shop.later(HOUR)).await, &first.id.to_string());
    conflicts(shop.retry(&first, shop.later(HOUR)).await, "move it");
    assert_eq!(shop.draft().await.posts, [first.id, second.id]);
    shop.pass(5).await;
    assert_eq!(BTreeSet::from_iter(shop.sent()), [first.id, second.id].into());
    conflicts(shop.retry(&first, shop.later(HOUR)).await, "duplicate");
    for post in &posts {
        assert!(shop.now_of(post).await.state().is_final());
    }
}

#[tokio::test]
async fn n15_what_was_edited_rejected_moved_or_may_be_out_is_not_sent_anew() {
    let shop = Shop::new().await;
    let posts = shop.approved(shop.platform.now()).await;
    let claimed = shop.claimed(&posts[0]).await;
    conflicts(shop.retry(&posts[0], shop.later(HOUR)).await, "right now");
    let unknown = Outcome::Unknown { why: "no answer".into() };
    approval::settle(claimed, unknown, "publish", shop.platform.now()).await.unwrap();
    conflicts(shop.retry(&posts[0], shop.later(HOUR)).await, "looked up");

    let shop = Shop::new().await;
    let posts = shop.approved(shop.later(HOUR)).await;
    let moved = shop.reschedule(&posts[0], shop.later(HOUR * 2)).await.unwrap();
    conflicts(shop.retry(&posts[0], shop.later(HOUR)).await, &moved.id.to_string());
    let english = WordsEdit { description: Some("Another loaf.".into()), ..WordsEdit::default() };
    let edit = Edit { revision: None, words: [(Language::En, english)].into() };
    editing::edit(&shop.desk(), shop.draft.id, &edit, &shop.sender(Hop::Narrate)).await.unwrap();
    for post in [&moved, &posts[1]] {
        assert_eq!(shop.now_of(post).await.state(), State::Cancelled);
        conflicts(shop.retry(post, shop.later(HOUR)).await, "as it is now");
    }
    editing::reject(&shop.desk(), shop.draft.id, None).await.unwrap();
    conflicts(shop.retry(&moved, shop.later(HOUR)).await, "as it is now");
    assert_eq!(shop.effects().await, 3);
}

#[tokio::test]
async fn n15_n17_every_occurrence_is_approved_on_its_own_and_a_no_withdraws_them_all() {
    let shop = Shop::new().await;
    let start = shop.later(MINUTE * 10);
    let post = shop.approved(start).await.swap_remove(0);
    let utc = start.to_zoned(jiff::tz::TimeZone::UTC);
    let daily = scheduling::Recurrence {
        from: utc.date(),
        at: utc.time(),
        rhythm: scheduling::Rhythm::Days { every: 1 },
        ends: scheduling::Ends::Times(4),
    };
    let settings = nexus_engine::account::Settings::default();
    let (now, none) = (shop.platform.now(), BTreeSet::new());
    let times = plan_times(&settings, &When::Recurring(daily), &none, now).unwrap();
    assert_eq!(times[0], start);
    let repeat = async |times: &[Timestamp]| {
        let (seen, publish) = (post.payload().digest(), shop.sender(Hop::Publish));
        let (desk, approver) = (shop.desk(), shop.approver());
        scheduling::repeat(&desk, post.id, approver, seen, times, &publish).await
    };
    let others = repeat(&times).await.unwrap();
    let again = repeat(&times).await.unwrap();
    assert_eq!(others, again);
    assert_eq!(shop.effects().await, 5, "two languages, and three more of the English");
    for (other, at) in others.iter().zip(&times[1..]) {
        assert_eq!((other.state(), other.payload().send_at), (State::Approved, *at));
        assert_eq!(other.approval().unwrap().digest, other.payload().digest());
    }
    let many: Vec<Timestamp> = (1..=76).map(|n| times[3] + MINUTE * n).collect();
    let refused = repeat(&many).await.unwrap_err();
    assert_eq!(refused.fields()[0].field, "recurrence.times");
    assert_eq!(repeat(&many[1..]).await.unwrap().len(), 75);

    shop.pass(11).await;
    assert_eq!(shop.sent().len(), 2, "the first of both languages");
    // What is to come can be called off one by one.
    cancelling::cancel(&shop.desk(), others[0].id).await.unwrap();
    shop.platform.advance(HOUR * 23 + MINUTE * 55);
    shop.pass(10).await;
    assert_eq!(shop.sent().len(), 2);
    shop.platform.advance(HOUR * 23 + MINUTE * 45);
    shop.pass(10).await;
    assert_eq!(shop.sent().last(), Some(&others[1].id));

    let shop = Shop::new().await;
    let post = shop.approved(shop.later(HOUR)).await.swap_remove(0);
    let (seen, publish) = (post.payload().digest(), shop.sender(Hop::Publish));
    let times: Vec<Timestamp> = (2..=79).map(|n| shop.later(HOUR * n)).collect();
    let (desk, approver) = (shop.desk(), shop.approver());
    let made = scheduling::repeat(&desk, post.id, approver, seen, &times, &publish).await;
    assert_eq!(made.unwrap().len(), 78);
    editing::reject(&shop.desk(), shop.draft.id, None).await.unwrap();
    let rows = shop.platform.rows().await;
    let due = rows.iter().filter(|row| row.kind == RecordKind::Effect && row.due.is_some());
    assert_eq!((shop.effects().await, due.count()), (80, 0));
}

async fn names(shop: &Shop) -> BTreeMap<String, String> {
    let rows = shop.platform.rows().await.into_iter();
    let names = rows.filter(|row| row.kind == RecordKind::BlobName);
    let read = names.map(|row| nexus_core::records::read::<BlobName>(&row).unwrap().record);
    read.map(|name| (name.blob.as_str().to_owned(), name.by)).collect()
}

#[tokio::test]
async fn a_copy_waits_for_approval_with_the_same_words_and_films_of_its_own() {
    let shop = Shop::new().await;
    shop.approved(shop.later(HOUR)).await;
    let blobs = &shop.platform.blobs;
    let copy = duplicating::duplicate(&shop.desk(), blobs, shop.draft.id).await.unwrap();
    let (draft, stands) = (shop.draft().await, shop.platform.load(shop.scope(), &copy).await);
    assert_eq!(stands.as_ref(), Some(&copy));
    assert_eq!((copy.stage, copy.posts.len()), (Stage::AwaitingApproval, 0));
    assert_eq!((&copy.words, copy.media), (&draft.words, draft.media));
    assert_eq!(draft.posts.len(), 2, "the other's posts are its own");

    let keys = |draft: &Draft| draft.blobs().map(|b| b.key.clone()).collect::<BTreeSet<BlobKey>>();
    assert!(keys(&copy).is_disjoint(&keys(&draft)));
    assert_eq!(keys(&copy).len(), keys(&draft).len());
    let names = names(&shop).await;
    for (of, blobs_of) in [(copy.id, keys(&copy)), (draft.id, keys(&draft))] {
        for key in blobs_of {
            assert_eq!(names[key.as_str()], of.to_string());
        }
    }
    for (ours, theirs) in copy.blobs().zip(draft.blobs()) {
        assert_eq!(ours.digest, theirs.digest);
        let read = async |key| nexus_core::Blobs::get(blobs, key).await.unwrap().unwrap();
        assert_eq!(read(&ours.key).await, read(&theirs.key).await);
    }
    // Approved, it makes posts of its own.
    let seen = propose(&copy, &Ground::default()).digest;
    let (desk, publish) = (shop.desk(), shop.sender(Hop::Publish));
    let decision = Decision { at: Some(shop.later(HOUR)), ..Decision::at_once(seen) };
    let posts =
        approving::approve(&desk, copy.id, shop.approver(), &decision, None, &publish).await;
    assert_eq!(posts.unwrap().len(), 2);
    assert_eq!(shop.effects().await, 4);
}

#[tokio::test]
async fn an_edit_of_a_copy_takes_nothing_from_the_other() {
    let shop = Shop::new().await;
    let blobs = &shop.platform.blobs;
    let copy = duplicating::duplicate(&shop.desk(), blobs, shop.draft.id).await.unwrap();
    let script = vec!["Something else.".to_owned(), "Come and see it.".to_owned()];
    let english = WordsEdit { script: Some(script), ..WordsEdit::default() };
    let edit = Edit { revision: None, words: [(Language::En, english)].into() };
    editing::edit(&shop.desk(), copy.id, &edit, &shop.sender(Hop::Narrate)).await.unwrap();
    let (names, draft) = (names(&shop).await, shop.draft().await);
    assert_eq!(draft, shop.draft);
    assert!(draft.blobs().all(|blob| names[blob.key.as_str()] == draft.id.to_string()));
    let dropped = [&copy.films[&Language::En].video, &copy.narrations[&Language::En].track];
    assert!(dropped.iter().all(|blob| !names.contains_key(blob.key.as_str())));
}

#[tokio::test]
async fn n53_who_removes_a_medium_removes_the_copies_of_its_draft_with_their_files_and_posts() {
    let shop = Shop::new().await;
    let (blobs, desk) = (&shop.platform.blobs, shop.desk());
    let first = duplicating::duplicate(&desk, blobs, shop.draft.id).await.unwrap();
    let second = duplicating::duplicate(&desk, blobs, first.id).await.unwrap();
    let post = shop.approved(shop.later(HOUR)).await.swap_remove(0);
    let publish = shop.sender(Hop::Publish);
    let seen = propose(&second, &Ground::default()).digest;
    let decision = Decision { at: Some(shop.later(HOUR)), ..Decision::at_once(seen) };
    let posts = approving::approve(&desk, second.id, shop.approver(), &decision, None, &publish);
    let posts = posts.await.unwrap();

    let (other_medium, other) =
        build::finished(&shop.platform, shop.scope(), build::media_id(2)).await;
    removal::remove(&desk, blobs, shop.draft.media).await.unwrap();
    for draft in [&shop.draft, &first, &second] {
        assert_eq!(shop.platform.load::<Draft>(shop.scope(), draft).await, None);
    }
    for post in posts.iter().chain([&post]) {
        assert_eq!(shop.now_of(post).await.state(), State::Cancelled);
    }
    let left: BTreeSet<BlobKey> = shop.platform.blob_keys().await.into_iter().collect();
    let named = other_medium.blobs().chain(other.blobs()).map(|blob| blob.key.clone());
    assert_eq!(left, named.collect());
    assert_eq!(names(&shop).await.len(), left.len());
    let rows = shop.platform.rows().await;
    assert!(rows.iter().all(|row| row.kind != RecordKind::Removal), "nothing is left to do");
    conflicts_or_missing(&shop, &first).await;
}

async fn conflicts_or_missing(shop: &Shop, gone: &Draft) {
    let again = duplicating::duplicate(&shop.desk(), &shop.platform.blobs, gone.id).await;
    assert_eq!(again.unwrap_err().kind(), FailureKind::NotFound);
}

#[tokio::test]
async fn a_copy_is_made_once_whatever_call_to_the_table_fails() {
    for at in 0..40 {
        for how in [Fault::Before, Fault::After] {
            let mut shop = Shop::new().await;
            let faults = Faults::script(vec![Fault::None; at].into_iter().chain([how]));
            shop.table = Arc::new(Flaky::new(
                Arc::new(shop.platform.table.clone()) as Arc<dyn Table>,
                faults,
            ));
            let blobs = &shop.platform.blobs;
            let made = duplicating::duplicate(&shop.desk(), blobs, shop.draft.id).await;
            let rows = shop.platform.rows().await;
            let drafts = rows.iter().filter(|row| row.kind == RecordKind::Draft).count();
            assert_eq!(drafts, 1 + usize::from(made.is_ok()), "{how:?} call {at}");
            let medium = shop.platform.load(shop.scope(), &medium(&shop)).await.unwrap();
            assert_eq!(medium.copies, made.iter().map(|d| d.id).collect::<Vec<_>>());
            if at > 6 {
                return;
            }
        }
    }
}

fn medium(shop: &Shop) -> Media {
    build::ready_medium(shop.scope(), shop.draft.media, shop.platform.now())
}

#[tokio::test]
async fn n17_the_next_slot_and_the_warnings_see_what_stands_for_the_account() {
    let shop = Shop::new().await;
    let at = shop.later(HOUR * 48);
    let posts = shop.approved(at).await;
    let (table, scope, now) = (&*shop.table, shop.scope(), shop.platform.now());
    let place = posts[0].payload().place();
    let taken = scheduling::taken(table, scope, &place, now).await.unwrap();
    assert_eq!(taken, [at].into());
    let nowhere = scheduling::taken(table, scope, "x", now).await.unwrap();
    assert!(nowhere.is_empty());

    let local = at.to_zoned(jiff::tz::TimeZone::UTC);
    let day = scheduling::Day::of(local.date());
    let slots = vec![scheduling::Slot { day, at: local.time() }];
    let settings = nexus_engine::account::Settings { slots, ..Default::default() };
    let next = plan_times(&settings, &When::NextSlot, &taken, now).unwrap();
    assert_eq!(next, [at + SignedDuration::from_hours(24 * 7)]);

    let (from, to) = (at - scheduling::SAME_WITHIN, at + scheduling::SAME_WITHIN);
    let around = scheduling::standing(table, scope, &place, from, to).await.unwrap();
    assert_eq!(around.len(), 2);
    let others: Vec<Effect<PostPlan>> =
        around.iter().filter(|post| post.id != posts[0].id).cloned().collect();
    let codes = |notes: Vec<nexus_engine::draft::Note>| -> Vec<String> {
        notes.into_iter().map(|note| note.code).collect()
    };
    // The Spanish one goes out at the same moment.
    assert_eq!(codes(warnings(posts[0].payload(), &others)), ["clashing"]);
    let again = PostPlan { send_at: at + HOUR, ..posts[0].payload().clone() };
    assert_eq!(codes(warnings(&again, &around)), ["identical"]);
    cancelling::cancel(&shop.desk(), posts[0].id).await.unwrap();
    let around = scheduling::standing(table, scope, &place, from, to).await.unwrap();
    assert!(warnings(&again, &around).is_empty());
}
