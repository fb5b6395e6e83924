//! What a bucket tells its queue when something was put or joined, in the shape S3 writes it.
//!
//! Of what a browser puts, `uploads` tells. Of what the functions make of parts, [`Telling`] does, through which they
//! reach the blobs. What they put themselves is wired to nobody (`media/` and `made/`), and told to nobody.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::blobs::{
    BlobError, BlobFacts, BlobSlice, Joined, PartedUpload, SignedUpload, UploadRules,
};
use nexus_core::queues::Message;
use nexus_core::table::Page;
use nexus_core::{BlobKey, Blobs, QueueAddress, Queues};
use nexus_kernel::{Ambient, Failure, Timestamp};
use serde_json::json;

use crate::template::plan::BucketPlan;

/// How S3 names a simple upload.
pub const PUT: &str = "ObjectCreated:Put";
/// How S3 names that an upload's parts were joined.
pub const JOINED: &str = "ObjectCreated:CompleteMultipartUpload";

/// Tells every queue that the template wires for such an event and key.
///
/// # Errors
/// The queue does not answer.
pub async fn tell(
    buckets: &[BucketPlan],
    queues: &dyn Queues,
    event: &str,
    key: &BlobKey,
    size: u64,
    now: Timestamp,
) -> Result<(), Failure> {
    for bucket in buckets {
        for notice in bucket.notifications.iter().filter(|n| n.covers(event, key.as_str())) {
            let body = body(&bucket.id, event, key, size, now);
            let group = key.as_str().split('/').nth(1).unwrap_or_default().to_owned();
            let message = Message { body, group, delay: std::time::Duration::ZERO };
            queues.send(&QueueAddress(notice.queue.clone()), vec![message]).await?;
        }
    }
    Ok(())
}

/// The blobs as the functions have them: what is joined is told as a bucket tells it.
pub(crate) struct Telling {
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) buckets: Arc<Vec<BucketPlan>>,
    pub(crate) queues: Arc<dyn Queues>,
    pub(crate) ambient: Ambient,
}

#[async_trait]
impl Blobs for Telling {
    async fn put(
        &self,
        key: &BlobKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        self.blobs.put(key, bytes, content_type).await
    }

    async fn put_file(
        &self,
        key: &BlobKey,
        file: &Path,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        self.blobs.put_file(key, file, content_type).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Bytes>, BlobError> {
        self.blobs.get(key).await
    }

    async fn range(&self, key: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>, BlobError> {
        self.blobs.range(key, range).await
    }

    async fn fetch(&self, key: &BlobKey, into: &Path) -> Result<Option<BlobFacts>, BlobError> {
        self.blobs.fetch(key, into).await
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<BlobFacts>, BlobError> {
        self.blobs.head(key).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        self.blobs.delete(key).await
    }

    async fn list(&self, prefix: &str, page: &Page) -> Result<BlobSlice, BlobError> {
        self.blobs.list(prefix, page).await
    }

    async fn sign_upload(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<SignedUpload, BlobError> {
        self.blobs.sign_upload(key, rules).await
    }

    async fn sign_parts(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<PartedUpload, BlobError> {
        self.blobs.sign_parts(key, rules).await
    }

    /// Tells of what was joined before too: whoever joined it may not have come to tell. A queue that does not answer
    /// is told as the store being away, so that the joining is asked again.
    async fn join_parts(
        &self,
        key: &BlobKey,
        upload: &str,
        rules: &UploadRules,
    ) -> Result<Joined, BlobError> {
        let joined = self.blobs.join_parts(key, upload, rules).await?;
        if matches!(joined, Joined::Now | Joined::Before)
            && let Some(facts) = self.blobs.head(key).await?
        {
            let (queues, now) = (&*self.queues, self.ambient.now());
            tell(&self.buckets, queues, JOINED, key, facts.size, now)
                .await
                .map_err(|failure| BlobError::Unavailable(Box::new(failure)))?;
        }
        Ok(joined)
    }

    async fn drop_parts(&self, key: &BlobKey, upload: &str) -> Result<(), BlobError> {
        self.blobs.drop_parts(key, upload).await
    }

    async fn sign_download(&self, key: &BlobKey, until: Timestamp) -> Result<String, BlobError> {
        self.blobs.sign_download(key, until).await
    }
}

fn body(bucket: &str, event: &str, key: &BlobKey, size: u64, now: Timestamp) -> String {
    let encoded: String = form_urlencoded::byte_serialize(key.as_str().as_bytes()).collect();
    // S3 leaves the slashes of a key as they are.
    let encoded = encoded.replace("%2F", "/");
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": now.to_string(),
        "eventName": event,
        "userIdentity": { "principalId": "local" },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": {},
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": { "name": bucket, "arn": format!("arn:aws:s3:::{bucket}") },
            "object": { "key": encoded, "size": size, "sequencer": format!("{:016X}", now.as_millisecond()) },
        },
    }]})
    .to_string()
}

#[cfg(test)]
mod tests {
    use nexus_handler::{Created, FromQueue, S3Notice};

    use super::*;

    #[test]
    fn a_notice_reads_back_whatever_the_key() {
        let key = BlobKey::stored("in/ten_a/crème brûlée+1 (2).jpg");
        for event in [PUT, JOINED] {
            let text = body("MediaBucket", event, &key, 7, Timestamp::UNIX_EPOCH);
            assert!(text.contains("in/ten_a/cr%C3%A8me+br"), "{text}");
            let created = Created { key: key.clone(), size: 7 };
            assert_eq!(S3Notice::from_queue(&text).unwrap().0, [created]);
        }
    }
}
