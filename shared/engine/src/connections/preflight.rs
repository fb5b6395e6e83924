//! A network is asked about a post in its account's name, before an approval and again before sending.
//!
//! **Never here:** what its answer means for an approval or a post.

use nexus_core::CallContext;
use nexus_kernel::{Failure, FailureKind};

use super::{Access, Accounts, NoAccess};
use crate::publishing::{PostPlan, Preflight, Publisher};

/// Why a network could not be asked about a post.
#[derive(Debug)]
pub enum Unasked {
    /// Its account gives no token.
    NoAccess(NoAccess),
    /// The network does not let us in, or gives no answer.
    Network(Failure),
}

impl Accounts {
    /// What a network says of a post, and the token with which it said so, where its network has accounts. A token that
    /// it refuses is replaced once: somebody may have refreshed it meanwhile.
    ///
    /// # Errors
    /// It could not be asked.
    pub async fn preflight(
        &self,
        at: &CallContext,
        publisher: &dyn Publisher,
        plan: &PostPlan,
    ) -> Result<(Option<Access>, Preflight), Unasked> {
        let mut access = match plan.connection {
            Some(id) => Some(self.access(at, id).await.map_err(Unasked::NoAccess)?),
            None => None,
        };
        let said = match (publisher.preflight(at, access.as_ref(), plan).await, &access) {
            (Err(failure), Some(refused)) if failure.kind() == FailureKind::Conflict => {
                access = Some(self.refused(at, refused).await.map_err(Unasked::NoAccess)?);
                publisher.preflight(at, access.as_ref(), plan).await
            }
            (said, _) => said,
        };
        Ok((access, said.map_err(Unasked::Network)?))
    }
}
