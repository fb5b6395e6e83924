use nexus_core::egress::Cost;
use nexus_engine::footage::{FootageBrief, FootageMaker, Shape, StartPicture};
use nexus_outbound::{Answer, CallError, Reading, Repeat};
use proptest::prelude::*;

use super::models::{MODELS, Model, PICTURE_MOST};
use super::port::AgentsApi;
use super::{DEFAULT_MODEL, Luma, VENDOR, prices, request, response};
use crate::footage::downloaded;
use crate::footage::suite::{Part, suite};
use crate::footage::trial::{
    House, from_picture, from_text, odd_answers, recordings, sends_exactly, told,
};

const JOB: &str = "d1968551-6113-4b46-b567-09210c2e79b0";
const SUBMIT: &str = "POST https://agents.lumalabs.ai/v1/generations with the key";
const STATUS: &str = "GET https://agents.lumalabs.ai/v1/generations/d1968551-6113-4b46-b567-09210c2e79b0 with the key";
const OUTPUT: &str = "GET https://agents-outputs.s3.us-west-2.amazonaws.com/d196.mp4?X-Amz-Expires=3600&X-Amz-Date=20261120T000000Z";

fn ray() -> &'static Model {
    Model::named(DEFAULT_MODEL).unwrap()
}

fn created(answer: &Answer) -> Result<Reading<String>, CallError> {
    response::created(answer, &ray().quote(&from_picture()).unwrap())
}

#[test]
fn n29_submit_is_built_and_read_as_recorded() {
    let build = |recording: &str| {
        let brief = if recording == "submit.text-only" { from_text() } else { from_picture() };
        request::create(ray(), &brief, ray().quote(&brief).unwrap().seconds)
    };
    let read = |answer: &Answer| format!("{:?}", created(answer));
    insta::assert_snapshot!(told("luma", "submit", build, read));
}

#[test]
fn n29_status_is_built_and_read_as_recorded() {
    let read = |answer: &Answer| format!("{:?}", response::generation(answer).map(|r| r.value));
    insta::assert_snapshot!(told("luma", "status", |_| request::get(JOB), read));
}

#[test]
fn n29_fetch_is_built_and_read_as_recorded() {
    let output =
        response::generation(&recordings("luma", "status")["status.completed"].answer().unwrap());
    let address = output.unwrap().value.output.unwrap().reveal().clone();
    let read = |answer: &Answer| format!("{:?}", downloaded(answer).map(|r| r.value));
    insta::assert_snapshot!(told("luma", "fetch", |_| request::download(address.clone()), read));
}

#[test]
fn n29_what_the_vendor_says_in_words_is_told_to_nobody() {
    for (name, recorded) in recordings("luma", "submit") {
        let told = format!("{:?}", created(&recorded.answer().unwrap()));
        assert!(!told.contains("honey") && !told.contains("supported"), "{name}: {told}");
    }
    for (name, recorded) in recordings("luma", "status") {
        let told = format!("{:?}", response::generation(&recorded.answer().unwrap()));
        assert!(!told.contains("honey") && !told.contains("X-Amz"), "{name}: {told}");
    }
}

#[test]
fn n34_nothing_goes_out_that_is_not_named_and_everything_named_is_used() {
    let briefs = [from_picture(), from_text()];
    let built: Vec<_> = briefs.iter().map(|brief| request::create(ray(), brief, 5)).collect();
    sends_exactly(&request::CREATE, &built);
    sends_exactly(&request::GET, &[request::get(JOB)]);
    sends_exactly(&request::DOWNLOAD, &[request::download("https://a.lumalabs.ai/b".into())]);
}

#[test]
fn n29_only_a_submission_is_never_repeated() {
    assert_eq!(request::CREATE.repeat, Repeat::Never);
    assert_eq!(request::GET.repeat, Repeat::Safe);
    assert_eq!(request::DOWNLOAD.repeat, Repeat::Safe);
}

#[test]
fn n29_a_quote_names_the_length_that_is_made_and_its_price() {
    let quote = |brief: FootageBrief, seconds| {
        let quote = ray().quote(&FootageBrief { seconds, ..brief }).unwrap();
        (quote.seconds, quote.cost)
    };
    assert_eq!(quote(from_picture(), 3), (5, Cost::micros(1_000_000)));
    assert_eq!(quote(from_text(), 5), (5, Cost::micros(1_000_000)));
    assert_eq!(quote(from_text(), 6), (10, Cost::micros(2_000_000)));
    for model in &MODELS {
        assert_eq!(
            prices::PRICES.iter().filter(|p| p.model == model.name).count(),
            1,
            "{}",
            model.name
        );
    }
}

#[test]
fn n29_a_quote_refuses_what_the_model_cannot_make_and_names_the_field() {
    let picture = |bytes: usize, content_type| {
        Some(StartPicture { bytes: vec![0; bytes].into(), content_type })
    };
    let field = |change: &dyn Fn(&mut FootageBrief)| {
        let mut brief = from_picture();
        change(&mut brief);
        match ray().quote(&brief) {
            Ok(_) => "fits".to_owned(),
            Err(failure) => failure.fields()[0].field.clone(),
        }
    };
    // From a picture Luma makes five seconds and no more.
    assert_eq!(field(&|b| b.seconds = 6), "seconds");
    assert_eq!(field(&|b| (b.seconds, b.picture) = (11, None)), "seconds");
    assert_eq!(field(&|b| b.seconds = 0), "seconds");
    assert_eq!(field(&|b| b.prompt = "é".repeat(6_000)), "fits");
    assert_eq!(field(&|b| b.prompt = "é".repeat(6_001)), "prompt");
    assert_eq!(field(&|b| b.prompt = String::new()), "prompt");
    assert_eq!(field(&|b| b.picture = picture(PICTURE_MOST, "image/png")), "fits");
    assert_eq!(field(&|b| b.picture = picture(PICTURE_MOST + 1, "image/png")), "picture");
    assert_eq!(field(&|b| b.picture = picture(1, "image/gif")), "picture");
    assert_eq!(Model::named("ray-2").unwrap_err().fields()[0].field, "LUMA_MODEL");
}

#[test]
fn shapes_and_lengths_are_luma_s_words() {
    let brief = FootageBrief { shape: Shape::Horizontal, ..from_text() };
    let nexus_outbound::Body::Json(body) = request::create(ray(), &brief, 10).body else {
        panic!("no JSON")
    };
    assert_eq!(
        (&body["aspect_ratio"], &body["video"]["duration"]),
        (&"16:9".into(), &"10s".into())
    );
}

proptest! {
    #[test]
    fn no_answer_makes_a_reader_panic(answer in odd_answers("luma")) {
        let _read = (response::generation(&answer).is_ok(), downloaded(&answer).is_ok());
        if let Ok(reading) = created(&answer) {
            prop_assert!(!reading.value.is_empty());
        }
    }
}

/// Luma as its recordings tell it.
const PART: Part = Part {
    model: DEFAULT_MODEL,
    model_setting: "LUMA_MODEL",
    engine: "luma ray-3.2",
    job: JOB,
    submit: SUBMIT,
    status: STATUS,
    output: OUTPUT,
    unclear: &[
        "submit.gateway",
        "submit.503-page",
        "submit.408",
        "submit.error-in-success",
        "submit.no-id",
        "submit.cut-off",
    ],
    waiting: (&["status.queued", "status.processing"], 5),
    ready: "status.completed",
    used: None,
    failed: &[
        ("status.failed-content-moderated", "moderated", false),
        ("status.failed-generation-failed", "failed", true),
        ("status.unknown", "expired", true),
    ],
    expired: "fetch.expired",
    impossible: || (FootageBrief { seconds: 10, ..from_picture() }, "5 seconds"),
};

suite!(PART as AgentsApi);

fn luma(house: &House) -> Luma {
    Luma::new(house.parts.clone(), None, DEFAULT_MODEL).unwrap()
}

#[tokio::test(start_paused = true)]
async fn n29_to_cancel_sends_nothing_and_says_so_before() {
    let house = House::with_key(VENDOR.name).await;
    let luma = luma(&house);
    assert!(!luma.can_cancel());
    luma.cancel(&house.at, JOB).await.unwrap();
    house.is_played();
}
