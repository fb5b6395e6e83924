//! Sentences, one file each, joined into one track, with the exact time of each.

use std::{
    io::SeekFrom,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    fs::File,
    io::{AsyncSeekExt as _, AsyncWriteExt as _, BufWriter},
};

use super::{AvError, Ffmpeg, ffmpeg::CONTAINERS, time_of};

/// Samples a second of the joined track, which has one channel of 16 bits.
const RATE: u32 = 48_000;

/// The longest track: what a network takes as a video, with room to spare.
const MAX_SAMPLES: u64 = 15 * 60 * RATE as u64;

/// One sentence, and the pause after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// A sound file. The spans are exact to the sample for WAV; some versions of ffmpeg decode up
    /// to 21 ms of padding at the end of an M4A file.
    pub path: PathBuf,
    /// Silence before the next sentence.
    pub gap_after: Duration,
}

/// From when to when a sentence is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From the beginning of the track.
    pub start: Duration,
    /// From the beginning of the track.
    pub end: Duration,
}

/// A joined track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// One span a segment, in order.
    pub spans: Vec<Span>,
    /// Of the whole track, the last pause with it.
    pub duration: Duration,
}

impl Ffmpeg {
    /// Joins the sound files into a WAV file (48 kHz, one channel). The spans come from the samples
    /// that were decoded, not from what containers say.
    ///
    /// # Errors
    /// [`AvError::Asked`] for no segments or more than 15 minutes; [`AvError::Broken`] for a segment
    /// that holds no sound.
    pub async fn concat_audio(
        &self,
        segments: &[Segment],
        to_wav: &Path,
    ) -> Result<Joined, AvError> {
        if segments.is_empty() {
            return Err(AvError::Asked("there is no sound to join".to_owned()));
        }
        self.in_time(self.join(segments, to_wav)).await
    }

    async fn join(&self, segments: &[Segment], to_wav: &Path) -> Result<Joined, AvError> {
        let mut to = BufWriter::new(File::create(to_wav).await?);
        to.write_all(&wav_head(0)).await?;
        let mut spans = Vec::with_capacity(segments.len());
        let mut samples = 0;
        for segment in segments {
            let call = self
                .call()
                .read(CONTAINERS, &segment.path)
                .args(["-map", "0:a:0", "-ac", "1", "-ar", &RATE.to_string()])
                .args(["-f", "s16le", "pipe:1"]);
            let into = &mut to;
            let (bytes, _) = call
                .listen(|mut sound| async move { tokio::io::copy(&mut sound, into).await })
                .await?;
            if bytes < 2 {
                return Err(AvError::Broken("a segment holds no sound".to_owned()));
            }
            let start = samples;
            samples += bytes / 2;
            spans.push(Span { start: time_of(start, RATE), end: time_of(samples, RATE) });
            let gap = samples_in(segment.gap_after).min(MAX_SAMPLES);
            let mut silence = tokio::io::AsyncReadExt::take(tokio::io::repeat(0), gap * 2);
            samples += gap;
            if samples > MAX_SAMPLES {
                return Err(AvError::Asked("the track would be too long".to_owned()));
            }
            tokio::io::copy(&mut silence, &mut to).await?;
        }
        to.seek(SeekFrom::Start(0)).await?;
        to.write_all(&wav_head(u32::try_from(samples).unwrap_or(u32::MAX))).await?;
        to.flush().await?;
        Ok(Joined { spans, duration: time_of(samples, RATE) })
    }
}

/// Whole samples of a stretch of time.
fn samples_in(time: Duration) -> u64 {
    let part = u64::from(time.subsec_nanos()) * u64::from(RATE) / 1_000_000_000;
    time.as_secs().saturating_mul(RATE.into()).saturating_add(part)
}

/// The 44 bytes before the samples of a WAV file (RIFF, `fmt ` of 16 bytes, `data`).
fn wav_head(samples: u32) -> Vec<u8> {
    let bytes = samples * 2;
    let mut head = Vec::with_capacity(44);
    head.extend(b"RIFF");
    head.extend((36 + bytes).to_le_bytes());
    head.extend(b"WAVEfmt ");
    head.extend(16_u32.to_le_bytes());
    head.extend([1, 0, 1, 0]); // PCM, one channel
    head.extend(RATE.to_le_bytes());
    head.extend((RATE * 2).to_le_bytes());
    head.extend([2, 0, 16, 0]); // bytes a frame, bits a sample
    head.extend(b"data");
    head.extend(bytes.to_le_bytes());
    head
}
