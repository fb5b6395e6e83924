//! `listen` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<nexus_listen::Listen, _>(nexus_platform_aws::engine)
}
