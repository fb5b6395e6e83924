//! One post to its network: what it shows is read and held against what was approved, the network's limits are asked
//! for, and it is sent.

use std::time::Duration;

use jiff::SignedDuration;
use nexus_core::approval::Unsure;
use nexus_core::effect::{Found, Outcome};
use nexus_core::{Approved, CallContext, records};
use nexus_engine::connections::{Access, Connection, NoAccess, Quiet, Unasked, connection_key};
use nexus_engine::publishing::{Medium, Network, PostPlan, Publisher};
use nexus_handler::Invocation;
use nexus_kernel::{Digest, Failure, FailureKind, Timestamp};

use crate::Deps;

/// How long a network may fetch a picture.
const FETCHABLE: SignedDuration = SignedDuration::from_hours(1);
/// How much of a call's time is left over for writing down what became of a post.
const MARGIN: Duration = Duration::from_secs(5);
/// After how many seconds a post is tried again whose store did not answer.
const STORE_AGAIN: u32 = 60;

/// What is said of a post whose network did not say anything.
const UNANSWERED: &str = "its network did not answer in time";

/// Sends a claimed post. One whose account lets nobody in any more has certainly not happened: no person has to look
/// whether it is there, and it can be sent anew once the account is connected again.
pub(crate) async fn send(
    deps: &Deps,
    approved: &mut Approved<PostPlan>,
    at: &Invocation,
) -> Outcome {
    match tried(deps, approved, at).await {
        Outcome::Login { why } => Outcome::Refused { why },
        other => other,
    }
}

/// What comes of it, with one more try where a token was refused that somebody has refreshed since. Enough of the call's
/// time stays to write that down, whatever the network does.
async fn tried(deps: &Deps, approved: &mut Approved<PostPlan>, at: &Invocation) -> Outcome {
    let at = &shortened(at, deps.ambient.now());
    let context = at.on_behalf_of(approved.scope());
    let ready = match tokio::time::timeout(at.time_left(), prepared(deps, approved, &context)).await
    {
        Ok(Ok(ready)) => ready,
        Ok(Err(outcome)) => return outcome,
        Err(_) => return Outcome::Throttled { after_seconds: STORE_AGAIN },
    };
    if at.time_left().is_zero() {
        return Outcome::Throttled { after_seconds: STORE_AGAIN };
    }
    let sent = tokio::time::timeout(at.time_left(), sent(deps, approved, &context, ready)).await;
    sent.unwrap_or_else(|_| Outcome::Unknown { why: UNANSWERED.to_owned() })
}

async fn sent(
    deps: &Deps,
    approved: &mut Approved<PostPlan>,
    at: &CallContext,
    (publisher, access, medium): (&dyn Publisher, Option<Access>, Medium),
) -> Outcome {
    let sent = publisher.publish(at, access.as_ref(), approved, medium.clone()).await;
    let (Outcome::Login { .. }, Some(refused)) = (&sent, &access) else { return sent };
    // Nothing was sent: its token was refused. Somebody may have refreshed it meanwhile.
    match deps.accounts.refused(at, refused).await {
        Ok(access) => publisher.publish(at, Some(&access), approved, medium).await,
        Err(none) => without_access(none),
    }
}

/// The rest of a call, without the time that it takes to write down what became of it.
fn shortened(at: &Invocation, now: Timestamp) -> Invocation {
    let deadline = at.deadline.checked_sub(MARGIN).unwrap_or(at.deadline);
    Invocation { now, deadline, ..at.clone() }
}

/// Everything that sending takes; else what becomes of the post without anything having been sent.
async fn prepared<'d>(
    deps: &'d Deps,
    approved: &Approved<PostPlan>,
    at: &CallContext,
) -> Result<(&'d dyn Publisher, Option<Access>, Medium), Outcome> {
    let plan = approved.payload();
    let publisher = publisher(deps, plan.network).ok_or_else(|| Outcome::Refused {
        why: format!("nothing here can post to {}", plan.network),
    })?;
    let medium = medium(deps, plan).await?;
    let asked = deps.accounts.preflight(at, publisher, plan).await;
    let (access, preflight) = asked.map_err(|why| match why {
        Unasked::NoAccess(none) => without_access(none),
        Unasked::Network(failure) => unasked(failure),
    })?;
    if !preflight.problems.is_empty() {
        let why: Vec<String> = preflight.problems.into_iter().map(|p| p.problem).collect();
        return Err(Outcome::Refused { why: why.join("; ") });
    }
    Ok((publisher, access, medium))
}

/// What the post shows, if it still is what was approved.
async fn medium(deps: &Deps, plan: &PostPlan) -> Result<Medium, Outcome> {
    let refused = |why: &str| Outcome::Refused { why: why.to_owned() };
    let media = plan.media.as_ref().ok_or_else(|| refused("the post shows nothing"))?;
    let later = || Outcome::Throttled { after_seconds: STORE_AGAIN };
    let bytes = deps.blobs.get(&media.blob).await.map_err(|_| later())?;
    let bytes = bytes.ok_or_else(|| refused("what it shows is gone"))?;
    if Digest::of(&bytes) != media.digest {
        return Err(refused("what it shows is not what was approved"));
    }
    let address = if media.is_picture() && plan.network.has_accounts() {
        let until = deps.ambient.now().saturating_add(FETCHABLE).unwrap_or(Timestamp::MAX);
        Some(deps.blobs.sign_download(&media.blob, until).await.map_err(|_| later())?)
    } else {
        None
    };
    Ok(Medium { content_type: media.content_type.clone(), bytes, address })
}

/// Looks whether a post is there.
pub(crate) async fn look_up(deps: &Deps, unsure: &Unsure<PostPlan>, at: &Invocation) -> Found {
    let at = shortened(at, deps.ambient.now());
    let context = at.on_behalf_of(unsure.scope());
    let found = tokio::time::timeout(at.time_left(), found(deps, unsure, &context)).await;
    found.unwrap_or_else(|_| Found::StillUnknown { why: UNANSWERED.to_owned() })
}

async fn found(deps: &Deps, unsure: &Unsure<PostPlan>, at: &CallContext) -> Found {
    let plan = unsure.payload();
    let unknown = |why: String| Found::StillUnknown { why };
    let Some(publisher) = publisher(deps, plan.network) else {
        return unknown(format!("nothing here can look at {}", plan.network));
    };
    let access = match plan.connection {
        Some(id) => match deps.accounts.access(at, id).await {
            Ok(access) => Some(access),
            Err(NoAccess::Ended { why }) => return unknown(why),
            Err(NoAccess::Later { after_seconds }) => return Found::Later { after_seconds },
            Err(NoAccess::Failed(failure)) => return unknown(failure.public().to_owned()),
        },
        None => None,
    };
    publisher.look_up(at, access.as_ref(), unsure).await
}

/// Leaves an account alone for as long as its network asked for, so that its other posts do not ask either.
pub(crate) async fn heed(deps: &Deps, approved: &Approved<PostPlan>, outcome: &Outcome) {
    let (Outcome::Throttled { after_seconds }, Some(id)) = (outcome, approved.payload().connection)
    else {
        return;
    };
    let (scope, now) = (approved.scope(), deps.ambient.now());
    let Ok(until) = now.checked_add(SignedDuration::from_secs(i64::from(*after_seconds))) else {
        return;
    };
    let key = connection_key(scope, id);
    let Ok(Some(mut connection)) = records::load::<Connection>(&*deps.table, &key, now).await
    else {
        return;
    };
    if connection.record.quiet.as_ref().is_some_and(|quiet| quiet.until >= until) {
        return;
    }
    let why = "another post of this account was asked to wait".to_owned();
    connection.record.quiet = Some(Quiet { until, why });
    if let Err(error) = deps.table.commit(vec![connection.update(scope)], None).await {
        // Then the next post of this account asks once more.
        tracing::debug!(connection = %id, %error, "that an account is left alone was not written down");
    }
}

fn publisher(deps: &Deps, network: Network) -> Option<&dyn Publisher> {
    deps.publishers.iter().find(|p| p.network() == network).map(|p| &**p)
}

fn without_access(none: NoAccess) -> Outcome {
    match none {
        NoAccess::Ended { why } => Outcome::Login { why },
        NoAccess::Later { after_seconds } => Outcome::Throttled { after_seconds },
        NoAccess::Failed(_) => Outcome::Throttled { after_seconds: STORE_AGAIN },
    }
}

fn unasked(failure: Failure) -> Outcome {
    match failure.kind() {
        FailureKind::Conflict | FailureKind::Denied => {
            Outcome::Login { why: failure.public().to_owned() }
        }
        FailureKind::Invalid => Outcome::Refused { why: failure.public().to_owned() },
        _ => {
            let wait = failure.wait().map_or(u64::from(STORE_AGAIN), |wait| wait.as_secs() + 1);
            Outcome::Throttled { after_seconds: u32::try_from(wait).unwrap_or(u32::MAX) }
        }
    }
}
