//! The vertical video, and what the networks demand of the file.

pub mod rules;

use serde::{Deserialize, Serialize};

use crate::media::NamedBlob;

/// A finished video in one language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Film {
    /// The MP4.
    pub video: NamedBlob,
    /// A still of it.
    pub poster: NamedBlob,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// The engine that made it, for example `ffmpeg 7.0 assembly`.
    pub engine: String,
}
