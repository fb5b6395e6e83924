//! A person asks what footage would cost, buys it or does not, and sees what becomes of it.

use jiff::SignedDuration;
use nexus_core::approval::{self, Redeemed};
use nexus_core::effect::{EffectId, Outcome};
use nexus_core::egress::Cost;
use nexus_core::{Blobs, RecordKind, records};
use nexus_engine::footage::purchase::{Footage, FootageJob, Purchase, job_key};
use nexus_engine::hops::Footage as Message;
use nexus_engine::{Draft, Hop};
use nexus_testkit::{build, people};
use serde_json::{Value, json};

use crate::api::{Answer, Api, ada, at, scope};

async fn ask(api: &Api, draft: &Draft, body: Value) -> Answer {
    api.post(&format!("{}/footage", at(draft)), body).by(&ada()).send().await
}

/// An offer of five seconds.
async fn offered(api: &Api, draft: &Draft) -> Value {
    let answer = ask(api, draft, json!({})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

fn place(footage: &Value) -> String {
    format!("/v1/footage/{}", footage["id"].as_str().unwrap())
}

async fn read(api: &Api, footage: &Value) -> Value {
    let answer = api.get(&place(footage)).by(&ada()).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn approve(api: &Api, footage: &Value) -> Answer {
    let body = json!({ "digest": footage["digest"] });
    api.post(&format!("{}/approve", place(footage)), body).by(&ada()).send().await
}

async fn cancel(api: &Api, footage: &Value) -> Answer {
    api.call("POST", &format!("{}/cancel", place(footage))).by(&ada()).send().await
}

async fn rows_of(api: &Api, kind: RecordKind) -> usize {
    api.platform.rows().await.iter().filter(|r| r.kind == kind).count()
}

#[tokio::test]
async fn n15_n29_an_offer_shows_exactly_what_would_be_bought_and_buys_nothing() {
    let api = Api::new();
    let (medium, draft) = api.finished(&scope()).await;
    let before = api.get(&at(&draft)).by(&ada()).send().await.json();
    let answer = ask(&api, &draft, json!({ "prompt": " The loaf turns. ", "seconds": 6 })).await;
    assert_eq!(answer.status, 201);
    let offer = answer.json();
    assert_eq!(answer.header("location"), place(&offer));
    for (field, value) in [
        ("state", json!("proposed")),
        ("draft", json!(draft.id)),
        ("revision", json!(1)),
        ("provider", json!("runway")),
        ("engine", json!("runway model-1")),
        ("prompt", json!("The loaf turns.")),
        ("picture", json!(medium.renditions[0].blob.digest)),
        ("seconds", json!(10)),
        ("shape", json!("vertical")),
        ("at_most_micros", json!(500_000)),
        ("asked", json!(api.platform.now())),
        ("approval", Value::Null),
        ("job", Value::Null),
        ("attempts", json!(0)),
        ("history_is_whole", json!(true)),
    ] {
        assert_eq!(offer[field], value, "{field}");
    }
    assert_eq!(read(&api, &offer).await, offer);
    assert!(api.platform.footage_maker.submitted.all().is_empty());
    assert!(api.platform.waiting(Hop::Footage).is_empty());
    let after = api.get(&at(&draft)).by(&ada()).send().await.json();
    assert_eq!(after["purchases"], json!([offer["id"]]));
    assert_eq!(after["proposal"], before["proposal"], "the posts are as they were");

    let usual = offered(&api, &draft).await;
    assert_eq!(usual["prompt"], "Sourdough at Corner Bakery.", "the draft's own");
    assert_eq!((&usual["seconds"], &usual["at_most_micros"]), (&json!(5), &json!(250_000)));
    let wide = ask(&api, &draft, json!({ "shape": "horizontal" })).await.json();
    assert_eq!(wide["picture"], json!(medium.renditions[2].blob.digest), "1200x675");
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_told_by_its_field() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let before = api.platform.rows().await;
    for (body, field) in [
        (json!({ "provider": "luma" }), "provider"),
        (json!({ "prompt": "  " }), "prompt"),
        (json!({ "prompt": "x".repeat(4_001) }), "prompt"),
        (json!({ "seconds": 0 }), "seconds"),
        (json!({ "seconds": 61 }), "seconds"),
        (json!({ "seconds": 11 }), "seconds"),
        (json!({ "shape": "round" }), "shape"),
        (json!({ "price": 1 }), "price"),
    ] {
        ask(&api, &draft, body).await.refused(422, &[field]);
    }
    assert_eq!(api.platform.rows().await, before);

    let settings = json!({ "providers": { "footage": "veo" } });
    assert_eq!(api.put("/v1/settings", settings).by(&ada()).send().await.status, 200);
    ask(&api, &draft, json!({})).await.refused(422, &["provider"]);
    assert_eq!(ask(&api, &draft, json!({ "provider": "runway" })).await.status, 201);

    api.approved(&api.platform.load(&scope(), &draft).await.unwrap()).await;
    ask(&api, &draft, json!({ "provider": "runway" })).await.refused(409, &[]);
}

#[tokio::test]
async fn n15_only_an_approver_buys() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let operator = people::operator(people::tenant(1));
    let call = api.post(&format!("{}/footage", at(&draft)), json!({})).by(&operator);
    let offer = call.send().await.json();
    let before = api.platform.rows().await;
    let body = json!({ "digest": offer["digest"] });
    let call = api.post(&format!("{}/approve", place(&offer)), body);
    call.by(&operator).send().await.refused(403, &[]);
    assert_eq!(api.platform.rows().await, before);
    assert_eq!(approve(&api, &offer).await.status, 200);
}

#[tokio::test]
async fn n15_what_was_not_seen_is_not_bought() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let one = offered(&api, &draft).await;
    let other = ask(&api, &draft, json!({ "seconds": 10 })).await.json();
    let before = api.platform.rows().await;
    let with = async |body: Value| {
        api.post(&format!("{}/approve", place(&one)), body).by(&ada()).send().await
    };
    with(json!({ "digest": "0".repeat(64) })).await.refused(409, &[]);
    with(json!({ "digest": other["digest"] })).await.refused(409, &[]);
    with(json!({ "digest": "short" })).await.refused(422, &["digest"]);
    with(json!({})).await.refused(422, &["digest"]);
    with(json!({ "digest": one["digest"], "seconds": 60 })).await.refused(422, &["seconds"]);
    assert_eq!(api.platform.rows().await, before);

    let edit = json!({ "words": { "en": { "description": "Another loaf." } } });
    assert_eq!(api.patch(&at(&draft), edit).by(&ada()).send().await.status, 200);
    approve(&api, &one).await.refused(409, &[]);

    let fresh = offered(&api, &draft).await;
    api.platform.advance(SignedDuration::from_hours(1));
    approve(&api, &fresh).await.refused(409, &[]);
    assert_eq!(rows_of(&api, RecordKind::FootageJob).await, 0);
    assert!(api.platform.waiting(Hop::Footage).is_empty());
}

#[tokio::test]
async fn n15_approving_twice_or_at_the_same_moment_is_one_purchase() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let offer = offered(&api, &draft).await;
    let (one, other) = tokio::join!(approve(&api, &offer), approve(&api, &offer));
    assert_eq!((one.status, other.status), (200, 200));
    assert_eq!(one.json(), other.json());
    assert_eq!(approve(&api, &offer).await.json(), one.json());
    let approved = one.json();
    assert_eq!(
        (&approved["state"], &approved["job"]["state"]),
        (&json!("approved"), &json!("ordered"))
    );
    assert_eq!(approved["approval"]["digest"], offer["digest"]);
    let id: EffectId = offer["id"].as_str().unwrap().parse().unwrap();
    let letters = api.platform.letters::<Message>(Hop::Footage);
    assert_eq!(letters, [(scope(), Message { effect: id })]);
    assert_eq!(rows_of(&api, RecordKind::FootageJob).await, 1);
    assert_eq!(rows_of(&api, RecordKind::Outbox).await, 0);
}

#[tokio::test]
async fn an_offer_can_be_rejected_and_a_purchase_called_off_until_the_vendor_was_asked() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let offer = offered(&api, &draft).await;
    let path = format!("{}/reject", place(&offer));
    let long = json!({ "reason": "x".repeat(501) });
    api.post(&path, long).by(&ada()).send().await.refused(422, &["reason"]);
    let no = api.post(&path, json!({ "reason": "Too dear." })).by(&ada()).send().await;
    assert_eq!((no.status, &no.json()["state"]), (200, &json!("rejected")));
    assert_eq!(no.json()["history"][1]["reason"], "Too dear.");
    assert_eq!(api.call("POST", &path).by(&ada()).send().await.json(), no.json(), "twice is once");
    approve(&api, &offer).await.refused(409, &[]);

    let offer = offered(&api, &draft).await;
    approve(&api, &offer).await;
    let off = cancel(&api, &offer).await;
    assert_eq!((off.status, &off.json()["state"]), (200, &json!("cancelled")));
    assert_eq!(off.json()["job"]["state"], "cancelled");
    assert_eq!(cancel(&api, &offer).await.json(), off.json());
    assert_eq!(api.call("POST", &path).by(&ada()).send().await.status, 200, "the first one's no");

    let offer = offered(&api, &draft).await;
    approve(&api, &offer).await;
    let now = api.platform.now();
    let id: EffectId = offer["id"].as_str().unwrap().parse().unwrap();
    let (scope, lease) = (scope(), SignedDuration::from_secs(30));
    let held = api.platform.redeem::<Purchase>(&scope, id, "footage", lease);
    let Redeemed::Send(held) = held.await.unwrap() else { panic!("it is due") };
    cancel(&api, &offer).await.refused(409, &[]);
    let media = format!("/v1/media/{}", draft.media);
    api.delete(&media).by(&ada()).send().await.refused(409, &[]);

    // The vendor took it: from now on it is told to stop.
    let done = Outcome::Done { receipt: "job-1".into(), url: None };
    approval::settle(held, done, "footage", now).await.unwrap();
    let sent = api.platform.waiting(Hop::Footage).len();
    let stopping = cancel(&api, &offer).await.json();
    assert_eq!(
        (&stopping["state"], &stopping["job"]["stopped_by"]),
        (&json!("done"), &json!("usr-approver"))
    );
    assert_eq!(cancel(&api, &offer).await.json(), stopping);
    assert_eq!(api.platform.waiting(Hop::Footage).len(), sent + 1, "the function is told once");
}

#[tokio::test]
async fn n53_a_removed_medium_takes_its_footage_and_its_purchases_with_it() {
    let api = Api::new();
    let (medium, draft) = api.finished(&scope()).await;
    let (waiting, bought) = (offered(&api, &draft).await, offered(&api, &draft).await);
    approve(&api, &bought).await;
    let (with_footage, key) = shown(&api, &draft).await;
    let view = api.get(&at(&draft)).by(&ada()).send().await.json();
    let footage = &view["footage"][0];
    assert_eq!(footage["engine"], "runway model-1", "the draft shows who made what");
    assert_eq!(
        (&footage["duration_ms"], &footage["at_most_micros"]),
        (&json!(5_000), &json!(250_000))
    );
    assert!(footage["video"]["url"].as_str().is_some_and(|u| !u.is_empty()));

    let media = format!("/v1/media/{}", medium.id);
    assert_eq!(api.delete(&media).by(&ada()).send().await.status, 204);
    assert!(api.platform.load(&scope(), &with_footage).await.is_none());
    assert!(api.platform.blobs.head(&key).await.unwrap().is_none());
    assert_eq!(rows_of(&api, RecordKind::BlobName).await, 0);
    for purchase in [&waiting, &bought] {
        assert_eq!(read(&api, purchase).await["state"], "cancelled");
    }
    assert_eq!(read(&api, &bought).await["job"]["state"], "cancelled");
}

/// The draft, as it stands, with footage that came.
async fn shown(api: &Api, draft: &Draft) -> (Draft, nexus_core::BlobKey) {
    let mut draft = api.platform.load(&scope(), draft).await.unwrap();
    let video =
        build::blob(scope().blob("made", &format!("{}/footage.mp4", draft.id)), "video/mp4");
    let content = bytes::Bytes::copy_from_slice(video.key.as_str().as_bytes());
    api.platform.blobs.put(&video.key, content, "video/mp4").await.unwrap();
    let name = nexus_engine::blob_names::name(&scope(), &video.key, &draft.id);
    let key = video.key.clone();
    draft.footage.push(Footage {
        purchase: draft.purchases[0],
        video,
        width: 720,
        height: 1280,
        duration_ms: 5_000,
        engine: "runway model-1".into(),
        prompt: "The loaf turns.".into(),
        at_most: Cost::micros(250_000),
    });
    api.platform.commit(vec![records::write(&scope(), &draft), name]).await;
    (draft, key)
}

#[tokio::test]
async fn n48_a_purchase_is_no_post_a_post_no_purchase_and_both_are_their_tenants_alone() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let offer = offered(&api, &draft).await;
    let id = offer["id"].as_str().unwrap();
    let draft = api.platform.load(&scope(), &draft).await.unwrap();
    let posts = api.approved(&draft).await;
    let post = posts[0]["id"].as_str().unwrap();
    for (method, path) in [
        ("GET", format!("/v1/posts/{id}")),
        ("POST", format!("/v1/posts/{id}/cancel")),
        ("GET", format!("/v1/footage/{post}")),
        ("POST", format!("/v1/footage/{post}/cancel")),
        ("POST", format!("/v1/footage/{post}/reject")),
    ] {
        let answer = api.call(method, &path).by(&ada()).send().await;
        assert_eq!(answer.status, 404, "{method} {path}");
    }
    let listed = api.get("/v1/posts").by(&ada()).send().await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let stranger = people::approver(people::tenant(2));
    assert_eq!(api.get(&place(&offer)).by(&stranger).send().await.status, 404);
}

#[tokio::test]
async fn a_job_is_shown_with_what_there_is_to_know_of_it() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let offer = offered(&api, &draft).await;
    approve(&api, &offer).await;
    let id: EffectId = offer["id"].as_str().unwrap().parse().unwrap();
    let (key, now) = (job_key(&scope(), id), api.platform.now());
    let row = records::load::<FootageJob>(&api.platform.table, &key, now);
    let mut job = row.await.unwrap().unwrap().record;
    job.taken("job-7".into(), api.platform.now());
    job.looks = 3;
    api.platform.put(&scope(), &job).await;
    let shown = read(&api, &offer).await["job"].clone();
    assert_eq!(
        (&shown["state"], &shown["vendor_job"], &shown["looks"]),
        (&json!("waiting"), &json!("job-7"), &json!(3))
    );
    let until = api.platform.now() + SignedDuration::from_hours(2);
    assert_eq!(shown["until"], until.to_string());
}
