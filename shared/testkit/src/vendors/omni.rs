//! Google's footage: interactions in the background, and the files that they make.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{Came, Maker, Manner, No, Operation, Shared, Stand, google, says};

/// What comes out for five seconds of 720p.
const TOKENS: u64 = 28_960;

static MANNER: Manner = Manner { vendor: "veo", key: Some(("x-goog-api-key", "")), says: no };

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1beta/interactions", post(create))
        .route("/v1beta/interactions/{id}", get(look))
        .route("/v1beta/interactions/{id}/cancel", post(cancel))
        .route("/v1beta/files/{file}", get(download))
}

fn no(operation: Operation, no: &No) -> Response {
    match (operation, no) {
        // A no is an interaction that is completed without footage.
        (Operation::Look(_), No::Refused) => {
            says(200, json!({ "id": "v1_0", "status": "completed", "steps": [] }))
        }
        // So Google answers for an id that it does not know.
        (_, No::Missing) => google(&No::Wrong("name", "Invalid interaction name")),
        (_, other) => google(other),
    }
}

fn number(id: &str) -> Option<usize> {
    id.strip_prefix("v1_")?.parse().ok()
}

fn told(id: &str, status: &str, steps: Value) -> Response {
    says(200, json!({ "id": id, "object": "interaction", "status": status, "steps": steps }))
}

async fn create(State(house): State<Shared>, came: Came) -> Response {
    house.take(&MANNER, Operation::Submit(Maker::Omni), came, |came| {
        came.one_of("/model", &["gemini-omni-1.1-flash", "gemini-omni-1.2-flash"])?;
        if came.body.get("background") != Some(&Value::Bool(true)) {
            return Err(No::Wrong("background", "the request would wait until it is done"));
        }
        came.one_of("/response_format/type", &["video"])?;
        came.one_of("/response_format/delivery", &["uri"])?;
        came.one_of("/response_format/aspect_ratio", &["9:16", "16:9"])?;
        came.one_of("/response_format/resolution", &["360p", "720p", "1080p", "4k"])?;
        if !(3..=10).contains(&came.seconds("/response_format/duration")?) {
            return Err(No::Wrong("duration", "it is not within 3 and 10"));
        }
        let inputs = came.body.get("input").and_then(Value::as_array);
        let inputs: Vec<&Value> = inputs.into_iter().flatten().collect();
        let of = |kind: &str| inputs.iter().find(|i| i["type"] == kind);
        if of("text").and_then(|text| text["text"].as_str()).is_none_or(str::is_empty) {
            return Err(No::Wrong("input", "no text says what should be seen"));
        }
        let task = match of("image") {
            None => "text_to_video",
            Some(image) => {
                came.picture("input", image["data"].as_str().unwrap_or_default())?;
                "image_to_video"
            }
        };
        came.one_of("/generation_config/video_config/task", &[task])?;
        Ok(told(&format!("v1_{}", house.job(Maker::Omni)), "in_progress", json!([])))
    })
}

async fn look(State(house): State<Shared>, Path(id): Path<String>, came: Came) -> Response {
    house.take(&MANNER, Operation::Look(Maker::Omni), came, |_| {
        Ok(match house.look(Maker::Omni, number(&id))? {
            Stand::Waiting => told(&id, "in_progress", json!([])),
            Stand::Stopped => told(&id, "cancelled", json!([])),
            Stand::Ready => {
                let uri = format!("{}/veo/v1beta/files/{id}:download?alt=media", house.origin());
                let video = json!({ "type": "video", "mime_type": "video/mp4", "uri": uri });
                let steps = json!([
                    { "type": "thought", "signature": "c2ln" },
                    { "type": "model_output", "content": [video] },
                ]);
                let usage = json!({ "total_input_tokens": 10, "total_output_tokens": TOKENS });
                says(
                    200,
                    json!({ "id": id, "status": "completed", "steps": steps, "usage": usage }),
                )
            }
        })
    })
}

async fn cancel(State(house): State<Shared>, Path(id): Path<String>, came: Came) -> Response {
    house.take(&MANNER, Operation::Stop(Maker::Omni), came, |_| {
        house.stop(Maker::Omni, number(&id))?;
        Ok(told(&id, "cancelled", json!([])))
    })
}

async fn download(State(house): State<Shared>, Path(file): Path<String>, came: Came) -> Response {
    house.take(&MANNER, Operation::Fetch(Maker::Omni), came, |came| {
        let id = file.strip_suffix(":download").ok_or(No::Missing)?;
        if !came.asks("alt=media") {
            return Err(No::Wrong("alt", "without `media` it is the file's description"));
        }
        house.footage(Maker::Omni, number(id))
    })
}
