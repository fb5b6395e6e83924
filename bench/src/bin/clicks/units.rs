//! What clicks cost where every write is paid for: DynamoDB's write units, counted while `attribute` writes.
//!
//! A write costs a unit for each begun KB, twice that in a transaction, and once more for each index that shows the row;
//! what is swept later costs its deletion there and in the index. Source: DynamoDB Developer Guide, "DynamoDB read and
//! write operations".

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use nexus_attribute::Attribute;
use nexus_core::table::{
    CommitError, CommitToken, Item, Key, Op, Page, Query, Slice, StoreError, Table,
};
use nexus_engine::EnginePlatform;
use nexus_engine::clicks::{Click, ClickId};
use nexus_handler::Entry;
use nexus_kernel::{Ambient, Timestamp};

use crate::{Outcome, counting, ground, server};

/// Clicks that come together: 20 a second, gathered for 5 s.
const TOGETHER: u32 = 100;
/// How many such batches are counted; before them the programs become known.
const BATCHES: u32 = 20;

#[derive(Default)]
struct Units {
    row: AtomicU64,
    other: AtomicU64,
}

struct Counted {
    inner: Arc<dyn Table>,
    units: Arc<Units>,
}

/// What an item costs outside of a transaction, with what its indexes and its end cost.
fn of_item(item: &Item) -> (u64, u64) {
    let bytes = item.body.len() + item.key.pk().len() + item.key.sk().len() + 100;
    let once = u64::try_from(bytes.div_ceil(1024)).unwrap_or(u64::MAX);
    let indexes = u64::from(item.due.is_some()) + u64::from(item.list.is_some());
    let swept = u64::from(item.expires.is_some());
    (once, once * (indexes + swept * (1 + indexes)))
}

#[async_trait]
impl Table for Counted {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.inner.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        self.inner.get_many(keys).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        self.inner.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        let times = if ops.len() > 1 { 2 } else { 1 };
        let (mut row, mut other) = (0, 0);
        for op in &ops {
            let (once, beside) = match op {
                Op::Put { item, .. } => of_item(item),
                Op::Delete { .. } | Op::Check { .. } | Op::Add { .. } => (1, 0),
            };
            let units = once * times + beside;
            let is_click =
                matches!(op, Op::Put { item, .. } if item.kind == nexus_core::RecordKind::Click);
            *(if is_click { &mut row } else { &mut other }) += units;
        }
        let done = self.inner.commit(ops, token).await;
        if done.is_ok() {
            self.units.row.fetch_add(row, Ordering::Relaxed);
            self.units.other.fetch_add(other, Ordering::Relaxed);
        }
        done
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.inner.scan(page).await
    }
}

pub(crate) async fn run(folder: &Path) -> Outcome<()> {
    println!("DynamoDB's write units for each click, {TOGETHER} clicks at once");
    for links in [1, 10, 50] {
        let place = folder.join(format!("units-{links}"));
        fs::create_dir_all(&place)?;
        fs::copy(ground::test_database(), place.join(server::DATABASE))?;
        let store = server::store(&place)?;
        let units = Arc::new(Units::default());
        let of_wrapper = Arc::clone(&units);
        let platform = server::platform(&store, &place)?
            .with_table(|inner| Arc::new(Counted { inner, units: of_wrapper }));
        let wired: &dyn EnginePlatform = &platform;
        let Entry::Event(attribute) = Entry::event::<Attribute, _>(wired, &platform.env())? else {
            return Err("attribute takes events".into());
        };
        let ambient = Ambient::system();
        let clicks = |batch: u32, at: Timestamp| -> Vec<Click> {
            let first = batch * TOGETHER;
            let click = |n| {
                let id = ClickId::draw(&*ambient.ids);
                Click { link: ground::code(n % links), ..ground::click(id, n, at) }
            };
            (first..first + TOGETHER).map(click).collect()
        };
        for batch in 0..=BATCHES {
            if batch == 1 {
                units.row.store(0, Ordering::Relaxed);
                units.other.store(0, Ordering::Relaxed);
            }
            let one_by_one = clicks(batch, platform.now()).into_iter().map(|click| vec![click]);
            let event = counting::event(&counting::scope(), one_by_one)?;
            counting::call(&*attribute, event.as_bytes(), &ambient).await?;
        }
        let each =
            |sum: &AtomicU64| sum.load(Ordering::Relaxed) as f64 / f64::from(BATCHES * TOGETHER);
        println!(
            "  {links:>3} links: {:.2} for its row, {:.2} for tallies and the rest",
            each(&units.row),
            each(&units.other)
        );
        fs::remove_dir_all(place)?;
    }
    Ok(())
}
