//! A period of whole days in a zone, and its parts.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use nexus_kernel::{Failure, Timestamp};

/// The most days of a period: a leap year and a month, so that a year can be seen whole.
pub const MOST_DAYS: i32 = 397;

/// Into what a period is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks from Monday; the first and the last may be cut.
    Week,
    /// Months; the first and the last may be cut.
    Month,
}

/// Whole days of a zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Period {
    first: Date,
    last: Date,
    zone: TimeZone,
    from: Timestamp,
    to: Timestamp,
}

impl Period {
    /// From the first day to the last, both included.
    ///
    /// # Errors
    /// They are in another order, too many, or lie outside 2000 to 9990.
    pub fn new(first: Date, last: Date, zone: TimeZone) -> Result<Self, Failure> {
        if last < first {
            return Err(Failure::field("to", "choose a day that is not before `from`"));
        }
        if !(2000..=9990).contains(&first.year()) || !(2000..=9990).contains(&last.year()) {
            return Err(Failure::field("from", "choose days of the years 2000 to 9990"));
        }
        if days_between(first, last) >= MOST_DAYS {
            return Err(Failure::field("from", format!("choose at most {MOST_DAYS} days")));
        }
        Self::unbounded(first, last, zone)
    }

    fn unbounded(first: Date, last: Date, zone: TimeZone) -> Result<Self, Failure> {
        let after = last.tomorrow().map_err(Failure::bug)?;
        let (from, to) = (midnight(first, &zone)?, midnight(after, &zone)?);
        Ok(Self { first, last, zone, from, to })
    }

    /// As many days, just before.
    ///
    /// # Errors
    /// They lie before all dates.
    pub fn before(&self) -> Result<Self, Failure> {
        let days = days_between(self.first, self.last) + 1;
        let earlier = |day: Date| day.checked_sub(days.days()).map_err(Failure::bug);
        Self::unbounded(earlier(self.first)?, earlier(self.last)?, self.zone.clone())
    }

    /// When it begins.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// When it is over: the first moment that does not belong to it.
    pub fn to(&self) -> Timestamp {
        self.to
    }

    /// Its first and last day.
    pub fn days(&self) -> (Date, Date) {
        (self.first, self.last)
    }

    /// Its zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// When its parts begin, in order.
    pub(super) fn starts(&self, unit: Unit) -> Result<Vec<Timestamp>, Failure> {
        let mut starts = Vec::new();
        let mut day = self.first;
        while day <= self.last {
            let at = midnight(day, &self.zone)?;
            let next = day.tomorrow().map_err(Failure::bug)?;
            let begins = match unit {
                Unit::Hour | Unit::Day => true,
                Unit::Week => day.weekday() == Weekday::Monday || day == self.first,
                Unit::Month => day.day() == 1 || day == self.first,
            };
            if begins {
                starts.push(at);
            }
            if unit == Unit::Hour {
                // Hours as they pass: a day of 23 or 25 hours has so many.
                let (end, mut hour) = (midnight(next, &self.zone)?, at);
                loop {
                    hour = hour.checked_add(SignedDuration::from_hours(1)).map_err(Failure::bug)?;
                    if hour >= end {
                        break;
                    }
                    starts.push(hour);
                }
            }
            day = next;
        }
        Ok(starts)
    }
}

/// When a day begins there: where the clocks jump over midnight, as soon as they show the day.
fn midnight(day: Date, zone: &TimeZone) -> Result<Timestamp, Failure> {
    let begin = day.to_zoned(zone.clone()).and_then(|zoned| zoned.start_of_day());
    Ok(begin.map_err(Failure::bug)?.timestamp())
}

fn days_between(first: Date, last: Date) -> i32 {
    first.until(last).map_or(i32::MAX, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(first: &str, last: &str, zone: &str) -> Period {
        let zone = TimeZone::get(zone).unwrap();
        Period::new(first.parse().unwrap(), last.parse().unwrap(), zone).unwrap()
    }

    #[test]
    fn a_day_on_which_the_clocks_change_has_its_own_hours() {
        for (day, zone, hours) in [
            ("2027-03-28", "Europe/Madrid", 23),
            ("2027-10-31", "Europe/Madrid", 25),
            ("2027-03-01", "Asia/Kathmandu", 24),
            // Half an hour longer: the last part is that half.
            ("2027-04-04", "Australia/Lord_Howe", 25),
        ] {
            let starts = period(day, day, zone).starts(Unit::Hour).unwrap();
            assert_eq!(starts.len(), hours, "{day} {zone}");
        }
    }

    #[test]
    fn weeks_and_months_are_cut_where_the_period_ends() {
        let period = period("2027-01-27", "2027-03-02", "UTC");
        let days = |unit| -> Vec<String> {
            let starts = period.starts(unit).unwrap();
            starts.iter().map(|at| at.to_zoned(TimeZone::UTC).date().to_string()).collect()
        };
        assert_eq!(days(Unit::Month), ["2027-01-27", "2027-02-01", "2027-03-01"]);
        let weeks =
            ["2027-01-27", "2027-02-01", "2027-02-08", "2027-02-15", "2027-02-22", "2027-03-01"];
        assert_eq!(days(Unit::Week), weeks);
        assert_eq!(days(Unit::Day).len(), 35);
        let before = period.before().unwrap();
        assert_eq!(
            (before.days().1.to_string(), before.to()),
            ("2027-01-26".into(), period.from())
        );
    }

    #[test]
    fn a_period_is_bounded_and_in_order() {
        let new = |first: &str, last: &str| {
            Period::new(first.parse().unwrap(), last.parse().unwrap(), TimeZone::UTC)
        };
        assert!(new("2027-01-01", "2028-01-31").is_ok());
        for (first, last) in [
            ("2027-01-02", "2027-01-01"),
            ("2027-01-01", "2028-02-03"),
            ("1999-12-31", "2000-01-01"),
        ] {
            assert!(new(first, last).is_err(), "{first} {last}");
        }
    }
}
