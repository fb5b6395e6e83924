//! A person makes another draft of the same.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use nexus_engine::{Desk, DraftId, duplicating};
use nexus_handler::http::{Json, Problem};

use super::drafts::DraftView;
use crate::Deps;
use crate::asking::{Asking, Named};

/// Make another draft of the same
///
/// With the same words, voices and films, in files of its own; it waits for approval. Each request makes another, as
/// far as it has no `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/drafts/{id}/duplicate", operation_id = "duplicate_draft", tag = "drafts",
    params(("id" = String, Path)),
    responses((status = 201, body = DraftView, headers(("Location" = String))))
)]
pub(crate) async fn duplicate(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<DraftId>,
) -> Result<impl IntoResponse, Problem> {
    let ambient = asking.ambient(&deps);
    let desk = Desk { ambient: &ambient, ..asking.desk(&deps) };
    let copy = duplicating::duplicate(&desk, &*deps.blobs, id).await?;
    let location = [(header::LOCATION, format!("/v1/drafts/{}", copy.id))];
    Ok((StatusCode::CREATED, location, Json(DraftView::of(&deps, &asking, &copy).await?)))
}
