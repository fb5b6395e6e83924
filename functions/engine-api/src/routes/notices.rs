//! What the tenant has to be told.

use std::sync::Arc;

use axum::extract::State;
use nexus_engine::mailing::Mailing;
use nexus_engine::notices::{self, Notice, NoticeCode, NoticeId};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::asking::Asking;
use crate::pages::{Listed, PageOf, newest};
use crate::{Deps, words};

/// Something that the tenant has to be told. It is kept for 90 days.
#[derive(Serialize, ToSchema)]
#[schema(as = Notice)]
pub(crate) struct NoticeView {
    #[schema(value_type = String)]
    id: NoticeId,
    at: Timestamp,
    /// What it is about.
    #[schema(schema_with = words::notice_code)]
    code: NoticeCode,
    /// What happened, and what to do.
    text: String,
    /// The id of the thing that it is about, if of one.
    about: Option<String>,
    mail: MailView,
}

impl From<Notice> for NoticeView {
    fn from(Notice { id, at, code, text, about, mail }: Notice) -> Self {
        Self { id, at, code, text, about, mail: mail.into() }
    }
}

/// What became of the mail about a notice, to the account's address.
#[derive(Serialize, ToSchema)]
#[schema(as = NoticeMail)]
struct MailView {
    /// `waiting`, `sending`; `sent`: a carrier took it over; `unknown`: it was handed over and nobody knows whether it was
    /// taken, so it is not sent again; `not_sent`: it certainly did not leave and will not.
    state: &'static str,
    /// When it was taken over, where it was.
    at: Option<Timestamp>,
    /// What is known, where it was not.
    why: Option<String>,
}

impl From<Mailing> for MailView {
    fn from(mail: Mailing) -> Self {
        let plain = |state| Self { state, at: None, why: None };
        match mail {
            Mailing::Waiting => plain("waiting"),
            Mailing::Sending { .. } => plain("sending"),
            Mailing::Sent { at, .. } => Self { at: Some(at), ..plain("sent") },
            Mailing::Unknown { why } => Self { why: Some(why), ..plain("unknown") },
            Mailing::NotSent { why } => Self { why: Some(why), ..plain("not_sent") },
        }
    }
}

/// What the tenant has to be told, newest first
#[utoipa::path(
    get, path = "/v1/notices", operation_id = "list_notices", tag = "notices",
    params(PageOf),
    responses((status = 200, body = Listed<NoticeView>))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(page): Asked<PageOf>,
) -> Result<Json<Listed<NoticeView>>, Problem> {
    let all = [notices::notices(asking.scope())];
    let told = newest::<Notice>(&*deps.table, &all, &page, deps.ambient.now()).await?;
    Ok(Json(told.map(NoticeView::from)))
}
