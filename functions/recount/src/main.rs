//! `recount` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<nexus_recount::RecountClicks, _>(nexus_platform_aws::engine)
}
