//! Whether a finished video is what it should be.

use std::{
    fs::File,
    io::{self, BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use re_mp4::{Mp4, Mp4aBox, StsdBoxContent, TrackKind};

use super::{AvError, Ffmpeg, VideoPreset, assemble::SAMPLE_RATE, time_of};

/// What the container of a finished MP4 file says.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoFacts {
    /// Pixels as stored.
    pub width: u32,
    /// Pixels as stored.
    pub height: u32,
    /// Degrees clockwise that a player turns the picture: 0, 90, 180 or 270.
    pub rotation: u32,
    /// How many pictures there are.
    pub frames: u64,
    /// Pictures a second, on average.
    pub fps: f64,
    /// Whether every picture lasts as long as every other.
    pub constant_rate: bool,
    /// The longest time between two pictures that can be decoded alone.
    pub keyframe_gap: Duration,
    /// Of the picture.
    pub duration: Duration,
    /// As RFC 6381 writes it: `avc1.64001F` is H.264 High (64), level 3.1 (1F).
    pub video_codec: String,
    /// The sound, if there is one.
    pub audio: Option<AudioFacts>,
    /// Whether a player can begin before all of the file is there.
    pub faststart: bool,
    /// Bytes of the file.
    pub bytes: u64,
}

/// The sound of a finished MP4 file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFacts {
    /// As RFC 6381 writes it: `mp4a.40.2` is AAC-LC.
    pub codec: String,
    /// Hertz.
    pub sample_rate: u32,
    /// How many channels.
    pub channels: u32,
}

/// Reads the facts of an MP4 file that we made, or that [`Ffmpeg::strip`] wrote.
///
/// Not for uploads as they come: the parser trusts counts and would take memory for them.
/// [`Ffmpeg::probe`] is for those.
///
/// # Errors
/// [`AvError::Broken`] if it is no MP4 file with a moving picture.
pub async fn probe_mp4(path: &Path) -> Result<VideoFacts, AvError> {
    let path = PathBuf::from(path);
    tokio::task::spawn_blocking(move || read(&path))
        .await
        .unwrap_or_else(|_| Err(AvError::Broken("its tables contradict each other".to_owned())))
}

fn read(path: &Path) -> Result<VideoFacts, AvError> {
    let broken = |error: &dyn std::fmt::Display| AvError::Broken(error.to_string());
    let bytes = std::fs::metadata(path)?.len();
    let mut file = BufReader::new(File::open(path)?);
    let mp4 = Mp4::read(&mut file, bytes).map_err(|error| broken(&error))?;
    let track = |kind| mp4.tracks().values().find(|track| track.kind == Some(kind));
    let video = track(TrackKind::Video).ok_or_else(|| broken(&"it has no moving picture"))?;
    let timescale = u32::try_from(video.timescale).unwrap_or(u32::MAX);
    let length = |units: u64| time_of(units, timescale);

    let mut times: Vec<i64> = video.samples.iter().map(|s| s.composition_timestamp).collect();
    times.sort_unstable();
    let total: u64 = video.samples.iter().map(|sample| sample.duration).sum();
    let mut keys: Vec<i64> =
        video.samples.iter().filter(|s| s.is_sync).map(|s| s.composition_timestamp).collect();
    keys.push(i64::try_from(total).unwrap_or(i64::MAX));
    let keyframe_gap = keys.windows(2).map(step).max().unwrap_or(total);
    let steps: Vec<u64> = times.windows(2).map(step).collect();
    let duration = length(total);
    let frames = video.samples.len() as u64;

    let matrix = &video.trak(&mp4).tkhd.matrix;
    let rotation = match (matrix.a.signum(), matrix.b.signum()) {
        (0, 1) => 90,
        (-1, 0) => 180,
        (0, -1) => 270,
        _ => 0,
    };
    let audio = track(TrackKind::Audio).and_then(|track| {
        match &track.trak(&mp4).mdia.minf.stbl.stsd.contents {
            StsdBoxContent::Mp4a(sound) => Some(AudioFacts {
                codec: aac(sound)?,
                sample_rate: sound.samplerate.value().into(),
                channels: sound.channelcount.into(),
            }),
            _ => None,
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "a rate for people and for rules of thumb")]
    let fps = frames as f64 / duration.as_secs_f64().max(f64::EPSILON);
    Ok(VideoFacts {
        width: video.width.into(),
        height: video.height.into(),
        rotation,
        frames,
        fps,
        constant_rate: steps.iter().all(|step| Some(step) == steps.first()),
        keyframe_gap: length(keyframe_gap),
        duration,
        video_codec: video.codec_string(&mp4).unwrap_or_default(),
        audio,
        faststart: is_faststart(&mut file, bytes)?,
        bytes,
    })
}

/// `mp4a.40.2`: the kind of object in hexadecimal, and the profile of AAC.
fn aac(sound: &Mp4aBox) -> Option<String> {
    let config = &sound.esds.as_ref()?.es_desc.dec_config;
    Some(format!("mp4a.{:x}.{}", config.object_type_indication, config.dec_specific.profile))
}

/// From the first to the second of a pair.
fn step(pair: &[i64]) -> u64 {
    match pair {
        [from, to] => to.saturating_sub(*from).unsigned_abs(),
        _ => 0,
    }
}

/// Walks the outermost boxes: `moov`, the table, has to come before `mdat`, the data.
fn is_faststart(file: &mut BufReader<File>, bytes: u64) -> io::Result<bool> {
    let mut at = 0;
    while at < bytes {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 16];
        file.read_exact(head.get_mut(..8).unwrap_or_default())?;
        let [s0, s1, s2, s3, name @ .., _, _, _, _, _, _, _, _] = head;
        match &name {
            b"moov" => return Ok(true),
            b"mdat" => return Ok(false),
            _ => {}
        }
        at += match u32::from_be_bytes([s0, s1, s2, s3]) {
            0 => return Ok(false), // the last box
            1 => {
                let mut large = [0; 8];
                file.read_exact(&mut large)?;
                u64::from_be_bytes(large).max(16)
            }
            size => u64::from(size).max(8),
        };
    }
    Ok(false)
}

impl Ffmpeg {
    /// Holds a finished video against the rules of its preset (size, rate, codecs, keyframes, fast
    /// start, number of frames, sound as long as the picture), and decodes all of it.
    ///
    /// # Errors
    /// [`AvError::Rules`] names every rule that is broken; [`AvError::Broken`] if it cannot be
    /// decoded.
    pub async fn check_output(
        &self,
        path: &Path,
        preset: &VideoPreset,
        frames: u32,
    ) -> Result<VideoFacts, AvError> {
        let facts = probe_mp4(path).await?;
        let decoded = self.decode_fully(path).await?;
        let sound = time_of(decoded.samples, SAMPLE_RATE);
        let audio =
            AudioFacts { codec: "mp4a.40.2".to_owned(), sample_rate: SAMPLE_RATE, channels: 2 };
        let rules = [
            ((facts.width, facts.height) == (preset.width, preset.height), "picture size"),
            (facts.rotation == 0, "rotation"),
            ((facts.fps - f64::from(preset.fps)).abs() < 0.01, "frame rate"),
            (facts.constant_rate, "constant frame rate"),
            (facts.frames == u64::from(frames), "number of frames"),
            (decoded.frames == u64::from(frames), "number of decoded frames"),
            (
                facts.keyframe_gap <= Duration::from_millis(VideoPreset::KEYFRAME_MS.into()),
                "keyframe interval",
            ),
            (facts.video_codec.starts_with("avc1.64"), "H.264 High"),
            (facts.audio == Some(audio), "AAC-LC, 48 kHz, stereo"),
            (
                sound.abs_diff(facts.duration) < Duration::from_millis(50),
                "sound as long as the picture",
            ),
            (facts.faststart, "fast start"),
        ];
        let broken: Vec<String> =
            rules.iter().filter(|(kept, _)| !kept).map(|(_, rule)| (*rule).to_owned()).collect();
        if broken.is_empty() { Ok(facts) } else { Err(AvError::Rules(broken)) }
    }
}
