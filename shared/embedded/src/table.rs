use std::sync::Arc;

use async_trait::async_trait;
use nexus_core::RecordKind;
use nexus_core::table::{
    CommitError, CommitToken, Cursor, Index, IndexEntry, Item, Key, Op, Order, PAGE_BYTES, Page,
    Query, Range, Slice, StoreError, TOKEN_LIFE, Table, check_limits, check_token,
};
use nexus_kernel::{Digest, Timestamp};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Row, params};

use crate::sql;
use crate::store::Inner;
use crate::writer::WriteError;

/// The table on SQLite.
pub(crate) struct SqliteTable {
    store: Arc<Inner>,
}

const COLUMNS: &str =
    "pk, sk, kind, version, expires, due_pk, due_sk, list_pk, list_sk, counter, body";

/// Tokens stay this much longer than they are heeded (milliseconds), so that a process whose clock is ahead does
/// not forget another's.
const TOKEN_KEPT: i64 = 60 * 60 * 1000;

impl SqliteTable {
    pub(crate) fn new(store: Arc<Inner>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Table for SqliteTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let key = key.clone();
        let found = self.store.readers.read(move |db| {
            let question = format!("SELECT {COLUMNS} FROM item WHERE pk = ?1 AND sk = ?2");
            sql::first(db, &question, [key.pk(), key.sk()], item)
        });
        Ok(found.await?)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let keys = keys.to_vec();
        let found = self.store.readers.read(move |db| {
            let question = format!("SELECT {COLUMNS} FROM item WHERE pk = ?1 AND sk = ?2");
            keys.iter().map(|k| sql::first(db, &question, [k.pk(), k.sk()], item)).collect()
        });
        Ok(found.await?)
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        let plan = Plan::of(query, page)?;
        let limit = page.clamped();
        let (items, more) = self.store.readers.read(move |db| plan.read(db, limit)).await?;
        let next = items.last().filter(|_| more).map(|last| match (query.index, last) {
            (Index::Base, last) => Cursor::at(query, &[last.key.sk()]),
            (Index::Due, Item { key, due: Some(entry), .. })
            | (Index::List, Item { key, list: Some(entry), .. }) => {
                Cursor::at(query, &[&entry.sort, key.pk(), key.sk()])
            }
            // Not reached: the index holds rows with an entry only.
            (Index::Due | Index::List, last) => Cursor::at(query, &[last.key.sk()]),
        });
        Ok(Slice { items, next })
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        check_limits(&ops)?;
        check_token(token)?;
        let token = match token {
            None => None,
            Some(token) => {
                let bytes =
                    serde_json::to_vec(&ops).map_err(|e| CommitError::Refused(e.to_string()))?;
                Some(Token {
                    name: token.0.clone(),
                    digest: Digest::of(&bytes),
                    now: self.store.ambient.now(),
                })
            }
        };
        let written = self.store.writer.write(move |db| {
            if let Some(token) = &token {
                match token.digest_before(db)? {
                    Some(before) if before == token.digest.as_bytes() => return Ok(()),
                    Some(_) => return Err(WriteError::Refused(CommitError::TokenReused)),
                    None => {}
                }
            }
            apply(db, &ops)?;
            token.map_or(Ok(()), |token| Ok(token.remember(db)?))
        });
        written.await.map_err(|error| match error {
            WriteError::Refused(error) => error,
            WriteError::Undone(fault) => CommitError::Unavailable(Box::new(fault)),
            WriteError::Unsure(fault) => CommitError::Unknown(Box::new(fault)),
        })
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        let after = match page.after.as_ref().map(|cursor| cursor.position(&"scan")) {
            None => [String::new(), String::new()],
            Some(position) => position
                .and_then(|parts| <[String; 2]>::try_from(parts).ok())
                .ok_or(StoreError::BadCursor)?,
        };
        let limit = page.clamped();
        let (items, more) = self
            .store
            .readers
            .read(move |db| {
                let question = format!(
                    "SELECT {COLUMNS} FROM item WHERE (pk, sk) > (?1, ?2) ORDER BY pk, sk LIMIT ?3"
                );
                read_page(db, &question, params![after[0], after[1], limit + 1], limit)
            })
            .await?;
        let last = items.last().filter(|_| more);
        let next = last.map(|last| Cursor::at(&"scan", &[last.key.pk(), last.key.sk()]));
        Ok(Slice { items, next })
    }
}

/// A question as SQLite is asked it.
struct Plan {
    sql: String,
    params: Vec<Value>,
}

impl Plan {
    fn of(query: &Query, page: &Page) -> Result<Self, StoreError> {
        let (mut from, mut to) = match &query.range {
            Range::All => (String::new(), None),
            Range::Prefix(prefix) => (prefix.clone(), sql::after_prefix(prefix)),
            Range::Between(from, to) => (from.clone(), Some(sql::right_after(to))),
        };
        let after = match &page.after {
            None => None,
            Some(cursor) => Some(cursor.position(query).ok_or(StoreError::BadCursor)?),
        };
        let (direction, beyond) = match query.order {
            Order::Ascending => ("ASC", ">"),
            Order::Descending => ("DESC", "<"),
        };
        // The page before narrows the range, so that no row is stepped over; in an index, where several rows may
        // have one sort key, up to the rows with the very sort key on which it ended.
        let index = match query.index {
            Index::Base => None,
            Index::Due => Some("due"),
            Index::List => Some("list"),
        };
        let mut position = None;
        match (index, after.as_deref(), query.order) {
            (_, None, _) => {}
            (None, Some([sk]), Order::Ascending) => from = sql::right_after(sk),
            (None, Some([sk]), Order::Descending) => to = Some(sk.clone()),
            (Some(_), Some([sort, pk, sk]), order) => {
                position = Some([sort.clone(), pk.clone(), sk.clone()]);
                match order {
                    Order::Ascending => from = sort.clone(),
                    Order::Descending => to = Some(sql::right_after(sort)),
                }
            }
            _ => return Err(StoreError::BadCursor),
        }
        let mut params = vec![query.partition.clone().into(), from.into(), sql::upper(to)];
        let sql = match (index, position) {
            (None, _) => format!(
                "SELECT {COLUMNS} FROM item WHERE pk = ?1 AND sk >= ?2 AND sk < ?3
                 ORDER BY sk {direction} LIMIT ?4"
            ),
            (Some(x), None) => format!(
                "SELECT {COLUMNS} FROM item WHERE {x}_pk = ?1 AND {x}_sk >= ?2 AND {x}_sk < ?3
                 ORDER BY {x}_sk {direction}, pk {direction}, sk {direction} LIMIT ?4"
            ),
            (Some(x), Some(position)) => {
                params.extend(position.map(Value::from));
                format!(
                    "SELECT {COLUMNS} FROM item WHERE {x}_pk = ?1 AND {x}_sk >= ?2 AND {x}_sk < ?3
                     AND ({x}_sk, pk, sk) {beyond} (?5, ?6, ?7)
                     ORDER BY {x}_sk {direction}, pk {direction}, sk {direction} LIMIT ?4"
                )
            }
        };
        params.insert(3, (i64::from(page.clamped()) + 1).into());
        Ok(Self { sql, params })
    }

    fn read(self, db: &Connection, limit: u32) -> rusqlite::Result<(Vec<Item>, bool)> {
        read_page(db, &self.sql, rusqlite::params_from_iter(self.params), limit)
    }
}

/// Reads rows up to the limit or up to the weight of a page; whether there are more.
fn read_page(
    db: &Connection,
    question: &str,
    params: impl Params,
    limit: u32,
) -> rusqlite::Result<(Vec<Item>, bool)> {
    let mut statement = sql::prepare(db, question)?;
    let mut rows = statement.query(params)?;
    let (mut items, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if items.len() == limit as usize || bytes >= PAGE_BYTES {
            return Ok((items, true));
        }
        let item = item(row)?;
        bytes += item.weight();
        items.push(item);
    }
    Ok((items, false))
}

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let text = |column: usize| -> rusqlite::Result<Option<String>> { row.get(column) };
    let entry = |partition: usize, sort: usize| -> rusqlite::Result<Option<IndexEntry>> {
        let both = text(partition)?.zip(text(sort)?);
        Ok(both.map(|(partition, sort)| IndexEntry { partition, sort }))
    };
    let kind: String = row.get(2)?;
    let expires = text(4)?.map(|at| at.parse::<Timestamp>().map_err(|e| sql::unreadable(4, e)));
    Ok(Item {
        key: Key::stored(row.get::<_, String>(0)?, row.get::<_, String>(1)?),
        kind: RecordKind::parse(&kind)
            .ok_or_else(|| sql::unreadable(2, format!("no record is of kind `{kind}`")))?,
        version: row.get::<_, i64>(3)?.cast_unsigned(),
        expires: expires.transpose()?,
        due: entry(5, 6)?,
        list: entry(7, 8)?,
        counter: row.get(9)?,
        body: row.get(10)?,
    })
}

const PUT: &str = "
    INSERT INTO item
        (pk, sk, kind, version, expires, due_pk, due_sk, list_pk, list_sk, counter, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT DO UPDATE SET
        kind = excluded.kind, version = excluded.version, expires = excluded.expires,
        due_pk = excluded.due_pk, due_sk = excluded.due_sk,
        list_pk = excluded.list_pk, list_sk = excluded.list_sk,
        counter = excluded.counter, body = excluded.body";

const ADD: &str = "
    INSERT INTO item (pk, sk, kind, version, expires, counter, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'null')
    ON CONFLICT DO UPDATE SET
        version = excluded.version, expires = excluded.expires, counter = excluded.counter";

/// All operations, or an error and (by the savepoint around it) none.
fn apply(db: &Connection, ops: &[Op]) -> Result<(), WriteError<CommitError>> {
    // No row stands twice in a commit, so what is found now holds for each until its own turn.
    let mut found = Vec::with_capacity(ops.len());
    let mut standing =
        sql::prepare(db, "SELECT version, counter FROM item WHERE pk = ?1 AND sk = ?2")?;
    for op in ops {
        let row = standing.query_row([op.key().pk(), op.key().sk()], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?))
        });
        found.push(row.optional()?);
    }
    let pairs = || ops.iter().zip(&found);
    let failed: Vec<usize> = pairs()
        .enumerate()
        .filter(|(_, (op, found))| !op.condition().holds(**found))
        .map(|(n, _)| n)
        .collect();
    if !failed.is_empty() {
        return Err(WriteError::Refused(CommitError::Conditions(failed)));
    }
    let (mut put, mut add) = (sql::prepare(db, PUT)?, sql::prepare(db, ADD)?);
    for (op, found) in pairs() {
        match op {
            Op::Check { .. } => {}
            Op::Put { item, .. } => write(&mut put, item)?,
            Op::Delete { key, .. } => {
                let order = "DELETE FROM item WHERE pk = ?1 AND sk = ?2";
                sql::change(db, order, [key.pk(), key.sk()])?;
            }
            Op::Add { key, kind, delta, expires, .. } => {
                let (version, counter) = found.unwrap_or_default();
                let sum = counter.checked_add(*delta).ok_or_else(|| {
                    let why = "a counter has 64 bits, this sum more".to_owned();
                    WriteError::Refused(CommitError::Refused(why))
                })?;
                let version = version.saturating_add(1).cast_signed();
                let expires = expires.map(|at| at.to_string());
                add.execute(params![key.pk(), key.sk(), kind.name(), version, expires, sum])?;
            }
        }
    }
    Ok(())
}

/// Writes a row, whatever stood at its key.
fn write(put: &mut CachedStatement<'_>, item: &Item) -> rusqlite::Result<()> {
    let (due, list) = (item.due.as_ref(), item.list.as_ref());
    let row = params![
        item.key.pk(),
        item.key.sk(),
        item.kind.name(),
        item.version.cast_signed(),
        item.expires.map(|at| at.to_string()),
        due.map(|e| &e.partition),
        due.map(|e| &e.sort),
        list.map(|e| &e.partition),
        list.map(|e| &e.sort),
        item.counter,
        item.body,
    ];
    put.execute(row).map(|_| ())
}

/// A commit's token and what it stands for.
struct Token {
    name: String,
    digest: Digest,
    now: Timestamp,
}

impl Token {
    /// The digest of the operations for which the token was used lately.
    fn digest_before(&self, db: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
        let question = "SELECT digest FROM commit_token WHERE token = ?1 AND at > ?2";
        let since = self.now.as_millisecond() - TOKEN_LIFE.as_millis() as i64;
        sql::value(db, question, params![self.name, since])
    }

    fn remember(&self, db: &Connection) -> rusqlite::Result<()> {
        // A few at a time: more than come, so they never pile up, and no commit has to wait for many.
        let forget = "
            DELETE FROM commit_token WHERE token IN
                (SELECT token FROM commit_token WHERE at <= ?1 ORDER BY at LIMIT 10)";
        sql::change(db, forget, [self.now.as_millisecond() - TOKEN_KEPT])?;
        let order = "INSERT OR REPLACE INTO commit_token (token, digest, at) VALUES (?1, ?2, ?3)";
        let row = params![self.name, self.digest.as_bytes(), self.now.as_millisecond()];
        sql::change(db, order, row).map(|_| ())
    }
}
