//! A day of a link, counted anew from its rows.

use std::collections::{BTreeMap, HashMap, HashSet};

use nexus_core::effect::EffectId;
use nexus_core::{Key, Record, RecordKind, Scope};
use serde::{Deserialize, Serialize};

use super::keys::{self, Day, QUARTERS, quarter_of};
use super::side::{Counter, Side};
use crate::clicks::{BotReason, Click, Place, Visitor};

/// How many values a day's list names at most; all countries there are.
const LISTED: usize = 256;
/// How many values of a list are counted apart at most. Whoever follows a link may write what they like into where they
/// come from: what is first seen beyond this is among the others.
const MOST_VALUES: usize = 50_000;
/// How many counters of one side are counted at most. The tallies of a side that has more are left as they are.
const MOST_COUNTERS: usize = 100_000;

/// The values of one side of a day's clicks, the most frequent first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    /// Value and clicks; an empty value is unknown or was not told.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<(String, u64)>,
    /// The clicks of all values beyond the 256 most frequent.
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    pub others: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Top {
    fn of(values: Values) -> Self {
        let mut listed: Vec<(String, u64)> = values.counts.into_iter().collect();
        listed.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        let cut: u64 = listed.iter().skip(LISTED).map(|(_, count)| count).sum();
        listed.truncate(LISTED);
        Self { listed, others: values.others + cut }
    }

    fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }
}

/// A day of a link, counted anew. Robots are counted by their reason alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClickDay {
    /// The day of UTC.
    #[serde(rename = "day")]
    pub day: Day,
    /// The link's code.
    #[serde(rename = "link")]
    pub link: String,
    /// Clicks by the quarter of an hour, up to the last that has any: four are an hour, and every zone's days begin
    /// between two quarters.
    #[serde(rename = "q", default, skip_serializing_if = "Vec::is_empty")]
    pub quarters: Vec<u32>,
    /// How many visitors there were, each counted once.
    #[serde(rename = "v")]
    pub visitors: u64,
    /// Clicks by the post that the link stood in; `None` where in none.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub posts: Vec<(Option<EffectId>, u64)>,
    /// By country.
    #[serde(rename = "c", default, skip_serializing_if = "Top::is_empty")]
    pub countries: Top,
    /// By region: `GB-ENG`.
    #[serde(rename = "re", default, skip_serializing_if = "Top::is_empty")]
    pub regions: Top,
    /// By town: `GB-ENG London`.
    #[serde(rename = "ci", default, skip_serializing_if = "Top::is_empty")]
    pub cities: Top,
    /// By the referring page's host.
    #[serde(rename = "r", default, skip_serializing_if = "Top::is_empty")]
    pub referrers: Top,
    /// By device.
    #[serde(rename = "d", default, skip_serializing_if = "Top::is_empty")]
    pub devices: Top,
    /// By the program's family.
    #[serde(rename = "f", default, skip_serializing_if = "Top::is_empty")]
    pub browsers: Top,
    /// Clicks that are no person's, by why.
    #[serde(rename = "b", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bots: BTreeMap<BotReason, u64>,
}

impl Record for ClickDay {
    const KIND: RecordKind = RecordKind::ClickDay;

    fn key(&self, scope: &Scope) -> Key {
        keys::counted(scope, &self.link, self.day)
    }
}

impl ClickDay {
    /// The clicks of each of the day's 24 hours of UTC.
    pub fn hours(&self) -> [u64; 24] {
        let mut hours = [0u64; 24];
        for (hour, quarters) in hours.iter_mut().zip(self.quarters.chunks(4)) {
            *hour = quarters.iter().map(|count| u64::from(*count)).sum();
        }
        hours
    }

    /// All clicks of the day.
    pub fn clicks(&self) -> u64 {
        self.quarters.iter().map(|count| u64::from(*count)).sum()
    }

    /// The list of a side that a tally has too; `None` of the totals.
    pub(super) fn top(&self, side: Side) -> Option<&Top> {
        match side {
            Side::Total => None,
            Side::Country => Some(&self.countries),
            Side::Referrer => Some(&self.referrers),
            Side::Device => Some(&self.devices),
        }
    }
}

/// Clicks by a value.
#[derive(Debug, Default)]
struct Values {
    counts: HashMap<String, u64>,
    /// Those of values beyond [`MOST_VALUES`].
    others: u64,
}

impl Values {
    fn one(&mut self, value: &str) {
        let room = self.counts.len() < MOST_VALUES;
        match self.counts.get_mut(value) {
            Some(count) => *count += 1,
            None if room => drop(self.counts.insert(value.to_owned(), 1)),
            None => self.others += 1,
        }
    }
}

/// Counts the clicks of one link and day. It remembers eight bytes of each visitor, and values up to a bound.
#[derive(Debug, Default)]
pub(super) struct Counting {
    quarters: Vec<u32>,
    visitors: HashSet<Visitor>,
    posts: BTreeMap<Option<EffectId>, u64>,
    lists: [Values; 6],
    bots: BTreeMap<BotReason, u64>,
    /// What the tallies have to say.
    pub(super) tallies: HashMap<Counter<'static>, i64>,
    /// How many of these each side has; `None` where they are too many to be counted.
    sides: BTreeMap<Side, Option<usize>>,
}

impl Counting {
    /// Counts a click that is judged so.
    pub(super) fn add(&mut self, click: &Click, bot: Option<BotReason>) {
        if let Some(reason) = bot {
            *self.bots.entry(reason).or_default() += 1;
            return;
        }
        let quarter = usize::from(quarter_of(click.at)).min(QUARTERS - 1);
        if self.quarters.len() <= quarter {
            self.quarters.resize(quarter + 1, 0);
        }
        if let Some(count) = self.quarters.get_mut(quarter) {
            *count = count.saturating_add(1);
        }
        self.visitors.insert(click.visitor);
        *self.posts.entry(click.post).or_default() += 1;
        for counter in Counter::of(click) {
            self.tally(counter);
        }
        let [countries, regions, cities, referrers, devices, browsers] = &mut self.lists;
        countries.one(&Side::Country.of(click));
        referrers.one(&Side::Referrer.of(click));
        devices.one(&Side::Device.of(click));
        browsers.one(&click.agent.family);
        let Place::Spot(spot) = &click.place else { return };
        let country = spot.country.as_deref().unwrap_or_default();
        let region = spot.region.as_ref().map(|region| format!("{country}-{region}"));
        if let Some(region) = &region {
            regions.one(region);
        }
        if let Some(city) = &spot.city {
            cities.one(&format!("{} {city}", region.as_deref().unwrap_or(country)));
        }
    }

    fn tally(&mut self, counter: Counter<'_>) {
        let side = counter.side;
        let Some(many) = self.sides.entry(side).or_insert(Some(0)) else { return };
        let value = counter.value.into_owned().into();
        let count = self.tallies.entry(Counter { value, ..counter }).or_default();
        *many += usize::from(*count == 0);
        *count += 1;
        if *many > MOST_COUNTERS {
            self.sides.insert(side, None);
            self.tallies.retain(|counter, _| counter.side != side);
        }
    }

    /// The sides of which it knows all counters.
    pub(super) fn known_sides(&self) -> impl Iterator<Item = Side> {
        Side::ALL.into_iter().filter(|side| self.sides.get(side) != Some(&None))
    }

    /// What was counted.
    pub(super) fn done(self, link: &str, day: Day) -> ClickDay {
        let [countries, regions, cities, referrers, devices, browsers] = self.lists.map(Top::of);
        ClickDay {
            day,
            link: link.to_owned(),
            quarters: self.quarters,
            visitors: self.visitors.len() as u64,
            posts: self.posts.into_iter().collect(),
            countries,
            regions,
            cities,
            referrers,
            devices,
            browsers,
            bots: self.bots,
        }
    }
}

#[cfg(test)]
mod tests {
    use nexus_kernel::Timestamp;

    use super::*;
    use crate::clicks::{Agent, ClickId, Referrer};

    #[test]
    fn whoever_makes_up_where_they_come_from_fills_no_memory_and_hides_nothing_else() {
        let mut counting = Counting::default();
        let hosts = MOST_COUNTERS / 9 * 10 + 100;
        for n in 0..hosts {
            // One true host among them, which comes early and late.
            let host = if n % 10 == 0 { "news.example".into() } else { format!("{n}.example") };
            let click = Click {
                id: ClickId::from_bits(n as u128),
                at: Timestamp::from_second((n % 86_400) as i64).unwrap(),
                link: "BCDFGHJK23".into(),
                post: None,
                place: Place::Unlocated,
                agent: Agent { device: "iPhone".into(), ..Agent::default() },
                referrer: Some(Referrer { host, path: "/".into() }),
                visitor: Visitor([1; 8]),
                bot: None,
                head: false,
                no_accept: false,
            };
            counting.add(&click, None);
            counting.add(&click, None);
        }
        let of = |side| counting.tallies.keys().filter(move |c| c.side == side).count();
        let known: Vec<Side> = counting.known_sides().collect();
        assert_eq!(known, [Side::Total, Side::Country, Side::Device]);
        assert_eq!(of(Side::Referrer), 0);
        assert_eq!((of(Side::Total), of(Side::Device)), (96, 24), "the others are compared");
        let day = counting.done("BCDFGHJK23", Day::constant(1970, 1, 1));
        let clicks = 2 * hosts as u64;
        let listed: u64 = day.referrers.listed.iter().map(|(_, count)| count).sum();
        assert_eq!((day.clicks(), listed + day.referrers.others), (clicks, clicks));
        assert_eq!(day.referrers.listed[0], ("news.example".into(), clicks.div_ceil(10)));
    }
}
