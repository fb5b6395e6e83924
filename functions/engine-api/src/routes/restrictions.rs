//! People whose data may be kept and not worked on.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use nexus_core::Role;
use nexus_engine::inquiries::{self, Restriction, RestrictionId};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::asking::{Asking, Named};
use crate::pages::{Listed, PageOf, newest};

/// Whose data may only be kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Restrict)]
pub(crate) struct RestrictBody {
    /// The person's e-mail address, however they wrote it.
    #[schema(max_length = 254)]
    email: String,
}

/// A person whose data may be kept and not worked on.
#[derive(Serialize, ToSchema)]
#[schema(as = Restriction)]
pub(crate) struct RestrictionView {
    #[schema(value_type = String)]
    id: RestrictionId,
    email: String,
    since: Timestamp,
    /// Who restricted it.
    by: String,
    /// It is lifted, and what waited was not yet all passed on: lift it again.
    lifting: bool,
}

impl From<Restriction> for RestrictionView {
    fn from(restriction: Restriction) -> Self {
        Self {
            id: restriction.id,
            email: restriction.email.reveal().clone(),
            since: restriction.since,
            lifting: restriction.is_lifting(),
            by: restriction.by,
        }
    }
}

/// What lifting came to.
#[derive(Serialize, ToSchema)]
#[schema(as = Lifted)]
pub(crate) struct LiftedView {
    /// How many texts that waited were passed on.
    passed_on: usize,
    /// Whether all were looked through. Where not, lift it again: it goes on where it ended.
    done: bool,
}

/// Whose data may only be kept
#[utoipa::path(
    get, path = "/v1/restrictions", operation_id = "list_restrictions", tag = "inquiries",
    params(PageOf),
    responses((status = 200, body = Listed<RestrictionView>))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(page): Asked<PageOf>,
) -> Result<Json<Listed<RestrictionView>>, Problem> {
    let all = [inquiries::restrictions(asking.scope())];
    let found = newest::<Restriction>(&*deps.table, &all, &page, deps.ambient.now()).await?;
    Ok(Json(found.map(RestrictionView::from)))
}

/// Restrict the processing of a person's data
///
/// Needs the role `approver`. What the person wrote and writes is kept and shown; from now on nobody judges how it sounds,
/// it raises no event and is added to no trend. What was judged and counted before stays. Twice is once.
#[utoipa::path(
    post, path = "/v1/restrictions", operation_id = "restrict", tag = "inquiries",
    request_body = RestrictBody,
    responses((status = 201, body = RestrictionView))
)]
pub(crate) async fn restrict(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Json(RestrictBody { email }): Json<RestrictBody>,
) -> Result<impl IntoResponse, Problem> {
    asking.caller.require(Role::Approver)?;
    let restriction = inquiries::restrict(&asking.desk(&deps), &email).await?;
    Ok((StatusCode::CREATED, Json(RestrictionView::from(restriction))))
}

/// Lift a restriction
///
/// Needs the role `approver`. What waited is worked on.
#[utoipa::path(
    delete, path = "/v1/restrictions/{id}", operation_id = "lift_restriction", tag = "inquiries",
    params(("id" = String, Path)),
    responses((status = 200, body = LiftedView))
)]
pub(crate) async fn lift(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<RestrictionId>,
) -> Result<Json<LiftedView>, Problem> {
    asking.caller.require(Role::Approver)?;
    let lifted = inquiries::lift(&asking.desk(&deps), &deps.sentiment, id).await?;
    Ok(Json(LiftedView { passed_on: lifted.passed_on, done: lifted.done }))
}
