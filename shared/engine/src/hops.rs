//! The queues between the rooms of the content line, and the messages in them: ids only.

use nexus_core::effect::EffectId;
use serde::{Deserialize, Serialize};

use crate::draft::DraftId;

/// A queue that a function may send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hop {
    /// To `tag`.
    Tag,
    /// To `compose`.
    Compose,
    /// To `translate`.
    Translate,
    /// To `narrate`.
    Narrate,
    /// To `animate`.
    Animate,
    /// To `publish`.
    Publish,
    /// To `footage`.
    Footage,
}

impl Hop {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Tag,
        Self::Compose,
        Self::Translate,
        Self::Narrate,
        Self::Animate,
        Self::Publish,
        Self::Footage,
    ];

    /// The function that reads the queue; also the word in the outbox.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Compose => "compose",
            Self::Translate => "translate",
            Self::Narrate => "narrate",
            Self::Animate => "animate",
            Self::Publish => "publish",
            Self::Footage => "footage",
        }
    }

    /// The setting in which a sender finds the queue's address.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Tag => "TAG_QUEUE",
            Self::Compose => "COMPOSE_QUEUE",
            Self::Translate => "TRANSLATE_QUEUE",
            Self::Narrate => "NARRATE_QUEUE",
            Self::Animate => "ANIMATE_QUEUE",
            Self::Publish => "PUBLISH_QUEUE",
            Self::Footage => "FOOTAGE_QUEUE",
        }
    }

    /// The hop of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|h| h.name() == name)
    }
}

/// The message of every step of the line: which draft is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which draft.
    pub draft: DraftId,
}

/// The message to `publish`: which effect may be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// Which effect.
    pub effect: EffectId,
}

/// The message to `footage`: which purchase may be due, or its job at the vendor to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footage {
    /// Which effect.
    pub effect: EffectId,
}
