//! TikTok, by Login Kit (OAuth 2.0) and the Content Posting API: an account is connected, a video is uploaded and posted
//! directly, a picture is posted by its address, and what became of a post is asked for until it is known.
//!
//! # Where a post can double, and where not
//! A video's post is named first (`publish_id`), uploaded then, and appears when its last byte is there.
//!
//! * To name it again when that answer was lost is harmless: what has a name and no bytes lapses after an hour. So that
//!   step is repeated, and if it never succeeds the post simply has not happened.
//! * The name is kept before the first byte leaves. A holder that cannot keep it sends nothing, so an attempt that kept
//!   no name has posted no video: looking it up says so without asking.
//! * Every chunk but the last may be repeated: TikTok answers 416 where it has it, and says how much it has. While the
//!   last one was not sent, nothing can appear. The last one is sent once; where its answer is lost, its name is looked
//!   up.
//! * The address of an upload stands nowhere but in the memory of who uploads, and who uploads asks nothing after the
//!   claim's end. So bytes that are missing [half an hour](port::NOTHING_COMES_AFTER) after the claim stay missing, and
//!   the post has not happened.
//!
//! A picture's post is named by the answer that begins it, and TikTok has no list of posts within the rights of
//! publishing. Where that answer is lost, only a person can look.
//!
//! # What is asked for
//! The scopes `user.info.basic`, which Login Kit gives with every login and of which no call is made, and
//! `video.publish`. Not `video.upload` (drafts in the app's inbox), `video.list`, `user.info.profile` and
//! `user.info.stats`: publishing needs none of them. Of what TikTok says of the account, the nickname is shown to the
//! approver, as TikTok demands, and nothing is kept.
//!
//! Settings: `TIKTOK_CLIENT_KEY`, `TIKTOK_MEDIA_BASE`, `TIKTOK_AUTHORIZE_BASE`, `TIKTOK_BASE`. The application's secret
//! stands in the vault under `tiktok`.
//!
//! **Never here:** drafts in the inbox, lists of videos, profiles, comments (this API has none), a token at rest,
//! TikTok's own words to a person, and its `log_id`.

mod chunks;
mod classify;
mod login;
pub mod port;
mod preflight;
pub mod request;
mod response;
#[cfg(test)]
mod tests;

use http::Uri;
use nexus_kernel::Failure;

pub use port::TikTok;
pub use request::VENDOR;

/// The setting with the application's client key, as TikTok's portal shows it. It is no secret.
pub const CLIENT_KEY_SETTING: &str = "TIKTOK_CLIENT_KEY";

/// The setting with the address of the page on which a person grants access, without its path.
pub const AUTHORIZE_BASE_SETTING: &str = "TIKTOK_AUTHORIZE_BASE";

/// The setting with the address below which TikTok can fetch our pictures.
pub const MEDIA_BASE_SETTING: &str = "TIKTOK_MEDIA_BASE";

/// Where a person grants access, if no setting says otherwise.
const AUTHORIZE_BASE: &str = "https://www.tiktok.com";

/// What an operator sets.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// [`CLIENT_KEY_SETTING`]; empty where TikTok is not set up.
    pub client_key: String,
    /// [`AUTHORIZE_BASE_SETTING`]; `https://www.tiktok.com` where it is not set.
    pub authorize_base: Option<String>,
    /// [`MEDIA_BASE_SETTING`]: a prefix that is verified in TikTok's portal, behind which a proxy hands on path and query
    /// to where our pictures are. Without it, posts of pictures are refused with this remedy.
    pub media_base: Option<String>,
}

/// An address to which paths are added: its scheme, host and path, without a slash at its end.
///
/// # Errors
/// It is none; the error names the setting and not what it says.
fn base(setting: &str, raw: &str) -> Result<String, Failure> {
    let wrong = || {
        let told = "a whole address without `?`, for example https://media.example.com/nexus";
        Failure::field(setting, told)
    };
    let uri: Uri = raw.parse().map_err(|_| wrong())?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    if !is_web || host.is_empty() || host.contains('@') || uri.query().is_some() {
        return Err(wrong());
    }
    Ok(raw.trim_end_matches('/').to_owned())
}
