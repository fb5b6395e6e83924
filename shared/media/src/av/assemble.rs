//! Puts shots, captions and narration together into a vertical video.

use std::{
    io::BufWriter,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{fs::File, io::AsyncReadExt as _};

use super::{
    AvError, Caption, FONT_FILE, Ffmpeg, Loudness, VideoFacts, captions,
    ffmpeg::{CONTAINERS, Call},
    motion::{Film, Material, Size, plan},
    time_of,
};

/// Samples a second of the video's sound.
pub(super) const SAMPLE_RATE: u32 = 48_000;

/// The picture stands so long after the last word.
const TAIL: Duration = Duration::from_millis(700);

/// Without a word, a shot stands so long.
const UNSPOKEN_SHOT: Duration = Duration::from_secs(4);

/// The least and the most that networks take.
const SHORTEST: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_mins(10);

/// More shots would flicker; each clip is a decoder at work.
const MAX_SHOTS: usize = 12;
const MAX_CLIPS: usize = 4;

/// How large a video is and how good it looks. All are made at x264's `veryfast`: on pictures that move
/// this slowly, slower presets take twice the time for the same quality at the same size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoPreset {
    /// For people and logs.
    pub name: &'static str,
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Frames a second, constant.
    pub fps: u32,
    /// x264's constant quality, 0 (lossless) to 51.
    pub quality: u8,
    /// The rate that the quality may not exceed, kilobits a second.
    pub max_kbps: u32,
}

impl VideoPreset {
    /// What is published: 1080x1920.
    pub const FULL: Self =
        Self { name: "full", width: 1080, height: 1920, fps: 30, quality: 19, max_kbps: 10_000 };
    /// For the demonstration: 720x1280.
    pub const QUICK: Self =
        Self { name: "quick", width: 720, height: 1280, fps: 30, quality: 23, max_kbps: 5_000 };
    /// For tests: as the others in all but its size, which networks would refuse.
    pub const TINY: Self =
        Self { name: "tiny", width: 180, height: 320, fps: 30, quality: 28, max_kbps: 1_000 };

    /// Milliseconds between two pictures that can be decoded alone, at most.
    pub(super) const KEYFRAME_MS: u32 = 2_000;

    fn size(&self) -> Size {
        Size { width: self.width, height: self.height }
    }
}

/// What is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A JPEG, PNG or WebP picture of at most 36 megapixels.
    Still(PathBuf),
    /// A video; played from its beginning, and again if it is shorter than its share.
    Clip(PathBuf),
}

/// One part of the video. Shots share its length evenly.
///
/// A picture fills the frame if at most a fifth of it is lost that way; otherwise it stands, cropped
/// by that fifth, before a blurred and darkened cover of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// What is seen.
    pub source: Source,
    /// Whether a clip is heard: 18 dB under the narration, as it is without one.
    pub keep_sound: bool,
}

/// A video to be made. Its length follows the narration and the captions, whichever ends later, and
/// a short tail; with neither, 4 s a shot.
#[derive(Debug, Clone)]
pub struct Assembly {
    /// Size and effort.
    pub preset: VideoPreset,
    /// One to twelve, at most four of them clips.
    pub shots: Vec<Shot>,
    /// In order, without overlap. Without narration [`timed_by_reading`](super::timed_by_reading)
    /// gives them their times.
    pub captions: Vec<Caption>,
    /// A sound file, already as loud as it should be ([`Ffmpeg::normalise`]).
    pub narration: Option<PathBuf>,
    /// The folder that holds [`FONT_FILE`].
    pub fonts_dir: PathBuf,
}

/// A video that was made, checked and decoded once.
#[derive(Debug, Clone, PartialEq)]
pub struct Assembled {
    /// What its container says.
    pub facts: VideoFacts,
    /// Of its sound; `None` where there is neither narration nor a clip that is heard.
    pub loudness: Option<Loudness>,
}

/// A clip that is heard.
struct Heard<'a> {
    path: &'a Path,
    from: Duration,
    length: Duration,
}

impl Ffmpeg {
    /// Makes the video: H.264 (High, 4:2:0, BT.709) and AAC (48 kHz, stereo) in an MP4 file that can
    /// be played while it loads. The same input gives the same bytes with the same ffmpeg on the
    /// same kind of processor. What came out is checked ([`Ffmpeg::check_output`]).
    ///
    /// # Errors
    /// [`AvError::Asked`] for what cannot be made, [`AvError::Broken`] for a source that cannot be
    /// decoded, [`AvError::Rules`] if the result breaks its rules.
    pub async fn assemble(&self, what: &Assembly, to_mp4: &Path) -> Result<Assembled, AvError> {
        self.in_time(async {
            let frames = self.make(what, to_mp4).await?;
            let facts = self.check_output(to_mp4, &what.preset, frames).await?;
            let heard = what.narration.is_some() || what.shots.iter().any(|shot| shot.keep_sound);
            let loudness = if heard { Some(self.loudness(to_mp4).await?) } else { None };
            Ok(Assembled { facts, loudness })
        })
        .await
    }

    /// Makes the video and says how many frames it has.
    async fn make(&self, what: &Assembly, to_mp4: &Path) -> Result<u32, AvError> {
        let preset = &what.preset;
        let is_clip = |shot: &&Shot| matches!(shot.source, Source::Clip(_));
        let clips = what.shots.iter().filter(is_clip).count();
        if what.shots.is_empty() || what.shots.len() > MAX_SHOTS || clips > MAX_CLIPS {
            let shots = what.shots.len();
            return Err(AvError::Asked(format!(
                "a video takes 1 to {MAX_SHOTS} shots, at most {MAX_CLIPS} of them clips, \
                 not {shots} and {clips}"
            )));
        }
        let frames = self.length(what).await?;
        let looks = plan(what.shots.len(), frames, preset.fps);

        let work = tempfile::tempdir()?;
        self.write_captions(what, &work).await?;

        let mut shots = Vec::new();
        let mut decoders = Vec::new();
        let mut heard = Vec::new();
        for (shot, look) in what.shots.iter().zip(looks) {
            let material = match &shot.source {
                Source::Still(path) => Material::Still(self.still(path, preset.size()).await?),
                Source::Clip(path) => {
                    let facts = self.probe(path).await?;
                    if facts.video.is_none() {
                        return Err(AvError::Broken("a clip shows nothing".to_owned()));
                    }
                    if shot.keep_sound && facts.audio.is_some() {
                        heard.push(Heard {
                            path,
                            from: time_of(look.start.into(), preset.fps),
                            length: time_of(look.frames().into(), preset.fps),
                        });
                    }
                    let (reader, writer) = std::io::pipe()?;
                    let clip = self.clip(path, preset, look.frames());
                    decoders.push(clip.stdout_to(writer).done());
                    Material::Clip(reader)
                }
            };
            shots.push((look, material));
        }

        let (reader, writer) = std::io::pipe()?;
        let encode = self
            .encoder(what, frames, &heard, &work)
            .stdin_from(reader)
            .write("mp4", to_mp4)
            .done();
        let film = Film { size: preset.size(), fps: preset.fps, shots };
        // Ends by itself when the encoder is gone, since nobody reads what it writes.
        let draw = tokio::task::spawn_blocking(move || {
            film.draw(&mut BufWriter::with_capacity(1 << 16, writer))
        });
        let (encoded, decoded, drawn) =
            tokio::join!(encode, futures::future::join_all(decoders), draw);
        // The cause before its consequences: without the encoder the clips break off, and without a
        // clip the encoder has too little to read.
        if let Err(error @ (AvError::Io(_) | AvError::Killed | AvError::Start(_))) = encoded {
            return Err(error);
        }
        decoded.into_iter().collect::<Result<(), _>>()?;
        encoded?;
        drawn.map_err(std::io::Error::other)??;
        Ok(frames)
    }

    /// How many frames the video has.
    async fn length(&self, what: &Assembly) -> Result<u32, AvError> {
        let narrated = match &what.narration {
            Some(path) => Some(self.decode_fully(path).await?.duration),
            None => None,
        };
        let read = what.captions.last().map(|caption| caption.end);
        let shots = u32::try_from(what.shots.len()).unwrap_or(u32::MAX);
        let length = match narrated.max(read) {
            Some(end) => end + TAIL,
            None => UNSPOKEN_SHOT.saturating_mul(shots),
        };
        if length > LONGEST {
            return Err(AvError::Asked(format!("a video lasts at most {LONGEST:?}")));
        }
        let fps = what.preset.fps;
        let millis = length.max(SHORTEST).as_millis();
        Ok(u32::try_from(millis * u128::from(fps) / 1000).unwrap_or(u32::MAX))
    }

    /// Lays the script, the font and an empty font configuration into the work folder. ffmpeg runs
    /// in it, so that no path has to be escaped within a filter.
    async fn write_captions(&self, what: &Assembly, work: &TempDir) -> Result<(), AvError> {
        let font = tokio::fs::read(what.fonts_dir.join(FONT_FILE)).await?;
        let preset = &what.preset;
        let script = captions::script(&what.captions, &font, preset.width, preset.height)?;
        tokio::fs::write(work.path().join("captions.ass"), script).await?;
        tokio::fs::create_dir(work.path().join("fonts")).await?;
        tokio::fs::write(work.path().join("fonts").join(FONT_FILE), font).await?;
        // No font of the machine may stand in unnoticed.
        tokio::fs::write(work.path().join("fonts.conf"), "<fontconfig></fontconfig>").await?;
        Ok(())
    }

    /// A still, laid out in the oversampled size as transposed planes.
    async fn still(&self, path: &Path, size: Size) -> Result<Vec<u8>, AvError> {
        let size = size.oversampled();
        let bytes = size.bytes() as u64;
        let format = picture_format(path).await?;
        let filters = format!("{},transpose=cclock_flip", laid_out(size));
        let (planes, _) = self
            .call()
            .args(["-f", format])
            .read(format, path)
            .args(["-map", "0:v:0", "-frames:v", "1", "-vf", &filters])
            .args(["-f", "rawvideo", "pipe:1"])
            .listen(|stdout| async move {
                let mut planes = Vec::new();
                stdout.take(bytes).read_to_end(&mut planes).await?;
                Ok(planes)
            })
            .await?;
        if planes.len() as u64 == bytes {
            Ok(planes)
        } else {
            Err(AvError::Broken("a still shows nothing".to_owned()))
        }
    }

    /// A decoder that writes `count` frames of a clip.
    fn clip(&self, path: &Path, preset: &VideoPreset, count: u32) -> Call {
        let filters = format!("fps={},{}", preset.fps, laid_out(preset.size()));
        self.call()
            .args(["-stream_loop", "-1"])
            .read(CONTAINERS, path)
            .args(["-map", "0:V:0", "-vf", &filters, "-frames:v", &count.to_string()])
            .args(["-f", "rawvideo", "pipe:1"])
    }

    /// The encoder, all but where it reads frames from and writes to.
    fn encoder(&self, what: &Assembly, frames: u32, heard: &[Heard<'_>], work: &TempDir) -> Call {
        let preset = &what.preset;
        let fps = preset.fps.to_string();
        let mut call = self
            .call()
            .folder(work.path())
            .env("FONTCONFIG_FILE", work.path().join("fonts.conf").as_os_str())
            .args(["-f", "rawvideo", "-pixel_format", "yuv420p"])
            .args(["-video_size", &format!("{}x{}", preset.width, preset.height)])
            .args(["-framerate", &fps, "-i", "pipe:0"]);
        let mut sounds = Vec::new();
        if let Some(path) = &what.narration {
            call = call.read(CONTAINERS, path);
            sounds.push(format!("[1:a:0]{STEREO}"));
        }
        let level = if what.narration.is_some() { -18 } else { 0 };
        for clip in heard {
            let length = clip.length.as_secs_f64();
            call = call
                .args(["-stream_loop", "-1", "-t", &format!("{length:.3}")])
                .read(CONTAINERS, clip.path);
            let (input, delay) = (sounds.len() + 1, clip.from.as_millis());
            let out = (length - 0.3).max(0.0);
            sounds.push(format!(
                "[{input}:a:0]{STEREO},volume={level}dB,afade=d=0.3,\
                 afade=t=out:st={out:.3}:d=0.3,adelay={delay}:all=1"
            ));
        }
        let samples = u64::from(frames) * u64::from(SAMPLE_RATE) / u64::from(preset.fps);
        let cut = format!("apad,atrim=end_sample={samples}");
        let sound = match sounds.as_slice() {
            [] => format!("anullsrc=r={SAMPLE_RATE}:cl=stereo,atrim=end_sample={samples}[sound]"),
            [one] => format!("{one},{cut}[sound]"),
            several => {
                let chains = several.iter().enumerate().map(|(n, chain)| format!("{chain}[s{n}];"));
                let names = (0..several.len()).map(|n| format!("[s{n}]"));
                format!(
                    "{}{}amix=inputs={}:duration=longest:dropout_transition=0:normalize=0,\
                     alimiter=limit=0.8:level=0:latency=1,{cut}[sound]",
                    chains.collect::<String>(),
                    names.collect::<String>(),
                    several.len(),
                )
            }
        };
        let filters = format!(
            "[0:v]setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709,\
             ass=f=captions.ass:fontsdir=fonts,format=yuv420p[seen];{sound}"
        );
        let keyframes = (preset.fps * VideoPreset::KEYFRAME_MS / 1000).to_string();
        let max = format!("{}k", preset.max_kbps);
        call.args(["-filter_complex", &filters, "-map", "[seen]", "-map", "[sound]"])
            .args(["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high"])
            .args(["-crf", &preset.quality.to_string(), "-maxrate", &max])
            .args(["-bufsize", &format!("{}k", preset.max_kbps * 2)])
            // As many threads everywhere: x264's choices depend on their number.
            .args(["-g", &keyframes, "-bf", "2", "-r", &fps, "-threads", "4"])
            .args(["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"])
            .args(["-color_range", "tv"])
            .args(["-c:a", "aac", "-b:a", "128k", "-ar", &SAMPLE_RATE.to_string(), "-ac", "2"])
            .args(["-movflags", "+faststart"])
    }
}

/// A sound in the video's own form.
const STEREO: &str = "aresample=48000,aformat=sample_fmts=fltp:channel_layouts=stereo";

/// The filters that lay a picture of any shape out in a frame, see [`Shot`].
fn laid_out(Size { width, height }: Size) -> String {
    let (small_width, small_height) = (width / 16 * 2, height / 16 * 2);
    let fits = format!("{width}/(iw*sar),{height}/ih");
    let scale = format!("min(max({fits}),1.25*min({fits}))");
    let colours = "out_color_matrix=bt709:out_range=tv";
    format!(
        "split[a][b];\
         [a]scale='2*ceil(iw*sar*max({small_width}/(iw*sar),{small_height}/ih)/2)'\
         :'2*ceil(ih*max({small_width}/(iw*sar),{small_height}/ih)/2)':{colours},\
         format=yuv420p,crop={small_width}:{small_height},boxblur=4:2,\
         scale={width}:{height}:flags=bilinear,lutyuv=y=16+(val-16)*0.7[cover];\
         [b]scale='2*round(iw*sar*{scale}/2)':'2*round(ih*{scale}/2)':flags=lanczos:{colours},\
         format=yuva420p,crop='min(iw,{width})':'min(ih,{height})'[picture];\
         [cover][picture]overlay='(W-w)/2':'(H-h)/2',setsar=1,format=yuv420p"
    )
}

/// ffmpeg's reader for a picture, by its first bytes.
async fn picture_format(path: &Path) -> Result<&'static str, AvError> {
    let mut head = Vec::new();
    File::open(path).await?.take(12).read_to_end(&mut head).await?;
    match head.as_slice() {
        [0xFF, 0xD8, 0xFF, ..] => Ok("jpeg_pipe"),
        [0x89, b'P', b'N', b'G', ..] => Ok("png_pipe"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Ok("webp_pipe"),
        _ => Err(AvError::Broken("a still is neither JPEG, PNG nor WebP".to_owned())),
    }
}
