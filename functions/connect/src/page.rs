//! The page on which a person ends who comes back from a network. It loads nothing, runs nothing, and tells nobody its
//! address: a code stands in it.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// Nothing at all, from nowhere, within nothing.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "callback.html")]
struct Page<'p> {
    title: &'p str,
    text: &'p str,
}

/// The page with this title and text.
pub(crate) fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let Ok(html) = (Page { title, text }).render() else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be shown.").into_response();
    };
    let name = HeaderName::from_static;
    let value = HeaderValue::from_static;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, value(POLICY)),
        (name("referrer-policy"), value("no-referrer")),
        (name("x-content-type-options"), value("nosniff")),
        (name("cross-origin-opener-policy"), value("same-origin")),
    ];
    (status, headers, Html(html)).into_response()
}
