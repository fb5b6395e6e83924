use std::error::Error as _;

use aws_smithy_http_client::test_util::StaticReplayClient;
use aws_smithy_types::body::SdkBody;
use nexus_kernel::FailureKind;
use serde_json::{Value, json};

use super::*;
use crate::replay::{answering, replaying, sent};

fn sound(frames: usize) -> http::Response<SdkBody> {
    let body = SdkBody::from(mp3::tests::file(frames).to_vec());
    let answer = http::Response::builder().header("content-type", "audio/mpeg");
    answer.header("x-amzn-requestcharacters", "4").body(body).unwrap()
}

fn lines(lines: &[&str]) -> http::Response<SdkBody> {
    let answer = http::Response::builder().header("content-type", "application/x-json-stream");
    answer.body(SdkBody::from(lines.join("\n"))).unwrap()
}

fn speech(answers: Vec<http::Response<SdkBody>>) -> (PollySpeech, StaticReplayClient) {
    let (config, client) = replaying(1, answers);
    (PollySpeech::new(&config, Voices::default()), client)
}

fn bodies(client: &StaticReplayClient) -> Vec<Value> {
    sent(client).into_iter().map(|(_, _, body)| body.parse().unwrap()).collect()
}

async fn refused(answers: &[(u16, &str)], sentence: &str) -> Failure {
    let (config, _) = answering(1, answers);
    let speech = PollySpeech::new(&config, Voices::default()).with_marks();
    speech.speak(Language::En, sentence).await.unwrap_err()
}

#[tokio::test]
async fn n27_polly_is_asked_for_a_neural_voice() {
    let (speech, client) = speech(vec![sound(3), sound(3)]);
    let spoken = speech.speak(Language::En, "Good morning.").await.unwrap();
    assert_eq!((spoken.audio, spoken.extension), (mp3::tests::file(3), "mp3"));
    assert_eq!(spoken.marks, []);
    speech.speak(Language::Es, "¡Buenos días!").await.unwrap();
    let body = |voice: &str, locale: &str, text: &str| {
        json!({"Engine": "neural", "VoiceId": voice, "LanguageCode": locale, "OutputFormat": "mp3",
               "SampleRate": "24000", "TextType": "text", "Text": text})
    };
    let expected =
        [body("Joanna", "en-US", "Good morning."), body("Lupe", "es-US", "¡Buenos días!")];
    assert_eq!(bodies(&client), expected, "N34: and nothing else");
    assert_eq!((&*sent(&client)[0].0, &*sent(&client)[0].1), ("POST", "v1/speech"));
    assert_eq!(speech.engine(Language::Es).unwrap(), "polly neural Lupe");
    assert_eq!(speech.absence(Language::Es), "");
}

#[tokio::test]
async fn n27_a_deployments_own_voices_speak_neurally_too() {
    let voices = Voices { english: "en-US/Ruth".parse().unwrap(), ..Voices::default() };
    let (config, client) = replaying(1, vec![sound(1)]);
    let speech = PollySpeech::new(&config, voices);
    speech.speak(Language::En, "Hello.").await.unwrap();
    assert_eq!(bodies(&client)[0]["VoiceId"], "Ruth");
    assert_eq!(bodies(&client)[0]["Engine"], "neural");
    assert_eq!(speech.engine(Language::En).unwrap(), "polly neural Ruth");
    for raw in ["Ruth", "en-US/", "/Ruth", "en-US/Ruth/x", "en US/Ruth", ""] {
        assert_eq!(raw.parse::<Voice>(), Err(NoVoice), "{raw}");
    }
}

#[tokio::test]
async fn marks_are_asked_for_by_a_second_call_and_only_when_told() {
    let marks = [
        r#"{"time":6,"type":"word","start":0,"end":6,"value":"Cafés"}"#,
        r#"{"time":373,"type":"word","start":7,"end":12,"value":"aquí"}"#,
    ];
    let (speech, client) = speech(vec![sound(40), lines(&marks)]);
    let spoken = speech.with_marks().speak(Language::Es, "Cafés aquí.").await.unwrap();
    let mark = |word: &str, bytes, start_ms| Mark { word: word.into(), bytes, start_ms };
    assert_eq!(spoken.marks, [mark("Cafés", 0..6, 6), mark("aquí", 7..12, 373)]);
    let expected = json!({"Engine": "neural", "VoiceId": "Lupe", "LanguageCode": "es-US",
        "OutputFormat": "json", "SpeechMarkTypes": ["word"], "TextType": "text", "Text": "Cafés aquí."});
    assert_eq!(bodies(&client)[1], expected);
}

#[tokio::test]
async fn a_long_text_is_spoken_in_parts_and_its_marks_are_those_of_the_whole() {
    let (first, second) =
        (format!("Sí, {}. ", "la ".repeat(900)), format!("Añ{}!", "o".repeat(2_000)));
    let text = format!("{first}{second}");
    let mark = r#"{"time":10,"type":"word","start":0,"end":3,"value":"…"}"#;
    let (speech, client) = speech(vec![sound(50), lines(&[mark]), sound(7), lines(&[mark, ""])]);
    let spoken = speech.with_marks().speak(Language::Es, &text).await.unwrap();
    let texts: Vec<_> = bodies(&client).iter().map(|b| b["Text"].as_str().unwrap().len()).collect();
    assert_eq!(texts, [first.len(), first.len(), second.len(), second.len()]);
    assert_eq!(spoken.audio, Bytes::from(mp3::tests::frame().repeat(57)), "one file");
    let at = first.len();
    let expected = [
        Mark { word: "Sí".into(), bytes: 0..3, start_ms: 10 },
        Mark { word: "Añ".into(), bytes: at..at + 3, start_ms: 50 * 24 + 10 },
    ];
    assert_eq!(spoken.marks, expected);
    assert!(spoken.marks.iter().all(|m| text.get(m.bytes.clone()) == Some(&*m.word)));
}

#[tokio::test]
async fn no_part_is_longer_than_polly_takes() {
    let text = "☕é".repeat(2_500);
    let (speech, client) = speech((0..3).map(|_| sound(1)).collect());
    speech.speak(Language::En, &text).await.unwrap();
    let texts: Vec<String> =
        bodies(&client).iter().map(|b| b["Text"].as_str().unwrap().to_owned()).collect();
    assert!(texts.iter().all(|t| t.encode_utf16().count() <= 3_000));
    assert_eq!(texts.concat(), text);
}

#[tokio::test]
async fn what_cannot_be_spoken_is_never_sent() {
    for sentence in ["", " …! ", "☕", &"a".repeat(30_001)] {
        let failure = refused(&[], sentence).await;
        assert_eq!(failure.kind(), FailureKind::Invalid);
        assert_eq!(failure.fields()[0].field, "sentence");
    }
}

#[tokio::test]
async fn n28_a_failing_polly_is_a_failure_told_apart_by_its_type() {
    let cases = [
        (400, "ThrottlingException", FailureKind::Throttled),
        (400, "TextLengthExceededException", FailureKind::Invalid),
        (400, "EngineNotSupportedException", FailureKind::Bug),
        (400, "LanguageNotSupportedException", FailureKind::Bug),
        (403, "AccessDeniedException", FailureKind::Bug),
        (500, "ServiceFailureException", FailureKind::Unavailable),
    ];
    for (status, code, kind) in cases {
        let (config, client) = replaying(
            1,
            vec![
                http::Response::builder()
                    .status(status)
                    .header("x-amzn-errortype", code)
                    .header("x-amzn-requestid", "r-1")
                    .body(SdkBody::from(r#"{"message":"Good morning"}"#))
                    .unwrap(),
            ],
        );
        let speech = PollySpeech::new(&config, Voices::default());
        let failure = speech.speak(Language::En, "Good morning.").await.unwrap_err();
        assert_eq!(failure.kind(), kind, "{code}");
        let cause = failure.source().unwrap().to_string();
        assert!(cause.contains(code) && cause.contains("request r-1"), "{cause}");
        assert_eq!(sent(&client).len(), 1, "nobody else is asked");
    }
    assert_eq!(refused(&[], "Good morning.").await.kind(), FailureKind::Unavailable, "no line");
}

#[tokio::test]
async fn what_is_no_sound_or_no_mark_is_unavailable() {
    for answer in ["", "{}", "<html>"] {
        let failure = refused(&[(200, answer)], "Good morning.").await;
        assert_eq!((failure.kind(), failure.public()), (FailureKind::Unavailable, PUBLIC));
    }
    let beyond = r#"{"time":6,"type":"word","start":0,"end":99,"value":"Good"}"#;
    let within_a_letter = r#"{"time":6,"type":"word","start":0,"end":1,"value":"¿"}"#;
    for marks in ["no json", r#"{"time":6}"#, beyond, within_a_letter] {
        let (speech, _) = speech(vec![sound(1), lines(&[marks])]);
        let failure = speech.with_marks().speak(Language::Es, "¿Café?").await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Unavailable, "{marks}");
    }
    let sentence = r#"{"time":0,"type":"sentence","start":0,"end":7,"value":"x"}"#;
    let (speech, _) = speech(vec![sound(1), lines(&[sentence])]);
    let spoken = speech.with_marks().speak(Language::Es, "¿Café?").await.unwrap();
    assert_eq!(spoken.marks, [], "another sort of mark is passed over");
}
