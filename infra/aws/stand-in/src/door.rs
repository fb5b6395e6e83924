//! The door: who may come in, which service is asked, how errors look.
//!
//! Polly is REST with JSON (`restJson1`), Rekognition and Comprehend JSON 1.1, told by `x-amz-target`, and Translate CBOR (Smithy's RPC
//! v2), told by the path: each as the SDK speaks with it. A request has to be
//! signed for its own service in us-east-1; whether the signature is right is not looked at, since nobody here knows
//! the key.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, header};
use nexus_offline::lexicon::Lexicon;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::counts::Counts;
use crate::phrases::Phrases;
use crate::polly::{self, Voices};
use crate::{comprehend, rekognition, translate};

/// A picture of 5 MiB in base64, and room.
const MOST_BYTES: usize = 8 << 20;
const JSON_1_1: &str = "application/x-amz-json-1.1";
const CBOR: &str = "application/cbor";
const TRANSLATE_TEXT: &str = "/service/AWSShineFrontendService_20170701/operation/TranslateText";

/// What stands behind the door.
pub(crate) struct Services {
    pub(crate) phrases: Phrases,
    pub(crate) voices: Voices,
    pub(crate) lexicon: Lexicon,
    pub(crate) counts: Counts,
}

/// An error as AWS tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The error's type, for example `ThrottlingException`.
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    /// The request is at fault.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    /// The service is.
    pub(crate) fn ours(code: &'static str, message: impl ToString) -> Self {
        let message = message.to_string();
        tracing::error!(message, code, "the stand-in could not answer");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code, message }
    }
}

/// The pages.
pub(crate) fn router(services: Services) -> Router {
    Router::new()
        .route("/", post(by_target))
        .route("/v1/speech", post(speech))
        .route(TRANSLATE_TEXT, post(translation))
        .route("/calls", get(calls))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn(only_loopback))
        .with_state(Arc::new(services))
}

async fn only_loopback(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if peer.ip().is_loopback() {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

async fn calls(State(services): State<Arc<Services>>) -> Response {
    Json(services.counts.all()).into_response()
}

async fn by_target(
    State(services): State<Arc<Services>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = word(&headers, "x-amz-target");
    let (operation, answer) = match target {
        "RekognitionService.DetectLabels" => {
            let asked = asked(&headers, "rekognition", &body);
            ("DetectLabels", operated(asked, rekognition::detect_labels).await)
        }
        "Comprehend_20171127.BatchDetectDominantLanguage" => {
            let asked = asked(&headers, "comprehend", &body);
            let work = |asked| comprehend::detect_languages(&services.lexicon, asked);
            ("BatchDetectDominantLanguage", operated(asked, work).await)
        }
        "Comprehend_20171127.BatchDetectSentiment" => {
            let asked = asked(&headers, "comprehend", &body);
            let work = |asked| comprehend::detect_sentiment(&services.lexicon, asked);
            ("BatchDetectSentiment", operated(asked, work).await)
        }
        _ => (
            "other",
            Err(Refusal::new("UnknownOperationException", "not an operation of this stand-in")),
        ),
    };
    services.counts.add(operation, answer.is_ok());
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(Refusal { status, code, message }) => {
            tracing::warn!(operation, code, message, "refused");
            (status, json!({ "__type": code, "message": message }).to_string())
        }
    };
    (status, [(header::CONTENT_TYPE, JSON_1_1)], body).into_response()
}

async fn translation(
    State(services): State<Arc<Services>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = signed(&headers, "translate")
        .and_then(|()| {
            ciborium::from_reader(&*body)
                .map_err(|e| Refusal::new("SerializationException", e.to_string()))
        })
        .and_then(|asked| translate::translate_text(&services.phrases, asked));
    services.counts.add("TranslateText", answer.is_ok());
    match answer {
        Ok(answer) => cbor(StatusCode::OK, &answer),
        Err(Refusal { status, code, message }) => {
            tracing::warn!(operation = "TranslateText", code, message, "refused");
            cbor(status, &json!({ "__type": code, "message": message }))
        }
    }
}

fn cbor(status: StatusCode, answer: &impl Serialize) -> Response {
    let mut body = Vec::new();
    match ciborium::into_writer(answer, &mut body) {
        Ok(()) => {
            let headers = [("content-type", CBOR), ("smithy-protocol", "rpc-v2-cbor")];
            (status, headers, body).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn speech(
    State(services): State<Arc<Services>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = match asked(&headers, "polly", &body) {
        Ok(asked) => polly::synthesize_speech(&services.voices, asked).await,
        Err(refusal) => Err(refusal),
    };
    services.counts.add("SynthesizeSpeech", answer.is_ok());
    match answer {
        Ok(polly::Sound { content_type, characters, audio }) => {
            let headers = [
                ("content-type", content_type.to_owned()),
                ("x-amzn-requestcharacters", characters.to_string()),
            ];
            (headers, audio).into_response()
        }
        Err(Refusal { status, code, message }) => {
            tracing::warn!(operation = "SynthesizeSpeech", code, message, "refused");
            (status, [("x-amzn-errortype", code)], Json(json!({ "message": message })))
                .into_response()
        }
    }
}

/// The request of an operation, if it is signed for its service and holds nothing unknown.
///
/// # Errors
/// The refusal that AWS would give.
fn asked<T: DeserializeOwned>(
    headers: &HeaderMap,
    service: &str,
    body: &[u8],
) -> Result<T, Refusal> {
    signed(headers, service)?;
    serde_json::from_slice(body)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

/// Whether a request is signed for this service.
///
/// # Errors
/// The refusal that AWS would give.
fn signed(headers: &HeaderMap, service: &str) -> Result<(), Refusal> {
    let signed = word(headers, "authorization");
    if signed.is_empty() {
        let code = "MissingAuthenticationTokenException";
        return Err(Refusal {
            status: StatusCode::FORBIDDEN,
            ..Refusal::new(code, "Missing Authentication Token")
        });
    }
    let scope = format!("/us-east-1/{service}/aws4_request");
    if !signed.starts_with("AWS4-HMAC-SHA256 ") || !signed.contains(&scope) {
        let message = format!("Credential should be scoped to {scope}");
        return Err(Refusal {
            status: StatusCode::FORBIDDEN,
            ..Refusal::new("InvalidSignatureException", message)
        });
    }
    Ok(())
}

/// The answer to a request, if it is one.
async fn operated<T, R: Serialize, F: Future<Output = Result<R, Refusal>>>(
    asked: Result<T, Refusal>,
    work: impl FnOnce(T) -> F,
) -> Result<String, Refusal> {
    let answer = work(asked?).await?;
    serde_json::to_string(&answer).map_err(|e| Refusal::ours("InternalServerError", e))
}

fn word<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
