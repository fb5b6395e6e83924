//! Any server that speaks Mastodon's API: Mastodon itself, GoToSocial, Akkoma, Pixelfed, Friendica, snac and others.
//!
//! Each account names its server. A server knows this house as an application that was registered there on demand; its
//! name and secret stand in the tenant's vault. A post is uploaded, then written as a status, then it is there: servers
//! answer their own statuses at once. A status whose answer was lost is looked up among the account's own, by its text.
//!
//! Mastodon recognises a repetition by `Idempotency-Key` for an hour, and so do some others; the key is always sent.
//! Many compatible servers pay no heed to it, and none says whether it does, so a status is never repeated blindly.
//!
//! **Scopes.** The least are asked for: who the account is, its own statuses, to write media, to write statuses. A
//! server may say which it gives (`/.well-known/oauth-authorization-server`); where that names `profile`, it is asked
//! for instead of `read:accounts`, and where it names only the old `read` and `write`, those are. Servers that say
//! nothing are asked for the fine ones, and for the old ones if they refuse that.
//!
//! **Never here:** timelines, followers, messages, other people's profiles, who wrote an answer (N38, N39); a server's own words to a
//! person; a post that not everybody may see.
//!
//! | file | holds |
//! |---|---|
//! | `server.rs` | the one spelling of a server's address, and the way there |
//! | `apps.rs` | under which names servers know this house |
//! | `login.rs` | connecting, refreshing and disconnecting accounts |
//! | `port.rs` | posts |
//! | `listen.rs` | what people answered to a post, without who they are |
//! | `plain.rs` | what a status says, whatever its server made of it |

mod apps;
mod classify;
mod listen;
mod login;
mod plain;
mod port;
pub mod request;
mod response;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use nexus_core::Vault;
use nexus_outbound::{Outbound, Parts};

pub use request::VENDOR;

use response::Upload;

/// The most servers to which a process keeps a way, with its limits and its breaker.
const SERVERS: u64 = 500;
/// After how long a way that nobody took is forgotten.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// The most uploads that are remembered for a next attempt of their posts.
const UPLOADS: u64 = 1_000;

/// Accounts at, and posts to, any server that speaks Mastodon's API.
pub struct Mastodon {
    parts: Parts,
    tokens: Arc<dyn Vault>,
    /// A way for each server: what one of them limits or loses is not the others' matter.
    ways: Cache<String, Outbound>,
    /// What was uploaded for a post whose status was not written, by the file's name: a video that takes a server long
    /// to work on is not sent again.
    uploads: Cache<String, Upload>,
}

impl Mastodon {
    /// `tokens` is the tenants' vault, where the names under which servers know this house are kept too.
    pub fn new(parts: Parts, tokens: Arc<dyn Vault>) -> Self {
        Self {
            parts,
            tokens,
            ways: Cache::builder().max_capacity(SERVERS).time_to_idle(IDLE).build(),
            uploads: Cache::builder().max_capacity(UPLOADS).time_to_live(IDLE).build(),
        }
    }
}
