//! Dates and clocks of a place.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// The first of the week (ISO 8601).
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The seventh.
    Sunday,
}

impl Day {
    /// All of them, in the order of the week.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The word in settings: `monday`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }

    /// The day of a date.
    pub fn of(date: Date) -> Self {
        match date.weekday() {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }

    /// How many days after Monday it is, 0 to 6.
    pub(super) const fn offset(self) -> i64 {
        self as i64
    }
}

/// The moment of a time on a date in a place: where its clocks jump over the time, as much later as they jump; where
/// they show it twice, the first. `None` where the place never had the date (who crosses the date line skips one), or
/// where it lies outside the years that can be told.
pub fn moment_of(date: Date, at: Time, zone: &TimeZone) -> Option<Timestamp> {
    // Both are resolved as RFC 5545 has it, which jiff calls `Compatible`.
    let resolved = |time: Time| date.to_datetime(time).to_zoned(zone.clone()).ok();
    let begins = resolved(Time::midnight())?;
    (begins.date() == date).then(|| resolved(at)).flatten().map(|moment| moment.timestamp())
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    #[track_caller]
    fn is(zone: &str, day: Date, at: Time, moment: Option<&str>) {
        let zone = TimeZone::get(zone).unwrap();
        assert_eq!(moment_of(day, at, &zone), moment.map(|m| m.parse().unwrap()));
    }

    #[test]
    fn n17_a_time_that_the_clocks_jump_over_comes_later_and_one_shown_twice_comes_first() {
        let half_past_two = time(2, 30, 0, 0);
        is("Europe/Madrid", date(2027, 3, 28), half_past_two, Some("2027-03-28T01:30:00Z"));
        is("Europe/Madrid", date(2027, 10, 31), half_past_two, Some("2027-10-31T00:30:00Z"));
        is(
            "Australia/Lord_Howe",
            date(2027, 10, 3),
            time(2, 15, 0, 0),
            Some("2027-10-02T15:45:00Z"),
        );
        // The clocks jump at eleven at night, into the next date.
        let late = time(23, 30, 0, 0);
        is("America/Scoresbysund", date(2027, 3, 27), late, Some("2027-03-28T01:30:00Z"));
    }

    #[test]
    fn a_date_that_a_place_never_had_has_no_moments() {
        is("Pacific/Apia", date(2011, 12, 30), time(9, 0, 0, 0), None);
        is("Pacific/Apia", date(2011, 12, 31), time(9, 0, 0, 0), Some("2011-12-30T19:00:00Z"));
    }

    #[test]
    fn the_days_are_told_as_the_calendar_has_them() {
        let monday = date(2027, 3, 1);
        for (day, after) in Day::ALL.into_iter().zip(0..) {
            let date = monday.saturating_add(jiff::Span::new().days(after));
            assert_eq!((Day::of(date), day.offset()), (day, after));
            assert_eq!(serde_json::to_string(&day).unwrap(), format!("\"{}\"", day.name()));
        }
    }
}
