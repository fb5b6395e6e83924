use rusqlite::types::{FromSql, Type};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Row};

/// A statement, prepared once a connection.
pub(crate) fn prepare<'a>(db: &'a Connection, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
    #[cfg(test)]
    tests::finds_by_index(db, sql);
    db.prepare_cached(sql)
}

/// Runs a statement that changes rows; how many it changed.
pub(crate) fn change(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    prepare(db, sql)?.execute(params)
}

/// The only column of the first row, if there is a row.
pub(crate) fn value<T: FromSql>(
    db: &Connection,
    sql: &str,
    params: impl Params,
) -> rusqlite::Result<Option<T>> {
    first(db, sql, params, |row| row.get(0))
}

/// The first row, if there is one.
pub(crate) fn first<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    prepare(db, sql)?.query_row(params, read).optional()
}

/// All rows.
pub(crate) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    prepare(db, sql)?.query_map(params, read)?.collect()
}

/// A column that holds what this program never writes.
pub(crate) fn unreadable(column: usize, why: impl std::fmt::Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, why.to_string().into())
}

/// The text that follows right after this one in the order of bytes.
pub(crate) fn right_after(text: &str) -> String {
    format!("{text}\0")
}

/// The first text after all that begin with this prefix; `None` where nothing follows them.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // A range of chars steps over the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// An upper bound of texts, where `None` is above all: SQLite orders every BLOB after every TEXT.
pub(crate) fn upper(bound: Option<String>) -> rusqlite::types::Value {
    bound.map_or(rusqlite::types::Value::Blob(Vec::new()), rusqlite::types::Value::Text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::*;

    /// Every statement that a unit test runs is asked for its plan: it finds its rows by an index, in the order in
    /// which it wants them, so that it takes no longer when there are more. (What is doomed is taken whole.)
    pub(super) fn finds_by_index(db: &Connection, sql: &str) {
        static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        if !SEEN.lock().unwrap().insert(sql.to_owned()) {
            return;
        }
        let plan = db
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .and_then(|mut plan| plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect());
        let plan: Vec<String> = plan.unwrap_or_else(|error| panic!("{error}: {sql}"));
        for step in plan {
            let walks =
                step.starts_with("SCAN") && !["SCAN CONSTANT ROW", "SCAN doomed"].contains(&&*step);
            assert!(!walks && !step.contains("TEMP B-TREE FOR ORDER BY"), "{step}: {sql}");
        }
    }

    #[test]
    fn what_follows_a_prefix_follows_all_that_begin_with_it_and_nothing_less() {
        assert_eq!(after_prefix("a").as_deref(), Some("b"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix("\u{7f}").as_deref(), Some("\u{80}"));
        assert_eq!(after_prefix(""), None);
        assert_eq!(after_prefix("\u{10ffff}\u{10ffff}"), None);
    }
}
