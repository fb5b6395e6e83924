//! A person sends a post anew that certainly did not go out.

use nexus_core::Sender;
use nexus_core::approval::Approver;
use nexus_core::effect::{Effect, EffectId, State};
use nexus_kernel::{Digest, Failure, Timestamp};

use crate::desk::{Desk, TRIES};
use crate::publishing::PostPlan;
use crate::rescheduling::{self, Read};

/// Sends a post anew that was refused, or called off by a person (as one does who found that it is not there): the same
/// post at another time, approved by the person who sends it; the post that stands then. `seen` is the digest of the
/// post as the person saw it, with its old time. Sending it anew twice is once.
///
/// # Errors
/// There is no such post; it is not what was seen; it stands, was sent, or may have been; its draft was edited,
/// rejected or removed since; it was sent anew for another time; the time has passed.
pub async fn retry(
    desk: &Desk<'_>,
    id: EffectId,
    approver: Approver<'_>,
    seen: Digest,
    at: Timestamp,
    publish: &Sender,
) -> Result<Effect<PostPlan>, Failure> {
    for _ in 0..TRIES {
        let post = match rescheduling::read(desk, id, seen, at).await? {
            Read::Followed(next) => return Ok(*next),
            Read::Last(post) => post.record,
        };
        certainly_not_out(post.state())?;
        // Also a post that an edit withdrew: what it said is not what the draft says.
        let draft = rescheduling::draft_with(desk, &post).await?.ok_or_else(|| {
            Failure::conflict("Its draft was changed since: approve the draft as it is now.")
        })?;
        let again = rescheduling::anew(desk, &post, draft, approver, at, desk.now()).await?;
        if let Some(next) = again.commit(desk, publish).await? {
            return Ok(next);
        }
    }
    Err(Desk::crowded())
}

fn certainly_not_out(state: State) -> Result<(), Failure> {
    Err(Failure::conflict(match state {
        State::Refused | State::Cancelled => return Ok(()),
        State::Proposed => "Nobody has approved it: approve it for the time you want.",
        State::Approved => "It stands and will be sent: move it to another time instead.",
        State::Sending => "It is being sent right now.",
        State::Accepted => "Its network has it and has not said yet whether it is there.",
        State::Done => "It was sent: duplicate its draft to post the same again.",
        State::Unknown => "It may have been sent, and is being looked up.",
        State::AskAPerson => "It may have been sent: say first whether it is there.",
        State::Rejected => "A person said no to it: edit its draft to begin anew.",
    }))
}
