//! Google: footage from a picture and a prompt, or from a prompt alone, by Gemini Omni.
//!
//! Veo left the Gemini API on 2026-10-22. Its successor behind an API key is Gemini Omni, asked through the Interactions
//! API; that is what is here. Veo itself goes on only within Google Cloud, where it wants OAuth with a service account
//! instead of a key, and is not here.
//!
//! The name in settings, in the ledger and in the vault stays `veo`: there it says to whom of our closed list of
//! processors a tenant's words go, and that list calls Google's video so. Whatever shows who made a thing shows
//! [`FootageMaker::engine`](nexus_engine::footage::FootageMaker::engine): `google gemini-omni-1.1-flash`, and never Veo.
//!
//! An interaction is made in the background and asked for until it is over. Google keeps it for 55 days on a paid
//! account, and there is no other for video; a background interaction has to be kept, so `store: false` cannot be
//! asked for. There is no field by which a request opts out of training; that is the paid account's agreement. Completed
//! *without* a video is how a refusal looks. An id that is not known is answered with 400. There is no list of interactions and no key for
//! repetitions: a submission whose answer was lost can only be looked up by a person.
//!
//! Settings: `VEO_MODEL` ([`DEFAULT_MODEL`]), `VEO_BASE`. The key is a Gemini API key, and stands in the vault under
//! `veo`, so that it can be another one than that for words.
//!
//! **Never here:** `generateContent`, editing and extending videos, Google's own words to a person.

mod classify;
pub mod models;
mod port;
pub mod prices;
pub mod request;
mod response;
#[cfg(test)]
mod tests;

pub use models::{DEFAULT_MODEL, MODEL_SETTING};
pub use port::Veo;
pub use request::VENDOR;
