//! What ElevenLabs is asked to speak.

use http::Method;
use nexus_kernel::Language;
use nexus_outbound::Request;
use nexus_outbound::request::Piece;
use serde_json::json;

use super::{SPEAK, Settings, prices};

/// MP3 at 44.1 kHz and 128 kbit/s: every plan has it, and the line makes its own track of it.
const FORMAT: &str = "mp3_44100_128";
/// The same sentence sounds alike each time, as far as a model can do that.
const SEED: u32 = 2027;

/// Everything that may go out, and nothing else (N34).
pub(super) const SENDS: &[&str] = &[
    ":voice_id",
    "?output_format",
    "?enable_logging",
    "text",
    "model_id",
    "language_code",
    "seed",
    "voice_settings.stability",
    "voice_settings.similarity_boost",
    "voice_settings.style",
    "voice_settings.speed",
    "voice_settings.use_speaker_boost",
];

/// The sentence by this voice, with the times of its characters.
pub(super) fn speak(
    settings: &Settings,
    voice: &str,
    language: Language,
    sentence: &str,
) -> Request {
    let path = vec![
        Piece::Fixed("/v1/text-to-speech/"),
        Piece::Value(":voice_id", voice.to_owned()),
        Piece::Fixed("/with-timestamps"),
    ];
    let manner = &settings.manner;
    let mut body = json!({
        "text": sentence,
        "model_id": settings.model,
        "seed": SEED,
        "voice_settings": {
            "stability": manner.stability,
            "similarity_boost": manner.similarity,
            "style": manner.style,
            "speed": manner.speed,
            "use_speaker_boost": manner.speaker_boost,
        },
    });
    if prices::told_language(&settings.model) {
        body["language_code"] = language.code().into();
    }
    let mut request = Request::new(&SPEAK, Method::POST, path).json(body);
    request.query.push(("output_format", FORMAT.to_owned()));
    if settings.without_logging {
        request.query.push(("enable_logging", "false".to_owned()));
    }
    request
}
