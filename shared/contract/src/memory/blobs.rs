use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::blobs::{
    BlobError, BlobFacts, BlobKey, BlobSlice, Blobs, ListedBlob, SignedUpload, UploadRules,
};
use nexus_core::table::{Cursor, Page};
use nexus_kernel::{Clock, Digest, Timestamp};

use super::{cut, lock};
use crate::blobs::Browser;

/// Blobs in memory. Clones are handles to the same blobs.
#[derive(Clone, Debug)]
pub struct MemoryBlobs {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct State {
    blobs: BTreeMap<BlobKey, (Bytes, BlobFacts)>,
    /// What was signed, by the address that was given out.
    uploads: BTreeMap<String, (BlobKey, UploadRules)>,
    downloads: BTreeMap<String, (BlobKey, Timestamp)>,
}

impl MemoryBlobs {
    /// No blobs, on this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { state: Arc::default(), clock }
    }

    fn found(&self, key: &BlobKey) -> Option<(Bytes, BlobFacts)> {
        lock(&self.state).blobs.get(key).cloned()
    }

    fn write(&self, key: &BlobKey, bytes: Bytes, content_type: &str) -> BlobFacts {
        let facts = BlobFacts {
            size: bytes.len() as u64,
            digest: Digest::of(&bytes),
            content_type: content_type.to_owned(),
            modified: self.clock.now(),
        };
        lock(&self.state).blobs.insert(key.clone(), (bytes, facts.clone()));
        facts
    }
}

fn unavailable(error: io::Error) -> BlobError {
    BlobError::Unavailable(Box::new(error))
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(
        &self,
        key: &BlobKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        Ok(self.write(key, bytes, content_type))
    }

    async fn put_file(
        &self,
        key: &BlobKey,
        file: &Path,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        let bytes = tokio::fs::read(file).await.map_err(unavailable)?;
        Ok(self.write(key, bytes.into(), content_type))
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Bytes>, BlobError> {
        Ok(self.found(key).map(|(bytes, _)| bytes))
    }

    async fn range(&self, key: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>, BlobError> {
        Ok(self.found(key).map(|(bytes, _)| {
            let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(bytes.len());
            let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
            bytes.slice(start..end)
        }))
    }

    async fn fetch(&self, key: &BlobKey, into: &Path) -> Result<Option<BlobFacts>, BlobError> {
        let Some((bytes, facts)) = self.found(key) else { return Ok(None) };
        tokio::fs::write(into, bytes).await.map_err(unavailable)?;
        Ok(Some(facts))
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<BlobFacts>, BlobError> {
        Ok(self.found(key).map(|(_, facts)| facts))
    }

    async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        Ok(lock(&self.state).blobs.remove(key).is_some())
    }

    async fn list(&self, prefix: &str, page: &Page) -> Result<BlobSlice, BlobError> {
        let after = match page.after.as_ref().map(|c| c.position(&prefix)) {
            None => None,
            Some(position) => match position.as_deref() {
                Some([key]) => Some(BlobKey::stored(key)),
                _ => return Err(BlobError::BadCursor),
            },
        };
        let state = lock(&self.state);
        let found = state.blobs.iter().filter(|(key, _)| key.as_str().starts_with(prefix)).map(
            |(key, (_, facts))| {
                let line =
                    ListedBlob { key: key.clone(), size: facts.size, modified: facts.modified };
                (key.clone(), line)
            },
        );
        let beyond = |key: &BlobKey| after.as_ref().is_none_or(|a| key > a);
        let (blobs, last) = cut(found, beyond, page.clamped(), |_| 0);
        Ok(BlobSlice { blobs, next: last.map(|key| Cursor::at(&prefix, &[key.as_str()])) })
    }

    async fn sign_upload(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<SignedUpload, BlobError> {
        let mut state = lock(&self.state);
        let url = format!("memory://upload/{}", state.uploads.len());
        state.uploads.insert(url.clone(), (key.clone(), rules.clone()));
        Ok(SignedUpload {
            method: "PUT",
            url,
            headers: vec![("content-type".into(), rules.content_type.clone())],
            until: rules.until,
        })
    }

    async fn sign_download(&self, key: &BlobKey, until: Timestamp) -> Result<String, BlobError> {
        let mut state = lock(&self.state);
        let url = format!("memory://download/{}", state.downloads.len());
        state.downloads.insert(url.clone(), (key.clone(), until));
        Ok(url)
    }
}

#[async_trait]
impl Browser for MemoryBlobs {
    async fn put(&self, url: &str, headers: &[(String, String)], body: Bytes) -> bool {
        let Some((key, rules)) = lock(&self.state).uploads.get(url).cloned() else { return false };
        let typed = headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("content-type") && *value == rules.content_type
        });
        let fits = typed && body.len() as u64 == rules.size && self.clock.now() < rules.until;
        if fits {
            self.write(&key, body, &rules.content_type);
        }
        fits
    }

    async fn get(&self, url: &str) -> Option<Bytes> {
        let (key, until) = lock(&self.state).downloads.get(url).cloned()?;
        let live = self.clock.now() < until;
        self.found(&key).filter(|_| live).map(|(bytes, _)| bytes)
    }
}
