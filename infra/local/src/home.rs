//! The host's own front page: where everything is.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};

/// A link on the front page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it leads.
    pub href: String,
    /// What it is called.
    pub name: String,
    /// What is there.
    pub about: String,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Page<'l> {
    links: &'l [Link],
}

/// The page.
pub fn page(links: &[Link]) -> Response {
    match (Page { links }).render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
