//! The Engine's rules: a merchant's media and product facts become checked, captioned, narrated, bilingual
//! content, and what a person approved of it becomes a post.
//!
//! A folder per concern: the records it keeps, the rules it follows, the port through which its work is done.
//!
//! **Never here:** HTTP, queues' wire formats, an adapter, a vendor, another product.

pub mod account;
pub mod answering;
pub mod approving;
pub mod blob_names;
pub mod cache;
pub mod cancelling;
pub mod catalogue;
pub mod clicks;
pub mod comments;
pub mod connections;
pub mod copy;
pub mod day_salts;
pub mod days;
pub mod desk;
pub mod draft;
pub mod duplicating;
pub mod editing;
pub mod film;
pub mod footage;
pub mod hops;
pub mod inquiries;
pub mod judging;
pub mod line;
pub mod links;
pub mod mailing;
pub mod media;
pub mod moods;
pub mod narration;
pub mod notices;
pub mod platform;
pub mod providers;
pub mod publishing;
pub mod removal;
pub mod rescheduling;
pub mod retrying;
pub mod reviewing;
pub mod scheduling;
pub mod sentiment;
pub mod tagging;
pub mod tallies;
pub mod translation;
pub mod uploading;

pub use desk::Desk;
pub use draft::{Draft, DraftId, Stage};
pub use hops::Hop;
pub use media::{Media, MediaId};
pub use platform::EnginePlatform;
