//! The feed's page: the posts as a person would see them. Plain HTML, no script, no cookie.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tower_http::services::ServeDir;

use super::{Feed, FeedPost};

/// The page and the videos.
pub fn routes(feed: Feed) -> Router {
    let videos = ServeDir::new(feed.folder());
    Router::new().route("/feed", get(page)).nest_service("/feed/media", videos).with_state(feed)
}

#[derive(Template)]
#[template(path = "feed.html")]
struct Page {
    posts: Vec<FeedPost>,
}

async fn page(State(feed): State<Feed>) -> Response {
    let page = feed.posts().map(|posts| Page { posts }.render());
    let Ok(Ok(html)) = page else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "The feed cannot be read now.").into_response();
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    ];
    (headers, Html(html)).into_response()
}
