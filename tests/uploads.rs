//! A large medium comes to the one-machine host in parts, out of order, and is one medium once they are joined.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use nexus_kernel::Digest;
use nexus_kernel::ambient::ManualClock;
use nexus_local::engines::Engines;
use serde_json::{Value, json};

use crate::stage::{Answer, Stage, answer_of_house, places};

const WHO: &str = "aurora/operator";
/// A minute of sound at 16,000 samples a second of 16 bits, five times: two parts of at most 8 MiB.
const SOUND_BYTES: usize = 5 * 60 * 16_000 * 2;

/// A tone of 200 Hz as a RIFF WAVE file.
fn tone() -> Vec<u8> {
    let data = u32::try_from(SOUND_BYTES).unwrap();
    let mut wave = Vec::with_capacity(SOUND_BYTES + 44);
    wave.extend(b"RIFF");
    wave.extend((data + 36).to_le_bytes());
    wave.extend(b"WAVEfmt ");
    wave.extend(16u32.to_le_bytes());
    wave.extend([1u16, 1].iter().flat_map(|n| n.to_le_bytes()));
    wave.extend([16_000u32, 32_000].iter().flat_map(|n| n.to_le_bytes()));
    wave.extend([2u16, 16].iter().flat_map(|n| n.to_le_bytes()));
    wave.extend(b"data");
    wave.extend(data.to_le_bytes());
    // A triangle: 80 samples a wave.
    let sample = |n: usize| (i16::try_from((n % 80).abs_diff(40)).unwrap_or(0) - 20) * 400;
    wave.extend((0..SOUND_BYTES / 2).flat_map(|n| sample(n).to_le_bytes()));
    wave
}

async fn put(stage: &Stage, part: &Value, bytes: Vec<u8>) -> StatusCode {
    let request = Request::builder().method("PUT").uri(part["url"].as_str().unwrap());
    answer_of_house(&stage.host, request.body(Body::from(bytes)).unwrap()).await.status
}

async fn join(stage: &Stage, media: &str) -> Answer {
    stage.api(WHO, Method::POST, &format!("{media}/parts/join"), None).await
}

#[tokio::test]
async fn n3_a_recording_comes_in_parts_and_is_looked_at_once_they_are_joined() {
    let folder = tempfile::tempdir().unwrap();
    let engines = Engines::locate(&places()).await;
    assert!(engines.ffmpeg.is_some(), "ffmpeg is missing: run `make setup`");
    let clock = ManualClock::at("2027-03-01T09:00:00Z".parse().unwrap());
    let settings = [("PUT_AT_ONCE_BYTES", "1048576")];
    let stage = Stage::on(folder.path(), clock, engines, &settings).await;

    let wave = tone();
    let announced = json!({ "content_type": "audio/wav", "size": wave.len() });
    let place = stage.api(WHO, Method::POST, "/v1/media", Some(announced)).await;
    assert_eq!(place.status, StatusCode::CREATED, "{}", place.body);
    let media = format!("/v1/media/{}", place.body["media"]["id"].as_str().unwrap());
    let parts = place.body["parts"].as_array().unwrap();
    let first = usize::try_from(parts[0]["size"].as_u64().unwrap()).unwrap();
    let (one, two) = wave.split_at(first);
    assert_eq!((parts.len(), parts[1]["size"].as_u64()), (2, Some(two.len() as u64)));

    assert_eq!(put(&stage, &parts[1], one.to_vec()).await, StatusCode::FORBIDDEN, "another size");
    assert_eq!(put(&stage, &parts[1], two.to_vec()).await, StatusCode::OK);
    let early = join(&stage, &media).await;
    assert_eq!(early.status, StatusCode::CONFLICT, "{}", early.body);
    assert_eq!(early.body["errors"][0]["field"], "parts.1");
    assert_eq!(put(&stage, &parts[0], one.to_vec()).await, StatusCode::OK);
    stage.idle().await;
    assert_eq!(stage.get(WHO, &media).await["state"], "awaiting_upload", "nobody was told yet");

    for _ in 0..2 {
        let joined = join(&stage, &media).await;
        assert_eq!(joined.status, StatusCode::OK, "{}", joined.body);
    }
    assert_eq!(put(&stage, &parts[0], one.to_vec()).await, StatusCode::NOT_FOUND, "it is over");
    stage.idle().await;
    let seen = stage.get(WHO, &media).await;
    assert_eq!((&seen["state"], &seen["class"]), (&json!("ready"), &json!("audio")), "{seen}");
    assert_eq!(seen["facts"]["content"], Digest::of(&wave).to_hex());
    assert_eq!(join(&stage, &media).await.status, StatusCode::OK);
    stage.idle().await;
    for queue in stage.host.queue_status().await.unwrap() {
        assert_eq!(queue.depth, Default::default(), "{}", queue.queue);
    }
}
