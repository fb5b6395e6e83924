//! The ports of a store that another process has open: every call goes there and back.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_contract::{START, queues};
use nexus_core::blobs::{
    BlobError, BlobFacts, BlobKey, BlobSlice, Blobs, Joined, PartedUpload, SignedPart,
    SignedUpload, UploadRules,
};
use nexus_core::queues::{Depth, Message, QueueAddress, QueueError, Queues, Received};
use nexus_core::table::{
    CommitError, CommitToken, Item, Key, Op, Page, Query, Slice, StoreError, Table,
};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Clock as _, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::child::{Process, ToChild, answer, listen};
use crate::open;

/// Where signed addresses lead.
pub(crate) const BASE: &str = "http://127.0.0.1:8080";

#[derive(Serialize, Deserialize)]
enum Call {
    Get(Key),
    GetMany(Vec<Key>),
    Query(Query, Page),
    Commit(Vec<Op>, Option<CommitToken>),
    Scan(Page),
    Send(QueueAddress, Vec<Message>),
    Receive(QueueAddress, u32, Duration),
    Delete(QueueAddress, Vec<String>),
    Retry(QueueAddress, String, Duration),
    Depth(QueueAddress),
    Redrive(QueueAddress, QueueAddress, u32),
    Put(BlobKey, String, String),
    PutFile(BlobKey, PathBuf, String),
    Read(BlobKey),
    ReadRange(BlobKey, Range<u64>),
    Fetch(BlobKey, PathBuf),
    Head(BlobKey),
    DeleteBlob(BlobKey),
    List(String, Page),
    SignUpload(BlobKey, UploadRules),
    SignParts(BlobKey, UploadRules),
    JoinParts(BlobKey, String, UploadRules),
    DropParts(BlobKey, String),
    SignDownload(BlobKey, Timestamp),
}

#[derive(Serialize, Deserialize)]
struct Request {
    id: u64,
    now: Timestamp,
    call: Call,
}

#[derive(Serialize, Deserialize)]
struct Reply {
    id: u64,
    outcome: Result<Value, Wrong>,
}

/// The ports' errors, as they go over the wire.
#[derive(Debug, Serialize, Deserialize)]
enum Wrong {
    Conditions(Vec<usize>),
    Refused(String),
    TokenReused,
    Contended,
    Unavailable(String),
    Unknown(String),
    Corrupt(String),
    Full(String),
    BadCursor,
    NoSuchQueue(QueueAddress),
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(e) => Self::Unavailable(e.to_string()),
            StoreError::Corrupt(e) => Self::Corrupt(e.to_string()),
            StoreError::BadCursor => Self::BadCursor,
        }
    }
}

impl From<Wrong> for StoreError {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::BadCursor => Self::BadCursor,
            Wrong::Corrupt(why) => Self::Corrupt(why.into()),
            other => Self::Unavailable(format!("{other:?}").into()),
        }
    }
}

impl From<CommitError> for Wrong {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conditions(failed) => Self::Conditions(failed),
            CommitError::Refused(why) => Self::Refused(why),
            CommitError::TokenReused => Self::TokenReused,
            CommitError::Contended => Self::Contended,
            CommitError::Unavailable(e) => Self::Unavailable(e.to_string()),
            CommitError::Unknown(e) => Self::Unknown(e.to_string()),
        }
    }
}

impl From<Wrong> for CommitError {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Conditions(failed) => Self::Conditions(failed),
            Wrong::Refused(why) => Self::Refused(why),
            Wrong::TokenReused => Self::TokenReused,
            Wrong::Contended => Self::Contended,
            Wrong::Unknown(why) => Self::Unknown(why.into()),
            other => Self::Unavailable(format!("{other:?}").into()),
        }
    }
}

impl From<QueueError> for Wrong {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::NoSuchQueue(queue) => Self::NoSuchQueue(queue),
            QueueError::Refused(why) => Self::Refused(why),
            QueueError::Unavailable(e) => Self::Unavailable(e.to_string()),
        }
    }
}

impl From<Wrong> for QueueError {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::NoSuchQueue(queue) => Self::NoSuchQueue(queue),
            Wrong::Refused(why) => Self::Refused(why),
            other => Self::Unavailable(format!("{other:?}").into()),
        }
    }
}

impl From<BlobError> for Wrong {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Unavailable(e) => Self::Unavailable(e.to_string()),
            BlobError::Full(e) => Self::Full(e.to_string()),
            BlobError::BadCursor => Self::BadCursor,
            BlobError::Refused(why) => Self::Refused(why),
        }
    }
}

impl From<Wrong> for BlobError {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::BadCursor => Self::BadCursor,
            Wrong::Full(why) => Self::Full(why.into()),
            Wrong::Refused(why) => Self::Refused(why),
            other => Self::Unavailable(format!("{other:?}").into()),
        }
    }
}

/// The other process' store.
pub(crate) struct Remote {
    wire: Mutex<(ToChild, u64)>,
    waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<Reply>>>>,
    clock: ManualClock,
}

impl Remote {
    /// Starts a process that opens the store in this directory; it goes by the parent's clock.
    pub(crate) fn start(dir: &Path, clock: &ManualClock) -> (Self, Process) {
        let (process, mut to, mut from) = Process::start("remote::child_serves");
        to.say(&dir);
        assert_eq!(from.hear::<String>().as_deref(), Some("open"));
        let waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<Reply>>>> = Arc::default();
        let replies = Arc::clone(&waiting);
        std::thread::spawn(move || {
            while let Some(reply) = from.hear::<Reply>() {
                let asked = replies.lock().unwrap().remove(&reply.id).unwrap();
                drop(asked.send(reply));
            }
        });
        (Self { wire: Mutex::new((to, 0)), waiting, clock: clock.clone() }, process)
    }

    async fn ask<T: DeserializeOwned, E: From<Wrong>>(&self, call: Call) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        {
            let (to, last) = &mut *self.wire.lock().unwrap();
            *last += 1;
            self.waiting.lock().unwrap().insert(*last, reply);
            to.say(&Request { id: *last, now: self.clock.now(), call });
        }
        let outcome = answer.await.unwrap().outcome?;
        Ok(serde_json::from_value(outcome).unwrap())
    }
}

#[async_trait]
impl Table for Remote {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.ask(Call::Get(key.clone())).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        self.ask(Call::GetMany(keys.to_vec())).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        self.ask(Call::Query(query.clone(), page.clone())).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        self.ask(Call::Commit(ops, token.cloned())).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.ask(Call::Scan(page.clone())).await
    }
}

#[async_trait]
impl Queues for Remote {
    async fn send(&self, queue: &QueueAddress, messages: Vec<Message>) -> Result<(), QueueError> {
        self.ask(Call::Send(queue.clone(), messages)).await
    }

    async fn receive(
        &self,
        queue: &QueueAddress,
        max: u32,
        visibility: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        self.ask(Call::Receive(queue.clone(), max, visibility)).await
    }

    async fn delete(&self, queue: &QueueAddress, receipts: &[String]) -> Result<(), QueueError> {
        self.ask(Call::Delete(queue.clone(), receipts.to_vec())).await
    }

    async fn retry(
        &self,
        queue: &QueueAddress,
        receipt: &str,
        after: Duration,
    ) -> Result<(), QueueError> {
        self.ask(Call::Retry(queue.clone(), receipt.to_owned(), after)).await
    }

    async fn depth(&self, queue: &QueueAddress) -> Result<Depth, QueueError> {
        self.ask(Call::Depth(queue.clone())).await
    }

    async fn redrive(
        &self,
        dead: &QueueAddress,
        queue: &QueueAddress,
        max: u32,
    ) -> Result<u64, QueueError> {
        self.ask(Call::Redrive(dead.clone(), queue.clone(), max)).await
    }
}

fn bytes(hex: Option<String>) -> Option<Bytes> {
    hex.map(|hex| hex::decode(hex).unwrap().into())
}

#[async_trait]
impl Blobs for Remote {
    async fn put(
        &self,
        key: &BlobKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        self.ask(Call::Put(key.clone(), hex::encode(bytes), content_type.to_owned())).await
    }

    async fn put_file(
        &self,
        key: &BlobKey,
        file: &Path,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        self.ask(Call::PutFile(key.clone(), file.to_owned(), content_type.to_owned())).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Bytes>, BlobError> {
        self.ask(Call::Read(key.clone())).await.map(bytes)
    }

    async fn range(&self, key: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>, BlobError> {
        self.ask(Call::ReadRange(key.clone(), range)).await.map(bytes)
    }

    async fn fetch(&self, key: &BlobKey, into: &Path) -> Result<Option<BlobFacts>, BlobError> {
        self.ask(Call::Fetch(key.clone(), into.to_owned())).await
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<BlobFacts>, BlobError> {
        self.ask(Call::Head(key.clone())).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        self.ask(Call::DeleteBlob(key.clone())).await
    }

    async fn list(&self, prefix: &str, page: &Page) -> Result<BlobSlice, BlobError> {
        self.ask(Call::List(prefix.to_owned(), page.clone())).await
    }

    async fn sign_upload(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<SignedUpload, BlobError> {
        let signed = self.ask(Call::SignUpload(key.clone(), rules.clone())).await;
        signed.map(|(url, headers)| SignedUpload {
            method: "PUT",
            url,
            headers,
            until: rules.until,
        })
    }

    async fn sign_parts(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<PartedUpload, BlobError> {
        type Begun = (String, Vec<(u32, u64, String)>);
        let begun = self.ask::<Begun, BlobError>(Call::SignParts(key.clone(), rules.clone()));
        let (id, parts) = begun.await?;
        let parts = parts.into_iter().map(|(number, size, url)| {
            let put = SignedUpload { method: "PUT", url, headers: Vec::new(), until: rules.until };
            SignedPart { number, size, put }
        });
        Ok(PartedUpload { id, parts: parts.collect() })
    }

    async fn join_parts(
        &self,
        key: &BlobKey,
        upload: &str,
        rules: &UploadRules,
    ) -> Result<Joined, BlobError> {
        self.ask(Call::JoinParts(key.clone(), upload.to_owned(), rules.clone())).await
    }

    async fn drop_parts(&self, key: &BlobKey, upload: &str) -> Result<(), BlobError> {
        self.ask(Call::DropParts(key.clone(), upload.to_owned())).await
    }

    async fn sign_download(&self, key: &BlobKey, until: Timestamp) -> Result<String, BlobError> {
        self.ask(Call::SignDownload(key.clone(), until)).await
    }
}

#[test]
#[ignore = "the other process' part of the contract's tests"]
fn child_serves() {
    let Some(dir) = listen::<PathBuf>() else { return };
    let clock = ManualClock::at(START);
    let store = open(&dir, &clock);
    store.urls().serve_at(BASE);
    let ports = Arc::new(Ports {
        table: store.table(),
        queues: store.queues(vec![queues::Stand::settings()]),
        blobs: store.blobs(),
    });
    answer(&"open");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    while let Some(Request { id, now, call }) = listen() {
        clock.move_to(now);
        let ports = Arc::clone(&ports);
        runtime.spawn(async move {
            let outcome = ports.serve(call).await;
            answer(&Reply { id, outcome });
        });
    }
}

struct Ports {
    table: Arc<dyn Table>,
    queues: Arc<dyn Queues>,
    blobs: Arc<dyn Blobs>,
}

impl Ports {
    async fn serve(&self, call: Call) -> Result<Value, Wrong> {
        let (table, queues, blobs) = (&self.table, &self.queues, &self.blobs);
        match call {
            Call::Get(key) => told(table.get(&key).await?),
            Call::GetMany(keys) => told(table.get_many(&keys).await?),
            Call::Query(query, page) => told(table.query(&query, &page).await?),
            Call::Commit(ops, token) => told(table.commit(ops, token.as_ref()).await?),
            Call::Scan(page) => told(table.scan(&page).await?),
            Call::Send(queue, messages) => told(queues.send(&queue, messages).await?),
            Call::Receive(queue, max, until) => told(queues.receive(&queue, max, until).await?),
            Call::Delete(queue, receipts) => told(queues.delete(&queue, &receipts).await?),
            Call::Retry(queue, receipt, after) => {
                told(queues.retry(&queue, &receipt, after).await?)
            }
            Call::Depth(queue) => told(queues.depth(&queue).await?),
            Call::Redrive(dead, queue, max) => told(queues.redrive(&dead, &queue, max).await?),
            Call::Put(key, hex, content_type) => {
                let bytes = hex::decode(hex).unwrap().into();
                told(blobs.put(&key, bytes, &content_type).await?)
            }
            Call::PutFile(key, file, content_type) => {
                told(blobs.put_file(&key, &file, &content_type).await?)
            }
            Call::Read(key) => told(blobs.get(&key).await?.map(hex::encode)),
            Call::ReadRange(key, range) => told(blobs.range(&key, range).await?.map(hex::encode)),
            Call::Fetch(key, into) => told(blobs.fetch(&key, &into).await?),
            Call::Head(key) => told(blobs.head(&key).await?),
            Call::DeleteBlob(key) => told(blobs.delete(&key).await?),
            Call::List(prefix, page) => told(blobs.list(&prefix, &page).await?),
            Call::SignUpload(key, rules) => {
                let upload = blobs.sign_upload(&key, &rules).await?;
                told((upload.url, upload.headers))
            }
            Call::SignParts(key, rules) => {
                let upload = blobs.sign_parts(&key, &rules).await?;
                let parts = upload.parts.into_iter().map(|p| (p.number, p.size, p.put.url));
                told((upload.id, parts.collect::<Vec<_>>()))
            }
            Call::JoinParts(key, upload, rules) => {
                told(blobs.join_parts(&key, &upload, &rules).await?)
            }
            Call::DropParts(key, upload) => told(blobs.drop_parts(&key, &upload).await?),
            Call::SignDownload(key, until) => told(blobs.sign_download(&key, until).await?),
        }
    }
}

fn told(what: impl Serialize) -> Result<Value, Wrong> {
    Ok(serde_json::to_value(what).unwrap())
}
