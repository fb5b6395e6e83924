//! What a recording is, and what it is compared with.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::request::{Body, Piece};
use crate::vendor::Operation;

static ORDER: Operation = Operation {
    name: "order",
    repeat: Repeat::Keyed("idempotency-key"),
    sends: &[":id", "?page", "name", "parts[].text"],
    try_within: Duration::from_secs(1),
    within: Duration::from_secs(1),
    max_answer: 1_000,
};

const ORDERED: &str = r#"{
    "recorded": "2026-11-20",
    "source": "made up",
    "request": {
        "method": "POST",
        "path": "/v1/things/a%2Fb?page=2&q=x%20y",
        "headers": { "X-Version": "2024-11-06", "idempotency-key": "order-1" },
        "body": { "name": "x", "parts": [{ "text": "a" }, { "text": "b" }] }
    },
    "response": { "status": 201, "headers": { "retry-after": "3" }, "body": { "id": "1" } }
}"#;

fn order() -> Request {
    let path = vec![Piece::Fixed("/v1/things/"), Piece::Value(":id", "a/b".into())];
    let mut request = Request::new(&ORDER, Method::POST, path)
        .json(json!({"parts": [{"text": "a"}, {"text": "b"}], "name": "x"}));
    request.query = vec![("q", "x y".into()), ("page", "2".into())];
    request.headers = vec![("x-version", Cow::Borrowed("2024-11-06"))];
    request.idempotency_key = Some("order-1".into());
    request
}

fn wire() -> WireRequest {
    let mut headers = HeaderMap::new();
    let mut key = HeaderValue::from_static("Bearer canary");
    key.set_sensitive(true);
    headers.insert("authorization", key);
    headers.insert("x-version", HeaderValue::from_static("2024-11-06"));
    headers.insert("idempotency-key", HeaderValue::from_static("order-1"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    WireRequest {
        method: Method::POST,
        url: "http://127.0.0.1:4010/v1/things/a%2Fb?q=x%20y&page=2".to_owned(),
        headers,
        body: Bytes::from_static(br#"{"parts":[{"text":"a"},{"text":"b"}],"name":"x"}"#),
        hosts: vec![],
        max_answer: 1_000,
    }
}

fn recorded() -> Recording {
    Recording::parse(ORDERED).unwrap()
}

async fn replayed(wire: WireRequest) -> Result<Answer, String> {
    let replay = Replay::of([recorded()]);
    replay.send(wire, Duration::from_secs(1)).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_request_that_is_the_recorded_one_gets_its_answer() {
    recorded().asked_by(&order()).unwrap();
    let answer = replayed(wire()).await.unwrap();
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(
        (&answer.headers["retry-after"], answer.body.as_ref()),
        (&HeaderValue::from_static("3"), br#"{"id":"1"}"#.as_slice(),)
    );
}

#[tokio::test]
async fn recordings_answer_in_their_order_and_no_more_often_than_there_are_some() {
    let replay = Replay::of([recorded(), recorded()]);
    for left in [1, 0] {
        assert!(replay.send(wire(), Duration::from_secs(1)).await.is_ok());
        assert_eq!(replay.left(), left);
    }
    let error = replay.send(wire(), Duration::from_secs(1)).await.unwrap_err();
    assert!(error.to_string().contains("no recording left"), "{error}");
}

/// What is changed, and what its difference tells.
type Change<T> = (fn(&mut T), &'static [&'static str]);

#[tokio::test]
async fn every_difference_is_told_where_it_is() {
    let changes: [Change<WireRequest>; 8] = [
        (|w| w.method = Method::PUT, &["method", "POST", "PUT"]),
        (|w| w.url = w.url.replace("things", "others"), &["path", "/v1/others/a%2Fb"]),
        (|w| w.url = w.url.replace("page=2", "page=3"), &["query", r#"page="3""#]),
        (|w| w.url.push_str("&more=1"), &["query", r#"more="1""#]),
        (|w| drop(w.headers.remove("x-version")), &["header `x-version`", "(none)"]),
        (
            |w| drop(w.headers.insert("x-new", HeaderValue::from_static("n"))),
            &["header `x-new`", "recorded: (none)"],
        ),
        (
            |w| w.body = Bytes::from_static(br#"{"parts":[{"text":"a"},{"text":"c"}],"nome":"x"}"#),
            &["body parts[1].text", r#""c""#, "body name", "(absent)", "body nome"],
        ),
        (|w| w.body = Bytes::from_static(b"plain"), &["body", "plain"]),
    ];
    for (change, told) in changes {
        let mut changed = wire();
        change(&mut changed);
        let why = replayed(changed).await.unwrap_err();
        assert!(told.iter().all(|part| why.contains(part)), "{told:?} in {why}");
        assert!(!why.contains("canary"), "{why}");
    }
}

#[test]
fn a_built_request_is_compared_in_the_same_way() {
    let changes: [Change<Request>; 6] = [
        (|r| r.method = Method::GET, &["method"]),
        (|r| r.to = To::Path(vec![Piece::Fixed("/v2")]), &["path", "/v2"]),
        (|r| r.query.clear(), &["query", "(none)"]),
        (|r| r.headers.clear(), &["header `x-version`"]),
        (|r| r.idempotency_key = None, &["header `idempotency-key`"]),
        (|r| r.body = Body::Empty, &["body"]),
    ];
    for (change, told) in changes {
        let mut changed = order();
        change(&mut changed);
        let why = format!("{:?}", recorded().asked_by(&changed).unwrap_err());
        assert!(told.iter().all(|part| why.contains(part)), "{told:?} in {why}");
        assert!(why.contains('\n'), "a difference is read line by line");
    }
}

#[tokio::test]
async fn a_download_is_compared_by_its_whole_address() {
    let text = r#"{
        "recorded": "2026-11-20", "source": "made up",
        "request": { "method": "GET", "path": "https://files.example/x.mp4?e=1" },
        "response": { "status": 200, "headers": { "content-type": "video/mp4" }, "body_base64": "AAEC/w==" }
    }"#;
    let fetch = |url: &str| Request {
        to: To::Url(url.into()),
        ..Request::new(&ORDER, Method::GET, vec![])
    };
    let recording = Recording::parse(text).unwrap();
    recording.asked_by(&fetch("https://files.example/x.mp4?e=1")).unwrap();
    recording.asked_by(&fetch("https://other.example/x.mp4?e=1")).unwrap_err();
    let replay = Replay::of([recording]);
    let wire = WireRequest {
        method: Method::GET,
        url: "https://files.example/x.mp4?e=1".into(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        hosts: vec![],
        max_answer: 9,
    };
    let answer = replay.send(wire, Duration::from_secs(1)).await.unwrap();
    assert_eq!(
        (&answer.headers["content-type"], &*answer.body),
        (&HeaderValue::from_static("video/mp4"), [0, 1, 2, 255].as_slice(),)
    );
}

#[test]
fn a_recording_reads_back_as_it_was_written() {
    let text = serde_json::to_string(&recorded()).unwrap();
    assert_eq!(Recording::parse(&text).unwrap(), recorded());
}

#[test]
fn n44_a_recording_that_holds_a_key_is_refused() {
    for header in [
        ("authorization", "scrubbed"),
        ("Authorization", "Bearer canary"),
        ("x-goog-api-key", "canary"),
        ("xi-api-key", "canary"),
        ("x-api-key", "canary"),
        ("cookie", "canary"),
        ("x-plain", "Bearer canary"),
        ("x-amz-security-token", "canary"),
    ] {
        for of in ["request", "response"] {
            let mut value: Value = serde_json::from_str(ORDERED).unwrap();
            value[of]["headers"][header.0] = header.1.into();
            let error = Recording::parse(&value.to_string()).unwrap_err();
            assert!(matches!(error, RecordingError::Key(_)), "{header:?}: {error:?}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
    for query in
        ["key=canary", "api_key=canary", "access_token=canary", "a=1&X-Goog-Signature=canary"]
    {
        let text = ORDERED.replace("page=2", query);
        let error = Recording::parse(&text).unwrap_err();
        assert!(matches!(error, RecordingError::Key(_)), "{query}");
    }
    let paged =
        ORDERED.replace("page=2", "page_token=2").replace("retry-after", "x-ratelimit-tokens");
    assert!(Recording::parse(&paged).is_ok());
}

#[test]
fn what_is_no_recording_is_told_with_its_place() {
    for (from, to) in [
        (r#""source": "made up","#, ""),
        ("2026-11-20", "yesterday"),
        (r#""status": 201"#, r#""status": 20"#),
        (r#""body": { "id": "1" }"#, r#""body": 1, "body_text": "x""#),
        (r#""body": { "id": "1" }"#, r#""body_base64": "?""#),
        (r#""source""#, r#""sauce": 1, "source""#),
    ] {
        assert!(ORDERED.contains(from));
        let error = Recording::parse(&ORDERED.replace(from, to)).unwrap_err();
        assert!(matches!(error, RecordingError::Shape(_)), "{from}: {error:?}");
    }
    let error = Recording::load("no/such/file.json").unwrap_err();
    assert!(error.to_string().contains("no/such/file.json"), "{error}");
}
