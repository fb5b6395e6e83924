//! The port to networks.
//!
//! # What every [`Publisher`] keeps
//! Each sentence is a test of every network's adapter:
//! 1. What makes a post appear is asked for at most once in a call, and never again where its answer was lost: that
//!    is [`Outcome::Unknown`]. What comes before it (asking for limits, uploading) may be repeated.
//! 2. Where the network names a post before it appears, the name is kept ([`Approved::keep`]) before the step that
//!    makes it appear; if it cannot be kept, nothing more is asked.
//! 3. Accepted is not there: what the network still works on is [`Outcome::Accepted`], and is looked at until it says
//!    that it is there or will not be.
//! 4. To look up changes nothing outside. [`Found::NotDone`] is said only of what certainly is not there and will not
//!    come.
//! 5. Only calls of publishing are on an adapter's lists: nothing about followers, messages or other people's
//!    profiles can be asked (N38, N39).

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::approval::Unsure;
use nexus_core::effect::{Found, Outcome};
use nexus_core::egress::Cost;
use nexus_core::{Approved, CallContext};
use nexus_kernel::{Failure, FieldProblem};
use serde::{Deserialize, Serialize};

use super::Network;
use super::plan::{PostPlan, Privacy};
use crate::connections::Access;

/// What a post shows: the bytes that were approved.
#[derive(Debug, Clone)]
pub struct Medium {
    /// MIME type: `video/mp4`, `image/jpeg`.
    pub content_type: String,
    /// The bytes.
    pub bytes: Bytes,
    /// An address under which the network can fetch them for an hour, for networks that take pictures no other way.
    pub address: Option<String>,
}

/// What a network and an account say about a post before it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preflight {
    /// Why it would be refused, by the field that has to change; empty where nothing speaks against it.
    pub problems: Vec<FieldProblem>,
    /// What the approver should know.
    pub notes: Vec<String>,
    /// What the network charges for it.
    pub cost: Cost,
    /// What the account lets the approver choose, at networks where it does.
    pub offers: Option<Offers>,
}

/// What an account lets an approver choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    /// Who will be seen as the author. It is shown and not kept.
    pub nickname: String,
    /// Who may be let see the post: one has to be chosen.
    pub privacy: Vec<Privacy>,
    /// Whether comments can be allowed.
    pub comments: bool,
    /// Whether duets can be allowed.
    pub duets: bool,
    /// Whether stitches can be allowed.
    pub stitches: bool,
    /// The longest video, in seconds.
    pub longest_seconds: u32,
}

/// Carries posts to a network. It takes only what a person approved.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Which network.
    fn network(&self) -> Network;

    /// What the network and the account say about a post. `access` is there where the network has accounts.
    ///
    /// # Errors
    /// The network cannot be asked now, or the account has to be connected anew ([`FailureKind::Conflict`]).
    ///
    /// [`FailureKind::Conflict`]: nexus_kernel::FailureKind::Conflict
    async fn preflight(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        plan: &PostPlan,
    ) -> Result<Preflight, Failure>;

    /// Sends a post with what it shows.
    async fn publish(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        approved: &mut Approved<PostPlan>,
        medium: Medium,
    ) -> Outcome;

    /// Whether a post is there, after an attempt whose outcome nobody knows or that the network has accepted.
    async fn look_up(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        unsure: &Unsure<PostPlan>,
    ) -> Found;
}
