//! The networks as servers on loopback: strict where the real ones are strict, and failing when they are told to.
//!
//! What stands under all that is pretended over HTTP stands here, too: the loop over connections, hanging up, and
//! answers that end in their middle.
//!
//! **Never here:** code of the clients (they and this are written against the same descriptions, apart from each
//! other, so that one finds the other's mistakes), time: nothing waits.

pub mod tiktok;
pub mod x;

use std::fmt;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Answers every request that comes over a listener, until it is dropped with its connections. `connected` is told of
/// each connection.
pub(crate) async fn serve<A, F>(listener: TcpListener, connected: impl Fn(), answer: A)
where
    A: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connected();
        let answer = answer.clone();
        let service =
            hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                ended(answer(request.map(Body::new)))
            });
        connections.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            // How a connection ends is the client's matter.
            connection.serve_connection(TokioIo::new(stream), service).await.ok();
        });
        // Those that are over are let go.
        while connections.try_join_next().is_some() {}
    }
}

/// An answer without a socket, for a test whose clock stands still; nothing where the connection would end.
async fn heard(answer: impl Future<Output = Response>) -> Option<axum::http::Response<Bytes>> {
    let (head, body) = ended(answer).await.ok()?.into_parts();
    let body = to_bytes(body, usize::MAX).await.ok()?;
    Some(axum::http::Response::from_parts(head, body))
}

/// In place of an answer: the connection ends.
pub(crate) fn hang_up() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Ends::Unanswered);
    response
}

/// The same answer, of which half comes as if it were all.
pub(crate) fn cut_short(mut response: Response) -> Response {
    response.extensions_mut().insert(Ends::InItsMiddle);
    response
}

/// What a network says that tells back all it was told, secrets and all: the worst that a log or an error could quote.
fn echo(uri: &axum::http::Uri, headers: &axum::http::HeaderMap, body: &[u8]) -> Value {
    let told = headers.get(header::AUTHORIZATION).and_then(|told| told.to_str().ok());
    let told = format!("{uri} {} {}", told.unwrap_or_default(), String::from_utf8_lossy(body));
    serde_json::json!({
        "error": told,
        "error_description": told,
        "title": told,
        "detail": told,
        "type": told,
        "errors": [{ "parameters": { &told: [&told] }, "message": told }],
        "message": told,
    })
}

/// How an answer ends that does not end as it should.
#[derive(Clone, Copy)]
enum Ends {
    Unanswered,
    InItsMiddle,
}

async fn ended(answer: impl Future<Output = Response>) -> Result<Response, HungUp> {
    let response = answer.await;
    match response.extensions().get::<Ends>() {
        None => return Ok(response),
        Some(Ends::Unanswered) => return Err(HungUp),
        Some(Ends::InItsMiddle) => {}
    }
    let (mut head, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.map_err(|_| HungUp)?;
    if whole.is_empty() {
        // An answer that is a status alone has no middle.
        return Err(HungUp);
    }
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(head, Body::from(whole.slice(..whole.len() / 2))))
}

/// Says to the server that there is no answer; it closes the connection then.
#[derive(Debug)]
struct HungUp;

impl fmt::Display for HungUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hung up, as the test wished")
    }
}

impl std::error::Error for HungUp {}
