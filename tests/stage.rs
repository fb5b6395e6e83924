//! The one-machine host on a clock that the test moves, and the deeds of a person on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use nexus_core::Product;
use nexus_core::vault::SecretName;
use nexus_engine::providers::{Choice, SpeechProvider};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::id::TenantId;
use nexus_kernel::{Ambient, Secret, Timestamp};
use nexus_local::engines::{Engines, Places};
use nexus_local::host::{Host, Options};
use nexus_testkit::fakes::FakeSpeech;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::sources;

/// A host that a test drives.
pub(crate) struct Stage {
    pub(crate) host: Arc<Host>,
    pub(crate) clock: ManualClock,
    folder: Option<tempfile::TempDir>,
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
}

/// Where the engines are looked for, as `make test` has it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test finds the programs that its caller would find"
)]
pub(crate) fn places() -> Places {
    let path = std::env::var("PATH").unwrap_or_default();
    Places {
        path: std::env::split_paths(&path).collect(),
        tools: sources::root().join(".tools"),
        fonts: sources::root().join("infra/layers/ffmpeg/fonts"),
        ..Places::default()
    }
}

/// A photo of the demonstration.
pub(crate) fn photo(name: &str) -> Vec<u8> {
    std::fs::read(sources::root().join("events/photos").join(name)).unwrap()
}

/// Gives the house a voice that takes two seconds for a narration.
pub(crate) fn hurry(engines: &mut Engines) {
    engines.voices = Choice::of(SpeechProvider::House, Arc::new(FakeSpeech::hurried()));
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::derived(&[name])
}

impl Stage {
    /// A host on an empty directory, at nine in the morning.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with a voice that takes two seconds for a narration: for journeys that are about something else, since
    /// a film takes as long as it is.
    pub(crate) async fn hurried() -> Self {
        Self::with(hurry).await
    }

    /// The same with other engines.
    pub(crate) async fn with(change: impl FnOnce(&mut Engines)) -> Self {
        Self::with_keys(&[], &[], change).await
    }

    /// The same with keys of vendors in the vault, and with settings.
    pub(crate) async fn with_keys(
        keys: &[(&str, &str)],
        settings: &[(&str, &str)],
        change: impl FnOnce(&mut Engines),
    ) -> Self {
        Self::by_clock(ManualClock::at(Self::start()), keys, settings, change).await
    }

    /// Nine in the morning.
    pub(crate) fn start() -> Timestamp {
        "2027-03-01T09:00:00Z".parse().unwrap()
    }

    /// The same on a clock that others go by, too.
    pub(crate) async fn by_clock(
        clock: ManualClock,
        keys: &[(&str, &str)],
        settings: &[(&str, &str)],
        change: impl FnOnce(&mut Engines),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut engines = Engines::locate(&places()).await;
        assert!(engines.ffmpeg.is_some(), "ffmpeg is missing: run `make setup`");
        change(&mut engines);
        if !keys.is_empty() {
            let ambient = Ambient::seeded(Arc::new(clock.clone()), 5);
            let vault = nexus_local::keys::vault(folder.path(), &ambient).unwrap();
            for (vendor, key) in keys {
                let name = SecretName::of_house(Product::Engine, *vendor).unwrap();
                vault.rotate(&name, None, &Secret::new((*key).to_owned())).await.unwrap();
            }
        }
        let mut stage = Self::on(folder.path(), clock, engines, settings).await;
        stage.folder = Some(folder);
        stage
    }

    /// A host on a directory that may hold something, at a time.
    pub(crate) async fn on(
        data: &Path,
        clock: ManualClock,
        engines: Engines,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut over = BTreeMap::from([("VIDEO_PRESET".to_owned(), "tiny".to_owned())]);
        over.extend(settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let options = Options {
            data: data.to_path_buf(),
            template: std::fs::read_to_string(sources::root().join("template.yaml")).unwrap(),
            ambient: Ambient::seeded(Arc::new(clock.clone()), 7),
            engines,
            settings: over,
            base: "http://127.0.0.1:8080".to_owned(),
        };
        let host = Arc::new(Host::open(options).await.unwrap());
        Self { host, clock, folder: None }
    }

    /// Where everything stands that the host keeps; nothing where the test brought the directory.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(|folder| folder.path())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.host.ambient().now()
    }

    pub(crate) async fn idle(&self) {
        self.host.run_until_idle().await.unwrap();
    }

    pub(crate) async fn advance(&self, by: Duration) {
        self.host.advance(&self.clock, by).await.unwrap();
    }

    /// An access token for these groups, `demo/approver`.
    pub(crate) fn token(&self, groups: &[&str]) -> String {
        let groups: Vec<String> = groups
            .iter()
            .map(|g| {
                let (name, role) = g.split_once('/').unwrap();
                format!("{}/{role}", tenant(name))
            })
            .collect();
        self.host.issuer().token("ada", &groups, Duration::from_secs(3600), self.now()).unwrap()
    }

    /// A request to the API as somebody of these groups.
    pub(crate) async fn api(
        &self,
        who: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("content-type", "application/json");
        if !who.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token(&[who])));
        }
        let body = body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
        answer(self.host.api(), request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> Value {
        let answer = self.api(who, Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    /// An account and a product for a tenant.
    pub(crate) async fn shop(&self, who: &str) -> String {
        let account = json!({
            "email": "owner@example.com", "business_name": "Café Aurora", "niche": "coffee shop",
            "brand_voice": "warm", "display_name": "Aurora",
        });
        let answer = self.api(who, Method::PUT, "/v1/account", Some(account)).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        self.product(who, json!({
            "name": "Aurora Flat White", "description": "A double shot with steamed milk.",
            "description_es": "Un espresso doble con leche vaporizada.", "keywords": ["coffee"],
            "price": { "minor": 420, "currency": "USD" }, "url": "https://example.com/flat-white",
        }))
        .await
    }

    /// A product of a tenant; its id.
    pub(crate) async fn product(&self, who: &str, facts: Value) -> String {
        let answer = self.api(who, Method::POST, "/v1/products", Some(facts)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// Announces a medium and puts its bytes where the answer says; the medium's id.
    pub(crate) async fn upload(
        &self,
        who: &str,
        content_type: &str,
        bytes: Vec<u8>,
        product: Option<&str>,
    ) -> String {
        let mut announced = json!({ "content_type": content_type, "size": bytes.len() });
        if let Some(product) = product {
            announced["product"] = json!(product);
        }
        let answer = self.api(who, Method::POST, "/v1/media", Some(announced)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let signed = &answer.body["upload"];
        let mut request = Request::builder().method("PUT").uri(signed["url"].as_str().unwrap());
        for (name, value) in signed["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        let put = answer_of_house(&self.host, request.body(Body::from(bytes)).unwrap()).await;
        assert!(put.status.is_success(), "{put:?}");
        answer.body["media"]["id"].as_str().unwrap().to_owned()
    }

    /// Pushes a photo through the line; the draft that came out.
    pub(crate) async fn draft(&self, who: &str, name: &str) -> Value {
        let product = self.shop(who).await;
        let media = self.upload(who, "image/png", photo(name), Some(&product)).await;
        self.idle().await;
        let media = self.get(who, &format!("/v1/media/{media}")).await;
        assert_eq!(media["state"], "ready", "{media}");
        self.get(who, &format!("/v1/drafts/{}", media["draft"].as_str().unwrap())).await
    }
}

/// A router's whole answer.
pub(crate) async fn answer(router: axum::Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status, headers, body, text }
}

pub(crate) async fn answer_of_house(host: &Arc<Host>, request: Request<Body>) -> Answer {
    answer(host.house(Vec::new()), request).await
}
