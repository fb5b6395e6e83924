//! `animate` on AWS Lambda.

use nexus_animate::Animate;
use nexus_handler::Batch;

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<Batch<Animate>, _>(nexus_platform_aws::engine)
}
