//! A person wants a post at another time: one that still waits, or one that certainly did not go out.

use std::sync::Arc;

use axum::extract::State;
use nexus_core::Approver;
use nexus_core::effect::{self, Effect, EffectId, Payload as _};
use nexus_core::records;
use nexus_engine::account::{Settings, settings_key};
use nexus_engine::publishing::PostPlan;
use nexus_engine::scheduling::{self, When, another_time};
use nexus_engine::{rescheduling, retrying};
use nexus_handler::http::{Json, Problem};
use nexus_kernel::{Digest, Failure, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use super::posts::PostView;
use super::preflight;
use crate::Deps;
use crate::asking::{Asking, Named, missing};
use crate::times::{self, PlanBody, TimesView, Wish, WishShape};

/// To which time a post is moved: `at` or `when`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reschedule)]
pub(crate) struct RescheduleBody {
    /// The digest of the post that the person saw.
    #[schema(value_type = String)]
    digest: Digest,
    /// The moment.
    #[serde(default)]
    at: Option<Timestamp>,
    /// By the calendar, instead of `at`: `civil` or `next_slot`.
    #[serde(default)]
    #[schema(value_type = Option<WishShape>)]
    when: Option<Wish>,
    /// The moment that the person saw. Needed with `next_slot`; where another is the next by now, 409 says so.
    #[serde(default)]
    #[schema(max_items = 1)]
    times: Vec<Timestamp>,
}

/// When a post is sent anew.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Retry)]
pub(crate) struct RetryBody {
    /// The digest of the post that the person saw.
    #[schema(value_type = String)]
    digest: Digest,
    /// The moment; at once where this is left out.
    #[serde(default)]
    at: Option<Timestamp>,
}

/// See to which time a post would be moved
///
/// Nothing is changed. Moving it to the next slot names the moment that is shown here.
#[utoipa::path(
    post, path = "/v1/posts/{id}/times", operation_id = "plan_post", tag = "posts",
    params(("id" = String, Path)),
    request_body = PlanBody,
    responses((status = 200, body = TimesView, description = "When it would go out, and what speaks against it."))
)]
pub(crate) async fn plan(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<EffectId>,
    Json(PlanBody { at, when }): Json<PlanBody>,
) -> Result<Json<TimesView>, Problem> {
    let (table, scope, now) = (&*deps.table, asking.scope(), deps.ambient.now());
    let post = effect::load::<PostPlan>(table, scope, id).await?;
    let post = post.ok_or_else(missing::<EffectId>)?.record;
    let plan = post.payload();
    let wish = times::wish(at, when)?;
    if matches!(wish, When::Recurring(_)) {
        let problem = "one post goes out at one time: choose `civil` or `next_slot`";
        return Err(Failure::field("when", problem).into());
    }
    let settings = records::load::<Settings>(table, &settings_key(scope), now).await?;
    let settings = settings.map(|stored| stored.record).unwrap_or_default();
    let taken = scheduling::taken(table, scope, &plan.place(), now).await?;
    let times = scheduling::plan_times(&settings, &wish, &taken, now)
        .map_err(|failure| times::in_body(&wish, failure))?;
    let itself = |other: &Effect<PostPlan>| other.id == id;
    let notes = scheduling::warned(table, scope, plan, &times, itself).await?;
    let warned = vec![(plan.clone(), notes)];
    Ok(Json(TimesView::of(plan.digest(), settings.time_zone, &times, warned)))
}

/// Move a post to another time, before it is sent
///
/// Needs the role `approver`: a post at another time is another post, which whoever moves it approves; the old one is
/// called off. What is being sent or was sent is refused with 409, what a network would not take with 422. Moving it
/// there twice is once.
#[utoipa::path(
    post, path = "/v1/posts/{id}/reschedule", operation_id = "reschedule_post", tag = "posts",
    params(("id" = String, Path)),
    request_body = RescheduleBody,
    responses((status = 200, body = PostView, description = "The post that stands now."))
)]
pub(crate) async fn reschedule(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<EffectId>,
    Json(RescheduleBody { digest, at, when, times }): Json<RescheduleBody>,
) -> Result<Json<PostView>, Problem> {
    let approver = Approver::of(&asking.caller)?;
    if at.is_none() && when.is_none() {
        return Err(Failure::field("at", "say to which time, here or by `when`").into());
    }
    let desk = asking.desk(&deps);
    let wish = times::wish(at, when)?;
    let at = another_time(&desk, id, digest, &wish, &times).await;
    let at = at.map_err(|failure| times::in_body(&wish, failure))?;
    preflight::pass_again(&deps, &asking, id, digest, at).await?;
    let moved = rescheduling::reschedule(&desk, id, approver, digest, at, &deps.publish).await?;
    Ok(Json((&moved).into()))
}

/// Send a post anew that certainly did not go out
///
/// Needs the role `approver`: it is another post, which whoever sends it anew approves. A post that was refused or
/// called off can be sent anew, as long as its draft was not changed; what was sent or may have been is refused with
/// 409, what a network would not take with 422. Sending it anew twice for one time is once.
#[utoipa::path(
    post, path = "/v1/posts/{id}/retry", operation_id = "retry_post", tag = "posts",
    params(("id" = String, Path)),
    request_body = RetryBody,
    responses((status = 200, body = PostView, description = "The post that stands now."))
)]
pub(crate) async fn retry(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<EffectId>,
    Json(RetryBody { digest, at }): Json<RetryBody>,
) -> Result<Json<PostView>, Problem> {
    let approver = Approver::of(&asking.caller)?;
    let desk = asking.desk(&deps);
    let wish = times::wish(at, None)?;
    let at = another_time(&desk, id, digest, &wish, &[]).await?;
    preflight::pass_again(&deps, &asking, id, digest, at).await?;
    let anew = retrying::retry(&desk, id, approver, digest, at, &deps.publish).await?;
    Ok(Json((&anew).into()))
}
