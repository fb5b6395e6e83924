//! The one-machine host: reads `template.yaml`, wires what it finds, and runs the same functions that AWS Lambda
//! runs in one process, on the embedded store and the offline engines.
//!
//! **Never here:** what a function does, an AWS SDK, the rules of a product.

/// What answers take and give back many times each is faster had from here than from the C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod bucket_notices;
pub mod cli;
pub mod engines;
pub mod feed;
pub mod functions;
pub mod gateway;
pub mod geolite;
pub mod home;
pub mod host;
pub mod invoke;
pub mod issuer;
pub mod keys;
pub mod live_stream;
mod mail;
pub mod metrics;
mod platform;
pub mod poller;
pub mod running;
pub mod schedule;
pub mod serve;
pub mod template;
mod uploads;
