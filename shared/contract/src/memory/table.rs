use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use nexus_core::table::{
    CommitError, CommitToken, Condition, Cursor, Index, Item, Key, Op, Order, Page, Query, Slice,
    StoreError, TOKEN_LIFE, Table, check_limits, check_token,
};
use nexus_kernel::{Clock, Timestamp};

use super::{cut, lock};

/// A table in memory. Clones are handles to the same rows.
#[derive(Clone, Debug)]
pub struct MemoryTable {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<Key, Item>,
    tokens: HashMap<CommitToken, (Timestamp, Vec<Op>)>,
}

/// Where a row stands within a question: its sort key there, then its own key.
pub(crate) type Position = (String, Key);

/// The sort key under which an index shows a row within this question, if it does.
pub(crate) fn sort_in<'a>(query: &Query, item: &'a Item) -> Option<&'a str> {
    let (partition, sort) = match query.index {
        Index::Base => (item.key.pk(), item.key.sk()),
        Index::Due => item.due.as_ref().map(|e| (e.partition.as_str(), e.sort.as_str()))?,
        Index::List => item.list.as_ref().map(|e| (e.partition.as_str(), e.sort.as_str()))?,
    };
    (partition == query.partition && query.range.contains(sort)).then_some(sort)
}

/// A page of the rows that a question finds among these.
pub(crate) fn page_of(
    query: &Query,
    items: impl Iterator<Item = Item>,
    page: &Page,
) -> Result<Slice, StoreError> {
    let mut found: Vec<(Position, Item)> =
        items.filter_map(|i| Some(((sort_in(query, &i)?.to_owned(), i.key.clone()), i))).collect();
    let forward = match query.order {
        Order::Ascending => Ordering::Greater,
        Order::Descending => Ordering::Less,
    };
    found.sort_by(|(a, _), (b, _)| if forward.is_gt() { a.cmp(b) } else { b.cmp(a) });
    slice(query, found.into_iter(), page, forward)
}

fn slice(
    question: &dyn Debug,
    found: impl Iterator<Item = (Position, Item)>,
    page: &Page,
    forward: Ordering,
) -> Result<Slice, StoreError> {
    let after = match &page.after {
        None => None,
        Some(cursor) => match cursor.position(question).as_deref() {
            Some([sort, pk, sk]) => Some((sort.clone(), Key::stored(pk, sk))),
            _ => return Err(StoreError::BadCursor),
        },
    };
    let beyond = |at: &Position| after.as_ref().is_none_or(|a| at.cmp(a) == forward);
    let (items, last) = cut(found, beyond, page.clamped(), Item::weight);
    let next = last.map(|(sort, key)| Cursor::at(question, &[&sort, key.pk(), key.sk()]));
    Ok(Slice { items, next })
}

impl MemoryTable {
    /// An empty table whose tokens go by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { state: Arc::default(), clock }
    }
}

impl State {
    fn apply(&mut self, op: Op) {
        match op {
            Op::Put { item, .. } => {
                self.rows.insert(item.key.clone(), item);
            }
            Op::Delete { key, .. } => {
                self.rows.remove(&key);
            }
            Op::Check { .. } => {}
            Op::Add { key, kind, delta, expires, .. } => {
                let row = self.rows.entry(key.clone()).or_insert_with(|| Item {
                    key,
                    kind,
                    version: 0,
                    expires: None,
                    due: None,
                    list: None,
                    counter: 0,
                    body: "null".into(),
                });
                row.version = row.version.saturating_add(1);
                row.counter += delta;
                row.expires = expires;
            }
        }
    }

    /// What of the row a condition is about.
    fn found(&self, key: &Key) -> Option<(u64, i64)> {
        self.rows.get(key).map(|row| (row.version, row.counter))
    }
}

#[async_trait]
impl Table for MemoryTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        Ok(lock(&self.state).rows.get(key).cloned())
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        page_of(query, lock(&self.state).rows.values().cloned(), page)
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        check_limits(&ops)?;
        check_token(token)?;
        let now = self.clock.now();
        let mut state = lock(&self.state);
        state.tokens.retain(|_, (at, _)| now.duration_since(*at) < TOKEN_LIFE);
        if let Some((_, before)) = token.and_then(|t| state.tokens.get(t)) {
            return if *before == ops { Ok(()) } else { Err(CommitError::TokenReused) };
        }
        let fails = |op: &Op| !Condition::holds(op.condition(), state.found(op.key()));
        let failed: Vec<usize> =
            ops.iter().enumerate().filter(|(_, op)| fails(op)).map(|(n, _)| n).collect();
        if !failed.is_empty() {
            return Err(CommitError::Conditions(failed));
        }
        for op in &ops {
            if let Op::Add { key, delta, .. } = op {
                let counter = state.found(key).map_or(0, |(_, counter)| counter);
                counter.checked_add(*delta).ok_or_else(|| {
                    CommitError::Refused("a counter has 64 bits, this sum more".into())
                })?;
            }
        }
        if let Some(token) = token {
            state.tokens.insert(token.clone(), (now, ops.clone()));
        }
        for op in ops {
            state.apply(op);
        }
        Ok(())
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        let rows = lock(&self.state).rows.clone();
        let found = rows.into_iter().map(|(key, item)| ((String::new(), key), item));
        slice(&"scan", found, page, Ordering::Greater)
    }
}
