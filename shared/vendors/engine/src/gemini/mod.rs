//! Gemini: the words of a draft, by `generateContent`.
//!
//! One call writes all four kinds, in English and in Spanish. Spanish is written in the same call because the model
//! knows the voice and the facts only there: a pair reads better than a translation of its English half, and costs
//! about a cent, where a translator's price for the same text is several. A platform whose translator is preferred
//! anyway says so ([`Gemini::english_only`]) and saves that cent. A Spanish half that breaks a rule is left out; it
//! never takes the English one with it.
//!
//! A tenant's words are data. The instruction and the task are texts of ours alone; everything of a tenant or of a
//! picture stands in one JSON document beside them (`request.rs`), and what comes back is held against the facts
//! before anybody sees it (`facts.rs`). What would need judgement stays with the person who approves the draft.
//!
//! **Not used for training (N33).** `store` is false in every request: without it, a project of 2026-10-26 or later
//! keeps prompts and answers for 55 days. That prompts and answers are not used to improve Google's products is no
//! field of a request: it is a term of the paid tier, so the key has to belong to a project with billing. What such a
//! project still cannot switch off is Google's own keeping for a limited time to detect abuse.
//!
//! **Never here:** a picture (labels are enough), the address where a product is sold (it is set under a caption
//! here, and no model needs it), a try, a key.

mod classify;
mod facts;
mod port;
pub(crate) mod prices;
mod request;
mod response;
mod words;

#[cfg(test)]
mod tests;

use std::time::Duration;

use nexus_outbound::vendor::MAX_ANSWER;
use nexus_outbound::{Auth, Operation, Repeat, Vendor};

pub use port::Gemini;
pub use prices::models;

/// The model where no setting says otherwise.
pub const DEFAULT_MODEL: &str = "gemini-3.8-flash";
/// The setting that names another one. Models are retired within about a year.
pub const MODEL_SETTING: &str = "GEMINI_MODEL";

/// Google's Gemini API with a key of Google AI Studio.
pub static VENDOR: Vendor = Vendor {
    name: "gemini",
    base: "https://generativelanguage.googleapis.com",
    base_setting: "GEMINI_BASE",
    hosts: &[],
    auth: Auth::Header { name: "x-goog-api-key", prefix: "" },
    per_second: 5,
    at_once: 8,
};

/// Writing. It changes nothing anywhere; a lost answer that is asked for again costs some cents at most, and somebody
/// waits for a draft.
pub static GENERATE_CONTENT: Operation = Operation {
    name: "generate-content",
    repeat: Repeat::Safe,
    sends: request::SENDS,
    try_within: Duration::from_secs(60),
    within: Duration::from_secs(120),
    max_answer: MAX_ANSWER,
};

/// All that can be asked.
pub static OPERATIONS: [&Operation; 1] = [&GENERATE_CONTENT];
