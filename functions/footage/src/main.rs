//! `footage` on AWS Lambda.

use nexus_footage::BuyFootage;
use nexus_handler::Batch;

fn main() -> std::process::ExitCode {
    nexus_lambda::run_events::<Batch<BuyFootage>, _>(nexus_platform_aws::engine)
}
