//! Where accounts can be connected here, and what is asked for there.

use std::sync::Arc;

use axum::extract::State;
use nexus_core::Role;
use nexus_engine::connections::scopes;
use nexus_engine::publishing::Network;
use nexus_handler::http::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Deps;
use crate::asking::Asking;

/// What a network is asked to grant.
#[derive(Serialize, ToSchema)]
#[schema(as = Scope)]
pub(crate) struct ScopeView {
    /// As the network calls it.
    scope: &'static str,
    /// What it allows, in words.
    allows: &'static str,
}

/// A network.
#[derive(Serialize, ToSchema)]
#[schema(as = Network)]
pub(crate) struct NetworkView {
    #[schema(value_type = String, example = "tiktok")]
    network: Network,
    /// Whether this house can connect accounts there: it has an application's name and secret.
    set_up: bool,
    /// Whether a server has to be named.
    needs_server: bool,
    /// What is asked for, and without which an account is not connected.
    scopes: Vec<ScopeView>,
}

/// All networks with accounts.
#[derive(Serialize, ToSchema)]
#[schema(as = Networks)]
pub(crate) struct NetworksView {
    items: Vec<NetworkView>,
}

/// The networks
#[utoipa::path(
    get, path = "/v1/connections/networks", operation_id = "list_networks", tag = "connections",
    responses((status = 200, description = "All that this house knows", body = NetworksView))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
) -> Result<Json<NetworksView>, Problem> {
    asking.caller.require(Role::Operator)?;
    let mut items = Vec::new();
    for login in &deps.accounts.logins {
        let words = |scope: &&'static str| ScopeView {
            scope,
            allows: scopes::allows(scope).unwrap_or("what its name says"),
        };
        items.push(NetworkView {
            network: login.network(),
            set_up: login.is_set_up().await?,
            needs_server: login.network() == Network::Mastodon,
            scopes: login.scopes().iter().map(words).collect(),
        });
    }
    Ok(Json(NetworksView { items }))
}
