//! `AWS::Serverless::Function`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::FunctionPlan;
use super::reading::{Reading, Resource};
use super::section::Section;
use super::triggers;

pub(super) const KIND: &str = "AWS::Serverless::Function";

pub(super) fn read(reading: &Reading<'_>, resource: &Resource) -> FunctionPlan {
    let mut section = reading.properties(resource, KIND);
    let timeout = section.seconds("Timeout", 1..=900).unwrap_or(Duration::from_secs(3));
    let memory_mb = section.integer("MemorySize", 128..=10_240).unwrap_or(128);
    let env = environment(reading, &mut section);
    let triggers = section
        .entries("Events")
        .iter()
        .filter_map(|event| triggers::read(reading, resource, event))
        .collect();
    let name = concern(reading, resource).unwrap_or_default();
    FunctionPlan { id: resource.id.clone(), name, timeout, memory_mb, env, triggers }
}

fn environment(reading: &Reading<'_>, section: &mut Section<'_>) -> BTreeMap<String, String> {
    let Some(mut environment) = section.section("Environment", "an environment") else {
        return BTreeMap::new();
    };
    let variables = environment.entries("Variables");
    variables
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), reading.text(&entry.node)?)))
        .collect()
}

/// What cargo-lambda builds for it is what the host runs.
fn concern(reading: &Reading<'_>, resource: &Resource) -> Option<String> {
    let properties =
        resource.metadata.as_ref().and_then(|metadata| metadata.get("BuildProperties"));
    match properties.and_then(|properties| properties.get("Binary")) {
        Some(binary) => reading.text(binary),
        None => {
            let what = format!("`{}` does not say what it runs", resource.id);
            reading.wrong(
                resource.place,
                what,
                "set Metadata.BuildProperties.Binary to the crate's binary",
            );
            None
        }
    }
}
