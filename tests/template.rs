//! What a deployment would find late, or never tell: the template beside the crates, the settings, the samples, the
//! policies, and the promises that the template keeps.
//!
//! The host refuses at its start what it can see itself (`infra/local/src/template/checks.rs`: visibility, dead
//! letters, partial failures, schedules, what is not there); that is not asked again here.

mod policies;
mod samples;
mod settings;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cargo_metadata::MetadataCommand;
use nexus_handler::Measure;
use nexus_local::functions;
use nexus_local::template::plan::{Auth, Authorizer, Plan, Trigger};
use serde_json::{Value, json};

use crate::sources;
use written::{listed, of_type, parse};

/// The template of the repository.
fn text() -> String {
    fs::read_to_string(sources::root().join("template.yaml")).unwrap()
}

/// The template as the host reads it.
fn plan() -> Plan {
    nexus_local::template::read(&text(), &BTreeMap::new())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// The binaries of the crates in `functions/`, with the folder of each.
fn binaries() -> BTreeMap<String, String> {
    let root = sources::root();
    let metadata =
        MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec().unwrap();
    let mut found = BTreeMap::new();
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().unwrap().strip_prefix(&root).unwrap();
        if folder.starts_with("functions") {
            let bins = package.targets.iter().filter(|target| target.is_bin());
            found.extend(bins.map(|bin| (bin.name.clone(), folder.to_string())));
        }
    }
    found
}

#[test]
fn functions_and_crates_match_both_ways() {
    let (template, binaries) = (parse(&text()), binaries());
    let mut deployed = BTreeSet::new();
    for (id, function) in of_type(&template, "AWS::Serverless::Function") {
        let metadata = &template["Resources"][id]["Metadata"];
        assert_eq!(metadata["BuildMethod"], "rust-cargolambda", "{id}");
        let name = metadata["BuildProperties"]["Binary"].as_str().unwrap();
        let folder = binaries.get(name).unwrap_or_else(|| panic!("{id}: no crate has `{name}`"));
        assert_eq!(function["CodeUri"], json!(folder), "{id}");
        deployed.insert(name);
    }
    assert_eq!(deployed, binaries.keys().map(String::as_str).collect(), "each crate is deployed");
    let hosted: BTreeSet<&str> = functions::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(deployed, hosted, "the host has the same");
}

#[test]
fn queues_are_encrypted_and_give_up_after_five_receives() {
    let (plan, template) = (plan(), parse(&text()));
    for (id, queue) in of_type(&template, "AWS::SQS::Queue") {
        let encrypted = queue["SqsManagedSseEnabled"] == true || !queue["KmsMasterKeyId"].is_null();
        assert!(encrypted, "{id} is not encrypted");
    }
    for queue in &plan.queues {
        // Those without are dead letters: the host refuses others.
        if let Some(redrive) = &queue.redrive {
            assert_eq!(redrive.max_receives, 5, "{}", queue.id);
        }
    }
}

/// Where a bound has to hold: what takes memory, disk or a network's patience. Elsewhere it would only switch off that
/// AWS polls an idle queue less.
const BOUNDED: &[&str] = &["ingest", "animate", "narrate", "publish", "attribute", "sentiment"];

#[test]
fn concurrency_is_bounded_where_it_has_to_be_and_nowhere_else() {
    for function in plan().functions {
        for trigger in &function.triggers {
            if let Trigger::Queue { max_concurrency, .. } = trigger {
                let bounded = BOUNDED.contains(&function.name.as_str());
                assert_eq!(max_concurrency.is_some(), bounded, "{}", function.id);
            }
        }
    }
}

#[test]
fn every_queue_is_watched() {
    let plan = plan();
    let health = plan.functions.iter().find(|function| function.name == "health").unwrap();
    let watched =
        |setting: &str| -> BTreeSet<&str> { health.env[setting].split_whitespace().collect() };
    let (dead, alive): (Vec<_>, Vec<_>) =
        plan.queues.iter().partition(|queue| queue.redrive.is_none());
    for (setting, queues) in [("QUEUES", alive), ("DEAD_LETTERS", dead)] {
        let there: BTreeSet<&str> = queues.iter().map(|queue| queue.id.as_str()).collect();
        assert_eq!(watched(setting), there, "{setting}");
    }
}

#[test]
fn every_measure_has_an_alarm_and_every_alarm_of_ours_a_measure_and_a_hearer() {
    let template = parse(&text());
    let mut heard = BTreeSet::new();
    for (id, alarm) in of_type(&template, "AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["AlarmActions"], json!([{"Ref": "AlarmTopic"}]), "{id}");
        if alarm["Namespace"] == "Nexus" {
            assert!(alarm["Dimensions"].is_null(), "{id}: no number of ours has dimensions");
            heard.insert(alarm["MetricName"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(heard, Measure::ALL.map(|measure| format!("{measure:?}")).into());
}

/// What an access log may hold. The Engine stores no address and no user agent (N10).
const LOGGED: &[&str] = &[
    "$context.authorizer.error",
    "$context.error.message",
    "$context.integrationErrorMessage",
    "$context.requestId",
    "$context.requestTimeEpoch",
    "$context.responseLatency",
    "$context.responseLength",
    "$context.routeKey",
    "$context.status",
];

#[test]
fn access_logs_hold_no_address() {
    let template = parse(&text());
    for (id, api) in of_type(&template, "AWS::Serverless::HttpApi") {
        let format = api["AccessLogSettings"]["Format"].as_str().unwrap();
        let variables: Vec<&str> =
            format.split('"').filter(|part| part.starts_with("$context")).collect();
        assert_eq!(format.matches('$').count(), variables.len(), "{id}: {format}");
        for variable in variables {
            assert!(LOGGED.contains(&variable), "{id} logs {variable}");
        }
    }
}

#[test]
fn n43_no_other_region_is_deployed_to_or_named() {
    let text = text();
    let rule = &parse(&text)["Rules"]["OneRegion"]["Assertions"][0]["Assert"];
    assert_eq!(*rule, json!({"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}));
    let deployment = fs::read_to_string(sources::root().join("samconfig.toml")).unwrap();
    assert!(deployment.contains("region = \"us-east-1\""), "{deployment}");
    for (file, text) in [("template.yaml", text), ("samconfig.toml", deployment)] {
        let strangers: Vec<&str> = text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .filter(|word| names_a_region(word) && *word != "us-east-1")
            .collect();
        assert!(strangers.is_empty(), "{file}: {strangers:?}");
    }
}

/// `eu-central-1`, `ap-southeast-2`, `us-gov-west-1`.
fn names_a_region(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let number = |part: &str| part.len() == 1 && part.bytes().all(|b| b.is_ascii_digit());
    let sea = ["us", "eu", "ap", "ca", "sa", "me", "af", "il", "mx", "cn"];
    matches!(parts.as_slice(), [first, .., last] if parts.len() > 2 && sea.contains(first) && number(last))
}

#[test]
fn n43_a_region_is_known_when_it_is_seen() {
    for region in ["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1"] {
        assert!(names_a_region(region), "{region}");
    }
    assert!(!["x-amz-1", "us-east", "2012-10-17", "aws-4"].into_iter().any(names_a_region));
}

/// A request to S3, as far as a bucket's policy asks for it.
struct Request<'r> {
    action: &'r str,
    /// By the names of IAM's condition keys.
    facts: &'r [(&'r str, Value)],
}

/// Whether a bucket's policy refuses a request, by the rules of IAM for the conditions that ours has.
fn refused(policy: &Value, request: &Request<'_>) -> bool {
    listed(&policy["PolicyDocument"]["Statement"]).into_iter().any(|statement| {
        assert_eq!(statement["Effect"], "Deny", "a bucket's policy of ours only refuses");
        assert_eq!(statement["Principal"], "*", "everybody is meant");
        let actions = listed(&statement["Action"]);
        let meant = actions.iter().any(|a| **a == "s3:*" || **a == request.action);
        meant
            && conditions(statement).into_iter().all(|(operator, key, wanted)| {
                let fact =
                    request.facts.iter().find(|(name, _)| *name == key).map(|(_, fact)| fact);
                match operator {
                    "Bool" => fact == Some(wanted),
                    // What is absent is not equal.
                    "StringNotEquals" | "StringNotEqualsIfExists" => fact != Some(wanted),
                    other => panic!("teach this test what `{other}` means"),
                }
            })
    })
}

/// Operator, key and value of each condition: all have to hold.
fn conditions(statement: &Value) -> Vec<(&str, &str, &Value)> {
    let mut all = Vec::new();
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        let keys = keys.as_object().unwrap();
        all.extend(keys.iter().map(|(key, value)| (operator.as_str(), key.as_str(), value)));
    }
    all
}

#[test]
fn n45_what_is_put_without_our_encryption_is_refused() {
    let template = parse(&text());
    let policies: Vec<&Value> =
        of_type(&template, "AWS::S3::BucketPolicy").map(|(_, p)| p).collect();
    assert_eq!(
        policies.len(),
        of_type(&template, "AWS::S3::Bucket").count(),
        "one for each bucket"
    );
    let ours = json!({"Fn::GetAtt": "DataKey.Arn"});
    let (how, key) =
        ("s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id");
    let tls = ("aws:SecureTransport", json!(true));
    for policy in policies {
        let put = |facts: &[(&str, Value)]| {
            let facts: Vec<(&str, Value)> = facts.iter().cloned().chain([tls.clone()]).collect();
            refused(policy, &Request { action: "s3:PutObject", facts: &facts })
        };
        assert!(put(&[]), "without encryption");
        assert!(put(&[(how, json!("AES256"))]), "under S3's own key");
        assert!(put(&[(how, json!("aws:kms")), (key, json!("arn:aws:kms:another"))]), "another's");
        assert!(!put(&[(how, json!("aws:kms")), (key, ours.clone())]), "under our key it may be");
        let plain = [("aws:SecureTransport", json!(false))];
        for (facts, refusal) in [(plain.as_slice(), true), (std::slice::from_ref(&tls), false)] {
            let get = Request { action: "s3:GetObject", facts };
            assert_eq!(refused(policy, &get), refusal, "{facts:?}");
        }
    }
    for (id, bucket) in of_type(&template, "AWS::S3::Bucket") {
        let rules = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"];
        let default = &rules[0]["ServerSideEncryptionByDefault"];
        assert_eq!(*default, json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": ours}), "{id}");
        assert_eq!(rules[0]["BucketKeyEnabled"], true, "{id}: else every object asks KMS");
        let closed = bucket["PublicAccessBlockConfiguration"].as_object().unwrap();
        assert!(closed.len() == 4 && closed.values().all(|v| v == true), "{id}: {closed:?}");
    }
}

#[test]
fn n46_every_table_is_encrypted_under_our_key() {
    let template = parse(&text());
    let ours = json!({
        "SSEEnabled": true,
        "SSEType": "KMS",
        "KMSMasterKeyId": {"Fn::GetAtt": "DataKey.Arn"},
    });
    let tables: Vec<(&str, &Value)> = of_type(&template, "AWS::DynamoDB::Table").collect();
    assert!(!tables.is_empty());
    for (id, table) in tables {
        assert_eq!(table["SSESpecification"], ours, "{id}");
        assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    }
    let key = &template["Resources"]["DataKey"];
    assert_eq!(key["Properties"]["EnableKeyRotation"], true);
    assert_eq!(key["DeletionPolicy"], "Retain", "without the key nothing can be read again");
}

/// The routes that anybody may call, and why.
const OPEN: &[(&str, &str, &str)] = &[
    ("GET", "/openapi.json", "the description of the API holds nothing of anybody's"),
    ("HEAD", "/openapi.json", "the same without its body"),
    ("GET", "/r/{code}", "the code is the proof, and expires"),
    ("HEAD", "/r/{code}", "the same without its body"),
    ("POST", "/r/{code}", "as for looking; it shows what would be kept"),
    ("POST", "/r/{code}/note", "as for looking; a note decides nothing"),
    ("GET", "/v1/connections/callback", "a network's browser brings a state that is used once"),
    ("GET", "/c/{code}", "whoever has a link may follow it"),
    ("HEAD", "/c/{code}", "the same without its body"),
    ("GET", "/p/{code}", "a product's page is for everybody"),
    ("HEAD", "/p/{code}", "the same without its body"),
    ("POST", "/p/{code}", "whoever reads the page may ask"),
    ("GET", "/v1/connections/openapi.json", "a description holds nothing of anybody's"),
    ("HEAD", "/v1/connections/openapi.json", "the same without its body"),
];

/// A GET that acts, so that nobody may ask for its head alone.
const NO_HEAD: &[&str] = &["/v1/connections/callback"];

#[test]
fn who_may_get_may_ask_for_the_head() {
    let plan = plan();
    let mut routes = BTreeMap::new();
    for function in &plan.functions {
        for trigger in &function.triggers {
            if let Trigger::Http { api, method, path, auth } = trigger {
                let at = (method.as_str(), api.as_str(), path.as_str());
                routes.insert(at, (function.id.as_str(), auth.clone()));
            }
        }
    }
    let gets = routes.iter().filter(|((method, ..), _)| *method == "GET");
    for ((_, api, path), by) in gets {
        let head = routes.get(&("HEAD", *api, *path));
        let wanted = if NO_HEAD.contains(path) { None } else { Some(by) };
        assert_eq!(head, wanted, "HEAD {path}");
    }
}

/// What the README says of a deployment, without its line ends.
fn told() -> String {
    let readme = fs::read_to_string(sources::root().join("README.md")).unwrap();
    let (_, after) = readme.split_once("## Deploy it to AWS").unwrap();
    let (section, _) = after.split_once("\n## ").unwrap();
    section.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_readme_tells_what_a_deployment_creates() {
    let (template, told) = (parse(&text()), told());
    let count = |kind: &str| of_type(&template, kind).count();
    let dead = plan().queues.iter().filter(|queue| queue.redrive.is_none()).count();
    let queues = count("AWS::SQS::Queue") - dead;
    for wanted in [
        format!("{} KMS key,", count("AWS::KMS::Key")),
        format!("{} DynamoDB table,", count("AWS::DynamoDB::Table")),
        format!("{} bucket,", count("AWS::S3::Bucket")),
        format!("{queues} queues with {dead} dead-letter queues,"),
        format!("{} Cognito user pool,", count("AWS::Cognito::UserPool")),
        format!("{} HTTP API,", count("AWS::Serverless::HttpApi")),
        format!("{} functions with a role each,", count("AWS::Serverless::Function")),
        format!("{} layer with ffmpeg", count("AWS::Serverless::LayerVersion")),
        format!("{} log groups,", count("AWS::Logs::LogGroup")),
        format!("{} alarms and", count("AWS::CloudWatch::Alarm")),
        format!("{} topic for them", count("AWS::SNS::Topic")),
    ] {
        assert!(told.contains(&wanted), "the README has no `{wanted}`");
    }
}

#[test]
fn what_the_readme_looks_up_in_the_outputs_is_there() {
    let (template, told) = (parse(&text()), told());
    let mut sought = 0;
    for before in told.split("` of the stack's outputs").collect::<Vec<_>>().split_last().unwrap().1
    {
        let name = before.rsplit('`').next().unwrap();
        assert!(template["Outputs"].get(name).is_some(), "there is no output `{name}`");
        sought += 1;
    }
    assert_eq!(sought, 2);
}

#[test]
fn n47_every_route_but_the_named_asks_for_a_token() {
    let plan = plan();
    let issuers: Vec<&str> = plan.user_pools.iter().map(|pool| pool.issuer.as_str()).collect();
    let clients: BTreeSet<&str> = plan.clients.iter().map(|client| client.id.as_str()).collect();
    let mut open = BTreeSet::new();
    for function in &plan.functions {
        for trigger in &function.triggers {
            let Trigger::Http { api, method, path, auth } = trigger else { continue };
            let api = plan.apis.iter().find(|a| a.id == *api).unwrap();
            match auth {
                Auth::None => {
                    open.insert((method.as_str(), path.as_str()));
                }
                Auth::Jwt(name) | Auth::Function(name) => match &api.authorizers[name] {
                    Authorizer::Jwt { issuer, audience } => {
                        assert!(issuers.contains(&issuer.as_str()), "{name}: {issuer}");
                        assert!(!audience.is_empty(), "{name} lets every client in");
                        assert!(audience.iter().all(|one| clients.contains(one.as_str())));
                    }
                    Authorizer::Function { function, .. } => assert!(!function.is_empty()),
                },
            }
        }
    }
    assert_eq!(open, OPEN.iter().map(|(method, path, _)| (*method, *path)).collect());
    for api in &plan.apis {
        let whole = api.default_authorizer.as_ref();
        assert!(whole.is_some(), "{}: a route that names no authorizer would be open", api.id);
    }
}
