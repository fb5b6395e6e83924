//! From an approved draft to posts that are seen: what exactly is sent where and when, and the port to networks.

mod ground;
mod link;
mod plan;
mod port;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use ground::Ground;
pub(crate) use plan::first_id;
pub use plan::{
    Choices, Decision, GRACE, PlannedLink, PlannedMedia, PostPlan, Privacy, Proposal,
    approve_draft, propose, withdraw,
};
pub use port::{Medium, Offers, Preflight, Publisher};

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
    /// Any server that speaks Mastodon's API.
    Mastodon,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Feed, Self::TikTok, Self::X, Self::Mastodon];

    /// The word in settings and addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::TikTok => "tiktok",
            Self::X => "x",
            Self::Mastodon => "mastodon",
        }
    }

    /// Whether posts there go through an account that somebody connected.
    pub const fn has_accounts(self) -> bool {
        !matches!(self, Self::Feed)
    }

    /// How many posts a network takes of one account on a day, where it says so (TikTok: about 15 over all
    /// applications).
    pub const fn posts_a_day(self) -> Option<u32> {
        match self {
            Self::TikTok => Some(15),
            Self::Feed | Self::X | Self::Mastodon => None,
        }
    }

    /// The network of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|network| network.name() == name)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
