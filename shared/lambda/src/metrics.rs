//! What calls found, as metrics of CloudWatch: a line of the embedded metric format on the standard output, which
//! Lambda hands to CloudWatch. The alarms in `template.yaml` stand over them.
//!
//! Source: CloudWatch User Guide, "Embedded metric format specification". A metric without dimensions is one metric
//! for the whole suite; the function's name and the request are properties, which can be searched and cost nothing.

use std::io::Write;
use std::time::SystemTime;

use metrique::emf::Emf;
use metrique::unit_of_work::metrics;
use metrique::writer::{BoxEntrySink, FormatExt, sink::FlushImmediately};
use nexus_handler::{Invocation, Measure};

/// Under which name the metrics stand.
const NAMESPACE: &str = "Nexus";

#[metrics(rename_all = "PascalCase")]
struct Found {
    #[metrics(timestamp)]
    at: SystemTime,
    function: &'static str,
    request: String,
    failed_messages: Option<u64>,
    /// Seconds.
    message_age: Option<u64>,
    dead_letters: Option<u64>,
    stalled_queues: Option<u64>,
    corrected_tallies: Option<u64>,
    lost_clicks: Option<u64>,
}

/// Where metrics go. Clones write to the same.
#[derive(Clone)]
pub(crate) struct Metrics(BoxEntrySink);

impl Metrics {
    /// To a writer, line by line.
    pub(crate) fn to(out: impl Write + Send + Sync + 'static) -> Self {
        let emf = Emf::builder(NAMESPACE.to_owned(), vec![vec![]]).build();
        Self(FlushImmediately::new_boxed(emf.output_to(out)))
    }

    /// Tells what a call found; nothing where it found nothing.
    pub(crate) fn tell(&self, function: &'static str, at: &Invocation) {
        if at.measures.is_empty() {
            return;
        }
        let found = |measure| at.measures.get(measure);
        let found = Found {
            at: at.now.into(),
            function,
            request: at.request_id.clone(),
            failed_messages: found(Measure::FailedMessages),
            message_age: found(Measure::MessageAge),
            dead_letters: found(Measure::DeadLetters),
            stalled_queues: found(Measure::StalledQueues),
            corrected_tallies: found(Measure::CorrectedTallies),
            lost_clicks: found(Measure::LostClicks),
        };
        drop(found.append_on_drop(self.0.clone()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use nexus_kernel::Timestamp;
    use serde_json::json;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn call() -> Invocation {
        Invocation {
            request_id: "8f5c".into(),
            trace: "t".into(),
            now: Timestamp::from_second(1_795_165_260).unwrap(),
            deadline: tokio::time::Instant::now(),
            measures: Arc::default(),
        }
    }

    #[test]
    fn a_call_tells_only_what_it_found_in_the_embedded_metric_format() {
        let (page, call) = (Page::default(), call());
        let metrics = Metrics::to(page.clone());
        metrics.tell("tag", &call);
        assert!(page.0.lock().unwrap().is_empty(), "a call that found nothing writes nothing");

        call.measures.note(Measure::DeadLetters, 3);
        call.measures.note(Measure::StalledQueues, 0);
        metrics.tell("health", &call);
        let line: serde_json::Value = serde_json::from_slice(&page.0.lock().unwrap()).unwrap();
        assert_eq!(
            line,
            json!({
                "_aws": {
                    "CloudWatchMetrics": [{
                        "Namespace": "Nexus",
                        "Dimensions": [[]],
                        "Metrics": [{"Name": "DeadLetters"}, {"Name": "StalledQueues"}],
                    }],
                    "Timestamp": 1_795_165_260_000_u64,
                },
                "DeadLetters": 3,
                "StalledQueues": 0,
                "Function": "health",
                "Request": "8f5c",
            })
        );
    }
}
