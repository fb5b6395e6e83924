//! The Lambda invoke call (`POST /2015-03-31/functions/{name}/invocations`), so that `cargo lambda invoke` and the
//! AWS command line work against the host.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;

use crate::running::{CallError, MAX_PAYLOAD, Running};

/// Functions by logical id.
pub type Functions = Arc<BTreeMap<String, Arc<Running>>>;

/// The function of this logical id or, where only one runs the concern, of this name.
pub fn find<'f>(
    functions: &'f BTreeMap<String, Arc<Running>>,
    name: &str,
) -> Option<&'f Arc<Running>> {
    functions.get(name).or_else(|| {
        let mut of_name = functions.values().filter(|f| f.name == name);
        of_name.next().filter(|_| of_name.next().is_none())
    })
}

/// The route.
pub fn routes(functions: Functions) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(DefaultBodyLimit::max(MAX_PAYLOAD))
        .with_state(functions)
}

async fn invoke(
    State(functions): State<Functions>,
    Path(name): Path<String>,
    headers: HeaderMap,
    event: Bytes,
) -> Response {
    // An event says who it comes from, and is believed. No page in a browser may send one.
    if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        return refused(StatusCode::FORBIDDEN, "AccessDeniedException", "Not from a browser.");
    }
    let Some(function) = find(&functions, &name).cloned() else {
        let message = format!("Function not found: {name}");
        return refused(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    };
    if !event.is_empty() && serde_json::from_slice::<serde::de::IgnoredAny>(&event).is_err() {
        let message = "Could not parse request body into json.";
        return refused(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message);
    }
    let event = if event.is_empty() { Bytes::from_static(b"{}") } else { event };
    match headers.get("x-amz-invocation-type").and_then(|v| v.to_str().ok()) {
        Some("DryRun") => StatusCode::NO_CONTENT.into_response(),
        Some("Event") => {
            tokio::spawn(async move { function.call(&event, None).await.map(drop) });
            StatusCode::ACCEPTED.into_response()
        }
        _ => match function.call(&event, None).await {
            Ok(reply) => json_response(StatusCode::OK, reply.get().to_owned()),
            Err(error) => {
                let kind = match &error {
                    CallError::TimedOut(..) => "Sandbox.Timedout",
                    CallError::TooLarge(_) => "Function.ResponseSizeTooLarge",
                    CallError::Panicked(_) | CallError::Failed(_) => "Unhandled",
                };
                let body = json!({ "errorType": kind, "errorMessage": error.to_string() });
                let mut response = json_response(StatusCode::OK, body.to_string());
                let name = HeaderName::from_static("x-amz-function-error");
                response.headers_mut().insert(name, HeaderValue::from_static("Unhandled"));
                response
            }
        },
    }
}

fn json_response(status: StatusCode, body: String) -> Response {
    (status, [("content-type", "application/json")], body).into_response()
}

/// As Lambda's API refuses; `errorType` and `errorMessage` are what `cargo lambda invoke` looks for.
fn refused(status: StatusCode, kind: &'static str, message: &str) -> Response {
    let body =
        json!({ "Type": "User", "Message": message, "errorType": kind, "errorMessage": message });
    let mut response = json_response(status, body.to_string());
    let name = HeaderName::from_static("x-amzn-errortype");
    response.headers_mut().insert(name, HeaderValue::from_static(kind));
    response
}
