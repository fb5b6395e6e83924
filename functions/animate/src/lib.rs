//! Assembles the vertical video of a draft, a film per language, checks what came out, and calls the draft ready
//! for a person.
//!
//! Runs on messages of its queue, one draft each; a second delivery finds the films and does nothing.
//!
//! **Never here:** how a film is encoded (`nexus_media::av`), what networks demand (`film::rules`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nexus_core::{Blobs, Op, Scope, Table, records};
use nexus_engine::draft::Draft;
use nexus_engine::film::Film;
use nexus_engine::hops::Step;
use nexus_engine::line::{self, Turn};
use nexus_engine::media::{Media, MediaClass, NamedBlob, media_key};
use nexus_engine::platform::{Access, Area};
use nexus_engine::{EnginePlatform, Stage, blob_names};
use nexus_handler::{Env, Enveloped, Invocation, QueueFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure, Language};
use nexus_media::av::{
    Assembly, AvError, Caption, Ffmpeg, Shot, Source, VideoPreset, timed_by_reading,
};

/// What remains of the time for storing.
const MARGIN: Duration = Duration::from_secs(10);

/// What animating needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    ffmpeg: Option<Ffmpeg>,
    fonts: PathBuf,
    preset: VideoPreset,
    scratch: PathBuf,
}

/// The function.
pub struct Animate(Deps);

impl Wire<dyn EnginePlatform> for Animate {
    type Deps = Deps;

    fn wire(platform: &dyn EnginePlatform, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let fonts = settings.text("FONTS");
        let presets =
            [VideoPreset::FULL, VideoPreset::QUICK, VideoPreset::TINY].map(|p| (p.name, p));
        let preset = settings.choice("VIDEO_PRESET", &presets, VideoPreset::FULL);
        let (fonts, preset) = settings.finish((fonts, preset))?;
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            blobs: platform.blobs(&[(Area::Media, Access::Read), (Area::Made, Access::Write)]),
            ffmpeg: env.get("FFMPEG").and_then(|p| Ffmpeg::locate(Some(p.as_ref()), &[])),
            fonts: fonts.into(),
            preset,
            scratch: env.get("SCRATCH").unwrap_or("/tmp").into(),
        })
    }
}

impl QueueFunction for Animate {
    const NAME: &'static str = "animate";
    type Deps = Deps;
    type Letter = Enveloped<Step>;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, letter: Enveloped<Step>, at: &Invocation) -> Result<(), Failure> {
        let Self(deps) = self;
        let (envelope, id) = (&letter.envelope, letter.message.draft);
        let (scope, table) = (envelope.scope(), &*deps.table);
        let Turn::Work(mut draft) =
            line::take_turn(table, scope, id, Stage::Animating, at.now).await?
        else {
            return Ok(());
        };
        let media =
            records::load::<Media>(table, &media_key(scope, draft.record.media), at.now).await?;
        let Some(media) = media.map(|m| m.record) else { return Ok(()) };
        let mut ops: Vec<Op> = Vec::new();
        match &deps.ffmpeg {
            None => draft.record.note(
                "no_ffmpeg",
                "ffmpeg is not installed, so there is no narration and no video. Run `make setup`.",
            ),
            Some(ffmpeg) => {
                let ffmpeg = ffmpeg.within(at.time_left().saturating_sub(MARGIN));
                let folder = tempfile::tempdir_in(&deps.scratch).map_err(no_room)?;
                let shots = self.shots(&media, folder.path()).await?;
                let engine =
                    format!("ffmpeg {} assembly", ffmpeg.version().await.map_err(film_failed)?);
                let languages: Vec<Language> = draft.record.words.keys().copied().collect();
                for language in languages {
                    if draft.record.films.contains_key(&language) {
                        continue;
                    }
                    let film = self
                        .film(
                            scope,
                            &draft.record,
                            language,
                            &shots,
                            &ffmpeg,
                            &engine,
                            folder.path(),
                        )
                        .await?;
                    ops.push(blob_names::name(scope, &film.video.key, &id));
                    ops.push(blob_names::name(scope, &film.poster.key, &id));
                    draft.record.films.insert(language, film);
                }
            }
        }
        line::hand_over(table, envelope, &deps.ambient, *draft, Stage::AwaitingApproval, None, ops)
            .await
    }
}

impl Animate {
    /// What is seen: the clip, or the photo in three frames that the film moves over.
    async fn shots(&self, media: &Media, folder: &Path) -> Result<Vec<Shot>, Failure> {
        let clean = media.clean.as_ref();
        let clean = clean
            .ok_or_else(|| Failure::bug(format!("{} is ready and has no clean copy", media.id)))?;
        if media.class == Some(MediaClass::Video) {
            let clip = folder.join("clip");
            self.fetch(clean, &clip).await?;
            return Ok(vec![Shot { source: Source::Clip(clip), keep_sound: false }]);
        }
        // A rendition that fills its frame shows the photo closest; one that is fitted holds a blurred cover of its
        // own, which the film makes itself from the whole photo.
        let filled = media.renditions.iter().filter(|r| !r.fitted && r.height >= r.width).map(|r| &r.blob);
        let stills: Vec<&NamedBlob> = filled.chain(&media.preview).collect();
        let mut shots = Vec::new();
        for (at, blob) in stills.into_iter().enumerate() {
            let still = folder.join(format!("still-{at}.jpg"));
            self.fetch(blob, &still).await?;
            shots.push(Shot { source: Source::Still(still), keep_sound: false });
        }
        // Three shots at least: the same still moves another way in each.
        let shots: Vec<Shot> = shots.iter().cycle().take(shots.len().max(3)).cloned().collect();
        Ok(shots)
    }

    async fn fetch(&self, blob: &NamedBlob, to: &Path) -> Result<(), Failure> {
        match self.0.blobs.fetch(&blob.key, to).await? {
            Some(_) => Ok(()),
            None => Err(Failure::unavailable("The medium is not there to be animated.")),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one film")]
    async fn film(
        &self,
        scope: &Scope,
        draft: &Draft,
        language: Language,
        shots: &[Shot],
        ffmpeg: &Ffmpeg,
        engine: &str,
        folder: &Path,
    ) -> Result<Film, Failure> {
        let Self(deps) = self;
        let narration = match draft.narrations.get(&language) {
            None => None,
            Some(narration) => {
                let track = folder.join(format!("{language}.m4a"));
                self.fetch(&narration.track, &track).await?;
                Some((narration, track))
            }
        };
        let captions = match &narration {
            Some((narration, _)) => {
                let cues = narration.cues.iter();
                cues.map(|c| Caption {
                    start: Duration::from_millis(c.start_ms),
                    end: Duration::from_millis(c.end_ms),
                    text: c.text.clone(),
                })
                .collect()
            }
            None => {
                timed_by_reading(draft.words.get(&language).map_or(&[][..], |w| &w.copy.script))
            }
        };
        let assembly = Assembly {
            preset: deps.preset,
            shots: shots.to_vec(),
            captions,
            narration: narration.map(|(_, track)| track),
            fonts_dir: deps.fonts.clone(),
        };
        let video = folder.join(format!("{language}.mp4"));
        let made = ffmpeg.assemble(&assembly, &video).await.map_err(film_failed)?;
        let poster = folder.join(format!("{language}.jpg"));
        let facts = ffmpeg.probe(&video).await.map_err(film_failed)?;
        ffmpeg.poster(&video, &facts, &poster).await.map_err(film_failed)?;
        Ok(Film {
            video: self
                .store(scope, draft, &format!("{language}.mp4"), &video, "video/mp4")
                .await?,
            poster: self
                .store(scope, draft, &format!("{language}.jpg"), &poster, "image/jpeg")
                .await?,
            width: made.facts.width,
            height: made.facts.height,
            duration_ms: u64::try_from(made.facts.duration.as_millis()).unwrap_or(u64::MAX),
            engine: engine.to_owned(),
        })
    }

    async fn store(
        &self,
        scope: &Scope,
        draft: &Draft,
        name: &str,
        file: &Path,
        content_type: &str,
    ) -> Result<NamedBlob, Failure> {
        let key = scope.blob(Area::Made.name(), &format!("{}/{}-{name}", draft.id, draft.revision));
        let facts = self.0.blobs.put_file(&key, file, content_type).await?;
        Ok(NamedBlob {
            key,
            digest: facts.digest,
            size: facts.size,
            content_type: facts.content_type,
        })
    }
}

fn no_room(error: std::io::Error) -> Failure {
    Failure::unavailable("There is no room to work in.").caused_by(error)
}

fn film_failed(error: AvError) -> Failure {
    Failure::unavailable("The film could not be made.").caused_by(error)
}
