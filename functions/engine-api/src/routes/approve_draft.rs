//! A person lets a draft become posts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use nexus_core::Approver;
use nexus_engine::DraftId;
use nexus_engine::approving::{self, Wished};
use nexus_engine::publishing::{Choices, Decision};
use nexus_handler::http::{Json, Problem};
use nexus_kernel::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::posts::PostView;
use super::preflight;
use crate::asking::{Asking, Named};
use crate::times::{self, Wish, WishShape};
use crate::{Deps, words};

/// What is approved, and when it is to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Approve)]
pub(crate) struct ApproveBody {
    /// The digest of the proposal that the approver saw.
    #[schema(value_type = String)]
    digest: Digest,
    /// The moment at which it is sent. At once where neither this nor `when` is said.
    #[serde(default)]
    at: Option<Timestamp>,
    /// By the calendar, instead of `at`.
    #[serde(default)]
    #[schema(value_type = Option<WishShape>)]
    when: Option<Wish>,
    /// The moments that the approver saw: `at` of each of the `times` that the draft was planned for. Needed with
    /// `next_slot` and `recurrence`; where others are planned by now, 409 says so.
    #[serde(default)]
    #[schema(max_items = 80)]
    times: Vec<Timestamp>,
    /// What the approver chose for each account, by the connection's id as the proposal has it.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, ChoicesBody>)]
    choices: BTreeMap<String, Choices>,
}

/// What an approver chooses for one account; what is left out is not allowed.
#[derive(ToSchema)]
#[schema(as = Choices)]
#[expect(dead_code, reason = "describes what `Choices` reads")]
pub(crate) struct ChoicesBody {
    /// Who may see it. TikTok wants this chosen.
    #[schema(schema_with = words::privacy)]
    privacy: Option<String>,
    /// Comments are allowed.
    comments: Option<bool>,
    /// Duets are allowed.
    duets: Option<bool>,
    /// Stitches are allowed.
    stitches: Option<bool>,
    /// It advertises the account's own business.
    own_brand: Option<bool>,
    /// Somebody else pays for it.
    paid_partnership: Option<bool>,
}

/// The posts that the draft became.
#[derive(Serialize, ToSchema)]
#[schema(as = ApprovedDraft)]
pub(crate) struct ApprovedView {
    #[schema(value_type = String)]
    draft: DraftId,
    posts: Vec<PostView>,
}

/// Approve a draft
///
/// Needs the role `approver`. Approving the same twice is one approval; what was edited meanwhile is refused with
/// 409, what a network would not take with 422. Where the draft goes out several times, each is approved on its own;
/// the posts of all of them are at most 80.
#[utoipa::path(
    post, path = "/v1/drafts/{id}/approve", operation_id = "approve_draft", tag = "drafts",
    params(("id" = String, Path)),
    request_body = ApproveBody,
    responses((status = 200, body = ApprovedView))
)]
pub(crate) async fn approve(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(draft): Named<DraftId>,
    Json(ApproveBody { digest, at, when, times, choices }): Json<ApproveBody>,
) -> Result<Json<ApprovedView>, Problem> {
    let approver = Approver::of(&asking.caller)?;
    let desk = asking.desk(&deps);
    let (links, publish) = (deps.link_base.as_deref(), &deps.publish);
    let decision = match when {
        None if at.is_none() && times.is_empty() => {
            Decision { choices, ..Decision::at_once(digest) }
        }
        when => {
            let when = times::wish(at, when)?;
            let wished = Wished { seen: digest, when: when.clone(), times, choices };
            let decided = approving::decide(&desk, draft, wished, links).await;
            decided.map_err(|failure| times::in_body(&when, failure))?
        }
    };
    preflight::pass(&deps, &asking, draft, &decision).await?;
    let posts = approving::approve(&desk, draft, approver, &decision, links, publish).await?;
    let posts = posts.iter().map(PostView::from).collect();
    Ok(Json(ApprovedView { draft, posts }))
}
