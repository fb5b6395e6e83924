//! Days counted anew, and reports that say what the rows say.

mod ground;
mod recounting;
mod reports;
