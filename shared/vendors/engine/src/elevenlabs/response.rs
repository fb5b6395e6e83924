//! What ElevenLabs gave: a sound with the times of its characters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nexus_core::egress::Cost;
use nexus_engine::narration::Spoken;
use nexus_outbound::{Answer, CallError, Reading, Usage};
use serde::Deserialize;
use serde_json::Value;

use super::{classify, marks};

#[derive(Deserialize)]
struct Whole {
    audio_base64: String,
    /// Extra: what is wrong with it costs the marks, not the sound that was paid for.
    #[serde(default)]
    alignment: Value,
}

/// Reads the sound of a sentence. `cost` is what its characters cost: the answer does not say.
///
/// # Errors
/// It is no sound: [`classify`] says what it means. A success that holds none may have been paid for all the same.
pub(super) fn spoken(
    answer: &Answer,
    sentence: &str,
    cost: Cost,
) -> Result<Reading<Spoken>, CallError> {
    classify::failed(answer)?;
    let whole: Whole = serde_json::from_slice(&answer.body)
        .map_err(|_| classify::unreadable("what is not in its language"))?;
    let audio = STANDARD
        .decode(whole.audio_base64)
        .map_err(|_| classify::unreadable("a sound that cannot be decoded"))?;
    if !is_mp3(&audio) {
        return Err(classify::unreadable("a sound that is no MP3"));
    }
    let units = u64::try_from(sentence.chars().count()).unwrap_or(u64::MAX);
    Ok(Reading {
        value: Spoken {
            audio: Bytes::from(audio),
            extension: "mp3",
            marks: marks::of(&whole.alignment, sentence),
        },
        usage: Usage { units, cost, ..Usage::default() },
    })
}

/// Whether a file begins as an MP3 does: with its tags, or with a frame.
fn is_mp3(bytes: &[u8]) -> bool {
    bytes.starts_with(b"ID3") || matches!(bytes, [0xff, second, ..] if second & 0xe0 == 0xe0)
}
