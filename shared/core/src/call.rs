//! On whose behalf something outside is asked, and until when.

use nexus_kernel::Timestamp;

use crate::scope::Scope;

/// What every call that may leave the house carries.
#[derive(Debug, Clone, Copy)]
pub struct CallContext {
    /// For whom: the ledger and the cap count it there.
    pub scope: Scope,
    /// By the injected clock: nobody waits for the answer after that.
    pub until: Timestamp,
}
