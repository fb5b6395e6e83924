//! What is kept of a click: these fields and no other (N8, decision 5 of the promises).

use nexus_core::effect::EffectId;
use nexus_kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::place::Place;

nexus_kernel::id!(
    /// A click: it is counted once by this.
    ClickId,
    "clk_"
);

/// A click. It has no name, no address, and nothing by which somebody could be followed into the next day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Click {
    /// Its id.
    pub id: ClickId,
    /// When.
    pub at: Timestamp,
    /// The code of the link.
    pub link: String,
    /// The post that the link was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<EffectId>,
    /// Where, roughly.
    #[serde(default, skip_serializing_if = "Place::is_unlocated")]
    pub place: Place,
    /// By which program.
    pub agent: Agent,
    /// From which page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<Referrer>,
    /// Tells the clicks of one visitor of one day from those of others of that day.
    pub visitor: Visitor,
    /// Why it is not counted, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<BotReason>,
    /// It only asked for the head of the answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub head: bool,
    /// It did not say what it can read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_accept: bool,
}

/// The program that followed a link, as it presents itself; shapes of addresses are scrubbed from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// All that it says, scrubbed.
    pub text: String,
    /// Its family: `Mobile Safari`.
    pub family: String,
    /// What it runs on: `iPhone`, `Other`.
    pub device: String,
    /// The system: `iOS`.
    pub system: String,
}

/// The page from which somebody came, without its query.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Referrer {
    /// Its host in lower case.
    pub host: String,
    /// Its path.
    pub path: String,
}

/// 8 bytes that follow from the day's salt, the address and the program; the salt is destroyed after the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Visitor(pub [u8; 8]);

impl Serialize for Visitor {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Visitor {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        let mut bytes = [0; 8];
        hex::decode_to_slice(text.as_ref(), &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

/// Why a click is taken for no person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotReason {
    /// It presents itself as a robot.
    Robot,
    /// It makes a preview of a link for a network or a messenger.
    Preview,
    /// It only asked for the head.
    Head,
    /// It did not say what it can read, as no browser does.
    NoAccept,
    /// It does not present itself at all.
    NoAgent,
}
