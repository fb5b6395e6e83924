//! X, pretended: OAuth 2.0 with PKCE, uploads in chunks, posts, and an account's own list of them.
//!
//! It is strict where X is: a code lives 30 seconds and serves once, a refresh token serves once, an access token lives
//! two hours, chunks come in order, a post has no field that X does not know, a text is not taken twice in a day. What
//! it shows is not what it was sent: links are its own, `&`, `<` and `>` are escaped, and a post may be missing from the
//! list for a while. Anything that publishing has no need of is answered with 404 and kept in [`X::wrong`]: followers,
//! messages, other people's posts.
//!
//! What is X's own word and what is not: the shapes of answers are X's; that a refresh token which was used before is
//! answered with `invalid_grant`, and for how long a text counts as a repetition, are guesses.
//!
//! **Never here:** code of the client, waiting: time is the clock that a test moves.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::body::to_bytes;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, request};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use nexus_kernel::{Clock, Digest, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::fakes::{Calls, lock};

/// The name of the house's application.
pub const CLIENT_ID: &str = "app-of-the-house";
/// Its secret.
pub const CLIENT_SECRET: &str = "canary-secret-of-the-app";
/// What may be asked for, and what publishing needs of it.
pub const SCOPES: [&str; 5] =
    ["tweet.read", "tweet.write", "users.read", "media.write", "offline.access"];

/// How long a code lives.
const CODE: SignedDuration = SignedDuration::from_secs(30);
/// How long an access token lives.
const ACCESS: SignedDuration = SignedDuration::from_hours(2);
/// How long an upload can be used.
const MEDIA: SignedDuration = SignedDuration::from_hours(24);
/// For how long a text counts as a repetition.
const REPETITION: SignedDuration = SignedDuration::from_hours(24);
/// The window of rate limits.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// The most bytes of a chunk.
const CHUNK: usize = 5 * 1024 * 1024;
/// The most bytes of a request: a chunk and what stands around it.
const MOST: usize = CHUNK + 64 * 1024;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Tokens, for a code or a refresh token.
    Token,
    /// That a token is worth nothing any more.
    Revoke,
    /// Whose token it is.
    Me,
    /// An upload's beginning.
    Initialize,
    /// A chunk.
    Append,
    /// An upload's end.
    Finalize,
    /// How far an upload is.
    Status,
    /// The words for an upload.
    Describe,
    /// A post.
    Create,
    /// The account's own posts.
    Posts,
}

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and the connection ends without an answer.
    Before,
    /// It is done, and a gateway answers 503.
    After,
    /// It is done, and the connection ends without an answer.
    Lost,
    /// It is done, and half of the answer comes as if it were all.
    CutOff,
    /// Nothing is done, and this is answered.
    Status(u16),
    /// Nothing is done, and with this status everything is told back that was said, secrets and all.
    Echo(u16),
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What for.
    pub call: Call,
    /// The path, with the query.
    pub path: String,
    /// The body, where it was JSON.
    pub body: Value,
}

/// A post that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Its number.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// Its text, as it was sent.
    pub text: String,
    /// What it shows.
    pub shows: Vec<Shows>,
    /// Whether it says that it was made with AI.
    pub made_with_ai: bool,
    /// Whether it says that somebody pays for it.
    pub paid_partnership: bool,
    /// When it was made.
    pub at: Timestamp,
}

/// What a post shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shows {
    /// `tweet_video`.
    pub category: String,
    /// `video/mp4`.
    pub content_type: String,
    /// The bytes, put together again.
    pub bytes: Bytes,
    /// In words.
    pub alt: Option<String>,
}

/// X. It is gone, with every connection, when this is.
pub struct X {
    house: Arc<House>,
    server: JoinHandle<()>,
}

impl fmt::Debug for X {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X").field("at", &self.house.at).finish_non_exhaustive()
    }
}

impl Drop for X {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl X {
    /// Opens it on a free port, by this clock. The application is a confidential client.
    ///
    /// # Errors
    /// There is none.
    pub async fn open(clock: Arc<dyn Clock>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let house = Arc::new(House::at(listener.local_addr()?, clock));
        let server = tokio::spawn(serve(listener, Arc::clone(&house)));
        Ok(Self { house, server })
    }

    /// Its address, without a slash at the end.
    pub fn base(&self) -> String {
        format!("http://{}", self.house.at)
    }

    /// Answers a request without a socket, for a test whose clock stands still; nothing where the connection would end.
    pub async fn hear(
        &self,
        request: axum::http::Request<Bytes>,
    ) -> Option<axum::http::Response<Bytes>> {
        let (head, body) = request.into_parts();
        super::heard(async { self.house.take(&came(head, body)) }).await
    }

    /// The settings that lead a host here.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let settings = [
            ("X_BASE", self.base()),
            ("X_AUTHORIZE_BASE", self.base()),
            ("X_CLIENT_ID", CLIENT_ID.to_owned()),
            ("OUTBOUND_OPEN", "127.0.0.1".to_owned()),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// From now on the application has no secret: it says its name in the form.
    pub fn make_public(&self) {
        self.house.change(|state| state.is_public = true);
    }

    /// Whether it has none.
    pub fn is_public(&self) -> bool {
        lock(&self.house.state).is_public
    }

    /// From now on somebody else is signed in: who grants what is asked for. At first it is number 1.
    pub fn sign_in(&self, number: u32) {
        self.house.change(|state| state.person = number);
    }

    /// A code for the account that is signed in, as if its owner had granted everything.
    pub fn issue_code(&self, state: &str, challenge: &str, redirect: &str) -> String {
        self.house.issue(state, challenge, redirect, &SCOPES.map(str::to_owned))
    }

    /// What a browser does with the address of a grant: the owner says yes, and X sends them back to this address.
    ///
    /// # Errors
    /// X shows a page with this problem instead.
    pub fn grant(&self, address: &str) -> Result<String, String> {
        self.house.grant(address)
    }

    /// The next of these that has no fault yet has this one.
    pub fn fail_next(&self, call: Call, fault: Fault) {
        self.house.change(|state| state.script.entry(call).or_default().push_back(fault));
    }

    /// Uploads of videos are worked on for so many looks, and asked to be looked at after so many seconds.
    pub fn work_for(&self, looks: u32, check_after_secs: u32) {
        self.house.change(|state| state.work = (looks, check_after_secs));
    }

    /// Videos cannot be used from now on, or can again.
    pub fn spoil_videos(&self, spoil: bool) {
        self.house.change(|state| state.spoils = spoil);
    }

    /// New posts are missing from the first so many lists.
    pub fn show_after(&self, reads: u32) {
        self.house.change(|state| state.hidden_for = reads);
    }

    /// A refresh token that comes a second time ends everything that came of the same grant.
    pub fn end_on_replay(&self) {
        self.house.change(|state| state.ends_on_replay = true);
    }

    /// So many posts fit into a window, for each account.
    pub fn limit_posts(&self, most: u32) {
        self.house.change(|state| state.most_posts = most);
    }

    /// The application's credits are used up, or not any more.
    pub fn use_up_credits(&self, used_up: bool) {
        self.house.change(|state| state.has_no_credits = used_up);
    }

    /// The owner of every account takes back what they granted.
    pub fn disconnect(&self) {
        self.house.change(|state| {
            let all: Vec<u64> = state.access.values().map(|token| token.family).collect();
            state.ended.extend(all);
        });
    }

    /// The posts that are there, the oldest first.
    pub fn posts(&self) -> Vec<Post> {
        lock(&self.house.state).posts.iter().map(|kept| kept.post.clone()).collect()
    }

    /// A post that an account made by itself, elsewhere.
    pub fn post_elsewhere(&self, text: &str) {
        let now = self.house.clock.now();
        self.house.change(|state| {
            let account = account_of(state.person);
            state.keep(account, text.to_owned(), Vec::new(), (false, false), now);
        });
    }

    /// What was asked, in order, whatever was answered.
    pub fn asked(&self, call: Call) -> Vec<Asked> {
        self.house.asked.all().into_iter().filter(|asked| asked.call == call).collect()
    }

    /// Everything that was asked.
    pub fn everything(&self) -> Vec<Asked> {
        self.house.asked.all()
    }

    /// What nobody but the house and X may know, as far as it has come up: tokens, codes, states, verifiers.
    pub fn secrets(&self) -> Vec<String> {
        lock(&self.house.state).secrets.iter().cloned().collect()
    }

    /// What X does not take, and why.
    pub fn wrong(&self) -> Vec<String> {
        self.house.wrong.all()
    }
}

struct House {
    at: SocketAddr,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    asked: Calls<Asked>,
    wrong: Calls<String>,
}

struct State {
    is_public: bool,
    person: u32,
    drawn: u64,
    secrets: BTreeSet<String>,
    script: BTreeMap<Call, VecDeque<Fault>>,
    codes: HashMap<String, Code>,
    access: HashMap<String, Token>,
    refresh: HashMap<String, Token>,
    /// Families of tokens that are over: each grant begins one.
    ended: Vec<u64>,
    ends_on_replay: bool,
    media: BTreeMap<String, Media>,
    work: (u32, u32),
    spoils: bool,
    posts: Vec<Kept>,
    hidden_for: u32,
    most_posts: u32,
    has_no_credits: bool,
    windows: HashMap<(Call, String), (Timestamp, u32)>,
}

struct Code {
    account: String,
    challenge: String,
    redirect: String,
    scopes: Vec<String>,
    until: Timestamp,
}

#[derive(Clone)]
struct Token {
    account: String,
    scopes: Vec<String>,
    family: u64,
    /// An access token's end; a refresh token has none.
    until: Timestamp,
    used: bool,
}

struct Media {
    account: String,
    category: String,
    content_type: String,
    total: usize,
    chunks: Vec<Bytes>,
    until: Timestamp,
    is_whole: bool,
    looks: u32,
    is_spoiled: bool,
    alt: Option<String>,
}

struct Kept {
    post: Post,
    hidden_for: u32,
}

/// A no of X's.
struct No {
    status: u16,
    body: Value,
    /// Whether a client that keeps to the description can get it.
    is_wrong: bool,
}

impl No {
    /// A problem of a request that X does not understand.
    fn wrong(status: u16, field: &str, detail: &str) -> Self {
        let body = json!({
            "errors": [{ "parameters": { field: [] }, "message": detail }],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": "https://api.x.com/2/problems/invalid-request",
        });
        Self { status, body, is_wrong: true }
    }

    fn problem(status: u16, title: &str, detail: &str) -> Self {
        let body =
            json!({ "title": title, "type": "about:blank", "status": status, "detail": detail });
        Self { status, body, is_wrong: false }
    }

    fn of_tokens(status: u16, error: &str, description: &str, is_wrong: bool) -> Self {
        let body = json!({ "error": error, "error_description": description });
        Self { status, body, is_wrong }
    }
}

type Said = Result<(u16, Value), No>;

/// A request, read whole.
struct Came {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Came {
    fn query(&self) -> Vec<(String, String)> {
        let read = Query::<Vec<(String, String)>>::try_from_uri(&self.uri);
        read.map(|Query(pairs)| pairs).unwrap_or_default()
    }

    fn is(&self, content_type: &str) -> bool {
        self.header(header::CONTENT_TYPE.as_str())
            .is_some_and(|told| told.split(';').next().map(str::trim) == Some(content_type))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn json(&self) -> Result<serde_json::Map<String, Value>, No> {
        let no = || No::wrong(400, "body", "an object of JSON is expected");
        if !self.is("application/json") {
            return Err(no());
        }
        serde_json::from_slice(&self.bytes).map_err(|_| no())
    }

    fn form(&self) -> Result<BTreeMap<String, String>, No> {
        let no = || No::of_tokens(400, "invalid_request", "This is no form.", true);
        let text = std::str::from_utf8(&self.bytes).map_err(|_| no())?;
        let uri: Uri = format!("/?{text}").parse().map_err(|_| no())?;
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| no())?.0;
        let (count, form) = (pairs.len(), pairs.into_iter().collect::<BTreeMap<_, _>>());
        let is_form = self.is("application/x-www-form-urlencoded") && form.len() == count;
        if is_form { Ok(form) } else { Err(no()) }
    }

    /// The parts of a multipart form: name and bytes.
    fn parts(&self) -> Option<Vec<(String, Bytes)>> {
        if !self.is("multipart/form-data") {
            return None;
        }
        let boundary = self.header("content-type")?.split("boundary=").nth(1)?;
        let mark = format!("--{boundary}");
        let mut rest = self.bytes.clone();
        let mut parts = Vec::new();
        let start = find(&rest, mark.as_bytes())?;
        rest = rest.slice(start + mark.len()..);
        while !rest.starts_with(b"--") {
            let body = rest.strip_prefix(b"\r\n").map(|body| rest.slice_ref(body))?;
            let head = find(&body, b"\r\n\r\n")?;
            let told = std::str::from_utf8(&body[..head]).ok()?;
            let name = told.split("name=\"").nth(1)?.split('"').next()?.to_owned();
            let content = body.slice(head + 4..);
            let end = find(&content, format!("\r\n{mark}").as_bytes())?;
            parts.push((name, content.slice(..end)));
            rest = content.slice(end + 2 + mark.len()..);
        }
        Some(parts)
    }
}

/// Where something stands. It looks for the first byte first: chunks are long.
fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    let first = what.first()?;
    let mut from = 0;
    loop {
        let rest = within.get(from..)?;
        let at = from + rest.iter().position(|byte| byte == first)?;
        if within.get(at..).is_some_and(|rest| rest.starts_with(what)) {
            return Some(at);
        }
        from = at + 1;
    }
}

fn account_of(person: u32) -> String {
    format!("{}", 2_244_994_944_u64 + u64::from(person))
}

impl State {
    fn new() -> Self {
        Self {
            is_public: false,
            person: 1,
            drawn: 0,
            secrets: BTreeSet::new(),
            script: BTreeMap::new(),
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            ended: Vec::new(),
            ends_on_replay: false,
            media: BTreeMap::new(),
            work: (0, 1),
            spoils: false,
            posts: Vec::new(),
            hidden_for: 0,
            most_posts: 100,
            has_no_credits: false,
            windows: HashMap::new(),
        }
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    /// New tokens of a family.
    fn tokens(&mut self, account: &str, scopes: &[String], family: u64, now: Timestamp) -> Value {
        let number = self.draw();
        let until = now.saturating_add(ACCESS).unwrap_or(Timestamp::MAX);
        let (account, scopes) = (account.to_owned(), scopes.to_vec());
        let token = Token { account, scopes: scopes.clone(), family, until, used: false };
        let (access, refresh) =
            (format!("canary-access-{number}"), format!("canary-refresh-{number}"));
        self.secrets.extend([access.clone(), refresh.clone()]);
        let mut said = json!({
            "token_type": "bearer", "expires_in": ACCESS.as_secs(), "access_token": access,
            "scope": scopes.join(" "),
        });
        if scopes.iter().any(|scope| scope == "offline.access") {
            said["refresh_token"] = json!(refresh);
            self.refresh.insert(refresh, token.clone());
        }
        self.access.insert(access, token);
        said
    }

    fn keep(
        &mut self,
        account: String,
        text: String,
        shows: Vec<Shows>,
        (made_with_ai, paid_partnership): (bool, bool),
        at: Timestamp,
    ) -> String {
        let id = (1_990_000_000_000_000_000 + self.draw()).to_string();
        let post =
            Post { id: id.clone(), account, text, shows, made_with_ai, paid_partnership, at };
        self.posts.push(Kept { post, hidden_for: self.hidden_for });
        id
    }
}

impl House {
    fn at(at: SocketAddr, clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State::new());
        Self { at, clock, state, asked: Calls::default(), wrong: Calls::default() }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
    }

    fn issue(&self, state: &str, challenge: &str, redirect: &str, scopes: &[String]) -> String {
        let now = self.clock.now();
        let mut held = lock(&self.state);
        // The state goes to the browser and back; X keeps nothing of it.
        let code = format!("canary-code-{}-{}", held.draw(), state.len());
        let code_of = Code {
            account: account_of(held.person),
            challenge: challenge.to_owned(),
            redirect: redirect.to_owned(),
            scopes: scopes.to_vec(),
            until: now.saturating_add(CODE).unwrap_or(Timestamp::MAX),
        };
        held.secrets.extend([code.clone(), state.to_owned()]);
        held.codes.insert(code.clone(), code_of);
        code
    }

    fn grant(&self, address: &str) -> Result<String, String> {
        let no = |why: &str| {
            self.wrong.note(format!("authorize: {why}"));
            why.to_owned()
        };
        let uri: Uri = address.parse().map_err(|_| no("this is no address"))?;
        if uri.path() != "/i/oauth2/authorize" {
            return Err(no("nothing is granted there"));
        }
        // X wants spaces between scopes as `%20`.
        if uri.query().is_some_and(|query| query.contains('+')) {
            return Err(no("a space is written as `+`"));
        }
        let asked = Query::<BTreeMap<String, String>>::try_from_uri(&uri);
        let asked = asked.map_err(|_| no("the query cannot be read"))?.0;
        let of = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
        let is_right = of("response_type") == "code"
            && of("client_id") == CLIENT_ID
            && of("code_challenge_method") == "S256"
            && of("code_challenge").len() == 43
            && (1..=500).contains(&of("state").len())
            && of("redirect_uri").contains("://")
            && asked.len() == 7;
        if !is_right {
            return Err(no("a parameter is missing, unknown or wrong"));
        }
        let scopes: Vec<String> = of("scope").split(' ').map(str::to_owned).collect();
        if let Some(stray) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
            return Err(no(&format!("the scope `{stray}` is not one that publishing needs")));
        }
        let code = self.issue(of("state"), of("code_challenge"), of("redirect_uri"), &scopes);
        Ok(format!("{}?state={}&code={code}", of("redirect_uri"), of("state")))
    }

    fn take(&self, came: &Came) -> Response {
        let path = came.uri.path().to_owned();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let call = match (came.method.as_str(), parts.as_slice()) {
            ("GET", ["i", "oauth2", "authorize"]) => {
                return match self.grant(&came.uri.to_string()) {
                    Ok(back) => (StatusCode::FOUND, [(header::LOCATION, back)]).into_response(),
                    Err(why) => (StatusCode::BAD_REQUEST, why).into_response(),
                };
            }
            ("POST", ["2", "oauth2", "token"]) => Call::Token,
            ("POST", ["2", "oauth2", "revoke"]) => Call::Revoke,
            ("GET", ["2", "users", "me"]) => Call::Me,
            ("POST", ["2", "media", "upload", "initialize"]) => Call::Initialize,
            ("POST", ["2", "media", "upload", _, "append"]) => Call::Append,
            ("POST", ["2", "media", "upload", _, "finalize"]) => Call::Finalize,
            ("GET", ["2", "media", "upload"]) => Call::Status,
            ("POST", ["2", "media", "metadata"]) => Call::Describe,
            ("POST", ["2", "tweets"]) => Call::Create,
            ("GET", ["2", "users", _, "tweets"]) => Call::Posts,
            _ => {
                self.wrong.note(format!("{} {path}: publishing has no need of that", came.method));
                return say(404, &json!({ "title": "Not Found", "status": 404 }));
            }
        };
        let body = if came.is("application/json") {
            serde_json::from_slice(&came.bytes).unwrap_or_default()
        } else {
            Value::Null
        };
        self.asked.note(Asked { call, path: came.uri.to_string(), body });
        let fault = {
            let mut state = lock(&self.state);
            let verifier = came.form().ok().and_then(|mut form| form.remove("code_verifier"));
            state.secrets.extend(verifier);
            state.script.get_mut(&call).and_then(VecDeque::pop_front)
        };
        match fault {
            Some(Fault::Before) => return super::hang_up(),
            Some(Fault::Status(status)) => {
                return say(status, &No::problem(status, "Wished", "as the test wished").body);
            }
            Some(Fault::Echo(status)) => {
                return say(status, &super::echo(&came.uri, &came.headers, &came.bytes));
            }
            Some(Fault::After | Fault::Lost | Fault::CutOff) | None => {}
        }
        let mut headers = HeaderMap::new();
        let said = self.deed(call, came, &parts, &mut headers);
        let mut response = match said {
            Ok((204, _)) => StatusCode::NO_CONTENT.into_response(),
            Ok((status, body)) => say(status, &body),
            Err(no) => {
                if no.is_wrong {
                    let detail = &no.body["errors"][0]["message"];
                    self.wrong.note(format!(
                        "{call:?} {path}: {} {detail} {}",
                        no.status, no.body["error_description"]
                    ));
                }
                say(no.status, &no.body)
            }
        };
        response.headers_mut().extend(headers);
        match fault {
            Some(Fault::After) => say(503, &No::problem(503, "Service Unavailable", "").body),
            Some(Fault::Lost) => super::hang_up(),
            Some(Fault::CutOff) => super::cut_short(response),
            _ => response,
        }
    }

    fn deed(&self, call: Call, came: &Came, path: &[&str], headers: &mut HeaderMap) -> Said {
        match call {
            Call::Token => return self.token(came),
            Call::Revoke => return self.revoke(came),
            _ => {}
        }
        let token = self.token_of(call, came)?;
        self.count(call, &token.account, headers)?;
        let second = path.get(3).copied().unwrap_or_default();
        match call {
            Call::Me => self.me(came, &token),
            Call::Initialize => self.initialize(came, &token),
            Call::Append => self.append(came, &token, second),
            Call::Finalize => self.finalize(came, &token, second),
            Call::Status => self.status(came, &token),
            Call::Describe => self.describe(came, &token),
            Call::Create => self.create(came, &token),
            Call::Posts => self.own_posts(came, &token, path.get(2).copied().unwrap_or_default()),
            Call::Token | Call::Revoke => Err(No::problem(500, "Bug", "")),
        }
    }

    /// Who asks, if they may.
    fn token_of(&self, call: Call, came: &Came) -> Result<Token, No> {
        let no = || No::problem(401, "Unauthorized", "Unauthorized");
        let told = came.header("authorization").and_then(|told| told.strip_prefix("Bearer "));
        let state = lock(&self.state);
        let token = told.and_then(|told| state.access.get(told)).ok_or_else(no)?.clone();
        if self.clock.now() >= token.until || state.ended.contains(&token.family) {
            return Err(no());
        }
        let needed: &[&str] = match call {
            Call::Create => &["tweet.read", "tweet.write", "users.read"],
            Call::Me | Call::Posts => &["tweet.read", "users.read"],
            _ => &["media.write"],
        };
        if needed.iter().any(|scope| !token.scopes.iter().any(|held| held == scope)) {
            return Err(No::problem(
                403,
                "Forbidden",
                "You are not permitted to perform this action.",
            ));
        }
        Ok(token)
    }

    /// Counts a call in its window, and says how many are left.
    fn count(&self, call: Call, account: &str, headers: &mut HeaderMap) -> Result<(), No> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let most = match call {
            Call::Create => state.most_posts,
            Call::Me => 75,
            Call::Posts => 900,
            Call::Status => 1_000,
            _ => 1_875,
        };
        let window = state.windows.entry((call, account.to_owned())).or_insert((now, 0));
        if now.duration_since(window.0) >= WINDOW {
            *window = (now, 0);
        }
        window.1 += 1;
        let (began, count) = *window;
        let reset = began.saturating_add(WINDOW).unwrap_or(now).as_second();
        for (name, value) in [
            ("x-rate-limit-limit", i64::from(most)),
            ("x-rate-limit-remaining", i64::from(most.saturating_sub(count))),
            ("x-rate-limit-reset", reset),
        ] {
            headers.insert(name, HeaderValue::from(value));
        }
        if count > most {
            return Err(No::problem(429, "Too Many Requests", "Too Many Requests"));
        }
        Ok(())
    }

    /// Whether the application is the one that it says, and its form has only these fields.
    fn application(
        &self,
        came: &Came,
        form: &BTreeMap<String, String>,
        fields: &[&str],
    ) -> Result<(), No> {
        let basic = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
        let by_secret = came.header("authorization") == Some(&format!("Basic {basic}"));
        let by_name = form.get("client_id").is_some_and(|name| name == CLIENT_ID);
        let is_public = lock(&self.state).is_public;
        let is_known = if is_public { by_name } else { by_secret };
        if !is_known {
            let told = "Missing valid authorization header";
            return Err(No::of_tokens(401, "unauthorized_client", told, true));
        }
        let known = |name: &str| fields.contains(&name) || (is_public && name == "client_id");
        if form.keys().any(|name| !known(name)) {
            return Err(No::of_tokens(400, "invalid_request", "A field is not known.", true));
        }
        Ok(())
    }

    fn token(&self, came: &Came) -> Said {
        let form = came.form()?;
        let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let now = self.clock.now();
        match of("grant_type") {
            "authorization_code" => {
                let fields = ["grant_type", "code", "redirect_uri", "code_verifier"];
                self.application(came, &form, &fields)?;
                let mut state = lock(&self.state);
                let invalid = |what: &str, is_wrong| {
                    No::of_tokens(
                        400,
                        "invalid_request",
                        &format!("Value passed for {what}."),
                        is_wrong,
                    )
                };
                let code = state.codes.remove(of("code")).filter(|code| now < code.until);
                let code =
                    code.ok_or_else(|| invalid("the authorization code was invalid", false))?;
                if code.redirect != of("redirect_uri") {
                    return Err(invalid("the redirect uri did not match", true));
                }
                let verifier = of("code_verifier");
                let digest = Digest::of(verifier.as_bytes());
                if !(43..=128).contains(&verifier.len())
                    || URL_SAFE_NO_PAD.encode(digest.as_bytes()) != code.challenge
                {
                    return Err(invalid("code verifier did not match the code challenge", true));
                }
                let family = state.draw();
                Ok((200, state.tokens(&code.account, &code.scopes, family, now)))
            }
            "refresh_token" => {
                self.application(came, &form, &["grant_type", "refresh_token"])?;
                let mut state = lock(&self.state);
                let gone =
                    || No::of_tokens(400, "invalid_grant", "The token is worth nothing.", false);
                let Some(token) = state.refresh.get_mut(of("refresh_token")) else {
                    return Err(gone());
                };
                let was_used = std::mem::replace(&mut token.used, true);
                let token = token.clone();
                if state.ended.contains(&token.family) {
                    return Err(gone());
                }
                if was_used {
                    if state.ends_on_replay {
                        state.ended.push(token.family);
                    }
                    return Err(gone());
                }
                Ok((200, state.tokens(&token.account, &token.scopes, token.family, now)))
            }
            _ => Err(No::of_tokens(400, "unsupported_grant_type", "", true)),
        }
    }

    fn revoke(&self, came: &Came) -> Said {
        let form = came.form()?;
        self.application(came, &form, &["token"])?;
        let mut state = lock(&self.state);
        let Some(token) = form.get("token") else {
            return Err(No::of_tokens(400, "invalid_request", "The token is missing.", true));
        };
        let family = state.refresh.get(token).or_else(|| state.access.get(token));
        if let Some(family) = family.map(|token| token.family) {
            state.ended.push(family);
        }
        Ok((200, json!({ "revoked": true })))
    }

    fn me(&self, came: &Came, token: &Token) -> Said {
        if came.uri.query().is_some() {
            return Err(No::wrong(400, "user.fields", "publishing needs the number alone"));
        }
        let me = json!({ "id": token.account, "name": "Ada Lovelace", "username": "ada" });
        Ok((200, json!({ "data": me })))
    }

    fn initialize(&self, came: &Came, token: &Token) -> Said {
        let body = came.json()?;
        let text =
            |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (category, content_type) = (text("media_category"), text("media_type"));
        let total = body.get("total_bytes").and_then(Value::as_u64).unwrap_or_default();
        let most = match (category.as_str(), content_type.as_str()) {
            ("tweet_image", "image/jpeg" | "image/png" | "image/webp") => 5,
            ("tweet_gif", "image/gif") => 15,
            ("tweet_video", "video/mp4" | "video/quicktime") => 512,
            _ => return Err(No::wrong(400, "media_category", "it does not fit the media type")),
        };
        let known = ["media_category", "media_type", "total_bytes"];
        if let Some(stray) = body.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(No::wrong(400, stray, "this field is not known"));
        }
        if total == 0 || total > most * 1024 * 1024 {
            return Err(No::wrong(400, "total_bytes", "too many or too few"));
        }
        let mut state = lock(&self.state);
        let id = (1_880_000_000_000_000_000 + state.draw()).to_string();
        let media = Media {
            account: token.account.clone(),
            category,
            content_type,
            total: usize::try_from(total).unwrap_or(usize::MAX),
            chunks: Vec::new(),
            until: self.clock.now().saturating_add(MEDIA).unwrap_or(Timestamp::MAX),
            is_whole: false,
            looks: 0,
            is_spoiled: false,
            alt: None,
        };
        state.media.insert(id.clone(), media);
        let key = format!("13_{id}");
        let data = json!({ "id": id, "media_key": key, "expires_after_secs": MEDIA.as_secs() });
        Ok((200, json!({ "data": data })))
    }

    /// Works with an upload of the account that asks.
    fn with_media<T>(
        &self,
        token: &Token,
        id: &str,
        work: impl FnOnce(&mut Media) -> Result<T, No>,
    ) -> Result<T, No> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let media = state.media.get_mut(id);
        let media = media.filter(|media| media.account == token.account && now < media.until);
        work(media.ok_or_else(|| No::problem(404, "Not Found", "The media id is not known."))?)
    }

    fn append(&self, came: &Came, token: &Token, id: &str) -> Said {
        let no = |detail| No::wrong(400, "media", detail);
        let parts = came.parts().ok_or_else(|| no("a multipart form is expected"))?;
        let mut parts: BTreeMap<String, Bytes> = parts.into_iter().collect();
        let chunk = parts.remove("media").ok_or_else(|| no("the bytes are missing"))?;
        let index = parts.remove("segment_index");
        let index = index.as_deref().and_then(|text| std::str::from_utf8(text).ok());
        let index: usize = index
            .and_then(|text| text.parse().ok())
            .filter(|index| *index <= 999)
            .ok_or_else(|| no("segment_index is 0 to 999"))?;
        if !parts.is_empty() || chunk.is_empty() || chunk.len() > CHUNK {
            return Err(no("a chunk is one to 5 MB, and nothing else comes with it"));
        }
        self.with_media(token, id, |media| {
            match media.chunks.get(index) {
                Some(there) if *there == chunk => {}
                None if index == media.chunks.len() && !media.is_whole => media.chunks.push(chunk),
                _ => return Err(no("chunks come in order")),
            }
            let came: usize = media.chunks.iter().map(Bytes::len).sum();
            if came > media.total {
                return Err(no("more comes than was announced"));
            }
            Ok((204, Value::Null))
        })
    }

    fn finalize(&self, came: &Came, token: &Token, id: &str) -> Said {
        if !came.bytes.is_empty() {
            return Err(No::wrong(400, "body", "an end has no body"));
        }
        let ((looks, after), spoils) = {
            let state = lock(&self.state);
            (state.work, state.spoils)
        };
        self.with_media(token, id, |media| {
            let came: usize = media.chunks.iter().map(Bytes::len).sum();
            if came != media.total || media.is_whole {
                return Err(No::wrong(
                    400,
                    "media",
                    "less came than was announced, or it ended before",
                ));
            }
            media.is_whole = true;
            let mut data = json!({ "id": id, "media_key": format!("13_{id}"), "size": came });
            if media.category == "tweet_video" && (looks > 0 || spoils) {
                (media.looks, media.is_spoiled) = (looks, spoils);
                data["processing_info"] = json!({ "state": "pending", "check_after_secs": after });
            }
            Ok((200, json!({ "data": data })))
        })
    }

    fn status(&self, came: &Came, token: &Token) -> Said {
        let query: BTreeMap<String, String> = came.query().into_iter().collect();
        let (Some("STATUS"), Some(id), 2) =
            (query.get("command").map(String::as_str), query.get("media_id"), query.len())
        else {
            return Err(No::wrong(400, "command", "command=STATUS and media_id are expected"));
        };
        let after = lock(&self.state).work.1;
        self.with_media(token, id, |media| {
            if !media.is_whole {
                return Err(No::wrong(400, "media_id", "the upload has not ended"));
            }
            let info = if media.looks > 0 {
                media.looks -= 1;
                json!({ "state": "in_progress", "check_after_secs": after, "progress_percent": 50 })
            } else if media.is_spoiled {
                let error = json!({ "code": 1, "name": "InvalidMedia", "message": "" });
                json!({ "state": "failed", "error": error })
            } else {
                json!({ "state": "succeeded", "progress_percent": 100 })
            };
            let data =
                json!({ "id": id, "media_key": format!("13_{id}"), "processing_info": info });
            Ok((200, json!({ "data": data })))
        })
    }

    fn describe(&self, came: &Came, token: &Token) -> Said {
        let body = Value::Object(came.json()?);
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        let alt = body["metadata"]["alt_text"]["text"].as_str().unwrap_or_default().to_owned();
        let only = json!({ "id": id, "metadata": { "alt_text": { "text": alt } } });
        if body != only || !(1..=1_000).contains(&alt.chars().count()) {
            return Err(No::wrong(400, "metadata", "an id and 1 to 1,000 characters"));
        }
        self.with_media(token, &id, |media| {
            media.alt = Some(alt.clone());
            let said = json!({ "id": id, "associated_metadata": { "alt_text": { "text": alt } } });
            Ok((200, json!({ "data": said })))
        })
    }

    fn create(&self, came: &Came, token: &Token) -> Said {
        let body = came.json()?;
        let known = [
            "text",
            "media",
            "made_with_ai",
            "paid_partnership",
            "reply",
            "reply_settings",
            "poll",
            "quote_tweet_id",
            "community_id",
            "nullcast",
            "for_super_followers_only",
        ];
        if let Some(stray) = body.keys().find(|name| !known.contains(&name.as_str())) {
            let told = format!(
                "$.{stray}: is not defined in the schema and the schema does not allow additional properties"
            );
            return Err(No::wrong(400, stray, &told));
        }
        let flag = |name: &str| match body.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(No::wrong(400, name, "true or false is expected")),
        };
        let flags = (flag("made_with_ai")?, flag("paid_partnership")?);
        let text = body.get("text").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        if weight(&text) > 280 {
            return Err(No::wrong(400, "text", "Your Tweet text is too long."));
        }
        let ids: Vec<String> = match body.get("media") {
            None => Vec::new(),
            Some(media) => {
                let ids = media["media_ids"].as_array().into_iter().flatten();
                let ids: Vec<String> =
                    ids.filter_map(|id| id.as_str().map(str::to_owned)).collect();
                if ids.is_empty() || *media != json!({ "media_ids": ids }) {
                    return Err(No::wrong(400, "media.media_ids", "one to four ids are expected"));
                }
                ids
            }
        };
        let now = self.clock.now();
        let mut shows = Vec::new();
        for id in &ids {
            let no = || No::wrong(400, "media.media_ids", "Your media IDs are invalid.");
            let shown = self.with_media(token, id, |media| {
                if !media.is_whole || media.looks > 0 || media.is_spoiled {
                    return Err(no());
                }
                let bytes: Vec<u8> = media.chunks.iter().flatten().copied().collect();
                Ok(Shows {
                    category: media.category.clone(),
                    content_type: media.content_type.clone(),
                    bytes: bytes.into(),
                    alt: media.alt.clone(),
                })
            });
            shows.push(shown.map_err(|_| no())?);
        }
        let pictures = shows.iter().filter(|shown| shown.category == "tweet_image").count();
        if (text.is_empty() && shows.is_empty())
            || shows.len() > 4
            || (pictures < shows.len() && shows.len() > 1)
        {
            return Err(No::wrong(400, "media.media_ids", "a text, four pictures, or one video"));
        }
        let mut state = lock(&self.state);
        if state.has_no_credits {
            let mut no = No::problem(
                402,
                "CreditsDepleted",
                "Your enrolled account does not have any credits to fulfill this request.",
            );
            no.body["type"] = json!("https://api.x.com/2/problems/credits");
            return Err(no);
        }
        let is_repetition = state.posts.iter().any(|kept| {
            kept.post.account == token.account
                && kept.post.text == text
                && now.duration_since(kept.post.at) < REPETITION
        });
        if is_repetition {
            let told = "You are not allowed to create a Tweet with duplicate content.";
            return Err(No::problem(403, "Forbidden", told));
        }
        let id = state.keep(token.account.clone(), text.clone(), shows, flags, now);
        let data = json!({ "id": id, "text": text, "edit_history_tweet_ids": [id] });
        Ok((201, json!({ "data": data })))
    }

    fn own_posts(&self, came: &Came, token: &Token, account: &str) -> Said {
        if account != token.account {
            return Err(No::wrong(403, "id", "publishing reads nobody else's posts"));
        }
        let query: BTreeMap<String, String> = came.query().into_iter().collect();
        let of = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let known = ["max_results", "start_time", "exclude", "tweet.fields", "pagination_token"];
        if let Some(stray) = query.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(No::wrong(400, stray, "this parameter is not known"));
        }
        let most: usize = of("max_results").parse().unwrap_or_default();
        if !(5..=100).contains(&most) {
            return Err(No::wrong(400, "max_results", "5 to 100"));
        }
        let start = of("start_time");
        // Whole seconds and a `Z`: X reads nothing else.
        let since: Timestamp = (start.len() == 20 && start.ends_with('Z'))
            .then(|| start.parse().ok())
            .flatten()
            .ok_or_else(|| No::wrong(400, "start_time", "YYYY-MM-DDTHH:mm:ssZ is expected"))?;
        let fields: Vec<&str> = of("tweet.fields").split(',').collect();
        if fields.iter().any(|field| !["created_at", "entities", "text"].contains(field)) {
            return Err(No::wrong(400, "tweet.fields", "publishing needs less"));
        }
        let begin: usize = match of("pagination_token") {
            "" => 0,
            page => page
                .strip_prefix("page-")
                .and_then(|begin| begin.parse().ok())
                .ok_or_else(|| No::wrong(400, "pagination_token", "it is none"))?,
        };
        let mut state = lock(&self.state);
        let mut found = Vec::new();
        for kept in state.posts.iter_mut().rev() {
            if kept.post.account != token.account || whole_second(kept.post.at) < since {
                continue;
            }
            if kept.hidden_for > 0 {
                kept.hidden_for -= 1;
                continue;
            }
            found.push(kept.post.clone());
        }
        let page: Vec<Value> =
            found.iter().skip(begin).take(most).map(|post| shown(post, &fields)).collect();
        let mut meta = json!({ "result_count": page.len() });
        if found.len() > begin + page.len() {
            meta["next_token"] = json!(format!("page-{}", begin + page.len()));
        }
        Ok((
            200,
            if page.is_empty() {
                json!({ "meta": meta })
            } else {
                json!({ "data": page, "meta": meta })
            },
        ))
    }
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// A post as X shows it.
fn shown(post: &Post, fields: &[&str]) -> Value {
    let mut urls = Vec::new();
    let mut text = String::new();
    for (n, piece) in post.text.split_inclusive(char::is_whitespace).enumerate() {
        let (link, rest) = link_in(piece);
        if !link.is_empty() {
            let last: String = post.id.chars().rev().take(6).collect();
            let short = format!("https://t.co/{last}{n:04}");
            let long =
                if link.contains("://") { link.to_owned() } else { format!("http://{link}") };
            text.push_str(&short);
            urls.push(json!({ "url": short, "expanded_url": long, "display_url": link }));
        }
        text.push_str(&rest.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
    }
    for (n, shows) in post.shows.iter().enumerate() {
        let short = "https://t.co/film000001";
        if n == 0 {
            text = format!("{} {short}", text.trim_end()).trim_start().to_owned();
        }
        let kind = if shows.category == "tweet_video" { "video" } else { "photo" };
        let long = format!("https://x.com/ada/status/{}/{kind}/1", post.id);
        urls.push(json!({ "url": short, "expanded_url": long, "media_key": format!("13_{n}") }));
    }
    let mut said = json!({ "id": post.id, "text": text, "edit_history_tweet_ids": [post.id] });
    if fields.contains(&"created_at") {
        let at = post.at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
        said["created_at"] = json!(at);
    }
    if fields.contains(&"entities") && !urls.is_empty() {
        said["entities"] = json!({ "urls": urls });
    }
    said
}

/// The link that a word begins with, and what follows it.
fn link_in(word: &str) -> (&str, &str) {
    let is_link = ["http://", "https://", "www."].iter().any(|start| word.starts_with(start));
    if !is_link {
        return ("", word);
    }
    let link = word.trim_end().trim_end_matches(['.', ',', '!', '?', ')', ':', ';']);
    (link, word.strip_prefix(link).unwrap_or_default())
}

/// A text's length as X counts it, but for emoji of several code points, which count more here.
fn weight(text: &str) -> usize {
    let of = |c: char| match u32::from(c) {
        0..=4351 | 8192..=8205 | 8208..=8223 | 8242..=8247 => 1,
        _ => 2,
    };
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let (link, rest) = link_in(word);
            let rest: usize = rest.chars().map(of).sum();
            rest + if link.is_empty() { 0 } else { 23 }
        })
        .sum()
}

fn say(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn serve(listener: TcpListener, house: Arc<House>) {
    let answer = move |request: Request| {
        let house = Arc::clone(&house);
        async move {
            let (head, body) = request.into_parts();
            match to_bytes(body, MOST).await {
                Ok(bytes) => house.take(&came(head, bytes)),
                Err(_) => say(413, &json!({ "title": "Payload Too Large", "status": 413 })),
            }
        }
    };
    super::serve(listener, || {}, answer).await;
}

fn came(head: request::Parts, bytes: Bytes) -> Came {
    Came { method: head.method, uri: head.uri, headers: head.headers, bytes }
}

#[cfg(test)]
mod tests {
    use nexus_contract::START;
    use nexus_kernel::ambient::ManualClock;

    use super::*;

    const BACK: &str = "https://nexus.example/connected";
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    /// X without a listener.
    struct Desk {
        house: House,
        clock: ManualClock,
    }

    impl Desk {
        fn new() -> Self {
            let clock = ManualClock::at(START);
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
            Self { house: House::at(at, Arc::new(clock.clone())), clock }
        }

        fn later(&self, by: SignedDuration) {
            self.clock.move_to(self.clock.now() + by);
        }

        async fn asked(
            &self,
            method: &str,
            path: &str,
            headers: &[(&str, &str)],
            body: &[u8],
        ) -> (u16, Value) {
            let mut request = axum::http::Request::builder().method(method).uri(path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let response = self.house.take(&came(head, Bytes::copy_from_slice(body)));
            let status = response.status().as_u16();
            let bytes = to_bytes(response.into_body(), MOST).await.unwrap();
            (status, serde_json::from_slice(&bytes).unwrap_or_default())
        }

        async fn tokens(&self, form: &str) -> (u16, Value) {
            let basic =
                format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
            let headers = [
                ("authorization", basic.as_str()),
                ("content-type", "application/x-www-form-urlencoded"),
            ];
            self.asked("POST", "/2/oauth2/token", &headers, form.as_bytes()).await
        }

        async fn connected(&self) -> (String, String) {
            let code = self.house.issue("state", CHALLENGE, BACK, &SCOPES.map(str::to_owned));
            let (status, said) = self.tokens(&exchange(&code, BACK, VERIFIER)).await;
            assert_eq!(status, 200, "{said}");
            let of = |name: &str| said[name].as_str().unwrap().to_owned();
            (of("access_token"), of("refresh_token"))
        }

        async fn json(&self, access: &str, path: &str, body: Value) -> (u16, Value) {
            let bearer = format!("Bearer {access}");
            let headers =
                [("authorization", bearer.as_str()), ("content-type", "application/json")];
            self.asked("POST", path, &headers, body.to_string().as_bytes()).await
        }

        async fn get(&self, access: &str, path: &str) -> (u16, Value) {
            let bearer = format!("Bearer {access}");
            self.asked("GET", path, &[("authorization", bearer.as_str())], b"").await
        }
    }

    fn exchange(code: &str, redirect: &str, verifier: &str) -> String {
        format!(
            "grant_type=authorization_code&code={code}&redirect_uri={}&code_verifier={verifier}",
            redirect.replace(':', "%3A").replace('/', "%2F")
        )
    }

    #[tokio::test]
    async fn a_code_serves_once_for_thirty_seconds_with_its_own_redirect_and_verifier() {
        let desk = Desk::new();
        let code = || desk.house.issue("state", CHALLENGE, BACK, &SCOPES.map(str::to_owned));
        let once = code();
        assert_eq!(desk.tokens(&exchange(&once, BACK, VERIFIER)).await.0, 200);
        assert_eq!(desk.tokens(&exchange(&once, BACK, VERIFIER)).await.0, 400);
        let late = code();
        desk.later(CODE);
        assert_eq!(desk.tokens(&exchange(&late, BACK, VERIFIER)).await.0, 400);
        assert_eq!(
            desk.house.wrong.all(),
            Vec::<String>::new(),
            "so far a client may come to that"
        );
        let elsewhere = exchange(&code(), "https://nexus.example/other", VERIFIER);
        assert_eq!(desk.tokens(&elsewhere).await.0, 400);
        assert_eq!(desk.tokens(&exchange(&code(), BACK, &"x".repeat(43))).await.0, 400);
        let form = exchange(&code(), BACK, VERIFIER);
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let nobody = desk.asked("POST", "/2/oauth2/token", &headers, form.as_bytes()).await;
        assert_eq!(nobody.0, 401);
        assert_eq!(desk.house.wrong.all().len(), 3);
    }

    #[tokio::test]
    async fn a_refresh_token_serves_once_and_may_take_its_family_with_it() {
        let desk = Desk::new();
        let (access, refresh) = desk.connected().await;
        let form = |token: &str| format!("grant_type=refresh_token&refresh_token={token}");
        let (status, said) = desk.tokens(&form(&refresh)).await;
        assert_eq!(status, 200);
        let next = said["refresh_token"].as_str().unwrap();
        assert_eq!(desk.tokens(&form(&refresh)).await.1["error"], "invalid_grant");
        assert_eq!(desk.get(&access, "/2/users/me").await.0, 200);
        desk.house.change(|state| state.ends_on_replay = true);
        assert_eq!(desk.tokens(&form(&refresh)).await.0, 400);
        assert_eq!(desk.tokens(&form(next)).await.0, 400, "the family is over");
        assert_eq!(desk.get(&access, "/2/users/me").await.0, 401);
        let (access, _) = desk.connected().await;
        desk.later(ACCESS);
        assert_eq!(desk.get(&access, "/2/users/me").await.0, 401, "two hours");
    }

    #[tokio::test]
    async fn n39_what_publishing_has_no_need_of_is_not_there() {
        let desk = Desk::new();
        let (access, _) = desk.connected().await;
        for path in [
            "/2/users/2244994945/followers",
            "/2/users/2244994945",
            "/2/users/by/username/ada",
            "/2/dm_events",
            "/2/users/2244994945/mentions",
            "/2/tweets/1",
        ] {
            assert_eq!(desk.get(&access, path).await.0, 404, "{path}");
        }
        let own = "max_results=20&start_time=2026-01-01T00:00:00Z&tweet.fields=text";
        let path = format!("/2/users/2244994946/tweets?{own}");
        assert_eq!(desk.get(&access, &path).await.0, 403);
        let more = "/2/users/2244994945/tweets?max_results=20&start_time=2026-01-01T00:00:00Z&tweet.fields=public_metrics";
        assert_eq!(desk.get(&access, more).await.0, 400);
        assert_eq!(desk.house.wrong.all().len(), 8);
        let stray = "https://x.com/i/oauth2/authorize?response_type=code&client_id=app-of-the-house&redirect_uri=https%3A%2F%2Fa.example&scope=dm.read&state=s&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        assert!(desk.house.grant(stray).unwrap_err().contains("dm.read"));
    }

    #[tokio::test]
    async fn a_post_has_no_stray_field_no_long_text_and_is_not_taken_twice() {
        let desk = Desk::new();
        let (access, _) = desk.connected().await;
        let post = |body: Value| desk.json(&access, "/2/tweets", body);
        assert_eq!(post(json!({ "text": "Bread", "lang": "en" })).await.0, 400);
        assert_eq!(post(json!({ "text": "é".repeat(281) })).await.0, 400);
        assert_eq!(post(json!({ "text": "国".repeat(141) })).await.0, 400);
        assert_eq!(post(json!({ "text": "" })).await.0, 400);
        assert_eq!(post(json!({ "text": "Bread", "media": { "media_ids": ["1"] } })).await.0, 400);
        let wrong = desk.house.wrong.all().len();
        assert_eq!(wrong, 5);
        let long = format!("Bread & jam < 3 at https://shop.example/{}", "x".repeat(300));
        let (status, said) = post(json!({ "text": long })).await;
        assert_eq!(status, 201, "{said}");
        assert_eq!(post(json!({ "text": long })).await.0, 403);
        let list = "/2/users/2244994945/tweets?max_results=5&start_time=2026-01-01T00:00:00Z&tweet.fields=text,entities";
        let (_, listed) = desk.get(&access, list).await;
        let text = listed["data"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("Bread &amp; jam &lt; 3 at https://t.co/"), "{text}");
        assert_eq!(listed["meta"]["result_count"], 1);
        assert_eq!(desk.house.wrong.all().len(), wrong);
    }

    #[tokio::test]
    async fn chunks_come_in_order_and_whole() {
        let desk = Desk::new();
        let (access, _) = desk.connected().await;
        let begin =
            json!({ "media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": 4 });
        let (_, begun) = desk.json(&access, "/2/media/upload/initialize", begin).await;
        let id = begun["data"]["id"].as_str().unwrap().to_owned();
        let bearer = format!("Bearer {access}");
        let append = |n: u32, bytes: &'static str| {
            let body = format!(
                "--b\r\nContent-Disposition: form-data; name=\"segment_index\"\r\n\r\n{n}\r\n--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"f\"\r\n\r\n{bytes}\r\n--b--\r\n"
            );
            let (path, bearer) = (format!("/2/media/upload/{id}/append"), bearer.clone());
            let desk = &desk;
            async move {
                let headers = [
                    ("authorization", bearer.as_str()),
                    ("content-type", "multipart/form-data; boundary=b"),
                ];
                desk.asked("POST", &path, &headers, body.as_bytes()).await.0
            }
        };
        let end = || async {
            let path = format!("/2/media/upload/{id}/finalize");
            desk.asked("POST", &path, &[("authorization", bearer.as_str())], b"").await.0
        };
        assert_eq!(append(1, "cd").await, 400, "out of order");
        assert_eq!(append(0, "ab").await, 204);
        assert_eq!(append(0, "ab").await, 204, "the same again");
        assert_eq!(append(0, "xy").await, 400, "another in its place");
        assert_eq!(end().await, 400, "half of it");
        assert_eq!(append(1, "cd").await, 204);
        assert_eq!(append(2, "e").await, 400, "too much");
        assert_eq!(desk.house.wrong.all().len(), 4);
    }
}
