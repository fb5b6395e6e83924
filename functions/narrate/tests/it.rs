//! A script in, a voice out; here without the tools that make sound.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use nexus_core::{Envelope, Scope};
use nexus_engine::hops::Step;
use nexus_engine::{Draft, EnginePlatform, Hop, Stage};
use nexus_handler::{Batch, Entry, ErasedFunction};
use nexus_kernel::Language;
use nexus_narrate::Narrate;
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};

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
        let platform = MemoryPlatform::new();
        let wired: &dyn EnginePlatform = &platform;
        let entry = Entry::event::<Batch<Narrate>, _>(wired, &platform.env()).unwrap();
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

    /// The draft after its message came.
    async fn narrated(&self, draft: &Draft) -> Draft {
        let body = Envelope::seal(&scope(), "trace", &Step { draft: draft.id }).unwrap();
        let record = json!({
            "messageId": "0", "receiptHandle": "r", "body": body,
            "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs",
        });
        let event = json!({ "Records": [record] }).to_string();
        let reply = self.function.call(event.as_bytes(), self.platform.invocation()).await.unwrap();
        let reply: Value = serde_json::from_str(reply.get()).unwrap();
        assert_eq!(reply["batchItemFailures"], json!([]));
        let draft = self.platform.load(&scope(), draft).await.unwrap();
        assert_eq!(draft.stage, Stage::Animating);
        draft
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
    let house = House::new();
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
