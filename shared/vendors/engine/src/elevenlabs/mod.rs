//! ElevenLabs: narration, for a tenant who asked for it.
//!
//! It is sent a sentence and how to speak it, and nothing about whom it is for. The answer tells when each character
//! is heard, from which the words' marks are made.
//!
//! **Not used for training, not kept (N33).** A request can ask for nothing of its text and sound to be kept
//! (`enable_logging=false`), but only an enterprise account is obeyed; any other is refused. So it is a setting
//! ([`NO_LOGGING_SETTING`]). Whether what an account sends may be used for training is set in the account's own
//! pages, and no field of a request changes it.
//!
//! **Never here:** who may be spoken for by ElevenLabs (the tenant's choice, `nexus_engine::providers`), another voice
//! when this one fails, loudness, a try, a key.

mod classify;
mod marks;
mod port;
pub(crate) mod prices;
mod request;
mod response;

#[cfg(test)]
mod tests;

use std::time::Duration;

use nexus_outbound::{Auth, Operation, Repeat, Vendor};

pub use port::{ElevenLabs, Manner, Settings, SettingsProblem, Voices};

/// The model where no setting says otherwise. It takes English and Spanish and guesses which from the text.
pub const DEFAULT_MODEL: &str = "eleven_multilingual_v2";
/// The setting that names another one.
pub const MODEL_SETTING: &str = "ELEVENLABS_MODEL";
/// The setting with the voice that speaks English.
pub const VOICE_EN_SETTING: &str = "ELEVENLABS_VOICE_EN";
/// The setting with the voice that speaks Spanish.
pub const VOICE_ES_SETTING: &str = "ELEVENLABS_VOICE_ES";
/// The setting with how even a voice is, 0 to 1.
pub const STABILITY_SETTING: &str = "ELEVENLABS_STABILITY";
/// The setting with how closely a voice keeps to the one it was made from, 0 to 1.
pub const SIMILARITY_SETTING: &str = "ELEVENLABS_SIMILARITY";
/// The setting with how much a voice exaggerates, 0 to 1.
pub const STYLE_SETTING: &str = "ELEVENLABS_STYLE";
/// The setting with how fast a voice is, 0.7 to 1.2.
pub const SPEED_SETTING: &str = "ELEVENLABS_SPEED";
/// The setting by which nothing is asked to be kept: `true`, for an enterprise account.
pub const NO_LOGGING_SETTING: &str = "ELEVENLABS_NO_LOGGING";
/// The setting with what a million characters cost with the account's plan, in cents.
pub const PRICE_SETTING: &str = "ELEVENLABS_PRICE_CENTS";

/// ElevenLabs.
pub static VENDOR: Vendor = Vendor {
    name: "elevenlabs",
    base: "https://api.elevenlabs.io",
    base_setting: "ELEVENLABS_BASE",
    hosts: &[],
    auth: Auth::Header { name: "xi-api-key", prefix: "" },
    per_second: 3,
    // What the smallest plan lets speak at once.
    at_once: 2,
};

/// Speaking. It changes nothing anywhere, but every sound that was made is paid for and no key makes two of them one.
/// So a lost answer is not asked for again in the same breath: the line comes again by itself, some minutes later and
/// a few times at most, and finds the sentences that it has.
pub static SPEAK: Operation = Operation {
    name: "speak",
    repeat: Repeat::Never,
    sends: request::SENDS,
    try_within: Duration::from_secs(60),
    within: Duration::from_secs(120),
    // A minute of sound at 128 kbit/s has about 1 MB, a third more in base64; a sentence has seconds.
    max_answer: 16 * 1024 * 1024,
};
