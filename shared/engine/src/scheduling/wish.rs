//! From when a person wishes a post to go out to the moments that an approval names.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use nexus_kernel::Failure;
use serde::{Deserialize, Serialize};

use super::recurrence::Recurrence;
use super::slots;
use crate::account::Settings;

/// How many days ahead anything can be planned: two years.
pub const HORIZON_DAYS: i64 = 731;
/// How long a time may have passed and still be meant: a request takes a while, and may come twice.
pub const LATE: SignedDuration = SignedDuration::from_mins(5);

/// When a person wishes a post to go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At once.
    Now,
    /// At a moment.
    At(Timestamp),
    /// When the clocks of the tenant's zone show this.
    AtCivil(DateTime),
    /// At the tenant's next slot that no post of the account has.
    NextSlot,
    /// Again and again.
    Recurring(Recurrence),
}

impl When {
    /// The moment that it names by itself, whatever the time is and whatever else stands; `None` where that follows
    /// from these, or where the place never had it.
    pub(crate) fn named(&self, settings: &Settings) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(*at),
            Self::AtCivil(shown) => {
                let zone = TimeZone::get(&settings.time_zone).ok()?;
                shown.to_zoned(zone).ok().map(|at| at.timestamp())
            }
            Self::Now | Self::NextSlot | Self::Recurring(_) => None,
        }
    }

    /// Whether it leads to moments that a person cannot know beforehand: they have to be shown before anybody
    /// approves.
    pub(crate) fn has_to_be_seen(&self) -> bool {
        matches!(self, Self::NextSlot | Self::Recurring(_))
    }
}

/// The moments of a wish, in order, each once: one, or one for each occurrence. `taken` are the moments of the posts
/// that stand for the same account ([`super::taken`]); only [`When::NextSlot`] looks at them.
///
/// # Errors
/// Every field that makes it impossible, and what would be right: a time that has passed or lies more than two years
/// ahead, no slot that is free, a recurrence without an occurrence or with too many.
pub fn plan_times(
    settings: &Settings,
    wish: &When,
    taken: &BTreeSet<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Timestamp>, Failure> {
    let zone = TimeZone::get(&settings.time_zone).map_err(|_| {
        Failure::field("time_zone", "write an IANA name such as `Europe/Madrid` into your settings")
    })?;
    match wish {
        When::Now => Ok(vec![now]),
        When::At(at) => plannable(*at, now).map(|at| vec![at]),
        When::AtCivil(shown) => {
            let at = shown.to_zoned(zone).map_err(|_| out_of_reach())?;
            plannable(at.timestamp(), now).map(|at| vec![at])
        }
        When::NextSlot if settings.slots.is_empty() => Err(Failure::field(
            "slots",
            "your settings name no times to post: add some, for example Monday at 09:00, or choose a time",
        )),
        When::NextSlot => {
            let free = slots::next_free(&settings.slots, &zone, taken, now);
            let full = || {
                Failure::field(
                    "slots",
                    "a post stands in each of your slots for a year: add slots, or choose a time",
                )
            };
            free.map(|at| vec![at]).ok_or_else(full)
        }
        When::Recurring(recurrence) => {
            let wrong = |problems| {
                Failure::invalid("The recurrence needs another value.").with_fields(problems)
            };
            let problems = recurrence.problems(now.to_zoned(zone.clone()).date());
            if !problems.is_empty() {
                return Err(wrong(problems));
            }
            let moments = recurrence.moments(&zone, now).map_err(|problem| wrong(vec![problem]))?;
            if moments.is_empty() {
                return Err(Failure::field(
                    "recurrence.until",
                    "it ends before its first time comes: choose a later end",
                ));
            }
            Ok(moments)
        }
    }
}

/// The moment, if a post can be planned for it.
fn plannable(at: Timestamp, now: Timestamp) -> Result<Timestamp, Failure> {
    if at.saturating_add(LATE).unwrap_or(Timestamp::MAX) < now {
        return Err(Failure::field("at", "this time has passed: choose a later one"));
    }
    let horizon = now.saturating_add(SignedDuration::from_hours(24 * HORIZON_DAYS));
    if at > horizon.unwrap_or(Timestamp::MAX) {
        return Err(out_of_reach());
    }
    Ok(at)
}

fn out_of_reach() -> Failure {
    Failure::field("at", "choose a time within the next two years")
}

/// The moments that a person says to have seen, for the ones that are planned now; nothing said is nothing else seen.
///
/// # Errors
/// The person has to see them first; others are planned now.
pub(crate) fn as_seen(
    wish: &When,
    seen: &[Timestamp],
    planned: &[Timestamp],
) -> Result<(), Failure> {
    if seen.is_empty() {
        return if wish.has_to_be_seen() { Err(not_seen()) } else { Ok(()) };
    }
    let (seen, planned): (BTreeSet<_>, BTreeSet<_>) =
        (seen.iter().collect(), planned.iter().collect());
    if seen == planned {
        return Ok(());
    }
    Err(Failure::conflict(
        "These are not the times at which it would go out now. Look at the times again, then repeat what you wanted.",
    ))
}

/// The person did not say which times they saw.
pub(crate) fn not_seen() -> Failure {
    Failure::field("times", "look at the times first, then name each that you saw")
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date, time};

    use super::*;
    use crate::scheduling::{Day, DayOfMonth, Ends, Rhythm, Slot};

    const NOW: &str = "2027-03-01T09:00:00Z";

    fn at(moment: &str) -> Timestamp {
        moment.parse().unwrap()
    }

    fn madrid() -> Settings {
        let slots = vec![Slot { day: Day::Monday, at: time(10, 30, 0, 0) }];
        Settings { time_zone: "Europe/Madrid".into(), slots, ..Settings::default() }
    }

    fn planned(wish: &When) -> Result<Vec<Timestamp>, Failure> {
        plan_times(&madrid(), wish, &BTreeSet::new(), at(NOW))
    }

    #[track_caller]
    fn refused(wish: &When, fields: &[&str]) {
        let failure = planned(wish).unwrap_err();
        let named: Vec<&str> = failure.fields().iter().map(|f| f.field.as_str()).collect();
        assert_eq!(named, fields, "{failure}");
    }

    fn daily(from: Date, every: u16, ends: Ends) -> When {
        let rhythm = Rhythm::Days { every };
        When::Recurring(Recurrence { from, at: time(9, 0, 0, 0), rhythm, ends })
    }

    #[test]
    fn n17_a_wish_is_moments_before_anybody_approves() {
        let shown = date(2027, 3, 28).at(2, 30, 0, 0);
        for (wish, moments) in [
            (When::Now, vec![NOW]),
            (When::At(at("2027-03-02T00:00:00Z")), vec!["2027-03-02T00:00:00Z"]),
            (When::AtCivil(shown), vec!["2027-03-28T01:30:00Z"]),
            (When::NextSlot, vec!["2027-03-01T09:30:00Z"]),
            (
                daily(date(2027, 3, 27), 1, Ends::Times(2)),
                vec!["2027-03-27T08:00:00Z", "2027-03-28T07:00:00Z"],
            ),
        ] {
            let moments: Vec<Timestamp> = moments.into_iter().map(at).collect();
            assert_eq!(planned(&wish).unwrap(), moments, "{wish:?}");
        }
        let taken = [at("2027-03-01T09:30:00Z")].into();
        let next = plan_times(&madrid(), &When::NextSlot, &taken, at(NOW)).unwrap();
        assert_eq!(next, [at("2027-03-08T09:30:00Z")]);
    }

    #[test]
    fn a_request_that_comes_again_a_little_late_is_still_meant() {
        assert!(planned(&When::At(at("2027-03-01T08:55:00Z"))).is_ok());
        refused(&When::At(at("2027-03-01T08:54:59Z")), &["at"]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_field() {
        refused(&When::AtCivil(date(2027, 3, 1).at(9, 0, 0, 0)), &["at"]);
        refused(&When::At(at("2029-03-02T09:00:00Z")), &["at"]);
        refused(&When::AtCivil(DateTime::MAX), &["at"]);
        let (today, never) = (date(2027, 3, 1), date(2027, 2, 27));
        refused(&daily(never, 1, Ends::Times(1)), &["recurrence.from"]);
        refused(&daily(today, 0, Ends::Times(367)), &["recurrence.every", "recurrence.times"]);
        refused(&daily(today, 367, Ends::Until(never)), &["recurrence.every", "recurrence.until"]);
        refused(&daily(today, 1, Ends::Until(today)), &["recurrence.until"]);
        refused(&daily(today, 1, Ends::Until(date(2028, 3, 2))), &["recurrence.until"]);
        refused(&daily(today, 30, Ends::Times(30)), &["recurrence.times"]);
        refused(&daily(Date::MAX, 1, Ends::Times(1)), &["recurrence.times"]);
        for rhythm in [
            Rhythm::Weeks { every: 1, on: BTreeSet::new() },
            Rhythm::Months { every: 1, on: DayOfMonth::Day(0) },
            Rhythm::Months { every: 1, on: DayOfMonth::Day(32) },
        ] {
            let (from, at, ends) = (today, time(9, 0, 0, 0), Ends::Times(1));
            refused(&When::Recurring(Recurrence { from, at, rhythm, ends }), &["recurrence.on"]);
        }
        let none = Settings { slots: Vec::new(), ..madrid() };
        let nowhere = Settings { time_zone: "Mars/Olympus".into(), ..madrid() };
        for (settings, field) in [(none, "slots"), (nowhere, "time_zone")] {
            let taken = BTreeSet::new();
            let failure = plan_times(&settings, &When::NextSlot, &taken, at(NOW)).unwrap_err();
            assert_eq!(failure.fields()[0].field, field);
        }
    }

    #[test]
    fn a_year_of_daily_posts_is_the_most() {
        let year = daily(date(2027, 3, 2), 1, Ends::Times(366));
        assert_eq!(planned(&year).unwrap().len(), 366);
        let until = daily(date(2027, 3, 2), 1, Ends::Until(date(2028, 3, 1)));
        assert_eq!(planned(&until).unwrap(), planned(&year).unwrap());
    }
}
