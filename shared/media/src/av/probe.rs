//! What an uploaded file holds, and whether all of it can be decoded.
//!
//! Both are read from ffmpeg's `framecrc` listing, a stable format for machines: a head per track,
//! then a line per packet. Durations are therefore those of the packets that are really there, not
//! what a header claims.

use std::{collections::BTreeMap, io, path::Path, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::ChildStdout,
};

use super::{
    AvError, Ffmpeg,
    ffmpeg::{CONTAINERS, Call, reason},
    time_of,
};

/// What a file holds: its first moving picture and its first sound (cover art is not counted).
#[derive(Debug, Clone, PartialEq)]
pub struct MediaFacts {
    /// Of the longer of the two tracks.
    pub duration: Duration,
    /// The moving picture.
    pub video: Option<VideoTrack>,
    /// The sound.
    pub audio: Option<AudioTrack>,
}

/// A moving picture.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoTrack {
    /// As ffmpeg calls it: `h264`, `hevc`, `vp9`, …
    pub codec: String,
    /// Pixels as shown, after rotation.
    pub width: u32,
    /// Pixels as shown, after rotation.
    pub height: u32,
    /// How many pictures there are.
    pub frames: u64,
    /// Pictures a second, on average.
    pub fps: f64,
}

/// A sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioTrack {
    /// As ffmpeg calls it: `aac`, `mp3`, `opus`, `pcm_s16le`, …
    pub codec: String,
    /// Hertz.
    pub sample_rate: u32,
    /// How many channels.
    pub channels: u32,
}

/// How much came out of a full decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// Pictures.
    pub frames: u64,
    /// Samples per channel of the sound.
    pub samples: u64,
    /// Of the longer of the two tracks.
    pub duration: Duration,
}

impl Ffmpeg {
    /// Reads what `path` holds: every packet is seen, one picture and one piece of sound decoded.
    ///
    /// # Errors
    /// [`AvError::Broken`] for what is not an MP4, MOV, M4A, WebM, MP3 or WAV file with a picture or
    /// a sound that can be decoded.
    pub async fn probe(&self, path: &Path) -> Result<MediaFacts, AvError> {
        self.in_time(async {
            let packets = list(tracks(self.call(), path).args(["-c", "copy"])).await?;
            // One at a time: some versions end all tracks when the first has had its fill.
            let first = async |track| {
                let call = self.call().read(CONTAINERS, path).args(["-map", track]);
                let call = call.args(["-frames:v", "1", "-frames:a", "1"]);
                list(call.args(DECODED)).await
            };
            let shown = match packets.video() {
                Some(_) => first("0:V:0").await?,
                None => Listing::default(),
            };
            let heard = match packets.audio() {
                Some(_) => first("0:a:0").await?,
                None => Listing::default(),
            };
            let video = packets.video().zip(shown.video()).map(|(packets, shown)| VideoTrack {
                codec: packets.codec.clone(),
                width: shown.width,
                height: shown.height,
                frames: packets.count,
                fps: packets.rate(),
            });
            let audio = packets.audio().zip(heard.audio()).map(|(packets, heard)| AudioTrack {
                codec: packets.codec.clone(),
                sample_rate: heard.sample_rate,
                channels: heard.channels(),
            });
            if video.is_none() && audio.is_none() {
                return Err(AvError::Broken("nothing in it can be decoded".to_owned()));
            }
            Ok(MediaFacts { duration: packets.duration(), video, audio })
        })
        .await
    }

    /// Decodes all of `path`, and takes the first damage for a failure.
    ///
    /// # Errors
    /// [`AvError::Broken`] with ffmpeg's reason, also when the file ends before its packets do.
    pub async fn decode_fully(&self, path: &Path) -> Result<Decoded, AvError> {
        self.in_time(async {
            let call = self.call().args(["-xerror", "-err_detect", "explode"]);
            let all = list(tracks(call, path).args(DECODED)).await?;
            if let Some(complaint) = &all.complaint {
                return Err(AvError::Broken(complaint.clone()));
            }
            let frames = all.video().map_or(0, |video| video.count);
            let samples = all.audio().map_or(0, |audio| audio.units);
            if frames == 0 && samples == 0 {
                return Err(AvError::Broken("nothing in it can be decoded".to_owned()));
            }
            Ok(Decoded { frames, samples, duration: all.duration() })
        })
        .await
    }
}

/// The first moving picture (`V`: no cover art) and the first sound of a file.
fn tracks(call: Call, path: &Path) -> Call {
    call.read(CONTAINERS, path).args(["-map", "0:V:0?", "-map", "0:a:0?"])
}

/// Decoded pictures and sound.
const DECODED: [&str; 4] = ["-c:v", "rawvideo", "-c:a", "pcm_s16le"];

/// Runs `call` and reads its listing.
async fn list(call: Call) -> Result<Listing, AvError> {
    let (listing, said) = call.args(["-f", "framecrc", "pipe:1"]).listen(Listing::read).await?;
    let complaint = (!said.is_empty()).then(|| reason(&said, None));
    Ok(Listing { complaint, ..listing })
}

/// A listing, track by track.
#[derive(Debug, Default)]
struct Listing {
    tracks: BTreeMap<u32, Track>,
    /// What ffmpeg found amiss and went on.
    complaint: Option<String>,
}

/// What the lines of one track come to. Times are in units of `base` seconds.
#[derive(Debug, Default)]
struct Track {
    kind: String,
    codec: String,
    base: (u32, u32),
    width: u32,
    height: u32,
    sample_rate: u32,
    count: u64,
    units: u64,
    bytes: u64,
    first: Option<i64>,
    last: i64,
    end: i64,
}

impl Listing {
    async fn read(stdout: ChildStdout) -> io::Result<Self> {
        let mut listing = Self::default();
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            match line.strip_prefix('#') {
                Some(head) => listing.head(head),
                None => listing.packet(&line),
            };
        }
        Ok(listing)
    }

    /// `dimensions 0: 720x1280`
    fn head(&mut self, line: &str) -> Option<()> {
        let (key, value) = line.split_once(": ")?;
        let (key, track) = key.split_once(' ')?;
        let track = self.tracks.entry(track.parse().ok()?).or_default();
        match key {
            "media_type" => value.clone_into(&mut track.kind),
            "codec_id" => value.clone_into(&mut track.codec),
            "sample_rate" => track.sample_rate = value.parse().ok()?,
            "tb" => {
                let (num, den) = value.split_once('/')?;
                track.base = (num.parse().ok()?, den.parse().ok()?);
            }
            "dimensions" => {
                let (width, height) = value.split_once('x')?;
                (track.width, track.height) = (width.parse().ok()?, height.parse().ok()?);
            }
            _ => {}
        }
        Some(())
    }

    /// `0,      -1024,          0,      512,    48872, 0x280cf196`: track, decoding time, time,
    /// duration, size, sum.
    fn packet(&mut self, line: &str) -> Option<()> {
        let mut fields = line.split(',').map(str::trim);
        let track = self.tracks.get_mut(&fields.next()?.parse().ok()?)?;
        let time: i64 = fields.nth(1)?.parse().ok()?;
        let length: i64 = fields.next()?.parse().ok()?;
        track.count += 1;
        track.bytes = track.bytes.saturating_add(fields.next()?.parse().ok()?);
        track.units = track.units.saturating_add(u64::try_from(length).ok()?);
        track.first = Some(track.first.map_or(time, |first| first.min(time)));
        track.last = track.last.max(time);
        track.end = track.end.max(time.saturating_add(length));
        Some(())
    }

    fn video(&self) -> Option<&Track> {
        self.tracks.values().find(|track| track.kind == "video" && track.count > 0)
    }

    fn audio(&self) -> Option<&Track> {
        self.tracks.values().find(|track| track.kind == "audio" && track.count > 0)
    }

    fn duration(&self) -> Duration {
        self.tracks.values().map(Track::duration).max().unwrap_or_default()
    }
}

impl Track {
    fn duration(&self) -> Duration {
        let units = u64::try_from(self.end).unwrap_or(0);
        time_of(units.saturating_mul(self.base.0.into()), self.base.1)
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people and for rules of thumb")]
    fn rate(&self) -> f64 {
        let span = self.last.saturating_sub(self.first.unwrap_or(0)) as f64;
        let seconds = span * f64::from(self.base.0) / f64::from(self.base.1.max(1));
        if seconds > 0.0 { (self.count - 1) as f64 / seconds } else { 0.0 }
    }

    /// Of decoded sound, which is 16 bits a sample.
    fn channels(&self) -> u32 {
        let samples = self.units.saturating_mul(2).max(1);
        u32::try_from(self.bytes / samples).unwrap_or(0)
    }
}
