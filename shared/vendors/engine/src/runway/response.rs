//! What Runway's answers say.

use nexus_core::egress::Cost;
use nexus_engine::footage::{Quote, Used};
use nexus_outbound::{Answer, CallError, Reading, Usage};
use serde_json::Value;

use super::classify::{refusal, refusal_to_make};
use super::prices::CREDIT;
use crate::footage::{self, Job, json};

/// Runway's least interval between two questions, in seconds.
pub(super) const INTERVAL: u32 = 5;

/// The task's id. What it costs is what Runway says, or else the quote.
pub(super) fn submitted(answer: &Answer, quote: &Quote) -> Result<Reading<String>, CallError> {
    refusal_to_make(answer)?;
    let body = json(answer)?;
    let told = credits(&body, "/estimatedCost/credits");
    footage::submitted(&body, quote.seconds, told.unwrap_or(quote.cost))
}

/// What so many credits cost as stand in this place of an answer.
fn credits(body: &Value, place: &str) -> Option<Cost> {
    let credits = i64::try_from(body.pointer(place)?.as_u64()?).ok()?;
    credits.checked_mul(CREDIT.as_micros()).map(Cost::micros)
}

/// How far a task is, and what it cost once it is over.
pub(super) fn task(answer: &Answer) -> Result<Reading<Job>, CallError> {
    let done = |value| Ok(Reading { value, usage: Usage::default() });
    if answer.status.as_u16() == 404 {
        return done(Job::unknown_to("Runway"));
    }
    refusal(answer)?;
    let body = json(answer)?;
    let task = match body.get("status").and_then(Value::as_str) {
        // THROTTLED: so many run at once that this one has to queue.
        Some("PENDING" | "THROTTLED" | "RUNNING") => Job::waiting(INTERVAL),
        Some("SUCCEEDED") => match body.pointer("/output/0").and_then(Value::as_str) {
            Some(address) => Job::ready(address),
            None => Job::failed("failed", "Runway says it is done, and names no footage.", true),
        },
        Some("FAILED") => failed(body.get("failureCode").and_then(Value::as_str)),
        Some("CANCELLED") => Job::failed("cancelled", "It was given up.", false),
        _ => {
            return Err(CallError::Unknown {
                why: "Runway tells a state that is not known".into(),
            });
        }
    };
    let used = credits(&body, "/cost/credits");
    done(task.counted(used.map(|cost| Used { tokens_in: 0, tokens_out: 0, cost })))
}

/// What a failure code means. The third part of a code of the content check is often wrong, by Runway's own word, and
/// not to be shown.
fn failed(code: Option<&str>) -> Job {
    let code = code.unwrap_or_default();
    let mut parts = code.split('.');
    match (parts.next(), parts.next()) {
        (Some("SAFETY"), Some("OUTPUT")) => {
            let why = "Runway's content check turned down what it had made of this.";
            Job::failed("moderated", why, false)
        }
        (Some("SAFETY"), _) => {
            Job::failed("moderated", "Runway's content check turned down what was sent.", false)
        }
        (Some("INTERNAL"), Some("BAD_OUTPUT")) => Job::failed(
            "failed",
            "Runway threw its own result away. Often text or graphics lie over the picture.",
            true,
        ),
        // Names from older pages, not seen in the current ones: the picture is at fault.
        (Some("ASSET"), Some("INVALID")) => {
            Job::failed("input", "Runway cannot use the picture.", true)
        }
        _ => Job::failed("failed", "Runway could not make it.", true),
    }
}

/// A task was given up; one that Runway does not know is over as well.
pub(super) fn deleted(answer: &Answer) -> Result<Reading<()>, CallError> {
    if answer.status.as_u16() != 404 {
        refusal(answer)?;
    }
    Ok(Reading { value: (), usage: Usage::default() })
}
