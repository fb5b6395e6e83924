//! What happened, told on an EventBridge bus.
//!
//! An event's source is `nexus.{product}`, its detail type the kind, its detail the whole event: EventBridge's own
//! time has whole seconds only. A call takes ten entries and 256 KB; an answer of 200 may say of each that it failed.
//! What failed for the moment is sent again, alone; what still fails then is counted.
//!
//! What a role needs: `events:PutEvents` on the bus.

use std::error::Error;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::DisplayErrorContext;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry as Entry;
use nexus_core::bus::{Bus, BusError, Event};

/// The most entries in one call, as EventBridge has it.
const BATCH: usize = 10;
/// The most bytes in one call, as EventBridge has it.
const BATCH_BYTES: usize = 256 * 1024;
/// What EventBridge counts for an entry's time.
const TIME_BYTES: usize = 14;
/// How often what failed inside an answer is sent.
const TRIES: usize = 3;

/// A bus.
#[derive(Debug, Clone)]
pub struct EventBridgeBus {
    client: Client,
    name: String,
}

/// Why an event was not told.
#[derive(Debug, thiserror::Error)]
#[error("EventBridge: {0}")]
struct NotTold(String);

type Cause = Box<dyn Error + Send + Sync>;

impl EventBridgeBus {
    /// The bus of this name or ARN; `default` is the account's.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(config), name: name.into() }
    }

    fn entry(&self, event: &Event) -> Result<Entry, BusError> {
        let detail = serde_json::to_string(event).map_err(|e| BusError::Refused(e.to_string()))?;
        let entry = Entry::builder()
            .event_bus_name(&self.name)
            .source(format!("nexus.{}", event.product().name()))
            .detail_type(event.kind())
            .time(DateTime::from(SystemTime::from(event.at())))
            .detail(detail);
        Ok(entry.build())
    }

    /// Tells at most a call's worth. How many were not told, and the first reason.
    async fn put(&self, mut entries: Vec<Entry>) -> (usize, Option<Cause>) {
        let (mut lost, mut why) = (0, None);
        for tried in 1..=TRIES {
            let request = self.client.put_events().set_entries(Some(entries.clone()));
            let answer = match request.send().await {
                Ok(answer) => answer,
                Err(error) => {
                    let cause = NotTold(DisplayErrorContext(error).to_string());
                    return (lost + entries.len(), why.or(Some(Box::new(cause))));
                }
            };
            let told = answer.entries();
            if told.len() != entries.len() {
                let cause = NotTold(format!("{} entries, {} answers", entries.len(), told.len()));
                return (lost + entries.len(), why.or(Some(Box::new(cause))));
            }
            let mut again = Vec::new();
            for (entry, told) in entries.into_iter().zip(told) {
                let Some(code) = told.error_code() else { continue };
                if tried < TRIES && may_pass(code) {
                    again.push(entry);
                    continue;
                }
                lost += 1;
                let message = told.error_message().unwrap_or_default();
                why.get_or_insert_with(|| Box::new(NotTold(format!("{code}: {message}"))));
            }
            if again.is_empty() {
                break;
            }
            entries = again;
        }
        (lost, why)
    }
}

/// Whether what failed so may go through a moment later.
fn may_pass(code: &str) -> bool {
    matches!(code, "ThrottlingException" | "InternalFailure" | "InternalException")
}

fn weight(entry: &Entry) -> usize {
    let text = |t: Option<&str>| t.map_or(0, str::len);
    TIME_BYTES + text(entry.source()) + text(entry.detail_type()) + text(entry.detail())
}

/// Cuts entries into calls, in order.
fn split(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut calls: Vec<Vec<Entry>> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        bytes += weight(&entry);
        match calls.last_mut() {
            Some(call) if call.len() < BATCH && bytes < BATCH_BYTES => call.push(entry),
            _ => {
                bytes = weight(&entry);
                calls.push(vec![entry]);
            }
        }
    }
    calls
}

#[async_trait]
impl Bus for EventBridgeBus {
    async fn tell(&self, events: Vec<Event>) -> Result<(), BusError> {
        let of = events.len();
        let entries = events.iter().map(|e| self.entry(e)).collect::<Result<Vec<_>, _>>()?;
        let (mut failed, mut first) = (0, None);
        for call in split(entries) {
            // One call that fails is no reason not to try the others.
            let (lost, why) = self.put(call).await;
            failed += lost;
            first = first.or(why);
        }
        match first {
            None => Ok(()),
            Some(source) => Err(BusError::Failed { failed, of, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nexus_contract::START;
    use nexus_core::{Caller, Claims, Product};
    use nexus_kernel::Ambient;
    use nexus_kernel::ambient::ManualClock;
    use nexus_kernel::id::TenantId;
    use serde_json::{Value, json};

    use super::*;
    use crate::replay::{answering, sent};

    fn events(count: usize) -> Vec<Event> {
        let groups = vec![format!("{}/operator", TenantId::derived(&["a"]))];
        let claims = Claims { subject: "u1".into(), groups };
        let caller = Caller::from_claims(&claims, Product::Engine, None).unwrap();
        let ambient = Ambient::seeded(Arc::new(ManualClock::at(START)), 1);
        let at = START + jiff::SignedDuration::from_millis(123);
        let make =
            |n| Event::new(caller.scope(), "draft.approved", &json!({ "n": n }), &*ambient.ids, at);
        (0..count).map(|n| make(n).unwrap()).collect()
    }

    /// An answer to so many entries, of which these failed with this code.
    fn answer(of: usize, failed: &[usize], code: &str) -> String {
        let entries: Vec<Value> = (0..of)
            .map(|n| match failed.contains(&n) {
                true => json!({ "ErrorCode": code, "ErrorMessage": "no" }),
                false => json!({ "EventId": format!("e{n}") }),
            })
            .collect();
        json!({ "FailedEntryCount": failed.len(), "Entries": entries }).to_string()
    }

    async fn tell(count: usize, answers: &[(u16, &str)]) -> (Result<(), BusError>, Vec<Value>) {
        let (config, client) = answering(1, answers);
        let outcome = EventBridgeBus::new(&config, "nexus").tell(events(count)).await;
        let bodies = sent(&client).into_iter().map(|(_, _, b)| serde_json::from_str(&b).unwrap());
        (outcome, bodies.collect())
    }

    /// The facts of what a call sent.
    fn told(body: &Value) -> Vec<u64> {
        let detail = |entry: &Value| -> Event {
            serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap()
        };
        let entries = body["Entries"].as_array().unwrap().iter();
        entries.map(|e| detail(e).facts()["n"].as_u64().unwrap()).collect()
    }

    #[tokio::test]
    async fn an_event_is_an_entry_with_everything_in_its_detail() {
        let (outcome, bodies) = tell(1, &[(200, &answer(1, &[], ""))]).await;
        outcome.unwrap();
        let entry = &bodies[0]["Entries"][0];
        assert_eq!(entry["Source"], "nexus.engine");
        assert_eq!(entry["DetailType"], "draft.approved");
        assert_eq!(entry["EventBusName"], "nexus");
        assert_eq!(entry["Time"].as_f64(), Some(1_803_891_600.123));
        let detail: Event = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_eq!(detail, events(1)[0]);
        let (outcome, bodies) = tell(0, &[]).await;
        assert!(outcome.is_ok() && bodies.is_empty(), "nothing to tell is no call");
    }

    #[tokio::test]
    async fn what_failed_inside_an_answer_is_sent_again_alone() {
        let first = answer(10, &[2, 7], "ThrottlingException");
        let second = answer(2, &[1], "InternalFailure");
        let (third, rest) = (answer(1, &[], ""), answer(3, &[], ""));
        let answers = [&first, &second, &third, &rest].map(|a| (200, a.as_str()));
        let (outcome, bodies) = tell(13, &answers).await;
        outcome.unwrap();
        let calls: Vec<_> = bodies.iter().map(told).collect();
        assert_eq!(calls, [(0..10).collect(), vec![2, 7], vec![7], (10..13).collect()]);
    }

    #[tokio::test]
    async fn what_still_fails_is_counted() {
        let some = answer(3, &[0, 2], "ThrottlingException");
        let both = answer(2, &[0, 1], "ThrottlingException");
        let (outcome, bodies) = tell(3, &[(200, &some), (200, &both), (200, &both)]).await;
        let told = outcome.unwrap_err();
        assert_eq!(told.to_string(), "2 of 3 events were not told");
        assert_eq!(told.source().unwrap().to_string(), "EventBridge: ThrottlingException: no");
        assert_eq!(bodies.len(), TRIES);
        // What never passes is not tried again.
        let never = answer(3, &[1], "NotAuthorizedForSourceException");
        let (outcome, bodies) = tell(3, &[(200, &never)]).await;
        assert_eq!(outcome.unwrap_err().to_string(), "1 of 3 events were not told");
        assert_eq!(bodies.len(), 1);
    }

    #[tokio::test]
    async fn a_call_that_fails_does_not_keep_the_others_back() {
        let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#;
        let (outcome, bodies) = tell(12, &[(400, denied), (200, &answer(2, &[], ""))]).await;
        assert_eq!(outcome.unwrap_err().to_string(), "10 of 12 events were not told");
        assert_eq!(bodies.len(), 2);
        let (outcome, _) = tell(3, &[(200, &answer(2, &[], ""))]).await;
        assert_eq!(
            outcome.unwrap_err().to_string(),
            "3 of 3 events were not told",
            "too few answers"
        );
        let (outcome, _) = tell(3, &[]).await;
        assert_eq!(outcome.unwrap_err().to_string(), "3 of 3 events were not told", "a dead line");
    }

    #[test]
    fn calls_keep_ten_entries_and_256_kilobytes() {
        let entry = |bytes: usize| Entry::builder().detail("x".repeat(bytes)).build();
        let sizes = |entries| -> Vec<usize> { split(entries).iter().map(Vec::len).collect() };
        assert_eq!(sizes(Vec::new()), Vec::<usize>::new());
        assert_eq!(sizes((0..21).map(|_| entry(1)).collect()), [10, 10, 1]);
        let third = BATCH_BYTES / 3;
        assert_eq!(sizes((0..4).map(|_| entry(third)).collect()), [2, 2]);
        assert_eq!(sizes(vec![entry(1), entry(BATCH_BYTES), entry(1)]), [1, 1, 1]);
    }
}
