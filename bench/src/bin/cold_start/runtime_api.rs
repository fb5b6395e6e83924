//! Lambda's Runtime API for one start: hands out one event and tells when it was asked for and when it was answered.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" (2018-06-01).

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Outcome;

const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// What the function did.
pub(crate) enum Moment {
    /// It asked for its first event, and has it from this moment on.
    Asked(Instant),
    /// It answered.
    Answered(Instant, Bytes),
    /// It told of an error.
    Failed(Bytes),
}

/// A Runtime API. It ends when this is dropped.
pub(crate) struct RuntimeApi {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What the function did, in order.
    pub(crate) moments: mpsc::UnboundedReceiver<Moment>,
    serving: JoinHandle<()>,
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct State {
    event: Bytes,
    handed_out: AtomicBool,
    tell: mpsc::UnboundedSender<Moment>,
    deadline_ms: u128,
}

impl RuntimeApi {
    /// One that hands out this event once.
    pub(crate) async fn start(event: &[u8]) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (tell, moments) = mpsc::unbounded_channel();
        let state = Arc::new(State {
            event: Bytes::copy_from_slice(event),
            handed_out: AtomicBool::new(false),
            tell,
            deadline_ms: in_a_minute()?,
        });
        let serving = tokio::spawn(serve(listener, state));
        Ok(Self { address, moments, serving })
    }
}

/// Milliseconds since 1970.
fn in_a_minute() -> Outcome<u128> {
    #[expect(clippy::disallowed_methods, reason = "the function compares it with its own clock")]
    let now = std::time::SystemTime::now();
    Ok(now.duration_since(std::time::UNIX_EPOCH)?.as_millis() + 60_000)
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    // Dropped with this future, and every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&state)));
            // A function that is killed breaks its connections off.
            let io = TokioIo::new(stream);
            drop(hyper::server::conn::http1::Builder::new().serve_connection(io, service).await);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let plain = |status, body: Bytes| {
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        response
    };
    // Whoever reads the moments may have had enough.
    let tell = |moment| drop(state.tell.send(moment));
    if request.method() == Method::GET && path.ends_with("/runtime/invocation/next") {
        if state.handed_out.swap(true, Ordering::SeqCst) {
            // There is no second event: the function waits until it is ended.
            std::future::pending::<()>().await;
        }
        tell(Moment::Asked(Instant::now()));
        let event = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", REQUEST_ID)
            .header("lambda-runtime-deadline-ms", state.deadline_ms.to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:nexus",
            )
            .header(
                "lambda-runtime-trace-id",
                "Root=1-67ac1c4c-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0",
            )
            .body(Full::new(state.event.clone()));
        return Ok(event.unwrap_or_else(|error| {
            plain(StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into())
        }));
    }
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    if path.ends_with("/response") {
        tell(Moment::Answered(Instant::now(), body));
    } else if path.ends_with("/error") {
        tell(Moment::Failed(body));
    } else {
        return Ok(plain(StatusCode::NOT_FOUND, Bytes::new()));
    }
    Ok(plain(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into()))
}
