//! A job at a vendor: looked at by messages that come later, to an end that is told.

use std::collections::BTreeSet;

use bytes::Bytes;
use nexus_core::effect::{Found, Outcome, State};
use nexus_core::egress::{self, Cost, Ended, EntryId, Leaving, Month, Settled};
use nexus_core::{Blobs, Condition, Op, RecordKind};
use nexus_engine::blob_names::BlobName;
use nexus_engine::draft::draft_key;
use nexus_engine::footage::purchase::{JobState, PATIENCE};
use nexus_engine::footage::{Progress, Used};
use nexus_engine::hops::Step;
use nexus_engine::{Draft, Hop, Stage};
use nexus_kernel::{Digest, Failure, FailureKind};
use nexus_testkit::footage::OPERATION;

use crate::house::{House, clip, codes, letter, made, scope, secs};

fn waiting(after_seconds: u32) -> Result<Progress, Failure> {
    Ok(Progress::Waiting { after_seconds })
}

/// The blobs that a row names.
async fn named(house: &House) -> BTreeSet<String> {
    let rows = house.platform.rows().await;
    let names = rows.iter().filter(|r| r.kind == RecordKind::BlobName);
    names
        .map(|r| nexus_core::records::read::<BlobName>(r).unwrap().record.blob.as_str().to_owned())
        .collect()
}

#[tokio::test]
async fn n29_footage_that_is_ready_becomes_part_of_its_draft_which_is_filmed_anew() {
    let house = House::new();
    let (before, purchase) = house.taken().await;
    house.maker().says(waiting(20));
    house.maker().says(waiting(20));
    house.live(secs(120)).await;

    assert_eq!(house.maker().asked.all(), ["job-1"; 3]);
    assert_eq!(house.maker().fetched.all(), ["job-1"]);
    assert_eq!((house.maker().sold(), house.maker().cancelled.all().len()), (1, 0));
    let draft = house.draft(&before).await;
    assert_eq!((draft.stage, draft.revision), (Stage::Animating, before.revision + 1));
    assert_eq!((&draft.narrations, &draft.words), (&before.narrations, &before.words));
    assert!(draft.films.is_empty(), "they showed something else");
    let [footage] = draft.footage.as_slice() else { panic!("{:?}", draft.footage) };
    assert_eq!(footage.engine, "runway model-1", "the draft shows who made what");
    assert_eq!((footage.purchase, footage.at_most), (purchase.id, purchase.payload().at_most));
    assert_eq!((footage.width, footage.height), (72, 128));
    assert!((900..=1_100).contains(&footage.duration_ms), "{}", footage.duration_ms);

    let kept = house.platform.blobs.get(&footage.video.key).await.unwrap().unwrap();
    assert_eq!(Digest::of(&kept), footage.video.digest);
    let holds = |bytes: &[u8]| bytes.windows(14).any(|w| w == b"Planted-Secret");
    assert!(holds(&clip()) && !holds(&kept), "nothing but picture and sound is kept");
    let names = named(&house).await;
    assert!(names.contains(footage.video.key.as_str()));
    for film in before.films.values() {
        assert!(!names.contains(film.video.key.as_str()), "the sweep takes what it left");
        assert!(!names.contains(film.poster.key.as_str()));
    }

    let job = house.job(&purchase).await.unwrap();
    assert_eq!(job.state, JobState::Ready { video: footage.video.digest });
    assert_eq!((job.looks, job.look_at), (3, None));
    assert_eq!(house.state(&purchase).await, State::Done);
    let next = house.platform.letters::<Step>(Hop::Animate);
    assert_eq!(next, [(scope(), Step { draft: draft.id })]);

    // Whatever comes again changes nothing.
    let rows = house.platform.rows().await;
    house.deliver_bodies(&vec![letter(&scope(), purchase.id); 3]).await;
    house.relay().await;
    house.live(secs(30)).await;
    assert_eq!(house.platform.rows().await, rows);
}

#[tokio::test]
async fn n29_a_second_message_of_the_same_look_does_not_ask_again() {
    let house = House::new();
    let (_, purchase) = house.taken().await;
    for _ in 0..4 {
        house.maker().says(waiting(60));
    }
    for _ in 0..3 {
        assert!(house.deliver(purchase.id).await);
    }
    assert!(house.maker().asked.all().is_empty(), "its moment has not come");
    house.platform.advance(secs(12));
    for _ in 0..3 {
        assert!(house.deliver(purchase.id).await);
    }
    assert_eq!(house.maker().asked.all().len(), 1);
    house.live(secs(59)).await;
    assert_eq!(house.maker().asked.all().len(), 1);
    house.live(secs(14)).await;
    assert_eq!(house.maker().asked.all().len(), 2);
}

#[tokio::test]
async fn n29_a_job_that_fails_is_told_with_its_reason_and_nothing_is_bought_again() {
    let house = House::new();
    let (before, purchase) = house.taken().await;
    let (code, why) = ("moderated".to_owned(), "The content check said no.".to_owned());
    house.maker().says(Ok(Progress::Failed { code: code.clone(), why: why.clone(), again: true }));
    house.live(secs(3_600)).await;
    let job = house.job(&purchase).await.unwrap();
    assert_eq!(job.state, JobState::Failed { code, why, again: true });
    assert_eq!((job.look_at, house.maker().sold()), (None, 1));
    let notes = house.notes(&before).await;
    assert_eq!(codes(&notes), ["footage_failed"]);
    assert!(notes[0].text.contains("content check"), "{notes:?}");
    let draft = house.draft(&before).await;
    assert_eq!((draft.stage, draft.revision), (before.stage, before.revision));
    assert_eq!(draft.films, before.films);
    assert_eq!(house.state(&purchase).await, State::Done, "the money is spent");
}

/// Enters a submission of so much, and settles it by that: what the way out does.
async fn entered(house: &House, cost: Cost) {
    let (table, now) = (&house.platform.table, house.platform.now());
    let fields = BTreeSet::new();
    let leaving =
        Leaving { vendor: "runway", operation: OPERATION, fields: &fields, estimate: cost };
    let id = EntryId::derived(&["submission"]);
    let entry = egress::enter_as(table, &scope(), leaving, id, now).await.unwrap();
    let (ended, tries, units) = (Ended::Done, 1, 5);
    let settled = Settled { ended, tries, tokens_in: 0, tokens_out: 0, units, cost };
    egress::settle(table, &scope(), entry, settled, now).await.unwrap();
}

/// What the ledger has of submissions, and what is spent and reserved, in millionths.
async fn standing(house: &House) -> (u64, u64, i64, i64, i64) {
    let (table, now) = (&house.platform.table, house.platform.now());
    let lines = egress::ledger(table, &scope(), Month::of(now), now).await.unwrap();
    let all = egress::spending(table, &scope(), Month::of(now), now).await.unwrap();
    let ([line], [spending]) = (lines.as_slice(), all.as_slice()) else {
        panic!("{lines:?} {all:?}")
    };
    let (spent, reserved) = (spending.spent.as_micros(), spending.reserved.as_micros());
    (line.tokens_in, line.tokens_out, line.cost.as_micros(), spent, reserved)
}

#[tokio::test]
async fn n29_what_a_job_cost_in_the_end_is_settled_once() {
    let failed = Progress::Failed { code: "failed".into(), why: "It broke.".into(), again: true };
    for (progress, state) in [(Progress::Ready, "ready"), (failed, "failed")] {
        let house = House::new();
        let (_, purchase) = house.taken().await;
        let expected = purchase.payload().at_most;
        entered(&house, expected).await;
        house.maker().counts(Used { tokens_in: 7, tokens_out: 46, cost: Cost::micros(30_000) });
        // It is ready twice: what it used is told each time.
        house.maker().says(waiting(20));
        house.maker().says(Ok(progress.clone()));
        house.maker().says(Ok(progress));
        house.maker().hands_over(Err(Failure::unavailable("not now")));
        let (before, until) = ((0, 0, 250_000, 250_000, 0), secs(20));
        house.live(until).await;
        assert_eq!((expected, standing(&house).await), (Cost::micros(250_000), before));
        house.live(secs(300)).await;
        assert_eq!(house.job_state(&purchase).await, state);
        let settled = (7, 46, 30_000, 30_000, 0);
        assert_eq!(standing(&house).await, settled, "{state}");
        house.deliver_bodies(&vec![letter(&scope(), purchase.id); 3]).await;
        house.relay().await;
        house.live(secs(30)).await;
        assert_eq!(standing(&house).await, settled, "{state}");
    }
}

#[tokio::test]
async fn n29_what_no_vendor_tells_stays_as_it_was_expected() {
    let house = House::new();
    let (_, purchase) = house.taken().await;
    entered(&house, purchase.payload().at_most).await;
    house.live(secs(120)).await;
    assert_eq!(house.job_state(&purchase).await, "ready");
    assert_eq!(standing(&house).await, (0, 0, 250_000, 250_000, 0));
}

#[tokio::test]
async fn n29_a_job_that_is_not_ready_after_two_hours_is_given_up_and_told() {
    for can_cancel in [true, false] {
        let house = House::new();
        if !can_cancel {
            house.maker().cannot_cancel();
        }
        let (before, purchase) = house.taken().await;
        for _ in 0..2_000 {
            house.maker().says(waiting(30));
        }
        house.live(PATIENCE - secs(1)).await;
        assert_eq!(house.job_state(&purchase).await, "waiting");
        house.live(secs(60)).await;
        let job = house.job(&purchase).await.unwrap();
        let JobState::Expired { why } = &job.state else { panic!("{:?}", job.state) };
        let said = if can_cancel { "told to stop" } else { "cannot be told to stop" };
        assert!(why.contains(said), "{why}");
        assert_eq!(house.maker().cancelled.all(), ["job-1"]);
        let asked = house.maker().asked.all().len();
        assert!((190..=245).contains(&asked), "about every 33 s: {asked}");
        assert_eq!(codes(&house.notes(&before).await), ["footage_expired"]);
        house.live(secs(600)).await;
        house.relay().await;
        assert_eq!(house.receive().await, 0, "nothing is looked at any more");
        assert_eq!((house.maker().sold(), house.maker().asked.all().len()), (1, asked));
    }
}

#[tokio::test]
async fn n29_a_vendor_that_falls_silent_is_asked_until_its_time_is_over_and_no_longer() {
    let house = House::new();
    let (before, purchase) = house.taken().await;
    for _ in 0..1_000 {
        house.maker().says(Err(Failure::unavailable("Runway does not answer.")));
    }
    house.live(PATIENCE + secs(14 * 60)).await;
    assert_eq!(house.job_state(&purchase).await, "waiting");
    house.live(secs(180)).await;
    let job = house.job(&purchase).await.unwrap();
    assert!(matches!(&job.state, JobState::Failed { code, .. } if code == "unreachable"));
    assert_eq!(codes(&house.notes(&before).await), ["footage_failed"]);
    house.live(secs(600)).await;
    assert_eq!(house.receive().await, 0);
    assert_eq!(house.maker().sold(), 1);
}

#[tokio::test]
async fn n29_what_cannot_be_fetched_now_is_fetched_later_and_what_is_gone_is_told() {
    let house = House::new();
    let (before, purchase) = house.taken().await;
    house.maker().hands_over(Err(Failure::unavailable("not now")));
    house.maker().hands_over(Err(Failure::conflict("not ready after all")));
    house.live(secs(300)).await;
    assert_eq!(house.maker().fetched.all().len(), 3);
    assert_eq!(house.job_state(&purchase).await, "ready");
    assert_eq!(house.draft(&before).await.footage.len(), 1);

    let house = House::new();
    let (before, purchase) = house.taken().await;
    house.maker().hands_over(Err(Failure::not_found("job")));
    house.live(secs(300)).await;
    let job = house.job(&purchase).await.unwrap();
    assert!(matches!(&job.state, JobState::Failed { code, again: true, .. } if code == "expired"));
    assert_eq!(codes(&house.notes(&before).await), ["footage_failed"]);
    assert_eq!((house.maker().fetched.all().len(), house.maker().sold()), (1, 1));
}

#[tokio::test]
async fn n29_what_comes_is_checked_like_an_upload() {
    let sound = made(&["-i", "sine=duration=1", "-c:a", "aac"], "m4a");
    let sound_alone = made(&["-i", "sine=duration=1", "-c:a", "aac", "-f", "mp4"], "mp4");
    let picture = made(&["-i", "testsrc2=size=72x128", "-frames:v", "1"], "png");
    let whole = clip();
    let mut torn = whole.to_vec();
    let middle = torn.len() / 2;
    torn.truncate(middle);
    for (bytes, said) in [
        (Bytes::new(), "no MP4"),
        (Bytes::from_static(b"<html>"), "no MP4"),
        (picture, "no MP4"),
        (sound, "no MP4"),
        (sound_alone, "shows nothing"),
        (torn.into(), "damaged"),
    ] {
        let house = House::new();
        let (before, purchase) = house.taken().await;
        let blobs = house.platform.blob_keys().await;
        house.maker().gives(bytes);
        house.live(secs(120)).await;
        let job = house.job(&purchase).await.unwrap();
        let JobState::Failed { code, why, .. } = &job.state else { panic!("{said}: {job:?}") };
        assert_eq!(code, "unusable");
        assert!(why.contains(said), "{why}");
        let draft = house.draft(&before).await;
        assert_eq!((draft.stage, draft.footage.len()), (Stage::AwaitingApproval, 0), "{said}");
        assert_eq!(codes(&draft.notes), ["footage_failed"]);
        assert_eq!(house.platform.blob_keys().await, blobs, "nothing of it is kept");
    }
}

#[tokio::test]
async fn n29_footage_that_comes_when_the_draft_was_decided_on_is_kept_out() {
    for stage in [Stage::Approved, Stage::Rejected] {
        let house = House::new();
        let (before, purchase) = house.taken().await;
        let decided = Draft { stage, ..house.draft(&before).await };
        house.platform.put(&scope(), &decided).await;
        let blobs = house.platform.blob_keys().await;
        house.live(secs(120)).await;
        let job = house.job(&purchase).await.unwrap();
        assert!(matches!(&job.state, JobState::Late { why } if why.contains(stage.name())));
        let draft = house.draft(&before).await;
        assert_eq!(codes(&draft.notes), ["footage_late"]);
        assert_eq!(Draft { notes: Vec::new(), ..draft }, decided, "all else stays as approved");
        assert_eq!(house.platform.blob_keys().await, blobs);
        assert!(house.platform.waiting(Hop::Animate).is_empty());
    }
}

#[tokio::test]
async fn n29_n53_a_job_whose_draft_is_gone_is_given_up_at_the_vendor() {
    let house = House::new();
    let (before, purchase) = house.taken().await;
    let (key, when) = (draft_key(&scope(), before.id), Condition::Present);
    house.platform.commit(vec![Op::Delete { key, when }]).await;
    house.live(secs(120)).await;
    assert!(matches!(house.job(&purchase).await.unwrap().state, JobState::Late { .. }));
    assert_eq!(house.maker().cancelled.all(), ["job-1"]);
    assert!(house.maker().fetched.all().is_empty());
}

#[tokio::test]
async fn n29_footage_for_a_draft_that_is_spoken_anew_waits_there_for_its_film() {
    let house = House::new();
    let (before, purchase) = house.taken().await;
    let edited = Draft { stage: Stage::Narrating, ..house.draft(&before).await };
    house.platform.put(&scope(), &edited).await;
    house.live(secs(120)).await;
    assert_eq!(house.job_state(&purchase).await, "ready");
    let draft = house.draft(&before).await;
    assert_eq!((draft.stage, draft.footage.len()), (Stage::Narrating, 1));
    assert!(house.platform.waiting(Hop::Animate).is_empty(), "`narrate` passes it on");
}

#[tokio::test]
async fn n29_a_person_calls_a_job_off_and_the_vendor_is_told() {
    let house = House::new();
    let (before, purchase) = house.taken().await;
    house.maker().stops(Err(Failure::unavailable("not now")));
    for _ in 0..2 {
        assert_eq!(house.cancel(purchase.id).await.unwrap().state(), State::Done);
    }
    house.live(secs(3)).await;
    assert_eq!(house.job_state(&purchase).await, "waiting", "the vendor did not answer");
    house.live(secs(120)).await;
    assert_eq!(house.maker().cancelled.all(), ["job-1"; 2]);
    assert!(house.maker().asked.all().is_empty() && house.maker().fetched.all().is_empty());
    let job = house.job(&purchase).await.unwrap();
    assert!(matches!(&job.state, JobState::Cancelled { why } if why.contains("told to stop")));
    let draft = house.draft(&before).await;
    assert_eq!((draft.footage.len(), draft.stage), (0, Stage::AwaitingApproval));
    let again = house.cancel(purchase.id).await.unwrap_err();
    assert_eq!(again.kind(), FailureKind::Conflict);
}

#[tokio::test]
async fn n29_what_is_called_off_before_its_job_was_heard_of_is_stopped_as_soon_as_it_is() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let purchase = house.approved(&draft, 1).await;
    house.maker().answer(Outcome::Unknown { why: "no answer".into() });
    house.receive().await;
    let refused = house.cancel(purchase.id).await.unwrap_err();
    assert_eq!(refused.kind(), FailureKind::Conflict, "it is being looked up");
    house.maker().find(Found::Done { receipt: "job-1".into(), url: None });
    house.platform.advance(secs(15));
    assert!(house.deliver(purchase.id).await);
    house.cancel(purchase.id).await.unwrap();
    house.live(secs(5)).await;
    assert_eq!(house.job_state(&purchase).await, "cancelled");
    assert_eq!(house.maker().cancelled.all(), ["job-1"]);
}

#[tokio::test]
async fn n29_a_look_whose_message_was_lost_is_taken_up_by_the_relay() {
    let house = House::new();
    let (before, purchase) = house.taken().await;
    // Its message is received, and whoever had it dies with it, again and again.
    let address = nexus_core::QueueAddress("footage".into());
    house.platform.advance(secs(20));
    let lost = nexus_core::Queues::receive(
        &house.platform.queues,
        &address,
        10,
        std::time::Duration::from_secs(30),
    );
    let lost = lost.await.unwrap();
    assert_eq!(lost.len(), 1);
    nexus_core::Queues::delete(&house.platform.queues, &address, &[lost[0].receipt.clone()])
        .await
        .unwrap();
    for _ in 0..8 {
        house.relay().await;
        house.live(secs(60)).await;
    }
    assert_eq!(house.job_state(&purchase).await, "ready");
    assert_eq!(house.draft(&before).await.footage.len(), 1);
}

#[tokio::test]
async fn n29_two_purchases_for_one_draft_both_arrive() {
    let house = House::new();
    let (_, draft) = house.finished().await;
    let first = house.approved(&draft, 1).await;
    let second = house.approved(&draft, 2).await;
    house.live(secs(60)).await;
    assert_eq!(house.maker().sold(), 2);
    let draft = house.draft(&draft).await;
    let bought: Vec<_> = draft.footage.iter().map(|f| f.purchase).collect();
    assert_eq!(BTreeSet::from_iter(bought), BTreeSet::from([first.id, second.id]));
    assert_eq!((draft.stage, draft.revision), (Stage::Animating, 3));
}
