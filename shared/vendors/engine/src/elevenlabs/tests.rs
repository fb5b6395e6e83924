use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use nexus_core::egress::Cost;
use nexus_engine::narration::{Speech, Spoken};
use nexus_kernel::{FailureKind, Language};
use nexus_outbound::{Answer, Body, CallError, Reading, Recording, Request, TransportError};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use super::request::{SENDS, speak};
use super::{ElevenLabs, Manner, Settings, SettingsProblem, VENDOR, Voices, response};
use crate::wire::{self, Wire};

const SENTENCE: &str = "Hola, café.";
const VOICE: &str = "voice0000000000000001";

fn settings() -> Settings {
    let voice = || Some(VOICE.to_owned());
    Settings { voices: Voices { english: voice(), spanish: voice() }, ..Settings::default() }
}

fn flash() -> Settings {
    let manner = Manner { stability: 0.3, style: 0.2, speed: 1.1, ..Manner::default() };
    Settings { model: "eleven_flash_v2_5".into(), manner, without_logging: true, ..settings() }
}

fn body(request: &Request) -> &Value {
    match &request.body {
        Body::Json(body) => body,
        other => panic!("{other:?}"),
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    Answer { status: StatusCode::from_u16(status).unwrap(), headers: map, body: body.into() }
}

fn read(answer: &Answer) -> Result<Reading<Spoken>, CallError> {
    response::spoken(answer, SENTENCE, Cost::micros(1_100))
}

fn heard(status: u16, body: &Value) -> CallError {
    read(&answer(status, &[], body.to_string())).unwrap_err()
}

// What goes out.

#[test]
fn n34_each_field_that_can_be_sent_is_on_the_list_and_no_other_is() {
    let mut used = BTreeSet::new();
    for settings in [settings(), flash()] {
        for language in Language::ALL {
            used.extend(speak(&settings, VOICE, language, SENTENCE).fields().unwrap());
        }
    }
    let listed: BTreeSet<String> = SENDS.iter().map(|field| (*field).to_owned()).collect();
    assert_eq!(used, listed);
}

#[test]
fn n33_nothing_is_kept_where_the_account_may_ask_for_it() {
    let asks = |settings: &Settings| {
        let request = speak(settings, VOICE, Language::Es, SENTENCE);
        request.query.contains(&("enable_logging", "false".to_owned()))
    };
    assert!(asks(&flash()));
    assert!(!asks(&settings()), "any other account would be refused");
}

#[test]
fn only_a_model_that_wants_it_is_told_the_language() {
    let told = |settings: &Settings, language| {
        body(&speak(settings, VOICE, language, SENTENCE)).get("language_code").cloned()
    };
    assert_eq!(told(&flash(), Language::Es), Some(json!("es")));
    assert_eq!(told(&flash(), Language::En), Some(json!("en")));
    assert_eq!(told(&settings(), Language::Es), None);
}

#[test]
fn settings_out_of_range_are_named() {
    let with = |change: fn(&mut Manner)| {
        let mut settings = settings();
        change(&mut settings.manner);
        settings.check().map_err(|problem| problem.to_string())
    };
    let share =
        |name: &str| -> Result<(), String> { Err(format!("{name} must be a number from 0 to 1")) };
    assert_eq!(with(|_| {}), Ok(()));
    assert_eq!(with(|m| m.style = 1.5), share("ELEVENLABS_STYLE"));
    assert_eq!(with(|m| m.similarity = -0.1), share("ELEVENLABS_SIMILARITY"));
    assert_eq!(with(|m| m.stability = f64::NAN), share("ELEVENLABS_STABILITY"));
    let speed = "ELEVENLABS_SPEED must be a number from 0.7 to 1.2";
    assert_eq!(with(|m| m.speed = 3.0), Err(speed.into()));
}

/// What is read where these are set.
fn read_settings(set: &[(&str, &'static str)]) -> Result<Settings, Vec<String>> {
    let find = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, told)| *told);
    let told = |problems: Vec<SettingsProblem>| problems.iter().map(ToString::to_string).collect();
    Settings::read(find).map_err(told)
}

#[test]
fn how_it_speaks_is_set_and_the_rest_is_elevenlabs_own() {
    assert_eq!(read_settings(&[]), Ok(Settings::default()));
    let read = read_settings(&[
        ("ELEVENLABS_STABILITY", "0.3"),
        ("ELEVENLABS_SIMILARITY", "1"),
        ("ELEVENLABS_STYLE", ".2"),
        ("ELEVENLABS_SPEED", "1.1"),
        ("ELEVENLABS_NO_LOGGING", "true"),
        ("ELEVENLABS_PRICE_CENTS", "3000"),
    ]);
    let manner =
        Manner { stability: 0.3, similarity: 1.0, style: 0.2, speed: 1.1, ..Manner::default() };
    let price = Some(Cost::micros(30_000_000));
    let expected = Settings { manner, without_logging: true, price, ..Settings::default() };
    assert_eq!(read, Ok(expected));
}

#[test]
fn settings_that_no_voice_could_follow_are_all_told() {
    let wrong = read_settings(&[
        ("ELEVENLABS_STABILITY", "high"),
        ("ELEVENLABS_SIMILARITY", "1.01"),
        ("ELEVENLABS_STYLE", "inf"),
        ("ELEVENLABS_SPEED", "0.5"),
        ("ELEVENLABS_NO_LOGGING", "yes"),
        ("ELEVENLABS_PRICE_CENTS", "-1"),
    ]);
    let told = [
        "ELEVENLABS_STABILITY must be a number from 0 to 1",
        "ELEVENLABS_SIMILARITY must be a number from 0 to 1",
        "ELEVENLABS_STYLE must be a number from 0 to 1",
        "ELEVENLABS_SPEED must be a number from 0.7 to 1.2",
        "ELEVENLABS_NO_LOGGING must be true or false",
        "ELEVENLABS_PRICE_CENTS must be what a million characters cost, in whole cents",
    ];
    assert_eq!(wrong.unwrap_err(), told);
}

// What comes back.

#[test]
fn n28_an_empty_account_is_no_wrong_key() {
    let detail =
        |status: &str| json!({ "detail": { "status": status, "message": "Words of theirs." } });
    let CallError::Refused { code, why } = heard(401, &detail("quota_exceeded")) else { panic!() };
    assert_eq!(code, "quota_exceeded");
    assert!(why.contains("no characters left") && !why.contains("theirs"), "{why}");
    assert!(matches!(heard(401, &detail("invalid_api_key")), CallError::Login { .. }));
    assert!(matches!(heard(401, &json!({ "detail": "Unauthorized" })), CallError::Login { .. }));
}

#[test]
fn a_detail_is_read_in_each_of_its_shapes() {
    let code = |status, body: Value| match heard(status, &body) {
        CallError::Refused { code, .. } => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(400, json!({ "detail": { "status": "voice_not_found" } })), "voice_not_found");
    assert_eq!(code(400, json!({ "detail": { "code": "voice_not_found" } })), "voice_not_found");
    assert_eq!(code(400, json!({ "detail": "voice_not_found" })), "voice_not_found");
    assert_eq!(code(404, json!({ "detail": "Not Found" })), "voice_not_found");
    assert_eq!(
        code(422, json!({ "detail": [{ "loc": ["body", "text"], "msg": "m", "type": "t" }] })),
        "validation"
    );
    assert_eq!(code(400, json!({ "detail": "Words that quote Hola, café." })), "http_400");
    assert_eq!(code(400, json!({ "detail": { "status": null, "code": 7 } })), "http_400");
    assert_eq!(
        code(403, json!({ "detail": { "status": "only_for_creator+" } })),
        "only_for_creator+"
    );
}

#[test]
fn a_success_that_holds_no_sound_may_have_been_paid_for() {
    let sounds = ["", "!!!", "AA", "AAAA", "SGFsbG8="];
    let cases = sounds.into_iter().map(|sound| json!({ "audio_base64": sound }));
    let shapes = [
        json!({}),
        json!({ "audio_base64": null }),
        json!({ "audio_base64": [1] }),
        json!([]),
        json!(null),
    ];
    for case in cases.chain(shapes) {
        assert!(matches!(heard(200, &case), CallError::Unknown { .. }), "{case}");
    }
}

#[test]
fn n49_each_character_is_counted_once() {
    let (_, ok) = recordings().into_iter().find(|(name, _)| name == "speak.ok").unwrap();
    let reading = read(&ok.answer().unwrap()).unwrap();
    assert_eq!((reading.usage.units, reading.usage.cost.as_micros()), (11, 1_100));
}

// The port.

const KEY_HEADER: &str = "xi-api-key";

fn recording(name: &str) -> Recording {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/elevenlabs/recordings");
    Recording::load(folder.join(format!("speak.{name}.json"))).unwrap()
}

async fn voice(wire: &Arc<Wire>, settings: Settings) -> ElevenLabs {
    ElevenLabs::new(wire::way(&VENDOR, wire).await, settings).unwrap()
}

#[tokio::test(start_paused = true)]
async fn n28_a_sentence_is_spoken_with_the_words_marked() {
    let wire = Arc::new(Wire::default());
    let voice = voice(&wire, settings()).await;
    wire.answers(&recording("ok"));
    let at = wire::on_behalf_of(1);
    let spoken = voice.say(&at, Language::Es, SENTENCE).await.unwrap();
    assert_eq!(spoken.extension, "mp3");
    let marks: Vec<(&str, u64)> =
        spoken.marks.iter().map(|m| (m.word.as_str(), m.start_ms)).collect();
    assert_eq!(marks, [("Hola", 0), ("café", 540)]);
    assert_eq!(wire.asked(KEY_HEADER)[0]["text"], json!(SENTENCE));
    assert!(voice.is_costly());
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_not_paid_for_twice_in_a_breath() {
    let wire = Arc::new(Wire::default());
    let voice = voice(&wire, settings()).await;
    let at = wire::on_behalf_of(1);
    wire.then(Err(TransportError::Lost("reset".into())));
    let failure = voice.say(&at, Language::Es, SENTENCE).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unavailable);
    assert_eq!(wire.asked(KEY_HEADER).len(), 1);
    for name in ["ok-without-sound", "ok-undecodable"] {
        wire.answers(&recording(name));
        let failure = voice.say(&at, Language::Es, SENTENCE).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Unavailable, "{name}");
        assert_eq!(wire.asked(KEY_HEADER).len(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn n28_what_it_declines_it_declines_with_a_sentence() {
    let wire = Arc::new(Wire::default());
    let voice = voice(&wire, settings()).await;
    for name in ["401-quota-exceeded", "404-voice-not-found", "403-plan", "422-validation"] {
        wire.answers(&recording(name));
        let said = voice.say(&wire::on_behalf_of(1), Language::Es, SENTENCE).await;
        let failure = said.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Invalid, "{name}");
        assert!(failure.public().ends_with('.'), "{name}");
        assert_eq!(wire.asked(KEY_HEADER).len(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_spoken_is_not_sent() {
    let wire = Arc::new(Wire::default());
    let voice = voice(&wire, settings()).await;
    let at = wire::on_behalf_of(1);
    for sentence in ["", " …!", &"a".repeat(10_001)] {
        let failure = voice.say(&at, Language::En, sentence).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Invalid);
        assert_eq!(failure.fields()[0].field, "sentence");
    }
    assert_eq!(wire.asked(KEY_HEADER), [Value::Null; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_language_without_a_voice_is_named() {
    let wire = Arc::new(Wire::default());
    let english = Voices { english: Some(VOICE.into()), spanish: Some(" ".into()) };
    let voice = voice(&wire, Settings { voices: english, ..settings() }).await;
    let engine = voice.engine(Language::En).unwrap();
    assert_eq!(engine, format!("elevenlabs eleven_multilingual_v2 {VOICE}"));
    assert_eq!(voice.engine(Language::Es), None);
    assert!(voice.absence(Language::Es).contains("`ELEVENLABS_VOICE_ES`"));
    let said = voice.say(&wire::on_behalf_of(1), Language::Es, SENTENCE).await;
    assert_eq!(said.unwrap_err().kind(), FailureKind::Invalid);
    assert_eq!(wire.asked(KEY_HEADER), [Value::Null; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_spoken_in_another_manner_is_another_question() {
    let wire = Arc::new(Wire::default());
    let usual = Manner::default();
    let manners = [
        usual,
        Manner { stability: 0.4, ..usual },
        Manner { similarity: 0.4, ..usual },
        Manner { style: 0.4, ..usual },
        Manner { speed: 0.9, ..usual },
        Manner { speaker_boost: false, ..usual },
    ];
    let mut engines = BTreeSet::new();
    for manner in manners {
        let voice = voice(&wire, Settings { manner, ..settings() }).await;
        engines.insert(voice.engine(Language::En).unwrap());
    }
    assert_eq!(engines.len(), manners.len(), "{engines:#?}");
}

// The recordings.

fn recordings() -> Vec<(String, Recording)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/elevenlabs/recordings");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let name = |file: &Path| file.file_stem().unwrap().to_string_lossy().into_owned();
    files.iter().map(|file| (name(file), Recording::load(file).unwrap())).collect()
}

#[test]
fn requests_are_built_as_they_were_recorded() {
    for (name, recording) in recordings() {
        let settings = if name.contains("flash") { flash() } else { settings() };
        recording.asked_by(&speak(&settings, VOICE, Language::Es, SENTENCE)).unwrap();
    }
}

#[test]
fn answers_are_read_as_they_were_recorded() {
    let mut told = String::new();
    for (name, recording) in recordings() {
        let heard = match read(&recording.answer().unwrap()) {
            Ok(Reading { value: Spoken { audio, extension, marks }, usage }) => {
                format!("{usage:?}\n{} bytes of {extension}\n{marks:?}", audio.len())
            }
            Err(error) => format!("{error:#?}"),
        };
        told.push_str(&format!("== {name}\n{heard}\n\n"));
    }
    insta::assert_snapshot!(told);
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "audio_base64",
        "alignment",
        "characters",
        "character_start_times_seconds",
        "detail",
        "status",
        "code",
        "message",
        "quota_exceeded",
        "voice_not_found",
        "//sQxAAA",
        "H",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        words.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(words.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2027), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_is_classified(status in 100u16..=999, body in any_json()) {
        let known = match read(&answer(status, &[], body.to_string())) {
            Ok(_) => (200..300).contains(&status),
            Err(CallError::Unknown { .. }) => true,
            Err(CallError::Refused { .. } | CallError::Throttled { .. } | CallError::Login { .. }) => status >= 400,
            Err(CallError::Bug(_) | CallError::Held(_)) => false,
        };
        prop_assert!(known);
    }

    #[test]
    fn any_bytes_are_classified(status in 100u16..=999, body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&answer(status, &[], body)).is_err());
    }
}
