//! What TikTok's answers say.

use http::header::CONTENT_RANGE;
use nexus_engine::publishing::Privacy;
use nexus_kernel::Secret;
use nexus_outbound::{Answer, CallError, Reading, Usage};
use serde_json::Value;

use super::classify::{self, Failed, data};
use super::request::privacy;

fn read<T>(value: T) -> Result<Reading<T>, CallError> {
    Ok(Reading { value, usage: Usage::default() })
}

fn unreadable(what: &str) -> CallError {
    CallError::Unknown { why: format!("TikTok's answer has no {what} that can be read") }
}

/// What an account lets an approver choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Creator {
    /// As whom the post will be seen.
    pub(super) nickname: String,
    /// Who may be let see it.
    pub(super) privacy: Vec<Privacy>,
    /// Whether comments can be allowed.
    pub(super) comments: bool,
    /// Whether duets can be allowed.
    pub(super) duets: bool,
    /// Whether stitches can be allowed.
    pub(super) stitches: bool,
    /// The longest video, in seconds.
    pub(super) longest_seconds: u32,
}

/// The longest video that the API takes of anybody, in seconds.
const LONGEST: u32 = 600;

/// What the account lets an approver choose. Its name, its picture's address and all else stay unread.
pub(super) fn creator(answer: &Answer) -> Result<Reading<Creator>, CallError> {
    let data = data(answer)?;
    let options = data.get("privacy_level_options").and_then(Value::as_array);
    let options = options.ok_or_else(|| unreadable("audiences"))?;
    // What the account has not said that it disabled counts as enabled only where it says so.
    let enabled = |field: &str| data.get(field).and_then(Value::as_bool) == Some(false);
    let longest = data.get("max_video_post_duration_sec").and_then(Value::as_u64);
    read(Creator {
        nickname: data
            .get("creator_nickname")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .chars()
            .take(100)
            .collect(),
        privacy: options.iter().filter_map(Value::as_str).filter_map(privacy).collect(),
        comments: enabled("comment_disabled"),
        duets: enabled("duet_disabled"),
        stitches: enabled("stitch_disabled"),
        longest_seconds: longest
            .and_then(|seconds| u32::try_from(seconds).ok())
            .map_or(LONGEST, |seconds| seconds.min(LONGEST)),
    })
}

/// A post's name, and where its bytes go.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) publish_id: String,
    pub(super) upload: Secret<String>,
}

/// The name of a video's post.
pub(super) fn named(answer: &Answer) -> Result<Reading<Named>, CallError> {
    let data = data(answer)?;
    let publish_id = publish_id(&data)?;
    let upload = data.get("upload_url").and_then(Value::as_str).filter(|url| !url.is_empty());
    let upload = upload.ok_or_else(|| unreadable("address for the upload"))?;
    read(Named { publish_id, upload: Secret::new(upload.to_owned()) })
}

/// The name of a picture's post.
pub(super) fn begun(answer: &Answer) -> Result<Reading<String>, CallError> {
    read(publish_id(&data(answer)?)?)
}

/// At most 64 characters, says TikTok; a few more do no harm.
fn publish_id(data: &Value) -> Result<String, CallError> {
    let id = data.get("publish_id").and_then(Value::as_str).unwrap_or_default();
    let fits = (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(id.to_owned()) } else { Err(unreadable("name for the post")) }
}

/// What came of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It is there; more is expected.
    More,
    /// All of the video is there.
    All,
    /// It does not continue what is there, which is so many bytes, where TikTok says so.
    Elsewhere(Option<u64>),
    /// The address has expired: no byte can follow.
    Expired,
}

/// What came of a piece.
pub(super) fn put(answer: &Answer) -> Result<Reading<Put>, CallError> {
    read(match answer.status.as_u16() {
        206 => Put::More,
        201 => Put::All,
        416 => Put::Elsewhere(received(answer)),
        // No token goes there: whoever is not let in has an address that is over.
        401 | 403 | 404 | 410 => Put::Expired,
        400 => {
            return Err(CallError::Refused {
                code: "upload".to_owned(),
                why: "TikTok did not take the upload of the video.".to_owned(),
            });
        }
        // Any other success is none that TikTok documents, and its refusals are all of a piece that was not taken.
        200..=399 => {
            let why = format!("TikTok answered {} to a piece of a video", answer.status.as_u16());
            return Err(CallError::Unknown { why });
        }
        _ => return Err(classify::by_status(answer, "nothing more")),
    })
}

/// How many bytes are there, by `Content-Range: bytes 0-9/100`; `bytes */100` says nothing.
fn received(answer: &Answer) -> Option<u64> {
    let range = answer.headers.get(CONTENT_RANGE)?.to_str().ok()?.trim();
    let (range, _) = range.strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    if first == 0 { last.checked_add(1) } else { None }
}

/// What became of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stand {
    /// Bytes are missing: so many are there, where TikTok says so.
    Uploading(Option<u64>),
    /// TikTok works on it.
    Working,
    /// It lies in the app's inbox, where its owner would have to finish it.
    Inbox,
    /// It is there; where everybody may see it, and TikTok has looked at it, so is its id.
    Complete(Option<String>),
    /// TikTok failed at it, for a reason of its own.
    FailedInternally,
    /// It came to nothing.
    Failed(&'static str),
}

/// What became of a post.
pub(super) fn stand(answer: &Answer) -> Result<Reading<Stand>, CallError> {
    let data = data(answer)?;
    let bytes = data.get("uploaded_bytes").and_then(Value::as_u64);
    read(match data.get("status").and_then(Value::as_str) {
        Some("PROCESSING_UPLOAD") => Stand::Uploading(bytes),
        Some("PROCESSING_DOWNLOAD") => Stand::Working,
        Some("SEND_TO_USER_INBOX") => Stand::Inbox,
        Some("PUBLISH_COMPLETE") => Stand::Complete(post_id(&data)),
        Some("FAILED") => {
            match classify::failed(
                data.get("fail_reason").and_then(Value::as_str).unwrap_or_default(),
            ) {
                Failed::Internally => Stand::FailedInternally,
                Failed::For(why) => Stand::Failed(why),
            }
        }
        _ => return Err(unreadable("state of the post")),
    })
}

/// The first of the post's ids, digit by digit: they are beyond what a number of JavaScript holds. The misspelt name is
/// TikTok's.
fn post_id(data: &Value) -> Option<String> {
    let ids = ["publicaly_available_post_id", "publicly_available_post_id"];
    let ids = ids.iter().find_map(|name| data.get(name)?.as_array())?;
    let id = match ids.first()? {
        Value::Number(number) => number.as_u64()?.to_string(),
        Value::String(digits) => digits.clone(),
        _ => return None,
    };
    let is_one = (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then_some(id)
}

/// Whether a token is worthless now; one that was so before is no error.
pub(super) fn revoked(answer: &Answer) -> Result<Reading<()>, CallError> {
    let refused =
        |code: &str, why: &str| CallError::Refused { code: code.to_owned(), why: why.to_owned() };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    // The token endpoints' errors are flat; the envelope of the other endpoints is read all the same.
    let error =
        body.get("error").and_then(|error| error.as_str().or_else(|| error.get("code")?.as_str()));
    if let Some(error) = error {
        return match error {
            "" | "ok" | "invalid_grant" | "invalid_token" | "access_token_invalid" => read(()),
            "invalid_client" | "unauthorized_client" => Err(refused(
                "client",
                "TikTok does not know this application. Whoever operates this looks at its client key and secret.",
            )),
            "server_error" | "internal_error" => {
                Err(CallError::Unknown { why: "TikTok failed at ending a token".to_owned() })
            }
            _ => Err(refused("oauth", "TikTok did not end the connection.")),
        };
    }
    match answer.status.as_u16() {
        200..=299 | 401 => read(()),
        _ => Err(classify::by_status(answer, "nothing that can be read")),
    }
}
