//! The host is killed at random moments while photos are in the line, and loses and doubles nothing.

#![expect(
    clippy::disallowed_methods,
    reason = "the host that is killed runs on the system's clock"
)]

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nexus_core::table::Page;
use nexus_core::{BlobKey, RecordKind};
use nexus_engine::blob_names::BlobName;
use nexus_kernel::Clock;
use nexus_kernel::ambient::{ManualClock, SystemClock};
use nexus_local::engines::Engines;

use serde_json::json;

use crate::sources;
use crate::stage::{Stage, places};

const WHO: &str = "aurora/operator";
const PHOTOS: u32 = 20;
const KILLS: u64 = 10;

/// A small photo that no other number gives.
fn photo(number: u32) -> Vec<u8> {
    let (width, height) = (360, 480);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    let pixel = |x: u32, y: u32| [(x / 2) as u8, (y / 2) as u8, (number * 12) as u8];
    let pixels: Vec<u8> =
        (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

fn start(data: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_nexus-under-test"))
        .current_dir(sources::root())
        .args(["serve", "--port", "0", "--video", "tiny", "--data"])
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A host in this process on a directory that others may have open, at the present time.
async fn look(data: &std::path::Path) -> Stage {
    let engines = Engines::locate(&places()).await;
    Stage::on(data, ManualClock::at(SystemClock.now()), engines, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_lose_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    {
        let stage = look(data).await;
        // Of few words: the films of twenty photos take as long as they are.
        stage.shop(WHO).await;
        let facts = json!({ "name": "Tea", "description": "Hot.", "description_es": "Caliente." });
        let product = stage.product(WHO, facts).await;
        for number in 0..PHOTOS {
            stage.upload(WHO, "image/png", photo(number), Some(&product)).await;
        }
    }
    // Moments that look random and are the same in every run: from just after the start to deep in the line.
    for kill in 0..KILLS {
        let mut host = start(data);
        std::thread::sleep(Duration::from_millis(400 + kill * 7_919 % 3_300));
        host.kill().unwrap();
        host.wait().unwrap();
    }
    // The last one is left to work as long as it gets on: it uses all processors.
    let mut host = start(data);
    let onlooker = look(data).await;
    let patience = Instant::now() + Duration::from_secs(240);
    while waiting(&onlooker).await < PHOTOS as usize && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    host.kill().unwrap();
    host.wait().unwrap();
    let stage = look(data).await;
    stage.idle().await;
    let rows = all_rows(&stage).await;
    let of = |kind: RecordKind| rows.iter().filter(|i| i.kind == kind).count() as u32;
    assert_eq!((of(RecordKind::Media), of(RecordKind::Draft)), (PHOTOS, PHOTOS));
    for queue in stage.host.queue_status().await.unwrap() {
        assert!(
            !queue.is_dead_letter || queue.depth.visible == 0,
            "dead letters in {}",
            queue.queue
        );
    }
    if waiting(&stage).await < PHOTOS as usize {
        // Messages that a failed step gave back wait for their retry: an hour is enough for all of them.
        stage.advance(Duration::from_secs(3_600)).await;
    }
    assert_eq!(waiting(&stage).await, PHOTOS as usize, "every photo became one draft");

    // After the next sweep every blob is one that a row names, and every name has its blob.
    stage.advance(Duration::from_secs(2 * 3_600)).await;
    let mut named = BTreeSet::new();
    for item in all_rows(&stage).await.iter().filter(|i| i.kind == RecordKind::BlobName) {
        named.insert(nexus_core::records::read::<BlobName>(item).unwrap().record.blob);
    }
    let mut there = BTreeSet::new();
    for area in ["in/", "media/", "made/"] {
        let mut page = Page::first(1_000);
        loop {
            let slice = stage.host.blobs().list(area, &page).await.unwrap();
            there.extend(slice.blobs.into_iter().map(|b| b.key));
            let Some(next) = slice.next else { break };
            page = Page::after(1_000, Some(next));
        }
    }
    let orphans: Vec<&BlobKey> = there.difference(&named).collect();
    let lost: Vec<&BlobKey> = named.difference(&there).collect();
    assert!(orphans.is_empty() && lost.is_empty(), "orphans {orphans:?}, lost {lost:?}");
    drop(Arc::clone(&stage.host));
}

/// How many drafts wait for approval.
async fn waiting(stage: &Stage) -> usize {
    let drafts = stage.get(WHO, "/v1/drafts?stage=awaiting_approval&limit=100").await;
    drafts["items"].as_array().unwrap().len()
}

async fn all_rows(stage: &Stage) -> Vec<nexus_core::Item> {
    let (mut rows, mut page) = (Vec::new(), Page::first(1_000));
    loop {
        let slice = stage.host.table().scan(&page).await.unwrap();
        rows.extend(slice.items);
        let Some(next) = slice.next else { return rows };
        page = Page::after(1_000, Some(next));
    }
}
