//! `AWS::S3::Bucket`: whom it tells of new objects, and which browsers may reach it.

use super::node::Node;
use super::plan::{BucketPlan, Cors, Notification};
use super::queues;
use super::reading::{Reading, Resource};
use super::section::Section;

pub(super) const KIND: &str = "AWS::S3::Bucket";

/// The host tells of new objects; nothing in the suite listens for anything else.
const CREATED: &str = "s3:ObjectCreated:";

pub(super) fn read(reading: &Reading<'_>, resource: &Resource) -> BucketPlan {
    let mut section = reading.properties(resource, KIND);
    let mut told = section.section("NotificationConfiguration", "a bucket's notifications");
    let told = told.as_mut().map(|told| told.items("QueueConfigurations")).unwrap_or_default();
    let mut cors = section.section("CorsConfiguration", "a bucket's CORS");
    let cors = cors.as_mut().map(|cors| cors.items("CorsRules")).unwrap_or_default();
    BucketPlan {
        id: resource.id.clone(),
        notifications: told.iter().filter_map(|node| notification(reading, node)).collect(),
        cors: cors.iter().map(|node| cors_rule(reading, node)).collect(),
    }
}

fn notification(reading: &Reading<'_>, node: &Node) -> Option<Notification> {
    let mut section = Section::new(reading, "a bucket's notification", node.place, node);
    let event = section.text("Event");
    let event = section.require("Event", event);
    let queue = section.arn("Queue", queues::KIND);
    let queue = section.require("Queue", queue);
    let mut filter = section.section("Filter", "a notification's filter");
    let mut key =
        filter.as_mut().and_then(|filter| filter.section("S3Key", "a notification's key filter"));
    let rules = key.as_mut().map(|key| key.items("Rules")).unwrap_or_default();
    let (mut prefix, mut suffix) = (String::new(), String::new());
    for rule in rules {
        let mut section = Section::new(reading, "a key filter's rule", rule.place, rule);
        let value = section.text("Value").unwrap_or_default();
        match section.text("Name").as_deref() {
            Some("prefix") => prefix = value,
            Some("suffix") => suffix = value,
            _ => {
                reading.wrong(rule.place, "a rule is a prefix or a suffix", "write `Name: prefix`")
            }
        }
    }
    let event = event?;
    if !event.starts_with(CREATED) {
        let remedy = format!("the host tells of created objects only: `{CREATED}*`");
        reading.wrong(node.place, format!("the host does not wire `{event}`"), remedy);
    }
    Some(Notification { event, prefix, suffix, queue: queue? })
}

fn cors_rule(reading: &Reading<'_>, node: &Node) -> Cors {
    let mut section = Section::new(reading, "a bucket's CORS rule", node.place, node);
    Cors {
        origins: section.texts("AllowedOrigins"),
        methods: section.texts("AllowedMethods"),
        headers: section.texts("AllowedHeaders"),
        exposed: section.texts("ExposedHeaders"),
        max_age: section.seconds("MaxAge", 0..=86_400),
    }
}
