//! A process that dies in any of its calls loses nothing that was accepted, and doubles nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::queues::QueueAddress;
use nexus_core::table::{CommitError, CommitToken, Page, Query, Slice, StoreError};
use nexus_core::{Item, Key, Op, Queues, RecordKind, Sender, Table, Vault, records};
use nexus_engine::hops::ToJudge;
use nexus_engine::inquiries::{self, Restriction};
use nexus_engine::{Desk, EnginePlatform, Hop};
use nexus_kernel::Ambient;
use nexus_testkit::MemoryPlatform;

use crate::house::{House, filled, router, scope};

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

/// A table in which, just before an inquiry is committed, somebody restricts its sender or lifts that.
struct Meanwhile {
    table: Arc<dyn Table>,
    ambient: Ambient,
    sender: Sender,
    waits: AtomicBool,
}

impl Meanwhile {
    async fn somebody(&self) {
        let (scope, table) = (scope(), &*self.table);
        let Self { ambient, sender, .. } = self;
        let desk = Desk { table, scope: &scope, by: "ada", trace: "trace", ambient };
        let all = inquiries::restrictions(&scope);
        let found = table.query(&all, &Page::first(1)).await.unwrap();
        match found.items.first() {
            None => drop(inquiries::restrict(&desk, "grace@example.org").await.unwrap()),
            Some(row) => {
                let stands = records::read::<Restriction>(row).unwrap().record;
                inquiries::lift(&desk, sender, stands.id).await.unwrap();
            }
        }
    }
}

#[async_trait::async_trait]
impl Table for Meanwhile {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.table.get(key).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        self.table.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        let is_inquiry =
            |op: &Op| matches!(op, Op::Put { item, .. } if item.kind == RecordKind::Inquiry);
        if ops.iter().any(is_inquiry) && self.waits.swap(false, Ordering::Relaxed) {
            self.somebody().await;
        }
        self.table.commit(ops, token).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.table.scan(page).await
    }
}

#[tokio::test]
async fn n69_a_restriction_that_comes_or_goes_at_the_same_moment_counts() {
    for restricted_before in [false, true] {
        let platform = MemoryPlatform::new();
        let meanwhile = Arc::new(Meanwhile {
            table: Arc::new(platform.table.clone()),
            ambient: platform.ambient(),
            sender: platform.sender(Hop::Sentiment, QueueAddress("sentiment".into())),
            waits: AtomicBool::new(true),
        });
        let house = House::on(platform.with_table(|_| Arc::clone(&meanwhile) as _)).await;
        if restricted_before {
            meanwhile.somebody().await;
        }
        assert_eq!(house.ask("Is it vegan?").await.status, 200);
        let [inquiry] = house.inquiries().await.try_into().unwrap();
        let sent = house.platform.letters::<ToJudge>(Hop::Sentiment);
        let sent: Vec<_> = sent.into_iter().map(|(_, message)| message).collect();
        let expected =
            if restricted_before { vec![ToJudge::Inquiry(inquiry.id)] } else { Vec::new() };
        assert_eq!(sent, expected, "restricted before: {restricted_before}");
    }
}
