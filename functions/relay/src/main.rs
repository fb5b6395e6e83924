//! `relay` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<nexus_relay::Relay, _>(nexus_platform_aws::engine)
}
