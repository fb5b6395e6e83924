//! The samples in `events/`: one for everything that starts a function, in the shape in which AWS sends it, and none
//! besides. The shapes are those of AWS's documentation and of the fixtures of its own Lambda libraries.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use md5::{Digest, Md5};
use nexus_local::template::plan::{FunctionPlan, Trigger};
use serde_json::Value;

use super::plan;
use crate::sources;

/// The samples by their names.
fn samples() -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(sources::root().join("events")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let event = serde_json::from_slice(&fs::read(&path).unwrap());
            found.insert(name, event.unwrap_or_else(|error| panic!("{path:?}: {error}")));
        }
    }
    found
}

/// How the samples of a function are called: `IngestRecordingFunction` is `ingest-recording`.
fn called(function: &FunctionPlan) -> String {
    let mut name = String::new();
    for letter in function.id.strip_suffix("Function").unwrap().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// What starts the function whose samples are called so.
fn triggers(named: &str) -> Vec<(FunctionPlan, Trigger)> {
    let functions = plan().functions.into_iter().filter(|function| called(function) == named);
    functions.flat_map(|f| f.triggers.clone().into_iter().map(move |t| (f.clone(), t))).collect()
}

#[test]
fn every_event_source_has_a_sample_and_every_sample_a_source() {
    let mut wanted = BTreeSet::new();
    for function in plan().functions {
        for trigger in &function.triggers {
            let kind = match trigger {
                Trigger::Http { .. } => "httpapi",
                Trigger::Queue { .. } => "sqs",
                Trigger::Schedule { .. } => "schedule",
            };
            wanted.insert(format!("{}.{kind}.json", called(&function)));
        }
    }
    assert_eq!(samples().into_keys().collect::<BTreeSet<_>>(), wanted);
}

/// Checks an object's keys: all of `must`, and besides them nothing but `may`.
#[track_caller]
fn keys(at: &str, object: &Value, must: &[&str], may: &[&str]) {
    let object = object.as_object().unwrap_or_else(|| panic!("{at} is no object: {object}"));
    for key in must {
        assert!(object.contains_key(*key), "{at} has no `{key}`");
    }
    for key in object.keys() {
        assert!(must.contains(&key.as_str()) || may.contains(&key.as_str()), "{at} has `{key}`");
    }
}

#[track_caller]
fn texts(at: &str, object: &Value) {
    for (key, value) in object.as_object().unwrap() {
        assert!(value.is_string(), "{at}: `{key}` is a text on AWS, this is {value}");
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("`{key}` is no text in {value}"))
}

#[test]
fn samples_of_queues_are_as_sqs_sends_them() {
    let mut seen = 0;
    for (name, event) in samples() {
        let Some(function) = name.strip_suffix(".sqs.json") else { continue };
        keys(&name, &event, &["Records"], &[]);
        for record in event["Records"].as_array().unwrap() {
            let must = [
                "messageId",
                "receiptHandle",
                "body",
                "attributes",
                "messageAttributes",
                "md5OfBody",
                "eventSource",
                "eventSourceARN",
                "awsRegion",
            ];
            keys(&name, record, &must, &["md5OfMessageAttributes"]);
            let must = [
                "ApproximateReceiveCount",
                "SentTimestamp",
                "SenderId",
                "ApproximateFirstReceiveTimestamp",
            ];
            keys(&name, &record["attributes"], &must, &["MessageGroupId", "AWSTraceHeader"]);
            texts(&name, &record["attributes"]);
            assert_eq!(record["eventSource"], "aws:sqs", "{name}");
            assert_eq!(record["awsRegion"], "us-east-1", "{name}");
            let body = text(record, "body");
            assert_eq!(text(record, "md5OfBody"), hex::encode(Md5::digest(body)), "{name}");
            // CloudFormation names a queue after the stack and its logical id.
            let (arn, mut read) = (text(record, "eventSourceARN"), Vec::new());
            for (_, trigger) in triggers(function) {
                let Trigger::Queue { queue, .. } = trigger else { continue };
                read.push(queue);
            }
            assert!(read.iter().any(|q| arn.contains(&format!(":nexus-{q}-"))), "{name}: {arn}");
            let body: Value = serde_json::from_str(body).unwrap();
            match body.get("Records") {
                Some(records) => {
                    for notice in records.as_array().unwrap() {
                        bucket_notice(&name, notice);
                    }
                }
                None => keys(&name, &body, &["product", "owner", "trace", "message"], &[]),
            }
            seen += 1;
        }
    }
    assert!(seen > 0);
}

/// What S3 writes into the body of a message.
fn bucket_notice(name: &str, notice: &Value) {
    let must = [
        "eventVersion",
        "eventSource",
        "awsRegion",
        "eventTime",
        "eventName",
        "userIdentity",
        "requestParameters",
        "responseElements",
        "s3",
    ];
    keys(name, notice, &must, &[]);
    assert_eq!(notice["eventSource"], "aws:s3", "{name}");
    assert!(!text(notice, "eventName").starts_with("s3:"), "{name}: only a filter says `s3:`");
    let s3 = &notice["s3"];
    keys(name, s3, &["s3SchemaVersion", "configurationId", "bucket", "object"], &[]);
    keys(name, &s3["bucket"], &["name", "ownerIdentity", "arn"], &[]);
    keys(name, &s3["object"], &["key", "size", "eTag", "sequencer"], &["versionId"]);
    assert!(s3["object"]["size"].is_u64(), "{name}");
    assert!(text(&s3["object"], "sequencer").bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    // Encoded as a form is, so that it never has a space. Our keys have nothing that would be encoded.
    let key = text(&s3["object"], "key");
    let told = plan().buckets.into_iter().flat_map(|bucket| bucket.notifications);
    let event = text(notice, "eventName");
    assert!(told.into_iter().any(|n| n.covers(event, key)), "{name}: nobody is told of {key}");
}

#[test]
fn samples_of_requests_are_as_the_gateway_sends_them() {
    let mut seen = 0;
    for (name, event) in samples() {
        let Some(function) = name.strip_suffix(".httpapi.json") else { continue };
        let must = [
            "version",
            "routeKey",
            "rawPath",
            "rawQueryString",
            "headers",
            "requestContext",
            "isBase64Encoded",
        ];
        let may = ["body", "cookies", "pathParameters", "queryStringParameters", "stageVariables"];
        keys(&name, &event, &must, &may);
        assert_eq!(event["version"], "2.0", "{name}");
        texts(&name, &event["headers"]);
        for header in event["headers"].as_object().unwrap().keys() {
            assert_eq!(*header, header.to_lowercase(), "{name}: the gateway sends small letters");
        }
        let context = &event["requestContext"];
        let must = [
            "accountId",
            "apiId",
            "domainName",
            "domainPrefix",
            "http",
            "requestId",
            "routeKey",
            "stage",
            "time",
            "timeEpoch",
        ];
        keys(&name, context, &must, &["authentication", "authorizer"]);
        keys(
            &name,
            &context["http"],
            &["method", "path", "protocol", "sourceIp", "userAgent"],
            &[],
        );
        assert!(context["timeEpoch"].is_u64(), "{name}");
        assert_eq!(event["routeKey"], context["routeKey"], "{name}");
        if context["stage"] == "$default" {
            assert_eq!(event["rawPath"], context["http"]["path"], "{name}");
        }
        if let Some(authorizer) = context.get("authorizer") {
            keys(&name, authorizer, &["jwt"], &[]);
            keys(&name, &authorizer["jwt"], &["claims", "scopes"], &[]);
            let claims = &authorizer["jwt"]["claims"];
            // The gateway makes texts of all claims: a list becomes `[a b]`, a number its digits.
            texts(&name, claims);
            assert_eq!(claims["token_use"], "access", "{name}");
            assert!(claims.get("aud").is_none(), "{name}: an access token of Cognito has none");
        }
        let mut routes = Vec::new();
        for (_, trigger) in triggers(function) {
            let Trigger::Http { method, path, .. } = trigger else { continue };
            routes.push(format!("{method} {path}"));
        }
        let route = text(&event, "routeKey").to_owned();
        assert!(routes.contains(&route), "{name}: {route} is none of {routes:?}");
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn samples_of_schedules_are_as_eventbridge_sends_them() {
    let mut seen = 0;
    for (name, event) in samples() {
        let Some(function) = name.strip_suffix(".schedule.json") else { continue };
        let must = [
            "version",
            "id",
            "detail-type",
            "source",
            "account",
            "time",
            "region",
            "resources",
            "detail",
        ];
        keys(&name, &event, &must, &[]);
        assert_eq!(event["detail-type"], "Scheduled Event", "{name}");
        assert_eq!(event["source"], "aws.events", "{name}");
        assert_eq!(event["region"], "us-east-1", "{name}");
        keys(&name, &event["detail"], &[], &[]);
        let time: jiff::Timestamp = text(&event, "time").parse().unwrap();
        assert_eq!(time.subsec_nanosecond(), 0, "{name}: EventBridge tells whole seconds");
        let rule = event["resources"][0].as_str().unwrap();
        let ours = triggers(function).into_iter().any(|(f, trigger)| {
            matches!(trigger, Trigger::Schedule { .. })
                && rule.contains(&format!(":rule/nexus-{}", f.id))
        });
        assert!(ours, "{name}: {rule} is no rule of {function}");
        seen += 1;
    }
    assert!(seen > 0);
}
