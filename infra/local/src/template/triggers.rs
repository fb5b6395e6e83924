//! What starts a function: the `Events` of SAM.

use std::time::Duration;

use http::Method;
use jiff::tz::TimeZone;

use super::apis;
use super::node::Entry;
use super::plan::{ScheduleService, Trigger};
use super::queues;
use super::reading::{Reading, Resource};
use super::section::Section;
use crate::schedule::Expression;

/// HTTP APIs take these; `ANY` would route HEAD and OPTIONS too.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

pub(super) fn read(reading: &Reading<'_>, function: &Resource, event: &Entry) -> Option<Trigger> {
    let mut section = Section::new(reading, "an event", event.place, &event.node);
    let kind = section.text("Type");
    let kind = section.require("Type", kind)?;
    match kind.as_str() {
        "HttpApi" => http(reading, &mut section),
        "SQS" => queue(reading, function, &mut section),
        "Schedule" => rule(reading, &mut section),
        "ScheduleV2" => schedule(reading, &mut section),
        other => {
            section.entry("Properties");
            let remedy = match other {
                "S3" => "let the bucket tell a queue and the function take from it",
                _ => "wire it in the host, or use HttpApi, SQS or Schedule",
            };
            reading.wrong(
                event.place,
                format!("the host does not wire events of type `{other}`"),
                remedy,
            );
            None
        }
    }
}

/// The event's properties; what is wrong with them as a whole is told in the event's line.
fn properties<'a>(
    reading: &'a Reading<'a>,
    section: &mut Section<'a>,
    kind: &'static str,
) -> Option<Section<'a>> {
    let entry = section.entry("Properties");
    let entry = section.require("Properties", entry)?;
    Some(Section::new(reading, kind, section.place(), &entry.node))
}

fn http<'a>(reading: &'a Reading<'a>, section: &mut Section<'a>) -> Option<Trigger> {
    let mut properties = properties(reading, section, "an HttpApi event")?;
    let api = properties.reference("ApiId", apis::KIND);
    let api = properties.require("ApiId", api);
    let path = properties.text("Path");
    let path = properties.require("Path", path).filter(|path| is_path(reading, &properties, path));
    let method = properties.text("Method");
    let method = properties
        .require("Method", method)
        .and_then(|text| method_of(reading, &properties, &text));
    let named =
        properties.section("Auth", "a route's auth").and_then(|mut auth| auth.text("Authorizer"));
    let (api, path, method) = (api?, path?, method?);
    let auth = apis::auth(reading, reading.resource(&api)?, named, properties.place())?;
    reading.claim(format!("the route `{method} {}` of `{api}`", shape(&path)), properties.place());
    Some(Trigger::Http { api, method, path, auth })
}

fn method_of(reading: &Reading<'_>, properties: &Section<'_>, text: &str) -> Option<Method> {
    let upper = text.to_ascii_uppercase();
    let method = METHODS.into_iter().find(|method| method.as_str() == upper);
    if method.is_none() {
        reading.wrong(
            properties.place(),
            format!("`{text}` is no method of a route"),
            "write each method out",
        );
    }
    method
}

/// `/v1/drafts/{id}` or `/v1/{proxy+}`.
fn is_path(reading: &Reading<'_>, properties: &Section<'_>, path: &str) -> bool {
    let mut segments = path.split('/');
    let rooted = segments.next() == Some("");
    let segments: Vec<&str> = segments.collect();
    let last = segments.len().saturating_sub(1);
    let sound = segments.iter().enumerate().all(|(index, segment)| match variable(segment) {
        Some(name) => {
            let plain = name.strip_suffix('+');
            let word = plain.unwrap_or(name);
            (plain.is_none() || index == last)
                && !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        }
        None => {
            !segment.contains(['{', '}', '?', '#', ' '])
                && (!segment.is_empty() || segments.len() == 1)
        }
    });
    if !(rooted && sound) {
        let remedy = "write it as in `/v1/drafts/{id}` or `/v1/{proxy+}`";
        reading.wrong(properties.place(), format!("`{path}` is no path of a route"), remedy);
    }
    rooted && sound
}

fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The path without its variables' names, by which AWS tells routes apart.
fn shape(path: &str) -> String {
    let segment = |segment| match variable(segment) {
        Some(name) if name.ends_with('+') => "{+}",
        Some(_) => "{}",
        None => segment,
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn queue<'a>(
    reading: &'a Reading<'a>,
    function: &Resource,
    section: &mut Section<'a>,
) -> Option<Trigger> {
    let mut properties = properties(reading, section, "an SQS event")?;
    let queue = properties.arn("Queue", queues::KIND);
    let queue = properties.require("Queue", queue);
    let batch_size = properties.integer("BatchSize", 1..=10_000).unwrap_or(10);
    let batching_window =
        properties.seconds("MaximumBatchingWindowInSeconds", 0..=300).unwrap_or(Duration::ZERO);
    let max_concurrency = properties
        .section("ScalingConfig", "a scaling config")
        .and_then(|mut scaling| scaling.integer("MaximumConcurrency", 2..=1_000));
    let partial_failures = properties.texts("FunctionResponseTypes") == ["ReportBatchItemFailures"];
    let enabled = properties.boolean("Enabled").unwrap_or(true);
    if !partial_failures {
        let what = format!("`{}` does not tell which messages of a batch failed", function.id);
        let remedy = "write `FunctionResponseTypes: [ReportBatchItemFailures]`";
        reading.wrong(properties.place(), what, remedy);
    }
    if batch_size > 10 && batching_window.is_zero() {
        let what = format!("a batch of {batch_size} needs a batching window");
        reading.wrong(properties.place(), what, "set MaximumBatchingWindowInSeconds to at least 1");
    }
    let queue = queue?;
    reading.claim(format!("taking from `{queue}`"), properties.place());
    Some(Trigger::Queue {
        queue,
        batch_size,
        batching_window,
        max_concurrency,
        partial_failures,
        enabled,
    })
}

fn rule<'a>(reading: &'a Reading<'a>, section: &mut Section<'a>) -> Option<Trigger> {
    let mut properties = properties(reading, section, "a Schedule event")?;
    let expression = expression(reading, &mut properties, "Schedule");
    let switch = properties.boolean("Enabled");
    let enabled = state(reading, &mut properties).or(switch).unwrap_or(true);
    let input = input(reading, &mut properties);
    let expression = expression?;
    if expression.is_once() {
        let what = format!("an EventBridge rule does not know `{expression}`");
        reading.wrong(properties.place(), what, "use Type: ScheduleV2");
    }
    let zone = "UTC".to_owned();
    Some(Trigger::Schedule { expression, zone, input, enabled, service: ScheduleService::Rule })
}

fn schedule<'a>(reading: &'a Reading<'a>, section: &mut Section<'a>) -> Option<Trigger> {
    let mut properties = properties(reading, section, "a ScheduleV2 event")?;
    let expression = expression(reading, &mut properties, "ScheduleExpression");
    let zone = properties.text("ScheduleExpressionTimezone").unwrap_or_else(|| "UTC".to_owned());
    if TimeZone::get(&zone).is_err() {
        reading.wrong(
            properties.place(),
            format!("there is no time zone `{zone}`"),
            "write an IANA name",
        );
    }
    let enabled = state(reading, &mut properties).unwrap_or(true);
    let input = input(reading, &mut properties);
    let expression = expression?;
    Some(Trigger::Schedule {
        expression,
        zone,
        input,
        enabled,
        service: ScheduleService::Scheduler,
    })
}

fn expression(
    reading: &Reading<'_>,
    properties: &mut Section<'_>,
    name: &'static str,
) -> Option<Expression> {
    let text = properties.text(name);
    let text = properties.require(name, text)?;
    let place = properties.entry(name).map_or(properties.place(), |entry| entry.node.place);
    match Expression::parse(&text) {
        Ok(expression) => Some(expression),
        Err(error) => {
            reading.wrong(place, error.to_string(), "AWS would refuse it too");
            None
        }
    }
}

fn state(reading: &Reading<'_>, properties: &mut Section<'_>) -> Option<bool> {
    match properties.text("State")?.as_str() {
        "ENABLED" => Some(true),
        "DISABLED" => Some(false),
        other => {
            reading.wrong(
                properties.place(),
                format!("`{other}` is no state"),
                "write ENABLED or DISABLED",
            );
            None
        }
    }
}

fn input(reading: &Reading<'_>, properties: &mut Section<'_>) -> Option<String> {
    let text = properties.text("Input")?;
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        reading.wrong(properties.place(), format!("`Input` is no JSON ({error})"), "correct it");
    }
    Some(text)
}
