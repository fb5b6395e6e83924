//! An hour in, what was promised not to be kept out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, ToSpan};
use nexus_contract::memory::MemoryVault;
use nexus_contract::{Fault, Faults, Flaky, StaleIndex};
use nexus_core::blobs::{Joined, UploadRules};
use nexus_core::directory::OutsideKind;
use nexus_core::retention::{ABANDONED_AFTER, LIVE_AGE, RECEIPT_AGE, UNNAMED_BLOB_AGE};
use nexus_core::sweep::DueKind;
use nexus_core::table::{CommitError, CommitToken, Page, Query, Slice, StoreError};
use nexus_core::vault::{Forgotten, Freshness, Generation, Held, Vault, VaultError};
use nexus_core::{
    BlobKey, Blobs, Condition, Directory, Item, Key, Op, Product, Record, RecordKind, Scope,
    SecretName, Table, records,
};
use nexus_engine::account::Settings;
use nexus_engine::clicks::{Agent, Click, ClickId, Place, Visitor};
use nexus_engine::day_salts::{DaySalts, Use};
use nexus_engine::days::day_of;
use nexus_engine::desk::Desk;
use nexus_engine::media::{BegunUpload, MediaClass, MediaState};
use nexus_engine::tallies::{self, AsStored, ClickWriter, Letter, Recount};
use nexus_engine::{EnginePlatform, Media, blob_names, cache, removal};
use nexus_handler::{Entry, ErasedFunction, Invocation};
use nexus_kernel::{Failure, Pii, Secret, Timestamp};
use nexus_retention_sweep::{Receipt, RetentionSweep};
use nexus_testkit::{MemoryPlatform, build, people};

const MILLI: SignedDuration = SignedDuration::from_millis(1);

fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

fn scope(tenant: u32) -> Scope {
    people::scope(people::tenant(tenant))
}

fn click(n: u32, at: Timestamp) -> Click {
    Click {
        id: ClickId::derived(&["click", &n.to_string()]),
        at,
        link: "BCDFGHJK23".into(),
        post: None,
        place: Place::Unlocated,
        agent: Agent { text: format!("agent {}", n % 4), ..Agent::default() },
        referrer: None,
        visitor: Visitor([1; 8]),
        bot: None,
        head: false,
        no_accept: false,
    }
}

/// The function on a platform.
struct House {
    platform: MemoryPlatform,
    function: Arc<dyn ErasedFunction>,
}

impl House {
    fn new() -> Self {
        Self::on(MemoryPlatform::new())
    }

    fn on(platform: MemoryPlatform) -> Self {
        let wired: &dyn EnginePlatform = &platform;
        let entry = Entry::event::<RetentionSweep, _>(wired, &platform.env()).unwrap();
        let Entry::Event(function) = entry else { panic!("it takes events") };
        Self { platform, function }
    }

    /// On stores of which calls fail.
    fn flaky(faults: &Faults) -> Self {
        let (of_table, of_blobs) = (faults.clone(), faults.clone());
        Self::on(
            MemoryPlatform::new()
                .with_table(|table| Arc::new(Flaky::new(table, of_table)))
                .with_blobs(|blobs| Arc::new(Flaky::new(blobs, of_blobs))),
        )
    }

    async fn try_run(&self, at: Invocation) -> Result<Receipt, Failure> {
        let reply = self.function.call(b"{}", at).await?;
        Ok(serde_json::from_str(reply.get()).unwrap())
    }

    async fn run(&self) -> Receipt {
        self.try_run(self.platform.invocation()).await.unwrap()
    }

    /// How many rows and blobs a run found and removed; nothing failed.
    async fn removed(&self) -> (u64, u64) {
        let receipt = self.run().await;
        assert!(receipt.complete);
        for tally in [&receipt.table, &receipt.blobs] {
            assert_eq!((tally.found, tally.failed, tally.oldest_left), (tally.removed, 0, None));
        }
        (receipt.table.removed, receipt.blobs.removed)
    }

    async fn count(&self, kind: RecordKind) -> usize {
        self.platform.rows().await.iter().filter(|r| r.kind == kind).count()
    }

    fn after(&self, wait: SignedDuration) -> Timestamp {
        self.platform.now().saturating_add(wait).unwrap()
    }

    /// Keeps an answer for so long.
    async fn keep(&self, tenant: u32, what: &str, wait: SignedDuration) {
        let question = cache::question("fake", &what);
        let op = cache::keep(&scope(tenant), question, &what, self.after(wait));
        self.platform.commit(vec![op]).await;
    }

    async fn put_blob(&self, key: &BlobKey) {
        let bytes = Bytes::copy_from_slice(key.as_str().as_bytes());
        self.platform.blobs.put(key, bytes, "image/jpeg").await.unwrap();
    }

    /// An announced medium, as `uploading` commits it.
    async fn announced(&self, number: u32) -> Media {
        let (scope, id) = (scope(1), build::media_id(number));
        let media = Media::awaiting(
            &scope,
            id,
            MediaClass::Photo,
            None,
            "bakery".into(),
            self.platform.now(),
        );
        let (kind, upload) = (OutsideKind::Upload, media.upload.as_str());
        let claim = Directory::of(Product::Engine).claim(&scope, kind, upload, &id.to_string());
        self.platform.commit(vec![records::create(&scope, &media), claim]).await;
        media
    }

    /// Removes a medium whose blobs cannot be deleted now.
    async fn remove_without_blobs(&self, media: &Media) {
        let blobs = Arc::new(self.platform.blobs.clone());
        let dead = Flaky::<dyn Blobs>::new(blobs, Faults::crash(0, Fault::Before));
        let ambient = self.platform.ambient();
        let desk = Desk {
            table: &self.platform.table,
            scope: &scope(1),
            by: "usr",
            trace: "trace",
            ambient: &ambient,
        };
        removal::remove(&desk, &dead, media.id).await.unwrap();
    }
}

#[tokio::test]
async fn n49_n50_kept_answers_go_at_their_very_moment_each_tenants_at_its_own() {
    let house = House::new();
    let ages = [(1, 1), (2, 24), (3, 72)];
    for (tenant, hours) in ages {
        let settings = Settings { cache_hours: hours, ..Settings::default() };
        house.platform.put(&scope(tenant), &settings).await;
        house.keep(tenant, "what", settings.cache_age()).await;
    }
    let start = house.platform.now();
    for (left, (tenant, age)) in [2, 1, 0].into_iter().zip(ages) {
        let age = hours(i64::from(age));
        let passed = house.platform.now().duration_since(start);
        house.platform.advance(age - passed - MILLI);
        assert_eq!(house.removed().await, (0, 0), "tenant {tenant}, a millisecond before");
        assert_eq!(house.count(RecordKind::Cache).await, left + 1);
        house.platform.advance(MILLI);
        assert_eq!(house.removed().await, (1, 0), "tenant {tenant}");
        assert_eq!(house.count(RecordKind::Cache).await, left);
        let whose = scope(tenant).owner().to_string();
        let rows = house.platform.rows().await;
        assert!(!rows.iter().any(|r| r.kind == RecordKind::Cache && r.key.pk().contains(&whose)));
    }
    assert_eq!(house.count(RecordKind::Settings).await, 3, "settings are kept");
}

#[tokio::test]
async fn an_upload_that_was_abandoned_goes_after_a_day_with_its_claim_and_its_bytes() {
    let house = House::new();
    let media = house.announced(1).await;
    house.platform.advance(SignedDuration::from_mins(10));
    house.put_blob(&media.upload).await;
    house.platform.advance(ABANDONED_AFTER - SignedDuration::from_mins(10) - MILLI);
    assert_eq!(house.removed().await, (0, 0));
    house.platform.advance(MILLI);
    assert_eq!(house.removed().await, (1, 0));
    assert_eq!(house.count(RecordKind::Media).await, 0);
    assert_eq!(house.count(RecordKind::Claim).await, 0);
    assert!(house.platform.blob_keys().await.is_empty());
    assert_eq!(house.removed().await, (0, 0), "a second run finds nothing");
}

#[tokio::test]
async fn parts_that_nobody_joined_go_with_their_medium_after_a_day() {
    let house = House::new();
    let media = house.announced(1).await;
    let until = house.after(SignedDuration::from_hours(1));
    let rules = UploadRules { content_type: "video/mp4".into(), size: 9, until };
    let blobs = &house.platform.blobs;
    let upload = blobs.sign_parts(&media.upload, &rules).await.unwrap();
    let (id, content_type, size) = (upload.id.clone(), rules.content_type.clone(), rules.size);
    let begun = Some(BegunUpload { id, content_type, size });
    house.platform.put(&scope(1), &Media { begun, ..media.clone() }).await;
    let left = async || blobs.join_parts(&media.upload, &upload.id, &rules).await.unwrap();
    house.platform.advance(ABANDONED_AFTER - MILLI);
    assert_eq!(house.removed().await, (0, 0));
    assert_eq!(left().await, Joined::Missing(vec![1]));
    house.platform.advance(MILLI);
    assert_eq!(house.removed().await, (1, 0));
    assert_eq!(left().await, Joined::Gone);
}

#[tokio::test]
async fn n53_a_medium_and_its_draft_are_kept_until_somebody_removes_them() {
    let house = House::new();
    build::finished(&house.platform, &scope(1), build::media_id(1)).await;
    let (rows, blobs) = (house.platform.rows().await, house.platform.blob_keys().await);
    assert!(!blobs.is_empty());
    for _ in 0..10 {
        house.platform.advance(hours(24 * 365));
        house.run().await;
    }
    let mut left = house.platform.rows().await;
    left.retain(|r| r.kind != RecordKind::Receipt);
    assert_eq!((left, house.platform.blob_keys().await), (rows, blobs));
}

#[tokio::test]
async fn a_blob_that_nothing_names_goes_after_its_age_and_a_named_one_never() {
    let house = House::new();
    let (one, two) = (scope(1), scope(2));
    let named = [one.blob("media", "m/clean.jpg"), one.blob("made", "d/1-en.mp4")];
    let unnamed = [one.blob("media", "m/left.jpg"), one.blob("made", "d/left.mp4")];
    // Another tenant's name is no name.
    let foreign = two.blob("made", "d/1-en.mp4");
    for blob in named.iter().chain(&unnamed).chain([&foreign]) {
        house.put_blob(blob).await;
    }
    let names = named.iter().map(|blob| blob_names::name(&one, blob, &"a record"));
    house
        .platform
        .commit(names.chain([blob_names::name(&one, &foreign, &"a record")]).collect())
        .await;
    let upload = one.blob("in", "upload");
    house.put_blob(&upload).await;

    house.platform.advance(UNNAMED_BLOB_AGE - MILLI);
    assert_eq!(house.removed().await, (0, 0));
    house.platform.advance(MILLI);
    assert_eq!(house.removed().await, (0, 3));
    let mut left: Vec<BlobKey> = [upload.clone()].into_iter().chain(named.clone()).collect();
    left.sort();
    assert_eq!(house.platform.blob_keys().await, left);

    house.platform.advance(ABANDONED_AFTER - UNNAMED_BLOB_AGE - MILLI);
    assert_eq!(house.removed().await, (0, 0));
    house.platform.advance(MILLI);
    assert_eq!(house.removed().await, (0, 1), "an upload whose row is long gone");

    house.platform.advance(hours(24 * 365));
    house.run().await;
    left.retain(|blob| *blob != upload);
    assert_eq!(house.platform.blob_keys().await, left);
}

#[tokio::test]
async fn n53_what_a_removal_left_goes_with_the_next_run() {
    let house = House::new();
    let (media, draft) = build::finished(&house.platform, &scope(1), build::media_id(1)).await;
    let (other, _) = build::finished(&house.platform, &scope(2), build::media_id(1)).await;
    house.put_blob(&media.upload).await;
    house.remove_without_blobs(&media).await;
    let of_it = house.platform.blob_keys().await;
    let of_it: Vec<&BlobKey> = of_it.iter().filter(|b| scope(1).holds(b)).collect();
    assert_eq!(of_it.len(), media.blobs().count() + draft.blobs().count() + 1);

    assert_eq!(house.removed().await, (1, 0));
    let left = house.platform.blob_keys().await;
    assert!(left.iter().all(|b| scope(2).holds(b)) && left.len() >= other.blobs().count());
    let mine = scope(1).owner().to_string();
    assert!(!house.platform.rows().await.iter().any(|r| r.key.pk().contains(&mine)));
    assert_eq!(house.removed().await, (0, 0), "a second run finds nothing");
}

#[tokio::test]
async fn every_run_leaves_a_receipt_that_is_kept_for_its_own_time() {
    let house = House::new();
    house.keep(1, "what", hours(1)).await;
    house.platform.advance(hours(1));
    let receipt = house.run().await;
    assert_eq!(receipt.started, house.platform.now());
    assert_eq!((receipt.table.found, receipt.table.removed), (1, 1));
    assert_eq!(receipt.backups_hold_until, house.after(hours(24 * 35)));
    let kept = || async {
        let mut rows = house.platform.rows().await;
        rows.retain(|r| r.kind == RecordKind::Receipt);
        rows
    };
    let rows = kept().await;
    assert_eq!(rows.len(), 1);
    assert_eq!(serde_json::from_str::<Receipt>(&rows[0].body).unwrap(), receipt);
    assert!(!rows[0].body.contains("ten_"), "a receipt holds counts and times only");

    house.platform.advance(RECEIPT_AGE - MILLI);
    assert_eq!(house.removed().await, (0, 0));
    house.platform.advance(MILLI);
    assert_eq!(house.removed().await, (1, 0));
    assert!(!kept().await.contains(&rows[0]));
}

#[tokio::test]
async fn a_sweep_goes_page_by_page_to_the_end() {
    let house = House::new();
    for n in 0..2_000 {
        house.keep(1, &n.to_string(), hours(1)).await;
    }
    for n in 0..500 {
        house.put_blob(&scope(1).blob("made", &format!("left/{n:04}"))).await;
    }
    house.platform.advance(hours(1));
    assert_eq!(house.removed().await, (2_000, 500));
    assert_eq!(house.removed().await, (0, 0));
    assert!(house.platform.blob_keys().await.is_empty());
}

#[tokio::test]
async fn a_run_without_time_says_so_and_the_next_one_goes_on() {
    let house = House::new();
    house.keep(1, "what", hours(1)).await;
    house.put_blob(&scope(1).blob("made", "left")).await;
    house.platform.advance(hours(1));
    let short = Duration::from_secs(4);
    let deadline = tokio::time::Instant::now() + short;
    let at = Invocation { deadline, ..house.platform.invocation() };
    let receipt = house.try_run(at).await.unwrap();
    assert!(!receipt.complete);
    assert_eq!((receipt.table.removed, receipt.blobs.removed), (0, 0));
    assert_eq!(house.removed().await, (1, 1));
}

/// A table on which each commit takes a second.
struct Slow(Arc<dyn Table>);

#[async_trait::async_trait]
impl Table for Slow {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.0.get(key).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        self.0.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        tokio::time::advance(Duration::from_secs(1)).await;
        self.0.commit(ops, token).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.0.scan(page).await
    }
}

impl House {
    fn slow() -> Self {
        Self::on(MemoryPlatform::new().with_table(|table| Arc::new(Slow(table))))
    }

    /// A run that has time for so many commits before its receipt.
    async fn run_briefly(&self, commits: u64) -> Receipt {
        let long = Duration::from_millis(5_000 + 1_000 * commits - 500);
        let deadline = tokio::time::Instant::now() + long;
        let at = Invocation { deadline, ..self.platform.invocation() };
        self.try_run(at).await.unwrap()
    }

    /// Keeps answers for so long of which the sweep finds each in this shard.
    async fn keep_in_shard(&self, shard: u32, first: u32, count: usize, wait: SignedDuration) {
        let scope = scope(1);
        let ops = (first..).filter_map(|n| {
            let op = cache::keep(&scope, cache::question("fake", &n), &n, self.after(wait));
            let Op::Put { item, .. } = &op else { panic!("{op:?}") };
            let place = item.due.clone().unwrap().partition;
            place.ends_with(&format!("#{shard}")).then_some(op)
        });
        self.platform.commit(ops.take(count).collect()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn n51_a_flood_of_live_rows_holds_up_no_inquiry_that_is_over() {
    use nexus_engine::inquiries::{Inquiry, InquiryId, InquiryState};

    let house = House::slow();
    let platform = &house.platform;
    let last = DueKind::Expiry.shards() - 1;
    let inquiry = |n: u32| Inquiry {
        id: InquiryId::derived(&["inquiry", &n.to_string()]),
        at: platform.now(),
        product: build::product_id(1),
        name: Pii::new("Ada".into()),
        email: Pii::new("ada@example.com".into()),
        message: Pii::new("Is it gluten free?".into()),
        from: None,
        sentiment: None,
        state: InquiryState::New,
        assignee: None,
        notes: Vec::new(),
    };
    let in_last = |inquiry: &Inquiry| {
        inquiry.due(&scope(1)).unwrap().partition.ends_with(&format!("#{last}"))
    };
    platform.put(&scope(1), &(0..).map(inquiry).find(in_last).unwrap()).await;
    platform.advance(hours(24 * 366));

    let writer = ClickWriter::new(Arc::new(platform.table.clone()), platform.ambient());
    for n in 0..500 {
        let clicks = [click(n, platform.now())];
        let letters = [Letter { scope: scope(1), clicks: &clicks }];
        assert!(writer.write(&letters).await.is_empty());
    }
    platform.advance(LIVE_AGE);
    let receipt = house.run_briefly(1).await;
    assert!(!receipt.complete, "there was no time for the flood");
    assert_eq!(house.count(RecordKind::Inquiry).await, 0);
    // As many as one commit takes go at once, so an hour is enough for a flood.
    let receipt = house.run_briefly(20).await;
    assert!(receipt.complete, "{receipt:?}");
    assert_eq!((house.count(RecordKind::Live).await, receipt.table.removed), (0, 500));
    assert_eq!(house.removed().await, (0, 0), "the next run finds nothing");
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_full_again_every_hour_leaves_the_others_their_turn() {
    let house = House::slow();
    house.keep_in_shard(7, 0, 1, hours(1)).await;
    let all = DueKind::Expiry.shards();
    for hour in 0..all {
        house.keep_in_shard(0, 10_000 * (hour + 1), 100, hours(1)).await;
        house.platform.advance(hours(1));
        house.run_briefly(1).await;
    }
    let left = house.platform.rows().await;
    let left = left.iter().filter(|row| row.kind == RecordKind::Cache);
    let left: Vec<_> = left.map(|row| row.due.clone().unwrap().partition).collect();
    assert!(left.iter().all(|place| place.ends_with("#0")), "{left:?}");
}

#[tokio::test]
async fn a_row_that_is_written_anew_meanwhile_stays_and_the_others_of_its_commit_go() {
    let platform = MemoryPlatform::new()
        .with_table(|table| Arc::new(Anew { table, once: AtomicBool::new(true) }));
    let house = House::on(platform);
    for n in 0..50 {
        house.keep(1, &n.to_string(), hours(1)).await;
    }
    house.platform.advance(hours(1));
    let receipt = house.run().await;
    assert_eq!((receipt.table.removed, receipt.table.failed), (49, 0));
    assert_eq!(house.count(RecordKind::Cache).await, 1);
}

/// A table in which somebody writes a row anew just before it would be deleted, once.
struct Anew {
    table: Arc<dyn Table>,
    once: AtomicBool,
}

#[async_trait::async_trait]
impl Table for Anew {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.table.get(key).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        self.table.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        if let Some(Op::Delete { key, .. }) = ops.first()
            && self.once.swap(false, Ordering::Relaxed)
        {
            let mut item = self.table.get(key).await.unwrap().unwrap();
            item.version += 1;
            let anew = vec![Op::Put { item, when: Condition::Always }];
            self.table.commit(anew, None).await.unwrap();
        }
        self.table.commit(ops, token).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.table.scan(page).await
    }
}

#[tokio::test]
async fn n49_ghosts_of_a_late_index_remove_nothing_that_is_live() {
    for seed in 0..20 {
        let mut kept = None;
        let platform = MemoryPlatform::new().with_table(|table| {
            let stale = StaleIndex::new(table, seed);
            kept = Some(stale.clone());
            Arc::new(stale)
        });
        let (house, stale) = (House::on(platform), kept.unwrap());
        let commit = async |op: Op| stale.commit(vec![op], None).await.unwrap();
        let scope = scope(1);
        let question = |n: u32| cache::question("fake", &n);
        // What expires in an hour: half of it is kept anew for longer, and of the uploads half become media.
        let mut announced = Vec::new();
        for n in 0..12 {
            commit(cache::keep(&scope, question(n), &n, house.after(hours(24)))).await;
            announced.push(house.announced(n).await);
        }
        house.platform.advance(hours(24) - MILLI);
        for n in 0..6 {
            commit(cache::keep(&scope, question(n), &n, house.after(hours(24)))).await;
            let mut media = announced[n as usize].clone();
            media.state = MediaState::Ready;
            commit(records::write(&scope, &media)).await;
        }
        house.platform.advance(MILLI);
        for _ in 0..5 {
            house.run().await;
        }
        let rows = house.platform.rows().await;
        let keys = |kind| -> BTreeSet<_> {
            rows.iter().filter(|r| r.kind == kind).map(|r| r.key.clone()).collect()
        };
        let live = (0..6).map(|n| scope.key("cache", question(n).to_hex())).collect();
        assert_eq!(keys(RecordKind::Cache), live, "seed {seed}");
        let live = (0..6).map(|n| scope.key("media", build::media_id(n).to_string())).collect();
        assert_eq!(keys(RecordKind::Media), live, "seed {seed}");
        assert_eq!(keys(RecordKind::Claim).len(), 6, "seed {seed}");

        stale.settle();
        assert_eq!(house.removed().await, (0, 0), "seed {seed}");
    }
}

#[tokio::test]
async fn a_store_that_fails_at_any_call_is_told_and_the_next_run_goes_on() {
    let mut told = BTreeSet::new();
    for at in 0..100 {
        for how in [Fault::Before, Fault::After] {
            let script = std::iter::repeat_n(Fault::None, at).chain([how]);
            let faults = Faults::script(script);
            let house = House::flaky(&faults);
            house.keep(1, "what", hours(24)).await;
            let media = house.announced(1).await;
            house.put_blob(&media.upload).await;
            house.platform.advance(hours(1));
            let since = house.platform.now();
            let (removed, _) =
                build::finished(&house.platform, &scope(1), build::media_id(2)).await;
            house.remove_without_blobs(&removed).await;
            let unnamed = scope(1).blob("made", "left");
            house.put_blob(&unnamed).await;
            house.platform.advance(hours(24));

            let first = house.try_run(house.platform.invocation()).await;
            let calls = faults.calls();
            faults.revive();
            // What was removed before a store failed has its receipt too.
            let receipt_failed = how == Fault::Before && at + 1 == calls;
            let receipts = house.count(RecordKind::Receipt).await;
            assert_eq!(receipts, usize::from(!receipt_failed), "{how:?} call {at}");
            if let Ok(receipt) = &first {
                let failed = receipt.table.failed + receipt.blobs.failed;
                assert!(failed <= 1, "{how:?} call {at}");
                assert_eq!(receipt.table.oldest_left.is_some(), receipt.table.failed == 1);
                assert_eq!(receipt.blobs.oldest_left.is_some(), receipt.blobs.failed == 1);
                let ages = [receipt.table.oldest_left, receipt.blobs.oldest_left];
                told.extend(ages.into_iter().flatten().map(|t| t.duration_since(since)));
                assert_eq!(receipt.table.removed + receipt.table.failed, 3, "{how:?} call {at}");
            }
            house.run().await;
            for kind in [RecordKind::Cache, RecordKind::Media, RecordKind::Claim] {
                assert_eq!(house.count(kind).await, 0, "{how:?} call {at}");
            }
            assert_eq!(house.count(RecordKind::Removal).await, 0, "{how:?} call {at}");
            assert!(house.platform.blob_keys().await.is_empty(), "{how:?} call {at}");
            assert_eq!(house.removed().await, (0, 0), "{how:?} call {at}");
            if calls <= at {
                // The removal since it was made, the unnamed blob since its hour was over, and what stood a day.
                assert_eq!(told, [hours(0), hours(1), hours(23)].into());
                return;
            }
        }
    }
    panic!("a run has fewer calls than this");
}

#[tokio::test]
async fn the_oldest_that_is_left_is_told() {
    let faults = Faults::script([Fault::Before; 4]);
    let of_blobs = faults.clone();
    let house =
        House::on(MemoryPlatform::new().with_blobs(|blobs| Arc::new(Flaky::new(blobs, of_blobs))));
    let oldest = house.platform.now();
    for n in 1..=4 {
        let (media, _) = build::finished(&house.platform, &scope(1), build::media_id(n)).await;
        house.remove_without_blobs(&media).await;
        house.platform.advance(hours(1));
    }
    let receipt = house.run().await;
    assert_eq!((receipt.table.failed, receipt.table.oldest_left), (4, Some(oldest)));
    assert!(receipt.complete, "it came to the end of everything");
    assert_eq!(house.removed().await, (4, 0));
}

#[tokio::test]
async fn n52_what_is_kept_of_clicks_is_never_swept_and_what_expires_around_it_is() {
    let house = House::new();
    let platform = &house.platform;
    let writer = ClickWriter::new(Arc::new(platform.table.clone()), platform.ambient());
    let clicks: Vec<Click> = (0..150).map(|n| click(n, platform.now())).collect();
    let letters = [Letter { scope: scope(1), clicks: &clicks }];
    assert!(writer.write(&letters).await.is_empty());
    house.keep(1, "around them", hours(1)).await;
    platform.advance(hours(48));
    let due = platform.rows().await.into_iter().find(|row| row.kind == RecordKind::Recount);
    let mut due = records::read::<Recount>(&due.unwrap()).unwrap();
    tallies::recount(&platform.table, &scope(1), &mut due, &AsStored).await.unwrap();

    let forever =
        [RecordKind::Click, RecordKind::Tally, RecordKind::ClickDay, RecordKind::UserAgent];
    let kept = async || -> Vec<_> {
        let rows = platform.rows().await;
        rows.into_iter().filter(|row| forever.contains(&row.kind)).collect()
    };
    let before = kept().await;
    for kind in forever {
        assert!(before.iter().any(|row| row.kind == kind), "{kind:?}");
    }
    assert!(house.count(RecordKind::Live).await > 0);
    // A hundred years of sweeps.
    for _ in 0..10 {
        platform.advance(hours(24 * 3_652));
        house.run().await;
    }
    assert_eq!(kept().await, before);
    for kind in [RecordKind::Live, RecordKind::Cache] {
        assert_eq!(house.count(kind).await, 0, "{kind:?}");
    }
}

/// A salt of the day that many hours from now.
async fn salted(of: Use, platform: &MemoryPlatform, hours_on: i64) -> SecretName {
    let day = day_of(platform.now().saturating_add(hours(hours_on)).unwrap());
    let salts = DaySalts::new(of, Arc::new(platform.vault.clone()), platform.ambient());
    salts.read_or_make(day).await.unwrap();
    of.name(day).unwrap()
}

#[tokio::test]
async fn n10_a_days_salt_is_destroyed_once_it_serves_no_more_and_not_before() {
    // A form that was opened before midnight may be sent after it.
    for (of, midnights) in [(Use::Visitors, 1), (Use::Inquiries, 2)] {
        let house = House::new();
        let name = salted(of, &house.platform, 0).await;
        let stands = async || {
            let held = house.platform.vault.read(&name, Freshness::Fresh).await.unwrap();
            held.map(|held| held.generation)
        };
        let made = stands().await;
        assert!(made.is_some());
        let over = day_of(house.platform.now()).checked_add(midnights.days()).unwrap();
        let over = over.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        house.platform.advance(over.duration_since(house.platform.now()) - MILLI);
        assert_eq!((house.run().await.salts.removed, stands().await), (0, made), "{of:?} serves");
        house.platform.advance(MILLI);
        let receipt = house.run().await;
        assert_eq!((receipt.salts.found, receipt.salts.removed, stands().await), (1, 1, None));
        assert_eq!(house.run().await.salts.found, 0, "the second run finds nothing");
    }
}

#[tokio::test]
async fn n10_a_sweep_that_did_not_run_for_days_leaves_the_present_salt_alone() {
    let house = House::new();
    let mut names = Vec::new();
    for day in 0..=2 {
        names.push(salted(Use::Visitors, &house.platform, 24 * day).await);
    }
    house.platform.advance(hours(48));
    assert_eq!(house.run().await.salts.removed, 2);
    let mut left = Vec::new();
    for name in &names {
        left.push(house.platform.vault.read(name, Freshness::Fresh).await.unwrap().is_some());
    }
    assert_eq!(left, [false, false, true]);
}

#[tokio::test]
async fn a_vault_that_fails_is_told_and_the_next_run_goes_on() {
    let platform = MemoryPlatform::new();
    let vault = Arc::new(platform.vault.clone()) as Arc<dyn Vault>;
    let faults = Faults::script([Fault::Before, Fault::After]);
    let name = salted(Use::Inquiries, &platform, 0).await;
    platform.advance(hours(48));
    let house = House::on(platform.with_vault(Arc::new(Flaky::new(vault, faults))));
    let receipt = house.run().await;
    assert_eq!(
        (receipt.salts.failed, receipt.salts.oldest_left.is_some()),
        (2, true),
        "{receipt:?}"
    );
    house.run().await;
    assert!(house.platform.vault.read(&name, Freshness::Fresh).await.unwrap().is_none());
}

#[tokio::test]
async fn n10_a_salt_that_is_older_than_the_days_looked_back_is_found_by_its_row() {
    let house = House::new();
    let name = salted(Use::Visitors, &house.platform, 0).await;
    // As adapters keep it that have rows.
    let row = Item {
        key: name.key(),
        kind: RecordKind::Secret,
        version: 1,
        expires: None,
        due: None,
        list: None,
        counter: 0,
        body: "{}".into(),
    };
    let put = Op::Put { item: row, when: Condition::Absent };
    house.platform.commit(vec![put]).await;
    house.platform.advance(hours(24 * 40));
    assert_eq!(house.run().await.salts.removed, 1);
    assert!(house.platform.vault.read(&name, Freshness::Fresh).await.unwrap().is_none());
}

/// A vault in whose safe unfinished rotations of a product have left so many values.
struct Strewn {
    inner: MemoryVault,
    left: AtomicU64,
}

#[async_trait::async_trait]
impl Vault for Strewn {
    async fn read(&self, name: &SecretName, how: Freshness) -> Result<Option<Held>, VaultError> {
        self.inner.read(name, how).await
    }

    async fn rotate(
        &self,
        name: &SecretName,
        follows: Option<Generation>,
        value: &Secret<String>,
    ) -> Result<Generation, VaultError> {
        self.inner.rotate(name, follows, value).await
    }

    async fn forget(&self, name: &SecretName) -> Result<Forgotten, VaultError> {
        self.inner.forget(name).await
    }

    async fn remove_strays(&self, of: Product) -> Result<u64, VaultError> {
        assert_eq!(of, Product::Engine, "nobody else's secrets are in this table");
        Ok(self.left.swap(0, Ordering::Relaxed))
    }
}

#[tokio::test]
async fn what_unfinished_rotations_left_in_the_vault_goes_with_a_receipt() {
    let platform = MemoryPlatform::new();
    let strewn = Strewn { inner: platform.vault.clone(), left: AtomicU64::new(3) };
    let house = House::on(platform.with_vault(Arc::new(strewn)));
    let told = house.run().await.strays;
    assert_eq!((told.found, told.removed, told.failed), (3, 3, 0));
    assert_eq!(house.run().await.strays.found, 0);
}
