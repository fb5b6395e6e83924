//! What the tenant uploads.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use nexus_core::blobs::{PartedUpload, SignedPart, SignedUpload};
use nexus_core::records;
use nexus_core::table::Query;
use nexus_engine::catalogue::ProductId;
use nexus_engine::media::{Media, MediaClass, MediaFacts, MediaState, media_key};
use nexus_engine::removal;
use nexus_engine::uploading::{self, Announced, Upload};
use nexus_engine::{DraftId, MediaId};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Digest, Failure, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::asking::{Asking, Named, missing};
use crate::files::{FileLink, Lender};
use crate::pages::{Listed, PageOf, newest};
use crate::{Deps, words};

/// A medium that is to come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMedia)]
pub(crate) struct NewMediaBody {
    #[schema(schema_with = words::upload_type)]
    content_type: String,
    /// Bytes: at most 50 MiB for photos, 500 MiB for videos, 100 MiB for sound.
    #[schema(minimum = 1)]
    size: u64,
    /// The product that it shows.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    product: Option<ProductId>,
    /// The line of business it belongs to; the product's, where it shows one.
    #[serde(default)]
    #[schema(max_length = 60)]
    vertical: Option<String>,
}

/// The request by which the browser puts the bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = Upload)]
pub(crate) struct UploadView {
    /// Always `PUT`.
    method: &'static str,
    url: String,
    /// To be sent exactly so.
    headers: BTreeMap<String, String>,
    /// Until then.
    until: Timestamp,
}

impl From<SignedUpload> for UploadView {
    fn from(signed: SignedUpload) -> Self {
        let SignedUpload { method, url, headers, until } = signed;
        Self { method, url, headers: headers.into_iter().collect(), until }
    }
}

/// One part of a medium's bytes, and the request by which the browser puts it.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadPart)]
pub(crate) struct PartView {
    /// From 1, in the order of the bytes.
    number: u32,
    /// Exactly so many bytes.
    size: u64,
    #[serde(flatten)]
    put: UploadView,
}

impl From<SignedPart> for PartView {
    fn from(part: SignedPart) -> Self {
        let SignedPart { number, size, put } = part;
        Self { number, size, put: put.into() }
    }
}

/// A place for a medium, and how its bytes come there: by `upload`, or by `parts` where there are many.
#[derive(Serialize, ToSchema)]
#[schema(as = AnnouncedMedia)]
pub(crate) struct AnnouncedView {
    media: MediaRow,
    /// The one request, for up to 100 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    upload: Option<UploadView>,
    /// For more: one request for each part, in any order, several at a time, and each again where it failed. Once all
    /// have succeeded, `POST /v1/media/{id}/parts/join`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parts: Option<Vec<PartView>>,
}

impl AnnouncedView {
    fn of(media: &Media, upload: Upload) -> Self {
        let media = media.into();
        match upload {
            Upload::AtOnce(signed) => Self { media, upload: Some(signed.into()), parts: None },
            Upload::InParts(PartedUpload { parts, .. }) => {
                let parts = parts.into_iter().map(PartView::from).collect();
                Self { media, upload: None, parts: Some(parts) }
            }
        }
    }
}

/// How far a medium came.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MediaState)]
pub(crate) enum StateWord {
    AwaitingUpload,
    Ready,
    Duplicate,
    Rejected,
}

/// What sort of thing it is. The bytes decide.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MediaClass)]
pub(crate) enum ClassWord {
    Photo,
    Video,
    Audio,
}

/// A medium, as a list shows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct MediaRow {
    #[schema(value_type = String)]
    id: MediaId,
    /// When its place was made.
    created: Timestamp,
    state: StateWord,
    /// The medium that has the same content, where this is a duplicate.
    #[schema(value_type = Option<String>)]
    duplicate_of: Option<MediaId>,
    /// Why it cannot be used: a stable word.
    rejected_code: Option<String>,
    /// Why it cannot be used and what would help, as a person should read it.
    rejected_reason: Option<String>,
    class: Option<ClassWord>,
    vertical: String,
    #[schema(value_type = Option<String>)]
    product: Option<ProductId>,
    /// The draft that was begun from it.
    #[schema(value_type = Option<String>)]
    draft: Option<DraftId>,
}

impl From<&Media> for MediaRow {
    fn from(media: &Media) -> Self {
        let (mut duplicate_of, mut rejected_code, mut rejected_reason) = (None, None, None);
        let state = match &media.state {
            MediaState::AwaitingUpload => StateWord::AwaitingUpload,
            MediaState::Ready => StateWord::Ready,
            MediaState::Duplicate { of } => {
                duplicate_of = Some(*of);
                StateWord::Duplicate
            }
            MediaState::Rejected { code, reason } => {
                rejected_code = Some(code.clone());
                rejected_reason = Some(reason.clone());
                StateWord::Rejected
            }
        };
        let class = media.class.map(|class| match class {
            MediaClass::Photo => ClassWord::Photo,
            MediaClass::Video => ClassWord::Video,
            MediaClass::Audio => ClassWord::Audio,
        });
        Self {
            id: media.id,
            created: media.created,
            state,
            duplicate_of,
            rejected_code,
            rejected_reason,
            class,
            vertical: media.vertical.clone(),
            product: media.product,
            draft: media.draft,
        }
    }
}

/// What was found in the bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = MediaFacts)]
pub(crate) struct FactsView {
    /// By the bytes; empty before they came.
    content_type: String,
    /// Pixels across; 0 for sound.
    width: u32,
    /// Pixels down; 0 for sound.
    height: u32,
    /// 0 for photos.
    duration_ms: u64,
    /// Embedded keywords.
    keywords: Vec<String>,
    /// The embedded description.
    description: Option<String>,
    /// SHA-256 of what was uploaded.
    #[schema(value_type = Option<String>)]
    content: Option<Digest>,
}

/// A picture made for a network's frame.
#[derive(Serialize, ToSchema)]
#[schema(as = Rendition)]
pub(crate) struct RenditionView {
    width: u32,
    height: u32,
    /// Whether the photo was too small for the frame and stands over a blurred cover of itself.
    fitted: bool,
    file: FileLink,
}

/// A medium whole.
#[derive(Serialize, ToSchema)]
#[schema(as = Media)]
pub(crate) struct MediaView {
    #[serde(flatten)]
    row: MediaRow,
    facts: FactsView,
    /// The original without its metadata.
    clean: Option<FileLink>,
    /// A picture of it whole, at most 1,600 pixels a side.
    preview: Option<FileLink>,
    renditions: Vec<RenditionView>,
}

impl MediaView {
    async fn of(media: &Media, lender: &Lender<'_>) -> Result<Self, Failure> {
        let MediaFacts { content_type, width, height, duration_ms, keywords, description } =
            media.facts.clone();
        let content = media.content;
        let mut renditions = Vec::new();
        for made in &media.renditions {
            renditions.push(RenditionView {
                width: made.width,
                height: made.height,
                fitted: made.fitted,
                file: lender.lend(&made.blob).await?,
            });
        }
        Ok(Self {
            row: media.into(),
            facts: FactsView {
                content_type,
                width,
                height,
                duration_ms,
                keywords,
                description,
                content,
            },
            clean: lender.lend_any(media.clean.as_ref()).await?,
            preview: lender.lend_any(media.preview.as_ref()).await?,
            renditions,
        })
    }
}

/// The media, newest first
#[utoipa::path(
    get, path = "/v1/media", operation_id = "list_media", tag = "media",
    params(PageOf),
    responses((status = 200, body = Listed<MediaRow>))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(page): Asked<PageOf>,
) -> Result<Json<Listed<MediaRow>>, Problem> {
    let all = [Query::base(asking.scope().partition("media"))];
    let media = newest::<Media>(&*deps.table, &all, &page, deps.ambient.now()).await?;
    Ok(Json(media.map(|medium| MediaRow::from(&medium))))
}

/// Announce a medium
///
/// Up to 100 MiB, answers the request by which the browser puts the bytes, within 15 minutes; above, one for each
/// part, within an hour, to be joined when all have come. A place whose bytes do not come is gone after 24 hours. The
/// answer to a repetition is empty where the first was long: what comes in parts is announced anew without the key.
#[utoipa::path(
    post, path = "/v1/media", operation_id = "announce_media", tag = "media",
    request_body = NewMediaBody,
    responses((status = 201, body = AnnouncedView, headers(("Location" = String))))
)]
pub(crate) async fn announce(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Json(body): Json<NewMediaBody>,
) -> Result<impl IntoResponse, Problem> {
    let NewMediaBody { content_type, size, product, vertical } = body;
    let announced = Announced { content_type, size, product, vertical };
    let id = MediaId::draw(asking.ids());
    let desk = asking.desk(&deps);
    let (media, upload) =
        uploading::announce(&desk, &*deps.blobs, id, &announced, deps.at_once).await?;
    let location = [(header::LOCATION, format!("/v1/media/{id}"))];
    Ok((StatusCode::CREATED, location, Json(AnnouncedView::of(&media, upload))))
}

/// Join the parts of a medium once all have come
///
/// Where some are missing it answers 409 and names each in `errors` as `parts.7`: put them, then join again. Joining
/// what is joined changes nothing. Where what was begun is gone it answers 404: announce the medium anew.
#[utoipa::path(
    post, path = "/v1/media/{id}/parts/join", operation_id = "join_media_parts", tag = "media",
    params(("id" = String, Path)),
    responses((status = 200, body = MediaRow))
)]
pub(crate) async fn join(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<MediaId>,
) -> Result<Json<MediaRow>, Problem> {
    let media = uploading::join(&asking.desk(&deps), &*deps.blobs, id).await?;
    Ok(Json((&media).into()))
}

/// A medium, with addresses by which its files may be read for an hour
#[utoipa::path(
    get, path = "/v1/media/{id}", operation_id = "read_media", tag = "media",
    params(("id" = String, Path)),
    responses((status = 200, body = MediaView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<MediaId>,
) -> Result<Json<MediaView>, Problem> {
    let now = deps.ambient.now();
    let media = records::load::<Media>(&*deps.table, &media_key(asking.scope(), id), now).await?;
    let media = media.ok_or_else(missing::<MediaId>)?.record;
    let lender = Lender::new(&*deps.blobs, now);
    Ok(Json(MediaView::of(&media, &lender).await?))
}

/// Remove a medium and all that came from it
///
/// Its draft, sounds and videos go with it, and posts that were not sent are called off. A post that was sent keeps
/// its history.
#[utoipa::path(
    delete, path = "/v1/media/{id}", operation_id = "remove_media", tag = "media",
    params(("id" = String, Path)),
    responses((status = 204))
)]
pub(crate) async fn remove(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<MediaId>,
) -> Result<StatusCode, Problem> {
    removal::remove(&asking.desk(&deps), &*deps.blobs, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
