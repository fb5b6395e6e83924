//! What recurs on the calendar.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use nexus_kernel::FieldProblem;
use serde::{Deserialize, Serialize};

use super::calendar::{Day, moment_of};
use super::wish::HORIZON_DAYS;

/// The most occurrences of a recurrence.
pub const MOST_OCCURRENCES: u32 = 366;

/// On which day of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayOfMonth {
    /// The 1st to the 31st; a month that is too short has it on its last day.
    Day(u8),
    /// The last, whichever that is.
    Last,
}

/// How often something recurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// Every so many days, 1 to 366, counted from the first date.
    Days {
        /// How many.
        every: u16,
    },
    /// Every so many weeks, 1 to 53, on these days; the first date's week counts as the first, and weeks begin on
    /// Monday.
    Weeks {
        /// How many.
        every: u16,
        /// The days, at least one.
        on: BTreeSet<Day>,
    },
    /// Every so many months, 1 to 24; the first date's month counts as the first.
    Months {
        /// How many.
        every: u16,
        /// The day.
        on: DayOfMonth,
    },
}

/// When a recurrence ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// After so many occurrences, 1 to [`MOST_OCCURRENCES`].
    Times(u32),
    /// After this date, which still belongs to it.
    Until(Date),
}

/// Something that recurs, by the calendar and the clocks of the tenant's zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurrence {
    /// The first date on which it may happen.
    pub from: Date,
    /// At what time.
    pub at: Time,
    /// How often.
    pub rhythm: Rhythm,
    /// When it ends.
    pub ends: Ends,
}

impl Recurrence {
    /// Every field that breaks a rule, seen on this date.
    pub(super) fn problems(&self, today: Date) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        let mut refuse = |field: &str, problem: String| {
            problems.push(FieldProblem { field: format!("recurrence.{field}"), problem });
        };
        let (every, most, what) = match &self.rhythm {
            Rhythm::Days { every } => (*every, 366, "days"),
            Rhythm::Weeks { every, .. } => (*every, 53, "weeks"),
            Rhythm::Months { every, .. } => (*every, 24, "months"),
        };
        if !(1..=most).contains(&every) {
            refuse("every", format!("choose 1 to {most} {what}"));
        }
        match &self.rhythm {
            Rhythm::Weeks { on, .. } if on.is_empty() => {
                refuse("on", "name at least one day, for example `monday`".into());
            }
            Rhythm::Months { on: DayOfMonth::Day(day), .. } if !(1..=31).contains(day) => {
                refuse("on", "choose a day from 1 to 31, or `last`".into());
            }
            _ => {}
        }
        if self.from < today {
            refuse("from", format!("this date has passed: choose {today} or a later one"));
        }
        match self.ends {
            Ends::Times(times) if !(1..=MOST_OCCURRENCES).contains(&times) => {
                refuse("times", format!("choose 1 to {MOST_OCCURRENCES}"));
            }
            Ends::Until(until) if until < self.from => {
                refuse("until", format!("choose {} or a later date", self.from));
            }
            _ => {}
        }
        problems
    }

    /// The dates of its period of that number, from 0: of a day, a week or a month. In order; before its first date
    /// too. `None` beyond the calendar, or where it has no rhythm.
    fn period(&self, number: i64) -> Option<Vec<Date>> {
        let ahead = |every: u16| number.checked_mul(i64::from(every)).filter(|_| every > 0);
        match &self.rhythm {
            Rhythm::Days { every } => {
                let days = Span::new().try_days(ahead(*every)?).ok()?;
                Some(vec![self.from.checked_add(days).ok()?])
            }
            Rhythm::Weeks { every, on } => {
                let monday = self.from.checked_sub(Day::of(self.from).offset().days()).ok()?;
                let weeks = Span::new().try_weeks(ahead(*every)?).ok()?;
                let monday = monday.checked_add(weeks).ok()?;
                on.iter().map(|day| monday.checked_add(day.offset().days()).ok()).collect()
            }
            Rhythm::Months { every, on } => {
                let months = Span::new().try_months(ahead(*every)?).ok()?;
                let month = self.from.first_of_month().checked_add(months).ok()?;
                let last = month.last_of_month();
                let date = match on {
                    DayOfMonth::Last => last,
                    DayOfMonth::Day(day) => {
                        let days = i64::from(day.saturating_sub(1)).days();
                        month.checked_add(days).ok()?.min(last)
                    }
                };
                Some(vec![date])
            }
        }
    }

    /// Its dates from the first on, in order, each once.
    fn dates(&self) -> impl Iterator<Item = Date> {
        let periods = (0..).map_while(|number| self.period(number));
        periods.flatten().filter(|date| *date >= self.from)
    }

    /// Its moments after `now` in a zone, in order, each once. Dates that the place never had are passed over. One
    /// that has no end within [`HORIZON_DAYS`], or more occurrences than [`MOST_OCCURRENCES`], is told with the field
    /// at fault.
    pub(super) fn moments(
        &self,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Vec<Timestamp>, FieldProblem> {
        let today = now.to_zoned(zone.clone()).date();
        let horizon = today.saturating_add(HORIZON_DAYS.days());
        let (most, until, field) = match self.ends {
            Ends::Times(times) => (times, Date::MAX, "recurrence.times"),
            Ends::Until(until) => (u32::MAX, until, "recurrence.until"),
        };
        let mut moments = Vec::new();
        for date in self.dates() {
            if date > until || moments.len() >= most as usize {
                break;
            }
            if moments.len() >= MOST_OCCURRENCES as usize {
                let problem = format!(
                    "these are more than {MOST_OCCURRENCES} posts: choose an earlier end or a slower rhythm"
                );
                return Err(FieldProblem { field: field.into(), problem });
            }
            if date > horizon {
                let problem =
                    format!("this goes on after {horizon}: plan no more than two years ahead");
                return Err(FieldProblem { field: field.into(), problem });
            }
            moments.extend(moment_of(date, self.at, zone).filter(|moment| *moment > now));
        }
        Ok(moments)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::{DateTime, date, time};
    use proptest::prelude::*;

    use super::*;

    /// Half hours and quarters, both hemispheres, changes at midnight and before it, a date that was skipped, changes
    /// by half an hour, Ramadan, no changes at all.
    const ZONES: [&str; 22] = [
        "UTC",
        "Europe/Madrid",
        "Europe/London",
        "America/New_York",
        "America/Los_Angeles",
        "America/Sao_Paulo",
        "America/Santiago",
        "America/Havana",
        "America/St_Johns",
        "America/Nuuk",
        "America/Scoresbysund",
        "America/Caracas",
        "Africa/Casablanca",
        "Africa/Cairo",
        "Asia/Beirut",
        "Asia/Gaza",
        "Asia/Kathmandu",
        "Asia/Tehran",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Pacific/Chatham",
        "Antarctica/Troll",
    ];

    #[track_caller]
    fn check(recurrence: &Recurrence, zone: &str, now: &str, moments: &[&str]) {
        let zone = TimeZone::get(zone).unwrap();
        let found = recurrence.moments(&zone, now.parse().unwrap()).unwrap();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, moments);
    }

    fn weekly(from: Date, on: &[Day], times: u32) -> Recurrence {
        let rhythm = Rhythm::Weeks { every: 1, on: on.iter().copied().collect() };
        Recurrence { from, at: time(2, 30, 0, 0), rhythm, ends: Ends::Times(times) }
    }

    #[test]
    fn n17_a_change_of_the_clocks_neither_skips_nor_doubles_an_occurrence() {
        let sundays = weekly(date(2027, 3, 21), &[Day::Sunday], 3);
        check(
            &sundays,
            "Europe/Madrid",
            "2027-03-01T09:00:00Z",
            &["2027-03-21T01:30:00Z", "2027-03-28T01:30:00Z", "2027-04-04T00:30:00Z"],
        );
        let sundays = weekly(date(2027, 10, 24), &[Day::Sunday], 3);
        check(
            &sundays,
            "Europe/Madrid",
            "2027-03-01T09:00:00Z",
            &["2027-10-24T00:30:00Z", "2027-10-31T00:30:00Z", "2027-11-07T01:30:00Z"],
        );
    }

    #[test]
    fn a_short_month_has_its_occurrence_on_its_last_day() {
        let monthly = |on| Recurrence {
            from: date(2027, 12, 15),
            at: time(9, 0, 0, 0),
            rhythm: Rhythm::Months { every: 1, on },
            ends: Ends::Times(3),
        };
        let ends = ["2027-12-31T09:00:00Z", "2028-01-31T09:00:00Z", "2028-02-29T09:00:00Z"];
        let now = "2027-12-01T00:00:00Z";
        check(&monthly(DayOfMonth::Day(31)), "UTC", now, &ends);
        check(&monthly(DayOfMonth::Last), "UTC", now, &ends);
        let tenths = ["2028-01-10T09:00:00Z", "2028-02-10T09:00:00Z", "2028-03-10T09:00:00Z"];
        check(&monthly(DayOfMonth::Day(10)), "UTC", now, &tenths);
    }

    #[test]
    fn what_passed_today_is_left_out_and_the_count_is_of_what_is_left() {
        let days = Recurrence {
            from: date(2027, 3, 1),
            at: time(9, 0, 0, 0),
            rhythm: Rhythm::Days { every: 2 },
            ends: Ends::Times(2),
        };
        let left = ["2027-03-03T09:00:00Z", "2027-03-05T09:00:00Z"];
        check(&days, "UTC", "2027-03-01T09:00:00Z", &left);
        let until = Recurrence { ends: Ends::Until(date(2027, 3, 4)), ..days };
        check(&until, "UTC", "2027-03-01T09:00:00Z", &["2027-03-03T09:00:00Z"]);
    }

    fn rhythms() -> impl Strategy<Value = Rhythm> {
        let days = prop::collection::btree_set(0..7_usize, 1..=7);
        let weeks = (1_u16..=4, days).prop_map(|(every, days)| Rhythm::Weeks {
            every,
            on: days.into_iter().map(|day| Day::ALL[day]).collect(),
        });
        let on = prop_oneof![(1_u8..=31).prop_map(DayOfMonth::Day), Just(DayOfMonth::Last)];
        prop_oneof![
            (1_u16..=40).prop_map(|every| Rhythm::Days { every }),
            weeks,
            (1_u16..=5, on).prop_map(|(every, on)| Rhythm::Months { every, on }),
        ]
    }

    /// Whether a date belongs to a recurrence, told from the date alone.
    fn belongs(recurrence: &Recurrence, date: Date) -> bool {
        let since = |from: Date| date.since(from).unwrap().get_days();
        match &recurrence.rhythm {
            Rhythm::Days { every } => since(recurrence.from) % i32::from(*every) == 0,
            Rhythm::Weeks { every, on } => {
                // 1 January 2001 was a Monday.
                let epoch = jiff::civil::date(2001, 1, 1);
                let week = |d: Date| d.since(epoch).unwrap().get_days().div_euclid(7);
                let weeks = week(date) - week(recurrence.from);
                on.contains(&Day::of(date)) && weeks % i32::from(*every) == 0
            }
            Rhythm::Months { every, on } => {
                let month = |d: Date| i32::from(d.year()) * 12 + i32::from(d.month());
                let wanted = match on {
                    DayOfMonth::Last => 31,
                    DayOfMonth::Day(day) => *day as i8,
                };
                (month(date) - month(recurrence.from)) % i32::from(*every) == 0
                    && date.day() == wanted.min(date.days_in_month())
            }
        }
    }

    /// The moment at which clocks first show a time, found by walking; where they jump over it, as long after the
    /// last minute before the jump as the time is.
    fn walked(wanted: DateTime, zone: &TimeZone) -> Timestamp {
        let utc = wanted.to_zoned(TimeZone::UTC).unwrap().timestamp();
        let mut before = (utc - SignedDuration::from_hours(40), DateTime::MIN);
        for minute in -(16 * 60)..=(16 * 60) {
            let at = utc + SignedDuration::from_mins(minute);
            let shown = at.to_zoned(zone.clone()).datetime();
            if shown == wanted {
                return at;
            }
            if shown > wanted {
                let missing = wanted
                    .to_zoned(TimeZone::UTC)
                    .unwrap()
                    .timestamp()
                    .duration_since(before.1.to_zoned(TimeZone::UTC).unwrap().timestamp());
                return before.0 + missing;
            }
            before = (at, shown);
        }
        panic!("{wanted} is shown nowhere")
    }

    proptest! {
        #[test]
        fn n17_occurrences_are_one_for_each_date_in_order_and_what_a_walk_over_the_calendar_finds(
            zone in prop::sample::select(ZONES.to_vec()),
            day in 0..13_800_i64,
            minute in 0..1440_i16,
            rhythm in rhythms(),
            times in 1_u32..40,
        ) {
            let tz = TimeZone::get(zone).unwrap();
            let from = date(2000, 1, 1).checked_add(day.days()).unwrap();
            let at = time((minute / 60) as i8, (minute % 60) as i8, 0, 0);
            let ends = Ends::Times(times);
            let recurrence = Recurrence { from, at, rhythm, ends };
            let now = from.to_zoned(TimeZone::UTC).unwrap().timestamp() - SignedDuration::from_hours(48);
            // Slow rhythms reach beyond what may be planned: that is told, and nothing else is wrong.
            let Ok(moments) = recurrence.moments(&tz, now) else {
                let two_years = matches!(recurrence.rhythm, Rhythm::Days { every } if u32::from(every) * times >= 700)
                    || matches!(recurrence.rhythm, Rhythm::Weeks { .. } | Rhythm::Months { .. });
                prop_assert!(two_years);
                return Ok(());
            };
            prop_assert_eq!(moments.len(), times as usize);
            prop_assert!(moments.is_sorted_by(|a, b| a < b), "in order, each once");

            let mut expected = Vec::new();
            let mut today = from;
            while expected.len() < times as usize {
                // The one place and date of these years that were passed over.
                let never_was = zone == "Pacific/Apia" && today == date(2011, 12, 30);
                if belongs(&recurrence, today) && !never_was {
                    expected.push(walked(today.to_datetime(at), &tz));
                }
                today = today.tomorrow().unwrap();
            }
            prop_assert_eq!(&moments, &expected);
        }

        #[test]
        fn an_end_by_date_has_exactly_the_dates_up_to_it(
            zone in prop::sample::select(ZONES.to_vec()),
            rhythm in rhythms(),
            days in 0..300_i64,
        ) {
            let (tz, from) = (TimeZone::get(zone).unwrap(), date(2027, 2, 10));
            let until = from.checked_add(days.days()).unwrap();
            let recurrence = Recurrence { from, at: time(12, 0, 0, 0), rhythm, ends: Ends::Until(until) };
            let moments = recurrence.moments(&tz, "2027-02-01T00:00:00Z".parse().unwrap()).unwrap();
            let dates: Vec<Date> = moments.iter().map(|m| m.to_zoned(tz.clone()).date()).collect();
            let walk = (0..=days).map(|day| from.checked_add(day.days()).unwrap());
            let expected: Vec<Date> = walk.filter(|date| belongs(&recurrence, *date)).collect();
            prop_assert_eq!(dates, expected);
        }
    }
}
