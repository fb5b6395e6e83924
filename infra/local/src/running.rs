//! A function as the host runs it: within its time, within Lambda's payload limits, and counted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::http::{Request, Response};
use futures::FutureExt;
use nexus_handler::{Entry, Invocation, Measures};
use nexus_kernel::{Ambient, Failure};
use serde_json::value::RawValue;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::metrics::{Metrics, Result as Counted};

/// Lambda's limit for the payload of a synchronous call, either way.
pub const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// A function that can be called.
pub struct Running {
    /// The template's logical id.
    pub id: String,
    /// The concern.
    pub name: String,
    /// It is stopped after so long.
    pub timeout: Duration,
    entry: Entry,
    ambient: Ambient,
    metrics: Metrics,
}

/// Why a call gave no reply.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It took longer than the template allows.
    #[error("{0} timed out after {1:?}")]
    TimedOut(String, Duration),
    /// The event or the reply is over Lambda's limit.
    #[error("the {0} is larger than 6 MB")]
    TooLarge(&'static str),
    /// It panicked.
    #[error("{0} panicked")]
    Panicked(String),
    /// It failed.
    #[error(transparent)]
    Failed(Failure),
}

impl Running {
    /// A function of the template.
    pub fn new(
        id: String,
        name: String,
        timeout: Duration,
        entry: Entry,
        ambient: Ambient,
        metrics: Metrics,
    ) -> Self {
        Self { id, name, timeout, entry, ambient, metrics }
    }

    /// One call with an event; HTTP functions take API Gateway's.
    ///
    /// # Errors
    /// It did not reply.
    pub async fn call(
        &self,
        event: &[u8],
        trace: Option<String>,
    ) -> Result<Box<RawValue>, CallError> {
        if event.len() > MAX_PAYLOAD {
            return Err(CallError::TooLarge("event"));
        }
        let at = self.invocation(trace);
        let measures = Arc::clone(&at.measures);
        let work = async {
            match &self.entry {
                Entry::Event(function) => function.call(event, at).await,
                Entry::Http(router) => {
                    let (request_id, router) =
                        (at.request_id.clone(), router.clone().layer(Extension(at)));
                    nexus_lambda::http::answer(router, event, &request_id).await
                }
            }
        };
        let reply = self.bounded(work).await.and_then(|reply| reply.map_err(CallError::Failed));
        let reply = reply.and_then(|reply| match reply.get().len() {
            0..=MAX_PAYLOAD => Ok(reply),
            _ => Err(CallError::TooLarge("reply")),
        });
        self.count(reply.as_ref().err(), &measures);
        if let Err(error) = &reply {
            match error {
                CallError::Failed(failure) => nexus_handler::outcome::log("host", failure),
                other => tracing::error!(function = %self.name, "{other}"),
            }
        }
        reply
    }

    /// One request, straight to the router of an HTTP function.
    ///
    /// # Errors
    /// It did not reply, or it is no HTTP function.
    pub async fn request(&self, mut request: Request<Body>) -> Result<Response<Body>, CallError> {
        let Entry::Http(router) = &self.entry else {
            return Err(CallError::Failed(Failure::bug(format!(
                "{} answers no HTTP requests",
                self.name
            ))));
        };
        let at = self.invocation(None);
        let measures = Arc::clone(&at.measures);
        request.extensions_mut().insert(at);
        let answer = self.bounded(router.clone().oneshot(request)).await;
        self.count(answer.as_ref().err(), &measures);
        answer.map(|answer| match answer {
            Ok(response) => response,
            Err(never) => match never {},
        })
    }

    fn invocation(&self, trace: Option<String>) -> Invocation {
        let request_id = self.ambient.ids.draw().to_string();
        Invocation {
            trace: trace.unwrap_or_else(|| request_id.clone()),
            request_id,
            now: self.ambient.now(),
            deadline: Instant::now() + self.timeout,
            measures: Arc::default(),
        }
    }

    async fn bounded<T>(&self, work: impl Future<Output = T>) -> Result<T, CallError> {
        match tokio::time::timeout(self.timeout, AssertUnwindSafe(work).catch_unwind()).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_panic)) => Err(CallError::Panicked(self.name.clone())),
            Err(_) => Err(CallError::TimedOut(self.name.clone(), self.timeout)),
        }
    }

    fn count(&self, error: Option<&CallError>, measures: &Measures) {
        let result = match error {
            None => Counted::Ok,
            Some(CallError::TimedOut(..)) => Counted::TimedOut,
            Some(_) => Counted::Failed,
        };
        self.metrics.called(&self.name, result);
        self.metrics.found(measures);
    }
}
