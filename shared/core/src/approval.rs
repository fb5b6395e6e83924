//! Nothing leaves the house without an approval of exactly that.
//!
//! An [`Approved`] cannot be made anywhere else: [`redeem`] reloads the effect, digests it anew, compares it with
//! what a person approved and claims it, in one commit. Whoever holds the `Approved` is alone in holding it.

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;
use nexus_kernel::{Digest, Failure, Ids, Timestamp};

use crate::effect::{
    self, ACCEPTED_FOR, Approval, Claim, ClaimId, Deed, Effect, EffectId, Found, LOOK_UPS, Outcome,
    Payload, State,
};
use crate::records::Stored;
use crate::scope::{Caller, Role, Scope};
use crate::table::{CommitError, CommitToken, Op, Table};

/// How long after an attempt of unknown outcome it is looked up for the first time.
const FIRST_LOOK: SignedDuration = SignedDuration::from_secs(15);
/// The longest pause between two looks at what the outside has accepted.
const LONGEST_LOOK: u32 = 3_600;

/// A person whose role lets them approve.
#[derive(Debug, Clone, Copy)]
pub struct Approver<'c>(&'c Caller);

impl<'c> Approver<'c> {
    /// The caller as an approver.
    ///
    /// # Errors
    /// Denied, where the caller does not have the role.
    pub fn of(caller: &'c Caller) -> Result<Self, Failure> {
        caller.require(Role::Approver)?;
        Ok(Self(caller))
    }

    /// The person's id at the identity provider.
    pub fn subject(&self) -> &str {
        self.0.subject()
    }
}

/// Approves an effect, if it still is what the person saw.
///
/// # Errors
/// It is not what was seen, its time is past, or it does not wait for approval.
pub fn approve<P: Payload>(
    effect: &mut Effect<P>,
    approver: Approver<'_>,
    seen: Digest,
    now: Timestamp,
) -> Result<(), Failure> {
    let digest = effect.payload.digest();
    if digest != seen {
        return Err(Failure::conflict(
            "This is not what you saw: it was changed meanwhile. Look again, then approve.",
        ));
    }
    let until = effect.payload.due_at().saturating_add(P::grace()).unwrap_or(Timestamp::MAX);
    if until <= now {
        return Err(Failure::field("at", "this time has passed: choose a later one"));
    }
    effect.go(Deed::Approve, now, approver.subject(), "approved")?;
    effect.approval = Some(Approval { by: approver.subject().to_owned(), at: now, digest, until });
    Ok(())
}

/// An effect as one holder has it: the row, and where it stands.
struct Holding<P> {
    stored: Stored<Effect<P>>,
    scope: Scope,
    table: Arc<dyn Table>,
}

impl<P: Payload> Holding<P> {
    /// Writes the effect back. An answer that was lost is asked for again with the same token, which changes nothing
    /// twice.
    async fn save(&mut self, gate: Vec<Op>) -> Result<(), CommitError> {
        // Two holders of one moment differ in the claim's id, so that their commits are not taken for one.
        let whole = serde_json::to_vec(&self.stored.record).unwrap_or_default();
        let version = self.stored.version.to_be_bytes();
        let token = Digest::of_parts([whole.as_slice(), &version]).to_hex();
        let token = CommitToken(token.chars().take(36).collect());
        let mut ops = effect::written(&self.scope, &self.stored);
        ops.extend(gate);
        let mut answer = self.table.commit(ops.clone(), Some(&token)).await;
        for _ in 0..2 {
            if !matches!(answer, Err(CommitError::Unknown(_))) {
                break;
            }
            answer = self.table.commit(ops.clone(), Some(&token)).await;
        }
        answer?;
        self.stored.version += 1;
        Ok(())
    }
}

impl<P: fmt::Debug> fmt::Debug for Holding<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stored.fmt(f)
    }
}

/// An effect that a person approved, claimed by the one who holds this.
#[derive(Debug)]
pub struct Approved<P>(Holding<P>);

impl<P: Payload> Approved<P> {
    /// What is to be sent, to the letter.
    pub fn payload(&self) -> &P {
        &self.0.stored.record.payload
    }

    /// Which effect it is.
    pub fn id(&self) -> EffectId {
        self.0.stored.record.id
    }

    /// The key by which the outside can recognise a repetition: the same for every attempt of one effect.
    pub fn idempotency_key(&self) -> String {
        self.id().to_string()
    }

    /// Whose it is.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// The how manieth attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.stored.record.attempt
    }

    /// Writes down what the outside calls it, before the step that makes it happen: whoever looks it up after this
    /// holder died asks for that.
    ///
    /// # Errors
    /// The claim is over or was lost: nothing more may be sent. Or the store does not answer.
    pub async fn keep(&mut self, handle: &str, now: Timestamp) -> Result<(), Failure> {
        let effect = &mut self.0.stored.record;
        // Also where it cannot be kept now: it stands in the effect that is written back with the outcome.
        effect.handle = Some(handle.to_owned());
        if effect.claim.is_none_or(|claim| claim.until <= now) {
            return Err(Failure::conflict("The time that this was claimed for is over."));
        }
        Ok(self.0.save(Vec::new()).await?)
    }
}

/// An effect that is looked at before anything else may happen to it: its outcome is unknown, or the outside has it
/// and has not said yet whether it comes to be.
#[derive(Debug)]
pub struct Unsure<P>(Holding<P>);

impl<P: Payload> Unsure<P> {
    /// What may have been sent.
    pub fn payload(&self) -> &P {
        &self.0.stored.record.payload
    }

    /// Which effect it is.
    pub fn id(&self) -> EffectId {
        self.0.stored.record.id
    }

    /// The key that was sent with it.
    pub fn idempotency_key(&self) -> String {
        self.id().to_string()
    }

    /// Whose it is.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// What the outside calls it, where the holder wrote that down.
    pub fn handle(&self) -> Option<&str> {
        self.0.stored.record.handle.as_deref()
    }

    /// When it was last claimed: what is searched for was sent after that.
    pub fn claimed_at(&self) -> Option<Timestamp> {
        self.0.stored.record.moved_at(State::Sending)
    }

    /// Whether the outside said that it has it.
    pub fn is_accepted(&self) -> bool {
        self.0.stored.record.state == State::Accepted
    }
}

/// What a claim came to.
#[derive(Debug)]
pub enum Redeemed<P> {
    /// Send it now.
    Send(Approved<P>),
    /// Look it up: somebody claimed it and never said what came of it, or the outside has it.
    LookUp(Unsure<P>),
    /// Not yet; its time comes then.
    TooEarly(Timestamp),
    /// Somebody else is at it until then.
    Running(Timestamp),
    /// The gate did not let it pass: these of its operations, counted from 0. Nothing was changed.
    Held(Vec<usize>),
    /// There is nothing to do: it was done, refused, called off, or no person approved it.
    Nothing(State),
}

/// Who claims, when, and under which conditions beside the approval's.
pub struct Claiming<'c> {
    /// The function, as it stands in histories.
    pub by: &'c str,
    /// Where the claim's id is drawn.
    pub ids: &'c dyn Ids,
    /// The present moment.
    pub now: Timestamp,
    /// Until then nobody else claims it.
    pub lease: Timestamp,
    /// What is committed together with the claim, and has to hold for it: that the account is still connected, that
    /// its day is not full.
    pub gate: Vec<Op>,
}

/// An effect as it stands, before anybody claims it.
#[derive(Debug)]
pub struct Standing<P>(Holding<P>);

/// The effect of that id, if there is one of this sort.
///
/// # Errors
/// The store does not answer.
pub async fn open<P: Payload>(
    table: &Arc<dyn Table>,
    scope: &Scope,
    id: EffectId,
) -> Result<Option<Standing<P>>, Failure> {
    let stored = effect::load::<P>(&**table, scope, id).await?;
    let table = Arc::clone(table);
    Ok(stored.map(|stored| Standing(Holding { stored, scope: *scope, table })))
}

/// Claims an effect, as [`Standing::redeem`].
///
/// # Errors
/// There is no such effect; the store does not answer; others are at the same row.
pub async fn redeem<P: Payload>(
    table: &Arc<dyn Table>,
    scope: &Scope,
    id: EffectId,
    claiming: Claiming<'_>,
) -> Result<Redeemed<P>, Failure> {
    let standing = open(table, scope, id).await?.ok_or_else(|| Failure::not_found("effect"))?;
    standing.redeem(claiming).await
}

impl<P: Payload> Standing<P> {
    /// What it would do.
    pub fn payload(&self) -> &P {
        &self.0.stored.record.payload
    }

    /// Whether nobody has claimed it and its time has come.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let effect = &self.0.stored.record;
        effect.state == State::Approved && effect.runnable_at() <= now
    }

    /// Claims it, if a person approved exactly this, its time has come, nobody else is at it, and the gate holds.
    ///
    /// # Errors
    /// The store does not answer; others are at the same row.
    pub async fn redeem(self, claiming: Claiming<'_>) -> Result<Redeemed<P>, Failure> {
        self.redeem_and(claiming, |_| Ok(Vec::new())).await
    }

    /// The same; where it is called off because its approval does not hold, in the same commit what is told of it.
    ///
    /// # Errors
    /// As [`redeem`](Self::redeem), and as `told`.
    pub async fn redeem_and(
        self,
        claiming: Claiming<'_>,
        told: impl FnOnce(&Effect<P>) -> Result<Vec<Op>, Failure>,
    ) -> Result<Redeemed<P>, Failure> {
        let Claiming { by, ids, now, lease, gate } = claiming;
        let Self(mut holding) = self;
        let effect = &mut holding.stored.record;
        match effect.state {
            State::Approved => {}
            State::Sending => {
                let until = effect.claim.map_or(now, |c| c.until);
                if now < until {
                    return Ok(Redeemed::Running(until));
                }
                effect.go(Deed::Lost, now, by, "its holder went away without a word")?;
                effect.not_before = Some(now);
                holding.save(Vec::new()).await?;
                return Ok(Redeemed::LookUp(Unsure(holding)));
            }
            State::Unknown | State::Accepted => {
                let at = effect.not_before.unwrap_or(now);
                if now < at {
                    return Ok(Redeemed::TooEarly(at));
                }
                return Ok(Redeemed::LookUp(Unsure(holding)));
            }
            state => return Ok(Redeemed::Nothing(state)),
        }
        if now < effect.runnable_at() {
            return Ok(Redeemed::TooEarly(effect.runnable_at()));
        }
        let void = match &effect.approval {
            None => Some("nobody approved it"),
            Some(a) if a.digest != effect.payload.digest() => Some("it is not what was approved"),
            Some(a) if a.until <= now => Some("its approval ran out before it could be sent"),
            Some(_) => None,
        };
        if let Some(why) = void {
            effect.go(Deed::CallOff, now, by, why)?;
            let told = told(effect)?;
            holding.save(told).await?;
            return Ok(Redeemed::Nothing(State::Cancelled));
        }
        let fence = effect.claim.map_or(0, |c| c.fence) + 1;
        effect.claim = Some(Claim { fence, holder: ClaimId::draw(ids), until: lease });
        effect.attempt += 1;
        effect.handle = None;
        effect.go(Deed::Claim, now, by, &format!("claimed, attempt {}", effect.attempt))?;
        let ours = effect::written(&holding.scope, &holding.stored).len();
        match holding.save(gate).await {
            Ok(()) => Ok(Redeemed::Send(Approved(holding))),
            Err(CommitError::Conditions(failed)) if failed.iter().all(|at| *at >= ours) => {
                Ok(Redeemed::Held(failed.into_iter().map(|at| at - ours).collect()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts it off, as long as nobody has claimed it.
    ///
    /// # Errors
    /// It does not wait any more; the store does not answer; others are at the same row.
    pub async fn postpone(
        self,
        until: Timestamp,
        why: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let Self(mut holding) = self;
        let effect = &mut holding.stored.record;
        effect.go(Deed::Postpone, now, by, why)?;
        effect.not_before = Some(until);
        Ok(holding.save(Vec::new()).await?)
    }

    /// Calls it off, as long as nobody has claimed it, and in the same commit what is told of it.
    ///
    /// # Errors
    /// As [`postpone`](Self::postpone), and as `told`.
    pub async fn call_off_and(
        self,
        why: &str,
        by: &str,
        now: Timestamp,
        told: impl FnOnce(&Effect<P>) -> Result<Vec<Op>, Failure>,
    ) -> Result<(), Failure> {
        let Self(mut holding) = self;
        let effect = &mut holding.stored.record;
        effect.cancel(by, why, now)?;
        let told = told(effect)?;
        Ok(holding.save(told).await?)
    }
}

/// Writes down what the outside said.
///
/// # Errors
/// The claim was lost meanwhile (then somebody else is looking it up), or the store does not answer.
pub async fn settle<P: Payload>(
    approved: Approved<P>,
    outcome: Outcome,
    by: &str,
    now: Timestamp,
) -> Result<State, Failure> {
    settle_and(approved, outcome, by, now, |_| Ok(Vec::new())).await
}

/// The same, and in the same commit what is told of it: the operations that `told` makes of the effect as it stands
/// then.
///
/// # Errors
/// As [`settle`], and as `told`.
pub async fn settle_and<P: Payload>(
    approved: Approved<P>,
    outcome: Outcome,
    by: &str,
    now: Timestamp,
    told: impl FnOnce(&Effect<P>) -> Result<Vec<Op>, Failure>,
) -> Result<State, Failure> {
    let Approved(mut holding) = approved;
    let effect = &mut holding.stored.record;
    match &outcome {
        Outcome::Done { receipt, .. } => {
            effect.go(Deed::SaidDone, now, by, &format!("done: {receipt}"))?
        }
        Outcome::Accepted { look_after_seconds } => {
            effect.looked = 0;
            effect.not_before = later(now, *look_after_seconds);
            effect.go(Deed::SaidAccepted, now, by, "accepted; not there yet")?;
        }
        Outcome::Refused { why } => effect.go(Deed::SaidRefused, now, by, why)?,
        Outcome::Login { why } => effect.go(Deed::SaidLogin, now, by, why)?,
        Outcome::Throttled { after_seconds } => {
            effect.not_before = later(now, *after_seconds);
            effect.go(Deed::SaidLater, now, by, &format!("asked to wait {after_seconds} s"))?;
        }
        Outcome::Unknown { why } => {
            effect.looked = 0;
            effect.not_before = now.saturating_add(FIRST_LOOK).ok();
            effect.go(Deed::Lost, now, by, why)?;
        }
    }
    effect.outcome = Some(outcome);
    let told = told(effect)?;
    holding.save(told).await?;
    Ok(holding.stored.record.state)
}

/// Writes down what looking up found.
///
/// # Errors
/// Somebody else was faster, or the store does not answer.
pub async fn settle_looked_up<P: Payload>(
    unsure: Unsure<P>,
    found: Found,
    by: &str,
    now: Timestamp,
) -> Result<State, Failure> {
    settle_looked_up_and(unsure, found, by, now, |_| Ok(Vec::new())).await
}

/// The same, and in the same commit what is told of it, as [`settle_and`].
///
/// # Errors
/// As [`settle_looked_up`], and as `told`.
pub async fn settle_looked_up_and<P: Payload>(
    unsure: Unsure<P>,
    found: Found,
    by: &str,
    now: Timestamp,
    told: impl FnOnce(&Effect<P>) -> Result<Vec<Op>, Failure>,
) -> Result<State, Failure> {
    let Unsure(mut holding) = unsure;
    let effect = &mut holding.stored.record;
    // A look for which the outside had no time is none.
    effect.looked += u32::from(!matches!(found, Found::Later { .. }));
    let accepted = effect.state == State::Accepted;
    let waited = effect.here_since().map(|since| now.duration_since(since));
    let is_overdue = waited.is_some_and(|waited| waited >= ACCEPTED_FOR);
    match found {
        Found::Done { receipt, url } => {
            effect.go(Deed::FoundDone, now, by, &format!("looked up, it is there: {receipt}"))?;
            effect.outcome = Some(Outcome::Done { receipt, url });
        }
        Found::Refused { why } => {
            effect.go(Deed::FoundRefused, now, by, &why)?;
            effect.outcome = Some(Outcome::Refused { why });
        }
        Found::NotDone => {
            effect.not_before = None;
            effect.looked = 0;
            effect.go(Deed::FoundMissing, now, by, "looked up, it is not there")?;
        }
        Found::Accepted { .. } if accepted && is_overdue => {
            let why = "it was accepted a day ago and is not there";
            effect.go(Deed::GaveUp, now, by, why)?;
        }
        Found::Accepted { look_after_seconds } => {
            // A look that finds nothing new is no move: only its time is written down.
            effect.not_before = later(now, look_after_seconds.min(LONGEST_LOOK));
            if !accepted {
                effect.looked = 0;
                effect.go(
                    Deed::FoundAccepted,
                    now,
                    by,
                    "looked up, it is accepted; not there yet",
                )?;
            }
        }
        Found::Later { .. } if is_overdue => {
            let why = "the outside has had no time for a day to say whether it is there";
            effect.go(Deed::GaveUp, now, by, why)?;
        }
        Found::Later { after_seconds } => {
            effect.not_before = later(now, after_seconds.clamp(1, LONGEST_LOOK));
        }
        // The outside has it: that it cannot say more now is no reason to ask a person before the day is over.
        Found::StillUnknown { .. } if accepted && !is_overdue => {
            effect.not_before = later(now, pause(effect.looked).min(LONGEST_LOOK));
        }
        Found::StillUnknown { why } if accepted || effect.looked >= LOOK_UPS => {
            effect.go(Deed::GaveUp, now, by, &why)?;
        }
        Found::StillUnknown { why } => {
            effect.not_before = later(now, pause(effect.looked));
            effect.go(Deed::FoundNothing, now, by, &why)?;
        }
    }
    let told = told(effect)?;
    holding.save(told).await?;
    Ok(holding.stored.record.state)
}

/// 30 s, 1 min, 2 min … so that all look-ups together span about an hour.
fn pause(looked: u32) -> u32 {
    15 << looked.min(LOOK_UPS)
}

fn later(now: Timestamp, seconds: u32) -> Option<Timestamp> {
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds))).ok()
}

/// What a person found out about an effect of which nobody else can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is there.
    Happened {
        /// Where it can be seen, if the person says.
        url: Option<String>,
        /// The outside's own id for it, if it is known.
        receipt: Option<String>,
    },
    /// It is not there, and is not to be sent any more under this approval.
    DidNotHappen,
}

/// Writes down what a person found out.
///
/// # Errors
/// Nobody asked a person: it is still being looked up, or it is known.
pub fn answer<P: Payload>(
    effect: &mut Effect<P>,
    approver: Approver<'_>,
    answer: Answer,
    now: Timestamp,
) -> Result<(), Failure> {
    if effect.state != State::AskAPerson {
        return Err(Failure::conflict(match effect.state {
            State::Unknown => {
                "It is still being looked up. Where that finds nothing, you are asked here."
            }
            _ => "Nothing is open about this any more.",
        }));
    }
    let by = approver.subject();
    match answer {
        Answer::Happened { url, receipt } => {
            effect.go(Deed::PersonFound, now, by, "a person found it")?;
            let receipt = receipt.unwrap_or_else(|| "seen by a person".to_owned());
            effect.outcome = Some(Outcome::Done { receipt, url });
        }
        Answer::DidNotHappen => {
            effect.go(Deed::PersonMissed, now, by, "a person found that it is not there")?;
        }
    }
    Ok(())
}
