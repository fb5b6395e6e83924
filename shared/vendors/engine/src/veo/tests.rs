use nexus_core::egress::Cost;
use nexus_engine::footage::{FootageBrief, FootageMaker, StartPicture, Used};
use nexus_kernel::FailureKind;
use nexus_outbound::{Answer, CallError, Reading, Repeat};
use proptest::prelude::*;

use super::models::{MODELS, Model, PICTURE_MOST};
use super::port::Interactions;
use super::{DEFAULT_MODEL, VENDOR, Veo, prices, request, response};
use crate::footage::downloaded;
use crate::footage::suite::{Part, suite};
use crate::footage::trial::{
    House, from_picture, from_text, odd_answers, recordings, sends_exactly, told,
};

const JOB: &str = "v1_abc";
const SUBMIT: &str =
    "POST https://generativelanguage.googleapis.com/v1beta/interactions with the key";
const STATUS: &str =
    "GET https://generativelanguage.googleapis.com/v1beta/interactions/v1_abc with the key";
const CANCEL: &str =
    "POST https://generativelanguage.googleapis.com/v1beta/interactions/v1_abc/cancel with the key";
const FILE: &str = "GET https://generativelanguage.googleapis.com/v1beta/files/f1-a_b:download?alt=media with the key";

fn omni() -> &'static Model {
    Model::named(DEFAULT_MODEL).unwrap()
}

fn created(answer: &Answer) -> Result<Reading<String>, CallError> {
    response::created(answer, &omni().quote(&from_picture()).unwrap())
}

#[test]
fn n29_submit_is_built_and_read_as_recorded() {
    let build = |recording: &str| {
        let brief = if recording == "submit.text-only" { from_text() } else { from_picture() };
        request::create(omni(), &brief, omni().quote(&brief).unwrap().seconds)
    };
    let read = |answer: &Answer| format!("{:?}", created(answer));
    insta::assert_snapshot!(told("veo", "submit", build, read));
}

#[test]
fn n29_status_is_built_and_read_as_recorded() {
    let read = |answer: &Answer| format!("{:?}", response::interaction(answer).map(|r| r.value));
    insta::assert_snapshot!(told("veo", "status", |_| request::get(JOB), read));
}

#[test]
fn n29_fetch_is_built_and_read_as_recorded() {
    let output =
        response::interaction(&recordings("veo", "status")["status.completed"].answer().unwrap());
    let file = output.unwrap().value.output.unwrap().reveal().clone();
    let read = |answer: &Answer| format!("{:?}", downloaded(answer).map(|r| r.value));
    insta::assert_snapshot!(told("veo", "fetch", |_| request::download(&file), read));
}

#[test]
fn n29_cancel_is_built_and_read_as_recorded() {
    let read = |answer: &Answer| format!("{:?}", response::cancelled(answer).map(|r| r.value));
    insta::assert_snapshot!(told("veo", "cancel", |_| request::cancel(JOB), read));
}

#[test]
fn n29_what_the_vendor_says_in_words_is_told_to_nobody() {
    for (name, recorded) in recordings("veo", "submit") {
        let told = format!("{:?}", created(&recorded.answer().unwrap()));
        assert!(!told.contains("honey") && !told.contains("available"), "{name}: {told}");
    }
    for (name, recorded) in recordings("veo", "status") {
        let told = format!("{:?}", response::interaction(&recorded.answer().unwrap()));
        assert!(!told.contains("honey") && !told.contains("alt=media"), "{name}: {told}");
    }
}

#[test]
fn n34_nothing_goes_out_that_is_not_named_and_everything_named_is_used() {
    let briefs = [from_picture(), from_text()];
    let built: Vec<_> = briefs.iter().map(|brief| request::create(omni(), brief, 5)).collect();
    sends_exactly(&request::CREATE, &built);
    sends_exactly(&request::GET, &[request::get(JOB)]);
    sends_exactly(&request::CANCEL, &[request::cancel(JOB)]);
    sends_exactly(&request::DOWNLOAD, &[request::download("f1")]);
}

#[test]
fn n29_only_a_submission_is_never_repeated() {
    assert_eq!(request::CREATE.repeat, Repeat::Never);
    for operation in [&request::GET, &request::CANCEL, &request::DOWNLOAD] {
        assert_eq!(operation.repeat, Repeat::Safe);
    }
}

#[test]
fn n29_a_quote_names_the_length_that_is_made_and_its_price() {
    let quote = |name: &str, seconds| {
        let brief = FootageBrief { seconds, ..from_picture() };
        let quote = Model::named(name).unwrap().quote(&brief).unwrap();
        (quote.seconds, quote.cost)
    };
    assert_eq!(quote("gemini-omni-1.1-flash", 1), (3, Cost::micros(326_000)));
    assert_eq!(quote("gemini-omni-1.1-flash", 10), (10, Cost::micros(1_040_000)));
    assert_eq!(quote("gemini-omni-1.2-flash", 15), (15, Cost::micros(1_550_000)));
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
        match omni().quote(&brief) {
            Ok(_) => "fits".to_owned(),
            Err(failure) => failure.fields()[0].field.clone(),
        }
    };
    assert_eq!(field(&|b| b.seconds = 11), "seconds");
    assert_eq!(field(&|b| b.seconds = 0), "seconds");
    assert_eq!(field(&|b| b.prompt = "é".repeat(6_000)), "fits");
    assert_eq!(field(&|b| b.prompt = "é".repeat(6_001)), "prompt");
    assert_eq!(field(&|b| b.picture = picture(PICTURE_MOST, "image/png")), "fits");
    assert_eq!(field(&|b| b.picture = picture(PICTURE_MOST + 1, "image/png")), "picture");
    assert_eq!(field(&|b| b.picture = picture(1, "image/webp")), "picture");
    assert_eq!(
        Model::named("veo-3.1-generate-preview").unwrap_err().fields()[0].field,
        "VEO_MODEL"
    );
}

proptest! {
    #[test]
    fn no_answer_makes_a_reader_panic(answer in odd_answers("veo")) {
        let _read = (response::interaction(&answer).is_ok(), response::cancelled(&answer).is_ok());
        if let Ok(reading) = created(&answer) {
            prop_assert!(!reading.value.is_empty());
        }
        // What is fetched with the key is a file's id, whatever address an answer names.
        if let Ok(reading) = response::interaction(&answer)
            && let Some(file) = reading.value.output
        {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            prop_assert!(file.reveal().bytes().all(plain));
        }
    }
}

/// Google as its recordings tell it.
const PART: Part = Part {
    model: DEFAULT_MODEL,
    model_setting: "VEO_MODEL",
    // The setting names whom a tenant chose; what made a thing is named as what it is.
    engine: "google gemini-omni-1.1-flash",
    job: JOB,
    submit: SUBMIT,
    status: STATUS,
    output: FILE,
    unclear: &[
        "submit.internal",
        "submit.503-page",
        "submit.408",
        "submit.wordless-error-in-success",
        "submit.no-id",
        "submit.cut-off",
    ],
    waiting: (&["status.queued", "status.in-progress"], 10),
    ready: "status.completed",
    used: Some(Used { tokens_in: 10, tokens_out: 46_336, cost: Cost::micros(830_880) }),
    failed: &[
        ("status.completed-without-video", "moderated", false),
        ("status.unknown", "expired", true),
        ("status.budget-exceeded", "budget", false),
        ("status.requires-action", "failed", false),
        ("status.incomplete", "failed", true),
    ],
    expired: "fetch.gone",
    impossible: || (FootageBrief { seconds: 30, ..from_picture() }, "10 seconds"),
};

suite!(PART as Interactions);

fn veo(house: &House) -> Veo {
    Veo::new(house.parts.clone(), None, DEFAULT_MODEL).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_bad_key_is_answered_with_400_as_well_and_is_no_lost_job() {
    let house = House::with_key(VENDOR.name).await;
    house.answers(STATUS, "veo", "status.bad-key");
    let login = veo(&house).status(&house.at, JOB).await.unwrap_err();
    assert_eq!(login.kind(), FailureKind::Unavailable);
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_an_interaction_is_given_up_and_one_that_is_over_is_no_error() {
    let house = House::with_key(VENDOR.name).await;
    let veo = veo(&house);
    for recording in ["cancel.ok", "cancel.over", "cancel.unknown"] {
        house.answers(CANCEL, "veo", recording);
        veo.cancel(&house.at, JOB).await.unwrap();
    }
    house.answers(CANCEL, "veo", "cancel.bad-key");
    let failure = veo.cancel(&house.at, JOB).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unavailable);
    assert!(veo.can_cancel());
    house.is_played();
}
