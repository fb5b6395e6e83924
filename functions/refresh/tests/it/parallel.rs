//! Many who ask at once.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use nexus_contract::START;
use nexus_core::Product;
use nexus_core::table::{
    CommitError, CommitToken, Item, Key, Op, Page, Query, Slice, StoreError, Table,
};
use nexus_core::vault::{Forgotten, Freshness, Generation, Held, SecretName, Vault, VaultError};
use nexus_engine::connections::NoAccess;
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Chance, Secret};

use crate::ground::{Ground, pair, secs};

/// A port whose calls take a different time each, so that those who call it meet in every order.
struct Uneven<P: ?Sized> {
    inner: Arc<P>,
    chance: Arc<dyn Chance>,
}

impl<P: ?Sized> Uneven<P> {
    fn new(inner: Arc<P>, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        Self { inner, chance: Ambient::seeded(clock, seed).chance }
    }

    async fn take_time(&self) {
        let mut drawn = [0];
        self.chance.fill(&mut drawn);
        for _ in 0..drawn[0] % 7 {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Table for Uneven<dyn Table> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.take_time().await;
        self.inner.get(key).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        self.take_time().await;
        self.inner.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        self.take_time().await;
        let done = self.inner.commit(ops, token).await;
        self.take_time().await;
        done
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.inner.scan(page).await
    }
}

#[async_trait]
impl Vault for Uneven<dyn Vault> {
    async fn read(&self, name: &SecretName, how: Freshness) -> Result<Option<Held>, VaultError> {
        self.take_time().await;
        self.inner.read(name, how).await
    }

    async fn rotate(
        &self,
        name: &SecretName,
        follows: Option<Generation>,
        value: &Secret<String>,
    ) -> Result<Generation, VaultError> {
        self.take_time().await;
        self.inner.rotate(name, follows, value).await
    }

    async fn forget(&self, name: &SecretName) -> Result<Forgotten, VaultError> {
        self.take_time().await;
        self.inner.forget(name).await
    }

    async fn remove_strays(&self, of: Product) -> Result<u64, VaultError> {
        self.inner.remove_strays(of).await
    }
}

#[tokio::test]
async fn twenty_who_need_a_token_at_once_make_one_call() {
    for seed in 0..200 {
        let ground = Ground::new();
        let id = ground.connect().await;
        let accounts = ground.accounts_on(
            |table| Arc::new(Uneven::new(table, seed)),
            |vault| Arc::new(Uneven::new(vault, seed + 1_000)),
        );
        // Half of the seeds find a token that is over, half one that serves for seconds.
        let over = seed % 2 == 0;
        ground.platform.advance(secs(if over { 7_200 } else { 7_190 }));
        let call = ground.call();
        let answers = join_all((0..20).map(|_| accounts.access(&call, id))).await;
        assert_eq!(ground.login.refreshed(), ["refresh-1"], "seed {seed}");
        let mut new = 0;
        for answer in answers {
            match answer {
                Ok(access) if access.token.reveal() == "access-2" => new += 1,
                Ok(access) => {
                    assert_eq!(access.token.reveal(), "access-1", "seed {seed}");
                    assert!(!over, "seed {seed}: a token that is over was given out");
                }
                Err(NoAccess::Later { after_seconds }) => {
                    assert!(over && after_seconds <= 60, "seed {seed}");
                }
                Err(other) => panic!("seed {seed}: {other:?}"),
            }
        }
        assert!(new > 0, "seed {seed}");
        assert_eq!(ground.kept(id).await, pair(2), "seed {seed}");
        assert_eq!(ground.login.alive(), 1, "seed {seed}");
    }
}

#[tokio::test]
async fn twenty_whose_token_was_refused_at_once_make_one_call() {
    for seed in 0..50 {
        let ground = Ground::new();
        let id = ground.connect().await;
        let accounts = ground.accounts_on(
            |table| Arc::new(Uneven::new(table, seed)),
            |vault| Arc::new(Uneven::new(vault, seed + 1_000)),
        );
        let call = ground.call();
        let refused = accounts.access(&call, id).await.unwrap();
        let answers = join_all((0..20).map(|_| accounts.refused(&call, &refused))).await;
        assert_eq!(ground.login.refreshed(), ["refresh-1"], "seed {seed}");
        for answer in answers {
            match answer {
                Ok(access) => assert_eq!(access.token.reveal(), "access-2", "seed {seed}"),
                Err(NoAccess::Later { .. }) => {}
                Err(other) => panic!("seed {seed}: {other:?}"),
            }
        }
    }
}
