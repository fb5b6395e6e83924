//! Uploads in parts by whoever holds the parts' addresses.
//!
//! S3 itself is asked which parts have come and of which size: nothing that a browser tells is relied on. What is
//! neither joined nor dropped, the bucket's lifecycle aborts after a day.

use std::collections::BTreeMap;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::list_parts::ListPartsError;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use nexus_core::blobs::{
    BlobError, BlobKey, Joined, PartedUpload, SignedPart, SignedUpload, UploadRules,
};

use super::{S3Blobs, facts, sign, status, unavailable};

/// Begins an upload: type and encryption are said now, the size of each part is under its signature.
pub(super) async fn begin(
    blobs: &S3Blobs,
    key: &BlobKey,
    rules: &UploadRules,
) -> Result<PartedUpload, BlobError> {
    let sizes = rules.part_sizes()?;
    let begun = blobs
        .client
        .create_multipart_upload()
        .bucket(&blobs.bucket)
        .key(key.as_str())
        .content_type(&rules.content_type)
        .set_server_side_encryption(blobs.encryption())
        .set_ssekms_key_id(blobs.key_id.clone())
        .set_bucket_key_enabled(blobs.bucket_key())
        .send()
        .await
        .map_err(unavailable)?;
    let id = begun.upload_id.unwrap_or_default();
    let mut parts = Vec::with_capacity(sizes.len());
    for (number, size) in (1..).zip(sizes) {
        parts.push(SignedPart {
            number,
            size,
            put: part(blobs, key, &id, number, size, rules).await?,
        });
    }
    Ok(PartedUpload { id, parts })
}

async fn part(
    blobs: &S3Blobs,
    key: &BlobKey,
    upload: &str,
    number: u32,
    size: u64,
    rules: &UploadRules,
) -> Result<SignedUpload, BlobError> {
    let (config, until) = sign::life(blobs.clock.now(), rules.until)?;
    let signed = blobs
        .client
        .upload_part()
        .bucket(&blobs.bucket)
        .key(key.as_str())
        .upload_id(upload)
        .part_number(number.cast_signed())
        .content_length(size.cast_signed())
        .presigned(config)
        .await
        .map_err(unavailable)?;
    Ok(sign::request(&signed, until))
}

/// Completes an upload on the condition that nothing stands at the key.
pub(super) async fn join(
    blobs: &S3Blobs,
    key: &BlobKey,
    upload: &str,
    rules: &UploadRules,
) -> Result<Joined, BlobError> {
    let sizes = rules.part_sizes()?;
    let Some(come) = come(blobs, key, upload).await? else { return ended(blobs, key).await };
    let mut done = CompletedMultipartUpload::builder();
    let mut missing = Vec::new();
    for (number, size) in (1..).zip(sizes) {
        match come.get(&number).filter(|part| part.size == size) {
            Some(Part { tag, .. }) => {
                let part = CompletedPart::builder().part_number(number.cast_signed());
                done = done.parts(part.set_e_tag(tag.clone()).build());
            }
            None => missing.push(number),
        }
    }
    if !missing.is_empty() {
        if stands(blobs, key).await? {
            drop_all(blobs, key, upload).await?;
            return Ok(Joined::Before);
        }
        return Ok(Joined::Missing(missing));
    }
    let complete = blobs.client.complete_multipart_upload().bucket(&blobs.bucket).key(key.as_str());
    let complete = complete.upload_id(upload).multipart_upload(done.build()).if_none_match("*");
    match complete.send().await {
        Ok(_) => Ok(Joined::Now),
        Err(error) if status(&error) == Some(412) => {
            drop_all(blobs, key, upload).await?;
            Ok(Joined::Before)
        }
        Err(error) if error.code() == Some(NO_SUCH_UPLOAD) => ended(blobs, key).await,
        Err(error) => Err(unavailable(error)),
    }
}

/// Aborts an upload; S3 removes what has come of it.
pub(super) async fn drop_all(
    blobs: &S3Blobs,
    key: &BlobKey,
    upload: &str,
) -> Result<(), BlobError> {
    let abort = blobs.client.abort_multipart_upload().bucket(&blobs.bucket).key(key.as_str());
    match abort.upload_id(upload).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(NO_SUCH_UPLOAD) => Ok(()),
        Err(error) => Err(unavailable(error)),
    }
}

const NO_SUCH_UPLOAD: &str = "NoSuchUpload";

/// A part that has come.
struct Part {
    size: u64,
    tag: Option<String>,
}

/// What has come of an upload; `None` where there is none.
async fn come(
    blobs: &S3Blobs,
    key: &BlobKey,
    upload: &str,
) -> Result<Option<BTreeMap<u32, Part>>, BlobError> {
    let list = blobs.client.list_parts().bucket(&blobs.bucket).key(key.as_str()).upload_id(upload);
    let mut pages = list.into_paginator().send();
    let mut come = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(unavailable(error)),
        };
        come.extend(page.parts.unwrap_or_default().into_iter().filter_map(|part| {
            let size = u64::try_from(part.size?).ok()?;
            Some((u32::try_from(part.part_number?).ok()?, Part { size, tag: part.e_tag }))
        }));
    }
    Ok(Some(come))
}

fn is_gone(error: &SdkError<ListPartsError>) -> bool {
    error.code() == Some(NO_SUCH_UPLOAD)
}

/// What became of an upload that is not there any more.
async fn ended(blobs: &S3Blobs, key: &BlobKey) -> Result<Joined, BlobError> {
    Ok(if stands(blobs, key).await? { Joined::Before } else { Joined::Gone })
}

async fn stands(blobs: &S3Blobs, key: &BlobKey) -> Result<bool, BlobError> {
    let head = blobs.client.head_object().bucket(&blobs.bucket).key(key.as_str());
    Ok(facts::known(head.send().await)?.is_some())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nexus_core::blobs::{Blobs, PART_BYTES};
    use nexus_kernel::Timestamp;
    use nexus_kernel::ambient::ManualClock;

    use super::*;
    use crate::replay::{answering, sent};

    const BEGUN: &str =
        "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    const GONE: &str = "<Error><Code>NoSuchUpload</Code><Message>m</Message></Error>";
    const DONE: &str =
        "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>";

    fn key() -> BlobKey {
        BlobKey::stored("in/ten_a/film")
    }

    fn rules() -> UploadRules {
        let until = Timestamp::from_second(1_795_165_260 + 900).unwrap();
        UploadRules { content_type: "video/mp4".into(), size: PART_BYTES + 9, until }
    }

    /// An answer that lists these parts, each by its number and size.
    fn parts(of: &[(u32, u64)]) -> String {
        let part = |(number, size): &(u32, u64)| {
            format!(
                "<Part><PartNumber>{number}</PartNumber><Size>{size}</Size><ETag>t{number}</ETag></Part>"
            )
        };
        let parts: String = of.iter().map(part).collect();
        format!("<ListPartsResult><IsTruncated>false</IsTruncated>{parts}</ListPartsResult>")
    }

    async fn join_after(answers: &[(u16, &str)]) -> (Result<Joined, BlobError>, Vec<String>) {
        let (config, client) = answering(1, answers);
        let outcome = blobs(&config).join_parts(&key(), "u", &rules()).await;
        let verb = |(method, path, _): (String, String, String)| {
            format!("{method} {}", path.split_once('?').map_or("", |(_, query)| query))
        };
        (outcome, sent(&client).into_iter().map(verb).collect())
    }

    fn blobs(config: &aws_config::SdkConfig) -> S3Blobs {
        let clock = ManualClock::at(Timestamp::from_second(1_795_165_260).unwrap());
        S3Blobs::new(config, "bucket", Some("key-id".into()), Arc::new(clock))
    }

    #[tokio::test]
    async fn n45_an_upload_in_parts_is_encrypted_and_signs_each_parts_size() {
        let (config, client) = answering(1, &[(200, BEGUN)]);
        let upload = blobs(&config).sign_parts(&key(), &rules()).await.unwrap();
        let request = client.actual_requests().next().unwrap();
        let header = |name| request.headers().get(name);
        assert_eq!(header("x-amz-server-side-encryption"), Some("aws:kms"));
        assert_eq!(header("x-amz-server-side-encryption-aws-kms-key-id"), Some("key-id"));
        assert_eq!(header("x-amz-server-side-encryption-bucket-key-enabled"), Some("true"));
        assert_eq!(header("content-type"), Some("video/mp4"));
        assert_eq!(upload.id, "u");
        for (n, part) in upload.parts.iter().enumerate() {
            let url = &part.put.url;
            assert!(url.contains("X-Amz-SignedHeaders=content-length%3Bhost"), "{url}");
            assert!(url.contains("X-Amz-Expires=899"), "{url}");
            assert!(url.contains(&format!("partNumber={}", n + 1)) && url.contains("uploadId=u"));
            assert_eq!(part.put.headers, [], "the browser sends the length by itself");
        }
        assert_eq!(upload.parts.iter().map(|p| p.size).collect::<Vec<_>>(), [PART_BYTES, 9]);
    }

    #[tokio::test]
    async fn only_what_is_whole_is_completed_and_only_onto_nothing() {
        let whole = parts(&[(1, PART_BYTES), (2, 9)]);
        let (config, client) = answering(1, &[(200, &whole), (200, DONE)]);
        let joined = blobs(&config).join_parts(&key(), "u", &rules()).await.unwrap();
        assert_eq!(joined, Joined::Now);
        let complete = client.actual_requests().nth(1).unwrap();
        assert_eq!(complete.headers().get("if-none-match"), Some("*"));
        let body = sent(&client).remove(1).2;
        assert!(body.contains("<ETag>t1</ETag>") && body.contains("<ETag>t2</ETag>"), "{body}");

        let short = parts(&[(2, 8)]);
        let (outcome, _) = join_after(&[(200, &short), (404, "")]).await;
        assert_eq!(outcome.unwrap(), Joined::Missing(vec![1, 2]), "one has another size");
    }

    #[tokio::test]
    async fn what_ended_before_is_told_by_what_stands() {
        let (outcome, _) = join_after(&[(404, GONE), (200, "")]).await;
        assert_eq!(outcome.unwrap(), Joined::Before);
        let (outcome, _) = join_after(&[(404, GONE), (404, "")]).await;
        assert_eq!(outcome.unwrap(), Joined::Gone);
        let whole = parts(&[(1, PART_BYTES), (2, 9)]);
        let (outcome, _) = join_after(&[(200, &whole), (404, GONE), (200, "")]).await;
        assert_eq!(outcome.unwrap(), Joined::Before, "another joined it in between");
        let taken = "<Error><Code>PreconditionFailed</Code><Message>m</Message></Error>";
        let (outcome, verbs) = join_after(&[(200, &whole), (412, taken), (204, "")]).await;
        assert_eq!(outcome.unwrap(), Joined::Before);
        assert!(verbs[2].starts_with("DELETE"), "what is left of it goes: {verbs:?}");
    }

    #[tokio::test]
    async fn an_answer_that_ends_in_an_error_is_one_though_it_began_well() {
        let whole = parts(&[(1, PART_BYTES), (2, 9)]);
        let failed = "<Error><Code>InternalError</Code><Message>m</Message></Error>";
        let (outcome, _) = join_after(&[(200, &whole), (200, failed)]).await;
        assert!(matches!(outcome, Err(BlobError::Unavailable(_))), "{outcome:?}");
        let (outcome, _) = join_after(&[(403, failed)]).await;
        assert!(matches!(outcome, Err(BlobError::Unavailable(_))), "{outcome:?}");
    }

    #[tokio::test]
    async fn dropping_what_is_gone_is_no_error() {
        for (answer, is_ok) in [((204, ""), true), ((404, GONE), true), ((403, ""), false)] {
            let (config, _) = answering(1, &[answer]);
            assert_eq!(blobs(&config).drop_parts(&key(), "u").await.is_ok(), is_ok);
        }
    }
}
