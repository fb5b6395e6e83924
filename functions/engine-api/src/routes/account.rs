//! Who the tenant is.

use std::sync::Arc;

use axum::extract::State;
use nexus_core::records;
use nexus_engine::account::{Account, account_key};
use nexus_handler::http::{Json, Problem};
use nexus_kernel::{Failure, Pii};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::asking::Asking;

/// All that is kept of an account (N2).
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Account)]
pub(crate) struct AccountBody {
    /// Where notices go.
    #[schema(max_length = 254, example = "owner@example.com")]
    email: String,
    /// The business's name.
    #[schema(min_length = 1, max_length = 120)]
    business_name: String,
    /// What it does, for example `coffee shop`.
    #[schema(min_length = 1, max_length = 80)]
    niche: String,
    /// How it speaks, in its own words.
    #[schema(min_length = 1, max_length = 400)]
    brand_voice: String,
    /// How it is addressed.
    #[schema(min_length = 1, max_length = 80)]
    display_name: String,
}

impl From<AccountBody> for Account {
    fn from(body: AccountBody) -> Self {
        let AccountBody { email, business_name, niche, brand_voice, display_name } = body;
        Self { email: Pii::new(email), business_name, niche, brand_voice, display_name }
    }
}

impl From<Account> for AccountBody {
    fn from(account: Account) -> Self {
        let Account { email, business_name, niche, brand_voice, display_name } = account;
        Self { email: email.reveal().clone(), business_name, niche, brand_voice, display_name }
    }
}

/// The account
#[utoipa::path(
    get, path = "/v1/account", operation_id = "read_account", tag = "tenant",
    responses((status = 200, body = AccountBody), (status = 404))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
) -> Result<Json<AccountBody>, Problem> {
    let key = account_key(asking.scope());
    let account = records::load::<Account>(&*deps.table, &key, deps.ambient.now()).await?;
    let account = account.ok_or_else(|| Failure::not_found("account"))?;
    Ok(Json(account.record.into()))
}

/// Write the account
#[utoipa::path(
    put, path = "/v1/account", operation_id = "write_account", tag = "tenant",
    request_body = AccountBody,
    responses((status = 200, body = AccountBody))
)]
pub(crate) async fn write(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Json(body): Json<AccountBody>,
) -> Result<Json<AccountBody>, Problem> {
    let account = Account::from(body);
    account.check()?;
    deps.table.commit(vec![records::write(asking.scope(), &account)], None).await?;
    Ok(Json(account.into()))
}
