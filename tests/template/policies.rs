//! Every role allows what its function takes from the platform, and nothing else.
//!
//! A function's `wire` runs on a platform that records. A written table says which actions on which resources a part
//! means on AWS; their union has to be the role, to the letter: what is too much fails as what is too little does.

use std::collections::{BTreeMap, BTreeSet};

use nexus_engine::platform::Access;
use nexus_handler::Env;
use nexus_local::functions;
use nexus_local::template::plan::{FunctionPlan, Plan, Trigger};
use nexus_testkit::RecordingPlatform;
use nexus_testkit::recording::Taken;
use serde_json::{Value, json};

use super::written::{arn_of, listed, named, of_type, parse};
use super::{plan, text};

/// An action and the resource on which it is allowed.
type Right = (String, String);

/// Which indexes of the table a function asks: a port does not tell. One line each, with what asks.
const INDEXES: &[(&str, &str, &str)] = &[
    ("relay", "due", "outbox rows and effects whose time has come"),
    ("retention-sweep", "due", "rows that expire and removals that were left"),
    ("recount", "due", "days of clicks that are to be counted anew"),
    ("refresh", "due", "tokens that run out, and endings that were left"),
    ("refresh", "list", "posts of an account whose owner ended it"),
    ("engine-api", "list", "drafts by stage and posts by time"),
    ("connect", "list", "posts of an account that is disconnected"),
    ("publish", "list", "posts of an account whose owner ended it"),
    ("listen", "due", "posts whose comments are to be read"),
    ("listen", "list", "posts of an account whose owner ended it"),
];

/// Which areas of the blobs a function joins uploads in parts in: a port does not tell. One line each, with what does.
const JOINED: &[(&str, &str, &str)] = &[("engine-api", "in", "media that came in parts")];

/// Functions that ask the vault for the house's own secrets and no tenant's: a port does not tell. One line each, with
/// the words of those secrets, and what they are.
const HOUSE_SECRETS: &[(&str, &str, &str)] = &[
    ("click-track", "visitor-salt-*", "the salt of the day, which it may be the first to need"),
    ("retention-sweep", "visitor-salt-*", "salts of days that are over, which it destroys"),
    ("retention-sweep", "inquiry-salt-*", "salts of days that are over, which it destroys"),
    ("inquire", "inquiry-salt-*", "today's and yesterday's, which it may be the first to need"),
];

/// Functions that look through the vault for what unfinished rotations left: a port does not tell. One line each, with
/// whose it removes.
const STRAYS: &[(&str, &str)] = &[("retention-sweep", "ten_*")];

/// Actions that IAM binds to no resource, so that `*` is the only form there is.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
const BOUND_TO_NO_RESOURCE: &[&str] = &[
    "rekognition:DetectLabels",
    "polly:SynthesizeSpeech",
    "translate:TranslateText",
    "comprehend:BatchDetectDominantLanguage",
    "comprehend:BatchDetectSentiment",
];

/// What a function may do with rows. A transaction is allowed by its parts.
const LOOK_AT_ROWS: &[&str] = &["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"];
const CHANGE_ROWS: &[&str] = &[
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:ConditionCheckItem",
];
/// Uploads in parts are begun and joined by `PutObject`; a removal takes every version.
const CHANGE_BLOBS: &[&str] = &[
    "s3:GetObject",
    "s3:PutObject",
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
];

/// What a part means on AWS.
fn rights_of(part: &Taken) -> Vec<Right> {
    let on = |actions: &[&str], resource: &str| -> Vec<Right> {
        actions.iter().map(|action| ((*action).to_owned(), resource.to_owned())).collect()
    };
    // Rows and blobs are under our key.
    let unlock = on(&["kms:Decrypt", "kms:GenerateDataKey"], "DataKey.Arn");
    match part {
        Taken::Table(Access::Read) => [on(LOOK_AT_ROWS, "EngineTable.Arn"), unlock].concat(),
        Taken::Table(Access::Write) => {
            let actions = [LOOK_AT_ROWS, CHANGE_ROWS].concat();
            [on(&actions, "EngineTable.Arn"), unlock].concat()
        }
        Taken::Blobs(area, access) => {
            let blobs = format!("MediaBucket.Arn/{}/*", area.name());
            // Who may not list is told of a missing blob that it is denied; who deletes looks for versions.
            let (one, all): (&[&str], &[&str]) = match access {
                Access::Read => (&["s3:GetObject"], &["s3:ListBucket"]),
                Access::Write => (CHANGE_BLOBS, &["s3:ListBucket", "s3:ListBucketVersions"]),
            };
            [on(one, &blobs), on(all, "MediaBucket.Arn"), unlock].concat()
        }
        Taken::Sender(_, queue) => on(&["sqs:SendMessage"], &format!("{queue}.Arn")),
        Taken::Gauge(queue) => on(&["sqs:GetQueueAttributes"], &format!("{queue}.Arn")),
        Taken::Labeller => on(&["rekognition:DetectLabels"], "*"),
        Taken::Voices => {
            [on(&["polly:SynthesizeSpeech"], "*"), key_of("elevenlabs"), unlock].concat()
        }
        Taken::Copywriters => [key_of("gemini"), unlock].concat(),
        Taken::Translator => on(&["translate:TranslateText"], "*"),
        Taken::Sentiment => {
            on(&["comprehend:BatchDetectDominantLanguage", "comprehend:BatchDetectSentiment"], "*")
        }
        Taken::Bus => {
            let account = "arn:AWS::Partition:events:AWS::Region:AWS::AccountId";
            on(&["events:PutEvents"], &format!("{account}:event-bus/default"))
        }
        Taken::Vault(access) => {
            // What tenants keep stands below their own ids; the house's own keys do not.
            let account = "arn:AWS::Partition:ssm:AWS::Region:AWS::AccountId";
            let tenants = format!("{account}:parameter/nexus/Stage/engine/ten_*");
            let (actions, keys): (&[&str], &[&str]) = match access {
                Access::Read => (&["ssm:GetParameter"], &["kms:Decrypt"]),
                Access::Write => (
                    &[
                        "ssm:GetParameter",
                        "ssm:GetParametersByPath",
                        "ssm:PutParameter",
                        "ssm:DeleteParameters",
                    ],
                    // A standard parameter is encrypted by the key itself.
                    &["kms:Decrypt", "kms:Encrypt"],
                ),
            };
            [on(actions, &tenants), on(keys, "DataKey.Arn")].concat()
        }
        // To refresh a token is to show the application's own secret.
        Taken::Logins => [key_of("tiktok"), key_of("x"), unlock].concat(),
        // A database in a layer is the function's own.
        Taken::Locator => Vec::new(),
        // The address that mail comes from belongs to one identity or another: the domain's, or its own.
        Taken::Mail => {
            let account = "arn:AWS::Partition:ses:AWS::Region:AWS::AccountId";
            let sets = on(&["ses:SendEmail"], &format!("{account}:configuration-set/*"));
            [on(&["ses:SendEmail"], &format!("{account}:identity/*")), sets].concat()
        }
        // No network is reached with AWS's own rights. What footage costs is asked of nobody: who buys it is told the
        // keys, below.
        Taken::Publishers | Taken::Listeners | Taken::FootageMakers => Vec::new(),
    }
}

/// The right to read the house's key at a vendor.
fn key_of(vendor: &str) -> Vec<Right> {
    let account = "arn:AWS::Partition:ssm:AWS::Region:AWS::AccountId";
    let name = format!("{account}:parameter/nexus/Stage/engine/house/{vendor}");
    vec![("ssm:GetParameter".to_owned(), name)]
}

/// What a function takes when it is wired with the settings that the template gives it.
pub(super) fn taken(function: &FunctionPlan) -> BTreeSet<Taken> {
    let platform = RecordingPlatform::new();
    let make = functions::named(&function.name).unwrap();
    let env = Env::from_pairs(function.env.clone());
    make(&platform, &env).unwrap_or_else(|error| panic!("{} is not wired: {error}", function.id));
    platform.taken()
}

/// What a function has to be allowed.
fn needed(function: &FunctionPlan) -> BTreeSet<Right> {
    let right = |action: &str, resource: String| (action.to_owned(), resource);
    let mut rights: BTreeSet<Right> = taken(function).iter().flat_map(rights_of).collect();
    let words: Vec<_> = HOUSE_SECRETS.iter().filter(|(name, ..)| *name == function.name).collect();
    if !words.is_empty() {
        let (tenants, others): (BTreeSet<_>, _) =
            rights.into_iter().partition(|(_, resource)| resource.contains("/engine/ten_*"));
        rights = others;
        rights.extend(words.iter().flat_map(|(_, word, _)| {
            let of_house = format!("/engine/house/{word}");
            tenants.iter().map(move |(action, resource)| {
                (action.clone(), resource.replace("/engine/ten_*", &of_house))
            })
        }));
    }
    for (_, whose) in STRAYS.iter().filter(|(name, _)| *name == function.name) {
        let all = "arn:AWS::Partition:ssm:AWS::Region:AWS::AccountId:parameter/nexus/Stage/engine";
        rights.insert(right("ssm:GetParametersByPath", all.to_owned()));
        rights.insert(right("ssm:DeleteParameters", format!("{all}/{whose}")));
    }
    for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
        rights.insert(right(action, "FunctionLogs.Arn".to_owned()));
    }
    for trigger in &function.triggers {
        let Trigger::Queue { queue, .. } = trigger else { continue };
        for action in [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
        ] {
            rights.insert(right(action, format!("{queue}.Arn")));
        }
    }
    for (_, index, _) in INDEXES.iter().filter(|(name, ..)| *name == function.name) {
        rights.insert(right("dynamodb:Query", format!("EngineTable.Arn/index/{index}")));
    }
    if function.name == "footage" {
        rights.extend(["veo", "runway", "luma"].into_iter().flat_map(key_of));
    }
    for (_, area, _) in JOINED.iter().filter(|(name, ..)| *name == function.name) {
        // To complete an upload S3 asks for the right to put, to open what was sealed, and here for its parts.
        rights.insert(right("s3:ListMultipartUploadParts", format!("MediaBucket.Arn/{area}/*")));
    }
    rights
}

/// What a role allows.
fn allowed(role: &Value) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for policy in listed(&role["Policies"]) {
        for statement in listed(&policy["PolicyDocument"]["Statement"]) {
            assert_eq!(statement["Effect"], "Allow", "a role of ours denies nothing: {statement}");
            for key in statement.as_object().unwrap().keys() {
                assert!(["Sid", "Effect", "Action", "Resource"].contains(&key.as_str()), "{key}");
            }
            for action in listed(&statement["Action"]) {
                for resource in listed(&statement["Resource"]) {
                    rights.insert((action.as_str().unwrap().to_owned(), named(resource)));
                }
            }
        }
    }
    rights
}

/// The role of each function of the template, by the function's logical id.
fn roles(template: &Value) -> BTreeMap<&str, &str> {
    of_type(template, "AWS::Serverless::Function")
        .map(|(id, function)| {
            (id, arn_of(&function["Role"]).unwrap_or_else(|| panic!("{id} has no role of its own")))
        })
        .collect()
}

/// How the roles of a template differ from what its functions take: one line for each right.
fn differences(plan: &Plan, template: &Value) -> Vec<String> {
    let roles = roles(template);
    let mut told = Vec::new();
    for function in &plan.functions {
        let role = &template["Resources"][roles[function.id.as_str()]]["Properties"];
        let (needed, allowed) = (needed(function), allowed(role));
        for (action, resource) in allowed.difference(&needed) {
            told.push(format!("{} may and need not: {action} on {resource}", function.id));
        }
        for (action, resource) in needed.difference(&allowed) {
            told.push(format!("{} needs and may not: {action} on {resource}", function.id));
        }
    }
    told
}

#[test]
fn a_role_allows_what_its_function_takes_and_nothing_else() {
    let told = differences(&plan(), &parse(&text()));
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn too_much_and_too_little_are_both_told() {
    let (plan, whole) = (plan(), text());
    let begun: BTreeSet<String> = differences(&plan, &parse(&whole)).into_iter().collect();
    let change = |from: &str, to: &str| -> Vec<String> {
        assert!(whole.contains(from), "`{from}` stands in the template");
        let told = differences(&plan, &parse(&whole.replacen(from, to, 1)));
        told.into_iter().filter(|line| !begun.contains(line)).collect()
    };
    let compose = "- {Sid: Send, Effect: Allow, Action: [sqs:SendMessage], Resource: !GetAtt TranslateQueue.Arn}";
    assert_eq!(
        change(compose, &compose.replace("TranslateQueue", "PublishQueue")),
        [
            "ComposeFunction may and need not: sqs:SendMessage on PublishQueue.Arn",
            "ComposeFunction needs and may not: sqs:SendMessage on TranslateQueue.Arn"
        ]
    );
    assert_eq!(
        change(
            r#"Action: [s3:GetObject], Resource: !Sub "${MediaBucket.Arn}/media/"#,
            r#"Action: [s3:GetObject, s3:PutObject], Resource: !Sub "${MediaBucket.Arn}/media/"#
        ),
        ["TagFunction may and need not: s3:PutObject on MediaBucket.Arn/media/*"]
    );
    assert_eq!(
        change("/index/list", "/index/due"),
        [
            "EngineApiFunction may and need not: dynamodb:Query on EngineTable.Arn/index/due",
            "EngineApiFunction needs and may not: dynamodb:Query on EngineTable.Arn/index/list"
        ]
    );
}

#[test]
fn no_role_reaches_everything() {
    let template = parse(&text());
    for (id, role) in of_type(&template, "AWS::IAM::Role") {
        assert!(role["ManagedPolicyArns"].is_null(), "{id}: AWS's own policies allow `*`");
        for (action, resource) in allowed(role) {
            let anywhere = BOUND_TO_NO_RESOURCE.contains(&action.as_str());
            assert!(!action.contains('*'), "{id}: {action}");
            assert_eq!(resource == "*", anywhere, "{id}: {action} on {resource}");
        }
    }
}

#[test]
fn every_function_has_a_role_of_its_own_that_lambda_alone_takes() {
    let template = parse(&text());
    let roles = roles(&template);
    let mut holders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (function, role) in roles {
        holders.entry(role).or_default().push(function);
    }
    let written: BTreeSet<&str> = of_type(&template, "AWS::IAM::Role").map(|(id, _)| id).collect();
    assert_eq!(holders.keys().copied().collect::<BTreeSet<_>>(), written, "each role is held");
    for (role, holders) in holders {
        assert_eq!(holders.len(), 1, "{role} is of {holders:?}");
        let trust = &template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"];
        let lambda = json!([{
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }]);
        assert_eq!(trust["Statement"], lambda, "{role}");
    }
}

#[test]
fn every_setting_of_a_hop_names_the_queue_that_the_hops_function_reads() {
    let plan = plan();
    let mut seen = 0;
    for function in &plan.functions {
        for part in taken(function) {
            let Taken::Sender(hop, address) = part else { continue };
            let reads = plan.functions.iter().filter(|f| f.name == hop.name()).any(|f| {
                f.triggers
                    .iter()
                    .any(|t| matches!(t, Trigger::Queue { queue, .. } if *queue == address))
            });
            assert!(reads, "{}: {} is {address}", function.id, hop.setting());
            seen += 1;
        }
    }
    assert!(seen > 10, "senders are recorded");
}
