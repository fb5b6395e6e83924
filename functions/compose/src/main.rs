//! `compose` on AWS Lambda.

use nexus_compose::Compose;
use nexus_handler::Batch;

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<Batch<Compose>, _>(nexus_platform_aws::engine)
}
