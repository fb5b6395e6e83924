//! The routes, a file per deed. Each handler decodes, lets the Engine's rules decide, and encodes.

mod begin;
mod callback;
mod disconnect;
mod list;
mod networks;
mod openapi;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Deps;

/// All of them, with their description.
pub(crate) fn all() -> OpenApiRouter<Arc<Deps>> {
    OpenApiRouter::with_openapi(openapi::about())
        .routes(routes!(list::list, begin::begin))
        .routes(routes!(networks::list))
        .routes(routes!(begin::begin_again))
        .routes(routes!(disconnect::disconnect))
        .routes(routes!(callback::come_back))
        .routes(routes!(openapi::read))
}
