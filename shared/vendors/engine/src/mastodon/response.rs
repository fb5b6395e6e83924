//! What a server's answers say. Of each, only what is needed is read; what else stands there is passed over.

use std::collections::BTreeSet;

use nexus_engine::comments::Remark;
use nexus_engine::copy::limits::MASTODON_CHARS;
use nexus_kernel::{Pii, Secret, Timestamp};
use nexus_outbound::{Answer, CallError, Reading, Usage};
use serde_json::Value;
use url::Url;

use super::classify::refusal;
use super::plain;
use super::request::Client;

/// The most characters of an id, a name or a secret that a server makes.
const LONGEST_WORD: usize = 512;
/// The most characters of an address that is kept.
const LONGEST_ADDRESS: usize = 2_000;
/// The most characters of a description, where a server does not say (as Mastodon has it).
const DESCRIPTION: u64 = 1_500;

fn read<T>(value: T) -> Result<Reading<T>, CallError> {
    Ok(Reading { value, usage: Usage::default() })
}

/// The body as JSON. A page, or what was cut off, says nothing about whether it happened.
fn json(answer: &Answer, what: &str) -> Result<Value, CallError> {
    serde_json::from_slice(&answer.body).map_err(|_| CallError::Unknown {
        why: format!("the server answered {} to {what} with what is no JSON", answer.status),
    })
}

fn unreadable(what: &str) -> CallError {
    CallError::Unknown { why: format!("the server answered {what} with something else") }
}

/// What a server calls something: visible ASCII that can stand in a path and a log. Some write numbers as numbers.
fn word(value: Option<&Value>) -> Option<String> {
    let word = match value? {
        Value::String(word) => word.clone(),
        Value::Number(number) if number.is_u64() => number.to_string(),
        _ => return None,
    };
    let fits =
        (1..=LONGEST_WORD).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic());
    (fits && !matches!(word.as_str(), "." | "..")).then_some(word)
}

/// Where a person can see something.
fn address(value: Option<&Value>) -> Option<String> {
    let written = value?.as_str()?;
    let url = Url::parse(written).ok()?;
    let fits = matches!(url.scheme(), "https" | "http") && written.len() <= LONGEST_ADDRESS;
    (fits && url.username().is_empty()).then(|| url.into())
}

/// The scopes that a server gives, where it says so. Whatever else it answers is no matter: it is asked only to ask it
/// for less.
pub(super) fn supported(answer: &Answer) -> Result<Reading<Option<BTreeSet<String>>>, CallError> {
    let status = answer.status.as_u16();
    if status == 429 || status >= 500 {
        return Err(CallError::Unknown { why: format!("the server answered {status}") });
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let scopes = body.get("scopes_supported").and_then(Value::as_array).filter(|_| status == 200);
    read(scopes.map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
}

/// Under which name the server knows this house now.
pub(super) fn registered(answer: &Answer, now: Timestamp) -> Result<Reading<Client>, CallError> {
    refusal(answer, now)?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (word(body.get("client_id")), word(body.get("client_secret"))) {
        (Some(id), Some(secret)) => {
            read(Client { id: Secret::new(id), secret: Secret::new(secret) })
        }
        // An application that nobody can use is none.
        _ => Err(CallError::Refused {
            code: "server".to_owned(),
            why: "server: what answers at this address does not speak Mastodon's API.".to_owned(),
        }),
    }
}

/// Whether a token was made worthless.
pub(super) fn revoked(answer: &Answer, now: Timestamp) -> Result<Reading<()>, CallError> {
    refusal(answer, now)?;
    read(())
}

/// Whether the server itself says no: Mastodon and its kin in words, snac by a 422 without any.
fn is_said(answer: &Answer) -> bool {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let is_snac = answer.status.as_u16() == 422 && answer.body.is_empty();
    body.get("error").is_some_and(Value::is_string) || is_snac
}

fn gone() -> CallError {
    CallError::Login {
        why: "The server does not accept this connection any more. Connect it again.".to_owned(),
    }
}

/// What the server calls the account of a token. Of the account nothing else is read (N37, N39).
pub(super) fn account(answer: &Answer, now: Timestamp) -> Result<Reading<String>, CallError> {
    match answer.status.as_u16() {
        401 => return Err(gone()),
        403 | 422 if is_said(answer) => return Err(gone()),
        // A page in between that wants to see a person first, and knows nothing of tokens.
        403 | 422 => return Err(unreadable("whose token this is")),
        _ => refusal(answer, now)?,
    }
    let body = json(answer, "whose token this is")?;
    word(body.get("id")).map_or_else(|| Err(unreadable("whose token this is")), read)
}

/// What a server takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    /// The most characters of a status.
    pub(super) characters: u64,
    /// As how many of them a link counts; `None` is as many as it has.
    pub(super) link: Option<u64>,
    /// The most characters of a description.
    pub(super) description: u64,
    /// The kinds of files; `None` where it does not say.
    pub(super) kinds: Option<BTreeSet<String>>,
    /// The most bytes of a picture, where it says so.
    pub(super) picture: Option<u64>,
    /// The most bytes of a video, where it says so.
    pub(super) video: Option<u64>,
}

impl Default for Limits {
    /// Of a server that says nothing.
    fn default() -> Self {
        Self {
            characters: MASTODON_CHARS as u64,
            link: None,
            description: DESCRIPTION,
            kinds: None,
            picture: None,
            video: None,
        }
    }
}

/// What a server takes; `None` where it does not know the question.
pub(super) fn limits(
    answer: &Answer,
    now: Timestamp,
) -> Result<Reading<Option<Limits>>, CallError> {
    if answer.status.as_u16() == 404 {
        return read(None);
    }
    refusal(answer, now)?;
    let body = json(answer, "what it takes")?;
    if !body.is_object() {
        return Err(unreadable("what it takes"));
    }
    let number = |path: &str| body.pointer(path).and_then(Value::as_u64).filter(|most| *most > 0);
    let kinds = body.pointer("/configuration/media_attachments/supported_mime_types");
    let kinds = kinds.and_then(Value::as_array).map(|kinds| {
        kinds.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect::<BTreeSet<_>>()
    });
    // Pleroma and its kin say theirs at the top.
    let upload = number("/upload_limit");
    read(Some(Limits {
        characters: number("/configuration/statuses/max_characters")
            .or_else(|| number("/max_toot_chars"))
            .unwrap_or(MASTODON_CHARS as u64),
        link: number("/configuration/statuses/characters_reserved_per_url"),
        description: number("/configuration/media_attachments/description_limit")
            .or_else(|| number("/description_limit"))
            .unwrap_or(DESCRIPTION),
        kinds: kinds.filter(|kinds| !kinds.is_empty()),
        picture: number("/configuration/media_attachments/image_size_limit").or(upload),
        video: number("/configuration/media_attachments/video_size_limit").or(upload),
    }))
}

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upload {
    /// What the server calls it.
    pub(super) id: String,
    /// Whether the server has worked on it, so that a status can show it.
    pub(super) is_ready: bool,
}

/// What came of an upload.
pub(super) fn uploaded(answer: &Answer, now: Timestamp) -> Result<Reading<Upload>, CallError> {
    refusal(answer, now)?;
    let body = json(answer, "an upload")?;
    let id = word(body.get("id")).ok_or_else(|| unreadable("an upload"))?;
    read(Upload { id, is_ready: answer.status.as_u16() != 202 })
}

/// Whether an upload can be shown. A server that does not know the question says it once a status is to show it.
pub(super) fn ready(answer: &Answer, now: Timestamp) -> Result<Reading<bool>, CallError> {
    match answer.status.as_u16() {
        202 | 206 => return read(false),
        404 => return read(true),
        _ => refusal(answer, now)?,
    }
    let body = json(answer, "whether an upload is ready")?;
    word(body.get("id"))
        .map_or_else(|| Err(unreadable("whether an upload is ready")), |_| read(true))
}

/// What came of writing a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Posted {
    /// It is there.
    There {
        /// What the server calls it.
        id: String,
        /// Where a person can see it.
        url: Option<String>,
    },
    /// The server has it, and shows it later: somebody has to let it pass, or its time has to come.
    Waiting,
}

/// What came of writing a status.
pub(super) fn posted(answer: &Answer, now: Timestamp) -> Result<Reading<Posted>, CallError> {
    refusal(answer, now)?;
    if answer.status.as_u16() == 202 {
        return read(Posted::Waiting);
    }
    let body = json(answer, "a status")?;
    let is_there = |field: &str| body.get(field).is_some_and(|value| !value.is_null());
    let Some(id) = word(body.get("id")) else { return Err(unreadable("a status")) };
    if is_there("scheduled_at") {
        return read(Posted::Waiting);
    }
    let url = address(body.get("url")).or_else(|| address(body.get("uri")));
    read(Posted::There { id, url })
}

/// A status of the account, as it is searched through.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// What the server calls it.
    pub(super) id: String,
    /// What the list goes on after.
    pub(super) place: String,
    /// Where a person can see it.
    pub(super) url: Option<String>,
    /// What it says, in HTML.
    pub(super) content: String,
    /// What was sent to be said, where the server keeps that.
    pub(super) source: Option<String>,
    /// By whom, where it is told.
    pub(super) by: Option<String>,
    /// When it was made, where it is told.
    pub(super) made: Option<Timestamp>,
}

/// A page of the account's statuses.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// Those that can be read, newest first.
    pub(super) statuses: Vec<Listed>,
    /// Whether there is one that cannot.
    pub(super) hides_some: bool,
}

/// A page of the account's statuses.
pub(super) fn listed(answer: &Answer, now: Timestamp) -> Result<Reading<Page>, CallError> {
    refusal(answer, now)?;
    let body = json(answer, "the account's statuses")?;
    let members = body.as_array().ok_or_else(|| unreadable("the account's statuses"))?;
    let statuses: Vec<Listed> = members.iter().filter_map(one).collect();
    let hides_some = statuses.len() < members.len();
    read(Page { statuses, hides_some })
}

fn one(outer: &Value) -> Option<Listed> {
    // snac wraps a status that somebody has passed on into that, although nothing passed on was asked for.
    let inner = outer.get("reblog").filter(|inner| inner.is_object()).unwrap_or(outer);
    let text = |field: &str| inner.get(field).and_then(Value::as_str);
    Some(Listed {
        id: word(inner.get("id"))?,
        place: word(outer.get("id"))?,
        url: address(inner.get("url")).or_else(|| address(inner.get("uri"))),
        content: text("content")?.to_owned(),
        source: text("text").filter(|text| !text.is_empty()).map(str::to_owned),
        by: word(inner.pointer("/account/id")),
        made: text("created_at").and_then(|made| made.parse().ok()),
    })
}

/// What people answered to a status, in the order of the answer. What not everybody may see is nobody's to keep: a
/// message to the account among it (N39). Who wrote what is not read.
pub(super) fn answers(answer: &Answer, now: Timestamp) -> Result<Reading<Vec<Remark>>, CallError> {
    if answer.status.as_u16() == 404 {
        // The status was taken away there: nothing stands under it.
        return read(Vec::new());
    }
    refusal(answer, now)?;
    let body = json(answer, "what stands under a status")?;
    let below = body.get("descendants").and_then(Value::as_array);
    let below = below.ok_or_else(|| unreadable("what stands under a status"))?;
    let remark = |status: &Value| {
        let text = |field: &str| status.get(field).and_then(Value::as_str);
        let is_public = matches!(text("visibility")?, "public" | "unlisted");
        let at = text("created_at")?.parse().ok()?;
        let said = plain::text(text("content")?);
        is_public.then_some(Remark { id: word(status.get("id"))?, at, text: Pii::new(said) })
    };
    read(below.iter().filter_map(remark).collect())
}
