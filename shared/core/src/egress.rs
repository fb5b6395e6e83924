//! The egress ledger: what went to which vendor for which tenant, how often and at what cost, never the content
//! (N34); and the cap under which it may cost anything.
//!
//! A call is entered before its first try: counted, its fields named, its estimate reserved under the tenant's cap
//! of the month, all in one commit. Afterwards it is settled by what it used. What dies in between stays reserved
//! until the month is over: nobody knows what it cost. Where a vendor says later what a call came to, it is corrected.
//!
//! All of it is counters, so that calls of many functions add up without reading what the others wrote. The cap
//! bounds the counter of what is taken in the very operation that adds to it.
//!
//! **Never here:** sending, a vendor's prices, a field's value.

mod correction;
mod counts;
mod ledger;
mod month;
mod spending;

use std::collections::BTreeSet;
use std::fmt;

use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::correction::{Correction, correction};
use self::counts::Count;
pub use self::ledger::{Line, ledger};
use self::ledger::{What, key};
pub use self::month::{Month, MonthError};
pub use self::spending::{
    DEFAULT_CAP, MAX_CAP, MAX_VENDOR_CHARS, SpendCap, Spending, cap, spending,
};
use self::spending::{spent_key, taken_key};
use crate::retention::RecordKind;
use crate::scope::Scope;
use crate::table::{CommitError, MAX_OPS, StoreError, Table};

/// The most fields of one call: its counters are one commit, which has [`MAX_OPS`] operations, and a few of them
/// count other things.
pub const MAX_FIELDS: usize = MAX_OPS - 10;

/// The most tokens or units that one call adds: more is nonsense in an answer, and must not fill a counter for good.
const MOST_A_CALL: i64 = 1_000_000_000_000;

nexus_kernel::id!(
    /// One call in the ledger: by this name a repeated commit is known.
    EntryId,
    "ent_"
);

/// An amount in millionths of a US dollar.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Cost(i64);

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many millionths of a dollar.
    pub const fn micros(micros: i64) -> Self {
        Self(micros)
    }

    /// In millionths of a dollar.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// So many cents.
    pub const fn cents(cents: i64) -> Self {
        Self(cents.saturating_mul(MICROS_A_CENT))
    }

    /// In cents; a part of a cent counts as one, so that nothing that costs looks free.
    pub const fn as_cents_up(self) -> i64 {
        let more = if self.0 % MICROS_A_CENT > 0 { 1 } else { 0 };
        self.0 / MICROS_A_CENT + more
    }

    /// In dollars, as a decimal number of at least two places and no more than it needs: `20.00`, `0.0021`.
    pub fn in_dollars(self) -> String {
        let (whole, part) =
            (self.0.unsigned_abs() / MICROS_A_DOLLAR, self.0.unsigned_abs() % MICROS_A_DOLLAR);
        let sign = if self.0 < 0 { "-" } else { "" };
        let mut part = format!("{part:06}");
        while part.len() > 2 && part.ends_with('0') {
            part.pop();
        }
        format!("{sign}{whole}.{part}")
    }
}

const MICROS_A_CENT: i64 = 10_000;
const MICROS_A_DOLLAR: u64 = 1_000_000;

impl fmt::Display for Cost {
    /// Writes `0.0021 USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} USD", self.in_dollars())
    }
}

/// A call that is about to leave.
#[derive(Debug, Clone, Copy)]
pub struct Leaving<'a> {
    /// To whom.
    pub vendor: &'a str,
    /// What for.
    pub operation: &'a str,
    /// The fields that go out, by their paths.
    pub fields: &'a BTreeSet<String>,
    /// What it will cost at most, as far as can be told before.
    pub estimate: Cost,
}

/// A call that was entered and is not settled yet.
#[derive(Debug)]
#[must_use = "what was entered has to be settled, or its estimate stays reserved"]
pub struct Entry {
    id: EntryId,
    /// It is settled in the month in which it was entered, whenever it ends.
    month: Month,
    vendor: String,
    operation: String,
    reserved: Cost,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It happened.
    Done,
    /// It certainly did not.
    Refused,
    /// It did not, and later may.
    Throttled,
    /// The vendor does not know us.
    Login,
    /// Nobody knows.
    Unknown,
}

impl Ended {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Done, Self::Refused, Self::Throttled, Self::Login, Self::Unknown];

    /// The word in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Login => "login",
            Self::Unknown => "unknown",
        }
    }
}

/// What a call came to.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// How it ended.
    pub ended: Ended,
    /// How often it was sent.
    pub tries: u32,
    /// Tokens that went in.
    pub tokens_in: u64,
    /// Tokens that came out.
    pub tokens_out: u64,
    /// Characters, seconds: what else the vendor counts.
    pub units: u64,
    /// What it cost. Where nobody knows whether it happened, the estimate.
    pub cost: Cost,
}

/// Enters a call that is about to leave. The id is drawn for this call alone: by it, what is sent to the store again
/// because its answer was lost is counted once.
///
/// A call whose estimate is nothing is entered whatever the cap: asking how a bought thing is doing is never held.
///
/// # Errors
/// The tenant's cap for this vendor and month would be passed (`Denied`, saying so); so many calls are entered at
/// once that this one does not get its turn, or the store does not answer (`Unavailable`); it has more than
/// [`MAX_FIELDS`] fields or costs less than nothing (ours to repair).
pub async fn enter_as(
    table: &dyn Table,
    scope: &Scope,
    leaving: Leaving<'_>,
    id: EntryId,
    now: Timestamp,
) -> Result<Entry, Failure> {
    let Leaving { vendor, operation, fields, estimate } = leaving;
    if fields.len() > MAX_FIELDS {
        let count = fields.len();
        return Err(Failure::bug(format!(
            "{vendor} {operation}: {count} fields, the ledger counts {MAX_FIELDS}"
        )));
    }
    if estimate < Cost::ZERO {
        return Err(Failure::bug(format!("{vendor} {operation}: an estimate of {estimate}")));
    }
    let month = Month::of(now);
    let line = |what| Count::new(key(scope, month, vendor, operation, what), RecordKind::Egress, 1);
    let mut counts = vec![line(What::Calls)];
    counts.extend(fields.iter().map(|field| line(What::Field(field))));
    for attempt in 0..counts::TRIES {
        let mut all = counts.clone();
        if estimate > Cost::ZERO {
            all.push(reservation(table, scope, month, vendor, estimate, now).await?);
        }
        let ops = counts::ops(scope, month, &all);
        let token = counts::token(id, "enter", attempt);
        match counts::commit(table, ops, &token).await {
            Ok(()) => {
                let (vendor, operation) = (vendor.to_owned(), operation.to_owned());
                return Ok(Entry { id, month, vendor, operation, reserved: estimate });
            }
            Err(CommitError::Conditions(failed)) => counts::learn(&mut counts, &failed),
            Err(CommitError::Contended) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::unavailable(format!(
        "Too many calls to {vendor} began at the same moment. Ask again in a moment."
    )))
}

/// The counter of what is taken, with the estimate to be added and the bound that the cap puts on it: at the moment
/// of the commit it may be at most the cap without the estimate, since the bound is compared before the addition.
async fn reservation(
    table: &dyn Table,
    scope: &Scope,
    month: Month,
    vendor: &str,
    estimate: Cost,
    now: Timestamp,
) -> Result<Count, Failure> {
    let cap = cap(table, scope, vendor, now).await?;
    let (spent, taken) = spending::standing(table, scope, month, vendor, now).await?;
    let room = cap.as_micros().saturating_sub(estimate.as_micros());
    if taken.unwrap_or_default().as_micros() > room {
        let taken = taken.unwrap_or_default();
        return Err(spending::reached(vendor, month, cap, spent, taken, estimate));
    }
    let key = taken_key(scope, month, vendor);
    let count = Count::new(key, RecordKind::Spending, estimate.as_micros());
    Ok(Count { at_most: Some(room), stands: taken.is_some(), ..count })
}

/// Settles an entered call: counts what it came to, and frees what was reserved beyond its cost. It may cost more
/// than was reserved, and pass the cap: then the next call is held.
///
/// # Errors
/// The store does not answer; what was reserved may stay so.
pub async fn settle(
    table: &dyn Table,
    scope: &Scope,
    entry: Entry,
    settled: Settled,
    _now: Timestamp,
) -> Result<(), StoreError> {
    let Entry { id, month, vendor, operation, reserved } = entry;
    let Settled { ended, tries, tokens_in, tokens_out, units, cost } = settled;
    let count = |n: u64| i64::try_from(n).unwrap_or(MOST_A_CALL).min(MOST_A_CALL);
    let line = |what, delta| {
        Count::new(key(scope, month, &vendor, &operation, what), RecordKind::Egress, delta)
    };
    let money = |key, delta| Count::new(key, RecordKind::Spending, delta);
    let cost = cost.clamp(Cost::ZERO, MAX_CAP).as_micros();
    let mut counts = vec![
        line(What::Ended(ended), 1),
        line(What::Tries, i64::from(tries)),
        line(What::TokensIn, count(tokens_in)),
        line(What::TokensOut, count(tokens_out)),
        line(What::Units, count(units)),
        line(What::Cost, cost),
        money(spent_key(scope, month, &vendor), cost),
        money(taken_key(scope, month, &vendor), cost.saturating_sub(reserved.as_micros())),
    ];
    counts.retain(|count| count.delta != 0);

    let mut last = CommitError::Contended;
    for attempt in 0..counts::TRIES {
        let ops = counts::ops(scope, month, &counts);
        let token = counts::token(id, "settle", attempt);
        match counts::commit(table, ops, &token).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Conditions(failed)) => {
                counts::learn(&mut counts, &failed);
                last = CommitError::Conditions(failed);
            }
            Err(CommitError::Contended) => {}
            Err(error @ (CommitError::Refused(_) | CommitError::TokenReused)) => {
                return Err(StoreError::Corrupt(error.into()));
            }
            Err(error) => return Err(StoreError::Unavailable(error.into())),
        }
    }
    Err(StoreError::Unavailable(last.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_to_the_last_millionth_and_in_cents_never_for_nothing() {
        for (micros, told, cents) in [
            (0, "0.00 USD", 0),
            (1, "0.000001 USD", 1),
            (2_100, "0.0021 USD", 1),
            (10_000, "0.01 USD", 1),
            (10_001, "0.010001 USD", 2),
            (20_000_000, "20.00 USD", 2_000),
            (-1_500_000, "-1.50 USD", -150),
            (i64::MIN, "-9223372036854.775808 USD", -922_337_203_685_477),
        ] {
            let cost = Cost::micros(micros);
            assert_eq!((cost.to_string().as_str(), cost.as_cents_up()), (told, cents));
        }
        assert_eq!(Cost::cents(2_000), DEFAULT_CAP);
        assert_eq!(Cost::cents(i64::MAX).as_micros(), i64::MAX);
    }
}
