//! Journeys through the one-machine host with TikTok and X on loopback: an account is connected, a post is approved,
//! sent and seen; an account ends, from here or from outside; tokens run out; a network asks to wait; and whatever
//! happens, no secret stands anywhere but in the vault.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use nexus_core::vault::{Freshness, SecretName};
use nexus_core::{Scope, records};
use nexus_engine::draft::draft_key;
use nexus_engine::{Draft, DraftId, draft};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Timestamp};
use nexus_local::engines::Engines;
use nexus_testkit::networks::tiktok::{self, TikTok};
use nexus_testkit::networks::x::{self, Call, X};
use nexus_testkit::people;
use serde_json::{Value, json};

use crate::stage::{Answer, Stage, answer, answer_of_house, hurry, tenant};

mod canaries;

const WHO: &str = "aurora/operator";
const BOSS: &str = "aurora/approver";
const OTHER: &str = "borealis/approver";
/// Where the template has networks send people back to.
const HOUSE: &str = "http://127.0.0.1:8081";

fn mins(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

fn hours(n: u64) -> Duration {
    mins(n * 60)
}

/// A host, and the networks that it is led to.
struct World {
    stage: Stage,
    clock: ManualClock,
    tiktok: TikTok,
    x: X,
    /// Every answer of the house, but for the addresses by which a person goes to a network.
    told: Mutex<String>,
    /// How often somebody went to connect an account.
    begun: AtomicUsize,
}

/// A connected account.
#[derive(Debug, Clone)]
struct Account {
    id: String,
}

impl World {
    /// With films of two seconds.
    async fn open() -> Self {
        Self::with(hurry).await
    }

    /// Without voices and films: posts show their picture.
    async fn of_pictures() -> Self {
        Self::with(|engines| engines.ffmpeg = None).await
    }

    async fn with(change: impl FnOnce(&mut Engines)) -> Self {
        let clock = ManualClock::at(Stage::start());
        let tiktok = TikTok::open().await.unwrap();
        let x = X::open(Arc::new(clock.clone())).await.unwrap();
        tiktok.change(|rules| {
            rules.redirect = format!("{HOUSE}/v1/connections/callback");
            // It does not go by the clock of the test.
            rules.limits = false;
        });
        let (of_tiktok, of_x) = (tiktok.settings(), x.settings());
        let settings: Vec<(&str, &str)> =
            of_tiktok.iter().chain(&of_x).map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let keys = [("tiktok", tiktok::CLIENT_SECRET), ("x", x::CLIENT_SECRET)];
        let stage = Stage::by_clock(clock.clone(), &keys, &settings, change).await;
        Self { stage, clock, tiktok, x, told: Mutex::default(), begun: AtomicUsize::new(0) }
    }

    fn note(&self, said: &Answer) {
        let mut told = self.told.lock().unwrap();
        told.push_str(&format!("{} {:?} {}\n", said.status, said.headers, said.text));
    }

    async fn api(&self, who: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let said = self.stage.api(who, method, path, body).await;
        self.note(&said);
        said
    }

    async fn get(&self, path: &str) -> Value {
        let said = self.api(BOSS, Method::GET, path, None).await;
        assert_eq!(said.status, StatusCode::OK, "{path}: {}", said.text);
        said.body
    }

    async fn set(&self, who: &str, networks: &[&str]) {
        let settings = json!({ "languages": ["en"], "networks": networks });
        let said = self.api(who, Method::PUT, "/v1/settings", Some(settings)).await;
        assert_eq!(said.status, StatusCode::OK, "{}", said.text);
    }

    /// The address to which a person is sent, who begins at this path under a key of their own.
    async fn begin(&self, who: &str, path: &str, body: Option<Value>) -> String {
        let key = self.begun.fetch_add(1, Ordering::Relaxed);
        let said = self.under_key(&format!("begin-{key}"), who, path, body).await;
        assert_eq!(said.status, StatusCode::OK, "{}", said.text);
        said.body["address"].as_str().unwrap().to_owned()
    }

    /// A request that may be sent again; its answer tells a secret to whom it belongs, and is not noted.
    async fn under_key(&self, key: &str, who: &str, path: &str, body: Option<Value>) -> Answer {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .header("authorization", format!("Bearer {}", self.stage.token(&[who])));
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        answer(self.stage.host.api(), request.body(body).unwrap()).await
    }

    /// What a browser does: opens the address, grants what is asked for, and is sent back.
    async fn grant(&self, address: &str) -> Answer {
        let back = match address.starts_with(&self.x.base()) {
            true => self.x.grant(address).unwrap(),
            false => self.tiktok.consent(address).unwrap(),
        };
        let path = back.strip_prefix(HOUSE).unwrap().to_owned();
        let request = Request::get(path).body(Body::empty()).unwrap();
        let said = answer(self.stage.host.api(), request).await;
        self.note(&said);
        said
    }

    async fn connect(&self, who: &str, network: &str) -> Account {
        let label = format!("The shop at {network}");
        let body = json!({ "network": network, "label": label });
        let address = self.begin(who, "/v1/connections", Some(body)).await;
        let page = self.grant(&address).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert!(page.text.contains("<h1>Connected</h1>"), "{}", page.text);
        assert!(page.text.contains(&label), "{}", page.text);
        let listed = self.api(who, Method::GET, "/v1/connections", None).await.body;
        let of_label = |c: &&Value| c["label"] == *label && c["state"] == "connected";
        let found = listed["items"].as_array().unwrap().iter().find(of_label).unwrap();
        Account { id: found["id"].as_str().unwrap().to_owned() }
    }

    async fn connection(&self, account: &Account) -> Value {
        let listed = self.get("/v1/connections").await;
        let found = listed["items"].as_array().unwrap().iter().find(|c| c["id"] == *account.id);
        found.unwrap().clone()
    }

    /// The draft of a photo that went through the line.
    async fn draft(&self, who: &str) -> Value {
        let draft = self.stage.draft(who, "coffee.png").await;
        assert_eq!(draft["stage"], "awaiting_approval", "{draft}");
        draft
    }

    /// The same draft with other words, put where drafts stand.
    async fn copy(&self, who: &str, draft: &Value, words: &str) -> Value {
        let (scope, host) = (scope(who), &self.stage.host);
        let id = DraftId::parse(draft["id"].as_str().unwrap()).unwrap();
        let (key, now) = (draft_key(&scope, id), self.stage.now());
        let mut copy =
            records::load::<Draft>(host.table(), &key, now).await.unwrap().unwrap().record;
        copy.id = DraftId::draw(&*host.ambient().ids);
        (copy.stage, copy.posts) = (draft::Stage::AwaitingApproval, Vec::new());
        for of_language in copy.words.values_mut() {
            for caption in of_language.copy.captions.values_mut() {
                words.clone_into(caption);
            }
        }
        host.table().commit(vec![records::create(&scope, &copy)], None).await.unwrap();
        self.api(who, Method::GET, &format!("/v1/drafts/{}", copy.id), None).await.body
    }

    async fn approve(
        &self,
        who: &str,
        draft: &Value,
        at: Option<Timestamp>,
        choices: Value,
    ) -> Answer {
        let path = format!("{}/approve", place(draft));
        let mut approval = json!({ "digest": draft["proposal"]["digest"], "choices": choices });
        if let Some(at) = at {
            approval["at"] = json!(at);
        }
        self.api(who, Method::POST, &path, Some(approval)).await
    }

    /// Approves; the posts' ids by network.
    async fn approved(
        &self,
        who: &str,
        draft: &Value,
        at: Option<Timestamp>,
        choices: Value,
    ) -> Vec<(String, String)> {
        let said = self.approve(who, draft, at, choices).await;
        assert_eq!(said.status, StatusCode::OK, "{}", said.text);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let posts = said.body["posts"].as_array().unwrap();
        posts.iter().map(|post| (text(&post["network"]), text(&post["id"]))).collect()
    }

    async fn post(&self, who: &str, id: &str) -> Value {
        let said = self.api(who, Method::GET, &format!("/v1/posts/{id}"), None).await;
        assert_eq!(said.status, StatusCode::OK, "{}", said.text);
        assert_eq!(said.body["history_is_whole"], true, "{}", said.text);
        said.body
    }

    fn later(&self, by: Duration) -> Option<Timestamp> {
        Some(self.stage.now() + jiff::SignedDuration::try_from(by).unwrap())
    }

    /// What an account's tokens are in the vault, opened with its master key.
    async fn held(&self, who: &str, network: &str, account: &Account) -> Option<String> {
        let ambient = Ambient::seeded(Arc::new(self.clock.clone()), 9);
        let vault = nexus_local::keys::vault(self.stage.folder().unwrap(), &ambient).unwrap();
        let name = SecretName::of(&scope(who), format!("{network}-{}", account.id)).unwrap();
        let held = vault.read(&name, Freshness::Fresh).await.unwrap();
        held.map(|held| held.value.reveal().clone())
    }

    /// What the tenant was told, newest first.
    async fn notices(&self) -> Vec<Value> {
        self.get("/v1/notices").await["items"].as_array().unwrap().clone()
    }

    fn assert_nothing_wrong(&self) {
        assert_eq!((self.tiktok.wrong(), self.x.wrong()), (Vec::new(), Vec::new()));
    }
}

fn scope(who: &str) -> Scope {
    let (name, _) = who.split_once('/').unwrap();
    people::scope(tenant(name))
}

fn place(draft: &Value) -> String {
    format!("/v1/drafts/{}", draft["id"].as_str().unwrap())
}

/// What TikTok is to be told.
fn public(account: &Account) -> Value {
    json!({ &account.id: { "privacy": "everyone", "comments": true } })
}

/// The post to a network, of those that a draft became.
fn of<'p>(posts: &'p [(String, String)], network: &str) -> &'p str {
    &posts.iter().find(|(of, _)| of == network).unwrap().1
}

/// Where a post has been, in order.
fn way(post: &Value) -> Vec<&str> {
    let moves = post["history"].as_array().unwrap().iter();
    let mut way: Vec<&str> = moves.map(|moved| moved["to"].as_str().unwrap()).collect();
    way.dedup();
    way
}

/// Why a post is where it is.
fn why(post: &Value) -> &str {
    post["history"].as_array().unwrap().last().unwrap()["reason"].as_str().unwrap()
}

#[tokio::test]
async fn n15_n37_n42_accounts_are_connected_and_what_was_approved_is_there_once() {
    let world = World::open().await;
    let (tiktok, x) = (world.connect(BOSS, "tiktok").await, world.connect(BOSS, "x").await);
    for account in [&tiktok, &x] {
        let shown = world.connection(account).await;
        assert_eq!(shown["state"], "connected", "{shown}");
    }
    world.set(BOSS, &["feed", "tiktok", "x"]).await;
    let draft = world.draft(WHO).await;
    assert_eq!(draft["films"]["en"]["duration_ms"].as_u64().map(|ms| ms > 0), Some(true));

    // What there is to choose, and what it costs.
    let asked = world.get(&format!("{}/preflight", place(&draft))).await;
    assert_eq!(asked["digest"], draft["proposal"]["digest"]);
    let of_place = |place: &str| {
        asked["posts"].as_array().unwrap().iter().find(|post| post["place"] == *place).unwrap()
    };
    let (at_tiktok, at_x, at_feed) = (of_place(&tiktok.id), of_place(&x.id), of_place("feed"));
    assert_eq!(at_tiktok["offers"]["nickname"], "Ada's Shop");
    assert_eq!(at_tiktok["offers"]["privacy"], json!(["everyone", "friends", "only_me"]));
    assert_eq!(at_tiktok["problems"][0]["field"], "choices.privacy", "{at_tiktok}");
    assert_eq!((&at_x["problems"], &at_feed["problems"]), (&json!([]), &json!([])));
    // A post with a link, and the words for its film.
    assert_eq!(at_x["cost_micros"], 205_000, "{at_x}");
    let note = at_x["notes"][0].as_str().unwrap();
    assert!(note.contains("0.205 dollars") && note.contains("10 times cheaper"), "{at_x}");

    // Nobody chooses for the approver.
    let refused = world.approve(BOSS, &draft, None, json!({})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    let field = format!("choices.{}.privacy", tiktok.id);
    assert!(refused.text.contains(&field), "{}", refused.text);
    let an_hour = world.later(hours(1));
    let posts = world.approved(BOSS, &draft, an_hour, public(&tiktok)).await;
    assert_eq!(posts.len(), 3);
    world.stage.advance(mins(55)).await;
    assert_eq!((world.tiktok.named(), world.x.posts().len()), (0, 0), "it is not their time");
    world.stage.advance(mins(30)).await;

    // There once, with what was approved, to the letter.
    let (at_tiktok, at_x) = (world.tiktok.posts(), world.x.posts());
    assert_eq!((at_tiktok.len(), at_x.len()), (1, 1));
    let planned = |network: &str| {
        let planned = draft["proposal"]["posts"].as_array().unwrap();
        planned.iter().find(|post| post["network"] == network).unwrap().clone()
    };
    assert_eq!(at_tiktok[0].text, planned("tiktok")["text"].as_str().unwrap());
    assert_eq!(at_x[0].text, planned("x")["text"].as_str().unwrap());
    assert_eq!(
        (at_tiktok[0].privacy.as_str(), at_tiktok[0].is_aigc),
        ("PUBLIC_TO_EVERYONE", false)
    );
    assert_eq!(at_x[0].shows[0].content_type, "video/mp4");
    let film = nexus_kernel::Digest::of(&at_x[0].shows[0].bytes);
    assert_eq!(at_tiktok[0].digest, film);
    for network in ["feed", "tiktok", "x"] {
        let post = world.post(BOSS, of(&posts, network)).await;
        let mut expected = vec!["proposed", "approved", "sending", "accepted", "done"];
        expected.retain(|state| network == "tiktok" || *state != "accepted");
        assert_eq!(way(&post), expected, "{post}");
        assert_eq!((&post["attempts"], &post["video"]), (&json!(1), &json!(film)), "{post}");
        assert!(post["url"].is_string(), "{post}");
    }
    let seen = world.post(BOSS, of(&posts, "tiktok")).await;
    let number = at_tiktok[0].id.to_string();
    assert!(seen["url"].as_str().unwrap().ends_with(&number), "{seen}");
    world.stage.advance(hours(2)).await;
    assert_eq!((world.tiktok.posts(), world.x.posts()), (at_tiktok, at_x), "nothing comes twice");

    // What TikTok's moderation refuses, its approver reads.
    world.tiktok.change(|rules| rules.moderation = Some("spam_risk_text".to_owned()));
    let other = world.copy(BOSS, &draft, "Cheap cups, cheap cups!").await;
    let posts = world.approved(BOSS, &other, None, public(&tiktok)).await;
    world.stage.advance(mins(30)).await;
    let post = world.post(BOSS, of(&posts, "tiktok")).await;
    assert_eq!(post["state"], "refused", "{post}");
    assert!(way(&post).contains(&"accepted"));
    assert!(why(&post).contains("TikTok took the text for spam"), "{}", why(&post));
    assert_eq!(world.post(BOSS, of(&posts, "x")).await["state"], "done");
    world.assert_nothing_wrong();
}

#[tokio::test]
async fn n41_n62_an_owner_ends_it_at_the_network_and_everything_of_it_ends_here() {
    let world = World::open().await;
    let (tiktok, x) = (world.connect(BOSS, "tiktok").await, world.connect(BOSS, "x").await);
    world.set(BOSS, &["tiktok", "x"]).await;
    let first = world.draft(WHO).await;
    let second = world.copy(BOSS, &first, "Two cups, one table.").await;
    let soon = world.approved(BOSS, &first, world.later(hours(1)), public(&tiktok)).await;
    let late = world.approved(BOSS, &second, world.later(hours(5)), public(&tiktok)).await;
    assert!(world.held(BOSS, "tiktok", &tiktok).await.unwrap().contains("canary-act"));

    world.tiktok.owner_removes_the_application();
    world.stage.advance(hours(1) + mins(10)).await;
    let ended = world.connection(&tiktok).await;
    assert_eq!(ended["state"], "revoked", "{ended}");
    assert!(ended["why"].as_str().unwrap().contains("Connect the account again"), "{ended}");
    assert_eq!(world.held(BOSS, "tiktok", &tiktok).await, None, "its tokens are gone");
    assert_eq!(
        (world.tiktok.named(), world.x.posts().len()),
        (0, 1),
        "X has nothing to do with it"
    );
    assert_eq!(world.post(BOSS, of(&soon, "x")).await["state"], "done");
    let waited = world.post(BOSS, of(&late, "tiktok")).await;
    assert_eq!(
        (&waited["state"], why(&waited)),
        (&json!("cancelled"), "its account was disconnected")
    );
    // This one had been begun; nothing of it was sent, which is certain, and it says what to do.
    let begun = world.post(BOSS, of(&soon, "tiktok")).await;
    assert_eq!(begun["state"], "refused", "{begun}");
    assert!(why(&begun).contains("again"), "{}", why(&begun));
    let told = world.notices().await;
    let of_code =
        |code: &str| -> &Value { told.iter().find(|notice| notice["code"] == code).unwrap() };
    let (revoked, unsent) = (of_code("revoked_outside"), of_code("post_not_sent"));
    assert_eq!(told.len(), 2, "the account, and the post that was begun: {told:?}");
    assert_eq!((&revoked["about"], &unsent["about"]), (&json!(tiktok.id), &begun["id"]));
    let text = revoked["text"].as_str().unwrap();
    assert!(text.contains("does not let this application post"), "{text}");

    // Connected again, its history goes on.
    let path = format!("/v1/connections/{}/reconnect", tiktok.id);
    let page = world.grant(&world.begin(BOSS, &path, None).await).await;
    assert!(page.text.contains("connected again"), "{}", page.text);
    let shown = world.connection(&tiktok).await;
    assert_eq!((&shown["state"], &shown["created"]), (&json!("connected"), &ended["created"]));
    assert!(world.held(BOSS, "tiktok", &tiktok).await.is_some());
    let third = world.copy(BOSS, &first, "Three cups, no table.").await;
    let again = world.approved(BOSS, &third, None, public(&tiktok)).await;
    world.stage.advance(hours(5)).await;
    assert_eq!(world.post(BOSS, of(&again, "tiktok")).await["state"], "done");
    assert_eq!(world.tiktok.posts().len(), 1, "what was called off stays so");
    assert_eq!(world.connection(&x).await["state"], "connected");
    assert_eq!(world.x.posts().len(), 3);
    // Tokens that served no more were shown once each.
    let wrong = world.tiktok.wrong();
    assert!(wrong.len() == 2 && wrong[0].contains("access_token_invalid"), "{wrong:?}");
    assert!(wrong[1].starts_with("/v2/oauth/token/") && world.x.wrong().is_empty(), "{wrong:?}");
}

#[tokio::test]
async fn n62_a_person_disconnects_an_account_and_reads_a_receipt() {
    let world = World::open().await;
    let (tiktok, x) = (world.connect(BOSS, "tiktok").await, world.connect(BOSS, "x").await);
    world.set(BOSS, &["tiktok", "x"]).await;
    let first = world.draft(WHO).await;
    let posts = world.approved(BOSS, &first, world.later(hours(1)), public(&tiktok)).await;
    for (network, account) in [("tiktok", &tiktok), ("x", &x)] {
        let path = format!("/v1/connections/{}", account.id);
        let by_operator = world.api(WHO, Method::DELETE, &path, None).await;
        assert_eq!(by_operator.status, StatusCode::FORBIDDEN);
        let receipt = world.api(BOSS, Method::DELETE, &path, None).await;
        assert_eq!(receipt.status, StatusCode::OK, "{}", receipt.text);
        let receipt = receipt.body;
        assert_eq!((&receipt["posts_cancelled"], &receipt["too_late"]), (&json!(1), &json!([])));
        assert_eq!(
            (&receipt["tokens_deleted"], &receipt["network_told"], &receipt["remains"]),
            (&json!(true), &json!(true), &json!("sealed_in_backups")),
            "{receipt}"
        );
        assert_eq!(receipt["connection"]["state"], "revoked");
        assert_eq!(world.held(BOSS, network, account).await, None);
        let post = world.post(BOSS, of(&posts, network)).await;
        assert_eq!(why(&post), "its account was disconnected", "{post}");
        // Twice is once.
        let again = world.api(BOSS, Method::DELETE, &path, None).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    }
    let at_tiktok: Vec<String> = world.tiktok.asked().into_iter().map(|asked| asked.path).collect();
    assert!(at_tiktok.contains(&"/v2/oauth/revoke/".to_owned()), "{at_tiktok:?}");
    assert!(!world.x.asked(Call::Revoke).is_empty());
    world.stage.advance(hours(2)).await;
    assert_eq!((world.tiktok.named(), world.x.posts().len()), (0, 0));
    assert_eq!(world.x.wrong(), Vec::<String>::new());
    let path = format!("/v1/connections/{}", x.id);
    let foreign = world.api(OTHER, Method::DELETE, &path, None).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{}", foreign.text);
}

#[tokio::test]
async fn n38_n40_tokens_of_two_hours_serve_all_day_and_no_loss_is_silent() {
    let world = World::of_pictures().await;
    world.x.end_on_replay();
    let x = world.connect(BOSS, "x").await;
    world.set(BOSS, &["x"]).await;
    let draft = world.draft(WHO).await;
    let first = world.held(BOSS, "x", &x).await.unwrap();
    world.stage.advance(hours(3)).await;
    assert!(world.x.asked(Call::Token).len() >= 3, "it was refreshed, ahead of time");
    assert_ne!(world.held(BOSS, "x", &x).await.unwrap(), first);
    let posts = world.approved(BOSS, &draft, None, json!({})).await;
    world.stage.advance(mins(5)).await;
    assert_eq!(world.post(BOSS, of(&posts, "x")).await["state"], "done");
    world.stage.advance(hours(9)).await;
    assert_eq!(world.connection(&x).await["state"], "connected", "no refresh token came twice");
    assert_eq!(world.notices().await, Vec::<Value>::new());

    // An answer with new tokens is lost: the network knows them, and nobody here does.
    let waiting = world.copy(BOSS, &draft, "Late cups.").await;
    let posts = world.approved(BOSS, &waiting, world.later(hours(6)), json!({})).await;
    world.x.fail_next(Call::Token, x::Fault::Lost);
    world.stage.advance(hours(3)).await;
    let shown = world.connection(&x).await;
    assert_eq!(shown["state"], "reconnect_needed", "{shown}");
    let told = world.notices().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0]["text"].as_str().unwrap().contains("connected again"), "{told:?}");
    assert_eq!(told[0]["code"], "reconnect_needed");
    assert_eq!(told[0]["about"], *x.id);
    world.stage.advance(hours(4)).await;
    let post = world.post(BOSS, of(&posts, "x")).await;
    assert_eq!(post["state"], "cancelled", "{post}");
    assert!(why(&post).contains("Connect the account again"), "{}", why(&post));
    assert_eq!(world.x.posts().len(), 1);
    world.assert_nothing_wrong();
}

#[tokio::test]
async fn a_network_that_asks_to_wait_is_waited_for_and_holds_up_nobody_else() {
    const DUE: usize = 24;
    /// How many posts an account may have in X's quarter of an hour.
    const WINDOW: usize = 5;
    let world = World::of_pictures().await;
    world.x.limit_posts(WINDOW as u32);
    let mut plans = Vec::new();
    for (person, who, count) in [(1, BOSS, DUE), (2, OTHER, WINDOW)] {
        world.x.sign_in(person);
        world.connect(who, "x").await;
        world.set(who, &["x"]).await;
        let draft = world.draft(who).await;
        for n in 0..count {
            plans.push((who, world.copy(who, &draft, &format!("Cup number {n}.")).await));
        }
    }
    let at = world.later(mins(20));
    let mut posts = Vec::new();
    for (who, draft) in &plans {
        let approved = world.approved(who, draft, at, json!({})).await;
        posts.extend(approved.into_iter().map(|(_, id)| (*who, id)));
    }
    let there =
        |account: &str| world.x.posts().into_iter().filter(|p| p.account == account).count();
    let (busy, other) = ("2244994945", "2244994946");
    world.stage.advance(mins(21)).await;
    assert_eq!((there(busy), there(other)), (WINDOW, WINDOW));
    // As many as go out at a time may have asked before the first was told to wait.
    let most = |windows: usize| WINDOW + windows * (WINDOW + 8);
    let asked = || world.x.asked(Call::Create).len();
    assert!(asked() <= most(1), "{} calls", asked());
    world.stage.advance(mins(10)).await;
    assert!(asked() <= most(1), "{} calls: it is left alone until its window is over", asked());
    world.stage.advance(hours(2)).await;
    assert!(asked() <= most(5), "{} calls", asked());

    // Each is there once, or its approver reads that its time ran out.
    let (mut live, mut over) = (0, 0);
    for (who, id) in &posts {
        let post = world.post(who, id).await;
        match post["state"].as_str().unwrap() {
            "done" => live += 1,
            "cancelled" => {
                over += 1;
                assert_eq!(*who, BOSS);
                assert!(!why(&post).is_empty(), "{post}");
            }
            _ => panic!("{post}"),
        }
    }
    assert_eq!((live + over, there(busy) + there(other)), (DUE + WINDOW, live));
    assert!(live >= 4 * WINDOW && over > 0, "{live} live, {over} over");
    world.assert_nothing_wrong();
}
