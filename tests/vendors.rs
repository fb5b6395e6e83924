//! Journeys through the one-machine host with the Engine's vendors on loopback: what reaches them, what it costs, what
//! becomes of a draft when one of them fails, and that without a key nobody is asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use nexus_core::QueueAddress;
use nexus_core::queues::Message;
use nexus_engine::providers::{Choice, SpeechProvider};
use nexus_local::engines::Engines;
use nexus_testkit::fakes::FakeSpeech;
use nexus_testkit::vendors::{Asked, Failure, KEY, Maker, Operation, VOICE_EN, VOICE_ES, Vendors};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::sources;
use crate::stage::{Answer, Stage, tenant};

const WHO: &str = "aurora/operator";
const BOSS: &str = "aurora/approver";

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A host that has the keys of these vendors and is led to `vendors`.
async fn stage(vendors: &Vendors, keys: &[&str], change: impl FnOnce(&mut Engines)) -> Stage {
    stage_set_so(vendors, keys, &[], change).await
}

/// The same with more settings.
async fn stage_set_so(
    vendors: &Vendors,
    keys: &[&str],
    more: &[(&str, &str)],
    change: impl FnOnce(&mut Engines),
) -> Stage {
    let settings = vendors.settings();
    let settings = settings.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    let settings: Vec<(&str, &str)> = settings.chain(more.iter().copied()).collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|vendor| (*vendor, KEY)).collect();
    Stage::with_keys(&keys, &settings, change).await
}

/// The same with a house voice that is one of a test.
async fn stage_with_voice(vendors: &Vendors, keys: &[&str]) -> (Stage, Arc<FakeSpeech>) {
    let voice = Arc::new(FakeSpeech::hurried());
    let house = Arc::clone(&voice);
    let stage = stage(vendors, keys, |engines| {
        engines.voices = Choice::of(SpeechProvider::House, house);
    });
    (stage.await, voice)
}

/// The same for a journey that is over with the words: without voices and films.
async fn stage_of_words(vendors: &Vendors, keys: &[&str]) -> Stage {
    stage(vendors, keys, |engines| engines.ffmpeg = None).await
}

async fn set(stage: &Stage, who: &str, settings: Value) {
    let answer = stage.api(who, Method::PUT, "/v1/settings", Some(settings)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

/// The draft of a tenant who chose these, in English alone: one film is enough.
async fn english_draft(stage: &Stage, who: &str, providers: Value) -> Value {
    set(stage, who, json!({ "languages": ["en"], "providers": providers })).await;
    let draft = stage.draft(who, "coffee.png").await;
    assert_eq!(draft["stage"], "awaiting_approval", "{draft}");
    draft
}

fn at(draft: &Value) -> String {
    format!("/v1/drafts/{}", draft["id"].as_str().unwrap())
}

/// The text of a note of a draft.
fn note<'d>(draft: &'d Value, code: &str) -> &'d str {
    let notes = draft["notes"].as_array().unwrap();
    let found = notes.iter().find(|note| note["code"] == code);
    found.unwrap_or_else(|| panic!("no note `{code}`: {notes:?}"))["text"].as_str().unwrap()
}

fn is_by(words: &Value, engine: &str) -> bool {
    words["engine"].as_str().unwrap().starts_with(engine)
}

/// What was asked wrongly: nothing, in every journey.
fn assert_nothing_wrong(vendors: &Vendors) {
    assert_eq!(vendors.wrong(), Vec::<String>::new());
}

async fn ask(stage: &Stage, draft: &Value, maker: &str) -> Value {
    let wish = json!({ "provider": maker, "prompt": "The cup turns slowly.", "seconds": 5 });
    let path = format!("{}/footage", at(draft));
    let answer = stage.api(WHO, Method::POST, &path, Some(wish)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.body
}

fn place(footage: &Value) -> String {
    format!("/v1/footage/{}", footage["id"].as_str().unwrap())
}

async fn approve(stage: &Stage, who: &str, footage: &Value) -> Answer {
    let approval = json!({ "digest": footage["digest"] });
    stage.api(who, Method::POST, &format!("{}/approve", place(footage)), Some(approval)).await
}

/// Asks, approves, and lets so much time pass that footage is there.
async fn buy(stage: &Stage, draft: &Value, maker: &str) -> Value {
    let footage = ask(stage, draft, maker).await;
    let approved = approve(stage, BOSS, &footage).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
    stage.idle().await;
    for _ in 0..4 {
        stage.advance(secs(30)).await;
    }
    stage.get(WHO, &place(&footage)).await
}

async fn assert_no_work_is_left(stage: &Stage) {
    for queue in stage.host.queue_status().await.unwrap() {
        assert_eq!(queue.depth, Default::default(), "{}", queue.queue);
    }
}

#[tokio::test]
async fn n26_n28_n34_gemini_writes_and_elevenlabs_speaks_for_who_chose_them() {
    let vendors = Vendors::open().await.unwrap();
    let (stage, house) = stage_with_voice(&vendors, &["gemini", "elevenlabs"]).await;
    let providers = json!({ "copy": "gemini", "speech": ["elevenlabs"] });
    set(&stage, WHO, json!({ "providers": providers })).await;
    let draft = stage.draft(WHO, "coffee.png").await;
    assert_eq!(
        (&draft["stage"], &draft["notes"]),
        (&json!("awaiting_approval"), &json!([])),
        "{draft}"
    );
    for (language, voice) in [("en", VOICE_EN), ("es", VOICE_ES)] {
        let (words, narration) = (&draft["words"][language], &draft["narrations"][language]);
        assert!(is_by(words, "gemini gemini-3.8-flash"), "{}", words["engine"]);
        assert!(words["captions"].to_string().contains("Aurora Flat White"), "{words}");
        assert_eq!(narration["engine"], format!("elevenlabs eleven_multilingual_v2 {voice}"));
        assert!(draft["films"][language]["duration_ms"].as_u64() > Some(0));
    }
    assert!(draft["words"]["en"]["description"].as_str().unwrap().contains("what you like"));
    assert!(draft["words"]["es"]["description"].as_str().unwrap().contains("lo que te gusta"));
    assert_eq!(house.calls.all(), []);

    // The ledger has what went out, how often, and what it cost.
    let spoken: Vec<Asked> = vendors.asked(Operation::Speak);
    let characters: usize =
        spoken.iter().map(|asked| asked.body["text"].as_str().unwrap().chars().count()).sum();
    let ledger = stage.get(WHO, "/v1/egress").await;
    let lines = ledger["lines"].as_array().unwrap();
    let line = |vendor: &str| lines.iter().find(|line| line["vendor"] == vendor).unwrap();
    assert_eq!(lines.len(), 2, "{ledger}");
    for (vendor, calls) in [("gemini", 1), ("elevenlabs", spoken.len())] {
        let line = line(vendor);
        assert_eq!(
            (&line["calls"], &line["ended"]["done"]),
            (&json!(calls), &json!(calls)),
            "{line}"
        );
        assert!(line["cost_micros"].as_i64().unwrap() > 0, "{line}");
        let fields: BTreeMap<&str, u64> = line["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| (field["path"].as_str().unwrap(), field["calls"].as_u64().unwrap()))
            .collect();
        let text = if vendor == "gemini" { "contents[].parts[].text" } else { "text" };
        assert_eq!(fields[text], u64::try_from(calls).unwrap(), "{fields:?}");
    }
    assert!(line("gemini")["tokens_in"].as_u64() > Some(0));
    assert!(line("gemini")["tokens_out"].as_u64() > Some(0));
    assert_eq!(line("elevenlabs")["units"], characters);
    let spending = stage.get(WHO, "/v1/spending").await;
    for vendor in spending["vendors"].as_array().unwrap() {
        assert!(vendor["spent"]["minor"].as_i64().unwrap() > 0, "{vendor}");
        assert_eq!(vendor["reserved"]["minor"], 0, "all of it is settled: {vendor}");
    }

    // It has nothing of what stood in it; and what stood in it is no more than it had to be.
    let sent =
        Value::from_iter(vendors.everything().into_iter().map(|asked| asked.body)).to_string();
    let told = format!("{ledger}{spending}").to_lowercase();
    for content in ["aurora", "espresso", "you like", "gusta", &VOICE_EN.to_lowercase(), KEY] {
        assert!(!told.contains(content), "{content} in {told}");
    }
    assert!(sent.contains("Aurora Flat White") && sent.contains("espresso"), "{sent}");
    let owner = tenant("aurora").to_string();
    let ids = [&draft["id"], &draft["media"], &draft["product"]].map(|id| id.as_str().unwrap());
    for private in
        ["owner@example.com", "example.com", "flat-white", KEY, &owner].iter().chain(&ids)
    {
        assert!(!sent.contains(private), "{private} in {sent}");
    }
    assert_nothing_wrong(&vendors);
    assert_no_work_is_left(&stage).await;
}

#[tokio::test]
async fn n33_each_request_asks_for_nothing_to_be_kept_where_it_may_and_the_ledger_shows_it() {
    let vendors = Vendors::open().await.unwrap();
    // An account that may ask for it, and another manner than the usual one.
    let more = [("ELEVENLABS_NO_LOGGING", "true"), ("ELEVENLABS_STABILITY", "0.3")];
    let stage = stage_set_so(&vendors, &["gemini", "elevenlabs"], &more, |_| {}).await;
    let draft =
        english_draft(&stage, WHO, json!({ "copy": "gemini", "speech": ["elevenlabs"] })).await;
    let engine = draft["narrations"]["en"]["engine"].as_str().unwrap();
    assert!(engine.contains("stability 0.3"), "{engine}");

    let (written, spoken) = (vendors.asked(Operation::Write), vendors.asked(Operation::Speak));
    assert!(!written.is_empty() && !spoken.is_empty());
    for asked in &written {
        assert_eq!(asked.body["store"], json!(false), "{}", asked.body);
    }
    for asked in &spoken {
        assert!(asked.path.contains("enable_logging=false"), "{}", asked.path);
        assert_eq!(asked.body["voice_settings"]["stability"], json!(0.3));
    }
    let ledger = stage.get(WHO, "/v1/egress").await;
    for (vendor, field, calls) in
        [("gemini", "store", written.len()), ("elevenlabs", "?enable_logging", spoken.len())]
    {
        let lines = ledger["lines"].as_array().unwrap();
        let line = lines.iter().find(|line| line["vendor"] == vendor).unwrap();
        let fields = line["fields"].as_array().unwrap();
        let told = fields.iter().find(|told| told["path"] == field);
        assert_eq!(told.map(|told| &told["calls"]), Some(&json!(calls)), "{field} in {line}");
    }
    assert_nothing_wrong(&vendors);
}

#[tokio::test]
async fn a_prompt_that_gemini_blocks_leaves_the_templates_words_and_a_note() {
    let vendors = Vendors::open().await.unwrap();
    let stage = stage_of_words(&vendors, &["gemini"]).await;
    vendors.fail_next(Operation::Write, Failure::Refused);
    let draft = stage.draft(WHO, "coffee.png").await;
    assert_eq!(draft["stage"], "awaiting_approval");
    assert!(note(&draft, "copy_declined").starts_with("Gemini does not write about this product"));
    for language in ["en", "es"] {
        assert!(is_by(&draft["words"][language], "template"), "{}", draft["words"][language]);
    }
    assert_eq!(vendors.asked(Operation::Write).len(), 1, "its no stands");
    let ledger = stage.get(WHO, "/v1/egress").await;
    assert_eq!(ledger["lines"][0]["ended"]["refused"], 1, "{ledger}");
    assert_nothing_wrong(&vendors);
}

#[tokio::test]
async fn a_draft_waits_for_a_gemini_that_is_busy_and_comes() {
    let vendors = Vendors::open().await.unwrap();
    let stage = stage_of_words(&vendors, &["gemini"]).await;
    // Longer than a step may take: it is not waited for within one.
    for _ in 0..2 {
        vendors.fail_next(Operation::Write, Failure::Busy { after_seconds: 600 });
    }
    let early = stage.draft(WHO, "coffee.png").await;
    let asked = || vendors.asked(Operation::Write).len();
    assert_eq!((&early["stage"], asked()), (&json!("composing"), 1), "{early}");
    stage.advance(secs(5)).await;
    let draft = stage.get(WHO, &at(&early)).await;
    assert_eq!((&draft["stage"], asked()), (&json!("composing"), 2), "{draft}");
    // The third time the connection is lost and half an answer comes, before there is a whole one.
    vendors.fail_next(Operation::Write, Failure::Dropped);
    vendors.fail_next(Operation::Write, Failure::CutOff);
    stage.advance(secs(10)).await;
    let draft = stage.get(WHO, &at(&early)).await;
    assert_eq!((&draft["stage"], asked()), (&json!("awaiting_approval"), 5), "{draft}");
    assert_eq!(draft["notes"].as_array().unwrap().len(), 1, "{}", note(&draft, "no_ffmpeg"));
    assert!(is_by(&draft["words"]["en"], "gemini"));
    let line = &stage.get(WHO, "/v1/egress").await["lines"][0];
    let ended = &line["ended"];
    assert_eq!(
        (&line["calls"], &ended["throttled"], &ended["done"]),
        (&json!(3), &json!(2), &json!(1))
    );
    assert_eq!(line["tries"], 5);
    assert_nothing_wrong(&vendors);
    assert_no_work_is_left(&stage).await;
}

#[tokio::test]
async fn n28_nobody_else_speaks_for_elevenlabs_and_elevenlabs_for_nobody_else() {
    const OTHER: &str = "borealis/operator";
    let vendors = Vendors::open().await.unwrap();
    let (stage, house) = stage_with_voice(&vendors, &["elevenlabs"]).await;
    // An account that is empty: one sentence tells it.
    vendors.fail_next(Operation::Speak, Failure::Refused);
    let draft = english_draft(&stage, WHO, json!({ "speech": ["elevenlabs"] })).await;
    assert_eq!(draft["narrations"], json!({}));
    let why = note(&draft, "no_speech_en");
    assert!(why.contains("no characters left"), "{why}");
    assert!(draft["films"]["en"]["duration_ms"].as_u64() > Some(0), "with captions alone");
    assert_eq!(vendors.asked(Operation::Speak).len(), 1);
    assert_eq!(house.calls.all(), [], "no sentence went to a voice that was not chosen");

    // Who did not choose it is not spoken for, also where the house's voice fails.
    house.fail(nexus_kernel::Failure::invalid("The house's voice is hoarse."));
    let draft = english_draft(&stage, OTHER, json!({})).await;
    assert_eq!(draft["narrations"], json!({}));
    assert!(note(&draft, "no_speech_en").contains("hoarse"));
    assert_eq!(house.calls.all().len(), 1);
    assert_eq!(vendors.asked(Operation::Speak).len(), 1, "no more than before");
    assert_eq!(stage.get(OTHER, "/v1/egress").await["lines"], json!([]));
    assert_nothing_wrong(&vendors);
}

#[tokio::test]
async fn n15_n29_footage_is_bought_once_followed_and_filmed() {
    let vendors = Vendors::open().await.unwrap();
    let (stage, _) = stage_with_voice(&vendors, &["runway"]).await;
    let before = english_draft(&stage, WHO, json!({})).await;
    let offer = ask(&stage, &before, "runway").await;
    assert_eq!((&offer["state"], &offer["at_most_micros"]), (&json!("proposed"), &json!(250_000)));
    assert_eq!(offer["engine"], "runway gen4_turbo");
    stage.idle().await;
    let by_operator = approve(&stage, WHO, &offer).await;
    assert_eq!(by_operator.status, StatusCode::FORBIDDEN, "an operator buys nothing");
    stage.advance(secs(120)).await;
    assert_eq!(vendors.connections(), 0, "an offer reaches nobody");

    // Approved twice, told twice, and the answer to a look is lost.
    for _ in 0..2 {
        assert_eq!(approve(&stage, BOSS, &offer).await.status, StatusCode::OK);
    }
    let owner = tenant("aurora").to_string();
    let message = json!({ "effect": offer["id"] });
    let body = json!({ "product": "engine", "owner": owner, "trace": "t", "message": message });
    let again = Message { body: body.to_string(), group: owner, delay: Duration::ZERO };
    stage.host.queues().send(&QueueAddress("FootageQueue".into()), vec![again]).await.unwrap();
    vendors.fail_next(Operation::Look(Maker::Runway), Failure::Dropped);
    stage.idle().await;
    let submitted = vendors.asked(Operation::Submit(Maker::Runway));
    assert_eq!(submitted.len(), 1);
    assert_eq!(submitted[0].body["promptText"], "The cup turns slowly.");
    assert_eq!(vendors.asked(Operation::Look(Maker::Runway)).len(), 0, "it is not its time");
    let waiting = stage.get(WHO, &place(&offer)).await;
    assert_eq!((&waiting["state"], &waiting["job"]["state"]), (&json!("done"), &json!("waiting")));

    stage.advance(secs(15)).await;
    // One look: its lost answer was asked for again.
    assert_eq!(vendors.asked(Operation::Look(Maker::Runway)).len(), 2);
    assert_eq!(stage.get(WHO, &place(&offer)).await["job"]["looks"], 1);
    assert_eq!(stage.get(WHO, &at(&before)).await["proposal"], before["proposal"], "as it was");
    stage.advance(secs(30)).await;
    let bought = stage.get(WHO, &place(&offer)).await;
    assert_eq!((&bought["job"]["state"], &bought["job"]["looks"]), (&json!("ready"), &json!(2)));
    assert_eq!(vendors.asked(Operation::Fetch(Maker::Runway)).len(), 1);

    let after = stage.get(WHO, &at(&before)).await;
    assert_eq!((&after["stage"], &after["notes"]), (&json!("awaiting_approval"), &json!([])));
    let footage = &after["footage"][0];
    assert_eq!(
        (&footage["engine"], &footage["purchase"]),
        (&json!("runway gen4_turbo"), &offer["id"])
    );
    assert_eq!((&footage["width"], &footage["height"]), (&json!(180), &json!(320)));
    assert_ne!(after["proposal"]["digest"], before["proposal"]["digest"], "the films are others");
    // What was seen before the footage came is not what would be published now.
    let seen = json!({ "digest": before["proposal"]["digest"] });
    let stale =
        stage.api(BOSS, Method::POST, &format!("{}/approve", at(&before)), Some(seen)).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.body);
    stage.advance(secs(3 * 3_600)).await;
    assert!(stage.host.feed().posts().unwrap().is_empty());
    assert_eq!(vendors.asked(Operation::Submit(Maker::Runway)).len(), 1);
    assert_eq!(vendors.asked(Operation::Look(Maker::Runway)).len(), 4, "nobody asks any more");

    let ledger = stage.get(WHO, "/v1/egress").await;
    let lines = ledger["lines"].as_array().unwrap();
    let cost = |line: &Value| line["cost_micros"].as_i64().unwrap();
    assert_eq!(lines.iter().map(cost).sum::<i64>(), 250_000, "{ledger}");
    assert_nothing_wrong(&vendors);
    assert_no_work_is_left(&stage).await;
}

#[tokio::test]
async fn n15_n29_a_submission_whose_answer_is_lost_is_never_sent_again_and_a_person_is_asked() {
    let vendors = Vendors::open().await.unwrap();
    let (stage, _) = stage_with_voice(&vendors, &["runway"]).await;
    let draft = english_draft(&stage, WHO, json!({})).await;
    let offer = ask(&stage, &draft, "runway").await;
    vendors.fail_next(Operation::Submit(Maker::Runway), Failure::Dropped);
    assert_eq!(approve(&stage, BOSS, &offer).await.status, StatusCode::OK);
    stage.idle().await;
    assert_eq!(stage.get(WHO, &place(&offer)).await["state"], "unknown");
    stage.advance(secs(4 * 3_600)).await;
    let unsure = stage.get(WHO, &place(&offer)).await;
    assert_eq!(
        (&unsure["state"], &unsure["job"]["state"]),
        (&json!("ask_a_person"), &json!("unsure"))
    );
    assert_eq!((&unsure["attempts"], &unsure["history_is_whole"]), (&json!(1), &json!(true)));
    let told = stage.get(WHO, &at(&draft)).await;
    assert!(note(&told, "footage_unsure").contains("it is not sent again by itself"), "{told}");
    assert_eq!(approve(&stage, BOSS, &offer).await.status, StatusCode::OK, "it stands approved");
    stage.advance(secs(3_600)).await;
    assert_eq!(vendors.asked(Operation::Submit(Maker::Runway)).len(), 1);

    // Nobody knows, so the ledger counts it as spent.
    let ledger = stage.get(WHO, "/v1/egress").await;
    let line = &ledger["lines"][0];
    assert_eq!((&line["ended"]["unknown"], &line["cost_micros"]), (&json!(1), &json!(250_000)));
    let off = stage.api(BOSS, Method::POST, &format!("{}/cancel", place(&offer)), None).await;
    assert_eq!(
        (off.status, &off.body["state"]),
        (StatusCode::OK, &json!("cancelled")),
        "{}",
        off.body
    );
    assert_nothing_wrong(&vendors);
    assert_no_work_is_left(&stage).await;
}

#[tokio::test]
async fn n29_every_maker_brings_its_footage_and_a_no_is_told() {
    let vendors = Vendors::open().await.unwrap();
    let (stage, _) = stage_with_voice(&vendors, &["veo", "luma"]).await;
    let draft = english_draft(&stage, WHO, json!({})).await;
    vendors.fail_next(Operation::Look(Maker::Omni), Failure::Refused);
    let refused = buy(&stage, &draft, "veo").await;
    assert_eq!(refused["job"]["code"], "moderated", "{refused}");
    let told = stage.get(WHO, &at(&draft)).await;
    assert!(note(&told, "footage_failed").contains("against its rules"), "{told}");
    assert_eq!(told["proposal"], draft["proposal"], "it can be approved without");

    vendors.fail_next(Operation::Submit(Maker::Luma), Failure::Busy { after_seconds: 90 });
    let luma = ask(&stage, &draft, "luma").await;
    assert_eq!(approve(&stage, BOSS, &luma).await.status, StatusCode::OK);
    stage.idle().await;
    assert_eq!(
        stage.get(WHO, &place(&luma)).await["state"],
        "approved",
        "it waits, and is not lost"
    );
    for _ in 0..8 {
        stage.advance(secs(30)).await;
    }
    assert_eq!(stage.get(WHO, &place(&luma)).await["job"]["state"], "ready");
    assert_eq!(buy(&stage, &draft, "veo").await["job"]["state"], "ready");
    let after = stage.get(WHO, &at(&draft)).await;
    assert_eq!((&after["stage"], &after["notes"]), (&json!("awaiting_approval"), &json!([])));
    let engines: Vec<&str> = after["footage"]
        .as_array()
        .unwrap()
        .iter()
        .map(|footage| footage["engine"].as_str().unwrap().split(' ').next().unwrap())
        .collect();
    assert_eq!(engines, ["luma", "google"]);
    for (maker, sent) in [(Maker::Luma, 2), (Maker::Omni, 2), (Maker::Runway, 0)] {
        assert_eq!(vendors.asked(Operation::Submit(maker)).len(), sent, "{maker:?}");
    }
    // Of its no Google tells no usage: that stays as it was expected. What it made is settled by what it tells.
    let ledger = stage.get(WHO, "/v1/egress").await;
    let lines = ledger["lines"].as_array().unwrap();
    let orders = lines.iter().find(|line| line["operation"] == "create-interaction").unwrap();
    assert_eq!(
        (&orders["tokens_out"], &orders["cost_micros"]),
        (&json!(28_960), &json!(530_000 + 526_800)),
        "{orders}"
    );
    assert_nothing_wrong(&vendors);
    assert_no_work_is_left(&stage).await;
}

#[tokio::test]
async fn where_the_cap_is_reached_nothing_is_sent_and_a_note_says_so() {
    let vendors = Vendors::open().await.unwrap();
    let (stage, house) = stage_with_voice(&vendors, &["gemini", "elevenlabs", "runway"]).await;
    for vendor in ["gemini", "elevenlabs", "runway"] {
        let cap = json!({ "cap": { "minor": 0, "currency": "USD" } });
        let answer =
            stage.api(BOSS, Method::PUT, &format!("/v1/spending/{vendor}"), Some(cap)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    let providers = json!({ "copy": "gemini", "speech": ["elevenlabs"] });
    let draft = english_draft(&stage, WHO, providers).await;
    assert!(note(&draft, "copy_declined").contains("cap"), "{draft}");
    assert!(is_by(&draft["words"]["en"], "template"));
    assert!(note(&draft, "no_speech_en").contains("cap"), "{draft}");
    assert_eq!(house.calls.all(), []);

    let footage = buy(&stage, &draft, "runway").await;
    assert_eq!(
        (&footage["state"], &footage["job"]["code"]),
        (&json!("refused"), &json!("refused"))
    );
    let told = stage.get(WHO, &at(&draft)).await;
    assert!(note(&told, "footage_refused").contains("cap"), "{told}");
    assert_eq!(vendors.connections(), 0);
    assert_eq!(stage.get(WHO, "/v1/egress").await["lines"], json!([]));
    assert_no_work_is_left(&stage).await;
}

#[tokio::test]
async fn n28_n35_without_a_key_nobody_is_asked() {
    let vendors = Vendors::open().await.unwrap();
    let (stage, house) = stage_with_voice(&vendors, &[]).await;
    let providers = json!({ "copy": "gemini", "speech": ["elevenlabs", "house"] });
    let draft = english_draft(&stage, WHO, providers).await;
    assert!(note(&draft, "copy_not_set_up").contains("`gemini` is not set up here"));
    assert!(note(&draft, "other_voice_en").contains("`elevenlabs` is not set up here"));
    assert_eq!(draft["narrations"]["en"]["engine"], "fake voice");
    assert!(!house.calls.all().is_empty());
    assert!(is_by(&draft["words"]["en"], "template"));
    let answer = stage.api(WHO, Method::POST, &format!("{}/footage", at(&draft)), None).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    assert_eq!(vendors.connections(), 0);
}

/// `nexus` with an environment that leads it to the vendors, and its answer where it is JSON.
async fn nexus(vendors: &Vendors, change: impl FnOnce(&mut Command), input: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus-under-test"));
    command.current_dir(sources::root()).envs(vendors.settings()).env("NO_COLOR", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    change(&mut command);
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = running.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[tokio::test]
async fn the_demonstration_needs_nobody_and_asks_a_vendor_whose_key_it_is_given() {
    const DEMO: [&str; 5] = ["demo", "--once", "--json", "--video", "tiny"];
    let vendors = Vendors::open().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (without, with) = (folder.path().join("without"), folder.path().join("with"));
    let data = |command: &mut Command, folder: &Path| {
        command.arg("--data").arg(folder);
    };
    let shown = nexus(&vendors, |nexus| data(nexus.args(DEMO), &without), "").await;
    assert_eq!(shown["stage"], "awaiting_approval", "{shown}");
    assert_eq!(shown["artefacts"].as_object().unwrap().len(), 9, "{shown}");
    assert!(!shown["engines"].to_string().contains("gemini"), "{shown}");
    assert_eq!(vendors.connections(), 0);

    let set = ["secret", "set", "gemini"];
    nexus(&vendors, |nexus| data(nexus.args(set), &with), &format!("{KEY}\n")).await;
    assert_eq!(vendors.connections(), 0, "keeping a key asks nobody");
    // Where no program is found there are no voices and films: the words are enough.
    let bare = |nexus: &mut Command| {
        data(nexus.args(DEMO), &with);
        nexus.env("PATH", "").current_dir(folder.path());
    };
    let shown = nexus(&vendors, bare, "").await;
    assert_eq!(shown["stage"], "awaiting_approval", "{shown}");
    assert!(shown["engines"].to_string().contains("gemini"), "{shown}");
    assert_eq!((vendors.connections(), vendors.asked(Operation::Write).len()), (1, 1));
    assert_nothing_wrong(&vendors);
}
