//! What calls to third parties may cost the tenant, and what of it is gone.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use iso_currency::Currency;
use nexus_core::egress::{self, Cost, DEFAULT_CAP, Month, SpendCap, Spending};
use nexus_core::{Role, records};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::egress::MonthOf;
use super::products::PriceBody;
use crate::Deps;
use crate::asking::Asking;

/// How the tenant stands with one third party in a month. Parts of a cent count as whole ones.
#[derive(Serialize, ToSchema)]
#[schema(as = Spending)]
pub(crate) struct SpendingView {
    vendor: String,
    /// What a calendar month (UTC) may cost, as it is set now.
    cap: PriceBody,
    /// Whether the tenant set it.
    cap_is_set: bool,
    /// What calls did cost that are done.
    spent: PriceBody,
    /// What is set aside for calls that are on their way, or of which nobody came back to tell.
    reserved: PriceBody,
}

impl From<Spending> for SpendingView {
    fn from(spending: Spending) -> Self {
        let Spending { vendor, cap, cap_is_set, spent, reserved } = spending;
        let (cap, spent, reserved) = (dollars(cap), dollars(spent), dollars(reserved));
        Self { vendor, cap, cap_is_set, spent, reserved }
    }
}

fn dollars(cost: Cost) -> PriceBody {
    PriceBody { minor: cost.as_cents_up(), currency: Currency::USD }
}

/// How the tenant stands in a month.
#[derive(Serialize, ToSchema)]
#[schema(as = MonthsSpending)]
pub(crate) struct MonthView {
    /// For example `2026-11`.
    month: String,
    /// The cap of every third party that is not listed, or whose cap the tenant did not set.
    default_cap: PriceBody,
    /// Those that have a cap of their own or were called, by name.
    vendors: Vec<SpendingView>,
}

/// A cap that is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSpendCap)]
pub(crate) struct CapBody {
    /// What a calendar month (UTC) may cost: 0 to 100,000,000 cents of USD. With 0 only what costs nothing is asked.
    cap: PriceBody,
}

/// The third party that the address names.
pub(crate) struct VendorNamed(String);

impl<S: Send + Sync> FromRequestParts<S> for VendorNamed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let vendor = params.iter().flatten().find(|(name, _)| *name == "vendor");
        // What cannot be decoded is no vendor's name, and is told like every other that is none.
        Ok(Self(vendor.map(|(_, raw)| raw.to_owned()).unwrap_or_default()))
    }
}

async fn standing(
    deps: &Deps,
    asking: &Asking,
    month: Month,
    now: Timestamp,
) -> Result<Vec<Spending>, Failure> {
    Ok(egress::spending(&*deps.table, asking.scope(), month, now).await?)
}

/// What calls to third parties cost in a month, and what they may
#[utoipa::path(
    get, path = "/v1/spending", operation_id = "read_spending", tag = "spending",
    params(MonthOf),
    responses((status = 200, body = MonthView))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(month): Asked<MonthOf>,
) -> Result<Json<MonthView>, Problem> {
    let now = deps.ambient.now();
    let month = month.read(now)?;
    let vendors = standing(&deps, &asking, month, now).await?.into_iter().map(SpendingView::from);
    let (month, default_cap) = (month.to_string(), dollars(DEFAULT_CAP));
    Ok(Json(MonthView { month, default_cap, vendors: vendors.collect() }))
}

/// Set what a third party may cost in a month
///
/// It holds from the next call on, this month too. An approver sets it: it lets money leave the house.
#[utoipa::path(
    put, path = "/v1/spending/{vendor}", operation_id = "set_spend_cap", tag = "spending",
    params(("vendor" = String, Path, description = "Its name, as `/v1/egress` tells it.",
        pattern = "^[a-z][a-z0-9-]{0,39}$")),
    request_body = CapBody,
    responses((status = 200, body = SpendingView))
)]
pub(crate) async fn set(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    VendorNamed(vendor): VendorNamed,
    Json(body): Json<CapBody>,
) -> Result<Json<SpendingView>, Problem> {
    asking.caller.require(Role::Approver)?;
    let PriceBody { minor, currency } = body.cap;
    if currency != Currency::USD {
        return Err(Failure::field("cap.currency", "a cap is in USD").into());
    }
    let cap = SpendCap { vendor, cap: Cost::cents(minor) };
    cap.check()?;
    deps.table.commit(vec![records::write(asking.scope(), &cap)], None).await?;
    let now = deps.ambient.now();
    let mut all = standing(&deps, &asking, Month::of(now), now).await?.into_iter();
    let set = all.find(|spending| spending.vendor == cap.vendor);
    let set = set.ok_or_else(|| Failure::conflict("It was changed meanwhile. Read it again."))?;
    Ok(Json(set.into()))
}
