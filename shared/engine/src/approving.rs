//! A person lets a draft become posts, after looking at when they would go out.
//!
//! An approval names moments. Who wishes for the next free slot, or for something that recurs, looks first at the
//! moments to which that leads ([`plan`]), and names them; where others are planned by then, nothing is approved.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use nexus_core::approval::Approver;
use nexus_core::effect::{Effect, Payload as _};
use nexus_core::table::MAX_OPS;
use nexus_core::{Sender, Stored, records};
use nexus_kernel::{Digest, Failure, Timestamp};

use crate::account::Settings;
use crate::desk::{Desk, TRIES};
use crate::draft::{Draft, DraftId, Stage, draft_key};
use crate::publishing::{self, Choices, Decision, Ground, PostPlan, Proposal};
use crate::rescheduling;
use crate::scheduling::{self, When};

/// A post that is due sooner than this is sent to its queue at once, to wait there; later ones are found by the
/// index of what is due. It is the longest that a queue lets a message wait.
pub const SOON: SignedDuration = SignedDuration::from_mins(15);

/// When the posts of a draft would go out.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What would go out.
    pub proposal: Proposal,
    /// At which moments, in order.
    pub times: Vec<Timestamp>,
    /// How the tenant wants things done: its zone too.
    pub settings: Settings,
}

/// When the posts of a draft would go out by this wish, if it were approved now: at moments that none of its accounts
/// has, where it is the next free slot. Nothing is changed.
///
/// # Errors
/// There is no such draft; it does not wait for approval; as [`scheduling::plan_times`]; there would be more posts than
/// [`scheduling::MOST_POSTS`].
pub async fn plan(
    desk: &Desk<'_>,
    id: DraftId,
    wish: &When,
    link_base: Option<&str>,
) -> Result<Planned, Failure> {
    let draft = load(desk, id).await?.record;
    if draft.stage != Stage::AwaitingApproval {
        return Err(Failure::conflict(format!(
            "The draft is `{}`; its posts are planned while it is `{}`.",
            draft.stage.name(),
            Stage::AwaitingApproval.name()
        )));
    }
    let ground = Ground::of(desk.table, desk.scope, &draft, link_base, desk.now()).await?;
    planned(desk, &draft, ground, wish).await
}

/// What an approver wishes and saw.
#[derive(Debug, Clone)]
pub struct Wished {
    /// The digest of the proposal that was seen.
    pub seen: Digest,
    /// When it is to go out.
    pub when: When,
    /// The moments that were seen; they may be left out where the wish names one itself.
    pub times: Vec<Timestamp>,
    /// What was chosen for each account ([`PostPlan::place`]).
    pub choices: BTreeMap<String, Choices>,
}

/// What an approver decided who wished this, for [`approve`]. What was approved already is decided on the moments that
/// were seen: whether it was approved so is the approval's to say.
///
/// # Errors
/// As [`plan`]; other moments are planned now than were seen; they have to be seen first.
pub async fn decide(
    desk: &Desk<'_>,
    id: DraftId,
    wished: Wished,
    link_base: Option<&str>,
) -> Result<Decision, Failure> {
    let Wished { seen, when, times: shown, choices } = wished;
    let draft = load(desk, id).await?.record;
    let ground = Ground::of(desk.table, desk.scope, &draft, link_base, desk.now()).await?;
    let times: BTreeSet<Timestamp> = if draft.stage == Stage::AwaitingApproval {
        let planned = planned(desk, &draft, ground, &when).await?.times;
        scheduling::as_seen(&when, &shown, &planned)?;
        planned.into_iter().collect()
    } else if shown.is_empty() {
        when.named(&ground.settings).into_iter().collect()
    } else {
        shown.into_iter().collect()
    };
    let mut times = times.into_iter();
    let at = times.next().ok_or_else(scheduling::not_seen)?;
    Ok(Decision { seen, at: Some(at), further: times.collect(), choices })
}

async fn load(desk: &Desk<'_>, id: DraftId) -> Result<Stored<Draft>, Failure> {
    let key = draft_key(desk.scope, id);
    let draft = records::load::<Draft>(desk.table, &key, desk.now()).await?;
    draft.ok_or_else(|| Failure::not_found("draft"))
}

async fn planned(
    desk: &Desk<'_>,
    draft: &Draft,
    ground: Ground,
    wish: &When,
) -> Result<Planned, Failure> {
    let now = desk.now();
    let proposal = publishing::propose(draft, &ground);
    let mut taken = BTreeSet::new();
    if *wish == When::NextSlot {
        let places: BTreeSet<String> = proposal.posts.iter().map(PostPlan::place).collect();
        for place in places {
            taken.extend(scheduling::taken(desk.table, desk.scope, &place, now).await?);
        }
    }
    let times = scheduling::plan_times(&ground.settings, wish, &taken, now)?;
    scheduling::within_most(proposal.posts.len().saturating_mul(times.len()))?;
    Ok(Planned { proposal, times, settings: ground.settings })
}

/// Approves everything that a draft would become, if it still is what the approver saw; the posts, in the order of
/// their times. They are sent at the decision's times, or at once. The first time is approved for all posts in one
/// commit, the later ones for each post in another; approving the same again answers the same posts, and approves what
/// is still missing of them.
///
/// # Errors
/// There is no such draft; it is not what was seen; it does not wait for approval; a time has passed; there would be
/// more posts than [`scheduling::MOST_POSTS`].
pub async fn approve(
    desk: &Desk<'_>,
    id: DraftId,
    approver: Approver<'_>,
    decision: &Decision,
    link_base: Option<&str>,
    publish: &Sender,
) -> Result<Vec<Effect<PostPlan>>, Failure> {
    let posts = approve_first(desk, id, approver, decision, link_base, publish).await?;
    if decision.further.is_empty() {
        return Ok(posts);
    }
    let is_first = |post: &Effect<PostPlan>| post.id == publishing::first_id(post.payload());
    let mut all: Vec<Effect<PostPlan>> = posts.into_iter().filter(is_first).collect();
    for first in all.clone() {
        let (seen, times) = (first.payload().digest(), &decision.further);
        all.extend(scheduling::repeat(desk, first.id, approver, seen, times, publish).await?);
    }
    all.sort_by_key(|post| post.payload().send_at);
    Ok(all)
}

async fn approve_first(
    desk: &Desk<'_>,
    id: DraftId,
    approver: Approver<'_>,
    decision: &Decision,
    link_base: Option<&str>,
    publish: &Sender,
) -> Result<Vec<Effect<PostPlan>>, Failure> {
    let Desk { table, scope, .. } = *desk;
    for _ in 0..TRIES {
        let now = desk.now();
        let draft = load(desk, id).await?;
        let ground = Ground::of(table, scope, &draft.record, link_base, now).await?;
        let (posts, mut ops) =
            publishing::approve_draft(desk, draft, &ground, approver, decision).await?;
        if ops.is_empty() {
            return Ok(posts);
        }
        scheduling::within_most(posts.len().saturating_mul(1 + decision.further.len()))?;
        if ops.len() > MAX_OPS {
            return Err(Failure::conflict(format!(
                "These are {} posts at once, more than one approval carries: let some accounts take one language.",
                posts.len()
            )));
        }
        // What is to go out at once got its moment a little while ago.
        let now = desk.now();
        let mut messages = Vec::new();
        for post in &posts {
            // Where a commit is full, the index of what is due has the post all the same.
            if ops.len() < MAX_OPS
                && let Some(message) = rescheduling::announced(desk, post, now)?
            {
                ops.push(message.op(scope));
                messages.push(message);
            }
        }
        if desk.commit(ops).await? {
            desk.pass_on(&messages, publish).await;
            return Ok(posts);
        }
    }
    Err(Desk::crowded())
}
