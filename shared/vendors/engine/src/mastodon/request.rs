//! What is asked of a server, and what may go there with it.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use nexus_kernel::Secret;
use nexus_outbound::request::Piece;
use nexus_outbound::vendor::MAX_ANSWER;
use nexus_outbound::{Auth, Field, Operation, Part, Repeat, Request, Vendor};
use serde_json::json;

/// A server of the network. Each account names its own ([`Ask`], [`Access`]): the base is nobody's.
///
/// [`Ask`]: nexus_engine::connections::Ask
/// [`Access`]: nexus_engine::connections::Access
pub static VENDOR: Vendor = Vendor {
    name: "mastodon",
    base: "https://server.invalid",
    base_setting: "server",
    hosts: &[],
    auth: Auth::Account,
    per_second: 5,
    at_once: 4,
};

/// Under which name this house is shown to who connects an account.
const CLIENT_NAME: &str = "Nexus";

/// How many statuses are asked for at once: the most that Mastodon gives.
pub(super) const PAGE: usize = 40;

/// A few fields of JSON, of a server that somebody named: a megabyte is plenty.
const SMALL: u64 = 1024 * 1024;
const QUICK: Duration = Duration::from_secs(10);

/// Which scopes a server gives (RFC 8414).
pub static METADATA: Operation = Operation {
    name: "server-metadata",
    repeat: Repeat::Safe,
    sends: &[],
    try_within: QUICK,
    within: Duration::from_secs(20),
    max_answer: SMALL,
};

/// Registers this house at a server. A repetition leaves one more application that nobody uses.
pub static REGISTER: Operation = Operation {
    name: "register-application",
    repeat: Repeat::Safe,
    sends: &["client_name", "redirect_uris", "scopes"],
    try_within: QUICK,
    within: Duration::from_secs(25),
    max_answer: SMALL,
};

/// Tokens for a code. A code serves once.
pub static TOKEN: Operation = Operation {
    name: "token",
    repeat: Repeat::Never,
    sends: &["grant_type", "code", "client_id", "client_secret", "redirect_uri", "code_verifier"],
    try_within: Duration::from_secs(20),
    within: Duration::from_secs(25),
    max_answer: SMALL,
};

/// Tokens for a refresh token, at servers whose tokens end. It may serve once.
pub static REFRESH: Operation = Operation {
    name: "refresh-token",
    repeat: Repeat::Never,
    sends: &["grant_type", "refresh_token", "client_id", "client_secret"],
    try_within: Duration::from_secs(20),
    within: Duration::from_secs(25),
    max_answer: SMALL,
};

/// Makes a token worthless.
pub static REVOKE: Operation = Operation {
    name: "revoke-token",
    repeat: Repeat::Safe,
    sends: &["token", "client_id", "client_secret"],
    try_within: QUICK,
    within: Duration::from_secs(25),
    max_answer: SMALL,
};

/// Of which account a token is.
pub static VERIFY: Operation = Operation {
    name: "verify-credentials",
    repeat: Repeat::Safe,
    sends: &[],
    try_within: QUICK,
    within: Duration::from_secs(25),
    max_answer: SMALL,
};

/// What a server takes.
pub static INSTANCE: Operation = Operation {
    name: "get-instance",
    repeat: Repeat::Safe,
    sends: &[],
    try_within: QUICK,
    within: Duration::from_secs(25),
    max_answer: SMALL,
};

/// Uploads a picture or a video. It is seen nowhere until a status shows it, and servers drop what none shows.
pub static UPLOAD: Operation = Operation {
    name: "upload-media",
    repeat: Repeat::Safe,
    sends: &["file", "description"],
    try_within: Duration::from_secs(60),
    within: Duration::from_secs(90),
    max_answer: SMALL,
};

/// Whether an upload has been worked on.
pub static MEDIUM: Operation = Operation {
    name: "get-media",
    repeat: Repeat::Safe,
    sends: &[":id"],
    try_within: QUICK,
    within: Duration::from_secs(25),
    max_answer: SMALL,
};

/// Writes a status: what makes a post appear. Not [`Repeat::Keyed`], although the key is sent: see the module.
pub static STATUS: Operation = Operation {
    name: "post-status",
    repeat: Repeat::Never,
    sends: &["status", "media_ids[]", "visibility", "language", "header:idempotency-key"],
    try_within: Duration::from_secs(30),
    within: Duration::from_secs(30),
    max_answer: SMALL,
};

/// The account's own statuses, newest first.
pub static STATUSES: Operation = Operation {
    name: "list-own-statuses",
    repeat: Repeat::Safe,
    sends: &[":id", "?limit", "?exclude_reblogs", "?exclude_replies", "?max_id"],
    try_within: Duration::from_secs(20),
    within: Duration::from_secs(30),
    max_answer: MAX_ANSWER,
};

/// What stands above and below a status of the account's own.
pub static CONTEXT: Operation = Operation {
    name: "status-context",
    repeat: Repeat::Safe,
    sends: &[":id"],
    try_within: Duration::from_secs(20),
    within: Duration::from_secs(25),
    max_answer: MAX_ANSWER,
};

/// All of them: nothing else is ever asked of a server.
pub static OPERATIONS: [&Operation; 12] = [
    &METADATA, &REGISTER, &TOKEN, &REFRESH, &REVOKE, &VERIFY, &INSTANCE, &UPLOAD, &MEDIUM, &STATUS,
    &STATUSES, &CONTEXT,
];

fn at(operation: &'static Operation, method: Method, path: &'static str) -> Request {
    Request::new(operation, method, vec![Piece::Fixed(path)])
}

/// Asks which scopes a server gives.
pub fn metadata() -> Request {
    at(&METADATA, Method::GET, "/.well-known/oauth-authorization-server")
}

/// Registers this house, for one redirect and these scopes.
pub fn register(redirect: &str, scopes: &str) -> Request {
    at(&REGISTER, Method::POST, "/api/v1/apps").form(vec![
        Field::new("client_name", CLIENT_NAME),
        Field::new("redirect_uris", redirect),
        Field::new("scopes", scopes),
    ])
}

/// How a server knows this house.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name there.
    pub id: Secret<String>,
    /// Its secret there.
    pub secret: Secret<String>,
}

impl Client {
    fn fields(&self) -> [Field; 2] {
        [
            Field::new("client_id", self.id.reveal()),
            Field::new("client_secret", self.secret.reveal()),
        ]
    }
}

/// Asks for tokens for a code.
pub fn token(
    client: &Client,
    redirect: &str,
    code: &Secret<String>,
    verifier: &Secret<String>,
) -> Request {
    let mut fields = vec![
        Field::new("grant_type", "authorization_code"),
        Field::new("code", code.reveal()),
        Field::new("redirect_uri", redirect),
        Field::new("code_verifier", verifier.reveal()),
    ];
    fields.extend(client.fields());
    at(&TOKEN, Method::POST, "/oauth/token").form(fields)
}

/// Asks for tokens for a refresh token.
pub fn refresh(client: &Client, refresh: &Secret<String>) -> Request {
    let mut fields = vec![
        Field::new("grant_type", "refresh_token"),
        Field::new("refresh_token", refresh.reveal()),
    ];
    fields.extend(client.fields());
    at(&REFRESH, Method::POST, "/oauth/token").form(fields)
}

/// Makes a token worthless.
pub fn revoke(client: &Client, token: &Secret<String>) -> Request {
    let mut fields = vec![Field::new("token", token.reveal())];
    fields.extend(client.fields());
    at(&REVOKE, Method::POST, "/oauth/revoke").form(fields)
}

/// Asks of which account a token is.
pub fn verify(token: &Secret<String>) -> Request {
    at(&VERIFY, Method::GET, "/api/v1/accounts/verify_credentials").bearer(token)
}

/// Asks what a server takes; `old` in the form that was there before version 4.
pub fn instance(token: &Secret<String>, old: bool) -> Request {
    let path = if old { "/api/v1/instance" } else { "/api/v2/instance" };
    at(&INSTANCE, Method::GET, path).bearer(token)
}

/// Uploads a file under this name, described for who cannot see it.
pub fn upload(
    token: &Secret<String>,
    file: String,
    content_type: &'static str,
    bytes: Bytes,
    alt: Option<&str>,
) -> Request {
    let mut request = at(&UPLOAD, Method::POST, "/api/v2/media").bearer(token);
    let mut parts = vec![Part::file("file", file, content_type, bytes)];
    parts.extend(alt.map(|alt| Part::text("description", alt)));
    request.body = nexus_outbound::Body::Multipart(parts);
    request
}

/// Asks whether an upload has been worked on.
pub fn medium(token: &Secret<String>, id: &str) -> Request {
    let path = vec![Piece::Fixed("/api/v1/media/"), Piece::Value(":id", id.to_owned())];
    Request::new(&MEDIUM, Method::GET, path).bearer(token)
}

/// A status that everybody may see.
#[derive(Debug, Clone, Copy)]
pub struct Status<'s> {
    /// The text, to the letter.
    pub text: &'s str,
    /// The upload that it shows.
    pub medium: Option<&'s str>,
    /// Its language (ISO 639-1).
    pub language: &'s str,
    /// The key by which some servers recognise a repetition.
    pub key: &'s str,
}

/// Writes a status.
pub fn status(token: &Secret<String>, status: &Status<'_>) -> Request {
    let mut body = json!({
        "status": status.text,
        "visibility": "public",
        "language": status.language,
    });
    if let Some(medium) = status.medium {
        body["media_ids"] = json!([medium]);
    }
    let mut request = at(&STATUS, Method::POST, "/api/v1/statuses").bearer(token).json(body);
    request.headers.push(("idempotency-key", Cow::Owned(status.key.to_owned())));
    request
}

/// Asks for the statuses of the token's own account, those before `before` where that is given.
pub fn statuses(token: &Secret<String>, account: &str, before: Option<&str>) -> Request {
    let path = vec![
        Piece::Fixed("/api/v1/accounts/"),
        Piece::Value(":id", account.to_owned()),
        Piece::Fixed("/statuses"),
    ];
    let mut request = Request::new(&STATUSES, Method::GET, path).bearer(token);
    request.query = vec![
        ("limit", PAGE.to_string()),
        ("exclude_reblogs", "true".to_owned()),
        ("exclude_replies", "true".to_owned()),
    ];
    request.query.extend(before.map(|id| ("max_id", id.to_owned())));
    request
}

/// Asks what stands above and below a status.
pub fn context(token: &Secret<String>, status: &str) -> Request {
    let path = vec![
        Piece::Fixed("/api/v1/statuses/"),
        Piece::Value(":id", status.to_owned()),
        Piece::Fixed("/context"),
    ];
    Request::new(&CONTEXT, Method::GET, path).bearer(token)
}
