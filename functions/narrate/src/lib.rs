//! Speaks the script of a draft: one sound per sentence, so that captions are timed from real durations, joined
//! into a track of even loudness for each language.
//!
//! Runs on messages of its queue, one draft each; a second delivery finds the voices and only passes on. A voice
//! that is not installed is a note on the draft, not a failure.
//!
//! **Never here:** how a voice speaks (the [`Speech`] port), what is done to sound (`nexus_media::av`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nexus_core::{Blobs, Op, Scope, Sender, Table, records};
use nexus_engine::account::{Settings, settings_key};
use nexus_engine::draft::Draft;
use nexus_engine::hops::Step;
use nexus_engine::line::{self, Turn};
use nexus_engine::media::NamedBlob;
use nexus_engine::narration::{Cue, Narration, Speech, sentences};
use nexus_engine::platform::{Access, Area};
use nexus_engine::providers::{Choice, SpeechProvider};
use nexus_engine::{EnginePlatform, Hop, Stage, blob_names, cache};
use nexus_handler::{Env, Enveloped, Invocation, QueueFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure, FailureKind, Language, Timestamp};
use nexus_media::av::{AvError, Ffmpeg, Segment};
use serde::{Deserialize, Serialize};

/// The loudness of a narration, LUFS (EBU R 128); what came out is within 1 LU of it.
const LOUDNESS: f64 = -16.0;
/// Hertz.
const SAMPLE_RATE: u32 = 48_000;
/// The pause between two sentences.
const PAUSE: Duration = Duration::from_millis(320);
/// What remains of the time for storing.
const MARGIN: Duration = Duration::from_secs(5);
/// The most bytes of a sentence's sound that are kept: in base64 it still fits a row.
const MOST_KEPT: usize = 250_000;

/// What narrating needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    voices: Choice<SpeechProvider, dyn Speech>,
    ffmpeg: Option<Ffmpeg>,
    scratch: PathBuf,
    animate: Sender,
}

/// The function.
pub struct Narrate(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for Narrate {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let animate = settings.queue(Hop::Animate.setting());
        let animate = settings.finish(animate)?;
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            blobs: platform.blobs(&[(Area::Made, Access::Write)]),
            voices: platform.voices(),
            ffmpeg: env.get("FFMPEG").and_then(|p| Ffmpeg::locate(Some(p.as_ref()), &[])),
            scratch: env.get("SCRATCH").unwrap_or("/tmp").into(),
            animate: platform.sender(Hop::Animate, animate),
        })
    }
}

impl QueueFunction for Narrate {
    const NAME: &'static str = "narrate";
    type Deps = Deps;
    type Letter = Enveloped<Step>;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, letter: Enveloped<Step>, at: &Invocation) -> Result<(), Failure> {
        let Self(deps) = self;
        let (envelope, id) = (&letter.envelope, letter.message.draft);
        let (scope, table) = (envelope.scope(), &*deps.table);
        let mut draft = match line::take_turn(table, scope, id, Stage::Narrating, at.now).await? {
            Turn::Work(draft) => *draft,
            Turn::PassOn => return line::pass_on_again(envelope, id, &deps.animate).await,
            Turn::Over => return Ok(()),
        };
        let settings = records::load::<Settings>(table, &settings_key(scope), at.now).await?;
        let settings = settings.map(|s| s.record).unwrap_or_default();
        let mut ops: Vec<Op> = Vec::new();
        let languages: Vec<Language> = draft.record.words.keys().copied().collect();
        for language in languages {
            if draft.record.narrations.contains_key(&language) {
                continue;
            }
            if let Some(narration) =
                self.narrate(scope, &mut draft.record, &settings, language, at).await?
            {
                ops.push(blob_names::name(scope, &narration.track.key, &id));
                draft.record.narrations.insert(language, narration);
            }
        }
        let next = Some((Hop::Animate, &deps.animate));
        line::hand_over(table, envelope, &deps.ambient, draft, Stage::Animating, next, ops).await
    }
}

impl Narrate {
    /// The narration of one language; `None`, with a note on the draft, where it cannot be made here.
    async fn narrate(
        &self,
        scope: &Scope,
        draft: &mut Draft,
        settings: &Settings,
        language: Language,
        at: &Invocation,
    ) -> Result<Option<Narration>, Failure> {
        let Self(deps) = self;
        let Some(ffmpeg) = &deps.ffmpeg else {
            draft.note(
                "no_ffmpeg",
                "ffmpeg is not installed, so there is no narration and no video. Run `make setup`.",
            );
            return Ok(None);
        };
        let script = draft.words.get(&language).map(|w| w.copy.script.clone()).unwrap_or_default();
        let sentences: Vec<(String, String)> =
            script.iter().map(|s| (s.clone(), sentences::speakable(s))).collect();
        let sentences = Vec::from_iter(sentences.into_iter().filter(|(_, s)| !s.trim().is_empty()));
        if sentences.is_empty() {
            draft.note(
                &format!("nothing_to_say_{language}"),
                "The script holds nothing that could be spoken.",
            );
            return Ok(None);
        }
        let Some((engine, sounds)) =
            self.speak(scope, draft, settings, language, &sentences, at).await?
        else {
            return Ok(None);
        };
        let folder = tempfile::tempdir_in(&deps.scratch).map_err(no_room)?;
        let mut segments = Vec::new();
        for sound in sounds {
            let path = folder.path().join(format!("{}.{}", segments.len(), sound.extension));
            tokio::fs::write(&path, &sound.audio).await.map_err(no_room)?;
            segments.push(Segment { path, gap_after: PAUSE });
        }
        let ffmpeg = ffmpeg.within(at.time_left().saturating_sub(MARGIN));
        let (joined_wav, track_m4a) =
            (folder.path().join("joined.wav"), folder.path().join("track.m4a"));
        let joined = ffmpeg.concat_audio(&segments, &joined_wav).await.map_err(sound_failed)?;
        let track = ffmpeg
            .normalise(&joined_wav, &track_m4a, LOUDNESS, SAMPLE_RATE)
            .await
            .map_err(sound_failed)?;

        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let cues = sentences.into_iter().zip(&joined.spans);
        let cues = cues.map(|((text, _), s)| Cue {
            text,
            start_ms: millis(s.start),
            end_ms: millis(s.end),
        });
        let key = scope
            .blob(Area::Made.name(), &format!("{}/{}-{language}.m4a", draft.id, draft.revision));
        let facts = deps.blobs.put_file(&key, &track_m4a, "audio/mp4").await?;
        Ok(Some(Narration {
            track: NamedBlob {
                key,
                digest: facts.digest,
                size: facts.size,
                content_type: facts.content_type,
            },
            duration_ms: millis(track.duration),
            loudness_lufs: track.loudness.integrated_lufs,
            cues: cues.collect(),
            engine,
        }))
    }
}

impl Narrate {
    /// Every sentence by the first of the tenant's voices that has this language and does not decline: one voice
    /// speaks the whole track. Nobody is asked whom the tenant did not choose (N28). `None`, with notes on the draft,
    /// where none speaks.
    async fn speak(
        &self,
        scope: &Scope,
        draft: &mut Draft,
        settings: &Settings,
        language: Language,
        sentences: &[(String, String)],
        at: &Invocation,
    ) -> Result<Option<(String, Vec<KeptSound>)>, Failure> {
        let voices = &self.0.voices;
        let chosen: &[SpeechProvider] = match settings.providers.speech.as_slice() {
            [] => &[SpeechProvider::House],
            chosen => chosen,
        };
        let code = format!("no_speech_{language}");
        let mut why = Vec::new();
        for name in chosen {
            let Some(speech) = voices.named(*name) else {
                why.push(format!("`{}` is not set up here.", name.name()));
                continue;
            };
            let Some(engine) = speech.engine(language) else {
                why.push(speech.absence(language));
                continue;
            };
            match self.say_all(scope, &**speech, settings, language, sentences, at).await {
                Ok(sounds) if why.is_empty() => return Ok(Some((engine, sounds))),
                Ok(sounds) => {
                    draft.note(&format!("other_voice_{language}"), why.join(" "));
                    return Ok(Some((engine, sounds)));
                }
                Err(failure)
                    if matches!(failure.kind(), FailureKind::Invalid | FailureKind::Denied) =>
                {
                    why.push(format!("{engine}: {}", failure.public()));
                }
                Err(failure) => return Err(failure),
            }
        }
        draft.note(&code, why.join(" "));
        Ok(None)
    }

    /// Every sentence by this voice. What costs money is kept as soon as it is spoken, so that a repetition of this
    /// step pays for nothing twice.
    async fn say_all(
        &self,
        scope: &Scope,
        speech: &dyn Speech,
        settings: &Settings,
        language: Language,
        sentences: &[(String, String)],
        at: &Invocation,
    ) -> Result<Vec<KeptSound>, Failure> {
        let table = &*self.0.table;
        let engine = speech.engine(language).unwrap_or_default();
        let expires = at.now.saturating_add(settings.cache_age()).unwrap_or(Timestamp::MAX);
        let mut sounds = Vec::new();
        for (_, text) in sentences {
            let question = cache::question(&engine, &(language, text));
            if speech.is_costly()
                && let Some(kept) = cache::find::<KeptSound>(table, scope, question, at.now).await?
            {
                sounds.push(kept);
                continue;
            }
            let spoken = speech.say(&at.on_behalf_of(scope), language, text).await?;
            let sound =
                KeptSound { audio: spoken.audio.to_vec(), extension: spoken.extension.into() };
            if speech.is_costly() && sound.audio.len() <= MOST_KEPT {
                table.commit(vec![cache::keep(scope, question, &sound, expires)], None).await?;
            }
            sounds.push(sound);
        }
        Ok(sounds)
    }
}

/// A sentence's sound as it is kept for a repetition.
#[derive(Serialize, Deserialize)]
struct KeptSound {
    #[serde(with = "base64_text")]
    audio: Vec<u8>,
    extension: String,
}

mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

fn no_room(error: std::io::Error) -> Failure {
    Failure::unavailable("There is no room to work in.").caused_by(error)
}

fn sound_failed(error: AvError) -> Failure {
    Failure::unavailable("The sound could not be made.").caused_by(error)
}
