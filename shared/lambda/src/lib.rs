//! The entrance on AWS Lambda: a cold start once, then one event after the other.
//!
//! The one-machine host uses [`http::answer`] to take API Gateway's events for HTTP functions; nothing else here
//! is of use outside Lambda.
//!
//! **Never here:** an AWS service, a product, what a function does.

mod claims;
mod clients;
pub mod http;
mod metrics;
mod start;

pub use start::{run_events, run_http};
