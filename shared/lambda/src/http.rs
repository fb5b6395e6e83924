//! HTTP functions: API Gateway's events become requests to the function's router.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, map_request};
use http_body_util::Full;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent, Response, service_fn};
use nexus_handler::Invocation;
use nexus_kernel::Failure;
use serde_json::value::RawValue;
use tower::ServiceExt;

use crate::metrics::Metrics;
use crate::{claims, clients, start};

/// The router with what functions look for in each request's extensions: the claims of API Gateway's authorizer,
/// the client's address, and the invocation.
pub(crate) fn entrance(router: Router) -> Router {
    router.layer(map_request(async |request: Request| {
        let mut request = clients::into_extensions(claims::into_extensions(request));
        if let Some(context) = request.extensions().get::<Context>() {
            let at = start::invocation(context);
            request.extensions_mut().insert(at);
        }
        request
    }))
}

/// The router, whose calls tell what they found.
pub(crate) fn told(function: &'static str, router: Router, metrics: Metrics) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| {
        let (at, metrics) = (request.extensions().get::<Invocation>().cloned(), metrics.clone());
        async move {
            let response = next.run(request).await;
            if let Some(at) = at {
                metrics.tell(function, &at);
            }
            response
        }
    }))
}

/// The answer of a router to one event of API Gateway (payload 2.0), as API Gateway would take it.
///
/// # Errors
/// The event is not one of API Gateway's.
pub async fn answer(
    router: Router,
    event: &[u8],
    request_id: &str,
) -> Result<Box<RawValue>, Failure> {
    let event: LambdaRequest = serde_json::from_slice(event).map_err(|e| {
        Failure::invalid("This is not an HTTP event of API Gateway (payload 2.0).").caused_by(e)
    })?;
    let mut context = Context::default();
    request_id.clone_into(&mut context.request_id);
    let router = entrance(router);
    // The whole body at once: a streaming one could not be shared with the thread that carries the answer.
    let whole = service_fn(move |request: lambda_http::Request| {
        let router = router.clone();
        async move {
            let (head, body) =
                router.oneshot(request).await.unwrap_or_else(|never| match never {}).into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await?;
            Ok::<_, axum::Error>(Response::from_parts(head, Full::new(body)))
        }
    });
    let answer = Adapter::from(whole)
        .oneshot(LambdaEvent::new(event, context))
        .await
        .map_err(Failure::bug)?;
    serde_json::value::to_raw_value(&answer).map_err(Failure::bug)
}
