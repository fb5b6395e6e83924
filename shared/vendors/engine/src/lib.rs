//! The Engine's third parties, a folder each: `request.rs` builds, `response.rs` reads, `classify.rs` says whether it
//! happened, `port.rs` puts them behind the engine's port, `recordings/` holds an exchange per operation.
//!
//! **Never here:** a try, a deadline, a key (all of that is `nexus_outbound`'s), another vendor's shape, the rules of
//! the Engine.

pub mod elevenlabs;
pub mod footage;
pub mod gemini;
pub mod luma;
pub mod mastodon;
pub mod runway;
pub mod suite;
pub mod tiktok;
pub mod veo;
pub mod x;

mod failure;
mod google;
mod oauth;
#[cfg(test)]
mod posting;
#[cfg(test)]
mod wire;
