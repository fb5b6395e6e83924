//! Everything that left the house and of which nobody knows what became of it: posts, purchases, whatever the sort.

use std::sync::Arc;

use axum::extract::State;
use nexus_core::Approver;
use nexus_core::approval::Answer;
use nexus_core::effect::{self, EffectId, Question, State as Stand};
use nexus_engine::answering;
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::asking::{Asking, Named, Thing};
use crate::pages::{Listed, PageOf, newest};
use crate::{Deps, words};

/// The most characters of an address that a person gives.
const MAX_URL_CHARS: usize = 2_000;

/// An effect of any sort.
pub(crate) struct QuestionId(EffectId);

impl Thing for QuestionId {
    const NAME: &'static str = "question";

    fn read(raw: &str) -> Option<Self> {
        EffectId::parse(raw).ok().map(Self)
    }
}

/// What nobody knows.
#[derive(Serialize, ToSchema)]
#[schema(as = Question)]
pub(crate) struct QuestionView {
    /// The effect that it is about: a post's or a purchase's id.
    #[schema(value_type = String)]
    id: EffectId,
    /// `post` or `footage`.
    sort: String,
    /// `unknown` while it is being looked up, `ask_a_person` once only a person can tell.
    #[schema(schema_with = words::post_state)]
    state: Stand,
    since: Timestamp,
    /// What was seen last.
    seen: String,
}

impl From<Question> for QuestionView {
    fn from(Question { effect, sort, state, since, seen }: Question) -> Self {
        Self { id: effect, sort, state, since, seen }
    }
}

/// What a person found out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Answer)]
pub(crate) struct AnswerBody {
    /// Whether it is there. If it is not, it is not sent any more under the old approval; it can be retried.
    happened: bool,
    /// Where it can be seen, if it is there.
    #[serde(default)]
    #[schema(max_length = 2000)]
    url: Option<String>,
}

/// What the answer led to.
#[derive(Serialize, ToSchema)]
#[schema(as = Answered)]
pub(crate) struct AnsweredView {
    #[schema(value_type = String)]
    id: EffectId,
    #[schema(schema_with = words::post_state)]
    state: Stand,
}

/// Everything of which nobody knows what became of it
#[utoipa::path(
    get, path = "/v1/questions", operation_id = "list_questions", tag = "questions",
    params(PageOf),
    responses((status = 200, body = Listed<QuestionView>))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(page): Asked<PageOf>,
) -> Result<Json<Listed<QuestionView>>, Problem> {
    let all = [effect::questions(asking.scope())];
    let open = newest::<Question>(&*deps.table, &all, &page, deps.ambient.now()).await?;
    Ok(Json(open.map(QuestionView::from)))
}

/// Say what became of it
///
/// Needs the role `approver`, once its state is `ask_a_person`. The same answer twice is one answer.
#[utoipa::path(
    post, path = "/v1/questions/{id}/answer", operation_id = "answer_question", tag = "questions",
    params(("id" = String, Path)),
    request_body = AnswerBody,
    responses((status = 200, body = AnsweredView))
)]
pub(crate) async fn answer(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(QuestionId(id)): Named<QuestionId>,
    Json(AnswerBody { happened, url }): Json<AnswerBody>,
) -> Result<Json<AnsweredView>, Problem> {
    let approver = Approver::of(&asking.caller)?;
    let is_address = |url: &String| {
        url.len() <= MAX_URL_CHARS && url.starts_with("https://") && !url.contains(char::is_control)
    };
    if !url.as_ref().is_none_or(is_address) {
        let problem = "write the post's own address; it begins with https://";
        return Err(Failure::field("url", problem).into());
    }
    let answer = match happened {
        true => Answer::Happened { url, receipt: None },
        false => Answer::DidNotHappen,
    };
    let state = answering::answer(&asking.desk(&deps), id, approver, &answer).await?;
    Ok(Json(AnsweredView { id, state }))
}
