//! The public page of a product, on which people ask about it.

use std::sync::Arc;

use axum::extract::State;
use nexus_engine::catalogue::ProductId;
use nexus_engine::inquiries;
use nexus_handler::http::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Deps;
use crate::asking::{Asking, Named};

/// A product's page.
#[derive(Serialize, ToSchema)]
#[schema(as = ProductPage)]
pub(crate) struct PageView {
    /// The page's code.
    code: String,
    /// The page's path, below the API's own address. It is public. `?from=` and the code of a link of yours tell later
    /// from which post an inquiry came.
    #[schema(example = "/p/cdfhjknprtvx23")]
    path: String,
}

/// Make a product's page
///
/// Every product that is added has one; this makes that of an older product. Making it twice is once: it is also how the
/// address is read.
#[utoipa::path(
    post, path = "/v1/products/{id}/page", operation_id = "make_product_page", tag = "products",
    params(("id" = String, Path)),
    responses((status = 200, body = PageView))
)]
pub(crate) async fn make(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<ProductId>,
) -> Result<Json<PageView>, Problem> {
    let code = inquiries::ensure_page(&asking.desk(&deps), id).await?;
    Ok(Json(PageView { path: format!("/p/{code}"), code }))
}
