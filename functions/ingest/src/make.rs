//! From an upload's bytes to what is kept of them: a clean copy, a preview, renditions.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use nexus_core::{BlobKey, Scope};
use nexus_engine::media::{Media, MediaClass, MediaFacts, MediaState, NamedBlob, RenditionBlob};
use nexus_engine::platform::Area;
use nexus_handler::Invocation;
use nexus_kernel::{Digest, Failure};
use nexus_media::av::{AvError, Container, Ffmpeg};
use nexus_media::photo::{self, Frame, Limits, PhotoFacts, Rejection, Rendition};
use nexus_media::sniff::{self, Claim, Class, MediaType};

use super::Ingest;

/// The frames that the networks want.
const FRAMES: [Frame; 3] = [Frame::VERTICAL, Frame::SQUARE, Frame::WIDE];
/// The longest side of a preview.
const PREVIEW: u32 = 1_600;
/// What remains of the time for storing.
const MARGIN: Duration = Duration::from_secs(10);

/// What became of an upload.
pub(crate) struct Made {
    pub(crate) content: Digest,
    class: MediaClass,
    facts: MediaFacts,
    clean: NamedBlob,
    preview: Option<NamedBlob>,
    renditions: Vec<RenditionBlob>,
}

/// Why an upload cannot be used.
pub(crate) struct Rejected {
    pub(crate) code: String,
    pub(crate) reason: String,
}

impl From<Rejection> for Rejected {
    fn from(rejection: Rejection) -> Self {
        Self { code: rejection.code().to_owned(), reason: rejection.to_string() }
    }
}

impl Rejected {
    fn new(code: &str, reason: impl Into<String>) -> Self {
        Self { code: code.to_owned(), reason: reason.into() }
    }
}

impl Made {
    /// Writes everything into the medium's record.
    pub(crate) fn into_media(self, media: &mut Media) {
        media.state = MediaState::Ready;
        media.class = Some(self.class);
        media.content = Some(self.content);
        media.facts = self.facts;
        media.clean = Some(self.clean);
        media.preview = self.preview;
        media.renditions = self.renditions;
    }
}

/// A photo, worked on.
struct Photo {
    facts: PhotoFacts,
    clean: Vec<u8>,
    preview: Vec<u8>,
    renditions: Vec<Rendition>,
}

fn work_on(bytes: &[u8], threads: usize) -> Result<Photo, Rejection> {
    let limits = Limits::default();
    let facts = photo::inspect(bytes, &limits)?;
    let scale = f64::from(PREVIEW) / f64::from(facts.width.max(facts.height).max(1));
    let side = |length: u32| ((f64::from(length) * scale.min(1.0)).round() as u32).max(1);
    let mut frames = FRAMES.to_vec();
    frames.push(Frame { width: side(facts.width), height: side(facts.height) });
    let mut renditions = photo::renditions(bytes, &limits, &frames, threads)?;
    let preview = renditions.pop().map(|r| r.jpeg).unwrap_or_default();
    Ok(Photo { facts, clean: photo::clean(bytes, &limits)?, preview, renditions })
}

impl Ingest {
    /// Makes what is kept of an upload; `None` where there are no bytes.
    pub(crate) async fn make(
        &self,
        scope: &Scope,
        media: &Media,
        at: &Invocation,
    ) -> Result<Option<Result<Made, Rejected>>, Failure> {
        let Some(head) = self.0.blobs.head(&media.upload).await? else { return Ok(None) };
        if head.size == 0 {
            return Ok(Some(Err(Rejection::Empty.into())));
        }
        let first = self.0.blobs.range(&media.upload, 0..sniff::HEAD as u64).await?;
        let Some(found) = sniff::sniff(&first.unwrap_or_default()) else {
            let reason = "The file is of no known type. Upload a JPEG, PNG, WebP or GIF photo, an MP4, MOV or WebM \
                          video, or MP3, WAV or M4A sound.";
            return Ok(Some(Err(Rejected::new("unknown_type", reason))));
        };
        let claim = Claim { mime: Some(&head.content_type), ..Claim::default() };
        if let Err(lie) = claim.check(found, head.size) {
            return Ok(Some(Err(Rejected::new("lying", lie.to_string()))));
        }
        let made = match found.class() {
            Class::Photo => self.photo(scope, media).await?,
            Class::Video | Class::Audio => {
                self.recording(scope, media, found, head.digest, at).await?
            }
        };
        Ok(Some(made))
    }

    async fn photo(&self, scope: &Scope, media: &Media) -> Result<Result<Made, Rejected>, Failure> {
        let Some(bytes) = self.0.blobs.get(&media.upload).await? else {
            return Err(Failure::unavailable("The upload is not there yet."));
        };
        let content = Digest::of(&bytes);
        let threads = self.0.threads;
        let work = tokio::task::spawn_blocking(move || work_on(&bytes, threads));
        let done = match work.await.map_err(Failure::bug)? {
            Ok(done) => done,
            Err(rejection) => return Ok(Err(rejection.into())),
        };
        let format = done.facts.format;
        let name = format!("clean.{}", format.extension());
        let clean = self.store(scope, media, &name, done.clean, format.mime()).await?;
        let preview = self.store(scope, media, "preview.jpg", done.preview, "image/jpeg").await?;
        let mut renditions = Vec::new();
        for made in done.renditions {
            let Frame { width, height } = made.frame;
            let name = format!("{width}x{height}.jpg");
            let blob = self.store(scope, media, &name, made.jpeg, "image/jpeg").await?;
            renditions.push(RenditionBlob { width, height, fitted: made.fitted, blob });
        }
        let facts = MediaFacts {
            content_type: format.mime().to_owned(),
            width: done.facts.width,
            height: done.facts.height,
            duration_ms: 0,
            keywords: done.facts.keywords,
            description: done.facts.description.or(done.facts.title),
        };
        Ok(Ok(Made {
            content,
            class: MediaClass::Photo,
            facts,
            clean,
            preview: Some(preview),
            renditions,
        }))
    }

    /// A video or a sound: decoded whole, its metadata stripped; a video's poster is worked on like a photo.
    async fn recording(
        &self,
        scope: &Scope,
        media: &Media,
        found: MediaType,
        content: Digest,
        at: &Invocation,
    ) -> Result<Result<Made, Rejected>, Failure> {
        let Self(deps) = self;
        let Some(ffmpeg) = &deps.ffmpeg else {
            let reason = "Video and sound need ffmpeg, which is not installed here. Run `make setup`, then upload again.";
            return Ok(Err(Rejected::new("no_ffmpeg", reason)));
        };
        let Some(container) = container(found) else {
            return Ok(Err(Rejected::new(
                "unsupported",
                "This kind of recording cannot be read here.",
            )));
        };
        let ffmpeg = ffmpeg.within(at.time_left().saturating_sub(MARGIN));
        let folder = tempfile::tempdir_in(&deps.scratch).map_err(no_room)?;
        let (raw, clean) = (folder.path().join("raw"), folder.path().join("clean"));
        deps.blobs.fetch(&media.upload, &raw).await?;
        let worked = async {
            ffmpeg.decode_fully(&raw).await?;
            ffmpeg.strip(&raw, &clean, container).await?;
            ffmpeg.probe(&clean).await
        };
        let facts = match worked.await {
            Ok(facts) => facts,
            Err(error) => return broken(error),
        };
        let class = if facts.video.is_some() { MediaClass::Video } else { MediaClass::Audio };
        let (mut preview, mut renditions) = (None, Vec::new());
        if class == MediaClass::Video {
            match self.poster(scope, media, &ffmpeg, &clean, folder.path()).await? {
                Ok((whole, frames)) => (preview, renditions) = (Some(whole), frames),
                Err(rejected) => return Ok(Err(rejected)),
            }
        }
        let key = key(scope, media, &format!("clean.{}", found.extension()));
        let stored = deps.blobs.put_file(&key, &clean, found.mime()).await?;
        let clean = NamedBlob {
            key,
            digest: stored.digest,
            size: stored.size,
            content_type: found.mime().to_owned(),
        };
        let (width, height) = facts.video.as_ref().map_or((0, 0), |v| (v.width, v.height));
        let facts = MediaFacts {
            content_type: found.mime().to_owned(),
            width,
            height,
            duration_ms: u64::try_from(facts.duration.as_millis()).unwrap_or(u64::MAX),
            keywords: Vec::new(),
            description: None,
        };
        Ok(Ok(Made { content, class, facts, clean, preview, renditions }))
    }

    async fn poster(
        &self,
        scope: &Scope,
        media: &Media,
        ffmpeg: &Ffmpeg,
        video: &Path,
        folder: &Path,
    ) -> Result<Result<(NamedBlob, Vec<RenditionBlob>), Rejected>, Failure> {
        let still = folder.join("poster.jpg");
        let made = async {
            let facts = ffmpeg.probe(video).await?;
            ffmpeg.poster(video, &facts, &still).await
        };
        if let Err(error) = made.await {
            return broken(error);
        }
        let bytes = tokio::fs::read(&still).await.map_err(no_room)?;
        let threads = self.0.threads;
        let work = tokio::task::spawn_blocking(move || work_on(&bytes, threads));
        let done = match work.await.map_err(Failure::bug)? {
            Ok(done) => done,
            Err(rejection) => return Ok(Err(rejection.into())),
        };
        let preview = self.store(scope, media, "preview.jpg", done.preview, "image/jpeg").await?;
        let mut renditions = Vec::new();
        for made in done.renditions {
            let Frame { width, height } = made.frame;
            let blob = self
                .store(scope, media, &format!("{width}x{height}.jpg"), made.jpeg, "image/jpeg")
                .await?;
            renditions.push(RenditionBlob { width, height, fitted: made.fitted, blob });
        }
        Ok(Ok((preview, renditions)))
    }

    async fn store(
        &self,
        scope: &Scope,
        media: &Media,
        name: &str,
        bytes: Vec<u8>,
        content_type: &str,
    ) -> Result<NamedBlob, Failure> {
        let key = key(scope, media, name);
        let facts = self.0.blobs.put(&key, Bytes::from(bytes), content_type).await?;
        Ok(NamedBlob {
            key,
            digest: facts.digest,
            size: facts.size,
            content_type: facts.content_type,
        })
    }
}

fn key(scope: &Scope, media: &Media, name: &str) -> BlobKey {
    scope.blob(Area::Media.name(), &format!("{}/{name}", media.id))
}

fn container(found: MediaType) -> Option<Container> {
    Some(match found {
        MediaType::Mp4 => Container::Mp4,
        MediaType::Mov => Container::Mov,
        MediaType::WebM => Container::WebM,
        MediaType::Mp3 => Container::Mp3,
        MediaType::Wav => Container::Wav,
        MediaType::M4a => Container::M4a,
        _ => return None,
    })
}

/// A file that cannot be decoded is rejected; everything else may work next time.
fn broken<T>(error: AvError) -> Result<Result<T, Rejected>, Failure> {
    match error {
        AvError::Broken(why) => Ok(Err(Rejected::new(
            "corrupt",
            format!(
                "The recording is damaged or cut short ({why}). Export it again and upload that."
            ),
        ))),
        other => {
            Err(Failure::unavailable("The recording could not be worked on.").caused_by(other))
        }
    }
}

fn no_room(error: std::io::Error) -> Failure {
    Failure::unavailable("There is no room to work in.").caused_by(error)
}
