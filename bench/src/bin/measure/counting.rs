//! Stores and engines that count what is asked of them, in the units in which AWS is paid.
//!
//! Sources: DynamoDB Developer Guide, "Read and write operations" (4 KB and 1 KB a unit, half a unit for what is read
//! through an index, twice for a transaction) and "Global secondary indexes" (a write more for each index in which the
//! row stands, two where its place moves); the adapters in `shared/aws` for which calls they make.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_bench::measured::Asked;
use nexus_core::CallContext;
use nexus_core::blobs::{
    BlobError, BlobFacts, BlobKey, BlobSlice, Blobs, Joined, PartedUpload, SignedUpload,
    UploadRules,
};
use nexus_core::queues::{Depth, Message, QueueAddress, QueueError, Queues, Received};
use nexus_core::table::{
    CommitError, CommitToken, Index, IndexEntry, Item, Key, Op, Page, Query, Slice, StoreError,
    Table,
};
use nexus_engine::narration::{Speech, Spoken};
use nexus_engine::translation::Translator;
use nexus_kernel::{Failure, Language, Timestamp};

/// What was asked so far.
#[derive(Debug, Default)]
pub(crate) struct Count {
    /// Of the stores.
    pub(crate) stores: Asked,
    /// Sentences and characters to speak.
    pub(crate) spoken: (u64, u64),
    /// Characters to translate.
    pub(crate) translated: u64,
}

/// Where it is written down. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Count>>);

impl Ledger {
    fn note(&self, note: impl FnOnce(&mut Count)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was asked since this was asked last.
    pub(crate) fn take(&self) -> Count {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A store or an engine, counted.
pub(crate) struct Counted<S> {
    pub(crate) inner: S,
    pub(crate) ledger: Ledger,
}

/// Units of so many bytes; even nothing takes one.
fn units(bytes: usize, of: usize) -> f64 {
    bytes.div_ceil(of).max(1) as f64
}

/// Write units of an operation that finds `old`.
fn write_units(op: &Op, old: Option<&Item>) -> f64 {
    const KB: usize = 1024;
    let new = match op {
        Op::Put { item, .. } => Some(item),
        Op::Delete { .. } => None,
        // They leave the row as large as it is, and its places too.
        Op::Check { .. } | Op::Add { .. } => old,
    };
    let weight = |item: Option<&Item>| item.map_or(0, Item::weight);
    let base = 2.0 * units(weight(old).max(weight(new)), KB);
    if matches!(op, Op::Check { .. }) {
        return base;
    }
    let place = |of: fn(&Item) -> Option<&IndexEntry>| match (old.and_then(of), new.and_then(of)) {
        (None, None) => 0.0,
        (None, Some(_)) => units(weight(new), KB),
        (Some(_), None) => units(weight(old), KB),
        (Some(from), Some(to)) if from == to => units(weight(old).max(weight(new)), KB),
        (Some(_), Some(_)) => units(weight(old), KB) + units(weight(new), KB),
    };
    base + place(|item| item.due.as_ref()) + place(|item| item.list.as_ref())
}

const READ: usize = 4096;

#[async_trait]
impl Table for Counted<Arc<dyn Table>> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let found = self.inner.get(key).await?;
        self.ledger.note(|c| {
            c.stores.table_calls += 1;
            c.stores.read_units += units(found.as_ref().map_or(0, Item::weight), READ);
        });
        Ok(found)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let found = self.inner.get_many(keys).await?;
        let read =
            found.iter().map(|f| units(f.as_ref().map_or(0, Item::weight), READ)).sum::<f64>();
        self.ledger.note(|c| {
            c.stores.table_calls += 1;
            c.stores.read_units += read;
        });
        Ok(found)
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        let slice = self.inner.query(query, page).await?;
        let read = units(slice.items.iter().map(Item::weight).sum(), READ);
        let read = if query.index == Index::Base { read } else { read / 2.0 };
        self.ledger.note(|c| {
            c.stores.table_calls += 1;
            c.stores.read_units += read;
        });
        Ok(slice)
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        let mut written = 0.0;
        for op in &ops {
            // A store in memory always answers; what it would not tell, it would not write either.
            let standing = self.inner.get(op.key()).await.ok().flatten();
            written += write_units(op, standing.as_ref());
        }
        self.ledger.note(|c| {
            c.stores.table_calls += 1;
            c.stores.write_units += written;
        });
        self.inner.commit(ops, token).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        let slice = self.inner.scan(page).await?;
        let read = units(slice.items.iter().map(Item::weight).sum(), READ);
        self.ledger.note(|c| {
            c.stores.table_calls += 1;
            c.stores.read_units += read;
        });
        Ok(slice)
    }
}

impl Counted<Arc<dyn Blobs>> {
    fn put_one(&self, bytes: u64) {
        self.ledger.note(|c| {
            c.stores.blob_puts += 1;
            c.stores.blob_bytes += bytes;
        });
    }

    fn got(&self, bytes: u64) {
        self.ledger.note(|c| {
            c.stores.blob_gets += 1;
            c.stores.blob_bytes += bytes;
        });
    }
}

#[async_trait]
impl Blobs for Counted<Arc<dyn Blobs>> {
    async fn put(
        &self,
        key: &BlobKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        self.put_one(bytes.len() as u64);
        self.inner.put(key, bytes, content_type).await
    }

    async fn put_file(
        &self,
        key: &BlobKey,
        file: &Path,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        let facts = self.inner.put_file(key, file, content_type).await?;
        self.put_one(facts.size);
        Ok(facts)
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Bytes>, BlobError> {
        let found = self.inner.get(key).await?;
        self.got(found.as_ref().map_or(0, |bytes| bytes.len() as u64));
        Ok(found)
    }

    async fn range(&self, key: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>, BlobError> {
        let found = self.inner.range(key, range).await?;
        self.got(found.as_ref().map_or(0, |bytes| bytes.len() as u64));
        Ok(found)
    }

    async fn fetch(&self, key: &BlobKey, into: &Path) -> Result<Option<BlobFacts>, BlobError> {
        let found = self.inner.fetch(key, into).await?;
        self.got(found.as_ref().map_or(0, |facts| facts.size));
        Ok(found)
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<BlobFacts>, BlobError> {
        self.got(0);
        self.inner.head(key).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        // The versions are listed first; the deletion itself is free.
        self.put_one(0);
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str, page: &Page) -> Result<BlobSlice, BlobError> {
        self.put_one(0);
        self.inner.list(prefix, page).await
    }

    async fn sign_upload(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<SignedUpload, BlobError> {
        self.inner.sign_upload(key, rules).await
    }

    async fn sign_parts(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<PartedUpload, BlobError> {
        self.put_one(0);
        self.inner.sign_parts(key, rules).await
    }

    async fn join_parts(
        &self,
        key: &BlobKey,
        upload: &str,
        rules: &UploadRules,
    ) -> Result<Joined, BlobError> {
        self.put_one(0);
        self.inner.join_parts(key, upload, rules).await
    }

    async fn drop_parts(&self, key: &BlobKey, upload: &str) -> Result<(), BlobError> {
        self.put_one(0);
        self.inner.drop_parts(key, upload).await
    }

    async fn sign_download(&self, key: &BlobKey, until: Timestamp) -> Result<String, BlobError> {
        self.inner.sign_download(key, until).await
    }
}

#[async_trait]
impl Queues for Counted<Arc<dyn Queues>> {
    async fn send(&self, queue: &QueueAddress, messages: Vec<Message>) -> Result<(), QueueError> {
        let sent = messages.len() as u64;
        self.ledger.note(|c| {
            c.stores.queue_calls += sent.div_ceil(10);
            c.stores.messages += sent;
        });
        self.inner.send(queue, messages).await
    }

    async fn receive(
        &self,
        queue: &QueueAddress,
        max: u32,
        visibility: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        self.ledger.note(|c| c.stores.queue_calls += 1);
        self.inner.receive(queue, max, visibility).await
    }

    async fn delete(&self, queue: &QueueAddress, receipts: &[String]) -> Result<(), QueueError> {
        self.ledger.note(|c| c.stores.queue_calls += 1);
        self.inner.delete(queue, receipts).await
    }

    async fn retry(
        &self,
        queue: &QueueAddress,
        receipt: &str,
        after: Duration,
    ) -> Result<(), QueueError> {
        self.ledger.note(|c| c.stores.queue_calls += 1);
        self.inner.retry(queue, receipt, after).await
    }

    async fn depth(&self, queue: &QueueAddress) -> Result<Depth, QueueError> {
        self.ledger.note(|c| c.stores.queue_calls += 1);
        self.inner.depth(queue).await
    }

    async fn redrive(
        &self,
        dead: &QueueAddress,
        queue: &QueueAddress,
        max: u32,
    ) -> Result<u64, QueueError> {
        self.inner.redrive(dead, queue, max).await
    }
}

#[async_trait]
impl Speech for Counted<Arc<dyn Speech>> {
    fn engine(&self, language: Language) -> Option<String> {
        self.inner.engine(language)
    }

    fn absence(&self, language: Language) -> String {
        self.inner.absence(language)
    }

    async fn say(
        &self,
        at: &CallContext,
        language: Language,
        sentence: &str,
    ) -> Result<Spoken, Failure> {
        self.ledger.note(|c| {
            c.spoken.0 += 1;
            c.spoken.1 += sentence.chars().count() as u64;
        });
        self.inner.say(at, language, sentence).await
    }
}

/// Gives texts back as they are: only how much it is asked for is of interest.
pub(crate) struct Echo(pub(crate) Ledger);

#[async_trait]
impl Translator for Echo {
    fn engine(&self) -> String {
        "echo".into()
    }

    fn is_rough(&self) -> bool {
        false
    }

    async fn translate(&self, texts: &[&str], _: &[String]) -> Result<Vec<String>, Failure> {
        let characters: usize = texts.iter().map(|text| text.chars().count()).sum();
        self.0.note(|c| c.translated += characters as u64);
        Ok(texts.iter().map(ToString::to_string).collect())
    }
}

#[cfg(test)]
mod tests {
    use nexus_core::Condition;
    use nexus_core::retention::RecordKind;

    use super::*;

    fn item(bytes: usize, due: Option<&str>) -> Item {
        let entry = |sort: &str| IndexEntry { partition: "due".into(), sort: sort.into() };
        let mut item = Item {
            key: Key::stored("p", "s"),
            kind: RecordKind::Media,
            version: 1,
            expires: None,
            due: due.map(entry),
            list: None,
            counter: 0,
            body: String::new(),
        };
        item.body = "x".repeat(bytes - item.weight());
        item
    }

    fn put(item: Item) -> Op {
        Op::Put { item, when: Condition::Always }
    }

    #[test]
    fn a_row_costs_twice_its_kilobytes_and_once_more_for_each_index() {
        let (small, large) = (item(1024, None), item(2500, None));
        assert_eq!(write_units(&put(small.clone()), None), 2.0);
        assert_eq!(write_units(&put(large.clone()), None), 6.0);
        assert_eq!(write_units(&put(small), Some(&large)), 6.0, "the larger of both counts");
        let (due, later) = (item(2500, Some("1")), item(1000, Some("2")));
        assert_eq!(write_units(&put(due.clone()), None), 6.0 + 3.0);
        assert_eq!(write_units(&put(due.clone()), Some(&due)), 6.0 + 3.0);
        assert_eq!(write_units(&put(later), Some(&due)), 6.0 + 3.0 + 1.0, "its place moves");
        let key = Key::stored("p", "s");
        let delete = Op::Delete { key: key.clone(), when: Condition::Always };
        assert_eq!(write_units(&delete, Some(&due)), 6.0 + 3.0);
        assert_eq!(write_units(&delete, None), 2.0, "also where there is nothing");
        let check = Op::Check { key, when: Condition::Present };
        assert_eq!(write_units(&check, Some(&due)), 6.0);
    }
}
