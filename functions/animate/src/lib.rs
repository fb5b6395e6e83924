//! Assembles the vertical video of a draft, a film per language, checks what came out, and calls the draft ready
//! for a person.
//!
//! Runs on messages of its queue, one draft each; a second delivery finds the films and does nothing.
//!
//! **Never here:** how a film is encoded (`nexus_media::av`), what networks demand (`film::rules`).

mod film;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nexus_core::{Blobs, Op, Table, records};
use nexus_engine::account::{Settings, settings_key};
use nexus_engine::draft::Draft;
use nexus_engine::film::rules;
use nexus_engine::hops::Step;
use nexus_engine::line::{self, Turn};
use nexus_engine::media::{Media, media_key};
use nexus_engine::platform::{Access, Area};
use nexus_engine::publishing::Network;
use nexus_engine::{EnginePlatform, Stage, blob_names};
use nexus_handler::{Env, Enveloped, Invocation, QueueFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure, Language};
use nexus_media::av::{Ffmpeg, VideoPreset};

use film::Set;

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

impl<P: EnginePlatform + ?Sized> Wire<P> for Animate {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
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
                let settings =
                    records::load::<Settings>(table, &settings_key(scope), at.now).await?;
                let networks = settings.map(|s| s.record).unwrap_or_default().networks;
                let ffmpeg = ffmpeg.within(at.time_left().saturating_sub(MARGIN));
                let set = Set::build(deps, ffmpeg, &media, &draft.record.footage).await?;
                let languages: Vec<Language> = draft.record.words.keys().copied().collect();
                for language in languages {
                    if draft.record.films.contains_key(&language) {
                        continue;
                    }
                    let (film, facts) = set.film(deps, scope, &draft.record, language).await?;
                    ops.push(blob_names::name(scope, &film.video.key, &id));
                    ops.push(blob_names::name(scope, &film.poster.key, &id));
                    draft.record.films.insert(language, film);
                    self.hold_against_rules(&mut draft.record, language, &facts, &networks);
                }
            }
        }
        line::hand_over(table, envelope, &deps.ambient, *draft, Stage::AwaitingApproval, None, ops)
            .await
    }
}

impl Animate {
    /// Tells a person where a network would refuse the film.
    fn hold_against_rules(
        &self,
        draft: &mut Draft,
        language: Language,
        facts: &rules::VideoFacts,
        networks: &[Network],
    ) {
        for network in networks {
            let mut problems = rules::check(facts, *network);
            if self.0.preset == VideoPreset::TINY {
                // The preset for tests is smaller than any network takes, and says so by its name.
                problems.retain(|p| p.rule != rules::Rule::Size);
            }
            if !problems.is_empty() {
                let why: Vec<String> = problems.into_iter().map(|p| p.text).collect();
                let text =
                    format!("{network} would refuse the video ({language}): {}", why.join(" "));
                draft.note(&format!("film_{network}_{language}"), text);
            }
        }
    }
}
