//! A process that dies anywhere.

use std::sync::Arc;

use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::effect::State;
use nexus_core::outbox::PATIENCE;
use nexus_core::{Blobs, RecordKind};
use nexus_engine::hops::Step;
use nexus_engine::{Hop, Stage};
use nexus_testkit::MemoryPlatform;

use crate::house::{House, scope, secs};

/// The function on stores of which one call fails, and none answers after it, until it was started again; then as long
/// as it takes. Answers after how many calls all was done.
async fn lived(at: usize, how: Fault) -> usize {
    let faults = Faults::crash(at, how);
    let (of_table, of_blobs, of_queues) = (faults.clone(), faults.clone(), faults.clone());
    let house = House::on(
        MemoryPlatform::new()
            .with_table(|table| Arc::new(Flaky::new(table, of_table)))
            .with_blobs(|blobs| Arc::new(Flaky::new(blobs, of_blobs)))
            .with_queues(|queues| Arc::new(Flaky::new(queues, of_queues))),
    );
    let (_, before) = house.finished().await;
    let purchase = house.approved(&before, 1).await;
    house.live(secs(25)).await;
    let calls = faults.calls();
    faults.revive();
    for _ in 0..10 {
        house.relay().await;
        house.live(PATIENCE).await;
        if house.job_state(&purchase).await == "ready" {
            break;
        }
    }

    let told = format!("{how:?} at call {at}");
    assert_eq!(house.maker().sold(), 1, "{told}: bought once");
    assert_eq!(house.state(&purchase).await, State::Done, "{told}");
    assert_eq!(house.job_state(&purchase).await, "ready", "{told}");
    let draft = house.draft(&before).await;
    assert_eq!((draft.stage, draft.revision), (Stage::Animating, before.revision + 1), "{told}");
    let [footage] = draft.footage.as_slice() else { panic!("{told}: {:?}", draft.footage) };
    assert!(house.platform.blobs.head(&footage.video.key).await.unwrap().is_some(), "{told}");
    let rows = house.platform.rows().await;
    let name = rows.iter().find(|r| r.key.sk() == footage.video.key.as_str());
    assert_eq!(name.map(|r| r.kind), Some(RecordKind::BlobName), "{told}");

    // What was committed is announced: by the fast path, or by the relay once it was late.
    house.platform.advance(PATIENCE);
    house.relay().await;
    let films = house.platform.letters::<Step>(Hop::Animate);
    assert!(!films.is_empty(), "{told}: the draft is to be filmed");
    assert!(films.iter().all(|film| *film == (scope(), Step { draft: draft.id })), "{told}");
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n15_n29_a_process_that_dies_at_any_call_of_a_store_buys_once_and_loses_nothing() {
    let all = lived(usize::MAX, Fault::Before).await;
    assert!((15..=60).contains(&all), "so many calls does it take: {all}");
    // Two at a time: most of it is waiting for ffmpeg.
    let of = |how: Fault| async move {
        for at in 0..all {
            lived(at, how).await;
        }
    };
    let (one, other) = (tokio::spawn(of(Fault::Before)), tokio::spawn(of(Fault::After)));
    one.await.unwrap();
    other.await.unwrap();
}
