//! The times of the week at which a tenant likes to post.

use std::collections::BTreeSet;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::calendar::{Day, moment_of};

/// The most slots of a tenant.
pub const MOST_SLOTS: usize = 50;
/// How far ahead the next slot lies at least: a person still has to look at the post and approve it.
pub const LEAD: SignedDuration = SignedDuration::from_mins(5);
/// How many days ahead a free slot is looked for.
const DAYS_AHEAD: i64 = 366;

/// A weekly time to post, by the clocks of the tenant's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// On which day.
    pub day: Day,
    /// At what time, a whole minute: `09:00`.
    pub at: Time,
}

impl Slot {
    /// Whether its time is a whole minute.
    pub fn is_whole_minute(&self) -> bool {
        self.at.second() == 0 && self.at.subsec_nanosecond() == 0
    }
}

/// The earliest slot, at least [`LEAD`] ahead, in whose minute no post stands; `None` where there is none within a
/// year. `taken` are the moments of the posts that stand for the same account.
pub fn next_free(
    slots: &[Slot],
    zone: &TimeZone,
    taken: &BTreeSet<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let earliest = now.saturating_add(LEAD).ok()?;
    let is_free = |at: &Timestamp| {
        let end = at.saturating_add(SignedDuration::from_mins(1)).unwrap_or(Timestamp::MAX);
        *at >= earliest && taken.range(*at..end).next().is_none()
    };
    // From yesterday on: the clocks may have carried its last slot into today.
    let yesterday = now.to_zoned(zone.clone()).date().yesterday().ok()?;
    let free_on = |days: i64| {
        let date = yesterday.checked_add(Span::new().days(days)).ok()?;
        let on = slots.iter().filter(|slot| slot.day == Day::of(date));
        on.filter_map(|slot| moment_of(date, slot.at, zone)).filter(is_free).min()
    };
    // A slot that is carried into the next date may lie behind one of that date's own.
    (0..=DAYS_AHEAD).find_map(|days| {
        let found = free_on(days)?;
        Some(free_on(days + 1).map_or(found, |next| next.min(found)))
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;
    use proptest::prelude::*;

    use super::*;

    fn at(moment: &str) -> Timestamp {
        moment.parse().unwrap()
    }

    fn slot(day: Day, hour: i8, minute: i8) -> Slot {
        Slot { day, at: time(hour, minute, 0, 0) }
    }

    #[test]
    fn n17_the_next_free_slot_is_the_earliest_that_no_post_of_the_account_has() {
        let zone = TimeZone::get("Europe/Madrid").unwrap();
        // The clocks change between the two Mondays.
        let slots = [slot(Day::Monday, 9, 0), slot(Day::Thursday, 18, 30)];
        let order =
            ["2027-03-22T08:00:00Z", "2027-03-25T17:30:00Z", "2027-03-29T07:00:00Z"].map(at);
        let mut taken = BTreeSet::new();
        for expected in order {
            let found = next_free(&slots, &zone, &taken, at("2027-03-22T07:55:00Z"));
            assert_eq!(found, Some(expected));
            taken.insert(expected);
        }
        // Four minutes are too few to look at it.
        let later = next_free(&slots, &zone, &BTreeSet::new(), at("2027-03-22T07:56:00Z"));
        assert_eq!(later, Some(order[1]));
        // Somebody chose a moment within the slot's minute.
        let near = [order[0] + SignedDuration::from_secs(59)].into();
        assert_eq!(next_free(&slots, &zone, &near, at("2027-03-22T07:00:00Z")), Some(order[1]));
        assert_eq!(next_free(&[], &zone, &taken, order[0]), None);
    }

    #[test]
    fn two_slots_that_the_clocks_bring_together_are_one_moment() {
        let zone = TimeZone::get("Europe/Madrid").unwrap();
        let slots = [slot(Day::Sunday, 2, 30), slot(Day::Sunday, 3, 30)];
        let now = at("2027-03-27T12:00:00Z");
        let first = next_free(&slots, &zone, &BTreeSet::new(), now).unwrap();
        assert_eq!(first, at("2027-03-28T01:30:00Z"));
        let second = next_free(&slots, &zone, &[first].into(), now).unwrap();
        assert_eq!(second, at("2027-04-04T00:30:00Z"), "a week later both are there again");
    }

    #[test]
    fn a_slot_that_the_clocks_carry_past_midnight_does_not_overtake_one_of_the_new_date() {
        let zone = TimeZone::get("America/Scoresbysund").unwrap();
        let slots = [slot(Day::Saturday, 23, 30), slot(Day::Sunday, 0, 15)];
        let now = at("2027-03-27T12:00:00Z");
        let first = next_free(&slots, &zone, &BTreeSet::new(), now).unwrap();
        assert_eq!(first, at("2027-03-28T01:15:00Z"));
        let second = next_free(&slots, &zone, &[first].into(), now).unwrap();
        assert_eq!(second, at("2027-03-28T01:30:00Z"));
    }

    prop_compose! {
        fn any_slot()(day in 0..7_usize, minute in 0..1440_i16) -> Slot {
            slot(Day::ALL[day], (minute / 60) as i8, (minute % 60) as i8)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn filling_slots_one_by_one_goes_forward_and_misses_none(
            slots in prop::collection::vec(any_slot(), 1..8),
            zone in prop::sample::select(vec!["UTC", "Europe/Madrid", "America/St_Johns", "Asia/Kathmandu"]),
            now in 1_700_000_000_i64..2_000_000_000,
        ) {
            let (zone, now) = (TimeZone::get(zone).unwrap(), Timestamp::from_second(now).unwrap());
            let mut taken = BTreeSet::new();
            for _ in 0..10 {
                let next = next_free(&slots, &zone, &taken, now).unwrap();
                prop_assert!(next >= now + LEAD);
                prop_assert!(taken.last().is_none_or(|last| *last < next));
                taken.insert(next);
            }
            // A walk over all minutes meets exactly these.
            let mut minute = Timestamp::from_second(now.as_second().div_euclid(60) * 60).unwrap();
            let mut walked = BTreeSet::new();
            while minute <= *taken.last().unwrap() {
                let local = minute.to_zoned(zone.clone());
                let shown = slots.iter().any(|s| s.day == Day::of(local.date()) && s.at == local.time());
                if shown && minute >= now + LEAD {
                    walked.insert(minute);
                }
                minute += SignedDuration::from_mins(1);
            }
            // Where the clocks change, a slot may be carried or shown a second time: elsewhere they agree.
            let changes = zone.following(now).next().is_some_and(|t| t.timestamp() <= minute);
            prop_assert!(changes || walked == taken);
        }
    }
}
