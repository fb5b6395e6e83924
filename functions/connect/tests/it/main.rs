//! Connecting and disconnecting as a client meets it, on a platform in memory and a network that pretends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod connecting;
mod crashing;
mod disconnecting;
mod protocol;
