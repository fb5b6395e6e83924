//! What the host counts, in the text format of Prometheus. Nothing in it names a tenant.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use nexus_core::queues::Depth;
use nexus_handler::{Measure, Measures};
use nexus_kernel::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Result {
    /// With a reply.
    Ok,
    /// With a failure, or too large a reply.
    Failed,
    /// By its timeout.
    TimedOut,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    function: String,
    result: Result,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Found {
    measure: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queue {
    queue: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueAge {
    queue: String,
}

/// The host's counters; clones count into the same.
#[derive(Clone)]
pub struct Metrics {
    calls: Family<Call, Counter>,
    found: Family<Found, Counter>,
    messages: Family<Queue, Gauge>,
    oldest: Family<QueueAge, Gauge<f64, AtomicU64>>,
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("nexus");
        let calls = Family::default();
        registry.register("calls", "Calls of functions by how they ended", calls.clone());
        let found = Family::default();
        registry.register("found", "What calls found that somebody should watch", found.clone());
        let messages = Family::default();
        registry.register("queue_messages", "Messages in queues by state", messages.clone());
        let oldest = Family::default();
        registry.register("queue_oldest_seconds", "Age of the oldest message", oldest.clone());
        Self { calls, found, messages, oldest, registry: Arc::new(registry) }
    }
}

impl Metrics {
    /// A function was called.
    pub fn called(&self, function: &str, result: Result) {
        self.calls.get_or_create(&Call { function: function.to_owned(), result }).inc();
    }

    /// What a call found, as far as it adds up: of the rest the queues themselves tell.
    pub fn found(&self, measures: &Measures) {
        for measure in Measure::ALL.into_iter().filter(|measure| measure.adds_up()) {
            if let Some(count) = measures.get(measure) {
                self.found
                    .get_or_create_owned(&Found { measure: format!("{measure:?}") })
                    .inc_by(count);
            }
        }
    }

    /// A queue is so full.
    pub fn depth(&self, queue: &str, depth: &Depth, now: Timestamp) {
        let set = |state, count: u64| {
            let gauge =
                self.messages.get_or_create_owned(&Queue { queue: queue.to_owned(), state });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set("visible", depth.visible);
        set("in_flight", depth.in_flight);
        set("delayed", depth.delayed);
        let age = depth.oldest.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
        self.oldest.get_or_create_owned(&QueueAge { queue: queue.to_owned() }).set(age);
    }

    /// Everything, as Prometheus reads it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        match text::encode(&mut out, &self.registry) {
            Ok(()) => out,
            Err(_) => String::new(),
        }
    }
}
