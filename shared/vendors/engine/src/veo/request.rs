//! What is asked of Google, and what may go there with it. The Interactions API writes its fields in snake_case.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use nexus_engine::footage::{FootageBrief, MAX_FOOTAGE};
use nexus_outbound::request::Piece;
use nexus_outbound::vendor::MAX_ANSWER;
use nexus_outbound::{Auth, Operation, Repeat, Request, Vendor};
use serde_json::json;

use super::models::{Model, RESOLUTION, aspect_ratio};

/// The Gemini API. Files are fetched below its base, with the key; from there Google redirects to its stores.
pub static VENDOR: Vendor = Vendor {
    name: "veo",
    base: "https://generativelanguage.googleapis.com",
    base_setting: "VEO_BASE",
    hosts: &[".googleapis.com", ".googleusercontent.com"],
    auth: Auth::Header { name: "x-goog-api-key", prefix: "" },
    per_second: 5,
    at_once: 4,
};

/// Footage from a prompt, and a picture where there is one.
pub static CREATE: Operation = Operation {
    name: "create-interaction",
    repeat: Repeat::Never,
    sends: &[
        "model",
        "background",
        "input[].type",
        "input[].text",
        "input[].data",
        "input[].mime_type",
        "response_format.type",
        "response_format.delivery",
        "response_format.aspect_ratio",
        "response_format.resolution",
        "response_format.duration",
        "generation_config.video_config.task",
    ],
    try_within: Duration::from_secs(60),
    within: Duration::from_secs(60),
    max_answer: MAX_ANSWER,
};

/// How far an interaction is.
pub static GET: Operation = Operation {
    name: "get-interaction",
    repeat: Repeat::Safe,
    sends: &[":id"],
    try_within: Duration::from_secs(10),
    within: Duration::from_secs(25),
    max_answer: MAX_ANSWER,
};

/// Gives an interaction up.
pub static CANCEL: Operation = Operation {
    name: "cancel-interaction",
    repeat: Repeat::Safe,
    sends: &[":id"],
    try_within: Duration::from_secs(10),
    within: Duration::from_secs(25),
    max_answer: MAX_ANSWER,
};

/// Copies a file that an interaction made.
pub static DOWNLOAD: Operation = Operation {
    name: "download-file",
    repeat: Repeat::Safe,
    sends: &[":file", "?alt"],
    try_within: Duration::from_secs(90),
    within: Duration::from_secs(180),
    max_answer: MAX_FOOTAGE,
};

/// All that can be asked.
pub static OPERATIONS: [&Operation; 4] = [&CREATE, &GET, &CANCEL, &DOWNLOAD];

/// Asks for footage of this length.
pub fn create(model: &Model, brief: &FootageBrief, seconds: u32) -> Request {
    let text = json!({ "type": "text", "text": brief.prompt });
    let (input, task) = match &brief.picture {
        None => (json!([text]), "text_to_video"),
        Some(picture) => {
            let data = STANDARD.encode(&picture.bytes);
            let image = json!({ "type": "image", "data": data, "mime_type": picture.content_type });
            (json!([image, text]), "image_to_video")
        }
    };
    let path = vec![Piece::Fixed("/v1beta/interactions")];
    Request::new(&CREATE, Method::POST, path).json(json!({
        "model": model.name,
        "background": true,
        "input": input,
        "response_format": {
            "type": "video",
            "delivery": "uri",
            "aspect_ratio": aspect_ratio(brief.shape),
            "resolution": RESOLUTION,
            // A text: a number is answered with 400.
            "duration": format!("{seconds}s"),
        },
        "generation_config": { "video_config": { "task": task } },
    }))
}

/// Asks how far an interaction is.
pub fn get(id: &str) -> Request {
    let path = vec![Piece::Fixed("/v1beta/interactions/"), Piece::Value(":id", id.to_owned())];
    Request::new(&GET, Method::GET, path)
}

/// Gives an interaction up.
pub fn cancel(id: &str) -> Request {
    let path = vec![
        Piece::Fixed("/v1beta/interactions/"),
        Piece::Value(":id", id.to_owned()),
        Piece::Fixed("/cancel"),
    ];
    Request::new(&CANCEL, Method::POST, path)
}

/// Copies a file. It is named by its id and fetched below the base, so that the key goes nowhere else, whatever
/// address an answer names.
pub fn download(file: &str) -> Request {
    let path = vec![
        Piece::Fixed("/v1beta/files/"),
        Piece::Value(":file", file.to_owned()),
        Piece::Fixed(":download"),
    ];
    let mut request = Request::new(&DOWNLOAD, Method::GET, path);
    request.query.push(("alt", "media".to_owned()));
    request
}
