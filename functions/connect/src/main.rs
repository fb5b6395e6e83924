//! `connect` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_http::<nexus_connect::Connect, _>(nexus_platform_aws::engine)
}
