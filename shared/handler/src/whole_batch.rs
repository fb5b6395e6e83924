//! A function that works on all messages of a batch together, because that is cheaper than one by one. It is given what
//! a [`Batch`](crate::Batch) gives: decoding record by record, partial failures, the deadline, the panic catch.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use futures::FutureExt;
use nexus_kernel::Failure;
use tracing::Instrument;

use crate::batch::{FromQueue, MARGIN, PANICKED, age, response};
use crate::env::{Env, SettingsError};
use crate::function::{Function, Invocation, Wire};
use crate::measures::Measure;
use crate::outcome;

/// Messages of a batch that failed together.
#[derive(Debug)]
pub struct Failed {
    /// Which, by their place in the batch.
    pub letters: Vec<usize>,
    /// Why.
    pub why: Failure,
}

/// What happens to the messages of a batch. Each may come twice, alone or among others.
pub trait BatchFunction: Send + Sync + Sized + 'static {
    /// The concern, which is also the binary's name.
    const NAME: &'static str;
    /// What it needs.
    type Deps;
    /// What its queue delivers.
    type Letter: FromQueue + Sync;

    /// The function on its parts.
    fn new(deps: Self::Deps) -> Self;

    /// All messages that could be read; those that failed come again, and end as dead letters.
    fn handle(
        &self,
        letters: &[Self::Letter],
        at: &Invocation,
    ) -> impl Future<Output = Vec<Failed>> + Send;
}

/// A batch function as a function of SQS's events.
#[derive(Debug)]
pub struct WholeBatch<B>(B);

impl<B: BatchFunction, P: ?Sized> Wire<P> for WholeBatch<B>
where
    B: Wire<P, Deps = <B as BatchFunction>::Deps>,
{
    type Deps = <B as BatchFunction>::Deps;

    fn wire(platform: &P, env: &Env) -> Result<<Self as Wire<P>>::Deps, SettingsError> {
        B::wire(platform, env)
    }
}

impl<B: BatchFunction> Function for WholeBatch<B> {
    const NAME: &'static str = B::NAME;
    type Deps = B::Deps;
    type Event = SqsEvent;
    type Reply = SqsBatchResponse;

    fn new(deps: Self::Deps) -> Self {
        Self(B::new(deps))
    }

    async fn handle(&self, event: SqsEvent, at: Invocation) -> Result<SqsBatchResponse, Failure> {
        if let Some(age) = event.records.iter().filter_map(|record| age(record, at.now)).max() {
            at.measures.note(Measure::MessageAge, age);
        }
        let (mut ids, mut letters, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for record in event.records {
            let id = record.message_id.unwrap_or_default();
            match B::Letter::from_queue(record.body.as_deref().unwrap_or_default()) {
                Ok(letter) => {
                    ids.push(id);
                    letters.push(letter);
                }
                Err(poison) => {
                    outcome::log(B::NAME, &poison);
                    failed.push(id);
                }
            }
        }
        let mut places = self.some(&letters, &at).await;
        places.sort_unstable();
        places.dedup();
        failed.extend(places.into_iter().filter_map(|place| ids.get(place).cloned()));
        Ok(response(failed, &at))
    }
}

impl<B: BatchFunction> WholeBatch<B> {
    /// Works on them together; the places of those that failed. One over which the work panics must not take the
    /// others with it into the dead letters: then each is tried alone.
    async fn some(&self, letters: &[B::Letter], at: &Invocation) -> Vec<usize> {
        match self.once(letters, at).await {
            Ok(failed) => failed,
            Err(_) if letters.len() < 2 => (0..letters.len()).collect(),
            Err(_) => {
                let mut failed = Vec::new();
                for (place, letter) in letters.chunks(1).enumerate() {
                    if self.once(letter, at).await.is_ok_and(|alone| alone.is_empty()) {
                        continue;
                    }
                    failed.push(place);
                }
                failed
            }
        }
    }

    /// The places of those that failed; an error where the work panicked.
    async fn once(&self, letters: &[B::Letter], at: &Invocation) -> Result<Vec<usize>, ()> {
        if letters.is_empty() {
            return Ok(Vec::new());
        }
        let span = tracing::info_span!("batch", function = B::NAME, messages = letters.len());
        let work = AssertUnwindSafe(self.0.handle(letters, at)).catch_unwind();
        let limit = at.time_left().saturating_sub(MARGIN);
        let (failed, panicked) =
            match tokio::time::timeout(limit, work.instrument(span.clone())).await {
                Ok(Ok(failed)) => (failed, false),
                Ok(Err(_)) => (vec![all(letters, Failure::bug(PANICKED))], true),
                Err(_) => {
                    let why = Failure::unavailable("The time for this batch was too short.");
                    (vec![all(letters, why)], false)
                }
            };
        span.in_scope(|| {
            for Failed { letters: places, why } in &failed {
                let about = places.first().and_then(|place| letters.get(*place));
                let (trace, tenant) = about.map(FromQueue::origin).unwrap_or_default();
                let among = tracing::info_span!("messages", failed = places.len(), trace, tenant);
                among.in_scope(|| outcome::log(B::NAME, why));
            }
        });
        if panicked {
            return Err(());
        }
        Ok(failed.into_iter().flat_map(|failed| failed.letters).collect())
    }
}

fn all<L>(letters: &[L], why: Failure) -> Failed {
    Failed { letters: (0..letters.len()).collect(), why }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use nexus_kernel::Timestamp;
    use serde_json::json;

    use super::*;

    struct Word(String);

    impl FromQueue for Word {
        fn from_queue(body: &str) -> Result<Self, Failure> {
            if body == "poison" {
                return Err(Failure::invalid("no word"));
            }
            Ok(Self(body.to_owned()))
        }

        fn origin(&self) -> (String, String) {
            (self.0.clone(), "ten".into())
        }
    }

    struct Speak(Arc<AtomicUsize>);

    impl BatchFunction for Speak {
        const NAME: &'static str = "speak";
        type Deps = Arc<AtomicUsize>;
        type Letter = Word;

        fn new(deps: Self::Deps) -> Self {
            Self(deps)
        }

        async fn handle(&self, letters: &[Word], _: &Invocation) -> Vec<Failed> {
            self.0.fetch_add(1, Ordering::Relaxed);
            assert!(letters.iter().all(|word| word.0 != "panic"), "a word that nobody can bear");
            if letters.iter().any(|word| word.0 == "slow") {
                std::future::pending::<()>().await;
            }
            let places = letters.iter().enumerate().filter(|(_, word)| word.0 == "fail");
            let letters = places.map(|(place, _)| place).collect();
            vec![Failed { letters, why: Failure::unavailable("not now") }]
        }
    }

    async fn failed(bodies: &[&str]) -> (Vec<String>, usize) {
        let calls = Arc::new(AtomicUsize::new(0));
        let records: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(n, body)| json!({"messageId": format!("m{n}"), "body": body}))
            .collect();
        let event = serde_json::from_value(json!({ "Records": records })).unwrap();
        let at = Invocation {
            request_id: "request".into(),
            trace: "trace".into(),
            now: Timestamp::UNIX_EPOCH,
            deadline: tokio::time::Instant::now() + Duration::from_secs(30),
            measures: Arc::default(),
        };
        let function = WholeBatch::<Speak>::new(Arc::clone(&calls));
        let reply = function.handle(event, at.clone()).await.unwrap();
        let failed: Vec<String> =
            reply.batch_item_failures.into_iter().map(|f| f.item_identifier).collect();
        let noted = at.measures.get(Measure::FailedMessages).unwrap_or(0);
        assert_eq!(noted, failed.len() as u64);
        (failed, calls.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn all_messages_are_worked_on_in_one_call_and_each_fails_for_itself() {
        assert_eq!(failed(&["a", "b", "c"]).await, (vec![], 1));
        assert_eq!(
            failed(&["a", "poison", "fail", "c"]).await,
            (vec!["m1".into(), "m2".into()], 1)
        );
        assert_eq!(failed(&[]).await, (vec![], 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_over_which_the_work_panics_fails_alone() {
        let (failed, calls) = failed(&["a", "panic", "fail", "d"]).await;
        assert_eq!((failed, calls), (vec!["m1".into(), "m2".into()], 5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_takes_too_long_comes_again_whole() {
        assert_eq!(failed(&["a", "slow"]).await, (vec!["m0".into(), "m1".into()], 1));
    }
}
