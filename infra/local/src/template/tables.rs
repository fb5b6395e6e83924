//! `AWS::DynamoDB::Table`: its keys, its indexes, its time to live.

use std::collections::{BTreeMap, BTreeSet};

use super::node::Node;
use super::plan::{Keys, TablePlan};
use super::reading::{Reading, Resource};
use super::section::Section;

pub(super) const KIND: &str = "AWS::DynamoDB::Table";

pub(super) fn read(reading: &Reading<'_>, resource: &Resource) -> TablePlan {
    let mut section = reading.properties(resource, KIND);
    let attributes = section.items("AttributeDefinitions");
    let attributes: BTreeSet<String> =
        attributes.iter().filter_map(|node| attribute(reading, node)).collect();
    let own = keys(reading, &mut section, &attributes);
    let indexes = section.items("GlobalSecondaryIndexes");
    let indexes: BTreeMap<_, _> =
        indexes.iter().filter_map(|node| index(reading, node, &attributes)).collect();
    let ttl = section.section("TimeToLiveSpecification", "a time to live").and_then(|mut ttl| {
        let name = ttl.text("AttributeName");
        let on = ttl.boolean("Enabled");
        name.filter(|_| on == Some(true))
    });
    let of_indexes =
        indexes.values().flat_map(|keys: &Keys| [Some(&keys.partition), keys.sort.as_ref()]);
    let used: BTreeSet<&String> =
        [Some(&own.partition), own.sort.as_ref()].into_iter().chain(of_indexes).flatten().collect();
    for unused in attributes.iter().filter(|name| !used.contains(name)) {
        let place = reading.place_of(&resource.id, "AttributeDefinitions");
        reading.wrong(
            place,
            format!("no key is made of `{unused}`"),
            "AWS wants keys only: take it out",
        );
    }
    TablePlan { id: resource.id.clone(), keys: own, indexes, ttl }
}

fn attribute(reading: &Reading<'_>, node: &Node) -> Option<String> {
    let mut section = Section::new(reading, "an attribute", node.place, node);
    if section.text("AttributeType").as_deref() != Some("S") {
        reading.wrong(node.place, "the host's keys are text", "write `AttributeType: S`");
    }
    let name = section.text("AttributeName");
    section.require("AttributeName", name)
}

fn keys(reading: &Reading<'_>, section: &mut Section<'_>, attributes: &BTreeSet<String>) -> Keys {
    let mut keys = Keys::default();
    for node in section.items("KeySchema") {
        let mut key = Section::new(reading, "a key", node.place, node);
        let name = key.text("AttributeName").unwrap_or_default();
        if !attributes.contains(&name) {
            reading.wrong(
                node.place,
                format!("`{name}` is not defined"),
                "add it to AttributeDefinitions",
            );
        }
        match key.text("KeyType").as_deref() {
            Some("HASH") => keys.partition = name,
            Some("RANGE") => keys.sort = Some(name),
            _ => reading.wrong(node.place, "a key is HASH or RANGE", "write `KeyType: HASH`"),
        }
    }
    if keys.partition.is_empty() {
        reading.wrong(
            section.place(),
            "there is no partition key",
            "write a KeySchema with `KeyType: HASH`",
        );
    }
    keys
}

fn index(
    reading: &Reading<'_>,
    node: &Node,
    attributes: &BTreeSet<String>,
) -> Option<(String, Keys)> {
    let mut section = Section::new(reading, "an index", node.place, node);
    let name = section.text("IndexName");
    let name = section.require("IndexName", name);
    let keys = keys(reading, &mut section, attributes);
    let projection = section
        .section("Projection", "a projection")
        .and_then(|mut projection| projection.text("ProjectionType"));
    if projection.as_deref() != Some("ALL") {
        let remedy = "write `Projection: {ProjectionType: ALL}`";
        reading.wrong(node.place, "an index of the host holds whole items", remedy);
    }
    Some((name?, keys))
}
