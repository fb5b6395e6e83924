//! Requests as the SDK sends them, answered by the router.

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/SERVICE/aws4_request, \
                      SignedHeaders=host, Signature=0";

struct Stand {
    router: Router,
    peer: SocketAddr,
}

#[expect(clippy::disallowed_methods, reason = "a test finds the engines of this machine")]
async fn stand() -> Stand {
    let phrases = Phrases::read(r#"[{"en": "Good morning.", "es": "Buenos días."}]"#).unwrap();
    let voices = Voices::locate(&std::env::var("PATH").unwrap()).await.unwrap();
    let services =
        Services { phrases, voices, lexicon: Lexicon::new(None), counts: Counts::default() };
    Stand { router: router(services), peer: ([127, 0, 0, 1], 50_000).into() }
}

impl Stand {
    async fn ask(&self, request: http::request::Builder, body: impl Into<Body>) -> Response {
        let mut request = request.body(body.into()).unwrap();
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn translate(&self, scope: &str, asked: Value) -> (u16, Value) {
        let request = Request::post(TRANSLATE_TEXT)
            .header("authorization", SIGNED.replace("SERVICE", scope))
            .header("smithy-protocol", "rpc-v2-cbor");
        let mut body = Vec::new();
        ciborium::into_writer(&asked, &mut body).unwrap();
        let response = self.ask(request, body).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, ciborium::from_reader(&*body).unwrap_or_default())
    }

    async fn comprehend(&self, operation: &str, asked: Value) -> (u16, Value) {
        let request = Request::post("/")
            .header("authorization", SIGNED.replace("SERVICE", "comprehend"))
            .header("x-amz-target", format!("Comprehend_20171127.{operation}"));
        json(self.ask(request, asked.to_string()).await).await
    }

    async fn speak(&self, body: &str) -> Response {
        let signed = SIGNED.replace("SERVICE", "polly");
        self.ask(Request::post("/v1/speech").header("authorization", signed), body.to_owned()).await
    }
}

async fn json(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn greeting() -> Value {
    json!({"Text": "Good morning.", "SourceLanguageCode": "en", "TargetLanguageCode": "es-MX"})
}

const SENTENCE: &str = r#"{"Engine": "neural", "OutputFormat": "mp3", "SampleRate": "24000",
    "Text": "Buenos días.", "TextType": "text", "VoiceId": "Lupe", "LanguageCode": "es-US"}"#;

#[tokio::test]
async fn a_signed_request_is_answered_and_counted() {
    let stand = stand().await;
    let (status, answer) = stand.translate("translate", greeting()).await;
    assert_eq!((status, answer["TranslatedText"].as_str()), (200, Some("Buenos días.")));
    stand.translate("translate", json!({})).await;
    let (_, counts) = json(stand.ask(Request::get("/calls"), "").await).await;
    assert_eq!(counts, json!({"TranslateText": {"answered": 1, "refused": 1}}));
}

#[tokio::test]
async fn what_is_signed_for_another_service_or_not_at_all_is_refused() {
    let stand = stand().await;
    let (status, answer) = stand.translate("polly", greeting()).await;
    assert_eq!((status, answer["__type"].as_str()), (403, Some("InvalidSignatureException")));
    let request = Request::post("/").header("x-amz-target", "RekognitionService.DetectLabels");
    let (status, answer) = json(stand.ask(request, "{}").await).await;
    assert_eq!(
        (status, answer["__type"].as_str()),
        (403, Some("MissingAuthenticationTokenException"))
    );
}

#[tokio::test]
async fn whoever_is_not_on_this_machine_is_refused() {
    let stand = Stand { peer: ([192, 0, 2, 7], 50_000).into(), ..stand().await };
    assert_eq!(stand.translate("translate", greeting()).await.0, 403);
}

#[tokio::test]
async fn a_sentence_is_spoken_as_frames_of_mp3() {
    let response = stand().await.speak(SENTENCE).await;
    let headers = response.headers().clone();
    assert_eq!(
        (response.status(), &headers["content-type"]),
        (StatusCode::OK, &"audio/mpeg".parse().unwrap())
    );
    assert_eq!(headers["x-amzn-requestcharacters"], "12");
    let sound = response.into_body().collect().await.unwrap().to_bytes();
    // A frame of MPEG-2, layer III: neither a tag nor an encoder's own frame comes before.
    assert_eq!(sound.get(..2), Some(&[0xff, 0xf3][..]));
}

#[tokio::test]
async fn polly_tells_the_type_of_an_error_in_a_header() {
    let response = stand().await.speak(&SENTENCE.replace("neural", "standard")).await;
    assert_eq!(response.headers()["x-amzn-errortype"], "ValidationException");
    assert_eq!(json(response).await.0, 400);
}

#[tokio::test]
async fn texts_are_judged_in_their_places_and_what_is_not_read_here_is_refused() {
    let stand = stand().await;
    let texts = ["The coffee was awful and the room was horrible.", "I love this lovely place!"];
    let (_, found) = stand
        .comprehend("BatchDetectSentiment", json!({"TextList": texts, "LanguageCode": "en"}))
        .await;
    let told = |n: usize| (&found["ResultList"][n]["Index"], &found["ResultList"][n]["Sentiment"]);
    assert_eq!(told(0), (&json!(0), &json!("NEGATIVE")), "{found}");
    assert_eq!(told(1), (&json!(1), &json!("POSITIVE")), "{found}");
    let (_, found) =
        stand.comprehend("BatchDetectDominantLanguage", json!({"TextList": texts})).await;
    assert_eq!(found["ResultList"][1]["Languages"][0]["LanguageCode"], "en", "{found}");
    for (texts, language, code) in [
        (vec!["Hola"], "es", "UnsupportedLanguageException"),
        (vec!["Hi"; 26], "en", "BatchSizeLimitExceededException"),
        (vec![""], "en", "TextSizeLimitExceededException"),
    ] {
        let asked = json!({"TextList": texts, "LanguageCode": language});
        let (status, refused) = stand.comprehend("BatchDetectSentiment", asked).await;
        assert_eq!((status, refused["__type"].as_str()), (400, Some(code)));
    }
}
