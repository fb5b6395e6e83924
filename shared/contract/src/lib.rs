//! What every adapter of a port has to keep, and what stands in for adapters in tests.
//!
//! * [`table`], [`queues`], [`blobs`], [`vault`], [`bus`]: the suites. A sentence of a port's contract is one function or more, named
//!   after the sentence's number; `table_contract!(open)` and its sisters make a test of each, `suite(open)` runs
//!   them one after the other.
//! * [`sequences`]: what may be asked of a table, in whatever order, for holding two adapters against each other.
//! * [`memory`]: the ports in memory, the reference by which other adapters are measured.
//! * [`StaleIndex`] and [`Flaky`]: the ports as they are on a bad day.
//!
//! **Never here:** an adapter of a real store, or anything that production code depends on.

mod flaky;
pub mod memory;
mod pair;
mod stale_index;

#[macro_use]
mod sentences;
pub mod blobs;
pub mod bus;
pub mod queues;
pub mod sequences;
pub mod table;
pub mod vault;

pub use flaky::{Fault, Faults, Flaky};
pub use pair::{Pair, START};
pub use stale_index::StaleIndex;
