//! Luma, by its Agents API (`agents.lumalabs.ai`): footage by Ray from a picture and a prompt, or from a prompt alone.
//!
//! The older Dream Machine API has other keys, addresses, states and lengths; nothing of it is here. A generation is
//! asked for until it is completed; each answer then names an address that lets in whoever has it for an hour, without
//! the key. There is no call that stops a generation, no list of generations and no key for repetitions: what was
//! submitted runs to its end, and a submission whose answer was lost can only be looked up by a person. There is no
//! field by which a request opts out of training; that is the account's agreement.
//!
//! Settings: `LUMA_MODEL` ([`DEFAULT_MODEL`]), `LUMA_BASE`. The key stands in the vault under `luma`.
//!
//! **Never here:** pictures by address, editing and reframing, Luma's own words to a person.

mod classify;
pub mod models;
mod port;
pub mod prices;
pub mod request;
mod response;
#[cfg(test)]
mod tests;

pub use models::{DEFAULT_MODEL, MODEL_SETTING};
pub use port::Luma;
pub use request::VENDOR;
