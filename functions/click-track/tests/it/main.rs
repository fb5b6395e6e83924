//! Following links, on a platform in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attacks;
mod canaries;
mod following;
mod recording;
mod salts;
mod world;
