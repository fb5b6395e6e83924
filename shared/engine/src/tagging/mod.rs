//! What a photo shows, as far as somebody or something knows, and which product it belongs to.

pub mod embedded;
mod matching;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_kernel::Failure;
use serde::{Deserialize, Serialize};

use crate::catalogue::ProductId;
use crate::media::MediaFacts;

pub use matching::match_products;

/// What a label is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelKind {
    /// A thing that was recognised in the picture.
    Object,
    /// A dominant colour, by name.
    Colour,
    /// A keyword that was embedded by whoever made the picture.
    Keyword,
    /// The content of a QR code.
    Code,
    /// Portrait, landscape or square.
    Orientation,
    /// Sharp or soft.
    Sharpness,
    /// A photograph or a graphic.
    Medium,
}

/// Something that is told of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// What: one or a few words in English, lower case, but for codes and keywords.
    pub name: String,
    /// What it is about.
    pub kind: LabelKind,
    /// How sure its source is, 0 to 1.
    pub confidence: f64,
    /// Where it comes from: `image-facts`, `embedded`, `rekognition`.
    pub source: String,
}

/// Everything that is told of a picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// The labels, surest first.
    pub labels: Vec<Label>,
    /// The engine's name and version.
    pub engine: String,
}

/// Why a product was matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductMatch {
    /// Which product.
    pub product: ProductId,
    /// How well it fits, 0 to 1.
    pub score: f64,
    /// Why, as a person should read it.
    pub reasons: Vec<String>,
}

/// Tells what a picture shows. It says only what it knows.
#[async_trait]
pub trait Labeller: Send + Sync {
    /// The engine's name and version.
    fn engine(&self) -> String;

    /// Labels for the preview (a JPEG of at most 1,600 pixels a side) and what was found embedded.
    async fn label(&self, preview: Bytes, facts: &MediaFacts) -> Result<Labels, Failure>;
}
