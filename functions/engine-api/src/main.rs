//! `engine-api` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_http::<nexus_engine_api::EngineApi, _>(nexus_platform_aws::engine)
}
