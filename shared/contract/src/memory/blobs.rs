use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::blobs::{
    BlobError, BlobFacts, BlobKey, BlobSlice, Blobs, Joined, ListedBlob, PartedUpload, SignedPart,
    SignedUpload, UploadRules,
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
    /// What was begun in parts, by its name.
    parted: BTreeMap<String, Parted>,
    /// How many were begun in parts so far.
    begun: usize,
}

#[derive(Debug)]
struct Parted {
    key: BlobKey,
    until: Timestamp,
    sizes: Vec<u64>,
    come: BTreeMap<u32, Bytes>,
}

impl State {
    fn put(
        &mut self,
        key: &BlobKey,
        bytes: Bytes,
        content_type: &str,
        modified: Timestamp,
    ) -> BlobFacts {
        let (size, digest) = (bytes.len() as u64, Digest::of(&bytes));
        let facts = BlobFacts { size, digest, content_type: content_type.to_owned(), modified };
        self.blobs.insert(key.clone(), (bytes, facts.clone()));
        facts
    }

    /// The upload of this name, if it was begun for this key.
    fn parted(&self, key: &BlobKey, upload: &str) -> Option<&Parted> {
        self.parted.get(upload).filter(|p| p.key == *key)
    }
}

/// Takes a part whose address this is; whether it was one and fits.
fn take_part(state: &mut State, url: &str, body: &Bytes, now: Timestamp) -> bool {
    let Some((upload, number)) = url.rsplit_once('/') else { return false };
    let (Some(parted), Ok(number)) = (state.parted.get_mut(upload), number.parse::<u32>()) else {
        return false;
    };
    let size = parted.sizes.get((number as usize).wrapping_sub(1));
    let fits = size == Some(&(body.len() as u64)) && now < parted.until;
    if fits {
        parted.come.insert(number, body.clone());
    }
    fits
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
        lock(&self.state).put(key, bytes, content_type, self.clock.now())
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

    async fn sign_parts(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<PartedUpload, BlobError> {
        let sizes = rules.part_sizes()?;
        let mut state = lock(&self.state);
        let id = format!("memory://parts/{}", state.begun);
        state.begun += 1;
        let parts = (1..).zip(&sizes).map(|(number, size)| {
            let url = format!("{id}/{number}");
            let put = SignedUpload { method: "PUT", url, headers: Vec::new(), until: rules.until };
            SignedPart { number, size: *size, put }
        });
        let parts = parts.collect();
        let parted = Parted { key: key.clone(), until: rules.until, sizes, come: BTreeMap::new() };
        state.parted.insert(id.clone(), parted);
        Ok(PartedUpload { id, parts })
    }

    async fn join_parts(
        &self,
        key: &BlobKey,
        upload: &str,
        rules: &UploadRules,
    ) -> Result<Joined, BlobError> {
        let mut state = lock(&self.state);
        let stands = state.blobs.contains_key(key);
        let Some(parted) = state.parted(key, upload) else {
            return Ok(if stands { Joined::Before } else { Joined::Gone });
        };
        let numbers = (1..).zip(&parted.sizes).map(|(number, _)| number);
        let missing: Vec<u32> = numbers.filter(|n| !parted.come.contains_key(n)).collect();
        if !missing.is_empty() && !stands {
            return Ok(Joined::Missing(missing));
        }
        let parts: Vec<&[u8]> = parted.come.values().map(|part| part.as_ref()).collect();
        let whole = parts.concat();
        state.parted.remove(upload);
        if stands {
            return Ok(Joined::Before);
        }
        state.put(key, whole.into(), &rules.content_type, self.clock.now());
        Ok(Joined::Now)
    }

    async fn drop_parts(&self, key: &BlobKey, upload: &str) -> Result<(), BlobError> {
        let mut state = lock(&self.state);
        if state.parted(key, upload).is_some() {
            state.parted.remove(upload);
        }
        Ok(())
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
        let Some((key, rules)) = lock(&self.state).uploads.get(url).cloned() else {
            return take_part(&mut lock(&self.state), url, &body, self.clock.now());
        };
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
