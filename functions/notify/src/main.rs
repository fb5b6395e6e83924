//! `notify` on AWS Lambda.

use nexus_handler::Batch;
use nexus_notify::Notify;

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<Batch<Notify>, _>(nexus_platform_aws::engine)
}
