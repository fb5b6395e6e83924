//! `sentiment` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<nexus_handler::WholeBatch<nexus_sentiment::Judge>, _>(
        nexus_platform_aws::engine,
    )
}
