//! Whether it happened, by Luma's status.

use nexus_outbound::{Answer, CallError};
use serde_json::Value;

/// Lets an answer of success pass.
///
/// # Errors
/// What the status means otherwise. Luma documents 502 as its own, but a gateway says the same when what stood behind
/// it took the request and broke: whether a generation was created is not known then. Nor is it after a 408, or a 503
/// that is not in Luma's own words.
pub(super) fn refusal(answer: &Answer) -> Result<(), CallError> {
    let refused = |code: &str, why: String| CallError::Refused { code: code.to_owned(), why };
    Err(match answer.status.as_u16() {
        200..=299 => return Ok(()),
        400 | 422 => refused("invalid_request", invalid(&answer.body)),
        401 => CallError::Login {
            why: "Luma does not know the house's key, or not any more.".to_owned(),
        },
        402 => refused("budget", "The house's balance at Luma is used up.".to_owned()),
        403 => CallError::Login { why: "Luma has closed the house's account.".to_owned() },
        413 => refused("too_large", "The picture is too large for Luma.".to_owned()),
        429 => CallError::Throttled {
            after: None,
            why: "Luma is asked too often, or makes as much as it may for the house.".to_owned(),
        },
        503 if is_lumas(&answer.body) => {
            CallError::Throttled { after: None, why: "Luma is overloaded.".to_owned() }
        }
        status @ 400..=499 if status != 408 => {
            refused("refused", format!("Luma refused this ({status})."))
        }
        status => CallError::Unknown { why: format!("Luma answered {status}") },
    })
}

/// Whether an error has the shape that Luma documents, and is no page of somebody in between.
fn is_lumas(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body.get("detail").is_some_and(Value::is_string)
}

/// Names the fields at fault where the answer lists them, in our words: Luma's own may repeat what was sent.
fn invalid(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let details = body.get("detail").and_then(Value::as_array);
    let mut fields: Vec<&str> = details
        .into_iter()
        .flatten()
        .filter_map(|detail| detail.get("loc")?.as_array())
        .flatten()
        .filter_map(|place| match place.as_str()? {
            "prompt" => Some("the prompt"),
            "aspect_ratio" => Some("the shape"),
            "duration" => Some("the length"),
            "start_frame" => Some("the picture"),
            "model" => Some("the model"),
            _ => None,
        })
        .collect();
    fields.sort_unstable();
    fields.dedup();
    if fields.is_empty() {
        return "Luma cannot use this request.".to_owned();
    }
    format!("Luma cannot use {}.", fields.join(", "))
}
