//! The one way out of the house to a third party.
//!
//! A call goes through these steps, in this order, and each has a file of its own:
//!
//! ```text
//! trace ─ allow-list ─ ledger and cap ─ deadline ─ retry ─┬─ breaker ─ rate limit ─ signing ─ time-out ─ guard ─ HTTPS, or a recording
//!                                                         └─ for each try
//! ```
//!
//! A vendor is data ([`Vendor`], [`Operation`]) and two pure halves: it builds a [`Request`], and reads an
//! [`Answer`] into a value or a [`CallError`] that says whether it may have happened. Everything else is here.
//!
//! **Never here:** a vendor's name, what a product does with an answer, a person's words in a log.

mod address;
mod allow;
pub mod answer;
mod breaker;
pub mod error;
pub mod guard;
pub mod https;
pub mod outbound;
mod rate;
pub mod recording;
pub mod request;
mod retry;
mod signing;
mod trace;
pub mod transport;
pub mod vendor;

pub use answer::{Answer, Reading, Usage};
pub use error::{Billed, CallError};
pub use guard::Guard;
pub use https::{Https, TlsFloor};
pub use outbound::{Outbound, Parts, SetupError};
pub use recording::{Recording, Replay};
pub use request::{Authorization, Body, Field, Part, Piece, Request, To};
pub use transport::{Transport, TransportError};
pub use vendor::{Auth, Operation, Repeat, Vendor};
