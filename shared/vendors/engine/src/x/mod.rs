//! X, by its API v2: accounts connected by OAuth 2.0 with PKCE, posts of a text with a picture or a video, and the
//! search for a post whose answer was lost.
//!
//! ```text
//! initialize ─ append … ─ finalize ─ status … ─ metadata ─┐
//!           may be repeated freely, nothing is seen       └─ POST /2/tweets ─ lost? look among the account's own posts
//! ```
//!
//! X has no key by which it recognises a repetition, so the post itself is sent once, and what is unknown is looked
//! for in the account's own list by its text (`same.rs`). X also turns down a text that the account has posted lately:
//! after an attempt that nobody knows the end of, that is a sign that the post is there, and no refusal.
//!
//! The application's name is the setting `X_CLIENT_ID`, its secret stands in the vault under `x`; without a secret it
//! is a public client. An access token serves two hours; a refresh token serves once.
//!
//! Settings: `X_CLIENT_ID`, `X_AUTHORIZE_BASE` ([`DEFAULT_AUTHORIZE_BASE`]), `X_BASE`.
//!
//! What people answer to a post of the account's own can be read for seven days (`listen.rs`), each answer for a price:
//! its number, text and time. Who wrote it is not asked for.
//!
//! **Never here:** followers, messages, likes, other people's profiles: there is no operation for any of it (N39, N42); X's own words to a person; a token at rest.

mod classify;
pub mod limits;
mod listen;
mod login;
mod port;
pub mod prices;
pub mod request;
mod response;
mod same;
#[cfg(test)]
mod tests;
mod uploads;

pub use port::{AUTHORIZE_BASE_SETTING, CLIENT_ID_SETTING, DEFAULT_AUTHORIZE_BASE, Settings, X};
pub use request::VENDOR;
