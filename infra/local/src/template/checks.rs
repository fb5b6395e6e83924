//! What must hold between the parts: the rules that a deployment would break late, or never tell.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::plan::{FunctionPlan, Plan, QueuePlan, Trigger};
use super::reading::Reading;

/// A message comes again only after its function had its chances, Lambda's own retries among them.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
const VISIBILITY_PER_TIMEOUT: u32 = 6;
/// Dead letters are kept as long as SQS keeps anything.
const DEAD_LETTERS_KEPT: Duration = Duration::from_secs(14 * 86_400);
/// The gateway gives up after this.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);

pub(super) fn all(reading: &Reading<'_>, plan: &Plan) {
    let queues: BTreeMap<&str, &QueuePlan> =
        plan.queues.iter().map(|queue| (queue.id.as_str(), queue)).collect();
    let mut taken = BTreeSet::new();
    for function in &plan.functions {
        for trigger in &function.triggers {
            match trigger {
                Trigger::Queue { queue, batching_window, .. } => {
                    taken.insert(queue.as_str());
                    if let Some(queue) = queues.get(queue.as_str()) {
                        visibility(reading, function, queue, *batching_window);
                    }
                }
                Trigger::Http { .. } => request_time(reading, function),
                Trigger::Schedule { .. } => {}
            }
        }
    }
    dead_letters(reading, plan, &queues, &taken);
}

fn visibility(reading: &Reading<'_>, function: &FunctionPlan, queue: &QueuePlan, window: Duration) {
    let wanted = function.timeout * VISIBILITY_PER_TIMEOUT + window;
    if queue.visibility < wanted {
        let what = format!(
            "`{}` hides a message for {} s only, while `{}` may work on it for {} s",
            queue.id,
            queue.visibility.as_secs(),
            function.id,
            function.timeout.as_secs()
        );
        let remedy = format!(
            "set VisibilityTimeout to at least {} (6 times, and the window)",
            wanted.as_secs()
        );
        reading.wrong(reading.place_of(&queue.id, "VisibilityTimeout"), what, remedy);
    }
}

fn request_time(reading: &Reading<'_>, function: &FunctionPlan) {
    if function.timeout > LONGEST_REQUEST {
        let what = format!("`{}` may take longer than the gateway waits", function.id);
        reading.wrong(reading.place_of(&function.id, "Timeout"), what, "set Timeout to at most 30");
    }
}

fn dead_letters(
    reading: &Reading<'_>,
    plan: &Plan,
    queues: &BTreeMap<&str, &QueuePlan>,
    taken: &BTreeSet<&str>,
) {
    let named = plan.queues.iter().filter_map(|queue| queue.redrive.as_ref());
    let dead: BTreeSet<&str> = named.map(|redrive| redrive.dead_letters.as_str()).collect();
    for queue in plan.queues.iter().filter(|queue| !dead.contains(queue.id.as_str())) {
        let Some(resource) = reading.resource(&queue.id) else { continue };
        // A policy that could not be read has been reported.
        if queue.redrive.is_none() && resource.properties.get("RedrivePolicy").is_none() {
            let what = format!(
                "`{}` has no dead-letter queue: a poison message would come for ever",
                queue.id
            );
            reading.wrong(resource.place, what, "add a RedrivePolicy");
        }
        if !taken.contains(queue.id.as_str()) {
            let what = format!("no function takes from `{}`", queue.id);
            reading.wrong(resource.place, what, "give one an SQS event, or take the queue out");
        }
    }
    for dead in dead.iter().filter_map(|id| queues.get(id)) {
        if dead.redrive.is_some() {
            let place = reading.place_of(&dead.id, "RedrivePolicy");
            let what = format!("`{}` holds dead letters and passes them on", dead.id);
            reading.wrong(place, what, "a dead-letter queue has no RedrivePolicy");
        }
        if dead.retention < DEAD_LETTERS_KEPT {
            let place = reading.place_of(&dead.id, "MessageRetentionPeriod");
            let what =
                format!("`{}` forgets dead letters after {} s", dead.id, dead.retention.as_secs());
            reading.wrong(
                place,
                what,
                format!("set MessageRetentionPeriod to {}", DEAD_LETTERS_KEPT.as_secs()),
            );
        }
    }
}
