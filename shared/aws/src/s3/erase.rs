//! Deleting: the blob and, in a versioned bucket, every version of it.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::EncodingType;
use nexus_core::blobs::BlobError;

use super::{facts, status, unavailable};

/// Deletes a blob; true where there was one. Of several who delete it at once one is told so.
pub(super) async fn erase(client: &Client, bucket: &str, key: &str) -> Result<bool, BlobError> {
    // On the condition that something is there: else S3 says yes to everybody.
    let deleted = client.delete_object().bucket(bucket).key(key).if_match("*").send().await;
    let found = match deleted {
        Ok(_) => true,
        Err(error) if status(&error) == Some(404) => false,
        Err(error) => return Err(unavailable(error)),
    };
    // The versions first and the delete markers last: without its marker a version would be there again.
    let (versions, markers) = old_versions(client, bucket, key).await?;
    for version in versions.into_iter().chain(markers) {
        let old = client.delete_object().bucket(bucket).key(key).version_id(version);
        old.send().await.map_err(unavailable)?;
    }
    Ok(found)
}

/// The versions of a key that are not its content now (somebody may have put it anew), and its delete markers.
async fn old_versions(
    client: &Client,
    bucket: &str,
    key: &str,
) -> Result<(Vec<String>, Vec<String>), BlobError> {
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    let (mut after, mut after_version) = (None, None);
    loop {
        let page = client
            .list_object_versions()
            .bucket(bucket)
            .prefix(key)
            .encoding_type(EncodingType::Url);
        let page = page.set_key_marker(after).set_version_id_marker(after_version);
        let page = page.send().await.map_err(unavailable)?;
        let is_ours = |raw: Option<&str>| raw.is_some_and(|raw| facts::decoded(raw) == key);
        let old =
            page.versions().iter().filter(|v| is_ours(v.key()) && v.is_latest() != Some(true));
        versions.extend(old.filter_map(|v| v.version_id.clone()));
        let marks = page.delete_markers().iter().filter(|m| is_ours(m.key()));
        markers.extend(marks.filter_map(|m| m.version_id.clone()));
        // The key itself stands before all that it begins.
        if page.is_truncated() != Some(true) || !is_ours(page.next_key_marker()) {
            return Ok((versions, markers));
        }
        after = page.next_key_marker().map(facts::decoded);
        after_version = page.next_version_id_marker;
    }
}
