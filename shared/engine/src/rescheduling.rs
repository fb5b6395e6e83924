//! A person moves a post to another time.
//!
//! An approval names a moment, so a post at another time is another effect: in one commit the old one is called off
//! and the new one approved by whoever moves it. Until the moment at which a post is claimed it can be moved; the claim
//! and the move are commits on the same row, and one of them comes too late.

use std::time::Duration;

use jiff::SignedDuration;
use nexus_core::approval::{self, Approver};
use nexus_core::effect::{self, Effect, EffectId, Payload as _, State};
use nexus_core::outbox::Outgoing;
use nexus_core::{Op, Sender, Stored, records};
use nexus_kernel::{Digest, Failure, Timestamp};

use crate::approving::SOON;
use crate::desk::{Desk, TRIES};
use crate::draft::{Draft, DraftId, Stage, draft_key};
use crate::hops::{Hop, Publish};
use crate::links;
use crate::publishing::PostPlan;

/// Moves a post that nobody has claimed to another time, approved by the person who moves it; the post that stands
/// then. `seen` is the digest of the post as the person saw it, with its old time. Moving it there twice is once.
///
/// # Errors
/// There is no such post; it is not what was seen; it is being sent or was sent, which is too late; it was called off;
/// it was moved elsewhere meanwhile; the time has passed.
pub async fn reschedule(
    desk: &Desk<'_>,
    id: EffectId,
    approver: Approver<'_>,
    seen: Digest,
    at: Timestamp,
    publish: &Sender,
) -> Result<Effect<PostPlan>, Failure> {
    for _ in 0..TRIES {
        let now = desk.now();
        let mut post = match read(desk, id, seen, at).await? {
            Read::Followed(next) => return Ok(*next),
            Read::Last(post) => *post,
        };
        if let State::Refused | State::Rejected | State::Cancelled | State::Proposed =
            post.record.state()
        {
            return Err(Failure::conflict(match post.record.state() {
                State::Proposed => "Nobody has approved it: approve it for the time you want.",
                _ => "It was called off or refused: send it anew instead.",
            }));
        }
        if post.record.state() == State::Approved && post.record.payload().send_at == at {
            return Ok(post.record);
        }
        post.record.cancel(approver.subject(), &format!("rescheduled to {at}"), now)?;
        let Some(draft) = draft_with(desk, &post.record).await? else { continue };
        let mut again = anew(desk, &post.record, draft, approver, at, now).await?;
        again.ops.extend(effect::written(desk.scope, &post));
        if let Some(next) = again.commit(desk, publish).await? {
            return Ok(next);
        }
    }
    Err(Desk::crowded())
}

/// The post that comes in place of another: there is one at most.
fn successor(id: EffectId) -> EffectId {
    EffectId::derived(&["post", &id.to_string(), "again"])
}

/// A post as it is found by who wants it at another time.
pub(crate) enum Read {
    /// It has its successor, at just that time: this was done before.
    Followed(Box<Effect<PostPlan>>),
    /// It has none.
    Last(Box<Stored<Effect<PostPlan>>>),
}

/// Reads a post, if it is what a person saw.
pub(crate) async fn read(
    desk: &Desk<'_>,
    id: EffectId,
    seen: Digest,
    at: Timestamp,
) -> Result<Read, Failure> {
    let post = effect::load::<PostPlan>(desk.table, desk.scope, id).await?;
    let post = post.ok_or_else(|| Failure::not_found("post"))?;
    if post.record.payload().digest() != seen {
        return Err(Failure::conflict(
            "This is not what you saw: look at the post again, then repeat what you wanted.",
        ));
    }
    match effect::load::<PostPlan>(desk.table, desk.scope, successor(id)).await? {
        None => Ok(Read::Last(Box::new(post))),
        Some(next) if next.record.payload().send_at == at => {
            Ok(Read::Followed(Box::new(next.record)))
        }
        Some(next) => Err(Failure::conflict(format!(
            "It stands anew already, as {} at {}: change that one.",
            next.record.id,
            next.record.payload().send_at
        ))),
    }
}

/// The post that a person would put in place of another, for asking its network about it; `None` where it stands
/// already, or where nothing may be put in its place.
///
/// # Errors
/// There is no such post; it is not what was seen; it stands anew at another time.
pub async fn ahead(
    desk: &Desk<'_>,
    id: EffectId,
    seen: Digest,
    at: Timestamp,
) -> Result<Option<PostPlan>, Failure> {
    let Read::Last(post) = read(desk, id, seen, at).await? else { return Ok(None) };
    let plan = post.record.payload();
    let is_possible = match post.record.state() {
        State::Approved => plan.send_at != at,
        State::Refused | State::Cancelled => true,
        _ => false,
    };
    Ok(is_possible.then(|| PostPlan { send_at: at, ..plan.clone() }))
}

/// The draft of a post, as far as the post still is what comes of it; `None` where it was changed meanwhile.
pub(crate) async fn draft_with(
    desk: &Desk<'_>,
    post: &Effect<PostPlan>,
) -> Result<Option<Stored<Draft>>, Failure> {
    let draft = of(desk, post.payload().draft).await?;
    let draft = draft.filter(|draft| {
        draft.record.stage == Stage::Approved
            && draft.record.revision == post.payload().revision
            && draft.record.posts.contains(&post.id)
    });
    Ok(draft)
}

async fn of(desk: &Desk<'_>, id: DraftId) -> Result<Option<Stored<Draft>>, Failure> {
    Ok(records::load::<Draft>(desk.table, &draft_key(desk.scope, id), desk.now()).await?)
}

/// A post that comes in place of another, and everything that is committed with it.
pub(crate) struct Anew {
    post: Effect<PostPlan>,
    pub(crate) ops: Vec<Op>,
    message: Option<Outgoing>,
}

/// The same post at another time, approved by this person, in its draft's list in place of the old one; its link
/// becomes the new one's.
pub(crate) async fn anew(
    desk: &Desk<'_>,
    old: &Effect<PostPlan>,
    mut draft: Stored<Draft>,
    approver: Approver<'_>,
    at: Timestamp,
    now: Timestamp,
) -> Result<Anew, Failure> {
    let plan = PostPlan { send_at: at, ..old.payload().clone() };
    let digest = plan.digest();
    let mut post = Effect::proposed(successor(old.id), plan, approver.subject(), now);
    approval::approve(&mut post, approver, digest, now)?;
    for listed in draft.record.posts.iter_mut().filter(|listed| **listed == old.id) {
        *listed = post.id;
    }
    let mut ops = vec![records::create(desk.scope, &post), draft.update(desk.scope)];
    if let Some(link) = &post.payload().link {
        ops.extend(links::handed_over(desk, &link.code, post.id).await?);
    }
    let message = announced(desk, &post, now)?;
    ops.extend(message.iter().map(|message| message.op(desk.scope)));
    Ok(Anew { post, ops, message })
}

/// The message about a post that is due so soon that the relay might be late for it.
pub(crate) fn announced(
    desk: &Desk<'_>,
    post: &Effect<PostPlan>,
    now: Timestamp,
) -> Result<Option<Outgoing>, Failure> {
    let wait = post.payload().send_at.duration_since(now).max(SignedDuration::ZERO);
    if wait > SOON {
        return Ok(None);
    }
    let (hop, message) = (Hop::Publish.name(), Publish { effect: post.id });
    let message = Outgoing::new(desk.scope, hop, &message, desk.trace, desk.ambient)?;
    Ok(Some(message.delayed(Duration::try_from(wait).unwrap_or_default())))
}

impl Anew {
    /// Commits it and sends what it announces; `None` where somebody was faster.
    pub(crate) async fn commit(
        self,
        desk: &Desk<'_>,
        publish: &Sender,
    ) -> Result<Option<Effect<PostPlan>>, Failure> {
        if !desk.commit(self.ops).await? {
            return Ok(None);
        }
        desk.pass_on(self.message.as_slice(), publish).await;
        Ok(Some(self.post))
    }
}
