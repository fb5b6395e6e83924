//! A person moves a post, sends one anew, or makes another draft of the same.

use jiff::SignedDuration;
use nexus_core::approval::{self, Approved, Redeemed};
use nexus_core::effect::Outcome;
use nexus_engine::publishing::PostPlan;
use nexus_engine::{Draft, Hop, Stage};
use nexus_testkit::people;
use serde_json::{Value, json};

use crate::api::{Answer, Api, ada, at, scope};

/// The posts of a draft that is approved for tomorrow, and the draft.
async fn for_tomorrow(api: &Api) -> (Vec<Value>, Draft) {
    let (_, draft) = api.finished(&scope()).await;
    let tomorrow = api.platform.now() + SignedDuration::from_hours(24);
    let body = json!({ "digest": api.digest(&draft).await, "at": tomorrow });
    let answer = api.post(&format!("{}/approve", at(&draft)), body).by(&ada()).send().await;
    (answer.json()["posts"].as_array().unwrap().clone(), draft)
}

async fn ask(api: &Api, post: &Value, deed: &str, mut body: Value) -> Answer {
    if body.get("digest").is_none() && deed != "times" {
        body["digest"] = post["digest"].clone();
    }
    let path = format!("/v1/posts/{}/{deed}", post["id"].as_str().unwrap());
    api.post(&path, body).by(&ada()).send().await
}

async fn now_of(api: &Api, post: &Value) -> Value {
    let path = format!("/v1/posts/{}", post["id"].as_str().unwrap());
    api.get(&path).by(&ada()).send().await.json()
}

async fn claimed(api: &Api, post: &Value) -> Approved<PostPlan> {
    let (id, lease) =
        (post["id"].as_str().unwrap().parse().unwrap(), SignedDuration::from_secs(30));
    let claim = api.platform.redeem::<PostPlan>(&scope(), id, "publish", lease).await.unwrap();
    let Redeemed::Send(approved) = claim else { panic!("it is due: {claim:?}") };
    approved
}

#[tokio::test]
async fn n15_a_post_that_is_moved_is_approved_anew_and_the_old_one_is_called_off() {
    let api = Api::new();
    let (posts, draft) = for_tomorrow(&api).await;
    let later = "2027-03-05T09:00:00Z";
    let moved = ask(&api, &posts[0], "reschedule", json!({ "at": later })).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let stands = moved.json();
    assert_ne!((&stands["id"], &stands["digest"]), (&posts[0]["id"], &posts[0]["digest"]));
    assert_eq!((&stands["state"], &stands["send_at"]), (&json!("approved"), &json!(later)));
    assert_eq!(stands["approval"]["digest"], stands["digest"]);
    assert_eq!(now_of(&api, &posts[0]).await["state"], "cancelled");
    let shown = api.get(&at(&draft)).by(&ada()).send().await.json();
    assert_eq!(shown["posts"], json!([stands["id"], posts[1]["id"]]));

    // Twice is once, even when that time has passed.
    api.platform.advance(SignedDuration::from_hours(24 * 30));
    let again = ask(&api, &posts[0], "reschedule", json!({ "at": later })).await;
    assert_eq!(again.json(), stands);
    let elsewhere =
        ask(&api, &posts[0], "reschedule", json!({ "at": "2027-05-05T09:00:00Z" })).await;
    elsewhere.refused(409, &[]);
    let detail = elsewhere.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(stands["id"].as_str().unwrap()), "{detail}");
}

#[tokio::test]
async fn a_post_moves_by_the_tenants_calendar_and_to_the_slot_that_was_seen() {
    let api = Api::new();
    let slots = json!([{ "day": "monday", "at": "18:00" }, { "day": "tuesday", "at": "10:00" }]);
    let settings = json!({ "time_zone": "Europe/Madrid", "slots": slots });
    assert_eq!(api.put("/v1/settings", settings).by(&ada()).send().await.status, 200);
    let (posts, _) = for_tomorrow(&api).await;
    let civil = json!({ "when": { "civil": "2027-03-28T02:30" } });
    let moved = ask(&api, &posts[0], "reschedule", civil).await;
    assert_eq!(moved.json()["send_at"], "2027-03-28T01:30:00Z");

    let next = json!({ "when": "next_slot" });
    ask(&api, &posts[1], "reschedule", next.clone()).await.refused(422, &["times"]);
    let before = api.platform.rows().await;
    let shown = ask(&api, &posts[1], "times", next).await.json();
    assert_eq!(shown["times"][0]["at"], "2027-03-01T17:00:00Z");
    assert_eq!(shown["times"][0]["local"], "2027-03-01T18:00:00+01:00");
    assert_eq!((&shown["digest"], &shown["posts"]), (&posts[1]["digest"], &json!(1)));
    assert_eq!(api.platform.rows().await, before, "nothing changed");
    let wrong = json!({ "when": "next_slot", "times": ["2027-03-08T17:00:00Z"] });
    ask(&api, &posts[1], "reschedule", wrong).await.refused(409, &[]);
    let seen = json!({ "when": "next_slot", "times": ["2027-03-01T17:00:00Z"] });
    let moved = ask(&api, &posts[1], "reschedule", seen.clone()).await;
    assert_eq!(moved.json()["send_at"], "2027-03-01T17:00:00Z");
    let again = ask(&api, &posts[1], "reschedule", seen).await;
    assert_eq!(again.json(), moved.json(), "twice is once, though another slot is the next now");
}

#[tokio::test]
async fn what_a_post_cannot_be_moved_to_is_told_by_its_field() {
    let api = Api::new();
    let (posts, _) = for_tomorrow(&api).await;
    let daily = json!({ "recurrence": {
        "from": "2027-03-02", "at": "09:00", "rhythm": { "days": { "every": 1 } }, "ends": { "times": 2 },
    } });
    for (body, field) in [
        (json!({}), "at"),
        (json!({ "at": "2027-03-01T08:00:00Z" }), "at"),
        (json!({ "when": { "civil": "2027-03-01T08:00" } }), "when.civil"),
        (json!({ "when": "next_slot", "times": ["2027-03-01T17:00:00Z"] }), "slots"),
        (json!({ "when": daily }), "when"),
        (json!({ "at": "2027-03-03T08:00:00Z", "when": "next_slot" }), "when"),
        (json!({ "at": "2027-03-03T08:00:00Z", "digest": "short" }), "digest"),
    ] {
        ask(&api, &posts[0], "reschedule", body).await.refused(422, &[field]);
    }
    ask(&api, &posts[0], "times", json!({ "when": daily })).await.refused(422, &["when"]);
    let unseen = json!({ "at": "2027-03-03T08:00:00Z", "digest": "0".repeat(64) });
    ask(&api, &posts[0], "reschedule", unseen.clone()).await.refused(409, &[]);
    ask(&api, &posts[0], "retry", unseen).await.refused(409, &[]);
    assert_eq!(now_of(&api, &posts[0]).await, posts[0]);
}

#[tokio::test]
async fn n15_only_an_approver_moves_a_post_or_sends_it_anew() {
    let api = Api::new();
    let (posts, _) = for_tomorrow(&api).await;
    let before = api.platform.rows().await;
    for deed in ["reschedule", "retry"] {
        let path = format!("/v1/posts/{}/{deed}", posts[0]["id"].as_str().unwrap());
        let body = json!({ "digest": posts[0]["digest"], "at": "2027-03-03T08:00:00Z" });
        let call = api.post(&path, body).by(&people::operator(people::tenant(1)));
        call.send().await.refused(403, &[]);
    }
    assert_eq!(api.platform.rows().await, before);
}

#[tokio::test]
async fn once_it_is_being_sent_it_is_too_late_and_its_timeline_says_so() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    let begun = api.platform.now();
    for name in ["claimed_at", "accepted_at", "live_at"] {
        assert_eq!(posts[0][name], Value::Null);
    }
    let claim = claimed(&api, &posts[0]).await;
    let later = json!({ "at": "2027-03-05T09:00:00Z" });
    ask(&api, &posts[0], "reschedule", later.clone()).await.refused(409, &[]);
    let retried = ask(&api, &posts[0], "retry", later.clone()).await;
    retried.refused(409, &[]);
    assert!(retried.json()["detail"].as_str().unwrap().contains("right now"));

    api.platform.advance(SignedDuration::from_secs(2));
    let accepted = api.platform.now();
    let took = Outcome::Accepted { look_after_seconds: 5 };
    approval::settle(claim, took, "publish", accepted).await.unwrap();
    ask(&api, &posts[0], "reschedule", later.clone()).await.refused(409, &[]);
    api.platform.advance(SignedDuration::from_secs(5));
    let id = posts[0]["id"].as_str().unwrap().parse().unwrap();
    let lease = SignedDuration::from_secs(30);
    let looked = api.platform.redeem::<PostPlan>(&scope(), id, "publish", lease).await.unwrap();
    let Redeemed::LookUp(unsure) = looked else { panic!("{looked:?}") };
    let found = nexus_core::effect::Found::Done { receipt: "r".into(), url: None };
    approval::settle_looked_up(unsure, found, "publish", api.platform.now()).await.unwrap();
    ask(&api, &posts[0], "reschedule", later.clone()).await.refused(409, &[]);
    ask(&api, &posts[0], "retry", later).await.refused(409, &[]);

    let post = now_of(&api, &posts[0]).await;
    assert_eq!(
        [&post["claimed_at"], &post["accepted_at"], &post["live_at"]],
        [&json!(begun), &json!(accepted), &json!(api.platform.now())]
    );
}

#[tokio::test]
async fn n15_what_was_refused_or_called_off_is_sent_anew_under_a_new_approval() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    ask(&api, &posts[0], "retry", json!({})).await.refused(409, &[]);
    let refused = Outcome::Refused { why: "too long".into() };
    approval::settle(claimed(&api, &posts[0]).await, refused, "publish", api.platform.now())
        .await
        .unwrap();
    api.platform.advance(SignedDuration::from_hours(2));
    let sent = api.platform.waiting(Hop::Publish).len();
    let anew = ask(&api, &posts[0], "retry", json!({})).await;
    assert_eq!(anew.status, 200, "{anew:?}");
    let post = anew.json();
    assert_eq!(
        (&post["state"], &post["send_at"]),
        (&json!("approved"), &json!(api.platform.now()))
    );
    assert_ne!(post["id"], posts[0]["id"]);
    assert_eq!(api.platform.waiting(Hop::Publish).len(), sent + 1, "at once");
    assert_eq!(ask(&api, &posts[0], "retry", json!({})).await.json(), post, "twice is once");
    api.platform.advance(SignedDuration::from_secs(1));
    let again = ask(&api, &posts[0], "retry", json!({})).await;
    again.refused(409, &[]);
    let detail = again.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(post["id"].as_str().unwrap()), "it stands anew already: {detail}");

    let cancel = format!("/v1/posts/{}/cancel", posts[1]["id"].as_str().unwrap());
    assert_eq!(api.call("POST", &cancel).by(&ada()).send().await.status, 200);
    let later = json!({ "at": "2027-03-05T09:00:00Z" });
    let anew = ask(&api, &posts[1], "retry", later).await.json();
    assert_eq!(anew["send_at"], "2027-03-05T09:00:00Z");
    let past = json!({ "at": "2027-03-01T01:00:00Z" });
    ask(&api, &anew, "retry", past).await.refused(422, &["at"]);
}

#[tokio::test]
async fn a_copy_of_a_draft_waits_for_approval_and_one_key_makes_one() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    api.approved(&draft).await;
    let path = format!("{}/duplicate", at(&draft));
    let made = api.call("POST", &path).by(&ada()).key("k").send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let copy = made.json();
    assert_eq!(made.header("location"), format!("/v1/drafts/{}", copy["id"].as_str().unwrap()));
    assert_eq!((&copy["stage"], &copy["posts"]), (&json!("awaiting_approval"), &json!([])));
    assert_ne!(copy["id"], draft.id.to_string());
    let again = api.call("POST", &path).by(&ada()).key("k").send().await;
    assert_eq!(again.json()["id"], copy["id"]);
    let other = api.call("POST", &path).by(&ada()).send().await;
    assert_ne!(other.json()["id"], copy["id"], "without a key each request makes another");

    let mut early = draft.clone();
    early.stage = Stage::Narrating;
    api.platform.put(&scope(), &early).await;
    api.call("POST", &path).by(&ada()).send().await.refused(409, &[]);
}
