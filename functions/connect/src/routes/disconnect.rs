//! A person disconnects an account.

use std::sync::Arc;

use axum::extract::State;
use nexus_core::effect::EffectId;
use nexus_core::vault::Remains;
use nexus_engine::connections::ending::{self, Disconnected};
use nexus_handler::http::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::list::ConnectionView;
use crate::Deps;
use crate::asking::{Asking, Named};

/// What was done.
#[derive(Serialize, ToSchema)]
#[schema(as = Disconnected)]
pub(crate) struct DisconnectedView {
    connection: ConnectionView,
    /// How many posts were called off that waited for it.
    posts_cancelled: u32,
    /// Posts that were being sent already and cannot be called off any more.
    #[schema(value_type = Vec<String>)]
    too_late: Vec<EffectId>,
    /// The tokens are deleted.
    tokens_deleted: bool,
    /// What is left of them: `nothing`, or `sealed_in_backups` until those end.
    remains: &'static str,
    /// Whether the network confirmed it. False where it could not be told: then this application is to be removed in
    /// its settings, too. Absent where there was nothing to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    network_told: Option<bool>,
}

impl From<Disconnected> for DisconnectedView {
    fn from(done: Disconnected) -> Self {
        Self {
            connection: done.connection.into(),
            posts_cancelled: done.posts_cancelled,
            too_late: done.too_late,
            tokens_deleted: true,
            remains: match done.remains {
                Remains::Nothing => "nothing",
                Remains::SealedInBackups => "sealed_in_backups",
            },
            network_told: done.network_told,
        }
    }
}

/// Disconnect an account
///
/// Needs the role `approver`. Posts that wait for it are called off, its tokens are deleted, and the network is told.
/// Doing it twice is doing it once.
#[utoipa::path(
    delete, path = "/v1/connections/{id}", operation_id = "disconnect", tag = "connections",
    params(("id" = String, Path)),
    responses((status = 200, description = "The receipt", body = DisconnectedView))
)]
pub(crate) async fn disconnect(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named,
) -> Result<Json<DisconnectedView>, Problem> {
    asking.decides()?;
    let desk = asking.desk(&deps);
    let done = ending::disconnect(&deps.accounts, &desk, &asking.call(), id).await?;
    Ok(Json(done.into()))
}
