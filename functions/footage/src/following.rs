//! From what became of the purchase to what its job is: the step after every claim, which also finds what a process
//! that died had left to be done.

use nexus_core::effect::{self, Effect, EffectId, Outcome, State};
use nexus_core::outbox::Outgoing;
use nexus_core::{Envelope, Op, Scope, Stored, records};
use nexus_engine::draft::draft_key;
use nexus_engine::footage::purchase::{Entered, FootageJob, JobState, Purchase, job_key};
use nexus_engine::hops::Footage;
use nexus_engine::{Draft, Hop};
use nexus_handler::Invocation;
use nexus_kernel::Failure;

use super::BuyFootage;

/// Seconds from a vendor's yes to the first look.
const FIRST_LOOK: u32 = 10;

/// The vendor's id of the job, once it took it.
pub(crate) fn receipt(effect: &Effect<Purchase>) -> Option<&str> {
    match effect.outcome() {
        Some(Outcome::Done { receipt, .. }) => Some(receipt),
        _ => None,
    }
}

impl BuyFootage {
    /// Does what there is to do about a purchase after it was claimed, or was found to be somebody else's. `entered` is
    /// what the ledger has of it, where it was submitted just now.
    pub(crate) async fn follow(
        &self,
        envelope: &Envelope,
        id: EffectId,
        entered: Option<Entered>,
        at: &Invocation,
    ) -> Result<(), Failure> {
        let (table, scope) = (&*self.0.table, envelope.scope());
        let Some(effect) = effect::load::<Purchase>(table, scope, id).await? else {
            return Ok(());
        };
        let job = records::load::<FootageJob>(table, &job_key(scope, id), at.now).await?;
        // Without an approval there is no job.
        let Some(mut job) = job.filter(|j| !j.record.state.is_over()) else { return Ok(()) };
        let effect = effect.record;
        match effect.state() {
            State::Done => match &job.record.state {
                JobState::Ordered | JobState::Unsure => {
                    let now = self.0.ambient.now();
                    let receipt = receipt(&effect).unwrap_or_default().to_owned();
                    job.record.taken(receipt, now);
                    job.record.entered = entered;
                    self.look_again(envelope, job, FIRST_LOOK).await
                }
                _ => self.look(envelope, &effect, job, at).await,
            },
            State::Refused => {
                let why = said(&effect);
                let text = format!("No footage was bought: {why}.");
                let failed = JobState::Failed { code: "refused".into(), why, again: false };
                self.end(scope, job, failed, Some(("footage_refused", text))).await
            }
            State::AskAPerson => match effect.outcome() {
                Some(Outcome::Login { why }) => {
                    let provider = &job.record.provider;
                    let text =
                        format!("No footage was bought: {provider} does not let us in ({why}).");
                    let why = why.clone();
                    let failed = JobState::Failed { code: "login".into(), why, again: true };
                    self.end(scope, job, failed, Some(("footage_refused", text))).await
                }
                _ if job.record.state == JobState::Unsure => Ok(()),
                _ => {
                    let provider = &job.record.provider;
                    let text = format!(
                        "Nobody can tell whether {provider} took the order for footage ({}). Look there, then \
                         call the purchase off; it is not sent again by itself.",
                        said(&effect)
                    );
                    self.end(scope, job, JobState::Unsure, Some(("footage_unsure", text))).await
                }
            },
            State::Cancelled | State::Rejected => {
                let why = said(&effect);
                let text = format!("No footage was bought: {why}.");
                let failed = JobState::Failed { code: "void".into(), why, again: true };
                self.end(scope, job, failed, Some(("footage_refused", text))).await
            }
            // The relay wakes it.
            State::Proposed
            | State::Approved
            | State::Sending
            | State::Accepted
            | State::Unknown => Ok(()),
        }
    }

    /// Commits that a job is over or waits for a person, with what it used and what the draft tells of it.
    pub(crate) async fn end(
        &self,
        scope: &Scope,
        mut job: Stored<FootageJob>,
        state: JobState,
        note: Option<(&str, String)>,
    ) -> Result<(), Failure> {
        let table = &*self.0.table;
        job.record.rests_as(state);
        let mut ops: Vec<Op> = vec![job.update(scope)];
        ops.extend(job.record.corrections(table, scope).await?);
        if let Some((code, text)) = note {
            let key = draft_key(scope, job.record.draft);
            let draft = records::load::<Draft>(table, &key, self.0.ambient.now()).await?;
            if let Some(mut draft) = draft {
                draft.record.note(code, text);
                ops.push(draft.update(scope));
            }
        }
        Ok(table.commit(ops, None).await?)
    }

    /// Commits that a job is to be looked at in about so many seconds, with the message that comes then.
    pub(crate) async fn look_again(
        &self,
        envelope: &Envelope,
        mut job: Stored<FootageJob>,
        after_seconds: u32,
    ) -> Result<(), Failure> {
        let (deps, scope) = (&self.0, envelope.scope());
        let now = deps.ambient.now();
        // Who called it off does not wait.
        let wait = match job.record.stop {
            Some(_) if job.record.looks == 0 => {
                job.record.look_at = Some(now);
                0
            }
            _ => job.record.look_in(after_seconds, now),
        };
        let message = Footage { effect: job.record.effect };
        let message =
            Outgoing::new(scope, Hop::Footage.name(), &message, envelope.trace(), &deps.ambient)?
                .delayed(std::time::Duration::from_secs(u64::from(wait)));
        deps.table.commit(vec![job.update(scope), message.op(scope)], None).await?;
        message.pass_on(scope, &*deps.table, &deps.footage).await;
        Ok(())
    }
}

/// What was said last about a purchase, as a person reads it.
fn said(effect: &Effect<Purchase>) -> String {
    let why = effect.history().last().map(|m| m.reason.as_str()).unwrap_or_default();
    why.trim_end_matches('.').to_owned()
}
