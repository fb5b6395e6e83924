//! Days of UTC: salts live by them, and clicks are counted by them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use nexus_kernel::Timestamp;

/// The UTC day of a moment.
pub fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}
