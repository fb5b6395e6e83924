//! Accounts of a tenant at networks: connected by OAuth 2.0, kept fresh, disconnected by their owner or from outside.
//!
//! Of what a network answers while an account is connected, its access and its refresh token alone are kept, both in
//! the vault as one secret (N37, N40). The record beside them holds our own id, the tenant's own label, and times.
//! Which account it is at the network stands as a digest only, so that no account is connected twice and one that is
//! connected anew is known again.
//!
//! What is due stands in the index of tokens to be refreshed, and the `refresh` function walks it: tokens that run out
//! soon, endings that were begun and not carried to their end, and what somebody left who went to connect an account
//! and did not come back.
//!
//! **Never here:** a network's shape, HTTP, a password.
//!
//! | deed | file |
//! |---|---|
//! | a person connects an account, or connects it anew | `connecting.rs` |
//! | a token for use; refreshing before it runs out; one refresher for each account | `tokens.rs` |
//! | a person disconnects an account; the network says that its owner did | `ending.rs` |

pub mod connecting;
pub mod ending;
mod login;
mod preflight;
mod record;
pub mod scopes;
mod server;
pub(crate) mod surely;
pub mod tokens;

pub use login::{Ask, Granted, Login, LoginError};
pub use preflight::Unasked;
pub(crate) use record::place;
pub use record::{
    Access, Connection, ConnectionId, ConnectionState, MAX_CONNECTIONS, Quiet, Refreshing,
    all_connections, connection_key, connections,
};
pub use server::spelled;
pub use tokens::{Accounts, NoAccess};
