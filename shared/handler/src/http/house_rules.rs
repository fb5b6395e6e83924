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

use super::idempotency::{self, Once};
use super::{Problem, Refusal};
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
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use axum::routing::get;
    use nexus_core::table::{CommitError, CommitToken, Page, Query, Slice, StoreError};
    use nexus_core::{Item, Key, Op, Product, Table};
    use nexus_kernel::Ambient;
    use tower::ServiceExt;

    use super::*;

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

    #[tokio::test]
    async fn a_panic_is_told_as_our_mistake_and_no_more() {
        async fn broken() -> &'static str {
            panic!("secret detail")
        }
        let once =
            Once { product: Product::Engine, table: Arc::new(NoTable), ambient: Ambient::system() };
        let routes = house_rules(Router::new().route("/", get(broken)), once);
        let response =
            routes.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }
}
