use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use nexus_core::table::{
    CommitError, CommitToken, Index, Item, Key, MAX_PAGE, Op, Page, Query, Slice, StoreError, Table,
};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Chance};

use crate::memory::page_of;
use crate::pair::START;

/// A table whose indexes lag behind its rows, as DynamoDB's do: an index read shows some of the rows changed
/// lately as they stood before the change. So it shows rows late (in an older version), misses rows, and shows
/// ghosts (rows that are gone or no longer belong there). Base reads, commits and scans are true.
///
/// Which rows lag, and for how many index reads (none to three), follows from a seed. [`settle`](Self::settle)
/// brings the indexes up to date with all that was committed before.
#[derive(Clone)]
pub struct StaleIndex {
    inner: Arc<dyn Table>,
    state: Arc<Mutex<Lagging>>,
}

struct Lagging {
    chance: Arc<dyn Chance>,
    /// How the indexes still show a row, and in how many more reads they do.
    shown: BTreeMap<Key, (Option<Item>, u8)>,
}

const LONGEST_LAG: u8 = 3;

impl StaleIndex {
    /// The table with indexes that lag.
    pub fn new(inner: Arc<dyn Table>, seed: u64) -> Self {
        let chance = Ambient::seeded(Arc::new(ManualClock::at(START)), seed).chance;
        let state = Arc::new(Mutex::new(Lagging { chance, shown: BTreeMap::new() }));
        Self { inner, state }
    }

    /// Brings the indexes up to date.
    pub fn settle(&self) {
        self.lagging().shown.clear();
    }

    fn lagging(&self) -> MutexGuard<'_, Lagging> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All rows that the question truly finds.
    async fn true_rows(&self, query: &Query) -> Result<Vec<Item>, StoreError> {
        let (mut rows, mut page) = (Vec::new(), Page::first(MAX_PAGE));
        loop {
            let slice = self.inner.query(query, &page).await?;
            rows.extend(slice.items);
            if slice.next.is_none() {
                return Ok(rows);
            }
            page.after = slice.next;
        }
    }
}

impl Lagging {
    fn lag(&self) -> u8 {
        let mut drawn = [0];
        self.chance.fill(&mut drawn);
        drawn[0] % (LONGEST_LAG + 1)
    }

    /// What the indexes show in this read in place of the truth.
    fn read(&mut self) -> BTreeMap<Key, Option<Item>> {
        let shown = self.shown.iter().map(|(key, (item, _))| (key.clone(), item.clone())).collect();
        self.shown.retain(|_, (_, reads)| {
            *reads -= 1;
            *reads > 0
        });
        shown
    }
}

#[async_trait]
impl Table for StaleIndex {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.inner.get(key).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        if query.index == Index::Base {
            return self.inner.query(query, page).await;
        }
        let rows = self.true_rows(query).await?;
        let shown = self.lagging().read();
        let truth: Vec<Item> = rows.into_iter().filter(|i| !shown.contains_key(&i.key)).collect();
        page_of(query, truth.into_iter().chain(shown.into_values().flatten()), page)
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        let mut before = Vec::new();
        for op in ops.iter().filter(|op| !matches!(op, Op::Check { .. })) {
            let key = op.key().clone();
            let item = self.inner.get(&key).await.unwrap_or_default();
            before.push((key, item));
        }
        let outcome = self.inner.commit(ops, token).await;
        if matches!(outcome, Ok(()) | Err(CommitError::Unknown(_))) {
            let mut lagging = self.lagging();
            for (key, item) in before {
                let reads = lagging.lag();
                if reads > 0 {
                    lagging.shown.entry(key).or_insert((item, reads));
                }
            }
        }
        outcome
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.inner.scan(page).await
    }
}
