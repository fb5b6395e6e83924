use std::collections::VecDeque;
use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::Product;
use nexus_core::blobs::{
    BlobError, BlobFacts, BlobKey, BlobSlice, Blobs, Joined, PartedUpload, SignedUpload,
    UploadRules,
};
use nexus_core::queues::{Depth, Message, QueueAddress, QueueError, Queues, Received};
use nexus_core::table::{
    CommitError, CommitToken, Item, Key, Op, Page, Query, Slice, StoreError, Table,
};
use nexus_core::vault::{Forgotten, Freshness, Generation, Held, SecretName, Vault, VaultError};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Chance, Secret, Timestamp};

use crate::pair::START;

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It goes well.
    None,
    /// Nothing happens, and the caller is told so.
    Before,
    /// It happens, but the answer is lost.
    After,
}

/// Which calls go wrong. Clones share one count of calls, so that one `Faults` may stand before several ports.
#[derive(Clone)]
pub struct Faults(Arc<Mutex<Plan>>);

struct Plan {
    calls: usize,
    sort: Sort,
}

enum Sort {
    Script(VecDeque<Fault>),
    Seeded { chance: Arc<dyn Chance>, one_in: u8 },
    Crash { at: usize, how: Fault },
}

impl Faults {
    fn plan(sort: Sort) -> Self {
        Self(Arc::new(Mutex::new(Plan { calls: 0, sort })))
    }

    /// Everything goes well.
    pub fn none() -> Self {
        Self::script([])
    }

    /// The first calls go like this, all further ones well.
    pub fn script(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::plan(Sort::Script(faults.into_iter().collect()))
    }

    /// One call in so many goes wrong, before or after; which and how follows from the seed.
    pub fn seeded(seed: u64, one_in: u8) -> Self {
        let chance = Ambient::seeded(Arc::new(ManualClock::at(START)), seed).chance;
        Self::plan(Sort::Seeded { chance, one_in: one_in.max(1) })
    }

    /// What a process sees that dies in its n-th call (from 0): that call goes so, and none after it reaches
    /// anything, until [`revive`](Self::revive).
    pub fn crash(at: usize, how: Fault) -> Self {
        Self::plan(Sort::Crash { at, how })
    }

    /// From now on everything goes well: the process that crashed was started again.
    pub fn revive(&self) {
        self.lock().sort = Sort::Script(VecDeque::new());
    }

    /// From now on the process dies in its n-th call (from 0), as [`crash`](Self::crash) has it.
    pub fn crash_in(&self, calls: usize, how: Fault) {
        let mut plan = self.lock();
        plan.sort = Sort::Crash { at: plan.calls.saturating_add(calls), how };
    }

    /// From now on one call in so many goes wrong, as [`seeded`](Self::seeded) has it.
    pub fn go_wrong(&self, seed: u64, one_in: u8) {
        let other = Self::seeded(seed, one_in);
        let sort = std::mem::replace(&mut other.lock().sort, Sort::Script(VecDeque::new()));
        self.lock().sort = sort;
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Fault {
        let mut plan = self.lock();
        let call = plan.calls;
        plan.calls += 1;
        match &mut plan.sort {
            Sort::Script(faults) => faults.pop_front().unwrap_or(Fault::None),
            Sort::Crash { at, .. } if call < *at => Fault::None,
            Sort::Crash { at, how } if call == *at => *how,
            Sort::Crash { .. } => Fault::Before,
            Sort::Seeded { chance, one_in } => {
                let mut drawn = [0; 2];
                chance.fill(&mut drawn);
                match (drawn[0] % *one_in, drawn[1] % 2) {
                    (0, 0) => Fault::Before,
                    (0, _) => Fault::After,
                    _ => Fault::None,
                }
            }
        }
    }

    /// Makes a call as the plan has it: also for what stands behind no port, such as an adapter's own service.
    ///
    /// # Errors
    /// The call's own, or what `before` or `after` makes of a fault.
    pub async fn call<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>> + Send,
        before: impl FnOnce(Cause) -> E + Send,
        after: impl FnOnce(Cause) -> E + Send,
    ) -> Result<T, E>
    where
        T: Send,
        E: Send,
    {
        match self.next() {
            Fault::None => call.await,
            Fault::Before => Err(before("the call was made to fail".into())),
            Fault::After => {
                // An answer that was an error is as lost as any other.
                drop(call.await);
                Err(after("the answer was made to be lost".into()))
            }
        }
    }
}

type Cause = Box<dyn Error + Send + Sync>;

/// A port of which calls fail: before anything happened, or after it happened and the answer was lost.
pub struct Flaky<P: ?Sized> {
    inner: Arc<P>,
    faults: Faults,
}

impl<P: ?Sized> Flaky<P> {
    /// The port, going wrong as the faults have it.
    pub fn new(inner: Arc<P>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl Table for Flaky<dyn Table> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let (before, after) = (StoreError::Unavailable, StoreError::Unavailable);
        self.faults.call(self.inner.get(key), before, after).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let (before, after) = (StoreError::Unavailable, StoreError::Unavailable);
        self.faults.call(self.inner.get_many(keys), before, after).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        let (before, after) = (StoreError::Unavailable, StoreError::Unavailable);
        self.faults.call(self.inner.query(query, page), before, after).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        let (before, after) = (CommitError::Unavailable, CommitError::Unknown);
        self.faults.call(self.inner.commit(ops, token), before, after).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        let (before, after) = (StoreError::Unavailable, StoreError::Unavailable);
        self.faults.call(self.inner.scan(page), before, after).await
    }
}

impl<P: ?Sized> Flaky<P> {
    async fn queue_call<T: Send>(
        &self,
        call: impl Future<Output = Result<T, QueueError>> + Send,
    ) -> Result<T, QueueError> {
        self.faults.call(call, QueueError::Unavailable, QueueError::Unavailable).await
    }

    async fn blob_call<T: Send>(
        &self,
        call: impl Future<Output = Result<T, BlobError>> + Send,
    ) -> Result<T, BlobError> {
        self.faults.call(call, BlobError::Unavailable, BlobError::Unavailable).await
    }
}

#[async_trait]
impl Queues for Flaky<dyn Queues> {
    async fn send(&self, queue: &QueueAddress, messages: Vec<Message>) -> Result<(), QueueError> {
        self.queue_call(self.inner.send(queue, messages)).await
    }

    async fn receive(
        &self,
        queue: &QueueAddress,
        max: u32,
        visibility: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        self.queue_call(self.inner.receive(queue, max, visibility)).await
    }

    async fn delete(&self, queue: &QueueAddress, receipts: &[String]) -> Result<(), QueueError> {
        self.queue_call(self.inner.delete(queue, receipts)).await
    }

    async fn retry(
        &self,
        queue: &QueueAddress,
        receipt: &str,
        after: Duration,
    ) -> Result<(), QueueError> {
        self.queue_call(self.inner.retry(queue, receipt, after)).await
    }

    async fn depth(&self, queue: &QueueAddress) -> Result<Depth, QueueError> {
        self.queue_call(self.inner.depth(queue)).await
    }

    async fn redrive(
        &self,
        dead: &QueueAddress,
        queue: &QueueAddress,
        max: u32,
    ) -> Result<u64, QueueError> {
        self.queue_call(self.inner.redrive(dead, queue, max)).await
    }
}

#[async_trait]
impl Blobs for Flaky<dyn Blobs> {
    async fn put(
        &self,
        key: &BlobKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        self.blob_call(self.inner.put(key, bytes, content_type)).await
    }

    async fn put_file(
        &self,
        key: &BlobKey,
        file: &Path,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        self.blob_call(self.inner.put_file(key, file, content_type)).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Bytes>, BlobError> {
        self.blob_call(self.inner.get(key)).await
    }

    async fn range(&self, key: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>, BlobError> {
        self.blob_call(self.inner.range(key, range)).await
    }

    async fn fetch(&self, key: &BlobKey, into: &Path) -> Result<Option<BlobFacts>, BlobError> {
        self.blob_call(self.inner.fetch(key, into)).await
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<BlobFacts>, BlobError> {
        self.blob_call(self.inner.head(key)).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        self.blob_call(self.inner.delete(key)).await
    }

    async fn list(&self, prefix: &str, page: &Page) -> Result<BlobSlice, BlobError> {
        self.blob_call(self.inner.list(prefix, page)).await
    }

    async fn sign_upload(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<SignedUpload, BlobError> {
        self.blob_call(self.inner.sign_upload(key, rules)).await
    }

    async fn sign_parts(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<PartedUpload, BlobError> {
        self.blob_call(self.inner.sign_parts(key, rules)).await
    }

    async fn join_parts(
        &self,
        key: &BlobKey,
        upload: &str,
        rules: &UploadRules,
    ) -> Result<Joined, BlobError> {
        self.blob_call(self.inner.join_parts(key, upload, rules)).await
    }

    async fn drop_parts(&self, key: &BlobKey, upload: &str) -> Result<(), BlobError> {
        self.blob_call(self.inner.drop_parts(key, upload)).await
    }

    async fn sign_download(&self, key: &BlobKey, until: Timestamp) -> Result<String, BlobError> {
        self.blob_call(self.inner.sign_download(key, until)).await
    }
}

#[async_trait]
impl Vault for Flaky<dyn Vault> {
    async fn read(&self, name: &SecretName, how: Freshness) -> Result<Option<Held>, VaultError> {
        let (before, after) = (VaultError::Unavailable, VaultError::Unavailable);
        self.faults.call(self.inner.read(name, how), before, after).await
    }

    async fn rotate(
        &self,
        name: &SecretName,
        follows: Option<Generation>,
        value: &Secret<String>,
    ) -> Result<Generation, VaultError> {
        let (before, after) = (VaultError::Unavailable, VaultError::Unknown);
        self.faults.call(self.inner.rotate(name, follows, value), before, after).await
    }

    async fn forget(&self, name: &SecretName) -> Result<Forgotten, VaultError> {
        let (before, after) = (VaultError::Unavailable, VaultError::Unknown);
        self.faults.call(self.inner.forget(name), before, after).await
    }

    async fn remove_strays(&self, of: Product) -> Result<u64, VaultError> {
        let (before, after) = (VaultError::Unavailable, VaultError::Unavailable);
        self.faults.call(self.inner.remove_strays(of), before, after).await
    }
}
