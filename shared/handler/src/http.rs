//! What HTTP functions share: the caller, failures as `application/problem+json` (RFC 9457), bodies and questions
//! read strictly, requests that may be repeated, and the rules that every answer keeps.
//!
//! **Never here:** a product's routes, checking a token (the entrance did).

mod house_rules;
pub mod idempotency;
mod strict;

use axum::Json as Written;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nexus_core::{Caller, Claims, Product};
use nexus_kernel::{Failure, FailureKind, FieldProblem};
use serde::Serialize;
use tracing::Span;
use tracing::field::display;

use crate::outcome;

pub use house_rules::house_rules;
pub use strict::{Json, MAX_BODY_BYTES, Query};

/// The media type of failures.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The header in which somebody who belongs to several tenants names one.
pub const TENANT_HEADER: &str = "nexus-tenant";

/// The caller whom the entrance authenticated. The entrance put the verified [`Claims`] into the request's
/// extensions; without them nobody is known.
///
/// # Errors
/// Nobody is known, or the caller does not belong to the tenant that is named.
pub fn caller(parts: &Parts, product: Product) -> Result<Caller, Failure> {
    let claims = parts.extensions.get::<Claims>().ok_or_else(|| {
        Failure::new(
            FailureKind::Unauthenticated,
            "Send an access token: `Authorization: Bearer …`.",
        )
    })?;
    let named = parts.headers.get(TENANT_HEADER).and_then(|v| v.to_str().ok());
    let caller = Caller::from_claims(claims, product, named)?;
    // Into every line that is logged from here on, where the house's rules hold.
    Span::current().record("tenant", display(caller.scope().owner()));
    Ok(caller)
}

/// A failure on its way to an HTTP client.
#[derive(Debug)]
pub struct Problem(pub Failure);

impl<E: Into<Failure>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// What HTTP itself has a word for, and no failure of ours has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is such an address, and this cannot be done to it.
    MethodNotAllowed,
    /// The body is longer than [`MAX_BODY_BYTES`].
    TooLarge,
    /// The body is not said to be JSON.
    NotJson,
}

#[derive(Serialize)]
struct Body<'f> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'f str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'f [FieldProblem],
}

fn told(status: u16, title: &'static str, detail: &str, errors: &[FieldProblem]) -> Response {
    let body = Body { r#type: "about:blank", title, status, detail, errors };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Written(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let failure = self.0;
        let outcome = outcome::of(failure.kind());
        if outcome.status >= 500 {
            outcome::log("http", &failure);
        }
        let mut response = told(outcome.status, outcome.title, failure.public(), failure.fields());
        if let Some(wait) = failure.wait() {
            let seconds = HeaderValue::from(wait.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::MethodNotAllowed => {
                told(405, "Not done here", "This address does not take this method.", &[])
            }
            Self::TooLarge => {
                let detail = format!("A body has at most {MAX_BODY_BYTES} bytes.");
                told(413, "Too large", &detail, &[])
            }
            Self::NotJson => {
                let detail = "Send JSON, and say so: `Content-Type: application/json`.";
                told(415, "Not JSON", detail, &[])
            }
        }
    }
}
