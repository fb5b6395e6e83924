//! Bodies and questions, read strictly: a field that nobody knows is refused by its name, and so is every value
//! that does not fit.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use nexus_kernel::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Problem, Refusal};

/// The most bytes of a body.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A body of JSON, coming in or going out.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// What stands behind the address's question mark.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        if !says_json(&parts.headers) {
            return Err(Refusal::NotJson.into_response());
        }
        let bytes = whole(body).await?;
        from_json(&bytes).map(Self).map_err(|f| Problem(f).into_response())
    }
}

/// No body at all is no problem where everything in it may be left out.
impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Json<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Response> {
        let (parts, body) = request.into_parts();
        let bytes = whole(body).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let request = Request::from_parts(parts, Body::from(bytes));
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let asked = serde_urlencoded::Deserializer::new(pairs);
        let asked = serde_path_to_error::deserialize(asked);
        asked.map(Self).map_err(|e| Problem(misfit(e.path(), &e.inner().to_string())))
    }
}

/// The whole body, if it is not too long.
pub(super) async fn whole(body: Body) -> Result<Bytes, Response> {
    // Whoever went away in the middle of the body does not read the answer.
    to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Refusal::TooLarge.into_response())
}

fn says_json(headers: &HeaderMap) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let said = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    said == "application/json" || (said.starts_with("application/") && said.ends_with("+json"))
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut text).map_err(|e| {
        let error = e.inner();
        if !error.is_data() {
            return Failure::field("body", format!("this is not JSON: {error}"));
        }
        let said = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        misfit(e.path(), said.strip_suffix(&place).unwrap_or(&said))
    })?;
    text.end().map_err(|e| Failure::field("body", format!("this is not JSON: {e}")))?;
    Ok(read)
}

/// Names the field: a missing one by what is said of it, since its path ends at what lacks it.
fn misfit(path: &serde_path_to_error::Path, said: &str) -> Failure {
    let path = Some(path.to_string()).filter(|p| p != ".");
    let missing = said.strip_prefix("missing field `").and_then(|s| s.strip_suffix('`'));
    match (path, missing) {
        (Some(path), Some(name)) => Failure::field(format!("{path}.{name}"), "this is missing"),
        (None, Some(name)) => Failure::field(name, "this is missing"),
        (Some(path), None) => Failure::field(path, said),
        (None, None) => Failure::field("body", said),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Lamp {
        watts: u32,
        shades: Vec<Shade>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Shade {
        colour: String,
    }

    #[track_caller]
    fn check(body: &str, field: &str, problem: &str) {
        let failure = from_json::<Lamp>(body.as_bytes()).unwrap_err();
        let told = &failure.fields()[0];
        assert_eq!((told.field.as_str(), told.problem.as_str()), (field, problem), "{body}");
    }

    #[test]
    fn a_misfit_is_named_by_its_path() {
        check(r#"{"watts":1}"#, "shades", "this is missing");
        check(r#"{"watts":1,"shades":[{}]}"#, "shades[0].colour", "this is missing");
        check(r#"{"watts":-1,"shades":[]}"#, "watts", "invalid value: integer `-1`, expected u32");
        check(
            r#"{"watts":1,"shades":[{"colour":"red","size":2}]}"#,
            "shades[0].size",
            "unknown field `size`, expected `colour`",
        );
    }

    #[test]
    fn what_is_not_json_is_said_to_be_so() {
        for body in ["", "{", "{} x", "watts=1"] {
            let failure = from_json::<Lamp>(body.as_bytes()).unwrap_err();
            assert_eq!(failure.fields()[0].field, if body == "{} x" { "watts" } else { "body" });
        }
    }
}
