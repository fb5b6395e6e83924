//! Nothing is bought without an approval of exactly that, and nothing twice.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::approval::Redeemed;
use nexus_core::effect::{Effect, EffectId, Found, LOOK_UPS, Outcome, State};
use nexus_core::table::{CommitError, CommitToken, Page, Query, Slice, StoreError};
use nexus_core::{Approver, Blobs, Item, Key, Op, Table};
use nexus_engine::footage::FootageBrief;
use nexus_engine::footage::Shape;
use nexus_engine::footage::purchase::{JobState, Purchase};
use nexus_engine::{Draft, Hop, Stage};
use nexus_kernel::{Digest, FailureKind};
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};

use crate::house::{House, codes, letter, scope, secs};

#[tokio::test]
async fn n15_n29_an_approved_purchase_is_submitted_once_although_its_message_comes_three_times() {
    let house = House::new();
    let (medium, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    let thrice = vec![letter(&scope(), purchase.id); 3];
    assert!(house.deliver_bodies(&thrice).await.is_empty());
    assert!(house.deliver_bodies(&thrice).await.is_empty());

    let picture = medium.renditions[0].blob.key.as_str().to_owned();
    let brief = FootageBrief {
        prompt: "Sourdough at Corner Bakery.".into(),
        picture: Some(nexus_engine::footage::StartPicture {
            bytes: Bytes::from(picture),
            content_type: "image/jpeg",
        }),
        seconds: 5,
        shape: Shape::Vertical,
    };
    assert_eq!(house.maker().submitted.all(), [brief]);
    let done = house.now_of(&purchase).await;
    assert_eq!((done.state(), done.attempt()), (State::Done, 1));
    let Some(Outcome::Done { receipt, .. }) = done.outcome() else { panic!("{done:?}") };
    assert_eq!(receipt, "job-1");
    let job = house.job(&purchase).await.unwrap();
    assert!(matches!(&job.state, JobState::Waiting { job, .. } if job == "job-1"));
    assert_eq!(job.looks, 0, "its moment has not come");
}

#[tokio::test]
async fn n15_what_no_person_approved_is_never_bought() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let now = house.platform.now();
    let waiting = house.offered(&draft, 1).await;
    let mut rejected = house.offered(&draft, 2).await;
    rejected.reject("usr", "no", now).unwrap();
    house.platform.put(&scope(), &rejected).await;
    let cancelled = house.approved(&draft, 3).await;
    house.cancel(cancelled.id).await.unwrap();
    for (purchase, state) in
        [(&waiting, State::Proposed), (&rejected, State::Rejected), (&cancelled, State::Cancelled)]
    {
        for _ in 0..2 {
            assert!(house.deliver(purchase.id).await);
            house.platform.advance(secs(60));
        }
        assert_eq!(house.state(purchase).await, state);
    }
    assert!(house.maker().submitted.all().is_empty());
    assert!(house.maker().looked_up.all().is_empty());
    assert_eq!(house.job(&waiting).await, None);
    assert_eq!(house.job_state(&cancelled).await, "cancelled");
}

#[tokio::test]
async fn n15_a_purchase_that_is_not_to_the_letter_what_was_approved_is_called_off() {
    for (pointer, value) in [
        ("/payload/prompt", json!("Something else.")),
        ("/payload/provider", json!("luma")),
        ("/payload/engine", json!("runway model-9")),
        ("/payload/seconds", json!(10)),
        ("/payload/shape", json!("horizontal")),
        ("/payload/at_most", json!(1)),
        ("/payload/revision", json!(7)),
        ("/payload/draft", json!("drf_00000000000000000000000000000001")),
        ("/payload/asked", json!("2027-03-01T08:59:00Z")),
        ("/payload/picture/digest", json!(Digest::of(b"another picture"))),
        ("/payload/picture", Value::Null),
        ("/approval/digest", json!(Digest::of(b"another purchase"))),
        ("/approval", Value::Null),
    ] {
        let house = House::new();
        let (_, draft) = house.finished().await;
        let purchase = house.approved(&draft, 1).await;
        house.tamper(&purchase, pointer, value).await;
        for _ in 0..2 {
            assert!(house.deliver(purchase.id).await, "{pointer}");
        }
        assert!(house.maker().submitted.all().is_empty(), "{pointer}");
        assert_eq!(house.state(&purchase).await, State::Cancelled, "{pointer}");
        let job = house.job(&purchase).await.unwrap();
        assert!(matches!(&job.state, JobState::Failed { code, .. } if code == "void"), "{pointer}");
        assert_eq!(codes(&house.notes(&draft).await), ["footage_refused"], "{pointer}");
    }
}

/// What may change between an approval and its purchase.
enum Since {
    Model,
    Price,
    OtherPicture,
    NoPicture,
    Edit,
    Approval,
    Rejection,
    Removal,
}

#[tokio::test]
async fn n15_what_changed_since_its_approval_is_not_bought() {
    for (since, said) in [
        (Since::Model, "something else"),
        (Since::Price, "costs more"),
        (Since::OtherPicture, "not the one"),
        (Since::NoPicture, "gone"),
        (Since::Edit, "changed"),
        (Since::Approval, "decided"),
        (Since::Rejection, "decided"),
        (Since::Removal, "draft"),
    ] {
        let house = House::new();
        let (medium, mut draft) = house.finished().await;
        let purchase = house.approved(&draft, 1).await;
        draft = house.draft(&draft).await;
        let picture = &medium.renditions[0].blob.key;
        let blobs = &house.platform.blobs;
        match since {
            Since::Model => house.maker().changes_model("model-2"),
            Since::Price => house.maker().charges(50_001),
            Since::OtherPicture => {
                blobs.put(picture, Bytes::from_static(b"other"), "image/jpeg").await.unwrap();
            }
            Since::NoPicture => assert!(blobs.delete(picture).await.unwrap()),
            Since::Edit => draft.revision += 1,
            Since::Approval => draft.stage = Stage::Approved,
            Since::Rejection => draft.stage = Stage::Rejected,
            Since::Removal => {}
        }
        if matches!(since, Since::Removal) {
            let key = nexus_engine::draft::draft_key(&scope(), draft.id);
            let when = nexus_core::Condition::Present;
            house.platform.commit(vec![Op::Delete { key, when }]).await;
        } else {
            house.platform.put(&scope(), &draft).await;
        }
        for _ in 0..2 {
            assert!(house.deliver(purchase.id).await, "{said}");
        }
        let refused = house.now_of(&purchase).await;
        assert_eq!(refused.state(), State::Refused, "{said}");
        let Some(Outcome::Refused { why }) = refused.outcome() else { panic!("{said}") };
        assert!(why.contains(said), "{why}");
        assert!(house.maker().submitted.all().is_empty(), "{said}");
        let job = house.job(&purchase).await.unwrap();
        assert!(matches!(&job.state, JobState::Failed { code, .. } if code == "refused"));
        if !matches!(since, Since::Removal) {
            assert_eq!(codes(&house.notes(&draft).await), ["footage_refused"], "{said}");
        }
    }
}

#[tokio::test]
async fn n15_what_became_cheaper_is_bought() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    house.maker().charges(40_000);
    assert!(house.deliver(purchase.id).await);
    assert_eq!((house.maker().sold(), house.state(&purchase).await), (1, State::Done));
}

#[tokio::test]
async fn nothing_is_bought_that_could_not_be_checked() {
    let house = House::with(MemoryPlatform::new(), &[]);
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    assert!(house.deliver(purchase.id).await);
    let refused = house.now_of(&purchase).await;
    assert!(matches!(refused.outcome(), Some(Outcome::Refused { why }) if why.contains("ffmpeg")));
    assert_eq!(house.maker().sold(), 0);
}

#[tokio::test]
async fn a_store_that_fails_before_anything_was_sent_gives_the_claim_back() {
    let faults = Faults::script([Fault::Before]);
    let flaky = faults.clone();
    let platform =
        MemoryPlatform::new().with_blobs(|blobs| Arc::new(Flaky::new(blobs, flaky.clone())));
    let house = House::on(platform);
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    assert!(house.deliver(purchase.id).await);
    assert_eq!((house.maker().sold(), house.state(&purchase).await), (0, State::Approved));
    house.platform.advance(secs(60));
    assert!(house.deliver(purchase.id).await);
    assert_eq!((house.maker().sold(), house.state(&purchase).await), (1, State::Done));
    assert!(house.maker().looked_up.all().is_empty(), "it was known that nothing was sent");
}

#[tokio::test]
async fn n29_what_a_vendor_says_to_a_submission_is_shown() {
    let why = || "because.".to_owned();
    for (outcome, state, job, note) in [
        (Outcome::Refused { why: why() }, State::Refused, "failed", Some("footage_refused")),
        (Outcome::Login { why: why() }, State::AskAPerson, "failed", Some("footage_refused")),
        (Outcome::Throttled { after_seconds: 90 }, State::Approved, "ordered", None),
        (Outcome::Unknown { why: why() }, State::Unknown, "ordered", None),
    ] {
        let house = House::new();
        let (_, draft) = house.finished().await;
        let purchase = house.approved(&draft, 1).await;
        house.maker().answer(outcome.clone());
        for _ in 0..3 {
            assert!(house.deliver(purchase.id).await);
        }
        let after = house.now_of(&purchase).await;
        assert_eq!((after.state(), after.outcome()), (state, Some(&outcome)));
        assert_eq!(house.maker().submitted.all().len(), 1, "{state:?}");
        assert_eq!(house.job_state(&purchase).await, job, "{state:?}");
        let notes = house.notes(&draft).await;
        assert_eq!(codes(&notes), Vec::from_iter(note), "{state:?}");
        assert!(notes.iter().all(|n| n.text.contains("because")), "{notes:?}");
    }
}

#[tokio::test]
async fn n29_a_vendor_that_asks_to_wait_gets_its_time() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    house.maker().answer(Outcome::Throttled { after_seconds: 120 });
    assert!(house.deliver(purchase.id).await);
    house.platform.advance(secs(119));
    assert!(house.deliver(purchase.id).await);
    assert_eq!(house.maker().sold(), 0);
    house.platform.advance(secs(1));
    assert!(house.deliver(purchase.id).await);
    assert_eq!((house.maker().sold(), house.state(&purchase).await), (1, State::Done));
}

#[tokio::test]
async fn n29_a_wait_that_outlasts_the_offer_ends_the_purchase_and_says_when_to_ask_anew() {
    for (after_seconds, state, job) in
        [(3_599, State::Approved, "ordered"), (3_600, State::Refused, "failed")]
    {
        let house = House::new();
        let (_, draft) = house.finished().await;
        let purchase = house.approved(&draft, 1).await;
        house.maker().answer(Outcome::Throttled { after_seconds });
        assert!(house.deliver(purchase.id).await);
        assert_eq!((house.maker().sold(), house.state(&purchase).await), (0, state));
        assert_eq!(house.job_state(&purchase).await, job);
        let notes = house.notes(&draft).await;
        let is_told = |text: &str| text.contains("60 minutes") && text.contains("anew");
        assert!(notes.iter().all(|n| n.code == "footage_refused" && is_told(&n.text)), "{notes:?}");
        assert_eq!(notes.is_empty(), job == "ordered");
    }
}

#[tokio::test]
async fn n15_n29_an_unknown_submission_is_looked_up_before_anything_is_bought_again() {
    // It reached the vendor, and only the answer was lost.
    let house = House::new();
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    let claimed = house.platform.now();
    house.maker().answer(Outcome::Unknown { why: "no answer".into() });
    assert!(house.deliver(purchase.id).await);
    house.platform.advance(secs(14));
    assert!(house.deliver(purchase.id).await);
    assert!(house.maker().looked_up.all().is_empty(), "before its time");
    house.platform.advance(secs(1));
    assert!(house.deliver(purchase.id).await);
    assert_eq!(house.maker().looked_up.all(), [claimed], "those submitted since it was claimed");
    assert_eq!((house.maker().sold(), house.state(&purchase).await), (1, State::Done));
    assert_eq!(house.job_state(&purchase).await, "waiting");

    // It did not.
    let house = House::new();
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    house.maker().answer(Outcome::Unknown { why: "no answer".into() });
    house.maker().find(Found::NotDone);
    assert!(house.deliver(purchase.id).await);
    house.platform.advance(secs(15));
    assert!(house.deliver(purchase.id).await);
    assert_eq!(house.maker().submitted.all().len(), 1, "a look is not a purchase");
    assert_eq!(house.state(&purchase).await, State::Approved);
    house.relay().await;
    house.receive().await;
    assert_eq!(house.maker().submitted.all().len(), 2);
    let done = house.now_of(&purchase).await;
    assert_eq!((done.state(), done.attempt()), (State::Done, 2));
}

#[tokio::test]
async fn n29_what_cannot_be_looked_up_is_looked_up_ever_later_until_a_person_is_asked() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    house.maker().answer(Outcome::Unknown { why: "no answer".into() });
    for _ in 0..LOOK_UPS {
        house.maker().find(Found::StillUnknown { why: "no list".into() });
    }
    for _ in 0..120 {
        house.relay().await;
        while house.receive().await > 0 {}
        house.platform.advance(secs(60));
    }
    assert_eq!(house.maker().looked_up.all().len(), LOOK_UPS as usize);
    assert_eq!((house.maker().sold(), house.state(&purchase).await), (1, State::AskAPerson));
    let job = house.job(&purchase).await.unwrap();
    assert_eq!((job.state, job.look_at), (JobState::Unsure, None), "it waits for a person");
    let notes = house.notes(&draft).await;
    assert_eq!(codes(&notes), ["footage_unsure"]);
    assert!(notes[0].text.contains("no list"), "{notes:?}");

    let called_off = house.cancel(purchase.id).await.unwrap();
    assert_eq!(called_off.state(), State::Cancelled);
    assert_eq!(house.job_state(&purchase).await, "cancelled");
}

#[tokio::test]
async fn n15_a_job_of_another_purchase_is_not_taken_for_ones_own() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let first = house.approved(&draft, 1).await;
    let second = house.approved(&draft, 2).await;
    house.maker().answer(Outcome::Unknown { why: "no answer".into() });
    assert!(house.deliver(second.id).await);
    // Only the first one's job can be found: both asked for the same.
    house.maker().answer(Outcome::Done { receipt: "job-1".into(), url: None });
    assert!(house.deliver(first.id).await);
    house.maker().find(Found::Done { receipt: "job-1".into(), url: None });
    house.platform.advance(secs(15));
    assert!(house.deliver(second.id).await);
    assert_eq!(house.state(&first).await, State::Done);
    assert_eq!(house.state(&second).await, State::Unknown);
}

#[tokio::test]
async fn n15_a_purchase_whose_holder_died_is_looked_up_and_not_bought_again_where_it_is_there() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    let scope = scope();
    let held = house.platform.redeem::<Purchase>(&scope, purchase.id, "footage", secs(30));
    assert!(matches!(held.await.unwrap(), Redeemed::Send(_)));
    for wait in [0, 29] {
        house.platform.advance(secs(wait));
        assert!(house.deliver(purchase.id).await);
        assert_eq!(house.state(&purchase).await, State::Sending, "its holder may live");
    }
    house.maker().find(Found::Done { receipt: "there".into(), url: None });
    house.platform.advance(secs(1));
    assert!(house.deliver(purchase.id).await);
    assert_eq!((house.maker().sold(), house.state(&purchase).await), (0, State::Done));
    let job = house.job(&purchase).await.unwrap();
    assert!(matches!(&job.state, JobState::Waiting { job, .. } if job == "there"));
}

#[tokio::test]
async fn n15_an_offer_is_approved_for_what_was_seen_while_it_stands_and_its_draft_is_as_it_was() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let refused = async |offer: &Effect<Purchase>| {
        let before = house.platform.rows().await;
        let failure = house.approve(offer).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Conflict);
        assert_eq!(house.platform.rows().await, before);
        failure.public().to_owned()
    };
    // The digest that the approver saw is another's.
    let offer = house.offered(&draft, 1).await;
    let other = build::purchase(&house.finished().await.0, &draft, house.platform.now());
    let other = Purchase { prompt: "Something else.".into(), ..other };
    let other = Effect::proposed(offer.id, other, "usr", house.platform.now());
    house.platform.put(&scope(), &offer).await;
    assert!(refused(&other).await.contains("not what you saw"));

    let mut edited: Draft = house.draft(&draft).await;
    edited.revision += 1;
    house.platform.put(&scope(), &edited).await;
    assert!(refused(&offer).await.contains("changed since"));
    edited.revision -= 1;
    edited.stage = Stage::Approved;
    house.platform.put(&scope(), &edited).await;
    assert!(refused(&offer).await.contains("`approved`"));
    edited.stage = Stage::AwaitingApproval;
    house.platform.put(&scope(), &edited).await;

    house.platform.advance(secs(3_600));
    assert!(refused(&offer).await.contains("older than an hour"));
    assert_eq!(house.maker().submitted.all().len(), 0);
}

#[tokio::test]
async fn n15_an_approval_that_ran_out_before_the_vendor_was_asked_buys_nothing() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    house.platform.advance(secs(3_600));
    assert!(house.deliver(purchase.id).await);
    assert_eq!((house.maker().sold(), house.state(&purchase).await), (0, State::Cancelled));
    assert_eq!(house.job_state(&purchase).await, "failed");
    assert_eq!(codes(&house.notes(&draft).await), ["footage_refused"]);
}

#[tokio::test]
async fn n48_another_tenants_purchase_is_not_found_under_an_envelope_of_ones_own() {
    let house = House::new();
    let stranger = people::scope(people::tenant(2));
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    assert!(house.deliver_bodies(&[letter(&stranger, purchase.id)]).await.is_empty());
    assert_eq!((house.maker().sold(), house.state(&purchase).await), (0, State::Approved));
}

#[tokio::test]
async fn a_message_that_is_not_ours_fails_alone() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    let nobody = EffectId::derived(&["nobody"]);
    let bodies = [
        "{}".to_owned(),
        letter(&scope(), purchase.id),
        "nonsense".to_owned(),
        letter(&scope(), nobody),
    ];
    let mut failed = house.deliver_bodies(&bodies).await;
    failed.sort_unstable();
    assert_eq!((failed, house.maker().sold()), (vec![0, 2], 1));
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

/// The clock stands still: both deliveries see the same moment and would hold the purchase for the same time.
#[tokio::test(start_paused = true)]
async fn n15_two_deliveries_in_the_same_moment_are_one_purchase() {
    let platform = MemoryPlatform::new().with_table(|table| Arc::new(StepByStep(table)));
    let (one, other) = (House::on(platform.clone()), House::on(platform));
    let (_, draft) = one.finished().await;
    let purchase = one.approved(&draft, 1).await;
    tokio::join!(one.deliver(purchase.id), other.deliver(purchase.id));
    assert_eq!((one.maker().sold(), one.state(&purchase).await), (1, State::Done));
    assert!(one.maker().looked_up.all().is_empty());
    assert_eq!(one.platform.waiting(Hop::Publish).len(), 0);
}

#[tokio::test]
async fn n15_nobody_but_an_approver_approves() {
    let caller = people::caller(&people::operator(people::tenant(1)));
    assert_eq!(Approver::of(&caller).unwrap_err().kind(), FailureKind::Denied);
}
