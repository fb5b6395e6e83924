//! Whether it happened, by the status that Google answers with or states in its body.

use std::time::Duration;

use nexus_outbound::{Answer, CallError};
use serde_json::Value;

use crate::footage::retry_after;

/// Lets an answer pass that is a success and says so.
///
/// # Errors
/// What its status means otherwise; of a 200 with an error in it, what the error's code means.
pub(super) fn refusal(answer: &Answer) -> Result<(), CallError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = body.get("error").filter(|error| !error.is_null());
    let status = match (answer.status.as_u16(), error) {
        // An interaction that failed is no failed call: its state tells the rest.
        (200..=299, Some(_)) if body.get("id").is_some() => return Ok(()),
        (200..=299, Some(error)) => error
            .get("code")
            .and_then(Value::as_u64)
            .and_then(|c| u16::try_from(c).ok())
            .unwrap_or(0),
        (200..=299, None) => return Ok(()),
        (status, _) => status,
    };
    let refused = |code: &str, why: &str| CallError::Refused { code: code.into(), why: why.into() };
    let login = || CallError::Login {
        why: "Google does not know the house's key, or does not let it in any more.".to_owned(),
    };
    Err(match status {
        400 if reason(error) == Some("API_KEY_INVALID") => login(),
        400 if word(error) == Some("FAILED_PRECONDITION") => refused(
            "failed_precondition",
            "Google makes no footage for the house's account: its billing or its region does not allow it.",
        ),
        400 => refused(
            "invalid_argument",
            "Google turned this down as it stands. Often the prompt or the picture is against its rules.",
        ),
        401 | 403 => login(),
        404 => refused(
            "not_found",
            "Google does not have this model, or not any more. VEO_MODEL names another.",
        ),
        413 => refused("too_large", "The picture is too large for Google."),
        429 => CallError::Throttled {
            after: wait(error).or_else(|| retry_after(answer)),
            why: "Google makes no more footage for the house right now.".to_owned(),
        },
        408 | 503 => CallError::Throttled {
            after: wait(error).or_else(|| retry_after(answer)),
            why: "Google is overloaded.".to_owned(),
        },
        status @ 400..=499 => refused("refused", &format!("Google refused this ({status}).")),
        _ => CallError::Unknown { why: format!("Google answered {}", answer.status.as_u16()) },
    })
}

/// Google's word for the status: `RESOURCE_EXHAUSTED`.
fn word(error: Option<&Value>) -> Option<&str> {
    error?.get("status")?.as_str()
}

fn details(error: Option<&Value>) -> impl Iterator<Item = &Value> {
    error.and_then(|e| e.get("details")).and_then(Value::as_array).into_iter().flatten()
}

/// The reason that an `ErrorInfo` among the details names.
fn reason(error: Option<&Value>) -> Option<&str> {
    details(error).find_map(|detail| detail.get("reason")?.as_str())
}

/// The wait that a `RetryInfo` among the details names: `17s`, `0.5s`. Part seconds are rounded up.
fn wait(error: Option<&Value>) -> Option<Duration> {
    let told = details(error).find_map(|detail| detail.get("retryDelay")?.as_str())?;
    let seconds = told.strip_suffix('s')?;
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    let whole: u64 = whole.parse().ok()?;
    let more = u64::from(part.bytes().any(|digit| digit != b'0'));
    Some(Duration::from_secs(whole.saturating_add(more)))
}
