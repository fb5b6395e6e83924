//! Messages in; verdicts, counters and events out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use nexus_contract::memory::MemoryTable;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::bus::{BusError, Event};
use nexus_core::effect::{Effect, EffectId};
use nexus_core::table::{CommitError, CommitToken, Page, Query, Slice, StoreError};
use nexus_core::{Bus, Condition, Envelope, Item, Key, Op, RecordKind, Scope, Table};
use nexus_engine::comments::{Comment, Remark};
use nexus_engine::draft::DraftId;
use nexus_engine::hops::ToJudge;
use nexus_engine::inquiries::{self, Inquiry, InquiryId, InquiryState, Origin};
use nexus_engine::publishing::{Choices, Network, PostPlan};
use nexus_engine::sentiment::{Judged, Known, Label, Sentiment, Unjudged, Utterance};
use nexus_engine::{Desk, EnginePlatform, Hop};
use nexus_handler::{Entry, ErasedFunction, WholeBatch};
use nexus_kernel::{Ambient, Failure, Language, Pii};
use nexus_sentiment::{Judge, NEGATIVE_INQUIRY};
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::json;

fn scope() -> Scope {
    people::scope(people::tenant(1))
}

/// The function on a platform.
struct House {
    platform: MemoryPlatform,
    function: Arc<dyn ErasedFunction>,
}

impl House {
    fn on(platform: MemoryPlatform) -> Self {
        let wired: &dyn EnginePlatform = &platform;
        let entry = Entry::event::<WholeBatch<Judge>, _>(wired, &platform.env()).unwrap();
        let Entry::Event(function) = entry else { panic!("it takes events") };
        Self { platform, function }
    }

    fn new() -> Self {
        Self::on(MemoryPlatform::new())
    }

    /// Delivers bodies as one batch; which of its messages failed.
    async fn deliver_bodies(&self, bodies: &[String]) -> Vec<usize> {
        self.platform.deliver(&*self.function, bodies).await
    }

    async fn deliver(&self, messages: &[ToJudge]) -> Vec<usize> {
        let bodies: Vec<String> =
            messages.iter().map(|m| Envelope::seal(&scope(), "trace", m).unwrap()).collect();
        self.deliver_bodies(&bodies).await
    }

    async fn comment(&self, number: u32, text: &str) -> Comment {
        let comment = comment(number, text, &self.platform);
        self.platform.put(&scope(), &comment).await;
        comment
    }

    async fn inquiry(&self, number: u32, text: &str) -> Inquiry {
        let inquiry = inquiry(number, text, &self.platform);
        self.platform.put(&scope(), &inquiry).await;
        inquiry
    }

    async fn label(&self, comment: &Comment) -> Option<Label> {
        let stands = self.platform.load(&scope(), comment).await.unwrap();
        stands.sentiment.map(|verdict| verdict.label)
    }

    /// The counters: where, and how many.
    async fn moods(&self) -> Vec<(String, i64)> {
        let rows = self.platform.rows().await.into_iter();
        let moods = rows.filter(|row| row.kind == RecordKind::Mood);
        moods.map(|row| (format!("{} {}", row.key.pk(), row.key.sk()), row.counter)).collect()
    }

    /// How many texts were counted in all, and of which label.
    async fn counted(&self) -> i64 {
        let moods = self.moods().await;
        moods.iter().filter(|(at, _)| at.contains("#mood#all ")).map(|(_, count)| count).sum()
    }
}

fn comment(number: u32, text: &str, platform: &MemoryPlatform) -> Comment {
    let (id, text) = (number.to_string(), Pii::new(text.to_owned()));
    let post = EffectId::derived(&["post"]);
    let remark = Remark { id, at: platform.now(), text };
    Comment::of(remark, post, Some(build::product_id(1)), Network::Mastodon)
}

fn inquiry(number: u32, text: &str, platform: &MemoryPlatform) -> Inquiry {
    Inquiry {
        id: InquiryId::derived(&["inquiry", &number.to_string()]),
        at: platform.now(),
        product: build::product_id(1),
        name: Pii::new("Canary".into()),
        email: Pii::new("canary@example.com".into()),
        message: Pii::new(text.to_owned()),
        from: None,
        sentiment: None,
        state: InquiryState::New,
        assignee: None,
        notes: Vec::new(),
    }
}

#[tokio::test]
async fn n25_a_verdict_stands_beside_its_text_and_each_text_counts_once() {
    let house = House::new();
    let good = house.comment(1, "a good loaf").await;
    let odd = house.comment(2, "xx: in another language").await;
    let empty = house.comment(3, "  ").await;
    let all = [&good, &odd, &empty].map(|comment| ToJudge::Comment(comment.id));
    for _ in 0..3 {
        assert_eq!(house.deliver(&all).await, [0; 0]);
    }
    let labels = [house.label(&good).await, house.label(&odd).await, house.label(&empty).await];
    assert_eq!(labels, [Label::Positive, Label::Unsupported, Label::Empty].map(Some));
    let verdict = house.platform.load(&scope(), &good).await.unwrap().sentiment.unwrap();
    assert_eq!((verdict.engine.as_str(), verdict.language.as_str()), ("pretended", "en"));
    assert_eq!((verdict.score, verdict.at), (Some(0.9), house.platform.now()));
    let odd = house.platform.load(&scope(), &odd).await.unwrap().sentiment.unwrap();
    assert_eq!((odd.score, odd.language.as_str()), (None, "xx"));
    // Of all, of the product, of the post.
    let moods = house.moods().await;
    assert_eq!(moods.len(), 9, "{moods:?}");
    assert!(moods.iter().all(|(_, count)| *count == 1), "{moods:?}");
    assert_eq!(house.platform.bus.heard(), [], "comments raise no event");
}

#[tokio::test]
async fn n25_what_nobody_can_tell_is_never_asked_again() {
    let asked = Arc::new(Asked::default());
    let house = House::on(platform_with(&asked));
    let odd = house.comment(1, "xx: in another language").await;
    for _ in 0..3 {
        assert_eq!(house.deliver(&[ToJudge::Comment(odd.id)]).await, [0; 0]);
    }
    assert_eq!(asked.calls(), [1]);
}

#[tokio::test]
async fn a_batch_is_one_question_and_what_failed_comes_again_alone() {
    let asked = Arc::new(Asked::default());
    let house = House::on(platform_with(&asked));
    let texts = ["a good loaf", "later: it is busy", "xx: another language", "a bad loaf"];
    let mut messages = Vec::new();
    for (number, text) in texts.into_iter().enumerate() {
        let comment = house.comment(u32::try_from(number).unwrap(), text).await;
        messages.push(ToJudge::Comment(comment.id));
    }
    assert_eq!(house.deliver(&messages).await, [1]);
    assert_eq!(asked.calls(), [4]);
    assert_eq!(house.counted().await, 3);
    asked.is_well();
    assert_eq!(house.deliver(&messages).await, [0; 0]);
    assert_eq!(asked.calls(), [4, 1], "only what has no verdict is asked about");
    assert_eq!(house.counted().await, 4);
}

#[tokio::test]
async fn poison_and_what_is_gone_hold_up_nobody() {
    let house = House::new();
    let good = house.comment(1, "a good loaf").await;
    let gone = comment(2, "gone", &house.platform);
    let seal = |message: &ToJudge| Envelope::seal(&scope(), "trace", message).unwrap();
    let bodies =
        ["{}".to_owned(), seal(&ToJudge::Comment(gone.id)), seal(&ToJudge::Comment(good.id))];
    assert_eq!(house.deliver_bodies(&bodies).await, [0]);
    assert_eq!(house.label(&good).await, Some(Label::Positive));
}

#[tokio::test]
async fn the_same_text_twice_in_a_batch_counts_once() {
    let house = House::new();
    let good = house.comment(1, "a good loaf").await;
    let twice = [ToJudge::Comment(good.id), ToJudge::Comment(good.id)];
    assert_eq!(house.deliver(&twice).await, [0; 0], "the second finds the verdict");
    assert_eq!(house.counted().await, 1);
}

#[tokio::test]
async fn n24_a_negative_inquiry_is_told_by_its_ids_alone_and_other_inquiries_are_not() {
    let house = House::new();
    let bad = house.inquiry(1, "a bad loaf, says canary").await;
    let good = house.inquiry(2, "a good loaf").await;
    let messages = [ToJudge::Inquiry(bad.id), ToJudge::Inquiry(good.id)];
    assert_eq!(house.deliver(&messages).await, [0; 0]);
    let told = house.platform.bus.heard();
    let [event] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((event.kind(), event.owner()), (NEGATIVE_INQUIRY, scope().owner()));
    assert_eq!(event.facts(), &json!({ "inquiry": bad.id, "product": bad.product }));
    assert!(!serde_json::to_string(event).unwrap().contains("canary"));
    // Its process may have died before it told: whoever comes again tells again.
    assert_eq!(house.deliver(&messages).await, [0; 0]);
    assert_eq!(house.platform.bus.heard().len(), 1);
    assert_eq!(house.counted().await, 2);
}

#[tokio::test]
async fn n69_who_asked_that_their_data_is_not_worked_on_is_not_judged() {
    let house = House::new();
    let inquiry = house.inquiry(1, "a bad loaf").await;
    restrict(&house, &inquiry).await;
    assert_eq!(house.deliver(&[ToJudge::Inquiry(inquiry.id)]).await, [0; 0]);
    assert_eq!(house.platform.load(&scope(), &inquiry).await.unwrap().sentiment, None);
    assert_eq!((house.counted().await, house.platform.bus.heard().len()), (0, 0));
}

#[tokio::test]
async fn n69_who_was_judged_before_they_asked_is_told_of_no_more() {
    let (house, faults) = House::whose_bus_fails();
    let inquiry = house.inquiry(1, "a bad loaf").await;
    faults.crash_in(0, Fault::Before);
    assert_eq!(house.deliver(&[ToJudge::Inquiry(inquiry.id)]).await, [0]);
    faults.revive();
    restrict(&house, &inquiry).await;
    assert_eq!(house.deliver(&[ToJudge::Inquiry(inquiry.id)]).await, [0; 0]);
    assert_eq!(house.platform.bus.heard(), []);
    // What was counted before stays.
    assert_eq!(house.counted().await, 1);
}

#[tokio::test]
async fn n69_who_asks_while_they_are_judged_is_kept_out_of_everything() {
    let platform = MemoryPlatform::new();
    let (table, ambient) = (platform.table.clone(), platform.ambient());
    let house = House::on(platform.with_sentiment(Arc::new(Asks { table, ambient })));
    let inquiry = house.inquiry(1, "a bad loaf").await;
    assert_eq!(house.deliver(&[ToJudge::Inquiry(inquiry.id)]).await, [0; 0]);
    assert_eq!(house.platform.load(&scope(), &inquiry).await.unwrap().sentiment, None);
    assert_eq!((house.counted().await, house.platform.bus.heard().len()), (0, 0));
}

/// An engine during whose work the sender asks that nobody works on their data.
struct Asks {
    table: MemoryTable,
    ambient: Ambient,
}

#[async_trait]
impl Sentiment for Asks {
    fn engine(&self) -> String {
        "pretended".to_owned()
    }

    async fn judge(&self, utterances: &[Utterance]) -> Vec<Result<Judged, Unjudged>> {
        let (scope, ambient) = (scope(), &self.ambient);
        let desk = Desk { table: &self.table, scope: &scope, by: "ada", trace: "trace", ambient };
        inquiries::restrict(&desk, "canary@example.com").await.unwrap();
        nexus_testkit::sentiment::FakeSentiment.judge(utterances).await
    }
}

/// Restricts the processing of what the inquiry's sender wrote.
async fn restrict(house: &House, inquiry: &Inquiry) {
    let (scope, ambient) = (scope(), house.platform.ambient());
    let desk = Desk {
        table: &house.platform.table,
        scope: &scope,
        by: "ada",
        trace: "trace",
        ambient: &ambient,
    };
    inquiries::restrict(&desk, inquiry.email.reveal()).await.unwrap();
}

#[tokio::test]
async fn n24_a_bus_that_does_not_answer_fails_the_message_and_is_told_when_it_does() {
    let (house, faults) = House::whose_bus_fails();
    let bad = house.inquiry(1, "a bad loaf").await;
    let messages = [ToJudge::Inquiry(bad.id)];
    faults.crash_in(0, Fault::Before);
    for _ in 0..2 {
        assert_eq!(house.deliver(&messages).await, [0]);
    }
    let stands = house.platform.load(&scope(), &bad).await.unwrap();
    assert_eq!(stands.sentiment.unwrap().label, Label::Negative, "the verdict is kept");
    faults.revive();
    assert_eq!(house.deliver(&messages).await, [0; 0]);
    assert_eq!((house.platform.bus.heard().len(), house.counted().await), (1, 1));
}

/// A bus of which calls fail.
struct Deaf {
    bus: Arc<dyn Bus>,
    faults: Faults,
}

#[async_trait]
impl Bus for Deaf {
    async fn tell(&self, events: Vec<Event>) -> Result<(), BusError> {
        let of = events.len();
        let failed = |source| BusError::Failed { failed: of, of, source };
        self.faults.call(self.bus.tell(events), failed, failed).await
    }
}

impl House {
    fn whose_bus_fails() -> (Self, Faults) {
        let faults = Faults::none();
        let of_bus = faults.clone();
        let platform =
            MemoryPlatform::new().with_bus(|bus| Arc::new(Deaf { bus, faults: of_bus }) as _);
        (Self::on(platform), faults)
    }
}

#[tokio::test]
async fn n25_a_verdict_is_paid_for_once_however_crowded_the_counters_are() {
    let asked = Arc::new(Asked::default());
    let crowded = |table| Arc::new(Crowded { table, left: AtomicU32::new(4) }) as Arc<dyn Table>;
    let house = House::on(platform_with(&asked).with_table(crowded));
    let good = house.comment(1, "a good loaf").await;
    assert_eq!(house.deliver(&[ToJudge::Comment(good.id)]).await, [0; 0]);
    assert_eq!((house.label(&good).await, house.counted().await), (Some(Label::Positive), 1));
    assert_eq!(asked.calls(), [1]);
}

/// A table whose first commits meet others at the same rows: the last of them finds that the text was touched.
struct Crowded {
    table: Arc<dyn Table>,
    left: AtomicU32,
}

#[async_trait]
impl Table for Crowded {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.table.get(key).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        self.table.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left > 1 {
            return Err(CommitError::Contended);
        }
        if let (1, Some(Op::Put { item, .. })) = (left, ops.first()) {
            let mut touched = self.table.get(&item.key).await.unwrap().unwrap();
            touched.version += 1;
            let op = Op::Put { item: touched, when: Condition::Always };
            self.table.commit(vec![op], None).await.unwrap();
        }
        self.table.commit(ops, token).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.table.scan(page).await
    }
}

#[tokio::test]
async fn n25_a_text_under_a_post_is_probably_in_its_language() {
    let asked = Arc::new(Asked::default());
    let house = House::on(platform_with(&asked));
    let plan = PostPlan {
        draft: DraftId::derived(&["draft"]),
        revision: 1,
        language: Language::Es,
        network: Network::Mastodon,
        account: "bakery".into(),
        connection: None,
        text: "Pan recién hecho".into(),
        link: None,
        media: None,
        made_by_ai: false,
        choices: Choices::default(),
        send_at: house.platform.now(),
    };
    let post = EffectId::derived(&["post"]);
    let post = Effect::proposed(post, plan, "ada", house.platform.now());
    let before = house.comment(1, "good").await;
    house.deliver(&[ToJudge::Comment(before.id)]).await;
    house.platform.put(&scope(), &post).await;
    let under = house.comment(2, "good").await;
    let after = Inquiry {
        from: Some(Origin { link: "BCDFGHJK23".into(), post: Some(under.post) }),
        ..inquiry(3, "good", &house.platform)
    };
    house.platform.put(&scope(), &after).await;
    let other = house.inquiry(4, "good").await;
    let inquiries = [after.id, other.id].map(ToJudge::Inquiry);
    house.deliver(&[&[ToJudge::Comment(under.id)], &inquiries[..]].concat()).await;
    assert_eq!(asked.hints(), [None, Some(Language::Es), Some(Language::Es), None]);
    let verdict = house.platform.load(&scope(), &under).await.unwrap().sentiment.unwrap();
    assert_eq!(verdict.known, Some(Known::Detected), "how its language was found is kept");
}

#[tokio::test]
async fn n24_n25_a_process_that_dies_at_any_call_of_the_store_counts_each_text_once() {
    for how in [Fault::Before, Fault::After] {
        for call in 0.. {
            let faults = Faults::crash(call, how);
            let platform = MemoryPlatform::new()
                .with_table(|table| Arc::new(Flaky::new(table, faults.clone())) as _);
            let house = House::on(platform);
            let (good, bad) = (house.comment(1, "good").await, house.inquiry(2, "bad").await);
            let messages = [ToJudge::Comment(good.id), ToJudge::Inquiry(bad.id)];
            let died = !house.deliver(&messages).await.is_empty();
            faults.revive();
            for _ in 0..2 {
                assert_eq!(house.deliver(&messages).await, [0; 0], "{call} {how:?}");
            }
            assert_eq!(house.label(&good).await, Some(Label::Positive));
            let moods = house.moods().await;
            assert!(moods.iter().all(|(_, count)| *count == 1), "{call} {how:?}: {moods:?}");
            assert_eq!(house.counted().await, 2, "{call} {how:?}");
            assert!(!house.platform.bus.heard().is_empty(), "{call} {how:?}: nobody was told");
            if !died {
                assert!(call > 3, "the store was asked");
                break;
            }
        }
    }
}

#[tokio::test]
async fn n25_nothing_of_a_text_or_of_who_wrote_it_stands_in_a_message() {
    let message = ToJudge::Comment(comment(1, "canary", &MemoryPlatform::new()).id);
    let body = Envelope::seal(&scope(), "trace", &message).unwrap();
    assert!(!body.contains("canary"));
    assert_eq!(Hop::Sentiment.name(), "sentiment");
}

/// An engine that is asked, and is too busy for some texts until it is well.
#[derive(Default)]
struct Asked {
    calls: Mutex<Vec<usize>>,
    hints: Mutex<Vec<Option<Language>>>,
    well: Mutex<bool>,
}

impl Asked {
    fn calls(&self) -> Vec<usize> {
        self.calls.lock().unwrap().clone()
    }

    fn hints(&self) -> Vec<Option<Language>> {
        self.hints.lock().unwrap().clone()
    }

    fn is_well(&self) {
        *self.well.lock().unwrap() = true;
    }
}

#[async_trait]
impl Sentiment for Asked {
    fn engine(&self) -> String {
        "pretended".to_owned()
    }

    async fn judge(&self, utterances: &[Utterance]) -> Vec<Result<Judged, Unjudged>> {
        self.calls.lock().unwrap().push(utterances.len());
        self.hints.lock().unwrap().extend(utterances.iter().map(|text| text.hint));
        let well = *self.well.lock().unwrap();
        let answers = nexus_testkit::sentiment::FakeSentiment.judge(utterances).await;
        let busy = |text: &Utterance| text.text.reveal().starts_with("later:") && !well;
        let answer = |(text, answer)| match busy(text) {
            true => Err(Unjudged::Failed(Failure::unavailable("It is busy."))),
            false => answer,
        };
        utterances.iter().zip(answers).map(answer).collect()
    }
}

fn platform_with(engine: &Arc<Asked>) -> MemoryPlatform {
    MemoryPlatform::new().with_sentiment(Arc::clone(engine) as _)
}
