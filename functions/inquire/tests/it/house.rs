//! The function on a platform, and somebody who uses it.

use std::net::IpAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use jiff::SignedDuration;
use nexus_core::{RecordKind, Scope, records};
use nexus_engine::EnginePlatform;
use nexus_engine::inquiries::{Inquiry, claim_page, page_code};
use nexus_handler::{HttpFunction, Wire};
use nexus_inquire::Inquire;
use nexus_kernel::ClientIp;
use nexus_testkit::{MemoryPlatform, build, people};
use tower::ServiceExt as _;

pub(crate) struct House {
    pub(crate) platform: MemoryPlatform,
    pub(crate) router: Router,
    pub(crate) code: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the form says of when it was opened.
    pub(crate) fn opened(&self) -> String {
        let (_, after) = self.text.split_once("name=\"opened\" value=\"").unwrap();
        after.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

pub(crate) fn scope() -> Scope {
    people::scope(people::tenant(1))
}

pub(crate) fn router(platform: &MemoryPlatform) -> Router {
    let wired: &dyn EnginePlatform = platform;
    Inquire::router(Inquire::wire(wired, &platform.env()).unwrap())
}

/// A bakery with one product and its page.
pub(crate) async fn settle(platform: &MemoryPlatform, scope: &Scope) -> String {
    let product = build::product(build::product_id(1), "Sourdough", platform.now());
    let claim = claim_page(scope, product.id);
    let ops =
        vec![records::create(scope, &product), claim, records::write(scope, &build::account())];
    platform.commit(ops).await;
    page_code(scope, product.id)
}

/// A form's body.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::on(MemoryPlatform::new()).await
    }

    pub(crate) async fn on(platform: MemoryPlatform) -> Self {
        let code = settle(&platform, &scope()).await;
        Self { router: router(&platform), platform, code }
    }

    pub(crate) fn at(&self) -> String {
        format!("/p/{}", self.code)
    }

    /// Sends a request. What holds for every answer is looked at here.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, text };
        assert!(!answer.headers.contains_key("set-cookie"), "n56: no cookies");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        if answer.header("content-type").starts_with("text/html") {
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(!answer.text.contains("<script"), "{answer:?}");
            assert!(answer.text.contains("<h1") && answer.text.contains("<html lang=\"e"));
        }
        answer
    }

    pub(crate) async fn get(&self, query: &str) -> Answer {
        let request = Request::get(format!("{}{query}", self.at()));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, fields: &[(&str, &str)], from: Option<&str>) -> Answer {
        self.send(self.posting(form(fields), from)).await
    }

    pub(crate) fn posting(&self, body: String, from: Option<&str>) -> Request<Body> {
        let request = Request::post(self.at());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let mut request = request.body(Body::from(body)).unwrap();
        if let Some(address) = from {
            let address: IpAddr = address.parse().unwrap();
            request.extensions_mut().insert(ClientIp::new(address));
        }
        request
    }

    /// When a form was opened that is sent now, by a person who took a few seconds.
    pub(crate) async fn opened(&self) -> String {
        let opened = self.get("").await.opened();
        self.platform.advance(SignedDuration::from_secs(5));
        opened
    }

    /// Asks as a person does.
    pub(crate) async fn ask(&self, message: &str) -> Answer {
        let opened = self.opened().await;
        self.post(&filled(message, &opened), Some("203.0.113.9")).await
    }

    pub(crate) async fn inquiries(&self) -> Vec<Inquiry> {
        let rows = self.platform.rows().await;
        let inquiries = rows.iter().filter(|row| row.kind == RecordKind::Inquiry);
        inquiries.map(|row| records::read::<Inquiry>(row).unwrap().record).collect()
    }
}

/// The fields of a form that is filled in well.
pub(crate) fn filled<'f>(message: &'f str, opened: &'f str) -> [(&'f str, &'f str); 6] {
    [
        ("name", "Grace"),
        ("email", "grace@example.org"),
        ("message", message),
        ("consent", "yes"),
        ("website", ""),
        ("opened", opened),
    ]
}
