//! The ports on one machine: Table, Queues and Blobs on SQLite and files, the Vault sealed in the table, the Bus within
//! the process.
//!
//! A data directory holds, for each product:
//!
//! ```text
//! engine.db  engine.db-wal  engine.db-shm   rows, messages and the list of blobs
//! blobs/engine/{area}/{owner}/{aa}/{sha256} contents, named by what they are
//! blobs/engine/incoming/                    contents on their way in
//! processes/{id}.lock                       held by each process that has the directory open
//! signing.key                               signs the addresses of uploads and downloads (mode 0600)
//! master.key                                wraps the keys under which secrets are sealed (mode 0600)
//! ```
//!
//! Several processes may have it open. Each has one thread that writes: it takes what is waiting, runs it as one
//! transaction and makes it durable with one `fsync`, and the processes' writers take turns. Reads run beside it.
//!
//! Whatever was answered with success survives the process and the machine's power. A process that is killed
//! leaves no lock behind, and the messages in its hands are free at once.
//!
//! **Never here:** what a row or a message means; how long anything is kept; HTTP.

mod blobs;
mod bus;
mod fault;
mod files;
mod parts;
mod processes;
mod queues;
mod readers;
mod schema;
mod signed_urls;
mod sql;
mod store;
mod table;
mod vault;
mod writer;

pub use bus::{Heard, ProcessBus, Subscriber};
pub use signed_urls::{PartGrant, SignedUrls, UploadGrant, UrlError};
pub use store::{OpenError, Store, Strays};
pub use vault::{FileVault, MasterKey, MasterKeyError, vault};
