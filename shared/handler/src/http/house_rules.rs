//! What holds for every answer of every HTTP function, whatever its routes do.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use nexus_kernel::Failure;
use tracing::Instrument as _;
use tracing::field::Empty;

use super::idempotency::{self, Once};
use super::{Problem, Refusal};
use crate::Invocation;
use crate::batch::PANICKED;

/// The routes under the rules of the house: no answer is kept by anybody on its way; an address or a method that
/// nobody knows is told as a problem, as is a panic; writes with an `Idempotency-Key` are done once.
pub fn house_rules(routes: Router, once: Once) -> Router {
    routes
        .fallback(async || Problem(Failure::not_found("address")))
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .layer(from_fn(panics_told))
        .layer(from_fn_with_state(Arc::new(once), idempotency::once))
        .layer(map_response(kept_by_nobody))
        .layer(from_fn(named_in_logs))
}

/// What is logged within a request tells which one it was, and whose, once that is known.
async fn named_in_logs(request: Request, next: Next) -> Response {
    let at = request.extensions().get::<Invocation>();
    let span = tracing::info_span!("request", trace = at.map(|at| &*at.trace), tenant = Empty);
    next.run(request).instrument(span).await
}

async fn panics_told(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => Problem(Failure::bug(PANICKED)).into_response(),
    }
}

async fn kept_by_nobody(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use axum::http::request::Parts;
    use axum::routing::get;
    use nexus_core::table::{CommitError, CommitToken, Page, Query, Slice, StoreError};
    use nexus_core::{Claims, Item, Key, Op, Product, Table};
    use nexus_kernel::{Ambient, Timestamp};
    use tokio::time::Instant;
    use tower::ServiceExt;

    use super::*;
    use crate::http::caller;

    /// Nothing is written in these tests.
    struct NoTable;

    #[async_trait::async_trait]
    impl Table for NoTable {
        async fn get(&self, _: &Key) -> Result<Option<Item>, StoreError> {
            Ok(None)
        }

        async fn query(&self, _: &Query, _: &Page) -> Result<Slice, StoreError> {
            Err(StoreError::BadCursor)
        }

        async fn commit(&self, _: Vec<Op>, _: Option<&CommitToken>) -> Result<(), CommitError> {
            Err(CommitError::TokenReused)
        }

        async fn scan(&self, _: &Page) -> Result<Slice, StoreError> {
            Err(StoreError::BadCursor)
        }
    }

    fn under_the_rules(routes: Router) -> Router {
        let once =
            Once { product: Product::Engine, table: Arc::new(NoTable), ambient: Ambient::system() };
        house_rules(routes, once)
    }

    /// What was logged.
    #[derive(Clone, Default)]
    struct Logged(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Logged {
        fn write(&mut self, told: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(told)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_is_logged_tells_which_request_it_was_and_whose() {
        // With one subscriber alone, `tracing` may ask another test's thread whether anybody listens, and remember
        // its answer for all.
        let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
        let logged = Logged::default();
        let writer = logged.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        let _listening = tracing::subscriber::set_default(subscriber);
        let tenant = format!("ten_{:032x}", 7);
        let fails = async |parts: Parts| -> Problem {
            match caller(&parts, Product::Engine) {
                Ok(_) => Problem(Failure::bug("it broke")),
                Err(failure) => Problem(failure),
            }
        };
        let routes = under_the_rules(Router::new().route("/", get(fails)));
        let groups = vec![format!("{tenant}/operator")];
        let at = Invocation {
            trace: "trace-1".into(),
            request_id: "request-1".into(),
            now: Timestamp::UNIX_EPOCH,
            deadline: Instant::now(),
            measures: Arc::default(),
        };
        let request =
            Request::get("/").extension(Claims { subject: "ada".into(), groups }).extension(at);
        let response = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        let line = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
        assert_eq!(line["span"]["trace"], "trace-1", "{line}");
        assert_eq!(line["span"]["tenant"], tenant, "{line}");
    }

    #[tokio::test]
    async fn a_panic_is_told_as_our_mistake_and_no_more() {
        async fn broken() -> &'static str {
            panic!("secret detail")
        }
        let routes = under_the_rules(Router::new().route("/", get(broken)));
        let response =
            routes.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }
}
