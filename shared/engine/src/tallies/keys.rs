//! Where clicks and their tallies stand, and the moments in them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use nexus_core::{Key, Scope};
use nexus_kernel::Timestamp;

/// A day of UTC.
pub type Day = Date;

/// Over how many partitions the clicks of one link and day are spread: a DynamoDB partition takes 1,000 writes a second.
pub const SHARDS: u8 = 16;
/// Over how many rows a tally may be spread, so that those who add to it at once do not wait for one another.
pub const TALLY_SHARDS: u8 = 4;
/// How many quarters of an hour a day has.
pub const QUARTERS: usize = 96;
/// Milliseconds of a quarter of an hour.
pub(super) const QUARTER_MS: i64 = 15 * 60 * 1_000;
/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = QUARTER_MS * QUARTERS as i64;

/// When a day begins; the end of time for a day that lies beyond it.
pub(super) fn begin(day: Day) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// How many milliseconds of its day have passed.
pub(super) fn millis_of_day(at: Timestamp) -> i64 {
    at.as_millisecond().rem_euclid(DAY_MS)
}

/// The quarter of its day in which a moment lies.
pub(super) fn quarter_of(at: Timestamp) -> u8 {
    u8::try_from(millis_of_day(at) / QUARTER_MS).unwrap_or(0)
}

/// `20261122`.
pub(super) fn date(day: Day) -> String {
    format!("{:04}{:02}{:02}", day.year(), day.month(), day.day())
}

/// Reads [`date`].
pub(super) fn read_date(raw: &str) -> Option<Day> {
    let number: u32 = raw.parse().ok().filter(|_| raw.len() == 8)?;
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// `202611`.
pub(super) fn month(day: Day) -> String {
    format!("{:04}{:02}", day.year(), day.month())
}

/// The partition of the clicks of one link on one day, without its shard.
pub(super) fn clicks(scope: &Scope, link: &str, day: Day) -> String {
    scope.partition(&format!("clk#{link}#{}#", date(day)))
}

/// The partition of the tallies of one link in one month.
pub(super) fn tallies(scope: &Scope, link: &str, day: Day) -> String {
    scope.partition(&format!("roll#{link}#{}", month(day)))
}

/// The partition of the days of one month that were counted anew.
pub(super) fn days(scope: &Scope, day: Day) -> String {
    scope.partition(&format!("days#{}", month(day)))
}

/// Where a day that was counted anew stands.
pub(super) fn counted(scope: &Scope, link: &str, day: Day) -> Key {
    scope.key(&format!("days#{}", month(day)), of_day(link, day))
}

/// The partition of the days that have to be counted anew.
pub(super) const RECOUNT: &str = "recount";

/// The sort key of a link's day.
pub(super) fn of_day(link: &str, day: Day) -> String {
    format!("{}#{link}", date(day))
}

/// Reads [`of_day`].
pub(super) fn read_of_day(sort: &str) -> Option<(Day, &str)> {
    let (day, link) = sort.split_once('#')?;
    Some((read_date(day)?, link))
}

/// Whether a link's code may stand in keys.
pub(super) fn is_code(link: &str) -> bool {
    (1..=128).contains(&link.len()) && !link.contains('#')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::days::day_of;

    #[test]
    fn a_date_reads_back_and_nothing_else_is_one() {
        let day = Date::constant(2026, 11, 22);
        assert_eq!((date(day).as_str(), read_date("20261122")), ("20261122", Some(day)));
        for wrong in ["", "2026112", "20261322", "20260230", "+2026112", "2026112x"] {
            assert_eq!(read_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_last_quarter_of_a_day_is_the_ninety_sixth() {
        let last = begin(Date::constant(2026, 11, 23)).as_millisecond() - 1;
        let last = Timestamp::from_millisecond(last).unwrap();
        assert_eq!((day_of(last), quarter_of(last)), (Date::constant(2026, 11, 22), 95));
    }
}
