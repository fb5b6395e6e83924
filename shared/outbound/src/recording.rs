//! An exchange with a vendor as a file, and a transport that answers from such files.
//!
//! A vendor's `recordings/` folder has a file for each operation and each way in which it ends, such as
//! `generate-content.ok.json`:
//!
//! ```json
//! {
//!   "recorded": "2026-11-20",
//!   "source": "where its shape comes from: the page, the specification, or the vendor itself",
//!   "request": {
//!     "method": "POST",
//!     "path": "/v1/things?page=2",
//!     "headers": { "x-version": "2024-11-06" },
//!     "body": { "name": "x" }
//!   },
//!   "response": { "status": 200, "headers": { "retry-after": "3" }, "body": { "id": "1" } }
//! }
//! ```
//!
//! A body that is no JSON stands as `body_text` or `body_base64`; a request to an address that an answer named has the
//! whole of it as `path`. Left out of `headers` are the key, and content type and length unless they matter.
//!
//! A vendor's test is a few lines:
//!
//! ```no_run
//! # use nexus_outbound::{Recording, Replay, Request};
//! # fn build() -> Request { unimplemented!() }
//! let recording = Recording::load("src/acme/recordings/list-things.ok.json").unwrap();
//! recording.asked_by(&build()).unwrap();      // the builder asks exactly that
//! let answer = recording.answer().unwrap();   // for the reader
//! let replay = Replay::of([recording]);       // or a whole call: a `Transport`
//! ```
//!
//! **Never here:** a key. A recording that seems to hold one is refused when it is loaded.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address;
use crate::answer::Answer;
use crate::request::{Request, To};
use crate::transport::{Transport, TransportError, WireRequest};
use crate::vendor::Repeat;

/// An exchange: what was asked, and what was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// When it was recorded, or read in its source.
    pub recorded: Date,
    /// Where it comes from.
    pub source: String,
    /// What was asked.
    pub request: RecordedRequest,
    /// What was answered.
    pub response: RecordedResponse,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedRequest {
    /// `GET`.
    pub method: String,
    /// The path with its query, or a whole address.
    pub path: String,
    /// The extra headers, by their names in small letters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, if it was JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The body, if it was text: what should be JSON and is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
    /// The body, if it was bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedResponse {
    /// 200.
    pub status: u16,
    /// The headers that matter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, if it was JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The body, if it was text: what should be JSON and is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
    /// The body, if it was bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// Why a recording cannot be used.
#[derive(thiserror::Error)]
pub enum RecordingError {
    /// The file is not there.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no recording.
    #[error("{0}")]
    Shape(String),
    /// It seems to hold a key.
    #[error(
        "{0} seems to hold a key: take it out of the recording, and call it back at the vendor"
    )]
    Key(String),
    /// It is of another request.
    #[error("{0}")]
    Other(Difference),
}

/// What a test prints is the sentence.
impl fmt::Debug for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a request differs from the recorded one.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request differs from the recorded one\n{}", .0.join("\n"))]
pub struct Difference(Vec<String>);

impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// It is not there, is no recording, or seems to hold a key.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecordingError::File { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|error| match error {
            RecordingError::Shape(why) => {
                RecordingError::Shape(format!("{}: {why}", path.display()))
            }
            RecordingError::Key(what) => RecordingError::Key(format!("{}: {what}", path.display())),
            other @ (RecordingError::File { .. } | RecordingError::Other(_)) => other,
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let recording: Self =
            serde_json::from_str(text).map_err(|error| RecordingError::Shape(error.to_string()))?;
        if let Some(what) = recording.holds_a_key() {
            return Err(RecordingError::Key(what));
        }
        recording.request.bytes()?;
        recording.answer()?;
        Ok(recording)
    }

    /// What was answered, for a vendor's reader.
    ///
    /// # Errors
    /// The response is written wrongly.
    pub fn answer(&self) -> Result<Answer, RecordingError> {
        let wrong = |what: &str| RecordingError::Shape(format!("the response's {what}"));
        let status = StatusCode::from_u16(self.response.status).map_err(|_| wrong("status"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.response.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("headers"))?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| wrong("headers"))?);
        }
        if self.response.body.is_some() && !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Answer { status, headers, body: self.response.bytes()? })
    }

    /// Whether a built request asks exactly this.
    ///
    /// # Errors
    /// In what it differs; or it cannot be built at all.
    pub fn asked_by(&self, request: &Request) -> Result<(), RecordingError> {
        let shape = |error: &dyn fmt::Display| RecordingError::Shape(error.to_string());
        let path = match &request.to {
            To::Path(pieces) => address::path(pieces).map_err(|e| shape(&e))?,
            To::Url(url) => url.clone(),
        };
        let target = match address::query(request) {
            Some(query) if path.contains('?') => format!("{path}&{query}"),
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let mut headers: BTreeMap<String, String> = request
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_ref().to_owned()))
            .collect();
        if let (Repeat::Keyed(name), Some(key)) =
            (request.operation.repeat, &request.idempotency_key)
        {
            headers.insert(name.to_owned(), key.clone());
        }
        let (content_type, body) =
            request.body.encoded(request.operation).map_err(|e| shape(&e))?;
        if let Some(content_type) = content_type {
            headers.insert("content-type".to_owned(), content_type.into_owned());
        }
        let asked = Asked { method: &request.method, target: &target, headers, body: &body };
        self.differs_from(&asked)
            .map_or(Ok(()), |difference| Err(RecordingError::Other(difference)))
    }

    /// In what a request differs from the recorded one, if it does.
    fn differs_from(&self, asked: &Asked<'_>) -> Option<Difference> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, recorded: &str, built: &str| {
            if recorded != built {
                differences.push(format!("{what}\n  recorded: {recorded}\n  built:    {built}"));
            }
        };
        let recorded = &self.request;
        compare("method", &recorded.method, asked.method.as_str());
        let ((their_path, their_query), (our_path, our_query)) =
            (halves(&recorded.path), halves(asked.target));
        compare("path", their_path, our_path);
        compare("query", &readable(their_query), &readable(our_query));
        let theirs: BTreeMap<String, &String> =
            recorded.headers.iter().map(|(k, v)| (k.to_ascii_lowercase(), v)).collect();
        let absent = "(none)".to_owned();
        for (name, built) in &asked.headers {
            let recorded = theirs.get(name).copied();
            // What every request has is compared where the recording says that it matters.
            if recorded.is_some() || !is_common(name) {
                compare(&format!("header `{name}`"), recorded.unwrap_or(&absent), built);
            }
        }
        for (name, recorded) in theirs.iter().filter(|(k, _)| !asked.headers.contains_key(*k)) {
            compare(&format!("header `{name}`"), recorded, &absent);
        }
        self.compare_bodies(asked.body, &mut compare);
        (!differences.is_empty()).then_some(Difference(differences))
    }

    fn compare_bodies(&self, built: &Bytes, compare: &mut impl FnMut(&str, &str, &str)) {
        match (&self.request.body, serde_json::from_slice::<Value>(built)) {
            (Some(recorded), Ok(built)) => {
                let mut at = Vec::new();
                different_at("", recorded, &built, &mut at);
                for (path, recorded, built) in at {
                    compare(&format!("body {path}"), &recorded, &built);
                }
            }
            _ => {
                let recorded = self.request.bytes().unwrap_or_default();
                if recorded != *built {
                    compare("body", &summary(&recorded), &summary(built));
                }
            }
        }
    }

    /// Where a key seems to stand.
    fn holds_a_key(&self) -> Option<String> {
        let (request, response) = (&self.request, &self.response);
        let all = request.headers.iter().map(|(k, v)| ("request", k, v));
        let all = all.chain(response.headers.iter().map(|(k, v)| ("response", k, v)));
        for (of, name, value) in all {
            if names_a_key(name) || is_credential(value) {
                return Some(format!("the {of}'s header `{name}`"));
            }
        }
        let (_, query) = halves(&request.path);
        let named = pairs(query).into_iter().map(|(name, _)| name).find(|name| names_a_key(name));
        named.map(|name| format!("`{name}` in the request's query"))
    }
}

impl RecordedRequest {
    fn bytes(&self) -> Result<Bytes, RecordingError> {
        bytes_of(self.body.as_ref(), self.body_text.as_deref(), self.body_base64.as_deref())
    }
}

impl RecordedResponse {
    fn bytes(&self) -> Result<Bytes, RecordingError> {
        bytes_of(self.body.as_ref(), self.body_text.as_deref(), self.body_base64.as_deref())
    }
}

fn bytes_of(
    json: Option<&Value>,
    text: Option<&str>,
    base64: Option<&str>,
) -> Result<Bytes, RecordingError> {
    let wrong = |why: &str| RecordingError::Shape(format!("a body {why}"));
    match (json, text, base64) {
        (None, None, None) => Ok(Bytes::new()),
        (Some(json), None, None) => Ok(Bytes::from(json.to_string())),
        (None, Some(text), None) => Ok(Bytes::from(text.to_owned())),
        (None, None, Some(base64)) => {
            STANDARD.decode(base64).map(Bytes::from).map_err(|_| wrong("is no base64"))
        }
        _ => Err(wrong("stands there twice")),
    }
}

/// What is compared with a recording.
struct Asked<'a> {
    method: &'a Method,
    target: &'a str,
    headers: BTreeMap<String, String>,
    body: &'a Bytes,
}

/// Headers that every request has, which say nothing about the operation.
fn is_common(name: &str) -> bool {
    ["accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"]
        .contains(&name)
}

/// Whether a header or a parameter of this name carries what lets somebody in.
fn names_a_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // A page's mark and a repetition's name let nobody in.
    if name.contains("idempotency") || name.contains("page") {
        return false;
    }
    let exact = ["key", "apikey", "token", "sig", "signature", "cookie", "set-cookie", "password"];
    let within = ["authorization", "api-key", "api_key", "secret", "credential"];
    let at_end = ["-key", "_key", "-token", "_token", "-signature", "_signature"];
    exact.contains(&name.as_str())
        || within.iter().any(|part| name.contains(part))
        || at_end.iter().any(|end| name.ends_with(end))
}

/// Whether a header's value is a credential, whatever its name.
fn is_credential(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    ["bearer ", "basic ", "token "].iter().any(|scheme| value.starts_with(scheme))
}

fn halves(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

/// The query's names and values, sorted: their order means nothing.
fn pairs(query: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    pairs.sort();
    pairs
}

fn readable(query: &str) -> String {
    let pairs: Vec<String> = pairs(query).iter().map(|(k, v)| format!("{k}={v:?}")).collect();
    if pairs.is_empty() { "(none)".to_owned() } else { pairs.join(" ") }
}

/// The most characters of a value in a difference.
const TOLD_CHARS: usize = 200;

fn summary(bytes: &Bytes) -> String {
    match std::str::from_utf8(bytes) {
        Ok("") => "(none)".to_owned(),
        Ok(text) => shortened(text),
        Err(_) => format!("{} bytes", bytes.len()),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TOLD_CHARS) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}… ({} bytes)", text.split_at(at).0, text.len()),
    }
}

/// The places where two values differ, by their paths.
fn different_at(path: &str, a: &Value, b: &Value, found: &mut Vec<(String, String, String)>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                member(&below, a.get(key), b.get(key), found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for nth in 0..a.len().max(b.len()) {
                member(&format!("{path}[{nth}]"), a.get(nth), b.get(nth), found);
            }
        }
        _ if a == b => {}
        _ => {
            let path = if path.is_empty() { "(whole)" } else { path };
            found.push((path.to_owned(), shortened(&a.to_string()), shortened(&b.to_string())));
        }
    }
}

fn member(
    path: &str,
    a: Option<&Value>,
    b: Option<&Value>,
    found: &mut Vec<(String, String, String)>,
) {
    let told = |value: Option<&Value>| {
        value.map_or("(absent)".to_owned(), |value| shortened(&value.to_string()))
    };
    match (a, b) {
        (Some(a), Some(b)) => different_at(path, a, b, found),
        (a, b) => found.push((path.to_owned(), told(a), told(b))),
    }
}

/// A transport that answers from recordings, in their order, and fails where a request differs from the recorded one.
/// It compares everything but the key.
#[derive(Debug)]
pub struct Replay {
    left: Mutex<VecDeque<Recording>>,
}

impl Replay {
    /// Answers these, in this order.
    pub fn of(recordings: impl IntoIterator<Item = Recording>) -> Self {
        Self { left: Mutex::new(recordings.into_iter().collect()) }
    }

    /// Answers from these files, in this order.
    ///
    /// # Errors
    /// As [`Recording::load`].
    pub fn load<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, RecordingError> {
        let recordings: Result<Vec<Recording>, RecordingError> =
            paths.into_iter().map(Recording::load).collect();
        Ok(Self::of(recordings?))
    }

    /// How many were not asked for yet; a test ends with none.
    pub fn left(&self) -> usize {
        self.queue().len()
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Recording>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for Replay {
    async fn send(&self, request: WireRequest, _: Duration) -> Result<Answer, TransportError> {
        let WireRequest { method, url, headers, body, .. } = request;
        let Some(recording) = self.queue().pop_front() else {
            return Err(TransportError::Forbidden("there is no recording left".to_owned()));
        };
        let target = if recording.request.path.starts_with('/') {
            let parsed = url::Url::parse(&url)
                .map_err(|error| TransportError::Forbidden(error.to_string()))?;
            match parsed.query() {
                Some(query) => format!("{}?{query}", parsed.path()),
                None => parsed.path().to_owned(),
            }
        } else {
            url
        };
        let headers = headers.iter().filter(|(_, value)| !value.is_sensitive());
        let headers = headers.map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let asked =
            Asked { method: &method, target: &target, headers: headers.collect(), body: &body };
        match recording.differs_from(&asked) {
            Some(difference) => Err(TransportError::Forbidden(difference.to_string())),
            None => {
                recording.answer().map_err(|error| TransportError::Forbidden(error.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
