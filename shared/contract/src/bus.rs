//! The sentences of the bus's contract (see [`nexus_core::bus`]), each as tests.
#![expect(clippy::unwrap_used, reason = "a sentence that does not hold panics: that is its report")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use jiff::SignedDuration;
use nexus_core::bus::{Bus, BusError, Event, MAX_FACTS_BYTES, MAX_KIND_CHARS};
use nexus_core::{Caller, Claims, Product, Scope};
use nexus_kernel::Ambient;
use nexus_kernel::ambient::ManualClock;
use serde_json::json;

use crate::pair::{Pair, START};

/// Whoever listens to the bus of a [`Stand`].
#[async_trait]
pub trait Listener: Send + Sync {
    /// What was heard since this was asked last; waits until at least so many events were, or no more are to come.
    async fn heard(&self, at_least: usize) -> Vec<Event>;
}

/// What the sentences are tried on.
pub struct Stand {
    /// Two handles to the bus.
    pub pair: Pair<dyn Bus>,
    /// Who hears everything on it.
    pub listener: Arc<dyn Listener>,
}

/// The right to the things of a tenant that this word names.
pub(crate) fn scope(tenant: &str, product: Product) -> Scope {
    let tenant = nexus_kernel::id::TenantId::derived(&[tenant]);
    let groups = vec![format!("{tenant}/operator")];
    *Caller::from_claims(&Claims { subject: "u1".into(), groups }, product, None).unwrap().scope()
}

fn ambient() -> Ambient {
    Ambient::seeded(Arc::new(ManualClock::at(START)), 5)
}

fn events(count: usize, ambient: &Ambient) -> Vec<Event> {
    let make = |n| {
        let facts = json!({ "draft": format!("dft_{n}"), "n": n });
        let at = START + SignedDuration::from_millis(i64::try_from(n).unwrap());
        let scope = scope(if n % 2 == 0 { "a" } else { "b" }, Product::Engine);
        Event::new(&scope, "draft.approved", &facts, &*ambient.ids, at).unwrap()
    };
    (0..count).map(make).collect()
}

fn by_id(events: &[Event]) -> BTreeMap<String, &Event> {
    events.iter().map(|event| (event.id().to_string(), event)).collect()
}

/// 1: with everything in it.
pub async fn s01_what_was_told_is_heard_whole(stand: &Stand) {
    let ambient = ambient();
    let at = START + SignedDuration::from_millis(123);
    let facts = json!({ "text": "Señal 😀 \" ' \\", "n": -1, "list": [true, null], "of": {} });
    let scope = scope("a", Product::Engine);
    let told = Event::new(&scope, "post.live", &facts, &*ambient.ids, at).unwrap();
    stand.pair.one.tell(vec![told.clone()]).await.unwrap();
    let heard = stand.listener.heard(1).await;
    assert_eq!(heard, [told]);
    assert_eq!((heard[0].owner(), heard[0].product()), (scope.owner(), Product::Engine));
    assert_eq!((heard[0].kind(), heard[0].at(), heard[0].facts()), ("post.live", at, &facts));
}

/// 2: more than one call of any service takes.
pub async fn s02_any_number_is_told(stand: &Stand) {
    let ambient = ambient();
    stand.pair.one.tell(Vec::new()).await.unwrap();
    let told = events(57, &ambient);
    stand.pair.other.tell(told.clone()).await.unwrap();
    let heard = stand.listener.heard(told.len()).await;
    assert_eq!(by_id(&heard), by_id(&told));
}

/// 2: from both handles at once.
pub async fn s02_concurrent_tellers_lose_nothing(stand: &Stand) {
    let ambient = ambient();
    let told = events(80, &ambient);
    let tellers = stand.pair.handles(8).map(|(n, bus)| {
        let some = told.iter().skip(n * 10).take(10).cloned().collect();
        tokio::spawn(async move { bus.tell(some).await.unwrap() })
    });
    join_all(tellers).await.into_iter().for_each(Result::unwrap);
    let heard = stand.listener.heard(told.len()).await;
    assert_eq!(by_id(&heard), by_id(&told));
}

/// 3: and the largest that can be made are told.
pub async fn s03_the_limits_hold(stand: &Stand) {
    let ambient = ambient();
    let scope = scope("a", Product::Engine);
    let make = |kind: &str, facts: &serde_json::Value| {
        Event::new(&scope, kind, facts, &*ambient.ids, START)
    };
    let of_size = |bytes: usize| json!({ "x": "y".repeat(bytes - r#"{"x":""}"#.len()) });
    let long = "k".repeat(MAX_KIND_CHARS + 1);
    let refused = [
        make("", &json!({})),
        make("Draft", &json!({})),
        make(&long, &json!({})),
        make("k", &json!([])),
        make("k", &of_size(MAX_FACTS_BYTES + 1)),
    ];
    for outcome in refused {
        assert!(matches!(outcome, Err(BusError::Refused(_))), "{outcome:?}");
    }
    let largest = || make(&"k".repeat(MAX_KIND_CHARS), &of_size(MAX_FACTS_BYTES)).unwrap();
    let told: Vec<Event> = (0..40).map(|_| largest()).collect();
    stand.pair.one.tell(told.clone()).await.unwrap();
    let heard = stand.listener.heard(told.len()).await;
    let ids = |events: &[Event]| -> BTreeSet<String> {
        events.iter().map(|e| e.id().to_string()).collect()
    };
    assert_eq!(ids(&heard), ids(&told));
}

sentences! {
    $ bus_contract, bus, Stand:
    s01_what_was_told_is_heard_whole
    s02_any_number_is_told
    s02_concurrent_tellers_lose_nothing
    s03_the_limits_hold
}
