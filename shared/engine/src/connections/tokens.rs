//! A token for use.

use std::sync::Arc;

use nexus_core::{CallContext, Table, Vault};
use nexus_kernel::{Ambient, Failure};

use super::{Access, ConnectionId, Login};

/// The accounts of tenants, and the right to act for them.
#[derive(Clone)]
pub struct Accounts {
    /// Where the connections stand.
    pub table: Arc<dyn Table>,
    /// Where the tokens are.
    pub vault: Arc<dyn Vault>,
    /// Who refreshes them.
    pub logins: Vec<Arc<dyn Login>>,
    /// Time, ids and chance.
    pub ambient: Ambient,
}

/// Why there is no token.
#[derive(Debug)]
pub enum NoAccess {
    /// The account is not connected any more: a person has to do something.
    Ended {
        /// Why, as its owner should read it.
        why: String,
    },
    /// Somebody is refreshing it, or the network cannot be asked now.
    Later {
        /// Seconds to wait.
        after_seconds: u32,
    },
    /// The store or the vault does not answer.
    Failed(Failure),
}

impl Accounts {
    /// A token for this account that serves at least a minute more; refreshed first where it has to be.
    ///
    /// # Errors
    /// There is none.
    pub async fn access(&self, _at: &CallContext, _id: ConnectionId) -> Result<Access, NoAccess> {
        Err(NoAccess::Later { after_seconds: 60 })
    }

    /// The network refused this token: another one, if somebody has refreshed it meanwhile or it can be refreshed now.
    /// Where it cannot, the account counts as revoked by its owner.
    ///
    /// # Errors
    /// There is none.
    pub async fn refused(&self, _at: &CallContext, _refused: &Access) -> Result<Access, NoAccess> {
        Err(NoAccess::Later { after_seconds: 60 })
    }
}
