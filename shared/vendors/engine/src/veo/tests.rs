use nexus_core::effect::{Found, Outcome};
use nexus_core::egress::Cost;
use nexus_engine::footage::{FootageBrief, FootageMaker, Progress, StartPicture};
use nexus_kernel::FailureKind;
use nexus_outbound::{Answer, CallError, Reading, Repeat};
use proptest::prelude::*;

use super::models::{MODELS, Model, PICTURE_MOST};
use super::{DEFAULT_MODEL, VENDOR, Veo, prices, request, response};
use crate::footage::downloaded;
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

fn veo(house: &House) -> Veo {
    Veo::new(house.parts.clone(), None, DEFAULT_MODEL).unwrap()
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_by_the_name_of_its_setting() {
    let house = House::with_key(VENDOR.name).await;
    let field = |base: Option<&str>, model: &str| {
        let made = Veo::new(house.parts.clone(), base.map(str::to_owned), model);
        made.err().map(|failure| failure.fields()[0].field.clone())
    };
    assert_eq!(field(None, DEFAULT_MODEL), None);
    assert_eq!(field(Some("not an address"), DEFAULT_MODEL).as_deref(), Some("VEO_BASE"));
    assert_eq!(field(None, "of last year").as_deref(), Some("VEO_MODEL"));
}

#[tokio::test(start_paused = true)]
async fn n29_footage_is_submitted_polled_and_fetched() {
    let house = House::with_key(VENDOR.name).await;
    let veo = veo(&house);
    // The setting names whom a tenant chose; what made a thing is named as what it is.
    assert_eq!((veo.name(), veo.engine().as_str()), ("veo", "google gemini-omni-1.1-flash"));
    house.answers(SUBMIT, "veo", "submit.ok");
    let submitted = veo.submit(&house.at, &from_picture()).await;
    assert_eq!(submitted, Outcome::Done { receipt: JOB.into(), url: None });
    for waiting in ["status.queued", "status.in-progress"] {
        house.answers(STATUS, "veo", waiting);
        let progress = veo.status(&house.at, JOB).await.unwrap();
        assert_eq!(progress, Progress::Waiting { after_seconds: 10 }, "{waiting}");
    }
    house.answers(STATUS, "veo", "status.completed");
    assert_eq!(veo.status(&house.at, JOB).await.unwrap(), Progress::Ready);
    house.answers(STATUS, "veo", "status.completed").answers(FILE, "veo", "fetch.ok");
    assert_eq!(veo.fetch(&house.at, JOB).await.unwrap(), "not really an mp4");
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_a_lost_submission_is_unknown_sent_once_and_left_to_a_person() {
    let house = House::with_key(VENDOR.name).await;
    let veo = veo(&house);
    house.loses(SUBMIT);
    let lost = veo.submit(&house.at, &from_picture()).await;
    assert!(matches!(lost, Outcome::Unknown { .. }), "{lost:?}");
    for unclear in
        ["submit.internal", "submit.wordless-error-in-success", "submit.no-id", "submit.cut-off"]
    {
        house.answers(SUBMIT, "veo", unclear);
        let unclear = veo.submit(&house.at, &from_picture()).await;
        assert!(matches!(unclear, Outcome::Unknown { .. }), "{unclear:?}");
    }
    let found = veo.look_up(&house.at, &from_picture(), nexus_contract::START).await;
    assert!(matches!(found, Found::StillUnknown { .. }));
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_what_cannot_be_made_is_refused_without_asking() {
    let house = House::with_key(VENDOR.name).await;
    let brief = FootageBrief { seconds: 30, ..from_picture() };
    let refused = veo(&house).submit(&house.at, &brief).await;
    assert!(matches!(refused, Outcome::Refused { why } if why.contains("10 seconds")));
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_a_completed_interaction_without_footage_is_a_refusal_and_an_unknown_one_has_expired() {
    let house = House::with_key(VENDOR.name).await;
    let veo = veo(&house);
    for (recording, expected) in [
        ("status.completed-without-video", ("moderated", false)),
        ("status.unknown", ("expired", true)),
        ("status.budget-exceeded", ("budget", false)),
        ("status.requires-action", ("failed", false)),
        ("status.incomplete", ("failed", true)),
    ] {
        house.answers(STATUS, "veo", recording);
        let Progress::Failed { code, again, .. } = veo.status(&house.at, JOB).await.unwrap() else {
            panic!("{recording} is no failure")
        };
        assert_eq!((code.as_str(), again), expected, "{recording}");
    }
    // A bad key is answered with 400 as well, and is no lost job.
    house.answers(STATUS, "veo", "status.bad-key");
    let login = veo.status(&house.at, JOB).await.unwrap_err();
    assert_eq!(login.kind(), FailureKind::Unavailable);
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n29_a_file_that_is_gone_is_asked_for_once_more_and_given_up() {
    let house = House::with_key(VENDOR.name).await;
    let veo = veo(&house);
    for _ in 0..2 {
        house.answers(STATUS, "veo", "status.completed").answers(FILE, "veo", "fetch.gone");
    }
    let gone = veo.fetch(&house.at, JOB).await.unwrap_err();
    assert_eq!(gone.kind(), FailureKind::NotFound);
    house.answers(STATUS, "veo", "status.in-progress");
    let early = veo.fetch(&house.at, JOB).await.unwrap_err();
    assert_eq!(early.kind(), FailureKind::Conflict);
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
