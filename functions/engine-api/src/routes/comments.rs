//! What people wrote under a post.

use std::sync::Arc;

use axum::extract::State;
use nexus_core::effect::{self, EffectId};
use nexus_core::records;
use nexus_engine::comments::{self, Comment, CommentId, Listening, listening_key};
use nexus_engine::publishing::{Network, PostPlan};
use nexus_engine::sentiment::{Label, Verdict};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::asking::{Asking, Named, missing};
use crate::pages::{Listed, PageOf, newest};
use crate::{Deps, words};

/// How a text sounds.
#[derive(Serialize, ToSchema)]
#[schema(as = Sentiment)]
pub(crate) struct VerdictView {
    /// `unsupported` where the engine does not know the language, `empty` where there is nothing to judge.
    #[schema(schema_with = words::sentiment)]
    label: Label,
    /// How sure the engine is of the label, 0 to 1; absent where there is no feeling.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    score: Option<f64>,
    /// The text's language; `und` where it does not show.
    language: String,
    /// Which engine judged, in which version, and through which translator.
    engine: String,
    at: Timestamp,
    /// Only the beginning of the text was judged.
    cut: bool,
}

impl From<Verdict> for VerdictView {
    fn from(Verdict { label, score, language, engine, at, cut, .. }: Verdict) -> Self {
        Self { label, score, language, engine, at, cut }
    }
}

/// What somebody wrote under a post. Who it was is not asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = Comment)]
pub(crate) struct CommentView {
    #[schema(value_type = String)]
    id: CommentId,
    at: Timestamp,
    text: String,
    /// How it sounds, once that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sentiment: Option<VerdictView>,
}

impl From<Comment> for CommentView {
    fn from(Comment { id, at, text, sentiment, .. }: Comment) -> Self {
        let text = text.reveal().clone();
        Self { id, at, text, sentiment: sentiment.map(VerdictView::from) }
    }
}

/// How comments of a post are read.
#[derive(Serialize, ToSchema)]
#[schema(as = Reading)]
pub(crate) struct ReadingView {
    /// Whether the network lets comments be read at all.
    possible: bool,
    /// When they were read last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last: Option<Timestamp>,
    /// When they are read next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<Timestamp>,
    /// What there is to know: why they are not read, or not now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    note: Option<String>,
}

impl ReadingView {
    fn of(network: Network, listening: Option<Listening>) -> Self {
        let possible = comments::are_told_by(network);
        let note = match (network, &listening) {
            (Network::TikTok, _) => Some(
                "TikTok's API for posting lets nobody read comments: look at them there."
                    .to_owned(),
            ),
            (Network::Feed, _) => Some("The feed has no comments.".to_owned()),
            (_, Some(listening)) => listening.hindered.clone(),
            (_, None) => {
                Some("Reading begins once the post is there, and ends after 30 days.".to_owned())
            }
        };
        let last = listening.as_ref().and_then(|listening| listening.heard);
        Self { possible, last, next: listening.and_then(|listening| listening.next), note }
    }
}

/// The comments of a post, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Comments)]
pub(crate) struct CommentsView {
    #[serde(flatten)]
    comments: Listed<CommentView>,
    reading: ReadingView,
}

/// What people wrote under a post, newest first
///
/// X: for seven days, where the settings say `paid_comments`. Mastodon: for thirty days. TikTok's API gives none.
#[utoipa::path(
    get, path = "/v1/posts/{id}/comments", operation_id = "list_comments", tag = "posts",
    params(("id" = String, Path), PageOf),
    responses((status = 200, body = CommentsView))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<EffectId>,
    Asked(page): Asked<PageOf>,
) -> Result<Json<CommentsView>, Problem> {
    let (table, scope, now) = (&*deps.table, asking.scope(), deps.ambient.now());
    let post = effect::load::<PostPlan>(table, scope, id).await?;
    let post = post.ok_or_else(missing::<EffectId>)?;
    let listening = records::load::<Listening>(table, &listening_key(scope, id), now).await?;
    let reading =
        ReadingView::of(post.record.payload().network, listening.map(|stored| stored.record));
    let found = newest::<Comment>(table, &[comments::comments(scope, id)], &page, now).await?;
    Ok(Json(CommentsView { comments: found.map(CommentView::from), reading }))
}
