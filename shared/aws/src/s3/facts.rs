//! What is known of a blob: how S3 tells it, and how it is found out.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::Object;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nexus_core::blobs::{BlobError, BlobFacts, BlobKey, ListedBlob};
use nexus_kernel::{Digest, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// The metadata in which the SHA-256 of a blob stands that came in parts.
pub(super) const METADATA: &str = "sha256";

/// A SHA-256 that is being found out.
#[derive(Default)]
pub(super) struct Hasher(Sha256);

impl Hasher {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn digest(self) -> Digest {
        hex(&self.0.finalize())
    }
}

fn hex(bytes: &[u8]) -> Digest {
    // 32 bytes, always: the digest of nothing never stands in.
    Digest::from_hex(&hex::encode(bytes)).unwrap_or_else(|| Digest::of(&[]))
}

/// How large a file is, and its SHA-256.
pub(super) async fn of_file(file: &Path) -> io::Result<(u64, Digest)> {
    let mut file = File::open(file).await?;
    let (mut hasher, mut size, mut buffer) = (Hasher::default(), 0, vec![0; 256 * 1024]);
    loop {
        let read = file.read(&mut buffer).await?;
        let Some(some) = buffer.get(..read).filter(|b| !b.is_empty()) else { break };
        hasher.take(some);
        size += read as u64;
    }
    Ok((size, hasher.digest()))
}

/// A digest as S3 writes checksums.
pub(super) fn checksum(digest: &Digest) -> String {
    STANDARD.encode(digest.as_bytes())
}

/// The digest that S3 tells of a blob, if any: its own checksum (that of a blob in parts is one of the parts'
/// checksums, not of the content), else the metadata, which only we can have written: a signed upload takes no
/// header that was not signed.
pub(super) fn digest(
    checksum: Option<&str>,
    metadata: Option<&HashMap<String, String>>,
) -> Option<Digest> {
    let whole = checksum.and_then(|c| STANDARD.decode(c).ok()).filter(|c| c.len() == 32);
    let stated = || metadata?.get(METADATA).and_then(|raw| Digest::from_hex(raw));
    whole.map(|c| hex(&c)).or_else(stated)
}

pub(super) fn told(
    size: u64,
    digest: Digest,
    content_type: Option<&str>,
    modified: Option<&DateTime>,
) -> BlobFacts {
    let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
    BlobFacts { size, digest, content_type, modified: moment(modified) }
}

/// What a `HEAD` tells, which has no body and so no code.
pub(super) fn known(
    answer: Result<HeadObjectOutput, SdkError<HeadObjectError>>,
) -> Result<Option<HeadObjectOutput>, BlobError> {
    match answer {
        Ok(known) => Ok(Some(known)),
        Err(error) if super::status(&error) == Some(404) => Ok(None),
        Err(error) => Err(super::unavailable(error)),
    }
}

pub(super) fn listed(object: &Object) -> Option<ListedBlob> {
    Some(ListedBlob {
        key: BlobKey::stored(decoded(object.key()?)),
        size: u64::try_from(object.size().unwrap_or(0)).unwrap_or(0),
        modified: moment(object.last_modified()),
    })
}

/// A key in a list, which S3 encodes as HTML forms do.
pub(super) fn decoded(raw: &str) -> String {
    let pair = format!("={raw}");
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, key)| key.into_owned())
        .unwrap_or_default()
}

fn moment(at: Option<&DateTime>) -> Timestamp {
    let at =
        at.and_then(|t| t.to_millis().ok()).and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_contents_and_never_the_parts() {
        let content = Digest::of(b"content");
        let stated = HashMap::from([(METADATA.to_owned(), content.to_hex())]);
        assert_eq!(digest(Some(&checksum(&content)), None), Some(content));
        let of_parts = format!("{}-2", checksum(&Digest::of(b"parts")));
        assert_eq!(digest(Some(&of_parts), Some(&stated)), Some(content));
        assert_eq!(digest(Some(&of_parts), None), None);
        assert_eq!(
            digest(None, Some(&HashMap::from([(METADATA.to_owned(), "x".to_owned())]))),
            None
        );
        let mut hasher = Hasher::default();
        hasher.take(b"con");
        hasher.take(b"tent");
        assert_eq!(hasher.digest(), content);
    }

    #[test]
    fn listed_keys_are_decoded() {
        assert_eq!(decoded("in/a+b%2Bc%25/%E6%97%A5=%26"), "in/a b+c%/日=&");
    }
}
