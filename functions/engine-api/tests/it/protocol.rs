//! What is HTTP's own.

use nexus_core::Claims;
use serde_json::json;

use crate::api::{Api, ada};
use crate::description::operations;
use crate::products::loaf;

#[tokio::test]
async fn an_unknown_address_and_an_unknown_method_are_told() {
    let api = Api::new();
    for path in ["/", "/v1", "/v1/", "/v1/nothing", "/v1/drafts/", "/v1/drafts/a/b/c", "/health"] {
        let answer = api.get(path).by(&ada()).send().await;
        assert_eq!(
            (answer.status, answer.json()["detail"].as_str()),
            (404, Some("There is no such address."))
        );
    }
    for (method, path) in
        [("DELETE", "/v1/account"), ("PATCH", "/v1/products"), ("POST", "/openapi.json")]
    {
        let answer = api.call(method, path).by(&ada()).send().await;
        assert_eq!(answer.status, 405);
        assert!(answer.header("allow").contains("GET"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_is_json_and_says_so() {
    let api = Api::new();
    let send = async |content_type: Option<&str>, body: String| {
        let call = api.call("POST", "/v1/products").by(&ada()).raw(body);
        match content_type {
            Some(said) => call.header("content-type", said).send().await,
            None => call.send().await,
        }
    };
    for said in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
    ] {
        send(said, loaf().to_string()).await.refused(415, &[]);
    }
    for said in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(send(Some(said), loaf().to_string()).await.status, 201);
    }
    for broken in ["", "{", "{\"name\":}", "null garbage"] {
        assert_eq!(send(Some("application/json"), broken.into()).await.status, 422);
    }
    send(Some("application/json"), "7".into()).await.refused(422, &["body"]);
    let twice = r#"{"name":"a","name":"b","description":"c"}"#;
    assert_eq!(send(Some("application/json"), twice.into()).await.status, 422);
}

#[tokio::test]
async fn a_body_has_at_most_a_mebibyte() {
    let api = Api::new();
    let of = |size: usize| {
        let mut body = loaf().to_string();
        body.push_str(&" ".repeat(size - body.len()));
        body
    };
    for key in [None, Some("k")] {
        let send = async |body: String| {
            let call = api.call("POST", "/v1/products").by(&ada()).raw(body);
            let call = call.header("content-type", "application/json");
            match key {
                Some(key) => call.key(key).send().await,
                None => call.send().await,
            }
        };
        assert_eq!(send(of(1024 * 1024 + 1)).await.status, 413);
        assert_eq!(send(of(1024 * 1024)).await.status, 201);
    }
}

#[tokio::test]
async fn n47_nothing_but_the_description_is_answered_without_a_token() {
    let api = Api::new();
    for (method, path) in operations(&api).await {
        let path = path.replace("{id}", "drf_00000000000000000000000000000000");
        for call in [api.call(&method, &path), api.call(&method, &path).key("k")] {
            let answer = call.json(json!({})).send().await;
            assert_eq!(
                answer.status,
                if path == "/openapi.json" { 200 } else { 401 },
                "{method} {path}"
            );
        }
    }
    // Somebody who is known and belongs to no tenant.
    let stranger = Claims { subject: "usr".into(), groups: vec!["staff".into()] };
    assert_eq!(api.get("/v1/account").by(&stranger).send().await.status, 403);
}

#[tokio::test]
async fn n56_no_answer_sets_a_cookie() {
    let api = Api::new();
    for (method, path) in operations(&api).await {
        let path = path.replace("{id}", "x");
        // The client of these tests looks at every answer; here at every route's, whoever asks.
        for call in [api.call(&method, &path), api.call(&method, &path).by(&ada())] {
            let answer = call.header("cookie", "session=1").json(json!({})).send().await;
            assert!(!answer.headers.contains_key("set-cookie"));
        }
    }
}
