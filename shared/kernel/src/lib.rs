//! The words that every room of the house speaks: ids, time, money, secrets, personal data, failures.
//!
//! **Never here:** input and output, an async runtime, a product's rules, a vendor's or AWS's name.

pub mod ambient;
pub mod digest;
pub mod failure;
pub mod id;
pub mod language;
pub mod money;
pub mod private;

pub use ambient::{Ambient, Chance, Clock, Ids, Timestamp};
pub use digest::Digest;
pub use failure::{Failure, FailureKind, FieldProblem};
pub use language::Language;
pub use money::Money;
pub use private::{ClientIp, Pii, Secret};
