//! Addresses by which a person's browser may read a tenant's blobs for a while.

use jiff::SignedDuration;
use nexus_core::Blobs;
use nexus_engine::media::NamedBlob;
use nexus_kernel::{Digest, Failure, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// How long an address may be read: long enough to watch and listen, and look again.
const LINK_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// A file that can be read for a while.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileLink {
    /// Where to read it, without a token.
    url: String,
    /// Until then.
    until: Timestamp,
    content_type: String,
    /// Bytes.
    size: u64,
    /// SHA-256 of the content, 64 hexadecimal digits.
    #[schema(value_type = String)]
    digest: Digest,
}

/// Lends files of one answer, all until the same moment.
pub(crate) struct Lender<'b> {
    blobs: &'b dyn Blobs,
    until: Timestamp,
}

impl<'b> Lender<'b> {
    pub(crate) fn new(blobs: &'b dyn Blobs, now: Timestamp) -> Self {
        Self { blobs, until: now.saturating_add(LINK_LIFE).unwrap_or(now) }
    }

    pub(crate) async fn lend(&self, blob: &NamedBlob) -> Result<FileLink, Failure> {
        Ok(FileLink {
            url: self.blobs.sign_download(&blob.key, self.until).await?,
            until: self.until,
            content_type: blob.content_type.clone(),
            size: blob.size,
            digest: blob.digest,
        })
    }

    pub(crate) async fn lend_any(
        &self,
        blob: Option<&NamedBlob>,
    ) -> Result<Option<FileLink>, Failure> {
        match blob {
            Some(blob) => self.lend(blob).await.map(Some),
            None => Ok(None),
        }
    }
}
