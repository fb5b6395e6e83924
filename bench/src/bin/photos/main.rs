//! Cuts the same 12-megapixel photos to the three frames with `nexus-media` and with `sharp` (npm), side by side, and
//! prints how much faster, how alike the results are to a reference, and how much memory each process took at most.
//!
//! `cargo run --profile bench-run -p nexus-bench --bin photos -- [--rounds N] [--large]`
//!
//! Each contender is a process of its own that stays up and does one photo per request; rounds alternate, so that a
//! noisy neighbour hits both. `sharp` runs in the mode that a calibration finds fastest for the photo and the number
//! of threads. `--large` tells the peak memory of 100-megapixel photos as well.
#![expect(clippy::print_stdout, reason = "the report is the purpose")]

mod likeness;
mod scene;

use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nexus_media::photo::{self, Frame, Limits};
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

type Outcome<T> = Result<T, Box<dyn Error>>;

const FRAMES: [Frame; 3] = [Frame::VERTICAL, Frame::SQUARE, Frame::WIDE];

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["ours", photo, threads, out] => ours(photo, threads.parse()?, Path::new(out)),
        ["once", deed, photo] => once(deed, photo),
        options => {
            let rounds = options.iter().position(|word| *word == "--rounds");
            let rounds = rounds.and_then(|at| options.get(at + 1)).map_or(Ok(9), |n| n.parse())?;
            compare(rounds)?;
            if options.contains(&"--large") { large() } else { Ok(()) }
        }
    }
}

/// Our side of the comparison: the same protocol as `sharp.js`.
fn ours(photo: &str, threads: usize, out: &Path) -> Outcome<()> {
    let bytes = std::fs::read(photo)?;
    let mut made = Vec::new();
    for line in std::io::stdin().lines() {
        line?;
        let (result, took) =
            timed(|| photo::renditions(&bytes, &Limits::default(), &FRAMES, threads));
        made = result?;
        println!("{took} {}", processor_milliseconds()?);
    }
    for (at, rendition) in made.iter().enumerate() {
        std::fs::write(out.join(format!("{at}.jpg")), &rendition.jpeg)?;
    }
    println!("{}", peak_kilobytes()?);
    Ok(())
}

/// One deed with one photo, then the peak memory.
fn once(deed: &str, photo: &str) -> Outcome<()> {
    let bytes = std::fs::read(photo)?;
    let limits = Limits::default();
    let (result, took) = timed(|| match deed {
        "clean" => photo::clean(&bytes, &limits).map(drop),
        "thumbnail" => photo::thumbnail(&bytes, &limits, 1024).map(drop),
        _ => photo::renditions(&bytes, &limits, &FRAMES, 2).map(drop),
    });
    result?;
    println!("{took} {}", peak_kilobytes()?);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "measuring is the purpose")]
fn timed<R>(work: impl FnOnce() -> R) -> (R, f64) {
    let start = std::time::Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64() * 1e3)
}

fn peak_kilobytes() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.and_then(|rest| rest.split_whitespace().next()).ok_or("no VmHWM")?.parse()?)
}

/// What all threads of this process have used so far; the kernel counts hundredths of a second.
fn processor_milliseconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(10.0 * ticks.sum::<Result<f64, _>>()?)
}

/// A process that does one photo per line.
struct Contender {
    child: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    times: Vec<f64>,
    processor: Vec<f64>,
}

/// What a contender took for one photo, and how large it grew.
struct Taken {
    /// Milliseconds of each round but the first, which warms up.
    times: Vec<f64>,
    /// Milliseconds of processor time of a round, on average.
    processor: f64,
    /// Peak memory in kilobytes.
    peak: u64,
}

impl Contender {
    fn start(command: &mut Command) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let ask = child.stdin.take().ok_or("no stdin")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        Ok(Self { child, ask, answers, times: Vec::new(), processor: Vec::new() })
    }

    fn go(&mut self) -> Outcome<()> {
        writeln!(self.ask, "go")?;
        let answer = self.answers.next().ok_or("no answer")??;
        let (time, processor) = answer.split_once(' ').ok_or("half an answer")?;
        self.times.push(time.parse()?);
        self.processor.push(processor.parse()?);
        Ok(())
    }

    fn finish(self) -> Outcome<Taken> {
        let Self { mut child, ask, mut answers, mut times, processor } = self;
        drop(ask);
        let peak = answers.next().ok_or("no answer")??.parse()?;
        child.wait()?;
        times.remove(0);
        let used = processor.last().zip(processor.first()).map_or(0.0, |(end, start)| end - start);
        Ok(Taken { processor: used / times.len() as f64, times, peak })
    }
}

/// How `sharp` may be run on some threads: mode, threads to a pipeline, pipelines at once.
fn sharp_modes(threads: usize) -> Vec<(&'static str, usize, usize)> {
    match threads {
        1 => vec![("each", 1, 1), ("once", 1, 1)],
        _ => vec![("each", 1, 2), ("each", 2, 2), ("turns", 2, 1), ("once", 1, 2), ("once", 2, 2)],
    }
}

/// A command, confined to one core if asked to.
fn command(program: &Path, one_core: bool) -> Command {
    if one_core {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn sharp_command(
    photo: &Path,
    (mode, threads, pool): (&str, usize, usize),
    one_core: bool,
    out: &Path,
) -> Command {
    let mut sharp = command(Path::new("node"), one_core);
    sharp.arg(peer_folder().join("sharp.js")).arg(photo).args([&threads.to_string(), mode]);
    sharp.arg(out).env("UV_THREADPOOL_SIZE", pool.to_string());
    sharp
}

fn peer_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("photos")
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn compare(rounds: usize) -> Outcome<()> {
    let installed = Command::new("npm").arg("ci").current_dir(peer_folder()).output()?;
    if !installed.status.success() {
        return Err("npm ci failed in bench/photos".into());
    }
    let folder = tempfile::tempdir()?;
    let photos = photos(folder.path())?;
    let exe = std::env::current_exe()?;
    println!(
        "12-megapixel photos to 1080x1920, 1080x1080 and 1200x675; {rounds} rounds; ours, then sharp's"
    );
    for (name, photo, rgb, width) in &photos {
        let original = likeness::luma(rgb, *width);
        let references = FRAMES.map(|frame| {
            let size = (frame.width as usize, frame.height as usize);
            [-0.5, 0.0, 0.5].map(|shift| likeness::reference(&original, size, shift))
        });
        for (threads, one_core) in [(1, true), (1, false), (2, false)] {
            let (out_ours, out_sharp) = (folder.path().join("ours"), folder.path().join("sharp"));
            std::fs::create_dir_all(&out_ours)?;
            std::fs::create_dir_all(&out_sharp)?;
            let mut best = (f64::INFINITY, ("each", 1, 1));
            for mode in sharp_modes(threads) {
                let mut trial =
                    Contender::start(&mut sharp_command(photo, mode, one_core, &out_sharp))?;
                (0..4).try_for_each(|_| trial.go())?;
                let time = median(&trial.finish()?.times);
                if time < best.0 {
                    best = (time, mode);
                }
            }
            let mut sharp =
                Contender::start(&mut sharp_command(photo, best.1, one_core, &out_sharp))?;
            let mut ours = command(&exe, one_core);
            ours.arg("ours").arg(photo).arg(threads.to_string()).arg(&out_ours);
            let mut ours = Contender::start(&mut ours)?;
            for _ in 0..=rounds {
                ours.go()?;
                sharp.go()?;
            }
            let (ours, sharp) = (ours.finish()?, sharp.finish()?);
            let mut ratios: Vec<f64> =
                ours.times.iter().zip(&sharp.times).map(|(ours, sharp)| sharp / ours).collect();
            ratios.sort_by(f64::total_cmp);
            let ends = ratios.first().zip(ratios.last()).unwrap_or((&0.0, &0.0));
            let (our_likeness, our_size) = judge(&out_ours, &references)?;
            let (its_likeness, its_size) = judge(&out_sharp, &references)?;
            let threads = if one_core { "1, one core".to_owned() } else { threads.to_string() };
            println!("{name}, threads {threads} (sharp: {:?})", best.1);
            println!(
                "  milliseconds      {:>7.1} {:>7.1}  ratio {:.2} ({:.2} to {:.2})",
                median(&ours.times),
                median(&sharp.times),
                median(&ratios),
                ends.0,
                ends.1
            );
            println!(
                "  processor time    {:>7.1} {:>7.1}  ratio {:.2}",
                ours.processor,
                sharp.processor,
                sharp.processor / ours.processor
            );
            println!(
                "  SSIM              {our_likeness:>7.4} {its_likeness:>7.4}  ours less by {:.4}",
                its_likeness - our_likeness
            );
            println!("  kilobytes, all    {our_size:>7} {its_size:>7}");
            println!(
                "  peak memory, MB   {:>7.1} {:>7.1}  ratio {:.2}",
                ours.peak as f64 / 1e3,
                sharp.peak as f64 / 1e3,
                ours.peak as f64 / sharp.peak as f64
            );
        }
    }
    Ok(())
}

/// Mean SSIM of the renditions in a folder, and their size together in kilobytes.
fn judge(out: &Path, references: &[[likeness::Luma; 3]]) -> Outcome<(f64, usize)> {
    let (mut sum, mut size) = (0.0, 0);
    for (at, reference) in references.iter().enumerate() {
        let jpeg = std::fs::read(out.join(format!("{at}.jpg")))?;
        let image = turbojpeg::decompress(&jpeg, PixelFormat::RGB)?;
        let made = likeness::luma(&image.pixels, image.width);
        sum +=
            reference.iter().map(|reference| likeness::ssim(&made, reference)).fold(0.0, f64::max);
        size += jpeg.len();
    }
    Ok((sum / references.len() as f64, size / 1000))
}

fn jpeg(
    pixels: &[u8],
    width: usize,
    quality: i32,
    subsamp: Subsamp,
    progressive: bool,
) -> Outcome<Vec<u8>> {
    let mut compressor = Compressor::new()?;
    compressor.set_quality(quality)?;
    compressor.set_subsamp(subsamp)?;
    compressor.set_progressive(progressive)?;
    compressor.set_optimize(true)?;
    let height = pixels.len() / 3 / width;
    let format = PixelFormat::RGB;
    Ok(compressor.compress_to_vec(Image { pixels, width, pitch: 3 * width, height, format })?)
}

fn png(pixels: &[u8], width: usize) -> Outcome<Vec<u8>> {
    let mut out = Vec::new();
    let height = pixels.len() / 3 / width;
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(out)
}

fn webp(pixels: &[u8], width: usize, quality: f32) -> Outcome<Vec<u8>> {
    let height = pixels.len() / 3 / width;
    let encoder = webpx::Encoder::new_rgb(pixels, width as u32, height as u32);
    Ok(encoder.quality(quality).method(3).encode(webpx::Unstoppable)?)
}

/// Name, file, decoded pixels and width.
type Photo = (String, PathBuf, Vec<u8>, usize);

fn photos(folder: &Path) -> Outcome<Vec<Photo>> {
    let mut photos = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>, pixels: Vec<u8>, width: usize| -> Outcome<()> {
        let path = folder.join(name.replace(' ', "-"));
        std::fs::write(&path, &bytes)?;
        photos.push((format!("{name} {:.1} MB", bytes.len() as f64 / 1e6), path, pixels, width));
        Ok(())
    };
    let upright = scene::scene(3000, 4000);
    let lying = scene::scene(4000, 3000);
    for (name, pixels, width) in [("jpeg 4:3", &lying, 4000), ("jpeg 3:4", &upright, 3000)] {
        let bytes = jpeg(pixels, width, 90, Subsamp::Sub2x2, false)?;
        let decoded = turbojpeg::decompress(&bytes, PixelFormat::RGB)?.pixels;
        add(name, bytes, decoded, width)?;
    }
    let bytes = webp(&lying, 4000, 90.0)?;
    let decoded = webpx::decode_rgb(&bytes)?.0;
    add("webp 4:3", bytes, decoded, 4000)?;
    add("png 4:3", png(&lying, 4000)?, lying, 4000)?;
    Ok(photos)
}

/// The peak memory of single photos of 100 megapixels.
fn large() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let mut pixels = scene::scene(10_000, 10_000);
    let turned = |jpeg: &[u8]| {
        // EXIF with orientation 6 and nothing else.
        let exif = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        [jpeg.get(..2).unwrap_or_default(), exif, jpeg.get(2..).unwrap_or_default()].concat()
    };
    let small = |subsamp, progressive| jpeg(&pixels, 10_000, 75, subsamp, progressive);
    let mut files = vec![
        ("jpeg 4:2:0", small(Subsamp::Sub2x2, false)?),
        ("jpeg 4:2:0, turned", turned(&small(Subsamp::Sub2x2, false)?)),
        ("jpeg 4:4:4", small(Subsamp::None, false)?),
        ("jpeg 4:4:4, turned", turned(&small(Subsamp::None, false)?)),
        ("jpeg 4:4:4 progressive", small(Subsamp::None, true)?),
        ("jpeg 4:4:4 progressive, turned", turned(&small(Subsamp::None, true)?)),
        ("webp", webp(&pixels, 10_000, 70.0)?),
    ];
    // Without grain, so that it stays within the limit of bytes.
    pixels.iter_mut().for_each(|level| *level &= 0xc0);
    files.push(("png", png(&pixels, 10_000)?));
    drop(pixels);
    println!("100-megapixel photos alone, two threads");
    for (name, bytes) in files {
        let path = folder.path().join("photo");
        std::fs::write(&path, &bytes)?;
        for deed in ["clean", "thumbnail", "renditions"] {
            let output =
                Command::new(std::env::current_exe()?).args(["once", deed]).arg(&path).output()?;
            let answer = String::from_utf8(output.stdout)?;
            let mut numbers = answer.split_whitespace().map(str::parse::<f64>);
            match (numbers.next(), numbers.next()) {
                (Some(Ok(took)), Some(Ok(peak))) => println!(
                    "{:<40} {deed:<10} {:>7.0} ms {:>6.0} MB",
                    format!("{name}, {:.1} MB", bytes.len() as f64 / 1e6),
                    took,
                    peak / 1e3
                ),
                _ => println!(
                    "{name:<40} {deed:<10} {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                ),
            }
        }
    }
    Ok(())
}
