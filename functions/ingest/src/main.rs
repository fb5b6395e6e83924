//! `ingest` on AWS Lambda.

use nexus_handler::Batch;
use nexus_ingest::Ingest;

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<Batch<Ingest>, _>(nexus_platform_aws::engine)
}
