//! What an answer of ElevenLabs that is no success means: did it happen, and can asking again help?
//!
//! The word in `detail` decides before the status, which misleads: an empty account is a 401. ElevenLabs' sentences
//! are not passed on: they may quote what was sent.

use nexus_outbound::{Answer, CallError};
use serde_json::Value;

use super::{MODEL_SETTING, VOICE_EN_SETTING, VOICE_ES_SETTING};

/// Nothing where the answer is a success; else what it means.
///
/// # Errors
/// The answer is no sound.
pub(super) fn failed(answer: &Answer) -> Result<(), CallError> {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return Ok(());
    }
    let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let theirs = body.get("detail").is_some();
    let word = word(&body);
    Err(match (status, word.as_deref().unwrap_or_default()) {
        (_, "quota_exceeded") | (402, _) => refused(
            "quota_exceeded",
            "The ElevenLabs account has no characters left. Buy more, raise its limit, or wait for its next period."
                .to_owned(),
        ),
        (400 | 404, "voice_not_found" | "voice_does_not_exist") => no_voice(),
        (400 | 404, "model_not_found" | "invalid_model" | "model_does_not_exist") => refused(
            "model_not_found",
            format!("ElevenLabs has no such model. Name another one in `{MODEL_SETTING}`."),
        ),
        // The only thing that the address names is the voice.
        (404, _) => no_voice(),
        (_, "max_character_limit_exceeded" | "text_too_long") | (413, _) => refused(
            "max_character_limit_exceeded",
            "The sentence is longer than the model speaks at once.".to_owned(),
        ),
        (401, _) => CallError::Login {
            why: "ElevenLabs does not accept the key. Put a valid one into the vault as `elevenlabs`."
                .to_owned(),
        },
        (403, word) => refused(
            if word.is_empty() { "forbidden" } else { word },
            "The ElevenLabs account's plan, or its key's rights, do not cover this voice, model or setting."
                .to_owned(),
        ),
        (422, _) => refused(
            "validation",
            format!("ElevenLabs does not take the request. The model in `{MODEL_SETTING}` may not know a part of it."),
        ),
        (429, "too_many_concurrent_requests") => CallError::Throttled {
            after: None,
            why: "ElevenLabs speaks as much at once as the account's plan allows; it is tried again."
                .to_owned(),
        },
        (429, _) => busy(),
        // A sound is paid for when it was given. A page of somebody in between says nothing of the kind.
        (500..=599, _) if theirs => busy(),
        (400..=499, word) => refused(
            &if word.is_empty() { format!("http_{status}") } else { word.to_owned() },
            "ElevenLabs does not take the request.".to_owned(),
        ),
        _ => unreadable(&format!("status {status} without a word of its own")),
    })
}

/// It may have happened, and cannot be used.
pub(super) fn unreadable(what: &str) -> CallError {
    CallError::Unknown { why: format!("ElevenLabs gave {what}") }
}

fn refused(code: &str, why: String) -> CallError {
    CallError::Refused { code: code.to_owned(), why }
}

fn no_voice() -> CallError {
    refused(
        "voice_not_found",
        format!(
            "The ElevenLabs account has no such voice. Name one of its own in `{VOICE_EN_SETTING}` or `{VOICE_ES_SETTING}`."
        ),
    )
}

fn busy() -> CallError {
    CallError::Throttled {
        after: None,
        why: "ElevenLabs cannot speak at the moment; it is tried again.".to_owned(),
    }
}

/// Its word for the error: `detail` may be a text, an object with `status` or `code`, or a list of broken rules.
fn word(body: &Value) -> Option<String> {
    let detail = &body["detail"];
    let told = [&detail["status"], &detail["code"], detail];
    let words = told.into_iter().filter_map(Value::as_str);
    words.filter(|word| is_word(word)).map(str::to_owned).next()
}

/// A word, and no sentence that may quote what was sent.
fn is_word(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'+'))
}
