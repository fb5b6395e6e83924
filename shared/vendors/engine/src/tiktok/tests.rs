use std::collections::BTreeSet;
use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use nexus_core::CallContext;
use nexus_core::effect::{EffectId, Found, Outcome};
use nexus_engine::EnginePlatform as _;
use nexus_engine::connections::{Access, Ask, ConnectionId, Login, LoginError};
use nexus_engine::publishing::{
    Choices, Medium, Network, PlannedMedia, PostPlan, Privacy, Publisher,
};
use nexus_kernel::{FailureKind, Secret};
use nexus_outbound::request::{Piece, To};
use nexus_outbound::{Answer, Outbound, Parts, Repeat, Request};
use nexus_testkit::MemoryPlatform;
use proptest::prelude::*;
use serde_json::Value;

use super::chunks::{Chunks, USUAL};
use super::port::NOTHING_COMES_AFTER;
use super::request::{self, Application};
use super::response::{self, Put};
use super::{Settings, TikTok, VENDOR, preflight};
use crate::footage::trial::{House, recordings, sends_exactly, told};
use crate::oauth::granted;
use crate::posting::{self, LEASE, scope};

mod http_runs;

const INIT: &str = "POST https://open.tiktokapis.com/v2/post/publish/video/init/ with the key";
const PHOTO: &str = "POST https://open.tiktokapis.com/v2/post/publish/content/init/ with the key";
const PUT: &str = "PUT https://open-upload.tiktokapis.com/video/?upload_id=1&upload_token=canary";
const STATUS: &str = "POST https://open.tiktokapis.com/v2/post/publish/status/fetch/ with the key";
const CREATOR: &str =
    "POST https://open.tiktokapis.com/v2/post/publish/creator_info/query/ with the key";
const REVOKE: &str = "POST https://open.tiktokapis.com/v2/oauth/revoke/";
const NAME: &str = "v_pub_file~v2-1.123";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn ask() -> Ask {
    Ask {
        server: None,
        redirect: "https://nexus.example/oauth/tiktok".to_owned(),
        state: secret("state-of-a-tenant-and-a-person"),
        verifier: secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    }
}

fn access() -> Access {
    let connection = ConnectionId::derived(&["account"]);
    Access { connection, server: None, token: secret("act.x") }
}

fn settings() -> Settings {
    Settings {
        client_key: "aw-key".to_owned(),
        authorize_base: None,
        media_base: Some("https://media.example/nexus/".to_owned()),
    }
}

/// A post of a video that an approver has chosen everything for.
fn plan(platform: &MemoryPlatform, video: &[u8]) -> PostPlan {
    PostPlan {
        choices: Choices {
            privacy: Some(Privacy::Everyone),
            comments: true,
            own_brand: true,
            ..Choices::default()
        },
        made_by_ai: true,
        ..posting::plan(platform, Network::TikTok, "Fresh honey #market", video)
    }
}

/// The same of a picture.
fn photo(platform: &MemoryPlatform) -> PostPlan {
    let video = plan(platform, b"a jpeg");
    let media = video.media.clone().unwrap();
    let media = PlannedMedia { content_type: "image/jpeg".into(), duration_ms: 0, ..media };
    PostPlan { media: Some(media), ..video }
}

fn medium(plan: &PostPlan, bytes: impl Into<Bytes>) -> Medium {
    let media = plan.media.as_ref().unwrap();
    let address = "https://bucket.example/b/film.jpg?until=1&proof=x";
    Medium {
        content_type: media.content_type.clone(),
        bytes: bytes.into(),
        address: media.is_picture().then(|| address.to_owned()),
    }
}

fn app<T>(build: impl FnOnce(&Application<'_>) -> T) -> T {
    build(&Application { key: "aw-key", secret: &secret("a-secret") })
}

/// The request of each operation as it is recorded.
fn built(operation: &str) -> Request {
    let (platform, token) = (MemoryPlatform::new(), secret("act.x"));
    let shown = "https://media.example/nexus/b/film.jpg?until=1&proof=x";
    let everyone = Privacy::Everyone;
    match operation {
        "exchange" => app(|app| app.exchange(&ask(), &secret("a code*!1"))),
        "refresh" => app(|app| app.refresh(&secret("rft.x"))),
        "revoke" => app(|app| app.revoke(&token)),
        "creator" => request::creator_info(&token),
        "init" => {
            let chunks = Chunks::of(50_000_123);
            request::init_video(&token, &plan(&platform, b""), everyone, chunks)
        }
        "photo" => request::init_photo(&token, &photo(&platform), everyone, shown),
        "upload" => piece(0..10, 30),
        "status" => request::status(&token, NAME),
        other => panic!("{other}"),
    }
}

fn piece(range: Range<u64>, size: u64) -> Request {
    let at = secret("https://open-upload.tiktokapis.com/video/?upload_id=1&upload_proof=x");
    request::upload(&at, "video/mp4", &range, size, Bytes::from_static(b"ten bytes!"))
}

const ALL: [&str; 8] =
    ["exchange", "refresh", "revoke", "creator", "init", "photo", "upload", "status"];

/// What is read out of an answer.
fn read(operation: &str, answer: &Answer) -> String {
    match operation {
        "exchange" | "refresh" => format!("{:?}", granted(answer, "TikTok").map(|r| r.value)),
        "revoke" => format!("{:?}", response::revoked(answer).map(|r| r.value)),
        "creator" => format!("{:?}", response::creator(answer).map(|r| r.value)),
        "init" => format!("{:?}", response::named(answer).map(|r| r.value)),
        "photo" => format!("{:?}", response::begun(answer).map(|r| r.value)),
        "upload" => format!("{:?}", response::put(answer).map(|r| r.value)),
        "status" => format!("{:?}", response::stand(answer).map(|r| r.value)),
        other => panic!("{other}"),
    }
}

#[test]
fn n36_every_operation_is_built_and_read_as_recorded() {
    for operation in ALL {
        let build = |name: &str| match name {
            "upload.there-already" => piece(0..10_000_000, 20_000_000),
            _ => built(operation),
        };
        let lines = told("tiktok", operation, build, |answer| read(operation, answer));
        insta::assert_snapshot!(operation, lines);
        // TikTok's own words, its log's id, the account's name and the addresses of uploads are told to nobody.
        assert!(!lines.contains("canary"), "{lines}");
    }
}

#[test]
fn n34_nothing_goes_out_that_is_not_named_and_everything_named_is_used() {
    for (operation, request) in [
        (&request::EXCHANGE, built("exchange")),
        (&request::REFRESH, built("refresh")),
        (&request::REVOKE, built("revoke")),
        (&request::CREATOR_INFO, built("creator")),
        (&request::INIT_VIDEO, built("init")),
        (&request::INIT_PHOTO, built("photo")),
        (&request::UPLOAD, piece(0..10, 20)),
        (&request::UPLOAD_LAST, piece(10..20, 20)),
        (&request::STATUS, built("status")),
    ] {
        sends_exactly(operation, &[request]);
    }
}

#[test]
fn n38_n39_nothing_but_publishing_can_be_asked() {
    let paths: BTreeSet<String> = ALL
        .iter()
        .filter_map(|operation| match built(operation).to {
            To::Path(pieces) => Some(pieces),
            To::Url(_) => None,
        })
        .flatten()
        .map(|piece| match piece {
            Piece::Fixed(path) => path.to_owned(),
            Piece::Value(name, _) => panic!("{name} could lead elsewhere"),
        })
        .collect();
    let allowed = [
        "/v2/oauth/revoke/",
        "/v2/oauth/token/",
        "/v2/post/publish/content/init/",
        "/v2/post/publish/creator_info/query/",
        "/v2/post/publish/status/fetch/",
        "/v2/post/publish/video/init/",
    ];
    assert!(paths.iter().eq(&allowed), "{paths:?}");
    let names: BTreeSet<&str> = request::OPERATIONS.iter().map(|o| o.name).collect();
    assert_eq!(names.len(), request::OPERATIONS.len());
    let told = names.into_iter().collect::<Vec<_>>().join(" ");
    for word in ["user", "follow", "message", "comment", "list", "profile", "inbox"] {
        assert!(!told.contains(word), "{told}");
    }
}

#[test]
fn what_makes_a_post_appear_is_never_repeated_and_what_comes_before_is() {
    let never = [
        &request::INIT_PHOTO,
        &request::UPLOAD_LAST,
        // A code serves once, and so may a refresh token.
        &request::EXCHANGE,
        &request::REFRESH,
        &request::REVOKE,
    ];
    for operation in request::OPERATIONS {
        let once = never.iter().any(|never| never.name == operation.name);
        let expected = if once { Repeat::Never } else { Repeat::Safe };
        assert_eq!(operation.repeat, expected, "{}", operation.name);
    }
    assert_eq!(piece(0..10, 30).operation.name, request::UPLOAD.name);
    assert_eq!(piece(20..30, 30).operation.name, request::UPLOAD_LAST.name);
    assert_eq!(piece(0..30, 30).operation.name, request::UPLOAD_LAST.name);
}

#[test]
fn n34_an_upload_carries_no_token_and_goes_to_tiktok_alone() {
    assert!(built("upload").authorization.is_none());
    assert!(VENDOR.hosts.contains(&"open-upload.tiktokapis.com"));
    assert!(VENDOR.hosts.iter().all(|host| host.ends_with(".tiktokapis.com")));
}

#[test]
fn n36_the_challenge_is_hexadecimal() {
    let challenge = request::challenge(&ask().verifier);
    assert_eq!(challenge, "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3");
}

#[test]
fn the_chunks_of_the_fact_sheet() {
    let of = |size| {
        let Chunks { each, count, .. } = Chunks::of(size);
        (each, count)
    };
    assert_eq!(of(1), (1, 1));
    assert_eq!(of(4_999_999), (4_999_999, 1));
    assert_eq!(of(5_000_000), (5_000_000, 1));
    assert_eq!(of(19_999_999), (19_999_999, 1));
    assert_eq!(of(20_000_000), (10_000_000, 2));
    assert_eq!(of(50_000_123), (10_000_000, 5));
    let ranges: Vec<_> = Chunks::of(29_999_999).ranges().collect();
    assert_eq!(ranges, [0..10_000_000, 10_000_000..29_999_999]);
    assert_eq!(of(preflight::VIDEO_BYTES), (USUAL, 400));
}

proptest! {
    /// TikTok's rules, read once more: `floor`, 5 to 64 MB, the last up to 128 MB, below 5 MB whole, at most 1,000.
    #[test]
    fn chunks_make_up_the_video_and_keep_every_rule(size in prop_oneof![
        1..=60_000_000_u64, 1..=preflight::VIDEO_BYTES, Just(4_999_999), Just(5_000_000), Just(20_000_000),
    ]) {
        let chunks = Chunks::of(size);
        let ranges: Vec<_> = chunks.ranges().collect();
        prop_assert_eq!(chunks.count, size / chunks.each);
        prop_assert_eq!(ranges.len() as u64, chunks.count);
        prop_assert!((1..=1_000).contains(&chunks.count));
        let mut next = 0;
        for (nth, range) in ranges.iter().enumerate() {
            prop_assert_eq!(range.start, next);
            next = range.end;
            let length = range.end - range.start;
            if size < 5_000_000 {
                prop_assert_eq!(length, size);
            } else if nth + 1 == ranges.len() {
                prop_assert!((5_000_000..=128_000_000).contains(&length));
            } else {
                prop_assert_eq!(length, chunks.each);
                prop_assert!((5_000_000..=64_000_000).contains(&length));
            }
        }
        prop_assert_eq!(next, size);
    }

    #[test]
    fn no_answer_makes_a_reader_panic(
        (status, body, range) in (prop_oneof![Just(200_u16), Just(403), 100..600_u16], odd_body(), ".{0,30}"),
    ) {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "99999999999999999999".parse().unwrap());
        if let Ok(range) = range.parse() {
            headers.insert("content-range", range);
        }
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Answer { status, headers, body: body.into() };
        for operation in ALL {
            read(operation, &answer);
        }
        if let Ok(named) = response::named(&answer) {
            prop_assert!(!named.value.publish_id.is_empty());
        }
    }

    #[test]
    fn what_is_there_is_read_from_a_content_range_and_nothing_is_guessed(last in 0..u64::MAX, size: u64) {
        let told = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("content-range", range.parse().unwrap());
            response::put(&Answer { status: StatusCode::RANGE_NOT_SATISFIABLE, headers, body: Bytes::new() })
                .unwrap()
                .value
        };
        prop_assert_eq!(told(&format!("bytes 0-{last}/{size}")), Put::Elsewhere(Some(last + 1)));
        prop_assert_eq!(told(&format!("bytes 1-{last}/{size}")), Put::Elsewhere(None));
        prop_assert_eq!(told(&format!("bytes */{size}")), Put::Elsewhere(None));
    }
}

/// Recorded bodies in which one value is another, and bodies that are none.
fn odd_body() -> impl Strategy<Value = Vec<u8>> {
    let bodies: Vec<Value> = ALL
        .iter()
        .flat_map(|operation| recordings("tiktok", operation).into_values())
        .filter_map(|recording| recording.response.body)
        .collect();
    let other = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::collection::vec(any::<u64>(), 0..3).prop_map(Value::from),
    ];
    let changed = (prop::sample::select(bodies), any::<prop::sample::Index>(), other).prop_map(
        |(mut body, place, other)| {
            let pointers = pointers(&body);
            if let Some(value) = body.pointer_mut(&pointers[place.index(pointers.len())]) {
                *value = other;
            }
            body.to_string().into_bytes()
        },
    );
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..64), 4 => changed]
}

/// The pointers (RFC 6901) to everything in a value.
fn pointers(value: &Value) -> Vec<String> {
    let below = |key: String, value: &Value| -> Vec<String> {
        pointers(value).into_iter().map(|rest| format!("/{key}{rest}")).collect()
    };
    let mut all = vec![String::new()];
    match value {
        Value::Object(members) => all.extend(members.iter().flat_map(|(k, v)| below(k.clone(), v))),
        Value::Array(members) => {
            all.extend(members.iter().enumerate().flat_map(|(n, v)| below(n.to_string(), v)));
        }
        _ => {}
    }
    all
}

/// TikTok in a house whose wire plays a script, on the platform's clock.
async fn house(platform: &MemoryPlatform) -> (House, TikTok) {
    let house = House::with_key(VENDOR.name).await;
    let parts = Parts { ambient: platform.ambient(), ..house.parts.clone() };
    (house, TikTok::new(parts, None, settings()).unwrap())
}

/// A call that begins now and has less than the minute for which TikTok asks when it is asked too often.
fn at(platform: &MemoryPlatform) -> CallContext {
    let until = platform.now().saturating_add(SignedDuration::from_secs(55)).unwrap();
    CallContext { scope: scope(), until }
}

fn problems(plan: &PostPlan, change: impl FnOnce(&mut response::Creator)) -> Vec<String> {
    let ok = recordings("tiktok", "creator")["creator.ok"].answer().unwrap();
    let mut creator = response::creator(&ok).unwrap().value;
    change(&mut creator);
    let judged = preflight::judge(plan, &creator, true);
    judged.problems.into_iter().map(|problem| problem.field).collect()
}

#[test]
fn a_post_that_fits_has_no_problem_and_every_limit_is_told_by_its_field() {
    let platform = MemoryPlatform::new();
    let fits = plan(&platform, b"a video");
    let with = |change: &dyn Fn(&mut PostPlan)| {
        let mut plan = fits.clone();
        change(&mut plan);
        problems(&plan, |_| {})
    };
    let media =
        |change: &dyn Fn(&mut PlannedMedia)| with(&|plan| change(plan.media.as_mut().unwrap()));
    assert_eq!(with(&|_| {}), [""; 0]);
    assert_eq!(with(&|p| p.media = None), ["media"]);
    assert_eq!(media(&|m| m.content_type = "video/x-msvideo".into()), ["media"]);
    assert_eq!(media(&|m| m.size = 4_000_000_000), [""; 0]);
    assert_eq!(media(&|m| m.size = 4_000_000_001), ["media"]);
    assert_eq!(media(&|m| m.duration_ms = 300_000), [""; 0]);
    assert_eq!(media(&|m| m.duration_ms = 300_001), ["media"]);
    // An emoji is two units of UTF-16.
    assert_eq!(with(&|p| p.text = "🍯".repeat(1_100)), [""; 0]);
    assert_eq!(with(&|p| p.text = "🍯".repeat(1_100) + "a"), ["text"]);
    assert_eq!(with(&|p| p.choices.privacy = None), ["choices.privacy"]);
    assert_eq!(with(&|p| p.choices.privacy = Some(Privacy::Followers)), ["choices.privacy"]);
    assert_eq!(with(&|p| p.choices.privacy = Some(Privacy::OnlyMe)), [""; 0]);
    let paid = |privacy| {
        with(&|p| (p.choices.privacy, p.choices.paid_partnership) = (Some(privacy), true))
    };
    assert_eq!(paid(Privacy::OnlyMe), ["choices.paid_partnership"]);
    assert_eq!(paid(Privacy::Friends), [""; 0]);
    // The recorded account has switched off stitches alone.
    assert_eq!(with(&|p| p.choices.stitches = true), ["choices.stitches"]);
    assert_eq!(with(&|p| p.choices.duets = true), [""; 0]);
    assert_eq!(problems(&fits, |creator| creator.comments = false), ["choices.comments"]);
    assert_eq!(problems(&fits, |creator| creator.longest_seconds = 5), ["media"]);
}

#[test]
fn a_picture_has_limits_of_its_own() {
    let platform = MemoryPlatform::new();
    let fits = photo(&platform);
    let with = |change: &dyn Fn(&mut PostPlan)| {
        let mut plan = fits.clone();
        change(&mut plan);
        problems(&plan, |creator| creator.duets = true)
    };
    let media =
        |change: &dyn Fn(&mut PlannedMedia)| with(&|plan| change(plan.media.as_mut().unwrap()));
    assert_eq!(with(&|_| {}), [""; 0]);
    assert_eq!(with(&|p| p.text = "a".repeat(4_000)), [""; 0]);
    assert_eq!(with(&|p| p.text = "a".repeat(4_001)), ["text"]);
    assert_eq!(with(&|p| p.choices.duets = true), ["choices.duets"]);
    assert_eq!(media(&|m| m.content_type = "image/png".into()), ["media"]);
    assert_eq!(media(&|m| m.size = 20_000_001), ["media"]);
    let ok = recordings("tiktok", "creator")["creator.ok"].answer().unwrap();
    let creator = response::creator(&ok).unwrap().value;
    let judged = preflight::judge(&fits, &creator, false);
    assert!(judged.problems[0].problem.contains("TIKTOK_MEDIA_BASE"), "{judged:?}");
    let offers = judged.offers.unwrap();
    assert!(!offers.duets && !offers.stitches && offers.comments);
}

#[tokio::test(start_paused = true)]
async fn preflight_asks_the_account_and_tells_what_it_says() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let (access, plan) = (access(), plan(&platform, b"a video"));
    let asked = async |recording: &str| {
        house.answers(CREATOR, "tiktok", recording);
        tiktok.preflight(&at(&platform), Some(&access), &plan).await
    };
    let fine = asked("creator.ok").await.unwrap();
    let offers = fine.offers.unwrap();
    assert_eq!((fine.problems.len(), offers.nickname.as_str()), (0, "Ada's Shop"));
    assert_eq!(offers.privacy, [Privacy::Everyone, Privacy::Friends, Privacy::OnlyMe]);
    assert_eq!((offers.comments, offers.duets, offers.stitches), (true, true, false));
    assert_eq!(offers.longest_seconds, 300);
    assert!(fine.notes.iter().any(|note| note.contains("Music Usage Confirmation")));
    assert!(!fine.notes.iter().any(|note| note.contains("private")));
    let private = asked("creator.private").await.unwrap();
    assert!(private.notes.iter().any(|note| note.contains("private")), "{:?}", private.notes);
    assert_eq!(private.problems.len(), 2, "the audience, and comments: {:?}", private.problems);
    for (recording, word) in [
        ("creator.too-many-posts", "tomorrow"),
        ("creator.banned", "does not let this account post"),
        ("creator.active-users", "audit"),
    ] {
        let closed = asked(recording).await.unwrap();
        assert_eq!(closed.offers, None);
        let [problem] = closed.problems.as_slice() else { panic!("{recording}") };
        assert!(problem.field == "connection" && problem.problem.contains(word), "{problem:?}");
    }
    for recording in ["creator.login", "creator.scope"] {
        let gone = asked(recording).await.unwrap_err();
        assert_eq!(gone.kind(), FailureKind::Conflict, "{recording}");
    }
    let throttled = asked("creator.throttled").await.unwrap_err();
    assert_eq!(
        (throttled.kind(), throttled.wait().unwrap().as_secs()),
        (FailureKind::Throttled, 60)
    );
    let nobody = tiktok.preflight(&at(&platform), None, &plan).await.unwrap_err();
    assert_eq!(nobody.kind(), FailureKind::Conflict);
    house.is_played();
}

/// What stands of an effect in the table.
async fn kept(platform: &MemoryPlatform, id: EffectId) -> Value {
    let rows = platform.rows().await;
    let row = rows.iter().find(|row| row.key.sk() == id.to_string()).unwrap();
    serde_json::from_str(&row.body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_video_is_named_kept_uploaded_in_pieces_and_accepted() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let video = vec![7_u8; 20_000_001];
    let plan = plan(&platform, &video);
    let mut approved = posting::claimed(&platform, plan.clone()).await;
    house.answers(INIT, "tiktok", "init.ok").answers(PUT, "tiktok", "upload.more").answers(
        PUT,
        "tiktok",
        "upload.all",
    );
    let medium = medium(&plan, video);
    let sent = tiktok.publish(&at(&platform), Some(&access()), &mut approved, medium).await;
    assert_eq!(sent, Outcome::Accepted { look_after_seconds: 10 });
    assert_eq!(kept(&platform, approved.id()).await["handle"], NAME);
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn a_name_that_cannot_be_kept_ends_the_attempt_before_a_byte_leaves() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let plan = plan(&platform, b"a video");
    let mut approved = posting::claimed(&platform, plan.clone()).await;
    house.answers(INIT, "tiktok", "init.ok");
    let at =
        CallContext { until: platform.now().saturating_add(LEASE * 3).unwrap(), ..at(&platform) };
    platform.advance(LEASE);
    let medium = medium(&plan, &b"a video"[..]);
    let sent = tiktok.publish(&at, Some(&access()), &mut approved, medium).await;
    assert_eq!(sent, Outcome::Throttled { after_seconds: 60 });
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn naming_is_repeated_when_its_answer_is_lost_and_nothing_has_happened_if_it_fails() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let plan = plan(&platform, b"a video");
    let mut approved = posting::claimed(&platform, plan.clone()).await;
    let again = Outcome::Throttled { after_seconds: 60 };
    let mut publish = async || {
        let medium = medium(&plan, &b"a video"[..]);
        tiktok.publish(&at(&platform), Some(&access()), &mut approved, medium).await
    };
    house.loses(INIT).answers(INIT, "tiktok", "init.ok").answers(PUT, "tiktok", "upload.all");
    assert_eq!(publish().await, Outcome::Accepted { look_after_seconds: 10 });
    house.loses(INIT).loses(INIT).loses(INIT);
    assert_eq!(publish().await, again);
    for unclear in ["init.no-address", "init.malformed"] {
        house.answers(INIT, "tiktok", unclear);
        house.answers(INIT, "tiktok", unclear).answers(INIT, "tiktok", unclear);
        assert_eq!(publish().await, again, "{unclear}");
    }
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn what_tiktok_says_to_a_name_is_the_end_of_the_attempt() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let plan = plan(&platform, b"a video");
    let mut approved = posting::claimed(&platform, plan.clone()).await;
    for (recording, part) in [
        ("init.privacy", "audience"),
        ("init.unaudited", "private in TikTok's app"),
        ("init.spam", "does not let this account post"),
        ("init.too-many-posts", "tomorrow"),
        ("init.invalid", "as it is"),
        ("init.error-in-success", "audit"),
    ] {
        house.answers(INIT, "tiktok", recording);
        let medium = medium(&plan, &b"a video"[..]);
        match tiktok.publish(&at(&platform), Some(&access()), &mut approved, medium).await {
            Outcome::Refused { why } => assert!(why.contains(part), "{recording}: {why}"),
            other => panic!("{recording}: {other:?}"),
        }
    }
    house.answers(INIT, "tiktok", "init.login");
    let sent = tiktok
        .publish(&at(&platform), Some(&access()), &mut approved, medium(&plan, &b"a video"[..]))
        .await;
    assert!(matches!(sent, Outcome::Login { .. }), "{sent:?}");
    let sent =
        tiktok.publish(&at(&platform), None, &mut approved, medium(&plan, &b"a video"[..])).await;
    assert!(matches!(sent, Outcome::Login { .. }), "{sent:?}");
    house.is_played();
}

/// How an upload of three pieces ends with these answers, after the name.
async fn uploaded(answers: &[Option<&str>]) -> Outcome {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let video = vec![7_u8; 30_000_000];
    let plan = plan(&platform, &video);
    let mut approved = posting::claimed(&platform, plan.clone()).await;
    house.answers(INIT, "tiktok", "init.ok");
    for answer in answers {
        match answer {
            Some(recording) => house.answers(PUT, "tiktok", recording),
            None => house.loses(PUT),
        };
    }
    let medium = medium(&plan, video);
    let sent = tiktok.publish(&at(&platform), Some(&access()), &mut approved, medium).await;
    house.is_played();
    sent
}

#[tokio::test(start_paused = true)]
async fn a_piece_but_the_last_may_be_repeated_and_the_last_may_not() {
    const MORE: Option<&str> = Some("upload.more");
    const ALL: Option<&str> = Some("upload.all");
    let accepted = Outcome::Accepted { look_after_seconds: 10 };
    let again = Outcome::Throttled { after_seconds: 60 };
    assert_eq!(uploaded(&[MORE, MORE, ALL]).await, accepted);
    assert_eq!(uploaded(&[None, MORE, MORE, ALL]).await, accepted);
    assert_eq!(uploaded(&[Some("upload.broken"), MORE, MORE, ALL]).await, accepted);
    // While the last piece was not sent, nothing can appear.
    assert_eq!(uploaded(&[MORE, None, None, None]).await, again);
    for stop in ["upload.expired", "upload.elsewhere-untold"] {
        assert_eq!(uploaded(&[MORE, Some(stop)]).await, again, "{stop}");
        assert_eq!(uploaded(&[MORE, MORE, Some(stop)]).await, again, "{stop}");
    }
    let refused = uploaded(&[MORE, Some("upload.bad")]).await;
    assert!(matches!(refused, Outcome::Refused { .. }), "{refused:?}");
    // What makes it appear was sent, once.
    for last in [None, Some("upload.odd"), Some("upload.broken"), MORE] {
        let sent = uploaded(&[MORE, MORE, last]).await;
        assert!(matches!(sent, Outcome::Unknown { .. }), "{last:?}: {sent:?}");
    }
    // All that was not to be all.
    let early = uploaded(&[ALL]).await;
    assert!(matches!(early, Outcome::Unknown { .. }), "{early:?}");
}

#[tokio::test(start_paused = true)]
async fn a_piece_that_is_there_already_is_not_an_error() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let video = vec![7_u8; 20_000_000];
    let plan = plan(&platform, &video);
    let mut approved = posting::claimed(&platform, plan.clone()).await;
    house
        .answers(INIT, "tiktok", "init.ok")
        .loses(PUT)
        .answers(PUT, "tiktok", "upload.there-already")
        .answers(PUT, "tiktok", "upload.all");
    let medium = medium(&plan, video);
    let sent = tiktok.publish(&at(&platform), Some(&access()), &mut approved, medium).await;
    assert_eq!(sent, Outcome::Accepted { look_after_seconds: 10 });
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn a_picture_is_posted_by_its_address_once() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let plan = photo(&platform);
    let mut approved = posting::claimed(&platform, plan.clone()).await;
    let mut publish = async || {
        let medium = medium(&plan, &b"a jpeg"[..]);
        tiktok.publish(&at(&platform), Some(&access()), &mut approved, medium).await
    };
    house.answers(PHOTO, "tiktok", "photo.ok");
    assert_eq!(publish().await, Outcome::Accepted { look_after_seconds: 10 });
    house.answers(PHOTO, "tiktok", "photo.ownership");
    assert!(
        matches!(publish().await, Outcome::Refused { why } if why.contains("TIKTOK_MEDIA_BASE"))
    );
    for unclear in ["photo.broken", "photo.no-name"] {
        house.answers(PHOTO, "tiktok", unclear);
        assert!(matches!(publish().await, Outcome::Unknown { .. }), "{unclear}");
    }
    house.loses(PHOTO);
    assert!(matches!(publish().await, Outcome::Unknown { .. }));
    house.is_played();
    assert_eq!(kept(&platform, approved.id()).await["handle"], "p_pub_url~v2.123");
    let without = Settings { media_base: None, ..settings() };
    let tiktok = TikTok::new(house.parts.clone(), None, without).unwrap();
    let medium = medium(&plan, &b"a jpeg"[..]);
    let sent = tiktok.publish(&at(&platform), Some(&access()), &mut approved, medium).await;
    assert!(matches!(sent, Outcome::Refused { why } if why.contains("TIKTOK_MEDIA_BASE")));
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn what_kept_no_name_has_posted_no_video_and_perhaps_a_picture() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let video = posting::claimed(&platform, plan(&platform, b"a video")).await.id();
    let unsure = posting::orphaned(&platform, video).await;
    assert_eq!(tiktok.look_up(&at(&platform), None, &unsure).await, Found::NotDone);
    let picture = PostPlan { text: "Another".into(), ..photo(&platform) };
    let picture = posting::claimed(&platform, picture).await.id();
    let unsure = posting::orphaned(&platform, picture).await;
    let found = tiktok.look_up(&at(&platform), Some(&access()), &unsure).await;
    assert!(matches!(found, Found::StillUnknown { .. }), "{found:?}");
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn a_state_is_what_it_says_and_done_only_when_it_is_to_be_seen() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let look = async |plan: PostPlan, after: SignedDuration, recording: &str| {
        let mut approved = posting::claimed(&platform, plan).await;
        approved.keep(NAME, platform.now()).await.unwrap();
        let unsure = posting::orphaned(&platform, approved.id()).await;
        platform.advance(after);
        house.answers(STATUS, "tiktok", recording);
        tiktok.look_up(&at(&platform), Some(&access()), &unsure).await
    };
    let numbered = |text: &str| PostPlan { text: text.into(), ..plan(&platform, &[0; 1_000]) };
    let url = |id: &str| Some(format!("https://www.tiktok.com/player/v1/{id}"));
    let now = SignedDuration::ZERO;
    for (recording, id) in [
        ("status.complete", "7300000000000000001"),
        ("status.complete-text-id", "7300000000000000003"),
    ] {
        let found = look(numbered(recording), now, recording).await;
        assert_eq!(found, Found::Done { receipt: id.into(), url: url(id) });
    }
    let waiting = |seconds| Found::Accepted { look_after_seconds: seconds };
    assert_eq!(look(numbered("1"), now, "status.processing").await, waiting(10));
    let later = SignedDuration::from_mins(5);
    assert_eq!(look(numbered("2"), later, "status.processing").await, waiting(30));
    let hours = SignedDuration::from_hours(3);
    assert_eq!(look(numbered("3"), hours, "status.processing").await, waiting(600));
    // Everybody may see it, and nobody can before TikTok has looked at it.
    assert_eq!(look(numbered("4"), now, "status.complete-unmoderated").await, waiting(10));
    let mut own = numbered("5");
    own.choices.privacy = Some(Privacy::OnlyMe);
    let found = look(own, now, "status.complete-unmoderated").await;
    assert_eq!(found, Found::Done { receipt: NAME.into(), url: None });
    assert_eq!(look(numbered("6"), now, "status.failed-internal").await, Found::NotDone);
    for unclear in ["status.inbox", "status.gone", "status.login"] {
        let found = look(numbered(unclear), now, unclear).await;
        assert!(matches!(found, Found::StillUnknown { .. }), "{unclear}: {found:?}");
    }
    // What cannot be read is asked for three times.
    let unknown = "status.unknown-state";
    house.answers(STATUS, "tiktok", unknown).answers(STATUS, "tiktok", unknown);
    let found = look(numbered("7"), now, unknown).await;
    assert!(matches!(found, Found::StillUnknown { .. }), "{found:?}");
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_missing_stay_missing_only_when_nobody_can_send_them_any_more() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let video = vec![7_u8; 10_000_001];
    let mut approved = posting::claimed(&platform, plan(&platform, &video)).await;
    approved.keep(NAME, platform.now()).await.unwrap();
    let unsure = posting::orphaned(&platform, approved.id()).await;
    let look = async || {
        house.answers(STATUS, "tiktok", "status.uploading");
        tiktok.look_up(&at(&platform), Some(&access()), &unsure).await
    };
    assert_eq!(look().await, Found::Accepted { look_after_seconds: 10 });
    platform.advance(NOTHING_COMES_AFTER - LEASE);
    assert_eq!(look().await, Found::Accepted { look_after_seconds: 120 });
    platform.advance(SignedDuration::from_secs(1));
    assert_eq!(look().await, Found::NotDone);
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn all_bytes_are_there_and_tiktok_has_not_said_more() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let mut approved = posting::claimed(&platform, plan(&platform, &[0; 10_000_000])).await;
    approved.keep(NAME, platform.now()).await.unwrap();
    let unsure = posting::orphaned(&platform, approved.id()).await;
    platform.advance(NOTHING_COMES_AFTER * 2);
    house.answers(STATUS, "tiktok", "status.uploading");
    let found = tiktok.look_up(&at(&platform), Some(&access()), &unsure).await;
    assert!(matches!(found, Found::Accepted { .. }), "{found:?}");
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn every_reason_of_a_failed_post_is_a_sentence_for_its_owner() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let mut said = BTreeSet::new();
    let mut approved = posting::claimed(&platform, plan(&platform, b"a video")).await;
    approved.keep(NAME, platform.now()).await.unwrap();
    let unsure = posting::orphaned(&platform, approved.id()).await;
    for name in recordings("tiktok", "status").into_keys() {
        if !name.starts_with("status.failed-") || name == "status.failed-internal" {
            continue;
        }
        house.answers(STATUS, "tiktok", &name);
        match tiktok.look_up(&at(&platform), Some(&access()), &unsure).await {
            Found::Refused { why } => {
                assert!(
                    why.ends_with('.') && !why.contains('_') || why.contains("TIKTOK_"),
                    "{why}"
                );
                said.insert(why);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    // Videos and pictures that could not be fetched share theirs.
    assert_eq!(said.len(), 12);
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n36_the_page_is_asked_for_least_scopes_with_state_and_challenge() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    assert!(tiktok.is_set_up().await.unwrap());
    assert_eq!(tiktok.scopes(), ["user.info.basic", "video.publish"]);
    let address = tiktok.authorize(&at(&platform), &ask()).await.unwrap();
    insta::assert_snapshot!(address, @"https://www.tiktok.com/v2/auth/authorize/?client_key=aw-key&response_type=code&scope=user.info.basic%2Cvideo.publish&redirect_uri=https%3A%2F%2Fnexus.example%2Foauth%2Ftiktok&state=state-of-a-tenant-and-a-person&code_challenge=13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3&code_challenge_method=S256&disable_auto_auth=1");
    let nothing = TikTok::new(house.parts.clone(), None, Settings::default()).unwrap();
    assert!(!nothing.is_set_up().await.unwrap());
    let refused = nothing.authorize(&at(&platform), &ask()).await.unwrap_err();
    assert!(refused.to_string().contains("TIKTOK_CLIENT_KEY"), "{refused}");
    let other = House::with_key("x").await;
    let keyless = TikTok::new(other.parts.clone(), None, settings()).unwrap();
    assert!(!keyless.is_set_up().await.unwrap());
    let refused = keyless.refresh(&at(&platform), None, &secret("rft.x")).await.unwrap_err();
    assert!(refused.to_string().contains("nexus secret set tiktok"), "{refused}");
    house.is_played();
}

#[tokio::test(start_paused = true)]
async fn n41_a_lost_refresh_is_unknown_and_a_worthless_token_is_revoked_already() {
    let platform = MemoryPlatform::new();
    let (house, tiktok) = house(&platform).await;
    let refresh = "POST https://open.tiktokapis.com/v2/oauth/token/";
    house.loses(refresh);
    let lost = tiktok.refresh(&at(&platform), None, &secret("rft.x")).await.unwrap_err();
    assert!(matches!(lost, LoginError::Unknown { .. }), "sent once: {lost:?}");
    house.answers(refresh, "tiktok", "refresh.gone");
    let gone = tiktok.refresh(&at(&platform), None, &secret("rft.x")).await.unwrap_err();
    assert!(matches!(gone, LoginError::Gone { .. }), "{gone:?}");
    for done in ["revoke.ok", "revoke.empty", "revoke.worthless"] {
        house.answers(REVOKE, "tiktok", done);
        tiktok.revoke(&at(&platform), None, &secret("act.x")).await.unwrap();
    }
    for not_done in ["revoke.client", "revoke.enveloped", "revoke.broken"] {
        house.answers(REVOKE, "tiktok", not_done);
        assert!(tiktok.revoke(&at(&platform), None, &secret("act.x")).await.is_err(), "{not_done}");
    }
    house.is_played();
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_by_the_name_of_its_setting() {
    let house = House::with_key(VENDOR.name).await;
    let field = |base: Option<&str>, change: &dyn Fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        let made = TikTok::new(house.parts.clone(), base.map(str::to_owned), settings);
        made.err().map(|failure| failure.fields()[0].field.clone())
    };
    assert_eq!(field(None, &|_| {}), None);
    assert_eq!(field(None, &|s| s.media_base = Some(" ".into())), None);
    assert_eq!(field(Some("no address"), &|_| {}).as_deref(), Some("TIKTOK_BASE"));
    for wrong in
        ["media.example", "ftp://media.example", "https://a@b", "https://b/?c=d", "https://"]
    {
        let media = field(None, &|s| s.media_base = Some(wrong.into()));
        assert_eq!(media.as_deref(), Some("TIKTOK_MEDIA_BASE"), "{wrong}");
        let page = field(None, &|s| s.authorize_base = Some(wrong.into()));
        assert_eq!(page.as_deref(), Some("TIKTOK_AUTHORIZE_BASE"), "{wrong}");
    }
    assert!(Outbound::check_base(&VENDOR, VENDOR.base).is_ok());
}
