//! How a draft goes from room to room: the habit that every step of the line shares.
//!
//! A step takes its turn only where the draft waits for it. A draft that is further on was worked on before: the
//! step only passes on again. A result, the draft's new state and the message that announces it are one commit.

use nexus_core::outbox::{self, Outgoing};
use nexus_core::{Envelope, Op, Scope, Sender, Stored, Table, records};
use nexus_kernel::{Ambient, Failure, Timestamp};

use crate::draft::{Draft, DraftId, Stage, draft_key};
use crate::hops::{Hop, Step};

/// Whose turn it is.
#[derive(Debug)]
pub enum Turn {
    /// The draft waits for this step.
    Work(Box<Stored<Draft>>),
    /// The step was done before; the message to the next room may have been lost, so send it again.
    PassOn,
    /// The draft is gone or needs nothing from this step.
    Over,
}

/// Takes the turn of the step for which drafts wait in `stage`.
///
/// # Errors
/// The store does not answer, or the draft has not come so far yet.
pub async fn take_turn(
    table: &dyn Table,
    scope: &Scope,
    id: DraftId,
    stage: Stage,
    now: Timestamp,
) -> Result<Turn, Failure> {
    let Some(stored) = records::load::<Draft>(table, &draft_key(scope, id), now).await? else {
        return Ok(Turn::Over);
    };
    Ok(match stored.record.stage {
        at if at == stage => Turn::Work(Box::new(stored)),
        Stage::AwaitingApproval | Stage::Approved | Stage::Rejected => Turn::Over,
        at if at > stage => Turn::PassOn,
        _ => return Err(Failure::unavailable("The draft has not come so far yet.")),
    })
}

/// Commits a step's result with the draft's next state and the message to the next room, then passes it on.
///
/// # Errors
/// Somebody changed the draft meanwhile, or the store does not answer; nothing was committed.
pub async fn hand_over(
    table: &dyn Table,
    envelope: &Envelope,
    ambient: &Ambient,
    mut draft: Stored<Draft>,
    to: Stage,
    next: Option<(Hop, &Sender)>,
    mut with: Vec<Op>,
) -> Result<(), Failure> {
    let scope = envelope.scope();
    draft.record.stage = to;
    with.push(draft.update(scope));
    let Some((hop, sender)) = next else {
        table.commit(with, None).await?;
        return Ok(());
    };
    let step = Step { draft: draft.record.id };
    let outgoing = Outgoing::new(scope, hop.name(), &step, envelope.trace(), ambient)?;
    with.push(outgoing.op(scope));
    table.commit(with, None).await?;
    outgoing.pass_on(scope, table, sender).await;
    Ok(())
}

/// Sends a draft on again, for a step that finds its work done.
///
/// # Errors
/// The queue does not answer.
pub async fn pass_on_again(
    envelope: &Envelope,
    draft: DraftId,
    sender: &Sender,
) -> Result<(), Failure> {
    outbox::send_again(envelope.scope(), sender, &Step { draft }, envelope.trace()).await
}
