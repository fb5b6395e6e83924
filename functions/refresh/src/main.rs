//! `refresh` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<nexus_refresh::Refresh, _>(nexus_platform_aws::engine)
}
