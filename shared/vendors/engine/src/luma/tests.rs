use nexus_core::effect::{Found, Outcome};
use nexus_core::egress::Cost;
use nexus_engine::footage::{FootageBrief, FootageMaker, Progress, Shape, StartPicture};
use nexus_kernel::FailureKind;
use nexus_outbound::{Answer, CallError, Reading, Repeat};
use proptest::prelude::*;

use super::models::{MODELS, Model, PICTURE_MOST};
use super::{DEFAULT_MODEL, Luma, VENDOR, prices, request, response};
use crate::footage::downloaded;
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

fn luma(house: &House) -> Luma {
    Luma::new(house.parts.clone(), None, DEFAULT_MODEL).unwrap()
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_by_the_name_of_its_setting() {
    let house = House::with_key(VENDOR.name).await;
    let field = |base: Option<&str>, model: &str| {
        let made = Luma::new(house.parts.clone(), base.map(str::to_owned), model);
        made.err().map(|failure| failure.fields()[0].field.clone())
    };
    assert_eq!(field(None, DEFAULT_MODEL), None);
    assert_eq!(field(Some("not an address"), DEFAULT_MODEL).as_deref(), Some("LUMA_BASE"));
    assert_eq!(field(None, "of last year").as_deref(), Some("LUMA_MODEL"));
}

#[tokio::test(start_paused = true)]
async fn n29_footage_is_submitted_polled_and_fetched() {
    let house = House::with_key(VENDOR.name).await;
    let luma = luma(&house);
    assert_eq!((luma.name(), luma.engine().as_str()), ("luma", "luma ray-3.2"));
    house.answers(SUBMIT, "luma", "submit.ok");
    let submitted = luma.submit(&house.at, &from_picture()).await;
    assert_eq!(submitted, Outcome::Done { receipt: JOB.into(), url: None });
    for waiting in ["status.queued", "status.processing"] {
        house.answers(STATUS, "luma", waiting);
        let progress = luma.status(&house.at, JOB).await.unwrap();
        assert_eq!(progress, Progress::Waiting { after_seconds: 5 }, "{waiting}");
    }
    house.answers(STATUS, "luma", "status.completed");
    assert_eq!(luma.status(&house.at, JOB).await.unwrap(), Progress::Ready);
    house.answers(STATUS, "luma", "status.completed").answers(OUTPUT, "luma", "fetch.ok");
    assert_eq!(luma.fetch(&house.at, JOB).await.unwrap(), "not really an mp4");
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_a_lost_submission_is_unknown_sent_once_and_left_to_a_person() {
    let house = House::with_key(VENDOR.name).await;
    let luma = luma(&house);
    house.loses(SUBMIT);
    let lost = luma.submit(&house.at, &from_picture()).await;
    assert!(matches!(lost, Outcome::Unknown { .. }), "{lost:?}");
    for unclear in ["submit.gateway", "submit.error-in-success", "submit.no-id", "submit.cut-off"] {
        house.answers(SUBMIT, "luma", unclear);
        let unclear = luma.submit(&house.at, &from_picture()).await;
        assert!(matches!(unclear, Outcome::Unknown { .. }), "{unclear:?}");
    }
    let found = luma.look_up(&house.at, &from_picture(), nexus_contract::START).await;
    assert!(matches!(found, Found::StillUnknown { .. }));
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_what_cannot_be_made_is_refused_without_asking() {
    let house = House::with_key(VENDOR.name).await;
    let brief = FootageBrief { seconds: 10, ..from_picture() };
    let refused = luma(&house).submit(&house.at, &brief).await;
    assert!(matches!(refused, Outcome::Refused { why } if why.contains("5 seconds")));
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_a_failed_or_unknown_generation_is_no_error_and_ends_the_wait() {
    let house = House::with_key(VENDOR.name).await;
    let luma = luma(&house);
    for (recording, expected) in [
        ("status.failed-content-moderated", ("moderated", false)),
        ("status.failed-generation-failed", ("failed", true)),
        ("status.unknown", ("expired", true)),
    ] {
        house.answers(STATUS, "luma", recording);
        let Progress::Failed { code, again, .. } = luma.status(&house.at, JOB).await.unwrap()
        else {
            panic!("{recording} is no failure")
        };
        assert_eq!((code.as_str(), again), expected, "{recording}");
    }
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_an_address_that_has_expired_is_asked_for_once_more() {
    let house = House::with_key(VENDOR.name).await;
    let luma = luma(&house);
    house
        .answers(STATUS, "luma", "status.completed")
        .answers(OUTPUT, "luma", "fetch.expired")
        .answers(STATUS, "luma", "status.completed")
        .answers(OUTPUT, "luma", "fetch.ok");
    assert_eq!(luma.fetch(&house.at, JOB).await.unwrap(), "not really an mp4");
    house
        .answers(STATUS, "luma", "status.completed")
        .answers(OUTPUT, "luma", "fetch.expired")
        .answers(STATUS, "luma", "status.completed")
        .answers(OUTPUT, "luma", "fetch.gone");
    let gone = luma.fetch(&house.at, JOB).await.unwrap_err();
    assert_eq!(gone.kind(), FailureKind::NotFound);
    house.answers(STATUS, "luma", "status.processing");
    let early = luma.fetch(&house.at, JOB).await.unwrap_err();
    assert_eq!(early.kind(), FailureKind::Conflict);
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_to_cancel_sends_nothing_and_says_so_before() {
    let house = House::with_key(VENDOR.name).await;
    let luma = luma(&house);
    assert!(!luma.can_cancel());
    luma.cancel(&house.at, JOB).await.unwrap();
    house.is_played();
}
