//! Approved purchases in; jobs at a vendor, footage in drafts and words about the rest out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod buying;
mod dying;
mod filming;
mod following;
mod house;
