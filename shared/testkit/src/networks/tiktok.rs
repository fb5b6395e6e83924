//! TikTok, pretended: Login Kit's page and tokens, and the Content Posting API.
//!
//! What TikTok documents is taken and nothing beside it: an unknown field, a chunk out of order, a code that was used, a
//! verifier whose hexadecimal digest is another, a scope that was not granted, an audience that the account does not
//! offer. Every refusal is kept in [`TikTok::wrong`], and so is everything that is asked beside publishing, which
//! answers 404 (N39). Time passes when a test says so: [`TikTok::a_minute_passes`] and its like.
//!
//! Calls are numbered from 1 over everything that comes, and each can be made to fail: [`TikTok::at`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use nexus_kernel::Digest;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::fakes::{Calls, lock};

/// The application's client key.
pub const CLIENT_KEY: &str = "aw-client-key";
/// The application's secret.
pub const CLIENT_SECRET: &str = "canary-client-secret";
/// The address that the application registered to come back to, unless [`Rules::redirect`] says another.
pub const REDIRECT: &str = "https://nexus.example/oauth/tiktok";
/// The prefix below which the application may name pictures.
pub const MEDIA_BASE: &str = "https://media.example/nexus";

/// The account's name for applications.
const OPEN_ID: &str = "open-id-of-ada";
/// The most bytes of a request: TikTok's largest chunk and what stands around it.
const MOST: usize = 130 * 1024 * 1024;
/// TikTok's least chunk that is not the last.
const LEAST_CHUNK: u64 = 5_000_000;
/// Its largest.
const LARGEST_CHUNK: u64 = 64_000_000;
/// And the largest last one.
const LARGEST_LAST: u64 = 128_000_000;
/// The first id of a post: beyond what a double holds exactly.
const FIRST_ID: u64 = 7_300_000_000_000_000_001;

/// A way for a call to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and the connection ends.
    Before,
    /// It is done, and the answer is cut off in its middle.
    After,
    /// It is done, and the connection ends without an answer.
    Lost,
    /// Nothing is done, and this status is answered in TikTok's words.
    Status(u16),
    /// Nothing is done, and with this status everything is told back that was said, secrets and all.
    Echo(u16),
}

/// How the account and the application stand, and how TikTok behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The address that the application registered to come back to.
    pub redirect: String,
    /// Whether TikTok has audited the application.
    pub audited: bool,
    /// Whether the account is private.
    pub private_account: bool,
    /// Whether the account has switched off comments.
    pub comments_disabled: bool,
    /// Whether it has switched off duets.
    pub duets_disabled: bool,
    /// Whether it has switched off stitches.
    pub stitches_disabled: bool,
    /// The longest video of the account, in seconds.
    pub longest_seconds: u32,
    /// The scopes that the person grants on the page.
    pub scopes: Vec<String>,
    /// Whether a refresh gives another refresh token and ends the old one.
    pub rotate: bool,
    /// How many times a post is still being worked on when it is looked at.
    pub polls: u32,
    /// How many times after that it is complete without an id, because nobody has looked at it yet.
    pub unmoderated: u32,
    /// Why it then fails: a `fail_reason`.
    pub moderation: Option<String>,
    /// A word with which `creator_info` says, at status 200, that the account cannot post.
    pub blocked: Option<String>,
    /// Whether requests are counted: 6 inits, 20 questions for the creator, 30 for a post, each a minute.
    pub limits: bool,
    /// How many posts an account has within a day.
    pub posts_a_day: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            redirect: REDIRECT.to_owned(),
            audited: true,
            private_account: false,
            comments_disabled: false,
            duets_disabled: false,
            stitches_disabled: false,
            longest_seconds: 300,
            scopes: ["user.info.basic", "video.publish"].map(str::to_owned).to_vec(),
            rotate: false,
            polls: 1,
            unmoderated: 0,
            moderation: None,
            blocked: None,
            limits: true,
            posts_a_day: 15,
        }
    }
}

/// A call that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// Its body where it is JSON, else `null`.
    pub body: Value,
}

/// A post whose bytes are all there, so that it appears without anybody doing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// TikTok's name for it.
    pub publish_id: String,
    /// Its id.
    pub id: u64,
    /// Its text.
    pub text: String,
    /// Who may see it: TikTok's word.
    pub privacy: String,
    /// Whether it is marked as made with AI.
    pub is_aigc: bool,
    /// SHA-256 of the video; of the address, where it is a picture.
    pub digest: Digest,
}

/// TikTok. It is gone, with every connection, when this is.
pub struct TikTok {
    house: Arc<House>,
    server: JoinHandle<()>,
}

impl fmt::Debug for TikTok {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TikTok").field("at", &self.house.at).finish_non_exhaustive()
    }
}

impl Drop for TikTok {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl TikTok {
    /// Opens it on a free port.
    ///
    /// # Errors
    /// There is none.
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let house = Arc::new(House {
            at: listener.local_addr()?,
            state: Mutex::default(),
            asked: Calls::default(),
            wrong: Calls::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&house)));
        Ok(Self { house, server })
    }

    /// Where it is: `http://127.0.0.1:…`.
    pub fn base(&self) -> String {
        self.house.origin()
    }

    /// The settings that lead a host here.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let settings = [
            ("TIKTOK_BASE", self.base()),
            ("TIKTOK_AUTHORIZE_BASE", self.base()),
            ("TIKTOK_MEDIA_BASE", MEDIA_BASE.to_owned()),
            ("TIKTOK_CLIENT_KEY", CLIENT_KEY.to_owned()),
            ("OUTBOUND_OPEN", "127.0.0.1".to_owned()),
        ];
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Answers a request without a socket, for a test whose clock stands still; nothing where the connection would end.
    pub async fn hear(
        &self,
        request: axum::http::Request<Bytes>,
    ) -> Option<axum::http::Response<Bytes>> {
        super::heard(answer(Arc::clone(&self.house), request.map(axum::body::Body::from))).await
    }

    /// How it stands and behaves; whatever is changed holds from the next call on.
    pub fn change(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut lock(&self.house.state).rules);
    }

    /// The call of this number, from 1, fails so. There is one fault for a number.
    pub fn at(&self, call: usize, fault: Fault) {
        lock(&self.house.state).faults.insert(call, fault);
    }

    /// The call after so many more fails so; 1 is the next one.
    pub fn fail_in(&self, calls: usize, fault: Fault) {
        let mut state = lock(&self.house.state);
        let call = state.calls + calls;
        state.faults.insert(call, fault);
    }

    /// How many calls have come.
    pub fn calls(&self) -> usize {
        lock(&self.house.state).calls
    }

    /// A code, as a person gets it who grants everything on the page. It serves once.
    pub fn issue_code(&self, challenge: &str, redirect: &str) -> String {
        lock(&self.house.state).issue(challenge, redirect)
    }

    /// A person opens this address and grants access: where they are sent back to, with `code` and `state`.
    ///
    /// # Errors
    /// What the page says instead.
    pub fn consent(&self, address: &str) -> Result<String, String> {
        let answer = match address.strip_prefix(&self.base()) {
            Some(rest) => rest.parse().map_err(|_| "no address".to_owned()),
            None => Err("another host".to_owned()),
        };
        let page = answer.and_then(|uri: Uri| lock(&self.house.state).page(&uri));
        page.inspect_err(|why| self.house.wrong.note(format!("the page: {why}")))
    }

    /// A day passes for access tokens: none of those that were given serves any more.
    pub fn access_tokens_expire(&self) {
        for grant in lock(&self.house.state).grants.values_mut() {
            grant.access.clear();
        }
    }

    /// The account's owner removes the application in TikTok's app.
    pub fn owner_removes_the_application(&self) {
        for grant in lock(&self.house.state).grants.values_mut() {
            grant.end();
        }
    }

    /// A minute passes for what is counted by the minute.
    pub fn a_minute_passes(&self) {
        lock(&self.house.state).this_minute.clear();
    }

    /// An hour passes for the addresses of uploads.
    pub fn an_hour_passes(&self) {
        self.a_minute_passes();
        for job in &mut lock(&self.house.state).jobs {
            job.address_open = false;
        }
    }

    /// A day passes for what is counted by the day.
    pub fn a_day_passes(&self) {
        self.an_hour_passes();
        lock(&self.house.state).today = 0;
    }

    /// All posts that are there, or will be without anybody doing more, in the order in which their last bytes came.
    pub fn posts(&self) -> Vec<Post> {
        let state = lock(&self.house.state);
        let mut there: Vec<(u64, Post)> =
            state.jobs.iter().filter(|job| job.failed.is_none()).filter_map(Job::post).collect();
        there.sort_by_key(|(order, _)| *order);
        there.into_iter().map(|(_, post)| post).collect()
    }

    /// How many posts were named, with bytes or without.
    pub fn named(&self) -> usize {
        lock(&self.house.state).jobs.len()
    }

    /// Everything that came, in order, whatever was answered.
    pub fn asked(&self) -> Vec<Asked> {
        self.house.asked.all()
    }

    /// What nobody but the house and TikTok may know, as far as it has come up: tokens, codes, states, verifiers.
    pub fn secrets(&self) -> Vec<String> {
        lock(&self.house.state).secrets.iter().cloned().collect()
    }

    /// What TikTok does not take, and why.
    pub fn wrong(&self) -> Vec<String> {
        self.house.wrong.all()
    }
}

struct House {
    at: SocketAddr,
    state: Mutex<State>,
    asked: Calls<Asked>,
    wrong: Calls<String>,
}

#[derive(Default)]
struct State {
    rules: Rules,
    calls: usize,
    faults: BTreeMap<usize, Fault>,
    codes: BTreeMap<String, Code>,
    /// By the number of the code that they came from.
    grants: BTreeMap<usize, Grant>,
    /// Counts what tokens, codes and names are made of.
    drawn: usize,
    secrets: BTreeSet<String>,
    jobs: Vec<Job>,
    this_minute: BTreeMap<&'static str, u32>,
    today: u32,
    arrived: u64,
}

struct Code {
    number: usize,
    challenge: String,
    redirect: String,
    scopes: Vec<String>,
    used: bool,
}

#[derive(Default)]
struct Grant {
    access: BTreeSet<String>,
    refresh: BTreeSet<String>,
    scopes: Vec<String>,
}

impl Grant {
    fn end(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }
}

/// A named post.
struct Job {
    publish_id: String,
    id: u64,
    upload_token: String,
    address_open: bool,
    text: String,
    privacy: String,
    is_aigc: bool,
    /// A video's, or nothing.
    plan: Option<Chunking>,
    /// What came of it, until it was whole.
    bytes: Vec<u8>,
    received: u64,
    /// When it was whole, counted, and what it shows.
    whole: Option<(u64, Digest)>,
    looks: u32,
    failed: Option<String>,
}

#[derive(Clone, Copy)]
struct Chunking {
    size: u64,
    each: u64,
    count: u64,
}

impl Job {
    fn post(&self) -> Option<(u64, Post)> {
        let (order, digest) = self.whole?;
        let post = Post {
            publish_id: self.publish_id.clone(),
            id: self.id,
            text: self.text.clone(),
            privacy: self.privacy.clone(),
            is_aigc: self.is_aigc,
            digest,
        };
        Some((order, post))
    }
}

/// What TikTok may say that is no success.
struct No {
    status: u16,
    code: &'static str,
    why: String,
}

fn no(status: u16, code: &'static str, why: impl Into<String>) -> No {
    No { status, code, why: why.into() }
}

fn bad(why: impl Into<String>) -> No {
    no(400, "invalid_params", why)
}

/// A request, read whole.
struct Came {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Came {
    fn kind(&self) -> &str {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim()
    }

    fn json(&self) -> Result<Value, No> {
        if self.kind() != "application/json" {
            return Err(bad("the content type is not application/json"));
        }
        serde_json::from_slice(&self.body).map_err(|_| bad("the body is no JSON"))
    }

    fn form(&self) -> Result<BTreeMap<String, String>, No> {
        let wrong = |why: &str| no(400, "invalid_request", why);
        if self.kind() != "application/x-www-form-urlencoded" {
            return Err(wrong("the content type is no form's"));
        }
        let text = std::str::from_utf8(&self.body).map_err(|_| wrong("the body is no text"))?;
        pairs(text).ok_or_else(|| wrong("the body is no form, or says something twice"))
    }
}

/// The fields of a form or a query, percent-decoded; nothing where one stands there twice.
fn pairs(text: &str) -> Option<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        if fields.insert(decoded(name)?, decoded(value)?).is_some() {
            return None;
        }
    }
    Some(fields)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().fold(String::new(), |done, byte| match byte {
        byte if plain(byte) => done + &char::from(byte).to_string(),
        byte => done + &format!("%{byte:02X}"),
    })
}

impl House {
    fn origin(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Answers one call, with what the script has for it.
    fn take(&self, came: &Came) -> Response {
        let body = serde_json::from_slice(&came.body).unwrap_or_default();
        let path = came.uri.path().to_owned();
        self.asked.note(Asked { method: came.method.to_string(), path, body });
        let mut state = lock(&self.state);
        let verifier = came.form().ok().and_then(|mut form| form.remove("code_verifier"));
        state.secrets.extend(verifier);
        state.calls += 1;
        let call = state.calls;
        let fault = state.faults.remove(&call);
        match fault {
            Some(Fault::Before) => return super::hang_up(),
            Some(Fault::Status(status)) => {
                let code = match status {
                    429 => "rate_limit_exceeded",
                    401 => "access_token_invalid",
                    500.. => "internal_error",
                    _ => "invalid_params",
                };
                return envelope(status, json!({}), code, "as the test wished");
            }
            Some(Fault::Echo(status)) => {
                let told = super::echo(&came.uri, &came.headers, &came.body);
                let code = told["error"].as_str().unwrap_or_default();
                return match came.uri.path().starts_with("/v2/oauth/") {
                    true => says(status, told),
                    false => envelope(status, json!({}), code, code),
                };
            }
            Some(Fault::After | Fault::Lost) | None => {}
        }
        let answer = self.answer(&mut state, came);
        drop(state);
        match fault {
            Some(Fault::Lost) => super::hang_up(),
            Some(Fault::After) => super::cut_short(answer),
            _ => answer,
        }
    }

    fn answer(&self, state: &mut State, came: &Came) -> Response {
        let path = came.uri.path();
        let post = came.method == Method::POST;
        match path {
            "/v2/auth/authorize/" if came.method == Method::GET => return self.visit(state, came),
            "/v2/oauth/token/" | "/v2/oauth/revoke/" if post => {
                let done =
                    if path.ends_with("token/") { state.token(came) } else { state.revoke(came) };
                return done.unwrap_or_else(|no| {
                    self.wrong.note(format!("{path}: {}", no.why));
                    let told = json!({
                        "error": no.code, "error_description": no.why, "log_id": "2026112100",
                    });
                    says(no.status, told)
                });
            }
            "/video/" if came.method == Method::PUT => {
                return state.upload(came).unwrap_or_else(|refused| {
                    let (answer, why) = *refused;
                    self.wrong.note(format!("{path}: {why}"));
                    answer
                });
            }
            _ => {}
        }
        let done = match path {
            "/v2/post/publish/creator_info/query/" if post => state.creator_info(came),
            "/v2/post/publish/video/init/" if post => state.init_video(came, &self.origin()),
            "/v2/post/publish/content/init/" if post => state.init_photo(came),
            "/v2/post/publish/status/fetch/" if post => state.status(came),
            _ => {
                self.wrong.note(format!("{} {path}: publishing does not need that", came.method));
                return StatusCode::NOT_FOUND.into_response();
            }
        };
        match done {
            Ok(data) => envelope(200, data, "ok", ""),
            Err(no) => {
                // What TikTok says of the account's day or minute is nobody's mistake.
                if !matches!(no.status, 200 | 429) && !no.code.starts_with("spam_risk") {
                    self.wrong.note(format!("{path}: {}: {}", no.code, no.why));
                }
                envelope(no.status, json!({}), no.code, &no.why)
            }
        }
    }

    /// A browser opens the page, and its person grants everything.
    fn visit(&self, state: &mut State, came: &Came) -> Response {
        match state.page(&came.uri) {
            Ok(back) => (StatusCode::FOUND, [(header::LOCATION, back)]).into_response(),
            Err(why) => {
                self.wrong.note(format!("the page: {why}"));
                (StatusCode::BAD_REQUEST, why).into_response()
            }
        }
    }
}

fn is_sha256_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl State {
    /// The page on which a person grants access.
    fn page(&mut self, uri: &Uri) -> Result<String, String> {
        if uri.path() != "/v2/auth/authorize/" {
            return Err(format!("{} is no page", uri.path()));
        }
        let query = pairs(uri.query().unwrap_or_default()).ok_or("its query is none")?;
        let known = [
            "client_key",
            "response_type",
            "scope",
            "redirect_uri",
            "state",
            "code_challenge",
            "code_challenge_method",
            "disable_auto_auth",
        ];
        if let Some(other) = query.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("`{other}` is not known"));
        }
        let says = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        if says("client_key") != CLIENT_KEY || says("response_type") != "code" {
            return Err("no application asks for a code".to_owned());
        }
        let redirect = self.rules.redirect.clone();
        if says("redirect_uri") != redirect {
            return Err("the redirect is not the one that is registered".to_owned());
        }
        if says("state").len() < 16 {
            return Err("the state can be guessed".to_owned());
        }
        if says("code_challenge_method") != "S256" || !is_sha256_hex(says("code_challenge")) {
            return Err("the challenge is no hexadecimal SHA-256".to_owned());
        }
        let wanted: BTreeSet<&str> = says("scope").split(',').collect();
        let published = BTreeSet::from(["user.info.basic", "video.publish"]);
        if !wanted.is_subset(&published) || !wanted.contains("video.publish") {
            return Err("the scopes are more than publishing needs, or less".to_owned());
        }
        self.secrets.insert(says("state").to_owned());
        let code = self.issue(says("code_challenge"), &redirect);
        let (code, state) = (encoded(&code), encoded(says("state")));
        Ok(format!("{redirect}?code={code}&scopes=user.info.basic%2Cvideo.publish&state={state}"))
    }

    fn draw(&mut self, what: &str) -> String {
        self.drawn += 1;
        format!("{what}.{:04}", self.drawn)
    }

    /// The same of something that has to stay secret.
    fn draw_secret(&mut self, what: &str) -> String {
        let secret = self.draw(&format!("canary-{what}"));
        self.secrets.insert(secret.clone());
        secret
    }

    /// Codes have characters that a query has to encode.
    fn issue(&mut self, challenge: &str, redirect: &str) -> String {
        let code = format!("{}*!{}", self.draw("canary-code"), self.drawn % 7);
        self.secrets.insert(code.clone());
        let code_of = Code {
            number: self.drawn,
            challenge: challenge.to_owned(),
            redirect: redirect.to_owned(),
            scopes: self.rules.scopes.clone(),
            used: false,
        };
        self.codes.insert(code.clone(), code_of);
        code
    }

    fn token(&mut self, came: &Came) -> Result<Response, No> {
        let form = came.form()?;
        let says = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        known_client(&form)?;
        let fields: &[&str] = match says("grant_type") {
            "authorization_code" => &[
                "client_key",
                "client_secret",
                "grant_type",
                "code",
                "redirect_uri",
                "code_verifier",
            ],
            "refresh_token" => &["client_key", "client_secret", "grant_type", "refresh_token"],
            _ => return Err(no(400, "unsupported_grant_type", "the grant is of no known type")),
        };
        only(&form, fields)?;
        let grant = if says("grant_type") == "authorization_code" {
            self.redeem(says("code"), says("redirect_uri"), says("code_verifier"))?
        } else {
            let known = self.grants.iter().find(|(_, g)| g.refresh.contains(says("refresh_token")));
            let gone =
                || no(400, "invalid_grant", "the refresh token is not known, or not any more");
            known.map(|(number, _)| *number).ok_or_else(gone)?
        };
        let refresh = if says("grant_type") == "refresh_token" && !self.rules.rotate {
            says("refresh_token").to_owned()
        } else {
            self.draw_secret("rft")
        };
        let access = self.draw_secret("act");
        let grant = self.grants.entry(grant).or_default();
        grant.access.insert(access.clone());
        grant.refresh = BTreeSet::from([refresh.clone()]);
        Ok(says_json(json!({
            "access_token": access,
            "expires_in": 86_400,
            "open_id": OPEN_ID,
            "refresh_token": refresh,
            "refresh_expires_in": 31_536_000,
            "scope": grant.scopes.join(","),
            "token_type": "Bearer",
        })))
    }

    /// The grant that a code stands for.
    fn redeem(&mut self, code: &str, redirect: &str, verifier: &str) -> Result<usize, No> {
        let invalid = |why: &str| no(400, "invalid_grant", why);
        let code = self.codes.get_mut(code).ok_or_else(|| invalid("the code is not known"))?;
        if std::mem::replace(&mut code.used, true) {
            // Whoever has it may have stolen it (RFC 6749, section 4.1.2).
            if let Some(grant) = self.grants.get_mut(&code.number) {
                grant.end();
            }
            return Err(invalid("the code was used before"));
        }
        if code.redirect != redirect {
            return Err(invalid("the redirect is another one"));
        }
        if Digest::of(verifier.as_bytes()).to_hex() != code.challenge {
            return Err(invalid("the verifier is not the challenge's"));
        }
        let grant = Grant { scopes: code.scopes.clone(), ..Grant::default() };
        self.grants.insert(code.number, grant);
        Ok(code.number)
    }

    fn revoke(&mut self, came: &Came) -> Result<Response, No> {
        let form = came.form()?;
        known_client(&form)?;
        only(&form, &["client_key", "client_secret", "token"])?;
        let token = form.get("token").map(String::as_str).unwrap_or_default();
        let mut grants = self.grants.values_mut();
        let grant = grants.find(|g| g.access.contains(token) || g.refresh.contains(token));
        let grant =
            grant.ok_or_else(|| no(400, "invalid_grant", "the token is worthless already"))?;
        grant.end();
        Ok(says_json(json!({})))
    }

    /// Whether the account behind the request has allowed posting.
    fn account(&self, came: &Came) -> Result<(), No> {
        let told = came.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = told.and_then(|told| told.strip_prefix("Bearer ")).unwrap_or_default();
        let grant = self.grants.values().find(|grant| grant.access.contains(token));
        let grant =
            grant.ok_or_else(|| no(401, "access_token_invalid", "the token is not known"))?;
        if grant.scopes.iter().any(|scope| scope == "video.publish") {
            return Ok(());
        }
        Err(no(401, "scope_not_authorized", "posting was not allowed"))
    }

    fn counted(&mut self, what: &'static str, most: u32) -> Result<(), No> {
        let count = self.this_minute.entry(what).or_default();
        *count += 1;
        if self.rules.limits && *count > most {
            return Err(no(429, "rate_limit_exceeded", "too many within a minute"));
        }
        Ok(())
    }

    fn options(&self) -> Vec<&'static str> {
        let most =
            if self.rules.private_account { "FOLLOWER_OF_CREATOR" } else { "PUBLIC_TO_EVERYONE" };
        vec![most, "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
    }

    fn creator_info(&mut self, came: &Came) -> Result<Value, No> {
        self.account(came)?;
        self.counted("creator_info", 20)?;
        if !came.body.is_empty() {
            return Err(bad("there is nothing to say"));
        }
        if let Some(word) = &self.rules.blocked {
            return Err(no(200, spelled(word), "the account cannot post"));
        }
        let rules = &self.rules;
        Ok(json!({
            "creator_avatar_url": "https://p.example/ada.jpg",
            "creator_username": "canary-username",
            "creator_nickname": "Ada's Shop",
            "privacy_level_options": self.options(),
            "comment_disabled": rules.comments_disabled,
            "duet_disabled": rules.duets_disabled,
            "stitch_disabled": rules.stitches_disabled,
            "max_video_post_duration_sec": rules.longest_seconds,
        }))
    }

    /// What both sorts of posts say about who sees them.
    fn judged(&self, post: &Value) -> Result<String, No> {
        let privacy = post.get("privacy_level").and_then(Value::as_str).unwrap_or_default();
        if privacy.is_empty() {
            return Err(bad("nobody chose who may see it"));
        }
        let rules = &self.rules;
        let is_hidden = rules.private_account && privacy == "SELF_ONLY";
        if !rules.audited && !is_hidden {
            let why = "the account is not private, or the post not for it alone";
            return Err(no(403, "unaudited_client_can_only_post_to_private_accounts", why));
        }
        if !self.options().contains(&privacy) {
            return Err(no(403, "privacy_level_option_mismatch", privacy));
        }
        let allows = |field: &str| post.get(field).and_then(Value::as_bool) == Some(false);
        for (field, disabled) in [
            ("disable_comment", rules.comments_disabled),
            ("disable_duet", rules.duets_disabled),
            ("disable_stitch", rules.stitches_disabled),
        ] {
            if disabled && allows(field) {
                return Err(bad(format!("`{field}`: the account has switched it off")));
            }
        }
        let paid = post.get("brand_content_toggle").and_then(Value::as_bool) == Some(true);
        if paid && privacy == "SELF_ONLY" {
            return Err(bad("paid content cannot be seen by the account alone"));
        }
        if self.today >= rules.posts_a_day {
            return Err(no(403, "spam_risk_too_many_posts", "the day is full"));
        }
        Ok(privacy.to_owned())
    }

    fn init_video(&mut self, came: &Came, origin: &str) -> Result<Value, No> {
        self.account(came)?;
        self.counted("init", 6)?;
        let body = came.json()?;
        shaped(&body, &[("post_info", Shape::Object), ("source_info", Shape::Object)])?;
        let (post, source) = (&body["post_info"], &body["source_info"]);
        shaped(
            post,
            &[
                ("title", Shape::Text(2_200)),
                ("privacy_level", Shape::Text(40)),
                ("disable_duet", Shape::Bool),
                ("disable_comment", Shape::Bool),
                ("disable_stitch", Shape::Bool),
                ("video_cover_timestamp_ms", Shape::Number),
                ("brand_content_toggle", Shape::Bool),
                ("brand_organic_toggle", Shape::Bool),
                ("is_aigc", Shape::Bool),
            ],
        )?;
        shaped(
            source,
            &[
                ("source", Shape::Text(20)),
                ("video_size", Shape::Number),
                ("chunk_size", Shape::Number),
                ("total_chunk_count", Shape::Number),
            ],
        )?;
        if source["source"] != "FILE_UPLOAD" {
            return Err(bad("only uploads are expected here"));
        }
        let plan = chunking(source)?;
        let privacy = self.judged(post)?;
        let publish_id = self.draw("v_pub_file~v2-1");
        let upload_token = self.draw_secret("upl");
        let address = format!(
            "{origin}/video/?upload_id={}&upload_token={upload_token}",
            self.jobs.len() + 1
        );
        let job = self.job(&publish_id, post, privacy, "title");
        self.jobs.push(Job { upload_token, address_open: true, plan: Some(plan), ..job });
        Ok(json!({ "publish_id": publish_id, "upload_url": address }))
    }

    fn init_photo(&mut self, came: &Came) -> Result<Value, No> {
        self.account(came)?;
        self.counted("init", 6)?;
        let body = came.json()?;
        shaped(
            &body,
            &[
                ("media_type", Shape::Text(10)),
                ("post_mode", Shape::Text(20)),
                ("post_info", Shape::Object),
                ("source_info", Shape::Object),
            ],
        )?;
        let (post, source) = (&body["post_info"], &body["source_info"]);
        shaped(
            post,
            &[
                ("title", Shape::Text(90)),
                ("description", Shape::Text(4_000)),
                ("privacy_level", Shape::Text(40)),
                ("disable_comment", Shape::Bool),
                ("auto_add_music", Shape::Bool),
                ("brand_content_toggle", Shape::Bool),
                ("brand_organic_toggle", Shape::Bool),
            ],
        )?;
        shaped(
            source,
            &[
                ("source", Shape::Text(20)),
                ("photo_cover_index", Shape::Number),
                ("photo_images", Shape::List),
            ],
        )?;
        let is_direct = body["media_type"] == "PHOTO" && body["post_mode"] == "DIRECT_POST";
        if !is_direct || source["source"] != "PULL_FROM_URL" {
            return Err(bad("only pictures by address, posted directly, are expected here"));
        }
        let pictures = source["photo_images"].as_array().map(Vec::as_slice).unwrap_or_default();
        let cover = source["photo_cover_index"].as_u64().and_then(|at| usize::try_from(at).ok());
        if !(1..=35).contains(&pictures.len()) || cover.is_none_or(|at| at >= pictures.len()) {
            return Err(bad("1 to 35 pictures, and one of them in front"));
        }
        let is_verified = |picture: &Value| {
            picture.as_str().is_some_and(|at| at.starts_with(&format!("{MEDIA_BASE}/")))
        };
        if !pictures.iter().all(is_verified) {
            return Err(no(403, "url_ownership_unverified", "the address is not verified"));
        }
        let privacy = self.judged(post)?;
        let publish_id = self.draw("p_pub_url~v2");
        let job = self.job(&publish_id, post, privacy, "description");
        self.jobs.push(job);
        let shown = Digest::of(source["photo_images"].to_string().as_bytes());
        self.arrives(self.jobs.len() - 1, shown);
        Ok(json!({ "publish_id": publish_id }))
    }

    fn job(&self, publish_id: &str, post: &Value, privacy: String, text: &str) -> Job {
        Job {
            publish_id: publish_id.to_owned(),
            id: FIRST_ID + self.jobs.len() as u64,
            upload_token: String::new(),
            address_open: false,
            text: post[text].as_str().unwrap_or_default().to_owned(),
            privacy,
            is_aigc: post["is_aigc"] == true,
            plan: None,
            bytes: Vec::new(),
            received: 0,
            whole: None,
            looks: 0,
            failed: None,
        }
    }

    /// The last byte of a post is there: it will appear by itself.
    fn arrives(&mut self, nth: usize, shown: Digest) {
        self.arrived += 1;
        self.today += 1;
        if let Some(job) = self.jobs.get_mut(nth) {
            job.whole = Some((self.arrived, shown));
        }
    }

    fn upload(&mut self, came: &Came) -> Result<Response, Box<(Response, String)>> {
        let refuse = |status: u16, why: &str| Box::new((status_only(status), why.to_owned()));
        if came.headers.contains_key(header::AUTHORIZATION) {
            return Err(refuse(400, "a token came to where none belongs"));
        }
        let query = pairs(came.uri.query().unwrap_or_default()).unwrap_or_default();
        let says = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let nth = says("upload_id").parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let found = nth.and_then(|nth| Some((nth, self.jobs.get_mut(nth)?)));
        let found = found.filter(|(_, job)| job.upload_token == says("upload_token"));
        let Some((nth, job)) = found else { return Err(refuse(403, "no upload has this address")) };
        let Some(plan) = job.plan else { return Err(refuse(403, "no upload has this address")) };
        if !job.address_open {
            return Err(refuse(403, "the address has expired"));
        }
        if !["video/mp4", "video/quicktime", "video/webm"].contains(&came.kind()) {
            return Err(refuse(400, "that is no video"));
        }
        let length = came.body.len() as u64;
        let told = came.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        if told.and_then(|told| told.parse().ok()) != Some(length) {
            return Err(refuse(400, "the content length is missing or wrong"));
        }
        let Some((first, last, total)) = range(&came.headers) else {
            return Err(refuse(400, "the content range is missing or wrong"));
        };
        if total != plan.size || first > last || last >= total || last - first + 1 != length {
            return Err(refuse(400, "the content range does not fit"));
        }
        let there = job.received;
        if job.whole.is_some() || first != there {
            let why = format!("byte {first} does not follow {there}");
            return Err(Box::new((ranged(416, there, total), why)));
        }
        let nth_chunk = there / plan.each + 1;
        let expected = if nth_chunk == plan.count { total - first } else { plan.each };
        if length != expected {
            return Err(refuse(400, "the chunk is not as long as was said"));
        }
        job.bytes.extend_from_slice(&came.body);
        job.received += length;
        let there = job.received;
        if there < total {
            return Ok(ranged(206, there, total));
        }
        let shown = Digest::of(&std::mem::take(&mut job.bytes));
        self.arrives(nth, shown);
        Ok(ranged(201, there, total))
    }

    fn status(&mut self, came: &Came) -> Result<Value, No> {
        self.account(came)?;
        self.counted("status", 30)?;
        let body = came.json()?;
        shaped(&body, &[("publish_id", Shape::Text(64))])?;
        let rules = self.rules.clone();
        let known = self.jobs.iter_mut().find(|job| body["publish_id"] == job.publish_id.as_str());
        let job = known.ok_or_else(|| no(400, "invalid_publish_id", "no post has this name"))?;
        let bytes = job.received;
        if job.whole.is_none() {
            return Ok(json!({ "status": "PROCESSING_UPLOAD", "uploaded_bytes": bytes }));
        }
        job.looks += 1;
        if job.looks <= rules.polls {
            return Ok(json!({ "status": "PROCESSING_DOWNLOAD", "uploaded_bytes": bytes }));
        }
        if job.failed.is_none() {
            job.failed = rules.moderation;
        }
        if let Some(reason) = &job.failed {
            return Ok(
                json!({ "status": "FAILED", "fail_reason": reason, "uploaded_bytes": bytes }),
            );
        }
        let is_seen =
            job.privacy == "PUBLIC_TO_EVERYONE" && job.looks > rules.polls + rules.unmoderated;
        let ids = if is_seen { vec![job.id] } else { Vec::new() };
        Ok(json!({
            "status": "PUBLISH_COMPLETE",
            "publicaly_available_post_id": ids,
            "uploaded_bytes": bytes,
        }))
    }
}

/// TikTok's words with which an account is blocked, as they are in errors here.
fn spelled(word: &str) -> &'static str {
    let known = [
        "spam_risk_too_many_posts",
        "spam_risk_user_banned_from_posting",
        "reached_active_user_cap",
    ];
    known.into_iter().find(|known| *known == word).unwrap_or("spam_risk")
}

fn known_client(form: &BTreeMap<String, String>) -> Result<(), No> {
    let says = |name: &str| form.get(name).map(String::as_str);
    if says("client_key") == Some(CLIENT_KEY) && says("client_secret") == Some(CLIENT_SECRET) {
        return Ok(());
    }
    Err(no(401, "invalid_client", "the application is not known"))
}

fn only(form: &BTreeMap<String, String>, fields: &[&str]) -> Result<(), No> {
    let wrong = |why: String| no(400, "invalid_request", why);
    if let Some(missing) = fields.iter().find(|name| form.get(**name).is_none_or(String::is_empty))
    {
        return Err(wrong(format!("`{missing}` is missing")));
    }
    match form.keys().find(|name| !fields.contains(&name.as_str())) {
        Some(other) => Err(wrong(format!("`{other}` is not known"))),
        None => Ok(()),
    }
}

/// What a field has to be.
#[derive(Clone, Copy)]
enum Shape {
    /// At most so many units of UTF-16.
    Text(usize),
    Bool,
    Number,
    Object,
    List,
}

/// Whether an object has these fields and no other; what has to be there is asked for where it is read.
fn shaped(object: &Value, fields: &[(&str, Shape)]) -> Result<(), No> {
    let members = object.as_object().ok_or_else(|| bad("an object is missing"))?;
    for (name, value) in members {
        let shape = fields.iter().find(|(known, _)| known == name).map(|(_, shape)| *shape);
        let fits = match shape {
            None => false,
            Some(Shape::Text(most)) => {
                value.as_str().is_some_and(|text| text.encode_utf16().count() <= most)
            }
            Some(Shape::Bool) => value.is_boolean(),
            Some(Shape::Number) => value.is_u64(),
            Some(Shape::Object) => value.is_object(),
            Some(Shape::List) => value.is_array(),
        };
        if !fits {
            return Err(bad(format!("`{name}` is not known, or not as it has to be")));
        }
    }
    Ok(())
}

/// TikTok's arithmetic.
fn chunking(source: &Value) -> Result<Chunking, No> {
    let number = |name: &str| source.get(name).and_then(Value::as_u64).unwrap_or_default();
    let plan = Chunking {
        size: number("video_size"),
        each: number("chunk_size"),
        count: number("total_chunk_count"),
    };
    let Chunking { size, each, count } = plan;
    if size == 0
        || each == 0
        || each > size
        || !(1..=1_000).contains(&count)
        || size / each != count
    {
        return Err(bad("the chunks do not make up the video"));
    }
    let last = size - each * (count - 1);
    let fits = if size < LEAST_CHUNK {
        count == 1 && each == size
    } else {
        (LEAST_CHUNK..=LARGEST_CHUNK).contains(&each) && last <= LARGEST_LAST
    };
    if fits { Ok(plan) } else { Err(bad("a chunk is too small or too large")) }
}

/// `bytes 0-9/10`.
fn range(headers: &HeaderMap) -> Option<(u64, u64, u64)> {
    let told = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = told.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, total.parse().ok()?))
}

fn status_only(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// A status with how much is there.
fn ranged(status: u16, there: u64, total: u64) -> Response {
    let mut response = status_only(status);
    let range = match there.checked_sub(1) {
        Some(last) => format!("bytes 0-{last}/{total}"),
        None => format!("bytes */{total}"),
    };
    if let Ok(range) = HeaderValue::from_str(&range) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

fn says(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(body)).into_response()
}

fn says_json(body: Value) -> Response {
    says(200, body)
}

/// What stands around every answer of the API.
fn envelope(status: u16, data: Value, code: &str, message: &str) -> Response {
    let error = json!({ "code": code, "message": message, "log_id": "202611210000-canary-log-id" });
    says(status, json!({ "data": data, "error": error }))
}

async fn serve(listener: TcpListener, house: Arc<House>) {
    let answer = move |request| answer(Arc::clone(&house), request);
    super::serve(listener, || {}, answer).await;
}

async fn answer(house: Arc<House>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    match to_bytes(body, MOST).await {
        Ok(body) => {
            let came = Came { method: head.method, uri: head.uri, headers: head.headers, body };
            house.take(&came)
        }
        Err(_) => super::hang_up(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

    fn house() -> House {
        House {
            at: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            state: Mutex::default(),
            asked: Calls::default(),
            wrong: Calls::default(),
        }
    }

    async fn ask(
        house: &House,
        request: axum::http::request::Builder,
        body: Bytes,
    ) -> (u16, Value) {
        let length = body.len();
        let request = request.header(header::CONTENT_LENGTH, length).body(()).unwrap();
        let (head, ()) = request.into_parts();
        let came = Came { method: head.method, uri: head.uri, headers: head.headers, body };
        let response = house.take(&came);
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), MOST).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn form(house: &House, path: &str, fields: &str) -> (u16, Value) {
        let client = format!("client_key={CLIENT_KEY}&client_secret={CLIENT_SECRET}&{fields}");
        let kind = "application/x-www-form-urlencoded";
        let request = Request::post(path).header(header::CONTENT_TYPE, kind);
        ask(house, request, client.into()).await
    }

    async fn token(house: &House) -> String {
        let challenge = Digest::of(VERIFIER.as_bytes()).to_hex();
        let code = lock(&house.state).issue(&challenge, REDIRECT);
        let fields = format!(
            "grant_type=authorization_code&code={}&redirect_uri={}&code_verifier={VERIFIER}",
            encoded(&code),
            encoded(REDIRECT)
        );
        let (status, tokens) = form(house, "/v2/oauth/token/", &fields).await;
        assert_eq!(status, 200, "{tokens}");
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    async fn api(house: &House, token: &str, path: &str, body: &Value) -> (u16, String, Value) {
        let request = Request::post(format!("/v2/post/publish/{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let (status, told) = ask(house, request, body.to_string().into()).await;
        (status, told["error"]["code"].as_str().unwrap_or_default().to_owned(), told)
    }

    fn init(size: u64, each: u64, count: u64) -> Value {
        json!({
            "post_info": { "title": "a", "privacy_level": "SELF_ONLY" },
            "source_info": { "source": "FILE_UPLOAD", "video_size": size, "chunk_size": each,
                "total_chunk_count": count },
        })
    }

    async fn put(house: &House, address: &str, range: &str, bytes: usize) -> u16 {
        let path = address.strip_prefix(&house.origin()).unwrap();
        let request = Request::put(path)
            .header(header::CONTENT_TYPE, "video/mp4")
            .header(header::CONTENT_RANGE, format!("bytes {range}"));
        ask(house, request, vec![0; bytes].into()).await.0
    }

    #[tokio::test]
    async fn n39_what_publishing_does_not_need_is_not_there_and_kept() {
        let house = house();
        let token = token(&house).await;
        for path in ["/v2/user/info/", "/v2/video/list/", "/v2/research/user/followers/"] {
            let request =
                Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
            assert_eq!(ask(&house, request, Bytes::new()).await.0, 404);
        }
        assert_eq!(house.wrong.all().len(), 3);
    }

    #[tokio::test]
    async fn the_arithmetic_of_chunks_is_tiktok_s() {
        let house = house();
        lock(&house.state).rules.limits = false;
        let token = token(&house).await;
        for (size, each, count, fits) in [
            (4_999_999, 4_999_999, 1, true),
            (4_999_999, 2_000_000, 2, false),
            (50_000_123, 10_000_000, 5, true),
            // Rounded up instead of down.
            (50_000_123, 10_000_000, 6, false),
            (50_000_123, 4_999_999, 10, false),
            (64_000_000, 64_000_000, 1, true),
            (128_000_000, 64_000_001, 1, false),
            (127_999_999, 64_000_000, 1, true),
            (10_000_000, 20_000_000, 1, false),
            (0, 0, 0, false),
        ] {
            let (status, ..) = api(&house, &token, "video/init/", &init(size, each, count)).await;
            assert_eq!(status, if fits { 200 } else { 400 }, "{size} {each} {count}");
        }
    }

    #[tokio::test]
    async fn chunks_come_in_order_and_until_the_address_expires() {
        let house = house();
        let token = token(&house).await;
        let begin = async || {
            let asked = init(11_000_000, 5_000_000, 2);
            let (_, code, told) = api(&house, &token, "video/init/", &asked).await;
            assert_eq!(code, "ok");
            told["data"]["upload_url"].as_str().unwrap().to_owned()
        };
        let at = begin().await;
        assert_eq!(put(&house, &at, "5000000-10999999/11000000", 6_000_000).await, 416);
        assert_eq!(put(&house, &at, "0-4999998/11000000", 4_999_999).await, 400);
        assert_eq!(put(&house, &at, "0-4999999/11000000", 4_999_999).await, 400);
        assert_eq!(put(&house, &at, "0-4999999/11000000", 5_000_000).await, 206);
        assert_eq!(put(&house, &at, "0-4999999/11000000", 5_000_000).await, 416);
        assert_eq!(lock(&house.state).jobs[0].whole, None, "it will not appear");
        assert_eq!(put(&house, &at, "5000000-10999999/11000000", 6_000_000).await, 201);
        assert!(lock(&house.state).jobs[0].whole.is_some());
        assert_eq!(put(&house, &at, "5000000-10999999/11000000", 6_000_000).await, 416);
        let other = at.replace("upload_token=canary-upl", "upload_token=other");
        assert_eq!(put(&house, &other, "0-4999999/11000000", 5_000_000).await, 403);
        let late = begin().await;
        lock(&house.state).jobs[1].address_open = false;
        assert_eq!(put(&house, &late, "0-4999999/11000000", 5_000_000).await, 403);
    }

    #[tokio::test]
    async fn audiences_words_and_limits_are_tiktok_s() {
        let house = house();
        let token = token(&house).await;
        let with = |pointer: &str, value: Value| {
            let mut body = init(10, 10, 1);
            body["post_info"][pointer] = value;
            body
        };
        let asked = async |body: Value| api(&house, &token, "video/init/", &body).await.1;
        let everyone = || with("privacy_level", json!("PUBLIC_TO_EVERYONE"));
        assert_eq!(asked(with("surprise", json!(1))).await, "invalid_params");
        assert_eq!(asked(with("title", json!("🍯".repeat(1_101)))).await, "invalid_params");
        assert_eq!(asked(with("brand_content_toggle", json!(true))).await, "invalid_params");
        let followers = with("privacy_level", json!("FOLLOWER_OF_CREATOR"));
        assert_eq!(asked(followers).await, "privacy_level_option_mismatch");
        assert_eq!(asked(everyone()).await, "ok");
        lock(&house.state).rules.audited = false;
        let unaudited = "unaudited_client_can_only_post_to_private_accounts";
        assert_eq!(asked(init(10, 10, 1)).await, unaudited, "the account is public");
        assert_eq!(asked(init(10, 10, 1)).await, "rate_limit_exceeded");
        lock(&house.state).this_minute.clear();
        lock(&house.state).rules.private_account = true;
        assert_eq!(asked(init(10, 10, 1)).await, "ok");
        assert_eq!(asked(everyone()).await, unaudited);
        lock(&house.state).rules.audited = true;
        lock(&house.state).today = 15;
        assert_eq!(asked(init(10, 10, 1)).await, "spam_risk_too_many_posts");
        let (status, code, _) = api(&house, "act.unknown", "video/init/", &init(10, 10, 1)).await;
        assert_eq!((status, code.as_str()), (401, "access_token_invalid"));
    }
}
