//! Clicks counted: their rows, the tallies they add to, the days counted anew, the reports.
//!
//! * [`ClickWriter`] writes a click's row and adds it to its tallies in one commit, so that it counts once however
//!   often it comes.
//! * A tally is a counter of a link, an hour and one side of its clicks ([`Side`]). The rows are the truth; a tally
//!   always equals the rows that are no robot's.
//! * [`recount`] counts a day that is over from its rows, holds the tallies against them and keeps a [`ClickDay`].
//! * [`reports`] reads whole days from what was counted anew, everything else from tallies.
//! * [`live`] tells what was written last.
//!
//! All days here are days of UTC: a visitor's salt lives that long. Zones lie quarters of an hour off UTC, so totals
//! are kept by the quarter.
//!
//! **Never here:** HTTP, answering a click.

mod agents;
mod day;
mod keys;
pub mod live;
mod recounting;
pub mod reports;
mod row;
mod rows;
mod side;
mod writing;

pub use agents::KeptAgent;
pub use day::{ClickDay, Top};
pub use keys::{Day, QUARTERS, SHARDS, TALLY_SHARDS};
pub use recounting::{
    AsStored, ByRules, Judge, MOST_ASKED, Recount, Recounted, ask, ask_for_days, recount,
};
pub use rows::{Found, Pages};
pub use side::Side;
pub use writing::{ClickWriter, Letter, Unwritten};
