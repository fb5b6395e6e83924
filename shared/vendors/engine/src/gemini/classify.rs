//! What an answer of Gemini that is no success means: did it happen, and can asking again help?
//!
//! Google's sentences are not passed on: they may quote what was sent. Its codes are words of its documentation.

use nexus_outbound::{Answer, CallError};
use serde_json::Value;

use super::MODEL_SETTING;
use crate::google::GoogleError;

/// Nothing where the answer is a success; else what it means.
///
/// # Errors
/// The answer is none of the model's.
pub(super) fn failed(answer: &Answer) -> Result<(), CallError> {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return Ok(());
    }
    let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let error = GoogleError::of(&body);
    let word = error.word().unwrap_or_default();
    Err(match (status, word) {
        (400, _) if error.reason() == Some("API_KEY_INVALID") => login(),
        (401 | 403, _) => login(),
        (400, "FAILED_PRECONDITION") => refused(
            "failed_precondition",
            "Gemini is not offered to this project: it needs billing, or it is in a region without Gemini."
                .to_owned(),
        ),
        (404, _) => refused(
            "model_not_found",
            format!(
                "Gemini has no such model, or not any more. Name another one in `{MODEL_SETTING}`."
            ),
        ),
        (413, _) => refused("too_large", "The texts are longer than Gemini takes.".to_owned()),
        (429, _) => CallError::Throttled {
            after: error.wait(),
            why: "Gemini is asked too often; it is tried again.".to_owned(),
        },
        // Google charges for no answer of this kind. One in between (a proxy's page) says nothing of the kind.
        (500 | 503 | 504, _) if error.is_told() => CallError::Throttled {
            after: error.wait(),
            why: "Gemini cannot answer at the moment; it is tried again.".to_owned(),
        },
        (400..=499, _) => refused(
            &code(word, status),
            format!(
                "Gemini does not take the request. The model in `{MODEL_SETTING}` may not know a part of it."
            ),
        ),
        _ => unreadable(answer),
    })
}

/// It may have happened, and cannot be read.
pub(super) fn unreadable(answer: &Answer) -> CallError {
    let (status, length) = (answer.status.as_u16(), answer.body.len());
    CallError::Unknown {
        why: format!("Gemini answered {status} with {length} bytes that are not in its language"),
    }
}

fn refused(code: &str, why: String) -> CallError {
    CallError::Refused { code: code.to_owned(), why }
}

fn login() -> CallError {
    CallError::Login {
        why: "Gemini does not accept the key. Put a valid one into the vault as `gemini`."
            .to_owned(),
    }
}

/// Google's word in small letters, if it is one, else the status.
fn code(word: &str, status: u16) -> String {
    let is_word =
        (1..=40).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    if is_word { word.to_ascii_lowercase() } else { format!("http_{status}") }
}
