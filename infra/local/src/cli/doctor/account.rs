//! What a deployment needs of an AWS account and no template can set.
//!
//! Asks by the `aws` program, with the credentials that it finds, since the host links no AWS SDK. Every command only
//! reads, has a deadline, and is answered in JSON. What could not be asked is told as such, never as fine.
//!
//! **Never here:** changing anything. Remedies are sentences for a person.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

/// Where all data stays (N43).
const REGION: &str = "us-east-1";
/// An answer that takes longer will not come.
const DEADLINE: Duration = Duration::from_secs(30);
/// A new account has 10. A dozen queues are begun with up to five batches each, the API wants room beside them, and whoever
/// finds none is told to try later.
const ENOUGH_CONCURRENCY: u64 = 100;
/// The services of AWS that see what tenants upload, by their names in an opt-out policy.
const SEES_CONTENT: [&str; 4] = ["rekognition", "polly", "translate", "comprehend"];

/// The AWS command line interface.
#[derive(Debug, Clone)]
pub(super) struct AwsCli {
    program: PathBuf,
    deadline: Duration,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// What.
    pub(super) what: &'static str,
    /// How it stands.
    pub(super) verdict: Verdict,
}

/// How a thing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should.
    Fine(String),
    /// Not as it should.
    Care {
        /// What was found.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Nobody knows: it could not be asked.
    Unasked {
        /// Why.
        why: String,
        /// What to do.
        remedy: String,
    },
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("`aws` does not start: {0}")]
    Start(#[source] io::Error),
    #[error("`aws` did not answer within {0:?}")]
    Deadline(Duration),
    /// AWS answered with an error of this name.
    #[error("AWS says {code}: {message}")]
    Refused { code: String, message: String },
    /// The program gave up before AWS was asked: no credentials, no way there.
    #[error("`aws` says: {0}")]
    Failed(String),
    #[error("`aws` answered in another shape than was expected: {0}")]
    Shape(#[source] serde_json::Error),
}

impl AskError {
    fn is(&self, name: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == name)
    }

    /// What a person can do so that it can be asked.
    fn remedy(&self, permission: &str) -> String {
        match self {
            Self::Refused { code, .. } if code.contains("AccessDenied") => {
                format!("allow `{permission}` to whom you are here, or ask as somebody who may")
            }
            Self::Refused { .. } => "see what AWS says, then ask again".to_owned(),
            Self::Failed(_) => "see `aws configure` (`aws sso login`), then ask again".to_owned(),
            Self::Deadline(_) => "see whether this machine reaches AWS, then ask again".to_owned(),
            Self::Start(_) | Self::Shape(_) => {
                "install the current AWS command line interface".to_owned()
            }
        }
    }
}

impl AwsCli {
    /// The program, in the first of these folders that has it.
    pub(super) fn locate(folders: &[PathBuf]) -> Option<Self> {
        let program = folders.iter().map(|folder| folder.join("aws")).find(|p| p.is_file())?;
        Some(Self::at(&program, DEADLINE))
    }

    fn at(program: &Path, deadline: Duration) -> Self {
        Self { program: program.to_owned(), deadline }
    }

    /// One question to a service.
    async fn ask<A: DeserializeOwned>(&self, question: &[&str]) -> Result<A, AskError> {
        let there = ["--region", REGION, "--output", "json"];
        let answer = self.run(&[question, &there].concat()).await?;
        serde_json::from_slice(&answer).map_err(AskError::Shape)
    }

    async fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, AskError> {
        let running = Command::new(&self.program)
            .args(arguments)
            // Nobody sits before a pager or a prompt here.
            .env("AWS_PAGER", "")
            .env("AWS_CLI_AUTO_PROMPT", "off")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let out = tokio::time::timeout(self.deadline, running)
            .await
            .map_err(|_| AskError::Deadline(self.deadline))?
            .map_err(AskError::Start)?;
        match out.status.success() {
            true => Ok(out.stdout),
            false => Err(refusal(&String::from_utf8_lossy(&out.stderr))),
        }
    }
}

/// What the program wrote when it failed: `An error occurred (Name) when calling the X operation: sentence`, or a
/// sentence of its own.
fn refusal(stderr: &str) -> AskError {
    let line = stderr.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let told = line.split_once("An error occurred (").and_then(|(_, rest)| rest.split_once(')'));
    match told {
        Some((code, rest)) => {
            let message = rest.split_once(": ").map_or(rest, |(_, message)| message);
            AskError::Refused { code: code.to_owned(), message: message.to_owned() }
        }
        None if line.is_empty() => AskError::Failed("nothing, and failed".to_owned()),
        None => AskError::Failed(line.to_owned()),
    }
}

/// Looks at everything. `region` is what the environment names, which goes before what `aws` has configured.
pub(super) async fn look(cli: &AwsCli, region: Option<&str>) -> Vec<Finding> {
    // Who asks: where that fails, all else does, with the same sentence each time.
    let account = match cli.ask::<Identity>(&["sts", "get-caller-identity"]).await {
        Ok(identity) => Verdict::Fine(identity.account),
        Err(error) => {
            let verdict = unasked(&error, "sts:GetCallerIdentity");
            return vec![Finding { what: "account", verdict }];
        }
    };
    let (opt_out, concurrency, throughput, tier, mail, region) = tokio::join!(
        opt_out(cli),
        concurrency(cli),
        throughput(cli),
        tier(cli),
        mail(cli),
        default_region(cli, region),
    );
    [
        ("account", account),
        ("region", region),
        ("no training on data", opt_out),
        ("concurrency", concurrency),
        ("parameters per s", throughput),
        ("parameter tier", tier),
        ("mail", mail),
    ]
    .map(|(what, verdict)| Finding { what, verdict })
    .into()
}

fn unasked(error: &AskError, permission: &str) -> Verdict {
    Verdict::Unasked { why: error.to_string(), remedy: error.remedy(permission) }
}

fn care(found: impl Into<String>, remedy: impl Into<String>) -> Verdict {
    Verdict::Care { found: found.into(), remedy: remedy.into() }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identity {
    account: String,
}

/// Where `aws` and SAM go when they are not told where.
async fn default_region(cli: &AwsCli, environment: Option<&str>) -> Verdict {
    let region = match environment {
        Some(region) => region.to_owned(),
        // It answers with a word, and fails without one where nothing is configured.
        None => match cli.run(&["configure", "get", "region"]).await {
            Ok(word) => String::from_utf8_lossy(&word).trim().to_owned(),
            Err(AskError::Failed(_)) => String::new(),
            Err(error) => return unasked(&error, "nothing"),
        },
    };
    let remedy = format!("`aws configure set region {REGION}`, or set AWS_REGION");
    match region.as_str() {
        REGION => Verdict::Fine(region),
        "" => care("`aws` has no region of its own", remedy),
        _ => care(format!("`aws` goes to {region}, and all data stays in {REGION}"), remedy),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EffectivePolicyAnswer {
    effective_policy: EffectivePolicy,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EffectivePolicy {
    /// JSON in a text.
    policy_content: String,
}

#[derive(Deserialize)]
struct OptOuts {
    services: BTreeMap<String, OptOut>,
}

#[derive(Deserialize)]
struct OptOut {
    opt_out_policy: String,
}

/// Whether AWS's own AI services may learn from what tenants upload (N33). It is a policy of an organisation: an account
/// that is in none cannot opt out.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_ai-opt-out.html>
async fn opt_out(cli: &AwsCli) -> Verdict {
    let permission = "organizations:DescribeEffectivePolicy";
    let question = [
        "organizations",
        "describe-effective-policy",
        "--policy-type",
        "AISERVICES_OPT_OUT_POLICY",
    ];
    let remedy = "in the organisation's management account: enable AI services opt-out policies, and attach \
                  {\"services\":{\"default\":{\"opt_out_policy\":{\"@@assign\":\"optOut\"}}}} to the root";
    let policy = match cli.ask::<EffectivePolicyAnswer>(&question).await {
        Ok(answer) => answer.effective_policy.policy_content,
        Err(error) if error.is("AWSOrganizationsNotInUseException") => {
            return care(
                "the account is in no organisation, and only there can it opt out",
                format!("create one (it costs nothing); then, {remedy}"),
            );
        }
        Err(error) if error.is("EffectivePolicyNotFoundException") => {
            return care("no policy says that AWS's AI services may not learn", remedy);
        }
        Err(error) => return unasked(&error, permission),
    };
    let policy = match serde_json::from_str::<OptOuts>(&policy) {
        Ok(policy) => policy.services,
        Err(error) => return unasked(&AskError::Shape(error), permission),
    };
    let out = |service: &str| {
        let says = policy.get(service).or_else(|| policy.get("default"));
        says.is_some_and(|says| says.opt_out_policy == "optOut")
    };
    let learning: Vec<&str> = SEES_CONTENT.into_iter().filter(|service| !out(service)).collect();
    match learning.as_slice() {
        [] => Verdict::Fine("AWS's AI services are opted out of".to_owned()),
        _ => care(format!("{} may learn from what they see", learning.join(", ")), remedy),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccountSettings {
    account_limit: AccountLimit,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccountLimit {
    concurrent_executions: u64,
    unreserved_concurrent_executions: u64,
}

/// How many calls of functions the account may have at a time.
async fn concurrency(cli: &AwsCli) -> Verdict {
    let limit = match cli.ask::<AccountSettings>(&["lambda", "get-account-settings"]).await {
        Ok(answer) => answer.account_limit,
        Err(error) => return unasked(&error, "lambda:GetAccountSettings"),
    };
    let (all, free) = (limit.concurrent_executions, limit.unreserved_concurrent_executions);
    if free >= ENOUGH_CONCURRENCY {
        return Verdict::Fine(format!("{free} calls at a time, of {all}"));
    }
    care(
        format!("{free} calls at a time (of {all}), and {ENOUGH_CONCURRENCY} are wanted"),
        "ask for more: `aws service-quotas request-service-quota-increase --service-code lambda \
         --quota-code L-B99A9384 --desired-value 1000`",
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceSettingAnswer {
    service_setting: ServiceSetting,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceSetting {
    setting_value: String,
}

async fn parameter_store(cli: &AwsCli, setting: &str) -> Result<String, AskError> {
    let id = format!("/ssm/parameter-store/{setting}");
    let question = ["ssm", "get-service-setting", "--setting-id", &id];
    Ok(cli.ask::<ServiceSettingAnswer>(&question).await?.service_setting.setting_value)
}

/// How often tokens and keys may be read.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-throughput.html>
async fn throughput(cli: &AwsCli) -> Verdict {
    match parameter_store(cli, "high-throughput-enabled").await {
        // Each function keeps what it read for five minutes.
        Ok(value) if value == "false" => Verdict::Fine(
            "standard, 40 reads a second: enough while fewer functions start at once".to_owned(),
        ),
        Ok(value) if value == "true" => {
            Verdict::Fine("high, 10,000 reads a second; each 10,000 cost 0.05 dollars".to_owned())
        }
        Ok(other) => unknown_setting("high-throughput-enabled", &other),
        Err(error) => unasked(&error, "ssm:GetServiceSetting"),
    }
}

/// What becomes of a parameter that does not say its tier: the vendors' keys that an operator puts. Tokens say it.
async fn tier(cli: &AwsCli) -> Verdict {
    match parameter_store(cli, "default-parameter-tier").await {
        Ok(value) if value == "Standard" => {
            Verdict::Fine("Standard: up to 10,000 parameters of 4 KB each, at no cost".to_owned())
        }
        Ok(value) if value == "Intelligent-Tiering" => {
            Verdict::Fine("Intelligent-Tiering: a charge only for what is over 4 KB".to_owned())
        }
        Ok(value) if value == "Advanced" => care(
            "Advanced: every key that is put by hand costs 0.05 dollars a month",
            "`aws ssm update-service-setting --setting-id /ssm/parameter-store/default-parameter-tier \
             --setting-value Intelligent-Tiering`",
        ),
        Ok(other) => unknown_setting("default-parameter-tier", &other),
        Err(error) => unasked(&error, "ssm:GetServiceSetting"),
    }
}

fn unknown_setting(name: &str, value: &str) -> Verdict {
    Verdict::Unasked {
        why: format!("`{name}` is `{value}`, which this nexus does not know"),
        remedy: "look at it in the console".to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MailAccount {
    #[serde(default)]
    production_access_enabled: bool,
    #[serde(default)]
    sending_enabled: bool,
    #[serde(default)]
    enforcement_status: String,
    send_quota: Option<SendQuota>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendQuota {
    #[serde(rename = "Max24HourSend")]
    max_send: f64,
}

/// Whether mail reaches people.
async fn mail(cli: &AwsCli) -> Verdict {
    let account = match cli.ask::<MailAccount>(&["sesv2", "get-account"]).await {
        Ok(account) => account,
        Err(error) => return unasked(&error, "ses:GetAccount"),
    };
    let quota = account.send_quota.map_or(0.0, |quota| quota.max_send);
    if !account.production_access_enabled {
        return care(
            format!("SES is in its sandbox: {quota} mails a day, to verified addresses only"),
            "ask for production access in the SES console",
        );
    }
    if !account.sending_enabled || account.enforcement_status != "HEALTHY" {
        return care(
            format!("SES does not send as it should ({})", account.enforcement_status),
            "see the reputation dashboard in the SES console",
        );
    }
    match quota {
        -1.0 => Verdict::Fine("SES sends without a bound".to_owned()),
        _ => Verdict::Fine(format!("SES sends {quota} mails a day")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// Answers as `aws` of version 2 prints them.
    const IDENTITY: &str = r#"{
    "UserId": "AIDAEXAMPLEEXAMPLEEXA",
    "Account": "123456789012",
    "Arn": "arn:aws:iam::123456789012:user/somebody"
}"#;
    const OPTED_OUT: &str = r#"{
    "EffectivePolicy": {
        "PolicyContent": "{\"services\":{\"default\":{\"opt_out_policy\":\"optOut\"}}}",
        "LastUpdatedTimestamp": "2026-01-15T10:21:09.430000+00:00",
        "TargetId": "123456789012",
        "PolicyType": "AISERVICES_OPT_OUT_POLICY"
    }
}"#;
    const LIMITS: &str = r#"{
    "AccountLimit": {
        "TotalCodeSize": 80530636800,
        "CodeSizeUnzipped": 262144000,
        "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000
    },
    "AccountUsage": {
        "TotalCodeSize": 9426,
        "FunctionCount": 4
    }
}"#;
    const MAIL: &str = r#"{
    "DedicatedIpAutoWarmupEnabled": true,
    "EnforcementStatus": "HEALTHY",
    "ProductionAccessEnabled": true,
    "SendQuota": {
        "Max24HourSend": 50000.0,
        "MaxSendRate": 14.0,
        "SentLast24Hours": 0.0
    },
    "SendingEnabled": true,
    "SuppressionAttributes": {
        "SuppressedReasons": ["BOUNCE", "COMPLAINT"]
    }
}"#;

    fn setting(name: &str, value: &str) -> String {
        format!(
            r#"{{
    "ServiceSetting": {{
        "SettingId": "/ssm/parameter-store/{name}",
        "SettingValue": "{value}",
        "LastModifiedDate": "2026-01-15T10:21:09.430000+00:00",
        "LastModifiedUser": "System",
        "ARN": "arn:aws:ssm:us-east-1:123456789012:servicesetting/ssm/parameter-store/{name}",
        "Status": "Default"
    }}
}}"#
        )
    }

    /// An account in which all is as it should be; a test changes an answer.
    struct Account(TempDir);

    impl Account {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/doctor/stand_in.sh");
            // A link and no copy: a program that was just written may still be open in a test that starts another.
            symlink(stand_in, folder.path().join("aws")).unwrap();
            let account = Self(folder);
            account.answers("sts.get-caller-identity", IDENTITY);
            account.answers("configure.get", "us-east-1\n");
            account.answers("organizations.describe-effective-policy", OPTED_OUT);
            account.answers("lambda.get-account-settings", LIMITS);
            for (name, value) in
                [("high-throughput-enabled", "false"), ("default-parameter-tier", "Standard")]
            {
                account.answers(&format!("ssm.get-service-setting.{name}"), &setting(name, value));
            }
            account.answers("sesv2.get-account", MAIL);
            account
        }

        fn answers(&self, question: &str, answer: &str) {
            fs::write(self.0.path().join(question), answer).unwrap();
        }

        fn fails(&self, question: &str, stderr: &str) {
            self.answers(&format!("{question}.fails"), stderr);
        }

        fn cli(&self) -> AwsCli {
            AwsCli::locate(&[PathBuf::from("/nowhere"), self.0.path().to_owned()]).unwrap()
        }

        /// How one thing stands.
        async fn verdict(&self, what: &str) -> Verdict {
            let findings = look(&self.cli(), None).await;
            findings.into_iter().find(|finding| finding.what == what).unwrap().verdict
        }

        /// The sentences on one thing that needs care.
        #[track_caller]
        fn care(verdict: Verdict) -> (String, String) {
            match verdict {
                Verdict::Care { found, remedy } => (found, remedy),
                other => panic!("{other:?} needs no care"),
            }
        }
    }

    #[tokio::test]
    async fn an_account_in_order_is_fine_and_was_only_read() {
        let account = Account::new();
        let findings = look(&account.cli(), None).await;
        let fine = |finding: &Finding| matches!(finding.verdict, Verdict::Fine(_));
        assert!(findings.len() == 7 && findings.iter().all(fine), "{findings:#?}");
        assert_eq!(findings[0].verdict, Verdict::Fine("123456789012".to_owned()));
        let asked = fs::read_to_string(account.0.path().join("asked")).unwrap();
        let mut questions: Vec<&str> = asked.lines().collect();
        questions.sort_unstable();
        let there = "--region us-east-1 --output json";
        let settings = "ssm get-service-setting --setting-id /ssm/parameter-store";
        assert_eq!(
            questions,
            [
                "configure get region".to_owned(),
                format!("lambda get-account-settings {there}"),
                format!(
                    "organizations describe-effective-policy --policy-type AISERVICES_OPT_OUT_POLICY {there}"
                ),
                format!("sesv2 get-account {there}"),
                format!("{settings}/default-parameter-tier {there}"),
                format!("{settings}/high-throughput-enabled {there}"),
                format!("sts get-caller-identity {there}"),
            ]
        );
    }

    #[tokio::test]
    async fn n33_every_service_that_sees_content_has_to_be_opted_out_of() {
        let account = Account::new();
        let policy = |content: &str| {
            OPTED_OUT.replace(
                r#"{\"services\":{\"default\":{\"opt_out_policy\":\"optOut\"}}}"#,
                &content.replace('"', "\\\""),
            )
        };
        let question = "organizations.describe-effective-policy";
        for (content, learning) in [
            (
                r#"{"services":{"default":{"opt_out_policy":"optOut"},"polly":{"opt_out_policy":"optIn"}}}"#,
                "polly may learn from what they see",
            ),
            (
                r#"{"services":{"rekognition":{"opt_out_policy":"optOut"}}}"#,
                "polly, translate, comprehend may learn from what they see",
            ),
            (
                r#"{"services":{}}"#,
                "rekognition, polly, translate, comprehend may learn from what they see",
            ),
        ] {
            account.answers(question, &policy(content));
            let (found, remedy) = Account::care(account.verdict("no training on data").await);
            assert_eq!(found, learning);
            assert!(remedy.contains("optOut"), "{remedy}");
        }
        account.answers(question, &policy("not JSON"));
        let unread = account.verdict("no training on data").await;
        assert!(matches!(unread, Verdict::Unasked { .. }), "{unread:?}");
    }

    #[tokio::test]
    async fn n33_an_account_that_cannot_or_does_not_opt_out_is_told_what_to_do() {
        for (code, sentence, says) in [
            (
                "AWSOrganizationsNotInUseException",
                "Your account is not a member of an organization.",
                "in no organisation",
            ),
            (
                "EffectivePolicyNotFoundException",
                "There is no effective policy of this type.",
                "no policy says",
            ),
        ] {
            let account = Account::new();
            let operation = "DescribeEffectivePolicy";
            account.fails(
                "organizations.describe-effective-policy",
                &format!(
                    "\nAn error occurred ({code}) when calling the {operation} operation: {sentence}\n"
                ),
            );
            let (found, remedy) = Account::care(account.verdict("no training on data").await);
            assert!(found.contains(says) && remedy.contains("attach"), "{found}: {remedy}");
        }
    }

    #[tokio::test]
    async fn what_may_not_be_asked_is_told_with_the_permission() {
        let account = Account::new();
        account.fails(
            "lambda.get-account-settings",
            "\nAn error occurred (AccessDeniedException) when calling the GetAccountSettings operation: \
             User: arn:aws:iam::123456789012:user/somebody is not authorized\n",
        );
        match account.verdict("concurrency").await {
            Verdict::Unasked { why, remedy } => {
                assert!(why.starts_with("AWS says AccessDeniedException: User"), "{why}");
                assert!(remedy.contains("`lambda:GetAccountSettings`"), "{remedy}");
            }
            other => panic!("{other:?}"),
        }
        // The rest was asked all the same.
        assert!(matches!(account.verdict("mail").await, Verdict::Fine(_)));
    }

    #[tokio::test]
    async fn without_credentials_one_sentence_is_enough() {
        let account = Account::new();
        account.fails(
            "sts.get-caller-identity",
            "\nUnable to locate credentials. You can configure credentials by running \"aws configure\".\n",
        );
        let findings = look(&account.cli(), None).await;
        let [Finding { what: "account", verdict: Verdict::Unasked { why, remedy } }] =
            findings.as_slice()
        else {
            panic!("{findings:#?}")
        };
        assert!(why.starts_with("`aws` says: Unable to locate credentials."), "{why}");
        assert!(remedy.contains("aws configure"), "{remedy}");
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_or_is_no_json_is_no_answer() {
        let account = Account::new();
        account.answers("sts.get-caller-identity.hangs", "");
        let cli = AwsCli::at(&account.0.path().join("aws"), Duration::from_millis(50));
        match look(&cli, None).await.as_slice() {
            [Finding { verdict: Verdict::Unasked { why, .. }, .. }] => {
                assert_eq!(why, "`aws` did not answer within 50ms");
            }
            other => panic!("{other:#?}"),
        }
        let account = Account::new();
        account.answers("sesv2.get-account", "<html>");
        let verdict = account.verdict("mail").await;
        assert!(matches!(&verdict, Verdict::Unasked { why, .. } if why.contains("another shape")));
        let gone = AwsCli::at(Path::new("/nowhere/aws"), DEADLINE);
        let findings = look(&gone, None).await;
        assert!(
            matches!(&findings[0].verdict, Verdict::Unasked { why, .. } if why.contains("does not start"))
        );
    }

    #[tokio::test]
    async fn a_new_account_is_told_what_it_lacks() {
        let account = Account::new();
        account.answers(
            "lambda.get-account-settings",
            &LIMITS.replace("1000\n", "10\n").replace("1000,", "10,"),
        );
        let (found, remedy) = Account::care(account.verdict("concurrency").await);
        assert_eq!(found, "10 calls at a time (of 10), and 100 are wanted");
        assert!(remedy.contains("L-B99A9384"), "{remedy}");
        account.answers(
            "sesv2.get-account",
            &MAIL
                .replace("AccessEnabled\": true", "AccessEnabled\": false")
                .replace("50000.0", "200.0"),
        );
        let (found, _) = Account::care(account.verdict("mail").await);
        assert_eq!(found, "SES is in its sandbox: 200 mails a day, to verified addresses only");
        account.answers("sesv2.get-account", &MAIL.replace("HEALTHY", "SHUTDOWN"));
        let (found, _) = Account::care(account.verdict("mail").await);
        assert!(found.contains("SHUTDOWN"), "{found}");
        let tier = "default-parameter-tier";
        account.answers(&format!("ssm.get-service-setting.{tier}"), &setting(tier, "Advanced"));
        let (found, _) = Account::care(account.verdict("parameter tier").await);
        assert!(found.contains("0.05 dollars"), "{found}");
    }

    #[tokio::test]
    async fn n43_another_region_needs_care_wherever_it_is_named() {
        let account = Account::new();
        let region = async |environment: Option<&str>| {
            let findings = look(&account.cli(), environment).await;
            findings.into_iter().find(|finding| finding.what == "region").unwrap().verdict
        };
        assert_eq!(region(None).await, Verdict::Fine("us-east-1".to_owned()));
        let (found, _) = Account::care(region(Some("eu-west-1")).await);
        assert!(found.contains("eu-west-1"), "{found}");
        account.answers("configure.get", "eu-central-1\n");
        assert_eq!(region(Some("us-east-1")).await, Verdict::Fine("us-east-1".to_owned()));
        let (found, _) = Account::care(region(None).await);
        assert!(found.contains("eu-central-1"), "{found}");
        account.fails("configure.get", "");
        let (found, remedy) = Account::care(region(None).await);
        assert!(found.contains("no region") && remedy.contains("us-east-1"), "{found}: {remedy}");
    }
}
