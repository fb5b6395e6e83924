//! The port to large things: media, audio, video, anything over what a row holds.
//!
//! # The contract
//! Each sentence is a test of `nexus_contract::blobs`, run against every adapter:
//! 1. What was put is read back byte for byte, with its type, size and SHA-256, through any handle.
//! 2. A put replaces what stood there, and no reader ever sees half of it.
//! 3. A range returns exactly its bytes; a range beyond the end returns what there is, be it nothing.
//! 4. A missing blob is `None`, and deleting it is no error.
//! 5. A list returns every key that begins with its prefix once, in order (byte by byte), page by page.
//! 6. A signed upload takes only the size and type that it was signed for, only until its moment; a signed
//!    download answers only until its moment. At that very moment it is over. A moment is a whole second: of a part of
//!    one nothing is promised.
//! 7. Two owners' blobs of the same content live and die apart.
//! 8. An upload in parts takes each part only in its size and only until its moment. Nothing is to be seen of it until
//!    it is joined; that is done once all parts are there, makes one blob of them in their order, of the type that was
//!    announced, and replaces nothing. What was dropped leaves nothing.

use std::error::Error;
use std::fmt;
use std::ops;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_kernel::{Digest, Failure, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Cursor, Page};

/// Up to so many bytes a browser puts at once ([`Blobs::sign_upload`]); above, in parts ([`Blobs::sign_parts`]), so
/// that a line that breaks costs one part and not all.
pub const MOST_AT_ONCE: u64 = 100 * 1024 * 1024;
/// How many bytes a part has; the last has the rest. S3 takes 5 MiB to 5 GiB.
pub const PART_BYTES: u64 = 8 * 1024 * 1024;
/// The most parts of one upload, as S3 has it.
pub const MAX_PARTS: u64 = 10_000;

/// Where a blob stands: `{area}/{owner}/{rest}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobKey(String);

impl BlobKey {
    /// A key as an adapter or a row has it. Everyone else asks a [`Scope`](crate::Scope)
    /// (kept by `tests/architecture.rs`).
    pub fn stored(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first part: what sort of thing it is.
    pub fn area(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of a blob without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobFacts {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the content.
    pub digest: Digest,
    /// MIME type.
    pub content_type: String,
    /// When it was put.
    pub modified: Timestamp,
}

/// A page of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobSlice {
    /// Keys with size and moment of writing.
    pub blobs: Vec<ListedBlob>,
    /// Where to go on, unless this was the end.
    pub next: Option<Cursor>,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedBlob {
    /// Where it stands.
    pub key: BlobKey,
    /// Bytes.
    pub size: u64,
    /// When it was put.
    pub modified: Timestamp,
}

/// What an upload has to be for its signature to fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRules {
    /// MIME type.
    pub content_type: String,
    /// Exactly so many bytes.
    pub size: u64,
    /// Until then.
    pub until: Timestamp,
}

/// A request that whoever holds it may make once the bytes are at hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedUpload {
    /// Always `PUT`.
    pub method: &'static str,
    /// Where.
    pub url: String,
    /// Headers that must be sent exactly so.
    pub headers: Vec<(String, String)>,
    /// Until then.
    pub until: Timestamp,
}

impl UploadRules {
    /// The sizes of its parts, in order: [`PART_BYTES`] each and the rest.
    ///
    /// # Errors
    /// `BlobError::Refused`: there is nothing to cut, or there would be more than [`MAX_PARTS`].
    pub fn part_sizes(&self) -> Result<Vec<u64>, BlobError> {
        let parts = self.size.div_ceil(PART_BYTES);
        if !(1..=MAX_PARTS).contains(&parts) {
            return Err(BlobError::Refused(format!(
                "an upload has 1 to {MAX_PARTS} parts of {PART_BYTES} bytes, this one {parts}"
            )));
        }
        Ok((0..parts).map(|n| (self.size - n * PART_BYTES).min(PART_BYTES)).collect())
    }
}

/// One part of an upload in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedPart {
    /// From 1, in the order of the bytes.
    pub number: u32,
    /// Exactly so many bytes.
    pub size: u64,
    /// How they are put.
    #[serde(flatten)]
    pub put: SignedUpload,
}

/// An upload in parts that was begun. Its parts may be put in any order, several at a time, and each again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartedUpload {
    /// Its name, by which it is joined or dropped.
    pub id: String,
    /// Its parts, in order.
    pub parts: Vec<SignedPart>,
}

/// What became of joining an upload's parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Joined {
    /// They are one blob now.
    Now,
    /// A blob stands there already: this upload, joined before, or another. Nothing was changed, and what was left of
    /// this upload is gone.
    Before,
    /// These parts have not come; the upload waits for them.
    Missing(Vec<u32>),
    /// There is no such upload (any more), and no blob.
    Gone,
}

/// Why a blob could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The store does not answer.
    #[error("the blob store does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// No room is left.
    #[error("the blob store is full")]
    Full(#[source] Box<dyn Error + Send + Sync>),
    /// A cursor of another list.
    #[error("this page marker does not belong to this list")]
    BadCursor,
    /// It breaks a limit; nothing was done.
    #[error("{0}")]
    Refused(String),
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Refused(_) => Self::bug(error),
            _ => Self::unavailable("The media store does not answer now.").caused_by(error),
        }
    }
}

/// The blobs. See the module's text for the contract.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Puts bytes.
    async fn put(
        &self,
        key: &BlobKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError>;

    /// Puts a file's content without holding it in memory.
    async fn put_file(
        &self,
        key: &BlobKey,
        file: &Path,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError>;

    /// The whole content.
    async fn get(&self, key: &BlobKey) -> Result<Option<Bytes>, BlobError>;

    /// A part of the content.
    async fn range(
        &self,
        key: &BlobKey,
        range: ops::Range<u64>,
    ) -> Result<Option<Bytes>, BlobError>;

    /// Copies the content into a file without holding it in memory.
    async fn fetch(&self, key: &BlobKey, into: &Path) -> Result<Option<BlobFacts>, BlobError>;

    /// What is known without reading it.
    async fn head(&self, key: &BlobKey) -> Result<Option<BlobFacts>, BlobError>;

    /// Deletes; true where there was something.
    async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError>;

    /// A page of the keys that begin so, in order.
    async fn list(&self, prefix: &str, page: &Page) -> Result<BlobSlice, BlobError>;

    /// A request by which a browser may put exactly this.
    async fn sign_upload(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<SignedUpload, BlobError>;

    /// Begins an upload in parts: for each part a request by which a browser may put it. Whoever begins one joins or
    /// drops it; what neither happened to, the store removes a day after its moment.
    async fn sign_parts(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<PartedUpload, BlobError>;

    /// Makes one blob of the parts of the upload of this name, which was begun for this key by these rules (its size
    /// says which parts there have to be). May be called again.
    async fn join_parts(
        &self,
        key: &BlobKey,
        upload: &str,
        rules: &UploadRules,
    ) -> Result<Joined, BlobError>;

    /// Forgets an upload in parts and what has come of it; one that is not there is no error.
    async fn drop_parts(&self, key: &BlobKey, upload: &str) -> Result<(), BlobError>;

    /// An address by which a browser may read this until then.
    async fn sign_download(&self, key: &BlobKey, until: Timestamp) -> Result<String, BlobError>;
}
