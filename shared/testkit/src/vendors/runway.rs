//! Runway: tasks, and outputs whose address is the right of entry.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{Came, Maker, Manner, No, Operation, Shared, Stand, says, says_later};

/// The version of the API that is spoken; any other, or none, is answered with 400.
const VERSION: &str = "2024-11-06";
/// How a task's id begins; its number follows, in twelve digits.
const ID: &str = "17f20503-6c24-4c16-946b-";
/// What a second costs.
const CREDITS_A_SECOND: u64 = 5;

static MANNER: Manner =
    Manner { vendor: "runway", key: Some(("authorization", "Bearer ")), says: no };

/// Of outputs.
static OPEN: Manner = Manner { vendor: "runway", key: None, says: no };

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/image_to_video", post(from_picture))
        .route("/v1/text_to_video", post(from_text))
        .route("/v1/tasks/{id}", get(look).delete(stop))
        .route("/outputs/{file}", get(output))
}

fn no(operation: Operation, no: &No) -> Response {
    match (operation, no) {
        (_, No::UnknownKey) => says(401, json!({ "error": "Invalid API key" })),
        (_, No::Wrong(field, why)) => {
            let field = field.trim_start_matches('/');
            let issue = json!({ "code": "custom", "path": [field], "message": why });
            says(400, json!({ "error": "Validation of body failed", "issues": [issue] }))
        }
        (_, No::Missing) => says(404, json!({ "error": "Not found" })),
        (_, No::Busy(seconds)) => {
            says_later(429, *seconds, json!({ "error": "You have reached your daily limit" }))
        }
        (_, No::Broken) => says(500, json!({ "error": "Internal server error" })),
        (Operation::Look(_), No::Refused) => says(
            200,
            json!({
                "id": ID, "status": "FAILED", "failure": "It was turned down.",
                "failureCode": "SAFETY.INPUT.TEXT", "cost": { "credits": 0 },
            }),
        ),
        (_, No::Refused) => says(400, json!({ "error": "This cannot be made." })),
    }
}

fn number(id: &str) -> Option<usize> {
    id.strip_prefix(ID)?.parse().ok()
}

/// A task by its number, as a request of this version is answered.
fn versioned(came: &Came) -> Result<(), No> {
    let told = came.headers.get("x-runway-version").and_then(|value| value.to_str().ok());
    if told == Some(VERSION) { Ok(()) } else { Err(No::Wrong("X-Runway-Version", "unknown")) }
}

async fn from_picture(State(house): State<Shared>, came: Came) -> Response {
    house.take(&MANNER, Operation::Submit(Maker::Runway), came, |came| {
        let picture = came.text("/promptImage")?.split_once(";base64,");
        let known = ["data:image/jpeg", "data:image/png"];
        match picture.filter(|(kind, _)| known.contains(kind)) {
            Some((_, data)) => came.picture("promptImage", data)?,
            None => return Err(No::Wrong("promptImage", "it is no data URI of a picture")),
        }
        create(&house, came, &["gen4_turbo", "gen4.5", "veo3.1", "veo3.1_fast"])
    })
}

async fn from_text(State(house): State<Shared>, came: Came) -> Response {
    house.take(&MANNER, Operation::Submit(Maker::Runway), came, |came| {
        create(&house, came, &["gen4.5", "veo3.1", "veo3.1_fast"])
    })
}

fn create(house: &Shared, came: &Came, models: &[&str]) -> Result<Response, No> {
    versioned(came)?;
    came.one_of("/model", models)?;
    came.one_of("/ratio", &["720:1280", "1280:720"])?;
    if came.text("/promptText")?.encode_utf16().count() > 1_000 {
        return Err(No::Wrong("promptText", "it is too long"));
    }
    let seconds = came.body.get("duration").and_then(Value::as_u64);
    let seconds = seconds.filter(|s| (2..=10).contains(s));
    let seconds = seconds.ok_or(No::Wrong("duration", "it is not within 2 and 10"))?;
    let id = format!("{ID}{:012}", house.job(Maker::Runway));
    Ok(says(200, json!({ "id": id, "estimatedCost": { "credits": seconds * CREDITS_A_SECOND } })))
}

async fn look(State(house): State<Shared>, Path(id): Path<String>, came: Came) -> Response {
    house.take(&MANNER, Operation::Look(Maker::Runway), came, |came| {
        versioned(came)?;
        let mut task = json!({ "id": id, "createdAt": "2026-11-20T00:00:00Z" });
        match house.look(Maker::Runway, number(&id))? {
            Stand::Waiting => task["status"] = json!("RUNNING"),
            Stand::Stopped => task["status"] = json!("CANCELLED"),
            Stand::Ready => {
                let output = format!("{}/runway/outputs/{id}.mp4?_jwt=entry", house.origin());
                task["status"] = json!("SUCCEEDED");
                task["output"] = json!([output]);
            }
        }
        Ok(says(200, task))
    })
}

async fn stop(State(house): State<Shared>, Path(id): Path<String>, came: Came) -> Response {
    house.take(&MANNER, Operation::Stop(Maker::Runway), came, |came| {
        versioned(came)?;
        house.stop(Maker::Runway, number(&id))?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

async fn output(State(house): State<Shared>, Path(file): Path<String>, came: Came) -> Response {
    house.take(&OPEN, Operation::Fetch(Maker::Runway), came, |came| {
        if !came.asks("_jwt=entry") {
            return Err(No::Missing);
        }
        house.footage(Maker::Runway, file.strip_suffix(".mp4").and_then(number))
    })
}
