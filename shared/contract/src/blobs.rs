//! The sentences of the blobs' contract (see [`nexus_core::blobs`]), each as tests.
#![expect(clippy::unwrap_used, reason = "a sentence that does not hold panics: that is its report")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use nexus_core::blobs::{
    BlobError, BlobFacts, BlobKey, Blobs, Joined, ListedBlob, MAX_PARTS, PART_BYTES, PartedUpload,
    UploadRules,
};
use nexus_core::table::{Cursor, Page};
use nexus_kernel::{Digest, Timestamp};

use crate::pair::{Pair, START};

/// What the sentences are tried on.
pub struct Stand {
    /// Two handles to the blobs.
    pub pair: Pair<dyn Blobs>,
    /// Somebody to whom addresses are given.
    pub browser: Arc<dyn Browser>,
}

/// Whoever holds a signed address: has no other right than that.
#[async_trait]
pub trait Browser: Send + Sync {
    /// Puts a body with these headers; whether it was taken.
    async fn put(&self, url: &str, headers: &[(String, String)], body: Bytes) -> bool;

    /// Reads what is at an address; `None` where it is refused or nothing is there.
    async fn get(&self, url: &str) -> Option<Bytes>;
}

const OWNER: &str = "ten_0000000000000000000000000000000a";
const STRANGER: &str = "ten_0000000000000000000000000000000b";

fn key(rest: &str) -> BlobKey {
    BlobKey::stored(format!("media/{OWNER}/{rest}"))
}

/// So many bytes that follow from a seed.
fn content(seed: u8, size: usize) -> Bytes {
    (0..size).map(|n| (n as u8).wrapping_mul(31) ^ (n >> 8) as u8 ^ seed).collect()
}

fn facts(bytes: &[u8], content_type: &str, modified: Timestamp) -> BlobFacts {
    BlobFacts {
        size: bytes.len() as u64,
        digest: Digest::of(bytes),
        content_type: content_type.into(),
        modified,
    }
}

impl Stand {
    async fn put(&self, key: &BlobKey, bytes: &Bytes) {
        self.pair.one.put(key, bytes.clone(), "image/png").await.unwrap();
    }

    async fn list(&self, prefix: &str, limit: u32) -> Vec<ListedBlob> {
        let (mut blobs, mut page) = (Vec::new(), Page::first(limit));
        loop {
            let slice = self.pair.other.list(prefix, &page).await.unwrap();
            assert!(slice.blobs.len() <= limit as usize, "a page keeps its limit");
            blobs.extend(slice.blobs);
            match slice.next {
                Some(next) => page.after = Some(next),
                None => return blobs,
            }
        }
    }

    async fn keys(&self, prefix: &str, limit: u32) -> Vec<BlobKey> {
        self.list(prefix, limit).await.into_iter().map(|b| b.key).collect()
    }

    /// Everything that can be asked of a blob, through both handles.
    async fn holds(&self, key: &BlobKey, bytes: &Bytes, facts: &BlobFacts) {
        let dir = tempfile::tempdir().unwrap();
        for blobs in [&self.pair.one, &self.pair.other] {
            assert_eq!(blobs.head(key).await.unwrap().as_ref(), Some(facts));
            assert_eq!(blobs.get(key).await.unwrap().as_ref(), Some(bytes));
            let file = dir.path().join("fetched");
            assert_eq!(blobs.fetch(key, &file).await.unwrap().as_ref(), Some(facts));
            assert_eq!(&Bytes::from(std::fs::read(&file).unwrap()), bytes);
        }
    }

    async fn lacks(&self, key: &BlobKey) {
        let dir = tempfile::tempdir().unwrap();
        for blobs in [&self.pair.one, &self.pair.other] {
            assert_eq!(blobs.head(key).await.unwrap(), None);
            assert_eq!(blobs.get(key).await.unwrap(), None);
            assert_eq!(blobs.range(key, 0..10).await.unwrap(), None);
            let file = dir.path().join("fetched");
            assert_eq!(blobs.fetch(key, &file).await.unwrap(), None);
            assert!(!file.exists(), "no file is made for nothing");
        }
    }
}

/// 1: whatever the size, the type and the key.
pub async fn s01_what_was_put_is_read_back(stand: &Stand) {
    let cases = [
        (key("empty"), content(0, 0), "application/octet-stream"),
        (key("small"), content(1, 10), "image/jpeg"),
        (key("odd keys/é 日本 😀 %2F ..?&=#+"), content(2, 1_000), "text/plain; charset=\"utf-8\""),
        (key("large"), content(3, 3 * 1024 * 1024 + 17), "video/mp4"),
    ];
    for (key, bytes, content_type) in &cases {
        let expected = facts(bytes, content_type, START);
        let told = stand.pair.one.put(key, bytes.clone(), content_type).await.unwrap();
        assert_eq!(told, expected);
    }
    stand.pair.pass(Duration::from_secs(60));
    for (key, bytes, content_type) in &cases {
        stand.holds(key, bytes, &facts(bytes, content_type, START)).await;
    }
}

/// 1: the same for what comes from a file.
pub async fn s01_what_was_put_from_a_file_is_read_back(stand: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    for (n, size) in [0, 1, 2 * 1024 * 1024 + 1].into_iter().enumerate() {
        let (file, bytes) = (dir.path().join("source"), content(n as u8, size));
        std::fs::write(&file, &bytes).unwrap();
        let expected = facts(&bytes, "audio/mpeg", START);
        let told = stand.pair.one.put_file(&key("file"), &file, "audio/mpeg").await.unwrap();
        assert_eq!(told, expected);
        assert_eq!(Bytes::from(std::fs::read(&file).unwrap()), bytes, "the source stays as it was");
        stand.holds(&key("file"), &bytes, &expected).await;
    }
    let missing = dir.path().join("missing");
    let outcome = stand.pair.one.put_file(&key("none"), &missing, "audio/mpeg").await;
    assert!(outcome.is_err());
    stand.lacks(&key("none")).await;
}

/// 2: content, type and moment.
pub async fn s02_a_put_replaces_what_stood_there(stand: &Stand) {
    stand.put(&key("k"), &content(1, 5_000)).await;
    stand.pair.pass(Duration::from_secs(1));
    let (bytes, at) = (content(2, 10), START + Duration::from_secs(1));
    stand.pair.other.put(&key("k"), bytes.clone(), "image/webp").await.unwrap();
    stand.holds(&key("k"), &bytes, &facts(&bytes, "image/webp", at)).await;
    // The same content anew changes what is told of it, and nothing is lost by it.
    stand.pair.one.put(&key("k"), bytes.clone(), "image/gif").await.unwrap();
    stand.holds(&key("k"), &bytes, &facts(&bytes, "image/gif", at)).await;
    assert_eq!(stand.keys("", 10).await, [key("k")]);
}

/// 2: while others replace it without pause.
pub async fn s02_no_reader_sees_half_of_a_blob(stand: &Stand) {
    let versions: Vec<Bytes> = (0..3).map(|n| content(n, 150_000 + usize::from(n))).collect();
    stand.put(&key("k"), &versions[0]).await;
    let over = Arc::new(AtomicBool::new(false));
    let readers = stand.pair.handles(4).map(|(n, blobs)| {
        let (versions, over) = (versions.clone(), Arc::clone(&over));
        tokio::spawn(async move {
            let dir = tempfile::tempdir().unwrap();
            let mut reads = 0;
            while !over.load(Ordering::SeqCst) || reads < 5 {
                reads += 1;
                tokio::task::yield_now().await;
                if n < 2 {
                    let whole = blobs.get(&key("k")).await.unwrap().unwrap();
                    assert!(versions.contains(&whole), "one version, whole");
                } else {
                    let file = dir.path().join("fetched");
                    let told = blobs.fetch(&key("k"), &file).await.unwrap().unwrap();
                    let whole = Bytes::from(std::fs::read(&file).unwrap());
                    assert!(versions.contains(&whole), "one version, whole");
                    assert_eq!(told.digest, Digest::of(&whole), "and told as that one");
                }
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    let writers = stand.pair.handles(2).map(|(n, blobs)| {
        let versions = versions.clone();
        tokio::spawn(async move {
            for round in 0..15 {
                let bytes = versions[(round + n) % 3].clone();
                blobs.put(&key("k"), bytes, "image/png").await.unwrap();
            }
        })
    });
    join_all(writers).await.into_iter().for_each(Result::unwrap);
    over.store(true, Ordering::SeqCst);
    join_all(readers).await.into_iter().for_each(Result::unwrap);
}

/// 3: within and beyond.
pub async fn s03_a_range_returns_exactly_its_bytes(stand: &Stand) {
    let bytes = content(7, 1_000);
    stand.put(&key("k"), &bytes).await;
    for (start, end) in [(0, 0), (0, 1), (0, 1_000), (1, 999), (999, 1_000), (500, 500)] {
        let part = stand.pair.other.range(&key("k"), start..end).await.unwrap().unwrap();
        assert_eq!(part, bytes.slice(start as usize..end as usize), "{start}..{end}");
    }
    let beyond =
        [(0, 1_001, 0), (990, u64::MAX, 990), (1_000, 1_001, 1_000), (1_001, 2_000, 1_000)];
    for (start, end, from) in beyond {
        let part = stand.pair.other.range(&key("k"), start..end).await.unwrap().unwrap();
        assert_eq!(part, bytes.slice(from..), "{start}..{end}");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "somebody might ask for it")]
    let reversed = stand.pair.other.range(&key("k"), 20..10).await.unwrap().unwrap();
    assert!(reversed.is_empty());
}

/// 4: neither missing nor deleted twice is an error.
pub async fn s04_a_missing_blob_is_none(stand: &Stand) {
    stand.lacks(&key("k")).await;
    assert!(!stand.pair.one.delete(&key("k")).await.unwrap());
    stand.put(&key("k"), &content(1, 100)).await;
    assert!(stand.pair.other.delete(&key("k")).await.unwrap());
    stand.lacks(&key("k")).await;
    assert!(!stand.pair.one.delete(&key("k")).await.unwrap());
    let (bytes, expected) = (content(1, 100), facts(&content(1, 100), "image/png", START));
    stand.put(&key("k"), &bytes).await;
    stand.holds(&key("k"), &bytes, &expected).await;
}

/// 4: of many who delete it at once one is told that it was there.
pub async fn s04_one_of_many_deletions_finds_the_blob(stand: &Stand) {
    stand.put(&key("k"), &content(1, 100)).await;
    let tries = stand
        .pair
        .handles(6)
        .map(|(_, blobs)| tokio::spawn(async move { blobs.delete(&key("k")).await.unwrap() }));
    let found = join_all(tries).await.into_iter().filter(|f| *f.as_ref().unwrap()).count();
    assert_eq!(found, 1);
    stand.lacks(&key("k")).await;
}

/// 5: in pages of any size; a prefix is letters, not a folder.
pub async fn s05_a_list_returns_every_key_once(stand: &Stand) {
    let rests = ["!", "a", "a/1", "a/2", "a0", "aa", "b/c/d", "é", "日本", "\u{ffff}", "😀"];
    for (n, rest) in rests.iter().rev().enumerate() {
        stand.put(&key(rest), &content(9, n)).await;
    }
    let other_area = BlobKey::stored(format!("audio/{OWNER}/a"));
    stand.put(&other_area, &content(9, 1)).await;
    let under = |prefix: &str| -> Vec<BlobKey> {
        rests.iter().filter(|r| r.starts_with(prefix)).map(|r| key(r)).collect()
    };
    for limit in [1, 2, 3, 10, 11, 12, 1_000] {
        for prefix in ["", "a", "a/", "b", "b/c", "日", "😀", "none", "%", "_"] {
            let found = stand.keys(&format!("media/{OWNER}/{prefix}"), limit).await;
            assert_eq!(found, under(prefix), "{prefix:?} in pages of {limit}");
        }
        assert_eq!(stand.keys("", limit).await.len(), 12);
        assert_eq!(stand.keys("aud", limit).await, std::slice::from_ref(&other_area));
    }
    let lines = stand.list("media/", 100).await;
    let sizes: Vec<u64> = lines.iter().map(|b| b.size).collect();
    assert_eq!(sizes, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    assert!(lines.iter().all(|b| b.modified == START));
}

/// 5: what comes and goes between pages takes nothing from what stays; a cursor belongs to its list.
pub async fn s05_a_list_misses_nothing_that_stays(stand: &Stand) {
    for n in 0..12 {
        stand.put(&key(&format!("{n:02}")), &content(1, 10)).await;
    }
    let (mut seen, mut page) = (Vec::new(), Page::first(2));
    let prefix = format!("media/{OWNER}/");
    while let Some(next) = {
        let slice = stand.pair.one.list(&prefix, &page).await.unwrap();
        seen.extend(slice.blobs.into_iter().map(|b| b.key));
        slice.next
    } {
        stand.pair.other.delete(seen.last().unwrap()).await.unwrap();
        stand.put(&key(&format!("!{}", seen.len())), &content(2, 10)).await;
        let outcome = stand.pair.one.list("other", &Page::after(1, Some(next.clone()))).await;
        assert!(matches!(outcome, Err(BlobError::BadCursor)));
        page.after = Some(next);
    }
    assert_eq!(seen, (0..12).map(|n| key(&format!("{n:02}"))).collect::<Vec<_>>());
    let forged = Page::after(1, Some(Cursor("zz".into())));
    assert!(matches!(stand.pair.one.list(&prefix, &forged).await, Err(BlobError::BadCursor)));
}

/// 6: exactly what it was signed for.
pub async fn s06_a_signed_upload_takes_what_it_was_signed_for(stand: &Stand) {
    let (key, bytes) = (key("upload é %&=?#+ 😀"), content(4, 2_000));
    let until = START + Duration::from_secs(900);
    let rules = UploadRules { content_type: "image/svg+xml; a=b".into(), size: 2_000, until };
    let upload = stand.pair.one.sign_upload(&key, &rules).await.unwrap();
    assert_eq!((upload.method, upload.until), ("PUT", until));
    let put = async |body: Bytes| stand.browser.put(&upload.url, &upload.headers, body).await;
    assert!(!put(bytes.slice(1..)).await, "a byte too few");
    assert!(!put([&bytes[..], b"x"].concat().into()).await, "a byte too many");
    let typed: Vec<_> = upload
        .headers
        .iter()
        .map(|(name, value)| match name.eq_ignore_ascii_case("content-type") {
            true => (name.clone(), "text/html".to_owned()),
            false => (name.clone(), value.clone()),
        })
        .collect();
    assert!(!stand.browser.put(&upload.url, &typed, bytes.clone()).await, "another type");
    stand.lacks(&key).await;
    stand.pair.pass(Duration::from_secs(899));
    assert!(put(bytes.clone()).await, "to the last second");
    let now = START + Duration::from_secs(899);
    stand.holds(&key, &bytes, &facts(&bytes, &rules.content_type, now)).await;
    stand.pair.one.delete(&key).await.unwrap();
    stand.pair.pass(Duration::from_secs(1));
    assert!(!put(bytes.clone()).await, "at its end it is over");
    stand.lacks(&key).await;
}

/// 6: reading by a signed address.
pub async fn s06_a_signed_download_answers_until_its_moment(stand: &Stand) {
    let (key, bytes) = (key("download é %&=?#+ 😀"), content(4, 2_000));
    let until = START + Duration::from_secs(60);
    let url = stand.pair.one.sign_download(&key, until).await.unwrap();
    assert_eq!(stand.browser.get(&url).await, None, "nothing is there yet");
    stand.put(&key, &bytes).await;
    assert_eq!(stand.browser.get(&url).await, Some(bytes));
    stand.pair.pass(Duration::from_secs(60));
    assert_eq!(stand.browser.get(&url).await, None);
}

/// 6: an address that anybody changed is worth nothing, and an upload's is none to read by.
pub async fn s06_a_changed_address_is_refused(stand: &Stand) {
    let bytes = content(4, 9);
    stand.put(&key("1111"), &bytes).await;
    stand.put(&key("2222"), &bytes).await;
    let until = START + Duration::from_secs(60);
    let rules = UploadRules { content_type: "image/png".into(), size: 9, until };
    let upload = stand.pair.one.sign_upload(&key("1111"), &rules).await.unwrap();
    let download = stand.pair.one.sign_download(&key("1111"), until).await.unwrap();
    assert_eq!(stand.browser.get(&upload.url).await, None);
    assert!(!stand.browser.put(&download, &upload.headers, bytes.clone()).await);
    for url in [&upload.url, &download] {
        let letters = url.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric());
        let changed = letters.map(|(at, c)| {
            let mut forged = url.clone();
            forged.replace_range(at..=at, if c == '1' { "2" } else { "1" });
            forged
        });
        for forged in changed.chain([String::new(), format!("{url}1"), format!("{url}&size=9")]) {
            assert_eq!(stand.browser.get(&forged).await, None, "{forged}");
            let taken = stand.browser.put(&forged, &upload.headers, bytes.clone()).await;
            assert!(!taken, "{forged}");
        }
    }
    assert_eq!(stand.keys("", 10).await, [key("1111"), key("2222")]);
}

/// 7: and one owner's twice as well.
pub async fn s07_equal_contents_live_and_die_apart(stand: &Stand) {
    let bytes = content(5, 4_000);
    let keys = [
        key("first"),
        key("second"),
        BlobKey::stored(format!("media/{STRANGER}/first")),
        BlobKey::stored(format!("audio/{OWNER}/first")),
    ];
    for key in &keys {
        stand.put(key, &bytes).await;
    }
    let expected = facts(&bytes, "image/png", START);
    for (n, gone) in keys.iter().enumerate() {
        for key in &keys[n..] {
            stand.holds(key, &bytes, &expected).await;
        }
        // By deletion or by replacement.
        if n % 2 == 0 {
            assert!(stand.pair.other.delete(gone).await.unwrap());
        } else {
            stand.put(gone, &content(6, 10)).await;
        }
    }
}

/// 7: while the same content is put and deleted under several keys at once.
pub async fn s07_concurrent_puts_and_deletions_take_nothing_from_others(stand: &Stand) {
    let bytes = content(5, 4_000);
    stand.put(&key("stays"), &bytes).await;
    let tasks = stand.pair.handles(6).map(|(n, blobs)| {
        let bytes = bytes.clone();
        tokio::spawn(async move {
            let mine = key(&format!("{n}"));
            for _ in 0..8 {
                blobs.put(&mine, bytes.clone(), "image/png").await.unwrap();
                assert_eq!(blobs.get(&mine).await.unwrap().as_ref(), Some(&bytes));
                assert!(blobs.delete(&mine).await.unwrap());
                assert_eq!(blobs.get(&mine).await.unwrap(), None);
            }
        })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    stand.holds(&key("stays"), &bytes, &facts(&bytes, "image/png", START)).await;
    assert_eq!(stand.keys("", 10).await, [key("stays")]);
}

/// An upload of two parts, the second of 9 bytes, and what is to be put.
struct Parted {
    key: BlobKey,
    rules: UploadRules,
    upload: PartedUpload,
    content: [Bytes; 2],
}

impl Parted {
    async fn begin(stand: &Stand) -> Self {
        let key = key("film é %&=?#+ 😀");
        let rules = UploadRules {
            content_type: "video/mp4; a=b".into(),
            size: PART_BYTES + 9,
            until: START + Duration::from_secs(900),
        };
        let upload = stand.pair.one.sign_parts(&key, &rules).await.unwrap();
        let parts: Vec<_> = upload.parts.iter().map(|p| (p.number, p.size)).collect();
        assert_eq!(parts, [(1, PART_BYTES), (2, 9)]);
        assert!(upload.parts.iter().all(|p| p.put.method == "PUT" && p.put.until == rules.until));
        let content = [vec![7; PART_BYTES as usize].into(), Bytes::from_static(b"the rest.")];
        Self { key, rules, upload, content }
    }

    fn whole(&self) -> Bytes {
        self.content.concat().into()
    }

    async fn put(&self, stand: &Stand, part: usize, bytes: &Bytes) -> bool {
        let put = &self.upload.parts[part].put;
        stand.browser.put(&put.url, &put.headers, bytes.clone()).await
    }

    async fn put_all(&self, stand: &Stand) {
        for (n, bytes) in self.content.iter().enumerate() {
            assert!(self.put(stand, n, bytes).await);
        }
    }

    async fn join(&self, stand: &Stand) -> Joined {
        stand.pair.other.join_parts(&self.key, &self.upload.id, &self.rules).await.unwrap()
    }
}

/// 8: in any order, again, and joined once.
pub async fn s08_parts_become_one_blob(stand: &Stand) {
    let parted = Parted::begin(stand).await;
    let [first, rest] = &parted.content;
    assert_eq!(parted.join(stand).await, Joined::Missing(vec![1, 2]));
    assert!(!parted.put(stand, 1, first).await, "another part's size");
    assert!(!parted.put(stand, 1, &rest.slice(1..)).await, "a byte too few");
    assert!(parted.put(stand, 1, &Bytes::from_static(b"123456789")).await);
    assert!(parted.put(stand, 1, rest).await, "again");
    assert_eq!(parted.join(stand).await, Joined::Missing(vec![1]));
    stand.lacks(&parted.key).await;
    assert_eq!(stand.keys("", 10).await, []);
    assert!(parted.put(stand, 0, first).await);
    assert_eq!(stand.browser.get(&parted.upload.parts[0].put.url).await, None, "none to read by");
    assert_eq!(parted.join(stand).await, Joined::Now);
    let expected = facts(&parted.whole(), &parted.rules.content_type, START);
    assert_eq!(stand.pair.one.head(&parted.key).await.unwrap(), Some(expected));
    assert!(stand.pair.one.get(&parted.key).await.unwrap() == Some(parted.whole()));
    assert_eq!(parted.join(stand).await, Joined::Before);
    assert!(!parted.put(stand, 1, rest).await, "nothing comes to it afterwards");
    assert_eq!(stand.keys("", 10).await, [parted.key]);
}

/// 8: to the last second, and joined later.
pub async fn s08_a_part_is_taken_until_its_moment(stand: &Stand) {
    let parted = Parted::begin(stand).await;
    stand.pair.pass(Duration::from_secs(899));
    parted.put_all(stand).await;
    stand.pair.pass(Duration::from_secs(1));
    assert!(!parted.put(stand, 1, &parted.content[1]).await, "at its end it is over");
    assert_eq!(parted.join(stand).await, Joined::Now);
    assert!(stand.pair.one.get(&parted.key).await.unwrap() == Some(parted.whole()));
}

/// 8: neither a put nor another upload's parts are replaced; an upload's name is worth nothing for another key.
pub async fn s08_joining_replaces_nothing(stand: &Stand) {
    let parted = Parted::begin(stand).await;
    parted.put_all(stand).await;
    let elsewhere = key("elsewhere");
    let joined = stand.pair.one.join_parts(&elsewhere, &parted.upload.id, &parted.rules).await;
    assert_eq!(joined.unwrap(), Joined::Gone);
    stand.lacks(&elsewhere).await;
    stand.put(&parted.key, &content(1, 10)).await;
    assert_eq!(parted.join(stand).await, Joined::Before);
    let expected = facts(&content(1, 10), "image/png", START);
    stand.holds(&parted.key, &content(1, 10), &expected).await;
    stand.pair.one.delete(&parted.key).await.unwrap();
    assert_eq!(parted.join(stand).await, Joined::Gone, "what was left of it went");
}

/// 8: and may be dropped again, as what never was.
pub async fn s08_what_was_dropped_leaves_nothing(stand: &Stand) {
    let parted = Parted::begin(stand).await;
    parted.put_all(stand).await;
    for _ in 0..2 {
        stand.pair.other.drop_parts(&parted.key, &parted.upload.id).await.unwrap();
        assert_eq!(parted.join(stand).await, Joined::Gone);
        assert!(!parted.put(stand, 1, &parted.content[1]).await);
    }
    stand.lacks(&parted.key).await;
    // Beside it another one for the same key lives on.
    let another = Parted::begin(stand).await;
    another.put_all(stand).await;
    stand.pair.one.drop_parts(&parted.key, &parted.upload.id).await.unwrap();
    assert_eq!(another.join(stand).await, Joined::Now);
    for size in [0, MAX_PARTS * PART_BYTES + 1] {
        let rules = UploadRules { size, ..parted.rules.clone() };
        let begun = stand.pair.one.sign_parts(&parted.key, &rules).await;
        assert!(matches!(begun, Err(BlobError::Refused(_))), "{size} bytes");
    }
}

sentences! {
    $ blobs_contract, blobs, Stand:
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
