//! Questions to one partition, and where their pages end.

use std::fmt;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use nexus_core::table::{Cursor, Index, Key, Order, Page, Query, Range, StoreError};

use super::rows::{self, Attributes, PK, SK, take_text, text};

/// The name of the question for everything.
pub(super) const SCAN: &str = "scan";

/// A question in DynamoDB's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'q> {
    query: &'q Query,
    range: &'static str,
    bounds: Vec<(&'static str, &'q str)>,
}

/// The question; `None` where no row can be an answer, which DynamoDB refuses to be asked.
pub(super) fn ask(query: &Query) -> Option<Asked<'_>> {
    let (range, bounds) = match &query.range {
        Range::All => ("", vec![]),
        Range::Prefix(prefix) if prefix.is_empty() => ("", vec![]),
        Range::Prefix(prefix) => (" AND begins_with(#s, :from)", vec![(":from", prefix.as_str())]),
        Range::Between(from, to) if from > to || to.is_empty() => return None,
        Range::Between(from, to) if from.is_empty() => {
            (" AND #s <= :to", vec![(":to", to.as_str())])
        }
        Range::Between(from, to) => {
            (" AND #s BETWEEN :from AND :to", vec![(":from", from.as_str()), (":to", to.as_str())])
        }
    };
    rows::may_stand(&query.partition, "-").then_some(Asked { query, range, bounds })
}

impl Asked<'_> {
    pub(super) fn put_to(self, request: QueryFluentBuilder) -> QueryFluentBuilder {
        let (index, partition, sort) = rows::index(self.query.index);
        let mut request = request
            .set_index_name(index.map(str::to_owned))
            // Only the base table can be read consistently.
            .consistent_read(index.is_none())
            .scan_index_forward(self.query.order == Order::Ascending)
            .key_condition_expression(format!("#p = :p{}", self.range))
            .expression_attribute_names("#p", partition)
            .expression_attribute_values(":p", text(self.query.partition.as_str()));
        if !self.range.is_empty() {
            request = request.expression_attribute_names("#s", sort);
        }
        for (name, bound) in self.bounds {
            request = request.expression_attribute_values(name, text(bound));
        }
        request
    }
}

/// Where a page ended: the sort key within the question, and the row's own key.
pub(super) struct After {
    sort: String,
    pub(super) key: Key,
}

impl After {
    pub(super) fn key_in(self, query: &Query) -> Attributes {
        let mut start = rows::key(&self.key);
        if query.index != Index::Base {
            let (_, partition, sort) = rows::index(query.index);
            start.insert(partition.to_owned(), text(query.partition.as_str()));
            start.insert(sort.to_owned(), text(self.sort));
        }
        start
    }
}

/// Where the page goes on.
///
/// # Errors
/// The cursor is of another question.
pub(super) fn after(question: &dyn fmt::Debug, page: &Page) -> Result<Option<After>, StoreError> {
    let Some(cursor) = &page.after else { return Ok(None) };
    match cursor.position(question).as_deref() {
        Some([sort, pk, sk]) => Ok(Some(After { sort: sort.clone(), key: Key::stored(pk, sk) })),
        _ => Err(StoreError::BadCursor),
    }
}

pub(super) fn limit(page: &Page) -> i32 {
    page.clamped().cast_signed()
}

/// The cursor of a page that ended at this key.
pub(super) fn cursor(query: &Query, mut last: Attributes) -> Result<Cursor, StoreError> {
    let sort = match query.index {
        Index::Base => last.get(SK).and_then(|v| v.as_s().ok()).cloned(),
        index => take_text(&mut last, rows::index(index).2),
    };
    ended_at(query, &sort.unwrap_or_default(), &last)
}

/// The cursor of a scan's page that ended at this key.
pub(super) fn scan_cursor(last: &Attributes) -> Result<Cursor, StoreError> {
    ended_at(&SCAN, "", last)
}

fn ended_at(
    question: &dyn fmt::Debug,
    sort: &str,
    last: &Attributes,
) -> Result<Cursor, StoreError> {
    let part = |name| last.get(name).and_then(|v| v.as_s().ok());
    match (part(PK), part(SK)) {
        (Some(pk), Some(sk)) => Ok(Cursor::at(question, &[sort, pk, sk])),
        _ => Err(StoreError::Corrupt("a page ended at no key".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_row_can_answer_is_not_asked() {
        let base = || Query::base("p");
        for none in [
            base().between("b", "a"),
            base().between("", ""),
            Query::base(""),
            Query::base("p".repeat(2049)),
        ] {
            assert_eq!(ask(&none), None, "{none:?}");
        }
        for (query, range) in [
            (base(), ""),
            (base().prefix(""), ""),
            (base().prefix("a"), " AND begins_with(#s, :from)"),
            (base().between("", "a"), " AND #s <= :to"),
            (base().between("a", "a"), " AND #s BETWEEN :from AND :to"),
        ] {
            assert_eq!(ask(&query).unwrap().range, range, "{query:?}");
        }
    }

    #[test]
    fn a_cursor_names_the_key_in_the_index_too() {
        let query = Query::of(Index::Due, "due#expiry#0");
        let last = [("pk", "p"), ("sk", "s"), ("due_pk", "due#expiry#0"), ("due_sk", "0001")];
        let last: Attributes = last.map(|(name, part)| (name.to_owned(), text(part))).into();
        let page = Page::after(1, Some(cursor(&query, last.clone()).unwrap()));
        assert_eq!(after(&query, &page).unwrap().unwrap().key_in(&query), last);
        assert!(matches!(after(&SCAN, &page), Err(StoreError::BadCursor)));
    }
}
