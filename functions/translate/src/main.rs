//! `translate` on AWS Lambda.

use nexus_handler::Batch;
use nexus_translate::Translate;

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<Batch<Translate>, _>(nexus_platform_aws::engine)
}
