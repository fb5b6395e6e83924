//! The API as a client meets it, on a platform in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod approving;
mod comments;
mod description;
mod editing;
mod footage;
mod idempotency;
mod inquiries;
mod links;
mod media;
mod notices;
mod paging;
mod posts_again;
mod preflight;
mod products;
mod protocol;
mod questions;
mod reports;
mod reviews;
mod short_links;
mod spending;
mod tenant;
mod tenants;
mod times;
