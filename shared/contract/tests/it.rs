//! The in-memory adapters pass every suite; the wrappers pass what they must, and are as bad as they say.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nexus_contract::memory::{MemoryBlobs, MemoryBus, MemoryQueues, MemoryTable, MemoryVault};
use nexus_contract::{Fault, Faults, Flaky, Pair, START, StaleIndex, blobs, bus, queues, vault};
use nexus_core::blobs::Blobs;
use nexus_core::bus::Event;
use nexus_core::queues::Queues;
use nexus_core::table::Table;
use nexus_core::vault::Vault;
use nexus_kernel::Ambient;
use nexus_kernel::ambient::ManualClock;

fn table() -> (Arc<dyn Table>, ManualClock) {
    let clock = ManualClock::at(START);
    (Arc::new(MemoryTable::new(Arc::new(clock.clone()))), clock)
}

async fn memory_queues() -> queues::Stand {
    let clock = ManualClock::at(START);
    let all = MemoryQueues::new(vec![queues::Stand::settings()], Arc::new(clock.clone()));
    queues::Stand::new(Pair::new(Arc::new(all.clone()), Arc::new(all), clock))
}

async fn memory_blobs() -> blobs::Stand {
    let clock = ManualClock::at(START);
    let all = MemoryBlobs::new(Arc::new(clock.clone()));
    blobs::Stand {
        pair: Pair::new(Arc::new(all.clone()), Arc::new(all.clone()), clock),
        browser: Arc::new(all),
    }
}

async fn memory_vault() -> vault::Stand {
    let clock = ManualClock::at(START);
    let all = MemoryVault::new(Ambient::seeded(Arc::new(clock.clone()), 1));
    Pair::new(Arc::new(all.clone()), Arc::new(all), clock)
}

/// The bus in memory hears itself.
struct Ear(MemoryBus);

#[async_trait::async_trait]
impl bus::Listener for Ear {
    async fn heard(&self, _at_least: usize) -> Vec<Event> {
        self.0.heard()
    }
}

mod vault_in_memory {
    use super::*;

    nexus_contract::vault_contract!(memory_vault);
}

mod bus_in_memory {
    use super::*;

    nexus_contract::bus_contract!(async || {
        let all = MemoryBus::default();
        let (one, other) = (Arc::new(all.clone()), Arc::new(all.clone()));
        let pair = Pair::new(one as _, other as _, ManualClock::at(START));
        bus::Stand { pair, listener: Arc::new(Ear(all)) }
    });
}

mod table_in_memory {
    use super::*;

    nexus_contract::table_contract!(async || {
        let clock = ManualClock::at(START);
        let all = MemoryTable::new(Arc::new(clock.clone()));
        Pair::<dyn Table>::new(Arc::new(all.clone()), Arc::new(all), clock)
    });
}

mod queues_in_memory {
    use super::*;

    nexus_contract::queues_contract!(memory_queues);
}

mod blobs_in_memory {
    use super::*;

    nexus_contract::blobs_contract!(memory_blobs);
}

mod table_with_stale_indexes {
    use nexus_core::RecordKind;
    use nexus_core::table::{
        Condition, Index, IndexEntry, Item, Key, Op, Page, Query, Slice, Table as _,
    };

    use super::*;

    nexus_contract::table_contract!(async || {
        let (inner, clock) = table();
        let stale = StaleIndex::new(inner, 7);
        let settle = stale.clone();
        Pair::<dyn Table>::new(Arc::new(stale.clone()), Arc::new(stale), clock)
            .settling_by(move || settle.settle())
    });

    fn listed(n: usize, version: u64, partition: Option<&str>) -> Op {
        let list = partition.map(|p| IndexEntry { partition: p.into(), sort: format!("{n:03}") });
        let item = Item {
            key: Key::stored("p", format!("{n:03}")),
            kind: RecordKind::Draft,
            version,
            expires: None,
            due: None,
            list,
            counter: 0,
            body: version.to_string(),
        };
        Op::Put { item, when: Condition::Always }
    }

    #[tokio::test]
    async fn an_index_shows_late_missing_and_ghost_rows_until_it_is_settled() {
        let (inner, _) = table();
        let stale = StaleIndex::new(inner, 1);
        let query = Query::of(Index::List, "l");
        let read = async || -> Slice { stale.query(&query, &Page::first(1000)).await.unwrap() };
        stale.commit((0..60).map(|n| listed(n, 1, Some("l"))).collect(), None).await.unwrap();
        assert!(read().await.items.len() < 60, "some are missing");
        stale.settle();
        assert_eq!(read().await.items.len(), 60);
        // A third is changed, a third leaves the list, a third is deleted.
        let change = |n: usize| match n % 3 {
            0 => listed(n, 2, Some("l")),
            1 => listed(n, 2, None),
            _ => Op::Delete { key: Key::stored("p", format!("{n:03}")), when: Condition::Always },
        };
        stale.commit((0..60).map(change).collect(), None).await.unwrap();
        let shown = read().await.items;
        let of = |rest: usize| {
            shown.iter().filter(move |i| i.key.sk().parse::<usize>().unwrap() % 3 == rest)
        };
        assert_eq!(of(0).count(), 20);
        assert!(of(0).any(|i| i.version == 1) && of(0).any(|i| i.version == 2), "some are late");
        assert!(of(1).count() > 0 && of(2).count() > 0, "some are ghosts");
        let base = stale.query(&Query::base("p"), &Page::first(1000)).await.unwrap();
        assert_eq!(base.items.len(), 40, "base reads are true");
        assert!(base.items.iter().all(|i| i.version == 2));
        // It does not lie for ever.
        for _ in 0..3 {
            read().await;
        }
        let truth = read().await.items;
        assert_eq!(truth.len(), 20);
        assert!(truth.iter().all(|i| i.version == 2));
    }
}

mod flaky {
    use nexus_core::RecordKind;
    use nexus_core::blobs::{BlobError, BlobKey};
    use nexus_core::queues::{Message, QueueError};
    use nexus_core::table::{CommitError, CommitToken, Condition, Key, Op, StoreError, Table as _};

    use super::*;

    mod table_without_faults {
        use super::*;
        nexus_contract::table_contract!(async || {
            let (inner, clock) = table();
            let one = Flaky::new(Arc::clone(&inner), Faults::none());
            Pair::<dyn Table>::new(
                Arc::new(one),
                Arc::new(Flaky::new(inner, Faults::none())),
                clock,
            )
        });
    }

    mod queues_without_faults {
        use super::*;
        nexus_contract::queues_contract!(async || {
            let stand = memory_queues().await;
            let Pair { one, other, clock, .. } = stand.pair;
            let one = Flaky::<dyn Queues>::new(one, Faults::none());
            let other = Flaky::<dyn Queues>::new(other, Faults::none());
            queues::Stand::new(Pair::new(Arc::new(one), Arc::new(other), clock))
        });
    }

    mod vault_without_faults {
        use super::*;
        nexus_contract::vault_contract!(async || {
            let Pair { one, other, clock, .. } = memory_vault().await;
            let one = Flaky::<dyn Vault>::new(one, Faults::none());
            let other = Flaky::<dyn Vault>::new(other, Faults::none());
            Pair::<dyn Vault>::new(Arc::new(one), Arc::new(other), clock)
        });
    }

    mod blobs_without_faults {
        use super::*;
        nexus_contract::blobs_contract!(async || {
            let blobs::Stand { pair, browser } = memory_blobs().await;
            let Pair { one, other, clock, .. } = pair;
            let one = Flaky::<dyn Blobs>::new(one, Faults::none());
            let other = Flaky::<dyn Blobs>::new(other, Faults::none());
            blobs::Stand { pair: Pair::new(Arc::new(one), Arc::new(other), clock), browser }
        });
    }

    fn count() -> Vec<Op> {
        vec![Op::Add {
            key: Key::stored("p", "s"),
            kind: RecordKind::Draft,
            delta: 1,
            expires: None,
            when: Condition::Always,
        }]
    }

    #[tokio::test]
    async fn a_call_fails_before_or_after_it_happened() {
        let (inner, _) = table();
        let script = Faults::script([Fault::Before, Fault::After, Fault::None, Fault::Before]);
        let flaky = Flaky::new(Arc::clone(&inner), script.clone());
        let at = async || inner.get(&Key::stored("p", "s")).await.unwrap().map_or(0, |i| i.counter);
        assert!(matches!(flaky.commit(count(), None).await, Err(CommitError::Unavailable(_))));
        assert_eq!(at().await, 0);
        assert!(matches!(flaky.commit(count(), None).await, Err(CommitError::Unknown(_))));
        assert_eq!(at().await, 1);
        flaky.commit(count(), None).await.unwrap();
        assert_eq!(at().await, 2);
        let read = flaky.get(&Key::stored("p", "s")).await;
        assert!(matches!(read, Err(StoreError::Unavailable(_))));
        assert_eq!(script.calls(), 4);
    }

    #[tokio::test]
    async fn whoever_repeats_under_a_token_gets_through_once() {
        let (inner, _) = table();
        let flaky = Flaky::new(Arc::clone(&inner), Faults::seeded(3, 2));
        for n in 0..100 {
            let token = CommitToken(format!("{n}"));
            while flaky.commit(count(), Some(&token)).await.is_err() {}
        }
        let item = inner.get(&Key::stored("p", "s")).await.unwrap().unwrap();
        assert_eq!(item.counter, 100);
    }

    #[tokio::test]
    async fn a_crash_is_the_same_in_all_ports_and_lasts_until_the_revival() {
        let stand = memory_queues().await;
        let all = memory_blobs().await;
        for (how, there) in [(Fault::Before, 0), (Fault::After, 1)] {
            let faults = Faults::crash(1, how);
            let queues = Flaky::<dyn Queues>::new(Arc::clone(&stand.pair.one), faults.clone());
            let blobs = Flaky::<dyn Blobs>::new(Arc::clone(&all.pair.one), faults.clone());
            let key = BlobKey::stored("area/owner/k");
            blobs.put(&key, "1".into(), "text/plain").await.unwrap();
            let message = Message { body: "1".into(), group: "g".into(), delay: Duration::ZERO };
            let sent = queues.send(&stand.queue, vec![message]).await;
            assert!(matches!(sent, Err(QueueError::Unavailable(_))));
            assert!(matches!(blobs.get(&key).await, Err(BlobError::Unavailable(_))));
            assert!(matches!(queues.depth(&stand.queue).await, Err(QueueError::Unavailable(_))));
            faults.revive();
            assert_eq!(blobs.get(&key).await.unwrap(), Some("1".into()));
            let taken = queues.receive(&stand.queue, 10, Duration::from_secs(1)).await.unwrap();
            assert_eq!(taken.len(), there, "{how:?}");
        }
    }

    #[tokio::test]
    async fn a_seed_always_leads_to_the_same_faults() {
        let outcomes = async |seed| {
            let flaky = Flaky::new(table().0, Faults::seeded(seed, 3));
            let mut outcomes = Vec::new();
            for _ in 0..64 {
                outcomes.push(flaky.commit(count(), None).await.is_ok());
            }
            outcomes
        };
        assert_eq!(outcomes(1).await, outcomes(1).await);
        let distinct: BTreeSet<Vec<bool>> =
            [outcomes(1).await, outcomes(2).await, outcomes(3).await].into();
        assert_eq!(distinct.len(), 3);
    }
}

#[tokio::test]
async fn a_suite_runs_whole_for_who_wants_one_call() {
    nexus_contract::queues::suite(memory_queues).await;
    nexus_contract::blobs::suite(memory_blobs).await;
}

/// A suite that nothing fails is worth nothing: adapters that break one rule each, and the sentence that notices.
mod broken {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use nexus_contract::table;
    use nexus_core::queues::{Depth, Message, QueueAddress, QueueError, Received};
    use nexus_core::table::{
        CommitError, CommitToken, Condition, Index, Item, Key, Op, Order, Page, Query, Slice,
        StoreError,
    };

    use super::*;

    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Rule {
        TokensCount,
        AllFailuresAreNamed,
        PagesKeepTheirLimit,
        OrderIsKept,
        RangesEndIncluded,
        AdditionsCountVersions,
        ChecksAreHeeded,
        ScansAreWhole,
        VisibilityLasts,
        ReceiptsOutdate,
        DelaysAreKept,
        RedriveCountsAnew,
        SentencesAreKept,
    }

    /// The port, the rule it breaks, and the latest receipt of each message.
    struct Broken<P: ?Sized>(Arc<P>, Rule, Arc<Mutex<HashMap<String, String>>>);

    #[async_trait]
    impl Table for Broken<dyn Table> {
        async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
            self.0.get(key).await
        }

        async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
            let (mut query, mut page) = (query.clone(), page.clone());
            match self.1 {
                Rule::PagesKeepTheirLimit => page.limit = page.limit.saturating_add(1),
                Rule::OrderIsKept if query.index == Index::Base => query.order = Order::Ascending,
                _ => {}
            }
            let end = match &query.range {
                nexus_core::table::Range::Between(_, end) => Some(end.clone()),
                _ => None,
            };
            let mut slice = self.0.query(&query, &page).await?;
            if self.1 == Rule::RangesEndIncluded {
                slice.items.retain(|i| Some(i.key.sk()) != end.as_deref());
            }
            Ok(slice)
        }

        async fn commit(
            &self,
            mut ops: Vec<Op>,
            token: Option<&CommitToken>,
        ) -> Result<(), CommitError> {
            let token = token.filter(|_| self.1 != Rule::TokensCount);
            if self.1 == Rule::ChecksAreHeeded {
                for op in &mut ops {
                    if let Op::Check { when, .. } = op {
                        *when = Condition::Always;
                    }
                }
            }
            if let (Rule::AdditionsCountVersions, [Op::Add { key, delta, expires, .. }]) =
                (self.1, ops.as_slice())
                && let Ok(Some(item)) = self.0.get(key).await
            {
                let counter = item.counter.saturating_add(*delta);
                let item = Item { counter, expires: *expires, ..item };
                ops = vec![Op::Put { item, when: Condition::Always }];
            }
            match self.0.commit(ops, token).await {
                Err(CommitError::Conditions(mut failed)) if self.1 == Rule::AllFailuresAreNamed => {
                    failed.truncate(1);
                    Err(CommitError::Conditions(failed))
                }
                outcome => outcome,
            }
        }

        async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
            let mut slice = self.0.scan(page).await?;
            if self.1 == Rule::ScansAreWhole && slice.next.is_none() {
                slice.items.pop();
            }
            Ok(slice)
        }
    }

    #[async_trait]
    impl Queues for Broken<dyn Queues> {
        async fn send(&self, to: &QueueAddress, mut all: Vec<Message>) -> Result<(), QueueError> {
            if self.1 == Rule::DelaysAreKept {
                all.iter_mut().for_each(|message| message.delay /= 2);
            }
            self.0.send(to, all).await
        }

        async fn receive(
            &self,
            queue: &QueueAddress,
            max: u32,
            visibility: Duration,
        ) -> Result<Vec<Received>, QueueError> {
            let early = self.1 == Rule::VisibilityLasts;
            let visibility = if early { visibility / 2 } else { visibility };
            let mut all = self.0.receive(queue, max, visibility).await?;
            if self.1 == Rule::ReceiptsOutdate {
                for message in &mut all {
                    let receipt = std::mem::replace(&mut message.receipt, message.id.clone());
                    self.2.lock().unwrap().insert(message.id.clone(), receipt);
                }
            }
            Ok(all)
        }

        async fn delete(&self, of: &QueueAddress, receipts: &[String]) -> Result<(), QueueError> {
            let latest = |r: &String| self.2.lock().unwrap().get(r).cloned().unwrap_or(r.clone());
            self.0.delete(of, &receipts.iter().map(latest).collect::<Vec<_>>()).await
        }

        async fn retry(
            &self,
            queue: &QueueAddress,
            receipt: &str,
            after: Duration,
        ) -> Result<(), QueueError> {
            self.0.retry(queue, receipt, after).await
        }

        async fn depth(&self, queue: &QueueAddress) -> Result<Depth, QueueError> {
            self.0.depth(queue).await
        }

        async fn redrive(
            &self,
            dead: &QueueAddress,
            queue: &QueueAddress,
            max: u32,
        ) -> Result<u64, QueueError> {
            let moved = self.0.redrive(dead, queue, max).await?;
            if self.1 == Rule::RedriveCountsAnew {
                for message in self.0.receive(queue, max, Duration::from_secs(1)).await? {
                    self.0.retry(queue, &message.receipt, Duration::ZERO).await?;
                }
            }
            Ok(moved)
        }
    }

    async fn notices(sentence: impl Future<Output = ()> + Send + 'static) -> bool {
        tokio::spawn(sentence).await.is_err_and(|error| error.is_panic())
    }

    #[tokio::test]
    async fn a_broken_table_is_noticed() {
        async fn open(rule: Rule) -> Pair<dyn Table> {
            let (inner, clock) = table();
            let broken = || Arc::new(Broken::<dyn Table>(Arc::clone(&inner), rule, Arc::default()));
            Pair::new(broken(), broken(), clock)
        }
        macro_rules! sentence {
            ($name:ident, $rule:ident) => {
                notices(async { table::$name(&open(Rule::$rule).await).await }).await
            };
        }
        assert!(sentence!(s05_a_repeated_commit_changes_nothing, TokensCount));
        assert!(sentence!(s05_a_token_serves_one_commit_only, TokensCount));
        assert!(sentence!(s03_every_failed_condition_is_named, AllFailuresAreNamed));
        assert!(sentence!(s06_a_partition_is_read_in_order_page_by_page, PagesKeepTheirLimit));
        assert!(sentence!(s06_a_partition_is_read_in_order_page_by_page, OrderIsKept));
        assert!(sentence!(s06_a_range_returns_what_lies_within, RangesEndIncluded));
        assert!(sentence!(s08_an_addition_makes_or_keeps_the_row, AdditionsCountVersions));
        assert!(sentence!(s02_one_failing_operation_at_any_place_changes_nothing, ChecksAreHeeded));
        assert!(sentence!(s10_a_scan_returns_every_row_once, ScansAreWhole));
        assert!(!sentence!(s10_a_scan_returns_every_row_once, SentencesAreKept));
    }

    #[tokio::test]
    async fn broken_queues_are_noticed() {
        async fn open(rule: Rule) -> queues::Stand {
            let stand = memory_queues().await;
            let latest = Arc::default();
            let broken = |inner| Arc::new(Broken::<dyn Queues>(inner, rule, Arc::clone(&latest)));
            let Pair { one, other, clock, .. } = stand.pair;
            queues::Stand::new(Pair::new(broken(one), broken(other), clock))
        }
        macro_rules! sentence {
            ($name:ident, $rule:ident) => {
                notices(async { queues::$name(&open(Rule::$rule).await).await }).await
            };
        }
        assert!(sentence!(s02_a_message_is_invisible_until_its_visibility_ends, VisibilityLasts));
        assert!(sentence!(s03_an_outdated_receipt_changes_nothing, ReceiptsOutdate));
        assert!(sentence!(s04_a_delayed_message_waits, DelaysAreKept));
        assert!(sentence!(s06_redrive_brings_dead_letters_back, RedriveCountsAnew));
        assert!(!sentence!(s06_redrive_brings_dead_letters_back, SentencesAreKept));
    }
}
