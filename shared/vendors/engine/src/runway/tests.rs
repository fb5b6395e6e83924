use nexus_core::effect::Outcome;
use nexus_core::egress::Cost;
use nexus_engine::footage::{FootageBrief, FootageMaker, Shape, StartPicture, Used};
use nexus_kernel::FailureKind;
use nexus_outbound::{Answer, CallError, Operation, Reading, Repeat};
use proptest::prelude::*;

use super::models::{DATA_URI_MOST, MODELS, Model};
use super::port::RunwayApi;
use super::{DEFAULT_MODEL, Runway, VENDOR, prices, request, response};
use crate::footage::downloaded;
use crate::footage::suite::{Part, suite};
use crate::footage::trial::{
    House, from_picture, from_text, odd_answers, recordings, sends_exactly, told,
};

const TASK: &str = "17f20503-6c24-4c16-946b-35dbbce2af2f";
const SUBMIT: &str = "POST https://api.dev.runwayml.com/v1/image_to_video with the key";
const STATUS: &str =
    "GET https://api.dev.runwayml.com/v1/tasks/17f20503-6c24-4c16-946b-35dbbce2af2f with the key";
const DELETE: &str = "DELETE https://api.dev.runwayml.com/v1/tasks/17f20503-6c24-4c16-946b-35dbbce2af2f with the key";
const OUTPUT: &str = "GET https://dnz0.cloudfront.net/17f2.mp4?_jwt=scrubbed";

fn model(name: &str) -> &'static Model {
    Model::named(name).unwrap()
}

fn submit(recording: &str) -> (&'static Model, FootageBrief) {
    match recording {
        "submit.text-only" => (model("gen4.5"), from_text()),
        "submit.veo-fast" => (model("veo3.1_fast"), from_picture()),
        _ => (model("gen4_turbo"), from_picture()),
    }
}

fn submitted(answer: &Answer) -> Result<Reading<String>, CallError> {
    response::submitted(answer, &model("gen4_turbo").quote(&from_picture()).unwrap())
}

#[test]
fn n29_submit_is_built_and_read_as_recorded() {
    let build = |recording: &str| {
        let (model, brief) = submit(recording);
        request::submit(model, &brief, model.quote(&brief).unwrap().seconds)
    };
    let read = |answer: &Answer| format!("{:?}", submitted(answer));
    insta::assert_snapshot!(told("runway", "submit", build, read));
}

#[test]
fn n29_status_is_built_and_read_as_recorded() {
    let read = |answer: &Answer| format!("{:?}", response::task(answer).map(|r| r.value));
    insta::assert_snapshot!(told("runway", "status", |_| request::get_task(TASK), read));
}

#[test]
fn n29_fetch_is_built_and_read_as_recorded() {
    let output =
        response::task(&recordings("runway", "status")["status.succeeded"].answer().unwrap());
    let address = output.unwrap().value.output.unwrap().reveal().clone();
    let read = |answer: &Answer| format!("{:?}", downloaded(answer).map(|r| r.value));
    insta::assert_snapshot!(told("runway", "fetch", |_| request::download(address.clone()), read));
}

#[test]
fn n29_cancel_is_built_and_read_as_recorded() {
    let read = |answer: &Answer| format!("{:?}", response::deleted(answer).map(|r| r.value));
    insta::assert_snapshot!(told("runway", "cancel", |_| request::delete_task(TASK), read));
}

#[test]
fn n29_what_the_vendor_says_in_words_is_told_to_nobody() {
    for (name, recorded) in recordings("runway", "submit") {
        let told = format!("{:?}", submitted(&recorded.answer().unwrap()));
        assert!(!told.contains("honey") && !told.contains("option"), "{name}: {told}");
    }
    for (name, recorded) in recordings("runway", "status") {
        let told = format!("{:?}", response::task(&recorded.answer().unwrap()));
        assert!(!told.contains("honey") && !told.contains("_jwt"), "{name}: {told}");
        // The third part of a code of the content check is not for persons.
        assert!(!told.contains("TEXT") && !told.contains("VIDEO"), "{name}: {told}");
    }
}

#[test]
fn n34_nothing_goes_out_that_is_not_named_and_everything_named_is_used() {
    let built = |brief: FootageBrief| {
        MODELS
            .iter()
            .filter(|m| brief.picture.is_some() || m.from_text)
            .map(|m| request::submit(m, &brief, m.quote(&brief).unwrap().seconds))
            .collect::<Vec<_>>()
    };
    sends_exactly(&request::IMAGE_TO_VIDEO, &built(from_picture()));
    sends_exactly(&request::TEXT_TO_VIDEO, &built(from_text()));
    sends_exactly(&request::GET_TASK, &[request::get_task(TASK)]);
    sends_exactly(&request::DELETE_TASK, &[request::delete_task(TASK)]);
    sends_exactly(&request::DOWNLOAD, &[request::download("https://a.cloudfront.net/b".into())]);
}

#[test]
fn n29_only_a_submission_is_never_repeated() {
    let of = |operation: &Operation| operation.repeat;
    assert_eq!(of(&request::IMAGE_TO_VIDEO), Repeat::Never);
    assert_eq!(of(&request::TEXT_TO_VIDEO), Repeat::Never);
    for operation in [&request::GET_TASK, &request::DELETE_TASK, &request::DOWNLOAD] {
        assert_eq!(of(operation), Repeat::Safe);
    }
}

#[test]
fn n29_a_quote_names_the_length_that_is_made_and_its_price() {
    let quote = |name: &str, seconds| {
        let quote = model(name).quote(&FootageBrief { seconds, ..from_picture() }).unwrap();
        (quote.seconds, quote.cost)
    };
    assert_eq!(quote("gen4_turbo", 1), (2, Cost::micros(100_000)));
    assert_eq!(quote("gen4_turbo", 5), (5, Cost::micros(250_000)));
    assert_eq!(quote("gen4.5", 10), (10, Cost::micros(1_200_000)));
    assert_eq!(quote("veo3.1", 5), (6, Cost::micros(2_400_000)));
    assert_eq!(quote("veo3.1_fast", 8), (8, Cost::micros(1_200_000)));
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
    let most = (DATA_URI_MOST - "data:image/jpeg;base64,".len()) / 4 * 3;
    let field = |name: &str, brief: FootageBrief| match model(name).quote(&brief) {
        Ok(_) => "fits".to_owned(),
        Err(failure) => failure.fields()[0].field.clone(),
    };
    let with = |change: &dyn Fn(&mut FootageBrief)| {
        let mut brief = from_picture();
        change(&mut brief);
        brief
    };
    let turbo = |change: &dyn Fn(&mut FootageBrief)| field("gen4_turbo", with(change));
    assert_eq!(turbo(&|b| b.seconds = 11), "seconds");
    assert_eq!(turbo(&|b| b.seconds = 0), "seconds");
    assert_eq!(turbo(&|b| b.prompt = " \n".into()), "prompt");
    // Counted in UTF-16: this character is two.
    assert_eq!(turbo(&|b| b.prompt = "🍯".repeat(500)), "fits");
    assert_eq!(turbo(&|b| b.prompt = "🍯".repeat(501)), "prompt");
    assert_eq!(turbo(&|b| b.picture = None), "picture");
    assert_eq!(turbo(&|b| b.picture = picture(most, "image/jpeg")), "fits");
    assert_eq!(turbo(&|b| b.picture = picture(most + 1, "image/jpeg")), "picture");
    assert_eq!(turbo(&|b| b.picture = picture(9, "image/webp")), "picture");
    assert_eq!(turbo(&|b| b.picture = picture(0, "image/png")), "picture");
    assert_eq!(field("gen4.5", from_text()), "fits");
    assert_eq!(field("veo3.1", FootageBrief { seconds: 9, ..from_text() }), "seconds");
    assert_eq!(Model::named("gen3a_turbo").unwrap_err().fields()[0].field, "RUNWAY_MODEL");
    // The largest picture that passes is a data URI that Runway takes.
    let brief = with(&|b| b.picture = picture(most, "image/jpeg"));
    let built = request::submit(model("gen4_turbo"), &brief, 5);
    let nexus_outbound::Body::Json(body) = built.body else { panic!("no JSON") };
    assert!(body["promptImage"].as_str().unwrap().len() <= DATA_URI_MOST);
}

#[test]
fn shapes_are_pixels() {
    for model in &MODELS {
        let of = |shape| request::submit(model, &FootageBrief { shape, ..from_picture() }, 4).body;
        for (shape, ratio) in [(Shape::Vertical, "720:1280"), (Shape::Horizontal, "1280:720")] {
            let nexus_outbound::Body::Json(body) = of(shape) else { panic!("no JSON") };
            assert_eq!(body["ratio"], ratio);
        }
    }
}

proptest! {
    #[test]
    fn no_answer_makes_a_reader_panic(answer in odd_answers("runway")) {
        let _read = (submitted(&answer).is_ok(), response::task(&answer).is_ok());
        let _read = (downloaded(&answer).is_ok(), response::deleted(&answer).is_ok());
        // Without an id that can be asked for, nothing counts as submitted.
        if let Ok(reading) = submitted(&answer) {
            prop_assert!(!reading.value.is_empty() && reading.usage.cost >= Cost::ZERO);
        }
    }
}

/// Runway as its recordings tell it.
const PART: Part = Part {
    model: DEFAULT_MODEL,
    model_setting: "RUNWAY_MODEL",
    engine: "runway gen4_turbo",
    job: TASK,
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
    waiting: (&["status.pending", "status.throttled", "status.running"], 5),
    ready: "status.succeeded",
    used: Some(Used { tokens_in: 0, tokens_out: 0, cost: Cost::micros(250_000) }),
    failed: &[
        ("status.failed-input-refused", "moderated", false),
        ("status.failed-output-refused", "moderated", false),
        ("status.failed-bad-output", "failed", true),
        ("status.failed-new-code", "failed", true),
        ("status.cancelled", "cancelled", false),
        ("status.unknown", "expired", true),
    ],
    expired: "fetch.expired",
    impossible: || (from_text(), "picture"),
};

suite!(PART as RunwayApi);

fn runway(house: &House) -> Runway {
    Runway::new(house.parts.clone(), None, "gen4_turbo").unwrap()
}

#[tokio::test(start_paused = true)]
async fn n29_the_daily_cap_is_a_no_that_says_when_to_ask_anew() {
    let house = House::with_key(VENDOR.name).await;
    let runway = runway(&house);
    house.answers(SUBMIT, "runway", "submit.daily-cap");
    let capped = runway.submit(&house.at, &from_picture()).await.outcome;
    let is_told = |why: &str| why.contains("used up") && why.contains("tomorrow");
    assert!(matches!(&capped, Outcome::Refused { why } if is_told(why)), "{capped:?}");
    // Where Runway names a wait, that holds, up to the longest that is believed.
    house.answers(SUBMIT, "runway", "submit.daily-cap-with-wait");
    let waits = runway.submit(&house.at, &from_picture()).await.outcome;
    assert_eq!(waits, Outcome::Throttled { after_seconds: 3_600 });
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_a_task_is_given_up_only_while_it_is_not_finished() {
    let house = House::with_key(VENDOR.name).await;
    let runway = runway(&house);
    house.answers(STATUS, "runway", "status.running").answers(DELETE, "runway", "cancel.ok");
    runway.cancel(&house.at, TASK).await.unwrap();
    for over in
        ["status.succeeded", "status.failed-bad-output", "status.cancelled", "status.unknown"]
    {
        house.answers(STATUS, "runway", over);
        runway.cancel(&house.at, TASK).await.unwrap();
    }
    house.answers(STATUS, "runway", "status.pending").answers(DELETE, "runway", "cancel.unknown");
    runway.cancel(&house.at, TASK).await.unwrap();
    house.answers(STATUS, "runway", "status.bad-key");
    let failure = runway.cancel(&house.at, TASK).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unavailable);
    assert!(runway.can_cancel());
    house.is_played();
}
