//! `narrate` on AWS Lambda.

use nexus_handler::Batch;
use nexus_narrate::Narrate;

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<Batch<Narrate>, _>(nexus_platform_aws::engine)
}
