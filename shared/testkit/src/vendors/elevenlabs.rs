//! ElevenLabs: a sentence as a tone, with the time of each of its characters.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{Came, Manner, No, Operation, Shared, VOICE_EN, VOICE_ES, says, says_later};

/// Six tenths of a second, 220 Hz, made with ffmpeg.
const TONE: &[u8] = include_bytes!("tone.mp3");
/// As long as the tone is, in seconds.
const LASTS: f64 = 0.6;

static MANNER: Manner = Manner { vendor: "elevenlabs", key: Some(("xi-api-key", "")), says: no };

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v1/text-to-speech/{voice}/with-timestamps", post(speak))
}

fn no(_: Operation, no: &No) -> Response {
    let word = |word: &str| json!({ "detail": { "status": word, "message": format!("{no:?}") } });
    match no {
        No::UnknownKey => says(401, word("invalid_api_key")),
        No::Wrong(field, why) => {
            let rule = json!({ "loc": ["body", field], "msg": why, "type": "value_error" });
            says(422, json!({ "detail": [rule] }))
        }
        No::Missing => says(404, word("voice_not_found")),
        No::Busy(seconds) => says_later(429, *seconds, word("system_busy")),
        No::Broken => says(500, word("internal_server_error")),
        // An empty account is a 401 here.
        No::Refused => says(401, word("quota_exceeded")),
    }
}

async fn speak(State(house): State<Shared>, Path(voice): Path<String>, came: Came) -> Response {
    house.take(&MANNER, Operation::Speak, came, |came| {
        if ![VOICE_EN, VOICE_ES].contains(&voice.as_str()) {
            return Err(No::Missing);
        }
        if !came.asks("output_format=mp3_44100_128") {
            return Err(No::Wrong("output_format", "only one is offered here"));
        }
        came.one_of("/model_id", &["eleven_multilingual_v2", "eleven_flash_v2_5"])?;
        let sentence = came.text("/text")?;
        let characters: Vec<String> = sentence.chars().map(String::from).collect();
        let length = characters.len() as f64;
        let time = |n: usize| n as f64 * LASTS / length;
        let starts: Vec<f64> = (0..characters.len()).map(time).collect();
        let ends: Vec<f64> = (1..=characters.len()).map(time).collect();
        let alignment = json!({
            "characters": characters,
            "character_start_times_seconds": starts,
            "character_end_times_seconds": ends,
        });
        Ok(says(
            200,
            json!({
                "audio_base64": STANDARD.encode(TONE),
                "alignment": alignment.clone(),
                "normalized_alignment": alignment,
            }),
        ))
    })
}
