//! A copy of an upload without anything that says who made it, where and when.

use std::path::Path;

use super::{AvError, Ffmpeg, ffmpeg::CONTAINERS};

/// What a file is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// `.mp4`
    Mp4,
    /// `.mov`
    Mov,
    /// `.webm`
    WebM,
    /// `.m4a`
    M4a,
    /// `.mp3`
    Mp3,
    /// `.wav`
    Wav,
}

impl Container {
    /// ffmpeg's writer.
    fn muxer(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::WebM => "webm",
            Self::M4a => "ipod",
            Self::Mp3 => "mp3",
            Self::Wav => "wav",
        }
    }
}

impl Ffmpeg {
    /// Copies the first moving picture and the first sound of `from` into `to`, bit by bit as they
    /// are, without metadata, chapters, cover art, subtitles and data tracks (a phone's GPS track is
    /// one). Rotation stays, since it is how the picture is shown.
    ///
    /// # Errors
    /// [`AvError::Broken`] if the file cannot be read or its tracks do not fit `container`.
    pub async fn strip(&self, from: &Path, to: &Path, container: Container) -> Result<(), AvError> {
        let mut call = self
            .call()
            .read(CONTAINERS, from)
            .args(["-map", "0:V:0?", "-map", "0:a:0?", "-c", "copy", "-dn", "-sn"]);
        call = match container {
            Container::Mp4 | Container::Mov | Container::M4a => {
                call.args(["-movflags", "+faststart", "-empty_hdlr_name", "1"])
            }
            Container::Mp3 => call.args(["-id3v2_version", "0", "-write_id3v1", "0"]),
            Container::WebM | Container::Wav => call,
        };
        self.in_time(call.write(container.muxer(), to).done()).await
    }
}
