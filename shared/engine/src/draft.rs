//! Content on its way from a photo to a person's approval: one record that every step adds its result to.

use std::collections::BTreeMap;

use nexus_core::effect::EffectId;
use nexus_core::sweep::moment;
use nexus_core::table::IndexEntry;
use nexus_core::{Key, Record, RecordKind, Scope};
use nexus_kernel::{Language, Timestamp};
use serde::{Deserialize, Serialize};

use crate::catalogue::ProductId;
use crate::copy::Copy;
use crate::film::Film;
use crate::footage::purchase::Footage;
use crate::media::{MediaId, NamedBlob};
use crate::narration::Narration;
use crate::tagging::{Labels, ProductMatch};

nexus_kernel::id!(
    /// Content on its way to an approval.
    DraftId,
    "drf_"
);

/// How far a draft came. The order is the order of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Waits for labels.
    Tagging,
    /// Waits for words.
    Composing,
    /// Waits for Spanish.
    Translating,
    /// Waits for a voice.
    Narrating,
    /// Waits for its video.
    Animating,
    /// Waits for a person.
    AwaitingApproval,
    /// A person approved it; its posts have lives of their own.
    Approved,
    /// A person said no.
    Rejected,
}

impl Stage {
    /// The word in an address or a list.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tagging => "tagging",
            Self::Composing => "composing",
            Self::Translating => "translating",
            Self::Narrating => "narrating",
            Self::Animating => "animating",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    /// All of them, in the order of the line.
    pub const ALL: [Self; 8] = [
        Self::Tagging,
        Self::Composing,
        Self::Translating,
        Self::Narrating,
        Self::Animating,
        Self::AwaitingApproval,
        Self::Approved,
        Self::Rejected,
    ];
}

/// Words in one language and where they come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// The words.
    #[serde(flatten)]
    pub copy: Copy,
    /// The engine that wrote them, or `a person`.
    pub engine: String,
    /// Whether a person should look at them closely: a machine's rough translation.
    pub rough: bool,
}

/// Something that a person should know of a draft: what is missing, and what that costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// A stable word, such as `no_speech_es`.
    pub code: String,
    /// As a person should read it.
    pub text: String,
}

/// Content on its way to an approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// Which.
    pub id: DraftId,
    /// The medium that it was begun from.
    pub media: MediaId,
    /// The line of business it belongs to.
    pub vertical: String,
    /// The product it is about.
    pub product: Option<ProductId>,
    /// When it was begun.
    pub created: Timestamp,
    /// How far it came.
    pub stage: Stage,
    /// Counts edits: an approval of an earlier one is void.
    pub revision: u32,
    /// What is told of the picture.
    pub labels: Option<Labels>,
    /// The products that fit, best first.
    pub matches: Vec<ProductMatch>,
    /// The words by language.
    pub words: BTreeMap<Language, Words>,
    /// The Spanish that the copywriter wrote beside the English, until `translate` took it or left it.
    pub paired: Option<Copy>,
    /// The voices by language.
    pub narrations: BTreeMap<Language, Narration>,
    /// Footage that was bought for it, oldest first.
    #[serde(default)]
    pub footage: Vec<Footage>,
    /// Every purchase of footage that was ever asked for, whatever became of it.
    #[serde(default)]
    pub purchases: Vec<EffectId>,
    /// The videos by language.
    pub films: BTreeMap<Language, Film>,
    /// What a person should know.
    pub notes: Vec<Note>,
    /// What was approved of it.
    pub posts: Vec<EffectId>,
}

impl Record for Draft {
    const KIND: RecordKind = RecordKind::Draft;

    fn key(&self, scope: &Scope) -> Key {
        draft_key(scope, self.id)
    }

    fn list(&self, scope: &Scope) -> Option<IndexEntry> {
        let sort = format!("{}#{}", moment(self.created), self.id);
        Some(IndexEntry { partition: drafts_in(scope, self.stage), sort })
    }
}

/// Where a draft stands.
pub fn draft_key(scope: &Scope, id: DraftId) -> Key {
    scope.key("draft", id.to_string())
}

/// The list of a tenant's drafts in one stage.
pub fn drafts_in(scope: &Scope, stage: Stage) -> String {
    scope.partition(&format!("drafts#{}", stage.name()))
}

impl Draft {
    /// A draft at the beginning of the line. The same medium always leads to the same draft.
    pub fn begin(
        media: MediaId,
        vertical: String,
        product: Option<ProductId>,
        now: Timestamp,
    ) -> Self {
        Self {
            id: DraftId::derived(&["draft", &media.to_string()]),
            media,
            vertical,
            product,
            created: now,
            stage: Stage::Tagging,
            revision: 1,
            labels: None,
            matches: Vec::new(),
            words: BTreeMap::new(),
            paired: None,
            narrations: BTreeMap::new(),
            footage: Vec::new(),
            purchases: Vec::new(),
            films: BTreeMap::new(),
            notes: Vec::new(),
            posts: Vec::new(),
        }
    }

    /// Tells a person something, once.
    pub fn note(&mut self, code: &str, text: impl Into<String>) {
        self.notes.retain(|n| n.code != code);
        self.notes.push(Note { code: code.to_owned(), text: text.into() });
    }

    /// All blobs that the record names.
    pub fn blobs(&self) -> impl Iterator<Item = &NamedBlob> {
        let tracks = self.narrations.values().map(|n| &n.track);
        let films = self.films.values().flat_map(|f| [&f.video, &f.poster]);
        tracks.chain(self.footage.iter().map(|f| &f.video)).chain(films)
    }
}
