//! Every sentence, through two handles of one process and through handles of two processes.

use std::io::Cursor;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_contract::blobs::Browser;
use nexus_contract::{Pair, START, blobs, queues};
use nexus_core::blobs::Blobs;
use nexus_core::queues::Queues;
use nexus_core::table::Table;
use nexus_embedded::Store;
use nexus_kernel::Clock as _;
use nexus_kernel::ambient::ManualClock;

use crate::open;
use crate::remote::{BASE, Remote};

/// What a host does with the requests of whoever holds a signed address.
struct Host {
    store: Store,
    clock: ManualClock,
}

impl Host {
    fn split(url: &str) -> Option<(&str, &str)> {
        url.strip_prefix(BASE)?.split_once('?')
    }
}

#[async_trait]
impl Browser for Host {
    async fn put(&self, url: &str, headers: &[(String, String)], body: Bytes) -> bool {
        let Some((path, query)) = Self::split(url) else { return false };
        let (urls, now) = (self.store.urls(), self.clock.now());
        if let Ok(grant) = urls.verify_part(path, query, now) {
            return grant.admits(body.len() as u64).is_ok()
                && self.store.put_part(&grant, move || Ok(Cursor::new(body))).await.unwrap();
        }
        let Ok(grant) = urls.verify_upload(path, query, now) else { return false };
        let content_type = headers.iter().find(|(name, _)| name == "content-type");
        let content_type = content_type.map(|(_, value)| value.as_str()).unwrap_or_default();
        if grant.admits(content_type, body.len() as u64).is_err() {
            return false;
        }
        self.store.blobs().put(&grant.key, body, content_type).await.unwrap();
        true
    }

    async fn get(&self, url: &str) -> Option<Bytes> {
        let (path, query) = Self::split(url)?;
        let key = self.store.urls().verify_download(path, query, self.clock.now()).ok()?;
        self.store.blobs().get(&key).await.unwrap()
    }
}

mod in_one_process {
    use super::*;

    mod table {
        use super::*;
        nexus_contract::table_contract!(async || {
            let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
            let (one, other) = (open(dir.path(), &clock), open(dir.path(), &clock));
            Pair::new(one.table(), other.table(), clock).keeping(dir)
        });
    }

    mod queues_ {
        use super::*;
        nexus_contract::queues_contract!(async || {
            let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
            let handle = || open(dir.path(), &clock).queues(vec![queues::Stand::settings()]);
            queues::Stand::new(Pair::new(handle(), handle(), clock.clone()).keeping(dir))
        });
    }

    mod blobs_ {
        use super::*;
        nexus_contract::blobs_contract!(async || {
            let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
            let (one, other) = (open(dir.path(), &clock), open(dir.path(), &clock));
            one.urls().serve_at(BASE);
            let pair = Pair::new(one.blobs(), other.blobs(), clock.clone()).keeping(dir);
            blobs::Stand { pair, browser: Arc::new(Host { store: other, clock }) }
        });
    }
}

mod in_two_processes {
    use super::*;

    mod table {
        use super::*;
        nexus_contract::table_contract!(async || {
            let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
            let (remote, process) = Remote::start(dir.path(), &clock);
            let one = open(dir.path(), &clock).table();
            Pair::<dyn Table>::new(one, Arc::new(remote), clock).keeping((process, dir))
        });
    }

    mod queues_ {
        use super::*;
        nexus_contract::queues_contract!(async || {
            let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
            let (remote, process) = Remote::start(dir.path(), &clock);
            let one = open(dir.path(), &clock).queues(vec![queues::Stand::settings()]);
            let pair = Pair::<dyn Queues>::new(one, Arc::new(remote), clock);
            queues::Stand::new(pair.keeping((process, dir)))
        });
    }

    mod blobs_ {
        use super::*;
        nexus_contract::blobs_contract!(async || {
            let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
            let (remote, process) = Remote::start(dir.path(), &clock);
            let one = open(dir.path(), &clock);
            one.urls().serve_at(BASE);
            let remote = Arc::new(remote);
            // What one process signs another verifies.
            let pair = Pair::<dyn Blobs>::new(remote as _, one.blobs(), clock.clone());
            let pair = pair.keeping((process, dir));
            blobs::Stand { pair, browser: Arc::new(Host { store: one, clock }) }
        });
    }
}
