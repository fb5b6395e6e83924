//! Whether it happened, by Runway's status.

use nexus_outbound::{Answer, CallError};
use serde_json::Value;

/// Lets an answer of success pass.
///
/// # Errors
/// What the status means otherwise. Runway documents 502 and 504 as its own overload, but a gateway says the same when
/// what stood behind it took the request and broke: whether a task was created is not known then. Nor is it after a
/// 408, or a 503 that is not in Runway's own words.
pub(super) fn refusal(answer: &Answer) -> Result<(), CallError> {
    let refused = |code: &str, why: String| CallError::Refused { code: code.to_owned(), why };
    Err(match answer.status.as_u16() {
        200..=299 => return Ok(()),
        400 | 422 => refused("invalid_request", invalid(&answer.body)),
        401 | 403 => CallError::Login {
            why: "Runway does not know the house's key, or not any more.".to_owned(),
        },
        402 => refused("budget", "The house's credits at Runway are used up.".to_owned()),
        413 => refused("too_large", "The picture is too large for Runway.".to_owned()),
        429 => CallError::Throttled { after: None, why: "Runway is asked too often.".to_owned() },
        503 if is_runways(&answer.body) => {
            CallError::Throttled { after: None, why: "Runway is overloaded.".to_owned() }
        }
        status @ 400..=499 if status != 408 => {
            refused("refused", format!("Runway refused this ({status})."))
        }
        status => CallError::Unknown { why: format!("Runway answered {status}") },
    })
}

/// As [`refusal`], for a submission. 429 is the day's cap there: Runway counts generations in 24 hours, and no other
/// requests. Where it does not say when there is room again, no offer stands that long.
pub(super) fn refusal_to_make(answer: &Answer) -> Result<(), CallError> {
    if answer.status.as_u16() != 429 {
        return refusal(answer);
    }
    if answer.asks_to_wait() {
        let why = "Runway makes no more footage for the house today.".to_owned();
        return Err(CallError::Throttled { after: None, why });
    }
    Err(CallError::Refused {
        code: "daily_cap".to_owned(),
        why: "Runway makes no more footage for the house today: what it makes in 24 hours is used up. Ask anew \
              tomorrow."
            .to_owned(),
    })
}

/// Whether an error has the shape that Runway documents, and is no page of somebody in between.
fn is_runways(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body.get("error").is_some_and(Value::is_string)
}

/// Names the fields at fault, in our words: Runway's own may repeat what was sent.
fn invalid(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let issues = body.get("issues").and_then(Value::as_array);
    let mut fields: Vec<&str> = issues
        .into_iter()
        .flatten()
        .filter_map(|issue| issue.get("path")?.as_array()?.first()?.as_str())
        .filter_map(|field| match field {
            "promptImage" => Some("the picture"),
            "promptText" => Some("the prompt"),
            "ratio" => Some("the shape"),
            "duration" => Some("the length"),
            "model" => Some("the model"),
            _ => None,
        })
        .collect();
    fields.sort_unstable();
    fields.dedup();
    if fields.is_empty() {
        return "Runway cannot use this request.".to_owned();
    }
    format!("Runway cannot use {}.", fields.join(", "))
}
