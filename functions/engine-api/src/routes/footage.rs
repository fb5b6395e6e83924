//! A person asks what footage for a draft would cost, buys it, and sees what becomes of it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use nexus_core::effect::{self, Approval, Effect, EffectId, Moved, Payload, State as Stand};
use nexus_core::egress::Cost;
use nexus_core::{Approver, records};
use nexus_engine::DraftId;
use nexus_engine::footage::Shape;
use nexus_engine::footage::buying::{self, MAX_PROMPT_CHARS, MAX_SECONDS, USUAL_SECONDS, Wish};
use nexus_engine::footage::purchase::{FootageJob, JobState, Purchase, job_key};
use nexus_handler::http::{Json, Problem};
use nexus_kernel::{Digest, Failure, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::posts::{ApprovalView, MovedView};
use crate::asking::{Asking, Named, Thing, missing};
use crate::{Deps, words};

/// A purchase of footage: the effect of that id, and of no other sort.
pub(crate) struct PurchaseId(EffectId);

impl Thing for PurchaseId {
    const NAME: &'static str = "footage";

    fn read(raw: &str) -> Option<Self> {
        EffectId::parse(raw).ok().map(Self)
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn shape() -> Object {
    text().enum_values(Some(["vertical", "horizontal"])).build()
}

fn job_state() -> Object {
    text().enum_values(Some(JobState::NAMES)).build()
}

fn prompt() -> Object {
    let said = "What should be seen, and how the camera moves; the draft's own video prompt where it is left out.";
    text().max_length(Some(MAX_PROMPT_CHARS)).description(Some(said)).build()
}

fn seconds() -> Object {
    let said = format!(
        "How long it should be, {USUAL_SECONDS} where it is left out; the vendor may make the next length that it has."
    );
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(MAX_SECONDS))
        .description(Some(said))
        .build()
}

/// What footage is asked for. Everything may be left out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = AskForFootage)]
pub(crate) struct AskBody {
    /// Of whom; the tenant's setting where it is left out.
    #[schema(schema_with = words::footage_provider, required = false)]
    provider: Option<String>,
    #[schema(schema_with = prompt, required = false)]
    prompt: Option<String>,
    #[schema(schema_with = seconds, required = false)]
    seconds: Option<u32>,
    /// Vertical where it is left out.
    #[schema(schema_with = shape, required = false)]
    shape: Option<Shape>,
}

/// What is approved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApproveFootage)]
pub(crate) struct ApproveBody {
    /// The digest of the offer that the approver saw.
    #[schema(value_type = String)]
    digest: Digest,
}

/// Why not.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RejectFootage)]
pub(crate) struct RejectBody {
    /// For whoever looks at the offer later.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// The job that the vendor was given.
#[derive(Serialize, ToSchema)]
#[schema(as = FootageJob)]
pub(crate) struct JobView {
    /// `ordered`: the vendor has not been heard to have taken it; `unsure`: nobody can tell whether it did; `waiting`:
    /// it works on it; `ready`: the footage is part of the draft; `late`: the draft had gone on without it.
    #[schema(schema_with = job_state)]
    state: &'static str,
    /// How often the vendor was asked how far it is.
    looks: u32,
    /// The vendor's own id for it, while it works on it.
    vendor_job: Option<String>,
    /// How long it may take, while the vendor works on it.
    until: Option<Timestamp>,
    /// A stable word for why it came to nothing: `moderated`, `input`, `budget`, `cancelled`, `expired`, `failed`,
    /// `refused`, `void`, `login`, `unusable`, `unreachable`.
    code: Option<String>,
    /// What there is to know of its end.
    why: Option<String>,
    /// Whether asking for the same again may help. It is bought anew then.
    again: Option<bool>,
    /// SHA-256 of the footage, once it is part of the draft.
    #[schema(value_type = Option<String>)]
    video: Option<Digest>,
    /// Who called it off, until the vendor was told.
    stopped_by: Option<String>,
}

impl From<FootageJob> for JobView {
    fn from(job: FootageJob) -> Self {
        let mut view = Self {
            state: job.state.name(),
            looks: job.looks,
            vendor_job: None,
            until: None,
            code: None,
            why: None,
            again: None,
            video: None,
            stopped_by: job.stop.filter(|_| !job.state.is_over()),
        };
        match job.state {
            JobState::Ordered | JobState::Unsure => {}
            JobState::Waiting { job, until } => {
                (view.vendor_job, view.until) = (Some(job), Some(until));
            }
            JobState::Ready { video } => view.video = Some(video),
            JobState::Failed { code, why, again } => {
                (view.code, view.why, view.again) = (Some(code), Some(why), Some(again));
            }
            JobState::Late { why } | JobState::Expired { why } | JobState::Cancelled { why } => {
                view.why = Some(why);
            }
        }
        view
    }
}

/// Footage that may be bought, to the letter, and its life so far.
#[derive(Serialize, ToSchema)]
#[schema(as = Footage)]
pub(crate) struct FootageView {
    #[schema(value_type = String)]
    id: EffectId,
    /// `done` means that the vendor took the job: from then on money is spent. What became of it, `job` tells.
    #[schema(schema_with = words::post_state)]
    state: Stand,
    #[schema(value_type = String)]
    draft: DraftId,
    /// The draft's edit that it was asked for.
    revision: u32,
    /// Of whom.
    provider: String,
    /// The engine and its model.
    engine: String,
    /// What is asked for, to the letter.
    prompt: String,
    /// SHA-256 of the picture that it begins with, where there is one. Nothing else of the medium is sent.
    #[schema(value_type = Option<String>)]
    picture: Option<Digest>,
    /// The length that the vendor makes.
    seconds: u32,
    #[schema(schema_with = shape)]
    shape: Shape,
    /// What it costs at most, in millionths of a US dollar.
    #[schema(value_type = i64)]
    at_most_micros: Cost,
    /// When it was asked for. The offer stands for an hour.
    asked: Timestamp,
    /// What an approval has to name: it holds for exactly this.
    #[schema(value_type = String)]
    digest: Digest,
    approval: Option<ApprovalView>,
    /// How many times buying it was begun.
    attempts: u32,
    /// The vendor's job, once it was approved.
    job: Option<JobView>,
    /// All that happened to the purchase, oldest first.
    history: Vec<MovedView>,
    /// Whether the chain of hashes holds: nobody changed the history.
    history_is_whole: bool,
}

impl FootageView {
    async fn of(deps: &Deps, asking: &Asking, effect: &Effect<Purchase>) -> Result<Self, Failure> {
        let key = job_key(asking.scope(), effect.id);
        let job = records::load::<FootageJob>(&*deps.table, &key, deps.ambient.now()).await?;
        let purchase = effect.payload().clone();
        Ok(Self {
            id: effect.id,
            state: effect.state(),
            draft: purchase.draft,
            revision: purchase.revision,
            digest: purchase.digest(),
            provider: purchase.provider,
            engine: purchase.engine,
            prompt: purchase.prompt,
            picture: purchase.picture.map(|p| p.digest),
            seconds: purchase.seconds,
            shape: purchase.shape,
            at_most_micros: purchase.at_most,
            asked: purchase.asked,
            approval: effect.approval().cloned().map(Approval::into),
            attempts: effect.attempt(),
            job: job.map(|j| j.record.into()),
            history: effect.history().iter().cloned().map(Moved::into).collect(),
            history_is_whole: effect.history_is_whole(),
        })
    }
}

/// Ask what footage would cost
///
/// Answers exactly what would be bought. Nothing is sent to the vendor, and nothing is bought before somebody with the
/// role `approver` approves it. The body may be left out.
#[utoipa::path(
    post, path = "/v1/drafts/{id}/footage", operation_id = "ask_for_footage", tag = "footage",
    params(("id" = String, Path)),
    request_body = Option<AskBody>,
    responses((status = 201, body = FootageView, headers(("Location" = String))))
)]
pub(crate) async fn ask(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(draft): Named<DraftId>,
    body: Option<Json<AskBody>>,
) -> Result<impl IntoResponse, Problem> {
    let AskBody { provider, prompt, seconds, shape } = body.map(|Json(b)| b).unwrap_or_default();
    let wish = Wish { provider, prompt, seconds, shape };
    let (desk, id) = (asking.desk(&deps), EffectId::draw(asking.ids()));
    let offer = buying::ask(&desk, &*deps.blobs, &deps.makers, id, draft, &wish).await?;
    let location = [(header::LOCATION, format!("/v1/footage/{id}"))];
    Ok((StatusCode::CREATED, location, Json(FootageView::of(&deps, &asking, &offer).await?)))
}

/// Footage that may be bought, and its life so far
#[utoipa::path(
    get, path = "/v1/footage/{id}", operation_id = "read_footage", tag = "footage",
    params(("id" = String, Path)),
    responses((status = 200, body = FootageView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(PurchaseId(id)): Named<PurchaseId>,
) -> Result<Json<FootageView>, Problem> {
    let purchase = effect::load::<Purchase>(&*deps.table, asking.scope(), id).await?;
    let purchase = purchase.ok_or_else(missing::<PurchaseId>)?;
    Ok(Json(FootageView::of(&deps, &asking, &purchase.record).await?))
}

/// Buy footage
///
/// Needs the role `approver`. Approving the same twice is one purchase; what is not the offer any more, or whose draft
/// was changed meanwhile, is refused with 409.
#[utoipa::path(
    post, path = "/v1/footage/{id}/approve", operation_id = "approve_footage", tag = "footage",
    params(("id" = String, Path)),
    request_body = ApproveBody,
    responses((status = 200, body = FootageView))
)]
pub(crate) async fn approve(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(PurchaseId(id)): Named<PurchaseId>,
    Json(ApproveBody { digest }): Json<ApproveBody>,
) -> Result<Json<FootageView>, Problem> {
    let approver = Approver::of(&asking.caller)?;
    let desk = asking.desk(&deps);
    let purchase = buying::approve(&desk, id, approver, digest, &deps.footage).await?;
    Ok(Json(FootageView::of(&deps, &asking, &purchase).await?))
}

/// Do not buy footage
///
/// The body may be left out.
#[utoipa::path(
    post, path = "/v1/footage/{id}/reject", operation_id = "reject_footage", tag = "footage",
    params(("id" = String, Path)),
    request_body = Option<RejectBody>,
    responses((status = 200, body = FootageView))
)]
pub(crate) async fn reject(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(PurchaseId(id)): Named<PurchaseId>,
    body: Option<Json<RejectBody>>,
) -> Result<Json<FootageView>, Problem> {
    let RejectBody { reason } = body.map(|Json(body)| body).unwrap_or_default();
    let offer = buying::reject(&asking.desk(&deps), id, reason.as_deref()).await?;
    Ok(Json(FootageView::of(&deps, &asking, &offer).await?))
}

/// Call footage off
///
/// Before the vendor was asked, nothing is bought. After that the vendor is told to stop; what was spent is spent.
#[utoipa::path(
    post, path = "/v1/footage/{id}/cancel", operation_id = "cancel_footage", tag = "footage",
    params(("id" = String, Path)),
    responses((status = 200, body = FootageView))
)]
pub(crate) async fn cancel(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(PurchaseId(id)): Named<PurchaseId>,
) -> Result<Json<FootageView>, Problem> {
    let purchase = buying::cancel(&asking.desk(&deps), id, &deps.footage).await?;
    Ok(Json(FootageView::of(&deps, &asking, &purchase).await?))
}
