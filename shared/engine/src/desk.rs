//! Where a person works on a tenant's things: what every deed of a person needs, and how it is committed.
//!
//! A deed reads, decides, commits and, where somebody else changed the same thing meanwhile, looks again and decides
//! anew. Each is written so that doing it twice leaves what doing it once left.
//!
//! **Never here:** HTTP, the rules of a single deed.

use nexus_core::outbox::Outgoing;
use nexus_core::table::CommitError;
use nexus_core::{Op, Scope, Sender, Table};
use nexus_kernel::{Ambient, Failure, Timestamp};

/// How often a deed looks again.
pub(crate) const TRIES: u32 = 4;

/// What a deed of a person needs.
#[derive(Clone, Copy)]
pub struct Desk<'d> {
    /// The Engine's table.
    pub table: &'d dyn Table,
    /// Whose things.
    pub scope: &'d Scope,
    /// Who does it: the person's id at the identity provider.
    pub by: &'d str,
    /// The request that it goes back to.
    pub trace: &'d str,
    /// Time and ids.
    pub ambient: &'d Ambient,
}

impl Desk<'_> {
    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.ambient.now()
    }

    /// Commits a deed; false where somebody was faster, or where the answer was lost: then the deed looks again,
    /// and finds its own work if it was done.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn commit(&self, ops: Vec<Op>) -> Result<bool, Failure> {
        match self.table.commit(ops, None).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conditions(_) | CommitError::Contended | CommitError::Unknown(_)) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends what a committed deed announces.
    pub(crate) async fn pass_on(&self, messages: &[Outgoing], sender: &Sender) {
        for message in messages {
            message.pass_on(self.scope, self.table, sender).await;
        }
    }

    /// Others kept changing the same thing.
    pub(crate) fn crowded() -> Failure {
        Failure::conflict("It was changed meanwhile. Read it again and repeat what you wanted.")
    }
}
