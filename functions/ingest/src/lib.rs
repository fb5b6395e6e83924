//! Checks, cleans and renders what a browser uploaded, and begins a draft from it.
//!
//! Runs on the bucket's notices. The type comes from the bytes, not the name. What cannot be used ends as
//! `rejected` with a reason; the same content twice is one medium. A second delivery finds the result, passes on
//! again and deletes what was left of the upload.
//!
//! **Never here:** how pictures and sound are worked on (`nexus_media`), what is said about them.

mod make;

use std::path::PathBuf;
use std::sync::Arc;

use nexus_core::directory::OutsideKind;
use nexus_core::outbox::{self, Outgoing};
use nexus_core::{Blobs, Directory, Op, Product, Scope, Sender, Stored, Table, records};
use nexus_engine::draft::Draft;
use nexus_engine::hops::Step;
use nexus_engine::media::{
    ContentHash, Media, MediaClass, MediaId, MediaState, content_key, media_key,
};
use nexus_engine::platform::{Access, Area};
use nexus_engine::{EnginePlatform, Hop, blob_names};
use nexus_handler::{Created, Env, Invocation, QueueFunction, S3Notice, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure, Timestamp};
use nexus_media::av::Ffmpeg;

use make::Made;

/// What ingesting needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    ffmpeg: Option<Ffmpeg>,
    scratch: PathBuf,
    threads: usize,
    tag: Sender,
}

/// The function.
pub struct Ingest(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for Ingest {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let tag = settings.queue(Hop::Tag.setting());
        let threads = settings.number("THREADS", 1..=16, 2);
        let (tag, threads) = settings.finish((tag, threads))?;
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            blobs: platform.blobs(&[(Area::In, Access::Write), (Area::Media, Access::Write)]),
            ffmpeg: env.get("FFMPEG").and_then(|p| Ffmpeg::locate(Some(p.as_ref()), &[])),
            scratch: env.get("SCRATCH").unwrap_or("/tmp").into(),
            threads,
            tag: platform.sender(Hop::Tag, tag),
        })
    }
}

impl QueueFunction for Ingest {
    const NAME: &'static str = "ingest";
    type Deps = Deps;
    type Letter = S3Notice;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, notice: S3Notice, at: &Invocation) -> Result<(), Failure> {
        for created in notice.0 {
            self.one(&created, at).await?;
        }
        Ok(())
    }
}

impl Ingest {
    async fn one(&self, created: &Created, at: &Invocation) -> Result<(), Failure> {
        let Self(deps) = self;
        let table = &*deps.table;
        let directory = Directory::of(Product::Engine);
        let upload = created.key.as_str();
        let Some((scope, media)) =
            directory.resolve(table, OutsideKind::Upload, upload, at.now).await?
        else {
            // Nobody announced it, or what it belonged to is gone: the sweep deletes it.
            return Ok(());
        };
        let id = MediaId::parse(&media)?;
        let Some(media) = records::load::<Media>(table, &media_key(&scope, id), at.now).await?
        else {
            return Ok(());
        };
        match media.record.state {
            MediaState::AwaitingUpload => {
                // The request that it goes back to begins here, with the medium.
                let at = Invocation { trace: id.to_string(), ..at.clone() };
                self.take_in(&scope, media, &at).await?;
            }
            MediaState::Ready => {
                if let Some(draft) = media.record.draft {
                    outbox::send_again(&scope, &deps.tag, &Step { draft }, &id.to_string()).await?;
                }
            }
            MediaState::Duplicate { .. } | MediaState::Rejected { .. } => {}
        }
        deps.blobs.delete(&created.key).await?;
        Ok(())
    }

    /// Looks at the bytes and commits what became of them.
    async fn take_in(
        &self,
        scope: &Scope,
        mut media: Stored<Media>,
        at: &Invocation,
    ) -> Result<(), Failure> {
        let Self(deps) = self;
        let id = media.record.id;
        let made = match self.make(scope, &media.record, at).await? {
            // The bytes are not there: the notice came before them, or after they were deleted.
            None => return Err(Failure::unavailable("The upload is not there yet.")),
            Some(Ok(made)) => made,
            Some(Err(rejected)) => {
                media.record.state =
                    MediaState::Rejected { code: rejected.code, reason: rejected.reason };
                deps.table.commit(vec![media.update(scope)], None).await?;
                return Ok(());
            }
        };
        if let Some(first) = self.same_content(scope, &made, id, at.now).await? {
            media.record.state = MediaState::Duplicate { of: first };
            media.record.content = Some(made.content);
            deps.table.commit(vec![media.update(scope)], None).await?;
            return Ok(());
        }
        let content = ContentHash { content: made.content, media: id };
        let mut ops: Vec<Op> = vec![records::create(scope, &content)];
        made.into_media(&mut media.record);
        ops.extend(media.record.blobs().map(|b| blob_names::name(scope, &b.key, &id)));
        // Sound alone begins no draft: it is kept to be used.
        let outgoing = if media.record.class == Some(MediaClass::Audio) {
            None
        } else {
            let draft =
                Draft::begin(id, media.record.vertical.clone(), media.record.product, at.now);
            media.record.draft = Some(draft.id);
            ops.push(records::create(scope, &draft));
            let outgoing = Outgoing::new(
                scope,
                Hop::Tag.name(),
                &Step { draft: draft.id },
                &at.trace,
                &deps.ambient,
            )?;
            ops.push(outgoing.op(scope));
            Some(outgoing)
        };
        ops.push(media.update(scope));
        deps.table.commit(ops, None).await?;
        if let Some(outgoing) = outgoing {
            outgoing.pass_on(scope, &*deps.table, &deps.tag).await;
        }
        Ok(())
    }

    /// The tenant's medium that was first with this content.
    async fn same_content(
        &self,
        scope: &Scope,
        made: &Made,
        id: MediaId,
        now: Timestamp,
    ) -> Result<Option<MediaId>, Failure> {
        let first =
            records::load::<ContentHash>(&*self.0.table, &content_key(scope, made.content), now)
                .await?;
        Ok(first.map(|f| f.record.media).filter(|first| *first != id))
    }
}
