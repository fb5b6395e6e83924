//! What is asked of Runway, and what may go there with it.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use nexus_engine::footage::{FootageBrief, MAX_FOOTAGE};
use nexus_outbound::request::{Piece, To};
use nexus_outbound::vendor::MAX_ANSWER;
use nexus_outbound::{Auth, Operation, Repeat, Request, Vendor};
use serde_json::json;

use super::models::Model;

/// The version of the API that this was written for; another, or none, is answered with 400.
pub const VERSION: &str = "2024-11-06";

/// Runway's API, and the content network where its outputs lie. Their addresses carry their own right of entry; the key
/// goes to the API alone.
pub static VENDOR: Vendor = Vendor {
    name: "runway",
    base: "https://api.dev.runwayml.com",
    base_setting: "RUNWAY_BASE",
    hosts: &[".cloudfront.net"],
    auth: Auth::Header { name: "authorization", prefix: "Bearer " },
    per_second: 5,
    at_once: 4,
};

/// Footage from a picture and a prompt.
pub static IMAGE_TO_VIDEO: Operation = Operation {
    name: "image-to-video",
    repeat: Repeat::Never,
    sends: &["model", "promptImage", "promptText", "ratio", "duration", "audio"],
    try_within: Duration::from_secs(60),
    within: Duration::from_secs(60),
    max_answer: MAX_ANSWER,
};

/// Footage from a prompt.
pub static TEXT_TO_VIDEO: Operation = Operation {
    name: "text-to-video",
    repeat: Repeat::Never,
    sends: &["model", "promptText", "ratio", "duration", "audio"],
    try_within: Duration::from_secs(60),
    within: Duration::from_secs(60),
    max_answer: MAX_ANSWER,
};

/// How far a task is.
pub static GET_TASK: Operation = Operation {
    name: "get-task",
    repeat: Repeat::Safe,
    sends: &[":id"],
    try_within: Duration::from_secs(10),
    within: Duration::from_secs(25),
    max_answer: MAX_ANSWER,
};

/// Gives a task up. Of one that is finished it would delete the output, so it is asked only of one that is not.
pub static DELETE_TASK: Operation = Operation {
    name: "delete-task",
    repeat: Repeat::Safe,
    sends: &[":id"],
    try_within: Duration::from_secs(10),
    within: Duration::from_secs(25),
    max_answer: MAX_ANSWER,
};

/// Copies an output.
pub static DOWNLOAD: Operation = Operation {
    name: "download",
    repeat: Repeat::Safe,
    sends: &[],
    try_within: Duration::from_secs(90),
    within: Duration::from_secs(180),
    max_answer: MAX_FOOTAGE,
};

/// Asks for footage of this length: from the picture, where there is one.
pub fn submit(model: &Model, brief: &FootageBrief, seconds: u32) -> Request {
    let mut body = json!({
        "model": model.name,
        "promptText": brief.prompt,
        "ratio": model.ratio(brief.shape),
        "duration": seconds,
    });
    if model.sound {
        body["audio"] = json!(false);
    }
    let (operation, path) = match &brief.picture {
        None => (&TEXT_TO_VIDEO, "/v1/text_to_video"),
        Some(picture) => {
            let data = STANDARD.encode(&picture.bytes);
            body["promptImage"] = json!(format!("data:{};base64,{data}", picture.content_type));
            (&IMAGE_TO_VIDEO, "/v1/image_to_video")
        }
    };
    versioned(Request::new(operation, Method::POST, vec![Piece::Fixed(path)]).json(body))
}

/// Asks how far a task is.
pub fn get_task(id: &str) -> Request {
    versioned(Request::new(&GET_TASK, Method::GET, task(id)))
}

/// Gives a task up.
pub fn delete_task(id: &str) -> Request {
    versioned(Request::new(&DELETE_TASK, Method::DELETE, task(id)))
}

/// Copies an output from the address that a task named.
pub fn download(address: String) -> Request {
    let mut request = Request::new(&DOWNLOAD, Method::GET, Vec::new());
    request.to = To::Url(address);
    request
}

fn task(id: &str) -> Vec<Piece> {
    vec![Piece::Fixed("/v1/tasks/"), Piece::Value(":id", id.to_owned())]
}

fn versioned(mut request: Request) -> Request {
    request.headers.push(("x-runway-version", Cow::Borrowed(VERSION)));
    request
}
