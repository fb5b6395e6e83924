//! A client, and the browser of somebody whom a network sends back.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use jiff::SignedDuration;
use nexus_connect::Connect;
use nexus_core::approval;
use nexus_core::effect::{Effect, EffectId, Payload};
use nexus_core::table::Page;
use nexus_core::vault::{Freshness, Vault};
use nexus_core::{Approver, Claims, RecordKind, Scope, records};
use nexus_engine::EnginePlatform;
use nexus_engine::connections::{Connection, ConnectionId, Login, connection_key};
use nexus_engine::notices::{Notice, notices};
use nexus_engine::publishing::{Ground, Network, PostPlan, propose};
use nexus_handler::{Env, HttpFunction, Wire};
use nexus_testkit::login::{Asked, FakeLogin};
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const CALLBACK: &str = "https://api.example/v1/connections/callback";

pub(crate) fn secs(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// Somebody who may approve for a tenant.
pub(crate) fn approver(tenant: u32) -> Claims {
    people::approver(people::tenant(tenant))
}

pub(crate) fn scope(tenant: u32) -> Scope {
    people::scope(people::tenant(tenant))
}

/// The function on a platform, with TikTok and a Mastodon server behind it.
pub(crate) struct Api {
    pub(crate) platform: MemoryPlatform,
    pub(crate) tiktok: Arc<FakeLogin>,
    pub(crate) mastodon: Arc<FakeLogin>,
    router: Router,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

pub(crate) fn env() -> Env {
    Env::from_pairs([("CONNECT_CALLBACK", CALLBACK)])
}

impl Api {
    pub(crate) fn new() -> Self {
        let tiktok = Arc::new(FakeLogin::of(Network::TikTok));
        let mastodon = Arc::new(FakeLogin::of(Network::Mastodon));
        let mut platform = MemoryPlatform::new();
        platform.logins = [&tiktok, &mastodon].map(|l| Arc::clone(l) as Arc<dyn Login>).into();
        let wired: &dyn EnginePlatform = &platform;
        let router = Connect::router(Connect::wire(wired, &env()).unwrap());
        Self { platform, tiktok, mastodon, router }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        assert!(!parts.headers.contains_key("set-cookie"), "no cookies");
        assert_eq!(parts.headers["cache-control"], "no-store");
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        who: Option<&Claims>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(who) = who {
            request = request.extension(who.clone());
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Some(&approver(1)), None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, Some(&approver(1)), Some(body)).await
    }

    pub(crate) async fn disconnect(&self, id: &str) -> Answer {
        self.ask("DELETE", &format!("/v1/connections/{id}"), Some(&approver(1)), None).await
    }

    /// Begins; the state that goes with the person.
    pub(crate) async fn begin(&self, tenant: u32) -> String {
        let body = json!({ "network": "tiktok", "label": "The shop" });
        let who = approver(tenant);
        let answer = self.ask("POST", "/v1/connections", Some(&who), Some(body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        state_of(&self.tiktok, &answer)
    }

    /// The browser comes back: without a token, and with nothing but the address.
    pub(crate) async fn come_back(&self, question: &str) -> Answer {
        let answer =
            self.ask("GET", &format!("/v1/connections/callback?{question}"), None, None).await;
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8", "{answer:?}");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(answer.text.starts_with("<!doctype html>\n<html lang=\"en\">"), "{answer:?}");
        assert!(answer.text.contains("You can close this page."));
        for loaded in ["<script", "<link", "<img", "<style", "<a ", "http:", "https:"] {
            assert!(!answer.text.contains(loaded), "{loaded}: {answer:?}");
        }
        answer
    }

    /// A tenant's account at TikTok: the id of its connection.
    pub(crate) async fn connect(&self, tenant: u32) -> String {
        let state = self.begin(tenant).await;
        let answer = self.come_back(&format!("code=code-{state}&state={state}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let list = self.ask("GET", "/v1/connections", Some(&approver(tenant)), None).await.json();
        list["items"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn connections(&self) -> Vec<Value> {
        self.get("/v1/connections").await.json()["items"].as_array().unwrap().clone()
    }

    pub(crate) async fn connection(&self, id: &str) -> Connection {
        let key = connection_key(&scope(1), ConnectionId::parse(id).unwrap());
        let found = records::load(&self.platform.table, &key, self.platform.now()).await;
        found.unwrap().unwrap().record
    }

    /// What the vault holds for an account of the first tenant.
    pub(crate) async fn kept(&self, id: &str) -> Option<String> {
        let name = self.connection(id).await.secret(&scope(1)).unwrap();
        let held = self.platform.vault.read(&name, Freshness::Fresh).await.unwrap();
        held.map(|held| held.value.reveal().clone())
    }

    /// How many secrets there are, whosever they are.
    pub(crate) fn secrets(&self) -> usize {
        secrets(&self.platform)
    }

    pub(crate) async fn kinds(&self) -> Vec<RecordKind> {
        self.platform.rows().await.into_iter().map(|row| row.kind).collect()
    }

    pub(crate) async fn notices(&self) -> Vec<Notice> {
        let (query, page) = (notices(&scope(1)), Page::first(100));
        let now = self.platform.now();
        let listed = records::list(&self.platform.table, &query, &page, now).await.unwrap();
        listed.records.into_iter().map(|stored| stored.record).collect()
    }
}

/// How many secrets a vault holds.
pub(crate) fn secrets(platform: &MemoryPlatform) -> usize {
    let told = format!("{:?}", platform.vault);
    told.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// The state with which the last person was sent away.
pub(crate) fn state_of(login: &FakeLogin, answer: &Answer) -> String {
    let asked = login.asked.all();
    let Some(Asked::Authorize { state, redirect, .. }) = asked.last() else { panic!("{asked:?}") };
    assert_eq!(redirect, CALLBACK, "to the letter");
    assert!(answer.json()["address"].as_str().unwrap().contains(state.as_str()));
    state.clone()
}

/// An approved post of the first tenant for an account.
pub(crate) async fn post(
    platform: &MemoryPlatform,
    id: &str,
    number: u32,
    wait: SignedDuration,
) -> Effect<PostPlan> {
    let scope = scope(1);
    let (_, draft) = build::finished(platform, &scope, build::media_id(number)).await;
    let plan = propose(&draft, &Ground::default()).posts.swap_remove(0);
    let connection = Some(ConnectionId::parse(id).unwrap());
    let send_at = platform.now() + wait;
    let plan = PostPlan { network: Network::TikTok, connection, send_at, ..plan };
    let (id, now) = (EffectId::derived(&[&number.to_string()]), platform.now());
    let person = people::caller(&approver(1));
    let digest = plan.digest();
    let mut post = Effect::proposed(id, plan, "usr", now);
    approval::approve(&mut post, Approver::of(&person).unwrap(), digest, now).unwrap();
    platform.put(&scope, &post).await;
    post
}
