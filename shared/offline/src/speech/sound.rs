//! Whether a file is the sound of a sentence.

use std::io::Cursor;
use std::path::Path;

use bytes::Bytes;
use hound::{SampleFormat, WavReader};

/// A sentence of the most characters at the slowest pace is far below this.
const MAX_BYTES: u64 = 64 << 20;

/// Samples of speech reach at least this of 32,767.
const LEAST_PEAK: u16 = 500;

/// A letter or digit takes longer than this in the fastest speech, seconds.
const LEAST_A_LETTER: f64 = 0.015;

/// Any character, a digit of a long number or a percent sign even, takes less than this, seconds.
const MOST_A_CHARACTER: f64 = 1.0;

/// Silence before and after, at most, seconds.
const MOST_AROUND: f64 = 3.0;

/// Why a file is not the sound of a sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is not there")]
    Missing(#[source] std::io::Error),
    #[error("it has {0} bytes")]
    Size(u64),
    #[error("it is no WAV file")]
    Format(#[from] hound::Error),
    #[error("it has {channels} channels of {bits} bits at {rate} Hz")]
    Shape { channels: u16, bits: u16, rate: u32 },
    #[error("it lasts {seconds:.2} s for {letters} letters")]
    Length { seconds: f64, letters: usize },
    #[error("it is silent")]
    Silent,
}

/// Reads the sound of a text: one channel of 16 bits, audible, of a plausible length.
pub(super) async fn read(path: &Path, text: &str) -> Result<Bytes, Unusable> {
    let size = tokio::fs::metadata(path).await.map_err(Unusable::Missing)?.len();
    if size > MAX_BYTES {
        return Err(Unusable::Size(size));
    }
    let audio = Bytes::from(tokio::fs::read(path).await.map_err(Unusable::Missing)?);
    check(&audio, text)?;
    Ok(audio)
}

fn check(audio: &[u8], text: &str) -> Result<(), Unusable> {
    let sound = WavReader::new(Cursor::new(audio))?;
    let spec = sound.spec();
    let (channels, bits, rate) = (spec.channels, spec.bits_per_sample, spec.sample_rate);
    let pcm = spec.sample_format == SampleFormat::Int && (channels, bits) == (1, 16);
    if !pcm || !(8_000..=48_000).contains(&rate) {
        return Err(Unusable::Shape { channels, bits, rate });
    }
    let seconds = f64::from(sound.duration()) / f64::from(rate);
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
    let least = LEAST_A_LETTER * letters as f64;
    let most = MOST_AROUND + MOST_A_CHARACTER * text.chars().count() as f64;
    if !(least..=most).contains(&seconds) {
        return Err(Unusable::Length { seconds, letters });
    }
    let mut peak = 0;
    for sample in sound.into_samples::<i16>() {
        peak = sample?.unsigned_abs().max(peak);
    }
    if peak < LEAST_PEAK { Err(Unusable::Silent) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use hound::{WavSpec, WavWriter};

    use super::*;

    /// A second of a tone.
    fn tone(channels: u16, rate: u32, peak: f64) -> Vec<u8> {
        let spec = WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        for sample in 0..rate * u32::from(channels) {
            writer.write_sample((peak * (f64::from(sample) / 9.0).sin()) as i16).unwrap();
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    #[test]
    fn only_an_audible_sentence_passes() {
        let (good, text) = (tone(1, 22_050, 9_000.0), "Good morning.");
        assert!(check(&good, text).is_ok());
        let says = |audio: &[u8], text: &str| check(audio, text).unwrap_err().to_string();
        assert_eq!(says(&tone(1, 22_050, 100.0), text), "it is silent");
        assert_eq!(says(&tone(2, 22_050, 9e3), text), "it has 2 channels of 16 bits at 22050 Hz");
        assert_eq!(says(&tone(1, 4_000, 9e3), text), "it has 1 channels of 16 bits at 4000 Hz");
        assert_eq!(says(&good, &"so ".repeat(99)), "it lasts 1.00 s for 198 letters");
        assert_eq!(says(&[], text), "it is no WAV file");
        assert_eq!(says(good.split_at(good.len() / 2).0, text), "it is no WAV file");
    }
}
