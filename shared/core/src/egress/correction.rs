//! What is known of a settled call only later: what a job came to that was paid for when it was taken.

use nexus_kernel::Timestamp;

use super::counts::{self, Count};
use super::ledger::{What, key};
use super::month::Month;
use super::spending::{spent_key, taken_key};
use super::{Cost, MAX_CAP, MOST_A_CALL};
use crate::retention::RecordKind;
use crate::scope::Scope;
use crate::table::{Key, Op, StoreError, Table};

/// A settled call, and what it came to in the end.
#[derive(Debug, Clone, Copy)]
pub struct Correction<'a> {
    /// To whom it went.
    pub vendor: &'a str,
    /// What for.
    pub operation: &'a str,
    /// When it was entered: it is corrected in that month.
    pub entered: Timestamp,
    /// The cost by which it was settled.
    pub settled: Cost,
    /// What it did cost.
    pub cost: Cost,
    /// Tokens that went in, as far as they are not counted yet.
    pub tokens_in: u64,
    /// Tokens that came out, as far as they are not counted yet.
    pub tokens_out: u64,
}

/// The operations that correct a settled call. They add to counters, so they go into the commit of the record by which
/// its holder knows that it was done: a second correction looks like the first. No counter falls below nothing.
///
/// # Errors
/// The store does not answer.
pub async fn correction(
    table: &dyn Table,
    scope: &Scope,
    correction: Correction<'_>,
) -> Result<Vec<Op>, StoreError> {
    let Correction { vendor, operation, entered, settled, cost, tokens_in, tokens_out } =
        correction;
    let month = Month::of(entered);
    let tokens = |n: u64| i64::try_from(n).unwrap_or(MOST_A_CALL).min(MOST_A_CALL);
    let line = |what, delta| {
        Count::new(key(scope, month, vendor, operation, what), RecordKind::Egress, delta)
    };
    let money = |key, delta| Count::new(key, RecordKind::Spending, delta);
    let cost = cost.clamp(Cost::ZERO, MAX_CAP).as_micros();
    let more = cost.saturating_sub(settled.as_micros());
    let mut counts = vec![
        line(What::TokensIn, tokens(tokens_in)),
        line(What::TokensOut, tokens(tokens_out)),
        line(What::Cost, more),
        money(spent_key(scope, month, vendor), more),
        money(taken_key(scope, month, vendor), more),
    ];
    let keys: Vec<Key> = counts.iter().map(|count| count.key.clone()).collect();
    for (count, found) in counts.iter_mut().zip(table.get_many(&keys).await?) {
        count.stands = found.is_some();
        let standing = found.map_or(0, |item| item.counter.max(0));
        count.delta = count.delta.max(standing.saturating_neg());
    }
    counts.retain(|count| count.delta != 0);
    Ok(counts::ops(scope, month, &counts))
}
