//! Clicks as they come in, for whoever looks on.

use std::sync::Arc;

use axum::extract::State;
use nexus_core::effect::EffectId;
use nexus_core::table::Cursor;
use nexus_engine::clicks::{ATTRIBUTION, BotReason, Click, ClickId, Place};
use nexus_engine::tallies::live;
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Deps;
use crate::asking::Asking;

/// From where on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct After {
    /// The `next` of the answer before; from now on, where it is left out.
    after: Option<String>,
}

/// A click. Nothing in it says whose it was.
#[derive(Serialize, ToSchema)]
#[schema(as = LiveClick)]
pub(crate) struct ClickView {
    #[schema(value_type = String)]
    id: ClickId,
    at: Timestamp,
    /// The link's code.
    link: String,
    #[schema(value_type = Option<String>)]
    post: Option<EffectId>,
    country: Option<String>,
    region: Option<String>,
    city: Option<String>,
    browser: String,
    device: String,
    system: String,
    /// The host of the page that somebody came from.
    referrer: Option<String>,
    /// Why it is not counted, if it is not: `robot`, `preview`, `head`, `no_accept` or `no_agent`.
    #[schema(value_type = Option<String>)]
    bot: Option<BotReason>,
}

impl From<Click> for ClickView {
    fn from(click: Click) -> Self {
        let spot = match click.place {
            Place::Spot(spot) => spot,
            Place::Unlocated => nexus_engine::clicks::Spot::default(),
        };
        Self {
            id: click.id,
            at: click.at,
            link: click.link,
            post: click.post,
            country: spot.country,
            region: spot.region,
            city: spot.city,
            browser: click.agent.family,
            device: click.agent.device,
            system: click.agent.system,
            referrer: click.referrer.map(|referrer| referrer.host),
            bot: click.bot,
        }
    }
}

/// Clicks in the order in which they were written.
#[derive(Serialize, ToSchema)]
#[schema(as = LiveClicks)]
pub(crate) struct LiveView {
    items: Vec<ClickView>,
    /// What to send as `after` next, at once where there is more, else after a second or more.
    next: String,
    /// Whether there is more already.
    more: bool,
    /// Whose data about places it is; to be shown beside them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attribution: Option<&'static str>,
}

/// Clicks as they come in
///
/// Each is told once, some six seconds after it was written, and for an hour. One whose writing took longer than five
/// seconds may be passed over here; it is counted all the same.
#[utoipa::path(
    get, path = "/v1/clicks/live", operation_id = "watch_clicks", tag = "reports",
    params(After),
    responses((status = 200, body = LiveView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(After { after }): Asked<After>,
) -> Result<Json<LiveView>, Problem> {
    let (scope, now) = (asking.scope(), deps.ambient.now());
    let question = ("live", scope);
    let position = match after {
        None => live::from_now(now),
        Some(after) => {
            let mut position = Cursor(after).position(&question).unwrap_or_default();
            position.pop().filter(|p| position.is_empty() && p.len() <= 512).ok_or_else(|| {
                Failure::field("after", "this is no `next` of an answer: begin anew without it")
            })?
        }
    };
    let written = live::written_after(&*deps.table, scope, &position, now).await?;
    let located = written.clicks.iter().any(|click| !click.place.is_unlocated());
    Ok(Json(LiveView {
        items: written.clicks.into_iter().map(ClickView::from).collect(),
        next: Cursor::at(&question, &[&written.position]).0,
        more: written.more,
        attribution: located.then_some(ATTRIBUTION),
    }))
}
