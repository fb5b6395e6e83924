//! The blobs' contract on S3.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use bytes::Bytes;
use nexus_aws::S3Blobs;
use nexus_contract::blobs::{Browser, Stand};
use nexus_contract::{Pair, START};
use nexus_core::blobs::{BlobKey, UploadRules};

use crate::emulator::Emulator;

const BUCKET: &str = "nexus-media";
const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/0f7c2d52-9d0a-4c2d-8f3d-90c2b33b7f55";

async fn open() -> Stand {
    on(&Emulator::anew().await).await
}

async fn on(emulator: &Emulator) -> Stand {
    let config = emulator.config().await;
    let client = Client::new(&config);
    client.create_bucket().bucket(BUCKET).send().await.unwrap();
    let versions =
        VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let versioned =
        client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(versions);
    versioned.send().await.unwrap();
    let handle = |config| {
        Arc::new(S3Blobs::new(config, BUCKET, Some(KEY.into()), Arc::new(emulator.clock.clone())))
    };
    let (one, other) = (handle(&config), handle(&emulator.config().await));
    let pair = Pair::new(one as _, other as _, emulator.clock.clone());
    Stand { pair, browser: Arc::new(Anybody(emulator.clone())) }
}

/// Whoever holds an address.
struct Anybody(Emulator);

/// What S3 asks of every request that carries no header of authorization. The emulator answers some that lack one of
/// these as if they came from whoever owns the bucket; S3 refuses them, so they never get that far here.
const SIGNED_BY: [&str; 6] = [
    "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    "X-Amz-Credential=",
    "X-Amz-Date=",
    "X-Amz-Expires=",
    "X-Amz-SignedHeaders=",
    "X-Amz-Signature=",
];

fn is_signed(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    SIGNED_BY.iter().all(|needed| query.split('&').any(|part| part.starts_with(needed)))
}

#[async_trait]
impl Browser for Anybody {
    async fn put(&self, url: &str, headers: &[(String, String)], body: Bytes) -> bool {
        is_signed(url) && self.0.request("PUT", url, headers, body).await.is_some()
    }

    async fn get(&self, url: &str) -> Option<Bytes> {
        if !is_signed(url) {
            return None;
        }
        self.0.request("GET", url, &[], Bytes::new()).await
    }
}

crate::sentences! {
    blobs, open:
    s01_what_was_put_is_read_back
    s01_what_was_put_from_a_file_is_read_back
    s02_a_put_replaces_what_stood_there
    s02_no_reader_sees_half_of_a_blob
    s03_a_range_returns_exactly_its_bytes
    s04_a_missing_blob_is_none
    s04_one_of_many_deletions_finds_the_blob
    s05_a_list_returns_every_key_once
    s05_a_list_misses_nothing_that_stays
    s06_a_signed_upload_takes_what_it_was_signed_for
    s06_a_signed_download_answers_until_its_moment
    s06_a_changed_address_is_refused
    s07_equal_contents_live_and_die_apart
    s07_concurrent_puts_and_deletions_take_nothing_from_others
    s08_parts_become_one_blob
    s08_a_part_is_taken_until_its_moment
    s08_joining_replaces_nothing
    s08_what_was_dropped_leaves_nothing
}

/// Beyond s06: every header is under the signature, and what stands is not replaced.
#[tokio::test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
async fn a_signed_upload_takes_its_headers_and_nothing_twice() {
    let Stand { pair, browser } = open().await;
    let key = BlobKey::stored("in/ten_a/upload é %&=?#+ 😀");
    let until = START + Duration::from_secs(900);
    let rules = UploadRules { content_type: "image/svg+xml; a=b".into(), size: 9, until };
    let upload = pair.one.sign_upload(&key, &rules).await.unwrap();
    for n in 0..upload.headers.len() {
        let mut changed = upload.headers.clone();
        changed[n].1.push('x');
        let name = changed[n].0.clone();
        assert!(!browser.put(&upload.url, &changed, "ninebytes".into()).await, "{name} changed");
        changed.remove(n);
        assert!(!browser.put(&upload.url, &changed, "ninebytes".into()).await, "without {name}");
    }
    assert_eq!(pair.other.head(&key).await.unwrap(), None);
    assert!(browser.put(&upload.url, &upload.headers, "ninebytes".into()).await);
    assert!(!browser.put(&upload.url, &upload.headers, "ninemores".into()).await);
    assert_eq!(pair.other.get(&key).await.unwrap().as_deref(), Some(&b"ninebytes"[..]));
}

/// What was overwritten and deleted is gone in every version, though the bucket keeps versions.
#[tokio::test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
async fn a_deleted_blob_leaves_no_version() {
    let emulator = Emulator::anew().await;
    let Stand { pair, .. } = on(&emulator).await;
    let [key, other] = ["made/ten_a/film", "made/ten_a/film 2"].map(BlobKey::stored);
    for content in ["one", "two"] {
        for key in [&key, &other] {
            pair.one.put(key, content.into(), "video/mp4").await.unwrap();
        }
    }
    assert!(pair.one.delete(&key).await.unwrap());
    let client = Client::new(&emulator.config().await);
    let left = client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    let left: Vec<_> = left.versions().iter().map(|v| v.key().unwrap()).collect();
    assert_eq!(left, [other.as_str(); 2]);
}

/// Above 100 MB a file goes in parts, and what is told of it is the content's, not the parts'.
#[tokio::test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
async fn a_large_file_goes_in_parts_and_comes_back_whole() {
    let Stand { pair, .. } = open().await;
    let dir = tempfile::tempdir().unwrap();
    let [source, target] = ["source", "target"].map(|name| dir.path().join(name));
    let mut content = vec![7; 101 * 1024 * 1024];
    content.chunks_mut(1024 * 1024).enumerate().for_each(|(n, mebibyte)| mebibyte[0] = n as u8);
    std::fs::write(&source, &content).unwrap();
    let key = BlobKey::stored("made/ten_a/film");
    let told = pair.one.put_file(&key, &source, "video/mp4").await.unwrap();
    assert_eq!(
        (told.size, told.digest),
        (content.len() as u64, nexus_kernel::Digest::of(&content))
    );
    assert_eq!(pair.other.head(&key).await.unwrap(), Some(told.clone()));
    assert_eq!(pair.other.fetch(&key, &target).await.unwrap(), Some(told));
    assert!(std::fs::read(&target).unwrap() == content);
}
