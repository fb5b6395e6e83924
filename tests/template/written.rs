//! The template as it is written, for what the host's reading of it passes over: roles, policies, encryption.
//!
//! `!Ref X` is `{"Ref": "X"}` and `!GetAtt X.Arn` is `{"Fn::GetAtt": "X.Arn"}`, however they are spelled.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// A template.
pub(super) fn parse(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).unwrap();
    json_of(documents.first().unwrap())
}

fn json_of(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => items.iter().map(json_of).collect(),
        Yaml::Mapping(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let key = json_of(key);
                (key.as_str().map_or_else(|| key.to_string(), str::to_owned), json_of(value))
            });
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Yaml::Tagged(tag, inner) => match tag.suffix.as_str() {
            name @ ("Ref" | "Condition") => json!({name: json_of(inner)}),
            name => json!({format!("Fn::{name}"): json_of(inner)}),
        },
        other => panic!("the template has {other:?}, which CloudFormation does not read"),
    }
}

/// The resources of a type with their logical ids.
pub(super) fn of_type<'t>(
    template: &'t Value,
    kind: &'t str,
) -> impl Iterator<Item = (&'t str, &'t Value)> {
    let resources = template["Resources"].as_object().unwrap();
    resources
        .iter()
        .filter(move |(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
}

/// One thing, or a list of things, as a list: CloudFormation reads both.
pub(super) fn listed(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// What stands where a resource is named, as a text: `TagQueue.Arn`, `MediaBucket.Arn/in/*`, `*`.
pub(super) fn named(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(attribute) = value["Fn::GetAtt"].as_str() {
        return attribute.to_owned();
    }
    match value["Fn::Sub"].as_str() {
        Some(text) => text.replace("${", "").replace('}', ""),
        None => panic!("{value} names no resource in a way that this test reads"),
    }
}

/// The logical id in `{"Fn::GetAtt": "X.Arn"}`.
pub(super) fn arn_of(value: &Value) -> Option<&str> {
    value["Fn::GetAtt"].as_str()?.strip_suffix(".Arn")
}
