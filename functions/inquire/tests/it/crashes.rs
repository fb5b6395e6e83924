//! A process that dies in any of its calls loses nothing that was accepted, and doubles nothing.

use std::sync::Arc;

use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::{Queues, RecordKind, Table, Vault};
use nexus_engine::Hop;
use nexus_engine::hops::ToJudge;
use nexus_testkit::MemoryPlatform;

use crate::house::{House, filled, router};

#[tokio::test]
async fn a_crash_in_any_call_loses_nothing_accepted_and_doubles_nothing() {
    let (mut at, mut tried) = (0, 0);
    loop {
        let mut over = true;
        for how in [Fault::Before, Fault::After] {
            let faults = Faults::none();
            let wrapped = faults.clone();
            let queue_faults = faults.clone();
            let platform = MemoryPlatform::new()
                .with_table(move |inner| Arc::new(Flaky::<dyn Table>::new(inner, wrapped)))
                .with_queues(move |inner| Arc::new(Flaky::<dyn Queues>::new(inner, queue_faults)));
            let vault: Arc<dyn Vault> = Arc::new(platform.vault.clone());
            let platform =
                platform.with_vault(Arc::new(Flaky::<dyn Vault>::new(vault, faults.clone())));
            let mut house = House::on(platform).await;
            let opened = house.opened().await;
            // A new process, that knows no salt.
            house.router = router(&house.platform);
            let begun = faults.calls();
            faults.crash_in(at, how);
            let first = house.post(&filled("Is it vegan?", &opened), Some("203.0.113.9")).await;
            over &= faults.calls() - begun <= at;
            assert!(
                first.status == 200 || (first.status >= 500 && first.text.contains("<h1")),
                "{at} {how:?}: {first:?}"
            );
            let accepted = first.status == 200;
            assert!(!accepted || house.inquiries().await.len() == 1, "{at} {how:?}: lost");

            faults.revive();
            house.router = router(&house.platform);
            let again = house.post(&filled("Is it vegan?", &opened), Some("203.0.113.9")).await;
            assert_eq!(again.status, 200, "{at} {how:?}");
            let [inquiry] = house.inquiries().await.try_into().unwrap();
            let rows = house.platform.rows().await;
            let left = rows.iter().filter(|row| row.kind == RecordKind::Outbox).count();
            let sent = house.platform.letters::<ToJudge>(Hop::Sentiment);
            assert!(sent.len() + left >= 1, "{at} {how:?}: nobody will tell how it sounds");
            assert!(sent.iter().all(|(_, message)| *message == ToJudge::Inquiry(inquiry.id)));
            tried += 1;
        }
        if over {
            break;
        }
        at += 1;
    }
    assert!(at > 6 && tried == 2 * (at + 1), "every call was tried: {at}");
}

#[tokio::test]
async fn without_the_vault_the_product_is_shown_and_nothing_is_taken() {
    let faults = Faults::none();
    let platform = MemoryPlatform::new();
    let vault: Arc<dyn Vault> = Arc::new(platform.vault.clone());
    let platform = platform.with_vault(Arc::new(Flaky::<dyn Vault>::new(vault, faults.clone())));
    let house = House::on(platform).await;
    faults.crash_in(0, Fault::Before);
    let page = house.get("").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Sourdough</h1>") && page.text.contains("cannot be taken"));
    assert!(!page.text.contains("<form"));
    let opened = format!("{}.{}", house.platform.now().as_millisecond(), "0".repeat(32));
    let answer = house.post(&filled("What I wrote", &opened), None).await;
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("What I wrote"), "it stands there to be sent again");
    assert!(house.inquiries().await.is_empty());
}
