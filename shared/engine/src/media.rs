//! What a tenant uploaded, and what became of it.

use nexus_core::retention::ABANDONED_AFTER;
use nexus_core::{BlobKey, Key, Record, RecordKind, Scope};
use nexus_kernel::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::catalogue::ProductId;
use crate::draft::DraftId;

nexus_kernel::id!(
    /// An uploaded medium.
    MediaId,
    "med_"
);

/// The most bytes of a photo.
pub const MAX_PHOTO_BYTES: u64 = 50 * 1024 * 1024;
/// The most bytes of a video.
pub const MAX_VIDEO_BYTES: u64 = 500 * 1024 * 1024;
/// The most bytes of a sound file.
pub const MAX_AUDIO_BYTES: u64 = 100 * 1024 * 1024;

/// What sort of thing it is. The bytes decide, not the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaClass {
    /// A still picture.
    Photo,
    /// A moving one.
    Video,
    /// Sound alone.
    Audio,
}

/// How far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MediaState {
    /// Its place is made; the bytes have not come.
    AwaitingUpload,
    /// Checked, cleaned and rendered.
    Ready,
    /// The tenant has the same content already.
    Duplicate {
        /// As this medium.
        of: MediaId,
    },
    /// It cannot be used.
    Rejected {
        /// A stable word, such as `truncated`.
        code: String,
        /// What is wrong and what would help, as a person should read it.
        reason: String,
    },
}

/// A blob that a record names, with the digest of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedBlob {
    /// Where it stands.
    pub key: BlobKey,
    /// SHA-256 of its content.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// MIME type.
    pub content_type: String,
}

/// A picture made for a network's frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenditionBlob {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Whether the photo was too small to fill the frame and stands over a blurred cover of itself.
    pub fitted: bool,
    /// The JPEG.
    pub blob: NamedBlob,
}

/// What was found in the medium itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaFacts {
    /// MIME type by its bytes.
    pub content_type: String,
    /// Pixels across, after orientation; 0 for sound.
    pub width: u32,
    /// Pixels down, after orientation; 0 for sound.
    pub height: u32,
    /// Length in milliseconds; 0 for photos.
    pub duration_ms: u64,
    /// Keywords that were embedded, kept before the metadata was stripped.
    pub keywords: Vec<String>,
    /// The description that was embedded.
    pub description: Option<String>,
}

/// An upload in parts that was begun for a medium: what joining or dropping it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunUpload {
    /// Its name at the blob store.
    pub id: String,
    /// MIME type, as it was announced.
    pub content_type: String,
    /// Bytes of all parts together, as announced.
    pub size: u64,
}

/// An uploaded medium.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Which.
    pub id: MediaId,
    /// When its place was made.
    pub created: Timestamp,
    /// How far it came.
    #[serde(flatten)]
    pub state: MediaState,
    /// Where the browser puts the bytes.
    pub upload: BlobKey,
    /// The upload in parts, where it comes in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<BegunUpload>,
    /// The line of business it belongs to.
    pub vertical: String,
    /// The product it shows, where the uploader said so.
    pub product: Option<ProductId>,
    /// What sort of thing it is, once the bytes were seen.
    pub class: Option<MediaClass>,
    /// SHA-256 of what was uploaded.
    pub content: Option<Digest>,
    /// What was found in it.
    pub facts: MediaFacts,
    /// The original without its metadata.
    pub clean: Option<NamedBlob>,
    /// A picture of it whole, at most 1,600 pixels a side: what tagging looks at.
    pub preview: Option<NamedBlob>,
    /// Pictures for the networks' frames.
    pub renditions: Vec<RenditionBlob>,
    /// The draft that was begun from it.
    pub draft: Option<DraftId>,
    /// Copies of that draft, oldest first: they go with the medium.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<DraftId>,
}

impl Record for Media {
    const KIND: RecordKind = RecordKind::Media;

    fn key(&self, scope: &Scope) -> Key {
        media_key(scope, self.id)
    }

    fn expires(&self) -> Option<Timestamp> {
        match self.state {
            MediaState::AwaitingUpload => self.created.saturating_add(ABANDONED_AFTER).ok(),
            _ => None,
        }
    }
}

/// Where a medium stands.
pub fn media_key(scope: &Scope, id: MediaId) -> Key {
    scope.key("media", id.to_string())
}

/// Where a browser puts a medium's bytes. The end of the key says who will look at them: what was announced as a
/// photo and what was announced as a recording take different time and room, and go through queues of their own.
pub fn upload_key(scope: &Scope, id: MediaId, announced: MediaClass) -> BlobKey {
    let kind = match announced {
        MediaClass::Photo => "photo",
        MediaClass::Video | MediaClass::Audio => "recording",
    };
    scope.blob("in", &format!("{id}/{kind}"))
}

impl Media {
    /// A place for bytes that are to come.
    pub fn awaiting(
        scope: &Scope,
        id: MediaId,
        announced: MediaClass,
        product: Option<ProductId>,
        vertical: String,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            created: now,
            state: MediaState::AwaitingUpload,
            upload: upload_key(scope, id, announced),
            begun: None,
            vertical,
            product,
            class: None,
            content: None,
            facts: MediaFacts::default(),
            clean: None,
            preview: None,
            renditions: Vec::new(),
            draft: None,
            copies: Vec::new(),
        }
    }

    /// All blobs that the record names.
    pub fn blobs(&self) -> impl Iterator<Item = &NamedBlob> {
        self.clean.iter().chain(self.preview.iter()).chain(self.renditions.iter().map(|r| &r.blob))
    }
}

/// Which medium of a tenant has a given content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentHash {
    /// SHA-256 of what was uploaded.
    pub content: Digest,
    /// The medium that was first with it.
    pub media: MediaId,
}

impl Record for ContentHash {
    const KIND: RecordKind = RecordKind::ContentHash;

    fn key(&self, scope: &Scope) -> Key {
        content_key(scope, self.content)
    }
}

/// Where it stands which medium has a content.
pub fn content_key(scope: &Scope, content: Digest) -> Key {
    scope.key("content", content.to_hex())
}
