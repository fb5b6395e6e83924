//! Writes that a client may send again: the header `Idempotency-Key`.
//!
//! * The same key and the same request: the answer that was kept, with `Idempotency-Replayed: true`.
//! * The same key and another request (method, address or body differ in one byte): 422.
//! * The first one is still running: 409 with `Retry-After`.
//!
//! A key is its sender's, within the tenant that the request is for, for 24 hours. What is kept of an answer is its
//! status, its type, where the thing stands, and up to [`MAX_KEPT_BYTES`] of body; of a longer one, the body is
//! left out and the replay is empty: read the thing where it stands.
//!
//! An answer of 2xx is kept, unless it is marked as [`KeptByNobody`]. One of 4xx says that nothing happened, and frees the key. After one of 5xx, or where
//! the process went away, nobody knows: the same request under the same key is run again. So every route behind
//! this has to bear being run twice: it makes its thing by the first of the
//! [`RepeatableIds`](nexus_core::idempotency::RepeatableIds) that stand in the request's extensions as [`OnceIds`],
//! and finds it where it stands already.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use nexus_core::idempotency::{self, Asked, Begin, Lease};
use nexus_core::{Product, Table};
use nexus_kernel::{Ambient, Digest, Failure, Ids, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Problem, caller, strict};
use crate::function::Invocation;

/// The header in which a client names a request that it may send again.
pub const KEY_HEADER: &str = "idempotency-key";
/// The header of an answer that was kept.
pub const REPLAYED_HEADER: &str = "idempotency-replayed";
/// The longest key.
pub const MAX_KEY_CHARS: usize = 255;
/// The longest body that is kept.
pub const MAX_KEPT_BYTES: usize = 64 * 1024;
/// How long a request may run where the entrance does not say: an HTTP API waits no longer.
const LONGEST_RUN: SignedDuration = SignedDuration::from_secs(30);

/// What doing requests once needs.
#[derive(Clone)]
pub struct Once {
    /// Whose requests.
    pub product: Product,
    /// Where they are remembered.
    pub table: Arc<dyn Table>,
    /// Time and ids.
    pub ambient: Ambient,
}

/// The ids of a request that has a key, in its extensions.
#[derive(Debug, Clone)]
pub struct OnceIds(pub Arc<dyn Ids>);

/// Stands in the extensions of an answer that tells a secret: it is not kept, and the same request under the same key
/// is run again.
#[derive(Debug, Clone, Copy)]
pub struct KeptByNobody;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    status: u16,
    content_type: Option<String>,
    location: Option<String>,
    /// `None` where it was too long.
    body: Option<String>,
}

/// The middleware.
pub(super) async fn once(
    State(once): State<Arc<Once>>,
    request: Request,
    next: Next,
) -> Result<Response, Response> {
    let writes =
        matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    let Some(word) = request.headers().get(KEY_HEADER).filter(|_| writes).cloned() else {
        return Ok(next.run(request).await);
    };
    let refuse = |failure: Failure| Problem(failure).into_response();
    let word = key(&word).map_err(refuse)?;
    let (mut parts, body) = request.into_parts();
    let caller = caller(&parts, once.product).map_err(refuse)?;
    let body = strict::whole(body).await?;

    let address = parts.uri.path_and_query().map(|p| p.as_str()).unwrap_or_default();
    let request = Digest::of_parts([parts.method.as_str().as_bytes(), address.as_bytes(), &body]);
    let now = once.ambient.now();
    let lease = match parts.extensions.get::<Invocation>() {
        Some(at) => now.saturating_add(at.time_left()),
        None => now.saturating_add(LONGEST_RUN),
    };
    let lease = lease.unwrap_or(Timestamp::MAX);
    let asked = Asked { by: caller.subject(), key: &word, request };
    let table = &*once.table;
    let begun =
        idempotency::begin::<Kept>(table, caller.scope(), asked, &*once.ambient.ids, now, lease);
    let lease = match begun.await.map_err(refuse)? {
        Begin::Fresh(lease) | Begin::Unsure(lease) => lease,
        Begin::Done(kept) => return Ok(replayed(kept)),
        Begin::Running(until) => {
            let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            let failure = Failure::conflict("The first request under this key is still running.");
            return Err(refuse(failure.retry_after(left)));
        }
        Begin::OtherRequest => {
            let problem = "this key was used for another request: choose a new one for each";
            return Err(refuse(Failure::field("Idempotency-Key", problem)));
        }
    };
    let ids: Arc<dyn Ids> = Arc::new(lease.ids(Arc::clone(&once.ambient.ids)));
    parts.extensions.insert(OnceIds(ids));
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    Ok(remember(&once, lease, response).await)
}

fn key(raw: &HeaderValue) -> Result<String, Failure> {
    let word = raw.to_str().unwrap_or_default();
    if word.is_empty() || word.chars().count() > MAX_KEY_CHARS {
        let problem = format!("write 1 to {MAX_KEY_CHARS} visible ASCII characters");
        return Err(Failure::field("Idempotency-Key", problem));
    }
    Ok(word.to_owned())
}

/// Writes down what came of a request. What fails here is logged: the caller is answered either way, and the
/// request stays unsure, so that it runs again should the caller ask again.
async fn remember(once: &Once, lease: Lease<Kept>, response: Response) -> Response {
    let (table, now) = (&*once.table, once.ambient.now());
    let (response, remembered) = match response.status() {
        status if status.is_server_error() => (response, lease.unsure(table, now).await),
        status if status.is_client_error() => (response, lease.nothing_happened(table, now).await),
        _ if response.extensions().get::<KeptByNobody>().is_some() => {
            (response, lease.nothing_happened(table, now).await)
        }
        status => {
            let (parts, body) = response.into_parts();
            // Our own answers are in memory already.
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            let kept = kept(status, &parts.headers, &body);
            let response = Response::from_parts(parts, Body::from(body));
            (response, lease.done(table, kept).await)
        }
    };
    if let Err(error) = remembered {
        tracing::warn!(%error, "what came of a request under a key was not written down");
    }
    response
}

fn kept(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Kept {
    let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
    let fits = body.len() <= MAX_KEPT_BYTES;
    Kept {
        status: status.as_u16(),
        content_type: text(header::CONTENT_TYPE),
        location: text(header::LOCATION),
        body: String::from_utf8(body.to_vec()).ok().filter(|_| fits),
    }
}

fn replayed(kept: Kept) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Body::from(kept.body.unwrap_or_default())).into_response();
    let headers = [
        (header::CONTENT_TYPE, kept.content_type),
        (header::LOCATION, kept.location),
        (HeaderName::from_static(REPLAYED_HEADER), Some("true".to_owned())),
    ];
    for (name, value) in headers {
        if let Some(value) = value.and_then(|v| HeaderValue::try_from(v).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
