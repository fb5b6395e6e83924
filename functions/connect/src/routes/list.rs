//! The tenant's accounts, and whether posts can go through them.

use std::sync::Arc;

use axum::extract::State;
use nexus_core::Role;
use nexus_engine::connections::{Connection, ConnectionId, ConnectionState, all_connections};
use nexus_engine::publishing::Network;
use nexus_handler::http::{Json, Problem};
use nexus_kernel::{Language, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Deps;
use crate::asking::Asking;

/// An account at a network. Nothing here opens it.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
pub(crate) struct ConnectionView {
    #[schema(value_type = String)]
    id: ConnectionId,
    #[schema(value_type = String, example = "tiktok")]
    network: Network,
    /// At which server, where the network has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    /// What the tenant calls it.
    label: String,
    /// The languages whose posts go there; none is all.
    #[schema(value_type = Vec<String>)]
    languages: Vec<Language>,
    /// `connected`, `reconnect_needed` or `revoked`.
    state: &'static str,
    /// Why it is not connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Since when it is as it is.
    since: Timestamp,
    /// When it was connected first.
    created: Timestamp,
    /// Until when its network asked to leave it alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet_until: Option<Timestamp>,
}

impl From<Connection> for ConnectionView {
    fn from(connection: Connection) -> Self {
        let (state, why) = match connection.state {
            ConnectionState::Connected => ("connected", None),
            ConnectionState::ReconnectNeeded { why } => ("reconnect_needed", Some(why)),
            ConnectionState::Revoked { why, .. } => ("revoked", Some(why)),
        };
        Self {
            id: connection.id,
            network: connection.network,
            server: connection.server,
            label: connection.label,
            languages: connection.languages,
            state,
            why,
            since: connection.since,
            created: connection.created,
            quiet_until: connection.quiet.map(|quiet| quiet.until),
        }
    }
}

/// All accounts.
#[derive(Serialize, ToSchema)]
#[schema(as = Connections)]
pub(crate) struct ConnectionsView {
    /// In the order in which they were connected, those that are not any more among them.
    items: Vec<ConnectionView>,
}

/// The accounts
#[utoipa::path(
    get, path = "/v1/connections", operation_id = "list_connections", tag = "connections",
    responses((status = 200, description = "All of them", body = ConnectionsView))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
) -> Result<Json<ConnectionsView>, Problem> {
    asking.caller.require(Role::Operator)?;
    let accounts = &deps.accounts;
    let all = all_connections(&*accounts.table, asking.caller.scope(), accounts.ambient.now());
    let items = all.await?.into_iter().map(|stored| stored.record.into()).collect();
    Ok(Json(ConnectionsView { items }))
}
