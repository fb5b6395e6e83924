//! What Google's answers say.

use nexus_engine::footage::{Quote, Used};
use nexus_outbound::{Answer, CallError, Reading, Usage};
use serde_json::Value;

use super::classify::refusal;
use super::prices;
use crate::footage::{self, Job, json};

/// Google's least interval between two questions, in seconds.
pub(super) const INTERVAL: u32 = 10;

/// The interaction's id.
pub(super) fn created(answer: &Answer, quote: &Quote) -> Result<Reading<String>, CallError> {
    refusal(answer)?;
    footage::submitted(&json(answer)?, quote.seconds, quote.cost)
}

/// How far an interaction is. The output of one that is ready is the file's id.
pub(super) fn interaction(answer: &Answer) -> Result<Reading<Job>, CallError> {
    let done = |value| Ok(Reading { value, usage: Usage::default() });
    match refusal(answer) {
        Ok(()) => {}
        // So Google answers for an id that it does not know, and for a bad key, which is a login's matter.
        Err(CallError::Refused { code, .. })
            if code == "invalid_argument" || code == "not_found" =>
        {
            return done(Job::unknown_to("Google"));
        }
        Err(error) => return Err(error),
    }
    let body = json(answer)?;
    let job = match body.get("status").and_then(Value::as_str) {
        Some("queued" | "in_progress") => Job::waiting(INTERVAL),
        Some("completed") => completed(&body),
        Some("failed") => Job::failed("failed", "Google could not make it.", true),
        Some("incomplete") => Job::failed("failed", "Google stopped before it was done.", true),
        Some("requires_action") => {
            Job::failed("failed", "Google asks something back that nobody here can answer.", false)
        }
        Some("budget_exceeded") => {
            Job::failed("budget", "The house's budget at Google is used up.", false)
        }
        Some("cancelled") => Job::failed("cancelled", "It was given up.", false),
        _ => {
            return Err(CallError::Unknown {
                why: "Google tells a state that is not known".into(),
            });
        }
    };
    done(job.counted(used(&body)))
}

/// What Google counted. That nothing came out is not believed: then what was expected stands.
fn used(body: &Value) -> Option<Used> {
    let usage = body.get("usage")?;
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    let by_modality = || {
        let parts = usage.get("output_tokens_by_modality")?.as_array()?;
        let parts = parts.iter().filter_map(|part| part.get("tokens")?.as_u64());
        Some(parts.fold(0_u64, u64::saturating_add))
    };
    let tokens_out = count("total_output_tokens").or_else(by_modality).filter(|n| *n > 0)?;
    let tokens_in = count("total_input_tokens").unwrap_or_default();
    Some(Used { tokens_in, tokens_out, cost: prices::of_tokens(tokens_out) })
}

fn completed(body: &Value) -> Job {
    let steps = body.get("steps").and_then(Value::as_array).into_iter().flatten();
    let mut videos = steps
        .filter(|step| step.get("type").and_then(Value::as_str) == Some("model_output"))
        .filter_map(|step| step.get("content")?.as_array())
        .flatten()
        .filter(|item| item.get("type").and_then(Value::as_str) == Some("video"));
    let Some(video) = videos.next() else {
        return Job::failed(
            "moderated",
            "Google answered without footage: the prompt or the picture is against its rules.",
            false,
        );
    };
    match video.get("uri").and_then(Value::as_str).and_then(file) {
        Some(file) => Job::ready(file),
        None => {
            Job::failed("failed", "Google made it, and names no file that can be fetched.", true)
        }
    }
}

/// The file's id in `https://…/v1beta/files/{id}:download?alt=media`.
fn file(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("/files/")?;
    let (id, _) = rest.split_once(":download")?;
    let fits = !id.is_empty()
        && id.len() <= 256
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    fits.then_some(id)
}

/// An interaction was given up; one that is over or not known is no error.
pub(super) fn cancelled(answer: &Answer) -> Result<Reading<()>, CallError> {
    match refusal(answer) {
        Err(CallError::Refused { .. }) if matches!(answer.status.as_u16(), 400 | 404) => {}
        told => told?,
    }
    Ok(Reading { value: (), usage: Usage::default() })
}
