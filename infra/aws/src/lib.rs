//! Which adapter stands behind each port on AWS.
//!
//! Clients are built once in a cold start, each when a function first asks for it. Who writes is the
//! template engine of the one machine, under its own name, or Gemini where its key is.
//!
//! **Never here:** an AWS call, a product's rules, what a function does.

mod engine;

pub use engine::{AwsEngine, engine};
