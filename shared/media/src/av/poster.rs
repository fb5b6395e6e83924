//! One picture that stands for a video.

use std::path::Path;

use super::{AvError, Ffmpeg, MediaFacts, ffmpeg::CONTAINERS};

impl Ffmpeg {
    /// Writes the picture at a tenth of the duration as a JPEG in the video's own size, upright.
    /// `facts` are those of `path` ([`Ffmpeg::probe`]).
    ///
    /// # Errors
    /// [`AvError::Asked`] for a file without a moving picture, [`AvError::Broken`] if it cannot be
    /// decoded there.
    pub async fn poster(&self, path: &Path, facts: &MediaFacts, to: &Path) -> Result<(), AvError> {
        if facts.video.is_none() {
            return Err(AvError::Asked("a poster needs a moving picture".to_owned()));
        }
        let at = format!("{:.3}", facts.duration.as_secs_f64() / 10.0);
        let call = self
            .call()
            .args(["-ss", &at])
            .read(CONTAINERS, path)
            .args(["-map", "0:V:0", "-frames:v", "1"])
            .args(["-vf", "scale=out_color_matrix=bt601:out_range=full,format=yuvj420p"])
            .args(["-c:v", "mjpeg", "-q:v", "3"]);
        self.in_time(call.write("mjpeg", to).done()).await?;
        match tokio::fs::metadata(to).await?.len() {
            0 => Err(AvError::Broken("it shows nothing at a tenth of its length".to_owned())),
            _ => Ok(()),
        }
    }
}
