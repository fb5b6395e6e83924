//! The ports on the AWS SDK, one module a service:
//!
//! * [`dynamodb`], the table,
//! * [`s3`], the blobs,
//! * [`sqs`], the queues,
//! * [`rekognition`], labels of photos,
//! * [`polly`], the voices,
//! * [`translate`], Spanish,
//! * [`comprehend`], sentiment,
//! * [`ses`], mail,
//! * [`eventbridge`], the bus,
//! * [`ssm`], the vault of tokens and the house's own keys,
//! * [`kms`], the vault whose values stand sealed in the table's own rows, for secrets by the thousands: no function
//!   takes it yet.
//!
//! Every client begins with [`start()`], which refuses any region but [`REGION`], and every call has a time limit.
//!
//! **Never here:** a setting's name, a product's rules, which function uses what (that is `infra/aws`).

#[cfg(feature = "ai")]
mod fault;
#[cfg(feature = "parts")]
mod parts;
#[cfg(test)]
mod replay;
mod start;

#[cfg(feature = "comprehend")]
pub mod comprehend;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[cfg(feature = "eventbridge")]
pub mod eventbridge;
#[cfg(feature = "kms")]
pub mod kms;
#[cfg(feature = "polly")]
pub mod polly;
#[cfg(feature = "rekognition")]
pub mod rekognition;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "ses")]
pub mod ses;
#[cfg(feature = "sqs")]
pub mod sqs;
#[cfg(feature = "ssm")]
pub mod ssm;
#[cfg(feature = "translate")]
pub mod translate;

pub use aws_config::SdkConfig;
#[cfg(feature = "comprehend")]
pub use comprehend::ComprehendSentiment;
#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamoTable;
#[cfg(feature = "polly")]
pub use polly::PollySpeech;
#[cfg(feature = "rekognition")]
pub use rekognition::RekognitionLabels;
#[cfg(feature = "s3")]
pub use s3::S3Blobs;
#[cfg(feature = "ses")]
pub use ses::SesMail;
#[cfg(feature = "sqs")]
pub use sqs::SqsQueues;
pub use start::{REGION, WrongRegion, start};
#[cfg(feature = "translate")]
pub use translate::AmazonTranslate;
