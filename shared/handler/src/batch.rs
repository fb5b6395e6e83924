//! A queue function writes what happens to one message; the batch adds decoding record by record, bounded
//! concurrency, partial failures, the deadline and the panic catch.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{FutureExt, StreamExt};
use nexus_core::Envelope;
use nexus_kernel::{Failure, Timestamp};
use serde::de::DeserializeOwned;
use tracing::Instrument;

use crate::env::{Env, SettingsError};
use crate::function::{Function, Invocation, Wire};
use crate::measures::Measure;
use crate::outcome;

/// What remains of an invocation's time for telling which messages failed.
pub(crate) const MARGIN: Duration = Duration::from_millis(500);

/// A body that a queue delivers.
pub trait FromQueue: Sized + Send {
    /// Reads the body.
    ///
    /// # Errors
    /// It is nothing that this queue should hold: poison, which ends in the dead-letter queue.
    fn from_queue(body: &str) -> Result<Self, Failure>;

    /// The request that it goes back to, and the tenant, for the log.
    fn origin(&self) -> (String, String);
}

/// A message of our own, with its head.
#[derive(Debug, Clone)]
pub struct Enveloped<M> {
    /// Whose it is and which request it goes back to.
    pub envelope: Envelope,
    /// The message.
    pub message: M,
}

impl<M: DeserializeOwned + Send> FromQueue for Enveloped<M> {
    fn from_queue(body: &str) -> Result<Self, Failure> {
        let (envelope, message) = Envelope::open(body)?;
        Ok(Self { envelope, message })
    }

    fn origin(&self) -> (String, String) {
        (self.envelope.trace().to_owned(), self.envelope.scope().owner().to_string())
    }
}

/// What happens to one message. It may come twice: a step that finds its result only passes on again.
pub trait QueueFunction: Send + Sync + Sized + 'static {
    /// The concern, which is also the binary's name.
    const NAME: &'static str;
    /// How many messages of one batch are worked on at once.
    const CONCURRENCY: usize = 1;
    /// What it needs.
    type Deps;
    /// What its queue delivers.
    type Letter: FromQueue;

    /// The function on its parts.
    fn new(deps: Self::Deps) -> Self;

    /// One message. `Ok` deletes it; a failure lets it come again, and after the queue's receive count it
    /// becomes a dead letter.
    fn handle(
        &self,
        letter: Self::Letter,
        at: &Invocation,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A queue function as a function of whole batches.
#[derive(Debug)]
pub struct Batch<Q>(Q);

impl<Q: QueueFunction, P: ?Sized> Wire<P> for Batch<Q>
where
    Q: Wire<P, Deps = <Q as QueueFunction>::Deps>,
{
    type Deps = <Q as QueueFunction>::Deps;

    fn wire(platform: &P, env: &Env) -> Result<<Self as Wire<P>>::Deps, SettingsError> {
        Q::wire(platform, env)
    }
}

impl<Q: QueueFunction> Function for Batch<Q> {
    const NAME: &'static str = Q::NAME;
    type Deps = Q::Deps;
    type Event = SqsEvent;
    type Reply = SqsBatchResponse;

    fn new(deps: Self::Deps) -> Self {
        Self(Q::new(deps))
    }

    async fn handle(&self, event: SqsEvent, at: Invocation) -> Result<SqsBatchResponse, Failure> {
        if let Some(age) = event.records.iter().filter_map(|record| age(record, at.now)).max() {
            at.measures.note(Measure::MessageAge, age);
        }
        let failed = futures::stream::iter(event.records)
            .map(|record| self.one(record, &at))
            .buffer_unordered(Q::CONCURRENCY.max(1))
            .filter_map(|failed| async move { failed })
            .collect::<Vec<_>>()
            .await;
        Ok(response(failed, &at))
    }
}

impl<Q: QueueFunction> Batch<Q> {
    /// Works on one record; the id of a record that failed.
    async fn one(&self, record: SqsMessage, at: &Invocation) -> Option<String> {
        let id = record.message_id.unwrap_or_default();
        let letter = match Q::Letter::from_queue(record.body.as_deref().unwrap_or_default()) {
            Ok(letter) => letter,
            Err(failure) => {
                outcome::log(Q::NAME, &failure);
                return Some(id);
            }
        };
        let (trace, tenant) = letter.origin();
        let span =
            tracing::info_span!("message", function = Q::NAME, trace = %trace, tenant = %tenant);
        let at = Invocation { trace, ..at.clone() };
        let work = AssertUnwindSafe(self.0.handle(letter, &at)).catch_unwind();
        let limit = at.time_left().saturating_sub(MARGIN);
        let result = match tokio::time::timeout(limit, work.instrument(span.clone())).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Failure::bug(PANICKED)),
            Err(_) => Err(Failure::unavailable("The time for this step was too short.")),
        };
        let failure = result.err()?;
        span.in_scope(|| outcome::log(Q::NAME, &failure));
        Some(id)
    }
}

/// Tells which messages failed: these come again.
pub(crate) fn response(failed: Vec<String>, at: &Invocation) -> SqsBatchResponse {
    if !failed.is_empty() {
        at.measures.note(Measure::FailedMessages, failed.len() as u64);
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed
        .into_iter()
        .map(|id| {
            let mut item = BatchItemFailure::default();
            item.item_identifier = id;
            item
        })
        .collect();
    response
}

/// How many seconds ago a message was sent, where the queue tells.
pub(crate) fn age(record: &SqsMessage, now: Timestamp) -> Option<u64> {
    let sent = record.attributes.get("SentTimestamp")?.parse::<i64>().ok()?;
    u64::try_from(now.as_millisecond().saturating_sub(sent) / 1000).ok()
}

/// What is told of a panic here: its own words are not repeated, and its place stands in the log
/// ([`tell_only_where`](crate::panics::tell_only_where)).
pub(crate) const PANICKED: &str = "it panicked";
