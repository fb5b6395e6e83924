//! Live clicks as server-sent events, which API Gateway's HTTP APIs cannot stream: who asks the cursor poll's address
//! for `text/event-stream` gets each click as it is told there, until they go, or their token ends.
//!
//! The events are the poll's own answers, asked of it with the same token. An event's id is a cursor:
//! a browser that comes back sends it as `Last-Event-ID` and goes on behind it.
//!
//! **Never here:** reading clicks: that is the API's.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use futures::stream::{self, Stream};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::running::MAX_PAYLOAD;

/// The cursor poll's address.
pub(crate) const PATH: &str = "/v1/clicks/live";
/// How long after an answer that was the last for now the next is asked.
pub const EVERY: Duration = Duration::from_secs(1);

/// Whether a route whose path ends with all that follows passes the poll on.
pub(crate) fn is_under(path: &str) -> bool {
    path.strip_suffix("{proxy+}").is_some_and(|before| PATH.starts_with(before))
}

/// The poll with the stream before it. A stream ends with the host where the request says when that is, by a
/// [`CancellationToken`] in its extensions.
pub(crate) fn before(poll: MethodRouter) -> MethodRouter {
    any(answer).with_state(poll)
}

/// What the poll answers.
#[derive(Deserialize)]
struct Polled {
    items: Vec<Box<RawValue>>,
    next: String,
    more: bool,
}

async fn answer(State(poll): State<MethodRouter>, request: Request) -> Response {
    if request.method() != Method::GET || !wants_events(&request) {
        return poll.oneshot(request).await.unwrap_or_else(|never| match never {});
    }
    let (parts, _) = request.into_parts();
    let again = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let query = match again {
        Some(cursor) => Some(after(cursor)),
        None => parts.uri.query().map(str::to_owned),
    };
    // The first answer decides: who may not look on is told so as by the poll.
    match ask(&poll, &parts, query).await {
        Ok(first) => {
            Sse::new(events(poll, parts, first)).keep_alive(KeepAlive::default()).into_response()
        }
        Err(refused) => refused,
    }
}

fn wants_events(request: &Request) -> bool {
    let accepted = request.headers().get_all(header::ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/event-stream"))
}

fn after(cursor: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("after", cursor).finish()
}

/// One poll; what is no list of clicks is the caller's answer.
async fn ask(
    poll: &MethodRouter,
    parts: &Parts,
    query: Option<String>,
) -> Result<Polled, Response> {
    let mut asked = Request::new(Body::empty());
    *asked.headers_mut() = parts.headers.clone();
    *asked.extensions_mut() = parts.extensions.clone();
    let uri = query.map_or_else(|| PATH.to_owned(), |query| format!("{PATH}?{query}"));
    let broken = || StatusCode::INTERNAL_SERVER_ERROR.into_response();
    *asked.uri_mut() = uri.parse().map_err(|_| broken())?;
    let response = poll.clone().oneshot(asked).await.unwrap_or_else(|never| match never {});
    if response.status() != StatusCode::OK {
        return Err(response);
    }
    let body =
        axum::body::to_bytes(response.into_body(), MAX_PAYLOAD).await.map_err(|_| broken())?;
    serde_json::from_slice(&body).map_err(|_| broken())
}

/// Where a stream stands.
struct Standing {
    ready: VecDeque<Event>,
    next: String,
    more: bool,
}

impl Standing {
    fn take(&mut self, polled: Polled) {
        let Polled { items, next, more } = polled;
        let last = items.len().saturating_sub(1);
        for (number, item) in items.into_iter().enumerate() {
            let event = Event::default().event("click").data(item.get());
            // Behind the last of an answer alone one can go on: who leaves between them is told all of it again.
            self.ready.push_back(if number == last { event.id(&next) } else { event });
        }
        (self.next, self.more) = (next, more);
    }
}

#[expect(clippy::disallowed_methods, reason = "a stream to a browser goes by the system's clock")]
fn events(
    poll: MethodRouter,
    parts: Parts,
    first: Polled,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut standing = Standing { ready: VecDeque::new(), next: String::new(), more: false };
    standing.take(first);
    let stop = parts.extensions.get::<CancellationToken>().cloned().unwrap_or_default();
    stream::unfold((standing, poll, parts, stop), async |(mut standing, poll, parts, stop)| {
        loop {
            if let Some(event) = standing.ready.pop_front() {
                return Some((Ok(event), (standing, poll, parts, stop)));
            }
            if !standing.more {
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = stop.cancelled() => return None,
                }
            }
            // A token that has ended, or a fault: the browser comes back, and is told what is the matter.
            let polled = ask(&poll, &parts, Some(after(&standing.next))).await.ok()?;
            standing.take(polled);
        }
    })
}
