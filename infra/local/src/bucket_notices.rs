//! What a bucket tells its queue when something was put, in the shape S3 writes it.

use nexus_core::queues::Message;
use nexus_core::{BlobKey, QueueAddress, Queues};
use nexus_kernel::{Failure, Timestamp};
use serde_json::json;

use crate::template::plan::BucketPlan;

/// How S3 names a simple upload.
const PUT: &str = "ObjectCreated:Put";

/// Tells every queue that the template wires for such a key.
///
/// # Errors
/// The queue does not answer.
pub async fn tell(
    buckets: &[BucketPlan],
    queues: &dyn Queues,
    key: &BlobKey,
    size: u64,
    now: Timestamp,
) -> Result<(), Failure> {
    for bucket in buckets {
        for notice in bucket.notifications.iter().filter(|n| n.covers(PUT, key.as_str())) {
            let body = body(&bucket.id, key, size, now);
            let group = key.as_str().split('/').nth(1).unwrap_or_default().to_owned();
            let message = Message { body, group, delay: std::time::Duration::ZERO };
            queues.send(&QueueAddress(notice.queue.clone()), vec![message]).await?;
        }
    }
    Ok(())
}

fn body(bucket: &str, key: &BlobKey, size: u64, now: Timestamp) -> String {
    let encoded: String = form_urlencoded::byte_serialize(key.as_str().as_bytes()).collect();
    // S3 leaves the slashes of a key as they are.
    let encoded = encoded.replace("%2F", "/");
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": now.to_string(),
        "eventName": PUT,
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
        let text = body("MediaBucket", &key, 7, Timestamp::UNIX_EPOCH);
        assert!(text.contains("in/ten_a/cr%C3%A8me+br"), "{text}");
        assert_eq!(S3Notice::from_queue(&text).unwrap().0, [Created { key, size: 7 }]);
    }
}
