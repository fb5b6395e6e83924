//! Whether it happened, by X's status and problem.

use std::time::Duration;

use nexus_kernel::Timestamp;
use nexus_outbound::{Answer, CallError};
use serde_json::Value;

/// The code of a refusal because the account has posted this text lately.
pub(super) const DUPLICATE: &str = "duplicate";
/// The code of a refusal because X does not know what was named.
pub(super) const MISSING: &str = "missing";

/// How long to wait where X names no end of its window.
const WINDOW: Duration = Duration::from_secs(60);
/// The shortest wait after a refusal for being asked too often: longer than any call here has time for, so that nothing
/// is asked twice in one.
const SHORTEST: Duration = Duration::from_secs(30);

/// Lets an answer of success pass.
///
/// # Errors
/// What the status means otherwise. A 5xx says nothing about whether it was done.
pub(super) fn refusal(answer: &Answer, now: Timestamp) -> Result<(), CallError> {
    let refused = |code: &str, why: &str| CallError::Refused { code: code.into(), why: why.into() };
    let status = answer.status.as_u16();
    if (200..=299).contains(&status) {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if says(&body, &["credits", "usagecap", "usage-cap"]) || status == 402 {
        return Err(refused(
            "credits",
            "The house's credits at X are used up. Whoever operates this buys some in X's developer console; approve the post again after that.",
        ));
    }
    Err(match status {
        400 | 422 => refused("invalid", &invalid(&body)),
        401 => CallError::Login {
            why: "X does not accept this connection any more. Connect the account again.".into(),
        },
        403 if says(&body, &["duplicate"]) => refused(
            DUPLICATE,
            "The account has posted this text lately, and X takes no text twice. Change it.",
        ),
        403 => refused(
            "forbidden",
            "X does not let the account do this. Look at x.com whether it is locked; if it is not, connect it again.",
        ),
        404 => refused(MISSING, "X does not know this any more."),
        413 => refused("too_large", "X finds the picture or video too large."),
        429 => CallError::Throttled {
            after: Some(wait(answer, now).max(SHORTEST)),
            why: "X was asked too often for this account.".into(),
        },
        status @ 400..=499 => refused("refused", &format!("X refused this ({status}).")),
        status => CallError::Unknown { why: format!("X answered {status}") },
    })
}

/// Until the window ends, by X's own header (seconds since 1970) or by `Retry-After`; else a minute.
fn wait(answer: &Answer, now: Timestamp) -> Duration {
    let reset = || {
        let said = answer.headers.get("x-rate-limit-reset")?.to_str().ok()?.trim().parse().ok()?;
        let reset = Timestamp::from_second(said).ok()?;
        Some(Duration::try_from(reset.duration_since(now)).unwrap_or_default())
    };
    reset().or_else(|| answer.retry_after(now)).unwrap_or(WINDOW)
}

/// Whether a problem's type, title or words say one of these.
fn says(body: &Value, words: &[&str]) -> bool {
    ["type", "title", "detail", "reason"].iter().any(|part| {
        let told = body.get(part).and_then(Value::as_str).unwrap_or_default();
        let told = told.to_lowercase();
        words.iter().any(|word| told.contains(word))
    })
}

/// Names the fields at fault where the answer lists them, in our words: X's own may repeat what was sent.
fn invalid(body: &Value) -> String {
    let errors = body.get("errors").and_then(Value::as_array).into_iter().flatten();
    let mut fields: Vec<&str> = Vec::new();
    let mut look_at = |told: &str| {
        let known = [
            ("media", "the picture or video"),
            ("alt_text", "the words for what is to be seen"),
            ("text", "the text"),
            ("made_with_ai", "the mark that it was made with AI"),
            ("paid_partnership", "the mark of a paid partnership"),
            ("start_time", "the time"),
        ];
        let found = known.iter().find(|(name, _)| told.to_lowercase().contains(name));
        fields.extend(found.map(|(_, ours)| *ours));
    };
    for error in errors {
        if let Some(parameters) = error.get("parameters").and_then(Value::as_object) {
            parameters.keys().for_each(|name| look_at(name));
        }
        look_at(error.get("message").and_then(Value::as_str).unwrap_or_default());
    }
    look_at(body.get("detail").and_then(Value::as_str).unwrap_or_default());
    fields.sort_unstable();
    fields.dedup();
    if fields.is_empty() {
        return "X cannot use this request.".to_owned();
    }
    format!("X cannot use {}.", fields.join(", "))
}
