//! A person lets a post go out at further times: the other occurrences of a recurrence.

use std::collections::BTreeSet;

use nexus_core::approval::{self, Approver};
use nexus_core::effect::{self, Effect, EffectId, Payload as _};
use nexus_core::{Op, Sender, records};
use nexus_kernel::{Digest, Failure, Timestamp};

use crate::desk::{Desk, TRIES};
use crate::links;
use crate::publishing::PostPlan;
use crate::rescheduling;

/// The most posts of a draft, in all languages and at all times: an edit withdraws them in one commit.
pub const MOST_POSTS: usize = 80;

/// Lets a post that was approved go out at further times, each an effect of its own that this person approves, all in
/// one commit; the posts at these times, in their order. `seen` is the digest of the post as the person saw it. An edit of
/// the draft withdraws them all. Repeating it at a time twice is once.
///
/// # Errors
/// There is no such post; it is not what was seen; its draft was edited, rejected or removed since, or would have more
/// than [`MOST_POSTS`]; a time has passed.
pub async fn repeat(
    desk: &Desk<'_>,
    id: EffectId,
    approver: Approver<'_>,
    seen: Digest,
    times: &[Timestamp],
    publish: &Sender,
) -> Result<Vec<Effect<PostPlan>>, Failure> {
    let times: BTreeSet<Timestamp> = times.iter().copied().collect();
    for _ in 0..TRIES {
        let now = desk.now();
        let post = effect::load::<PostPlan>(desk.table, desk.scope, id).await?;
        let post = post.ok_or_else(|| Failure::not_found("post"))?.record;
        if post.payload().digest() != seen {
            return Err(Failure::conflict(
                "This is not what you saw: look at the post again, then repeat what you wanted.",
            ));
        }
        let mut draft = rescheduling::draft_with(desk, &post).await?.ok_or_else(|| {
            Failure::conflict("Its draft was changed since: approve the draft as it is now.")
        })?;
        let (mut posts, mut ops, mut messages) = (Vec::new(), Vec::<Op>::new(), Vec::new());
        for at in times.iter().copied().filter(|at| *at != post.payload().send_at) {
            let id = occurrence(id, at);
            if let Some(made) = effect::load::<PostPlan>(desk.table, desk.scope, id).await? {
                posts.push(made.record);
                continue;
            }
            let plan = post.payload().once_more(at);
            // Apart: eighty posts with their links are more than a commit takes. A link whose post never comes to be
            // is known to nobody.
            if let Some(link) = &plan.link {
                links::ensure_for_post(desk, &link.code, &link.target, id).await?;
            }
            let digest = plan.digest();
            let mut made = Effect::proposed(id, plan, approver.subject(), now);
            approval::approve(&mut made, approver, digest, now)?;
            ops.push(records::create(desk.scope, &made));
            let message = rescheduling::announced(desk, &made, now)?;
            ops.extend(message.iter().map(|message| message.op(desk.scope)));
            messages.extend(message);
            draft.record.posts.push(id);
            posts.push(made);
        }
        if ops.is_empty() {
            return Ok(posts);
        }
        // So many are within the bounds of one commit, this one and an edit's.
        within_most(draft.record.posts.len())?;
        ops.push(draft.update(desk.scope));
        if desk.commit(ops).await? {
            desk.pass_on(&messages, publish).await;
            return Ok(posts);
        }
    }
    Err(Desk::crowded())
}

/// # Errors
/// These are more posts than a draft may have.
pub(crate) fn within_most(posts: usize) -> Result<(), Failure> {
    if posts <= MOST_POSTS {
        return Ok(());
    }
    Err(Failure::field(
        "recurrence.times",
        format!(
            "the draft would have {posts} posts, and {MOST_POSTS} are the most: plan fewer now, and others later"
        ),
    ))
}

fn occurrence(of: EffectId, at: Timestamp) -> EffectId {
    EffectId::derived(&["post", &of.to_string(), "at", &at.to_string()])
}
