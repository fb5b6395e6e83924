//! `template.yaml`, as far as measurements and costs ask it: which functions, with which memory, settings and
//! events, and how many of everything else.
//!
//! `!Ref X` is `{"Ref": "X"}` and `!GetAtt X.Arn` is `{"Fn::GetAtt": "X.Arn"}`.
//!
//! **Never here:** whether the template is right: the host and `tests/template.rs` ask that.

use std::error::Error;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// The template.
#[derive(Debug, Clone)]
pub struct Template(Value);

/// A function of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its logical id.
    pub id: String,
    /// Its binary.
    pub binary: String,
    /// MB of memory.
    pub memory_mb: u32,
    /// MB of `/tmp`.
    pub storage_mb: u32,
    /// Seconds that a call may take.
    pub timeout: u32,
    /// Its settings, with those of all functions.
    pub settings: Vec<(String, Setting)>,
    /// Queues that it reads: the queue's id, and the maximum concurrency where one is set.
    pub queues: Vec<(String, Option<u32>)>,
    /// Its schedules, as written: `rate(1 minute)`.
    pub schedules: Vec<String>,
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// A text.
    Text(String),
    /// What belongs to these resources, by logical id.
    Of(Vec<String>),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// It is no YAML, or has what CloudFormation does not read.
    pub fn parse(text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let documents = Yaml::load_from_str(text)?;
        json_of(documents.first().ok_or("the template is empty")?).map(Self)
    }

    /// The repository's.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of_repository() -> Result<Self, Box<dyn Error + Send + Sync>> {
        Self::parse(&std::fs::read_to_string(crate::root().join("template.yaml"))?)
    }

    /// The resources of a type, with their logical ids, in the order of the ids.
    pub fn of_type<'t>(&'t self, kind: &'t str) -> impl Iterator<Item = (&'t str, &'t Value)> {
        let resources = self.0["Resources"].as_object().into_iter().flatten();
        resources
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
    }

    /// How many resources there are of a type.
    pub fn count(&self, kind: &str) -> usize {
        self.of_type(kind).count()
    }

    /// Its functions.
    pub fn functions(&self) -> Vec<Function> {
        self.of_type("AWS::Serverless::Function").map(|(id, p)| self.function(id, p)).collect()
    }

    fn function(&self, id: &str, properties: &Value) -> Function {
        let number = |value: &Value, default: u32| {
            value.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(default)
        };
        let variables = |of: &Value| -> Vec<(String, Setting)> {
            let variables = of["Environment"]["Variables"].as_object().into_iter().flatten();
            variables.map(|(name, value)| (name.clone(), self.setting(value))).collect()
        };
        let mut settings = variables(&self.0["Globals"]["Function"]);
        settings.extend(variables(properties));
        let events = || properties["Events"].as_object().into_iter().flatten().map(|(_, e)| e);
        let queue = |event: &Value| {
            let of = &event["Properties"];
            let (queue, _) = of["Queue"]["Fn::GetAtt"].as_str()?.split_once('.')?;
            let concurrency = of["ScalingConfig"]["MaximumConcurrency"].as_u64();
            Some((queue.to_owned(), concurrency.and_then(|n| u32::try_from(n).ok())))
        };
        let binary = &self.0["Resources"][id]["Metadata"]["BuildProperties"]["Binary"];
        Function {
            id: id.to_owned(),
            binary: binary.as_str().unwrap_or_default().to_owned(),
            memory_mb: number(&properties["MemorySize"], 128),
            storage_mb: number(&properties["EphemeralStorage"]["Size"], 512),
            timeout: number(&properties["Timeout"], 3),
            settings,
            queues: events().filter(|e| e["Type"] == "SQS").filter_map(queue).collect(),
            schedules: events()
                .filter(|e| e["Type"] == "Schedule" || e["Type"] == "ScheduleV2")
                .filter_map(|e| {
                    let of = &e["Properties"];
                    let written = of["Schedule"].as_str().or(of["ScheduleExpression"].as_str());
                    written.map(str::to_owned)
                })
                .collect(),
        }
    }

    /// A setting's value; a parameter of the template has its default.
    fn setting(&self, value: &Value) -> Setting {
        let parameter = value["Ref"].as_str().map(|name| &self.0["Parameters"][name]["Default"]);
        match parameter.filter(|default| !default.is_null()).unwrap_or(value) {
            Value::String(text) => Setting::Text(text.clone()),
            number @ (Value::Number(_) | Value::Bool(_)) => Setting::Text(number.to_string()),
            other => {
                let mut named = Vec::new();
                resources(other, &mut named);
                Setting::Of(named)
            }
        }
    }
}

/// How often a schedule fires in a month of 730 hours.
///
/// # Errors
/// It is no `rate(…)` of minutes, hours or days.
pub fn runs_a_month(schedule: &str) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let unreadable = || format!("`{schedule}` is no rate of minutes, hours or days");
    let inner = schedule.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')'));
    let (number, unit) = inner.and_then(|i| i.split_once(' ')).ok_or_else(unreadable)?;
    let minutes = match unit.trim_end_matches('s') {
        "minute" => 1.0,
        "hour" => 60.0,
        "day" => 1_440.0,
        _ => return Err(unreadable().into()),
    };
    let number: f64 = number.parse().map_err(|_| unreadable())?;
    if number > 0.0 { Ok(730.0 * 60.0 / (number * minutes)) } else { Err(unreadable().into()) }
}

/// The logical ids that a value names, in order.
fn resources(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| resources(item, into)),
        Value::Object(entries) => {
            for (key, inner) in entries {
                match (key.as_str(), inner.as_str()) {
                    ("Ref", Some(id)) => into.push(id.to_owned()),
                    ("Fn::GetAtt", Some(attribute)) => {
                        into.extend(attribute.split('.').next().map(str::to_owned));
                    }
                    _ => resources(inner, into),
                }
            }
        }
        _ => {}
    }
}

fn json_of(yaml: &Yaml<'_>) -> Result<Value, Box<dyn Error + Send + Sync>> {
    Ok(match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => Value::Array(items.iter().map(json_of).collect::<Result<_, _>>()?),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = json_of(key)?;
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                map.insert(key, json_of(value)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tag, inner) => match tag.suffix.as_str() {
            name @ ("Ref" | "Condition") => json!({name: json_of(inner)?}),
            name => json!({format!("Fn::{name}"): json_of(inner)?}),
        },
        other => return Err(format!("CloudFormation does not read {other:?}").into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
Parameters: {Size: {Type: String, Default: large}}
Globals: {Function: {Environment: {Variables: {TABLE: !Ref Rows}}}}
Resources:
  Rows: {Type: AWS::DynamoDB::Table}
  Letters: {Type: AWS::SQS::Queue}
  Post:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: post}}
    Properties:
      MemorySize: 512
      Timeout: 60
      Environment:
        Variables:
          SPEED: full
          SIZE: !Ref Size
          QUEUES: !Join [' ', [!Ref Letters, !GetAtt Rows.Arn]]
      Events:
        Mail: {Type: SQS, Properties: {Queue: !GetAtt Letters.Arn, ScalingConfig: {MaximumConcurrency: 2}}}
        Clock: {Type: Schedule, Properties: {Schedule: rate(5 minutes)}}
";

    #[test]
    fn a_function_is_read_with_what_it_is_given_and_what_wakes_it() {
        let template = Template::parse(TEXT).unwrap();
        let of = |ids: &[&str]| Setting::Of(ids.iter().map(ToString::to_string).collect());
        assert_eq!(
            template.functions(),
            [Function {
                id: "Post".into(),
                binary: "post".into(),
                memory_mb: 512,
                storage_mb: 512,
                timeout: 60,
                settings: vec![
                    ("TABLE".into(), of(&["Rows"])),
                    ("QUEUES".into(), of(&["Letters", "Rows"])),
                    ("SIZE".into(), Setting::Text("large".into())),
                    ("SPEED".into(), Setting::Text("full".into())),
                ],
                queues: vec![("Letters".into(), Some(2))],
                schedules: vec!["rate(5 minutes)".into()],
            }]
        );
        assert_eq!(template.count("AWS::SQS::Queue"), 1);
    }

    #[test]
    fn a_rate_is_so_often_a_month() {
        let often = |schedule| runs_a_month(schedule).map_err(|e| e.to_string());
        assert_eq!(often("rate(1 minute)"), Ok(43_800.0));
        assert_eq!(often("rate(5 minutes)"), Ok(8_760.0));
        assert_eq!(often("rate(1 hour)"), Ok(730.0));
        assert_eq!(often("rate(2 days)"), Ok(15.208333333333334));
        for wrong in ["rate(0 minutes)", "rate(1 week)", "cron(0 3 * * ? *)", "rate(-1 hours)", ""]
        {
            assert!(often(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_repositorys_template_has_functions_queues_and_schedules() {
        let template = Template::of_repository().unwrap();
        let functions = template.functions();
        assert!(functions.iter().all(|f| !f.binary.is_empty() && f.memory_mb >= 128));
        assert!(functions.iter().flat_map(|f| &f.schedules).all(|s| runs_a_month(s).is_ok()));
        assert!(functions.iter().any(|f| !f.queues.is_empty()));
    }
}
