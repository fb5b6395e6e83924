//! A calendar month in UTC: what the ledger and the caps count by.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use nexus_kernel::Timestamp;

use crate::retention::LEDGER_AGE;

/// A month of the ledger, in UTC; reads and prints as `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// The month's first day.
    first: Date,
}

/// A text that is no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a year and a month, for example 2026-11")]
pub struct MonthError;

impl Month {
    /// The month in which a moment lies.
    pub fn of(at: Timestamp) -> Self {
        Self { first: at.to_zoned(TimeZone::UTC).date().first_of_month() }
    }

    /// Reads `2026-11`: four digits, a hyphen, two digits, nothing else.
    ///
    /// # Errors
    /// It is no such month.
    pub fn parse(raw: &str) -> Result<Self, MonthError> {
        let (year, month) = raw.split_once('-').ok_or(MonthError)?;
        let digits = |part: &str, count: usize| {
            part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(year, 4) || !digits(month, 2) {
            return Err(MonthError);
        }
        let (year, month) = (year.parse(), month.parse());
        let (Ok(year), Ok(month)) = (year, month) else { return Err(MonthError) };
        Date::new(year, month, 1).map(|first| Self { first }).map_err(|_| MonthError)
    }

    /// The first day of the next month: from its beginning on, calls count there.
    pub fn next_begins(self) -> Date {
        self.first.last_of_month().tomorrow().unwrap_or(Date::MAX)
    }

    /// From when on what was counted in this month is gone.
    pub(super) fn expires(self) -> Timestamp {
        let over = self.next_begins().to_zoned(TimeZone::UTC).map(|day| day.timestamp());
        let over = over.unwrap_or(Timestamp::MAX);
        over.saturating_add::<SignedDuration>(LEDGER_AGE).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(raw: &str) -> Timestamp {
        raw.parse().unwrap()
    }

    #[test]
    fn a_month_ends_at_its_last_moment_in_utc() {
        assert_eq!(Month::of(at("2026-11-30T23:59:59.999Z")).to_string(), "2026-11");
        assert_eq!(Month::of(at("2026-12-01T00:00:00Z")).to_string(), "2026-12");
        assert_eq!(Month::of(at("2026-12-01T01:00:00+02:00")).to_string(), "2026-11");
        assert_eq!(Month::of(at("2026-12-31T12:00:00Z")).next_begins().to_string(), "2027-01-01");
    }

    #[test]
    fn only_a_year_and_a_month_are_read() {
        assert_eq!(Month::parse("2026-11"), Ok(Month::of(at("2026-11-20T10:00:00Z"))));
        for raw in ["", "2026", "2026-00", "2026-13", "2026-1", "26-11", "+026-11", "2026-+1"] {
            assert_eq!(Month::parse(raw), Err(MonthError), "{raw}");
        }
        for raw in ["2026-11-01", "2026/11", "2026-11 ", "２026-11", "2026-1１", "2026-11#x"] {
            assert_eq!(Month::parse(raw), Err(MonthError), "{raw}");
        }
    }

    #[test]
    fn what_was_counted_is_kept_for_twenty_five_months_and_not_much_longer() {
        for raw in ["2026-11", "2027-02", "2027-12"] {
            let month = Month::parse(raw).unwrap();
            let begins = |months: i64| {
                let day = month.next_begins().checked_add(jiff::Span::new().months(months));
                day.unwrap().to_zoned(TimeZone::UTC).unwrap().timestamp()
            };
            assert!(begins(25) <= month.expires(), "{raw}");
            assert!(month.expires() < begins(26), "{raw}");
        }
    }
}
