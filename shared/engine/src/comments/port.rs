//! The port to the comments of a network.
//!
//! # What every [`Listener`] keeps
//! 1. It reads what stands under one post of the tenant's own, and nothing else.
//! 2. It changes nothing outside.
//! 3. Reading again from the mark that it gave returns what came since; what came twice has the same id.

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_core::egress::Cost;
use nexus_kernel::{Failure, Pii, Timestamp};

use crate::connections::Access;
use crate::publishing::Network;

/// Something that somebody wrote under a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The network's name for it.
    pub id: String,
    /// When it was written.
    pub at: Timestamp,
    /// What it says, as plain text. Who wrote it is not asked for.
    pub text: Pii<String>,
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The remarks, oldest first.
    pub remarks: Vec<Remark>,
    /// From where to go on reading next time.
    pub mark: Option<String>,
    /// What the network charges for it.
    pub cost: Cost,
}

/// Reads comments at a network.
#[async_trait]
pub trait Listener: Send + Sync {
    /// Which network.
    fn network(&self) -> Network;

    /// How long after a post its comments can be read; `None` is always.
    fn reach(&self) -> Option<jiff::SignedDuration>;

    /// What was written under a post, by the network's name for it, since the mark.
    ///
    /// # Errors
    /// The network cannot be asked now, or the account has to be connected anew
    /// ([`FailureKind::Conflict`](nexus_kernel::FailureKind::Conflict)).
    async fn hear(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        post: &str,
        since: Option<&str>,
    ) -> Result<Heard, Failure>;
}
