//! The feed's page: the posts as a person would see them, and below each what became of it. Plain HTML, no script, no
//! cookie.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use nexus_core::Table;
use tower_http::services::ServeDir;

use super::lives::{Life, lives};
use super::{Feed, FeedPost};

/// The page and the videos. The table tells what became of the posts.
pub fn routes(feed: Feed, table: Arc<dyn Table>) -> Router {
    let videos = ServeDir::new(feed.folder());
    let shown = Router::new().route("/feed", get(page)).with_state((feed, table));
    shown.nest_service("/feed/media", videos)
}

/// A post, and what became of it where that is known.
struct Shown {
    post: FeedPost,
    life: Option<Life>,
}

#[derive(Template)]
#[template(path = "feed.html")]
struct Page {
    posts: Vec<Shown>,
}

async fn page(State((feed, table)): State<(Feed, Arc<dyn Table>)>) -> Response {
    let unreadable =
        || (StatusCode::INTERNAL_SERVER_ERROR, "The feed cannot be read now.").into_response();
    let Ok(posts) = feed.posts() else { return unreadable() };
    let wanted: Vec<&str> = posts.iter().map(|post| post.key.as_str()).collect();
    let mut lives = match lives(&*table, &wanted, feed.ambient.now()).await {
        Ok(lives) => lives,
        Err(error) => {
            // The posts are there all the same.
            tracing::warn!(%error, "what became of the feed's posts cannot be told now");
            Default::default()
        }
    };
    let with_life = |post: FeedPost| Shown { life: lives.remove(&post.key), post };
    let Ok(html) = (Page { posts: posts.into_iter().map(with_life).collect() }).render() else {
        return unreadable();
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    ];
    (headers, Html(html)).into_response()
}
