//! Which adapter stands behind each port on AWS.
//!
//! Clients are built once in a cold start, each when a function first asks for it. Where AWS's own service does not
//! stand yet, the offline engine does, under its own name, or nobody, and then the draft says so.
//!
//! **Never here:** an AWS call, a product's rules, what a function does.

mod engine;
mod voiceless;

pub use engine::engine;
