//! The Engine's vendors as one server on loopback: each below a path of its own, in its own language, and failing when
//! it is told to.
//!
//! A vendor takes only what the real one takes: method, path, key and the fields that it needs. Anything else is
//! answered as the real one answers it, and kept in [`Vendors::wrong`], so that a journey can say that nothing wrong
//! was asked. What is taken is kept in [`Vendors::asked`]. The words, sounds and footage that come back are real: JSON
//! of the schema that was asked for, an MP3, an MP4.
//!
//! **Never here:** code of the clients (they and this are written against the same descriptions, apart from each
//! other, so that one finds the other's mistakes), time: nothing waits.

mod elevenlabs;
mod gemini;
mod luma;
mod omni;
mod runway;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{FromRequest, OriginalUri, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::fakes::{Calls, lock};
use crate::networks;

/// The key by which every vendor here knows the house.
pub const KEY: &str = "key-of-the-house";
/// The voice that speaks English at ElevenLabs.
pub const VOICE_EN: &str = "EnglishVoice00000001";
/// The voice that speaks Spanish there.
pub const VOICE_ES: &str = "SpanishVoice00000001";

/// How often a job is not ready when it is looked at, before it is.
const WAITS: u32 = 2;
/// The most bytes of a request: a picture in base64 and what stands around it.
const MOST: usize = 30 * 1024 * 1024;
/// Five seconds of a moving test picture, upright, 180 by 320, made with ffmpeg.
const CLIP: &[u8] = include_bytes!("vendors/clip.mp4");

/// Who makes footage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    /// Google's Gemini Omni, by interactions.
    Omni,
    /// Runway.
    Runway,
    /// Luma.
    Luma,
}

/// What a vendor is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Gemini: words.
    Write,
    /// ElevenLabs: a sentence.
    Speak,
    /// A job for footage.
    Submit(Maker),
    /// How far a job is.
    Look(Maker),
    /// That a job is to stop.
    Stop(Maker),
    /// What a job made.
    Fetch(Maker),
}

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// 429, with the wait that the vendor asks for, in its own way.
    Busy {
        /// Seconds.
        after_seconds: u32,
    },
    /// 500, in its own words.
    Broken,
    /// The vendor's no: a blocked prompt, an empty account, a job that its content check turned down.
    Refused,
    /// It is done, and the connection ends without an answer.
    Dropped,
    /// It is done, and half of the answer comes as if it were all.
    CutOff,
}

/// A request that a vendor took, or would have.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What for.
    pub operation: Operation,
    /// The path below the vendor's, with the query.
    pub path: String,
    /// The body; `null` where there is none.
    pub body: Value,
}

/// The vendors. They are gone, with every connection, when this is.
pub struct Vendors {
    house: Arc<House>,
    server: JoinHandle<()>,
}

impl fmt::Debug for Vendors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vendors").field("at", &self.house.at).finish_non_exhaustive()
    }
}

impl Drop for Vendors {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Vendors {
    /// Opens them on a free port.
    ///
    /// # Errors
    /// There is none.
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let house = Arc::new(House::at(listener.local_addr()?));
        let server = tokio::spawn(serve(listener, Arc::clone(&house)));
        Ok(Self { house, server })
    }

    /// The settings that lead a host here.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let vendors = ["gemini", "elevenlabs", "veo", "runway", "luma"];
        let bases = vendors.map(|name| {
            let setting = format!("{}_BASE", name.to_ascii_uppercase());
            (setting, format!("{}/{name}", self.house.origin()))
        });
        let others = [
            ("OUTBOUND_OPEN", "127.0.0.1"),
            ("ELEVENLABS_VOICE_EN", VOICE_EN),
            ("ELEVENLABS_VOICE_ES", VOICE_ES),
        ];
        let others = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
        bases.into_iter().chain(others).collect()
    }

    /// The next of these that has no failure yet fails so. A request without the key takes none.
    pub fn fail_next(&self, operation: Operation, failure: Failure) {
        lock(&self.house.script).entry(operation).or_default().push_back(failure);
    }

    /// What was asked, in order, whatever was answered.
    pub fn asked(&self, operation: Operation) -> Vec<Asked> {
        self.house.asked.all().into_iter().filter(|asked| asked.operation == operation).collect()
    }

    /// Everything that was asked, of all of them.
    pub fn everything(&self) -> Vec<Asked> {
        self.house.asked.all()
    }

    /// What no vendor takes, and why.
    pub fn wrong(&self) -> Vec<String> {
        self.house.wrong.all()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.house.connections.load(Ordering::Relaxed)
    }
}

/// What the vendors have in common.
struct House {
    at: SocketAddr,
    connections: AtomicUsize,
    script: Mutex<BTreeMap<Operation, VecDeque<Failure>>>,
    asked: Calls<Asked>,
    wrong: Calls<String>,
    jobs: Mutex<Vec<Job>>,
}

/// A job for footage; its number is its place.
struct Job {
    maker: Maker,
    looks: u32,
    stopped: bool,
}

/// How far a job is.
enum Stand {
    Waiting,
    Ready,
    Stopped,
}

impl House {
    fn at(at: SocketAddr) -> Self {
        Self {
            at,
            connections: AtomicUsize::new(0),
            script: Mutex::default(),
            asked: Calls::default(),
            wrong: Calls::default(),
            jobs: Mutex::default(),
        }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Answers a request: in the vendor's `manner` where it is not to be a success, else with the `deed`.
    fn take(
        &self,
        manner: &Manner,
        operation: Operation,
        came: Came,
        deed: impl FnOnce(&Came) -> Result<Response, No>,
    ) -> Response {
        let asked = Asked { operation, path: came.path.clone(), body: came.body.clone() };
        self.asked.note(asked);
        if !came.is_keyed(manner) {
            return self.refuse(manner, operation, &came, &No::UnknownKey);
        }
        let failure = lock(&self.script).get_mut(&operation).and_then(VecDeque::pop_front);
        match failure {
            Some(Failure::Busy { after_seconds }) => {
                return (manner.says)(operation, &No::Busy(after_seconds));
            }
            Some(Failure::Broken) => return (manner.says)(operation, &No::Broken),
            Some(Failure::Refused) => return (manner.says)(operation, &No::Refused),
            Some(Failure::Dropped | Failure::CutOff) | None => {}
        }
        let response = match deed(&came) {
            Ok(response) => response,
            Err(no) => return self.refuse(manner, operation, &came, &no),
        };
        match failure {
            Some(Failure::Dropped) => networks::hang_up(),
            Some(Failure::CutOff) => networks::cut_short(response),
            _ => response,
        }
    }

    fn refuse(&self, manner: &Manner, operation: Operation, came: &Came, no: &No) -> Response {
        self.wrong.note(format!("{} {operation:?} {}: {no:?}", manner.vendor, came.path));
        (manner.says)(operation, no)
    }

    /// Takes a job; its number.
    fn job(&self, maker: Maker) -> usize {
        let mut jobs = lock(&self.jobs);
        jobs.push(Job { maker, looks: 0, stopped: false });
        jobs.len()
    }

    /// Works with a job of a maker by its number.
    fn with_job<T>(
        &self,
        maker: Maker,
        number: Option<usize>,
        work: impl FnOnce(&mut Job) -> T,
    ) -> Result<T, No> {
        let mut jobs = lock(&self.jobs);
        let place = number.and_then(|n| n.checked_sub(1));
        let job = place.and_then(|at| jobs.get_mut(at)).filter(|job| job.maker == maker);
        job.map(work).ok_or(No::Missing)
    }

    fn look(&self, maker: Maker, number: Option<usize>) -> Result<Stand, No> {
        self.with_job(maker, number, |job| {
            job.looks += 1;
            match job {
                Job { stopped: true, .. } => Stand::Stopped,
                Job { looks, .. } if *looks <= WAITS => Stand::Waiting,
                Job { .. } => Stand::Ready,
            }
        })
    }

    fn stop(&self, maker: Maker, number: Option<usize>) -> Result<(), No> {
        self.with_job(maker, number, |job| job.stopped = true)
    }

    /// The footage of a job that is there.
    fn footage(&self, maker: Maker, number: Option<usize>) -> Result<Response, No> {
        let ready = self.with_job(maker, number, |job| job.looks > WAITS && !job.stopped)?;
        if !ready {
            return Err(No::Missing);
        }
        Ok(([(header::CONTENT_TYPE, "video/mp4")], CLIP).into_response())
    }
}

/// What a vendor may say that is no success.
#[derive(Debug)]
enum No {
    /// It does not know the key.
    UnknownKey,
    /// The request is wrong: the field and what is wrong with it.
    Wrong(&'static str, &'static str),
    /// There is nothing of that name.
    Missing,
    /// Not now; in so many seconds.
    Busy(u32),
    /// It failed.
    Broken,
    /// It does not want to.
    Refused,
}

/// How one vendor knows who asks, and how it says no.
struct Manner {
    vendor: &'static str,
    /// The header with the key, and what stands before the key there; none where the address is the right of entry.
    key: Option<(&'static str, &'static str)>,
    says: fn(Operation, &No) -> Response,
}

/// A request, read whole.
struct Came {
    path: String,
    headers: HeaderMap,
    body: Value,
}

impl Came {
    fn is_keyed(&self, manner: &Manner) -> bool {
        let Some((header, prefix)) = manner.key else { return true };
        let told = self.headers.get(header).and_then(|value| value.to_str().ok());
        told.and_then(|told| told.strip_prefix(prefix)) == Some(KEY)
    }

    /// Whether a setting of the query stands so.
    fn asks(&self, setting: &str) -> bool {
        let (_, query) = self.path.split_once('?').unwrap_or_default();
        query.split('&').any(|pair| pair == setting)
    }

    /// A text in the body that is not empty.
    fn text(&self, pointer: &'static str) -> Result<&str, No> {
        let text = self.body.pointer(pointer).and_then(Value::as_str);
        text.filter(|text| !text.trim().is_empty()).ok_or(No::Wrong(pointer, "a text is missing"))
    }

    /// A text in the body that is one of these.
    fn one_of(&self, pointer: &'static str, known: &[&str]) -> Result<(), No> {
        let is_known = known.contains(&self.text(pointer)?);
        if is_known { Ok(()) } else { Err(No::Wrong(pointer, "it is not one of those there are")) }
    }

    /// Seconds that are written as a text: `5s`.
    fn seconds(&self, pointer: &'static str) -> Result<u32, No> {
        let told = self.text(pointer)?.strip_suffix('s').and_then(|n| n.parse().ok());
        told.ok_or(No::Wrong(pointer, "it is no text like `5s`"))
    }

    /// Bytes in base64 that begin as a picture does that vendors take.
    fn picture(&self, pointer: &'static str, text: &str) -> Result<(), No> {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
        let known = [b"\xff\xd8\xff".as_slice(), b"\x89PNG"].iter().any(|b| bytes.starts_with(b));
        if known { Ok(()) } else { Err(No::Wrong(pointer, "it is neither a JPEG nor a PNG")) }
    }
}

impl<S: Send + Sync> FromRequest<S> for Came {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        // Where it stands below a vendor's path, its own begins after it.
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let (head, body) = request.into_parts();
        let body = to_bytes(body, MOST).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        let json = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes)
            == Some(b"application/json");
        let body =
            if json { serde_json::from_slice(&body).unwrap_or_default() } else { Value::Null };
        Ok(Self { path, headers: head.headers, body })
    }
}

type Shared = Arc<House>;

fn routes(house: Shared) -> Router {
    let elsewhere = Arc::clone(&house);
    let nothing = move |OriginalUri(uri): OriginalUri, request: Request| {
        let wrong = format!("{} {}: nobody offers that", request.method(), uri.path());
        elsewhere.wrong.note(wrong);
        std::future::ready(StatusCode::NOT_FOUND)
    };
    Router::new()
        .nest("/gemini", gemini::routes())
        .nest("/elevenlabs", elevenlabs::routes())
        .nest("/veo", omni::routes())
        .nest("/runway", runway::routes())
        .nest("/luma", luma::routes())
        .fallback(nothing.clone())
        .method_not_allowed_fallback(nothing)
        .with_state(house)
}

async fn serve(listener: TcpListener, house: Shared) {
    let router = routes(Arc::clone(&house));
    let connected = || {
        house.connections.fetch_add(1, Ordering::Relaxed);
    };
    let answer = move |request| {
        let router = router.clone();
        async move {
            match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    };
    networks::serve(listener, connected, answer).await;
}

/// A JSON answer.
fn says(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(body)).into_response()
}

/// The same with a wait in its header.
fn says_later(status: u16, after_seconds: u32, body: Value) -> Response {
    let mut response = says(status, body);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after_seconds));
    response
}

/// What Google says in every one of its APIs.
fn google(no: &No) -> Response {
    let (code, status, details) = match no {
        No::UnknownKey => {
            let info = serde_json::json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
            });
            (400, "INVALID_ARGUMENT", vec![info])
        }
        No::Wrong(..) | No::Refused => (400, "INVALID_ARGUMENT", Vec::new()),
        No::Missing => (404, "NOT_FOUND", Vec::new()),
        No::Busy(seconds) => {
            let info = serde_json::json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{seconds}s"),
            });
            (429, "RESOURCE_EXHAUSTED", vec![info])
        }
        No::Broken => (500, "INTERNAL", Vec::new()),
    };
    let error = serde_json::json!({
        "code": code, "status": status, "details": details, "message": format!("{no:?}"),
    });
    says(code, serde_json::json!({ "error": error }))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Method;
    use serde_json::json;

    use super::*;

    /// A house that nobody listens for.
    fn house() -> Shared {
        Arc::new(House::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))))
    }

    async fn asked(
        house: &Shared,
        method: Method,
        path: &str,
        key: (&str, &str),
        body: &Value,
    ) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(key.0, key.1)
            .header("x-runway-version", "2024-11-06")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = routes(Arc::clone(house)).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), MOST).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    const GOOGLE: (&str, &str) = ("x-goog-api-key", KEY);
    const BEARER: (&str, &str) = ("authorization", "Bearer key-of-the-house");

    fn omni() -> Value {
        json!({
            "model": "gemini-omni-1.1-flash", "background": true,
            "input": [{ "type": "text", "text": "A cup." }],
            "response_format": { "type": "video", "delivery": "uri", "aspect_ratio": "9:16",
                "resolution": "720p", "duration": "5s" },
            "generation_config": { "video_config": { "task": "text_to_video" } },
        })
    }

    #[tokio::test]
    async fn what_is_wrong_is_answered_as_the_vendor_does_and_kept() {
        let house = house();
        let number = {
            let mut wrong = omni();
            wrong["response_format"]["duration"] = json!(5);
            wrong
        };
        let jobs = "/veo/v1beta/interactions";
        let voice = format!("/elevenlabs/v1/text-to-speech/{VOICE_EN}/with-timestamps");
        let words = "/gemini/v1beta/models/gemini-3.8-flash:generateContent";
        let cases = [
            (jobs, GOOGLE, number, 400, "/error/status", json!("INVALID_ARGUMENT")),
            (
                jobs,
                ("x-goog-api-key", "x"),
                omni(),
                400,
                "/error/details/0/reason",
                json!("API_KEY_INVALID"),
            ),
            (words, GOOGLE, json!({}), 400, "/error/status", json!("INVALID_ARGUMENT")),
            (
                &voice,
                ("xi-api-key", "x"),
                json!({}),
                401,
                "/detail/status",
                json!("invalid_api_key"),
            ),
            (&voice, ("xi-api-key", KEY), json!({}), 422, "/detail/0/loc/0", json!("body")),
            (
                "/runway/v1/text_to_video",
                BEARER,
                json!({}),
                400,
                "/issues/0/path/0",
                json!("model"),
            ),
            ("/luma/v1/generations", BEARER, json!({}), 422, "/detail/0/loc/1", json!("/type")),
            ("/luma/v1/videos", BEARER, json!({}), 404, "", Value::Null),
        ];
        for (n, (path, key, body, status, pointer, expected)) in cases.into_iter().enumerate() {
            let (told, answer) = asked(&house, Method::POST, path, key, &body).await;
            assert_eq!(
                (told, answer.pointer(pointer)),
                (status, Some(&expected)),
                "{path}: {answer}"
            );
            assert_eq!(house.wrong.all().len(), n + 1);
        }
        assert!(lock(&house.jobs).is_empty(), "nothing was taken");
    }

    #[tokio::test]
    async fn a_job_is_ready_after_some_looks_and_of_its_maker_alone() {
        let house = house();
        let jobs = "/veo/v1beta/interactions";
        let (status, job) = asked(&house, Method::POST, jobs, GOOGLE, &omni()).await;
        assert_eq!((status, &job["id"]), (200, &json!("v1_1")), "{job}");
        let mut states = Vec::new();
        for _ in 0..=WAITS {
            let path = format!("{jobs}/v1_1");
            let (_, told) = asked(&house, Method::GET, &path, GOOGLE, &Value::Null).await;
            states.push(told["status"].as_str().unwrap_or_default().to_owned());
        }
        assert_eq!(states, ["in_progress", "in_progress", "completed"]);
        assert_eq!(house.wrong.all(), Vec::<String>::new());
        for path in ["/veo/v1beta/interactions/v1_2", "/veo/v1beta/interactions/v1_x"] {
            assert_eq!(asked(&house, Method::GET, path, GOOGLE, &Value::Null).await.0, 400);
        }
        let other = "/luma/v1/generations/d1968551-6113-4b46-b567-000000000001";
        assert_eq!(asked(&house, Method::GET, other, BEARER, &Value::Null).await.0, 404);
    }
}
