//! The blobs on S3.
//!
//! Everything is put under SSE-KMS with a bucket key where a key is named. The SHA-256 of a blob stands in S3's own
//! checksum where we put it at once, in its metadata (`sha256`) where it came in parts, and nowhere where a browser
//! put it: [`Blobs::head`] reads such a blob through.
//!
//! What a reader has to know of S3: a missing blob is told as missing only to who may list the bucket
//! (`s3:ListBucket`), to others it is forbidden; moments are whole seconds; a signed address lives at most 7 days,
//! never longer than the credentials that signed it, and ends up to a second early rather than late.

mod browser_parts;
mod erase;
mod facts;
mod parts;
mod sign;

use std::error::Error;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, EncodingType, ServerSideEncryption};
use bytes::Bytes;
use nexus_core::blobs::{
    BlobError, BlobFacts, BlobKey, BlobSlice, Blobs, Joined, ListedBlob, PartedUpload,
    SignedUpload, UploadRules,
};
use nexus_core::table::{Cursor, Page};
use nexus_kernel::{Clock, Digest, Timestamp};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// A file above this goes in parts.
const LARGE: u64 = 100 * 1024 * 1024;

/// A product's bucket.
#[derive(Debug, Clone)]
pub struct S3Blobs {
    client: Client,
    bucket: String,
    key_id: Option<String>,
    clock: Arc<dyn Clock>,
}

impl S3Blobs {
    /// The blobs in this bucket, put under this KMS key; `None` leaves it to the bucket's default encryption.
    /// Signed addresses end by the clock.
    pub fn new(
        config: &SdkConfig,
        bucket: impl Into<String>,
        key_id: Option<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let config = aws_sdk_s3::config::Builder::from(config)
            // Up to 100 MB in one put; what stalls is ended by the SDK's stalled-stream protection before that.
            .timeout_config(crate::start::limits(
                Duration::from_secs(120),
                Duration::from_secs(300),
            ))
            // We send the SHA-256 ourselves.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .build();
        Self { client: Client::from_conf(config), bucket: bucket.into(), key_id, clock }
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.key_id.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }

    fn bucket_key(&self) -> Option<bool> {
        self.key_id.as_ref().map(|_| true)
    }

    async fn put_whole(
        &self,
        key: &BlobKey,
        body: ByteStream,
        facts: BlobFacts,
    ) -> Result<BlobFacts, BlobError> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .content_type(&facts.content_type)
            .checksum_sha256(facts::checksum(&facts.digest))
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.key_id.clone())
            .set_bucket_key_enabled(self.bucket_key())
            .body(body)
            .send()
            .await
            .map_err(unavailable)?;
        Ok(facts)
    }

    /// What S3 will tell of it: whole seconds.
    fn told(&self, size: u64, digest: Digest, content_type: &str) -> BlobFacts {
        let now =
            Timestamp::from_second(self.clock.now().as_second()).unwrap_or(Timestamp::UNIX_EPOCH);
        BlobFacts { size, digest, content_type: content_type.to_owned(), modified: now }
    }

    async fn open(&self, key: &BlobKey) -> Result<Option<GetObjectOutput>, BlobError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key.as_str());
        found(request.checksum_mode(ChecksumMode::Enabled).send().await)
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn put(
        &self,
        key: &BlobKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        let facts = self.told(bytes.len() as u64, Digest::of(&bytes), content_type);
        self.put_whole(key, bytes.into(), facts).await
    }

    async fn put_file(
        &self,
        key: &BlobKey,
        file: &Path,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        let (size, digest) = facts::of_file(file).await.map_err(unavailable)?;
        let facts = self.told(size, digest, content_type);
        if size > LARGE {
            return parts::put(self, key, file, facts).await;
        }
        let body = ByteStream::from_path(file).await.map_err(unavailable)?;
        self.put_whole(key, body, facts).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Bytes>, BlobError> {
        let Some(found) = self.open(key).await? else { return Ok(None) };
        let content = found.body.collect().await.map_err(unavailable)?;
        Ok(Some(content.into_bytes()))
    }

    async fn range(&self, key: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>, BlobError> {
        if range.is_empty() {
            let there =
                self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await;
            return Ok(facts::known(there)?.map(|_| Bytes::new()));
        }
        let request = self.client.get_object().bucket(&self.bucket).key(key.as_str());
        let request = request.range(format!("bytes={}-{}", range.start, range.end - 1));
        match request.send().await {
            Err(error) if status(&error) == Some(416) => Ok(Some(Bytes::new())),
            answer => {
                let Some(part) = found(answer)? else { return Ok(None) };
                let content = part.body.collect().await.map_err(unavailable)?;
                Ok(Some(content.into_bytes()))
            }
        }
    }

    async fn fetch(&self, key: &BlobKey, into: &Path) -> Result<Option<BlobFacts>, BlobError> {
        let Some(mut found) = self.open(key).await? else { return Ok(None) };
        let mut file = File::create(into).await.map_err(unavailable)?;
        let (mut hasher, mut size) = (facts::Hasher::default(), 0);
        while let Some(chunk) = found.body.try_next().await.map_err(unavailable)? {
            hasher.take(&chunk);
            size += chunk.len() as u64;
            file.write_all(&chunk).await.map_err(unavailable)?;
        }
        file.flush().await.map_err(unavailable)?;
        let digest = hasher.digest();
        let promised = facts::digest(found.checksum_sha256(), found.metadata());
        if promised.is_some_and(|p| p != digest) {
            return Err(unavailable(io::Error::other("what came is not what was put")));
        }
        Ok(Some(facts::told(size, digest, found.content_type(), found.last_modified())))
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<BlobFacts>, BlobError> {
        let request = self.client.head_object().bucket(&self.bucket).key(key.as_str());
        let answer = request.checksum_mode(ChecksumMode::Enabled).send().await;
        let Some(known) = facts::known(answer)? else { return Ok(None) };
        if let Some(digest) = facts::digest(known.checksum_sha256(), known.metadata()) {
            let size = u64::try_from(known.content_length().unwrap_or(0)).unwrap_or(0);
            return Ok(Some(facts::told(
                size,
                digest,
                known.content_type(),
                known.last_modified(),
            )));
        }
        let Some(mut found) = self.open(key).await? else { return Ok(None) };
        let (mut hasher, mut size) = (facts::Hasher::default(), 0);
        while let Some(chunk) = found.body.try_next().await.map_err(unavailable)? {
            hasher.take(&chunk);
            size += chunk.len() as u64;
        }
        Ok(Some(facts::told(size, hasher.digest(), found.content_type(), found.last_modified())))
    }

    async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        erase::erase(&self.client, &self.bucket, key.as_str()).await
    }

    async fn list(&self, prefix: &str, page: &Page) -> Result<BlobSlice, BlobError> {
        let after = match page.after.as_ref().map(|c| c.position(&prefix)) {
            None => None,
            Some(position) => match position.as_deref() {
                Some([key]) => Some(key.clone()),
                _ => return Err(BlobError::BadCursor),
            },
        };
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let request = request.set_start_after(after).max_keys(page.clamped().cast_signed());
        // Keys may hold what XML cannot.
        let found = request.encoding_type(EncodingType::Url).send().await.map_err(unavailable)?;
        let blobs: Vec<ListedBlob> = found.contents().iter().filter_map(facts::listed).collect();
        let last = blobs.last().filter(|_| found.is_truncated() == Some(true));
        let next = last.map(|b| Cursor::at(&prefix, &[b.key.as_str()]));
        Ok(BlobSlice { blobs, next })
    }

    async fn sign_upload(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<SignedUpload, BlobError> {
        sign::upload(self, key, rules).await
    }

    async fn sign_parts(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<PartedUpload, BlobError> {
        browser_parts::begin(self, key, rules).await
    }

    async fn join_parts(
        &self,
        key: &BlobKey,
        upload: &str,
        rules: &UploadRules,
    ) -> Result<Joined, BlobError> {
        browser_parts::join(self, key, upload, rules).await
    }

    async fn drop_parts(&self, key: &BlobKey, upload: &str) -> Result<(), BlobError> {
        browser_parts::drop_all(self, key, upload).await
    }

    async fn sign_download(&self, key: &BlobKey, until: Timestamp) -> Result<String, BlobError> {
        sign::download(self, key, until).await
    }
}

/// What was asked for, or `None` where it is missing.
fn found<T>(answer: Result<T, SdkError<GetObjectError>>) -> Result<Option<T>, BlobError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
        Err(error) => Err(unavailable(error)),
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|r| r.status().as_u16())
}

fn unavailable(error: impl Error + Send + Sync + 'static) -> BlobError {
    BlobError::Unavailable(Box::new(error))
}

#[cfg(test)]
mod tests {
    use nexus_kernel::ambient::ManualClock;

    use super::*;
    use crate::replay::{answering, sent};

    fn key() -> BlobKey {
        BlobKey::stored("media/ten_a/a b")
    }

    fn blobs(config: &SdkConfig) -> S3Blobs {
        let clock = ManualClock::at(Timestamp::from_second(1_795_165_260).unwrap());
        S3Blobs::new(config, "bucket", Some("key-id".into()), Arc::new(clock))
    }

    fn error(code: &str) -> String {
        format!("<Error><Code>{code}</Code><Message>m</Message></Error>")
    }

    #[tokio::test]
    async fn n45_what_is_put_is_encrypted_under_the_key() {
        let (config, client) = answering(1, &[(200, "")]);
        let told =
            blobs(&config).put(&key(), Bytes::from_static(b"content"), "image/png").await.unwrap();
        assert_eq!((told.size, told.digest), (7, Digest::of(b"content")));
        let request = client.actual_requests().next().unwrap();
        let header = |name| request.headers().get(name);
        assert_eq!(header("x-amz-server-side-encryption"), Some("aws:kms"));
        assert_eq!(header("x-amz-server-side-encryption-aws-kms-key-id"), Some("key-id"));
        assert_eq!(header("x-amz-server-side-encryption-bucket-key-enabled"), Some("true"));
        assert_eq!(header("x-amz-checksum-sha256"), Some(facts::checksum(&told.digest).as_str()));
    }

    #[tokio::test]
    async fn a_missing_blob_is_none_and_a_missing_bucket_an_error() {
        let get = async |status, code: &str| {
            let (config, _) = answering(1, &[(status, &error(code))]);
            blobs(&config).get(&key()).await
        };
        assert_eq!(get(404, "NoSuchKey").await.unwrap(), None);
        assert!(get(404, "NoSuchBucket").await.is_err());
        assert!(get(403, "AccessDenied").await.is_err());
        let (config, _) = answering(1, &[(404, "")]);
        assert_eq!(blobs(&config).head(&key()).await.unwrap(), None);
        let (config, _) = answering(1, &[(416, &error("InvalidRange"))]);
        assert_eq!(blobs(&config).range(&key(), 9..10).await.unwrap(), Some(Bytes::new()));
    }

    #[tokio::test]
    async fn erasing_removes_the_old_versions_first_and_the_markers_last() {
        let versions = "<ListVersionsResult><IsTruncated>false</IsTruncated>\
            <DeleteMarker><Key>media/ten_a/a+b</Key><VersionId>mark</VersionId><IsLatest>true</IsLatest></DeleteMarker>\
            <Version><Key>media/ten_a/a+b</Key><VersionId>old</VersionId><IsLatest>false</IsLatest></Version>\
            <Version><Key>media/ten_a/a+b2</Key><VersionId>other</VersionId><IsLatest>false</IsLatest></Version>\
            </ListVersionsResult>";
        let (config, client) = answering(1, &[(204, ""), (200, versions), (204, ""), (204, "")]);
        assert!(blobs(&config).delete(&key()).await.unwrap());
        let requests = sent(&client);
        let deleted: Vec<_> =
            requests.iter().filter(|r| r.0 == "DELETE").map(|r| r.1.as_str()).collect();
        let path = |query: &str| format!("media/ten_a/a%20b?x-id=DeleteObject{query}");
        assert_eq!(deleted, [path(""), path("&versionId=old"), path("&versionId=mark")]);
        assert_eq!(client.actual_requests().next().unwrap().headers().get("if-match"), Some("*"));
    }

    #[tokio::test]
    async fn a_signed_upload_signs_all_that_it_allows() {
        let (config, _) = answering(1, &[]);
        let until = Timestamp::from_second(1_795_165_260 + 900).unwrap();
        let rules = UploadRules { content_type: "image/png".into(), size: 7, until };
        let upload = blobs(&config).sign_upload(&key(), &rules).await.unwrap();
        assert_eq!((upload.method, upload.until), ("PUT", until));
        let signed = "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bif-none-match%3B\
            x-amz-server-side-encryption%3Bx-amz-server-side-encryption-aws-kms-key-id%3B\
            x-amz-server-side-encryption-bucket-key-enabled";
        assert!(upload.url.contains(signed), "{}", upload.url);
        assert!(upload.url.contains("X-Amz-Expires=899"), "{}", upload.url);
        let mut names: Vec<_> = upload.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let sse = "x-amz-server-side-encryption";
        let (key_id, bucket_key) =
            (format!("{sse}-aws-kms-key-id"), format!("{sse}-bucket-key-enabled"));
        assert_eq!(names, ["content-type", "if-none-match", sse, &key_id, &bucket_key]);
    }
}
