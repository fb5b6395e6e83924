//! What the vendors of footage have in common: what a job and a download come to, what every one of them wants of a
//! brief, and the form of a price list.
//!
//! **Never here:** a vendor's field, state or code.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use jiff::civil::Date;
use nexus_core::egress::Cost;
use nexus_engine::footage::{FootageBrief, Progress, Used};
use nexus_kernel::{Failure, FailureKind, Secret};
use nexus_outbound::{Answer, CallError, Reading, Usage};
use serde_json::Value;

mod maker;
#[cfg(test)]
pub(crate) mod suite;
#[cfg(test)]
pub(crate) mod trial;

pub use maker::{Dialect, Maker};

/// What a vendor asks for footage, as far as it was known on that day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// The vendor's model.
    pub model: &'static str,
    /// The seconds of footage that are paid at once: 1, or the length of a block. What is begun is paid whole.
    pub seconds: u32,
    /// What they cost.
    pub cost: Cost,
    /// The day on which this was read.
    pub as_of: Date,
    /// Where it was read.
    pub source: &'static str,
    /// Whether the source is the vendor's own. Where it is not, the number is the highest of those that were found:
    /// too much is reserved rather than too little.
    pub verified: bool,
}

impl Price {
    /// What footage of this length costs.
    pub const fn of(&self, seconds: u32) -> Cost {
        let blocks = seconds.div_ceil(self.seconds);
        Cost::micros(self.cost.as_micros().saturating_mul(blocks as i64))
    }
}

/// A job at a vendor, as its answer tells it.
#[derive(Debug)]
pub struct Job {
    /// How far it came.
    pub(crate) progress: Progress,
    /// Where its footage is, when it is ready. An address lets anybody in who has it.
    pub(crate) output: Option<Secret<String>>,
    /// What it used, when it is over.
    pub(crate) used: Option<Used>,
}

impl Job {
    /// It is not over.
    pub(crate) fn waiting(after_seconds: u32) -> Self {
        Self { progress: Progress::Waiting { after_seconds }, output: None, used: None }
    }

    /// It is there.
    pub(crate) fn ready(output: &str) -> Self {
        let output = Some(Secret::new(output.to_owned()));
        Self { progress: Progress::Ready, output, used: None }
    }

    /// It came to nothing.
    pub(crate) fn failed(code: &str, why: impl Into<String>, again: bool) -> Self {
        let progress = Progress::Failed { code: code.to_owned(), why: why.into(), again };
        Self { progress, output: None, used: None }
    }

    /// With what the vendor counts for it; for one that is not over, nothing counts yet.
    pub(crate) fn counted(self, used: Option<Used>) -> Self {
        let is_over = !matches!(self.progress, Progress::Waiting { .. });
        Self { used: used.filter(|_| is_over), ..self }
    }

    /// The vendor does not know it.
    pub(crate) fn unknown_to(vendor: &str) -> Self {
        Self::failed("expired", format!("{vendor} does not know this job any more."), true)
    }
}

/// What came of fetching an address.
#[derive(Debug)]
pub(crate) enum Download {
    /// The bytes.
    Bytes(Bytes),
    /// The address lets nobody in any more, or nothing is behind it.
    Gone,
}

/// What a call that only asks, fetches or gives up came to. Nothing is in doubt after it: whoever asked asks again.
pub(crate) fn failure(error: CallError) -> Failure {
    match error {
        CallError::Refused { code, why } => Failure::conflict(why).caused_by(code),
        CallError::Unknown { why } => {
            Failure::unavailable("The vendor of the footage gives no answer that can be read.")
                .caused_by(why)
        }
        other => other.into(),
    }
}

/// The job has no footage to fetch: it is still being made, or it came to nothing.
pub(crate) fn nothing_to_fetch(progress: Progress) -> Failure {
    match progress {
        Progress::Failed { why, .. } => Failure::new(FailureKind::NotFound, why),
        Progress::Waiting { after_seconds } => Failure::conflict("The footage is not ready yet.")
            .retry_after(Duration::from_secs(after_seconds.into())),
        Progress::Ready => gone(),
    }
}

/// The vendor made the footage, and does not have it any more.
pub(crate) fn gone() -> Failure {
    Failure::new(FailureKind::NotFound, "The vendor does not have the footage any more.")
}

/// The body as JSON; what is none says nothing about whether it happened.
pub(crate) fn json(answer: &Answer) -> Result<Value, CallError> {
    serde_json::from_slice(&answer.body).map_err(|error| CallError::Unknown {
        why: format!("an answer of status {} is no JSON: {}", answer.status, error.classify_word()),
    })
}

/// Says of which sort an error of reading JSON is without repeating what was read.
trait ClassifyWord {
    fn classify_word(&self) -> &'static str;
}

impl ClassifyWord for serde_json::Error {
    fn classify_word(&self) -> &'static str {
        use serde_json::error::Category;
        match self.classify() {
            Category::Io => "unreadable",
            Category::Syntax => "ill-formed",
            Category::Data => "of another shape",
            Category::Eof => "cut off",
        }
    }
}

/// A job's id: what can be put into a path and a log. 1 to 512 visible ASCII characters.
pub(crate) fn job_id(body: &Value) -> Option<String> {
    let id = body.get("id")?.as_str()?;
    let fits = (1..=512).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    (fits && !matches!(id, "." | "..")).then(|| id.to_owned())
}

/// What an accepted submission says: the job's id, and what it costs.
pub(crate) fn submitted(
    body: &Value,
    seconds: u32,
    cost: Cost,
) -> Result<Reading<String>, CallError> {
    let Some(value) = job_id(body) else {
        return Err(CallError::Unknown {
            why: "a submission was accepted without an id that can be asked for".into(),
        });
    };
    Ok(Reading { value, usage: Usage { units: seconds.into(), cost, ..Usage::default() } })
}

/// What the answer to a download means. Whether the bytes are footage is checked by who ordered it.
pub(crate) fn downloaded(answer: &Answer) -> Result<Reading<Download>, CallError> {
    let value = match answer.status.as_u16() {
        200 if is_a_page(answer) => {
            return Err(CallError::Unknown { why: "a page came where footage was".into() });
        }
        200 if answer.body.is_empty() => {
            return Err(CallError::Unknown { why: "nothing came where footage was".into() });
        }
        200 => Download::Bytes(answer.body.clone()),
        // An address that has expired is answered in any of these ways, by the store behind it.
        400 | 401 | 403 | 404 | 410 => Download::Gone,
        429 | 503 => {
            return Err(CallError::Throttled {
                after: None,
                why: "The footage cannot be fetched right now.".into(),
            });
        }
        status => {
            return Err(CallError::Unknown {
                why: format!("a download was answered with {status}"),
            });
        }
    };
    Ok(Reading { value, usage: Usage::default() })
}

/// Whether it says of itself that it is text: an error in the dress of a success.
fn is_a_page(answer: &Answer) -> bool {
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    kind.starts_with("text/") || kind.contains("json") || kind.contains("xml")
}

/// Checks what every vendor wants of a brief: words, and a picture that is JPEG or PNG and fits.
///
/// # Errors
/// The field, and what would fit.
pub(crate) fn check(
    vendor: &str,
    brief: &FootageBrief,
    prompt_length: usize,
    prompt_most: usize,
    picture_most: usize,
) -> Result<(), Failure> {
    if brief.prompt.trim().is_empty() {
        return Err(Failure::field("prompt", "say what should be seen and how the camera moves"));
    }
    if prompt_length > prompt_most {
        let told =
            format!("{vendor} reads at most {prompt_most} characters; these are {prompt_length}");
        return Err(Failure::field("prompt", told));
    }
    if brief.seconds == 0 {
        return Err(Failure::field("seconds", "at least 1"));
    }
    let Some(picture) = &brief.picture else { return Ok(()) };
    if !matches!(picture.content_type, "image/jpeg" | "image/png") {
        return Err(Failure::field("picture", "it has to be a JPEG or a PNG"));
    }
    if picture.bytes.is_empty() || picture.bytes.len() > picture_most {
        let told = format!(
            "{vendor} takes a picture of at most {picture_most} bytes; this one has {}",
            picture.bytes.len()
        );
        return Err(Failure::field("picture", told));
    }
    Ok(())
}

/// The shortest length that a model makes and that is not shorter than what is asked for.
///
/// # Errors
/// All of them are shorter.
pub(crate) fn length(engine: &str, lengths: &[u32], wanted: u32) -> Result<u32, Failure> {
    lengths.iter().copied().filter(|length| *length >= wanted).min().ok_or_else(|| {
        let most = lengths.iter().copied().max().unwrap_or_default();
        Failure::field("seconds", format!("{engine} makes at most {most} seconds"))
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use jiff::civil::date;

    use super::*;

    fn answer(status: u16, kind: &str, body: &'static [u8]) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers, body: Bytes::from_static(body) }
    }

    #[test]
    fn a_question_that_got_no_answer_may_be_asked_again_and_tells_nothing_of_what_was_seen() {
        let lost = failure(CallError::Unknown { why: "reset by 10.0.0.1".into() });
        assert_eq!(lost.kind(), FailureKind::Unavailable);
        assert!(!lost.public().contains("10.0.0.1"));
        let refused = CallError::Refused { code: "refused".into(), why: "no".into() };
        assert_eq!(failure(refused).kind(), FailureKind::Conflict);
        let wait = Some(Duration::from_secs(9));
        let throttled = failure(CallError::Throttled { after: wait, why: "slow".into() });
        assert_eq!((throttled.kind(), throttled.wait()), (FailureKind::Throttled, wait));
        assert_eq!(failure(CallError::Bug("a field".into())).kind(), FailureKind::Bug);
    }

    #[test]
    fn n29_a_download_is_bytes_or_gone_and_never_a_page() {
        let read = |status, kind, body| downloaded(&answer(status, kind, body));
        let ok = read(200, "video/mp4", b"mp4").unwrap().value;
        assert!(matches!(ok, Download::Bytes(b) if b == "mp4"));
        for status in [400, 401, 403, 404, 410] {
            assert!(matches!(read(status, "text/xml", b"").unwrap().value, Download::Gone));
        }
        for (status, kind, body) in [
            (200, "application/json", b"{}".as_slice()),
            (200, "text/html; charset=utf-8", b"<html>"),
            (200, "video/mp4", b""),
            (302, "video/mp4", b"x"),
            (500, "video/mp4", b"x"),
        ] {
            assert!(
                matches!(read(status, kind, body), Err(CallError::Unknown { .. })),
                "{status} {kind}"
            );
        }
        assert!(matches!(read(503, "video/mp4", b""), Err(CallError::Throttled { .. })));
    }

    #[test]
    fn an_id_is_one_that_can_be_asked_for() {
        let of = |id: &str| job_id(&serde_json::json!({ "id": id }));
        assert_eq!(of("v1_a-B.c="), Some("v1_a-B.c=".into()));
        for bad in ["", ".", "..", "a b", "ä", "a\n", &"x".repeat(513)] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
        assert_eq!(job_id(&serde_json::json!({ "id": 7 })), None);
    }

    #[test]
    fn what_is_begun_is_paid_whole_and_a_length_is_never_shorter_than_asked_for() {
        let price = Price {
            model: "m",
            seconds: 5,
            cost: Cost::micros(1_000_000),
            as_of: date(2026, 11, 20),
            source: "a test",
            verified: true,
        };
        assert_eq!(price.of(5), Cost::micros(1_000_000));
        assert_eq!(price.of(6), Cost::micros(2_000_000));
        assert_eq!(length("m", &[4, 6, 8], 5).unwrap(), 6);
        assert_eq!(length("m", &[4, 6, 8], 1).unwrap(), 4);
        assert_eq!(length("m", &[4, 6, 8], 9).unwrap_err().fields()[0].field, "seconds");
    }
}
