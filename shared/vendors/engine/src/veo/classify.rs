//! Whether it happened, by the status that Google answers with or states in its body.

use nexus_outbound::{Answer, CallError};
use serde_json::Value;

use crate::google::GoogleError;

/// Lets an answer pass that is a success and says so.
///
/// # Errors
/// What its status means otherwise; of a 200 with an error in it, what the error's code means. After a 408, or a 503
/// that is no error of Google's but a page of somebody in between, nobody knows whether an interaction was made.
pub(super) fn refusal(answer: &Answer) -> Result<(), CallError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = GoogleError::of(&body);
    let is_error = body.get("error").is_some_and(|error| !error.is_null());
    let status = match answer.status.as_u16() {
        // An interaction that failed is no failed call: its state tells the rest.
        200..=299 if !is_error || body.get("id").is_some() => return Ok(()),
        200..=299 => error.code().unwrap_or(0),
        status => status,
    };
    let refused = |code: &str, why: &str| CallError::Refused { code: code.into(), why: why.into() };
    let login = || CallError::Login {
        why: "Google does not know the house's key, or does not let it in any more.".to_owned(),
    };
    Err(match status {
        400 if error.reason() == Some("API_KEY_INVALID") => login(),
        400 if error.word() == Some("FAILED_PRECONDITION") => refused(
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
            after: error.wait(),
            why: "Google makes no more footage for the house right now.".to_owned(),
        },
        503 if error.is_told() => {
            CallError::Throttled { after: error.wait(), why: "Google is overloaded.".to_owned() }
        }
        status @ 400..=499 if status != 408 => {
            refused("refused", &format!("Google refused this ({status})."))
        }
        _ => CallError::Unknown { why: format!("Google answered {}", answer.status.as_u16()) },
    })
}
