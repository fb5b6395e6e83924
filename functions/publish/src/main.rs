//! `publish` on AWS Lambda.

use nexus_handler::Batch;
use nexus_publish::Publish;

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<Batch<Publish>, _>(nexus_platform_aws::engine)
}
