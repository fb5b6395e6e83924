//! The ports on the AWS SDK, one module a service:
//!
//! * [`dynamodb`]: the table,
//! * [`s3`]: the blobs,
//! * [`sqs`]: the queues.
//!
//! Every client begins with [`start()`], which refuses any region but [`REGION`], and every call has a time limit.
//!
//! **Never here:** a setting's name, a product's rules, which function uses what (that is `infra/aws`).

#[cfg(all(test, feature = "s3"))]
mod replay;
mod start;

#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "sqs")]
pub mod sqs;

pub use aws_config::SdkConfig;
#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamoTable;
#[cfg(feature = "s3")]
pub use s3::S3Blobs;
#[cfg(feature = "sqs")]
pub use sqs::SqsQueues;
pub use start::{REGION, WrongRegion, start};
