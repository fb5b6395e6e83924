//! Still pictures: checking them, reading what they say, cleaning them, and cutting them to the networks' frames.
//!
//! Everything works on bytes in memory, takes no time but the processor's, and blocks its thread for up to seconds:
//! call it where blocking is allowed. A photo is refused ([`Rejection`]) by its header where possible, before
//! anything large is allocated.
//!
//! | | reads | decodes | peak memory of a process with one 100-megapixel photo (measured, `bench`) |
//! |---|---|---|---|
//! | [`inspect`] | the structure | nothing | its bytes |
//! | [`clean`] | all of it | only where pixels must be turned | twice its bytes; turned: 0.6 to 0.9 GB |
//! | [`renditions`] | all of it | all of it | JPEG and PNG 50 MB, WebP 0.3 GB, progressive JPEG 0.6 GB |
//! | [`thumbnail`] | all of it | all of it | as renditions |
//!
//! **Never here:** HEIC and AVIF are known and refused: no decoder of either comes with cargo alone under a licence
//! that this project can take.

mod anatomy;
mod colour;
mod crop;
mod frame;
mod gif;
mod jpeg;
mod orientation;
mod parallel;
mod picture;
mod png;
mod rejection;
mod shrink;
mod webp;
mod words;

#[cfg(test)]
mod tests;

use fast_image_resize::Resizer;

use self::anatomy::Anatomy;
use self::colour::ToSrgb;
use self::crop::{Plan, Target};
use self::parallel::spread;
use self::picture::{Picture, Plane};
use self::shrink::shrink;
use crate::sniff::MediaType;

pub use self::orientation::Orientation;
pub use self::rejection::Rejection;

/// Quality of the renditions (libjpeg's scale of 1 to 100): the networks encode once more, from a good original.
const JPEG_QUALITY: i32 = 82;

/// Quality where a photo is encoded again only because it has to be turned.
const REENCODE_QUALITY: i32 = 95;

/// What is taken at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of the file in bytes.
    pub max_bytes: u64,
    /// Width times height.
    pub max_pixels: u64,
}

impl Default for Limits {
    /// 50 MiB and 100 megapixels.
    fn default() -> Self {
        Self { max_bytes: 50 << 20, max_pixels: 100_000_000 }
    }
}

/// What a photo tells about itself, without being decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoFacts {
    /// The type, by its bytes.
    pub format: MediaType,
    /// In pixels, standing upright.
    pub width: u32,
    /// In pixels, standing upright.
    pub height: u32,
    /// How the stored pixels have to be turned to stand upright; width and height above are turned already.
    pub orientation: Orientation,
    /// Keywords from XMP `dc:subject`, IPTC 2:25, EXIF `XPKeywords` and PNG text; at most 64 of at most 64 characters,
    /// each once whatever its case, single lines.
    pub keywords: Vec<String>,
    /// XMP `dc:title`, IPTC 2:05, EXIF `XPTitle` or PNG text; one line of at most 300 characters.
    pub title: Option<String>,
    /// XMP `dc:description`, IPTC 2:120, EXIF `ImageDescription` or PNG text; one line of at most 4,000 characters.
    pub description: Option<String>,
}

/// The size of a rendition, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Width in pixels, 1 to 65,500.
    pub width: u32,
    /// Height in pixels, 1 to 65,500.
    pub height: u32,
}

impl Frame {
    /// Full-screen on a phone: TikTok, stories.
    pub const VERTICAL: Self = Self { width: 1080, height: 1920 };
    /// Feeds.
    pub const SQUARE: Self = Self { width: 1080, height: 1080 };
    /// Link cards and X.
    pub const WIDE: Self = Self { width: 1200, height: 675 };

    fn can_be_written(self) -> bool {
        (1..=65_500).contains(&self.width) && (1..=65_500).contains(&self.height)
    }
}

/// A photo cut to a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// The frame, and so the JPEG's size.
    pub frame: Frame,
    /// Baseline JPEG, 4:2:0, sRGB, without metadata.
    pub jpeg: Vec<u8>,
    /// `true` if all of the photo stands over a blurred cover of itself, `false` if its middle fills the frame.
    pub fitted: bool,
}

/// Pixels of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Red, green, blue; row after row from the top, without padding.
    pub pixels: Vec<u8>,
}

/// Checks a photo's structure and limits and reads what it says about itself. The pixels are not decoded: damage
/// inside them shows in [`renditions`].
///
/// # Errors
/// Why the photo is not taken.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<PhotoFacts, Rejection> {
    let (format, anatomy) = anatomy::read(bytes, limits)?;
    let orientation = anatomy.orientation();
    let (width, height) = orientation.turned((anatomy.width, anatomy.height));
    let words = words::read(&anatomy);
    Ok(PhotoFacts {
        format,
        width,
        height,
        orientation,
        keywords: words.keywords,
        title: words.title,
        description: words.description,
    })
}

/// The photo without EXIF, GPS, XMP, IPTC, comments, previews and whatever else it carries, standing upright; of the
/// same type and with its colour profile.
///
/// A photo that stands upright as stored keeps its picture bit for bit. A JPEG is turned losslessly where its sides are
/// whole blocks, else encoded anew at quality 95, as WebP is (a CMYK one loses up to 15 pixels at an edge instead); a PNG
/// that is turned comes out with 8 bits to a colour, and a WebP that is lossless or transparent is not turned above 16
/// megapixels.
///
/// # Errors
/// Why the photo is not taken.
pub fn clean(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, Rejection> {
    let (format, anatomy) = anatomy::read(bytes, limits)?;
    let orientation = anatomy.orientation();
    match (format, orientation) {
        (MediaType::Jpeg, Orientation::UPRIGHT) => jpeg::strip(bytes),
        (MediaType::Png, Orientation::UPRIGHT) => png::strip(bytes),
        (MediaType::WebP, Orientation::UPRIGHT) => webp::strip(bytes),
        (MediaType::Jpeg, _) => jpeg::strip_upright(bytes, &anatomy, orientation),
        (MediaType::Png, _) => png::strip_upright(bytes, &anatomy, orientation),
        (MediaType::WebP, _) => webp::strip_upright(bytes, &anatomy, orientation),
        _ => gif::strip(bytes),
    }
}

/// The photo cut to each frame, in the frames' order.
///
/// A photo that is at least as large as the frame in both directions fills it with its middle, scaled down. A smaller
/// one is never blown up to fill: all of it is fitted into the frame, enlarged 1.5 times at most, over a blurred and
/// slightly darkened cover of itself.
///
/// Pixels come upright and in sRGB (an embedded profile is converted); transparency shows white. At most `threads`
/// threads work, the caller's included.
///
/// # Errors
/// Why the photo is not taken; [`Rejection::Engine`] for a frame that no JPEG can have.
pub fn renditions(
    bytes: &[u8],
    limits: &Limits,
    frames: &[Frame],
    threads: usize,
) -> Result<Vec<Rendition>, Rejection> {
    if let Some(Frame { width, height }) = frames.iter().find(|frame| !frame.can_be_written()) {
        return Err(Rejection::engine(format!("no JPEG can be {width}x{height} pixels")));
    }
    let (format, anatomy) = anatomy::read(bytes, limits)?;
    let orientation = anatomy.orientation();
    let to_srgb = anatomy.icc.as_deref().and_then(ToSrgb::from_rgb);
    let size = (anatomy.width, anatomy.height);
    let job = |frame: &Frame| {
        let stored = orientation.turned((frame.width as usize, frame.height as usize));
        Job { frame: *frame, plan: Plan::new(size, stored) }
    };
    let jobs: Vec<Job> = frames.iter().map(job).collect();
    let finish = Finish { orientation, to_srgb: to_srgb.as_ref() };
    match format {
        MediaType::Jpeg => {
            // One decoding serves all frames: reading the entropy-coded data is most of the work at any size.
            let reduction = jobs.iter().map(|job| job.plan.sharp.reduction()).fold(8.0, f64::min);
            let picture =
                jpeg::decode(bytes, &anatomy, jpeg::reduction_for(reduction), to_srgb.is_none())?;
            spread(jobs, threads, |job| finish.of_picture(&job, &picture)).into_iter().collect()
        }
        MediaType::WebP => {
            let picture = webp::decode(bytes, &anatomy, to_srgb.is_none())?;
            spread(jobs, threads, |job| finish.of_picture(&job, &picture)).into_iter().collect()
        }
        MediaType::Png => {
            from_rows(&anatomy, jobs, &finish, threads, |rows| png::rows(bytes, &anatomy, rows))
        }
        _ => from_rows(&anatomy, jobs, &finish, threads, |rows| gif::rows(bytes, rows)),
    }
}

/// A small picture of the photo, upright and in sRGB, at most `max_side` pixels (at least 1) wide and high; a smaller
/// photo stays as it is.
///
/// # Errors
/// Why the photo is not taken.
pub fn thumbnail(bytes: &[u8], limits: &Limits, max_side: u32) -> Result<Rgb, Rejection> {
    let (format, anatomy) = anatomy::read(bytes, limits)?;
    let size = (anatomy.width, anatomy.height);
    let scale = f64::from(max_side) / f64::from(size.0.max(size.1).max(1));
    let side = |length: u32| ((f64::from(length) * scale.min(1.0)).round() as usize).max(1);
    let target = Target::whole(size, (side(size.0), side(size.1)));
    let planes = match format {
        MediaType::Jpeg => {
            let picture =
                jpeg::decode(bytes, &anatomy, jpeg::reduction_for(target.reduction()), false)?;
            picture.resample(&target, &mut Resizer::new())?
        }
        MediaType::WebP => {
            webp::decode(bytes, &anatomy, false)?.resample(&target, &mut Resizer::new())?
        }
        MediaType::Png => shrink(size, &[target], 1, |rows| png::rows(bytes, &anatomy, rows))?,
        _ => shrink(size, &[target], 1, |rows| gif::rows(bytes, rows))?,
    };
    let plane = planes.into_iter().next().ok_or_else(|| Rejection::engine("no pixels"))?;
    let mut plane = frame::turn(plane, anatomy.orientation());
    if let Some(to_srgb) = anatomy.icc.as_deref().and_then(ToSrgb::from_rgb) {
        to_srgb.convert(&mut plane.samples)?;
    }
    Ok(Rgb { width: plane.width as u32, height: plane.height as u32, pixels: plane.samples })
}

/// One frame to fill.
struct Job {
    frame: Frame,
    plan: Plan,
}

/// What happens to every frame after resampling.
struct Finish<'a> {
    orientation: Orientation,
    to_srgb: Option<&'a ToSrgb>,
}

impl Finish<'_> {
    fn of_picture(&self, job: &Job, picture: &Picture) -> Result<Rendition, Rejection> {
        let mut resizer = Resizer::new();
        let sharp = picture.resample(&job.plan.sharp, &mut resizer)?;
        let blurred = job.plan.blurred.map(|target| picture.resample(&target, &mut resizer));
        self.of_planes(job, sharp, blurred.transpose()?, &mut resizer)
    }

    fn of_planes(
        &self,
        job: &Job,
        sharp: Vec<Plane>,
        blurred: Option<Vec<Plane>>,
        resizer: &mut Resizer,
    ) -> Result<Rendition, Rejection> {
        let fitted = blurred.is_some();
        let planes = frame::compose(&job.plan, sharp, blurred, resizer)?;
        let jpeg = frame::encode(planes, self.orientation, self.to_srgb)?;
        Ok(Rendition { frame: job.frame, jpeg, fitted })
    }
}

/// Frames from a photo that is decoded row by row.
fn from_rows(
    anatomy: &Anatomy<'_>,
    jobs: Vec<Job>,
    finish: &Finish<'_>,
    threads: usize,
    decode: impl FnOnce(&mut shrink::Rows<'_>) -> Result<(), Rejection>,
) -> Result<Vec<Rendition>, Rejection> {
    let targets: Vec<Target> = jobs.iter().flat_map(|job| job.plan.targets()).collect();
    let planes = shrink((anatomy.width, anatomy.height), &targets, threads, decode)?;
    let mut planes = planes.into_iter().map(|plane| vec![plane]);
    let with_planes = jobs.into_iter().filter_map(|job| {
        let sharp = planes.next()?;
        let blurred = job.plan.blurred.and_then(|_| planes.next());
        Some((job, sharp, blurred))
    });
    let finished = spread(with_planes.collect(), threads, |(job, sharp, blurred)| {
        finish.of_planes(&job, sharp, blurred, &mut Resizer::new())
    });
    finished.into_iter().collect()
}
