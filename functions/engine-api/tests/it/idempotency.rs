//! Writes that are sent again.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::RecordKind;
use nexus_core::effect::{Effect, EffectId, Payload};
use nexus_core::idempotency::{self, Asked, Begin};
use nexus_engine::draft::Note;
use nexus_engine::publishing::{Ground, propose};
use nexus_engine::{Draft, EnginePlatform, Hop, Stage};
use nexus_handler::Invocation;
use nexus_kernel::Digest;
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};

use crate::api::{Answer, Api, ada, at, scope};
use crate::products::loaf;

async fn add(api: &Api, key: &str) -> Answer {
    api.post("/v1/products", loaf()).by(&ada()).key(key).send().await
}

async fn count(api: &Api, kind: RecordKind) -> usize {
    api.platform.rows().await.iter().filter(|r| r.kind == kind).count()
}

fn is_replayed(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|v| v == "true")
}

#[tokio::test]
async fn the_same_request_under_one_key_is_done_once() {
    let api = Api::new();
    let first = add(&api, "k1").await;
    assert!(first.status == 201 && !is_replayed(&first));
    api.platform.advance(SignedDuration::from_mins(5));
    let second = add(&api, "k1").await;
    assert!(is_replayed(&second));
    assert_eq!((second.status, &second.body), (201, &first.body));
    for header in ["location", "content-type"] {
        assert_eq!(second.header(header), first.header(header));
    }
    assert_eq!(add(&api, "k2").await.status, 201);
    assert_eq!(count(&api, RecordKind::Product).await, 2);
    let rows = api.platform.rows().await;
    let kept = rows.iter().find(|r| r.kind == RecordKind::Idempotency).unwrap();
    assert!(kept.due.is_some(), "the sweep will find it");
    assert!(!kept.body.contains("k1"), "the key itself is not kept");
}

#[tokio::test]
async fn another_request_under_a_used_key_is_refused() {
    let api = Api::new();
    let path = add(&api, "k").await.header("location").to_owned();
    let mut other = loaf();
    other["name"] = "Rye".into();
    let others = [
        api.post("/v1/products", other.clone()),
        api.post("/v1/products?x=1", loaf()),
        api.put(&path, loaf()),
        api.delete(&path),
    ];
    for call in others {
        call.by(&ada()).key("k").send().await.refused(422, &["Idempotency-Key"]);
    }
    assert_eq!(count(&api, RecordKind::Product).await, 1);
    let read = api.get(&path).by(&ada()).key("k").send().await;
    assert!(read.status == 200 && !is_replayed(&read), "a read has no key");
}

#[tokio::test]
async fn a_key_is_its_persons_and_its_tenants() {
    let api = Api::new();
    let others = [
        people::operator(people::tenant(1)),
        people::approver(people::tenant(2)),
        people::operator(people::tenant(3)),
    ];
    add(&api, "k").await;
    for who in &others {
        let answer = api.post("/v1/products", loaf()).by(who).key("k").send().await;
        assert!(answer.status == 201 && !is_replayed(&answer));
    }
    assert_eq!(count(&api, RecordKind::Product).await, 4);
}

#[tokio::test]
async fn a_kept_answer_is_gone_after_24_hours_even_if_its_row_stands() {
    let api = Api::new();
    add(&api, "k").await;
    api.platform.advance(SignedDuration::from_hours(24) - SignedDuration::from_millis(1));
    assert!(is_replayed(&add(&api, "k").await));
    api.platform.advance(SignedDuration::from_millis(1));
    let anew = add(&api, "k").await;
    assert!(anew.status == 201 && !is_replayed(&anew));
    assert_eq!(count(&api, RecordKind::Product).await, 2);
    assert!(is_replayed(&add(&api, "k").await));
}

#[tokio::test]
async fn a_refused_request_frees_its_key() {
    let api = Api::new();
    let wrong = json!({ "name": "" });
    let answer = api.post("/v1/products", wrong).by(&ada()).key("k").send().await;
    assert_eq!(answer.status, 422);
    assert_eq!(count(&api, RecordKind::Idempotency).await, 0);
    assert_eq!(add(&api, "k").await.status, 201);
}

#[tokio::test]
async fn a_key_has_1_to_255_characters() {
    let api = Api::new();
    assert_eq!(add(&api, &"k".repeat(255)).await.status, 201);
    for key in ["", "ключ", &"k".repeat(256)] {
        add(&api, key).await.refused(422, &["Idempotency-Key"]);
    }
    assert_eq!(count(&api, RecordKind::Product).await, 1);
}

#[tokio::test]
async fn while_the_first_is_running_others_are_told_when_to_ask_again() {
    let api = Api::new();
    let body = loaf().to_string();
    let request = Digest::of_parts(["POST", "/v1/products", &body].map(str::as_bytes));
    let ambient = api.platform.ambient();
    let asked = Asked { by: "usr-approver", key: "k", request };
    let (now, lease) = (ambient.now(), ambient.now() + SignedDuration::from_secs(12));
    let whose = scope();
    let begun =
        idempotency::begin::<Value>(&api.platform.table, &whose, asked, &*ambient.ids, now, lease);
    let Begin::Fresh(_lost) = begun.await.unwrap() else { panic!("it is fresh") };

    let answer = add(&api, "k").await;
    answer.refused(409, &[]);
    assert_eq!(answer.header("retry-after"), "12");
    api.platform.advance(SignedDuration::from_secs(11));
    assert_eq!(add(&api, "k").await.header("retry-after"), "1");
    api.platform.advance(SignedDuration::from_secs(1));
    assert_eq!(add(&api, "k").await.status, 201, "whoever held it is gone");
    assert_eq!(count(&api, RecordKind::Product).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_held_as_long_as_its_call_may_run() {
    for (left, second) in [(5, "5"), (30, "30")] {
        // The product's commit dies, and with it everything after.
        let faults = Faults::crash(2, Fault::Before);
        let flaky = faults.clone();
        let api =
            Api::on(MemoryPlatform::new().with_table(|table| Arc::new(Flaky::new(table, flaky))));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(left);
        let at = Invocation { deadline, ..api.platform.invocation() };
        let call = api.post("/v1/products", loaf()).by(&ada()).key("k").with(at);
        assert_eq!(call.send().await.status, 503);
        faults.revive();
        assert_eq!(add(&api, "k").await.header("retry-after"), second);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_replayed_without_its_body() {
    let api = Api::new();
    let (_, mut draft) = api.finished(&scope()).await;
    draft.notes = vec![Note { code: "long".into(), text: "x".repeat(64 * 1024) }];
    api.platform.put(&scope(), &draft).await;
    let path = format!("{}/reject", at(&draft));
    let first = api.call("POST", &path).by(&ada()).key("k").send().await;
    assert!(first.status == 200 && first.body.len() > 64 * 1024);
    let second = api.call("POST", &path).by(&ada()).key("k").send().await;
    assert!(is_replayed(&second));
    assert_eq!((second.status, second.body.len()), (200, 0));
    assert!(
        api.platform
            .rows()
            .await
            .iter()
            .all(|r| r.kind != RecordKind::Idempotency || r.body.len() < 1_000)
    );
}

/// A write whose process dies in its n-th call to a store, for every n, before that call or after it; once more
/// after its lease, which has to leave what doing it once leaves.
async fn dies_anywhere(
    prepare: impl AsyncFn(&MemoryPlatform) -> Draft,
    write: impl Fn(&Api, &Draft) -> (String, String, Value),
    expected: &[u16],
    look: impl AsyncFn(&Api, &Draft, &Answer),
) {
    for how in [Fault::Before, Fault::After] {
        let mut crashes = 0;
        for call in 0.. {
            let faults = Faults::crash(call, how);
            let (tables, blobs, queues) = (faults.clone(), faults.clone(), faults.clone());
            let platform = MemoryPlatform::new()
                .with_table(|t| Arc::new(Flaky::new(t, tables)))
                .with_blobs(|b| Arc::new(Flaky::new(b, blobs)))
                .with_queues(|q| Arc::new(Flaky::new(q, queues)));
            let draft = prepare(&platform).await;
            let api = Api::on(platform);
            let (method, path, body) = write(&api, &draft);
            let send = async || {
                api.call(&method, &path).json(body.clone()).by(&ada()).key("k").send().await
            };
            send().await;
            if faults.calls() <= call {
                break;
            }
            crashes += 1;
            faults.revive();
            api.platform.advance(SignedDuration::from_secs(30));
            let answer = send().await;
            assert!(
                expected.contains(&answer.status),
                "{method} {path}, {how:?} {call}: {answer:?}"
            );
            look(&api, &draft, &answer).await;
        }
        assert!(crashes >= 4, "{crashes}");
    }
}

async fn with_draft(platform: &MemoryPlatform) -> Draft {
    build::finished(platform, &scope(), build::media_id(1)).await.1
}

async fn stands(api: &Api, draft: &Draft) -> Draft {
    api.platform.load(&scope(), draft).await.unwrap()
}

/// Every post is announced, by a message or by a row from which the relay sends it.
async fn announced(api: &Api, hop: Hop, at_least: usize) {
    let rows = count(api, RecordKind::Outbox).await;
    assert!(api.platform.waiting(hop).len() + rows >= at_least);
}

#[tokio::test]
async fn a_product_whose_adding_died_anywhere_is_added_once() {
    let write = |_: &Api, _: &Draft| ("POST".into(), "/v1/products".into(), loaf());
    dies_anywhere(with_draft, write, &[201], async |api, _, answer| {
        assert_eq!(count(api, RecordKind::Product).await, 1);
        let path = answer.header("location");
        assert_eq!(api.get(path).by(&ada()).send().await.json(), answer.json());
    })
    .await;
}

#[tokio::test]
async fn a_medium_whose_announcing_died_anywhere_has_one_place() {
    let body = json!({ "content_type": "image/png", "size": 7 });
    let write = |_: &Api, _: &Draft| ("POST".into(), "/v1/media".into(), body.clone());
    dies_anywhere(with_draft, write, &[201], async |api, _, _| {
        assert_eq!(
            (count(api, RecordKind::Media).await, count(api, RecordKind::Claim).await),
            (2, 1)
        );
    })
    .await;
}

#[tokio::test]
async fn an_approval_that_died_anywhere_is_one_approval() {
    let write = |_: &Api, draft: &Draft| {
        let digest = propose(draft, &Ground::default()).digest;
        ("POST".into(), format!("{}/approve", at(draft)), json!({ "digest": digest }))
    };
    dies_anywhere(with_draft, write, &[200], async |api, draft, answer| {
        let posts = answer.json()["posts"].as_array().unwrap().clone();
        assert_eq!((posts.len(), count(api, RecordKind::Effect).await), (2, 2));
        assert!(posts.iter().all(|p| p["history"].as_array().unwrap().len() == 2));
        assert_eq!(stands(api, draft).await.stage, Stage::Approved);
        announced(api, Hop::Publish, 2).await;
    })
    .await;
}

#[tokio::test]
async fn an_approval_of_several_times_that_died_anywhere_approves_each_once() {
    let times = ["2027-03-01T09:10:00Z", "2027-03-02T09:10:00Z", "2027-03-03T09:10:00Z"];
    let daily = json!({ "recurrence": {
        "from": "2027-03-01", "at": "09:10", "rhythm": { "days": { "every": 1 } },
        "ends": { "times": 3 },
    } });
    let write = |_: &Api, draft: &Draft| {
        let digest = propose(draft, &Ground::default()).digest;
        let body = json!({ "digest": digest, "when": daily, "times": times });
        ("POST".into(), format!("{}/approve", at(draft)), body)
    };
    dies_anywhere(with_draft, write, &[200], async |api, draft, answer| {
        let posts = answer.json()["posts"].as_array().unwrap().clone();
        assert_eq!((posts.len(), count(api, RecordKind::Effect).await), (6, 6));
        for (number, post) in posts.iter().enumerate() {
            assert_eq!(post["send_at"], times[number / 2]);
            assert_eq!(post["history"].as_array().unwrap().len(), 2);
        }
        assert_eq!(stands(api, draft).await.posts.len(), 6);
        announced(api, Hop::Publish, 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_copy_whose_making_died_anywhere_is_one_copy() {
    let write =
        |_: &Api, draft: &Draft| ("POST".into(), format!("{}/duplicate", at(draft)), json!({}));
    dies_anywhere(with_draft, write, &[201], async |api, _, answer| {
        assert_eq!(count(api, RecordKind::Draft).await, 2);
        let copy = api.get(answer.header("location")).by(&ada()).send().await;
        assert_eq!(copy.json()["id"], answer.json()["id"]);
    })
    .await;
}

#[tokio::test]
async fn an_edit_that_died_anywhere_is_one_edit() {
    let body =
        json!({ "revision": 1, "words": { "en": { "script": ["It is fresh.", "Come in."] } } });
    let write = |_: &Api, draft: &Draft| ("PATCH".into(), at(draft), body.clone());
    dies_anywhere(with_draft, write, &[200], async |api, draft, _| {
        let now = stands(api, draft).await;
        assert_eq!((now.revision, now.stage), (2, Stage::Narrating));
        announced(api, Hop::Narrate, 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_removal_that_died_anywhere_leaves_nothing_but_what_the_sweep_finds() {
    let write = |_: &Api, draft: &Draft| {
        ("DELETE".into(), format!("/v1/media/{}", draft.media), Value::Null)
    };
    dies_anywhere(with_draft, write, &[204, 404], async |api, draft, _| {
        let left =
            [RecordKind::Media, RecordKind::Draft, RecordKind::BlobName, RecordKind::ContentHash];
        for kind in left {
            assert_eq!(count(api, kind).await, 0, "{kind:?}");
        }
        let removal = nexus_engine::removal::Removal {
            media: draft.media,
            since: api.platform.now(),
            blobs: Vec::new(),
            unjoined: None,
        };
        let left = api.platform.load(&scope(), &removal).await.map(|r| r.blobs).unwrap_or_default();
        assert!(api.platform.blob_keys().await.iter().all(|blob| left.contains(blob)));
    })
    .await;
}

#[tokio::test]
async fn an_offer_of_footage_whose_asking_died_anywhere_is_one_offer() {
    let write =
        |_: &Api, draft: &Draft| ("POST".into(), format!("{}/footage", at(draft)), json!({}));
    dies_anywhere(with_draft, write, &[201], async |api, draft, answer| {
        let id = answer.json()["id"].clone();
        assert_eq!(count(api, RecordKind::Effect).await, 1);
        assert_eq!(json!(stands(api, draft).await.purchases), json!([id]));
    })
    .await;
}

#[tokio::test]
async fn n15_an_approval_of_footage_that_died_anywhere_is_one_purchase() {
    let offer = |platform: &MemoryPlatform, draft: &Draft| {
        let medium = build::ready_medium(&scope(), draft.media, draft.created);
        let purchase = build::purchase(&medium, draft, draft.created);
        let id = EffectId::derived(&["purchase"]);
        Effect::proposed(id, purchase, "usr", platform.now())
    };
    let prepare = async |platform: &MemoryPlatform| {
        let draft = with_draft(platform).await;
        platform.put(&scope(), &offer(platform, &draft)).await;
        draft
    };
    let write = |api: &Api, draft: &Draft| {
        let offer = offer(&api.platform, draft);
        let body = json!({ "digest": offer.payload().digest() });
        ("POST".into(), format!("/v1/footage/{}/approve", offer.id), body)
    };
    dies_anywhere(prepare, write, &[200], async |api, _, answer| {
        assert_eq!(answer.json()["history"].as_array().unwrap().len(), 2);
        assert_eq!(answer.json()["job"]["state"], "ordered");
        assert_eq!(count(api, RecordKind::FootageJob).await, 1);
        announced(api, Hop::Footage, 1).await;
    })
    .await;
}
