//! `AWS::SQS::Queue`, standard only.

use std::time::Duration;

use super::plan::{QueuePlan, Redrive};
use super::reading::{Reading, Resource};

pub(super) const KIND: &str = "AWS::SQS::Queue";

const DAY: u32 = 86_400;

pub(super) fn read(reading: &Reading<'_>, resource: &Resource) -> QueuePlan {
    let mut section = reading.properties(resource, KIND);
    if section.boolean("FifoQueue") == Some(true) {
        let place = reading.place_of(&resource.id, "FifoQueue");
        let remedy =
            "use a standard queue: fairness comes from the message group, order from the data";
        reading.wrong(
            place,
            format!("`{}` is a FIFO queue, which the host does not wire", resource.id),
            remedy,
        );
    }
    let visibility =
        section.seconds("VisibilityTimeout", 0..=DAY / 2).unwrap_or(Duration::from_secs(30));
    let four_days = Duration::from_secs((4 * DAY).into());
    let retention = section.seconds("MessageRetentionPeriod", 60..=14 * DAY).unwrap_or(four_days);
    let delay = section.seconds("DelaySeconds", 0..=900).unwrap_or(Duration::ZERO);
    let redrive = section.section("RedrivePolicy", "a redrive policy").and_then(|mut redrive| {
        let max_receives = redrive.integer("maxReceiveCount", 1..=1_000);
        let max_receives = redrive.require("maxReceiveCount", max_receives).unwrap_or(1);
        let dead_letters = redrive.arn("deadLetterTargetArn", KIND);
        let dead_letters = redrive.require("deadLetterTargetArn", dead_letters)?;
        Some(Redrive { dead_letters, max_receives })
    });
    QueuePlan { id: resource.id.clone(), visibility, retention, delay, redrive }
}
