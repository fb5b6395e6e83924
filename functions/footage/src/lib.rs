//! Buys the footage that a person approved, once, and follows the vendor's job to its end: into the draft, or to a
//! word that says why not.
//!
//! Runs on messages of its queue, one purchase each, whatever there is to do about it: carry it out, look up what came
//! of it, or look how far the vendor's job is. Nothing sleeps: a look that finds a job waiting sends itself a message
//! that comes later. Every wait has an end. Each step finds the state that the one before it committed, so that a
//! message may come twice and a process may die anywhere: nothing is bought twice, and nothing is left unfollowed.
//!
//! **Never here:** approving, a vendor's API, how a video is decoded (`nexus_media::av`), the film (`animate`).

mod arriving;
mod following;
mod looks;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;
use nexus_core::approval::{self, Claiming, Redeemed, Unsure};
use nexus_core::effect::{self, EffectId, Found, Outcome, Payload as _, State};
use nexus_core::{Approved, Blobs, Sender, Table, records};
use nexus_engine::draft::draft_key;
use nexus_engine::footage::purchase::{Entered, Purchase, Unbriefed};
use nexus_engine::footage::{FootageBrief, FootageMaker, Submitted};
use nexus_engine::hops::Footage;
use nexus_engine::platform::{Access, Area};
use nexus_engine::{Draft, EnginePlatform, Hop, Stage};
use nexus_handler::{Env, Enveloped, Invocation, QueueFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure, FailureKind, Timestamp};
use nexus_media::av::Ffmpeg;

/// Seconds until what only failed here, before anything was sent, is tried again.
const HERE_AGAIN: u32 = 60;

/// What buying needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    makers: Vec<Arc<dyn FootageMaker>>,
    ffmpeg: Option<Ffmpeg>,
    scratch: PathBuf,
    footage: Sender,
    animate: Sender,
}

/// The function.
pub struct BuyFootage(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for BuyFootage {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let footage = settings.queue(Hop::Footage.setting());
        let animate = settings.queue(Hop::Animate.setting());
        let (footage, animate) = settings.finish((footage, animate))?;
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            blobs: platform.blobs(&[(Area::Media, Access::Read), (Area::Made, Access::Write)]),
            makers: platform.footage_makers(),
            ffmpeg: env.get("FFMPEG").and_then(|p| Ffmpeg::locate(Some(p.as_ref()), &[])),
            scratch: env.get("SCRATCH").unwrap_or("/tmp").into(),
            footage: platform.sender(Hop::Footage, footage),
            animate: platform.sender(Hop::Animate, animate),
        })
    }
}

impl QueueFunction for BuyFootage {
    const NAME: &'static str = "footage";
    type Deps = Deps;
    type Letter = Enveloped<Footage>;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, letter: Enveloped<Footage>, at: &Invocation) -> Result<(), Failure> {
        let Self(deps) = self;
        let (envelope, id) = (&letter.envelope, letter.message.effect);
        let claiming = Claiming {
            by: Self::NAME,
            ids: &*deps.ambient.ids,
            now: at.now,
            lease: at.lease(),
            gate: Vec::new(),
        };
        let scope = envelope.scope();
        let mut entered = None;
        match approval::redeem::<Purchase>(&deps.table, scope, id, claiming).await {
            // It went with what it was for.
            Err(failure) if failure.kind() == FailureKind::NotFound => return Ok(()),
            Err(failure) => return Err(failure),
            Ok(Redeemed::Send(approved)) => {
                let (outcome, settled) = self.submit(&approved, at).await;
                entered = settled;
                approval::settle(approved, outcome, Self::NAME, deps.ambient.now()).await?;
            }
            Ok(Redeemed::LookUp(unsure)) => {
                let found = self.look_up(id, &unsure, at).await;
                approval::settle_looked_up(unsure, found, Self::NAME, deps.ambient.now()).await?;
            }
            // The relay wakes it again when its time has come, or when its holder's lease is over.
            Ok(
                Redeemed::TooEarly(_)
                | Redeemed::Running(_)
                | Redeemed::Held(_)
                | Redeemed::Nothing(_),
            ) => {}
        }
        self.follow(envelope, id, entered, at).await
    }
}

impl BuyFootage {
    fn maker(&self, provider: &str) -> Option<&dyn FootageMaker> {
        self.0.makers.iter().find(|m| m.name() == provider).map(|m| &**m)
    }

    /// What became of it, and what the ledger has of it where the vendor took it.
    async fn submit(
        &self,
        approved: &Approved<Purchase>,
        at: &Invocation,
    ) -> (Outcome, Option<Entered>) {
        let (maker, brief) = match self.unchanged(approved, at).await {
            Ok(unchanged) => unchanged,
            Err(outcome) => return (outcome, None),
        };
        let now = self.0.ambient.now();
        let call = at.on_behalf_of(approved.scope());
        let Submitted { outcome, charge } = maker.submit(&call, &brief).await;
        let entered = charge.map(|charge| Entered {
            operation: charge.operation.to_owned(),
            cost: charge.cost,
            at: now,
        });
        let outcome = match outcome {
            Outcome::Throttled { after_seconds }
                if outlasts(approved.payload(), after_seconds, self.0.ambient.now()) =>
            {
                let why = format!(
                    "{} takes no order for the next {} minutes, and this offer is over before that; ask for \
                     footage anew then",
                    approved.payload().provider,
                    after_seconds.div_ceil(60)
                );
                Outcome::Refused { why }
            }
            outcome => outcome,
        };
        (outcome, entered)
    }

    /// The vendor and what it is asked for, if all is still as it was when a person approved it; else what becomes of
    /// the purchase without anything having been sent.
    async fn unchanged(
        &self,
        approved: &Approved<Purchase>,
        at: &Invocation,
    ) -> Result<(&dyn FootageMaker, FootageBrief), Outcome> {
        let Self(deps) = self;
        let (purchase, scope) = (approved.payload(), approved.scope());
        let refused = |why: String| Outcome::Refused { why };
        // The claim is given back.
        let later = || Outcome::Throttled { after_seconds: HERE_AGAIN };
        if deps.ffmpeg.is_none() {
            return Err(refused(
                "ffmpeg is not installed here, so footage could not be checked: nothing was bought. Run \
                 `make setup`, then ask anew."
                    .to_owned(),
            ));
        }
        let provider = &purchase.provider;
        let Some(maker) = self.maker(provider) else {
            return Err(refused(format!("nothing here can buy of {provider}")));
        };
        let key = draft_key(scope, purchase.draft);
        let draft =
            records::load::<Draft>(&*deps.table, &key, at.now).await.map_err(|_| later())?;
        match draft.map(|d| d.record) {
            None => return Err(refused("the draft that it was for is gone".to_owned())),
            Some(d) if d.revision != purchase.revision || d.stage != Stage::AwaitingApproval => {
                return Err(refused(
                    "the draft was changed or decided on since; ask for footage anew".to_owned(),
                ));
            }
            Some(_) => {}
        }
        let brief = match purchase.brief(&*deps.blobs).await {
            Ok(brief) => brief,
            Err(Unbriefed::Store(_)) => return Err(later()),
            Err(changed) => return Err(refused(changed.to_string())),
        };
        let quote = maker.quote(&brief).map_err(|no| refused(no.public().to_owned()))?;
        if maker.engine() != purchase.engine || quote.seconds != purchase.seconds {
            return Err(refused(format!(
                "{provider} would make something else now than what was approved; ask for footage anew"
            )));
        }
        if quote.cost > purchase.at_most {
            return Err(refused(format!(
                "{provider} costs more now than what was approved; ask for footage anew"
            )));
        }
        Ok((maker, brief))
    }

    async fn look_up(&self, id: EffectId, unsure: &Unsure<Purchase>, at: &Invocation) -> Found {
        let unknown = |why: String| Found::StillUnknown { why };
        let purchase = unsure.payload();
        let Some(maker) = self.maker(&purchase.provider) else {
            return unknown(format!("nothing here can look at {}", purchase.provider));
        };
        let since = match self.claimed(id, unsure).await {
            Ok(since) => since.unwrap_or(purchase.asked),
            Err(error) => return unknown(error.to_string()),
        };
        let brief = match purchase.brief(&*self.0.blobs).await {
            Ok(brief) => brief,
            Err(error) => return unknown(error.to_string()),
        };
        let found = maker.look_up(&at.on_behalf_of(unsure.scope()), &brief, since).await;
        let Found::Done { receipt, .. } = &found else { return found };
        match self.is_anothers(id, unsure, receipt, at.now).await {
            Ok(false) => found,
            Ok(true) => unknown(format!(
                "the only such job at {} belongs to another purchase",
                purchase.provider
            )),
            Err(error) => unknown(error.to_string()),
        }
    }

    /// When the purchase was last claimed: what is searched for was submitted after that.
    async fn claimed(
        &self,
        id: EffectId,
        unsure: &Unsure<Purchase>,
    ) -> Result<Option<Timestamp>, Failure> {
        let effect = effect::load::<Purchase>(&*self.0.table, unsure.scope(), id).await?;
        let claims = effect.as_ref().map(|e| e.record.history()).unwrap_or_default();
        Ok(claims.iter().rfind(|moved| moved.to == State::Sending).map(|moved| moved.at))
    }

    /// Whether a job is that of another purchase for the same draft: two may have asked for the same.
    async fn is_anothers(
        &self,
        id: EffectId,
        unsure: &Unsure<Purchase>,
        receipt: &str,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let (table, scope) = (&*self.0.table, unsure.scope());
        let key = draft_key(scope, unsure.payload().draft);
        let draft = records::load::<Draft>(table, &key, now).await?;
        let others = draft.map(|d| d.record.purchases).unwrap_or_default();
        for other in others.into_iter().filter(|other| *other != id) {
            let other = effect::load::<Purchase>(table, scope, other).await?;
            if other.as_ref().and_then(|e| following::receipt(&e.record)) == Some(receipt) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a wait ends only when the offer is over: nothing would be bought after it.
fn outlasts(purchase: &Purchase, after_seconds: u32, now: Timestamp) -> bool {
    let wait = SignedDuration::from_secs(i64::from(after_seconds));
    let again = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
    let until = purchase.due_at().saturating_add(Purchase::grace()).unwrap_or(Timestamp::MAX);
    until <= again
}
