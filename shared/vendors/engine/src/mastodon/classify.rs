//! Whether it happened, by a server's status.
//!
//! Servers differ in their words and sometimes in their numbers; what a person reads is always a sentence of ours.

use std::time::Duration;

use nexus_kernel::Timestamp;
use nexus_outbound::{Answer, CallError};
use serde_json::Value;

/// Where a server says when it may be asked again: a moment, as Mastodon writes it.
const RESET: &str = "x-ratelimit-reset";

/// How a call ended whose answer is no success.
///
/// A server's 5xx says nothing about whether the request was carried out: a gateway says the same when what stood
/// behind it took the request and broke.
pub(super) fn refusal(answer: &Answer, now: Timestamp) -> Result<(), CallError> {
    Err(match answer.status.as_u16() {
        200..=299 => return Ok(()),
        300..=399 => refused(
            "server",
            "The server sends this on to another address: its own seems to have changed. Connect the account anew.",
        ),
        401 => login("The server does not accept this connection any more. Connect it again."),
        403 => forbidden(answer),
        404 | 405 | 410 => refused(
            "server",
            "The server does not know what it was asked for: it does not speak Mastodon's API.",
        ),
        413 => refused("too_large", "The server takes no file of this size."),
        415 => refused("media", "The server does not take this kind of file."),
        429 => CallError::Throttled {
            after: reset(answer, now),
            why: "The server was asked too often.".to_owned(),
        },
        400 | 422 => unprocessable(answer),
        408 => CallError::Unknown { why: "the server gave up waiting (408)".to_owned() },
        status @ 400..=499 => refused("refused", &format!("The server refused this ({status}).")),
        status => CallError::Unknown { why: format!("the server answered {status}") },
    })
}

fn refused(code: &str, why: &str) -> CallError {
    CallError::Refused { code: code.to_owned(), why: why.to_owned() }
}

fn login(why: &str) -> CallError {
    CallError::Login { why: why.to_owned() }
}

/// What the server wrote, in small letters: only to tell apart what our sentences say.
fn words(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let told = ["error", "error_description"].into_iter();
    let told: Vec<&str> = told.filter_map(|field| body.get(field)?.as_str()).collect();
    told.join(" ").to_lowercase()
}

/// 403 is of the account where the words say so, else of the post.
fn forbidden(answer: &Answer) -> CallError {
    let words = words(answer);
    let is_of = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    if is_of(&["scope"]) {
        return login(
            "The connection does not allow this. Connect the account again, and allow what is asked.",
        );
    }
    if is_of(&["login", "disabled", "suspended", "pending", "confirm", "token"]) {
        return login(
            "The server does not let this account post. Look there, then connect it again.",
        );
    }
    refused("forbidden", "The server does not allow this account to do that.")
}

/// What was sent cannot be used, and nothing was done with it.
fn unprocessable(answer: &Answer) -> CallError {
    let words = words(answer);
    let is_of = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    if is_of(&["finished processing", "not ready", "still processing"]) {
        return CallError::Throttled {
            after: None,
            why: "The server is still working on the picture or video.".to_owned(),
        };
    }
    if is_of(&["limit", "too long", "exceed"]) {
        return refused("too_long", "The server takes no text or file of this length.");
    }
    if is_of(&["media", "file", "content type", "format", "codec", "thumbnail"]) {
        return refused("media", "The server cannot use this picture or video.");
    }
    refused("invalid", "The server cannot use this.")
}

/// When a server may be asked again, where it says so as a moment. A moment that is over is at once.
fn reset(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let moment: Timestamp = answer.headers.get(RESET)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::try_from(moment.duration_since(now)).unwrap_or(Duration::ZERO))
}
