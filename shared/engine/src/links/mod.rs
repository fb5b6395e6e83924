//! Short links: where a code leads, for whom, until when.
//!
//! A code leads to addresses that somebody registered, and never to one that a request names. Its owner is found by
//! the directory alone; the claim stands in the commit that makes the link, which is also what keeps a code unique
//! among all tenants.
//!
//! **Never here:** answering a click, counting.

mod address;
pub mod code;
mod deeds;
mod link;
mod lookup;
mod utm;

pub use address::{BadAddress, MAX_ADDRESS_CHARS, parse as parse_address};
pub use code::LinkCode;
pub use deeds::{Wish, change, create, revoke};
pub(crate) use deeds::{ensure_for_post, handed_over};
pub(crate) use link::made_for_post;
pub use link::{
    Country, Link, LinkDefaults, MAX_RULES, MAX_TARGETS, Rule, Spoken, Target, Visit, link_list,
};
pub use lookup::{Found, find, load};
pub use utm::Utm;
