//! `inquire` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_http::<nexus_inquire::Inquire, _>(nexus_platform_aws::engine)
}
