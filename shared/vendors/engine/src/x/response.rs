//! What X's answers say.

use std::time::Duration;

use nexus_core::egress::Cost;
use nexus_engine::comments::Remark;
use nexus_engine::connections::Granted;
use nexus_kernel::{Pii, Secret, Timestamp};
use nexus_outbound::{Answer, CallError, Reading, Usage};
use serde::Deserialize;
use serde_json::Value;

use super::classify::refusal;
use super::prices;
use super::same::{Shown, ShownLink, unescaped};
use crate::oauth;

/// The longest pause between two looks at an upload that is believed.
const LONGEST_PAUSE: u64 = 60;
/// The most digits of a number of X's.
const ID_DIGITS: usize = 19;

/// How far X is with an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Processing {
    /// It can be posted.
    Ready,
    /// It cannot yet.
    Working {
        /// Look again after that.
        after: Duration,
    },
    /// It never will.
    Failed {
        /// Why, as a person should read it.
        why: String,
    },
}

/// A page of the account's own posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// The posts that could be read.
    pub(super) posts: Vec<Shown>,
    /// Whether every one of them could be.
    pub(super) is_whole: bool,
    /// Where the next page begins.
    pub(super) next: Option<String>,
}

/// Tokens. X calls a refresh token that was used before, or taken back, an invalid request.
pub(super) fn granted(answer: &Answer) -> Result<Reading<Granted>, CallError> {
    #[derive(Deserialize)]
    struct Error {
        error: String,
        #[serde(default)]
        error_description: String,
    }
    if let Ok(told) = serde_json::from_slice::<Error>(&answer.body) {
        let words = told.error_description.to_lowercase();
        if told.error == "invalid_request" && words.contains("was invalid") {
            return Err(CallError::Login {
                why: "X does not accept this connection any more. Connect it again.".to_owned(),
            });
        }
    }
    oauth::granted(answer, "X")
}

/// That a token is worth nothing any more.
pub(super) fn revoked(answer: &Answer, now: Timestamp) -> Result<Reading<()>, CallError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (answer.status.as_u16(), body.get("error").and_then(Value::as_str)) {
        (200..=299, None) if body.get("revoked") != Some(&Value::Bool(false)) => done(()),
        // It was worthless before.
        (400 | 401, Some("invalid_token")) => done(()),
        (200..=299, _) => Err(CallError::Unknown { why: "X did not take the token back".into() }),
        (_, Some(_)) => Err(oauth::granted(answer, "X").err().unwrap_or_else(|| unreadable("X"))),
        (_, None) => {
            refusal(answer, now)?;
            done(())
        }
    }
}

/// Which account a token is of.
pub(super) fn account(
    answer: &Answer,
    now: Timestamp,
) -> Result<Reading<Secret<String>>, CallError> {
    let data = data(answer, now)?;
    let id = id(&data).ok_or_else(|| unreadable("the account"))?;
    paid(Secret::new(id), prices::ACCOUNT_READ)
}

/// The number of an upload that was begun.
pub(super) fn initialized(answer: &Answer, now: Timestamp) -> Result<Reading<String>, CallError> {
    let data = data(answer, now)?;
    done(id(&data).ok_or_else(|| unreadable("the beginning of an upload"))?)
}

/// That a chunk is there. The answer may be empty.
pub(super) fn appended(answer: &Answer, now: Timestamp) -> Result<Reading<()>, CallError> {
    refusal(answer, now)?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (body.get("data"), body.get("errors")) {
        (None, Some(_)) => Err(unreadable("a chunk")),
        _ => done(()),
    }
}

/// How far X is, after the end of an upload and whenever it is asked.
pub(super) fn processing(
    answer: &Answer,
    now: Timestamp,
) -> Result<Reading<Processing>, CallError> {
    let data = data(answer, now)?;
    let Some(info) = data.get("processing_info").filter(|info| !info.is_null()) else {
        return match id(&data) {
            Some(_) => done(Processing::Ready),
            None => Err(unreadable("an upload")),
        };
    };
    done(match info.get("state").and_then(Value::as_str) {
        Some("succeeded") => Processing::Ready,
        Some("pending" | "in_progress") => {
            let said = info.get("check_after_secs").and_then(Value::as_u64).unwrap_or(1);
            Processing::Working { after: Duration::from_secs(said.min(LONGEST_PAUSE)) }
        }
        Some("failed") => Processing::Failed { why: failed(info.pointer("/error/name")) },
        _ => return Err(unreadable("an upload's state")),
    })
}

fn failed(name: Option<&Value>) -> String {
    match name.and_then(Value::as_str) {
        Some("UnsupportedMedia") => {
            "X does not take this sort of video: it wants H.264 with AAC in an MP4.".to_owned()
        }
        Some("InvalidMedia") => "X cannot read the video or picture.".to_owned(),
        _ => "X could not work with the video or picture.".to_owned(),
    }
}

/// That the words for what a post shows are there.
pub(super) fn described(answer: &Answer, now: Timestamp) -> Result<Reading<()>, CallError> {
    refusal(answer, now)?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (body.get("data"), body.get("errors")) {
        (None, Some(_)) => Err(unreadable("the words for what is to be seen")),
        _ => paid((), prices::DESCRIPTION),
    }
}

/// The number of a post. A success without one says nothing about whether there is a post.
pub(super) fn created(
    answer: &Answer,
    now: Timestamp,
    cost: Cost,
) -> Result<Reading<String>, CallError> {
    let data = data(answer, now)?;
    paid(id(&data).ok_or_else(|| unreadable("a post"))?, cost)
}

/// A page of the account's own posts. Where there are none, `data` is absent.
pub(super) fn posts(answer: &Answer, now: Timestamp) -> Result<Reading<Page>, CallError> {
    #[derive(Deserialize)]
    struct Post {
        id: String,
        text: String,
        #[serde(default)]
        created_at: Option<String>,
        #[serde(default)]
        entities: Option<Entities>,
    }
    #[derive(Deserialize)]
    struct Entities {
        #[serde(default)]
        urls: Vec<Link>,
    }
    #[derive(Deserialize)]
    struct Link {
        url: String,
        #[serde(default)]
        expanded_url: Option<String>,
        #[serde(default)]
        media_key: Option<String>,
    }
    refusal(answer, now)?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let meta = body.get("meta").ok_or_else(|| unreadable("the account's posts"))?;
    let listed = match body.get("data") {
        Some(Value::Array(listed)) => listed.as_slice(),
        None if meta.get("result_count").and_then(Value::as_u64) == Some(0) => &[],
        _ => return Err(unreadable("the account's posts")),
    };
    let mut posts = Vec::new();
    for post in listed {
        let Ok(post) = serde_json::from_value::<Post>(post.clone()) else { continue };
        if !is_id(&post.id) {
            continue;
        }
        let links = post.entities.map(|entities| entities.urls).unwrap_or_default();
        let links = links.into_iter().map(|link| ShownLink {
            is_of_media: link.media_key.is_some()
                || link.expanded_url.as_deref().is_some_and(leads_to_media),
            short: link.url,
            long: link.expanded_url,
        });
        posts.push(Shown {
            links: links.collect(),
            created: post.created_at.and_then(|at| at.parse().ok()),
            id: post.id,
            text: post.text,
        });
    }
    let is_whole = posts.len() == listed.len() && body.get("errors").is_none();
    let next = meta.get("next_token").and_then(Value::as_str).map(str::to_owned);
    let paid_for = listed.len();
    paid(Page { posts, is_whole, next }, prices::reads(paid_for))
}

/// Answers to a post, the newest first. Where there are none, `data` is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replies {
    /// Those that could be read.
    pub(super) remarks: Vec<Remark>,
    /// Where the next page begins.
    pub(super) next: Option<String>,
    /// What X asks for them.
    pub(super) cost: Cost,
}

/// A page of the answers to a post.
pub(super) fn replies(answer: &Answer, now: Timestamp) -> Result<Reading<Replies>, CallError> {
    #[derive(Deserialize)]
    struct Post {
        id: String,
        text: String,
        created_at: String,
    }
    refusal(answer, now)?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let meta = body.get("meta").ok_or_else(|| unreadable("the answers to a post"))?;
    let listed = match body.get("data") {
        Some(Value::Array(listed)) => listed.as_slice(),
        None if meta.get("result_count").and_then(Value::as_u64) == Some(0) => &[],
        _ => return Err(unreadable("the answers to a post")),
    };
    let remark = |post: &Value| {
        let Post { id, text, created_at } = serde_json::from_value(post.clone()).ok()?;
        let at = created_at.parse().ok()?;
        is_id(&id).then(|| Remark { id, at, text: Pii::new(unescaped(&text)) })
    };
    let remarks = listed.iter().filter_map(remark).collect();
    let next = meta.get("next_token").and_then(Value::as_str).map(str::to_owned);
    let cost = prices::reads(listed.len());
    paid(Replies { remarks, next, cost }, cost)
}

/// Whether an address is that of a post's own picture or video.
fn leads_to_media(address: &str) -> bool {
    let path = ["https://x.com/", "https://twitter.com/"]
        .iter()
        .find_map(|site| address.strip_prefix(site));
    let parts: Vec<&str> = path.unwrap_or_default().split('/').collect();
    matches!(parts.as_slice(), [_, "status", _, "photo" | "video", _])
}

/// The `data` of a success. Without it, an answer tells of an error, whatever its status.
fn data(answer: &Answer, now: Timestamp) -> Result<Value, CallError> {
    refusal(answer, now)?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match body {
        Value::Object(mut members) => match members.remove("data") {
            Some(data @ Value::Object(_)) => Ok(data),
            _ if members.contains_key("errors") => {
                Err(CallError::Unknown { why: "X answered with success and told of errors".into() })
            }
            _ => Err(unreadable("a request")),
        },
        _ => Err(unreadable("a request")),
    }
}

fn id(data: &Value) -> Option<String> {
    data.get("id").and_then(Value::as_str).filter(|id| is_id(id)).map(str::to_owned)
}

pub(super) fn is_id(text: &str) -> bool {
    (1..=ID_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn unreadable(what: &str) -> CallError {
    CallError::Unknown { why: format!("X answered about {what} with something else") }
}

fn done<T>(value: T) -> Result<Reading<T>, CallError> {
    paid(value, Cost::ZERO)
}

fn paid<T>(value: T, cost: Cost) -> Result<Reading<T>, CallError> {
    Ok(Reading { value, usage: Usage { cost, ..Usage::default() } })
}
