//! What a function is, seen from both entrances: AWS Lambda and the one-machine host.
//!
//! A function is made from its parts ([`Wire`]), takes one event and answers ([`Function`]), reads a queue
//! message by message ([`QueueFunction`] in a [`Batch`]) or is a router ([`HttpFunction`]). It does not know which
//! entrance called it.
//!
//! **Never here:** an adapter, a vendor, the Lambda runtime, a product's rules.

mod batch;
pub mod env;
mod function;
pub mod http;
mod measures;
pub mod outcome;
pub mod panics;
mod s3_notice;
mod whole_batch;

pub use batch::{Batch, Enveloped, FromQueue, QueueFunction};
pub use env::{Env, SettingsError};
pub use function::{Entry, ErasedFunction, Function, HttpFunction, Invocation, Scheduled, Wire};
pub use measures::{Measure, Measures};
pub use s3_notice::{Created, S3Notice};
pub use whole_batch::{BatchFunction, Failed, WholeBatch};
