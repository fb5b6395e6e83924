//! What was approved, and what became of it.

use std::sync::Arc;

use axum::extract::State;
use nexus_core::effect::{
    self, Approval, Effect, EffectId, Moved, Outcome, Payload, State as Stand,
};
use nexus_core::table::{Index, Query};
use nexus_engine::connections::ConnectionId;
use nexus_engine::publishing::{Choices, Network, PlannedLink, PostPlan, Privacy};
use nexus_engine::{DraftId, cancelling};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Digest, Language, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::asking::{Asking, Named, missing};
use crate::pages::{Listed, PageOf, newest};
use crate::{Deps, words};

type Post = Effect<PostPlan>;

/// A post, as a list shows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct PostRow {
    #[schema(value_type = String)]
    id: EffectId,
    #[schema(schema_with = words::post_state)]
    state: Stand,
    #[schema(value_type = String)]
    draft: DraftId,
    /// The draft's edit that was approved.
    revision: u32,
    #[schema(schema_with = words::language)]
    language: Language,
    #[schema(schema_with = words::network)]
    network: Network,
    /// To which account there.
    account: String,
    /// To the letter.
    text: String,
    send_at: Timestamp,
    /// Where it can be seen, once it was sent.
    url: Option<String>,
}

impl From<&Post> for PostRow {
    fn from(post: &Post) -> Self {
        let plan = post.payload();
        let url = match post.outcome() {
            Some(Outcome::Done { url, .. }) => url.clone(),
            _ => None,
        };
        Self {
            id: post.id,
            state: post.state(),
            draft: plan.draft,
            revision: plan.revision,
            language: plan.language,
            network: plan.network,
            account: plan.account.clone(),
            text: plan.text.clone(),
            send_at: plan.send_at,
            url,
        }
    }
}

/// Who approved it, until when.
#[derive(Serialize, ToSchema)]
#[schema(as = Approval)]
pub(crate) struct ApprovalView {
    /// The approver's id.
    by: String,
    at: Timestamp,
    /// Of exactly this.
    #[schema(value_type = String)]
    digest: Digest,
    /// It may be sent until then.
    until: Timestamp,
}

impl From<Approval> for ApprovalView {
    fn from(Approval { by, at, digest, until }: Approval) -> Self {
        Self { by, at, digest, until }
    }
}

/// A move in the life of a post.
#[derive(Serialize, ToSchema)]
#[schema(as = Moved)]
pub(crate) struct MovedView {
    at: Timestamp,
    #[schema(schema_with = words::post_state)]
    to: Stand,
    /// A person's id, or the name of a function.
    by: String,
    reason: String,
    /// SHA-256 over the hash before and this move.
    #[schema(value_type = String)]
    hash: Digest,
}

impl From<Moved> for MovedView {
    fn from(Moved { at, to, by, reason, hash }: Moved) -> Self {
        Self { at, to, by, reason, hash }
    }
}

/// A post's own short link.
#[derive(Serialize, ToSchema)]
#[schema(as = PostLink)]
pub(crate) struct LinkView {
    /// As it stands in the text.
    address: String,
    /// Where it leads.
    target: String,
}

impl From<PlannedLink> for LinkView {
    fn from(PlannedLink { code: _, address, target }: PlannedLink) -> Self {
        Self { address, target }
    }
}

/// What the approver chose.
#[derive(Serialize, ToSchema)]
#[schema(as = Chosen)]
pub(crate) struct ChosenView {
    /// Who may see it, where that was chosen.
    #[schema(schema_with = words::privacy_if_any)]
    privacy: Option<Privacy>,
    comments: bool,
    duets: bool,
    stitches: bool,
    /// It advertises the account's own business.
    own_brand: bool,
    /// Somebody else pays for it.
    paid_partnership: bool,
}

impl From<Choices> for ChosenView {
    fn from(choices: Choices) -> Self {
        let Choices { privacy, comments, duets, stitches, own_brand, paid_partnership } = choices;
        Self { privacy, comments, duets, stitches, own_brand, paid_partnership }
    }
}

/// A post and its life so far.
#[derive(Serialize, ToSchema)]
#[schema(as = Post)]
pub(crate) struct PostView {
    #[serde(flatten)]
    row: PostRow,
    /// Of exactly what is sent, when and where: whoever moves the post or sends it anew names it.
    #[schema(value_type = String)]
    digest: Digest,
    /// The connection that it goes through, where its network has accounts.
    #[schema(value_type = Option<String>)]
    connection: Option<ConnectionId>,
    /// The short link in its text, where there is one.
    link: Option<LinkView>,
    choices: ChosenView,
    /// SHA-256 of its video, where it has one.
    #[schema(value_type = Option<String>)]
    video: Option<Digest>,
    /// SHA-256 of its picture, where it shows one and no video.
    #[schema(value_type = Option<String>)]
    picture: Option<Digest>,
    /// When sending it was last begun.
    claimed_at: Option<Timestamp>,
    /// When its network last said that it has it, which is not yet to be there.
    accepted_at: Option<Timestamp>,
    /// Since when it is known to be there.
    live_at: Option<Timestamp>,
    approval: Option<ApprovalView>,
    /// How many times sending it was begun.
    attempts: u32,
    /// All that happened to it, oldest first.
    history: Vec<MovedView>,
    /// Whether the chain of hashes holds: nobody changed the history.
    history_is_whole: bool,
}

impl From<&Post> for PostView {
    fn from(post: &Post) -> Self {
        let plan = post.payload();
        let shown = |picture: bool| {
            plan.media.as_ref().filter(|m| m.is_picture() == picture).map(|m| m.digest)
        };
        Self {
            row: post.into(),
            digest: plan.digest(),
            connection: plan.connection,
            link: plan.link.clone().map(LinkView::from),
            choices: plan.choices.clone().into(),
            video: shown(false),
            picture: shown(true),
            claimed_at: post.moved_at(Stand::Sending),
            accepted_at: post.moved_at(Stand::Accepted),
            live_at: post.moved_at(Stand::Done),
            approval: post.approval().cloned().map(Approval::into),
            attempts: post.attempt(),
            history: post.history().iter().cloned().map(Moved::into).collect(),
            history_is_whole: post.history_is_whole(),
        }
    }
}

/// The posts, the latest to be sent first
#[utoipa::path(
    get, path = "/v1/posts", operation_id = "list_posts", tag = "posts",
    params(PageOf),
    responses((status = 200, body = Listed<PostRow>))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(page): Asked<PageOf>,
) -> Result<Json<Listed<PostRow>>, Problem> {
    let list = asking.scope().partition(&format!("effects#{}", PostPlan::SORT));
    let all = [Query::of(Index::List, list)];
    let posts = newest::<Post>(&*deps.table, &all, &page, deps.ambient.now()).await?;
    Ok(Json(posts.map(|post| PostRow::from(&post))))
}

/// A post and its life so far
#[utoipa::path(
    get, path = "/v1/posts/{id}", operation_id = "read_post", tag = "posts",
    params(("id" = String, Path)),
    responses((status = 200, body = PostView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<EffectId>,
) -> Result<Json<PostView>, Problem> {
    let post = effect::load::<PostPlan>(&*deps.table, asking.scope(), id).await?;
    Ok(Json((&post.ok_or_else(missing::<EffectId>)?.record).into()))
}

/// Call a post off before it is sent
#[utoipa::path(
    post, path = "/v1/posts/{id}/cancel", operation_id = "cancel_post", tag = "posts",
    params(("id" = String, Path)),
    responses((status = 200, body = PostView))
)]
pub(crate) async fn cancel(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<EffectId>,
) -> Result<Json<PostView>, Problem> {
    let post = cancelling::cancel(&asking.desk(&deps), id).await?;
    Ok(Json((&post).into()))
}
