//! Days counted anew, and reports that say what the rows say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ground;
mod recounting;
mod reports;
