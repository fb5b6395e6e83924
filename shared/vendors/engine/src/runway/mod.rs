//! Runway: footage from a picture and a prompt, or, by some models, from a prompt alone.
//!
//! A task is created, asked for until it is over, and its output copied at once: the address expires within a day or
//! two. The key goes only to the API. Outputs lie with a content network, are fetched without it, and never shown.
//! There is no key for repetitions and no list of tasks: a submission whose answer was lost can only be looked up by
//! a person. There is no field by which a request opts out of training; that is the account's agreement.
//!
//! Settings: `RUNWAY_MODEL` ([`DEFAULT_MODEL`]), `RUNWAY_BASE`. The key stands in the vault under `runway`.
//!
//! **Never here:** uploads (a picture goes along as a data URI), other kinds of generation, Runway's own words to a person.

mod classify;
pub mod models;
mod port;
pub mod prices;
pub mod request;
mod response;
#[cfg(test)]
mod tests;

pub use models::{DEFAULT_MODEL, MODEL_SETTING};
pub use port::Runway;
pub use request::VENDOR;
