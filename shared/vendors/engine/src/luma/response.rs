//! What Luma's answers say.

use nexus_engine::footage::Quote;
use nexus_outbound::{Answer, CallError, Reading, Usage};
use serde_json::Value;

use super::classify::refusal;
use crate::footage::{self, Job, json};

/// The least interval between two questions, in seconds. Luma names none; its limits count submissions only.
pub(super) const INTERVAL: u32 = 5;

/// The generation's id. Luma does not say what it costs.
pub(super) fn created(answer: &Answer, quote: &Quote) -> Result<Reading<String>, CallError> {
    refusal(answer)?;
    footage::submitted(&json(answer)?, quote.seconds, quote.cost)
}

/// How far a generation is.
pub(super) fn generation(answer: &Answer) -> Result<Reading<Job>, CallError> {
    let done = |value| Ok(Reading { value, usage: Usage::default() });
    if answer.status.as_u16() == 404 {
        return done(Job::unknown_to("Luma"));
    }
    refusal(answer)?;
    let body = json(answer)?;
    done(match body.get("state").and_then(Value::as_str) {
        Some("queued" | "processing") => Job::waiting(INTERVAL),
        Some("completed") => match output(&body) {
            Some(address) => Job::ready(address),
            None => Job::failed("failed", "Luma says it is done, and names no footage.", true),
        },
        Some("failed") => failed(body.get("failure_code").and_then(Value::as_str)),
        _ => return Err(CallError::Unknown { why: "Luma tells a state that is not known".into() }),
    })
}

/// The address of the first output that is a video.
fn output(body: &Value) -> Option<&str> {
    let outputs = body.get("output")?.as_array()?;
    let video = |output: &&Value| output.get("type").and_then(Value::as_str) == Some("video");
    outputs.iter().find(video)?.get("url")?.as_str()
}

fn failed(code: Option<&str>) -> Job {
    let (code, why, again) = match code {
        Some("content_moderated") => {
            ("moderated", "Luma's content check turned down the prompt or the picture.", false)
        }
        Some("budget_exhausted") => ("budget", "The house's balance at Luma is used up.", false),
        Some("output_not_found") => {
            ("expired", "Luma made it and does not find it any more.", true)
        }
        Some("image_too_large") => ("input", "The picture is too large for Luma.", false),
        Some("unsupported_format" | "corrupt_input") => {
            ("input", "Luma cannot read the picture.", false)
        }
        Some("invalid_request") => ("input", "Luma cannot make this of this request.", false),
        Some("rate_limited") => ("failed", "Luma had no room for it.", true),
        _ => ("failed", "Luma could not make it.", true),
    };
    Job::failed(code, why, again)
}
