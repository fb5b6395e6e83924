//! Reports of clicks: how many when, and from where; always what a count of the rows would say.
//!
//! A day of UTC that was counted anew is read from its [`ClickDay`](super::ClickDay), any other from its tallies. Where
//! a local day begins within an hour of UTC (zones lie quarters of an hour off), totals are read by the quarter, and
//! the other sides of such an hour from its rows.

mod period;
mod standing;
mod visitors;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use nexus_core::effect::{self, Effect, EffectId};
use nexus_core::{Scope, Stored, Table};
use nexus_kernel::{Failure, Timestamp};

pub use self::period::{MOST_DAYS, Period, Unit};
use self::standing::Standing;
pub use self::visitors::{MOST_ROWS, Visitors};
use super::side::Side;
use crate::publishing::{Network, PostPlan};

/// Of which clicks a report tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this link.
    pub link: Option<String>,
    /// Only those of links in this post.
    pub post: Option<EffectId>,
    /// Only those of links in posts on this network.
    pub network: Option<Network>,
}

/// By what a list is ordered together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Country.
    Country,
    /// Referring host.
    Referrer,
    /// Device.
    Device,
    /// Link.
    Link,
    /// Post.
    Post,
    /// Network.
    Network,
}

/// Clicks over a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// When each part of the period begins, and its clicks.
    pub points: Vec<(Timestamp, u64)>,
    /// All of them.
    pub clicks: u64,
    /// Those of the period before, which has as many days.
    pub before: u64,
    /// How many visitors there were.
    pub visitors: Visitors,
}

/// The values with the most clicks in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Value, clicks, and clicks of the period before; the most frequent first. An empty value is unknown.
    pub rows: Vec<(String, u64, u64)>,
    /// All clicks of the period, of values that are not listed too.
    pub clicks: u64,
}

/// How many clicks when.
///
/// # Errors
/// The store does not answer.
pub async fn series(
    table: &dyn Table,
    scope: &Scope,
    period: &Period,
    unit: Unit,
    filter: &Filter,
) -> Result<Series, Failure> {
    let earlier = period.before()?;
    let (this, before) = (
        Standing::read(table, scope, period, filter),
        Standing::read(table, scope, &earlier, filter),
    );
    let (this, before) = futures::try_join!(this, before)?;
    let starts = period.starts(unit)?;
    let mut points: Vec<(Timestamp, u64)> = starts.into_iter().map(|at| (at, 0)).collect();
    let mut clicks = 0;
    for (at, count) in this.by_quarter() {
        let next = points.partition_point(|(start, _)| *start <= at);
        if let Some((_, sum)) = next.checked_sub(1).and_then(|point| points.get_mut(point)) {
            *sum += count;
            clicks += count;
        }
    }
    let visitors = visitors::of(table, scope, &this).await?;
    Ok(Series { points, clicks, before: before.clicks(), visitors })
}

/// Which values have the most clicks.
///
/// # Errors
/// The store does not answer.
pub async fn top(
    table: &dyn Table,
    scope: &Scope,
    period: &Period,
    by: By,
    filter: &Filter,
    limit: usize,
) -> Result<List, Failure> {
    let earlier = period.before()?;
    let (this, before) =
        (values(table, scope, period, by, filter), values(table, scope, &earlier, by, filter));
    let (this, before) = futures::try_join!(this, before)?;
    let clicks = this.values().sum();
    let mut rows: Vec<(String, u64, u64)> = this
        .into_iter()
        .map(|(value, clicks)| {
            let before = before.get(&value).copied().unwrap_or(0);
            (value, clicks, before)
        })
        .collect();
    rows.sort_by(|(a, m, _), (b, n, _)| n.cmp(m).then_with(|| a.cmp(b)));
    rows.truncate(limit);
    Ok(List { rows, clicks })
}

async fn values(
    table: &dyn Table,
    scope: &Scope,
    period: &Period,
    by: By,
    filter: &Filter,
) -> Result<BTreeMap<String, u64>, Failure> {
    let standing = Standing::read(table, scope, period, filter).await?;
    let side = match by {
        By::Country => Side::Country,
        By::Referrer => Side::Referrer,
        By::Device => Side::Device,
        By::Link => return Ok(sums(standing.parts().map(|p| (p.link.clone(), p.clicks())))),
        By::Post => {
            let named = |post: Option<EffectId>| post.map_or_else(String::new, |id| id.to_string());
            return Ok(sums(standing.parts().map(|p| (named(p.post), p.clicks()))));
        }
        By::Network => {
            let posts: BTreeSet<EffectId> = standing.parts().filter_map(|p| p.post).collect();
            let networks = networks(table, scope, posts).await?;
            let named = |post: Option<EffectId>| {
                let network = post.and_then(|post| networks.get(&post));
                network.map_or_else(String::new, |network| network.name().to_owned())
            };
            return Ok(sums(standing.parts().map(|p| (named(p.post), p.clicks()))));
        }
    };
    standing.by_side(table, scope, side).await
}

fn sums(parts: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (value, clicks) in parts.filter(|(_, clicks)| *clicks > 0) {
        *sums.entry(value).or_default() += clicks;
    }
    sums
}

/// On which network each post is; a post that is not there any more is on none.
async fn networks(
    table: &dyn Table,
    scope: &Scope,
    posts: BTreeSet<EffectId>,
) -> Result<HashMap<EffectId, Network>, Failure> {
    let posts: Vec<EffectId> = posts.into_iter().collect();
    let found = effect::load_many::<PostPlan>(table, scope, &posts).await?;
    let networks = posts.into_iter().zip(found);
    let network = |(post, found): (EffectId, Option<Stored<Effect<PostPlan>>>)| {
        Some((post, found?.record.payload().network))
    };
    Ok(networks.filter_map(network).collect())
}
