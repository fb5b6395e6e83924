//! A click on a link: what is kept of it, and how it is told without keeping who clicked.
//!
//! **Never here:** an address beyond the look-up of its place, HTTP, counting.

mod click;
mod place;

pub use click::{Agent, BotReason, Click, ClickId, Referrer, Visitor};
pub use place::{Locator, Place, Spot, Unlocated};
