//! Links by which somebody without an account looks at a draft, and the notes that they left.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use nexus_engine::DraftId;
use nexus_engine::reviewing::{self, ReviewId, ReviewLink, ReviewNote, Verdict};
use nexus_handler::http::idempotency::KeptByNobody;
use nexus_handler::http::{Json, Problem};
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::asking::{Asking, Named, missing};
use crate::{Deps, words};

/// Who is to look, and for how long.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Invite)]
pub(crate) struct InviteBody {
    /// For whom the link is, 1 to 80 characters; the page greets them so.
    label: String,
    /// For how many days it opens the draft.
    #[serde(default = "a_week")]
    #[schema(minimum = 1, maximum = 30, default = 7)]
    days: u32,
}

fn a_week() -> u32 {
    7
}

/// Which link is to end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EndReview)]
pub(crate) struct EndBody {
    #[schema(value_type = String)]
    link: ReviewId,
}

/// A review link.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewLink)]
pub(crate) struct LinkView {
    #[schema(value_type = String)]
    id: ReviewId,
    label: String,
    /// Who made it.
    by: String,
    made: Timestamp,
    /// Until then it opens the draft.
    until: Timestamp,
}

impl From<ReviewLink> for LinkView {
    fn from(ReviewLink { id, label, by, made, until }: ReviewLink) -> Self {
        Self { id, label: label.reveal().clone(), by, made, until }
    }
}

/// A link that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = NewReviewLink)]
pub(crate) struct NewLinkView {
    #[serde(flatten)]
    link: LinkView,
    /// The page's path, below the API's own address. It is told here and never again: whoever has it may look.
    path: String,
}

/// What somebody wrote.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewNote)]
pub(crate) struct NoteView {
    at: Timestamp,
    /// By which link.
    #[schema(value_type = String)]
    link: ReviewId,
    /// On which edit of the draft.
    revision: u32,
    /// As they call themselves; may be empty.
    name: String,
    #[schema(schema_with = words::verdict)]
    verdict: Verdict,
    text: String,
}

impl From<ReviewNote> for NoteView {
    fn from(ReviewNote { at, link, revision, name, verdict, text }: ReviewNote) -> Self {
        let (name, text) = (name.reveal().clone(), text.reveal().clone());
        Self { at, link, revision, name, verdict, text }
    }
}

/// The links of a draft, and what was written by them.
#[derive(Serialize, ToSchema)]
#[schema(as = Reviews)]
pub(crate) struct ReviewsView {
    links: Vec<LinkView>,
    notes: Vec<NoteView>,
}

/// The review links of a draft, and the notes that came by them
#[utoipa::path(
    get, path = "/v1/drafts/{id}/reviews", operation_id = "list_reviews", tag = "drafts",
    params(("id" = String, Path)),
    responses((status = 200, body = ReviewsView))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(draft): Named<DraftId>,
) -> Result<Json<ReviewsView>, Problem> {
    let now = deps.ambient.now();
    let key = nexus_engine::draft::draft_key(asking.scope(), draft);
    let stands = nexus_core::records::load::<nexus_engine::Draft>(&*deps.table, &key, now).await?;
    stands.ok_or_else(missing::<DraftId>)?;
    let reviews = reviewing::of(&*deps.table, asking.scope(), draft, now).await?;
    let links = reviews.links.into_iter().map(LinkView::from).collect();
    let notes = reviews.notes.into_iter().map(NoteView::from).collect();
    Ok(Json(ReviewsView { links, notes }))
}

/// Let somebody without an account look at a draft
///
/// Whoever has the link sees the draft as it stands and may leave notes, which decide nothing.
#[utoipa::path(
    post, path = "/v1/drafts/{id}/reviews", operation_id = "invite_review", tag = "drafts",
    params(("id" = String, Path)),
    request_body = InviteBody,
    responses((status = 201, body = NewLinkView))
)]
pub(crate) async fn invite(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(draft): Named<DraftId>,
    Json(InviteBody { label, days }): Json<InviteBody>,
) -> Result<impl IntoResponse, Problem> {
    let (link, code) = reviewing::invite(&asking.desk(&deps), draft, &label, days).await?;
    let path = format!("/r/{}", code.reveal());
    // Its code is kept nowhere in the clear.
    Ok((
        StatusCode::CREATED,
        Extension(KeptByNobody),
        Json(NewLinkView { link: link.into(), path }),
    ))
}

/// End a review link
#[utoipa::path(
    post, path = "/v1/drafts/{id}/reviews/end", operation_id = "end_review", tag = "drafts",
    params(("id" = String, Path)),
    request_body = EndBody,
    responses((status = 200, body = LinkView))
)]
pub(crate) async fn end(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(draft): Named<DraftId>,
    Json(EndBody { link }): Json<EndBody>,
) -> Result<Json<LinkView>, Problem> {
    match reviewing::end(&asking.desk(&deps), draft, link).await {
        Ok(link) => Ok(Json(link.into())),
        Err(failure) if failure.kind() == nexus_kernel::FailureKind::NotFound => {
            Err(Failure::not_found("draft").into())
        }
        Err(failure) => Err(failure.into()),
    }
}
