//! What AWS would hand out at deployment, as the host has it: a resource's `!Ref` is its logical id, its ARN
//! ends in it.

/// One account and one region, neither of them real.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// A kind's service and what stands before the id in its ARN, and the attributes that it has besides.
struct Kind {
    kind: &'static str,
    arn: &'static str,
    attributes: &'static [&'static str],
}

/// The kinds whose attributes are known here, and so checked; of others only the names are.
const KINDS: &[Kind] = &[
    Kind {
        kind: super::queues::KIND,
        arn: "sqs:us-east-1:000000000000:",
        attributes: &["QueueName", "QueueUrl"],
    },
    Kind {
        kind: super::tables::KIND,
        arn: "dynamodb:us-east-1:000000000000:table/",
        attributes: &["StreamArn"],
    },
    Kind {
        kind: super::buckets::KIND,
        arn: "s3:::",
        attributes: &["DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"],
    },
    Kind {
        kind: super::functions::KIND,
        arn: "lambda:us-east-1:000000000000:function:",
        attributes: &[],
    },
    Kind {
        kind: super::user_pools::KIND,
        arn: "cognito-idp:us-east-1:000000000000:userpool/",
        attributes: &["ProviderName", "ProviderURL", "UserPoolId"],
    },
    Kind { kind: "AWS::KMS::Key", arn: "kms:us-east-1:000000000000:key/", attributes: &["KeyId"] },
    Kind {
        kind: "AWS::SNS::Topic",
        arn: "sns:us-east-1:000000000000:",
        attributes: &["TopicArn", "TopicName"],
    },
    Kind { kind: "AWS::IAM::Role", arn: "iam::000000000000:role/", attributes: &["RoleId"] },
    Kind {
        kind: "AWS::Logs::LogGroup",
        arn: "logs:us-east-1:000000000000:log-group:",
        attributes: &[],
    },
];

/// `!Ref AWS::…`; `None` where there is no such thing, or no value of it outside AWS.
pub(super) fn pseudo_parameter(name: &str) -> Option<&'static str> {
    Some(match name {
        "AWS::AccountId" => ACCOUNT,
        "AWS::Partition" => "aws",
        "AWS::Region" => REGION,
        "AWS::StackName" => "nexus",
        "AWS::StackId" => "arn:aws:cloudformation:us-east-1:000000000000:stack/nexus",
        "AWS::URLSuffix" => "amazonaws.com",
        _ => return None,
    })
}

/// `!GetAtt id.attribute`; `None` where the host has no value for it.
pub(super) fn attribute(kind: &str, id: &str, attribute: &str) -> Option<String> {
    let known = KINDS.iter().find(|known| known.kind == kind)?;
    Some(match attribute {
        "Arn" => format!("arn:aws:{}{id}", known.arn),
        "ProviderURL" if kind == super::user_pools::KIND => issuer(id),
        "QueueName" | "QueueUrl" | "UserPoolId" | "KeyId" | "TopicName" => id.to_owned(),
        _ => return None,
    })
}

/// Whether CloudFormation knows this attribute; true for kinds that are not known here.
pub(super) fn may_have(kind: &str, attribute: &str) -> bool {
    let known = KINDS.iter().find(|known| known.kind == kind);
    known.is_none_or(|known| attribute == "Arn" || known.attributes.contains(&attribute))
}

/// `iss` of a user pool's tokens.
pub(super) fn issuer(user_pool: &str) -> String {
    format!("https://cognito-idp.{REGION}.amazonaws.com/{user_pool}")
}
