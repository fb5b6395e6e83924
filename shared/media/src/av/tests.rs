//! Everything against the real ffmpeg, on small files made here.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use super::{
    captions::script,
    motion::{Film, Material, Size, plan, seen_at},
    *,
};

/// The program that `FFMPEG` names, else the one that `make setup` put into `.tools`, else that of
/// the machine.
fn ffmpeg() -> Ffmpeg {
    let configured = std::env::var_os("FFMPEG").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut search = vec![root.join(".tools/ffmpeg")];
    search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    Ffmpeg::locate(configured.as_deref(), &search).expect("ffmpeg is missing: run `make setup`")
}

fn fonts_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/layers/ffmpeg/fonts")
}

fn font() -> Vec<u8> {
    std::fs::read(fonts_dir().join(FONT_FILE)).unwrap()
}

/// A folder for one test.
struct Bench {
    dir: TempDir,
    ffmpeg: Ffmpeg,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), ffmpeg: ffmpeg() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.at(name), bytes).unwrap();
        self.at(name)
    }

    /// Two seconds of a moving test picture (160x120, 25 fps) and a tone, as `name` says.
    async fn upload(&self, name: &str) -> PathBuf {
        let codecs: &[&str] = match Path::new(name).extension().unwrap().to_str().unwrap() {
            "webm" => &["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"],
            "mp3" => &["-vn", "-c:a", "libmp3lame"],
            "wav" => &["-vn", "-c:a", "pcm_s16le"],
            "m4a" => &["-vn", "-c:a", "aac"],
            _ => &["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"],
        };
        self.ffmpeg
            .call()
            .args(["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=2"])
            .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2"])
            .args(codecs)
            .args(["-pix_fmt", "yuv420p", "-metadata", "title=Planted-Secret"])
            .args(["-metadata", "location=+40.4168-003.7038/"])
            .args(["-metadata:s:a:0", "handler_name=Planted-Secret"])
            .arg(self.at(name))
            .done()
            .await
            .unwrap();
        self.at(name)
    }

    /// A picture of smooth colours with a dark disc.
    async fn still(&self, name: &str, width: u32, height: u32) -> PathBuf {
        let colour = |x: u32, y: u32| {
            let (dx, dy) = (x.abs_diff(width / 2), y.abs_diff(height / 2));
            let slope = [(x * 200 / width) as u8, 120, (y * 200 / height) as u8];
            if dx * dx + dy * dy < width * width / 16 { [40, 30, 20] } else { slope }
        };
        let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| colour(x, y)));
        let raw = self.file("pixels", &pixels.collect::<Vec<u8>>());
        self.ffmpeg
            .call()
            .args(["-f", "rawvideo", "-pixel_format", "rgb24"])
            .args(["-video_size", &format!("{width}x{height}"), "-i"])
            .arg(raw)
            .arg(self.at(name))
            .done()
            .await
            .unwrap();
        self.at(name)
    }

    /// The brightness of a frame, row by row.
    async fn luma(&self, video: &Path, number: u32) -> Vec<u8> {
        let filter = format!("select=eq(n\\,{number})");
        let call = self.ffmpeg.call().read("mov", video).args(["-vf", &filter, "-frames:v", "1"]);
        let call = call.args(["-pix_fmt", "gray", "-f", "rawvideo", "pipe:1"]);
        let (bytes, _) = call
            .listen(|mut stdout| async move {
                let mut bytes = Vec::new();
                tokio::io::AsyncReadExt::read_to_end(&mut stdout, &mut bytes).await?;
                Ok(bytes)
            })
            .await
            .unwrap();
        bytes
    }
}

/// A WAV file of 16 bits.
fn wav(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
    let bytes = u32::try_from(samples.len() * 2).unwrap();
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(channels) * 2).to_le_bytes());
    file.extend((channels * 2).to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// Something with the rhythm and the peaks of speech: pulses at 120 Hz in syllables, four a second.
fn speech(rate: u32, seconds: f64, level: f64) -> Vec<u8> {
    let mut ring = [0.0_f64; 2];
    let samples: Vec<i16> = (0..(f64::from(rate) * seconds) as u32)
        .map(|n| {
            let t = f64::from(n) / f64::from(rate);
            let pulse = if n % (rate / 120) == 0 { 1.0 } else { 0.0 };
            // A resonance near 700 Hz.
            let angle = std::f64::consts::TAU * 700.0 / f64::from(rate);
            let out = pulse + 1.96 * angle.cos() * ring[0] - 0.9604 * ring[1];
            ring = [out, ring[0]];
            let syllable = (std::f64::consts::TAU * 2.0 * t).sin().powi(2);
            (out * syllable * level * 16_000.0).clamp(-32_768.0, 32_767.0) as i16
        })
        .collect();
    wav(rate, 1, &samples)
}

fn tone(rate: u32, samples: u32) -> Vec<u8> {
    let wave =
        |n: u32| (f64::from(n % rate) * 440.0 * std::f64::consts::TAU / f64::from(rate)).sin();
    wav(rate, 1, &(0..samples).map(|n| (wave(n) * 8000.0) as i16).collect::<Vec<_>>())
}

fn assembly(shots: Vec<Shot>) -> Assembly {
    Assembly {
        preset: VideoPreset::TINY,
        shots,
        captions: Vec::new(),
        narration: None,
        fonts_dir: fonts_dir(),
    }
}

fn shot(still: PathBuf) -> Shot {
    Shot { source: Source::Still(still), keep_sound: false }
}

fn caption(start: u64, end: u64, text: &str) -> Caption {
    let (start, end) = (Duration::from_millis(start), Duration::from_millis(end));
    Caption { start, end, text: text.to_owned() }
}

fn is_broken<T: std::fmt::Debug>(result: &Result<T, AvError>) -> bool {
    matches!(result, Err(AvError::Broken(_)))
}

// The program

#[test]
fn the_setting_goes_first_and_a_wrong_one_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    for folder in [&one, &two] {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("ffmpeg"), "").unwrap();
    }
    let found = |configured: Option<&Path>, search: &[PathBuf]| {
        Ffmpeg::locate(configured, search).map(|ffmpeg| ffmpeg.program().to_path_buf())
    };
    let missing = dir.path().join("missing");
    assert_eq!(found(Some(&two), std::slice::from_ref(&one)), Some(two.join("ffmpeg")));
    assert_eq!(found(Some(&missing), std::slice::from_ref(&one)), None);
    assert_eq!(found(None, &[missing.clone(), one.join("ffmpeg")]), Some(one.join("ffmpeg")));
    assert_eq!(found(None, &[missing]), None);
}

#[tokio::test]
async fn it_tells_its_version_and_another_program_does_not_pass() {
    let version = ffmpeg().version().await.unwrap();
    assert!(version.chars().any(|c| c.is_ascii_digit()), "{version}");
    let other = Ffmpeg::locate(Some(Path::new("/bin/echo")), &[]).unwrap();
    assert!(is_broken(&other.version().await));
}

#[tokio::test]
async fn want_of_room_or_of_a_file_is_not_the_files_fault() {
    let bench = Bench::new();
    let from = bench.upload("a.mp3").await;
    let full = bench.ffmpeg.strip(&from, Path::new("/dev/full"), Container::Mp3).await;
    assert!(matches!(full, Err(AvError::Io(_))), "{full:?}");
    let missing = bench.ffmpeg.probe(&bench.at("missing.mp4")).await;
    assert!(matches!(missing, Err(AvError::Io(_))), "{missing:?}");
}

#[tokio::test]
async fn what_outlives_its_deadline_is_killed() {
    let bench = Bench::new();
    let script = bench.file("ffmpeg", b"#!/bin/sh\nexec /bin/sleep 3600\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let slow = Ffmpeg::locate(Some(&script), &[]).unwrap().within(Duration::from_millis(50));
    let (mut reader, writer) = std::io::pipe().unwrap();
    let outcome = slow.in_time(slow.call().stdout_to(writer).done()).await;
    assert!(matches!(outcome, Err(AvError::TimedOut(_))), "{outcome:?}");
    // The pipe ends when the last process that holds it is gone.
    let end = tokio::task::spawn_blocking(move || reader.read(&mut [0]));
    let end = tokio::time::timeout(Duration::from_secs(20), end).await;
    assert_eq!(end.expect("the child lives on").unwrap().unwrap(), 0);
}

/// Functions hand these to a runtime of many threads.
#[test]
fn all_work_can_move_between_threads() {
    fn sent<T: Send>(_: T) {}
    let (ffmpeg, path) = (ffmpeg(), Path::new("nowhere"));
    let what = assembly(Vec::new());
    let facts = MediaFacts { duration: Duration::ZERO, video: None, audio: None };
    sent(ffmpeg.version());
    sent(ffmpeg.probe(path));
    sent(ffmpeg.decode_fully(path));
    sent(ffmpeg.strip(path, path, Container::Mp4));
    sent(ffmpeg.poster(path, &facts, path));
    sent(ffmpeg.loudness(path));
    sent(ffmpeg.normalise(path, path, -16.0, 48_000));
    sent(ffmpeg.concat_audio(&[], path));
    sent(ffmpeg.assemble(&what, path));
    sent(ffmpeg.check_output(path, &VideoPreset::TINY, 1));
}

// Uploads

#[tokio::test]
async fn every_container_is_probed() {
    let bench = Bench::new();
    let cases = [
        ("a.mp4", Some("h264"), "aac"),
        ("a.mov", Some("h264"), "aac"),
        ("a.webm", Some("vp8"), "opus"),
        ("a.m4a", None, "aac"),
        ("a.mp3", None, "mp3"),
        ("a.wav", None, "pcm_s16le"),
    ];
    for (name, video, audio) in cases {
        let facts = bench.ffmpeg.probe(&bench.upload(name).await).await.unwrap();
        let picture = facts.video.map(|v| (v.codec, v.width, v.height, v.frames, v.fps));
        assert_eq!(picture, video.map(|codec| (codec.to_owned(), 160, 120, 50, 25.0)), "{name}");
        let sound = facts.audio.unwrap();
        assert_eq!(
            (&*sound.codec, sound.sample_rate, sound.channels),
            (audio, 48_000, 1),
            "{name}"
        );
        let off = facts.duration.abs_diff(Duration::from_secs(2));
        assert!(off < Duration::from_millis(60), "{name} {:?}", facts.duration);
        let decoded = bench.ffmpeg.decode_fully(&bench.at(name)).await.unwrap();
        assert_eq!(decoded.frames, if video.is_some() { 50 } else { 0 }, "{name}");
        assert!(decoded.samples.abs_diff(96_000) < 3000, "{name} {decoded:?}");
    }
}

#[tokio::test]
async fn what_is_cut_short_or_damaged_is_refused_with_a_reason() {
    let bench = Bench::new();
    for name in ["a.mp4", "a.webm", "a.wav"] {
        let mut bytes = std::fs::read(bench.upload(name).await).unwrap();
        bytes.truncate(bytes.len() * 6 / 10);
        let cut = bench.file(&format!("cut-{name}"), &bytes);
        assert!(is_broken(&bench.ffmpeg.decode_fully(&cut).await), "{name}");
    }
    let bytes = std::fs::read(bench.upload("b.mp4").await).unwrap();
    let mut damaged = bytes.clone();
    for (n, byte) in damaged.iter_mut().enumerate().skip(bytes.len() / 3).take(2000) {
        *byte ^= (n * 151 % 255) as u8;
    }
    let damaged = bench.file("damaged.mp4", &damaged);
    assert!(is_broken(&bench.ffmpeg.decode_fully(&damaged).await));

    for (name, bytes) in [("nothing", &b""[..]), ("text", b"hello"), ("png", b"\x89PNG\r\n\x1a\n")]
    {
        let path = bench.file(name, bytes);
        let Err(AvError::Broken(reason)) = bench.ffmpeg.probe(&path).await else {
            panic!("{name} passed");
        };
        assert!(!reason.is_empty() && reason.len() <= 200, "{reason}");
        assert!(!reason.contains(&*bench.dir.path().to_string_lossy()), "{reason}");
    }
}

#[tokio::test]
async fn a_file_cannot_make_it_open_another() {
    let bench = Bench::new();
    let victim = bench.upload("victim.wav").await;
    let victim = victim.display();
    let playlists = [
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:{victim}\n#EXT-X-ENDLIST\n"),
        "#EXTM3U\n#EXTINF:2,\nhttp://192.0.2.1/a.ts\n".to_owned(),
        format!("ffconcat version 1.0\nfile 'victim.wav'\nfile '{victim}'\n"),
    ];
    for (n, playlist) in playlists.iter().enumerate() {
        for name in [format!("{n}.mp4"), format!("{n}.m3u8"), format!("{n}.ffconcat")] {
            let path = bench.file(&name, playlist.as_bytes());
            assert!(is_broken(&bench.ffmpeg.probe(&path).await), "{name}");
            assert!(is_broken(&bench.ffmpeg.decode_fully(&path).await), "{name}");
        }
    }
}

#[tokio::test]
async fn a_copy_holds_the_same_picture_and_nothing_else() {
    let bench = Bench::new();
    let cases = [
        ("a.mp4", Container::Mp4),
        ("a.mov", Container::Mov),
        ("a.webm", Container::WebM),
        ("a.m4a", Container::M4a),
        ("a.mp3", Container::Mp3),
        ("a.wav", Container::Wav),
    ];
    for (name, container) in cases {
        let from = bench.upload(name).await;
        let to = bench.at(&format!("clean-{name}"));
        bench.ffmpeg.strip(&from, &to, container).await.unwrap();
        let bytes = std::fs::read(&to).unwrap();
        for secret in ["Planted-Secret", "40.4168", "Lavf5", "Lavf6"] {
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "{secret} in {name}");
        }
        let before = bench.ffmpeg.decode_fully(&from).await.unwrap();
        let after = bench.ffmpeg.decode_fully(&to).await.unwrap();
        assert_eq!((before.frames, before.samples), (after.frames, after.samples), "{name}");
        // Some versions move a WebM's picture by Opus' 7 ms of run-up.
        let moved = before.duration.abs_diff(after.duration);
        assert!(moved <= Duration::from_millis(40), "{name} {moved:?}");
    }
}

#[tokio::test]
async fn rotation_is_kept_and_the_poster_is_upright() {
    let bench = Bench::new();
    let mut bytes = std::fs::read(bench.upload("a.mp4").await).unwrap();
    // The first track's matrix, 40 bytes into `tkhd` version 0: turn it by 90 degrees.
    let head = bytes.windows(4).position(|name| name == b"tkhd").unwrap() + 4;
    let turned: [i32; 9] = [0, 1 << 16, 0, -(1 << 16), 0, 0, 120 << 16, 0, 1 << 30];
    let turned: Vec<u8> = turned.iter().flat_map(|value| value.to_be_bytes()).collect();
    bytes[head + 40..head + 76].copy_from_slice(&turned);
    let from = bench.file("turned.mp4", &bytes);
    let to = bench.at("clean.mp4");
    bench.ffmpeg.strip(&from, &to, Container::Mp4).await.unwrap();
    assert_eq!(probe_mp4(&to).await.unwrap().rotation, 90);
    let facts = bench.ffmpeg.probe(&to).await.unwrap();
    let video = facts.video.as_ref().unwrap();
    assert_eq!((video.width, video.height), (120, 160));

    let poster = bench.at("poster.jpg");
    bench.ffmpeg.poster(&to, &facts, &poster).await.unwrap();
    let bytes = std::fs::read(&poster).unwrap();
    assert!(bytes.starts_with(&[0xFF, 0xD8, 0xFF]));
    let frame = bytes.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    assert_eq!(&bytes[frame + 5..frame + 9], &[0, 160, 0, 120], "height and width");

    let sound = bench.ffmpeg.probe(&bench.upload("a.wav").await).await.unwrap();
    let none = bench.ffmpeg.poster(&bench.at("a.wav"), &sound, &poster).await;
    assert!(matches!(none, Err(AvError::Asked(_))));
}

// Sound

/// EBU Tech 3341, case 1: a stereo sine of 1 kHz with peaks at -23 dBFS measures -23 LUFS.
#[tokio::test]
async fn loudness_is_what_the_ebu_says() {
    let bench = Bench::new();
    let peak = 32_768.0 * 10_f64.powf(-23.0 / 20.0);
    let angle = |n: u32| f64::from(n) * 1000.0 * std::f64::consts::TAU / 48_000.0;
    let samples: Vec<i16> =
        (0..48_000 * 5).flat_map(|n| [(angle(n).sin() * peak).round() as i16; 2]).collect();
    let path = bench.file("sine.wav", &wav(48_000, 2, &samples));
    let loudness = bench.ffmpeg.loudness(&path).await.unwrap();
    assert!((loudness.integrated_lufs + 23.0).abs() <= 0.11, "{loudness:?}");
    assert!((loudness.true_peak_dbtp + 23.0).abs() <= 0.21, "{loudness:?}");
    assert!(loudness.range_lu <= 0.1, "{loudness:?}");
}

#[tokio::test]
async fn speech_comes_to_minus_16_lufs_however_loud_and_long_it_was() {
    let bench = Bench::new();
    for (name, seconds, level) in
        [("quiet", 4.0, 0.02), ("loud", 4.0, 3.0), ("short", 0.7, 0.3), ("a word", 0.3, 0.3)]
    {
        let from = bench.file(&format!("{name}.wav"), &speech(22_050, seconds, level));
        let to = bench.at(&format!("{name}.m4a"));
        let done = bench.ffmpeg.normalise(&from, &to, -16.0, 48_000).await.unwrap();
        assert!(
            done.duration.abs_diff(Duration::from_secs_f64(seconds)).as_micros() < 100,
            "{name}"
        );
        let measured = bench.ffmpeg.loudness(&to).await.unwrap();
        assert_eq!(measured, done.loudness, "{name}");
        assert!((measured.integrated_lufs + 16.0).abs() <= 1.0, "{name} {measured:?}");
        assert!(measured.true_peak_dbtp <= -1.0, "{name} {measured:?}");
        let facts = bench.ffmpeg.probe(&to).await.unwrap();
        assert_eq!(facts.audio.unwrap().sample_rate, 48_000, "{name}");
        let late = facts.duration.abs_diff(done.duration);
        assert!(late < Duration::from_millis(22), "{name} {late:?}");
    }
    let silence = bench.file("silence.wav", &wav(48_000, 1, &[0; 48_000]));
    let none = bench.ffmpeg.normalise(&silence, &bench.at("none.m4a"), -16.0, 48_000).await;
    assert!(matches!(none, Err(AvError::Silent)), "{none:?}");
}

#[tokio::test]
async fn joined_sentences_are_timed_to_the_sample() {
    let bench = Bench::new();
    let gap_after = Duration::from_millis(250);
    let segments = [("one", 48_000, 30_001), ("two", 48_000, 61_234), ("three", 24_000, 12_000)]
        .map(|(name, rate, samples)| Segment {
            path: bench.file(&format!("{name}.wav"), &tone(rate, samples)),
            gap_after,
        });
    let to = bench.at("joined.wav");
    let joined = bench.ffmpeg.concat_audio(&segments, &to).await.unwrap();
    let at = |samples| time_of(samples, 48_000);
    let (two, three) = (30_001 + 12_000, 30_001 + 12_000 + 61_234 + 12_000);
    let spans = [(0, 30_001), (two, two + 61_234), (three, three + 24_000)];
    assert_eq!(joined.spans, spans.map(|(start, end)| Span { start: at(start), end: at(end) }));
    assert_eq!(joined.duration, at(three + 36_000));
    let decoded = bench.ffmpeg.decode_fully(&to).await.unwrap();
    assert_eq!(decoded.samples, three + 36_000);

    // What is silence and what is sound in the file agrees with the spans.
    let bytes = std::fs::read(&to).unwrap();
    let loud = |from: u64, to: u64| {
        let (from, to) = (44 + from as usize * 2, 44 + to as usize * 2);
        bytes[from..to].chunks(2).filter(|s| s[0] != 0 || s[1] != 0).count()
    };
    assert!(loud(0, 30_001) > 29_000 && loud(two, two + 61_234) > 60_000);
    assert_eq!(loud(30_001, two), 0);
    assert_eq!(loud(three + 24_000, three + 36_000), 0);

    let silent = Segment { path: bench.still("a.png", 20, 20).await, gap_after };
    assert!(is_broken(&bench.ffmpeg.concat_audio(&[silent], &to).await));
}

// Captions

/// The texts of a script's events, and from when to when.
fn events(script: &str) -> Vec<(String, String, String)> {
    let events = script.lines().filter_map(|line| line.strip_prefix("Dialogue: 0,"));
    let event = |line: &str| {
        let parts: Vec<_> = line.splitn(9, ',').map(str::to_owned).collect();
        (parts[0].clone(), parts[1].clone(), parts[8].clone())
    };
    events.map(event).collect()
}

#[test]
fn captions_cannot_give_commands() {
    let text = "{\\b0}¡Aquí\\N está!\n{x}\u{0}\u{7} 50% off, 🧉ñ";
    let script = script(&[caption(0, 2000, text)], &font(), 1080, 1920).unwrap();
    let shown = events(&script).into_iter().map(|event| event.2).collect::<Vec<_>>().join("\\N");
    let words = shown.replace("\\N", " ");
    assert_eq!(words, "\\{\u{2216}b0\\}¡Aquí\u{2216}N está! \\{x\\} 50% off, ñ");
}

#[test]
fn captions_keep_to_three_lines_and_their_time() {
    let long = "Este café de montaña se tuesta en pequeños lotes cada mañana y llega a tu casa en \
                dos días, con notas de cacao, de avellana y de piel de naranja, para que lo \
                disfrutes sin prisa."
        .to_owned();
    let huge = "W".repeat(60);
    let captions = [caption(500, 8_500, &long), caption(9_000, 11_000, &huge)];
    let script = script(&captions, &font(), 1080, 1920).unwrap();
    let events = events(&script);
    assert!(events.len() >= 3, "{events:?}");
    assert_eq!(events[0].0, "0:00:00.50");
    assert_eq!(events.last().unwrap().1, "0:00:11.00");
    for pair in events.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "one after the other, the short pause bridged");
    }
    let lines: Vec<_> = events.iter().map(|event| event.2.split("\\N").count()).collect();
    assert!(lines.iter().all(|count| (1..=3).contains(count)), "{lines:?}");
    let all: Vec<_> = events.iter().flat_map(|event| event.2.split("\\N")).collect();
    let (sentence, word): (Vec<_>, Vec<_>) = all.into_iter().partition(|line| !line.contains("WW"));
    assert_eq!(sentence.join(" "), long);
    assert_eq!(word.concat(), huge);
}

#[test]
fn captions_that_overlap_are_refused() {
    let captions = [caption(0, 2000, "a"), caption(1500, 3000, "b")];
    assert!(matches!(script(&captions, &font(), 180, 320), Err(AvError::Asked(_))));
}

#[test]
fn reading_takes_time() {
    let captions = timed_by_reading(&["Hola", "Un café de montaña para empezar el día"]);
    assert_eq!(captions[0].end, Duration::from_millis(1600));
    assert_eq!(captions[1].start, captions[0].end);
    let reading = captions[1].end - captions[1].start;
    assert!(reading > Duration::from_secs(3) && reading < Duration::from_secs(4), "{reading:?}");
}

// Motion

#[test]
fn shots_share_the_frames_without_a_gap() {
    for (shots, frames) in [(1, 90), (2, 100), (3, 91), (5, 1234), (12, 90), (12, 13), (7, 18_000)]
    {
        let looks = plan(shots, frames, 30);
        assert_eq!(looks.len(), shots);
        let (first, last) = (looks[0], looks[shots - 1]);
        assert_eq!((first.start, first.fade_in), (0, 0));
        assert_eq!((last.end, last.fade_out), (frames, 0));
        for pair in looks.windows(2) {
            assert_eq!(pair[0].end, pair[1].start);
            assert_eq!(pair[0].fade_out, pair[1].fade_in);
        }
        for look in looks {
            assert!(look.fade_in + look.fade_out <= look.end - look.start, "two at a time at most");
        }
    }
}

/// A slope of light is seen through the moving frame: its mean tells where the frame is, to within
/// a hundredth of a pixel. The frame keeps to its way, and its way has no corners.
#[test]
fn stills_move_without_trembling() {
    let size = Size { width: 180, height: 320 };
    let large = size.oversampled();
    let (width, height) = (large.width as usize, large.height as usize);
    let frames = 600;
    for downwards in [false, true] {
        let mut picture = vec![128; large.bytes()];
        for (n, pixel) in picture[..width * height].iter_mut().enumerate() {
            let (x, y) = (n / height, n % height); // stills are transposed
            let at = if downwards { y * 200 / height } else { x * 200 / width };
            *pixel = 20 + at as u8;
        }
        let shots = vec![(plan(1, frames, 30)[0], Material::Still(picture))];
        let mut drawn = Vec::new();
        Film { size, fps: 30, shots }.draw(&mut drawn).unwrap();
        let level = |frame: &[u8]| {
            let luma = &frame[..(size.width * size.height) as usize];
            luma.iter().map(|v| f64::from(*v)).sum::<f64>() / luma.len() as f64
        };
        let levels: Vec<f64> = drawn.chunks(size.bytes()).map(level).collect();
        assert_eq!(levels.len(), frames as usize);
        // Rounding to whole levels takes half a level on average.
        let middle = levels[0] - 100.0;
        for (n, level) in levels.iter().enumerate() {
            let (left, top, part) = seen_at(n as f64 * 3.0 / f64::from(frames));
            let centre = part / 2.0 + if downwards { top } else { left };
            let off = level - (middle + 200.0 * centre);
            assert!(off.abs() < 0.1, "frame {n} is {off} levels off");
        }
        for three in levels.windows(3) {
            let bend = three[0] - 2.0 * three[1] + three[2];
            assert!(bend.abs() < 0.15, "{bend}");
        }
    }
    let steps = 3000;
    let mut before = seen_at(0.0);
    for step in 1..=steps * 8 {
        let (left, top, part) = seen_at(f64::from(step) / f64::from(steps));
        assert!(left >= 0.0 && top >= 0.0 && left + part <= 1.0 && top + part <= 1.0);
        let moved = (left - before.0).abs().max((top - before.1).abs());
        assert!(moved * f64::from(steps) < 0.35, "a third of the frame in six seconds is slow");
        before = (left, top, part);
    }
}

// The whole

#[tokio::test]
async fn n14_the_video_meets_the_networks_rules() {
    let bench = Bench::new();
    let narration = bench.file("speech.wav", &speech(48_000, 2.6, 0.3));
    let voice = bench.at("voice.m4a");
    bench.ffmpeg.normalise(&narration, &voice, -16.0, 48_000).await.unwrap();
    let mut what = assembly(vec![shot(bench.still("a.png", 400, 300).await)]);
    what.preset = VideoPreset::QUICK;
    what.narration = Some(voice);
    what.captions = vec![caption(0, 2600, "¡Café de montaña!")];
    let to = bench.at("out.mp4");
    let made = bench.ffmpeg.assemble(&what, &to).await.unwrap();
    let facts = made.facts;
    assert_eq!((facts.width, facts.height, facts.rotation), (720, 1280, 0));
    assert_eq!(facts.width * 16, facts.height * 9);
    assert!((facts.fps - 30.0).abs() < 0.001 && facts.constant_rate, "{facts:?}");
    assert!((Duration::from_secs(3)..Duration::from_secs(140)).contains(&facts.duration));
    assert!(facts.video_codec.starts_with("avc1.64"), "{facts:?}");
    assert!(facts.keyframe_gap <= Duration::from_secs(2) && facts.faststart, "{facts:?}");
    assert_eq!(facts.audio.as_ref().unwrap().codec, "mp4a.40.2");
    assert!(facts.bytes < 5_000_000);
    let loudness = made.loudness.unwrap();
    assert!((loudness.integrated_lufs + 16.0).abs() <= 1.0, "{loudness:?}");
    assert!(loudness.true_peak_dbtp <= -0.5, "{loudness:?}");
}

#[tokio::test]
async fn captions_stand_in_the_top_third_while_they_are_said() {
    let bench = Bench::new();
    let mut what = assembly(vec![
        shot(bench.still("a.png", 90, 160).await),
        shot(bench.still("b.jpg", 300, 200).await),
        shot(bench.still("c.webp", 100, 400).await),
    ]);
    what.narration = Some(bench.file("voice.wav", &speech(24_000, 4.0, 0.3)));
    what.captions = vec![caption(1000, 2000, "¿Quién quiere café de montaña con leche?")];
    let (with, without) = (bench.at("with.mp4"), bench.at("without.mp4"));
    let made = bench.ffmpeg.assemble(&what, &with).await.unwrap();
    assert_eq!(made.facts.frames, 47 * 3, "4 s and a tail of 0.7 s");
    what.captions.clear();
    bench.ffmpeg.assemble(&what, &without).await.unwrap();
    for (frame, shown) in [(15, false), (45, true), (75, false)] {
        let (a, b) = (bench.luma(&with, frame).await, bench.luma(&without, frame).await);
        let differ = |from: usize, to: usize| {
            let range = from * 180..to * 180;
            let pairs = a[range.clone()].iter().zip(&b[range]);
            pairs.filter(|(a, b)| a.abs_diff(**b) > 60).count()
        };
        assert_eq!(differ(20, 106) > 300, shown, "frame {frame}");
        assert!(differ(106, 320) < 20, "frame {frame}: nothing below the top third");
    }
}

#[tokio::test]
async fn the_same_input_gives_the_same_bytes() {
    let bench = Bench::new();
    let mut what = assembly(vec![shot(bench.still("a.png", 200, 200).await)]);
    what.captions = timed_by_reading(&["Again and again"]);
    let (one, two) = (bench.at("one.mp4"), bench.at("two.mp4"));
    bench.ffmpeg.assemble(&what, &one).await.unwrap();
    bench.ffmpeg.assemble(&what, &two).await.unwrap();
    let bytes = std::fs::read(&one).unwrap();
    assert!(bytes == std::fs::read(&two).unwrap());
    assert!(!bytes.windows(5).any(|part| part == b"Lavf6" || part == b"Lavc6"));
}

#[tokio::test]
async fn a_clip_plays_under_the_narration() {
    let bench = Bench::new();
    let clip = bench.upload("clip.mp4").await;
    let playing = Shot { source: Source::Clip(clip), keep_sound: true };
    let mut what = assembly(vec![shot(bench.still("a.png", 90, 160).await), playing]);
    let to = bench.at("out.mp4");
    let loud = bench.ffmpeg.assemble(&what, &to).await.unwrap();
    assert_eq!(loud.facts.frames, 240, "4 s a shot; the clip of 2 s is played again");
    // The test picture counts seconds, so it moves: two frames of it differ.
    let (a, b) = (bench.luma(&to, 150).await, bench.luma(&to, 170).await);
    assert!(a.iter().zip(&b).filter(|(a, b)| a.abs_diff(**b) > 30).count() > 500);

    let voice = bench.file("voice.wav", &wav(48_000, 1, &[0; 48_000 * 6]));
    what.narration = Some(voice);
    let low = bench.ffmpeg.assemble(&what, &to).await.unwrap();
    let (loud, low) = (loud.loudness.unwrap(), low.loudness.unwrap());
    let under = loud.integrated_lufs - low.integrated_lufs;
    assert!((under - 18.0).abs() < 1.0, "{under} dB under the narration");
    what.shots[1].keep_sound = false;
    let none = bench.ffmpeg.assemble(&what, &to).await.unwrap().loudness.unwrap();
    assert!(none.integrated_lufs <= -70.0, "{none:?}");
}

#[tokio::test]
async fn what_cannot_be_made_is_told() {
    let bench = Bench::new();
    let to = bench.at("out.mp4");
    let still = bench.still("a.png", 90, 160).await;
    for shots in [vec![], vec![shot(still.clone()); 13]] {
        let none = bench.ffmpeg.assemble(&assembly(shots), &to).await;
        assert!(matches!(none, Err(AvError::Asked(_))), "{none:?}");
    }
    let mut bytes = std::fs::read(bench.upload("a.mp4").await).unwrap();
    bytes.truncate(bytes.len() / 2);
    for source in [
        Source::Still(bench.file("no.png", b"\x89PNG\r\n\x1a\nno")),
        Source::Still(bench.file("no.txt", b"no")),
        Source::Clip(bench.file("no.mp4", b"no")),
        Source::Clip(bench.file("half.mp4", &bytes)),
        Source::Clip(bench.upload("sound.m4a").await),
    ] {
        let shots = vec![shot(still.clone()), Shot { source: source.clone(), keep_sound: true }];
        let none = bench.ffmpeg.assemble(&assembly(shots), &to).await;
        assert!(is_broken(&none), "{source:?} {none:?}");
    }
    let clip = Shot { source: Source::Clip(bench.upload("b.mp4").await), keep_sound: true };
    let full = assembly(vec![clip, shot(still.clone())]);
    let full = bench.ffmpeg.assemble(&full, Path::new("/dev/full")).await;
    assert!(matches!(full, Err(AvError::Io(_))), "no room is not the clip's fault: {full:?}");
    let mut what = assembly(vec![shot(still)]);
    what.fonts_dir = bench.at("nowhere");
    assert!(matches!(bench.ffmpeg.assemble(&what, &to).await, Err(AvError::Io(_))));
}

#[tokio::test]
async fn a_video_that_breaks_rules_is_told_which() {
    let bench = Bench::new();
    let video = bench.upload("a.mp4").await;
    let outcome = bench.ffmpeg.check_output(&video, &VideoPreset::TINY, 60).await;
    let Err(AvError::Rules(broken)) = outcome else { panic!("{outcome:?}") };
    for rule in ["picture size", "frame rate", "number of frames", "H.264 High", "fast start"] {
        assert!(broken.iter().any(|name| name == rule), "{rule} not in {broken:?}");
    }
    assert!(!broken.iter().any(|name| name == "constant frame rate"), "{broken:?}");
}
