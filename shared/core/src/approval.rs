//! Nothing leaves the house without an approval of exactly that.
//!
//! An [`Approved`] cannot be made anywhere else: [`redeem`] reloads the effect, digests it anew, compares it with
//! what a person approved and claims it, in one commit. Whoever holds the `Approved` is alone in holding it.

use jiff::SignedDuration;
use nexus_kernel::{Digest, Failure, Ids, Timestamp};

use crate::effect::{
    self, Approval, Claim, ClaimId, Effect, EffectId, Found, LOOK_UPS, Outcome, Payload, State,
};
use crate::records::Stored;
use crate::scope::{Caller, Role, Scope};
use crate::table::{CommitError, CommitToken, Table};

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
    effect.go(State::Approved, now, approver.subject(), "approved")?;
    effect.approval = Some(Approval { by: approver.subject().to_owned(), at: now, digest, until });
    Ok(())
}

/// An effect that a person approved, claimed by the one who holds this.
#[derive(Debug)]
pub struct Approved<P> {
    stored: Stored<Effect<P>>,
    scope: Scope,
}

impl<P: Payload> Approved<P> {
    /// What is to be sent, to the letter.
    pub fn payload(&self) -> &P {
        &self.stored.record.payload
    }

    /// The key by which the outside can recognise a repetition: the same for every attempt of one effect.
    pub fn idempotency_key(&self) -> String {
        self.stored.record.id.to_string()
    }

    /// Whose it is.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The how manieth attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.stored.record.attempt
    }
}

/// An effect whose outcome has to be looked up before anything else may happen to it.
#[derive(Debug)]
pub struct Unsure<P> {
    stored: Stored<Effect<P>>,
    scope: Scope,
}

impl<P: Payload> Unsure<P> {
    /// What may have been sent.
    pub fn payload(&self) -> &P {
        &self.stored.record.payload
    }

    /// The key that was sent with it.
    pub fn idempotency_key(&self) -> String {
        self.stored.record.id.to_string()
    }

    /// Whose it is.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

/// What a claim came to.
#[derive(Debug)]
pub enum Redeemed<P> {
    /// Send it now.
    Send(Approved<P>),
    /// Look it up: somebody claimed it and never said what came of it.
    LookUp(Unsure<P>),
    /// Not yet; its time comes then.
    TooEarly(Timestamp),
    /// Somebody else is at it until then.
    Running(Timestamp),
    /// There is nothing to do: it was done, refused, called off, or no person approved it.
    Nothing(State),
}

/// Claims an effect for the time until `lease`, if a person approved exactly this, its time has come, and
/// nobody else is at it.
///
/// # Errors
/// There is no such effect; the store does not answer; others are at the same row.
pub async fn redeem<P: Payload>(
    table: &dyn Table,
    scope: &Scope,
    id: EffectId,
    by: &str,
    ids: &dyn Ids,
    now: Timestamp,
    lease: Timestamp,
) -> Result<Redeemed<P>, Failure> {
    let Some(mut stored) = effect::load::<P>(table, scope, id).await? else {
        return Err(Failure::not_found("effect"));
    };
    let effect = &mut stored.record;
    match effect.state {
        State::Approved => {}
        State::Sending => {
            let until = effect.claim.map_or(now, |c| c.until);
            if now < until {
                return Ok(Redeemed::Running(until));
            }
            effect.go(State::Unknown, now, by, "its holder went away without a word")?;
            effect.not_before = Some(now);
            let stored = save(table, scope, stored).await?;
            return Ok(Redeemed::LookUp(Unsure { stored, scope: *scope }));
        }
        State::Unknown => {
            let at = effect.not_before.unwrap_or(now);
            if now < at {
                return Ok(Redeemed::TooEarly(at));
            }
            return Ok(Redeemed::LookUp(Unsure { stored, scope: *scope }));
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
        effect.go(State::Cancelled, now, by, why)?;
        save(table, scope, stored).await?;
        return Ok(Redeemed::Nothing(State::Cancelled));
    }
    let fence = effect.claim.map_or(0, |c| c.fence) + 1;
    effect.claim = Some(Claim { fence, holder: ClaimId::draw(ids), until: lease });
    effect.attempt += 1;
    effect.go(State::Sending, now, by, &format!("claimed, attempt {}", effect.attempt))?;
    let stored = save(table, scope, stored).await?;
    Ok(Redeemed::Send(Approved { stored, scope: *scope }))
}

/// Writes down what the outside said.
///
/// # Errors
/// The claim was lost meanwhile (then somebody else is looking it up), or the store does not answer.
pub async fn settle<P: Payload>(
    table: &dyn Table,
    approved: Approved<P>,
    outcome: Outcome,
    by: &str,
    now: Timestamp,
) -> Result<State, Failure> {
    let Approved { mut stored, scope } = approved;
    let effect = &mut stored.record;
    match &outcome {
        Outcome::Done { receipt, .. } => {
            effect.go(State::Done, now, by, &format!("done: {receipt}"))?
        }
        Outcome::Refused { why } => effect.go(State::Refused, now, by, why)?,
        Outcome::Login { why } => effect.go(State::AskAPerson, now, by, why)?,
        Outcome::Throttled { after_seconds } => {
            let wait = SignedDuration::from_secs(i64::from(*after_seconds));
            effect.not_before = now.saturating_add(wait).ok();
            effect.go(State::Approved, now, by, &format!("asked to wait {after_seconds} s"))?;
        }
        Outcome::Unknown { why } => {
            effect.not_before = now.saturating_add(SignedDuration::from_secs(15)).ok();
            effect.go(State::Unknown, now, by, why)?;
        }
    }
    effect.outcome = Some(outcome);
    Ok(save(table, &scope, stored).await?.record.state)
}

/// Writes down what looking up found.
///
/// # Errors
/// Somebody else was faster, or the store does not answer.
pub async fn settle_looked_up<P: Payload>(
    table: &dyn Table,
    unsure: Unsure<P>,
    found: Found,
    by: &str,
    now: Timestamp,
) -> Result<State, Failure> {
    let Unsure { mut stored, scope } = unsure;
    let effect = &mut stored.record;
    effect.looked += 1;
    match found {
        Found::Done { receipt, url } => {
            effect.go(State::Done, now, by, &format!("looked up, it is there: {receipt}"))?;
            effect.outcome = Some(Outcome::Done { receipt, url });
        }
        Found::NotDone => {
            effect.not_before = None;
            effect.looked = 0;
            effect.go(State::Approved, now, by, "looked up, it is not there")?;
        }
        Found::StillUnknown { why } if effect.looked >= LOOK_UPS => {
            effect.go(State::AskAPerson, now, by, &why)?;
        }
        Found::StillUnknown { why } => {
            // 30 s, 1 min, 2 min … so that all look-ups together span about an hour.
            let wait = SignedDuration::from_secs(15 << effect.looked.min(LOOK_UPS));
            effect.not_before = now.saturating_add(wait).ok();
            effect.go(State::Unknown, now, by, &why)?;
        }
    }
    Ok(save(table, &scope, stored).await?.record.state)
}

/// Commits a changed effect. An answer that was lost is asked for again with the same token, which changes
/// nothing twice.
async fn save<P: Payload>(
    table: &dyn Table,
    scope: &Scope,
    stored: Stored<Effect<P>>,
) -> Result<Stored<Effect<P>>, Failure> {
    let last = stored.record.history.last().map(|m| m.hash.to_hex()).unwrap_or_default();
    let holder = stored.record.claim.map(|c| c.holder.to_string()).unwrap_or_default();
    let token = Digest::of_parts([last.as_bytes(), holder.as_bytes()]).to_hex();
    let token = CommitToken(token.chars().take(36).collect());
    let mut answer = table.commit(vec![stored.update(scope)], Some(&token)).await;
    for _ in 0..2 {
        if !matches!(answer, Err(CommitError::Unknown(_))) {
            break;
        }
        answer = table.commit(vec![stored.update(scope)], Some(&token)).await;
    }
    answer?;
    Ok(Stored { version: stored.version + 1, record: stored.record })
}
