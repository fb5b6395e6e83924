//! The inbox: what people asked on products' pages, and what the tenant's people do with it.

use std::sync::Arc;

use axum::extract::State;
use nexus_core::effect::EffectId;
use nexus_engine::catalogue::ProductId;
use nexus_engine::inquiries::{
    self, Inquiry, InquiryId, InquiryNote, InquiryNoteId, InquiryState, Origin,
};
use nexus_engine::sentiment::{Label, Verdict};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::asking::{Asking, Named};
use crate::pages::{Listed, PageOf, newest};
use crate::{Deps, words};

/// Which inquiries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only these; without it the new and the open ones.
    #[param(schema_with = words::inquiry_state)]
    state: Option<InquiryState>,
    /// How many things at most: 1 to 100, else 20.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// Go on where a page ended: its `next`.
    after: Option<String>,
}

/// From where somebody came to the page.
#[derive(Serialize, ToSchema)]
#[schema(as = InquiryOrigin)]
pub(crate) struct OriginView {
    /// The code of the link that they followed.
    link: String,
    /// The post that it stands in, if in one.
    #[schema(value_type = Option<String>)]
    post: Option<EffectId>,
}

impl From<Origin> for OriginView {
    fn from(Origin { link, post }: Origin) -> Self {
        Self { link, post }
    }
}

/// How a text sounds, as an engine told.
#[derive(Serialize, ToSchema)]
#[schema(as = Sentiment)]
pub(crate) struct SentimentView {
    /// `unsupported` where the engine does not know the text's language.
    #[schema(schema_with = words::sentiment_label)]
    label: Label,
    /// How sure the engine is, 0 to 1; `null` where there is no feeling.
    score: Option<f64>,
    /// The text's language, `und` where it does not show.
    language: String,
    /// Which engine, and through whom it read the text.
    engine: String,
    at: Timestamp,
}

impl From<Verdict> for SentimentView {
    fn from(verdict: Verdict) -> Self {
        let Verdict { label, score, language, engine, at, .. } = verdict;
        Self { label, score, language, engine, at }
    }
}

/// What somebody of the tenant noted.
#[derive(Serialize, ToSchema)]
#[schema(as = InquiryNote)]
pub(crate) struct NoteView {
    #[schema(value_type = String)]
    id: InquiryNoteId,
    at: Timestamp,
    /// Who: the person's id at the identity provider.
    by: String,
    text: String,
}

impl From<InquiryNote> for NoteView {
    fn from(InquiryNote { id, at, by, text }: InquiryNote) -> Self {
        Self { id, at, by, text: text.reveal().clone() }
    }
}

/// What somebody asked on a product's page. It is kept for one year.
#[derive(Serialize, ToSchema)]
#[schema(as = Inquiry)]
pub(crate) struct InquiryView {
    #[schema(value_type = String)]
    id: InquiryId,
    /// As they call themselves.
    name: String,
    /// Where an answer may go. It was not checked whether it is theirs.
    email: String,
    message: String,
    /// About which product.
    #[schema(value_type = String)]
    product: ProductId,
    at: Timestamp,
    /// Until then it is kept.
    until: Option<Timestamp>,
    /// From where they came, if by a link of the tenant's.
    from: Option<OriginView>,
    /// How it sounds, once that is known.
    sentiment: Option<SentimentView>,
    #[schema(schema_with = words::inquiry_state)]
    state: InquiryState,
    /// Who of the tenant is at it.
    assignee: Option<String>,
    /// What the tenant's people noted, oldest first.
    notes: Vec<NoteView>,
    /// The person's data may be kept and not worked on.
    restricted: bool,
}

impl InquiryView {
    fn of(inquiry: Inquiry, restricted: bool) -> Self {
        let until = nexus_core::Record::expires(&inquiry);
        let Inquiry { id, product, at, from, sentiment, state, assignee, notes, .. } = inquiry;
        Self {
            id,
            name: inquiry.name.reveal().clone(),
            email: inquiry.email.reveal().clone(),
            message: inquiry.message.reveal().clone(),
            product,
            at,
            until,
            from: from.map(OriginView::from),
            sentiment: sentiment.map(SentimentView::from),
            state,
            assignee,
            notes: notes.into_iter().map(NoteView::from).collect(),
            restricted,
        }
    }
}

/// Whom an inquiry is assigned to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AssignInquiry)]
pub(crate) struct AssignBody {
    /// A name or an id, as the tenant's people call each other; `null` for nobody.
    #[schema(min_length = 1, max_length = 80)]
    assignee: Option<String>,
}

/// How far an inquiry came.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SettleInquiry)]
pub(crate) struct SettleBody {
    #[schema(schema_with = words::inquiry_state)]
    state: InquiryState,
}

/// What is to be noted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoteOnInquiry)]
pub(crate) struct NoteBody {
    #[schema(min_length = 1, max_length = 1000)]
    text: String,
}

async fn shown(deps: &Deps, asking: &Asking, inquiry: Inquiry) -> Result<InquiryView, Failure> {
    let (table, scope) = (&*deps.table, asking.scope());
    let restricted = inquiries::restricted(table, scope, &inquiry.email).await?;
    Ok(InquiryView::of(inquiry, restricted))
}

/// What people asked, newest first
#[utoipa::path(
    get, path = "/v1/inquiries", operation_id = "list_inquiries", tag = "inquiries",
    params(Which),
    responses((status = 200, body = Listed<InquiryView>))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(Which { state, limit, after }): Asked<Which>,
) -> Result<Json<Listed<InquiryView>>, Problem> {
    let (table, scope, now) = (&*deps.table, asking.scope(), deps.ambient.now());
    let states = match state {
        Some(state) => vec![state],
        None => vec![InquiryState::New, InquiryState::Open],
    };
    let lists: Vec<_> = states.iter().map(|state| inquiries::inquiries(scope, *state)).collect();
    let mut found = newest::<Inquiry>(table, &lists, &PageOf { limit, after }, now).await?;
    // The index may be late: what has moved on stands in another list.
    found.items.retain(|inquiry| states.contains(&inquiry.state));
    let emails = found.items.iter().map(|inquiry| &inquiry.email);
    let mut restricted = inquiries::restricted_among(table, scope, emails).await?.into_iter();
    let view = |inquiry| InquiryView::of(inquiry, restricted.next().unwrap_or_default());
    Ok(Json(found.map(view)))
}

/// What somebody asked
#[utoipa::path(
    get, path = "/v1/inquiries/{id}", operation_id = "read_inquiry", tag = "inquiries",
    params(("id" = String, Path)),
    responses((status = 200, body = InquiryView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<InquiryId>,
) -> Result<Json<InquiryView>, Problem> {
    let found = inquiries::find(&*deps.table, asking.scope(), id, deps.ambient.now()).await?;
    Ok(Json(shown(&deps, &asking, found.record).await?))
}

/// Put somebody at an inquiry
///
/// A new one is open from then on.
#[utoipa::path(
    post, path = "/v1/inquiries/{id}/assign", operation_id = "assign_inquiry", tag = "inquiries",
    params(("id" = String, Path)),
    request_body = AssignBody,
    responses((status = 200, body = InquiryView))
)]
pub(crate) async fn assign(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<InquiryId>,
    Json(AssignBody { assignee }): Json<AssignBody>,
) -> Result<Json<InquiryView>, Problem> {
    let desk = asking.desk(&deps);
    let inquiry = inquiries::assign(&desk, id, assignee.as_deref()).await?;
    Ok(Json(shown(&deps, &asking, inquiry).await?))
}

/// Say how far an inquiry came
///
/// Nothing is sent to whoever asked. One that somebody has looked at is not new again.
#[utoipa::path(
    post, path = "/v1/inquiries/{id}/state", operation_id = "settle_inquiry", tag = "inquiries",
    params(("id" = String, Path)),
    request_body = SettleBody,
    responses((status = 200, body = InquiryView))
)]
pub(crate) async fn settle(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<InquiryId>,
    Json(SettleBody { state }): Json<SettleBody>,
) -> Result<Json<InquiryView>, Problem> {
    let inquiry = inquiries::settle(&asking.desk(&deps), id, state).await?;
    Ok(Json(shown(&deps, &asking, inquiry).await?))
}

/// Note something on an inquiry
#[utoipa::path(
    post, path = "/v1/inquiries/{id}/notes", operation_id = "note_on_inquiry", tag = "inquiries",
    params(("id" = String, Path)),
    request_body = NoteBody,
    responses((status = 200, body = InquiryView))
)]
pub(crate) async fn annotate(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<InquiryId>,
    Json(NoteBody { text }): Json<NoteBody>,
) -> Result<Json<InquiryView>, Problem> {
    let note = InquiryNoteId::draw(asking.ids());
    let inquiry = inquiries::annotate(&asking.desk(&deps), id, note, &text).await?;
    Ok(Json(shown(&deps, &asking, inquiry).await?))
}
