//! The API as a client meets it, on a platform in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod approving;
mod description;
mod editing;
mod footage;
mod idempotency;
mod links;
mod media;
mod notices;
mod paging;
mod posts_again;
mod preflight;
mod products;
mod protocol;
mod questions;
mod reviews;
mod spending;
mod tenant;
mod tenants;
mod times;
