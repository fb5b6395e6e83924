//! How a row stands in the table: which attribute holds what.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use nexus_core::RecordKind;
use nexus_core::table::{Index, IndexEntry, Item, Key, StoreError};
use nexus_kernel::Timestamp;

/// A row as the SDK has it.
pub(super) type Attributes = HashMap<String, AttributeValue>;

pub(super) const PK: &str = "pk";
pub(super) const SK: &str = "sk";
pub(super) const KIND: &str = "kind";
pub(super) const VERSION: &str = "version";
/// Milliseconds since 1970.
pub(super) const EXPIRES: &str = "expires";
/// Seconds since 1970, 7 days after `expires`: the table's own time to live, a net below the sweep.
pub(super) const TTL: &str = "ttl";
pub(super) const COUNTER: &str = "counter";
/// The record, as JSON text.
pub(super) const BODY: &str = "body";

const TTL_AFTER_EXPIRY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The name of an index and of its two key attributes.
pub(super) fn index(index: Index) -> (Option<&'static str>, &'static str, &'static str) {
    match index {
        Index::Base => (None, PK, SK),
        Index::Due => (Some("due"), "due_pk", "due_sk"),
        Index::List => (Some("list"), "list_pk", "list_sk"),
    }
}

/// Whether DynamoDB could hold such a key; it refuses to be asked for one that it could not.
pub(super) fn may_stand(partition: &str, sort: &str) -> bool {
    (1..=2048).contains(&partition.len()) && (1..=1024).contains(&sort.len())
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// `expires` and `ttl` of a row that expires then.
pub(super) fn expiry(at: Timestamp) -> [(&'static str, AttributeValue); 2] {
    let ttl = at.saturating_add(TTL_AFTER_EXPIRY).unwrap_or(Timestamp::MAX);
    [(EXPIRES, number(at.as_millisecond())), (TTL, number(ttl.as_second()))]
}

pub(super) fn key(key: &Key) -> Attributes {
    [(PK, key.pk()), (SK, key.sk())].map(|(name, part)| (name.to_owned(), text(part))).into()
}

pub(super) fn write(item: &Item) -> Attributes {
    let mut row = key(&item.key);
    let mut set = |name: &str, value| row.insert(name.to_owned(), value);
    set(KIND, text(item.kind.name()));
    set(VERSION, number(item.version));
    set(COUNTER, number(item.counter));
    set(BODY, text(item.body.as_str()));
    for (name, value) in item.expires.map(expiry).into_iter().flatten() {
        set(name, value);
    }
    for (which, entry) in [(Index::Due, &item.due), (Index::List, &item.list)] {
        if let Some(entry) = entry {
            let (_, partition, sort) = index(which);
            set(partition, text(entry.partition.as_str()));
            set(sort, text(entry.sort.as_str()));
        }
    }
    row
}

/// # Errors
/// The row is not one that we wrote.
pub(super) fn read(mut row: Attributes) -> Result<Item, StoreError> {
    let expires = match take_number(&mut row, EXPIRES)? {
        None => None,
        Some(ms) => Some(Timestamp::from_millisecond(ms).map_err(|_| corrupt(EXPIRES))?),
    };
    let kind = need(take_text(&mut row, KIND), KIND)?;
    Ok(Item {
        key: Key::stored(need(take_text(&mut row, PK), PK)?, need(take_text(&mut row, SK), SK)?),
        kind: RecordKind::parse(&kind).ok_or_else(|| corrupt(KIND))?,
        version: need(take_number(&mut row, VERSION)?, VERSION)?,
        expires,
        due: take_entry(&mut row, Index::Due),
        list: take_entry(&mut row, Index::List),
        counter: need(take_number(&mut row, COUNTER)?, COUNTER)?,
        body: need(take_text(&mut row, BODY), BODY)?,
    })
}

pub(super) fn read_all(rows: Option<Vec<Attributes>>) -> Result<Vec<Item>, StoreError> {
    rows.unwrap_or_default().into_iter().map(read).collect()
}

/// Version and counter: what a condition asks of a row.
pub(super) fn standing(row: &Attributes) -> Option<(u64, i64)> {
    let number = |name| row.get(name)?.as_n().ok();
    Some((number(VERSION)?.parse().ok()?, number(COUNTER)?.parse().ok()?))
}

pub(super) fn take_text(row: &mut Attributes, name: &str) -> Option<String> {
    match row.remove(name)? {
        AttributeValue::S(text) => Some(text),
        _ => None,
    }
}

fn take_number<N: std::str::FromStr>(
    row: &mut Attributes,
    name: &'static str,
) -> Result<Option<N>, StoreError> {
    let Some(value) = row.remove(name) else { return Ok(None) };
    let number = value.as_n().ok().and_then(|n| n.parse().ok());
    number.map(Some).ok_or_else(|| corrupt(name))
}

fn take_entry(row: &mut Attributes, which: Index) -> Option<IndexEntry> {
    let (_, partition, sort) = index(which);
    Some(IndexEntry { partition: take_text(row, partition)?, sort: take_text(row, sort)? })
}

fn need<T>(found: Option<T>, name: &'static str) -> Result<T, StoreError> {
    found.ok_or_else(|| corrupt(name))
}

fn corrupt(attribute: &'static str) -> StoreError {
    StoreError::Corrupt(
        format!("the attribute `{attribute}` is missing or not what we write").into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        Item {
            key: Key::stored("ten_a#product", "p1"),
            kind: RecordKind::Product,
            version: 3,
            expires: Some(Timestamp::from_millisecond(1_795_165_260_123).unwrap()),
            due: Some(IndexEntry { partition: "due#expiry#0".into(), sort: "1".into() }),
            list: None,
            counter: -4,
            body: r#"{"name":"café"}"#.into(),
        }
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let bare = Item { expires: None, due: None, body: String::new(), ..item() };
        for item in [item(), bare] {
            assert_eq!(read(write(&item)).unwrap(), item);
        }
    }

    #[test]
    fn the_tables_own_time_to_live_stands_seven_days_after_expiry() {
        let row = write(&item());
        assert_eq!(row[EXPIRES], number(1_795_165_260_123_i64));
        assert_eq!(row[TTL], number(1_795_165_260 + 7 * 24 * 3600));
        assert!(!row.contains_key("list_pk"), "the indexes are sparse");
    }

    #[test]
    fn a_row_of_somebody_else_is_corrupt() {
        for (name, value) in [
            (KIND, text("unheard of")),
            (VERSION, text("1")),
            (COUNTER, number("1.5")),
            (BODY, number(1)),
        ] {
            let mut row = write(&item());
            row.insert(name.to_owned(), value);
            assert!(matches!(read(row), Err(StoreError::Corrupt(_))), "{name}");
            let mut row = write(&item());
            row.remove(name);
            assert!(matches!(read(row), Err(StoreError::Corrupt(_))), "{name}");
        }
    }
}
