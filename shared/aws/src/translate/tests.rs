use std::error::Error as _;

use aws_smithy_http_client::test_util::StaticReplayClient;
use aws_smithy_types::body::SdkBody;
use nexus_engine::translation::protected;
use nexus_kernel::FailureKind;
use serde_json::{Value, json};

use super::*;
use crate::replay::replaying;

fn terms() -> Vec<String> {
    vec!["House Espresso".to_owned()]
}

fn answer(text: &str) -> Value {
    json!({"TranslatedText": text, "SourceLanguageCode": "en", "TargetLanguageCode": "es-MX",
           "AppliedSettings": {"Formality": "INFORMAL"}})
}

/// The SDK speaks CBOR with Translate.
fn cbor(value: &Value) -> SdkBody {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    SdkBody::from(bytes)
}

fn respond(status: u16, body: SdkBody) -> http::Response<SdkBody> {
    let answer = http::Response::builder().status(status);
    let answer = answer.header("smithy-protocol", "rpc-v2-cbor");
    answer.header("content-type", "application/cbor").body(body).unwrap()
}

fn translator(answers: Vec<http::Response<SdkBody>>) -> (AmazonTranslate, StaticReplayClient) {
    let (config, client) = replaying(1, answers);
    (AmazonTranslate::new(&config), client)
}

async fn translated(
    answers: &[&str],
    texts: &[&str],
) -> (Result<Vec<String>, Failure>, Vec<Value>) {
    let answers = answers.iter().map(|text| respond(200, cbor(&answer(text)))).collect();
    let (translator, client) = translator(answers);
    let translated = translator.translate(texts, &terms()).await;
    let bodies = client.actual_requests().map(|r| {
        let path = "/service/AWSShineFrontendService_20170701/operation/TranslateText";
        assert!(r.uri().ends_with(path), "{}", r.uri());
        ciborium::from_reader(r.body().bytes().unwrap()).unwrap()
    });
    (translated, bodies.collect())
}

fn asked(text: &str) -> Value {
    json!({"Text": text, "SourceLanguageCode": "en", "TargetLanguageCode": "es-MX",
           "Settings": {"Formality": "INFORMAL"}})
}

#[tokio::test]
async fn n31_links_names_and_brands_are_marked_and_come_through() {
    let text = "Meet House Espresso.\n\nOnly 3.50 USD: https://luna.com/a?b=C\n#Coffee @luna";
    let first = "Conoce <span translate=\"no\">House Espresso</span>.";
    let second = "Solo <span translate=\"no\">3.50 USD</span>: \
                  <span translate=\"no\">https://luna.com/a?b=C</span>";
    let (spanish, bodies) = translated(&[first, second], &[text]).await;
    let spanish = spanish.unwrap();
    let expected = "Conoce House Espresso.\n\nSolo 3.50 USD: https://luna.com/a?b=C\n#Coffee @luna";
    assert_eq!(spanish, [expected]);
    assert_eq!(protected::kept(text, &spanish[0], &terms()), Ok(()));
    let sent = [
        asked("Meet <span translate=\"no\">House Espresso</span>."),
        asked(
            "Only <span translate=\"no\">3.50 USD</span>: \
               <span translate=\"no\">https://luna.com/a?b=C</span>",
        ),
    ];
    assert_eq!(bodies, sent, "N34: and nothing else");
}

#[tokio::test]
async fn n31_a_lost_part_is_seen_by_whoever_compares() {
    let (spanish, _) =
        translated(&["Conoce el espresso de la casa"], &["Meet House Espresso"]).await;
    let spanish = spanish.unwrap();
    let compared = protected::kept("Meet House Espresso", &spanish[0], &terms());
    assert_eq!(compared, Err(terms()));
}

#[tokio::test]
async fn what_occurs_twice_is_paid_for_once_and_what_needs_no_translation_not_at_all() {
    let texts = ["Good morning", " Good morning\n#Coffee", "", "12 %", "Good morning"];
    let (spanish, bodies) = translated(&["Buenos días"], &texts).await;
    let expected = ["Buenos días", " Buenos días\n#Coffee", "", "12 %", "Buenos días"];
    assert_eq!(spanish.unwrap(), expected, "one for one");
    assert_eq!(bodies, [asked("Good morning")]);
}

#[tokio::test]
async fn a_long_line_is_cut_at_sentences() {
    let (one, two) = (format!("{}. ", "a".repeat(2_900)), format!("{}.", "é".repeat(1_000)));
    let (spanish, bodies) = translated(&["Uno.", "Dos."], &[&format!("{one}{two}")]).await;
    assert_eq!(spanish.unwrap(), ["Uno. Dos."]);
    assert_eq!(bodies, [asked(one.trim_end()), asked(&two)]);
}

#[tokio::test]
async fn more_than_translate_takes_is_never_sent() {
    let dense = "x 1 ".repeat(900);
    let (refused, bodies) = translated(&[], &[&dense]).await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.kind(), bodies.len()), (FailureKind::Invalid, 0));
    assert_eq!(refused.fields()[0].field, "text");
}

#[tokio::test]
async fn errors_are_told_apart_by_their_type() {
    let cases = [
        (400, "TooManyRequestsException", FailureKind::Throttled),
        (400, "LimitExceededException", FailureKind::Throttled),
        (400, "ThrottlingException", FailureKind::Throttled),
        (400, "TextSizeLimitExceededException", FailureKind::Invalid),
        (400, "UnsupportedLanguagePairException", FailureKind::Bug),
        (400, "InvalidRequestException", FailureKind::Bug),
        (400, "AccessDeniedException", FailureKind::Bug),
        (500, "InternalServerException", FailureKind::Unavailable),
        (400, "ServiceUnavailableException", FailureKind::Unavailable),
    ];
    for (status, code, kind) in cases {
        let error = json!({"__type": format!("com.amazonaws.translate#{code}"),
            "message": "Good morning"});
        let (translator, _) = translator(vec![respond(status, cbor(&error))]);
        let failure = translator.translate(&["Good morning"], &[]).await.unwrap_err();
        assert_eq!(failure.kind(), kind, "{code}");
        let cause = failure.source().unwrap().to_string();
        assert!(cause.contains(code), "{cause}");
        // About our account, the service's sentence is told; of a text it might quote, it is not.
        assert_eq!(cause.contains("Good"), code == "AccessDeniedException", "{cause}");
    }
}

#[tokio::test]
async fn what_is_no_translation_is_unavailable() {
    let other = json!({"TranslatedText": "Bonjour", "SourceLanguageCode": "en",
        "TargetLanguageCode": "fr"});
    let answers = [
        cbor(&json!({})),
        cbor(&json!([])),
        SdkBody::from("no cbor"),
        cbor(&other),
        cbor(&answer(" ")),
    ];
    for body in answers {
        let (translator, _) = translator(vec![respond(200, body)]);
        let failure = translator.translate(&["Good morning"], &[]).await.unwrap_err();
        assert_eq!((failure.kind(), failure.public()), (FailureKind::Unavailable, PUBLIC));
    }
    let (translator, _) = translator(vec![]);
    let failure = translator.translate(&["Good morning"], &[]).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unavailable, "no line");
}

#[tokio::test]
async fn its_work_is_no_draft() {
    let (translator, _) = translator(vec![]);
    assert_eq!((&*translator.engine(), translator.is_rough()), ("amazon-translate es-MX", false));
}
