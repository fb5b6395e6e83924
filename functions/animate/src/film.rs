//! The film of one language: what is seen, what is heard, what is read.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use nexus_core::Scope;
use nexus_engine::draft::Draft;
use nexus_engine::film::{Film, rules};
use nexus_engine::footage::purchase::Footage;
use nexus_engine::media::{Media, MediaClass, NamedBlob};
use nexus_engine::platform::Area;
use nexus_kernel::{Failure, Language};
use nexus_media::av::{
    Assembly, AvError, Caption, Ffmpeg, Shot, Source, VideoFacts, timed_by_reading,
};

use super::Deps;

/// More clips than these are not shown in one film: the latest are.
const MAX_CLIPS: usize = 4;

/// What the films of one draft share: the shots, the program, a folder to work in.
pub(crate) struct Set {
    shots: Vec<Shot>,
    ffmpeg: Ffmpeg,
    engine: String,
    folder: tempfile::TempDir,
}

impl Set {
    /// Fetches what is seen.
    pub(crate) async fn build(
        deps: &Deps,
        ffmpeg: Ffmpeg,
        media: &Media,
        footage: &[Footage],
    ) -> Result<Self, Failure> {
        let folder = tempfile::tempdir_in(&deps.scratch).map_err(no_room)?;
        let mut engine =
            format!("ffmpeg {} assembly", ffmpeg.version().await.map_err(film_failed)?);
        let footage = &footage[footage.len().saturating_sub(MAX_CLIPS)..];
        let shots = match footage {
            [] => shots(deps, media, folder.path()).await?,
            footage => {
                let makers: BTreeSet<&str> = footage.iter().map(|f| f.engine.as_str()).collect();
                let makers: Vec<&str> = makers.into_iter().collect();
                engine = format!("{engine}, footage by {}", makers.join(" and "));
                clips(deps, footage, folder.path()).await?
            }
        };
        Ok(Self { shots, ffmpeg, engine, folder })
    }

    /// Makes, checks and stores the film of one language.
    pub(crate) async fn film(
        &self,
        deps: &Deps,
        scope: &Scope,
        draft: &Draft,
        language: Language,
    ) -> Result<(Film, rules::VideoFacts), Failure> {
        let script = draft.words.get(&language).map_or(&[][..], |w| &w.copy.script);
        let (captions, narration) = match draft.narrations.get(&language) {
            None => (timed_by_reading(script), None),
            Some(narration) => {
                let track = self.folder.path().join(format!("{language}.m4a"));
                fetch(deps, &narration.track, &track).await?;
                let captions = narration.cues.iter().map(|c| Caption {
                    start: Duration::from_millis(c.start_ms),
                    end: Duration::from_millis(c.end_ms),
                    text: c.text.clone(),
                });
                (captions.collect(), Some(track))
            }
        };
        let assembly = Assembly {
            preset: deps.preset,
            shots: self.shots.clone(),
            captions,
            narration,
            fonts_dir: deps.fonts.clone(),
        };
        let (video, poster) = (
            self.folder.path().join(format!("{language}.mp4")),
            self.folder.path().join(format!("{language}.jpg")),
        );
        let made = self.ffmpeg.assemble(&assembly, &video).await.map_err(film_failed)?;
        let facts = self.ffmpeg.probe(&video).await.map_err(film_failed)?;
        self.ffmpeg.poster(&video, &facts, &poster).await.map_err(film_failed)?;
        let facts = facts_for_rules(&made.facts);
        let film = Film {
            video: store(deps, scope, draft, &format!("{language}.mp4"), &video, "video/mp4")
                .await?,
            poster: store(deps, scope, draft, &format!("{language}.jpg"), &poster, "image/jpeg")
                .await?,
            width: facts.width,
            height: facts.height,
            duration_ms: facts.duration_ms,
            engine: self.engine.clone(),
        };
        Ok((film, facts))
    }
}

/// What is seen where footage was bought: it alone, each in its turn, again and again for as long as it is spoken.
async fn clips(deps: &Deps, footage: &[Footage], folder: &Path) -> Result<Vec<Shot>, Failure> {
    let mut shots = Vec::new();
    for (at, bought) in footage.iter().enumerate() {
        let clip = folder.join(format!("footage-{at}"));
        fetch(deps, &bought.video, &clip).await?;
        // Some vendors add a sound that nobody asked for: the narration is heard alone.
        shots.push(Shot { source: Source::Clip(clip), keep_sound: false });
    }
    Ok(shots)
}

/// What is seen: the clip, or the photo in several ways.
async fn shots(deps: &Deps, media: &Media, folder: &Path) -> Result<Vec<Shot>, Failure> {
    let clean = media.clean.as_ref();
    let clean = clean
        .ok_or_else(|| Failure::bug(format!("{} is ready and has no clean copy", media.id)))?;
    if media.class == Some(MediaClass::Video) {
        let clip = folder.join("clip");
        fetch(deps, clean, &clip).await?;
        return Ok(vec![Shot { source: Source::Clip(clip), keep_sound: false }]);
    }
    // A rendition that fills its frame shows the photo closest; one that is fitted holds a blurred cover of its own,
    // which the film makes itself from the whole photo.
    let filled =
        media.renditions.iter().filter(|r| !r.fitted && r.height >= r.width).map(|r| &r.blob);
    let mut shots = Vec::new();
    for (at, blob) in filled.chain(&media.preview).enumerate() {
        let still = folder.join(format!("still-{at}.jpg"));
        fetch(deps, blob, &still).await?;
        shots.push(Shot { source: Source::Still(still), keep_sound: false });
    }
    // Three shots at least: the same still moves another way in each.
    Ok(shots.iter().cycle().take(shots.len().max(3)).cloned().collect())
}

fn facts_for_rules(made: &VideoFacts) -> rules::VideoFacts {
    rules::VideoFacts {
        content_type: "video/mp4".to_owned(),
        width: made.width,
        height: made.height,
        fps: made.fps,
        duration_ms: u64::try_from(made.duration.as_millis()).unwrap_or(u64::MAX),
        bytes: made.bytes,
        video_codec: made.video_codec.clone(),
        audio: made
            .audio
            .as_ref()
            .map(|a| rules::AudioFacts { codec: a.codec.clone(), channels: a.channels }),
    }
}

async fn fetch(deps: &Deps, blob: &NamedBlob, to: &Path) -> Result<(), Failure> {
    match deps.blobs.fetch(&blob.key, to).await? {
        Some(_) => Ok(()),
        None => Err(Failure::unavailable("The medium is not there to be animated.")),
    }
}

async fn store(
    deps: &Deps,
    scope: &Scope,
    draft: &Draft,
    name: &str,
    file: &Path,
    content_type: &str,
) -> Result<NamedBlob, Failure> {
    let key = scope.blob(Area::Made.name(), &format!("{}/{}-{name}", draft.id, draft.revision));
    let facts = deps.blobs.put_file(&key, file, content_type).await?;
    Ok(NamedBlob { key, digest: facts.digest, size: facts.size, content_type: facts.content_type })
}

fn no_room(error: std::io::Error) -> Failure {
    Failure::unavailable("There is no room to work in.").caused_by(error)
}

fn film_failed(error: AvError) -> Failure {
    Failure::unavailable("The film could not be made.").caused_by(error)
}
