//! An inquiry comes: it is kept once, and passed on to whoever tells how it sounds.
//!
//! What is kept, that it came, and the message that announces it are one commit. So what was accepted is not lost, and
//! the same question within an hour, sent by an impatient finger or a lost answer, is one question.

use std::time::Duration;

use nexus_core::outbox::Outgoing;
use nexus_core::table::CommitError;
use nexus_core::{Sender, Table, records};
use nexus_kernel::{Ambient, Failure, FailureKind, Timestamp};

use super::asked::Question;
use super::inquiry::{Inquiry, InquiryId, InquiryState, Origin};
use super::page::Page;
use super::restriction;
use super::salts::{QuestionMark, SourceMark};
use super::traces::Mark;
use crate::hops::{Hop, ToJudge};

/// How often it is looked again where others write at the same moment.
const TRIES: u32 = 6;

/// What came of it. Whoever asked is told the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is kept, as this.
    Kept(InquiryId),
    /// It was asked before, within the hour.
    Again,
}

/// Keeps what somebody asked on a page.
///
/// # Errors
/// Too many came from this source or to this page, with when to come again; the store does not answer.
pub async fn receive(
    table: &dyn Table,
    sender: &Sender,
    (ambient, trace): (&Ambient, &str),
    page: &Page,
    (source, asked): (&SourceMark, &QuestionMark),
    (question, from): (Question, Option<Origin>),
) -> Result<Received, Failure> {
    let (scope, product) = (&page.scope, page.product.id);
    for _ in 0..TRIES {
        let now = ambient.now();
        let marks =
            [Mark::same(&asked.today, now), Mark::source(source, now), Mark::page(&page.code, now)];
        let mut keys: Vec<_> = marks.iter().map(|mark| mark.key(scope)).collect();
        let who = restriction::key_of(scope, question.email.written());
        keys.push(who.clone());
        keys.extend(asked.yesterday.as_ref().map(|before| Mark::same(before, now).key(scope)));
        let found = table.get_many(&keys).await?;
        let found: Vec<_> = found.iter().map(Option::as_ref).collect();
        let [same, _, _, restricted, before @ ..] = found.as_slice() else {
            return Err(Failure::bug("a table answered fewer rows than it was asked for"));
        };
        let before = before.first().copied().flatten();
        if [*same, before].into_iter().flatten().any(|row| row.is_live(now)) {
            return Ok(Received::Again);
        }
        let full = marks.iter().zip(&found).filter_map(|(mark, row)| mark.full_until(*row)).max();
        if let Some(until) = full {
            return Err(too_many(until, now));
        }

        let id = InquiryId::draw(&*ambient.ids);
        let inquiry = Inquiry {
            id,
            name: question.name.clone(),
            email: question.email.written().clone(),
            message: question.message.clone(),
            product,
            at: now,
            from: from.clone(),
            sentiment: None,
            state: InquiryState::New,
            assignee: None,
            notes: Vec::new(),
        };
        let mut ops: Vec<_> =
            marks.iter().zip(&found).map(|(mark, row)| mark.op(scope, *row, now)).collect();
        ops.push(records::create(scope, &inquiry));
        // Who is restricted, or not any more, at this very moment is looked at again: else nobody would pass it on.
        ops.push(restriction::unchanged(who, *restricted));
        let mut message = None;
        // Of a person whose processing is restricted it is kept, and nothing else is done.
        if !restriction::holds(*restricted)? {
            let outgoing =
                Outgoing::new(scope, Hop::Sentiment.name(), &ToJudge::Inquiry(id), trace, ambient)?;
            ops.push(outgoing.op(scope));
            message = Some(outgoing);
        }
        match table.commit(ops, None).await {
            Ok(()) => {
                if let Some(message) = message {
                    message.pass_on(scope, table, sender).await;
                }
                return Ok(Received::Kept(id));
            }
            // Somebody was faster at a counter, or the answer was lost: what stands there tells.
            Err(CommitError::Conditions(_) | CommitError::Contended | CommitError::Unknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(throttled().retry_after(Duration::from_secs(2)))
}

fn too_many(until: Timestamp, now: Timestamp) -> Failure {
    let wait = until.duration_since(now).unsigned_abs();
    // In whole seconds, as the header has it: a part of one counts as one.
    throttled().retry_after(Duration::from_secs(wait.as_secs().saturating_add(1)))
}

fn throttled() -> Failure {
    Failure::new(
        FailureKind::Throttled,
        "Many messages are coming in just now. This one was not kept: please send it again in a while.",
    )
}
