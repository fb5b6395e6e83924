use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use http::Method;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::plan::{Auth, Authorizer, Notification, ScheduleService, Trigger};
use super::{Plan, Problem, passed_over, read};

const TEMPLATE: &str = include_str!("../../../../template.yaml");

fn plan(text: &str) -> Plan {
    read(text, &BTreeMap::new()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str) -> Vec<Problem> {
    match read(text, &BTreeMap::new()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0,
    }
}

/// One of everything, small enough to break.
const SMALL: &str = r#"Transform: AWS::Serverless-2016-10-31
Parameters:
  Origin: {Type: String, Default: "http://localhost:8080"}
Globals:
  Function:
    Timeout: 10
    Environment:
      Variables:
        TABLE: !Ref Rows
Resources:
  Rows:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions:
        - {AttributeName: pk, AttributeType: S}
      KeySchema:
        - {AttributeName: pk, KeyType: HASH}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Dead.Arn
        maxReceiveCount: 5
  Dead:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: 1209600
  Media:
    Type: AWS::S3::Bucket
    Properties:
      NotificationConfiguration:
        QueueConfigurations:
          - Event: s3:ObjectCreated:*
            Queue: !GetAtt Jobs.Arn
  Pool:
    Type: AWS::Cognito::UserPool
  Desk:
    Type: AWS::Cognito::UserPoolClient
    Properties:
      UserPoolId: !Ref Pool
  Door:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Staff
        Authorizers:
          Staff:
            JwtConfiguration:
              issuer: !GetAtt Pool.ProviderURL
              audience: [!Ref Desk]
      CorsConfiguration:
        AllowOrigins: [!Ref Origin]
  Api:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: api}}
    Properties:
      Events:
        List:
          Type: HttpApi
          Properties: {ApiId: !Ref Door, Method: GET, Path: "/v1/{kind}"}
        Take:
          Type: HttpApi
          Properties: {ApiId: !Ref Door, Method: POST, Path: /v1/jobs, Auth: {Authorizer: NONE}}
  Work:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: work}}
    Properties:
      Environment:
        Variables:
          JOBS: !Ref Jobs
          HERE: !Sub "${AWS::Region}/${Media}/${!kept}"
      Events:
        Messages:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
            FunctionResponseTypes: [ReportBatchItemFailures]
        Nightly:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: cron(0 3 * * ? *)
            ScheduleExpressionTimezone: Europe/Madrid
            Input: '{"full": true}'
"#;

/// `SMALL` with one passage changed.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(SMALL.matches(from).count(), 1, "`{from}` should stand once in the small template");
    SMALL.replace(from, to)
}

/// What is told of a change, without the line, after seeing that it is one problem, in the line with `at`.
#[track_caller]
fn one(from: &str, to: &str, at: &str) -> String {
    let text = changed(from, to);
    assert_eq!(text.matches(at).count(), 1, "`{at}` should stand once in the changed template");
    let line = text.lines().position(|line| line.contains(at)).map(|index| index + 1);
    match problems(&text).as_slice() {
        [only] if Some(only.place.line) == line => format!("{}: {}", only.what, only.remedy),
        found => panic!("one problem was expected in line {line:?}: {found:#?}"),
    }
}

#[track_caller]
fn says(problem: &str, parts: &[&str]) {
    for part in parts {
        assert!(problem.contains(part), "`{problem}` does not say `{part}`");
    }
}

#[test]
fn the_template_is_the_plan() {
    insta::assert_debug_snapshot!("plan", plan(TEMPLATE));
}

#[test]
fn every_function_of_the_line_is_wired() {
    let plan = plan(TEMPLATE);
    let names: Vec<&str> = plan.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "engine-api",
            "review",
            "click-track",
            "connect",
            "inquire",
            "ingest",
            "ingest",
            "tag",
            "compose",
            "translate",
            "narrate",
            "animate",
            "publish",
            "footage",
            "attribute",
            "recount",
            "refresh",
            "notify",
            "sentiment",
            "listen",
            "relay",
            "retention-sweep",
            "health"
        ]
    );
    for queue in &plan.queues {
        assert_eq!(queue.redrive.is_none(), queue.id.ends_with("DeadLetters"), "{}", queue.id);
    }
}

#[test]
fn settings_are_resolved_and_globals_merged() {
    let plan = plan(TEMPLATE);
    let tag = plan.functions.iter().find(|function| function.name == "tag").unwrap();
    let env: Vec<(&str, &str)> =
        tag.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("BUCKET", "MediaBucket"),
        ("COMPOSE_QUEUE", "ComposeQueue"),
        ("DATA_KEY", "arn:aws:kms:us-east-1:000000000000:key/DataKey"),
        ("TABLE", "EngineTable"),
    ];
    assert_eq!(env, expected);
}

#[test]
fn parameters_stand_in_for_defaults() {
    let given = BTreeMap::from([("DashboardOrigin".to_owned(), "https://desk.example".to_owned())]);
    let plan = read(TEMPLATE, &given).unwrap();
    let origins = |cors: &super::plan::Cors| cors.origins.clone();
    assert_eq!(
        plan.apis.iter().filter_map(|api| api.cors.as_ref()).map(origins).collect::<Vec<_>>(),
        [["https://desk.example"]]
    );
    let unknown = BTreeMap::from([("Origin".to_owned(), String::new())]);
    assert!(read(TEMPLATE, &unknown).unwrap_err().to_string().contains("no parameter `Origin`"));
}

#[test]
fn n47_only_what_holds_nothing_or_brings_its_own_proof_is_public() {
    let plan = plan(TEMPLATE);
    let mut public = Vec::new();
    for trigger in plan.functions.iter().flat_map(|function| &function.triggers) {
        match trigger {
            Trigger::Http { auth: Auth::None, method, path, .. } => {
                public.push((method.clone(), path.as_str()))
            }
            Trigger::Http { auth, .. } => assert_eq!(*auth, Auth::Jwt("Operators".into())),
            _ => {}
        }
    }
    // Descriptions; a draft for whoever has its link; a short link; a product's page; and whoever comes back from a network with a state of ours.
    let (get, post) = (Method::GET, Method::POST);
    let open = [
        (get.clone(), "/openapi.json"),
        (Method::HEAD, "/openapi.json"),
        (get.clone(), "/r/{code}"),
        (Method::HEAD, "/r/{code}"),
        (post.clone(), "/r/{code}"),
        (post, "/r/{code}/note"),
        (get.clone(), "/c/{code}"),
        (Method::HEAD, "/c/{code}"),
        (get.clone(), "/v1/connections/callback"),
        (get.clone(), "/v1/connections/openapi.json"),
        (Method::HEAD, "/v1/connections/openapi.json"),
        (get, "/p/{code}"),
        (Method::HEAD, "/p/{code}"),
        (Method::POST, "/p/{code}"),
    ];
    assert_eq!(public, open);
    assert_eq!(
        plan.apis[0].authorizers["Operators"],
        Authorizer::Jwt {
            issuer: plan.user_pools[0].issuer.clone(),
            audience: vec![plan.clients[0].id.clone()]
        }
    );
}

/// A sample of everything that starts a function: `events/{function}.{trigger}.json`.
#[test]
fn every_trigger_has_a_sample_event() {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    for function in plan(TEMPLATE).functions {
        for trigger in &function.triggers {
            let (trigger, source) = match trigger {
                Trigger::Http { .. } => ("httpapi", "/requestContext/http/method"),
                Trigger::Queue { .. } => ("sqs", "/Records/0/eventSourceARN"),
                Trigger::Schedule { .. } => ("schedule", "/resources/0"),
            };
            let name = format!("{}.{trigger}.json", function.name);
            let text = std::fs::read_to_string(events.join(&name))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let event: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(
                event.pointer(source).is_some_and(serde_json::Value::is_string),
                "{name} has no {source}"
            );
        }
    }
}

#[test]
fn a_notification_covers_what_its_filter_says() {
    let told = |event: &str, prefix: &str, suffix: &str| Notification {
        event: event.into(),
        prefix: prefix.into(),
        suffix: suffix.into(),
        queue: "Q".into(),
    };
    let all = told("s3:ObjectCreated:*", "in/", "");
    assert!(all.covers("ObjectCreated:Put", "in/ten_a/med_b"));
    assert!(all.covers("ObjectCreated:CompleteMultipartUpload", "in/x"));
    assert!(!all.covers("ObjectRemoved:Delete", "in/x"));
    assert!(!all.covers("ObjectCreated:Put", "made/in/x"));
    let one = told("s3:ObjectCreated:Put", "", ".jpg");
    assert!(one.covers("ObjectCreated:Put", "a.jpg") && !one.covers("ObjectCreated:Copy", "a.jpg"));
    assert!(!one.covers("ObjectCreated:Put", "a.png"));
}

#[test]
fn whatever_is_passed_over_has_a_reason_and_one_line() {
    let mut seen = BTreeSet::new();
    for (place, names, reason) in passed_over::PROPERTIES {
        assert!(reason.len() > 5, "{place} {names:?}");
        for name in *names {
            assert!(seen.insert((*place, *name)), "{place} `{name}` stands twice");
        }
    }
    for (kind, reason) in passed_over::RESOURCES {
        assert!(reason.len() > 5, "{kind}");
        assert!(seen.insert((*kind, "")), "{kind} stands twice");
    }
}

// ---- Intrinsics ----

#[test]
fn small_is_whole() {
    let plan = plan(SMALL);
    let work = plan.functions.iter().find(|function| function.name == "work").unwrap();
    assert_eq!(
        work.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
        ["HERE=us-east-1/Media/${kept}", "JOBS=Jobs", "TABLE=Rows"]
    );
    assert_eq!(work.timeout.as_secs(), 10, "from the globals");
    let Trigger::Schedule { zone, input, service, .. } = &work.triggers[1] else {
        panic!("{work:?}")
    };
    assert_eq!((zone.as_str(), input.as_deref()), ("Europe/Madrid", Some(r#"{"full": true}"#)));
    assert_eq!(*service, ScheduleService::Scheduler);
}

#[test]
fn every_spelling_of_a_call_means_the_same() {
    for (spelling, value) in [
        ("{Ref: Jobs}", "Jobs"),
        ("!GetAtt [Jobs, Arn]", "arn:aws:sqs:us-east-1:000000000000:Jobs"),
        ("{'Fn::GetAtt': [Jobs, Arn]}", "arn:aws:sqs:us-east-1:000000000000:Jobs"),
        ("!Sub '${Jobs.Arn}/x'", "arn:aws:sqs:us-east-1:000000000000:Jobs/x"),
        ("!Sub ['${Jobs}-${Own}', {Own: !Ref Origin}]", "Jobs-http://localhost:8080"),
        ("!Join ['-', [a, !Ref Jobs, 7]]", "a-Jobs-7"),
        ("!Select [1, !Split [',', 'a,b,c']]", "b"),
        ("{'Fn::Join': ['', [!Sub '${AWS::AccountId}', '/${x']]}", "000000000000/${x"),
        ("true", "true"),
    ] {
        let plan = plan(&changed("JOBS: !Ref Jobs", &format!("JOBS: {spelling}")));
        assert_eq!(plan.functions[1].env["JOBS"], value, "{spelling}");
    }
}

#[test]
fn what_has_no_value_here_is_told() {
    for (spelling, part) in [
        ("!ImportValue other-stack", "`Fn::ImportValue` cannot be evaluated here"),
        ("!Ref AWS::NoValue", "no value on one machine"),
        ("!GetAtt Media.WebsiteURL", "no value on one machine"),
        ("!GetAtt Door.ApiEndpoint", "no value on one machine"),
        ("!Select [9, [a]]", "nothing to select"),
        ("!Frobnicate x", "no function `Fn::Frobnicate`"),
        ("1.50", "write it in quotes"),
        ("[a]", "text is wanted"),
    ] {
        let text = changed("JOBS: !Ref Jobs", &format!("JOBS: {spelling}"));
        let found = problems(&text);
        assert!(
            found.iter().any(|problem| problem.to_string().contains(part)),
            "{spelling}: {found:?}"
        );
    }
}

// ---- Breakages: each is one problem, told in its line ----

#[test]
fn an_unknown_resource_is_found_even_in_what_is_passed_over() {
    says(&one("JOBS: !Ref Jobs", "JOBS: !Ref Jbos", "Jbos"), &["`Jbos`", "did you mean `Jobs`?"]);
    let role = |text: &str| format!("  Role:\n    Type: AWS::IAM::Role\n    {text}\n  Media:\n");
    says(&one("  Media:\n", &role("DependsOn: Nobody"), "Nobody"), &["`Nobody`", "declare it"]);
    says(
        &one("  Media:\n", &role("Properties: {X: !GetAtt Jobs.Anr}"), "Anr"),
        &["no attribute `Anr`"],
    );
    says(
        &one("  Media:\n", &role("Properties: {X: !Sub 'a ${Job.Arn}'}"), "Job.Arn"),
        &["`Job`", "`Jobs`"],
    );
}

#[test]
fn an_unknown_kind_of_resource_is_refused() {
    let stream = "  Stream:\n    Type: AWS::Kinesis::Stream\n  Media:\n";
    says(&one("  Media:\n", stream, "  Stream:"), &["AWS::Kinesis::Stream", "passed_over.rs"]);
}

#[test]
fn an_unknown_property_is_refused() {
    says(
        &one(
            "MessageRetentionPeriod: 1209600",
            "MessageRetentionPeriod: 1209600\n      MaximumMessageSize: 1024",
            "MaximumMessageSize",
        ),
        &["AWS::SQS::Queue has `MaximumMessageSize`", "passed_over.rs"],
    );
    says(
        &one(
            "      VisibilityTimeout: 60",
            "      VisibilityTimeout: 60\n      DelaySecond: 1",
            "DelaySecond",
        ),
        &["did you mean `DelaySeconds`?"],
    );
    says(
        &one(
            "            FunctionResponseTypes:",
            "            FilterCriteria: {}\n            FunctionResponseTypes:",
            "FilterCriteria",
        ),
        &["an SQS event has `FilterCriteria`"],
    );
    says(
        &one("Resources:\n", "Mappings: {}\nResources:\n", "Mappings"),
        &["a template has `Mappings`"],
    );
}

#[test]
fn an_unknown_kind_of_event_is_refused() {
    let s3 = "        New: {Type: S3, Properties: {Bucket: !Ref Media}}\n        Nightly:\n";
    says(&one("        Nightly:\n", s3, "New:"), &["type `S3`", "tell a queue"]);
}

#[test]
fn a_message_that_would_come_back_too_early_is_refused() {
    says(
        &one("VisibilityTimeout: 60", "VisibilityTimeout: 59", "VisibilityTimeout: 59"),
        &["`Jobs`", "`Work`", "at least 60"],
    );
    says(
        &one(
            "            FunctionResponseTypes",
            "            MaximumBatchingWindowInSeconds: 5\n            FunctionResponseTypes",
            "VisibilityTimeout: 60",
        ),
        &["at least 65"],
    );
    says(&one("      VisibilityTimeout: 60\n", "", "  Jobs:"), &["for 30 s only"]);
}

#[test]
fn a_queue_without_dead_letters_is_refused() {
    let without = changed(
        "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt Dead.Arn\n        maxReceiveCount: 5\n",
        "",
    );
    let told: Vec<String> = problems(&without)
        .iter()
        .map(|problem| format!("{} {}", problem.place.line, problem.what))
        .collect();
    assert_eq!(
        told,
        [
            "18 `Jobs` has no dead-letter queue: a poison message would come for ever",
            "22 `Dead` has no dead-letter queue: a poison message would come for ever",
            "22 no function takes from `Dead`",
        ]
    );
    says(
        &one("MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 86400", "86400"),
        &["set MessageRetentionPeriod to 1209600"],
    );
    says(&one("        maxReceiveCount: 5\n", "", "RedrivePolicy"), &["no `maxReceiveCount`"]);
    says(
        &one(
            "deadLetterTargetArn: !GetAtt Dead.Arn",
            "deadLetterTargetArn: !Ref Dead",
            "!Ref Dead",
        ),
        &["!GetAtt"],
    );
}

#[test]
fn a_batch_that_fails_as_a_whole_is_refused() {
    let response_types = "            FunctionResponseTypes: [ReportBatchItemFailures]\n";
    says(&one(response_types, "", "Messages:"), &["`Work`", "[ReportBatchItemFailures]"]);
}

#[test]
fn a_route_that_stands_twice_is_refused() {
    let twice = r#"Properties: {ApiId: !Ref Door, Method: get, Path: "/v1/{other}"}"#;
    let post =
        "Properties: {ApiId: !Ref Door, Method: POST, Path: /v1/jobs, Auth: {Authorizer: NONE}}";
    says(&one(post, twice, "Take:"), &["`GET /v1/{}` of `Door`", "already taken in line 59"]);
}

#[test]
fn a_route_that_cannot_be_is_refused() {
    for (path, method) in [
        ("v1", "GET"),
        ("/v1/{rest+}/x", "GET"),
        ("/v1//x", "GET"),
        ("/{}", "GET"),
        ("/v1/x", "ANY"),
    ] {
        let list = format!(r#"Method: {method}, Path: "{path}""#);
        one(r#"Method: GET, Path: "/v1/{kind}""#, &list, "List:");
    }
}

#[test]
fn an_unknown_authorizer_is_refused() {
    says(
        &one("Authorizer: NONE", "Authorizer: Stuff", "Take:"),
        &["no authorizer `Stuff`", "NONE"],
    );
    let text = changed("DefaultAuthorizer: Staff", "DefaultAuthorizer: Nobody");
    assert!(problems(&text).iter().all(|problem| problem.what.contains("no authorizer `Nobody`")));
}

#[test]
fn a_schedule_that_aws_refuses_is_refused() {
    let rule = |expression: &str| {
        format!(
            "        Hourly: {{Type: Schedule, Properties: {{Schedule: {expression}}}}}\n        Nightly:\n"
        )
    };
    for expression in ["rate(1 hours)", "cron(* * * * * *)", "at(2027-01-01T00:00:00)"] {
        one("        Nightly:\n", &rule(expression), "Hourly");
    }
    says(&one("cron(0 3 * * ? *)", "rate(1 days)", "rate(1 days)"), &["`rate(1 day)`"]);
    says(&one("Europe/Madrid", "Europe/Atlantis", "Nightly"), &["no time zone `Europe/Atlantis`"]);
    says(&one("'{\"full\": true}'", "'{full}'", "Nightly"), &["no JSON"]);
}

#[test]
fn a_fifo_queue_is_refused() {
    says(
        &one("VisibilityTimeout: 60", "VisibilityTimeout: 60\n      FifoQueue: true", "FifoQueue"),
        &["`Jobs`", "standard queue"],
    );
}

#[test]
fn two_that_take_from_one_queue_are_refused() {
    let second = "        Again:\n          Type: SQS\n          Properties: {Queue: !GetAtt Jobs.Arn, FunctionResponseTypes: [ReportBatchItemFailures]}\n        Nightly:\n";
    says(&one("        Nightly:\n", second, "Again:"), &["taking from `Jobs`"]);
}

#[test]
fn a_function_that_runs_nothing_is_refused() {
    says(
        &one("{BuildMethod: rust-cargolambda, BuildProperties: {Binary: work}}", "{}", "  Work:"),
        &["BuildProperties.Binary"],
    );
}

#[test]
fn n56_credentials_across_origins_are_refused() {
    says(
        &one(
            "        AllowOrigins: [!Ref Origin]",
            "        AllowOrigins: [!Ref Origin]\n        AllowCredentials: true",
            "CorsConfiguration",
        ),
        &["N56"],
    );
}

#[test]
fn a_number_out_of_bounds_is_refused() {
    says(&one("Timeout: 10\n", "Timeout: 901\n", "901"), &["AWS takes 1 to 900"]);
    says(
        &one(
            "      Events:\n        List:",
            "      Timeout: 31\n      Events:\n        List:",
            "Timeout: 31",
        ),
        &["longer than the gateway waits"],
    );
}

#[test]
fn a_parameter_without_a_value_is_refused() {
    let text = changed("{Type: String, Default: \"http://localhost:8080\"}", "{Type: String}");
    says(&problems(&text)[0].to_string(), &["3:3", "`Origin` has no value"]);
    let given = BTreeMap::from([("Origin".to_owned(), "https://desk.example".to_owned())]);
    assert!(read(&text, &given).is_ok());
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_lines() {
    let text = changed("VisibilityTimeout: 60", "VisibilityTimeout: 1")
        .replace("JOBS: !Ref Jobs", "JOBS: !Ref Nobody")
        .replace("Europe/Madrid", "Europe/Atlantis");
    let lines: Vec<usize> = problems(&text).iter().map(|problem| problem.place.line).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.is_sorted());
}

#[test]
fn broken_yaml_is_told_with_its_line() {
    for (text, line) in [
        ("Resources: [", 1),
        ("Resources:\n  A: 1\n  A: 2\n", 3),
        ("Resources:\n\t A: 1\n", 2),
        ("Resources:\n  A: &a {}\n  B: *a\n", 2),
        ("a: 1\n---\nb: 2\n", 3),
        ("", 1),
        ("Resources:\n  A: !!int x\n", 2),
    ] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        assert_eq!(found[0].place.line, line, "{text:?}: {found:?}");
    }
    let deep = format!("Resources:\n  {}", "- ".repeat(100_000));
    says(&problems(&deep)[0].to_string(), &["levels of nesting"]);
    says(
        &problems(&format!("Resources: {}", "[".repeat(100)))[0].to_string(),
        &["levels of nesting"],
    );
}

/// No panic, and whoever is refused is told a line that is there.
fn read_or_refused_by_line(text: &str) -> Result<(), TestCaseError> {
    for problem in problems(text) {
        let lines = 1..=text.lines().count().max(1);
        prop_assert!(lines.contains(&problem.place.line), "{} of {:?}", problem, text);
        prop_assert!(problem.place.column > 0 && !problem.remedy.is_empty(), "{}", problem);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(0x7E3A_91A7),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever a slip of the hand makes of it, a template is read or refused.
    #[test]
    fn no_slip_panics(
        whole in prop::bool::weighted(0.1),
        at in any::<prop::sample::Index>(),
        length in 0usize..40,
        put in "[ \\n\\-:{}\\[\\]!&*$'\",.a-zA-Z0-9()?#|>]{0,12}",
        again in any::<prop::sample::Index>(),
    ) {
        let mut text = if whole { TEMPLATE } else { SMALL }.as_bytes().to_vec();
        let at = at.index(text.len());
        let end = text.len().min(at + length);
        text.splice(at..end, put.bytes());
        let again = again.index(text.len());
        text.splice(again..again, "${Jobs".bytes());
        read_or_refused_by_line(&String::from_utf8_lossy(&text))?;
    }

    #[test]
    fn no_yaml_panics(text in "([ \\n]{0,3}(Resources|Type|Properties|Events|!Ref|!Sub|!GetAtt|- |: |\\{|\\}|\\[|\\]|x|'|\"|\\?|\\||>)){0,30}") {
        read_or_refused_by_line(&text)?;
    }
}
