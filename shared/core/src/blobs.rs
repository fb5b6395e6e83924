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
//!    download answers only until its moment. At that very moment it is over.
//! 7. Two owners' blobs of the same content live and die apart.

use std::error::Error;
use std::fmt;
use std::ops;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_kernel::{Digest, Failure, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Cursor, Page};

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
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        Self::unavailable("The media store does not answer now.").caused_by(error)
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

    /// An address by which a browser may read this until then.
    async fn sign_download(&self, key: &BlobKey, until: Timestamp) -> Result<String, BlobError>;
}
