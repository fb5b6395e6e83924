//! TikTok behind the Engine's port of networks.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::Uri;
use jiff::SignedDuration;
use nexus_core::approval::Unsure;
use nexus_core::effect::{Found, Outcome};
use nexus_core::egress::Cost;
use nexus_core::{Approved, CallContext, Product, Vault};
use nexus_engine::connections::Access;
use nexus_engine::publishing::{
    Medium, Network, PlannedMedia, PostPlan, Preflight, Privacy, Publisher,
};
use nexus_kernel::{Ambient, Failure, FailureKind, Secret};
use nexus_outbound::{CallError, Outbound, Parts};

use super::chunks::Chunks;
use super::classify::CONNECT_AGAIN;
use super::request::{self, VENDOR};
use super::response::{self, Named, Put, Stand};
use super::{
    AUTHORIZE_BASE, AUTHORIZE_BASE_SETTING, MEDIA_BASE_SETTING, Settings, base, preflight,
};

/// How long after a claim bytes of its upload can still arrive: a claim is over after a quarter of an hour at the
/// latest (what a function may take on AWS Lambda), and what a closed connection had left to send is given up by the
/// machine within another. The address of the upload would serve for an hour, but nobody has it any more.
pub const NOTHING_COMES_AFTER: SignedDuration = SignedDuration::from_mins(30);

/// After how many seconds a post is looked at for the first time.
const FIRST_LOOK: u32 = 10;
/// After how many seconds a post that did not come about is tried again.
const AGAIN: u32 = 60;
/// Where anybody can see a public post, by TikTok's page on its embedded player: it needs no account's name.
const PLAYER: &str = "https://www.tiktok.com/player/v1/";

/// TikTok: connects accounts, and carries posts.
pub struct TikTok {
    pub(super) api: Outbound,
    pub(super) vault: Arc<dyn Vault>,
    pub(super) product: Product,
    pub(super) settings: Settings,
    pub(super) authorize_base: String,
    media_base: Option<String>,
    ambient: Ambient,
}

impl TikTok {
    /// TikTok with these settings; `base` is the setting `TIKTOK_BASE`, where there is one.
    ///
    /// # Errors
    /// One of the addresses is none: the setting, and what it should be.
    pub fn new(parts: Parts, base: Option<String>, settings: Settings) -> Result<Self, Failure> {
        let (vault, product) = (Arc::clone(&parts.vault), parts.product);
        let ambient = parts.ambient.clone();
        let api = Outbound::new(&VENDOR, base, parts)
            .map_err(|error| Failure::field(VENDOR.base_setting, error.to_string()))?;
        let given = |address: &Option<String>| {
            address
                .clone()
                .map(|address| address.trim().to_owned())
                .filter(|address| !address.is_empty())
        };
        let authorize_base = given(&settings.authorize_base);
        let authorize_base = authorize_base.as_deref().unwrap_or(AUTHORIZE_BASE);
        let media_base = given(&settings.media_base);
        let settings = Settings { client_key: settings.client_key.trim().to_owned(), ..settings };
        Ok(Self {
            authorize_base: self::base(AUTHORIZE_BASE_SETTING, authorize_base)?,
            media_base: media_base.map(|raw| self::base(MEDIA_BASE_SETTING, &raw)).transpose()?,
            api,
            vault,
            product,
            settings,
            ambient,
        })
    }

    /// Names the post, keeps the name, and uploads the video.
    async fn post_video(
        &self,
        at: &CallContext,
        token: &Secret<String>,
        approved: &mut Approved<PostPlan>,
        privacy: Privacy,
        medium: Medium,
    ) -> Outcome {
        let Some(content_type) = content_type(&medium.content_type) else {
            return refused("TikTok takes a video as MP4, MOV or WebM.");
        };
        let size = medium.bytes.len() as u64;
        if size == 0 || size > preflight::VIDEO_BYTES {
            return refused("TikTok takes a video of 1 byte to 4 GB.");
        }
        let chunks = Chunks::of(size);
        let init = request::init_video(token, approved.payload(), privacy, chunks);
        let Named { publish_id, upload } =
            match self.api.call(at, init, Cost::ZERO, response::named).await {
                Ok(named) => named,
                // A name that nobody heard has no bytes and lapses: the post has not happened.
                Err(CallError::Unknown { why }) => return again("naming a post", &why),
                Err(error) => return error.into_outcome(),
            };
        if let Err(failure) = approved.keep(&publish_id, self.ambient.now()).await {
            // Nothing was uploaded, and nothing will be.
            return again("keeping a post's name", failure.public());
        }
        self.upload(at, &upload, content_type, chunks, &medium.bytes).await
    }

    /// Uploads a video, piece by piece. While its last piece was not sent, nothing can appear.
    async fn upload(
        &self,
        at: &CallContext,
        address: &Secret<String>,
        content_type: &'static str,
        chunks: Chunks,
        bytes: &Bytes,
    ) -> Outcome {
        let size = chunks.size;
        for range in chunks.ranges() {
            let is_last = range.end == size;
            let Some(piece) = piece(bytes, range.start, range.end) else {
                return refused("The video is not as long as it was said to be.");
            };
            let put = request::upload(address, content_type, &range, size, piece);
            let seen = match self.api.call(at, put, Cost::ZERO, response::put).await {
                Ok(seen) => seen,
                Err(CallError::Unknown { why }) if !is_last => return again("uploading", &why),
                Err(error) => return error.into_outcome(),
            };
            match seen {
                Put::More if !is_last => {}
                // Its answer had been lost: it is there.
                Put::Elsewhere(Some(there)) if there == range.end && !is_last => {}
                Put::All | Put::Elsewhere(Some(_)) if is_last && seen.is_whole(size) => {
                    return Outcome::Accepted { look_after_seconds: FIRST_LOOK };
                }
                Put::Elsewhere(there) if there.is_none_or(|there| there < size) => {
                    return again("uploading", "TikTok has other bytes than were sent");
                }
                Put::Expired => return again("uploading", "the address has expired"),
                Put::More | Put::All | Put::Elsewhere(_) => {
                    let why = format!(
                        "TikTok's {seen:?} does not fit the piece up to byte {}",
                        range.end
                    );
                    return Outcome::Unknown { why };
                }
            }
        }
        // A video has at least one piece, and its last one ends in one of the ways above.
        Outcome::Unknown { why: "the upload of a video did not end".to_owned() }
    }

    /// Posts a picture: TikTok begins to fetch it before anybody here can know the post's name.
    async fn post_photo(
        &self,
        at: &CallContext,
        token: &Secret<String>,
        approved: &mut Approved<PostPlan>,
        privacy: Privacy,
        medium: Medium,
    ) -> Outcome {
        let address = match (&self.media_base, medium.address.as_deref()) {
            (Some(base), Some(address)) => below(base, address),
            (None, _) => {
                return Outcome::Refused {
                    why: format!(
                        "TikTok fetches pictures from an address that is verified in its portal for developers: \
                         whoever operates this sets {MEDIA_BASE_SETTING}."
                    ),
                };
            }
            (Some(_), None) => None,
        };
        let Some(address) = address else {
            return refused("The picture has no address under which TikTok could fetch it.");
        };
        let init = request::init_photo(token, approved.payload(), privacy, &address);
        let publish_id = match self.api.call(at, init, Cost::ZERO, response::begun).await {
            Ok(publish_id) => publish_id,
            Err(error) => return error.into_outcome(),
        };
        match approved.keep(&publish_id, self.ambient.now()).await {
            Ok(()) => Outcome::Accepted { look_after_seconds: FIRST_LOOK },
            // It stands in the effect that is written back with this outcome, if that can be written.
            Err(failure) => Outcome::Unknown {
                why: format!(
                    "TikTok took the post, and its name was not kept: {}",
                    failure.public()
                ),
            },
        }
    }

    /// What the state of a post means for who looked.
    fn found(&self, stand: Stand, publish_id: &str, unsure: &Unsure<PostPlan>) -> Found {
        let (plan, now) = (unsure.payload(), self.ambient.now());
        let since = unsure.claimed_at().map(|claimed| now.duration_since(claimed));
        let waiting = || Found::Accepted { look_after_seconds: pace(since) };
        let whole = plan.media.as_ref().map_or(0, |media| media.size);
        match stand {
            Stand::Uploading(Some(there)) if whole > 0 && there >= whole => waiting(),
            Stand::Uploading(_) if since.is_some_and(|since| since > NOTHING_COMES_AFTER) => {
                Found::NotDone
            }
            Stand::Uploading(_) | Stand::Working => waiting(),
            Stand::Complete(Some(id)) => {
                let url = format!("{PLAYER}{id}");
                Found::Done { receipt: id, url: Some(url) }
            }
            // What everybody may see has an id as soon as TikTok has looked at it; until then nobody sees it.
            Stand::Complete(None) if plan.choices.privacy == Some(Privacy::Everyone) => waiting(),
            Stand::Complete(None) => Found::Done { receipt: publish_id.to_owned(), url: None },
            Stand::FailedInternally => Found::NotDone,
            Stand::Failed(why) => Found::Refused { why: why.to_owned() },
            Stand::Inbox => {
                unknown("it lies in the inbox of TikTok's app, where its owner has to finish it")
            }
        }
    }
}

impl Put {
    /// Whether all bytes of a video are there.
    fn is_whole(self, size: u64) -> bool {
        match self {
            Self::All => true,
            Self::Elsewhere(there) => there == Some(size),
            Self::More | Self::Expired => false,
        }
    }
}

#[async_trait]
impl Publisher for TikTok {
    fn network(&self) -> Network {
        Network::TikTok
    }

    async fn preflight(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        plan: &PostPlan,
    ) -> Result<Preflight, Failure> {
        let Some(access) = access else { return Err(Failure::conflict(CONNECT_AGAIN)) };
        let asked = request::creator_info(&access.token);
        match self.api.call(at, asked, Cost::ZERO, response::creator).await {
            Ok(creator) => Ok(preflight::judge(plan, &creator, self.media_base.is_some())),
            Err(CallError::Refused { why, .. }) => Ok(preflight::closed(why)),
            Err(CallError::Login { why }) => Err(Failure::conflict(why)),
            Err(CallError::Unknown { why }) => {
                let told = "TikTok gives no answer that can be read. Try again in a few minutes.";
                Err(Failure::new(FailureKind::Unavailable, told).caused_by(why))
            }
            Err(other) => Err(other.into()),
        }
    }

    async fn publish(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        approved: &mut Approved<PostPlan>,
        medium: Medium,
    ) -> Outcome {
        let Some(access) = access else {
            return Outcome::Login { why: CONNECT_AGAIN.to_owned() };
        };
        let Some(privacy) = approved.payload().choices.privacy else {
            return refused("TikTok wants the approver to choose who may see the post.");
        };
        match approved.payload().media.as_ref().map(PlannedMedia::is_picture) {
            Some(true) => self.post_photo(at, &access.token, approved, privacy, medium).await,
            Some(false) => self.post_video(at, &access.token, approved, privacy, medium).await,
            None => refused("TikTok shows a video or a picture; this post has neither."),
        }
    }

    async fn look_up(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        unsure: &Unsure<PostPlan>,
    ) -> Found {
        let is_photo = unsure.payload().media.as_ref().is_some_and(PlannedMedia::is_picture);
        let publish_id = match unsure.handle() {
            Some(publish_id) => publish_id,
            None if is_photo => {
                return unknown(
                    "the answer with the post's name was lost, and TikTok has no list to look it up in: look at the \
                     account in TikTok's app",
                );
            }
            // No byte leaves before the name is kept.
            None => return Found::NotDone,
        };
        let Some(access) = access else { return unknown(CONNECT_AGAIN) };
        let asked = request::status(&access.token, publish_id);
        match self.api.call(at, asked, Cost::ZERO, response::stand).await {
            Ok(stand) => self.found(stand, publish_id, unsure),
            Err(error) => error.into_found(),
        }
    }
}

fn refused(why: &str) -> Outcome {
    Outcome::Refused { why: why.to_owned() }
}

fn unknown(why: &str) -> Found {
    Found::StillUnknown { why: why.to_owned() }
}

/// The post has not happened and cannot happen any more by what was done; it is tried anew.
fn again(doing: &'static str, cause: &str) -> Outcome {
    tracing::info!(doing, cause, "a post to TikTok has not happened and is tried again");
    Outcome::Throttled { after_seconds: AGAIN }
}

fn content_type(told: &str) -> Option<&'static str> {
    preflight::VIDEOS.into_iter().find(|known| *known == told)
}

fn piece(bytes: &Bytes, start: u64, end: u64) -> Option<Bytes> {
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
    (start < end && end <= bytes.len()).then(|| bytes.slice(start..end))
}

/// The same path and query below another address.
fn below(base: &str, address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let path = uri.path_and_query()?.as_str();
    path.starts_with('/').then(|| format!("{base}{path}"))
}

/// Seconds until the next look: the longer it has taken, the rarer.
fn pace(since: Option<SignedDuration>) -> u32 {
    match since.map_or(i64::MAX, |since| since.as_secs()) {
        ..=120 => FIRST_LOOK,
        121..=600 => 30,
        601..=3_600 => 120,
        _ => 600,
    }
}
