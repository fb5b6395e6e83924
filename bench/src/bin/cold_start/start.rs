//! One cold start: a process, from its beginning to its first answer.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use crate::Outcome;
use crate::contender::{Contender, Told};
use crate::runtime_api::{Moment, RuntimeApi};
use crate::services::Services;

/// How AWS's services are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over HTTP.
    Plain,
    /// Over TLS, as on AWS.
    Tls,
}

/// What a start took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Start {
    /// Milliseconds until the process asked for its first event.
    pub(crate) next_ms: f64,
    /// Milliseconds from the event to the answer.
    pub(crate) answer_ms: f64,
    /// How many calls of AWS's services that took.
    pub(crate) calls: usize,
    /// The most memory that the process had in use, MB.
    pub(crate) peak_mb: f64,
}

/// After so long a start has failed.
const LIMIT: Duration = Duration::from_secs(30);

/// Starts once.
pub(crate) async fn once(
    contender: &Contender,
    services: &Services,
    way: Way,
    folder: &Path,
) -> Outcome<Start> {
    let mut api = RuntimeApi::start(&contender.event).await?;
    services.calls();
    let log = folder.join("log");
    let out = fs::File::create(&log)?;
    let mut command = Command::new(&contender.program);
    command.args(&contender.arguments).env_clear().envs(environment(contender, services, way));
    command.env("AWS_LAMBDA_RUNTIME_API", api.address.to_string());
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).kill_on_drop(true);

    let begun = Instant::now();
    let mut child = command.spawn()?;
    let moments = async {
        let Some(Moment::Asked(asked)) = api.moments.recv().await else {
            return Err("it did not ask for an event".to_owned());
        };
        match api.moments.recv().await {
            Some(Moment::Answered(answered, body)) => Ok((asked, answered, body)),
            Some(Moment::Failed(body)) => Err(String::from_utf8_lossy(&body).into_owned()),
            _ => Err("it did not answer".to_owned()),
        }
    };
    let ended = tokio::select! {
        moments = timeout(LIMIT, moments) => moments.unwrap_or_else(|_| Err("it took too long".into())),
        status = child.wait() => Err(format!("it ended: {status:?}")),
    };
    let peak_mb = child.id().and_then(peak_mb).unwrap_or(f64::NAN);
    child.kill().await.ok();
    let calls = services.calls();
    let failed = |why: &str| {
        let log = fs::read_to_string(&log).unwrap_or_default();
        let (count, first) = (calls.len(), calls.iter().take(20).collect::<Vec<_>>());
        format!("{} over {way:?}: {why}\n{count} calls, first {first:?}\n{log}", contender.name)
    };
    let (asked, answered, body) = ended.map_err(|why| failed(&why))?;
    if let Err(why) = check(&body, calls.len()) {
        return Err(failed(&why).into());
    }
    let milliseconds = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
    Ok(Start {
        next_ms: milliseconds(begun, asked),
        answer_ms: milliseconds(asked, answered),
        calls: calls.len(),
        peak_mb,
    })
}

/// A quick failure would look like a quick answer. That an empty store has no such page is no failure, where it was
/// asked.
fn check(answer: &[u8], calls: usize) -> Result<(), String> {
    let told = || String::from_utf8_lossy(answer).into_owned();
    let answer: Value = serde_json::from_slice(answer).map_err(|_| told())?;
    let failed = answer["batchItemFailures"].as_array().is_some_and(|f| !f.is_empty());
    let refused = |status| status >= 400 && !(status == 404 && calls > 0);
    let refused = answer["statusCode"].as_u64().is_some_and(refused);
    if failed || refused { Err(told()) } else { Ok(()) }
}

/// What Lambda sets (Developer Guide, "Defined runtime environment variables"), what the template sets, and where the
/// services are.
fn environment(contender: &Contender, services: &Services, way: Way) -> Vec<(String, String)> {
    let endpoint = match way {
        Way::Plain => format!("http://{}", services.plain),
        Way::Tls => format!("https://{}", services.tls),
    };
    let memory = contender.memory_mb.to_string();
    let (all, own) = (&services.trust.all, &services.trust.own);
    let (all, own) = (all.to_string_lossy(), own.to_string_lossy());
    let set = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("_HANDLER", "bootstrap"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLEEXAMPLE00"),
        ("AWS_SECRET_ACCESS_KEY", "example"),
        ("AWS_SESSION_TOKEN", "example"),
        ("AWS_LAMBDA_FUNCTION_NAME", &contender.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "nexus"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/20/[$LATEST]example"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129:2000"),
        // Not Lambda's: where the services are, and whom to trust, as each SDK wants to be told.
        ("AWS_ENDPOINT_URL", &endpoint),
        ("SSL_CERT_FILE", &all),
        ("AWS_CA_BUNDLE", &all),
        ("NODE_EXTRA_CA_CERTS", &own),
    ];
    let mut environment: Vec<(String, String)> =
        set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    environment.extend(contender.settings.iter().map(|(name, told)| {
        let value = match told {
            Told::Text(text) => text.clone(),
            Told::Queues(ids) => {
                let addresses = ids.iter().map(|id| format!("{endpoint}/123456789012/{id}"));
                addresses.collect::<Vec<_>>().join(" ")
            }
        };
        (name.clone(), value)
    }));
    environment
}

/// The most memory that a process has had in use, MB of 10^6 bytes (Linux, proc(5)).
fn peak_mb(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_tells_of_a_failure_counts_for_nothing() {
        for good in [r#"{"batchItemFailures":[]}"#, r#"{"statusCode":200}"#, r#"{"waiting":0}"#] {
            assert_eq!(check(good.as_bytes(), 0), Ok(()), "{good}");
        }
        let missing = r#"{"statusCode":404}"#;
        assert_eq!(check(missing.as_bytes(), 1), Ok(()));
        assert!(check(missing.as_bytes(), 0).is_err(), "nobody was asked");
        let failures =
            [r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#, r#"{"statusCode":503}"#, "oops"];
        for bad in failures {
            assert_eq!(check(bad.as_bytes(), 1), Err(bad.to_owned()));
        }
    }
}
