//! What calls may cost: a cap per tenant and vendor for each calendar month, and how much of it is gone.
//!
//! Two counters for each tenant, vendor and month: what is *taken* (spent, or reserved by calls that are on their
//! way), which the cap bounds, and what is *spent*. What is reserved is the difference.

use std::collections::BTreeMap;

use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

use super::month::Month;
use super::{Cost, counts};
use crate::records::{self, Record};
use crate::retention::RecordKind;
use crate::scope::Scope;
use crate::table::{Item, Key, MAX_PAGE, Page, Query, StoreError, Table};

/// What a tenant may spend with a vendor in a month where nobody said otherwise: 20 dollars.
pub const DEFAULT_CAP: Cost = Cost::micros(20_000_000);
/// The highest cap that can be set: a million dollars. Whoever writes more has most likely mistyped.
pub const MAX_CAP: Cost = Cost::micros(1_000_000_000_000);
/// The most characters in a vendor's name.
pub const MAX_VENDOR_CHARS: usize = 40;

/// What a tenant may spend with a vendor in a calendar month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendCap {
    /// The vendor's name, as the ledger has it.
    pub vendor: String,
    /// At most so much; 0 is nothing, and lets only calls go that cost nothing.
    pub cap: Cost,
}

impl SpendCap {
    /// # Errors
    /// Every field that breaks a rule.
    pub fn check(&self) -> Result<(), Failure> {
        let named = self.vendor.starts_with(|c: char| c.is_ascii_lowercase())
            && self.vendor.len() <= MAX_VENDOR_CHARS
            && self.vendor.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !named {
            let problem = format!(
                "a vendor's name begins with a small letter and has at most {MAX_VENDOR_CHARS} small letters, \
                 digits and hyphens"
            );
            return Err(Failure::field("vendor", problem));
        }
        if !(Cost::ZERO..=MAX_CAP).contains(&self.cap) {
            return Err(Failure::field("cap", format!("choose 0 to {MAX_CAP}")));
        }
        Ok(())
    }
}

impl Record for SpendCap {
    const KIND: RecordKind = RecordKind::SpendCap;

    fn key(&self, scope: &Scope) -> Key {
        cap_key(scope, &self.vendor)
    }
}

fn cap_key(scope: &Scope, vendor: &str) -> Key {
    scope.key("spend-cap", counts::sort_key(&[vendor]))
}

fn counters(scope: &Scope, month: Month) -> String {
    scope.partition(&partition(month))
}

fn partition(month: Month) -> String {
    format!("spending#{month}")
}

const TAKEN: &str = "taken";
const SPENT: &str = "spent";

pub(super) fn taken_key(scope: &Scope, month: Month, vendor: &str) -> Key {
    scope.key(&partition(month), counts::sort_key(&[vendor, TAKEN]))
}

pub(super) fn spent_key(scope: &Scope, month: Month, vendor: &str) -> Key {
    scope.key(&partition(month), counts::sort_key(&[vendor, SPENT]))
}

/// What the tenant may spend with the vendor in a month.
///
/// # Errors
/// The store does not answer.
pub async fn cap(
    table: &dyn Table,
    scope: &Scope,
    vendor: &str,
    now: Timestamp,
) -> Result<Cost, StoreError> {
    let set = records::load::<SpendCap>(table, &cap_key(scope, vendor), now).await?;
    Ok(set.map_or(DEFAULT_CAP, |set| set.record.cap))
}

/// What is spent and what is taken with one vendor in a month; `None` where nothing was taken yet.
pub(super) async fn standing(
    table: &dyn Table,
    scope: &Scope,
    month: Month,
    vendor: &str,
    now: Timestamp,
) -> Result<(Cost, Option<Cost>), StoreError> {
    let query = Query::base(counters(scope, month)).prefix(counts::sort_key(&[vendor, ""]));
    let found = everything(table, query, now).await?;
    let of = |key: Key| found.iter().find(|item| item.key == key).map(|i| Cost::micros(i.counter));
    let spent = of(spent_key(scope, month, vendor)).unwrap_or_default();
    Ok((spent, of(taken_key(scope, month, vendor))))
}

/// How a tenant stands with a vendor in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending {
    /// The vendor's name.
    pub vendor: String,
    /// What may be spent, as the cap is now, whatever month it is.
    pub cap: Cost,
    /// Whether the tenant set it; else it is [`DEFAULT_CAP`].
    pub cap_is_set: bool,
    /// What settled calls cost.
    pub spent: Cost,
    /// What is set aside for calls that are on their way, or of which nobody came back to tell.
    pub reserved: Cost,
}

impl Spending {
    /// What a call may still cost; never below nothing.
    pub fn left(&self) -> Cost {
        let taken = self.spent.as_micros().saturating_add(self.reserved.as_micros());
        Cost::micros(self.cap.as_micros().saturating_sub(taken).max(0))
    }
}

/// How the tenant stands with every vendor that has a cap or was paid in this month, by the vendors' names.
///
/// # Errors
/// The store does not answer.
pub async fn spending(
    table: &dyn Table,
    scope: &Scope,
    month: Month,
    now: Timestamp,
) -> Result<Vec<Spending>, StoreError> {
    let mut all: BTreeMap<String, Spending> = BTreeMap::new();
    let nothing = |vendor: &str| Spending {
        vendor: vendor.to_owned(),
        cap: DEFAULT_CAP,
        cap_is_set: false,
        spent: Cost::ZERO,
        reserved: Cost::ZERO,
    };
    for item in everything(table, Query::base(scope.partition("spend-cap")), now).await? {
        let SpendCap { vendor, cap } = records::read(&item)?.record;
        let told = Spending { cap, cap_is_set: true, ..nothing(&vendor) };
        all.insert(vendor, told);
    }
    let mut taken: BTreeMap<String, i64> = BTreeMap::new();
    for item in everything(table, Query::base(counters(scope, month)), now).await? {
        let names = counts::names(item.key.sk());
        let [vendor, what] = names.as_slice() else { continue };
        let told = all.entry(vendor.clone()).or_insert_with(|| nothing(vendor));
        match what.as_str() {
            SPENT => told.spent = Cost::micros(item.counter),
            _ => drop(taken.insert(vendor.clone(), item.counter)),
        }
    }
    for (vendor, taken) in taken {
        if let Some(told) = all.get_mut(&vendor) {
            // A page may have been read between a call's entering and its settling.
            let reserved = taken.saturating_sub(told.spent.as_micros()).max(0);
            told.reserved = Cost::micros(reserved);
        }
    }
    Ok(all.into_values().collect())
}

/// All live rows that a question finds, page by page.
pub(super) async fn everything(
    table: &dyn Table,
    query: Query,
    now: Timestamp,
) -> Result<Vec<Item>, StoreError> {
    let (mut found, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let slice = table.query(&query, &page).await?;
        found.extend(slice.items.into_iter().filter(|item| item.is_live(now)));
        match slice.next {
            Some(next) => page = Page::after(MAX_PAGE, Some(next)),
            None => return Ok(found),
        }
    }
}

/// The cap leaves no room for a call.
pub(super) fn reached(
    vendor: &str,
    month: Month,
    cap: Cost,
    spent: Cost,
    taken: Cost,
    estimate: Cost,
) -> Failure {
    let reserved = Cost::micros(taken.as_micros().saturating_sub(spent.as_micros()).max(0));
    let waiting = match reserved {
        Cost::ZERO => String::new(),
        _ => format!(", {reserved} is reserved for calls that are not settled"),
    };
    Failure::denied(format!(
        "The cap of {cap} for {vendor} in {month} leaves no room for this call: {spent} is spent{waiting}, and the \
         call may cost {estimate}. Raise the cap with `PUT /v1/spending/{vendor}`, or wait until {next}, when the \
         next month begins (UTC).",
        next = month.next_begins(),
    ))
}
