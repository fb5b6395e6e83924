//! The files behind the blobs: no more than rows name, no fewer, and nothing but what was put.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nexus_contract::START;
use nexus_core::blobs::{BlobError, BlobKey};
use nexus_embedded::{Store, Strays};
use nexus_kernel::ambient::ManualClock;

use crate::open;

fn key(rest: &str) -> BlobKey {
    BlobKey::stored(format!("media/ten_a/{rest}"))
}

/// All files below a directory.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// A store with some blobs.
async fn with_blobs(dir: &Path, blobs: &[(&str, &'static str)]) -> Store {
    let store = open(dir, &ManualClock::at(START));
    for (rest, content) in blobs {
        store
            .blobs()
            .put(&key(rest), Bytes::from_static(content.as_bytes()), "text/plain")
            .await
            .unwrap();
    }
    store
}

#[tokio::test]
async fn a_content_stands_once_per_owner_and_goes_with_its_last_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_blobs(dir.path(), &[("a", "same"), ("b", "same"), ("c", "other")]).await;
    let root = dir.path().join("blobs/engine");
    assert_eq!(files(&root).len(), 2);
    let blobs = store.blobs();
    assert!(blobs.delete(&key("a")).await.unwrap());
    assert_eq!(files(&root).len(), 2);
    blobs.put(&key("b"), "new".into(), "text/plain").await.unwrap();
    assert_eq!(files(&root).len(), 2, "what was replaced is gone");
    assert!(blobs.delete(&key("b")).await.unwrap() && blobs.delete(&key("c")).await.unwrap());
    assert_eq!(files(&root).len(), 0);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "nothing but the place for what comes in");
}

#[tokio::test]
async fn strays_go_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_blobs(dir.path(), &[("a", "one"), ("b", "two")]).await;
    assert_eq!(store.collect_strays().await.unwrap(), Strays::default());
    let root = dir.path().join("blobs/engine");
    // What a crash between file and row leaves, and one while the file was written.
    fs::create_dir_all(root.join("media/ten_b/ab")).unwrap();
    fs::write(root.join("media/ten_b/ab").join("ab".repeat(32)), "12345").unwrap();
    fs::write(root.join("incoming/0123456789-7"), "123").unwrap();
    // A file that this very process is about to place stays.
    let own = fs::read_dir(dir.path().join("processes")).unwrap().find_map(|e| {
        e.unwrap().file_name().to_str().and_then(|n| n.strip_suffix(".lock")).map(String::from)
    });
    let coming = root.join("incoming").join(format!("{}-99", own.unwrap()));
    fs::write(&coming, "x").unwrap();
    assert_eq!(store.collect_strays().await.unwrap(), Strays { removed: 2, bytes: 8 });
    assert!(coming.exists() && !root.join("media/ten_b").exists());
    assert_eq!(store.blobs().get(&key("a")).await.unwrap(), Some("one".into()));
    assert_eq!(store.blobs().get(&key("b")).await.unwrap(), Some("two".into()));
    assert_eq!(store.collect_strays().await.unwrap(), Strays::default());
}

#[tokio::test]
async fn a_damaged_content_is_told_and_never_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_blobs(dir.path(), &[("a", "content")]).await;
    let blobs = store.blobs();
    let file = files(&dir.path().join("blobs/engine")).remove(0);
    let out = dir.path().join("out");
    let is_told = |error: BlobError, what: &str| match error {
        BlobError::Unavailable(cause) => assert!(cause.to_string().contains(what), "{cause}"),
        other => panic!("{other:?}"),
    };
    fs::write(&file, "c0ntent").unwrap();
    is_told(blobs.get(&key("a")).await.unwrap_err(), "not what was put");
    is_told(blobs.fetch(&key("a"), &out).await.unwrap_err(), "not what was put");
    assert!(!out.exists());
    fs::remove_file(&file).unwrap();
    is_told(blobs.get(&key("a")).await.unwrap_err(), "is missing");
    is_told(blobs.fetch(&key("a"), &out).await.unwrap_err(), "is missing");
    // Putting it again mends it.
    blobs.put(&key("b"), "content".into(), "text/plain").await.unwrap();
    assert_eq!(blobs.get(&key("a")).await.unwrap(), Some("content".into()));
}

#[tokio::test]
async fn a_put_that_fails_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_blobs(dir.path(), &[]).await;
    // A directory can be opened, but not read.
    let outcome = store.blobs().put_file(&key("a"), dir.path(), "text/plain").await;
    assert!(matches!(outcome, Err(BlobError::Unavailable(_))), "{outcome:?}");
    assert_eq!(files(&dir.path().join("blobs")).len(), 0);
}

#[tokio::test]
async fn what_was_written_is_there_when_the_store_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    drop(with_blobs(dir.path(), &[("a", "content")]).await);
    let store = with_blobs(dir.path(), &[]).await;
    assert_eq!(store.blobs().get(&key("a")).await.unwrap(), Some("content".into()));
    assert_eq!(store.collect_strays().await.unwrap(), Strays::default());
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a file");
    fs::write(&file, "").unwrap();
    let open = || {
        let clock = std::sync::Arc::new(ManualClock::at(START));
        let ambient = nexus_kernel::Ambient::seeded(clock, 1);
        Store::open(&file, nexus_core::Product::Engine, ambient)
    };
    let error = open().err().unwrap();
    assert!(error.to_string().contains("a file"), "{error}");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    fs::write(file.join("engine.db"), "this is no database, however long one looks at it").unwrap();
    let error = open().err().unwrap();
    assert!(error.path.ends_with("engine.db"), "{error}");
}
