//! Days counted anew: somebody asks, and the hourly recount does it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use jiff::civil::Date;
use nexus_core::Role;
use nexus_engine::tallies;
use nexus_handler::http::{Json, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::asking::Asking;

/// Of which days clicks are counted anew: days of UTC, at most 31.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecountClicks)]
pub(crate) struct RecountBody {
    /// The first day.
    #[schema(value_type = String, example = "2026-11-01")]
    from: Date,
    /// The last day, which still belongs to it.
    #[schema(value_type = String, example = "2026-11-30")]
    to: Date,
}

/// What was asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = RecountAsked)]
pub(crate) struct RecountView {
    /// How many days of links.
    days: u64,
}

/// Count clicks anew
///
/// Needs the role `approver`. Each link's clicks of these days are judged by the rules of today for robots and counted
/// anew, within hours. Days that wait for their count are left to it.
#[utoipa::path(
    post, path = "/v1/reports/clicks/recount", operation_id = "recount_clicks", tag = "reports",
    request_body = RecountBody,
    responses((status = 202, body = RecountView))
)]
pub(crate) async fn ask(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Json(RecountBody { from, to }): Json<RecountBody>,
) -> Result<impl IntoResponse, Problem> {
    asking.caller.require(Role::Approver)?;
    let (table, days) = (&*deps.table, (from, to));
    let days = tallies::ask_for_days(table, asking.scope(), days, &deps.ambient).await?;
    Ok((StatusCode::ACCEPTED, Json(RecountView { days })))
}
