use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use jiff::SignedDuration;
use nexus_contract::START;
use nexus_core::approval::{self, Redeemed, Unsure};
use nexus_core::effect::{Found, Outcome};
use nexus_core::{Approved, CallContext, Product, Vault};
use nexus_engine::EnginePlatform as _;
use nexus_engine::comments::Remark;
use nexus_engine::connections::{Access, Ask, ConnectionId, Login, LoginError};
use nexus_engine::publishing::{Medium, Network, PostPlan, Privacy, Publisher};
use nexus_kernel::{FailureKind, Secret};
use nexus_outbound::request::{Piece, To};
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{
    Answer, CallError, Parts, Reading, Repeat, Request, Transport, TransportError,
};
use nexus_testkit::MemoryPlatform;
use proptest::prelude::*;
use serde_json::Value;

use super::request::{self, Client, OPERATIONS, Status};
use super::response::Limits;
use super::{Mastodon, login, port, response};
use crate::footage::trial::{answer, recordings, sends_exactly, told};
use crate::posting;

const TEXT: &str = "Two cups & a view.\n\nhttps://shop.example/l/abc?a=1&b=2 #Coffee";
const FILM: &[u8] = b"not really an mp4";
const ALT: &str = "A cup of coffee on a table.";
const REDIRECT: &str = "https://nexus.example/connections/callback";
const TOKEN: &str = "canary-access";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn client() -> Client {
    Client { id: secret("client"), secret: secret("client-secret") }
}

fn upload() -> Request {
    let film = Bytes::from_static(FILM);
    request::upload(&secret(TOKEN), "0123.mp4".to_owned(), "video/mp4", film, Some(ALT))
}

fn status() -> Request {
    let (medium, language, key) = (Some("22348641"), "en", "eff_0001");
    request::status(&secret(TOKEN), &Status { text: TEXT, medium, language, key })
}

fn debug<T: std::fmt::Debug>(read: Result<Reading<T>, CallError>) -> String {
    format!("{:?}", read.map(|reading| reading.value))
}

/// What is read out of a recording of each operation.
fn read(operation: &str, answer: &Answer) -> String {
    match operation {
        "metadata" => debug(response::supported(answer)),
        "register" => {
            let read = response::registered(answer, START).map(|r| {
                let value = (r.value.id.reveal().clone(), "[secret]");
                Reading { value, usage: r.usage }
            });
            debug(read)
        }
        "token" | "refresh" => debug(login::granted(answer)),
        "revoke" => debug(response::revoked(answer, START)),
        "verify" => debug(response::account(answer, START)),
        "instance" => debug(response::limits(answer, START)),
        "upload" => debug(response::uploaded(answer, START)),
        "medium" => debug(response::ready(answer, START)),
        "status" => debug(response::posted(answer, START)),
        "statuses" => match response::listed(answer, START) {
            Ok(Reading { value, .. }) => {
                let places: Vec<_> = value
                    .statuses
                    .iter()
                    .map(|s| (&s.place, &s.id, &s.url, &s.made, &s.by))
                    .collect();
                format!("{places:?}, hides some: {}", value.hides_some)
            }
            Err(error) => format!("{error:?}"),
        },
        "context" => {
            let read = response::answers(answer, START).map(|reading| {
                let told =
                    |remark: &Remark| (remark.id.clone(), remark.at, remark.text.reveal().clone());
                reading.value.iter().map(told).collect::<Vec<_>>()
            });
            format!("{read:?}")
        }
        other => panic!("{other} is no operation"),
    }
}

const RECORDED: [&str; 12] = [
    "metadata", "register", "token", "refresh", "revoke", "verify", "instance", "upload", "medium",
    "status", "statuses", "context",
];

fn build(operation: &str, recording: &str) -> Request {
    let token = secret(TOKEN);
    match operation {
        "metadata" => request::metadata(),
        "register" => {
            request::register(REDIRECT, "profile read:statuses write:media write:statuses")
        }
        "token" => {
            request::token(&client(), REDIRECT, &secret("the-code"), &secret(&"v".repeat(43)))
        }
        "refresh" => request::refresh(&client(), &secret("old-refresh")),
        "revoke" => request::revoke(&client(), &secret("the-token")),
        "verify" => request::verify(&token),
        "instance" => request::instance(&token, recording.contains(".v1-")),
        "upload" => upload(),
        "medium" => request::medium(&token, "22348641"),
        "status" => status(),
        "statuses" => request::statuses(&token, "14715", None),
        "context" => request::context(&token, "103254962155278888"),
        other => panic!("{other} is no operation"),
    }
}

#[test]
fn every_operation_is_built_and_read_as_recorded() {
    for operation in RECORDED {
        let lines =
            told("mastodon", operation, |name| build(operation, name), |a| read(operation, a));
        insta::assert_snapshot!(operation, lines);
    }
}

#[test]
fn n39_what_a_server_says_in_words_and_tells_of_people_is_told_to_nobody() {
    for operation in RECORDED {
        for (name, recording) in recordings("mastodon", operation) {
            let told = read(operation, &recording.answer().unwrap());
            assert!(!told.to_lowercase().contains("canary"), "{name}: {told}");
        }
    }
}

#[test]
fn n34_nothing_goes_out_that_is_not_named_and_everything_named_is_used() {
    for operation in RECORDED {
        let mut built = vec![build(operation, "")];
        if operation == "statuses" {
            built.push(request::statuses(&secret(TOKEN), "14715", Some("1")));
        }
        sends_exactly(built[0].operation, &built);
    }
}

#[test]
fn n38_n39_these_are_all_the_questions_and_none_is_about_anybody() {
    let mut asked = BTreeSet::new();
    for operation in RECORDED {
        let request = build(operation, ".v1-");
        let To::Path(pieces) = &request.to else {
            panic!("{operation} goes to an address that was named")
        };
        let path: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Fixed(text) => (*text).to_owned(),
                Piece::Value(name, _) => (*name).to_owned(),
            })
            .collect();
        asked.insert(format!("{} {path}", request.method));
    }
    let all: BTreeSet<String> = [
        "GET /.well-known/oauth-authorization-server",
        "POST /api/v1/apps",
        "POST /oauth/token",
        "POST /oauth/revoke",
        "GET /api/v1/accounts/verify_credentials",
        "GET /api/v1/instance",
        "POST /api/v2/media",
        "GET /api/v1/media/:id",
        "POST /api/v1/statuses",
        "GET /api/v1/accounts/:id/statuses",
        // What was answered, not who did: `n39_of_an_answer_…`.
        "GET /api/v1/statuses/:id/context",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(asked, all);
    let names: BTreeSet<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    let built: BTreeSet<&str> = RECORDED.iter().map(|o| build(o, "").operation.name).collect();
    assert_eq!(names, built);
    for operation in OPERATIONS {
        // What spends a code or shows a post is never repeated.
        let once = ["token", "refresh-token", "post-status"].contains(&operation.name);
        assert_eq!(operation.repeat == Repeat::Never, once, "{}", operation.name);
    }
}

#[test]
fn n39_of_an_answer_its_words_alone_are_read_and_only_where_everybody_may() {
    let recorded = recordings("mastodon", "context")["context.ok"].answer().unwrap();
    let heard = response::answers(&recorded, START).unwrap().value;
    let texts: Vec<&str> = heard.iter().map(|remark| remark.text.reveal().as_str()).collect();
    assert_eq!(texts, ["@ada I love it <3\n\nWhere can I buy two?", "Not for me.", ""]);
    let told = format!("{heard:?}");
    assert!(!told.contains("love") && !told.contains("anary"), "{told}");
}

#[test]
fn n38_the_least_scopes_are_asked_for_that_a_server_gives() {
    let of = |gives: &[&str]| {
        let gives: BTreeSet<String> = gives.iter().map(|scope| (*scope).to_owned()).collect();
        login::scopes(Some(&gives))
    };
    let fine = "read:accounts read:statuses write:media write:statuses";
    let least = "profile read:statuses write:media write:statuses";
    assert_eq!(login::scopes(None), (fine.to_owned(), Some("read write")));
    assert_eq!(of(&["read", "write", "follow"]), ("read write".to_owned(), None));
    assert_eq!(of(&["openid"]), (fine.to_owned(), Some("read write")));
    let all = ["read", "write", "read:accounts", "read:statuses", "write:media", "write:statuses"];
    assert_eq!(of(&all), (fine.to_owned(), None));
    assert_eq!(of(&[&all[..], &["profile"]].concat()), (least.to_owned(), None));
    let covered = |granted: &str| {
        let granted = granted.split(' ').map(str::to_owned).collect();
        let covered = login::covered(granted);
        fine.split(' ').filter(|scope| covered.contains(*scope)).count()
    };
    assert_eq!(
        ["read write", least, fine, "read", "write:statuses", ""].map(covered),
        [4, 4, 4, 2, 1, 0]
    );
}

#[test]
fn limits_are_held_against_a_post_by_the_field_that_has_to_change() {
    let platform = MemoryPlatform::new();
    let plan = posting::plan(&platform, Network::Mastodon, TEXT, FILM);
    let limits = Limits::default();
    let fields = |plan: &PostPlan, limits: &Limits| {
        port::problems(plan, limits)
            .into_iter()
            .map(|problem| problem.field)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let nothing = String::new();
    assert_eq!(fields(&plan, &limits), nothing);
    // The link in it has 34 characters; where links are counted as 23, that is 11 less.
    let length = TEXT.chars().count() as u64;
    assert_eq!(fields(&plan, &Limits { characters: length, ..limits.clone() }), nothing);
    assert_eq!(fields(&plan, &Limits { characters: length - 1, ..limits.clone() }), "text");
    let shorter = Limits { characters: length - 11, link: Some(23), ..limits.clone() };
    assert_eq!(fields(&plan, &shorter), nothing);
    assert_eq!(fields(&plan, &Limits { characters: length - 12, ..shorter }), "text");
    let kinds = |kind: &str| Some([kind.to_owned()].into());
    assert_eq!(fields(&plan, &Limits { kinds: kinds("video/mp4"), ..limits.clone() }), nothing);
    assert_eq!(fields(&plan, &Limits { kinds: kinds("image/png"), ..limits.clone() }), "media");
    assert_eq!(
        fields(&plan, &Limits { video: Some(17), picture: Some(1), ..limits.clone() }),
        nothing
    );
    assert_eq!(fields(&plan, &Limits { video: Some(16), ..limits.clone() }), "media");
    assert_eq!(fields(&plan, &Limits { description: 26, ..limits.clone() }), "description");
    let changed = |change: &dyn Fn(&mut PostPlan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        fields(&plan, &limits)
    };
    assert_eq!(changed(&|plan| plan.choices.privacy = Some(Privacy::Everyone)), nothing);
    assert_eq!(changed(&|plan| plan.choices.privacy = Some(Privacy::Followers)), "choices.privacy");
    assert_eq!(changed(&|plan| plan.media = None), nothing);
    let kind =
        |plan: &mut PostPlan| plan.media.as_mut().unwrap().content_type = "video/x-odd".to_owned();
    assert_eq!(changed(&kind), "media");
}

// ── answers that nobody would expect ──

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(members) => members.values().map(count).sum::<usize>(),
        Value::Array(members) => members.iter().map(count).sum(),
        _ => 0,
    }
}

/// The value in the place that the countdown ends at.
fn nth<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Object(members) => members.values_mut().find_map(|member| nth(member, left)),
        Value::Array(members) => members.iter_mut().find_map(|member| nth(member, left)),
        _ => None,
    }
}

fn odd_answers() -> impl Strategy<Value = Answer> {
    let bodies: Vec<Value> = RECORDED
        .iter()
        .flat_map(|operation| recordings("mastodon", operation).into_values())
        .filter_map(|recording| recording.response.body)
        .collect();
    let other = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[<>&;/a\"= ]{0,40}".prop_map(Value::from),
        prop::collection::vec(any::<bool>(), 0..3).prop_map(Value::from),
    ];
    let changed = (prop::sample::select(bodies), any::<prop::sample::Index>(), other).prop_map(
        |(mut body, place, other)| {
            let mut left = place.index(count(&body));
            *nth(&mut body, &mut left).unwrap() = other;
            Bytes::from(body.to_string())
        },
    );
    let body = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from),
        4 => changed,
    ];
    let status = prop_oneof![3 => Just(200u16), 1 => Just(422u16), 1 => 100u16..600];
    (status, body, "\\PC{0,30}").prop_map(|(status, body, reset)| {
        let mut headers = HeaderMap::new();
        headers.extend(
            reset
                .parse()
                .ok()
                .map(|reset| (http::HeaderName::from_static("x-ratelimit-reset"), reset)),
        );
        answer(status, headers, body)
    })
}

proptest! {
    #[test]
    fn no_answer_makes_a_reader_panic_and_no_odd_id_is_taken(answer in odd_answers()) {
        for operation in RECORDED {
            read(operation, &answer);
        }
        if let Ok(Reading { value: response::Posted::There { id, url }, .. }) = response::posted(&answer, START) {
            prop_assert!(!id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic()));
            prop_assert!(url.is_none_or(|url| url.starts_with("http")));
        }
    }
}

// ── the house, and a wire that plays a script ──

#[derive(Default)]
struct Script {
    scenes: Mutex<VecDeque<(String, Result<Answer, TransportError>)>>,
    strayed: Mutex<Vec<String>>,
    sent: Mutex<Vec<WireRequest>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: WireRequest, _: Duration) -> Result<Answer, TransportError> {
        let path = request.url.strip_prefix("https://social.example").unwrap_or(&request.url);
        let asked = format!("{} {path}", request.method);
        assert_eq!(request.hosts, ["social.example"]);
        let is_by_token =
            request.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(
            is_by_token.is_some(),
            path.starts_with("/api/") && path != "/api/v1/apps",
            "{path}"
        );
        self.sent.lock().unwrap().push(request);
        match self.scenes.lock().unwrap().pop_front() {
            Some((expected, answer)) if expected == asked => answer,
            next => {
                let expected = next.map(|(expected, _)| expected);
                self.strayed.lock().unwrap().push(format!("{asked} instead of {expected:?}"));
                Err(TransportError::Forbidden("the script says otherwise".into()))
            }
        }
    }
}

struct House {
    platform: MemoryPlatform,
    script: Arc<Script>,
    mastodon: Mastodon,
}

const METADATA: &str = "GET /.well-known/oauth-authorization-server";
const APPS: &str = "POST /api/v1/apps";
const TOKENS: &str = "POST /oauth/token";
const REVOKE: &str = "POST /oauth/revoke";
const VERIFY: &str = "GET /api/v1/accounts/verify_credentials";
const INSTANCE: &str = "GET /api/v2/instance";
const UPLOAD: &str = "POST /api/v2/media";
const MEDIUM: &str = "GET /api/v1/media/22348641";
const STATUS: &str = "POST /api/v1/statuses";
const STATUSES: &str =
    "GET /api/v1/accounts/14715/statuses?limit=40&exclude_reblogs=true&exclude_replies=true";

impl House {
    fn new() -> Self {
        let platform = MemoryPlatform::new();
        let script = Arc::new(Script::default());
        let parts = Parts {
            product: Product::Engine,
            table: Arc::new(platform.table.clone()),
            vault: Arc::new(platform.vault.clone()),
            transport: Arc::<Script>::clone(&script),
            ambient: platform.ambient(),
        };
        let tokens: Arc<dyn Vault> = Arc::new(platform.vault.clone());
        Self { platform, script, mastodon: Mastodon::new(parts, tokens) }
    }

    fn at(&self) -> CallContext {
        let until = self.platform.now().saturating_add(SignedDuration::from_secs(300)).unwrap();
        CallContext { scope: posting::scope(), until }
    }

    fn ask() -> Ask {
        Ask {
            server: Some("https://Social.Example/".to_owned()),
            redirect: REDIRECT.to_owned(),
            state: secret("the state+"),
            verifier: secret(&"v".repeat(43)),
        }
    }

    fn access() -> Access {
        let server = Some("https://social.example".to_owned());
        Access { connection: ConnectionId::derived(&["account"]), server, token: secret(TOKEN) }
    }

    /// The next request is this one, and is answered by a recording.
    fn answers(&self, asked: &str, recording: &str) -> &Self {
        let operation = recording.split('.').next().unwrap();
        let answer = recordings("mastodon", operation)[recording].answer().unwrap();
        self.then(asked, Ok(answer))
    }

    fn loses(&self, asked: &str) -> &Self {
        self.then(asked, Err(TransportError::Lost("reset after it was taken".into())))
    }

    fn then(&self, asked: &str, answer: Result<Answer, TransportError>) -> &Self {
        self.script.scenes.lock().unwrap().push_back((asked.to_owned(), answer));
        self
    }

    /// That everything was asked that the script says, and nothing else; and what was sent.
    fn is_played(&self) -> Vec<WireRequest> {
        assert_eq!(self.script.strayed.lock().unwrap().as_slice(), [""; 0]);
        let left: Vec<_> =
            self.script.scenes.lock().unwrap().drain(..).map(|(asked, _)| asked).collect();
        assert_eq!(left, [""; 0], "not asked");
        std::mem::take(&mut *self.script.sent.lock().unwrap())
    }

    async fn authorize(&self) -> Result<String, LoginError> {
        self.mastodon.authorize(&self.at(), &Self::ask()).await
    }

    async fn connected(&self) {
        self.answers(METADATA, "metadata.ok").answers(APPS, "register.ok");
        self.authorize().await.unwrap();
        self.is_played();
    }

    async fn exchange(&self) -> Result<nexus_engine::connections::Granted, LoginError> {
        self.mastodon.exchange(&self.at(), &Self::ask(), &secret("the-code")).await
    }

    async fn claimed(&self) -> Approved<PostPlan> {
        posting::claimed(&self.platform, self.plan()).await
    }

    fn plan(&self) -> PostPlan {
        posting::plan(&self.platform, Network::Mastodon, TEXT, FILM)
    }

    async fn publish(&self, approved: &mut Approved<PostPlan>) -> Outcome {
        self.mastodon
            .publish(&self.at(), Some(&Self::access()), approved, medium("video/mp4"))
            .await
    }

    /// The post after an attempt that ended so, and that much later.
    async fn unsure(
        &self,
        approved: Approved<PostPlan>,
        outcome: Outcome,
        seconds: i64,
    ) -> Unsure<PostPlan> {
        let id = approved.id();
        approval::settle(approved, outcome, "publish", self.platform.now()).await.unwrap();
        self.platform.advance(SignedDuration::from_secs(seconds));
        match self.platform.redeem(&posting::scope(), id, "publish", posting::LEASE).await.unwrap()
        {
            Redeemed::LookUp(unsure) => unsure,
            other => panic!("nobody knows what became of it: {other:?}"),
        }
    }

    /// A post whose answer was lost, that much later.
    async fn lost(&self, seconds: i64) -> Unsure<PostPlan> {
        self.answers(UPLOAD, "upload.ok").loses(STATUS);
        let mut approved = self.claimed().await;
        let outcome = self.publish(&mut approved).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
        self.is_played();
        self.unsure(approved, outcome, seconds).await
    }

    async fn look_up(&self, unsure: &Unsure<PostPlan>) -> Found {
        self.mastodon.look_up(&self.at(), Some(&Self::access()), unsure).await
    }

    /// Everything that stands in the table and its ledger, as text.
    async fn rows(&self) -> String {
        format!("{:?}", self.platform.rows().await)
    }
}

fn form(request: &WireRequest) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

fn value<'f>(form: &'f [(String, String)], name: &str) -> &'f str {
    form.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
}

// ── connecting ──

#[tokio::test(start_paused = true)]
async fn n36_a_person_is_sent_to_their_server_with_state_and_challenge_and_the_house_registers_once()
 {
    let house = House::new();
    house.answers(METADATA, "metadata.ok").answers(APPS, "register.ok");
    let address = house.authorize().await.unwrap();
    assert_eq!(
        address,
        "https://social.example/oauth/authorize?response_type=code\
         &client_id=TWhM-tNSuncnqN7DBJmoyeLnk6K3iJJ71KKXxgL1hPM\
         &redirect_uri=https%3A%2F%2Fnexus.example%2Fconnections%2Fcallback\
         &scope=profile%20read%3Astatuses%20write%3Amedia%20write%3Astatuses&state=the%20state%2B\
         &code_challenge=7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM&code_challenge_method=S256"
    );
    let sent = house.is_played();
    let registered = form(&sent[1]);
    assert_eq!(value(&registered, "client_name"), "Nexus");
    assert_eq!(value(&registered, "redirect_uris"), REDIRECT);
    assert_eq!(house.authorize().await.unwrap(), address, "nothing is asked a second time");
    house.platform.advance(SignedDuration::from_hours(24));
    house.answers(METADATA, "metadata.404").answers(APPS, "register.snac");
    let later = house.authorize().await.unwrap();
    assert!(later.contains("client_id=2d3e1f2c4b5a69788796a5b4c3d2e1f0&"), "{later}");
    assert!(later.contains("&scope=read%3Aaccounts%20read%3Astatuses%20write"), "{later}");
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn of_two_who_register_at_once_both_take_the_one_that_was_kept() {
    let house = House::new();
    // Both ask before either has kept anything: the memory's vault answers at once, so the second stands in for the
    // other process whose rotation came first.
    let other = Mastodon::new(
        Parts {
            product: Product::Engine,
            table: Arc::new(house.platform.table.clone()),
            vault: Arc::new(house.platform.vault.clone()),
            transport: Arc::<Script>::clone(&house.script),
            ambient: house.platform.ambient(),
        },
        Arc::new(house.platform.vault.clone()),
    );
    let (at, server) = (house.at(), "https://social.example");
    let (ours, theirs) = (house.mastodon.apps(&at, server).await, other.apps(&at, server).await);
    let app = |id: &str| {
        let client = Client { id: secret(id), secret: secret("s") };
        super::apps::App::new(&client, REDIRECT, "read", house.platform.now())
    };
    let first = other.keep(&at, server, theirs.unwrap(), app("theirs")).await.unwrap();
    let second = house.mastodon.keep(&at, server, ours.unwrap(), app("ours")).await.unwrap();
    assert_eq!(first.client().id.reveal(), "theirs");
    assert_eq!(second.client().id.reveal(), "theirs");
    assert_eq!(house.mastodon.apps(&at, server).await.unwrap().all.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn applications_are_kept_as_many_as_fit_and_a_value_that_is_none_is_written_anew() {
    let house = House::new();
    let (at, server) = (house.at(), "https://social.example");
    for nth in 0..12 {
        let apps = house.mastodon.apps(&at, server).await.unwrap();
        let long = Client {
            id: secret(&format!("{nth}{}", "i".repeat(500))),
            secret: secret(&"s".repeat(512)),
        };
        let app = super::apps::App::new(&long, REDIRECT, "read", house.platform.now());
        house.mastodon.keep(&at, server, apps, app).await.unwrap();
    }
    let apps = house.mastodon.apps(&at, server).await.unwrap();
    assert!((2..=8).contains(&apps.all.len()), "{}", apps.all.len());
    assert!(apps.all[0].client().id.reveal().starts_with("11i"), "the newest first");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_the_fine_scopes_is_asked_for_the_old_ones() {
    let house = House::new();
    house
        .answers(METADATA, "metadata.page")
        .answers(APPS, "register.422-scopes")
        .answers(APPS, "register.numbers");
    let address = house.authorize().await.unwrap();
    assert!(
        address.contains("client_id=8&") && address.contains("&scope=read%20write&"),
        "{address}"
    );
    let sent = house.is_played();
    assert_eq!(value(&form(&sent[2]), "scopes"), "read write");
    let house = House::new();
    house.answers(METADATA, "metadata.old-scopes").answers(APPS, "register.numbers");
    assert!(house.authorize().await.unwrap().contains("&scope=read%20write&"));
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn what_is_no_server_or_may_not_be_asked_is_refused_by_its_field() {
    let house = House::new();
    let refused = |why: &LoginError| matches!(why, LoginError::Refused { why } if why.starts_with("server: "));
    for server in [None, Some("ada@social.example"), Some("file:///etc/passwd")] {
        let ask = Ask { server: server.map(str::to_owned), ..House::ask() };
        let why = house.mastodon.authorize(&house.at(), &ask).await.unwrap_err();
        assert!(refused(&why), "{server:?}: {why:?}");
    }
    // The guard says no, or a redirect leads elsewhere.
    house.then(METADATA, Err(TransportError::Forbidden("`social.example` is not public".into())));
    assert!(refused(&house.authorize().await.unwrap_err()));
    for other in [
        "register.404",
        "register.page",
        "register.no-secret",
        "register.odd-name",
        "register.301",
        "register.403",
    ] {
        house.answers(METADATA, "metadata.404").answers(APPS, other);
        let why = house.authorize().await.unwrap_err();
        assert!(refused(&why), "{other}: {why:?}");
    }
    house.is_played();
    for _ in 0..3 {
        house.then(
            METADATA,
            Err(TransportError::NotSent("no address was found for the name".into())),
        );
    }
    let why = house.authorize().await.unwrap_err();
    assert!(
        matches!(&why, LoginError::Later { why, .. } if why.starts_with("server: ")),
        "{why:?}"
    );
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n37_n40_of_a_connection_tokens_and_a_digestible_name_are_given_and_nothing_secret_is_kept_outside_the_vault()
 {
    let house = House::new();
    house.connected().await;
    house.answers(TOKENS, "token.ok").answers(VERIFY, "verify.ok");
    let granted = house.exchange().await.unwrap();
    assert_eq!(granted.access.reveal(), TOKEN);
    assert_eq!(granted.account.as_ref().unwrap().reveal(), "14715");
    assert!(granted.refresh.is_none() && granted.lives.is_none());
    let scopes = granted.scopes.clone().unwrap();
    assert!(house.mastodon.scopes().iter().all(|scope| scopes.contains(*scope)), "{scopes:?}");
    let sent = house.is_played();
    let asked = form(&sent[0]);
    assert_eq!(value(&asked, "code_verifier"), "v".repeat(43));
    assert_eq!(value(&asked, "client_secret"), "ZEaFUFmF0umgBX1qKJDjaU99Q31lDkOU8NutzTOoliw");
    let (told, rows) = (format!("{granted:?}"), house.rows().await);
    for hidden in [TOKEN, "the-code", "14715", "ZEaFUFmF", "TWhM-tNS", "Ada", "vvvv"] {
        assert!(!told.contains(hidden) && !rows.contains(hidden), "{hidden}");
    }
}

#[tokio::test(start_paused = true)]
async fn n36_a_code_is_shown_once_and_a_token_that_is_of_nobody_is_given_back() {
    let house = House::new();
    let nobody = house.exchange().await.unwrap_err();
    assert!(matches!(nobody, LoginError::Refused { .. }), "{nobody:?}");
    house.connected().await;
    house.loses(TOKENS);
    assert!(matches!(house.exchange().await, Err(LoginError::Unknown { .. })));
    house.answers(TOKENS, "token.invalid-grant");
    assert!(matches!(house.exchange().await, Err(LoginError::Gone { .. })));
    house.answers(TOKENS, "token.503");
    assert!(matches!(house.exchange().await, Err(LoginError::Unknown { .. })));
    house.answers(TOKENS, "token.snac").answers(VERIFY, "verify.422").answers(REVOKE, "revoke.ok");
    assert!(matches!(house.exchange().await, Err(LoginError::Refused { .. })));
    let sent = house.is_played();
    assert_eq!(value(&form(sent.last().unwrap()), "token"), TOKEN);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_forgot_this_house_is_told_anew() {
    for forgot in ["token.invalid-client", "token.snac-unknown-client"] {
        let house = House::new();
        house.connected().await;
        house.answers(TOKENS, forgot);
        let why = house.exchange().await.unwrap_err();
        assert!(
            matches!(&why, LoginError::Refused { why } if why.contains("once more")),
            "{why:?}"
        );
        house.answers(METADATA, "metadata.404").answers(APPS, "register.snac");
        assert!(
            house
                .authorize()
                .await
                .unwrap()
                .contains("client_id=2d3e1f2c4b5a69788796a5b4c3d2e1f0&")
        );
        house.is_played();
    }
}

#[tokio::test(start_paused = true)]
async fn n62_a_token_is_revoked_in_the_name_that_got_it_and_that_it_serves_nobody_is_seen() {
    let house = House::new();
    let revoke = async || {
        let (at, server) = (house.at(), Some("https://social.example"));
        house.mastodon.revoke(&at, server, &secret(TOKEN)).await
    };
    house.connected().await;
    house.answers(REVOKE, "revoke.ok").answers(VERIFY, "verify.401");
    revoke().await.unwrap();
    house.is_played();
    // The name may be forgotten with it: the next person is sent with another, and the older one is tried too.
    house.answers(METADATA, "metadata.404").answers(APPS, "register.snac");
    house.authorize().await.unwrap();
    house.answers(REVOKE, "revoke.403").answers(REVOKE, "revoke.ok").answers(VERIFY, "verify.401");
    revoke().await.unwrap();
    let sent = house.is_played();
    let name = |nth: usize| value(&form(&sent[nth]), "client_id").to_owned();
    assert_eq!(name(2), "2d3e1f2c4b5a69788796a5b4c3d2e1f0");
    assert!(name(3).starts_with("TWhM-tNS"));
    // One that is worthless already is no error, one that still serves is.
    house.answers(REVOKE, "revoke.403").answers(REVOKE, "revoke.403").answers(VERIFY, "verify.422");
    revoke().await.unwrap();
    house.answers(REVOKE, "revoke.ok").answers(VERIFY, "verify.ok");
    assert!(matches!(revoke().await, Err(LoginError::Refused { .. })));
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn tokens_that_end_are_refreshed_and_a_refresh_token_is_shown_once() {
    let house = House::new();
    let refresh = async || {
        let (at, server) = (house.at(), Some("https://social.example"));
        house.mastodon.refresh(&at, server, &secret("old-refresh")).await
    };
    assert!(matches!(refresh().await, Err(LoginError::Gone { .. })), "nobody got it");
    house.connected().await;
    house.answers(TOKENS, "refresh.ok");
    let granted = refresh().await.unwrap();
    assert_eq!(granted.refresh.as_ref().unwrap().reveal(), "canary-refresh");
    assert_eq!(granted.lives, Some(SignedDuration::from_hours(1)));
    house.answers(TOKENS, "refresh.invalid-grant");
    assert!(matches!(refresh().await, Err(LoginError::Gone { .. })));
    house.loses(TOKENS);
    assert!(matches!(refresh().await, Err(LoginError::Unknown { .. })));
    house.is_played();
}

// ── posts ──

#[tokio::test(start_paused = true)]
async fn a_post_is_uploaded_waited_for_and_written_as_it_was_approved() {
    let house = House::new();
    let mut approved = house.claimed().await;
    house
        .answers(UPLOAD, "upload.202")
        .answers(MEDIUM, "medium.206")
        .answers(MEDIUM, "medium.206")
        .answers(MEDIUM, "medium.ok")
        .answers(STATUS, "status.ok");
    let outcome = house.publish(&mut approved).await;
    let url = "https://social.example/@ada/103254962155278888".to_owned();
    assert_eq!(outcome, Outcome::Done { receipt: "103254962155278888".into(), url: Some(url) });
    let sent = house.is_played();
    let upload = String::from_utf8(sent[0].body.to_vec()).unwrap();
    let name: &str = upload.split("filename=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(name.len() == 36 && name.ends_with(".mp4"), "{name}");
    assert!(upload.contains("not really an mp4") && upload.contains(ALT), "{upload}");
    let status = sent.last().unwrap();
    assert_eq!(status.headers["idempotency-key"], approved.idempotency_key().as_str());
    assert_eq!(status.headers["authorization"], format!("Bearer {TOKEN}"));
    let body: Value = serde_json::from_slice(&status.body).unwrap();
    let wanted = serde_json::json!({
        "status": TEXT, "visibility": "public", "language": "en", "media_ids": ["22348641"],
    });
    assert_eq!(body, wanted);
    assert!(!house.rows().await.contains(TOKEN));
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_takes_long_is_not_sent_again_by_the_next_attempt() {
    let house = House::new();
    let mut approved = house.claimed().await;
    house.answers(UPLOAD, "upload.202");
    for _ in 0..30 {
        house.answers(MEDIUM, "medium.206");
    }
    assert_eq!(house.publish(&mut approved).await, Outcome::Throttled { after_seconds: 60 });
    house.is_played();
    house.answers(MEDIUM, "medium.ok").answers(STATUS, "status.ok");
    assert!(matches!(house.publish(&mut approved).await, Outcome::Done { .. }));
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n15_a_status_is_written_at_most_once_and_what_nobody_knows_is_said_to_be_unknown() {
    for unclear in [
        "status.500",
        "status.503",
        "status.page",
        "status.cut-off",
        "status.no-id",
        "status.path-as-id",
        "status.error-in-success",
    ] {
        let house = House::new();
        house.answers(UPLOAD, "upload.ok").answers(STATUS, unclear);
        let mut approved = house.claimed().await;
        let outcome = house.publish(&mut approved).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{unclear}: {outcome:?}");
        house.is_played();
    }
}

#[tokio::test(start_paused = true)]
async fn each_end_of_a_status_is_told_as_what_it_is() {
    let refused = |words: &'static str| move |outcome: &Outcome| matches!(outcome, Outcome::Refused { why } if why.contains(words));
    type Right = Box<dyn Fn(&Outcome) -> bool>;
    let ends: [(&str, Right); 12] = [
        ("status.scheduled", Box::new(|o| matches!(o, Outcome::Accepted { .. }))),
        ("status.202", Box::new(|o| matches!(o, Outcome::Accepted { .. }))),
        (
            "status.no-url",
            Box::new(
                |o| matches!(o, Outcome::Done { url: Some(url), .. } if url.contains("/users/ada/")),
            ),
        ),
        ("status.odd-url", Box::new(|o| matches!(o, Outcome::Done { url: None, .. }))),
        (
            "status.number",
            Box::new(|o| matches!(o, Outcome::Done { receipt, .. } if receipt == "4711")),
        ),
        ("status.401", Box::new(|o| matches!(o, Outcome::Login { .. }))),
        ("status.403-scope", Box::new(|o| matches!(o, Outcome::Login { .. }))),
        ("status.403-disabled", Box::new(|o| matches!(o, Outcome::Login { .. }))),
        ("status.403", Box::new(refused("does not allow"))),
        ("status.422-length", Box::new(refused("length"))),
        ("status.422-media", Box::new(refused("picture or video"))),
        ("status.302", Box::new(refused("another address"))),
    ];
    for (recording, is_right) in ends {
        let house = House::new();
        house.answers(UPLOAD, "upload.ok").answers(STATUS, recording);
        let mut approved = house.claimed().await;
        let outcome = house.publish(&mut approved).await;
        assert!(is_right(&outcome), "{recording}: {outcome:?}");
        house.is_played();
    }
    // Twenty minutes, as the server says; nothing was written.
    let house = House::new();
    house.answers(UPLOAD, "upload.ok").answers(STATUS, "status.429");
    let mut approved = house.claimed().await;
    assert_eq!(house.publish(&mut approved).await, Outcome::Throttled { after_seconds: 1_200 });
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_before_the_status_shows_nobody_anything_and_is_tried_later() {
    let house = House::new();
    let mut approved = house.claimed().await;
    for _ in 0..3 {
        house.loses(UPLOAD);
    }
    assert_eq!(house.publish(&mut approved).await, Outcome::Throttled { after_seconds: 60 });
    house.answers(UPLOAD, "upload.429");
    assert_eq!(house.publish(&mut approved).await, Outcome::Throttled { after_seconds: 1_800 });
    house.answers(UPLOAD, "upload.401");
    assert!(matches!(house.publish(&mut approved).await, Outcome::Login { .. }));
    house.answers(UPLOAD, "upload.422");
    assert!(matches!(house.publish(&mut approved).await, Outcome::Refused { .. }));
    house.is_played();
    let (at, access) = (house.at(), House::access());
    let none = house.mastodon.publish(&at, None, &mut approved, medium("video/mp4")).await;
    assert!(matches!(none, Outcome::Login { .. }), "{none:?}");
    let odd =
        house.mastodon.publish(&at, Some(&access), &mut approved, medium("video/x-odd")).await;
    assert!(matches!(odd, Outcome::Refused { .. }), "{odd:?}");
    house.is_played();
}

fn medium(content_type: &str) -> Medium {
    Medium { content_type: content_type.to_owned(), bytes: Bytes::from_static(FILM), address: None }
}

#[tokio::test(start_paused = true)]
async fn n15_nothing_is_written_by_who_lost_the_claim() {
    let house = House::new();
    let mut approved = house.claimed().await;
    house.platform.advance(posting::LEASE);
    house.answers(UPLOAD, "upload.ok");
    assert!(matches!(house.publish(&mut approved).await, Outcome::Throttled { .. }));
    house.is_played();
    // Its holder went away without a mark: it was not written, and nothing has to be asked to know that.
    let unsure = posting::orphaned(&house.platform, approved.id()).await;
    assert_eq!(house.look_up(&unsure).await, Found::NotDone);
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n15_a_post_that_not_everybody_should_see_is_not_sent() {
    let house = House::new();
    let mut plan = house.plan();
    plan.choices.privacy = Some(Privacy::OnlyMe);
    let mut approved = posting::claimed(&house.platform, plan).await;
    assert!(matches!(house.publish(&mut approved).await, Outcome::Refused { .. }));
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n15_a_post_whose_answer_was_lost_is_found_among_the_account_s_own() {
    let house = House::new();
    let unsure = house.lost(15).await;
    for there in ["statuses.ok", "statuses.snac-source", "statuses.snac-passed-on"] {
        house.answers(VERIFY, "verify.ok").answers(STATUSES, there);
        let found = house.look_up(&unsure).await;
        assert!(matches!(&found, Found::Done { url: Some(_), .. }), "{there}: {found:?}");
        house.is_played();
    }
}

#[tokio::test(start_paused = true)]
async fn n15_that_a_post_is_not_there_is_said_only_when_it_cannot_come_any_more() {
    let house = House::new();
    let unsure = house.lost(119).await;
    house.answers(VERIFY, "verify.ok").answers(STATUSES, "statuses.without");
    let early = house.look_up(&unsure).await;
    assert!(matches!(early, Found::StillUnknown { .. }), "{early:?}");
    house.platform.advance(SignedDuration::from_secs(1));
    for without in ["statuses.without", "statuses.empty"] {
        house.answers(VERIFY, "verify.ok").answers(STATUSES, without);
        assert_eq!(house.look_up(&unsure).await, Found::NotDone, "{without}");
    }
    house.is_played();
    let next = |place: &str| format!("{STATUSES}&max_id={place}");
    house
        .answers(VERIFY, "verify.ok")
        .answers(STATUSES, "statuses.of-another")
        .answers(&next("103254962155278888"), "statuses.without");
    assert_eq!(house.look_up(&unsure).await, Found::NotDone, "another's is not ours");
    // Something alike, something that cannot be read, an answer that is none: nobody can tell.
    house
        .answers(VERIFY, "verify.ok")
        .answers(STATUSES, "statuses.alike")
        .answers(&next("103254962155278888"), "statuses.without");
    let alike = house.look_up(&unsure).await;
    assert!(matches!(alike, Found::StillUnknown { .. }), "{alike:?}");
    house.is_played();
    house.answers(VERIFY, "verify.ok").answers(STATUSES, "statuses.unreadable-one");
    let blurred = house.look_up(&unsure).await;
    assert!(matches!(blurred, Found::StillUnknown { .. }), "{blurred:?}");
    house.answers(VERIFY, "verify.401");
    let gone = house.look_up(&unsure).await;
    assert!(matches!(gone, Found::StillUnknown { .. }), "{gone:?}");
    let none = house.mastodon.look_up(&house.at(), None, &unsure).await;
    assert!(matches!(none, Found::StillUnknown { .. }), "{none:?}");
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_pays_no_heed_to_pages_ends_the_search_and_an_endless_list_tells_nothing() {
    let house = House::new();
    let unsure = house.lost(120).await;
    let page = |from: u32| {
        let recorded = recordings("mastodon", "statuses")["statuses.without"].answer().unwrap();
        let mut body: Value = serde_json::from_slice(&recorded.body).unwrap();
        body[0]["id"] = from.to_string().into();
        body[0]["created_at"] = "2027-03-01T09:00:00Z".into();
        Ok(answer(200, HeaderMap::new(), body.to_string()))
    };
    house
        .answers(VERIFY, "verify.ok")
        .then(STATUSES, page(7))
        .then(&format!("{STATUSES}&max_id=7"), page(7));
    assert_eq!(house.look_up(&unsure).await, Found::NotDone);
    house.is_played();
    house.answers(VERIFY, "verify.ok").then(STATUSES, page(9));
    for place in (6..10).rev() {
        house.then(&format!("{STATUSES}&max_id={place}"), page(place - 1));
    }
    let endless = house.look_up(&unsure).await;
    assert!(matches!(endless, Found::StillUnknown { .. }), "{endless:?}");
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn what_a_server_has_and_does_not_show_yet_is_looked_at_until_it_is_there() {
    let house = House::new();
    house.answers(UPLOAD, "upload.ok").answers(STATUS, "status.202");
    let mut approved = house.claimed().await;
    let outcome = house.publish(&mut approved).await;
    assert_eq!(outcome, Outcome::Accepted { look_after_seconds: 120 });
    let unsure = house.unsure(approved, outcome, 120).await;
    house.answers(VERIFY, "verify.ok").answers(STATUSES, "statuses.without");
    assert_eq!(house.look_up(&unsure).await, Found::Accepted { look_after_seconds: 120 });
    house.answers(VERIFY, "verify.ok").answers(STATUSES, "statuses.ok");
    assert!(matches!(house.look_up(&unsure).await, Found::Done { .. }));
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn a_server_is_asked_beforehand_what_it_takes_and_whether_the_account_is_still_connected() {
    let house = House::new();
    let (access, mut plan) = (House::access(), house.plan());
    plan.made_by_ai = true;
    house.answers(VERIFY, "verify.ok").answers(INSTANCE, "instance.ok");
    let preflight = house.mastodon.preflight(&house.at(), Some(&access), &plan).await.unwrap();
    assert_eq!((preflight.problems.len(), preflight.notes.len()), (0, 1));
    plan.text = "x".repeat(600);
    let old = "GET /api/v1/instance";
    for (recording, problems) in
        [("instance.v1-snac", 0), ("instance.v1-pleroma", 0), ("instance.v1-nothing", 1)]
    {
        house
            .answers(VERIFY, "verify.ok")
            .answers(INSTANCE, "instance.404")
            .answers(old, recording);
        let preflight = house.mastodon.preflight(&house.at(), Some(&access), &plan).await.unwrap();
        assert_eq!(preflight.problems.len(), problems, "{recording}");
    }
    house.answers(VERIFY, "verify.401");
    let gone = house.mastodon.preflight(&house.at(), Some(&access), &plan).await.unwrap_err();
    assert_eq!(gone.kind(), FailureKind::Conflict);
    house.answers(VERIFY, "verify.429");
    let busy = house.mastodon.preflight(&house.at(), Some(&access), &plan).await.unwrap_err();
    assert_eq!(
        (busy.kind(), busy.wait()),
        (FailureKind::Throttled, Some(Duration::from_millis(60_500)))
    );
    house.then(VERIFY, Err(TransportError::Forbidden("`elsewhere.example` is not listed".into())));
    let moved = house.mastodon.preflight(&house.at(), Some(&access), &plan).await.unwrap_err();
    assert_eq!(moved.kind(), FailureKind::Invalid);
    assert!(!moved.public().contains("elsewhere.example"));
    let none = house.mastodon.preflight(&house.at(), None, &plan).await.unwrap_err();
    assert_eq!(none.kind(), FailureKind::Conflict);
    house.is_played();
}

#[test]
fn n40_a_request_that_is_printed_tells_no_token_and_no_secret() {
    for operation in RECORDED {
        let request = build(operation, "");
        let told = format!("{request:?} {:?} {:?}", request.authorization, request.body);
        for hidden in [TOKEN, "client-secret", "the-code", "the-token", "old-refresh", "vvv"] {
            assert!(!told.contains(hidden), "{operation}: {told}");
        }
    }
}
