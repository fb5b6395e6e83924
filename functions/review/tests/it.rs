//! Somebody with a link, in a browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use jiff::SignedDuration;
use nexus_contract::blobs::Browser as _;
use nexus_core::{RecordKind, Scope};
use nexus_engine::reviewing::{self, MAX_NOTES, ReviewLink, Reviews, Verdict};
use nexus_engine::{Desk, Draft, EnginePlatform};
use nexus_handler::{HttpFunction, Wire};
use nexus_kernel::{Ambient, Secret};
use nexus_review::Review;
use nexus_testkit::{MemoryPlatform, build, people};
use tower::ServiceExt as _;

struct House {
    platform: MemoryPlatform,
    router: Router,
    draft: Draft,
}

struct Page {
    status: u16,
    policy: String,
    html: String,
}

fn scope() -> Scope {
    people::scope(people::tenant(1))
}

fn desk<'d>(platform: &'d MemoryPlatform, scope: &'d Scope, ambient: &'d Ambient) -> Desk<'d> {
    Desk { table: &platform.table, scope, by: "ada", trace: "trace", ambient }
}

impl House {
    async fn new() -> Self {
        let platform = MemoryPlatform::new();
        let (_, draft) = build::finished(&platform, &scope(), build::media_id(1)).await;
        let wired: &dyn EnginePlatform = &platform;
        let deps = Review::wire(wired, &platform.env()).unwrap();
        Self { router: Review::router(deps), platform, draft }
    }

    async fn invite(&self, days: u32) -> (ReviewLink, Secret<String>) {
        let (ambient, scope) = (self.platform.ambient(), scope());
        let desk = desk(&self.platform, &scope, &ambient);
        reviewing::invite(&desk, self.draft.id, "Grace", days).await.unwrap()
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Page {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert!(header("x-robots-tag").contains("noindex"));
        assert!(!answer.headers().contains_key("set-cookie"));
        let (status, policy) = (answer.status().as_u16(), header("content-security-policy"));
        let html = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let html = String::from_utf8(html.to_vec()).unwrap();
        assert!(!html.contains("<script") && html.contains("<h1>"), "{html}");
        Page { status, policy, html }
    }

    async fn get(&self, code: &Secret<String>) -> Page {
        self.send("GET", &format!("/r/{}", code.reveal()), "").await
    }

    async fn reviews(&self) -> Reviews {
        let (table, now) = (&self.platform.table, self.platform.now());
        reviewing::of(table, &scope(), self.draft.id, now).await.unwrap()
    }
}

#[tokio::test]
async fn somebody_without_an_account_sees_the_draft_and_says_what_they_think() {
    let house = House::new().await;
    let (link, code) = house.invite(7).await;
    let page = house.get(&code).await;
    assert_eq!(page.status, 200);
    for shown in ["Sourdough at Corner Bakery.", "Sourdough en Corner Bakery.", "Grace", "<video"] {
        assert!(page.html.contains(shown), "{shown}: {}", page.html);
    }
    assert!(page.policy.contains("script-src") || page.policy.starts_with("default-src 'none'"));

    let at = format!("/r/{}", code.reveal());
    let form = "revision=1&verdict=change&text=Two+%3Cb%3Elines%3C%2Fb%3E%0D%0Aof+it&name=Grace";
    let before = house.platform.rows().await;
    let page = house.send("POST", &at, form).await;
    assert_eq!(page.status, 200);
    assert!(
        page.html.contains("Keep it") && page.html.contains("Two &#60;b&#62;lines"),
        "{}",
        page.html
    );
    assert_eq!(house.platform.rows().await, before, "nothing is kept before the button");

    let note = format!("{at}/note");
    assert_eq!(house.send("POST", &note, form).await.status, 200);
    assert_eq!(house.send("POST", &note, form).await.status, 200);
    let [kept] = house.reviews().await.notes.try_into().unwrap();
    assert_eq!((kept.link, kept.verdict, kept.revision), (link.id, Verdict::Change, 1));
    assert_eq!(kept.text.reveal(), "Two <b>lines</b>\nof it");
    assert!(!format!("{kept:?}").contains("Grace"));
}

#[tokio::test]
async fn films_can_be_watched_no_longer_than_the_link_is_open() {
    let house = House::new().await;
    let (_, code) = house.invite(1).await;
    house.platform.advance(SignedDuration::from_mins(23 * 60 + 30));
    let page = house.get(&code).await;
    let addresses: Vec<&str> =
        page.html.split('"').filter(|piece| piece.starts_with("memory://download/")).collect();
    assert!(!addresses.is_empty(), "{}", page.html);
    house.platform.advance(SignedDuration::from_mins(29));
    for address in &addresses {
        assert!(house.platform.blobs.get(address).await.is_some(), "{address}");
    }
    house.platform.advance(SignedDuration::from_mins(1));
    for address in &addresses {
        assert!(house.platform.blobs.get(address).await.is_none(), "{address}");
    }
}

/// The host's gateway matches an address before it hands the request on.
#[tokio::test]
async fn an_entrance_that_matched_the_address_before_changes_nothing() {
    let house = House::new().await;
    let (_, code) = house.invite(7).await;
    let inner = house.router.clone();
    let gateway = Router::new().route("/r/{code}", axum::routing::any_service(inner));
    let house = House { router: gateway, ..house };
    assert_eq!(house.get(&code).await.status, 200);
}

#[tokio::test]
async fn a_get_decides_nothing_however_often_it_comes() {
    let house = House::new().await;
    let (_, code) = house.invite(7).await;
    let before = house.platform.rows().await;
    for path in ["", "/note"] {
        let path = format!("/r/{}{path}?verdict=fine&revision=1", code.reveal());
        for method in ["GET", "HEAD", "GET"] {
            let request = Request::builder().method(method).uri(&path).body(Body::empty()).unwrap();
            house.router.clone().oneshot(request).await.unwrap();
        }
    }
    assert_eq!(house.platform.rows().await, before);
}

#[tokio::test]
async fn a_link_that_expired_was_ended_or_never_was_are_told_alike() {
    let house = House::new().await;
    let (_, expired) = house.invite(1).await;
    let (ended, code) = house.invite(30).await;
    house.platform.advance(SignedDuration::from_hours(24));
    let (ambient, scope) = (house.platform.ambient(), scope());
    let desk = desk(&house.platform, &scope, &ambient);
    assert_eq!(house.get(&code).await.status, 200);
    reviewing::end(&desk, house.draft.id, ended.id).await.unwrap();
    let never = Secret::new("23456789abcdefghjkmn".to_owned());
    let odd = Secret::new("%00%2e%2e%2f".to_owned());
    let mut told = Vec::new();
    for code in [&expired, &code, &never, &odd] {
        let page = house.get(code).await;
        assert_eq!(page.status, 404);
        let note = format!("/r/{}/note", code.reveal());
        assert_eq!(house.send("POST", &note, "revision=1&verdict=fine").await.status, 404);
        told.push(page.html);
    }
    told.dedup();
    assert_eq!(told.len(), 1);
    assert!(house.reviews().await.notes.is_empty());
}

#[tokio::test]
async fn what_cannot_be_kept_is_said_in_a_sentence_and_the_form_stands_there_again() {
    let house = House::new().await;
    let (_, code) = house.invite(7).await;
    let at = format!("/r/{}", code.reveal());
    let long = format!("revision=1&verdict=remark&text={}", "a".repeat(2_001));
    let huge = format!("revision=1&verdict=remark&text={}", "a".repeat(40_000));
    for (form, told) in [
        ("revision=1", "Choose what you think."),
        ("revision=1&verdict=approve", "Choose what you think."),
        ("revision=1&verdict=remark", "Write what should be changed"),
        (long.as_str(), "Write at most 2000 characters."),
        (huge.as_str(), "This is too long"),
        ("revision=1&verdict=fine&name=a%0Ab", "on one line."),
        ("revision=2&verdict=fine", "changed while you looked"),
    ] {
        let page = house.send("POST", &at, form).await;
        assert_eq!(page.status, 422, "{told}");
        assert!(page.html.contains(told) && page.html.contains("<form"), "{told}: {}", page.html);
        let note = format!("{at}/note");
        if !form.contains("revision=2") {
            assert_eq!(house.send("POST", &note, form).await.status, 400, "{told}");
        }
    }
    assert!(house.reviews().await.notes.is_empty());
}

#[tokio::test]
async fn notes_are_bounded_and_go_with_the_draft() {
    let house = House::new().await;
    let (_, code) = house.invite(7).await;
    let note = format!("/r/{}/note", code.reveal());
    for number in 0..MAX_NOTES {
        let form = format!("revision=1&verdict=remark&text=note+{number}");
        assert_eq!(house.send("POST", &note, &form).await.status, 200);
    }
    let one_more = "revision=1&verdict=remark&text=one+more";
    assert_eq!(house.send("POST", &note, one_more).await.status, 409);

    let (ambient, scope) = (house.platform.ambient(), scope());
    let desk = desk(&house.platform, &scope, &ambient);
    let blobs = &house.platform.blobs;
    nexus_engine::removal::remove(&desk, blobs, house.draft.media).await.unwrap();
    let rows = house.platform.rows().await;
    assert!(rows.iter().all(|row| row.kind != RecordKind::Reviews));
    assert_eq!(house.get(&code).await.status, 404);
}
