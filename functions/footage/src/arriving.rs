//! Footage that came: checked and cleaned as an upload is, then part of its draft, which goes back to have its films
//! made anew.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use nexus_core::effect::Effect;
use nexus_core::outbox::Outgoing;
use nexus_core::table::CommitError;
use nexus_core::{Envelope, Op, records};
use nexus_engine::draft::draft_key;
use nexus_engine::footage::purchase::{Footage, FootageJob, JobState, Purchase, job_key};
use nexus_engine::footage::{MAX_FOOTAGE, Used};
use nexus_engine::hops::Step;
use nexus_engine::media::NamedBlob;
use nexus_engine::platform::Area;
use nexus_engine::{Draft, Hop, Stage, blob_names};
use nexus_handler::Invocation;
use nexus_kernel::Failure;
use nexus_media::av::{AvError, Container};
use nexus_media::sniff::{self, MediaType};
use tempfile::TempDir;

use super::BuyFootage;

/// What remains of the time for storing.
const MARGIN: Duration = Duration::from_secs(10);
/// How often a draft that somebody else changes meanwhile is read again.
const TRIES: u32 = 4;

/// Footage that was checked: a clean copy in a folder that goes with this.
pub(crate) struct Checked {
    folder: TempDir,
    kind: MediaType,
    width: u32,
    height: u32,
    duration_ms: u64,
}

/// Why what came cannot be used.
pub(crate) enum Unusable {
    /// It cannot be worked on here now; later it may.
    Here(Failure),
    /// It is nothing that can be used, and will not be.
    Itself(String),
}

impl Checked {
    fn clean(&self) -> PathBuf {
        self.folder.path().join("clean")
    }
}

impl BuyFootage {
    /// Checks what a vendor gave: it is of nobody's trust. Its type comes from its bytes, all of it is decoded, and the
    /// copy that is kept has nothing but picture and sound.
    pub(crate) async fn check(&self, bytes: Bytes, at: &Invocation) -> Result<Checked, Unusable> {
        let Some(ffmpeg) = &self.0.ffmpeg else {
            let why =
                "ffmpeg is not installed here, so footage cannot be checked. Run `make setup`.";
            return Err(Unusable::Here(Failure::unavailable(why)));
        };
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > MAX_FOOTAGE {
            let why = format!("It has {size} bytes; at most {MAX_FOOTAGE} are taken.");
            return Err(Unusable::Itself(why));
        }
        let found = sniff::sniff(bytes.get(..sniff::HEAD).unwrap_or(&bytes));
        let Some((kind, container)) = found.and_then(|kind| Some((kind, container(kind)?))) else {
            return Err(Unusable::Itself("What came is no MP4, MOV or WebM video.".to_owned()));
        };
        let ffmpeg = ffmpeg.within(at.time_left().saturating_sub(MARGIN));
        let folder = tempfile::tempdir_in(&self.0.scratch).map_err(no_room)?;
        let (raw, clean) = (folder.path().join("raw"), folder.path().join("clean"));
        tokio::fs::write(&raw, &bytes).await.map_err(no_room)?;
        drop(bytes);
        let worked = async {
            ffmpeg.decode_fully(&raw).await?;
            ffmpeg.strip(&raw, &clean, container).await?;
            tokio::fs::remove_file(&raw).await?;
            ffmpeg.probe(&clean).await
        };
        let facts = worked.await.map_err(|error| match error {
            AvError::Broken(why) => {
                Unusable::Itself(format!("What came is damaged or cut short ({why})."))
            }
            other => {
                let why = "The footage could not be worked on.";
                Unusable::Here(Failure::unavailable(why).caused_by(other))
            }
        })?;
        let Some(video) = facts.video else {
            return Err(Unusable::Itself("What came shows nothing.".to_owned()));
        };
        let duration_ms = u64::try_from(facts.duration.as_millis()).unwrap_or(u64::MAX);
        Ok(Checked { folder, kind, width: video.width, height: video.height, duration_ms })
    }

    /// Puts footage into its draft: the blob and its name, the draft a revision further and back at `animate`, the
    /// message, the job's end and what it used, all but the blob in one commit. Where the draft has gone on without it,
    /// the footage is kept out, and why is answered.
    ///
    /// # Errors
    /// A store does not answer; nothing was committed, or the same message finds it committed.
    pub(crate) async fn arrive(
        &self,
        envelope: &Envelope,
        effect: &Effect<Purchase>,
        checked: Checked,
        used: Option<Used>,
    ) -> Result<Option<String>, Failure> {
        let (deps, scope) = (&self.0, envelope.scope());
        let (table, purchase) = (&*deps.table, effect.payload());
        let mut stored: Option<NamedBlob> = None;
        for _ in 0..TRIES {
            let now = deps.ambient.now();
            let job = records::load::<FootageJob>(table, &job_key(scope, effect.id), now).await?;
            let Some(mut job) = job.filter(|j| !j.record.state.is_over()) else { return Ok(None) };
            let key = draft_key(scope, purchase.draft);
            let Some(mut draft) = records::load::<Draft>(table, &key, now).await? else {
                return Ok(Some("The draft is gone.".to_owned()));
            };
            if draft.record.stage > Stage::AwaitingApproval {
                let stage = draft.record.stage.name();
                return Ok(Some(format!("the draft was `{stage}` already; it is left as it is.")));
            }
            let video = match &stored {
                Some(video) => video.clone(),
                None => stored.insert(self.store(envelope, effect, &checked).await?).clone(),
            };
            let mut ops: Vec<Op> = vec![blob_names::name(scope, &video.key, &purchase.draft)];
            job.record.looks = job.record.looks.saturating_add(1);
            job.record.used = used;
            job.record.rests_as(JobState::Ready { video: video.digest });
            ops.push(job.update(scope));
            ops.extend(job.record.corrections(table, scope).await?);
            let films = std::mem::take(&mut draft.record.films);
            let dropped = films.into_values().flat_map(|f| [f.video.key, f.poster.key]);
            ops.extend(dropped.map(|blob| blob_names::forget(scope, &blob)));
            draft.record.footage.push(Footage {
                purchase: effect.id,
                video,
                width: checked.width,
                height: checked.height,
                duration_ms: checked.duration_ms,
                engine: purchase.engine.clone(),
                prompt: purchase.prompt.clone(),
                at_most: purchase.at_most,
            });
            draft.record.notes.retain(|n| !n.code.starts_with("footage_"));
            draft.record.revision = draft.record.revision.saturating_add(1);
            // A draft that an edit sent further back comes to its films by itself.
            draft.record.stage = draft.record.stage.min(Stage::Animating);
            let mut message = None;
            if draft.record.stage == Stage::Animating {
                let step = Step { draft: purchase.draft };
                let (hop, trace) = (Hop::Animate.name(), envelope.trace());
                let outgoing = Outgoing::new(scope, hop, &step, trace, &deps.ambient)?;
                ops.push(outgoing.op(scope));
                message = Some(outgoing);
            }
            ops.push(draft.update(scope));
            match table.commit(ops, None).await {
                Ok(()) => {
                    if let Some(message) = message {
                        message.pass_on(scope, table, &deps.animate).await;
                    }
                    return Ok(None);
                }
                Err(CommitError::Conditions(_) | CommitError::Contended) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::unavailable("The draft was changed again and again meanwhile."))
    }

    async fn store(
        &self,
        envelope: &Envelope,
        effect: &Effect<Purchase>,
        checked: &Checked,
    ) -> Result<NamedBlob, Failure> {
        let (draft, kind) = (effect.payload().draft, checked.kind);
        let name = format!("{draft}/{}.{}", effect.id, kind.extension());
        let key = envelope.scope().blob(Area::Made.name(), &name);
        let facts = self.0.blobs.put_file(&key, &checked.clean(), kind.mime()).await?;
        let content_type = facts.content_type;
        Ok(NamedBlob { key, digest: facts.digest, size: facts.size, content_type })
    }
}

fn container(kind: MediaType) -> Option<Container> {
    match kind {
        MediaType::Mp4 => Some(Container::Mp4),
        MediaType::Mov => Some(Container::Mov),
        MediaType::WebM => Some(Container::WebM),
        _ => None,
    }
}

fn no_room(error: std::io::Error) -> Unusable {
    Unusable::Here(Failure::unavailable("There is no room to work in.").caused_by(error))
}
