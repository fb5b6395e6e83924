//! A click on a link: what is kept of it, and how it is told without keeping who clicked.
//!
//! **Never here:** an address beyond the look-up of its place, HTTP, counting.

mod agent;
pub mod bots;
mod click;
pub mod client;
mod followed;
mod place;
mod referrer;
mod scrub;
mod spellings;
pub mod visitor;

pub use agent::{DeviceClass, Presented, Program};
pub use click::{Agent, BotReason, Click, ClickId, Referrer, Visitor};
pub use followed::{Clicks, Followed};
pub use place::{ATTRIBUTION, Locator, Place, Spot, Unlocated};
pub use referrer::Page;
pub use spellings::Spellings;
pub use visitor::Salts;
