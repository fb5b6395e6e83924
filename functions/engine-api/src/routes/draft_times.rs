//! When the posts of a draft would go out: what an approver looks at first.

use std::sync::Arc;

use axum::extract::State;
use nexus_engine::DraftId;
use nexus_engine::approving::{self, Planned};
use nexus_handler::http::{Json, Problem};

use super::preflight;
use crate::Deps;
use crate::asking::{Asking, Named};
use crate::times::{self, PlanBody, TimesView};

/// See when the posts of a draft would go out
///
/// Nothing is changed. An approval at the next slot, or of something that recurs, names the moments that are shown
/// here.
#[utoipa::path(
    post, path = "/v1/drafts/{id}/times", operation_id = "plan_draft", tag = "drafts",
    params(("id" = String, Path)),
    request_body = PlanBody,
    responses((status = 200, body = TimesView, description = "When they would go out, and what speaks against it."))
)]
pub(crate) async fn plan(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<DraftId>,
    Json(PlanBody { at, when }): Json<PlanBody>,
) -> Result<Json<TimesView>, Problem> {
    let wish = times::wish(at, when)?;
    let planned = approving::plan(&asking.desk(&deps), id, &wish, deps.link_base.as_deref()).await;
    let Planned { proposal, times, settings } =
        planned.map_err(|failure| times::in_body(&wish, failure))?;
    let mut warned = Vec::new();
    for post in proposal.posts {
        let notes = preflight::warned(&deps, &asking, &post, &times).await?;
        warned.push((post, notes));
    }
    Ok(Json(TimesView::of(proposal.digest, settings.time_zone, &times, warned)))
}
