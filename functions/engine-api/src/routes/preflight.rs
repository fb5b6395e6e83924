//! What networks say about the posts of a draft before a person approves them: limits, prices, what there is to
//! choose.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use futures::future::join_all;
use nexus_core::effect::{Effect, EffectId};
use nexus_core::records;
use nexus_engine::connections::{NoAccess, Unasked};
use nexus_engine::draft::{Note, draft_key};
use nexus_engine::publishing::{
    Choices, Decision, Network, Offers, PostPlan, Preflight, Privacy, Proposal, propose,
};
use nexus_engine::{Draft, DraftId, Stage, rescheduling, scheduling};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Digest, Failure, FieldProblem, Language, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::drafts::NoteView;
use crate::asking::{Asking, Named, missing};
use crate::{Deps, words};

/// What an account lets an approver choose.
#[derive(Serialize, ToSchema)]
#[schema(as = Offers)]
struct OffersView {
    /// Who will be seen as the author.
    nickname: String,
    /// Who may be let see the post: one has to be chosen.
    #[schema(schema_with = words::privacies)]
    privacy: Vec<Privacy>,
    /// Whether comments can be allowed.
    comments: bool,
    /// Whether duets can be allowed.
    duets: bool,
    /// Whether stitches can be allowed.
    stitches: bool,
    /// The longest video, in seconds.
    longest_seconds: u32,
}

impl From<Offers> for OffersView {
    fn from(offers: Offers) -> Self {
        let Offers { nickname, privacy, comments, duets, stitches, longest_seconds } = offers;
        Self { nickname, privacy, comments, duets, stitches, longest_seconds }
    }
}

/// What has to change before a network takes a post.
#[derive(Serialize, ToSchema)]
#[schema(as = PostProblem)]
struct ProblemView {
    field: String,
    problem: String,
}

/// What a network and an account say about one post.
#[derive(Serialize, ToSchema)]
#[schema(as = PostPreflight)]
struct PostView {
    #[schema(schema_with = words::network)]
    network: Network,
    /// To which account, as an approval's choices name it: the connection's id.
    place: String,
    /// As the tenant calls it.
    account: String,
    #[schema(schema_with = words::language)]
    language: Language,
    /// What has to be chosen or changed; empty where nothing speaks against it.
    problems: Vec<ProblemView>,
    /// What the approver should know.
    notes: Vec<String>,
    /// What else stands for the account, and speaks against this time: the same words within a week (`identical`),
    /// another post within ten minutes (`clashing`).
    warnings: Vec<NoteView>,
    /// What the network charges, in millionths of a dollar.
    cost_micros: i64,
    /// What there is to choose.
    offers: Option<OffersView>,
}

/// What networks say about the posts of a draft.
#[derive(Serialize, ToSchema)]
#[schema(as = Preflight)]
pub(crate) struct PreflightView {
    /// The digest of the proposal that was asked about.
    #[schema(value_type = String)]
    digest: Digest,
    posts: Vec<PostView>,
}

/// For when.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ForWhen {
    /// The moment for which warnings are wanted; now, where it is left out.
    at: Option<Timestamp>,
}

/// Ask the networks about the posts of a draft, before it is approved
#[utoipa::path(
    get, path = "/v1/drafts/{id}/preflight", operation_id = "preflight_draft", tag = "drafts",
    params(("id" = String, Path), ForWhen),
    responses((status = 200, body = PreflightView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<DraftId>,
    Asked(ForWhen { at }): Asked<ForWhen>,
) -> Result<Json<PreflightView>, Problem> {
    let (_, proposal) = proposal(&deps, &asking, id).await?;
    let digest = proposal.digest;
    let at = [at.unwrap_or_else(|| deps.ambient.now())];
    let mut posts = Vec::new();
    for (post, said) in asked(&deps, &asking, proposal, &BTreeMap::new()).await? {
        let warned = warned(&deps, &asking, &post, &at).await?;
        posts.push(PostView {
            network: post.network,
            place: post.place(),
            account: post.account,
            language: post.language,
            problems: said
                .problems
                .into_iter()
                .map(|p| ProblemView { field: p.field, problem: p.problem })
                .collect(),
            notes: said.notes,
            warnings: warned.into_iter().flatten().map(NoteView::from).collect(),
            cost_micros: said.cost.as_micros(),
            offers: said.offers.map(OffersView::from),
        });
    }
    Ok(Json(PreflightView { digest, posts }))
}

/// What speaks against these times for a post that a draft would become. What stands of the draft as it is now is that
/// post itself.
pub(super) async fn warned(
    deps: &Deps,
    asking: &Asking,
    plan: &PostPlan,
    times: &[Timestamp],
) -> Result<Vec<Vec<Note>>, Failure> {
    let own = |post: &Effect<PostPlan>| {
        (post.payload().draft, post.payload().revision) == (plan.draft, plan.revision)
    };
    scheduling::warned(&*deps.table, asking.scope(), plan, times, own).await
}

/// Whether the networks would take the posts of a draft as the approver chose.
///
/// # Errors
/// What has to be chosen or changed, by field; a network that does not answer.
pub(crate) async fn pass(
    deps: &Deps,
    asking: &Asking,
    id: DraftId,
    decision: &Decision,
) -> Result<(), Failure> {
    let (stage, proposal) = proposal(deps, asking, id).await?;
    if stage != Stage::AwaitingApproval || proposal.digest != decision.seen {
        // That it was changed or approved meanwhile is the approval's to say.
        return Ok(());
    }
    let mut problems = Vec::new();
    for (post, said) in asked(deps, asking, proposal, &decision.choices).await? {
        problems.extend(of_post(&post, said));
    }
    refused(problems)
}

/// Whether its network would take a post that is put in place of another, as it was chosen for that one.
///
/// # Errors
/// As [`pass`]; there is no such post, or it is not what was seen.
pub(super) async fn pass_again(
    deps: &Deps,
    asking: &Asking,
    id: EffectId,
    seen: Digest,
    at: Timestamp,
) -> Result<(), Failure> {
    match rescheduling::ahead(&asking.desk(deps), id, seen, at).await? {
        None => Ok(()),
        Some(post) => {
            let said = of_one(deps, asking, &post).await?;
            refused(of_post(&post, said).collect())
        }
    }
}

/// What is wrong with one of several posts: a choice of the approver's by its place in the request, the rest by the
/// post's.
fn of_post(post: &PostPlan, said: Preflight) -> impl Iterator<Item = FieldProblem> + use<> {
    let place = post.place();
    said.problems.into_iter().map(move |FieldProblem { field, problem }| {
        let field = match field.strip_prefix("choices.") {
            Some(choice) => format!("choices.{place}.{choice}"),
            None => format!("posts.{place}.{field}"),
        };
        FieldProblem { field, problem }
    })
}

fn refused(problems: Vec<FieldProblem>) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid("A network would not take it so.").with_fields(problems))
}

async fn proposal(deps: &Deps, asking: &Asking, id: DraftId) -> Result<(Stage, Proposal), Failure> {
    let (scope, now) = (asking.scope(), deps.ambient.now());
    let draft = records::load::<Draft>(&*deps.table, &draft_key(scope, id), now).await?;
    let draft = draft.ok_or_else(missing::<DraftId>)?.record;
    let ground = deps.ground(scope, &draft).await?;
    Ok((draft.stage, propose(&draft, &ground)))
}

async fn asked(
    deps: &Deps,
    asking: &Asking,
    proposal: Proposal,
    choices: &BTreeMap<String, Choices>,
) -> Result<Vec<(PostPlan, Preflight)>, Failure> {
    let posts = proposal.posts.into_iter().map(|post| {
        let choices = choices.get(&post.place()).cloned().unwrap_or_default();
        PostPlan { choices, ..post }
    });
    let all = posts.map(async |post| {
        let said = of_one(deps, asking, &post).await?;
        Ok((post, said))
    });
    join_all(all).await.into_iter().collect()
}

async fn of_one(deps: &Deps, asking: &Asking, post: &PostPlan) -> Result<Preflight, Failure> {
    let Some(publisher) = deps.publishers.iter().find(|p| p.network() == post.network) else {
        // The settings are the tenant's: this deployment has no such network, and says so before and after.
        let note =
            format!("Nothing here can post to {}: such a post will be refused.", post.network);
        return Ok(Preflight { notes: vec![note], ..Preflight::default() });
    };
    match deps.accounts.preflight(&asking.on_behalf(deps), &**publisher, post).await {
        Ok((_, said)) => Ok(said),
        Err(Unasked::NoAccess(none)) => Err(without(none)),
        Err(Unasked::Network(failure)) => Err(failure),
    }
}

fn without(none: NoAccess) -> Failure {
    match none {
        NoAccess::Ended { why } => Failure::conflict(why),
        NoAccess::Later { after_seconds } => {
            Failure::unavailable("The account's connection is being refreshed. Try again shortly.")
                .retry_after(std::time::Duration::from_secs(u64::from(after_seconds)))
        }
        NoAccess::Failed(failure) => failure,
    }
}
