//! What all products share: who may touch what (scope), what a person approved and what became of it
//! (approval, effect), how long things are kept (retention), how a message follows its commit (outbox), and the
//! ports through which all of it reaches the outside.
//!
//! **Never here:** an adapter, a vendor, an async runtime, HTTP, a product's own rules.

pub mod approval;
pub mod blobs;
pub mod bus;
pub mod call;
pub mod directory;
pub mod effect;
pub mod egress;
mod endings;
pub mod envelope;
pub mod idempotency;
pub mod mail;
pub mod outbox;
pub mod queues;
pub mod records;
pub mod retention;
pub mod scope;
pub mod sweep;
pub mod table;
pub mod vault;

pub use approval::{Approved, Approver};
pub use blobs::{BlobKey, Blobs};
pub use bus::Bus;
pub use call::CallContext;
pub use directory::Directory;
pub use endings::Endings;
pub use envelope::Envelope;
pub use mail::Mail;
pub use queues::{Gauge, QueueAddress, Queues, Sender};
pub use records::{Record, Stored};
pub use retention::RecordKind;
pub use scope::{Caller, Claims, Owner, Product, Role, Scope};
pub use sweep::Sweep;
pub use table::{Condition, Item, Key, Op, Table};
pub use vault::{SecretName, Vault};
