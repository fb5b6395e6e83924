//! Luma's Agents API: generations, and outputs whose address is the right of entry.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{Came, Maker, Manner, No, Operation, Shared, Stand, says, says_later};

/// How a generation's id begins; its number follows, in twelve digits.
const ID: &str = "d1968551-6113-4b46-b567-";

static MANNER: Manner =
    Manner { vendor: "luma", key: Some(("authorization", "Bearer ")), says: no };

/// Of outputs.
static OPEN: Manner = Manner { vendor: "luma", key: None, says: no };

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/generations", post(create))
        .route("/v1/generations/{id}", get(look))
        .route("/outputs/{file}", get(output))
}

fn no(operation: Operation, no: &No) -> Response {
    let detail = |text: &str| json!({ "detail": text });
    match (operation, no) {
        (_, No::UnknownKey) => says(401, detail("Invalid API key")),
        (_, No::Wrong(field, why)) => {
            let rule = json!({ "loc": ["body", field], "msg": why, "type": "value_error" });
            says(422, json!({ "detail": [rule] }))
        }
        (_, No::Missing) => says(404, detail("Generation not found")),
        (_, No::Busy(seconds)) => says_later(429, *seconds, detail("Rate limit exceeded")),
        (_, No::Broken) => says(500, detail("Internal server error")),
        (Operation::Look(_), No::Refused) => {
            let mut generation = told(ID, "failed");
            generation["failure_code"] = json!("content_moderated");
            says(200, generation)
        }
        (_, No::Refused) => says(400, detail("This cannot be made.")),
    }
}

fn number(id: &str) -> Option<usize> {
    id.strip_prefix(ID)?.parse().ok()
}

fn told(id: &str, state: &str) -> Value {
    json!({
        "id": id, "created_at": "2026-11-20T00:00:00Z", "model": "ray-3.2", "type": "video",
        "state": state, "output": null, "failure_code": null, "failure_reason": null,
    })
}

async fn create(State(house): State<Shared>, came: Came) -> Response {
    house.take(&MANNER, Operation::Submit(Maker::Luma), came, |came| {
        came.one_of("/type", &["video"])?;
        came.one_of("/model", &["ray-3.2"])?;
        came.text("/prompt")?;
        came.one_of("/aspect_ratio", &["9:16", "16:9"])?;
        came.one_of("/video/resolution", &["540p", "720p", "1080p"])?;
        came.one_of("/video/duration", &["5s", "10s"])?;
        if came.body.pointer("/video/start_frame").is_some() {
            came.one_of("/video/start_frame/media_type", &["image/jpeg", "image/png"])?;
            came.picture("start_frame", came.text("/video/start_frame/data")?)?;
        }
        Ok(says(201, told(&format!("{ID}{:012}", house.job(Maker::Luma)), "queued")))
    })
}

async fn look(State(house): State<Shared>, Path(id): Path<String>, came: Came) -> Response {
    house.take(&MANNER, Operation::Look(Maker::Luma), came, |_| {
        // A generation cannot be stopped.
        Ok(says(
            200,
            match house.look(Maker::Luma, number(&id))? {
                Stand::Waiting | Stand::Stopped => told(&id, "processing"),
                Stand::Ready => {
                    let at = format!("{}/luma/outputs/{id}", house.origin());
                    let mut generation = told(&id, "completed");
                    generation["output"] = json!([
                        { "type": "thumbnail", "url": format!("{at}.jpg") },
                        { "type": "video", "url": format!("{at}.mp4?X-Amz-Expires=3600") },
                    ]);
                    generation
                }
            },
        ))
    })
}

async fn output(State(house): State<Shared>, Path(file): Path<String>, came: Came) -> Response {
    house.take(&OPEN, Operation::Fetch(Maker::Luma), came, |came| {
        if !came.asks("X-Amz-Expires=3600") {
            return Err(No::Missing);
        }
        house.footage(Maker::Luma, file.strip_suffix(".mp4").and_then(number))
    })
}
