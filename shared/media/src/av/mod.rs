//! Sound and moving pictures: drives ffmpeg as a child process, and reads what came out.
//!
//! Facts and full decodes of uploads ([`Ffmpeg::probe`], [`Ffmpeg::decode_fully`]), a copy without
//! metadata ([`Ffmpeg::strip`]), a poster ([`Ffmpeg::poster`]), loudness ([`Ffmpeg::loudness`],
//! [`Ffmpeg::normalise`]), sentences joined into a narration ([`Ffmpeg::concat_audio`]), and the
//! vertical video with motion, cross-fades and captions ([`Ffmpeg::assemble`]), which is checked
//! before it is handed over ([`Ffmpeg::check_output`]).
//!
//! Works with ffmpeg 5.1 and later (Debian's package, or the static build of the PyPI wheel
//! `imageio-ffmpeg`, which has no ffprobe). Every call has a deadline; a child that outlives it is
//! killed. Arguments never pass through a shell, the child inherits neither environment nor
//! standard input, and it may open nothing but plain files of known containers. A call that fails
//! may leave a part of its output behind.
//!
//! **Never here:** a store, a tenant, the network, speech synthesis, or a decision about what to
//! show.

mod assemble;
mod captions;
mod check;
mod ffmpeg;
mod join;
mod loudness;
mod motion;
mod poster;
mod probe;
mod strip;
#[cfg(test)]
mod tests;

use std::{io, time::Duration};

pub use assemble::{Assembled, Assembly, Shot, Source, VideoPreset};
pub use captions::{Caption, FONT_FILE, timed_by_reading};
pub use check::{AudioFacts, VideoFacts, probe_mp4};
pub use ffmpeg::Ffmpeg;
pub use join::{Joined, Segment, Span};
pub use loudness::{Loudness, Normalised};
pub use probe::{AudioTrack, Decoded, MediaFacts, VideoTrack};
pub use strip::Container;

/// Why a piece of work on sound or video did not come about, and what can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AvError {
    /// The program could not be started: it is missing or not executable.
    #[error("ffmpeg could not be started")]
    Start(#[source] io::Error),
    /// The deadline passed and the child was killed. Worth another try.
    #[error("ffmpeg was stopped after {0:?}")]
    TimedOut(Duration),
    /// The child was ended by a signal from outside, most likely for want of memory.
    #[error("ffmpeg was killed")]
    Killed,
    /// The file cannot be read or decoded. Trying again does not help; the reason may be shown.
    #[error("the file cannot be used: {0}")]
    Broken(String),
    /// There is no sound to speak of, so its loudness cannot be set.
    #[error("the sound is silent")]
    Silent,
    /// The loudness asked for was not reached without clipping.
    #[error("the loudness came to {integrated_lufs:.1} LUFS at {true_peak_dbtp:.1} dBTP")]
    LoudnessMissed {
        /// What was measured last, LUFS.
        integrated_lufs: f64,
        /// What was measured last, dBTP.
        true_peak_dbtp: f64,
    },
    /// What was asked for cannot be made; nothing was started.
    #[error("{0}")]
    Asked(String),
    /// A finished video breaks rules of its preset, each named.
    #[error("the video breaks its rules: {}", .0.join("; "))]
    Rules(Vec<String>),
    /// A file could not be read or written. Worth another try.
    #[error("a file could not be read or written")]
    Io(#[from] io::Error),
}

/// `samples` at `rate` a second as time, exact to the nanosecond.
fn time_of(samples: u64, rate: u32) -> Duration {
    let rate = u64::from(rate.max(1));
    let nanos = (samples % rate).saturating_mul(1_000_000_000) / rate;
    Duration::from_secs(samples / rate).saturating_add(Duration::from_nanos(nanos))
}
