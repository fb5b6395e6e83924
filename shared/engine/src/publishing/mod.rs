//! From an approved draft to posts that are seen: what exactly is sent where and when, and the port to networks.

mod plan;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::Approved;
use nexus_core::approval::Unsure;
use nexus_core::effect::{Found, Outcome};
use serde::{Deserialize, Serialize};

pub use plan::{GRACE, PlannedMedia, PostPlan, Proposal, approve_draft, propose, withdraw};

/// Where a post can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// The local feed: a page to look at.
    Feed,
    /// TikTok, by its Content Posting API.
    TikTok,
    /// X.
    X,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Feed, Self::TikTok, Self::X];

    /// The word in settings and addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::TikTok => "tiktok",
            Self::X => "x",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Carries posts to a network. It takes only what a person approved.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Which network.
    fn network(&self) -> Network;

    /// Sends a post with its video.
    async fn publish(&self, approved: &Approved<PostPlan>, video: Bytes) -> Outcome;

    /// Whether a post is there, after an attempt whose outcome nobody knows.
    async fn look_up(&self, unsure: &Unsure<PostPlan>) -> Found;
}
