//! The spoken script: one sound file per sentence, so that captions are timed from real durations.

pub mod sentences;

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::CallContext;
use nexus_kernel::{Failure, Language};
use serde::{Deserialize, Serialize};

use crate::media::NamedBlob;

/// A sentence's sound as an engine gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// The sound file.
    pub audio: Bytes,
    /// Its extension, `wav` or `mp3`.
    pub extension: &'static str,
    /// When each word begins, in order; empty where the engine was not told to say, or cannot.
    pub marks: Vec<Mark>,
}

/// When a word begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The word, as it stands in the sentence.
    pub word: String,
    /// The bytes that it takes in the sentence (UTF-8).
    pub bytes: Range<usize>,
    /// Milliseconds from the beginning of the sound.
    pub start_ms: u64,
}

/// Speaks.
#[async_trait]
pub trait Speech: Send + Sync {
    /// The engine's name and version for this language, for example `flite 2.2`; `None` where there is none.
    fn engine(&self, language: Language) -> Option<String>;

    /// What is missing where [`engine`](Self::engine) is `None`, and what that costs, as a person should read it.
    fn absence(&self, language: Language) -> String;

    /// Whether a sentence costs so much that what was spoken is kept for a repetition. To keep one costs about a fifth of
    /// what Polly takes for it, and a step is seldom repeated: so Polly's are not kept.
    fn is_costly(&self) -> bool {
        false
    }

    /// One sentence.
    ///
    /// # Errors
    /// `Invalid`: it declines, for the reason given, and will again. `Denied`: the tenant's cap is reached. Any other:
    /// later it may speak.
    async fn say(
        &self,
        at: &CallContext,
        language: Language,
        sentence: &str,
    ) -> Result<Spoken, Failure>;
}

/// When a sentence is heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cue {
    /// The sentence.
    pub text: String,
    /// Milliseconds from the beginning.
    pub start_ms: u64,
    /// Milliseconds from the beginning.
    pub end_ms: u64,
}

/// A narration in one language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Narration {
    /// The whole track, normalised.
    pub track: NamedBlob,
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// Its loudness in LUFS (EBU R 128), measured.
    pub loudness_lufs: f64,
    /// When each sentence is heard.
    pub cues: Vec<Cue>,
    /// The engine that spoke.
    pub engine: String,
}
