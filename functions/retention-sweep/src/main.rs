//! `retention-sweep` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<nexus_retention_sweep::RetentionSweep, _>(nexus_platform_aws::engine)
}
