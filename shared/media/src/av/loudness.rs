//! How loud a sound is (EBU R 128, ITU-R BS.1770), and how to make it as loud as it should be.

use std::{path::Path, time::Duration};

use super::{AvError, Ffmpeg, ffmpeg::CONTAINERS, time_of};

/// Samples a second at which lengths are counted.
const COUNTED_AT: u32 = 48_000;

/// Under 3 s the gates of the measure see too few blocks, so a short sound is measured as if it
/// were said over and over.
const SHORT: u64 = 3 * COUNTED_AT as u64;

/// No sample may come to more than this after decoding, dBTP.
const MAX_TRUE_PEAK: f64 = -1.0;

/// How near to the target is near enough, LU. The promise is 1.
const NEAR: f64 = 0.5;

/// Below this is noise rather than speech, LUFS.
const SILENCE: f64 = -60.0;

/// How often gain and ceiling are corrected by what came out.
const ROUNDS: u32 = 6;

/// What EBU R 128 says of a sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loudness {
    /// Integrated loudness, LUFS; -70 or less is silence.
    pub integrated_lufs: f64,
    /// The highest true peak, dBTP; minus infinity for digital silence.
    pub true_peak_dbtp: f64,
    /// Loudness range, LU.
    pub range_lu: f64,
}

/// A sound at its new loudness.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalised {
    /// Measured on the file that was written.
    pub loudness: Loudness,
    /// Exact: counted in samples before encoding.
    pub duration: Duration,
}

impl Ffmpeg {
    /// Measures the first sound of a file.
    ///
    /// # Errors
    /// [`AvError::Broken`] if there is none or it cannot be decoded.
    pub async fn loudness(&self, path: &Path) -> Result<Loudness, AvError> {
        self.in_time(async { Ok(self.measure(path, "anull").await?.0) }).await
    }

    /// Writes `from` as an M4A file (AAC-LC, stereo) of `target_lufs`, within 0.5 LU and with a true
    /// peak of at most -1 dBTP, both measured on the result.
    ///
    /// One gain for the whole sound, so that its dynamics stay; a look-ahead limiter at four times
    /// the rate takes the peaks that would stand out. What comes out is measured and the gain
    /// corrected until it fits.
    ///
    /// # Errors
    /// [`AvError::Silent`] below -60 LUFS, [`AvError::LoudnessMissed`] if the target is out of reach.
    pub async fn normalise(
        &self,
        from: &Path,
        to_m4a: &Path,
        target_lufs: f64,
        sample_rate: u32,
    ) -> Result<Normalised, AvError> {
        self.in_time(async {
            let (before, counted) = self.measure(from, "aformat=channel_layouts=stereo").await?;
            if before.integrated_lufs < SILENCE {
                return Err(AvError::Silent);
            }
            let samples = counted * u64::from(sample_rate) / u64::from(COUNTED_AT);
            let mut gain = target_lufs - before.integrated_lufs;
            let mut ceiling = MAX_TRUE_PEAK - 0.5; // encoding adds a little
            let mut after = before;
            for _ in 0..ROUNDS {
                let limit = 10_f64.powf(ceiling / 20.0);
                let filters = format!(
                    "aformat=channel_layouts=stereo,volume={gain:.3}dB:precision=float,\
                     aresample=192000,\
                     alimiter=limit={limit:.5}:attack=5:release=50:level=0:latency=1,\
                     aresample={sample_rate},apad=whole_len={samples},atrim=end_sample={samples}"
                );
                self.call()
                    .read(CONTAINERS, from)
                    .args(["-map", "0:a:0", "-af", &filters, "-c:a", "aac", "-b:a", "128k"])
                    .args(["-movflags", "+faststart"])
                    .write("ipod", to_m4a)
                    .done()
                    .await?;
                after = self.measure(to_m4a, "anull").await?.0;
                let missing = target_lufs - after.integrated_lufs;
                let over = after.true_peak_dbtp - MAX_TRUE_PEAK;
                if missing.abs() <= NEAR && over <= 0.0 {
                    return Ok(Normalised {
                        loudness: after,
                        duration: time_of(samples, sample_rate),
                    });
                }
                gain += missing;
                if over > 0.0 {
                    // Encoding may raise peaks that were under the ceiling.
                    ceiling = ceiling.min(before.true_peak_dbtp + gain) - over - 0.1;
                }
            }
            Err(AvError::LoudnessMissed {
                integrated_lufs: after.integrated_lufs,
                true_peak_dbtp: after.true_peak_dbtp,
            })
        })
        .await
    }

    /// The loudness after `filter`, and the number of samples at [`COUNTED_AT`].
    async fn measure(&self, path: &Path, filter: &str) -> Result<(Loudness, u64), AvError> {
        let (loudness, samples) = self.pass(path, filter).await?;
        if samples >= SHORT || samples == 0 {
            return Ok((loudness, samples));
        }
        let again = SHORT.div_ceil(samples);
        let rate = COUNTED_AT;
        let looped = format!("{filter},aresample={rate},aloop=loop={again}:size={samples}");
        let (repeated, _) = self.pass(path, &looped).await?;
        // Peaks are those of the sound itself, not of the seams.
        Ok((Loudness { true_peak_dbtp: loudness.true_peak_dbtp, ..repeated }, samples))
    }

    async fn pass(&self, path: &Path, filter: &str) -> Result<(Loudness, u64), AvError> {
        let (bytes, said) = self
            .call()
            .args(["-loglevel", "info", "-nostats"]) // the summary is told at this level only
            .read(CONTAINERS, path)
            .args(["-map", "0:a:0", "-af"])
            .arg(format!("{filter},ebur128=peak=true:framelog=verbose"))
            .args(["-ac", "1", "-ar", &COUNTED_AT.to_string(), "-f", "s16le", "pipe:1"])
            .listen(async |mut sound| tokio::io::copy(&mut sound, &mut tokio::io::sink()).await)
            .await?;
        let loudness = summary(&said)
            .ok_or_else(|| AvError::Broken("its loudness could not be measured".to_owned()))?;
        Ok((loudness, bytes / 2))
    }
}

/// Reads the summary that `ebur128` prints last.
fn summary(said: &str) -> Option<Loudness> {
    let (_, summary) = said.rsplit_once("Summary:")?;
    let value = |name: &str| -> Option<f64> {
        let rest = summary.lines().find_map(|line| line.trim().strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Some(Loudness {
        integrated_lufs: value("I:")?,
        true_peak_dbtp: value("Peak:")?,
        range_lu: value("LRA:")?,
    })
}
