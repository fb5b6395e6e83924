//! What a test of a function stands on: a platform in memory with a clock that the test moves, ids that follow from
//! a seed, engines that pretend and write down what they were asked, people of tenants, and builders of records.
//!
//! ```
//! # use nexus_testkit::{MemoryPlatform, build, people};
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let platform = MemoryPlatform::new();
//! let scope = people::scope(people::tenant(1));
//! let draft = build::ready_draft(&scope, build::media_id(1), platform.now());
//! platform.put(&scope, &draft).await;
//! platform.advance(jiff::SignedDuration::from_hours(1));
//! assert_eq!(platform.load::<nexus_engine::Draft>(&scope, &draft).await.unwrap(), draft);
//! # });
//! ```
//!
//! **Never here:** anything that production code depends on, an assertion about a single function.

pub mod build;
pub mod fakes;
pub mod footage;
pub mod login;
pub mod mail;
#[cfg(feature = "vendors")]
pub mod networks;
pub mod people;
mod platform;
pub mod recording;
pub mod sentiment;
#[cfg(feature = "vendors")]
pub mod vendors;

pub use platform::MemoryPlatform;
pub use recording::RecordingPlatform;
