//! Who may, what is shown, and what is never taken or told.

use nexus_connect::Connect;
use nexus_core::{Claims, Role};
use nexus_engine::EnginePlatform;
use nexus_handler::{Env, Wire};
use nexus_testkit::{MemoryPlatform, people};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use crate::api::{Api, approver, secs};

const ROUTES: [(&str, &str); 5] = [
    ("GET", "/v1/connections"),
    ("POST", "/v1/connections"),
    ("GET", "/v1/connections/networks"),
    ("POST", "/v1/connections/{id}/reconnect"),
    ("DELETE", "/v1/connections/{id}"),
];

fn wish() -> Value {
    json!({ "network": "tiktok", "label": "The shop" })
}

#[tokio::test]
async fn n47_only_the_callback_and_the_description_are_answered_without_a_token() {
    let api = Api::new();
    let id = api.connect(1).await;
    let operator = people::operator(people::tenant(1));
    let nobody = Claims { subject: "usr".into(), groups: Vec::new() };
    for (method, path) in ROUTES {
        let path = path.replace("{id}", &id);
        let by =
            async |who: Option<&Claims>| api.ask(method, &path, who, Some(wish())).await.status;
        assert_eq!((by(None).await, by(Some(&nobody)).await), (401, 403), "{method} {path}");
        let decides = method != "GET";
        assert_eq!(by(Some(&operator)).await, if decides { 403 } else { 200 }, "{method} {path}");
    }
    let open = api.ask("GET", "/v1/connections/openapi.json", None, None).await;
    assert_eq!(open.status, 200);
    assert!(api.connection(&id).await.is_connected());
    // Somebody who approves elsewhere does not approve here.
    let both = people::claims(
        "usr",
        &[(people::tenant(1), Role::Operator), (people::tenant(2), Role::Approver)],
    );
    let request = axum::http::Request::delete(format!("/v1/connections/{id}"))
        .extension(both)
        .header("nexus-tenant", people::tenant(1).to_string());
    assert_eq!(api.send(request.body(axum::body::Body::empty()).unwrap()).await.status, 403);
}

#[tokio::test]
async fn n48_another_tenants_account_is_answered_like_a_missing_one() {
    let api = Api::new();
    let id = api.connect(1).await;
    let before = api.platform.rows().await;
    for (method, path) in ROUTES.into_iter().filter(|(_, path)| path.contains("{id}")) {
        let mut answers = Vec::new();
        for id in [id.as_str(), &format!("con_{}", "f".repeat(32)), "%00..%ff"] {
            let path = path.replace("{id}", id);
            answers.push(api.ask(method, &path, Some(&approver(2)), None).await);
        }
        for answer in &answers {
            assert_eq!((answer.status, &answer.text), (404, &answers[0].text), "{method} {path}");
        }
    }
    assert_eq!(api.platform.rows().await, before);
}

#[tokio::test]
async fn n5_no_field_takes_a_password_and_no_answer_has_a_token() {
    let api = Api::new();
    for field in ["password", "username", "access_token", "refresh_token", "token", "code"] {
        let mut body = wish();
        body[field] = "hunter2".into();
        let answer = api.post("/v1/connections", body).await;
        assert_eq!(
            (answer.status, answer.json()["errors"][0]["field"].as_str()),
            (422, Some(field))
        );
    }
    // Nor does the description know of one.
    let document = api.get("/v1/connections/openapi.json").await.json();
    let mut fields = BTreeSet::new();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for schema in schemas.values() {
        fields.extend(
            schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()),
        );
    }
    assert!(fields.contains("label") && fields.contains("server"), "{fields:?}");
    let told = ["tokens_deleted"];
    let secret = |name: &String| {
        ["password", "secret", "token", "verifier", "credential"].iter().any(|w| name.contains(w))
    };
    let strange: Vec<&String> =
        fields.iter().filter(|n| secret(n) && !told.contains(&n.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert_eq!(document["paths"].as_object().unwrap().len(), 6);
}

/// Everything that was logged, at every level.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logged {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        // With one subscriber alone, `tracing` remembers the answer of whichever thread asks first; with two it asks.
        static SECOND: LazyLock<tracing::Dispatch> =
            LazyLock::new(|| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default()));
        LazyLock::force(&SECOND);
        let logged = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || logged.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

#[tokio::test]
async fn n37_n40_tokens_codes_and_accounts_stand_in_no_row_no_answer_and_no_log() {
    let logged = Logged::default();
    let _listening = logged.listen();
    let api = Api::new();
    let (mut told, mut canaries) = (String::new(), Vec::new());
    for number in 1..=3 {
        let account = format!("canary-account-{number}");
        api.tiktok.logged_in_as(Some(&account));
        let state = api.begin(1).await;
        let code = format!("canary-code-{number}");
        if number == 3 {
            api.tiktok.grants(Some(&[]));
        }
        told.push_str(&api.come_back(&format!("code={code}&state={state}")).await.text);
        // The same again, and a broken one.
        told.push_str(&api.come_back(&format!("code={code}&state={state}")).await.text);
        canaries.extend([account, code, state]);
    }
    let ids: Vec<String> =
        api.connections().await.iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 2);
    api.tiktok.revoke_fails(nexus_engine::connections::LoginError::Unknown { why: "no".into() });
    told.push_str(&format!("{:?}", api.platform.rows().await));
    told.push_str(&api.disconnect(&ids[0]).await.text);
    told.push_str(&api.get("/v1/connections").await.text);
    told.push_str(&format!("{:?}", api.platform.rows().await));
    told.push_str(&String::from_utf8(logged.0.lock().unwrap().clone()).unwrap());
    assert!(told.contains("a network was not told of a disconnection"), "logs are listened to");
    for number in 1..=3 {
        canaries.extend([format!("access-{number}"), format!("refresh-{number}")]);
    }
    for asked in api.tiktok.asked.all() {
        if let nexus_testkit::login::Asked::Exchange { verifier, .. } = asked {
            canaries.push(verifier);
        }
    }
    assert_eq!(canaries.len(), 18);
    for canary in canaries {
        assert!(!told.contains(&canary), "{canary}");
    }
}

#[tokio::test]
async fn n40_a_request_that_is_repeated_under_one_key_gets_a_state_of_its_own_since_none_is_kept() {
    let api = Api::new();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = axum::http::Request::post("/v1/connections")
            .extension(approver(1))
            .header("content-type", "application/json")
            .header("idempotency-key", "k");
        let body = axum::body::Body::from(wish().to_string());
        answers.push(api.send(request.body(body).unwrap()).await.text);
        api.platform.advance(secs(1));
    }
    assert_ne!(answers[0], answers[1]);
    assert_eq!((api.tiktok.asked.all().len(), api.secrets()), (2, 2));
}

#[test]
fn a_callback_that_no_network_could_use_is_told_at_the_start() {
    let platform = MemoryPlatform::new();
    let wired: &dyn EnginePlatform = &platform;
    for wrong in ["", "https://api.example/", "/v1/connections/callback"] {
        let env = Env::from_pairs([("CONNECT_CALLBACK", wrong)]);
        let Err(error) = Connect::wire(wired, &env) else { panic!("{wrong} was taken") };
        assert!(error.to_string().contains("CONNECT_CALLBACK"), "{error}");
    }
}
