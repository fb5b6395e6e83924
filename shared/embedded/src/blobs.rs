//! Blobs: which key has which content stands in SQLite, the contents are files.
//!
//! A put makes the content durable under its name before the row that names it; a deletion takes the row away and
//! notes the content as doomed, and only once that is durable removes the file, unless a row names it again. So
//! whatever a row names is there, at any moment and after any crash.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::blobs::{
    BlobError, BlobFacts, BlobKey, BlobSlice, Blobs, Joined, ListedBlob, PartedUpload,
    SignedUpload, UploadRules,
};
use nexus_core::table::{Cursor, Page};
use nexus_kernel::{Digest, Timestamp};
use rusqlite::{Connection, Row, params};
use tokio::task::spawn_blocking;

use crate::fault::Fault;
use crate::files::{Files, Incoming, home_of};
use crate::parts;
use crate::sql;
use crate::store::{Inner, Strays};
use crate::writer::WriteError;

/// So often a content is looked for again that was replaced between its row and its file.
const TRIES: u32 = 10;

/// So many strays are removed in one transaction.
const STRAYS_AT_ONCE: usize = 100;

/// Blobs on SQLite and files.
pub(crate) struct FileBlobs {
    store: Arc<Inner>,
}

impl FileBlobs {
    pub(crate) fn new(store: Arc<Inner>) -> Self {
        Self { store }
    }

    /// Copies a content in, off the async runtime's threads, and puts it under its key.
    async fn put_from<R: Read>(
        &self,
        key: &BlobKey,
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        let files = Arc::clone(&self.store.files);
        let incoming =
            off_thread(move || open().and_then(|mut content| files.take_in(&mut content))).await?;
        let facts = BlobFacts {
            size: incoming.size,
            digest: incoming.digest,
            content_type: content_type.to_owned(),
            modified: self.store.ambient.now(),
        };
        let (row, files) = (facts.clone(), Arc::clone(&self.store.files));
        let key = key.clone();
        let dooms = self.store.writer.write(move |db| put(db, &files, &key, incoming, &row)).await;
        if dooms.map_err(WriteError::into_one)? {
            remove_doomed(&self.store).await?;
        }
        Ok(facts)
    }

    async fn find(&self, key: &BlobKey) -> Result<Option<Found>, BlobError> {
        let key = key.clone();
        let found = self.store.readers.read(move |db| {
            let question =
                "SELECT home, digest, size, content_type, modified FROM blob WHERE key = ?1";
            sql::first(db, question, [key.as_str()], found)
        });
        Ok(found.await?)
    }

    /// Reads a blob's content. Between its row and its file the blob may be replaced: then the row is read again.
    async fn with_content<T: Send + 'static>(
        &self,
        key: &BlobKey,
        read: impl Fn(&Files, &Found) -> io::Result<T> + Send + Sync + 'static,
    ) -> Result<Option<(T, BlobFacts)>, BlobError> {
        let read = Arc::new(read);
        for _ in 0..TRIES {
            let Some(found) = self.find(key).await? else { return Ok(None) };
            let (files, read) = (Arc::clone(&self.store.files), Arc::clone(&read));
            let outcome = spawn_blocking(move || {
                let content = read(&files, &found);
                content.map(|content| (content, found.facts))
            });
            match outcome.await.map_err(Fault::from)? {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => return Ok(Some(outcome.map_err(Fault::from)?)),
            }
        }
        Err(Fault::Damaged(format!("the content of {key} is missing")).into())
    }
}

/// Removes what lately was doomed.
pub(crate) async fn remove_doomed(store: &Inner) -> Result<(), BlobError> {
    let files = Arc::clone(&store.files);
    let removed = store.writer.write_leading(move |db| collect_doomed(db, &files));
    removed.await.map_err(WriteError::into_one)
}

/// Runs what waits for the disk beside the async runtime's threads.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    Ok(spawn_blocking(work).await??)
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn put(
        &self,
        key: &BlobKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        self.put_from(key, move || Ok(io::Cursor::new(bytes)), content_type).await
    }

    async fn put_file(
        &self,
        key: &BlobKey,
        file: &Path,
        content_type: &str,
    ) -> Result<BlobFacts, BlobError> {
        let file = file.to_owned();
        self.put_from(key, move || File::open(file), content_type).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Bytes>, BlobError> {
        let read = |files: &Files, at: &Found| files.read(&at.home, &at.facts.digest.to_hex());
        Ok(self.with_content(key, read).await?.map(|(bytes, _)| bytes.into()))
    }

    async fn range(&self, key: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>, BlobError> {
        let read = move |files: &Files, at: &Found| {
            files.read_range(&at.home, &at.facts.digest.to_hex(), range.clone())
        };
        Ok(self.with_content(key, read).await?.map(|(bytes, _)| bytes.into()))
    }

    async fn fetch(&self, key: &BlobKey, into: &Path) -> Result<Option<BlobFacts>, BlobError> {
        let into = into.to_owned();
        let read = move |files: &Files, at: &Found| {
            files.copy_out(&at.home, &at.facts.digest.to_hex(), &into)
        };
        Ok(self.with_content(key, read).await?.map(|((), facts)| facts))
    }

    async fn head(&self, key: &BlobKey) -> Result<Option<BlobFacts>, BlobError> {
        Ok(self.find(key).await?.map(|found| found.facts))
    }

    async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        let key = key.clone();
        let deleted = self.store.writer.write(move |db| {
            let order = "DELETE FROM blob WHERE key = ?1 RETURNING home, digest";
            let before = sql::first(db, order, [key.as_str()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            let Some((home, digest)) = before else { return Ok(false) };
            doom(db, &home, &digest)?;
            Ok(true)
        });
        let deleted = deleted.await.map_err(WriteError::<BlobError>::into_one)?;
        if deleted {
            remove_doomed(&self.store).await?;
        }
        Ok(deleted)
    }

    async fn list(&self, prefix: &str, page: &Page) -> Result<BlobSlice, BlobError> {
        let from = match page.after.as_ref().map(|cursor| cursor.position(&prefix)) {
            None => prefix.to_owned(),
            Some(position) => match position.as_deref() {
                Some([last]) => sql::right_after(last),
                _ => return Err(BlobError::BadCursor),
            },
        };
        let (to, limit) = (sql::upper(sql::after_prefix(prefix)), page.clamped());
        let mut blobs = self
            .store
            .readers
            .read(move |db| {
                let question = "SELECT key, size, modified FROM blob
                                WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
                sql::all(db, question, params![from, to, limit + 1], |row| {
                    Ok(ListedBlob {
                        key: BlobKey::stored(row.get::<_, String>(0)?),
                        size: row.get::<_, i64>(1)?.cast_unsigned(),
                        modified: moment(row, 2)?,
                    })
                })
            })
            .await?;
        let more = blobs.len() > limit as usize;
        blobs.truncate(limit as usize);
        let last = blobs.last().filter(|_| more);
        let next = last.map(|last| Cursor::at(&prefix, &[last.key.as_str()]));
        Ok(BlobSlice { blobs, next })
    }

    async fn sign_upload(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<SignedUpload, BlobError> {
        self.store.urls.sign_upload(key, rules)
    }

    async fn sign_parts(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<PartedUpload, BlobError> {
        parts::sign(&self.store, key, rules).await
    }

    async fn join_parts(
        &self,
        key: &BlobKey,
        upload: &str,
        rules: &UploadRules,
    ) -> Result<Joined, BlobError> {
        parts::join(&self.store, key, upload, rules).await
    }

    async fn drop_parts(&self, key: &BlobKey, upload: &str) -> Result<(), BlobError> {
        parts::drop_all(&self.store, key, upload).await
    }

    async fn sign_download(&self, key: &BlobKey, until: Timestamp) -> Result<String, BlobError> {
        self.store.urls.sign_download(key, until)
    }
}

/// A blob's row.
struct Found {
    home: String,
    facts: BlobFacts,
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let digest: String = row.get(1)?;
    Ok(Found {
        home: row.get(0)?,
        facts: BlobFacts {
            size: row.get::<_, i64>(2)?.cast_unsigned(),
            digest: Digest::from_hex(&digest).ok_or_else(|| sql::unreadable(1, "no digest"))?,
            content_type: row.get(3)?,
            modified: moment(row, 4)?,
        },
    })
}

fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis: i64 = row.get(column)?;
    Timestamp::from_millisecond(millis).map_err(|error| sql::unreadable(column, error))
}

/// Puts a content under its name and the row that names it; whether the content before is doomed now.
pub(crate) fn put(
    db: &Connection,
    files: &Files,
    key: &BlobKey,
    incoming: Incoming,
    facts: &BlobFacts,
) -> Result<bool, WriteError<BlobError>> {
    let (home, digest) = (home_of(key), facts.digest.to_hex());
    files.place(incoming, &home)?;
    let question = "SELECT digest FROM blob WHERE key = ?1";
    let before: Option<String> = sql::value(db, question, [key.as_str()])?;
    let order = "
        INSERT INTO blob (key, home, digest, size, content_type, modified)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT DO UPDATE SET
            digest = excluded.digest, size = excluded.size,
            content_type = excluded.content_type, modified = excluded.modified";
    let modified = facts.modified.as_millisecond();
    let size = facts.size.cast_signed();
    sql::change(
        db,
        order,
        params![key.as_str(), home, digest, size, facts.content_type, modified],
    )?;
    match before {
        Some(before) if before != digest => {
            doom(db, &home, &before)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

pub(crate) fn doom(db: &Connection, home: &str, digest: &str) -> rusqlite::Result<()> {
    let order = "INSERT OR IGNORE INTO doomed (home, digest) VALUES (?1, ?2)";
    sql::change(db, order, [home, digest]).map(|_| ())
}

/// Removes the contents that were doomed in earlier transactions and that no row names again. Has to lead its
/// transaction; should that not last, they are doomed still, and gone already.
pub(crate) fn collect_doomed<E: From<rusqlite::Error> + From<io::Error>>(
    db: &Connection,
    files: &Files,
) -> Result<(), E> {
    let doomed = sql::all(db, "SELECT home, digest FROM doomed", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    for (home, digest) in doomed {
        if !is_named(db, &home, &digest)? {
            files.remove(&home, &digest)?;
        }
        let order = "DELETE FROM doomed WHERE home = ?1 AND digest = ?2";
        sql::change(db, order, [&home, &digest])?;
    }
    Ok(())
}

fn is_named(db: &Connection, home: &str, digest: &str) -> rusqlite::Result<bool> {
    let question = "SELECT EXISTS (SELECT 1 FROM blob WHERE home = ?1 AND digest = ?2)
                        OR EXISTS (SELECT 1 FROM part WHERE home = ?1 AND digest = ?2)";
    Ok(sql::value(db, question, [home, digest])?.unwrap_or(false))
}

/// Removes the contents that no row names, and uploads in parts that nobody joined.
pub(crate) async fn collect_strays(store: &Inner) -> Result<Strays, BlobError> {
    let files = Arc::clone(&store.files);
    let doomed = store.writer.write_leading(move |db| collect_doomed(db, &files));
    doomed.await.map_err(WriteError::<BlobError>::into_one)?;
    if parts::drop_abandoned(store).await? {
        remove_doomed(store).await?;
    }

    let files = Arc::clone(&store.files);
    let (removed, bytes) = off_thread(move || files.clear_incoming()).await?;
    let mut strays = Strays { removed, bytes };

    // Without the lock, so that others can write meanwhile: what is unnamed here may be named soon.
    let files = Arc::clone(&store.files);
    let unnamed = store.readers.read(move |db| {
        let mut unnamed = Vec::new();
        let walked = files.each::<Fault>(&mut |home, digest, size| {
            if !is_named(db, &home, &digest)? {
                unnamed.push((home, digest, size));
            }
            Ok(())
        });
        Ok(walked.map(|()| unnamed))
    });
    let unnamed = unnamed.await??;

    for some in unnamed.chunks(STRAYS_AT_ONCE) {
        let (files, some) = (Arc::clone(&store.files), some.to_vec());
        let gone = store.writer.write_leading(move |db| {
            let mut gone = Strays::default();
            for (home, digest, size) in some {
                if !is_named(db, &home, &digest)? {
                    files.remove(&home, &digest)?;
                    gone.removed += 1;
                    gone.bytes += size;
                }
            }
            Ok(gone)
        });
        let gone = gone.await.map_err(WriteError::<BlobError>::into_one)?;
        strays.removed += gone.removed;
        strays.bytes += gone.bytes;
    }
    Ok(strays)
}
