//! The journey of somebody who sees a post: they follow its link, ask on the product's page, and their shop reads how
//! many came, from where, and how it sounds. Everything runs in one process; the clock is the test's.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aho_corasick::AhoCorasick;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use jiff::SignedDuration;
use nexus_core::QueueAddress;
use nexus_kernel::Language;
use nexus_local::serve::Listeners;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::stage::{Answer, Stage, answer, answer_of_house, hurry, photo};

const WHO: &str = "aurora/operator";
const BOSS: &str = "aurora/approver";
const HOUSE: &str = "https://go.example.com";
const BASE: &str = "https://go.example.com/c";
/// Whose address must stand nowhere. It comes as TCP tells it.
const VISITOR: &str = "203.0.113.77";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Somebody out there, by nothing but an address of theirs and a browser.
async fn visit(stage: &Stage, mut request: Request<Body>) -> Answer {
    let peer: SocketAddr = format!("{VISITOR}:50123").parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    answer(stage.host.api(), request).await
}

async fn follow(stage: &Stage, link: &str, agent: &str) -> Answer {
    let path = link.strip_prefix(HOUSE).unwrap();
    let request = Request::get(path)
        .header(header::USER_AGENT, agent)
        .header(header::ACCEPT, "text/html,*/*;q=0.8")
        .header(header::REFERER, format!("https://feed.example.com/p/1?from={VISITOR}"));
    visit(stage, request.body(Body::empty()).unwrap()).await
}

/// The short link in a post's text.
fn link_in(text: &str) -> &str {
    let (_, from) = text.split_once(BASE).unwrap_or_else(|| panic!("no short link: {text}"));
    let code = from.bytes().skip(1).take_while(u8::is_ascii_alphanumeric).count();
    let start = text.len() - from.len() - BASE.len();
    text.get(start..start + BASE.len() + 1 + code).unwrap()
}

/// A photo that became a post with a link; the post as the API tells it, its link, and its product.
async fn posted(stage: &Stage) -> (Value, String, String) {
    let product = stage.shop(WHO).await;
    // Its address is its page here, so that who follows the post's link can ask.
    let page = stage.api(WHO, Method::POST, &format!("/v1/products/{product}/page"), None).await;
    let page = format!("{HOUSE}{}", page.body["path"].as_str().unwrap());
    let path = format!("/v1/products/{product}");
    let mut facts = stage.get(WHO, &path).await["facts"].take();
    facts["url"] = json!(page);
    let changed = stage.api(WHO, Method::PUT, &path, Some(facts)).await;
    assert!(changed.status.is_success(), "{}", changed.body);
    let media = stage.upload(WHO, "image/png", photo("coffee.png"), Some(&product)).await;
    stage.idle().await;
    let media = stage.get(WHO, &format!("/v1/media/{media}")).await;
    let draft = format!("/v1/drafts/{}", media["draft"].as_str().unwrap());
    let seen = stage.get(WHO, &draft).await;
    let approval = json!({ "digest": seen["proposal"]["digest"] });
    let approved = stage.api(BOSS, Method::POST, &format!("{draft}/approve"), Some(approval)).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
    stage.idle().await;
    let shown = stage.host.feed().posts().unwrap();
    let english = shown.iter().find(|post| post.language == Language::En).unwrap();
    let link = link_in(&english.text).to_owned();
    let posts = stage.get(WHO, "/v1/posts").await;
    let code = link.rsplit('/').next().unwrap();
    let links = stage.get(WHO, "/v1/links").await;
    let listed = links["items"].as_array().unwrap();
    let made = listed.iter().find(|made| made["code"] == code).unwrap();
    let all = posts["items"].as_array().unwrap();
    let post = all.iter().find(|post| post["id"] == made["post"]).unwrap();
    (post.clone(), link, product)
}

#[tokio::test]
async fn n9_n10_n12_n24_n51_a_photo_becomes_a_post_a_click_an_inquiry_and_a_report() {
    // An answer waits until its click is durable: the test looks at once.
    let settings = [("LINK_BASE", BASE), ("ACK", "commit")];
    let stage = Stage::with_keys(&[], &settings, hurry).await;
    let (post, link, product) = posted(&stage).await;
    let (post, code) = (post["id"].as_str().unwrap(), link.rsplit('/').next().unwrap());

    // Two follow it, and a preview looks at it. The answer holds the registered address and nothing of the request but
    // the link's code.
    let cursor = stage.get(WHO, "/v1/clicks/live").await["next"].as_str().unwrap().to_owned();
    let mut page = String::new();
    for agent in [IPHONE, IPHONE, "facebookexternalhit/1.1"] {
        let answer = follow(&stage, &link, agent).await;
        assert_eq!(answer.status, StatusCode::FOUND, "{}", answer.text);
        let to = answer.headers[header::LOCATION].to_str().unwrap();
        page = to.strip_prefix(HOUSE).unwrap().to_owned();
        assert!(page.starts_with("/p/") && page.ends_with(&format!("?from={code}")), "{to}");
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
    stage.idle().await;
    stage.advance(seconds(7)).await;

    // As it is told live: by the poll, and as server-sent events.
    let live = stage.get(WHO, &format!("/v1/clicks/live?after={cursor}")).await;
    let bots: Vec<&Value> =
        live["items"].as_array().unwrap().iter().map(|click| &click["bot"]).collect();
    assert_eq!(bots.len(), 3, "{live}");
    assert_eq!(bots.iter().filter(|bot| bot.is_null()).count(), 2, "{live}");
    let mut told = streamed(&stage, &cursor, 3).await;
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|click| click["link"] == code && click["post"] == post), "{told:?}");
    told.iter_mut().for_each(|click| assert!(click["at"].take().is_string()));

    // One of them asks on the product's page, which the link's code tells from where they came.
    let form = visit(&stage, Request::get(&page).body(Body::empty()).unwrap()).await;
    assert!(form.text.contains("Aurora Flat White"), "{}", form.text);
    let hidden = |name: &str| {
        let (_, after) = form.text.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        after.split('"').next().unwrap().to_owned()
    };
    let (opened, from) = (hidden("opened"), hidden("from"));
    stage.advance(seconds(20)).await;
    let body = form_urlencoded(&[
        ("name", "Grace"),
        ("email", "grace@example.org"),
        ("message", "I love your coffee! Do you have a wonderful oat milk version, too?"),
        ("consent", "yes"),
        ("website", ""),
        ("opened", &opened),
        ("from", &from),
    ]);
    let asked = Request::post(page.split('?').next().unwrap())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body));
    let answer = visit(&stage, asked.unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    stage.idle().await;

    // The shop's inbox has it, with how it sounds, and from which post it came.
    let inbox = stage.get(WHO, "/v1/inquiries").await;
    let [inquiry] = inbox["items"].as_array().unwrap().as_slice() else { panic!("{inbox}") };
    assert_eq!(inquiry["name"], "Grace");
    assert_eq!(inquiry["from"], json!({ "link": code, "post": post }));
    assert_eq!(inquiry["sentiment"]["label"], "positive", "{inquiry}");

    // The reports: the two, the phone they came with, the post they came from; and the day's mood.
    let series = stage.get(WHO, &format!("/v1/reports/clicks?post={post}")).await;
    assert_eq!(
        (&series["clicks"], &series["visitors"]["count"]),
        (&json!(2), &json!(1)),
        "{series}"
    );
    let top = stage.get(WHO, "/v1/reports/clicks/top?by=post").await;
    assert_eq!(top["items"], json!([{ "value": post, "clicks": 2, "before": 0 }]));
    let moods = stage.get(WHO, &format!("/v1/reports/sentiment?product={product}")).await;
    let last = moods["days"].as_array().unwrap().last().unwrap();
    assert_eq!(last["positive"], 1, "{moods}");

    // Nobody of another house sees any of it.
    let strangers = stage.get("elsewhere/operator", "/v1/inquiries").await;
    assert_eq!(strangers["items"], json!([]));
    let strangers = stage.get("elsewhere/operator", "/v1/reports/clicks").await;
    assert_eq!(strangers["clicks"], 0);

    // The night counts the day anew, and finds the same. What was kept says nothing of who it was.
    stage.clock.move_to(stage.now().saturating_add(SignedDuration::from_hours(26)).unwrap());
    let counted = stage.host.function("recount").unwrap().call(b"{}", None).await.unwrap();
    let counted: Value = serde_json::from_str(counted.get()).unwrap();
    assert_eq!((&counted["counted"], &counted["corrected"]), (&json!(1), &json!(0)), "{counted}");
    let series = stage.get(WHO, &format!("/v1/reports/clicks?post={post}")).await;
    assert_eq!(series["clicks"], 2, "{series}");
    everything_is_silent_about_the_visitor(&stage);

    // A year later the inquiry is gone, and the day's mood is not: nobody stands in it.
    stage.clock.move_to(stage.now().saturating_add(SignedDuration::from_hours(24 * 366)).unwrap());
    let inbox = stage.get(WHO, "/v1/inquiries").await;
    assert_eq!(inbox["items"], json!([]));
}

/// What lies where nobody looks each day: a click that could not be counted, what is measured, what is exported.
#[tokio::test]
async fn n10_dead_letters_metrics_and_exports_are_silent_about_the_visitor() {
    let stage = Stage::with_keys(&[], &[("LINK_BASE", BASE), ("ACK", "commit")], |_| {}).await;
    let link =
        json!({ "code": "spring", "link": { "targets": [{ "address": "https://a.example/" }] } });
    let made = stage.api(WHO, Method::POST, "/v1/links", Some(link)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let octets = VISITOR.parse::<Ipv4Addr>().unwrap().octets();
    let click = async || {
        let agent = format!("Mozilla/5.0 (X11; {VISITOR} {}) Firefox/121.0", hex::encode(octets));
        let from = format!("https://p{}.dip.example/{VISITOR}", hex::encode(octets));
        let request = Request::get("/c/spring")
            .header(header::USER_AGENT, agent)
            .header(header::ACCEPT, "*/*")
            .header(header::REFERER, from);
        assert_eq!(
            visit(&stage, request.body(Body::empty()).unwrap()).await.status,
            StatusCode::FOUND
        );
    };
    click().await;
    stage.idle().await;
    // Of the second one whoever receives it dies, as often as its queue allows.
    click().await;
    let [queue, dead] = ["AttributeQueue", "AttributeDeadLetters"].map(|q| QueueAddress(q.into()));
    for _ in 0..6 {
        stage.host.queues().receive(&queue, 10, seconds(1)).await.unwrap();
        stage.clock.move_to(stage.now().saturating_add(SignedDuration::from_secs(2)).unwrap());
    }
    let letters = stage.host.queues().receive(&dead, 10, seconds(1)).await.unwrap();
    assert_eq!(letters.len(), 1);
    let mut told = vec![letters[0].body.clone()];

    stage.advance(seconds(3600)).await;
    let metrics = Request::get("/metrics").body(Body::empty()).unwrap();
    told.push(answer_of_house(&stage.host, metrics).await.text);
    for report in
        ["clicks?", "clicks/top?by=referrer&", "clicks/top?by=device&", "clicks/top?by=link&"]
    {
        let path = format!("/v1/reports/{report}format=csv");
        let answer = stage.api(WHO, Method::GET, &path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert!(answer.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/csv"));
        told.push(answer.text);
    }
    assert!(told[1].contains("click-track") && told[3].contains("dip.example"), "{told:?}");
    for text in told {
        assert!(!spellings().is_match(&text), "{text}");
    }
    everything_is_silent_about_the_visitor(&stage);
}

/// A host that is told to stop hands on what it answered before it ends.
#[tokio::test]
async fn a_click_that_was_answered_before_the_host_stops_is_not_lost() {
    let stage = Stage::with_keys(&[], &[("ACK", "window")], |_| {}).await;
    let link =
        json!({ "code": "spring", "link": { "targets": [{ "address": "https://a.example/" }] } });
    stage.api(WHO, Method::POST, "/v1/links", Some(link)).await;
    let apis: Vec<String> = stage.host.apis().map(|(id, _)| id.to_owned()).collect();
    let listeners = Listeners::bind(0, apis).await.unwrap();
    let request =
        Request::get("/c/spring").header(header::USER_AGENT, IPHONE).header(header::ACCEPT, "*/*");
    let answer = visit(&stage, request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::FOUND);
    // Nobody polls any more: what was handed on lies there.
    let stop = CancellationToken::new();
    stop.cancel();
    Arc::clone(&stage.host).serve(listeners, stop).await.unwrap();
    let status = stage.host.queue_status().await.unwrap();
    let queue = status.iter().find(|status| status.queue == "AttributeQueue").unwrap();
    assert_eq!(queue.depth.visible, 1, "{:?}", queue.depth);
}

fn form_urlencoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// So many clicks as events, from a cursor on.
async fn streamed(stage: &Stage, cursor: &str, count: usize) -> Vec<Value> {
    let request = Request::get(format!("/v1/clicks/live?after={cursor}"))
        .header(header::AUTHORIZATION, format!("Bearer {}", stage.token(&[WHO])))
        .header(header::ACCEPT, "text/event-stream");
    let api = stage.host.api();
    let response = api.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let (mut body, mut text) = (response.into_body().into_data_stream(), String::new());
    while text.matches("\n\n").count() < count {
        text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
    }
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// How the visitor's address may be written.
fn spellings() -> AhoCorasick {
    let octets = VISITOR.parse::<Ipv4Addr>().unwrap().octets();
    AhoCorasick::new([
        VISITOR.to_owned(),
        hex::encode(octets),
        hex::encode(VISITOR),
        STANDARD.encode(VISITOR),
    ])
    .unwrap()
}

/// No file of the data directory has the visitor's address: neither rows, queues, blobs, mails nor the vault.
fn everything_is_silent_about_the_visitor(stage: &Stage) {
    let spellings = spellings();
    let mut folders = vec![stage.folder().unwrap().to_path_buf()];
    let mut looked_at = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            looked_at += bytes.len();
            assert!(!spellings.is_match(&bytes), "{} holds the address", path.display());
        }
    }
    assert!(looked_at > 100_000, "the store was looked at: {looked_at} bytes");
}
