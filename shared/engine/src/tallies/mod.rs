//! Clicks counted: their rows, the tallies they add to, the days counted anew, the reports.
//!
//! **Never here:** HTTP, answering a click.
