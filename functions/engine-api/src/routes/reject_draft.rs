//! A person says no to a draft.

use std::sync::Arc;

use axum::extract::State;
use nexus_engine::{DraftId, editing};
use nexus_handler::http::{Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::drafts::DraftView;
use crate::Deps;
use crate::asking::{Asking, Named};

/// Why.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Reject)]
pub(crate) struct RejectBody {
    /// For whoever looks at the draft later.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Reject a draft
///
/// Its posts that were not sent are called off; while one is being sent, or may have been, 409 says so. A later edit takes the draft up again. The body may be left out.
#[utoipa::path(
    post, path = "/v1/drafts/{id}/reject", operation_id = "reject_draft", tag = "drafts",
    params(("id" = String, Path)),
    request_body = Option<RejectBody>,
    responses((status = 200, body = DraftView))
)]
pub(crate) async fn reject(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<DraftId>,
    body: Option<Json<RejectBody>>,
) -> Result<Json<DraftView>, Problem> {
    let RejectBody { reason } = body.map(|Json(body)| body).unwrap_or_default();
    let draft = editing::reject(&asking.desk(&deps), id, reason.as_deref()).await?;
    Ok(Json(DraftView::of(&deps, &asking, &draft).await?))
}
