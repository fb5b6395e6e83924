//! The routes, a file per deed. Each handler decodes, lets the Engine's rules decide, and encodes.

mod account;
mod approve_draft;
mod comments;
mod draft_times;
mod drafts;
mod duplicate_draft;
mod edit_draft;
mod egress;
mod footage;
mod inquiries;
mod links;
mod live_clicks;
mod media;
mod moods;
mod notices;
mod openapi;
mod post_again;
mod posts;
mod preflight;
mod product_page;
mod products;
mod qr_codes;
mod questions;
mod recount;
mod reject_draft;
mod reports;
mod restrictions;
mod reviews;
mod settings;
mod spending;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::drafts::NoteView;
use crate::Deps;

/// All of them, with their description.
pub(crate) fn all() -> OpenApiRouter<Arc<Deps>> {
    OpenApiRouter::with_openapi(openapi::about())
        .routes(routes!(account::read, account::write))
        .routes(routes!(settings::read, settings::write))
        .routes(routes!(products::list, products::create))
        .routes(routes!(products::read, products::write, products::remove))
        .routes(routes!(product_page::make))
        .routes(routes!(media::list, media::announce))
        .routes(routes!(media::read, media::remove))
        .routes(routes!(media::join))
        .routes(routes!(drafts::list))
        .routes(routes!(drafts::read, edit_draft::edit))
        .routes(routes!(reviews::list, reviews::invite))
        .routes(routes!(reviews::end))
        .routes(routes!(preflight::read))
        .routes(routes!(draft_times::plan))
        .routes(routes!(approve_draft::approve))
        .routes(routes!(reject_draft::reject))
        .routes(routes!(duplicate_draft::duplicate))
        .routes(routes!(posts::list))
        .routes(routes!(posts::read))
        .routes(routes!(posts::cancel))
        .routes(routes!(comments::list))
        .routes(routes!(post_again::plan))
        .routes(routes!(post_again::reschedule))
        .routes(routes!(post_again::retry))
        .routes(routes!(notices::list))
        .routes(routes!(questions::list))
        .routes(routes!(questions::answer))
        .routes(routes!(footage::ask))
        .routes(routes!(footage::read))
        .routes(routes!(footage::approve))
        .routes(routes!(footage::reject))
        .routes(routes!(footage::cancel))
        .routes(routes!(inquiries::list))
        .routes(routes!(inquiries::read))
        .routes(routes!(inquiries::assign))
        .routes(routes!(inquiries::settle))
        .routes(routes!(inquiries::annotate))
        .routes(routes!(restrictions::list, restrictions::restrict))
        .routes(routes!(restrictions::lift))
        .routes(routes!(moods::read))
        .routes(routes!(moods::export))
        .routes(routes!(egress::read))
        .routes(routes!(egress::export))
        .routes(routes!(spending::list))
        .routes(routes!(spending::set))
        .routes(routes!(reports::series))
        .routes(routes!(reports::top))
        .routes(routes!(recount::ask))
        .routes(routes!(live_clicks::read))
        .routes(routes!(links::list, links::create))
        .routes(routes!(links::read, links::change))
        .routes(routes!(links::revoke))
        .routes(routes!(qr_codes::svg))
        .routes(routes!(qr_codes::png))
        .routes(routes!(openapi::read))
}
