//! The cold start: settings, platform, function; then the runtime asks for events.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::{Context, LambdaEvent, service_fn};
use nexus_handler::{Entry, Env, Function, HttpFunction, Invocation, Wire};
use nexus_kernel::ambient::SystemClock;
use nexus_kernel::{Clock, Failure, Timestamp};
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::metrics::Metrics;

type BoxError = Box<dyn Error + Send + Sync>;

/// Runs a function of events until Lambda ends the process: `run_events::<Batch<Tag>, _>(platform)`.
///
/// The platform's type is known here, so that a binary links only the services that its function takes from it.
pub fn run_events<F, P>(platform: impl AsyncFnOnce(&Env) -> Result<P, BoxError>) -> ExitCode
where
    F: Function + Wire<P, Deps = <F as Function>::Deps>,
{
    run(async |env: Env| {
        let platform = platform(&env).await?;
        match Entry::event::<F, P>(&platform, &env)? {
            Entry::Event(function) => serve(F::NAME, function).await,
            Entry::Http(_) => Ok(()),
        }
    })
}

/// Runs a function of HTTP requests until Lambda ends the process: `run_http::<EngineApi, _>(platform)`.
pub fn run_http<F, P>(platform: impl AsyncFnOnce(&Env) -> Result<P, BoxError>) -> ExitCode
where
    F: HttpFunction + Wire<P, Deps = <F as HttpFunction>::Deps>,
{
    run(async |env: Env| {
        let platform = platform(&env).await?;
        let router = F::router(F::wire(&platform, &env)?);
        let router = crate::http::told(F::NAME, router, Metrics::to(std::io::stdout()));
        lambda_http::run(crate::http::entrance(router)).await
    })
}

async fn serve(
    name: &'static str,
    function: Arc<dyn nexus_handler::ErasedFunction>,
) -> Result<(), BoxError> {
    let metrics = Metrics::to(std::io::stdout());
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let at = invocation(&event.context);
        let result = function.call(event.payload.get().as_bytes(), at.clone()).await;
        metrics.tell(name, &at);
        result.map_err(told)
    }))
    .await
}

/// The call that Lambda's runtime tells of.
pub(crate) fn invocation(context: &Context) -> Invocation {
    let now = SystemClock.now();
    Invocation {
        request_id: context.request_id.clone(),
        trace: context.xray_trace_id.clone().unwrap_or_else(|| context.request_id.clone()),
        now,
        deadline: Instant::now() + time_left(context.deadline, now),
        measures: Arc::default(),
    }
}

/// How much time an invocation has whose deadline is told in milliseconds since 1970. `cargo lambda watch` tells one
/// of that very year, which is none: then it is the longest that Lambda gives.
fn time_left(deadline: u64, now: Timestamp) -> Duration {
    const LONGEST: Duration = Duration::from_secs(900);
    const YEAR: u64 = 365 * 24 * 3600 * 1000;
    if deadline < YEAR {
        return LONGEST;
    }
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Duration::from_millis(deadline.saturating_sub(now)).min(LONGEST)
}

/// What Lambda's own log may tell of a failure: the public sentence. The causes were logged where it ended.
fn told(failure: Failure) -> BoxError {
    nexus_handler::outcome::log("lambda", &failure);
    failure.public().to_owned().into()
}

/// A cold start: settings, log, runtime, then the work until Lambda ends it.
fn run(work: impl AsyncFnOnce(Env) -> Result<(), BoxError>) -> ExitCode {
    // Before anything may speak TLS; a second one would be refused, which is no matter.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let env = settings();
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(log_filter(&env))
        .with_writer(std::io::stderr)
        .init();
    nexus_handler::panics::tell_only_where();
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "the runtime does not start");
                return ExitCode::FAILURE;
            }
        };
    match runtime.block_on(work(env)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the function does not start");
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the process's environment on Lambda"
)]
fn settings() -> Env {
    Env::from_pairs(std::env::vars())
}

/// `RUST_LOG`, else the level that the template sets (`ApplicationLogLevel`), else `info`.
fn log_filter(env: &Env) -> EnvFilter {
    let level = ["RUST_LOG", "AWS_LAMBDA_LOG_LEVEL"].into_iter().find_map(|name| env.get(name));
    EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse_lossy(level.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_of_1970_is_none() {
        let now = Timestamp::from_second(1_795_165_260).unwrap();
        assert_eq!(time_left(1_795_165_260_000 + 29_000, now), Duration::from_secs(29));
        assert_eq!(time_left(1_795_165_259_999, now), Duration::ZERO);
        assert_eq!(time_left(600_000, now), Duration::from_secs(900));
        assert_eq!(time_left(u64::MAX, now), Duration::from_secs(900));
    }

    #[test]
    fn the_trace_is_x_rays_and_without_it_the_requests_own() {
        let mut context = Context::default();
        context.request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd".into();
        assert_eq!(invocation(&context).trace, context.request_id);
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        context.xray_trace_id = Some(header.into());
        assert_eq!(invocation(&context).trace, header);
        assert_eq!(invocation(&context).request_id, context.request_id);
    }

    #[test]
    fn the_log_tells_info_unless_told_otherwise() {
        let filter = |pairs: &[(&str, &str)]| {
            log_filter(&Env::from_pairs(pairs.iter().copied())).to_string()
        };
        assert_eq!(filter(&[]), "info");
        assert_eq!(filter(&[("AWS_LAMBDA_LOG_LEVEL", "WARN")]), "warn");
        assert_eq!(filter(&[("AWS_LAMBDA_LOG_LEVEL", "WARN"), ("RUST_LOG", "debug")]), "debug");
    }
}
