//! Where codes lead, remembered for a while: a link that is followed a thousand times a second is read twice a minute.

use std::sync::Arc;

use jiff::SignedDuration;
use moka::sync::Cache;
use nexus_core::{Product, Table};
use nexus_engine::links::{self, LinkCode};
use nexus_kernel::{Ambient, Failure, Timestamp};
use tokio::sync::OnceCell;

use crate::standing::Standing;

/// How long after a link was changed or revoked it may still lead where it led.
pub(crate) const REMEMBERED: SignedDuration = SignedDuration::from_secs(30);
/// How long it is remembered that nobody has a code: who makes a link tries it at once.
pub(crate) const MISSED: SignedDuration = SignedDuration::from_secs(5);
/// How many bytes are remembered.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// What remembering a code takes, also one that nobody has.
const ENTRY_BYTES: usize = 500;

/// What was found, and until when that may be believed.
#[derive(Clone)]
struct Known {
    standing: Option<Arc<Standing>>,
    until: Timestamp,
}

/// Empty while one asks the store for all who came meanwhile.
type Asked = Arc<OnceCell<Known>>;

pub(crate) struct Lookup {
    table: Arc<dyn Table>,
    ambient: Ambient,
    asked: Cache<LinkCode, Asked>,
}

impl Lookup {
    pub(crate) fn new(table: Arc<dyn Table>, ambient: Ambient) -> Self {
        Self::bounded(table, ambient, MOST_BYTES)
    }

    fn bounded(table: Arc<dyn Table>, ambient: Ambient, bytes: u64) -> Self {
        let weight = |_: &LinkCode, asked: &Asked| {
            let standing = asked.get().and_then(|known| known.standing.as_ref());
            let bytes = ENTRY_BYTES + standing.map_or(0, |standing| standing.size());
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let asked = Cache::builder().max_capacity(bytes).weigher(weight).build();
        Self { table, ambient, asked }
    }

    /// What stands behind a code.
    pub(crate) async fn find(&self, code: &LinkCode) -> Result<Option<Arc<Standing>>, Failure> {
        let now = self.ambient.now();
        let outdated = |asked: &Asked| asked.get().is_some_and(|known| known.until <= now);
        let entry = self.asked.entry_by_ref(code);
        let asked = entry.or_insert_with_if(Asked::default, outdated).into_value();
        let known = asked.get_or_try_init(|| self.ask(code, now)).await?;
        Ok(known.standing.clone())
    }

    async fn ask(&self, code: &LinkCode, now: Timestamp) -> Result<Known, Failure> {
        let found = links::find(&*self.table, Product::Engine, code, now).await?;
        let standing = found.map(|found| Arc::new(Standing::of(found)));
        let age = if standing.is_some() { REMEMBERED } else { MISSED };
        let until = now.saturating_add(age).unwrap_or(now);
        let known = Known { standing, until };
        // Remembered anew, since an entry is weighed as it comes.
        self.asked.insert(code.clone(), Arc::new(OnceCell::new_with(Some(known.clone()))));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use nexus_core::table::{
        CommitError, CommitToken, Item, Key, Op, Page, Query, Slice, StoreError,
    };
    use nexus_engine::EnginePlatform;
    use nexus_engine::links::Link;
    use nexus_testkit::{MemoryPlatform, people};

    use super::*;

    /// A store that takes its time, and counts how often it was asked whose a code is.
    struct Slow {
        inner: Arc<dyn Table>,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Table for Slow {
        async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            self.inner.get(key).await
        }

        async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
            self.inner.get_many(keys).await
        }

        async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
            self.inner.query(query, page).await
        }

        async fn commit(
            &self,
            ops: Vec<Op>,
            token: Option<&CommitToken>,
        ) -> Result<(), CommitError> {
            self.inner.commit(ops, token).await
        }

        async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
            self.inner.scan(page).await
        }
    }

    fn code(number: usize) -> LinkCode {
        LinkCode::parse(&format!("code-{number}")).unwrap()
    }

    fn link(platform: &MemoryPlatform, number: usize, address: &str) -> Link {
        Link::to(code(number), address, platform.now())
    }

    #[tokio::test]
    async fn many_who_follow_a_link_at_once_ask_the_store_once() {
        let platform = MemoryPlatform::new();
        let scope = people::scope(people::tenant(1));
        let made = link(&platform, 1, "https://a.example/");
        platform.commit(made.ops(&scope).into()).await;
        let table =
            Arc::new(Slow { inner: Arc::new(platform.table.clone()), asked: AtomicUsize::new(0) });
        let lookup = Lookup::new(Arc::clone(&table) as _, platform.ambient());
        for (code, there) in [(code(1), true), (code(2), false)] {
            table.asked.store(0, Ordering::Relaxed);
            let found = futures::future::join_all((0..50).map(|_| lookup.find(&code))).await;
            assert!(found.into_iter().all(|found| found.unwrap().is_some() == there));
            assert_eq!(table.asked.load(Ordering::Relaxed), 1);
        }
        platform.advance(REMEMBERED);
        assert!(lookup.find(&code(1)).await.unwrap().is_some());
        assert_eq!(table.asked.load(Ordering::Relaxed), 2, "it is not believed for ever");
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded_by_what_it_takes() {
        let platform = MemoryPlatform::new();
        let scope = people::scope(people::tenant(1));
        let address = format!("https://a.example/{}", "x".repeat(100_000));
        let table = Arc::new(platform.table.clone());
        let lookup = Lookup::bounded(table, platform.ambient(), 1_000_000);
        for number in 0..50 {
            platform.commit(link(&platform, number, &address).ops(&scope).into()).await;
            assert!(lookup.find(&code(number)).await.unwrap().is_some());
        }
        lookup.asked.run_pending_tasks();
        assert!((100_000..=1_000_000).contains(&lookup.asked.weighted_size()));
    }
}
