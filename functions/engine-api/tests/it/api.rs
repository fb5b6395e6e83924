//! A client.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request};
use nexus_core::{Claims, Scope};
use nexus_engine::{Draft, EnginePlatform, Media};
use nexus_engine_api::EngineApi;
use nexus_handler::{Env, HttpFunction, Invocation, Wire};
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};
use tower::ServiceExt;

/// The function on a platform, and a client of it.
pub(crate) struct Api {
    pub(crate) platform: MemoryPlatform,
    router: Router,
}

/// A request on its way.
pub(crate) struct Call<'a> {
    api: &'a Api,
    request: axum::http::request::Builder,
    body: Body,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self::on(MemoryPlatform::new())
    }

    pub(crate) fn on(platform: MemoryPlatform) -> Self {
        let env = platform.env();
        Self::with(platform, &env)
    }

    /// On a platform, with other settings than usual.
    pub(crate) fn with(platform: MemoryPlatform, env: &Env) -> Self {
        let wired: &dyn EnginePlatform = &platform;
        let deps = EngineApi::wire(wired, env).unwrap();
        Self { router: EngineApi::router(deps), platform }
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        let request = Request::builder().method(method).uri(path);
        Call { api: self, request, body: Body::empty() }
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Call<'_> {
        self.call("POST", path).json(body)
    }

    pub(crate) fn put(&self, path: &str, body: Value) -> Call<'_> {
        self.call("PUT", path).json(body)
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Call<'_> {
        self.call("PATCH", path).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> Call<'_> {
        self.call("DELETE", path)
    }

    /// A photo and its draft, waiting for approval.
    pub(crate) async fn finished(&self, scope: &Scope) -> (Media, Draft) {
        build::finished(&self.platform, scope, build::media_id(1)).await
    }

    /// The digest that an approval of the draft has to name.
    pub(crate) async fn digest(&self, draft: &Draft) -> String {
        let answer = self.get(&at(draft)).by(&ada()).send().await;
        answer.json()["proposal"]["digest"].as_str().unwrap().to_owned()
    }

    /// Approves the draft as it is, to be sent at once; the answer's posts.
    pub(crate) async fn approved(&self, draft: &Draft) -> Vec<Value> {
        let digest = self.digest(draft).await;
        let path = format!("{}/approve", at(draft));
        let answer = self.post(&path, json!({ "digest": digest })).by(&ada()).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["posts"].as_array().unwrap().clone()
    }
}

/// Where a draft is.
pub(crate) fn at(draft: &Draft) -> String {
    format!("/v1/drafts/{}", draft.id)
}

/// Somebody who may approve for the tenant 1.
pub(crate) fn ada() -> Claims {
    people::approver(people::tenant(1))
}

/// The tenant 1.
pub(crate) fn scope() -> Scope {
    people::scope(people::tenant(1))
}

impl Call<'_> {
    pub(crate) fn by(self, who: &Claims) -> Self {
        Self { request: self.request.extension(who.clone()), ..self }
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    /// With what the entrance tells of the call.
    pub(crate) fn with(self, at: Invocation) -> Self {
        Self { request: self.request.extension(at), ..self }
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn json(self, body: Value) -> Self {
        self.header("content-type", "application/json").raw(body.to_string())
    }

    pub(crate) fn raw(self, body: impl Into<Body>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Sends it. What holds for every answer is looked at here.
    pub(crate) async fn send(self) -> Answer {
        let response =
            self.api.router.clone().oneshot(self.request.body(self.body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        assert!(!parts.headers.contains_key("set-cookie"), "no cookies");
        assert_eq!(parts.headers["cache-control"], "no-store");
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body };
        if answer.status >= 400 {
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{answer:?}");
            assert_eq!(answer.json()["status"], answer.status);
            assert_eq!(answer.json()["type"], "about:blank");
            assert!(answer.json()["detail"].as_str().is_some_and(|d| !d.is_empty()));
        }
        answer
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The fields that the problem names.
    pub(crate) fn fields(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|e| e["field"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, fields: &[&str]) {
        assert_eq!(
            (self.status, self.fields()),
            (status, fields.iter().map(|f| (*f).to_owned()).collect()),
            "{self:?}"
        );
    }
}
