//! What stands in a template and is no business of the host, each with the reason: the host reads past these
//! and past nothing else.
//!
//! A line here is a statement that leaving the thing out changes nothing of what a function sees or may do on
//! one machine. What would, has to be wired.

/// Types of resources, and why there is nothing to wire.
pub const RESOURCES: &[(&str, &str)] = &[
    ("AWS::CloudWatch::Alarm", "`nexus status` and /metrics show what alarms watch"),
    ("AWS::IAM::Role", "the platform hands out ports with the access that a role would have"),
    ("AWS::KMS::Key", "encryption at rest is the disk's job on one machine"),
    ("AWS::KMS::Alias", "a name of a key"),
    ("AWS::Lambda::LayerVersion", "the host uses the programs that are installed"),
    ("AWS::Serverless::LayerVersion", "the host uses the programs that are installed"),
    ("AWS::Logs::LogGroup", "the host logs to its own output"),
    ("AWS::S3::BucketPolicy", "only the host's own process reaches the files"),
    ("AWS::SNS::Topic", "where alarms go"),
    ("AWS::SNS::TopicPolicy", "where alarms go"),
    ("AWS::SQS::QueuePolicy", "only the host's own process reaches the queues"),
];

/// Properties: in what, which ones, and why they change nothing here.
pub const PROPERTIES: &[(&str, &[&str], &str)] = &[
    ("a template", &["AWSTemplateFormatVersion", "Description", "Metadata"], "for readers"),
    ("a template", &["Rules"], "what a deployment may be asked for; one machine is in no region"),
    (
        "a template",
        &["Conditions"],
        "nothing that is wired depends on one: a resource under a condition is refused, and `Fn::If` where it is wired",
    ),
    ("a template", &["Outputs"], "the host prints its own addresses; names in them are checked"),
    (
        "a parameter",
        &["AllowedPattern", "AllowedValues", "ConstraintDescription"],
        "CloudFormation checks what is typed in",
    ),
    ("a parameter", &["Description", "NoEcho"], "for readers"),
    ("a resource", &["DependsOn"], "an order of creation; names in it are checked"),
    ("a resource", &["DeletionPolicy", "UpdateReplacePolicy"], "what a deployment may remove"),
    (
        super::functions::KIND,
        &["Architectures", "CodeUri", "Handler", "Layers", "Runtime"],
        "how AWS builds and starts it; the host has the library linked in",
    ),
    (super::functions::KIND, &["Description", "Tags"], "for readers"),
    (super::functions::KIND, &["EphemeralStorage"], "the machine's disk"),
    (super::functions::KIND, &["EventInvokeConfig"], "schedules ask again at their next tick"),
    (
        super::functions::KIND,
        &["LoggingConfig", "Tracing"],
        "the host logs and traces by its own settings",
    ),
    (
        super::functions::KIND,
        &["Policies", "Role"],
        "the platform hands out ports with the access of the role",
    ),
    ("a Schedule event", &["Description", "Name"], "for readers"),
    ("a Schedule event", &["RetryPolicy"], "sweeps take no input: the next tick is the retry"),
    ("a ScheduleV2 event", &["Description", "Name"], "for readers"),
    (
        "a ScheduleV2 event",
        &["FlexibleTimeWindow"],
        "the host is on time, which lies in every window",
    ),
    ("a ScheduleV2 event", &["RetryPolicy"], "sweeps take no input: the next tick is the retry"),
    (super::apis::KIND, &["AccessLogSettings"], "the host logs and counts requests itself"),
    (
        super::apis::KIND,
        &["DefaultRouteSettings", "RouteSettings"],
        "throttling guards a bill and an account's concurrency",
    ),
    (super::apis::KIND, &["Description", "Name", "Tags"], "for readers"),
    (
        super::queues::KIND,
        &["KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "SqsManagedSseEnabled"],
        "encryption at rest is the disk's job on one machine",
    ),
    (
        super::queues::KIND,
        &["ReceiveMessageWaitTimeSeconds"],
        "the host is told of a message, it does not poll",
    ),
    (super::queues::KIND, &["RedriveAllowPolicy"], "the redrive policies say already who uses it"),
    (super::queues::KIND, &["Tags"], "for readers"),
    (
        super::buckets::KIND,
        &["BucketEncryption"],
        "encryption at rest is the disk's job on one machine",
    ),
    (super::buckets::KIND, &["BucketName"], "the host names it by its logical id"),
    (
        super::buckets::KIND,
        &["LifecycleConfiguration"],
        "the net beneath the sweep (decision 7 of the promises); the sweep itself runs here too",
    ),
    (
        super::buckets::KIND,
        &["OwnershipControls", "PublicAccessBlockConfiguration"],
        "only the host's own process reaches the files",
    ),
    (super::buckets::KIND, &["Tags"], "for readers"),
    (
        super::buckets::KIND,
        &["VersioningConfiguration"],
        "what is removed on one machine is gone at once",
    ),
    ("a bucket's CORS rule", &["Id"], "for readers"),
    (
        super::tables::KIND,
        &["BillingMode", "DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "Tags"],
        "how AWS bills and guards it",
    ),
    (
        super::tables::KIND,
        &["SSESpecification"],
        "encryption at rest is the disk's job on one machine",
    ),
    (
        super::user_pools::KIND,
        &[
            "AccountRecoverySetting",
            "AdminCreateUserConfig",
            "AutoVerifiedAttributes",
            "DeletionProtection",
            "EnabledMfas",
            "MfaConfiguration",
            "Policies",
            "UsernameAttributes",
        ],
        "how people get in; on one machine `nexus token` gives out tokens",
    ),
    (
        super::user_pools::CLIENT_KIND,
        &[
            "AccessTokenValidity",
            "EnableTokenRevocation",
            "ExplicitAuthFlows",
            "GenerateSecret",
            "IdTokenValidity",
            "PreventUserExistenceErrors",
            "RefreshTokenValidity",
            "TokenValidityUnits",
        ],
        "how people get in; on one machine `nexus token` gives out tokens",
    ),
];

/// Why resources of this type are passed over; `None`: they are not.
pub fn resource(kind: &str) -> Option<&'static str> {
    RESOURCES.iter().find(|(name, _)| *name == kind).map(|(_, reason)| *reason)
}

/// Why this property is passed over; `None`: it is not.
pub fn property(of: &str, name: &str) -> Option<&'static str> {
    PROPERTIES
        .iter()
        .find(|(place, names, _)| *place == of && names.contains(&name))
        .map(|(_, _, reason)| *reason)
}

/// The properties that are passed over in this.
pub fn properties(of: &str) -> impl Iterator<Item = &'static str> {
    PROPERTIES
        .iter()
        .filter(move |(place, ..)| *place == of)
        .flat_map(|(_, names, _)| names.iter().copied())
}
