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
//! The commit that says that a post is there also begins the reading of its comments.
//!
//! **Never here:** approving, scheduling, a network's API, an account's tokens at rest.

mod gate;
mod send;

use std::sync::Arc;

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
use nexus_kernel::{Ambient, Failure, FailureKind};

use crate::gate::Passage;

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
        // A post may have gone with what it came from.
        let Some(post) = approval::open::<PostPlan>(&deps.table, scope, id).await? else {
            return Ok(());
        };
        let Passage::Open(post, gate) = gate::at(deps, scope, post, at.now).await? else {
            return Ok(());
        };
        let full_until = gate.full_until;
        let claiming = Claiming {
            by: Self::NAME,
            ids: &*deps.ambient.ids,
            now: at.now,
            lease: at.lease(),
            gate: gate.ops,
        };
        match post.redeem(claiming).await? {
            Redeemed::Send(mut approved) => {
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
                    Ok(asked(deps, scope, post)?.into_iter().chain(heard).collect())
                };
                approval::settle_and(approved, outcome, by, now, told).await?;
                Ok(())
            }
            Redeemed::LookUp(unsure) => {
                let found = send::look_up(deps, &unsure, at).await;
                let (by, now) = (Self::NAME, deps.ambient.now());
                let heard = match &found {
                    Found::Done { receipt, .. } => {
                        Listening::begin(scope, id, unsure.payload(), receipt, now)
                    }
                    _ => None,
                };
                let told = |post: &Effect<PostPlan>| {
                    Ok(asked(deps, scope, post)?.into_iter().chain(heard).collect())
                };
                approval::settle_looked_up_and(unsure, found, by, now, told).await?;
                Ok(())
            }
            Redeemed::Held(which) => gate::held(deps, scope, id, &which, full_until, at.now).await,
            // The relay wakes it again when its time has come, or when its holder's lease is over.
            Redeemed::TooEarly(_) | Redeemed::Running(_) | Redeemed::Nothing(_) => Ok(()),
        }
    }
}

/// What tells the tenant, where a person has to look whether a post is there.
fn asked(deps: &Deps, scope: &Scope, post: &Effect<PostPlan>) -> Result<Vec<Op>, Failure> {
    notices::asked_for(scope, &deps.ambient, post)
}
