//! A script in, a voice out; here without the tools that make sound.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use nexus_core::{Envelope, Scope};
use nexus_engine::account::Settings;
use nexus_engine::hops::Step;
use nexus_engine::providers::{Providers, SpeechProvider};
use nexus_engine::{Draft, EnginePlatform, Hop, Stage};
use nexus_handler::{Batch, Entry, Env, ErasedFunction};
use nexus_kernel::{Failure, Language};
use nexus_media::av::Ffmpeg;
use nexus_narrate::Narrate;
use nexus_testkit::{MemoryPlatform, build, people};

/// The function on a platform where no `FFMPEG` is set.
struct House {
    platform: MemoryPlatform,
    function: Arc<dyn ErasedFunction>,
}

fn scope() -> Scope {
    people::scope(people::tenant(1))
}

impl House {
    fn new() -> Self {
        Self::with(&[])
    }

    /// Where there is ffmpeg, which the set-up installs.
    fn that_makes_sound() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut search = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools")];
        search.extend(std::env::split_paths(&path));
        let ffmpeg = Ffmpeg::locate(None, &search).expect("ffmpeg is missing: run `make setup`");
        Self::with(&[("FFMPEG", &ffmpeg.program().to_string_lossy())])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let platform = MemoryPlatform::new();
        let queues = Hop::ALL.map(|hop| (hop.setting(), hop.name()));
        let env = Env::from_pairs(queues.into_iter().chain(settings.iter().copied()));
        let wired: &dyn EnginePlatform = &platform;
        let entry = Entry::event::<Batch<Narrate>, _>(wired, &env).unwrap();
        let Entry::Event(function) = entry else { panic!("it takes events") };
        Self { platform, function }
    }

    /// A draft that waits for the voices of these languages; the others are there.
    async fn waiting(&self, missing: &[Language]) -> Draft {
        let mut draft = build::ready_draft(&scope(), build::media_id(1), self.platform.now());
        draft.stage = Stage::Narrating;
        draft.narrations.retain(|language, _| !missing.contains(language));
        self.platform.put(&scope(), &draft).await;
        draft
    }

    /// The draft after its message came and went well.
    async fn narrated(&self, draft: &Draft) -> Draft {
        assert!(self.deliver(draft).await);
        let draft = self.platform.load(&scope(), draft).await.unwrap();
        assert_eq!(draft.stage, Stage::Animating);
        draft
    }

    /// Delivers a draft's message; whether it went well.
    async fn deliver(&self, draft: &Draft) -> bool {
        let body = Envelope::seal(&scope(), "trace", &Step { draft: draft.id }).unwrap();
        self.platform.deliver(&*self.function, &[body]).await.is_empty()
    }

    async fn choosing(self, speech: &[SpeechProvider]) -> Self {
        let providers = Providers { speech: speech.into(), ..Providers::default() };
        let settings = Settings { providers, ..Settings::default() };
        self.platform.put(&scope(), &settings).await;
        self
    }

    /// How many sentences the house's voice and ElevenLabs were given.
    fn said(&self) -> (usize, usize) {
        let platform = &self.platform;
        (platform.speech.calls.all().len(), platform.elevenlabs.calls.all().len())
    }

    fn passed_on(&self) -> usize {
        self.platform.waiting(Hop::Animate).len()
    }
}

fn notes(draft: &Draft) -> Vec<&str> {
    draft.notes.iter().map(|n| n.code.as_str()).collect()
}

#[tokio::test]
async fn voices_that_are_there_stay_and_nobody_is_asked() {
    let house = House::new();
    let draft = house.waiting(&[]).await;
    let narrated = house.narrated(&draft).await;
    assert_eq!((&narrated.narrations, notes(&narrated)), (&draft.narrations, vec![]));
    assert!(house.platform.speech.calls.all().is_empty());
    let next = house.platform.letters::<Step>(Hop::Animate);
    assert_eq!(next, [(scope(), Step { draft: draft.id })]);
}

#[tokio::test]
async fn a_voice_that_is_not_installed_is_a_note_for_its_language_alone() {
    let house = House::that_makes_sound();
    house.platform.speech.mute(Language::Es);
    let draft = house.waiting(&[Language::Es]).await;
    let narrated = house.narrated(&draft).await;
    assert_eq!(notes(&narrated), ["no_speech_es"]);
    let voices: Vec<Language> = narrated.narrations.keys().copied().collect();
    assert_eq!(voices, [Language::En]);
    assert_eq!(house.passed_on(), 1);
}

#[tokio::test]
async fn without_ffmpeg_there_is_one_note_no_voice_and_nothing_is_paid() {
    let house = House::new();
    let draft = house.waiting(&Language::ALL).await;
    let narrated = house.narrated(&draft).await;
    assert_eq!(notes(&narrated), ["no_ffmpeg"]);
    assert!(narrated.narrations.is_empty());
    assert!(house.platform.speech.calls.all().is_empty());
    assert_eq!(house.passed_on(), 1);
}

#[tokio::test]
async fn a_message_that_comes_twice_is_only_passed_on_again() {
    let house = House::new();
    let draft = house.waiting(&Language::ALL).await;
    let once = house.narrated(&draft).await;
    assert_eq!(house.narrated(&draft).await, once);
    assert_eq!(house.passed_on(), 2);
}

#[tokio::test]
async fn n28_nobody_hears_elevenlabs_who_did_not_choose_it_whatever_happens() {
    let house = House::that_makes_sound();
    let draft = house.waiting(&[Language::En]).await;
    house.platform.speech.fail(Failure::unavailable("The voice does not answer."));
    assert!(!house.deliver(&draft).await, "it comes again");
    house.platform.speech.fail(Failure::invalid("The voice declines."));
    let narrated = house.narrated(&draft).await;
    assert_eq!((notes(&narrated), house.said()), (vec!["no_speech_en"], (2, 0)));
}

#[tokio::test]
async fn n28_who_chose_elevenlabs_alone_hears_nobody_else_where_it_fails() {
    let house = House::that_makes_sound().choosing(&[SpeechProvider::ElevenLabs]).await;
    let draft = house.waiting(&[Language::En]).await;
    house.platform.elevenlabs.fail(Failure::invalid("quota_exceeded"));
    let narrated = house.narrated(&draft).await;
    assert_eq!((notes(&narrated), house.said()), (vec!["no_speech_en"], (0, 1)));
    assert!(narrated.notes[0].text.contains("quota_exceeded"));
}

#[tokio::test]
async fn a_second_choice_speaks_the_whole_track_and_the_draft_says_why() {
    let order = [SpeechProvider::ElevenLabs, SpeechProvider::House];
    let house = House::that_makes_sound().choosing(&order).await;
    let draft = house.waiting(&[Language::En]).await;
    house.platform.elevenlabs.fail(Failure::denied("The cap is reached."));
    let narrated = house.narrated(&draft).await;
    assert_eq!(notes(&narrated), ["other_voice_en"]);
    assert_eq!(narrated.narrations[&Language::En].engine, "fake voice");
    let sentences = narrated.narrations[&Language::En].cues.len();
    assert_eq!(house.said(), (sentences, 1));
}

#[tokio::test]
async fn n49_sentences_that_were_paid_for_are_not_paid_again_for_a_day() {
    let house = House::that_makes_sound().choosing(&[SpeechProvider::ElevenLabs]).await;
    let draft = house.waiting(&[Language::En]).await;
    let spoken = house.narrated(&draft).await.narrations[&Language::En].clone();
    let sentences = spoken.cues.len();
    let milli = SignedDuration::from_millis(1);
    for (wait, times) in [(SignedDuration::from_hours(24) - milli, 1), (milli, 2)] {
        house.platform.advance(wait);
        house.platform.put(&scope(), &draft).await;
        let again = house.narrated(&draft).await;
        assert_eq!(house.said(), (0, times * sentences));
        assert_eq!(again.narrations[&Language::En].cues, spoken.cues);
    }
}
