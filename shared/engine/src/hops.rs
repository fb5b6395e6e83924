//! The queues between the rooms of the content line, and the messages in them: ids only.

use nexus_core::effect::EffectId;
use serde::{Deserialize, Serialize};

use crate::comments::CommentId;
use crate::draft::DraftId;
use crate::inquiries::InquiryId;
use crate::notices::NoticeId;

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
    /// To `attribute`.
    Attribute,
    /// To `sentiment`.
    Sentiment,
    /// To `notify`.
    Notify,
}

impl Hop {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Tag,
        Self::Compose,
        Self::Translate,
        Self::Narrate,
        Self::Animate,
        Self::Publish,
        Self::Footage,
        Self::Attribute,
        Self::Sentiment,
        Self::Notify,
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
            Self::Attribute => "attribute",
            Self::Sentiment => "sentiment",
            Self::Notify => "notify",
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
            Self::Attribute => "ATTRIBUTE_QUEUE",
            Self::Sentiment => "SENTIMENT_QUEUE",
            Self::Notify => "NOTIFY_QUEUE",
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

/// The message to `notify`: which notice is to be mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// Which notice.
    pub notice: NoticeId,
}

/// The message to `sentiment`: which text is to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToJudge {
    /// An inquiry.
    Inquiry(InquiryId),
    /// A comment, by where it stands.
    Comment(CommentId),
}
