//! How many texts sounded how, over time: of a product, of a post, of the tenant as a whole.
//!
//! Counters stand for quarters of an hour, so that days begin where they begin in any zone: every zone's offset is a
//! multiple of it. A text counts when it was written, not when it was judged.
//!
//! **Never here:** a text, HTTP.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use nexus_core::effect::EffectId;
use nexus_core::sweep::moment;
use nexus_core::table::{Index, MAX_PAGE, Page, Query};
use nexus_core::{Condition, Op, RecordKind, Scope, Table};
use nexus_kernel::{Failure, Timestamp};

use crate::catalogue::ProductId;
use crate::sentiment::Label;

/// The most days of one trend.
pub const MOST_DAYS: i32 = 366;
/// A quarter of an hour, in milliseconds.
const QUARTER: i64 = 15 * 60 * 1000;

/// What a trend is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Everything of the tenant.
    All,
    /// One product.
    Product(ProductId),
    /// One post.
    Post(EffectId),
}

impl About {
    fn partition(self) -> String {
        match self {
            Self::All => "mood#all".to_owned(),
            Self::Product(id) => format!("mood#{id}"),
            Self::Post(id) => format!("mood#{id}"),
        }
    }
}

/// How many texts of one day sounded how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// Which day, by the clocks of the zone.
    pub date: Date,
    /// How many of each label; those of which there are none are left out.
    pub counts: BTreeMap<Label, u64>,
}

impl Day {
    /// How many sounded so.
    pub fn of(&self, label: Label) -> u64 {
        self.counts.get(&label).copied().unwrap_or_default()
    }
}

/// The operations that count a text, for the commit of its verdict.
pub fn count(
    scope: &Scope,
    written: Timestamp,
    product: Option<ProductId>,
    post: Option<EffectId>,
    label: Label,
) -> impl Iterator<Item = Op> {
    let about = [Some(About::All), product.map(About::Product), post.map(About::Post)];
    let sort = format!("{}#{}", moment(quarter(written)), label.name());
    about.into_iter().flatten().map(move |about| Op::Add {
        key: scope.key(&about.partition(), sort.clone()),
        kind: RecordKind::Mood,
        delta: 1,
        expires: None,
        when: Condition::Always,
    })
}

/// The beginning of the quarter of an hour; what is said to be of before 1970 counts as its first.
fn quarter(at: Timestamp) -> Timestamp {
    let millis = at.as_millisecond().max(0);
    Timestamp::from_millisecond(millis - millis % QUARTER).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// How many texts of each day sounded how, from the first to the last, both included; days without texts stand there
/// without counts.
///
/// # Errors
/// The last day is before the first, or there are more than [`MOST_DAYS`]; the store does not answer.
pub async fn trend(
    table: &dyn Table,
    scope: &Scope,
    about: About,
    (first, last): (Date, Date),
    zone: &TimeZone,
) -> Result<Vec<Day>, Failure> {
    if last < first {
        return Err(Failure::field("to", "choose a day that is not before `from`"));
    }
    let too_many = || Failure::field("from", format!("choose at most {MOST_DAYS} days"));
    if first.until(last).map_err(|_| too_many())?.get_days() >= MOST_DAYS {
        return Err(too_many());
    }
    let begins = |day: Date| zone.to_zoned(day.at(0, 0, 0, 0)).map(|at| at.timestamp());
    let unknown = |_| Failure::field("from", "choose days between 1970 and 9000");
    let from = begins(first).map_err(unknown)?;
    let until = begins(last.tomorrow().map_err(unknown)?).map_err(unknown)?;

    let mut days = BTreeMap::new();
    let mut day = first;
    while day <= last {
        days.insert(day, BTreeMap::<Label, u64>::new());
        day = day.tomorrow().map_err(unknown)?;
    }
    let query = Query::of(Index::Base, scope.partition(&about.partition()));
    // A `#` follows the moment in each key, so the next day's first quarter lies beyond its bare moment.
    let query = query.between(moment(from), moment(until));
    let mut page = Page::first(MAX_PAGE);
    loop {
        let slice = table.query(&query, &page).await?;
        for item in slice.items {
            let Some((at, label)) = item.key.sk().split_once('#') else { continue };
            let at = at.parse().ok().and_then(|at| Timestamp::from_millisecond(at).ok());
            let (Some(at), Some(label)) = (at, Label::parse(label)) else { continue };
            if let Some(counts) = days.get_mut(&zone.to_datetime(at).date()) {
                let more = u64::try_from(item.counter).unwrap_or_default();
                let count = counts.entry(label).or_default();
                *count = count.saturating_add(more);
            }
        }
        match slice.next {
            Some(next) => page = Page::after(MAX_PAGE, Some(next)),
            None => break,
        }
    }
    Ok(days.into_iter().map(|(date, counts)| Day { date, counts }).collect())
}
