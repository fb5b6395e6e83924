//! That something came, for minutes: how many came from one source and to one page, and what came already.
//!
//! A trace is a keyed digest or a counter, never what it was made of. It is gone within the hour, its key after the next
//! day.

use jiff::SignedDuration;
use nexus_core::{Condition, Item, Key, Op, Record, RecordKind, Scope, records};
use nexus_kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::salts::SourceMark;

/// How many inquiries a tenant takes from one source within [`SOURCE_WINDOW`]. Many people may share one address: a
/// school, a network of telephones.
pub const FROM_ONE_SOURCE: i64 = 10;
/// Over how long inquiries of one source are counted.
pub const SOURCE_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// How many inquiries one page takes within [`PAGE_WINDOW`].
pub const ON_ONE_PAGE: i64 = 120;
/// Over how long inquiries on one page are counted.
pub const PAGE_WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// How long the same question is the same question.
pub(super) const SAME: SignedDuration = SignedDuration::from_hours(1);

/// A row that says that something came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Trace {
    name: String,
    until: Timestamp,
}

impl Record for Trace {
    const KIND: RecordKind = RecordKind::InquiryTrace;

    fn key(&self, scope: &Scope) -> Key {
        scope.key("inqtrace", &*self.name)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.until)
    }
}

/// A trace that an inquiry leaves.
pub(super) struct Mark {
    trace: Trace,
    /// How many there may be, where it is a counter.
    most: Option<i64>,
}

impl Mark {
    /// That this was asked, by its keyed digest.
    pub(super) fn same(digest: &str, now: Timestamp) -> Self {
        let until = now.saturating_add(SAME).unwrap_or(Timestamp::MAX);
        Self { trace: Trace { name: format!("same#{digest}"), until }, most: None }
    }

    /// That something came from this source.
    pub(super) fn source(source: &SourceMark, now: Timestamp) -> Self {
        Self::counted("source", source.as_str(), SOURCE_WINDOW, FROM_ONE_SOURCE, now)
    }

    /// That something came to this page.
    pub(super) fn page(code: &str, now: Timestamp) -> Self {
        Self::counted("page", code, PAGE_WINDOW, ON_ONE_PAGE, now)
    }

    fn counted(sort: &str, of: &str, window: SignedDuration, most: i64, now: Timestamp) -> Self {
        let (now, long) = (now.as_millisecond(), i64::try_from(window.as_millis()).unwrap_or(1));
        let number = now.div_euclid(long);
        let ends = number.saturating_add(1).saturating_mul(long);
        let until = Timestamp::from_millisecond(ends).unwrap_or(Timestamp::MAX);
        let name = format!("{sort}#{of}#{number}");
        Self { trace: Trace { name, until }, most: Some(most) }
    }

    pub(super) fn key(&self, scope: &Scope) -> Key {
        self.trace.key(scope)
    }

    /// When there is room again, if there is none: what stands there says so.
    pub(super) fn full_until(&self, found: Option<&Item>) -> Option<Timestamp> {
        let most = self.most?;
        found.filter(|row| row.counter >= most).map(|_| self.trace.until)
    }

    /// The operation that leaves it, given what stands there.
    pub(super) fn op(&self, scope: &Scope, found: Option<&Item>, now: Timestamp) -> Op {
        match (self.most, found) {
            (Some(most), Some(row)) if row.is_live(now) => Op::Add {
                key: self.key(scope),
                kind: RecordKind::InquiryTrace,
                delta: 1,
                expires: Some(self.trace.until),
                when: Condition::CounterAtMost(most - 1),
            },
            // The first one puts the row, with its place in the index of what is due: an addition alone would make
            // one that no sweep finds. What has expired and was not swept yet is written over.
            _ => {
                let mut op = records::create(scope, &self.trace);
                if let Op::Put { item, when } = &mut op {
                    item.counter = i64::from(self.most.is_some());
                    if let Some(row) = found {
                        item.version = row.version + 1;
                        *when = Condition::Version(row.version);
                    }
                }
                op
            }
        }
    }
}
