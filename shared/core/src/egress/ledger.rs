//! Reading the ledger: what went where in a month.

use std::collections::BTreeMap;

use nexus_kernel::Timestamp;

use super::month::Month;
use super::spending::everything;
use super::{Cost, Ended, counts};
use crate::scope::Scope;
use crate::table::{Key, Query, StoreError, Table};

/// What one tenant asked of one vendor by one operation in one month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// To whom.
    pub vendor: String,
    /// What for.
    pub operation: String,
    /// How many calls were entered. Each may have been tried several times, or, where the house held it, never.
    pub calls: u64,
    /// How many of them ended how. Those that are missing here were never settled: whoever made the call died.
    pub ended: BTreeMap<Ended, u64>,
    /// How often something was sent.
    pub tries: u64,
    /// Tokens that went in.
    pub tokens_in: u64,
    /// Tokens that came out.
    pub tokens_out: u64,
    /// Characters, seconds: what else the vendor counts.
    pub units: u64,
    /// What settled calls cost.
    pub cost: Cost,
    /// In how many calls each field went out, by its path. Never what stood in it.
    pub fields: BTreeMap<String, u64>,
}

/// What a counter of the ledger counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What<'a> {
    Calls,
    Field(&'a str),
    Ended(Ended),
    Tries,
    TokensIn,
    TokensOut,
    Units,
    Cost,
}

const FIELD: &str = "field";

impl What<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Field(_) => FIELD,
            Self::Ended(ended) => ended.name(),
            Self::Tries => "tries",
            Self::TokensIn => "tokens-in",
            Self::TokensOut => "tokens-out",
            Self::Units => "units",
            Self::Cost => "cost",
        }
    }
}

fn partition(month: Month) -> String {
    format!("egress#{month}")
}

pub(super) fn key(
    scope: &Scope,
    month: Month,
    vendor: &str,
    operation: &str,
    what: What<'_>,
) -> Key {
    let mut names = vec![vendor, operation, what.name()];
    if let What::Field(field) = what {
        names.push(field);
    }
    scope.key(&partition(month), counts::sort_key(&names))
}

/// A month of the tenant's ledger, by vendor and operation.
///
/// # Errors
/// The store does not answer.
pub async fn ledger(
    table: &dyn Table,
    scope: &Scope,
    month: Month,
    now: Timestamp,
) -> Result<Vec<Line>, StoreError> {
    let mut lines: BTreeMap<(String, String), Line> = BTreeMap::new();
    let all = Query::base(scope.partition(&partition(month)));
    for item in everything(table, all, now).await? {
        let counter = item.counter;
        let count = u64::try_from(counter).unwrap_or(0);
        let names = counts::names(item.key.sk());
        let [vendor, operation, what, rest @ ..] = names.as_slice() else { continue };
        let line = lines.entry((vendor.clone(), operation.clone())).or_insert_with(|| Line {
            vendor: vendor.clone(),
            operation: operation.clone(),
            ..Line::default()
        });
        match (what.as_str(), rest) {
            (FIELD, [field]) => drop(line.fields.insert(field.clone(), count)),
            ("calls", []) => line.calls = count,
            ("tries", []) => line.tries = count,
            ("tokens-in", []) => line.tokens_in = count,
            ("tokens-out", []) => line.tokens_out = count,
            ("units", []) => line.units = count,
            ("cost", []) => line.cost = Cost::micros(counter),
            (word, _) => {
                let ended = Ended::ALL.into_iter().find(|ended| ended.name() == word);
                line.ended.extend(ended.map(|ended| (ended, count)));
            }
        }
    }
    Ok(lines.into_values().collect())
}
