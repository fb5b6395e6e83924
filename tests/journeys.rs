//! Journeys through the one-machine host: a person's deeds, and everything that left the house.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use nexus_core::queues::Message;
use nexus_core::table::{Item, Page};
use nexus_core::{QueueAddress, RecordKind};
use nexus_engine::providers::{Choice, SpeechProvider};
use serde_json::json;

use crate::stage::{Stage, answer, answer_of_house, photo};

const WHO: &str = "aurora/operator";
const BOSS: &str = "aurora/approver";

fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

#[tokio::test]
async fn n3_n13_n14_n26_n30_n31_a_photo_becomes_a_bilingual_draft() {
    let stage = Stage::new().await;
    let draft = stage.draft(WHO, "coffee.png").await;
    assert_eq!(draft["stage"], "awaiting_approval", "{draft}");
    assert_eq!(draft["notes"], json!([]));

    // N26: four kinds of words, in both languages, in the tenant's name and with the product's facts.
    for language in ["en", "es"] {
        let words = &draft["words"][language];
        let caption = words["captions"]["feed"].as_str().unwrap();
        assert!(!caption.is_empty());
        assert!(!words["description"].as_str().unwrap().is_empty());
        assert!(!words["video_prompt"].as_str().unwrap().is_empty());
        assert!(!words["hashtags"].as_array().unwrap().is_empty());
        let all = words.to_string();
        assert!(all.contains("Aurora Flat White"), "{all}");
        // N31: links and numbers come through byte for byte.
        assert!(all.contains("https://example.com/flat-white"), "{all}");
    }
    // N30: every label has a confidence and a source.
    let labels = draft["labels"].as_array().unwrap();
    assert!(labels.iter().any(|l| l["kind"] == "colour"));
    for label in labels {
        let confidence = label["confidence"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&confidence) && !label["source"].as_str().unwrap().is_empty());
    }
    for language in ["en", "es"] {
        let narration = &draft["narrations"][language];
        let loudness = narration["loudness_lufs"].as_f64().unwrap();
        assert!((loudness + 16.0).abs() <= 1.0, "{loudness} LUFS");
        let film = &draft["films"][language];
        let (spoken, shown) =
            (narration["duration_ms"].as_u64().unwrap(), film["duration_ms"].as_u64().unwrap());
        assert!(
            shown >= spoken && shown < spoken + 3_000,
            "the film follows the voice: {spoken} {shown}"
        );
        assert_eq!(film["width"].as_u64().unwrap() * 16, film["height"].as_u64().unwrap() * 9);
    }
    // Nothing is left in a queue, and nothing has left the house.
    for queue in stage.host.queue_status().await.unwrap() {
        assert_eq!(queue.depth, Default::default(), "{}", queue.queue);
    }
    assert!(stage.host.feed().posts().unwrap().is_empty());
}

#[tokio::test]
async fn n15_only_what_a_person_approved_appears_and_only_once() {
    let stage = Stage::hurried().await;
    let draft = stage.draft(WHO, "coffee.png").await;
    let path = format!("/v1/drafts/{}", draft["id"].as_str().unwrap());
    let approval = json!({ "digest": draft["proposal"]["digest"] });

    let refused =
        stage.api(WHO, Method::POST, &format!("{path}/approve"), Some(approval.clone())).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "an operator does not approve");

    // An edit voids what was seen.
    let edit =
        json!({ "words": { "en": { "captions": { "feed": "Come in, the cup is warm." } } } });
    let edited = stage.api(WHO, Method::PATCH, &path, Some(edit)).await;
    assert_eq!(edited.status, StatusCode::OK, "{}", edited.body);
    let stale = stage.api(BOSS, Method::POST, &format!("{path}/approve"), Some(approval)).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.body);
    stage.advance(hours(1)).await;
    assert!(stage.host.feed().posts().unwrap().is_empty());

    let seen = stage.get(WHO, &path).await;
    let approval = json!({ "digest": seen["proposal"]["digest"] });
    for _ in 0..2 {
        let approved =
            stage.api(BOSS, Method::POST, &format!("{path}/approve"), Some(approval.clone())).await;
        assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
        assert_eq!(approved.body["posts"].as_array().unwrap().len(), 2);
    }
    stage.idle().await;
    let posts = stage.host.feed().posts().unwrap();
    let texts: BTreeSet<String> =
        posts.iter().map(|p| format!("{} {}", p.language, p.text)).collect();
    assert_eq!(texts.len(), 2, "one post for each language: {texts:?}");
    assert!(texts.iter().any(|t| t.starts_with("en Come in, the cup is warm.")), "{texts:?}");
    stage.advance(hours(3)).await;
    assert_eq!(stage.host.feed().posts().unwrap(), posts, "nothing is sent twice");
}

#[tokio::test]
async fn a_second_delivery_of_every_message_changes_nothing() {
    let stage = Stage::hurried().await;
    let draft = stage.draft(WHO, "coffee.png").await;
    let before = stage.get(WHO, &format!("/v1/drafts/{}", draft["id"].as_str().unwrap())).await;
    let (owner, id) = (crate::stage::tenant("aurora"), draft["id"].as_str().unwrap());
    for queue in ["TagQueue", "ComposeQueue", "TranslateQueue", "NarrateQueue", "AnimateQueue"] {
        let body = json!({ "product": "engine", "owner": owner.to_string(), "trace": "t", "message": { "draft": id } });
        let message =
            Message { body: body.to_string(), group: owner.to_string(), delay: Duration::ZERO };
        stage.host.queues().send(&QueueAddress(queue.into()), vec![message]).await.unwrap();
    }
    stage.idle().await;
    let after = stage.get(WHO, &format!("/v1/drafts/{id}")).await;
    let strip = |mut v: serde_json::Value| {
        // Signed addresses are made anew each time.
        for part in ["films", "narrations"] {
            v.as_object_mut().unwrap().remove(part);
        }
        v
    };
    assert_eq!(strip(before), strip(after));
    let drafts = stage.get(WHO, "/v1/drafts").await;
    assert_eq!(drafts["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn poison_ends_as_a_dead_letter_and_redrive_brings_it_back() {
    let stage = Stage::hurried().await;
    let poison = Message { body: "not ours".into(), group: "g".into(), delay: Duration::ZERO };
    stage.host.queues().send(&QueueAddress("TagQueue".into()), vec![poison]).await.unwrap();
    stage.idle().await;
    stage.advance(hours(3)).await;
    let (queue, dead) = stage.host.queue_and_dead_letters("TagQueue").unwrap();
    let depth = stage.host.queues().depth(&dead).await.unwrap();
    assert_eq!(depth.visible, 1, "{:?}", stage.host.queue_status().await.unwrap());
    assert_eq!(stage.host.queues().redrive(&dead, &queue, 10).await.unwrap(), 1);
    assert_eq!(stage.host.queues().depth(&queue).await.unwrap().visible, 1);
}

#[tokio::test]
async fn inputs_that_cannot_be_used_are_rejected_with_a_reason() {
    let stage = Stage::hurried().await;
    let png = photo("coffee.png");
    let cases = [
        ("cut short", "image/png", png[..png.len() / 2].to_vec()),
        ("no picture", "image/png", b"this is no picture at all, only words".to_vec()),
        ("a lie", "video/mp4", png.clone()),
    ];
    for (what, content_type, bytes) in cases {
        let media = stage.upload(WHO, content_type, bytes, None).await;
        stage.idle().await;
        let media = stage.get(WHO, &format!("/v1/media/{media}")).await;
        assert_eq!(media["state"], "rejected", "{what}: {media}");
        assert!(media["rejected_reason"].as_str().unwrap().len() > 20, "{what}: {media}");
    }
    // The same photo twice is one medium.
    let first = stage.upload(WHO, "image/png", png.clone(), None).await;
    stage.idle().await;
    let second = stage.upload(WHO, "image/png", png, None).await;
    stage.idle().await;
    let second = stage.get(WHO, &format!("/v1/media/{second}")).await;
    assert_eq!((&second["state"], &second["duplicate_of"]), (&json!("duplicate"), &json!(first)));
    assert_eq!(stage.get(WHO, "/v1/drafts").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_missing_voice_is_a_note_and_not_a_failure() {
    let stage = Stage::with(|engines| {
        engines.voices =
            Choice::of(SpeechProvider::House, Arc::new(nexus_local::engines::silent()));
    })
    .await;
    let draft = stage.draft(WHO, "coffee.png").await;
    assert_eq!(draft["stage"], "awaiting_approval");
    assert_eq!(draft["narrations"], json!({}));
    let codes: Vec<&str> =
        draft["notes"].as_array().unwrap().iter().map(|n| n["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["no_speech_en", "no_speech_es"]);
    assert!(
        draft["films"]["es"]["duration_ms"].as_u64().unwrap() > 4_000,
        "captions are timed by reading"
    );
}

#[tokio::test]
async fn n1_n48_tenants_see_nothing_of_each_other() {
    let stage = Stage::hurried().await;
    let draft = stage.draft(WHO, "coffee.png").await;
    let id = draft["id"].as_str().unwrap();
    let foreign =
        stage.api("borealis/approver", Method::GET, &format!("/v1/drafts/{id}"), None).await;
    let missing = stage
        .api(
            "borealis/approver",
            Method::GET,
            "/v1/drafts/drf_00000000000000000000000000000000",
            None,
        )
        .await;
    assert_eq!((foreign.status, &foreign.body), (StatusCode::NOT_FOUND, &missing.body));
    for list in ["/v1/drafts", "/v1/media", "/v1/products", "/v1/posts"] {
        assert_eq!(stage.get("borealis/operator", list).await["items"], json!([]), "{list}");
    }
    // The same photo of another tenant is another medium.
    let other = stage.draft("borealis/operator", "coffee.png").await;
    assert_ne!(other["id"], draft["id"]);
}

#[tokio::test]
async fn n47_n56_nobody_passes_without_a_token_and_no_cookie_is_ever_set() {
    let stage = Stage::hurried().await;
    for path in ["/v1/drafts", "/v1/account", "/openapi.json", "/v1/nothing", "/nothing"] {
        let answer = stage.api("", Method::GET, path, None).await;
        assert!(answer.headers.get("set-cookie").is_none(), "{path}");
        let expected = match path {
            "/openapi.json" => StatusCode::OK,
            "/nothing" => StatusCode::NOT_FOUND,
            _ => StatusCode::UNAUTHORIZED,
        };
        assert_eq!(answer.status, expected, "{path}");
    }
    let expired = stage.token(&["aurora/operator"]);
    stage.advance(hours(2)).await;
    let request = Request::get("/v1/drafts").header("authorization", format!("Bearer {expired}"));
    assert_eq!(
        answer(stage.host.api(), request.body(Body::empty()).unwrap()).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn n49_n50_results_of_paid_steps_are_gone_after_their_time() {
    let stage = Stage::hurried().await;
    stage.draft(WHO, "coffee.png").await;
    let kept = async |kind: RecordKind| {
        let rows = stage.host.table().scan(&Page::first(1_000)).await.unwrap().items;
        rows.into_iter().filter(|i| i.kind == kind).count()
    };
    assert!(kept(RecordKind::Cache).await > 0);
    stage.clock.move_to(stage.now().saturating_add(jiff::SignedDuration::from_hours(25)).unwrap());
    stage.advance(hours(1)).await;
    assert_eq!(kept(RecordKind::Cache).await, 0, "the hourly sweep deletes what expired");
    let drafts = stage.get(WHO, "/v1/drafts").await;
    assert_eq!(drafts["items"].as_array().unwrap().len(), 1, "the draft stays");
}

#[tokio::test]
async fn n53_a_removed_medium_leaves_nothing() {
    let stage = Stage::hurried().await;
    let draft = stage.draft(WHO, "coffee.png").await;
    let media = draft["media"].as_str().unwrap();
    let gone = stage.api(WHO, Method::DELETE, &format!("/v1/media/{media}"), None).await;
    assert!(gone.status.is_success(), "{}", gone.body);
    stage.advance(hours(2)).await;
    for area in ["in/", "media/", "made/"] {
        assert_eq!(
            stage.host.blobs().list(area, &Page::first(10)).await.unwrap().blobs,
            [],
            "{area}"
        );
    }
    let rows = stage.host.table().scan(&Page::first(1_000)).await.unwrap().items;
    // The product stands, and has a page.
    let is_not_the_page = |item: &&Item| !item.key.pk().starts_with("ext#page#");
    let left: BTreeSet<RecordKind> = rows
        .iter()
        .filter(|i| i.is_live(stage.now()))
        .filter(is_not_the_page)
        .map(|i| i.kind)
        .collect();
    for kind in [
        RecordKind::Media,
        RecordKind::Draft,
        RecordKind::BlobName,
        RecordKind::ContentHash,
        RecordKind::Claim,
        RecordKind::Removal,
    ] {
        assert!(!left.contains(&kind), "{kind:?} is left");
    }
}

#[tokio::test]
async fn the_sweep_removes_what_no_row_names_and_finds_nothing_the_second_time() {
    let stage = Stage::hurried().await;
    stage.draft(WHO, "coffee.png").await;
    let owner = crate::stage::tenant("aurora");
    let orphan = nexus_core::BlobKey::stored(format!("made/{owner}/left-over"));
    stage.host.blobs().put(&orphan, "x".into(), "text/plain").await.unwrap();
    let sweep = stage.host.function("retention-sweep").unwrap();
    let run = async || {
        let reply = sweep.call(b"{}", None).await.unwrap();
        serde_json::from_str::<serde_json::Value>(reply.get()).unwrap()
    };
    let young = run().await;
    assert_eq!(young["blobs"]["removed"], 0, "it may still be on its way into a row: {young}");
    stage.clock.move_to(stage.now().saturating_add(jiff::SignedDuration::from_hours(2)).unwrap());
    assert_eq!(run().await["blobs"]["removed"], 1);
    assert!(stage.host.blobs().head(&orphan).await.unwrap().is_none());
    let again = run().await;
    assert_eq!(
        (&again["blobs"]["found"], &again["table"]["found"]),
        (&json!(0), &json!(0)),
        "{again}"
    );
}

#[tokio::test]
async fn the_invoke_call_takes_api_gateways_events() {
    let stage = Stage::hurried().await;
    let event = json!({
        "version": "2.0", "routeKey": "GET /v1/{proxy+}", "rawPath": "/v1/drafts", "rawQueryString": "",
        "headers": { "accept": "application/json" },
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "x", "domainPrefix": "x", "requestId": "r",
            "routeKey": "GET /v1/{proxy+}", "stage": "$default", "time": "01/Mar/2027:09:00:00 +0000",
            "timeEpoch": 1803891600000u64,
            "http": { "method": "GET", "path": "/v1/drafts", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "t" },
            "authorizer": { "jwt": { "claims": {
                "sub": "ada", "token_use": "access",
                "cognito:groups": format!("[{}/operator]", crate::stage::tenant("aurora")),
            }, "scopes": null } },
        },
        "isBase64Encoded": false,
    });
    let request = Request::post("/2015-03-31/functions/engine-api/invocations")
        .body(Body::from(event.to_string()));
    let answer = answer_of_house(&stage.host, request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["statusCode"], 200, "{}", answer.body);
    let missing =
        Request::post("/2015-03-31/functions/nothing/invocations").body(Body::from("{}")).unwrap();
    assert_eq!(answer_of_house(&stage.host, missing).await.status, StatusCode::NOT_FOUND);
}
