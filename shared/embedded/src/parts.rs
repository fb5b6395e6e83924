//! Uploads in parts: what has come of them, until they are joined or dropped.
//!
//! A part is a content as a blob's is, named by a row of its own, so that it is durable once it was taken and goes as
//! a blob's content goes. Joining copies the parts into one content and, in one transaction, names it by a blob's row
//! and takes the parts' rows away.

use std::io::{self, Read};
use std::sync::Arc;

use nexus_core::blobs::{BlobError, BlobFacts, BlobKey, Joined, PartedUpload, UploadRules};
use rusqlite::{Connection, params};

use crate::blobs::{doom, off_thread, put, remove_doomed};
use crate::files::{Files, home_of};
use crate::signed_urls::PartGrant;
use crate::sql;
use crate::store::Inner;
use crate::writer::WriteError;

/// How long after its moment an upload may still be joined (milliseconds).
const KEPT: i64 = 24 * 60 * 60 * 1000;

pub(crate) async fn sign(
    store: &Inner,
    key: &BlobKey,
    rules: &UploadRules,
) -> Result<PartedUpload, BlobError> {
    let upload = store.presence.draw();
    let parts = store.urls.sign_parts(key, &upload, rules)?;
    let (name, key, until) = (upload.clone(), key.clone(), rules.until.as_millisecond());
    let begun = store.writer.write(move |db| {
        let order = "INSERT INTO parted (upload, key, until) VALUES (?1, ?2, ?3)";
        Ok(sql::change(db, order, params![name, key.as_str(), until])?)
    });
    begun.await.map_err(WriteError::<BlobError>::into_one)?;
    Ok(PartedUpload { id: upload, parts })
}

/// Takes a part; false where its upload was joined or dropped meanwhile.
pub(crate) async fn take<R: Read>(
    store: &Inner,
    grant: &PartGrant,
    open: impl FnOnce() -> io::Result<R> + Send + 'static,
) -> Result<bool, BlobError> {
    let files = Arc::clone(&store.files);
    let incoming = off_thread(move || files.take_in(&mut open()?)).await?;
    let (files, grant) = (Arc::clone(&store.files), grant.clone());
    let taken = store.writer.write(move |db| {
        if !is_begun(db, &grant.key, &grant.upload)? {
            return Ok((false, false));
        }
        let (home, digest) = (home_of(&grant.key), incoming.digest.to_hex());
        let size = incoming.size.cast_signed();
        files.place(incoming, &home)?;
        let question = "SELECT digest FROM part WHERE upload = ?1 AND number = ?2";
        let before: Option<String> = sql::value(db, question, params![grant.upload, grant.number])?;
        let order = "INSERT OR REPLACE INTO part (upload, number, home, digest, size)
                     VALUES (?1, ?2, ?3, ?4, ?5)";
        sql::change(db, order, params![grant.upload, grant.number, home, digest, size])?;
        let dooms = before.filter(|before| *before != digest);
        if let Some(before) = &dooms {
            doom(db, &home, before)?;
        }
        Ok((true, dooms.is_some()))
    });
    let (taken, dooms) = taken.await.map_err(WriteError::<BlobError>::into_one)?;
    if dooms {
        remove_doomed(store).await?;
    }
    Ok(taken)
}

pub(crate) async fn join(
    store: &Inner,
    key: &BlobKey,
    upload: &str,
    rules: &UploadRules,
) -> Result<Joined, BlobError> {
    let sizes = rules.part_sizes()?;
    let (wanted, name) = (key.clone(), upload.to_owned());
    let found = store.readers.read(move |db| {
        Ok((is_begun(db, &wanted, &name)?, stands(db, &wanted)?, come(db, &name)?))
    });
    let (begun, stands_already, come) = found.await?;
    match (begun, stands_already) {
        (false, true) => return Ok(Joined::Before),
        (false, false) => return Ok(Joined::Gone),
        (true, true) => {
            drop_all(store, key, upload).await?;
            return Ok(Joined::Before);
        }
        (true, false) => {}
    }
    let is_there =
        |number: u32, size: u64| come.iter().any(|p| (p.number, p.size) == (number, size));
    let numbered = (1..).zip(sizes);
    let missing: Vec<u32> =
        numbered.filter(|(n, size)| !is_there(*n, *size)).map(|(number, _)| number).collect();
    if !missing.is_empty() {
        return Ok(Joined::Missing(missing));
    }

    let (files, parts) = (Arc::clone(&store.files), come);
    // A part that was put anew since its row was read may be missing here: that is an error, and the next try is whole.
    let incoming = off_thread(move || files.take_in(&mut InOrder::new(&files, &parts))).await?;
    let facts = BlobFacts {
        size: incoming.size,
        digest: incoming.digest,
        content_type: rules.content_type.clone(),
        modified: store.ambient.now(),
    };
    let (files, key, upload) = (Arc::clone(&store.files), key.clone(), upload.to_owned());
    let joined = store.writer.write(move |db| {
        if stands(db, &key)? {
            forget(db, &upload)?;
            return Ok(Joined::Before);
        }
        if !is_begun(db, &key, &upload)? {
            return Ok(Joined::Gone);
        }
        put(db, &files, &key, incoming, &facts)?;
        forget(db, &upload)?;
        Ok(Joined::Now)
    });
    let joined = joined.await.map_err(WriteError::<BlobError>::into_one)?;
    remove_doomed(store).await?;
    Ok(joined)
}

pub(crate) async fn drop_all(store: &Inner, key: &BlobKey, upload: &str) -> Result<(), BlobError> {
    let (key, upload) = (key.clone(), upload.to_owned());
    let dropped = store.writer.write(move |db| match is_begun(db, &key, &upload)? {
        true => Ok(forget(db, &upload)?),
        false => Ok(()),
    });
    dropped.await.map_err(WriteError::<BlobError>::into_one)?;
    remove_doomed(store).await
}

/// Drops what nobody joined in its time; whether there was something.
pub(crate) async fn drop_abandoned(store: &Inner) -> Result<bool, BlobError> {
    let before = store.ambient.now().as_millisecond().saturating_sub(KEPT);
    let dropped = store.writer.write(move |db| {
        let question = "SELECT upload FROM parted WHERE until <= ?1";
        let over = sql::all(db, question, [before], |row| row.get::<_, String>(0))?;
        over.iter().try_for_each(|upload| forget(db, upload))?;
        Ok(!over.is_empty())
    });
    dropped.await.map_err(WriteError::<BlobError>::into_one)
}

/// A part that has come.
#[derive(Debug, Clone)]
struct Part {
    number: u32,
    home: String,
    digest: String,
    size: u64,
}

fn come(db: &Connection, upload: &str) -> rusqlite::Result<Vec<Part>> {
    let question = "SELECT number, home, digest, size FROM part WHERE upload = ?1 ORDER BY number";
    sql::all(db, question, [upload], |row| {
        let size = row.get::<_, i64>(3)?.cast_unsigned();
        Ok(Part { number: row.get(0)?, home: row.get(1)?, digest: row.get(2)?, size })
    })
}

fn is_begun(db: &Connection, key: &BlobKey, upload: &str) -> rusqlite::Result<bool> {
    let question = "SELECT EXISTS (SELECT 1 FROM parted WHERE upload = ?1 AND key = ?2)";
    Ok(sql::value(db, question, [upload, key.as_str()])?.unwrap_or(false))
}

fn stands(db: &Connection, key: &BlobKey) -> rusqlite::Result<bool> {
    let question = "SELECT EXISTS (SELECT 1 FROM blob WHERE key = ?1)";
    Ok(sql::value(db, question, [key.as_str()])?.unwrap_or(false))
}

/// Takes an upload's rows away and dooms what they named.
fn forget(db: &Connection, upload: &str) -> rusqlite::Result<()> {
    for part in come(db, upload)? {
        doom(db, &part.home, &part.digest)?;
    }
    sql::change(db, "DELETE FROM part WHERE upload = ?1", [upload])?;
    sql::change(db, "DELETE FROM parted WHERE upload = ?1", [upload]).map(|_| ())
}

/// The parts' contents, one after the other.
struct InOrder<'a> {
    files: &'a Files,
    waiting: std::slice::Iter<'a, Part>,
    open: Option<std::fs::File>,
}

impl<'a> InOrder<'a> {
    fn new(files: &'a Files, parts: &'a [Part]) -> Self {
        Self { files, waiting: parts.iter(), open: None }
    }
}

impl Read for InOrder<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(part) = &mut self.open {
                let read = part.read(into)?;
                if read > 0 {
                    return Ok(read);
                }
            }
            let Some(next) = self.waiting.next() else { return Ok(0) };
            self.open = Some(self.files.open_content(&next.home, &next.digest)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;
    use std::time::Duration;

    use nexus_contract::START;
    use nexus_core::scope::Product;
    use nexus_kernel::Ambient;
    use nexus_kernel::ambient::ManualClock;

    use super::*;
    use crate::{Store, UrlError};

    const BASE: &str = "http://127.0.0.1:8080";

    fn open(dir: &Path, clock: &ManualClock) -> Store {
        let ambient = Ambient::seeded(Arc::new(clock.clone()), 1);
        let store = Store::open(dir, Product::Engine, ambient).unwrap();
        assert!(store.urls().serve_at(BASE));
        store
    }

    /// An upload of one part, of which all has come, and the part's path and query.
    async fn begun(store: &Store) -> (BlobKey, UploadRules, PartedUpload, (String, String)) {
        let key = BlobKey::stored("in/ten_a/film");
        let until = START + Duration::from_secs(900);
        let rules = UploadRules { content_type: "video/mp4".into(), size: 9, until };
        let upload = store.blobs().sign_parts(&key, &rules).await.unwrap();
        let address = upload.parts[0].put.url.strip_prefix(BASE).unwrap().split_once('?').unwrap();
        let address = (address.0.to_owned(), address.1.to_owned());
        let grant = store.urls().verify_part(&address.0, &address.1, START).unwrap();
        let taken = store.put_part(&grant, || Ok(Cursor::new("ninebytes"))).await;
        assert!(taken.unwrap());
        (key, rules, upload, address)
    }

    #[tokio::test]
    async fn what_nobody_joined_goes_a_day_after_its_moment() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
        let store = open(dir.path(), &clock);
        let (key, rules, upload, _) = begun(&store).await;
        let contents = dir.path().join("blobs/engine/in/ten_a");
        let day = Duration::from_secs(24 * 3600);
        clock.move_to(rules.until + day - Duration::from_millis(1));
        store.collect_strays().await.unwrap();
        assert!(contents.exists(), "a sweep takes nothing that may still be joined");
        clock.move_to(rules.until + day);
        store.collect_strays().await.unwrap();
        assert!(!contents.exists());
        let joined = store.blobs().join_parts(&key, &upload.id, &rules).await.unwrap();
        assert_eq!(joined, Joined::Gone);
    }

    #[tokio::test]
    async fn an_upload_goes_on_where_its_process_has_died() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
        let (key, rules, upload, _) = begun(&open(dir.path(), &clock)).await;
        let store = open(dir.path(), &clock);
        store.collect_strays().await.unwrap();
        let joined = store.blobs().join_parts(&key, &upload.id, &rules).await.unwrap();
        assert_eq!(joined, Joined::Now);
        let found = store.blobs().get(&key).await.unwrap();
        assert_eq!(found.as_deref(), Some(&b"ninebytes"[..]));
        store.collect_strays().await.unwrap();
        assert!(
            store.blobs().get(&key).await.unwrap().is_some(),
            "the part's content is the blob's"
        );
    }

    #[tokio::test]
    async fn a_parts_address_is_for_that_part_alone() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
        let store = open(dir.path(), &clock);
        let (_, rules, _, (path, query)) = begun(&store).await;
        let urls = store.urls();
        assert_eq!(urls.verify_part(&path, &query, rules.until), Err(UrlError::Expired));
        for (from, to) in [("part=1", "part=2"), ("size=9", "size=8"), ("upload=", "upload=0")] {
            assert!(query.contains(from), "{query}");
            let forged = urls.verify_part(&path, &query.replace(from, to), START);
            assert_eq!(forged, Err(UrlError::Forged), "{to}");
        }
        assert_eq!(urls.verify_part("/blobs/in/ten_b/film", &query, START), Err(UrlError::Forged));
        assert!(urls.verify_upload(&path, &query, START).is_err());
        assert!(urls.verify_download(&path, &query, START).is_err());
    }
}
