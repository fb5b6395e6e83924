//! `tag` on AWS Lambda.

use nexus_handler::Batch;
use nexus_tag::Tag;

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<Batch<Tag>, _>(nexus_platform_aws::engine)
}
