//! What the tenant sells.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use iso_currency::Currency;
use nexus_core::table::{CommitError, Query};
use nexus_core::{Stored, records};
use nexus_engine::catalogue::{CatalogueProduct, ProductFacts, ProductId, product_key};
use nexus_engine::inquiries::{claim_page, release_page};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Failure, Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::asking::{Asking, Named, missing};
use crate::pages::{Listed, PageOf, newest};
use crate::{Deps, words};

/// What is known of a product. Content says of it only what stands here.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProductFacts)]
pub(crate) struct FactsBody {
    /// Its name, never translated.
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// What it is, in the merchant's words (English).
    #[schema(min_length = 1, max_length = 2000)]
    description: String,
    /// The same in Spanish, where the merchant has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    description_es: Option<String>,
    /// Which line of business it belongs to: a tenant may have several, and they stay apart.
    #[serde(default)]
    #[schema(max_length = 60)]
    vertical: String,
    /// Words that describe it; photos are matched by them.
    #[serde(default)]
    #[schema(max_items = 30)]
    keywords: Vec<String>,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<PriceBody>,
    /// Where it is sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500, example = "https://example.com/loaf")]
    url: Option<String>,
}

/// An amount of money.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Price)]
pub(crate) struct PriceBody {
    /// In the currency's minor unit: cents for USD, yen for JPY.
    #[schema(minimum = 0)]
    pub(super) minor: i64,
    #[schema(schema_with = words::currency)]
    pub(super) currency: Currency,
}

/// A product of the catalogue.
#[derive(Serialize, ToSchema)]
#[schema(as = Product)]
pub(crate) struct ProductView {
    #[schema(value_type = String)]
    id: ProductId,
    /// Since when it is in the catalogue.
    created: Timestamp,
    facts: FactsBody,
}

impl From<FactsBody> for ProductFacts {
    fn from(body: FactsBody) -> Self {
        let FactsBody { name, description, description_es, vertical, keywords, price, url } = body;
        let price = price.map(|PriceBody { minor, currency }| Money { minor, currency });
        Self { name, description, description_es, vertical, keywords, price, url }
    }
}

impl From<ProductFacts> for FactsBody {
    fn from(facts: ProductFacts) -> Self {
        let ProductFacts { name, description, description_es, vertical, keywords, price, url } =
            facts;
        let price = price.map(|Money { minor, currency }| PriceBody { minor, currency });
        Self { name, description, description_es, vertical, keywords, price, url }
    }
}

impl From<CatalogueProduct> for ProductView {
    fn from(product: CatalogueProduct) -> Self {
        let CatalogueProduct { id, facts, created } = product;
        Self { id, created, facts: facts.into() }
    }
}

async fn find(
    deps: &Deps,
    asking: &Asking,
    id: ProductId,
) -> Result<Stored<CatalogueProduct>, Failure> {
    let key = product_key(asking.scope(), id);
    let found = records::load(&*deps.table, &key, deps.ambient.now()).await?;
    found.ok_or_else(missing::<ProductId>)
}

/// The products, newest first
#[utoipa::path(
    get, path = "/v1/products", operation_id = "list_products", tag = "products",
    params(PageOf),
    responses((status = 200, body = Listed<ProductView>))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(page): Asked<PageOf>,
) -> Result<Json<Listed<ProductView>>, Problem> {
    let all = [Query::base(asking.scope().partition("product"))];
    let products = newest::<CatalogueProduct>(&*deps.table, &all, &page, deps.ambient.now());
    Ok(Json(products.await?.map(ProductView::from)))
}

/// Add a product
#[utoipa::path(
    post, path = "/v1/products", operation_id = "add_product", tag = "products",
    request_body = FactsBody,
    responses((status = 201, body = ProductView, headers(("Location" = String))))
)]
pub(crate) async fn create(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Json(body): Json<FactsBody>,
) -> Result<impl IntoResponse, Problem> {
    let facts = ProductFacts::from(body);
    facts.check()?;
    let id = ProductId::draw(asking.ids());
    let product = CatalogueProduct { id, facts, created: deps.ambient.now() };
    let ops = vec![records::create(asking.scope(), &product), claim_page(asking.scope(), id)];
    let product = match deps.table.commit(ops, None).await {
        Ok(()) => product,
        // This request made it already.
        Err(CommitError::Conditions(_)) => find(&deps, &asking, id).await?.record,
        Err(error) => return Err(error.into()),
    };
    let location = [(header::LOCATION, format!("/v1/products/{id}"))];
    Ok((StatusCode::CREATED, location, Json(ProductView::from(product))))
}

/// A product
#[utoipa::path(
    get, path = "/v1/products/{id}", operation_id = "read_product", tag = "products",
    params(("id" = String, Path)),
    responses((status = 200, body = ProductView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<ProductId>,
) -> Result<Json<ProductView>, Problem> {
    Ok(Json(find(&deps, &asking, id).await?.record.into()))
}

/// Write a product's facts
#[utoipa::path(
    put, path = "/v1/products/{id}", operation_id = "write_product", tag = "products",
    params(("id" = String, Path)),
    request_body = FactsBody,
    responses((status = 200, body = ProductView))
)]
pub(crate) async fn write(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<ProductId>,
    Json(body): Json<FactsBody>,
) -> Result<Json<ProductView>, Problem> {
    let facts = ProductFacts::from(body);
    facts.check()?;
    let mut product = find(&deps, &asking, id).await?;
    product.record.facts = facts;
    deps.table.commit(vec![product.update(asking.scope())], None).await?;
    Ok(Json(product.record.into()))
}

/// Remove a product
///
/// What was made about it stays, and so do inquiries; its page is gone.
#[utoipa::path(
    delete, path = "/v1/products/{id}", operation_id = "remove_product", tag = "products",
    params(("id" = String, Path)),
    responses((status = 204))
)]
pub(crate) async fn remove(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<ProductId>,
) -> Result<StatusCode, Problem> {
    let product = find(&deps, &asking, id).await?;
    let ops = vec![product.delete(asking.scope()), release_page(asking.scope(), id)];
    deps.table.commit(ops, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
