//! A person begins to connect an account, or to connect it again.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use nexus_engine::connections::connecting::{self, Begun, Wish};
use nexus_engine::publishing::Network;
use nexus_handler::http::idempotency::KeptByNobody;
use nexus_handler::http::{Json, Problem};
use nexus_kernel::{Language, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::asking::{Asking, Named};

/// Which account is to be connected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Connect)]
pub(crate) struct ConnectBody {
    /// At which network.
    #[schema(value_type = String, example = "tiktok")]
    network: Network,
    /// At which server, where the network has several.
    #[serde(default)]
    #[schema(example = "https://social.example")]
    server: Option<String>,
    /// What the tenant calls it.
    #[schema(max_length = 80, example = "The shop's account")]
    label: String,
    /// The languages whose posts go there; none is all.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    languages: BTreeSet<Language>,
}

/// Where to go on.
#[derive(Serialize, ToSchema)]
#[schema(as = Begun)]
pub(crate) struct BegunView {
    /// The network's page, to be opened in the person's own browser. It belongs to them alone.
    address: String,
    /// Until when they are expected back.
    until: Timestamp,
}

/// The address holds the state, which is kept nowhere in the clear.
type Told = (Extension<KeptByNobody>, Json<BegunView>);

impl From<Begun> for BegunView {
    fn from(Begun { address, until }: Begun) -> Self {
        Self { address, until }
    }
}

/// Begin to connect an account
///
/// Needs the role `approver`. Nothing is connected before the person has granted it at the network.
#[utoipa::path(
    post, path = "/v1/connections", operation_id = "begin_connection", tag = "connections",
    request_body = ConnectBody,
    responses((status = 200, description = "Open the address", body = BegunView))
)]
pub(crate) async fn begin(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Json(body): Json<ConnectBody>,
) -> Result<Told, Problem> {
    asking.decides()?;
    let ConnectBody { network, server, label, languages } = body;
    let wish = Wish { network, server, label, languages };
    let (accounts, desk) = (&deps.accounts, asking.desk(&deps));
    let begun = connecting::begin(accounts, &desk, &asking.call(), wish, &deps.callback).await?;
    Ok((Extension(KeptByNobody), Json(begun.into())))
}

/// Begin to connect an account again
///
/// Needs the role `approver`. Whatever became of the account, its history goes on.
#[utoipa::path(
    post, path = "/v1/connections/{id}/reconnect", operation_id = "reconnect", tag = "connections",
    params(("id" = String, Path)),
    responses((status = 200, description = "Open the address", body = BegunView))
)]
pub(crate) async fn begin_again(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named,
) -> Result<Told, Problem> {
    asking.decides()?;
    let (accounts, desk) = (&deps.accounts, asking.desk(&deps));
    let begun =
        connecting::begin_again(accounts, &desk, &asking.call(), id, &deps.callback).await?;
    Ok((Extension(KeptByNobody), Json(begun.into())))
}
