//! A person lets a draft become posts, and calls them off.

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::approval::{self, Redeemed};
use nexus_core::effect::Outcome;
use nexus_core::queues::Depth;
use nexus_core::{QueueAddress, Queues, RecordKind};
use nexus_engine::hops::Publish;
use nexus_engine::publishing::PostPlan;
use nexus_engine::{Draft, Hop};
use nexus_testkit::{MemoryPlatform, people};
use serde_json::{Value, json};

use crate::api::{Answer, Api, ada, at, scope};

async fn approve(api: &Api, draft: &Draft, body: Value) -> Answer {
    api.post(&format!("{}/approve", at(draft)), body).by(&ada()).send().await
}

async fn rows_of(api: &Api, kind: RecordKind) -> usize {
    api.platform.rows().await.iter().filter(|r| r.kind == kind).count()
}

#[tokio::test]
async fn an_approved_draft_becomes_posts_that_are_sent_at_once() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let digest = api.digest(&draft).await;
    let answer = approve(&api, &draft, json!({ "digest": digest })).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["draft"], draft.id.to_string());
    let posts = answer.json()["posts"].as_array().unwrap().clone();
    assert_eq!(posts.len(), 2);
    for post in &posts {
        assert_eq!(post["state"], "approved");
        assert_eq!(post["send_at"], api.platform.now().to_string());
        assert_eq!(post["approval"]["by"], "usr-approver");
        let until = api.platform.now() + SignedDuration::from_hours(1);
        assert_eq!(post["approval"]["until"], until.to_string());
        assert_eq!(post["history_is_whole"], true);
    }
    let letters: Vec<_> = api.platform.letters::<Publish>(Hop::Publish);
    let sent: Vec<String> = letters.iter().map(|(_, m)| m.effect.to_string()).collect();
    let ids: Vec<&str> = posts.iter().map(|p| p["id"].as_str().unwrap()).collect();
    assert_eq!(sent, ids);
    assert!(letters.iter().all(|(whose, _)| *whose == scope()));
    assert_eq!(rows_of(&api, RecordKind::Outbox).await, 0, "what was sent was cleared");

    let draft = api.get(&at(&draft)).by(&ada()).send().await.json();
    assert_eq!((&draft["stage"], &draft["posts"]), (&json!("approved"), &json!(ids)));
}

#[tokio::test]
async fn n15_only_an_approver_approves() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let before = api.platform.rows().await;
    let body = json!({ "digest": api.digest(&draft).await });
    let call = api.post(&format!("{}/approve", at(&draft)), body);
    let answer = call.by(&people::operator(people::tenant(1))).send().await;
    answer.refused(403, &[]);
    assert_eq!(api.platform.rows().await, before);
}

#[tokio::test]
async fn n15_what_was_not_seen_is_not_approved() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let before = api.platform.rows().await;
    approve(&api, &draft, json!({ "digest": "0".repeat(64) })).await.refused(409, &[]);
    approve(&api, &draft, json!({ "digest": "short" })).await.refused(422, &["digest"]);
    approve(&api, &draft, json!({})).await.refused(422, &["digest"]);
    let digest = api.digest(&draft).await;
    let all = json!({ "digest": digest, "tenant": "ten_1" });
    approve(&api, &draft, all).await.refused(422, &["tenant"]);
    assert_eq!(api.platform.rows().await, before);

    // The settings are part of what is seen: another network is another proposal.
    let settings = json!({ "languages": ["en"] });
    api.put("/v1/settings", settings).by(&ada()).send().await;
    approve(&api, &draft, json!({ "digest": digest })).await.refused(409, &[]);
}

#[tokio::test]
async fn approving_twice_is_one_approval() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let body = json!({ "digest": api.digest(&draft).await });
    let first = approve(&api, &draft, body.clone()).await;
    let rows = api.platform.rows().await;
    api.platform.advance(SignedDuration::from_mins(5));
    let second = approve(&api, &draft, body.clone()).await;
    assert_eq!((second.status, second.json()), (200, first.json()));
    assert_eq!(api.platform.rows().await, rows);
    assert_eq!(api.platform.waiting(Hop::Publish).len(), 2);

    let later = json!({ "digest": body["digest"], "at": "2027-03-01T12:00:00Z" });
    approve(&api, &draft, later).await.refused(409, &[]);
}

#[tokio::test]
async fn two_who_approve_at_the_same_moment_approve_once() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let body = json!({ "digest": api.digest(&draft).await });
    let (one, other) =
        tokio::join!(approve(&api, &draft, body.clone()), approve(&api, &draft, body.clone()),);
    assert_eq!((one.status, other.status), (200, 200));
    assert_eq!(one.json(), other.json());
    assert_eq!(rows_of(&api, RecordKind::Effect).await, 2);
}

#[tokio::test]
async fn a_post_that_is_due_soon_waits_in_its_queue_and_a_later_one_in_the_index() {
    for (minutes, in_queue) in [(0, true), (15, true), (16, false), (60 * 24 * 30, false)] {
        let api = Api::new();
        let (_, draft) = api.finished(&scope()).await;
        let at = api.platform.now() + SignedDuration::from_mins(minutes);
        let body = json!({ "digest": api.digest(&draft).await, "at": at });
        let answer = approve(&api, &draft, body).await;
        assert_eq!(answer.json()["posts"][0]["send_at"], at.to_string());
        assert_eq!(api.platform.waiting(Hop::Publish).len(), if in_queue { 2 } else { 0 });
        let depth = api.platform.queues.depth(&QueueAddress("publish".into())).await.unwrap();
        let expected = match (in_queue, minutes) {
            (true, 0) => Depth { visible: 2, ..depth },
            (true, _) => Depth { delayed: 2, visible: 0, ..depth },
            (false, _) => Depth::default(),
        };
        assert_eq!(depth, expected, "{minutes} minutes");
        let due = api.platform.rows().await;
        let due = due.iter().filter(|r| r.kind == RecordKind::Effect && r.due.is_some()).count();
        assert_eq!(due, 2, "the index of what is due has them either way");
    }
}

#[tokio::test]
async fn a_time_that_has_passed_is_refused() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let at = api.platform.now() - SignedDuration::from_hours(1);
    let body = json!({ "digest": api.digest(&draft).await, "at": at });
    approve(&api, &draft, body).await.refused(422, &["at"]);
    let body = json!({ "digest": api.digest(&draft).await, "at": "tomorrow" });
    approve(&api, &draft, body).await.refused(422, &["at"]);
    assert_eq!(rows_of(&api, RecordKind::Effect).await, 0);
}

#[tokio::test]
async fn an_approval_whose_message_is_lost_is_announced_by_its_outbox_row() {
    let faults = Faults::script([Fault::Before, Fault::Before]);
    let flaky = faults.clone();
    let platform = MemoryPlatform::new().with_queues(|q| Arc::new(Flaky::new(q, flaky)));
    let api = Api::on(platform);
    let (_, draft) = api.finished(&scope()).await;
    let answer = approve(&api, &draft, json!({ "digest": api.digest(&draft).await })).await;
    assert_eq!(answer.status, 200);
    assert!(api.platform.waiting(Hop::Publish).is_empty());
    assert_eq!(rows_of(&api, RecordKind::Outbox).await, 2);
}

#[tokio::test]
async fn a_post_shows_its_life_and_can_be_called_off_before_it_is_sent() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    let path = |n: usize| format!("/v1/posts/{}", posts[n]["id"].as_str().unwrap());
    assert_eq!(api.get(&path(0)).by(&ada()).send().await.json(), posts[0]);

    let cancel = |n: usize| api.call("POST", &format!("{}/cancel", path(n))).by(&ada());
    let cancelled = cancel(0).send().await;
    assert_eq!(cancelled.status, 200);
    assert_eq!(cancelled.json()["state"], "cancelled");
    let history = cancelled.json()["history"].clone();
    let told: Vec<(&str, &str)> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["to"].as_str().unwrap(), m["by"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [("proposed", "usr-approver"), ("approved", "usr-approver"), ("cancelled", "usr-approver")]
    );
    assert_eq!(cancelled.json()["history_is_whole"], true);
    assert_eq!(cancel(0).send().await.json(), cancelled.json(), "twice is once");

    let now = api.platform.now();
    let id = posts[1]["id"].as_str().unwrap().parse().unwrap();
    let lease = SignedDuration::from_secs(30);
    let redeemed = api.platform.redeem::<PostPlan>(&scope(), id, "publish", lease).await;
    let Redeemed::Send(approved) = redeemed.unwrap() else { panic!("it is due") };
    assert_eq!(cancel(1).send().await.status, 409, "it is being sent");
    let url = Some("https://feed.example/1".to_owned());
    let done = Outcome::Done { receipt: "r1".into(), url };
    approval::settle(approved, done, "publish", now).await.unwrap();
    assert_eq!(cancel(1).send().await.status, 409, "it was sent");
    let sent = api.get(&path(1)).by(&ada()).send().await.json();
    assert_eq!(
        (&sent["state"], &sent["url"], &sent["attempts"]),
        (&json!("done"), &json!("https://feed.example/1"), &json!(1))
    );
    let listed = api.get("/v1/posts").by(&ada()).send().await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_history_that_somebody_changed_shows() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    let mut rows = api.platform.rows().await;
    let row = rows.iter_mut().find(|r| r.key.sk() == posts[0]["id"]).unwrap();
    row.body = row.body.replace("usr-approver", "usr-somebody");
    let put = nexus_core::Op::Put { item: row.clone(), when: nexus_core::Condition::Always };
    api.platform.commit(vec![put]).await;
    let path = format!("/v1/posts/{}", posts[0]["id"].as_str().unwrap());
    assert_eq!(api.get(&path).by(&ada()).send().await.json()["history_is_whole"], false);
}
