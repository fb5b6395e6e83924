//! Sends what a person approved, once, and writes down what became of it.
//!
//! Runs on messages of its queue, one effect each:
//!
//! ```text
//! gate ─ claim (approval::redeem) ─ pre-flight ─ send ─ settle
//!                └ unknown, or accepted: look up ─ settle
//! ```
//!
//! The claim alone makes the [`Approved`] that a network takes, in one commit with what the gate asks for: that the
//! account is still connected and its day is not full. An outcome nobody knows is looked up, never sent again blindly.
//! The commit that says that a post is there also begins the reading of its comments; the one that says that it is not
//! sent any more, or that a person has to look, also tells the tenant.
//!
//! **Never here:** approving, scheduling, a network's API, an account's tokens at rest.

mod gate;
mod send;

use std::sync::Arc;
use std::time::Duration;

use nexus_core::approval::{self, Claiming, Redeemed};
use nexus_core::effect::{Effect, EffectId, Found, Outcome};
use nexus_core::{Blobs, Op, Scope, Table};
use nexus_engine::EnginePlatform;
use nexus_engine::comments::Listening;
use nexus_engine::connections::Accounts;
use nexus_engine::hops::Publish as Due;
use nexus_engine::notices;
use nexus_engine::platform::{Access, Area};
use nexus_engine::publishing::{PostPlan, Publisher};
use nexus_handler::{Env, Enveloped, Invocation, QueueFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Chance, Failure, FailureKind};

use crate::gate::Passage;

/// How often a claim is tried in whose way others are.
const TRIES: u32 = 5;
/// The pause before the next try: the shortest, and what is drawn on top of it at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(30), Duration::from_millis(470));

/// What publishing needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    accounts: Accounts,
    publishers: Vec<Arc<dyn Publisher>>,
}

/// The function.
pub struct Publish(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for Publish {
    type Deps = Deps;

    fn wire(platform: &P, _env: &Env) -> Result<Deps, SettingsError> {
        let (ambient, table) = (platform.ambient(), platform.table(Access::Write));
        Ok(Deps {
            accounts: Accounts {
                table: Arc::clone(&table),
                vault: platform.vault(Access::Write),
                logins: platform.logins(),
                ambient: ambient.clone(),
            },
            ambient,
            table,
            blobs: platform.blobs(&[(Area::Media, Access::Read), (Area::Made, Access::Read)]),
            publishers: platform.publishers(),
        })
    }
}

impl QueueFunction for Publish {
    const NAME: &'static str = "publish";
    /// A whole batch at once: a post mostly waits for its network.
    const CONCURRENCY: usize = 10;
    type Deps = Deps;
    type Letter = Enveloped<Due>;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    /// The message only wakes: what there is to do stands in the post's row, which the relay finds each minute until it
    /// is done. So what may go well later is no failure of the message, and a dead letter is one that will never do.
    async fn handle(&self, letter: Enveloped<Due>, at: &Invocation) -> Result<(), Failure> {
        let (scope, id) = (letter.envelope.scope(), letter.message.effect);
        match self.carry(scope, id, at).await {
            Err(failure) if goes_well_later(failure.kind()) => {
                tracing::warn!(effect = %id, error = %failure, "a post is looked at again in a minute");
                Ok(())
            }
            other => other,
        }
    }
}

/// Whether the same may go well a minute later.
fn goes_well_later(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Conflict
            | FailureKind::Throttled
            | FailureKind::Unavailable
            | FailureKind::Unknown
    )
}

impl Publish {
    /// Carries a post as far as it goes now.
    async fn carry(&self, scope: &Scope, id: EffectId, at: &Invocation) -> Result<(), Failure> {
        let Self(deps) = self;
        match self.redeemed(scope, id, at).await? {
            Some(Redeemed::Send(mut approved)) => {
                let outcome = send::send(deps, &mut approved, at).await;
                send::heed(deps, &approved, &outcome).await;
                let (by, now) = (Self::NAME, deps.ambient.now());
                let heard = match &outcome {
                    Outcome::Done { receipt, .. } => {
                        Listening::begin(scope, id, approved.payload(), receipt, now)
                    }
                    _ => None,
                };
                let told = |post: &Effect<PostPlan>| {
                    Ok(told(deps, scope, post)?.into_iter().chain(heard).collect())
                };
                approval::settle_and(approved, outcome, by, now, told).await?;
                Ok(())
            }
            Some(Redeemed::LookUp(unsure)) => {
                let found = send::look_up(deps, &unsure, at).await;
                let (by, now) = (Self::NAME, deps.ambient.now());
                let heard = match &found {
                    Found::Done { receipt, .. } => {
                        Listening::begin(scope, id, unsure.payload(), receipt, now)
                    }
                    _ => None,
                };
                let told = |post: &Effect<PostPlan>| {
                    Ok(told(deps, scope, post)?.into_iter().chain(heard).collect())
                };
                approval::settle_looked_up_and(unsure, found, by, now, told).await?;
                Ok(())
            }
            // The relay wakes it again when its time has come, or when its holder's lease is over.
            _ => Ok(()),
        }
    }

    /// What a claim came to. Posts of one account that are due at one moment, as a draft's in two languages are, meet at
    /// the account's row and at its day's count: DynamoDB lets one of them through, and the others come again at once.
    async fn redeemed(
        &self,
        scope: &Scope,
        id: EffectId,
        at: &Invocation,
    ) -> Result<Option<Redeemed<PostPlan>>, Failure> {
        for _ in 1..TRIES {
            match self.claim(scope, id, at).await {
                Err(failure) if failure.kind() == FailureKind::Conflict => {
                    pause(&*self.0.ambient.chance).await;
                }
                claimed => return claimed,
            }
        }
        self.claim(scope, id, at).await
    }

    /// Claims a post as it stands now; `None` where there is nothing to do about it.
    async fn claim(
        &self,
        scope: &Scope,
        id: EffectId,
        at: &Invocation,
    ) -> Result<Option<Redeemed<PostPlan>>, Failure> {
        let (Self(deps), now) = (self, self.0.ambient.now());
        // A post may have gone with what it came from.
        let Some(post) = approval::open::<PostPlan>(&deps.table, scope, id).await? else {
            return Ok(None);
        };
        let Passage::Open(post, gate) = gate::at(deps, scope, post, now).await? else {
            return Ok(None);
        };
        let full_until = gate.full_until;
        let lease = Invocation { now, ..at.clone() }.lease();
        let (by, ids) = (Self::NAME, &*deps.ambient.ids);
        let claiming = Claiming { by, ids, now, lease, gate: gate.ops };
        match post.redeem_and(claiming, |post| told(deps, scope, post)).await? {
            Redeemed::Held(which) => {
                gate::held(deps, scope, id, &which, full_until, now).await?;
                Ok(None)
            }
            claimed => Ok(Some(claimed)),
        }
    }
}

/// What tells the tenant, where a post is not sent any more or a person has to look whether it is there.
fn told(deps: &Deps, scope: &Scope, post: &Effect<PostPlan>) -> Result<Vec<Op>, Failure> {
    notices::about_post(scope, &deps.ambient, post)
}

/// Lets others go first who are at the same rows.
#[expect(
    clippy::disallowed_methods,
    reason = "a pause between tries is a span of the runtime's time; the injected clock has no sleep"
)]
async fn pause(chance: &dyn Chance) {
    let (shortest, drawn) = PAUSE;
    let mut part = [0];
    chance.fill(&mut part);
    tokio::time::sleep(shortest + drawn * u32::from(part[0]) / 255).await;
}
