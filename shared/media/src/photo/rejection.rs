//! Why a photo is not taken, in a word for programs and a sentence for people.

use crate::sniff::{Lie, MediaType};

/// Why a photo is not taken. The text says what to do about it; [`Rejection::code`] never changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// No bytes at all.
    #[error("The file is empty. Upload it again.")]
    Empty,
    /// The first bytes belong to no known type.
    #[error("The file is of no known type. Upload a JPEG, PNG, WebP or GIF photo.")]
    UnknownType,
    /// A known type, but sound or video.
    #[error("The file is {} ({}), not a photo. Upload it as such.", .found.class(), .found.extension())]
    NotAPhoto {
        /// What it is.
        found: MediaType,
    },
    /// A photo of a kind that cannot be decoded here.
    #[error("{what} cannot be read here. Save the photo as a JPEG and upload that.")]
    Unsupported {
        /// The kind, as the start of a sentence.
        what: String,
    },
    /// More bytes than the limit.
    #[error(
        "The photo has {:.1} MB; {:.1} MB are allowed. Save it with a lower quality or size.",
        *.bytes as f64 / 1e6,
        *.limit as f64 / 1e6
    )]
    TooManyBytes {
        /// As counted.
        bytes: u64,
        /// As allowed.
        limit: u64,
    },
    /// More pixels than the limit, by the header alone: nothing was decoded.
    #[error(
        "The photo has {width}x{height} pixels; {:.1} megapixels are allowed. Scale it down first.",
        *.limit as f64 / 1e6
    )]
    TooManyPixels {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// In pixels, width times height.
        limit: u64,
    },
    /// The file ends before the picture does.
    #[error("The photo ends too early: a part of it is missing. Upload it again.")]
    Truncated,
    /// Several frames.
    #[error("The picture is animated. Upload a still photo, or the animation as a video.")]
    Animated,
    /// Name, type or length promised something else.
    #[error(transparent)]
    Lying(#[from] Lie),
    /// The content contradicts itself.
    #[error("The photo is damaged ({why}). Open it in a photo program, save it and upload that.")]
    Corrupt {
        /// What was found, for the curious.
        why: String,
    },
    /// An encoder or resizer failed: not the photo's fault, and worth another try.
    #[error("The photo could not be processed ({why}). Try again later.")]
    Engine {
        /// What was found, for the log.
        why: String,
    },
}

impl Rejection {
    /// A stable word for programs and statistics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::UnknownType => "unknown_type",
            Self::NotAPhoto { .. } => "not_a_photo",
            Self::Unsupported { .. } => "unsupported",
            Self::TooManyBytes { .. } => "too_many_bytes",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::Truncated => "truncated",
            Self::Animated => "animated",
            Self::Lying(_) => "lying",
            Self::Corrupt { .. } => "corrupt",
            Self::Engine { .. } => "engine_failed",
        }
    }

    pub(super) fn corrupt(why: impl ToString) -> Self {
        Self::Corrupt { why: why.to_string() }
    }

    pub(super) fn engine(why: impl ToString) -> Self {
        Self::Engine { why: why.to_string() }
    }

    pub(super) fn unsupported(what: impl ToString) -> Self {
        Self::Unsupported { what: what.to_string() }
    }
}
