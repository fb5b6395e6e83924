//! The networks as servers on loopback: strict where the real ones are strict, and failing when they are told to.
//!
//! **Never here:** code of the clients (they and this are written against the same descriptions, apart from each
//! other, so that one finds the other's mistakes), time: nothing waits.

pub mod tiktok;
pub mod x;
