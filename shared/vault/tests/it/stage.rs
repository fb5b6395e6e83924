//! A table, a safe apart from it, and vaults over both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use nexus_contract::memory::MemoryTable;
use nexus_contract::{Faults, Flaky, START};
use nexus_core::Product;
use nexus_core::table::{Condition, Op, Page, Table};
use nexus_core::vault::{Remains, SecretName, VaultError};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Chance, Clock as _, Digest, Secret, Timestamp};
use nexus_vault::{
    DataKey, DataKeys, Envelope, KeyUse, Left, RowVault, Safe, Slot, open, random_key, seal,
};

/// A vault over a safe that stands apart, whose every call may fail.
pub(crate) type Apart = RowVault<TestSafe>;

type Values = Arc<Mutex<BTreeMap<(String, u64, u64), (Timestamp, String)>>>;

pub(crate) struct Stage {
    pub(crate) table: Arc<MemoryTable>,
    pub(crate) clock: ManualClock,
    values: Values,
    keys: TestKeys,
    waits: Option<Arc<dyn Chance>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::at(START);
        let table = Arc::new(MemoryTable::new(Arc::new(clock.clone())));
        Self { table, clock, values: Values::default(), keys: TestKeys::new(), waits: None }
    }

    /// Every call takes its time, as the seed has it.
    pub(crate) fn waiting(mut self, seed: u64) -> Self {
        self.waits = Some(self.chance(seed));
        self
    }

    pub(crate) fn chance(&self, seed: u64) -> Arc<dyn Chance> {
        self.ambient(seed).chance
    }

    /// Another stage on which all is as it is here.
    pub(crate) async fn copy(&self) -> Self {
        let copy = Self::new();
        for item in self.table.scan(&Page::first(100)).await.unwrap().items {
            copy.table.commit(vec![Op::Put { item, when: Condition::Always }], None).await.unwrap();
        }
        *copy.values.lock().unwrap() = self.values.lock().unwrap().clone();
        copy
    }

    /// How many values the safe holds.
    pub(crate) fn kept(&self) -> usize {
        self.values.lock().unwrap().len()
    }

    fn ambient(&self, seed: u64) -> Ambient {
        Ambient::seeded(Arc::new(self.clock.clone()), seed)
    }

    pub(crate) fn apart(&self, faults: Faults, seed: u64) -> Apart {
        let table = Flaky::<dyn Table>::new(Arc::clone(&self.table) as _, faults.clone());
        let safe = TestSafe {
            values: Arc::clone(&self.values),
            clock: self.clock.clone(),
            waits: self.waits.clone(),
            faults,
        };
        RowVault::new(Arc::new(table), safe, self.ambient(seed))
    }

    pub(crate) fn envelope(&self, seed: u64) -> RowVault<Envelope<TestKeys>> {
        self.envelope_under(self.keys.clone(), seed)
    }

    pub(crate) fn envelope_under(&self, keys: TestKeys, seed: u64) -> RowVault<Envelope<TestKeys>> {
        let ambient = self.ambient(seed);
        let envelope = Envelope::new(keys, ambient.clone());
        RowVault::new(Arc::clone(&self.table) as _, envelope, ambient)
    }
}

/// What SSM is to the vault: values under names, and nothing that knows which one stands.
pub(crate) struct TestSafe {
    values: Values,
    clock: ManualClock,
    faults: Faults,
    waits: Option<Arc<dyn Chance>>,
}

impl TestSafe {
    async fn call<T: Send>(
        &self,
        call: impl FnOnce(&mut BTreeMap<(String, u64, u64), (Timestamp, String)>) -> T + Send,
    ) -> Result<T, VaultError> {
        let wait = || {
            let mut drawn = [0];
            if let Some(waits) = &self.waits {
                waits.fill(&mut drawn);
            }
            drawn[0] % 8
        };
        let (before, after) = (wait(), wait());
        let call = async {
            for _ in 0..before {
                tokio::task::yield_now().await;
            }
            let answer = call(&mut self.values.lock().unwrap());
            for _ in 0..after {
                tokio::task::yield_now().await;
            }
            Ok(answer)
        };
        self.faults.call(call, VaultError::Unavailable, VaultError::Unavailable).await
    }
}

fn left(((_, after, generation), (put, _)): (&(String, u64, u64), &(Timestamp, String))) -> Left {
    Left { after: *after, generation: *generation, put: *put }
}

#[async_trait]
impl Safe for TestSafe {
    type Ticket = ();

    const REMAINS: Remains = Remains::Nothing;

    async fn put(&self, slot: Slot<'_>, value: &Secret<String>) -> Result<(), VaultError> {
        let key = (slot.name.path(), slot.after, slot.generation.number());
        let value = (self.clock.now(), value.reveal().clone());
        self.call(move |values| assert_eq!(values.insert(key, value), None)).await
    }

    async fn get(&self, slot: Slot<'_>, (): &()) -> Result<Option<Secret<String>>, VaultError> {
        let key = (slot.name.path(), slot.after, slot.generation.number());
        self.call(move |values| values.get(&key).map(|(_, v)| Secret::new(v.clone()))).await
    }

    async fn list(&self, name: &SecretName) -> Result<Vec<Left>, VaultError> {
        let path = name.path();
        self.call(move |values| values.iter().filter(|((p, ..), _)| *p == path).map(left).collect())
            .await
    }

    async fn remove(&self, path: &str, dead: &[Left]) -> Result<(), VaultError> {
        self.call(move |values| {
            for left in dead {
                values.remove(&(path.to_owned(), left.after, left.generation));
            }
        })
        .await
    }

    async fn list_all(&self, _: Product) -> Result<Vec<(String, Left)>, VaultError> {
        self.call(|values| values.iter().map(|v| (v.0.0.clone(), left(v))).collect()).await
    }
}

/// Data keys wrapped by a master key in memory.
#[derive(Clone)]
pub(crate) struct TestKeys(Arc<Secret<Vec<u8>>>);

impl TestKeys {
    pub(crate) fn new() -> Self {
        Self(Arc::new(random_key().unwrap()))
    }
}

fn place(used: &KeyUse) -> Digest {
    Digest::of_parts([used.product.as_bytes(), used.owner.as_bytes()])
}

#[async_trait]
impl DataKeys for TestKeys {
    async fn draw(&self, used: &KeyUse) -> Result<DataKey, VaultError> {
        let plain = random_key().unwrap();
        let wrapped = seal(&self.0, &place(used), plain.reveal()).unwrap();
        Ok(DataKey { plain, wrapped })
    }

    async fn unwrap(&self, used: &KeyUse, wrapped: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        let plain = open(&self.0, &place(used), wrapped);
        plain.map(|p| Secret::new(p.to_vec())).map_err(|e| VaultError::Corrupt(Box::new(e)))
    }
}
