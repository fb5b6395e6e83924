use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use jiff::SignedDuration;
use nexus_core::approval::{self, Redeemed, Unsure};
use nexus_core::effect::{self, EffectId, Found, Outcome, State};
use nexus_core::egress::{self, Cost, Month};
use nexus_core::vault::SecretName;
use nexus_core::{Approved, CallContext, Product, Vault as _};
use nexus_engine::EnginePlatform as _;
use nexus_engine::comments::{Heard, Listener, Remark};
use nexus_engine::connections::{Access, Ask, ConnectionId, Login, LoginError};
use nexus_engine::publishing::{Medium, Network, PostPlan, Publisher};
use nexus_kernel::{FailureKind, Secret, Timestamp};
use nexus_outbound::guard::Guard;
use nexus_outbound::https::{Https, TlsFloor};
use nexus_outbound::request::{Piece, To};
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Answer, Body, Parts, Repeat, Request, Transport, TransportError};
use nexus_testkit::MemoryPlatform;
use nexus_testkit::networks::x as pretended;
use nexus_testkit::networks::x::{CLIENT_ID, CLIENT_SECRET, Call, Fault};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::request::{self, Application, Labels, OPERATIONS, SCOPES};
use super::{Settings, VENDOR, X, limits, prices, response};
use crate::footage::trial::{answer, recordings, sends_exactly, told};
use crate::posting::{LEASE, claimed, orphaned, plan, scope};

const MEDIA: &str = "1880028106020515840";
const ACCOUNT: &str = "2244994945";
const TEXT: &str = "Bread & jam, as every morning.";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const BACK: &str = "https://nexus.example/connected";
const FILM: &[u8] = b"not really a film";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn ask() -> Ask {
    Ask {
        server: None,
        redirect: BACK.to_owned(),
        state: secret("a state & more"),
        verifier: secret(VERIFIER),
    }
}

fn application(recording: &str) -> Application {
    let is_public = recording.ends_with(".public");
    let secret = (!is_public).then(|| secret("a secret"));
    Application { client_id: "an-application".to_owned(), secret }
}

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn create(recording: &str) -> Request {
    let whole = recording != "create-post.ok-text";
    let labels = Labels { made_with_ai: whole, paid_partnership: whole };
    request::create(&secret("t"), TEXT, whole.then_some(MEDIA), labels)
}

fn own_posts() -> Request {
    let since = "2026-11-20T23:59:00.4Z".parse().unwrap();
    request::posts(&secret("t"), &secret(ACCOUNT), since, None)
}

fn append() -> Request {
    request::append(&secret("t"), MEDIA, 1, Bytes::from_static(b"the film"))
}

fn describe() -> Request {
    request::describe(&secret("t"), MEDIA, "A cup of coffee on a table.")
}

fn initialize() -> Request {
    request::initialize(&secret("t"), "video/mp4", "tweet_video", 8)
}

/// Reads an answer as the operation's reader does, and tells what came of it.
fn read(operation: &str, answer: &Answer) -> String {
    let (now, token) = (now(), |answer: &Answer| {
        // What is told has no token in it; that they came is.
        response::granted(answer).map(|read| {
            let granted = read.value;
            (granted.refresh.is_some(), granted.lives, granted.scopes, granted.account.is_some())
        })
    });
    match operation {
        "exchange-code" | "refresh-token" => format!("{:?}", token(answer)),
        "revoke-token" => format!("{:?}", response::revoked(answer, now).map(|r| r.value)),
        "own-account" => {
            let read = response::account(answer, now);
            format!("{:?}", read.map(|r| (r.value.reveal().clone(), r.usage.cost)))
        }
        "initialize-upload" => format!("{:?}", response::initialized(answer, now).map(|r| r.value)),
        "append-upload" => format!("{:?}", response::appended(answer, now).map(|r| r.value)),
        "finalize-upload" | "upload-status" => {
            format!("{:?}", response::processing(answer, now).map(|r| r.value))
        }
        "describe-media" => {
            format!("{:?}", response::described(answer, now).map(|r| r.usage.cost))
        }
        "create-post" => {
            let read = response::created(answer, now, prices::POST);
            format!("{:?}", read.map(|r| (r.value, r.usage.cost)))
        }
        "own-posts" => {
            let read = response::posts(answer, now);
            format!("{:#?}", read.map(|r| (r.value, r.usage.cost)))
        }
        "replies" => {
            let read = response::replies(answer, now);
            let told =
                |remark: &Remark| (remark.id.clone(), remark.at, remark.text.reveal().clone());
            let told = read.map(|r| {
                (r.value.remarks.iter().map(told).collect::<Vec<_>>(), r.value.next, r.usage.cost)
            });
            format!("{told:?}")
        }
        other => panic!("there is no operation {other}"),
    }
}

fn build(operation: &str, recording: &str) -> Request {
    let token = secret("t");
    match operation {
        "exchange-code" => request::exchange(&application(recording), &ask(), &secret("a-code")),
        "refresh-token" => request::refresh(&application(recording), &secret("a-refresh-token")),
        "revoke-token" => request::revoke(&application(recording), &secret("a-refresh-token")),
        "own-account" => request::me(&token),
        "initialize-upload" => initialize(),
        "append-upload" => append(),
        "finalize-upload" => request::finalize(&token, MEDIA),
        "upload-status" => request::status(&token, MEDIA),
        "describe-media" => describe(),
        "create-post" => create(recording),
        "own-posts" => own_posts(),
        "replies" => request::replies(&token, POST, POST, None, None),
        other => panic!("there is no operation {other}"),
    }
}

fn as_recorded(operation: &str) -> String {
    told("x", operation, |recording| build(operation, recording), |answer| read(operation, answer))
}

#[test]
fn n42_tokens_are_asked_for_and_read_as_recorded() {
    let told = ["exchange-code", "refresh-token", "revoke-token", "own-account"].map(as_recorded);
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn n42_uploads_are_asked_for_and_read_as_recorded() {
    let all = [
        "initialize-upload",
        "append-upload",
        "finalize-upload",
        "upload-status",
        "describe-media",
    ];
    insta::assert_snapshot!(all.map(as_recorded).join("\n"));
}

#[test]
fn n42_posts_are_asked_for_and_read_as_recorded() {
    insta::assert_snapshot!(["create-post", "own-posts"].map(as_recorded).join("\n"));
}

#[test]
fn n39_answers_are_asked_for_without_who_wrote_them_and_read_as_recorded() {
    insta::assert_snapshot!(as_recorded("replies"));
    let asked = request::replies(&secret("t"), POST, "1", Some("9"), Some("next"));
    let asked = format!("{:?}", asked.query);
    for theirs in ["author", "user", "expansions", "username", "entities"] {
        assert!(!asked.contains(theirs), "{theirs} in {asked}");
    }
}

#[test]
fn n42_what_x_says_in_words_is_told_to_nobody() {
    for operation in OPERATIONS {
        for (name, recorded) in recordings("x", operation.name) {
            if ["own-posts", "replies"].contains(&operation.name) {
                continue; // Texts are what it is asked for.
            }
            let told = read(operation.name, &recorded.answer().unwrap());
            for theirs in ["Ada", "ada", "jam", "access-token", "a-refresh", "schema", "enrolled"] {
                assert!(!told.contains(theirs), "{name}: {theirs} in {told}");
            }
        }
    }
}

#[test]
fn n38_n42_what_is_asked_for_is_what_publishing_needs_and_each_has_its_words() {
    let asked: BTreeSet<&str> = SCOPES.into_iter().collect();
    let needed = ["tweet.read", "tweet.write", "users.read", "media.write", "offline.access"];
    assert_eq!(asked, BTreeSet::from(needed));
    let address = request::authorize("https://x.com", "an application", &ask());
    assert_eq!(
        address,
        "https://x.com/i/oauth2/authorize?response_type=code&client_id=an%20application\
         &redirect_uri=https%3A%2F%2Fnexus.example%2Fconnected\
         &scope=tweet.read%20tweet.write%20users.read%20media.write%20offline.access\
         &state=a%20state%20%26%20more&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
         &code_challenge_method=S256"
    );
}

/// The requests that there are, one of each operation or more where they differ.
fn all_requests() -> Vec<Request> {
    let mut all: Vec<Request> =
        OPERATIONS.iter().map(|operation| build(operation.name, "first")).collect();
    all.extend(["exchange-code", "refresh-token", "revoke-token"].map(|o| build(o, "o.public")));
    all.push(create("create-post.ok-text"));
    all.push(request::posts(&secret("t"), &secret(ACCOUNT), now(), Some("a page")));
    all.push(request::replies(&secret("t"), POST, "1", Some("9"), Some("a page")));
    all
}

#[test]
fn n34_nothing_goes_out_that_is_not_named_and_everything_named_is_used() {
    for operation in OPERATIONS {
        let all = all_requests().into_iter().filter(|r| r.operation.name == operation.name);
        sends_exactly(operation, &all.collect::<Vec<_>>());
    }
}

#[test]
fn what_a_post_does_not_have_is_not_said() {
    let labels = Labels { made_with_ai: false, paid_partnership: false };
    let body = |request: Request| match request.body {
        Body::Json(body) => body,
        other => panic!("no JSON: {other:?}"),
    };
    let film_alone = body(request::create(&secret("t"), " ", Some(MEDIA), labels));
    assert_eq!(film_alone, json!({ "media": { "media_ids": [MEDIA] } }));
    let text_alone = body(request::create(&secret("t"), TEXT, None, labels));
    assert_eq!(text_alone, json!({ "text": TEXT }));
}

#[test]
fn n39_n42_the_list_of_what_can_be_asked_ends_with_posting_and_what_is_answered_to_it() {
    let mut asked = BTreeSet::new();
    for request in all_requests() {
        let To::Path(pieces) = &request.to else { panic!("another host: {request:?}") };
        let path = pieces.iter().map(|piece| match piece {
            Piece::Fixed(text) => *text,
            Piece::Value(name, _) => name,
        });
        asked.insert(format!("{} {}", request.method, path.collect::<String>()));
    }
    let all = [
        "GET /2/media/upload",
        "GET /2/tweets/search/recent",
        "GET /2/users/:id/tweets",
        "GET /2/users/me",
        "POST /2/media/metadata",
        "POST /2/media/upload/:id/append",
        "POST /2/media/upload/:id/finalize",
        "POST /2/media/upload/initialize",
        "POST /2/oauth2/revoke",
        "POST /2/oauth2/token",
        "POST /2/tweets",
    ];
    assert_eq!(asked, all.map(str::to_owned).into());
    assert!(VENDOR.hosts.is_empty(), "an answer leads nowhere else");
}

#[test]
fn n39_of_an_account_its_number_alone_is_read() {
    let recorded = recordings("x", "own-account")["own-account.ok"].answer().unwrap();
    let read = response::account(&recorded, now()).unwrap();
    assert_eq!(read.value.reveal(), ACCOUNT);
    assert!(!format!("{read:?}").contains(ACCOUNT));
    assert!(request::me(&secret("t")).query.is_empty(), "no field is asked for beyond it");
}

#[test]
fn n15_what_happens_twice_is_never_sent_again() {
    let never: BTreeSet<&str> =
        OPERATIONS.iter().filter(|o| o.repeat == Repeat::Never).map(|o| o.name).collect();
    let once = ["create-post", "exchange-code", "finalize-upload", "refresh-token"];
    assert_eq!(never, BTreeSet::from(once));
}

fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{ "id": [], "text": {} }])),
    ]
}

/// Answers that nobody would expect: any bytes, and recorded bodies in which something is something else.
fn odd_answers() -> impl Strategy<Value = Answer> {
    let bodies: Vec<Value> = OPERATIONS
        .into_iter()
        .flat_map(|operation| recordings("x", operation.name).into_values())
        .filter_map(|recording| recording.response.body)
        .collect();
    let changed = (prop::sample::select(bodies), any::<prop::sample::Index>(), odd_value())
        .prop_map(|(mut body, place, other)| {
            let mut places = Vec::new();
            pointers("", &body, &mut places);
            let pointer = &places[place.index(places.len())];
            *body.pointer_mut(pointer).unwrap() = other;
            Bytes::from(body.to_string())
        });
    let body = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from),
        4 => changed,
    ];
    let status = prop_oneof![3 => Just(200u16), 1 => Just(429u16), 1 => 100u16..600];
    let reset = prop_oneof![Just(String::new()), "[0-9]{1,20}", Just("-9".to_owned())];
    (status, body, reset).prop_map(|(status, body, reset)| {
        let mut headers = HeaderMap::new();
        headers.insert("x-rate-limit-reset", reset.parse().unwrap());
        answer(status, headers, body)
    })
}

fn pointers(at: &str, value: &Value, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            pointers(&format!("{at}/{name}"), member, found);
        }),
        Value::Array(members) => members.iter().enumerate().for_each(|(n, member)| {
            pointers(&format!("{at}/{n}"), member, found);
        }),
        _ => {}
    }
}

proptest! {
    #[test]
    fn n42_no_answer_makes_a_reader_panic(answer in odd_answers()) {
        for operation in OPERATIONS {
            let _told = read(operation.name, &answer);
        }
        if let Ok(read) = response::created(&answer, now(), Cost::ZERO) {
            prop_assert!(read.value.bytes().all(|byte| byte.is_ascii_digit()) && !read.value.is_empty());
        }
    }
}

/// Answers in turn, and keeps what was not expected.
#[derive(Default)]
struct Wire {
    scenes: Mutex<VecDeque<(String, Result<Answer, TransportError>)>>,
    strayed: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: WireRequest, _: Duration) -> Result<Answer, TransportError> {
        let path = request.url.strip_prefix("https://api.x.com").unwrap_or(&request.url);
        let path = path.split('?').next().unwrap();
        let asked = format!("{} {path}", request.method);
        let told = request.headers.get("authorization").and_then(|v| v.to_str().ok());
        let in_clear = request.url.contains("canary")
            || (!path.starts_with("/2/oauth2/")
                && String::from_utf8_lossy(&request.body).contains("canary"));
        let next = self.scenes.lock().unwrap().pop_front();
        match next {
            Some((expected, answer)) if expected == asked && told.is_some() && !in_clear => answer,
            next => {
                let expected = next.map(|(expected, _)| expected);
                self.strayed.lock().unwrap().push(format!("{asked} instead of {expected:?}"));
                Err(TransportError::Forbidden("the script says otherwise".into()))
            }
        }
    }
}

impl Wire {
    fn answers(&self, asked: &str, recording: &str) -> &Self {
        let operation = recording.split('.').next().unwrap();
        self.then(asked, recordings("x", operation)[recording].answer().unwrap())
    }

    fn then(&self, asked: &str, answer: Answer) -> &Self {
        self.scenes.lock().unwrap().push_back((asked.to_owned(), Ok(answer)));
        self
    }

    fn loses(&self, asked: &str) -> &Self {
        let lost = Err(TransportError::Lost("reset after it was taken".into()));
        self.scenes.lock().unwrap().push_back((asked.to_owned(), lost));
        self
    }

    fn is_played(&self) {
        assert_eq!(self.strayed.lock().unwrap().as_slice(), [""; 0]);
        let left: Vec<String> =
            self.scenes.lock().unwrap().drain(..).map(|(asked, _)| asked).collect();
        assert_eq!(left, [""; 0], "not asked");
    }
}

/// A house with an account at X.
struct House {
    platform: MemoryPlatform,
    x: X,
    access: Access,
}

impl House {
    async fn with(transport: Arc<dyn Transport>, base: Option<String>) -> Self {
        Self::of(MemoryPlatform::new(), transport, base, Some(CLIENT_SECRET)).await
    }

    async fn of(
        platform: MemoryPlatform,
        transport: Arc<dyn Transport>,
        base: Option<String>,
        client_secret: Option<&str>,
    ) -> Self {
        let name = SecretName::of_house(Product::Engine, VENDOR.name).unwrap();
        if let Some(text) = client_secret {
            platform.vault.rotate(&name, None, &secret(text)).await.unwrap();
        }
        let parts = Parts {
            product: Product::Engine,
            ambient: platform.ambient(),
            table: Arc::new(platform.table.clone()),
            vault: Arc::new(platform.vault.clone()),
            transport,
        };
        let settings = Settings { client_id: CLIENT_ID.to_owned(), authorize_base: base.clone() };
        let x = X::new(parts, base, settings).unwrap();
        let connection = ConnectionId::derived(&["account"]);
        let access = Access { connection, server: None, token: secret("canary-access") };
        Self { platform, x, access }
    }

    fn at(&self) -> CallContext {
        let until = self.platform.now() + SignedDuration::from_secs(120);
        CallContext { scope: scope(), until }
    }

    fn plan(&self, text: &str) -> PostPlan {
        plan(&self.platform, Network::X, text, FILM)
    }

    fn wordy(&self, text: &str) -> PostPlan {
        PostPlan { media: None, ..self.plan(text) }
    }

    async fn publish(&self, approved: &mut Approved<PostPlan>) -> Outcome {
        let content_type = "video/mp4".to_owned();
        let medium = Medium { content_type, bytes: Bytes::from_static(FILM), address: None };
        self.x.publish(&self.at(), Some(&self.access), approved, medium).await
    }

    async fn look_up(&self, unsure: &Unsure<PostPlan>) -> Found {
        self.x.look_up(&self.at(), Some(&self.access), unsure).await
    }

    /// Publishes a post and writes down what became of it.
    async fn attempt(&self, mut approved: Approved<PostPlan>) -> (EffectId, Outcome) {
        let (id, outcome) = (approved.id(), self.publish(&mut approved).await);
        let now = self.platform.now();
        approval::settle(approved, outcome.clone(), "publish", now).await.unwrap();
        (id, outcome)
    }

    async fn redeemed(&self, id: EffectId) -> Redeemed<PostPlan> {
        self.platform.redeem(&scope(), id, "publish", LEASE).await.unwrap()
    }

    /// Does what `publish` does whenever the post's time comes, until its life is over or nobody but a person can tell.
    async fn live(&self, plan: PostPlan) -> State {
        let (id, _) = self.attempt(claimed(&self.platform, plan).await).await;
        for _ in 0..60 {
            match self.redeemed(id).await {
                Redeemed::Send(approved) => drop(self.attempt(approved).await),
                Redeemed::LookUp(unsure) => {
                    let (found, now) = (self.look_up(&unsure).await, self.platform.now());
                    approval::settle_looked_up(unsure, found, "publish", now).await.unwrap();
                }
                Redeemed::TooEarly(at) | Redeemed::Running(at) => {
                    self.platform.advance(at.duration_since(self.platform.now()));
                }
                Redeemed::Nothing(state) => return state,
                Redeemed::Held(_) => panic!("nothing holds it"),
            }
        }
        panic!("it never ends")
    }
}

const EXCHANGE: &str = "POST /2/oauth2/token";
const REVOKE: &str = "POST /2/oauth2/revoke";
const INITIALIZE: &str = "POST /2/media/upload/initialize";
const APPEND: &str = "POST /2/media/upload/1880028106020515840/append";
const FINALIZE: &str = "POST /2/media/upload/1880028106020515840/finalize";
const STATUS: &str = "GET /2/media/upload";
const DESCRIBE: &str = "POST /2/media/metadata";
const CREATE: &str = "POST /2/tweets";
const ME: &str = "GET /2/users/me";
const POSTS: &str = "GET /2/users/2244994945/tweets";
const POST: &str = "1445880548472328192";

async fn scripted() -> (House, Arc<Wire>) {
    let wire = Arc::new(Wire::default());
    (House::with(Arc::<Wire>::clone(&wire), None).await, wire)
}

/// An upload up to its end, which is answered so.
fn uploads(wire: &Wire, end: &str) {
    wire.answers(INITIALIZE, "initialize-upload.ok")
        .answers(APPEND, "append-upload.ok")
        .answers(FINALIZE, end);
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_by_the_name_of_its_setting() {
    let (house, _) = scripted().await;
    let field = |base: Option<&str>, authorize: Option<&str>| {
        let settings =
            Settings { client_id: String::new(), authorize_base: authorize.map(str::to_owned) };
        let made = X::new(house.x.parts.clone(), base.map(str::to_owned), settings);
        made.err().map(|failure| failure.fields()[0].field.clone())
    };
    assert_eq!(field(None, None), None);
    assert_eq!(field(Some("https://api.example"), Some("http://127.0.0.1:8080/x/")), None);
    assert_eq!(field(Some("nowhere"), None).as_deref(), Some("X_BASE"));
    for wrong in
        ["x.com", "ftp://x.com", "https://ada@x.com", "https://x.com?a", "https://x.com#a", ""]
    {
        assert_eq!(field(None, Some(wrong)).as_deref(), Some("X_AUTHORIZE_BASE"), "{wrong}");
    }
}

#[tokio::test]
async fn a_house_without_an_application_connects_nobody() {
    let (house, wire) = scripted().await;
    let without = X::new(house.x.parts.clone(), None, Settings::default()).unwrap();
    assert!(!without.is_set_up().await.unwrap());
    assert!(house.x.is_set_up().await.unwrap());
    let at = house.at();
    assert!(matches!(without.authorize(&at, &ask()).await, Err(LoginError::Refused { .. })));
    let exchanged = without.exchange(&at, &ask(), &secret("canary-code")).await;
    assert!(matches!(exchanged, Err(LoginError::Refused { .. })));
    wire.is_played();
}

#[tokio::test(start_paused = true)]
async fn n16_tokens_of_nobody_knows_whom_are_given_back() {
    let (house, wire) = scripted().await;
    wire.answers(EXCHANGE, "exchange-code.ok")
        .answers(ME, "own-account.unauthorized")
        .answers(REVOKE, "revoke-token.ok")
        .answers(REVOKE, "revoke-token.ok");
    let exchanged = house.x.exchange(&house.at(), &ask(), &secret("canary-code")).await;
    let later =
        matches!(&exchanged, Err(LoginError::Later { why, .. }) if why.contains("Begin again"));
    assert!(later, "{exchanged:?}");
    wire.is_played();
}

#[tokio::test(start_paused = true)]
async fn n42_a_post_is_uploaded_waited_for_described_and_sent() {
    let (house, wire) = scripted().await;
    uploads(&wire, "finalize-upload.pending");
    wire.answers(STATUS, "upload-status.in-progress")
        .answers(STATUS, "upload-status.succeeded")
        .answers(DESCRIBE, "describe-media.ok")
        .answers(CREATE, "create-post.ok");
    let begun = tokio::time::Instant::now();
    let mut approved = claimed(&house.platform, house.plan(TEXT)).await;
    let done = Outcome::Done {
        receipt: POST.into(),
        url: Some(format!("https://x.com/i/web/status/{POST}")),
    };
    assert_eq!(house.publish(&mut approved).await, done);
    assert!(begun.elapsed() >= Duration::from_secs(15), "X asked for 5 and for 10 seconds");
    wire.is_played();
}

#[tokio::test(start_paused = true)]
async fn n42_what_cannot_be_waited_for_comes_later_and_is_not_uploaded_again() {
    let (house, wire) = scripted().await;
    uploads(&wire, "finalize-upload.pending");
    for _ in 0..20 {
        wire.answers(STATUS, "upload-status.in-progress");
    }
    let approved = claimed(&house.platform, house.plan(TEXT)).await;
    let (id, outcome) = house.attempt(approved).await;
    assert_eq!(outcome, Outcome::Throttled { after_seconds: 10 });
    wire.is_played();
    house.platform.advance(SignedDuration::from_secs(10));
    let Redeemed::Send(mut approved) = house.redeemed(id).await else { panic!("it is due") };
    wire.answers(STATUS, "upload-status.succeeded")
        .answers(DESCRIBE, "describe-media.ok")
        .answers(CREATE, "create-post.ok");
    assert!(matches!(house.publish(&mut approved).await, Outcome::Done { .. }));
    wire.is_played();
}

#[tokio::test(start_paused = true)]
async fn n42_a_wait_that_does_not_fit_into_the_call_is_not_begun() {
    let (house, wire) = scripted().await;
    uploads(&wire, "finalize-upload.pending");
    let mut approved = claimed(&house.platform, house.plan(TEXT)).await;
    let until = house.platform.now() + SignedDuration::from_secs(34);
    let at = CallContext { scope: scope(), until };
    let bytes = Bytes::from_static(FILM);
    let medium = Medium { content_type: "video/mp4".into(), bytes, address: None };
    let outcome = house.x.publish(&at, Some(&house.access), &mut approved, medium).await;
    assert_eq!(outcome, Outcome::Throttled { after_seconds: 5 });
    wire.is_played();
}

#[tokio::test(start_paused = true)]
async fn n42_an_upload_that_x_forgot_is_made_anew() {
    let (house, wire) = scripted().await;
    uploads(&wire, "finalize-upload.ok");
    wire.answers(DESCRIBE, "describe-media.ok").answers(CREATE, "create-post.throttled-bare");
    let approved = claimed(&house.platform, house.plan(TEXT)).await;
    let (id, outcome) = house.attempt(approved).await;
    assert_eq!(outcome, Outcome::Throttled { after_seconds: 60 });
    house.platform.advance(SignedDuration::from_mins(1));
    let Redeemed::Send(mut approved) = house.redeemed(id).await else { panic!("it is due") };
    wire.answers(STATUS, "upload-status.gone");
    uploads(&wire, "finalize-upload.ok");
    wire.answers(DESCRIBE, "describe-media.ok").answers(CREATE, "create-post.ok");
    assert!(matches!(house.publish(&mut approved).await, Outcome::Done { .. }));
    wire.is_played();
}

#[tokio::test(start_paused = true)]
async fn n15_nothing_before_the_post_leaves_it_unknown() {
    for fails in [INITIALIZE, APPEND, FINALIZE, DESCRIBE] {
        let (house, wire) = scripted().await;
        let steps = [
            (INITIALIZE, "initialize-upload.ok"),
            (APPEND, "append-upload.ok"),
            (FINALIZE, "finalize-upload.ok"),
            (DESCRIBE, "describe-media.ok"),
        ];
        for (step, well) in steps {
            if step == fails {
                // What may be repeated is, twice.
                let tries = if step == FINALIZE { 1 } else { 3 };
                for _ in 0..tries {
                    wire.loses(step);
                }
                break;
            }
            wire.answers(step, well);
        }
        let mut approved = claimed(&house.platform, house.plan(TEXT)).await;
        let outcome = house.publish(&mut approved).await;
        assert_eq!(outcome, Outcome::Throttled { after_seconds: 60 }, "{fails}");
        wire.is_played();
    }
}

#[tokio::test(start_paused = true)]
async fn n15_each_end_of_a_post_has_its_outcome_and_is_asked_for_once() {
    for (recording, expected) in [
        ("create-post.unauthorized", "Login"),
        ("create-post.throttled", "Throttled"),
        ("create-post.throttled-at-the-end-of-its-window", "Throttled"),
        ("create-post.throttled-bare", "Throttled"),
        ("create-post.credits", "Refused"),
        ("create-post.usage-cap", "Refused"),
        ("create-post.forbidden", "Refused"),
        ("create-post.duplicate", "Refused"),
        ("create-post.invalid-field", "Refused"),
        ("create-post.invalid-media", "Refused"),
        ("create-post.unavailable", "Unknown"),
        ("create-post.gateway", "Unknown"),
        ("create-post.error-in-success", "Unknown"),
        ("create-post.no-id", "Unknown"),
        ("create-post.cut-off", "Unknown"),
    ] {
        let (house, wire) = scripted().await;
        wire.answers(CREATE, recording);
        let mut approved = claimed(&house.platform, house.wordy("Bread")).await;
        let outcome = house.publish(&mut approved).await;
        assert!(format!("{outcome:?}").starts_with(expected), "{recording}: {outcome:?}");
        wire.is_played();
    }
    let (house, wire) = scripted().await;
    wire.loses(CREATE);
    let mut approved = claimed(&house.platform, house.wordy("Bread")).await;
    assert!(matches!(house.publish(&mut approved).await, Outcome::Unknown { .. }));
    wire.is_played();
}

#[tokio::test(start_paused = true)]
async fn n16_without_an_account_nothing_is_asked() {
    let (house, wire) = scripted().await;
    let mut approved = claimed(&house.platform, house.wordy("Bread")).await;
    let medium = Medium { content_type: "video/mp4".into(), bytes: Bytes::new(), address: None };
    let outcome = house.x.publish(&house.at(), None, &mut approved, medium).await;
    assert!(matches!(outcome, Outcome::Login { .. }));
    let id = approved.id();
    drop(approved);
    let unsure = orphaned(&house.platform, id).await;
    let found = house.x.look_up(&house.at(), None, &unsure).await;
    assert!(matches!(found, Found::StillUnknown { .. }));
    wire.is_played();
}

#[tokio::test(start_paused = true)]
async fn n14_what_x_would_refuse_is_said_before_and_not_sent() {
    let (house, wire) = scripted().await;
    let fields = |change: &dyn Fn(&mut PostPlan)| {
        let mut plan = house.plan("Bread");
        change(&mut plan);
        limits::problems(&plan).into_iter().map(|problem| problem.field).collect::<Vec<_>>()
    };
    let media = |change: &dyn Fn(&mut nexus_engine::publishing::PlannedMedia)| {
        fields(&|plan| change(plan.media.as_mut().unwrap()))
    };
    const MB: u64 = 1024 * 1024;
    let fine = [""; 0];
    assert_eq!(fields(&|_| {}), fine);
    assert_eq!(fields(&|p| p.text = "é".repeat(280)), fine);
    assert_eq!(fields(&|p| p.text = "é".repeat(281)), ["text"]);
    assert_eq!(fields(&|p| p.text = String::new()), fine, "the film is enough");
    assert_eq!(fields(&|p| (p.text, p.media) = (" ".into(), None)), ["text"]);
    assert_eq!(media(&|m| m.size = 512 * MB), fine);
    assert_eq!(media(&|m| m.size = 512 * MB + 1), ["media.size"]);
    assert_eq!(media(&|m| m.size = 0), ["media.size"]);
    for (ms, expected) in [(499, 1), (500, 0), (140_000, 0), (140_001, 1)] {
        assert_eq!(media(&|m| m.duration_ms = ms).len(), expected, "{ms}");
    }
    let picture = |content_type: &'static str, size: u64| {
        media(&|m| (m.content_type, m.size, m.duration_ms) = (content_type.into(), size, 0))
    };
    assert_eq!(picture("image/jpeg", 5 * MB), fine);
    assert_eq!(picture("image/jpeg", 5 * MB + 1), ["media.size"]);
    assert_eq!(picture("image/gif", 15 * MB), fine);
    assert_eq!(picture("image/tiff", 1), ["media.content_type"]);
    assert_eq!(media(&|m| m.alt = Some("é".repeat(1_001))), ["media.alt"]);
    let mut approved = claimed(&house.platform, house.plan(&"é".repeat(281))).await;
    let outcome = house.publish(&mut approved).await;
    assert!(matches!(&outcome, Outcome::Refused { why } if why.contains("281")), "{outcome:?}");
    wire.is_played();
}

#[tokio::test]
async fn a_post_s_price_is_said_and_thirteen_times_as_much_with_a_link() {
    let (house, wire) = scripted().await;
    let asked = |text: &str, alt: bool| {
        let mut plan = house.plan(text);
        if !alt {
            plan.media.as_mut().unwrap().alt = None;
        }
        let (house, at) = (&house, house.at());
        async move { house.x.preflight(&at, Some(&house.access), &plan).await.unwrap() }
    };
    let plain = asked("Bread", false).await;
    assert_eq!((plain.cost, plain.problems.len()), (Cost::micros(15_000), 0));
    let described = asked("Bread", true).await;
    assert_eq!(described.cost, Cost::micros(20_000), "with its words");
    let note = &described.notes[0];
    assert!(note.contains("0.02 ") || note.contains("0.020"), "{note}");
    assert!(note.contains("0.205"), "{note}");
    let linked = asked("Bread at shop.com/a", false).await;
    assert_eq!(linked.cost, Cost::micros(200_000));
    let note = &linked.notes[0];
    assert!(note.contains("shop.com/a") && note.contains("13 times"), "{note}");
    assert!(plain.notes[0].contains("0.015"), "{:?}", plain.notes);
    assert_eq!(asked("Write to me@shop.com, node.js", false).await.cost, Cost::micros(15_000));
    assert_eq!(
        asked("el 1.er piso", false).await.cost,
        Cost::micros(200_000),
        "X takes it for one"
    );
    wire.is_played();
}

fn listed(posts: Value) -> Answer {
    let count = posts.as_array().unwrap().len();
    let body = json!({ "data": posts, "meta": { "result_count": count } });
    answer(200, HeaderMap::new(), body.to_string())
}

#[tokio::test(start_paused = true)]
async fn n15_a_lost_post_is_found_among_the_account_s_own() {
    let (house, wire) = scripted().await;
    let due = house.platform.now();
    let approved = claimed(&house.platform, house.wordy(TEXT)).await;
    let id = approved.id();
    drop(approved);
    let unsure = orphaned(&house.platform, id).await;
    let at = |seconds: i64| (due + SignedDuration::from_secs(seconds)).to_string();
    let text = "Bread &amp; jam, as every morning.";
    let post = |id: &str, text: &str, seconds: i64| json!({ "id": id, "text": text, "created_at": at(seconds) });
    let posts = json!([
        post("5", text, 90),
        post("4", text, 3),
        post("3", "Bread", 2),
        post("2", text, -30),
        post("1", text, -61),
    ]);
    wire.answers(ME, "own-account.ok").then(POSTS, listed(posts));
    let found = house.look_up(&unsure).await;
    let ours = |id: &str| Found::Done {
        receipt: id.into(),
        url: Some(format!("https://x.com/i/web/status/{id}")),
    };
    assert_eq!(found, ours("4"), "the earliest after its time");
    let posts = json!([post("2", text, -30), post("1", text, -61)]);
    wire.answers(ME, "own-account.ok").then(POSTS, listed(posts));
    assert_eq!(house.look_up(&unsure).await, ours("2"), "X's clock may be behind by so much");
    wire.is_played();
}

#[tokio::test(start_paused = true)]
async fn n15_not_there_is_said_only_of_a_whole_list_some_minutes_later() {
    let (house, wire) = scripted().await;
    let approved = claimed(&house.platform, house.wordy(TEXT)).await;
    let id = approved.id();
    drop(approved);
    let unsure = orphaned(&house.platform, id).await;
    let still = |found: &Found| matches!(found, Found::StillUnknown { .. });
    wire.answers(ME, "own-account.ok").answers(POSTS, "own-posts.none");
    assert!(still(&house.look_up(&unsure).await), "{LEASE} after the claim");
    house.platform.advance(SignedDuration::from_mins(5) - LEASE);
    for unclear in ["own-posts.partly", "own-posts.unreadable-post", "own-posts.error-in-success"] {
        wire.answers(ME, "own-account.ok").answers(POSTS, unclear);
        if unclear == "own-posts.error-in-success" {
            // A question may be asked again.
            wire.answers(POSTS, unclear).answers(POSTS, unclear);
        }
        assert!(still(&house.look_up(&unsure).await), "{unclear}");
    }
    wire.answers(ME, "own-account.unauthorized");
    assert!(still(&house.look_up(&unsure).await));
    // More pages than are looked at.
    wire.answers(ME, "own-account.ok");
    for _ in 0..5 {
        wire.answers(POSTS, "own-posts.more");
    }
    assert!(still(&house.look_up(&unsure).await));
    wire.answers(ME, "own-account.ok")
        .answers(POSTS, "own-posts.more")
        .answers(POSTS, "own-posts.none");
    assert_eq!(house.look_up(&unsure).await, Found::NotDone);
    wire.is_played();
}

#[tokio::test(start_paused = true)]
async fn n17_a_look_for_which_x_has_no_time_comes_again_when_it_says() {
    let (house, wire) = scripted().await;
    let approved = claimed(&house.platform, house.wordy(TEXT)).await;
    let id = approved.id();
    drop(approved);
    let unsure = orphaned(&house.platform, id).await;
    let reset = house.platform.now() + SignedDuration::from_mins(10);
    let mut headers = HeaderMap::new();
    headers.insert("x-rate-limit-reset", reset.as_second().to_string().parse().unwrap());
    wire.then(ME, answer(429, headers, "{}".to_owned()));
    assert_eq!(house.look_up(&unsure).await, Found::Later { after_seconds: 600 });
    wire.is_played();
}

/// The real way out, to X as it is pretended.
async fn connected(prepare: impl FnOnce(&pretended::X)) -> (House, pretended::X) {
    let platform = MemoryPlatform::new();
    let network = pretended::X::open(platform.ambient().clock).await.unwrap();
    prepare(&network);
    let guard = Guard::allowing(["127.0.0.0/8"]).unwrap();
    let https = Https::new(guard, TlsFloor::Tls12, "").unwrap();
    let client_secret = (!network.is_public()).then_some(CLIENT_SECRET);
    let base = Some(network.base());
    let mut house = House::of(platform, Arc::new(https), base, client_secret).await;
    let address = house.x.authorize(&house.at(), &ask()).await.unwrap();
    let back = network.grant(&address).unwrap();
    let code = back.rsplit("code=").next().unwrap();
    let granted = house.x.exchange(&house.at(), &ask(), &secret(code)).await.unwrap();
    assert_eq!(granted.account.as_ref().unwrap().reveal(), ACCOUNT);
    assert_eq!(granted.lives, Some(SignedDuration::from_hours(2)));
    let scopes: BTreeSet<String> = SCOPES.map(str::to_owned).into();
    assert_eq!(granted.scopes, Some(scopes));
    let refreshed = house.x.refresh(&house.at(), None, granted.refresh.as_ref().unwrap()).await;
    house.access.token = refreshed.unwrap().access;
    (house, network)
}

fn assert_nothing_wrong(network: &pretended::X) {
    assert_eq!(network.wrong(), Vec::<String>::new());
}

#[tokio::test]
async fn n15_n42_from_a_connection_to_one_post_whose_answer_was_lost() {
    let (house, network) = connected(|network| network.show_after(1)).await;
    let plan = PostPlan {
        made_by_ai: true,
        ..house.plan("New & fresh: https://shop.com/a?b=1&c. www.shop.com!")
    };
    let preflight = house.x.preflight(&house.at(), Some(&house.access), &plan).await.unwrap();
    assert_eq!((preflight.problems.len(), preflight.cost), (0, Cost::micros(205_000)));
    network.fail_next(Call::Create, Fault::Lost);
    let (id, outcome) = house.attempt(claimed(&house.platform, plan.clone()).await).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    let mut looks = Vec::new();
    while looks.len() < 2 {
        house.platform.advance(SignedDuration::from_secs(30));
        let Redeemed::LookUp(unsure) = house.redeemed(id).await else { panic!("it is unknown") };
        let found = house.look_up(&unsure).await;
        looks.push(matches!(found, Found::Done { .. }));
        let now = house.platform.now();
        approval::settle_looked_up(unsure, found, "publish", now).await.unwrap();
    }
    assert_eq!(looks, [false, true], "X's list lags");
    let posts = network.posts();
    assert_eq!(posts.len(), 1);
    assert_eq!((posts[0].text.as_str(), posts[0].made_with_ai), (plan.text.as_str(), true));
    assert_eq!(
        (&posts[0].shows[0].bytes[..], posts[0].shows[0].alt.as_deref()),
        (FILM, plan.media.unwrap().alt.as_deref())
    );
    let kept =
        effect::load::<PostPlan>(&house.platform.table, &scope(), id).await.unwrap().unwrap();
    let outcome = kept.record.outcome().unwrap().clone();
    assert!(matches!(outcome, Outcome::Done { receipt, .. } if receipt == posts[0].id));
    assert_eq!(network.asked(Call::Create).len(), 1);
    assert_nothing_wrong(&network);
    // What was read is counted, and dearer rather than cheaper.
    let month = Month::of(house.platform.now());
    let lines =
        egress::ledger(&house.platform.table, &scope(), month, house.platform.now()).await.unwrap();
    let paid = |operation: &str| {
        let line = lines.iter().find(|line| line.operation == operation);
        line.map(|line| line.cost.as_micros()).unwrap_or_default()
    };
    assert_eq!(
        (paid("create-post"), paid("own-posts"), paid("describe-media")),
        (200_000, 5_000, 5_000)
    );
    // Not a word that lets somebody in stands in any row.
    for row in house.platform.rows().await {
        assert!(!format!("{row:?}").contains("canary"), "{row:?}");
    }
}

#[tokio::test]
async fn n15_whatever_fails_at_the_post_there_is_exactly_one() {
    for fault in [Fault::Before, Fault::After, Fault::Lost, Fault::Status(500), Fault::Status(429)]
    {
        for lag in [0, 3] {
            let (house, network) = connected(|network| network.show_after(lag)).await;
            network.fail_next(Call::Create, fault);
            let end = house.live(house.wordy("Bread & jam https://shop.com/a")).await;
            assert_eq!((end, network.posts().len()), (State::Done, 1), "{fault:?} {lag}");
            assert_nothing_wrong(&network);
        }
    }
}

#[tokio::test]
async fn n15_a_list_that_lags_for_too_long_ends_in_x_s_own_no_and_never_in_two_posts() {
    // Five looks find nothing, so it is sent again; X turns it down, and the next look finds it.
    let (house, network) = connected(|network| network.show_after(6)).await;
    network.fail_next(Call::Create, Fault::Lost);
    assert_eq!(house.live(house.wordy("Bread")).await, State::Done);
    assert_eq!((network.posts().len(), network.asked(Call::Create).len()), (1, 2));
    // If it is never shown, a person is asked, and it is not sent a third time.
    let (house, network) = connected(|network| network.show_after(1_000)).await;
    network.fail_next(Call::Create, Fault::Lost);
    assert_eq!(house.live(house.wordy("Bread")).await, State::AskAPerson);
    assert_eq!((network.posts().len(), network.asked(Call::Create).len()), (1, 2));
}

#[tokio::test]
async fn n15_the_same_text_of_another_post_is_refused_at_the_first_attempt() {
    let (house, network) = connected(|_| {}).await;
    network.post_elsewhere("Bread");
    house.platform.advance(SignedDuration::from_hours(1));
    let (_, outcome) = house.attempt(claimed(&house.platform, house.wordy("Bread")).await).await;
    assert!(matches!(&outcome, Outcome::Refused { why } if why.contains("twice")), "{outcome:?}");
    assert_eq!(network.posts().len(), 1);
    assert_nothing_wrong(&network);
}

#[tokio::test]
async fn n42_a_film_of_several_chunks_arrives_whole_though_an_answer_is_lost() {
    let (house, network) = connected(|network| network.work_for(2, 0)).await;
    network.fail_next(Call::Append, Fault::Lost);
    let film: Vec<u8> = (0..request::CHUNK * 2 + 7).map(|n| (n % 251) as u8).collect();
    let mut approved =
        claimed(&house.platform, plan(&house.platform, Network::X, "Bread", &film)).await;
    let bytes = Bytes::from(film.clone());
    let medium = Medium { content_type: "video/mp4".into(), bytes, address: None };
    let outcome = house.x.publish(&house.at(), Some(&house.access), &mut approved, medium).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert!(network.posts()[0].shows[0].bytes == film, "the film is another");
    assert_eq!((network.asked(Call::Append).len(), network.asked(Call::Status).len()), (4, 3));
    assert_nothing_wrong(&network);
}

#[tokio::test]
async fn n42_a_film_that_x_cannot_use_is_refused() {
    let (house, network) = connected(|network| {
        network.work_for(1, 0);
        network.spoil_videos(true);
    })
    .await;
    let mut approved = claimed(&house.platform, house.plan("Bread")).await;
    let outcome = house.publish(&mut approved).await;
    assert!(
        matches!(&outcome, Outcome::Refused { why } if why.contains("cannot read")),
        "{outcome:?}"
    );
    assert!(network.posts().is_empty());
    assert_nothing_wrong(&network);
}

#[tokio::test]
async fn n17_who_asks_too_often_waits_until_x_s_window_ends() {
    let (house, network) = connected(|network| network.limit_posts(1)).await;
    assert_eq!(house.live(house.wordy("First")).await, State::Done);
    house.platform.advance(SignedDuration::from_mins(5));
    let (_, outcome) = house.attempt(claimed(&house.platform, house.wordy("Second")).await).await;
    assert_eq!(outcome, Outcome::Throttled { after_seconds: 600 });
    assert_eq!(house.live(house.wordy("Third")).await, State::Done);
    assert_eq!(network.posts().len(), 2);
}

#[tokio::test]
async fn n41_n62_what_its_owner_took_back_lets_nobody_in() {
    let (house, network) = connected(|_| {}).await;
    let address = house.x.authorize(&house.at(), &ask()).await.unwrap();
    let code = network.grant(&address).unwrap().rsplit("code=").next().unwrap().to_owned();
    let granted = house.x.exchange(&house.at(), &ask(), &secret(&code)).await.unwrap();
    let again = house.x.exchange(&house.at(), &ask(), &secret(&code)).await;
    assert!(matches!(again, Err(LoginError::Gone { .. })), "a code serves once");
    let refresh = granted.refresh.unwrap();
    house.x.revoke(&house.at(), None, &refresh).await.unwrap();
    house.x.revoke(&house.at(), None, &refresh).await.unwrap();
    let refreshed = house.x.refresh(&house.at(), None, &refresh).await;
    assert!(matches!(refreshed, Err(LoginError::Gone { .. })));
    network.disconnect();
    let mut approved = claimed(&house.platform, house.wordy("Bread")).await;
    assert!(matches!(house.publish(&mut approved).await, Outcome::Login { .. }));
    assert!(network.posts().is_empty());
    assert_nothing_wrong(&network);
}

#[tokio::test]
async fn n5_a_refresh_token_is_shown_once_and_an_answer_that_was_lost_is_unknown() {
    let (house, network) = connected(pretended::X::make_public).await;
    let exchanges = network.asked(Call::Token).len();
    for fault in [Fault::Lost, Fault::Before, Fault::Status(503)] {
        network.fail_next(Call::Token, fault);
        let refreshed = house.x.refresh(&house.at(), None, &secret("canary-refresh-1")).await;
        assert!(matches!(refreshed, Err(LoginError::Unknown { .. })), "{fault:?}: {refreshed:?}");
    }
    assert_eq!(network.asked(Call::Token).len(), exchanges + 3, "each left the house once");
    let stale = house.x.refresh(&house.at(), None, &secret("canary-refresh-of-nobody")).await;
    assert!(matches!(stale, Err(LoginError::Gone { .. })));
}

#[tokio::test]
async fn n38_used_up_credits_are_said_with_their_remedy() {
    let (house, network) = connected(|network| network.use_up_credits(true)).await;
    let (_, outcome) = house.attempt(claimed(&house.platform, house.wordy("Bread")).await).await;
    assert!(matches!(&outcome, Outcome::Refused { why } if why.contains("credits")), "{outcome:?}");
    assert!(network.posts().is_empty());
}

const REPLIES: &str = "GET /2/tweets/search/recent";

impl House {
    async fn hear(&self, since: Option<&str>) -> Heard {
        self.x.hear(&self.at(), Some(&self.access), POST, since).await.unwrap()
    }
}

fn replies(ids: &[u64], next: Option<&str>) -> Answer {
    let data: Vec<Value> = ids
        .iter()
        .map(|id| json!({ "id": id.to_string(), "text": "said", "created_at": "2026-11-21T08:00:00Z" }))
        .collect();
    let mut meta = json!({ "result_count": ids.len() });
    if let Some(next) = next {
        meta["next_token"] = next.into();
    }
    let mut body = json!({ "meta": meta });
    if !ids.is_empty() {
        body["data"] = data.into();
    }
    answer(200, HeaderMap::new(), Bytes::from(body.to_string()))
}

#[tokio::test]
async fn what_was_answered_is_heard_oldest_first_and_the_mark_is_the_newest() {
    let (house, wire) = scripted().await;
    wire.answers(REPLIES, "replies.ok");
    let heard = house.hear(None).await;
    let ids: Vec<&str> = heard.remarks.iter().map(|remark| remark.id.as_str()).collect();
    assert_eq!(ids, ["1445880548472328500", "1445880548472328999"]);
    assert_eq!(heard.remarks[1].text.reveal(), "@luna Bread & jam <3");
    assert_eq!(heard.mark.as_deref(), Some("1445880548472328999"));
    assert_eq!(heard.cost, prices::reads(2), "each that is read is paid");
    wire.answers(REPLIES, "replies.none");
    let heard = house.hear(heard.mark.as_deref()).await;
    assert_eq!((heard.remarks.len(), heard.cost), (0, Cost::ZERO));
    assert_eq!(heard.mark.as_deref(), Some("1445880548472328999"), "nothing moves it back");
    wire.is_played();
}

#[tokio::test]
async fn n34_what_reading_costs_is_in_the_ledger_and_under_the_cap() {
    let (house, wire) = scripted().await;
    wire.answers(REPLIES, "replies.ok");
    house.hear(None).await;
    let (now, scope) = (house.platform.now(), scope());
    let month = Month::of(now);
    let spent = egress::spending(&house.platform.table, &scope, month, now).await.unwrap();
    assert!(format!("{spent:?}").contains("10000"), "two reads, 0.01 dollars: {spent:?}");
}

#[tokio::test]
async fn more_than_is_read_at_once_is_read_on_without_a_gap() {
    let (house, wire) = scripted().await;
    wire.then(REPLIES, replies(&[1_445_880_548_472_328_990, 1_445_880_548_472_328_980], Some("b")));
    wire.then(REPLIES, replies(&[1_445_880_548_472_328_970], Some("c")));
    wire.then(REPLIES, replies(&[1_445_880_548_472_328_960], Some("d")));
    let heard = house.hear(None).await;
    assert_eq!(heard.remarks.len(), 4);
    let mark = heard.mark.unwrap();
    assert_eq!(mark, format!("{POST}-1445880548472328960-1445880548472328990"));
    // The rest of what is missing, then on from the newest.
    wire.then(REPLIES, replies(&[1_445_880_548_472_328_950], None));
    let heard = house.hear(Some(&mark)).await;
    assert_eq!(heard.mark.as_deref(), Some("1445880548472328990"));
    wire.is_played();
}

#[tokio::test]
async fn a_refused_token_asks_for_another_and_what_x_cannot_do_now_comes_later() {
    let (house, wire) = scripted().await;
    for (recording, kind) in [
        ("replies.unauthorized", FailureKind::Conflict),
        ("replies.throttled", FailureKind::Throttled),
        ("replies.credits", FailureKind::Invalid),
        ("replies.too-old", FailureKind::Invalid),
        ("replies.error-in-success", FailureKind::Unavailable),
    ] {
        // What nobody can read is asked for again: reading may be repeated.
        let tries = if kind == FailureKind::Unavailable { 3 } else { 1 };
        for _ in 0..tries {
            wire.answers(REPLIES, recording);
        }
        let heard = house.x.hear(&house.at(), Some(&house.access), POST, None).await;
        assert_eq!(heard.unwrap_err().kind(), kind, "{recording}");
    }
    let heard = house.x.hear(&house.at(), None, POST, None).await;
    assert_eq!(heard.unwrap_err().kind(), FailureKind::Conflict);
}

proptest! {
    #[test]
    fn a_mark_that_nobody_wrote_begins_at_the_post(written in ".{0,40}") {
        let mark = super::listen::Mark::parse(Some(&written), POST);
        let again = super::listen::Mark::parse(Some(&mark.written()), POST);
        prop_assert_eq!(mark, again);
    }
}
