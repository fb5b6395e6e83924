//! Sends what a person approved, once, and writes down what became of it.
//!
//! Runs on messages of its queue, one effect each. The claim is taken by [`approval::redeem`], which alone makes
//! the [`Approved`] that a network takes; an outcome nobody knows is looked up, never sent again blindly.
//!
//! **Never here:** approving, scheduling, a network's API.

use std::sync::Arc;

use nexus_core::approval::{self, Redeemed, Unsure};
use nexus_core::effect::{Found, Outcome};
use nexus_core::{Approved, Blobs, Table};
use nexus_engine::EnginePlatform;
use nexus_engine::hops::Publish as Due;
use nexus_engine::platform::{Access, Area};
use nexus_engine::publishing::{Network, PostPlan, Publisher};
use nexus_handler::{Env, Enveloped, Invocation, QueueFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Digest, Failure, FailureKind};

/// What publishing needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    publishers: Vec<Arc<dyn Publisher>>,
}

/// The function.
pub struct Publish(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for Publish {
    type Deps = Deps;

    fn wire(platform: &P, _env: &Env) -> Result<Deps, SettingsError> {
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            blobs: platform.blobs(&[(Area::Made, Access::Read)]),
            publishers: platform.publishers(),
        })
    }
}

impl QueueFunction for Publish {
    const NAME: &'static str = "publish";
    const CONCURRENCY: usize = 4;
    type Deps = Deps;
    type Letter = Enveloped<Due>;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, letter: Enveloped<Due>, at: &Invocation) -> Result<(), Failure> {
        let Self(deps) = self;
        let (scope, id, table) = (letter.envelope.scope(), letter.message.effect, &*deps.table);
        let ids = &*deps.ambient.ids;
        let redeemed = match approval::redeem::<PostPlan>(
            table,
            scope,
            id,
            Self::NAME,
            ids,
            at.now,
            at.lease(),
        )
        .await
        {
            // The post went with what it came from.
            Err(failure) if failure.kind() == FailureKind::NotFound => return Ok(()),
            other => other?,
        };
        match redeemed {
            Redeemed::Send(approved) => {
                let outcome = self.send(&approved).await;
                approval::settle(table, approved, outcome, Self::NAME, deps.ambient.now()).await?;
                Ok(())
            }
            Redeemed::LookUp(unsure) => {
                let found = self.look_up(&unsure).await;
                approval::settle_looked_up(table, unsure, found, Self::NAME, deps.ambient.now())
                    .await?;
                Ok(())
            }
            // The relay wakes it again when its time has come, or when its holder's lease is over.
            Redeemed::TooEarly(_) | Redeemed::Running(_) | Redeemed::Nothing(_) => Ok(()),
        }
    }
}

impl Publish {
    fn publisher(&self, network: Network) -> Option<&dyn Publisher> {
        self.0.publishers.iter().find(|p| p.network() == network).map(|p| &**p)
    }

    async fn send(&self, approved: &Approved<PostPlan>) -> Outcome {
        let plan = approved.payload();
        let Some(publisher) = self.publisher(plan.network) else {
            return Outcome::Refused { why: format!("nothing here can post to {}", plan.network) };
        };
        let Some(media) = &plan.media else {
            return Outcome::Refused { why: "the post has no video".into() };
        };
        let video = match self.0.blobs.get(&media.blob).await {
            Ok(Some(video)) => video,
            Ok(None) => return Outcome::Refused { why: "its video is gone".into() },
            // Nothing has been sent: the claim is given back.
            Err(_) => return Outcome::Throttled { after_seconds: 60 },
        };
        if Digest::of(&video) != media.digest {
            return Outcome::Refused { why: "its video is not the one that was approved".into() };
        }
        publisher.publish(approved, video).await
    }

    async fn look_up(&self, unsure: &Unsure<PostPlan>) -> Found {
        let network = unsure.payload().network;
        match self.publisher(network) {
            Some(publisher) => publisher.look_up(unsure).await,
            None => Found::StillUnknown { why: format!("nothing here can look at {network}") },
        }
    }
}
