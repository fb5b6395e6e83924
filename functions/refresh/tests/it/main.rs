//! Tokens of accounts, on a platform in memory and a network that pretends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crashing;
mod ground;
mod parallel;
mod schedule;
mod tokens;
