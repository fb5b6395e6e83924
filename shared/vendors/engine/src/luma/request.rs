//! What is asked of Luma, and what may go there with it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use nexus_engine::footage::{FootageBrief, MAX_FOOTAGE};
use nexus_outbound::request::{Piece, To};
use nexus_outbound::vendor::MAX_ANSWER;
use nexus_outbound::{Auth, Operation, Repeat, Request, Vendor};
use serde_json::json;

use super::models::{Model, RESOLUTION, aspect_ratio};

/// Luma's API, and where its outputs lie. Their addresses carry their own right of entry; the key goes to the API
/// alone. Luma does not say on which hosts: these are its own, and those of the store that signs such addresses.
pub static VENDOR: Vendor = Vendor {
    name: "luma",
    base: "https://agents.lumalabs.ai",
    base_setting: "LUMA_BASE",
    hosts: &[
        ".lumalabs.ai",
        ".cdn-luma.com",
        ".s3.amazonaws.com",
        ".s3.us-east-1.amazonaws.com",
        ".s3.us-west-2.amazonaws.com",
    ],
    auth: Auth::Header { name: "authorization", prefix: "Bearer " },
    per_second: 5,
    at_once: 4,
};

/// Footage from a prompt, and a picture where there is one.
pub static CREATE: Operation = Operation {
    name: "create-generation",
    repeat: Repeat::Never,
    sends: &[
        "prompt",
        "type",
        "model",
        "aspect_ratio",
        "video.duration",
        "video.resolution",
        "video.start_frame.data",
        "video.start_frame.media_type",
    ],
    try_within: Duration::from_secs(60),
    within: Duration::from_secs(60),
    max_answer: MAX_ANSWER,
};

/// How far a generation is.
pub static GET: Operation = Operation {
    name: "get-generation",
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

/// Asks for footage of this length.
pub fn create(model: &Model, brief: &FootageBrief, seconds: u32) -> Request {
    let mut video = json!({ "duration": format!("{seconds}s"), "resolution": RESOLUTION });
    if let Some(picture) = &brief.picture {
        video["start_frame"] = json!({
            "data": STANDARD.encode(&picture.bytes),
            "media_type": picture.content_type,
        });
    }
    let path = vec![Piece::Fixed("/v1/generations")];
    Request::new(&CREATE, Method::POST, path).json(json!({
        "type": "video",
        "model": model.name,
        "prompt": brief.prompt,
        "aspect_ratio": aspect_ratio(brief.shape),
        "video": video,
    }))
}

/// Asks how far a generation is.
pub fn get(id: &str) -> Request {
    let path = vec![Piece::Fixed("/v1/generations/"), Piece::Value(":id", id.to_owned())];
    Request::new(&GET, Method::GET, path)
}

/// Copies an output from the address that a generation named.
pub fn download(address: String) -> Request {
    let mut request = Request::new(&DOWNLOAD, Method::GET, Vec::new());
    request.to = To::Url(address);
    request
}
