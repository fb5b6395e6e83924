//! A person asks what footage would cost, and buys it or does not.
//!
//! To ask makes an offer: an effect that nobody approved, over exactly what would be bought. An approval names its
//! digest, and is made with the job and the message to the function `footage`, in one commit. Only an [`Approver`]
//! approves, and only a person is one: no schedule and no engine buys anything.
//!
//! **Never here:** a vendor's answer; HTTP.

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_core::approval::{self, Approver};
use nexus_core::effect::{self, Effect, EffectId, IllegalMove, Payload, State};
use nexus_core::egress::Cost;
use nexus_core::outbox::Outgoing;
use nexus_core::{Blobs, Op, Scope, Sender, Stored, Table, records};
use nexus_kernel::{Digest, Failure, Timestamp};

use super::purchase::{FootageJob, JobState, Purchase, Unbriefed, job_key};
use super::{FootageBrief, FootageMaker, Shape};
use crate::account::{Settings, settings_key};
use crate::desk::{Desk, TRIES};
use crate::draft::{Draft, DraftId, Stage, draft_key};
use crate::editing::MAX_REASON_CHARS;
use crate::hops::{Footage as Message, Hop};
use crate::media::{Media, NamedBlob, media_key};

/// The most characters of a prompt; a vendor may take fewer.
pub const MAX_PROMPT_CHARS: usize = 4_000;
/// How long footage is where nobody says so, in seconds.
pub const USUAL_SECONDS: u32 = 5;
/// The most seconds that may be asked for; a vendor may make fewer.
pub const MAX_SECONDS: u32 = 60;

/// What a person asks for; what is absent is chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Of whom; else the tenant's setting, else the platform's first.
    pub provider: Option<String>,
    /// What should be seen; else the draft's own video prompt.
    pub prompt: Option<String>,
    /// How long, 1 to [`MAX_SECONDS`]; else [`USUAL_SECONDS`].
    pub seconds: Option<u32>,
    /// Its shape; else vertical.
    pub shape: Option<Shape>,
}

/// Makes an offer of footage for a draft, over exactly what would be bought. Asking under the same id again answers
/// the same offer. Nothing leaves the house.
///
/// # Errors
/// There is no such draft; the line is at it, or it waits for nobody; nobody here makes footage; the maker cannot make
/// this (the field and the remedy).
pub async fn ask(
    desk: &Desk<'_>,
    blobs: &dyn Blobs,
    makers: &[Arc<dyn FootageMaker>],
    id: EffectId,
    draft: DraftId,
    wish: &Wish,
) -> Result<Effect<Purchase>, Failure> {
    let Desk { table, scope, .. } = *desk;
    for _ in 0..TRIES {
        if let Some(offer) = effect::load::<Purchase>(table, scope, id).await? {
            return Ok(offer.record);
        }
        let now = desk.now();
        let draft = records::load::<Draft>(table, &draft_key(scope, draft), now).await?;
        let mut draft = draft.ok_or_else(|| Failure::not_found("draft"))?;
        awaits_approval(&draft.record)?;
        let maker = chosen(desk, makers, wish.provider.as_deref()).await?;
        let mut purchase = Purchase {
            draft: draft.record.id,
            revision: draft.record.revision,
            provider: maker.name().to_owned(),
            engine: maker.engine(),
            prompt: prompt(&draft.record, wish.prompt.as_deref())?,
            picture: picture(desk, &draft.record, wish.shape.unwrap_or(Shape::Vertical)).await?,
            seconds: seconds(wish.seconds)?,
            shape: wish.shape.unwrap_or(Shape::Vertical),
            at_most: Cost::ZERO,
            asked: now,
        };
        let brief: FootageBrief = match purchase.brief(blobs).await {
            Ok(brief) => brief,
            Err(Unbriefed::Store(error)) => return Err(error.into()),
            Err(error) => {
                return Err(Failure::conflict(format!("This cannot be asked for: {error}.")));
            }
        };
        let quote = maker.quote(&brief)?;
        (purchase.seconds, purchase.at_most) = (quote.seconds, quote.cost);
        let offer = Effect::proposed(id, purchase, desk.by, now);
        draft.record.purchases.push(id);
        if desk.commit(vec![records::create(scope, &offer), draft.update(scope)]).await? {
            return Ok(offer);
        }
    }
    Err(Desk::crowded())
}

/// Approves an offer, if it still is what the approver saw and the draft is still what it was made for. Approving the
/// same again answers what stands.
///
/// # Errors
/// There is no such offer; it is not what was seen; it or the draft is past; it does not wait for approval.
pub async fn approve(
    desk: &Desk<'_>,
    id: EffectId,
    approver: Approver<'_>,
    seen: Digest,
    footage: &Sender,
) -> Result<Effect<Purchase>, Failure> {
    let Desk { table, scope, .. } = *desk;
    for _ in 0..TRIES {
        let now = desk.now();
        let mut offer = find(table, scope, id).await?;
        if offer.record.approval().is_some_and(|a| a.digest == seen) {
            return Ok(offer.record);
        }
        let purchase = offer.record.payload().clone();
        if offer.record.state() == State::Proposed && purchase.digest() == seen {
            in_time(&purchase, now)?;
        }
        approval::approve(&mut offer.record, approver, seen, now)?;
        let draft = records::load::<Draft>(table, &draft_key(scope, purchase.draft), now).await?;
        let draft =
            draft.ok_or_else(|| Failure::conflict("The draft that this is for is gone."))?;
        awaits_approval(&draft.record)?;
        if draft.record.revision != purchase.revision {
            return Err(Failure::conflict(
                "The draft was changed since this was asked for. Ask for footage anew.",
            ));
        }
        let job = FootageJob::ordered(id, &purchase, now);
        let message = announcement(desk, id)?;
        let ops = vec![
            offer.update(scope),
            draft.unchanged(scope),
            records::create(scope, &job),
            message.op(scope),
        ];
        if desk.commit(ops).await? {
            desk.pass_on(&[message], footage).await;
            return Ok(offer.record);
        }
    }
    Err(Desk::crowded())
}

/// Says no to an offer; the offer as it is then. Saying no twice is one no.
///
/// # Errors
/// There is no such offer; it does not wait for approval; the reason is too long.
pub async fn reject(
    desk: &Desk<'_>,
    id: EffectId,
    reason: Option<&str>,
) -> Result<Effect<Purchase>, Failure> {
    let reason = reason.map(str::trim).filter(|r| !r.is_empty());
    if reason.is_some_and(|r| r.chars().count() > MAX_REASON_CHARS) {
        let problem = format!("write at most {MAX_REASON_CHARS} characters");
        return Err(Failure::field("reason", problem));
    }
    for _ in 0..TRIES {
        let mut offer = find(desk.table, desk.scope, id).await?;
        if offer.record.state() == State::Rejected {
            return Ok(offer.record);
        }
        offer.record.reject(desk.by, reason.unwrap_or("rejected"), desk.now())?;
        if desk.commit(vec![offer.update(desk.scope)]).await? {
            return Ok(offer.record);
        }
    }
    Err(Desk::crowded())
}

/// Calls a purchase off. Before the vendor is asked, nothing is bought; after that the vendor is told to stop, and what
/// was spent is spent. Calling it off twice is once.
///
/// # Errors
/// There is no such purchase; the vendor is being asked right now; it is over.
pub async fn cancel(
    desk: &Desk<'_>,
    id: EffectId,
    footage: &Sender,
) -> Result<Effect<Purchase>, Failure> {
    let Desk { table, scope, .. } = *desk;
    for _ in 0..TRIES {
        let now = desk.now();
        let mut purchase = find(table, scope, id).await?;
        let job = records::load::<FootageJob>(table, &job_key(scope, id), now).await?;
        let (ops, message) = match purchase.record.state() {
            State::Cancelled => return Ok(purchase.record),
            State::Done => {
                let Some(mut job) = job.filter(|j| !j.record.state.is_over()) else {
                    return Err(Failure::conflict("It is over: there is nothing to call off."));
                };
                if job.record.stop.is_some() {
                    return Ok(purchase.record);
                }
                job.record.stop = Some(desk.by.to_owned());
                job.record.look_at = Some(now);
                let message = announcement(desk, id)?;
                (vec![job.update(scope), message.op(scope)], Some(message))
            }
            _ => {
                call_off(&mut purchase.record, desk.by, "called off", now)?;
                (void(scope, &purchase, job), None)
            }
        };
        if desk.commit(ops).await? {
            desk.pass_on(message.as_slice(), footage).await;
            return Ok(purchase.record);
        }
    }
    Err(Desk::crowded())
}

/// The operations that call off, for a removal, what a draft's purchases have not done yet. A job that a vendor works
/// on is given up by the function `footage`, once it finds the draft gone.
///
/// # Errors
/// A vendor is being asked right now; the store does not answer.
pub async fn withdraw(desk: &Desk<'_>, draft: &Draft, why: &str) -> Result<Vec<Op>, Failure> {
    let Desk { table, scope, .. } = *desk;
    let (mut ops, now) = (Vec::new(), desk.now());
    for id in &draft.purchases {
        let Some(mut purchase) = effect::load::<Purchase>(table, scope, *id).await? else {
            continue;
        };
        match purchase.record.state() {
            state if state.is_final() => {}
            State::Sending | State::Unknown => {
                return Err(Failure::conflict(
                    "Footage for it is being bought right now. Try again in a few minutes.",
                ));
            }
            _ => {
                call_off(&mut purchase.record, desk.by, why, now)?;
                let job = records::load::<FootageJob>(table, &job_key(scope, *id), now).await?;
                ops.extend(void(scope, &purchase, job));
            }
        }
    }
    Ok(ops)
}

/// Also where nobody can tell whether the vendor took it: a purchase is never made anew under its approval.
fn call_off(
    purchase: &mut Effect<Purchase>,
    by: &str,
    why: &str,
    now: Timestamp,
) -> Result<(), IllegalMove> {
    match purchase.state() {
        State::AskAPerson => purchase.let_go(by, why, now),
        _ => purchase.cancel(by, why, now),
    }
}

/// The operations that write a purchase which a person says did not happen, and its job.
pub(crate) async fn void_of(
    desk: &Desk<'_>,
    purchase: &Stored<Effect<Purchase>>,
) -> Result<Vec<Op>, Failure> {
    let key = job_key(desk.scope, purchase.record.id);
    let job = records::load::<FootageJob>(desk.table, &key, desk.now()).await?;
    Ok(void(desk.scope, purchase, job))
}

/// The operations that write a purchase which was called off, and its job.
fn void(
    scope: &Scope,
    purchase: &Stored<Effect<Purchase>>,
    job: Option<Stored<FootageJob>>,
) -> Vec<Op> {
    let mut ops = effect::written(scope, purchase);
    if let Some(mut job) = job.filter(|j| !j.record.state.is_over()) {
        let why = match job.record.state {
            JobState::Unsure => "Nobody knows whether the vendor had taken the job.",
            _ => "Nothing was bought.",
        };
        job.record.rests_as(JobState::Cancelled { why: why.to_owned() });
        ops.push(job.update(scope));
    }
    ops
}

async fn find(
    table: &dyn Table,
    scope: &Scope,
    id: EffectId,
) -> Result<Stored<Effect<Purchase>>, Failure> {
    let found = effect::load::<Purchase>(table, scope, id).await?;
    found.ok_or_else(|| Failure::not_found("footage"))
}

fn announcement(desk: &Desk<'_>, id: EffectId) -> Result<Outgoing, Failure> {
    let message = Message { effect: id };
    Outgoing::new(desk.scope, Hop::Footage.name(), &message, desk.trace, desk.ambient)
}

fn awaits_approval(draft: &Draft) -> Result<(), Failure> {
    if draft.stage == Stage::AwaitingApproval {
        return Ok(());
    }
    Err(Failure::conflict(format!(
        "The draft is `{}`; footage can be bought for it while it is `{}`.",
        draft.stage.name(),
        Stage::AwaitingApproval.name()
    )))
}

fn in_time(purchase: &Purchase, now: Timestamp) -> Result<(), Failure> {
    let stands: SignedDuration = Purchase::grace();
    let until = purchase.asked.saturating_add(stands).unwrap_or(Timestamp::MAX);
    if now < until {
        return Ok(());
    }
    Err(Failure::conflict("This offer is older than an hour. Ask for footage anew."))
}

async fn chosen<'m>(
    desk: &Desk<'_>,
    makers: &'m [Arc<dyn FootageMaker>],
    named: Option<&str>,
) -> Result<&'m dyn FootageMaker, Failure> {
    let settings =
        records::load::<Settings>(desk.table, &settings_key(desk.scope), desk.now()).await?;
    let usual = settings.and_then(|s| s.record.providers.footage).map(|p| p.name());
    let maker = match named.or(usual) {
        Some(name) => makers.iter().find(|m| m.name() == name),
        None => makers.first(),
    };
    maker.map(|m| &**m).ok_or_else(|| {
        let there: Vec<&str> = makers.iter().map(|m| m.name()).collect();
        Failure::field(
            "provider",
            match there.as_slice() {
                [] => "nobody who makes footage is set up here".to_owned(),
                there => format!("choose one that is set up here: {}", there.join(", ")),
            },
        )
    })
}

fn prompt(draft: &Draft, said: Option<&str>) -> Result<String, Failure> {
    let own = draft.words.values().next().map(|w| w.copy.video_prompt.as_str());
    let prompt = said.or(own).unwrap_or_default().trim();
    if prompt.is_empty() {
        return Err(Failure::field("prompt", "say what should be seen and how the camera moves"));
    }
    if prompt.chars().count() > MAX_PROMPT_CHARS {
        let problem = format!("write at most {MAX_PROMPT_CHARS} characters");
        return Err(Failure::field("prompt", problem));
    }
    Ok(prompt.to_owned())
}

fn seconds(said: Option<u32>) -> Result<u32, Failure> {
    let seconds = said.unwrap_or(USUAL_SECONDS);
    if (1..=MAX_SECONDS).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Failure::field("seconds", format!("choose 1 to {MAX_SECONDS}")))
}

/// The picture that footage begins with: the rendition that fills a frame of its shape, else the whole picture.
async fn picture(
    desk: &Desk<'_>,
    draft: &Draft,
    shape: Shape,
) -> Result<Option<NamedBlob>, Failure> {
    let key = media_key(desk.scope, draft.media);
    let media = records::load::<Media>(desk.table, &key, desk.now()).await?;
    let Some(media) = media.map(|m| m.record) else { return Ok(None) };
    let fills = media.renditions.iter().find(|r| {
        let lies_so = match shape {
            Shape::Vertical => r.height > r.width,
            Shape::Horizontal => r.width > r.height,
        };
        lies_so && !r.fitted
    });
    Ok(fills.map(|r| r.blob.clone()).or(media.preview))
}
