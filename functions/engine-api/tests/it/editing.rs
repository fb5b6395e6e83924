//! A person looks at a draft, changes its words, or says no.

use nexus_contract::blobs::Browser;
use nexus_core::Table;
use nexus_core::approval::{self, Redeemed};
use nexus_core::effect::{Outcome, State};
use nexus_engine::blob_names::blob_name_key;
use nexus_engine::hops::Step;
use nexus_engine::publishing::PostPlan;
use nexus_engine::{Draft, Hop, Stage};
use nexus_kernel::Language;
use nexus_testkit::MemoryPlatform;
use serde_json::{Value, json};

use crate::api::{Api, ada, at, scope};

async fn stands(platform: &MemoryPlatform, draft: &Draft) -> Draft {
    platform.load(&scope(), draft).await.unwrap()
}

fn english(edit: Value) -> Value {
    json!({ "words": { "en": edit } })
}

#[tokio::test]
async fn a_draft_is_shown_whole() {
    let api = Api::new();
    let (medium, draft) = api.finished(&scope()).await;
    let answer = api.get(&at(&draft)).by(&ada()).send().await.json();
    assert_eq!(answer["stage"], "awaiting_approval");
    assert_eq!(answer["media"], medium.id.to_string());
    assert_eq!(answer["label_engine"], "fake labeller");
    assert_eq!(answer["labels"][0]["name"], "red");
    assert_eq!(answer["words"]["es"]["captions"]["feed"], "Sourdough en Corner Bakery.");
    assert_eq!(answer["words"]["en"]["engine"], "fake copywriter");
    assert_eq!(answer["narrations"]["en"]["cues"][1]["text"], "Come and see it.");
    let url = answer["films"]["es"]["video"]["url"].as_str().unwrap();
    let video = &draft.films[&Language::Es].video;
    assert_eq!(
        Browser::get(&api.platform.blobs, url).await.unwrap(),
        video.key.as_str().as_bytes()
    );

    let posts = answer["proposal"]["posts"].as_array().unwrap();
    let languages: Vec<&str> = posts.iter().map(|p| p["language"].as_str().unwrap()).collect();
    assert_eq!(languages, ["en", "es"]);
    assert_eq!(posts[1]["video"], video.digest.to_hex());
    assert!(posts[0]["text"].as_str().unwrap().starts_with("Sourdough at Corner Bakery."));
    assert_eq!(answer["proposal"]["digest"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn while_the_line_is_at_a_draft_nothing_is_proposed_or_changed() {
    let api = Api::new();
    let (_, mut draft) = api.finished(&scope()).await;
    for stage in Stage::ALL.into_iter().filter(|s| *s < Stage::AwaitingApproval) {
        draft.stage = stage;
        api.platform.put(&scope(), &draft).await;
        let answer = api.get(&at(&draft)).by(&ada()).send().await.json();
        assert_eq!((&answer["stage"], &answer["proposal"]), (&json!(stage.name()), &Value::Null));
        let edit = api.patch(&at(&draft), english(json!({ "description": "New." })));
        let approve =
            api.post(&format!("{}/approve", at(&draft)), json!({ "digest": "0".repeat(64) }));
        let reject = api.call("POST", &format!("{}/reject", at(&draft)));
        for deed in [edit, approve, reject] {
            deed.by(&ada()).send().await.refused(409, &[]);
        }
        assert_eq!(stands(&api.platform, &draft).await, draft);
    }
}

#[tokio::test]
async fn new_words_wait_for_approval_at_once() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let before = api.digest(&draft).await;
    let edit = json!({ "captions": { "feed": "Fresh today." }, "hashtags": ["fresh"], "description": "A loaf." });
    let answer = api.patch(&at(&draft), english(edit)).by(&ada()).send().await;
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!((&answer["stage"], &answer["revision"]), (&json!("awaiting_approval"), &json!(2)));
    let words = &answer["words"]["en"];
    assert_eq!(words["captions"]["feed"], "Fresh today.");
    assert_eq!((&words["engine"], &words["rough"]), (&json!("a person"), &json!(false)));
    assert_eq!(words["script"], json!(["Sourdough at Corner Bakery.", "Come and see it."]));
    assert_eq!(answer["words"]["es"]["engine"], "fake copywriter");
    assert_ne!(answer["proposal"]["digest"], before);
    assert!(api.platform.waiting(Hop::Narrate).is_empty());
    let now = stands(&api.platform, &draft).await;
    assert_eq!((now.films, now.narrations), (draft.films, draft.narrations), "the video stays");
}

#[tokio::test]
async fn a_new_script_is_spoken_and_filmed_anew() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let edit = english(json!({ "script": ["It is fresh.", "Come in."] }));
    let answer = api.patch(&at(&draft), edit.clone()).by(&ada()).send().await.json();
    assert_eq!((&answer["stage"], &answer["proposal"]), (&json!("narrating"), &Value::Null));
    let letters = api.platform.letters::<Step>(Hop::Narrate);
    assert_eq!(letters, [(scope(), Step { draft: draft.id })]);

    let now = stands(&api.platform, &draft).await;
    assert_eq!(now.films.keys().collect::<Vec<_>>(), [&Language::Es]);
    assert_eq!(now.narrations.keys().collect::<Vec<_>>(), [&Language::Es]);
    let named =
        async |key| api.platform.table.get(&blob_name_key(&scope(), key)).await.unwrap().is_some();
    for (language, still) in [(Language::En, false), (Language::Es, true)] {
        let (film, narration) = (&draft.films[&language], &draft.narrations[&language]);
        for blob in [&film.video, &film.poster, &narration.track] {
            assert_eq!(named(&blob.key).await, still, "{}", blob.key);
        }
    }
    let again = api.patch(&at(&draft), edit).by(&ada()).send().await;
    assert_eq!((again.status, &again.json()["revision"]), (200, &json!(2)), "it was done already");
    assert_eq!(api.platform.waiting(Hop::Narrate).len(), 1);
    let other = english(json!({ "script": ["It is warm.", "Come in."] }));
    api.patch(&at(&draft), other).by(&ada()).send().await.refused(409, &[]);
}

#[tokio::test]
async fn n15_an_edit_voids_the_approval() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let old = api.digest(&draft).await;
    let posts = api.approved(&draft).await;
    let edit = english(json!({ "description": "Another description." }));
    let answer = api.patch(&at(&draft), edit).by(&ada()).send().await.json();
    assert_eq!((&answer["stage"], &answer["posts"]), (&json!("awaiting_approval"), &json!([])));

    for post in &posts {
        let id = post["id"].as_str().unwrap().parse().unwrap();
        let lease = jiff::SignedDuration::ZERO;
        let redeemed = api.platform.redeem::<PostPlan>(&scope(), id, "publish", lease).await;
        assert!(matches!(redeemed.unwrap(), Redeemed::Nothing(State::Cancelled)));
    }
    let path = format!("{}/approve", at(&draft));
    api.post(&path, json!({ "digest": old })).by(&ada()).send().await.refused(409, &[]);
    let anew = api.approved(&draft).await;
    assert_ne!(anew[0]["id"], posts[0]["id"], "other posts, with lives of their own");
}

#[tokio::test]
async fn an_edit_that_changes_nothing_is_none() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    api.approved(&draft).await;
    let approved = stands(&api.platform, &draft).await;
    let same = json!({ "captions": { "feed": "Sourdough at Corner Bakery." }, "script": draft.words[&Language::En].copy.script });
    for edit in [english(same), english(json!({})), json!({ "words": {} })] {
        let answer = api.patch(&at(&draft), edit).by(&ada()).send().await;
        assert_eq!((answer.status, &answer.json()["stage"]), (200, &json!("approved")));
    }
    assert_eq!(stands(&api.platform, &draft).await, approved);
}

#[tokio::test]
async fn an_edit_of_an_older_revision_does_not_overwrite() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let edit = |revision: u32, description: &str| json!({ "revision": revision, "words": { "en": { "description": description } } });
    let answer = api.patch(&at(&draft), edit(1, "First.")).by(&ada()).send().await;
    assert_eq!(answer.status, 200);
    api.patch(&at(&draft), edit(1, "Second.")).by(&ada()).send().await.refused(409, &[]);
    let twice = api.patch(&at(&draft), edit(1, "First.")).by(&ada()).send().await;
    assert_eq!((twice.status, &twice.json()["revision"]), (200, &json!(2)), "it was done already");
    assert_eq!(api.patch(&at(&draft), edit(2, "Second.")).by(&ada()).send().await.status, 200);
}

#[tokio::test]
async fn words_that_break_a_rule_are_named_by_their_place() {
    let api = Api::new();
    let (_, mut draft) = api.finished(&scope()).await;
    let long = "x".repeat(2_000);
    let cases = [
        (json!({ "en": { "description": long } }), "words.en.description"),
        (json!({ "es": { "captions": { "feed": long } } }), "words.es.captions.feed"),
        (json!({ "en": { "script": ["One.", " "] } }), "words.en.script[1]"),
        (json!({ "en": { "script": [] } }), "words.en.script"),
        (json!({ "en": { "hashtags": ["two words"] } }), "words.en.hashtags[0]"),
        (json!({ "en": { "captions": { "myspace": "Hi." } } }), "words.en.captions.myspace"),
        (json!({ "en": { "script": "One. Two." } }), "words.en.script"),
        (json!({ "fr": { "description": "Bonjour." } }), "words.fr"),
        (json!({ "en": { "engine": "nobody" } }), "words.en.engine"),
    ];
    for (words, field) in cases {
        let answer = api.patch(&at(&draft), json!({ "words": words })).by(&ada()).send().await;
        answer.refused(422, &[field]);
    }
    assert_eq!(stands(&api.platform, &draft).await, draft);

    draft.words.remove(&Language::Es);
    api.platform.put(&scope(), &draft).await;
    let words = json!({ "es": { "description": "Hola." } });
    let answer = api.patch(&at(&draft), json!({ "words": words })).by(&ada()).send().await;
    answer.refused(422, &["words.es"]);
}

#[tokio::test]
async fn n15_a_rejected_draft_is_sent_nowhere() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    let path = format!("{}/reject", at(&draft));
    let reason = json!({ "reason": "The light is poor." });
    for _ in 0..2 {
        let answer = api.post(&path, reason.clone()).by(&ada()).send().await;
        assert_eq!(answer.status, 200);
        let answer = answer.json();
        assert_eq!((&answer["stage"], &answer["proposal"]), (&json!("rejected"), &Value::Null));
        assert_eq!(answer["notes"], json!([{ "code": "rejected", "text": "The light is poor." }]));
    }
    let path = format!("/v1/posts/{}", posts[0]["id"].as_str().unwrap());
    let post = api.get(&path).by(&ada()).send().await.json();
    assert_eq!(post["state"], "cancelled");
    assert_eq!(post["history"].as_array().unwrap().len(), 3, "once");

    let digest = json!({ "digest": "0".repeat(64) });
    let approve = api.post(&format!("{}/approve", at(&draft)), digest).by(&ada()).send().await;
    assert_eq!(approve.status, 409);
    let edit = english(json!({ "description": "Lighter." }));
    let taken_up = api.patch(&at(&draft), edit).by(&ada()).send().await.json();
    assert_eq!(taken_up["stage"], "awaiting_approval");
}

#[tokio::test]
async fn a_no_needs_no_reason_and_bears_no_long_one() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let path = format!("{}/reject", at(&draft));
    let long = json!({ "reason": "x".repeat(501) });
    api.post(&path, long).by(&ada()).send().await.refused(422, &["reason"]);
    api.post(&path, json!({ "why": "" })).by(&ada()).send().await.refused(422, &["why"]);
    let answer = api.call("POST", &path).by(&ada()).send().await;
    assert_eq!((answer.status, &answer.json()["notes"]), (200, &json!([])));
}

/// Sends a post as far as this, or not at all.
async fn settled(api: &Api, post: &Value, outcome: Option<Outcome>) {
    let id = post["id"].as_str().unwrap().parse().unwrap();
    let lease = jiff::SignedDuration::from_secs(30);
    let claim = api.platform.redeem::<PostPlan>(&scope(), id, "publish", lease).await.unwrap();
    let Redeemed::Send(approved) = claim else { panic!("it is due: {claim:?}") };
    if let Some(outcome) = outcome {
        approval::settle(approved, outcome, "publish", api.platform.now()).await.unwrap();
    }
}

async fn now_of(api: &Api, post: &Value) -> Value {
    let path = format!("/v1/posts/{}", post["id"].as_str().unwrap());
    api.get(&path).by(&ada()).send().await.json()
}

#[tokio::test]
async fn n15_an_edit_after_the_first_went_out_withdraws_what_has_not_and_what_went_stays() {
    for deed in ["edit", "reject"] {
        let api = Api::new();
        let (_, draft) = api.finished(&scope()).await;
        let daily = json!({ "recurrence": {
            "from": "2027-03-01", "at": "09:10", "rhythm": { "days": { "every": 1 } },
            "ends": { "times": 3 },
        } });
        let times = ["2027-03-01T09:10:00Z", "2027-03-02T09:10:00Z", "2027-03-03T09:10:00Z"];
        let body = json!({ "digest": api.digest(&draft).await, "when": daily, "times": times });
        let answer = api.post(&format!("{}/approve", at(&draft)), body).by(&ada()).send().await;
        let posts = answer.json()["posts"].as_array().unwrap().clone();
        assert_eq!(posts.len(), 6);
        api.platform.advance(jiff::SignedDuration::from_mins(10));
        let done = Outcome::Done { receipt: "r".into(), url: None };
        settled(&api, &posts[0], Some(done)).await;
        settled(&api, &posts[1], Some(Outcome::Refused { why: "no".into() })).await;
        let sent = [now_of(&api, &posts[0]).await, now_of(&api, &posts[1]).await];

        let answer = if deed == "edit" {
            let edit = english(json!({ "description": "Another description." }));
            api.patch(&at(&draft), edit).by(&ada()).send().await
        } else {
            api.call("POST", &format!("{}/reject", at(&draft))).by(&ada()).send().await
        };
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["posts"], json!([]), "none of its present revision stands");
        assert_eq!([now_of(&api, &posts[0]).await, now_of(&api, &posts[1]).await], sent);
        assert_eq!((&sent[0]["state"], &sent[0]["revision"]), (&json!("done"), &json!(1)));
        for post in &posts[2..] {
            assert_eq!(now_of(&api, post).await["state"], "cancelled");
        }
        if deed == "edit" {
            let anew = api.approved(&draft).await;
            assert_eq!((anew.len(), &anew[0]["revision"]), (2, &json!(2)));
            assert!(posts.iter().all(|old| old["id"] != anew[0]["id"]), "with lives of their own");
            assert_eq!(now_of(&api, &posts[0]).await, sent[0]);
        }
    }
}

#[tokio::test]
async fn n15_while_nobody_knows_of_a_post_its_draft_is_neither_edited_nor_rejected() {
    let accepted = Outcome::Accepted { look_after_seconds: 5 };
    let unknown = Outcome::Unknown { why: "no answer".into() };
    let login = Outcome::Login { why: "connect it anew".into() };
    for (outcome, says) in [
        (None, "right now"),
        (Some(accepted), "not said yet"),
        (Some(unknown), "looked up"),
        (Some(login), "answer its question"),
    ] {
        let api = Api::new();
        let (_, draft) = api.finished(&scope()).await;
        let posts = api.approved(&draft).await;
        settled(&api, &posts[1], outcome).await;
        let before = api.platform.rows().await;
        let edit = english(json!({ "description": "Another description." }));
        let edited = api.patch(&at(&draft), edit).by(&ada()).send().await;
        let rejected = api.call("POST", &format!("{}/reject", at(&draft))).by(&ada()).send().await;
        for answer in [edited, rejected] {
            answer.refused(409, &[]);
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(says), "{detail}");
            assert!(detail.contains(posts[1]["id"].as_str().unwrap()), "{detail}");
        }
        assert_eq!(api.platform.rows().await, before);
    }
}
