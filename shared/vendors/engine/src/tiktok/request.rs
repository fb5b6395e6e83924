//! What is asked of TikTok, and what may go there with it.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use nexus_engine::connections::Ask;
use nexus_engine::publishing::{PostPlan, Privacy};
use nexus_kernel::{Digest, Secret};
use nexus_outbound::request::{Piece, To};
use nexus_outbound::{Auth, Body, Field, Operation, Repeat, Request, Vendor};
use serde_json::{Value, json};

use super::chunks::Chunks;

/// TikTok's API, and the hosts of its uploads: their addresses carry their own right of entry, and no token goes there.
pub static VENDOR: Vendor = Vendor {
    name: "tiktok",
    base: "https://open.tiktokapis.com",
    base_setting: "TIKTOK_BASE",
    hosts: &["open-upload.tiktokapis.com", ".tiktokapis.com"],
    auth: Auth::Account,
    per_second: 10,
    at_once: 4,
};

/// The most bytes of an answer: all of them are a few lines.
const MAX_ANSWER: u64 = 256 * 1024;

/// Tokens for a code. The code serves once.
pub static EXCHANGE: Operation = Operation {
    name: "exchange-code",
    repeat: Repeat::Never,
    sends: &["client_key", "client_secret", "code", "grant_type", "redirect_uri", "code_verifier"],
    try_within: Duration::from_secs(10),
    within: Duration::from_secs(20),
    max_answer: MAX_ANSWER,
};

/// New tokens. TikTok may give another refresh token with them and end the one that was sent.
pub static REFRESH: Operation = Operation {
    name: "refresh-token",
    repeat: Repeat::Never,
    sends: &["client_key", "client_secret", "grant_type", "refresh_token"],
    try_within: Duration::from_secs(10),
    within: Duration::from_secs(20),
    max_answer: MAX_ANSWER,
};

/// Ends a token.
pub static REVOKE: Operation = Operation {
    name: "revoke-token",
    repeat: Repeat::Never,
    sends: &["client_key", "client_secret", "token"],
    try_within: Duration::from_secs(10),
    within: Duration::from_secs(20),
    max_answer: MAX_ANSWER,
};

/// What the account lets an approver choose. TikTok wants it asked before every post.
pub static CREATOR_INFO: Operation = Operation {
    name: "creator-info",
    repeat: Repeat::Safe,
    sends: &[],
    try_within: Duration::from_secs(10),
    within: Duration::from_secs(25),
    max_answer: MAX_ANSWER,
};

/// Names a video's post. Nothing appears before its last byte is uploaded; a name without bytes lapses.
pub static INIT_VIDEO: Operation = Operation {
    name: "init-video",
    repeat: Repeat::Safe,
    sends: &[
        "post_info.title",
        "post_info.privacy_level",
        "post_info.disable_comment",
        "post_info.disable_duet",
        "post_info.disable_stitch",
        "post_info.brand_content_toggle",
        "post_info.brand_organic_toggle",
        "post_info.is_aigc",
        "source_info.source",
        "source_info.video_size",
        "source_info.chunk_size",
        "source_info.total_chunk_count",
    ],
    try_within: Duration::from_secs(15),
    within: Duration::from_secs(40),
    max_answer: MAX_ANSWER,
};

/// Posts a picture: TikTok fetches it at once.
pub static INIT_PHOTO: Operation = Operation {
    name: "init-photo",
    repeat: Repeat::Never,
    sends: &[
        "media_type",
        "post_mode",
        "post_info.description",
        "post_info.privacy_level",
        "post_info.disable_comment",
        "post_info.auto_add_music",
        "post_info.brand_content_toggle",
        "post_info.brand_organic_toggle",
        "source_info.source",
        "source_info.photo_cover_index",
        "source_info.photo_images[]",
    ],
    try_within: Duration::from_secs(20),
    within: Duration::from_secs(40),
    max_answer: MAX_ANSWER,
};

/// A piece of a video that is not its last.
pub static UPLOAD: Operation = Operation {
    name: "upload-chunk",
    repeat: Repeat::Safe,
    sends: &["header:content-range", "body"],
    try_within: Duration::from_secs(240),
    within: Duration::from_secs(600),
    max_answer: MAX_ANSWER,
};

/// The last piece of a video: with it the post appears.
pub static UPLOAD_LAST: Operation =
    Operation { name: "upload-last-chunk", repeat: Repeat::Never, ..UPLOAD };

/// What became of a post.
pub static STATUS: Operation = Operation {
    name: "post-status",
    repeat: Repeat::Safe,
    sends: &["publish_id"],
    try_within: Duration::from_secs(10),
    within: Duration::from_secs(25),
    max_answer: MAX_ANSWER,
};

/// All that can be asked: nothing about followers, messages or anybody's profile (N38, N39).
pub static OPERATIONS: [&Operation; 9] = [
    &EXCHANGE,
    &REFRESH,
    &REVOKE,
    &CREATOR_INFO,
    &INIT_VIDEO,
    &INIT_PHOTO,
    &UPLOAD,
    &UPLOAD_LAST,
    &STATUS,
];

/// TikTok's PKCE challenge: not base64url as in RFC 7636, but hexadecimal digits of the verifier's SHA-256.
pub(super) fn challenge(verifier: &Secret<String>) -> String {
    Digest::of(verifier.reveal().as_bytes()).to_hex()
}

/// The application, as it shows itself at the token endpoints.
pub struct Application<'a> {
    /// Its client key.
    pub key: &'a str,
    /// Its secret.
    pub secret: &'a Secret<String>,
}

impl Application<'_> {
    fn fields(&self) -> Vec<Field> {
        let secret = self.secret.reveal().clone();
        vec![Field::new("client_key", self.key), Field::new("client_secret", secret)]
    }

    fn form(&self, operation: &'static Operation, path: &'static str, more: Vec<Field>) -> Request {
        let fields = self.fields().into_iter().chain(more).collect();
        Request::new(operation, Method::POST, vec![Piece::Fixed(path)]).form(fields)
    }

    /// Exchanges a code, which has been read out of the redirect's query and is no longer percent-encoded.
    pub fn exchange(&self, ask: &Ask, code: &Secret<String>) -> Request {
        let fields = vec![
            Field::new("code", code.reveal().clone()),
            Field::new("grant_type", "authorization_code"),
            Field::new("redirect_uri", ask.redirect.clone()),
            Field::new("code_verifier", ask.verifier.reveal().clone()),
        ];
        self.form(&EXCHANGE, "/v2/oauth/token/", fields)
    }

    /// Asks for new tokens.
    pub fn refresh(&self, refresh: &Secret<String>) -> Request {
        let fields = vec![
            Field::new("grant_type", "refresh_token"),
            Field::new("refresh_token", refresh.reveal().clone()),
        ];
        self.form(&REFRESH, "/v2/oauth/token/", fields)
    }

    /// Ends a token.
    pub fn revoke(&self, token: &Secret<String>) -> Request {
        let fields = vec![Field::new("token", token.reveal().clone())];
        self.form(&REVOKE, "/v2/oauth/revoke/", fields)
    }
}

/// Asks what the account lets an approver choose. It has no body.
pub fn creator_info(token: &Secret<String>) -> Request {
    let path = vec![Piece::Fixed("/v2/post/publish/creator_info/query/")];
    Request::new(&CREATOR_INFO, Method::POST, path).bearer(token)
}

/// Names a video's post. What the approver did not allow is not allowed.
pub(super) fn init_video(
    token: &Secret<String>,
    plan: &PostPlan,
    privacy: Privacy,
    chunks: Chunks,
) -> Request {
    let choices = &plan.choices;
    let mut post = post_info(plan, privacy);
    post["title"] = Value::from(plan.text.as_str());
    post["disable_duet"] = Value::from(!choices.duets);
    post["disable_stitch"] = Value::from(!choices.stitches);
    post["is_aigc"] = Value::from(plan.made_by_ai);
    let path = vec![Piece::Fixed("/v2/post/publish/video/init/")];
    let body = json!({
        "post_info": post,
        "source_info": {
            "source": "FILE_UPLOAD",
            "video_size": chunks.size,
            "chunk_size": chunks.each,
            "total_chunk_count": chunks.count,
        },
    });
    Request::new(&INIT_VIDEO, Method::POST, path).json(body).bearer(token)
}

/// Posts the picture that stands at this address. All of the text is the description, as it was approved: the title
/// above it, of at most 90 characters, is left out. TikTok adds no music of its own choice.
pub(super) fn init_photo(
    token: &Secret<String>,
    plan: &PostPlan,
    privacy: Privacy,
    address: &str,
) -> Request {
    let mut post = post_info(plan, privacy);
    post["description"] = Value::from(plan.text.as_str());
    post["auto_add_music"] = Value::from(false);
    let path = vec![Piece::Fixed("/v2/post/publish/content/init/")];
    let body = json!({
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "post_info": post,
        "source_info": {
            "source": "PULL_FROM_URL",
            "photo_cover_index": 0,
            "photo_images": [address],
        },
    });
    Request::new(&INIT_PHOTO, Method::POST, path).json(body).bearer(token)
}

/// What videos and pictures have in common.
fn post_info(plan: &PostPlan, privacy: Privacy) -> Value {
    json!({
        "privacy_level": level(privacy),
        "disable_comment": !plan.choices.comments,
        "brand_content_toggle": plan.choices.paid_partnership,
        "brand_organic_toggle": plan.choices.own_brand,
    })
}

/// Uploads a piece to the address that the post's name came with. No token goes there.
pub(super) fn upload(
    address: &Secret<String>,
    content_type: &'static str,
    range: &Range<u64>,
    size: u64,
    bytes: Bytes,
) -> Request {
    let operation = if range.end == size { &UPLOAD_LAST } else { &UPLOAD };
    let mut request = Request::new(operation, Method::PUT, Vec::new());
    request.to = To::Url(address.reveal().clone());
    let last = range.end.saturating_sub(1);
    let range = format!("bytes {}-{last}/{size}", range.start);
    request.headers = vec![("content-range", Cow::Owned(range))];
    request.body = Body::Bytes { content_type, bytes };
    request
}

/// Asks what became of a post.
pub fn status(token: &Secret<String>, publish_id: &str) -> Request {
    let path = vec![Piece::Fixed("/v2/post/publish/status/fetch/")];
    Request::new(&STATUS, Method::POST, path)
        .json(json!({ "publish_id": publish_id }))
        .bearer(token)
}

/// TikTok's words for who may see a post.
const LEVELS: [(Privacy, &str); 4] = [
    (Privacy::Everyone, "PUBLIC_TO_EVERYONE"),
    (Privacy::Friends, "MUTUAL_FOLLOW_FRIENDS"),
    (Privacy::Followers, "FOLLOWER_OF_CREATOR"),
    (Privacy::OnlyMe, "SELF_ONLY"),
];

fn level(privacy: Privacy) -> &'static str {
    LEVELS.iter().find(|(known, _)| *known == privacy).map_or("SELF_ONLY", |(_, level)| level)
}

/// Who may see a post, by TikTok's word.
pub(super) fn privacy(level: &str) -> Option<Privacy> {
    LEVELS.iter().find(|(_, known)| *known == level).map(|(privacy, _)| *privacy)
}
