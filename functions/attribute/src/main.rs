//! `attribute` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<nexus_attribute::Attribute, _>(nexus_platform_aws::engine)
}
