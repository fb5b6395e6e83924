//! The database's tables, and how an older file is brought up to them.
//!
//! `PRAGMA user_version` says how many of [`MIGRATIONS`] a file has seen. A migration that was ever released is
//! never changed; a new one is added at the end.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use crate::fault::Fault;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE item (
        pk TEXT NOT NULL, sk TEXT NOT NULL,
        kind TEXT NOT NULL, version INTEGER NOT NULL, expires TEXT,
        due_pk TEXT, due_sk TEXT, list_pk TEXT, list_sk TEXT,
        counter INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (pk, sk)
    ) STRICT;
    CREATE INDEX item_due ON item (due_pk, due_sk, pk, sk) WHERE due_pk IS NOT NULL;
    CREATE INDEX item_list ON item (list_pk, list_sk, pk, sk) WHERE list_pk IS NOT NULL;

    CREATE TABLE commit_token (
        token TEXT PRIMARY KEY, digest BLOB NOT NULL, at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX commit_token_at ON commit_token (at);

    -- Moments are milliseconds since 1970.
    CREATE TABLE message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL, lane TEXT NOT NULL,
        sent INTEGER NOT NULL, visible_at INTEGER NOT NULL,
        received INTEGER NOT NULL DEFAULT 0,
        lost INTEGER NOT NULL DEFAULT 0,    -- receives that ended with the death of the receiver's process
        receipt TEXT,                       -- of the latest receive
        holder TEXT,                        -- the process of the latest receive, unless it gave the message back
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX message_lane ON message (queue, lane, visible_at);
    CREATE INDEX message_sent ON message (queue, sent);
    CREATE INDEX message_received ON message (queue, visible_at) WHERE receipt IS NOT NULL;
    CREATE INDEX message_holder ON message (holder) WHERE holder IS NOT NULL;

    -- A lane is the messages of one group in one queue. Lanes take turns: a receive takes from the ready lane with
    -- the smallest turn, which then gets the largest.
    CREATE TABLE lane (
        queue TEXT NOT NULL, lane TEXT NOT NULL,
        turn INTEGER NOT NULL,
        ready_at INTEGER NOT NULL,          -- when its first message is visible
        ready INTEGER NOT NULL,             -- 1 once that has come
        PRIMARY KEY (queue, lane)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX lane_turn ON lane (queue, turn) WHERE ready = 1;
    CREATE INDEX lane_ready ON lane (queue, ready_at) WHERE ready = 0;
    CREATE TABLE last_turn (queue TEXT PRIMARY KEY, turn INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE blob (
        key TEXT PRIMARY KEY,
        home TEXT NOT NULL, digest TEXT NOT NULL,   -- where the content stands: blobs/{product}/{home}/{aa}/{digest}
        size INTEGER NOT NULL, content_type TEXT NOT NULL, modified INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX blob_content ON blob (home, digest);
    -- Contents that a row named until lately: to be deleted, unless a row names them again.
    CREATE TABLE doomed (
        home TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (home, digest)
    ) STRICT, WITHOUT ROWID;
", "
    -- Uploads in parts that are neither joined nor dropped, and what has come of them.
    CREATE TABLE parted (
        upload TEXT PRIMARY KEY, key TEXT NOT NULL, until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX parted_until ON parted (until);
    CREATE TABLE part (
        upload TEXT NOT NULL, number INTEGER NOT NULL,
        home TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
        PRIMARY KEY (upload, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX part_content ON part (home, digest);
", "
    -- Rows stand in the order of their keys, and no key stands twice: most rows are small, and half of each was its key.
    CREATE TABLE item_by_key (
        pk TEXT NOT NULL, sk TEXT NOT NULL,
        kind TEXT NOT NULL, version INTEGER NOT NULL, expires TEXT,
        due_pk TEXT, due_sk TEXT, list_pk TEXT, list_sk TEXT,
        counter INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (pk, sk)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO item_by_key
        SELECT pk, sk, kind, version, expires, due_pk, due_sk, list_pk, list_sk, counter, body
        FROM item ORDER BY pk, sk;
    DROP TABLE item;
    ALTER TABLE item_by_key RENAME TO item;
    CREATE INDEX item_due ON item (due_pk, due_sk, pk, sk) WHERE due_pk IS NOT NULL;
    CREATE INDEX item_list ON item (list_pk, list_sk, pk, sk) WHERE list_pk IS NOT NULL;
"];

/// How long a statement waits for a lock that somebody else holds who does not take turns (a backup, a shell).
const PATIENCE: Duration = Duration::from_secs(20);

/// Opens the file for the one who writes, in the newest schema. Only one process at a time may be at this.
///
/// # Errors
/// As SQLite; [`SchemaError::TooNew`] where a newer program has written the file.
pub(crate) fn open_to_write(path: &Path) -> Result<Connection, SchemaError> {
    let mut db = connect(path)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "cache_size", -64_000)?;
    // Pages that are written again and again are copied to the database once in so many (32 MB), not in 4 MB.
    db.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    db.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let seen: u32 = change.query_one("PRAGMA user_version", [], |row| row.get(0))?;
    let unseen = MIGRATIONS.get(seen as usize..).ok_or(SchemaError::TooNew { seen })?;
    for migration in unseen {
        change.execute_batch(migration)?;
    }
    change.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    change.commit()?;
    Ok(db)
}

/// Opens the file for one who only reads.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, Fault> {
    let db = connect(path)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(64);
    db.pragma_update(None, "temp_store", "memory")?;
    Ok(db)
}

/// Why a file could not be brought into the newest schema.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("a newer version of this program wrote it (schema {seen}, known {})", MIGRATIONS.len())]
    TooNew { seen: u32 },
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_brought_up_once_and_a_newer_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        drop(open_to_write(&path).unwrap());
        let db = open_to_write(&path).unwrap();
        let (mode, sync): (String, i64) = (
            db.query_one("PRAGMA journal_mode", [], |r| r.get(0)).unwrap(),
            db.query_one("PRAGMA synchronous", [], |r| r.get(0)).unwrap(),
        );
        assert_eq!((mode.as_str(), sync), ("wal", 2));
        db.pragma_update(None, "user_version", MIGRATIONS.len() as u32 + 1).unwrap();
        drop(db);
        let error = open_to_write(&path).unwrap_err();
        assert!(matches!(error, SchemaError::TooNew { seen: 4 }), "{error}");
    }

    #[test]
    fn what_an_older_program_wrote_is_there_in_the_newest_schema() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        let old = Connection::open(&path).unwrap();
        MIGRATIONS[..2].iter().for_each(|migration| old.execute_batch(migration).unwrap());
        old.pragma_update(None, "user_version", 2).unwrap();
        let order = "INSERT INTO item (pk, sk, kind, version, due_pk, due_sk, counter, body)
                     VALUES (?1, ?2, 'draft', 7, 'due', ?2, -1, ?3)";
        let long = "x".repeat(300_000);
        for (pk, sk, body) in [("b", "2", "{}"), ("a", "1", long.as_str())] {
            old.execute(order, [pk, sk, body]).unwrap();
        }
        drop(old);
        let db = open_to_write(&path).unwrap();
        let mut rows = db
            .prepare("SELECT pk, version, counter, length(body) FROM item WHERE due_pk = 'due' ORDER BY due_sk")
            .unwrap();
        let rows: Vec<(String, i64, i64, i64)> = rows
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(rows, [("a".to_owned(), 7, -1, 300_000), ("b".to_owned(), 7, -1, 2)]);
    }

    #[test]
    fn who_only_reads_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        drop(open_to_write(&path).unwrap());
        let db = open_to_read(&path).unwrap();
        assert!(db.execute("DELETE FROM item", []).is_err());
    }
}
