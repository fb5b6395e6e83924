//! A person lets a draft become posts.

use std::time::Duration;

use jiff::SignedDuration;
use nexus_core::approval::Approver;
use nexus_core::effect::Effect;
use nexus_core::outbox::Outgoing;
use nexus_core::{Sender, records};
use nexus_kernel::Failure;

use crate::desk::{Desk, TRIES};
use crate::draft::{Draft, DraftId, draft_key};
use crate::hops::{Hop, Publish};
use crate::publishing::{self, Decision, Ground, PostPlan};

/// A post that is due sooner than this is sent to its queue at once, to wait there; later ones are found by the
/// index of what is due. It is the longest that a queue lets a message wait.
pub const SOON: SignedDuration = SignedDuration::from_mins(15);

/// Approves everything that a draft would become, if it still is what the approver saw; the posts. They are sent at
/// `at`, or at once. Approving the same again answers the same posts.
///
/// # Errors
/// There is no such draft; it is not what was seen; it does not wait for approval; the time has passed.
pub async fn approve(
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
        let draft = records::load::<Draft>(table, &draft_key(scope, id), now).await?;
        let draft = draft.ok_or_else(|| Failure::not_found("draft"))?;
        let ground = Ground::of(table, scope, &draft.record, link_base, now).await?;
        let (posts, mut ops) =
            publishing::approve_draft(desk, draft, &ground, approver, decision).await?;
        if ops.is_empty() {
            return Ok(posts);
        }
        let mut messages = Vec::new();
        for post in &posts {
            let wait = post.payload().send_at.duration_since(now).max(SignedDuration::ZERO);
            if wait <= SOON {
                let (hop, message) = (Hop::Publish.name(), Publish { effect: post.id });
                let message = Outgoing::new(scope, hop, &message, desk.trace, desk.ambient)?
                    .delayed(Duration::try_from(wait).unwrap_or_default());
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
