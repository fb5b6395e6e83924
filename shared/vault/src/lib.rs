//! What the adapters of the vault share, so that each is only what is its own.
//!
//! * [`RowVault`]: the vault over a row of the table and a [`Safe`] that keeps the values. The row decides which
//!   generation stands; one protocol survives a crash between any two steps, whatever the safe is.
//! * [`Envelope`]: the safe that keeps a value in the row itself, sealed under a data key (AES-256-GCM).
//! * [`DataKeys`]: what an envelope's data keys are wrapped by: a key of AWS KMS, or a master key in a file.
//!
//! **Never here:** AWS, a file, and what a secret says.

mod cache;
mod envelope;
mod row_vault;
mod rows;
mod said;
mod seal;

pub use envelope::{DataKey, DataKeys, Envelope, KeyUse, MAX_ROWS_PER_KEY, Sealed};
pub use row_vault::{Left, RowVault, Safe, Slot};
pub use said::Said;
pub use seal::{KEY_BYTES, Tampered, open, random_key, seal};
