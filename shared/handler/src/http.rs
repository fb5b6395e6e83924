//! What HTTP functions share: the caller, and failures as `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nexus_core::{Caller, Claims, Product};
use nexus_kernel::{Failure, FailureKind, FieldProblem};
use serde::Serialize;

use crate::outcome;

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
    Caller::from_claims(claims, product, named)
}

/// A failure on its way to an HTTP client.
#[derive(Debug)]
pub struct Problem(pub Failure);

impl<E: Into<Failure>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let failure = self.0;
        let outcome = outcome::of(failure.kind());
        if outcome.status >= 500 {
            outcome::log("http", &failure);
        }
        let body = Body {
            r#type: "about:blank",
            title: outcome.title,
            status: outcome.status,
            detail: failure.public(),
            errors: failure.fields(),
        };
        let status =
            StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = failure.wait() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}
