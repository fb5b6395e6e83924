//! One look at a job that a vendor works on, and the ends that it can come to.

use jiff::SignedDuration;
use nexus_core::effect::Effect;
use nexus_core::{Envelope, Stored, records};
use nexus_engine::Draft;
use nexus_engine::draft::draft_key;
use nexus_engine::footage::purchase::{FootageJob, JobState, LAST_TRIES, Purchase};
use nexus_engine::footage::{FootageMaker, Looked, Progress};
use nexus_handler::Invocation;
use nexus_kernel::{Failure, FailureKind, Timestamp};

use super::BuyFootage;
use super::arriving::Unusable;

/// Seconds until a vendor that did not answer is asked again.
const SILENT_AGAIN: u32 = 60;
/// By how much a message may come before its moment and still be the one that was meant: two machines' clocks differ.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(2);

/// How a look ended.
enum Seen {
    /// Look again in so many seconds.
    Again(u32),
    /// The vendor did not answer, or what it gave could not be worked on here; later it may.
    Failing(Failure),
    /// It is over, with a note for the draft.
    Over(JobState, Option<(&'static str, String)>),
    /// It stands in the draft, committed.
    Arrived,
}

impl BuyFootage {
    /// Looks how far a job is, unless its moment has not come.
    pub(crate) async fn look(
        &self,
        envelope: &Envelope,
        effect: &Effect<Purchase>,
        mut job: Stored<FootageJob>,
        at: &Invocation,
    ) -> Result<(), Failure> {
        let now = self.0.ambient.now();
        let due = job.record.look_at.unwrap_or(Timestamp::MIN);
        if now.saturating_add(CLOCKS_DIFFER).unwrap_or(now) < due {
            // A second message of the same look; the one that counts comes at its time.
            return Ok(());
        }
        let JobState::Waiting { job: name, until } = job.record.state.clone() else {
            return Ok(());
        };
        job.record.looks = job.record.looks.saturating_add(1);
        match self.see(envelope, effect, &mut job, &name, until, at).await? {
            Seen::Arrived => Ok(()),
            Seen::Over(state, note) => self.end(envelope.scope(), job, state, note).await,
            Seen::Again(after) => self.look_again(envelope, job, after).await,
            Seen::Failing(failure) => {
                let id = job.record.effect;
                tracing::warn!(purchase = %id, error = %failure, "a look at a vendor's job came to nothing");
                let last = until.saturating_add(LAST_TRIES).unwrap_or(Timestamp::MAX);
                if self.0.ambient.now() < last {
                    return self.look_again(envelope, job, SILENT_AGAIN).await;
                }
                let provider = &job.record.provider;
                let text = format!(
                    "The footage that was ordered of {provider} never came: {} It may lie there, and be paid.",
                    failure.public()
                );
                let why = failure.public().to_owned();
                let state = JobState::Failed { code: "unreachable".into(), why, again: true };
                self.end(envelope.scope(), job, state, Some(("footage_failed", text))).await
            }
        }
    }

    async fn see(
        &self,
        envelope: &Envelope,
        effect: &Effect<Purchase>,
        job: &mut Stored<FootageJob>,
        name: &str,
        until: Timestamp,
        at: &Invocation,
    ) -> Result<Seen, Failure> {
        let scope = envelope.scope();
        let provider = job.record.provider.clone();
        let provider = provider.as_str();
        let Some(maker) = self.maker(provider) else {
            let why = format!("Nothing here can ask {provider} any more.");
            return Ok(Seen::Failing(Failure::unavailable(why)));
        };
        let call = at.on_behalf_of(scope);
        let key = draft_key(scope, job.record.draft);
        let gone = records::load::<Draft>(&*self.0.table, &key, at.now).await?.is_none();
        if gone || job.record.stop.is_some() {
            if let Err(failure) = maker.cancel(&call, name).await {
                return Ok(Seen::Failing(failure));
            }
            let why = given_up(maker);
            return Ok(if gone {
                Seen::Over(JobState::Late { why: format!("The draft is gone. {why}") }, None)
            } else {
                Seen::Over(JobState::Cancelled { why }, None)
            });
        }
        let Looked { progress, used } = match maker.status(&call, name).await {
            Ok(looked) => looked,
            Err(failure) => return Ok(Seen::Failing(failure)),
        };
        job.record.used = used;
        match progress {
            Progress::Waiting { after_seconds } if self.0.ambient.now() < until => {
                Ok(Seen::Again(after_seconds))
            }
            Progress::Waiting { .. } => {
                if let Err(failure) = maker.cancel(&call, name).await {
                    return Ok(Seen::Failing(failure));
                }
                let why = format!("It was not ready after two hours. {}", given_up(maker));
                let text =
                    format!("The footage that was ordered of {provider} did not come. {why}");
                Ok(Seen::Over(JobState::Expired { why }, Some(("footage_expired", text))))
            }
            Progress::Failed { code, why, again } => Ok(failed(provider, &code, why, again)),
            Progress::Ready => {
                let bytes = match maker.fetch(&call, name).await {
                    Ok(bytes) => bytes,
                    Err(gone) if gone.kind() == FailureKind::NotFound => {
                        let why = "It was made, and the vendor has it no more.".to_owned();
                        return Ok(failed(provider, "expired", why, true));
                    }
                    Err(failure) => return Ok(Seen::Failing(failure)),
                };
                let checked = match self.check(bytes, at).await {
                    Ok(checked) => checked,
                    Err(Unusable::Here(failure)) => return Ok(Seen::Failing(failure)),
                    Err(Unusable::Itself(why)) => {
                        return Ok(failed(provider, "unusable", why, true));
                    }
                };
                match self.arrive(envelope, effect, checked, used).await? {
                    None => Ok(Seen::Arrived),
                    Some(why) => {
                        let text = format!("Footage of {provider} came too late: {why}");
                        Ok(Seen::Over(JobState::Late { why }, Some(("footage_late", text))))
                    }
                }
            }
        }
    }
}

fn failed(provider: &str, code: &str, why: String, again: bool) -> Seen {
    let text = format!("The footage that was ordered of {provider} came to nothing: {why}");
    let state = JobState::Failed { code: code.to_owned(), why, again };
    Seen::Over(state, Some(("footage_failed", text)))
}

/// What a vendor was told, where a job is given up.
fn given_up(maker: &dyn FootageMaker) -> String {
    let name = maker.name();
    if maker.can_cancel() {
        format!("{name} was told to stop; what was spent until then is spent.")
    } else {
        format!("{name} cannot be told to stop: the job runs to its end there, and is paid.")
    }
}
