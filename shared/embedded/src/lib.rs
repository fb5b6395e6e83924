//! The ports Table, Queues and Blobs on one machine: SQLite and files.
//!
//! A data directory holds, for each product:
//!
//! ```text
//! engine.db  engine.db-wal  engine.db-shm   rows, messages and the list of blobs
//! blobs/engine/{area}/{owner}/{aa}/{sha256} contents, named by what they are
//! blobs/engine/incoming/                    contents on their way in
//! processes/{id}.lock                       held by each process that has the directory open
//! signing.key                               signs the addresses of uploads and downloads (mode 0600)
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
mod fault;
mod files;
mod processes;
mod queues;
mod readers;
mod schema;
mod signed_urls;
mod sql;
mod store;
mod table;
mod writer;

pub use signed_urls::{SignedUrls, UploadGrant, UrlError};
pub use store::{OpenError, Store, Strays};
