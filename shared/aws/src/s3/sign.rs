//! Requests that whoever holds them may make.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use nexus_core::blobs::{BlobError, BlobKey, SignedUpload, UploadRules};
use nexus_kernel::Timestamp;

use super::{S3Blobs, unavailable};

/// The longest life of a signature, as S3 has it.
const LONGEST: i64 = 7 * 24 * 3600;

/// A put of exactly this: size, type, encryption and that nothing stands there are all under the signature.
pub(super) async fn upload(
    blobs: &S3Blobs,
    key: &BlobKey,
    rules: &UploadRules,
) -> Result<SignedUpload, BlobError> {
    let (config, until) = life(blobs.clock.now(), rules.until)?;
    let signed = blobs
        .client
        .put_object()
        .bucket(&blobs.bucket)
        .key(key.as_str())
        .content_length(rules.size.cast_signed())
        .content_type(&rules.content_type)
        .if_none_match("*")
        .set_server_side_encryption(blobs.encryption())
        .set_ssekms_key_id(blobs.key_id.clone())
        .set_bucket_key_enabled(blobs.bucket_key())
        .presigned(config)
        .await
        .map_err(unavailable)?;
    Ok(request(&signed, until))
}

/// What whoever puts it is told.
pub(super) fn request(signed: &PresignedRequest, until: Timestamp) -> SignedUpload {
    // Every client sends the body's length itself, and a page may not.
    let headers = signed.headers().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    SignedUpload { method: "PUT", url: signed.uri().to_owned(), headers, until }
}

pub(super) async fn download(
    blobs: &S3Blobs,
    key: &BlobKey,
    until: Timestamp,
) -> Result<String, BlobError> {
    let (config, _) = life(blobs.clock.now(), until)?;
    let request = blobs.client.get_object().bucket(&blobs.bucket).key(key.as_str());
    let signed = request.presigned(config).await.map_err(unavailable)?;
    Ok(signed.uri().to_owned())
}

/// From which second to which a signature serves, and until when that is. S3 counts whole seconds and takes the last
/// one too, so the last is the one before the end: rather a second early than at a moment that was to be over.
pub(super) fn life(
    now: Timestamp,
    until: Timestamp,
) -> Result<(PresigningConfig, Timestamp), BlobError> {
    let whole = until.as_second() + i64::from(until.subsec_nanosecond() > 0) - 1;
    let last = whole.min(now.as_second() + LONGEST);
    let first = now.as_second().min(last - 1);
    let at = |second| Timestamp::from_second(second).map_err(unavailable);
    let config = PresigningConfig::builder()
        .start_time(SystemTime::from(at(first)?))
        .expires_in(Duration::from_secs((last - first).unsigned_abs()))
        .build()
        .map_err(unavailable)?;
    Ok((config, if last < whole { at(last)? } else { until }))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_165_260_000 + ms).unwrap()
    }

    /// The first second after `at(0)` at which S3 no longer takes it, and the last at which it does.
    fn served(now: i64, until: i64) -> (i64, i64, i64) {
        let (config, told) = life(at(now), at(until)).unwrap();
        let first =
            Timestamp::try_from(config.start_time()).unwrap().as_second() - at(0).as_second();
        (
            first,
            first + i64::try_from(config.expires().as_secs()).unwrap(),
            (told - at(0)).total(jiff::Unit::Millisecond).unwrap() as i64,
        )
    }

    #[test]
    fn a_signature_never_serves_at_its_end() {
        assert_eq!(served(0, 900_000), (0, 899, 900_000));
        assert_eq!(served(999, 900_001), (0, 900, 900_001));
        // What is over before it begins is signed for the past.
        assert_eq!(served(0, 0), (-2, -1, 0));
        assert_eq!(served(10_500, 10_900), (9, 10, 10_900));
        assert_eq!(served(60_000, 0), (-2, -1, 0));
    }

    #[test]
    fn a_signature_lives_seven_days_at_most_and_says_so() {
        let month = SignedDuration::from_hours(30 * 24).as_millis() as i64;
        assert_eq!(served(0, month), (0, LONGEST, LONGEST * 1000));
    }
}
