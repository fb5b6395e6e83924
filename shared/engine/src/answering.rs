//! A person says what became of an effect of which nobody else can tell, whatever its sort.

use nexus_core::Stored;
use nexus_core::approval::{self, Answer, Approver};
use nexus_core::effect::{self, EffectId, Payload, State};
use nexus_kernel::Failure;

use crate::desk::{Desk, TRIES};
use crate::footage::buying;
use crate::footage::purchase::Purchase;
use crate::publishing::PostPlan;

/// Writes down a person's answer; the state that it leads to. The same answer twice is one answer.
///
/// # Errors
/// There is no such effect; it is still being looked up, or nothing is open about it.
pub async fn answer(
    desk: &Desk<'_>,
    id: EffectId,
    approver: Approver<'_>,
    answer: &Answer,
) -> Result<State, Failure> {
    for _ in 0..TRIES {
        if let Some(post) = effect::load::<PostPlan>(desk.table, desk.scope, id).await? {
            match answered(desk, post, approver, answer)? {
                Answered::Already(state) => return Ok(state),
                Answered::Now(post) => {
                    if desk.commit(effect::written(desk.scope, &post)).await? {
                        return Ok(post.record.state());
                    }
                    continue;
                }
            }
        }
        let purchase = effect::load::<Purchase>(desk.table, desk.scope, id).await?;
        let purchase = purchase.ok_or_else(|| Failure::not_found("question"))?;
        match answered(desk, purchase, approver, answer)? {
            Answered::Already(state) => return Ok(state),
            Answered::Now(purchase) => {
                let ops = match answer {
                    Answer::Happened { .. } => effect::written(desk.scope, &purchase),
                    Answer::DidNotHappen => buying::void_of(desk, &purchase).await?,
                };
                if desk.commit(ops).await? {
                    return Ok(purchase.record.state());
                }
            }
        }
    }
    Err(Desk::crowded())
}

enum Answered<P> {
    Already(State),
    Now(Stored<effect::Effect<P>>),
}

fn answered<P: Payload>(
    desk: &Desk<'_>,
    mut stored: Stored<effect::Effect<P>>,
    approver: Approver<'_>,
    answer: &Answer,
) -> Result<Answered<P>, Failure> {
    let state = stored.record.state();
    let asked = stored.record.moved_at(State::AskAPerson).is_some();
    let same = match answer {
        Answer::Happened { .. } => state == State::Done,
        Answer::DidNotHappen => state == State::Cancelled,
    };
    if asked && same {
        return Ok(Answered::Already(state));
    }
    approval::answer(&mut stored.record, approver, answer.clone(), desk.now())?;
    Ok(Answered::Now(stored))
}
