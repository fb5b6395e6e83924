//! What is asked of X, and what may go there with it.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use jiff::tz::TimeZone;
use nexus_engine::connections::Ask;
use nexus_kernel::{Secret, Timestamp};
use nexus_outbound::request::Piece;
use nexus_outbound::vendor::MAX_ANSWER;
use nexus_outbound::{Auth, Authorization, Field, Operation, Part, Repeat, Request, Vendor};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::oauth::challenge;

/// X's API. Each request is sent on behalf of an account; the application's own secret goes to the token endpoints
/// alone.
pub static VENDOR: Vendor = Vendor {
    name: "x",
    base: "https://api.x.com",
    base_setting: "X_BASE",
    hosts: &[],
    auth: Auth::Account,
    per_second: 25,
    at_once: 8,
};

/// What an account is asked to grant, and nothing else (N38, N42).
pub static SCOPES: [&str; 5] = [
    // To look whether a post is there whose answer was lost.
    "tweet.read",
    // To post.
    "tweet.write",
    // To tell the account from others: its number alone is read. And X lists no posts without it.
    "users.read",
    // To upload what a post shows.
    "media.write",
    // To keep the connection for longer than two hours.
    "offline.access",
];

/// The most bytes of a chunk. X takes 5 MB.
pub const CHUNK: usize = 4 * 1024 * 1024;
/// How many posts a page of the account's list holds: few, because each is paid.
pub const PAGE: u32 = 20;
/// How many answers a page of a conversation holds at most: X's most. Only those that are there are paid.
pub const REPLIES_PAGE: u32 = 100;

const fn operation(
    name: &'static str,
    repeat: Repeat,
    sends: &'static [&'static str],
    seconds: (u64, u64),
) -> Operation {
    Operation {
        name,
        repeat,
        sends,
        try_within: Duration::from_secs(seconds.0),
        within: Duration::from_secs(seconds.1),
        max_answer: MAX_ANSWER,
    }
}

/// Tokens for the code that a person came back with. A code serves once, for 30 seconds.
pub static EXCHANGE: Operation = operation(
    "exchange-code",
    Repeat::Never,
    &["grant_type", "code", "redirect_uri", "code_verifier", "client_id"],
    (15, 20),
);

/// New tokens for a refresh token, which is used up by that.
pub static REFRESH: Operation = operation(
    "refresh-token",
    Repeat::Never,
    &["grant_type", "refresh_token", "client_id"],
    (20, 25),
);

/// Makes a token worthless.
pub static REVOKE: Operation =
    operation("revoke-token", Repeat::Safe, &["token", "client_id"], (10, 25));

/// The number of the account that asks.
pub static ME: Operation = operation("own-account", Repeat::Safe, &[], (10, 25));

/// Begins an upload. One that is begun twice leaves something unused, which X forgets.
pub static INITIALIZE: Operation = operation(
    "initialize-upload",
    Repeat::Safe,
    &["media_type", "total_bytes", "media_category"],
    (15, 40),
);

/// Uploads a chunk; the same chunk again takes its own place.
pub static APPEND: Operation =
    operation("append-upload", Repeat::Safe, &[":id", "segment_index", "media"], (60, 120));

/// Ends an upload. Whether X takes an end twice it does not say, so a lost answer begins a new upload.
pub static FINALIZE: Operation = operation("finalize-upload", Repeat::Never, &[":id"], (30, 30));

/// How far X is with an upload.
pub static STATUS: Operation =
    operation("upload-status", Repeat::Safe, &["?command", "?media_id"], (10, 25));

/// What is to be seen, in words.
pub static DESCRIBE: Operation =
    operation("describe-media", Repeat::Safe, &["id", "metadata.alt_text.text"], (10, 25));

/// The post.
pub static CREATE: Operation = operation(
    "create-post",
    Repeat::Never,
    &["text", "media.media_ids[]", "made_with_ai", "paid_partnership"],
    (20, 20),
);

/// The account's own posts since a moment.
pub static POSTS: Operation = operation(
    "own-posts",
    Repeat::Safe,
    &[":id", "?max_results", "?start_time", "?exclude", "?tweet.fields", "?pagination_token"],
    (15, 30),
);

/// What stands under one post of the account's own: of each answer its number, text and time. Who wrote it is not asked
/// for, so X says nothing of them.
pub static REPLIES: Operation = operation(
    "replies",
    Repeat::Safe,
    &["?query", "?max_results", "?tweet.fields", "?since_id", "?until_id", "?next_token"],
    (15, 30),
);

/// All of them.
pub static OPERATIONS: [&Operation; 12] = [
    &EXCHANGE,
    &REFRESH,
    &REVOKE,
    &ME,
    &INITIALIZE,
    &APPEND,
    &FINALIZE,
    &STATUS,
    &DESCRIBE,
    &CREATE,
    &POSTS,
    &REPLIES,
];

/// The house's application at X.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its name.
    pub client_id: String,
    /// Its secret; a public client has none.
    pub secret: Option<Secret<String>>,
}

impl Application {
    /// A form that says which application asks: by its secret, or by its name alone.
    fn asks(&self, operation: &'static Operation, at: &'static str, form: Vec<Field>) -> Request {
        let mut form = form;
        let mut request = Request::new(operation, Method::POST, vec![Piece::Fixed(at)]);
        match &self.secret {
            Some(secret) => {
                let basic = Authorization::Basic(self.client_id.clone(), secret.clone());
                request.authorization = Some(basic);
            }
            None => form.push(Field::new("client_id", &self.client_id)),
        }
        request.form(form)
    }
}

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The address that a person opens to grant what is asked for; `base` has no slash at its end.
pub fn authorize(base: &str, client_id: &str, ask: &Ask) -> String {
    let scopes = SCOPES.join(" ");
    let challenge = challenge(&ask.verifier);
    let query = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", &ask.redirect),
        ("scope", &scopes),
        ("state", ask.state.reveal()),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let query =
        query.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, UNRESERVED)));
    format!("{base}/i/oauth2/authorize?{}", query.join("&"))
}

/// Asks for tokens for a code.
pub fn exchange(application: &Application, ask: &Ask, code: &Secret<String>) -> Request {
    let form = vec![
        Field::new("grant_type", "authorization_code"),
        Field::new("code", code.reveal()),
        Field::new("redirect_uri", &ask.redirect),
        Field::new("code_verifier", ask.verifier.reveal()),
    ];
    application.asks(&EXCHANGE, TOKEN_PATH, form)
}

/// Asks for new tokens.
pub fn refresh(application: &Application, token: &Secret<String>) -> Request {
    let form = vec![
        Field::new("grant_type", "refresh_token"),
        Field::new("refresh_token", token.reveal()),
    ];
    application.asks(&REFRESH, TOKEN_PATH, form)
}

/// Asks to make a token worthless.
pub fn revoke(application: &Application, token: &Secret<String>) -> Request {
    application.asks(&REVOKE, "/2/oauth2/revoke", vec![Field::new("token", token.reveal())])
}

const TOKEN_PATH: &str = "/2/oauth2/token";

/// Asks which account a token is of.
pub fn me(token: &Secret<String>) -> Request {
    Request::new(&ME, Method::GET, vec![Piece::Fixed("/2/users/me")]).bearer(token)
}

/// Begins an upload of so many bytes.
pub fn initialize(
    token: &Secret<String>,
    content_type: &str,
    category: &str,
    bytes: usize,
) -> Request {
    let path = vec![Piece::Fixed("/2/media/upload/initialize")];
    Request::new(&INITIALIZE, Method::POST, path).bearer(token).json(json!({
        "media_type": content_type,
        "total_bytes": bytes,
        "media_category": category,
    }))
}

/// Uploads the chunk of that number, from 0.
pub fn append(token: &Secret<String>, media: &str, number: usize, chunk: Bytes) -> Request {
    let mut request = Request::new(&APPEND, Method::POST, upload(media, "/append")).bearer(token);
    request.body = nexus_outbound::Body::Multipart(vec![
        Part::text("segment_index", number.to_string()),
        Part::file("media", "chunk", "application/octet-stream", chunk),
    ]);
    request
}

/// Ends an upload.
pub fn finalize(token: &Secret<String>, media: &str) -> Request {
    Request::new(&FINALIZE, Method::POST, upload(media, "/finalize")).bearer(token)
}

fn upload(media: &str, what: &'static str) -> Vec<Piece> {
    vec![
        Piece::Fixed("/2/media/upload/"),
        Piece::Value(":id", media.to_owned()),
        Piece::Fixed(what),
    ]
}

/// Asks how far X is with an upload.
pub fn status(token: &Secret<String>, media: &str) -> Request {
    let path = vec![Piece::Fixed("/2/media/upload")];
    let mut request = Request::new(&STATUS, Method::GET, path).bearer(token);
    request.query = vec![("command", "STATUS".to_owned()), ("media_id", media.to_owned())];
    request
}

/// Says in words what is to be seen.
pub fn describe(token: &Secret<String>, media: &str, alt: &str) -> Request {
    let path = vec![Piece::Fixed("/2/media/metadata")];
    let body = json!({ "id": media, "metadata": { "alt_text": { "text": alt } } });
    Request::new(&DESCRIBE, Method::POST, path).bearer(token).json(body)
}

/// What a post says of itself beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labels {
    /// An engine made what it shows.
    pub made_with_ai: bool,
    /// Somebody else pays for it.
    pub paid_partnership: bool,
}

/// Posts. What is not so is not said: X refuses fields that it does not know, and knows these only since 2026.
pub fn create(token: &Secret<String>, text: &str, media: Option<&str>, labels: Labels) -> Request {
    let mut body = json!({});
    if !text.trim().is_empty() {
        body["text"] = text.into();
    }
    if let Some(media) = media {
        body["media"] = json!({ "media_ids": [media] });
    }
    if labels.made_with_ai {
        body["made_with_ai"] = true.into();
    }
    if labels.paid_partnership {
        body["paid_partnership"] = true.into();
    }
    let path = vec![Piece::Fixed("/2/tweets")];
    Request::new(&CREATE, Method::POST, path).bearer(token).json(body)
}

/// Asks for a page of the account's own posts since a moment, the newest first, without answers and reposts.
pub fn posts(
    token: &Secret<String>,
    account: &Secret<String>,
    since: Timestamp,
    page: Option<&str>,
) -> Request {
    let path = vec![
        Piece::Fixed("/2/users/"),
        Piece::Value(":id", account.reveal().clone()),
        Piece::Fixed("/tweets"),
    ];
    // X reads whole seconds, in UTC.
    let since = since.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut request = Request::new(&POSTS, Method::GET, path).bearer(token);
    request.query = vec![
        ("max_results", PAGE.to_string()),
        ("start_time", since),
        ("exclude", "replies,retweets".to_owned()),
        ("tweet.fields", "created_at,entities,text".to_owned()),
    ];
    request.query.extend(page.map(|page| ("pagination_token", page.to_owned())));
    request
}

/// Asks for a page of the answers to a post, the newest first: those after `since`, and before `until` where that is
/// given.
pub fn replies(
    token: &Secret<String>,
    post: &str,
    since: &str,
    until: Option<&str>,
    page: Option<&str>,
) -> Request {
    let path = vec![Piece::Fixed("/2/tweets/search/recent")];
    let mut request = Request::new(&REPLIES, Method::GET, path).bearer(token);
    request.query = vec![
        ("query", format!("conversation_id:{post}")),
        ("max_results", REPLIES_PAGE.to_string()),
        ("tweet.fields", "created_at".to_owned()),
        ("since_id", since.to_owned()),
    ];
    request.query.extend(until.map(|until| ("until_id", until.to_owned())));
    request.query.extend(page.map(|page| ("next_token", page.to_owned())));
    request
}
