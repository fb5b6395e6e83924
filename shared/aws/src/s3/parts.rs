//! Large files go in parts; what was begun and not ended is aborted (and swept by the bucket's lifecycle).

use std::path::Path;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use nexus_core::blobs::{BlobError, BlobFacts, BlobKey};
use nexus_kernel::Digest;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::{S3Blobs, facts, unavailable};

/// How large a part is; so many are held in memory at once: one.
const PART: u64 = 16 * 1024 * 1024;

pub(super) async fn put(
    blobs: &S3Blobs,
    key: &BlobKey,
    file: &Path,
    facts: BlobFacts,
) -> Result<BlobFacts, BlobError> {
    let begun = blobs
        .client
        .create_multipart_upload()
        .bucket(&blobs.bucket)
        .key(key.as_str())
        .content_type(&facts.content_type)
        .metadata(facts::METADATA, facts.digest.to_hex())
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .set_server_side_encryption(blobs.encryption())
        .set_ssekms_key_id(blobs.key_id.clone())
        .set_bucket_key_enabled(blobs.bucket_key())
        .send()
        .await
        .map_err(unavailable)?;
    let upload = begun.upload_id().unwrap_or_default();
    match send(blobs, key, file, upload).await {
        Ok(()) => Ok(facts),
        Err(error) => {
            let abort = blobs.client.abort_multipart_upload().bucket(&blobs.bucket);
            // If this fails too, the bucket's lifecycle removes the parts after a day.
            drop(abort.key(key.as_str()).upload_id(upload).send().await);
            Err(error)
        }
    }
}

async fn send(blobs: &S3Blobs, key: &BlobKey, file: &Path, upload: &str) -> Result<(), BlobError> {
    let mut file = File::open(file).await.map_err(unavailable)?;
    let mut done = CompletedMultipartUpload::builder();
    for number in 1.. {
        let mut part = Vec::new();
        (&mut file).take(PART).read_to_end(&mut part).await.map_err(unavailable)?;
        if part.is_empty() {
            break;
        }
        let checksum = facts::checksum(&Digest::of(&part));
        let sent = blobs
            .client
            .upload_part()
            .bucket(&blobs.bucket)
            .key(key.as_str())
            .upload_id(upload)
            .part_number(number)
            .checksum_sha256(&checksum)
            .body(part.into())
            .send()
            .await
            .map_err(unavailable)?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
        done = done.parts(part.checksum_sha256(checksum).build());
    }
    let complete = blobs.client.complete_multipart_upload().bucket(&blobs.bucket).key(key.as_str());
    complete.upload_id(upload).multipart_upload(done.build()).send().await.map_err(unavailable)?;
    Ok(())
}
