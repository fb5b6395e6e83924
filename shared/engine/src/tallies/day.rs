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
    fn of(counts: HashMap<String, u64>) -> Self {
        let mut listed: Vec<(String, u64)> = counts.into_iter().collect();
        listed.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        let others = listed.iter().skip(LISTED).map(|(_, count)| count).sum();
        listed.truncate(LISTED);
        Self { listed, others }
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

/// Counts the clicks of one link and day. It remembers eight bytes of each visitor, and each value that it saw.
#[derive(Debug, Default)]
pub(super) struct Counting {
    quarters: Vec<u32>,
    visitors: HashSet<Visitor>,
    posts: BTreeMap<Option<EffectId>, u64>,
    lists: [HashMap<String, u64>; 6],
    bots: BTreeMap<BotReason, u64>,
    /// What the tallies have to say.
    pub(super) tallies: HashMap<Counter<'static>, i64>,
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
            let value = counter.value.into_owned().into();
            *self.tallies.entry(Counter { value, ..counter }).or_default() += 1;
        }
        let [countries, regions, cities, referrers, devices, browsers] = &mut self.lists;
        let one = |list: &mut HashMap<String, u64>, value: &str| match list.get_mut(value) {
            Some(count) => *count += 1,
            None => drop(list.insert(value.to_owned(), 1)),
        };
        one(countries, &Side::Country.of(click));
        one(referrers, &Side::Referrer.of(click));
        one(devices, &Side::Device.of(click));
        one(browsers, &click.agent.family);
        let Place::Spot(spot) = &click.place else { return };
        let country = spot.country.as_deref().unwrap_or_default();
        let region = spot.region.as_ref().map(|region| format!("{country}-{region}"));
        if let Some(region) = &region {
            one(regions, region);
        }
        if let Some(city) = &spot.city {
            one(cities, &format!("{} {city}", region.as_deref().unwrap_or(country)));
        }
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
