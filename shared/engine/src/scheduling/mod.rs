//! When posts go out: a tenant's weekly slots, the next free one of them, and what recurs, on the calendar and the
//! clocks of the tenant's own zone.
//!
//! A wish becomes moments before anybody approves ([`plan_times`]): an approval names a moment, never a rule, and each
//! occurrence of a recurrence has an approval of its own. A change of the clocks neither skips nor doubles anything:
//! a time that the clocks jump over comes as much later as they jump, one that they show twice comes the first time.
//!
//! **Never here:** sending, waiting; what a person does to a post that stands already, beside the time it moves to.

mod another_time;
mod calendar;
mod recurrence;
mod repeating;
mod slots;
mod standing;
mod wish;

pub use another_time::another_time;
pub use calendar::{Day, moment_of};
pub use recurrence::{DayOfMonth, Ends, MOST_OCCURRENCES, Recurrence, Rhythm};
pub(crate) use repeating::within_most;
pub use repeating::{MOST_POSTS, repeat};
pub use slots::{LEAD, MOST_SLOTS, Slot, next_free};
pub use standing::{CLASH, SAME_WITHIN, repetition, standing, taken, warned, warnings};
pub use wish::{HORIZON_DAYS, LATE, When, plan_times};
pub(crate) use wish::{as_seen, not_seen};
