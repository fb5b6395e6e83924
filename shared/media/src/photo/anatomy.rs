//! What a photo's file tells before any pixel is decoded. All limits are checked here, so that nothing large is ever
//! allocated for a photo that will be refused.

use std::borrow::Cow;

use super::orientation::Orientation;
use super::{Limits, Rejection, gif, jpeg, png, webp};
use crate::sniff::{Class, MediaType, sniff};

/// Neither side may be longer: JPEG's and GIF's own limit, here for all, since rows are held whole.
const LONGEST_SIDE: u32 = 65_535;

/// The parts of a photo's file that matter here, as found.
#[derive(Debug, Default)]
pub(super) struct Anatomy<'a> {
    /// Width as stored, before turning.
    pub(super) width: u32,
    /// Height as stored, before turning.
    pub(super) height: u32,
    /// The TIFF structure that holds EXIF fields.
    pub(super) exif: Option<&'a [u8]>,
    /// The XMP packet, XML.
    pub(super) xmp: Option<Cow<'a, [u8]>>,
    /// IPTC-IIM data sets.
    pub(super) iptc: Option<&'a [u8]>,
    /// The ICC profile.
    pub(super) icc: Option<Cow<'a, [u8]>>,
    /// Text chunks: key, in small letters, and text.
    pub(super) texts: Vec<(&'static str, String)>,
}

impl Anatomy<'_> {
    /// Refuses a photo whose decoder sees another size than was held against the limits.
    pub(super) fn agrees(&self, width: usize, height: usize) -> Result<(), Rejection> {
        if (self.width as usize, self.height as usize) == (width, height) {
            return Ok(());
        }
        let (w, h) = (self.width, self.height);
        Err(Rejection::corrupt(format!("{w}x{h} pixels in one place, {width}x{height} in another")))
    }

    /// How the photo has to be turned.
    pub(super) fn orientation(&self) -> Orientation {
        self.exif.map_or(Orientation::UPRIGHT, super::words::orientation)
    }
}

/// Reads the structure of a whole file and holds it against the limits.
pub(super) fn read<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(MediaType, Anatomy<'a>), Rejection> {
    if bytes.is_empty() {
        return Err(Rejection::Empty);
    }
    let length = bytes.len() as u64;
    if length > limits.max_bytes {
        return Err(Rejection::TooManyBytes { bytes: length, limit: limits.max_bytes });
    }
    let format = sniff(bytes).ok_or(Rejection::UnknownType)?;
    if format.class() != Class::Photo {
        return Err(Rejection::NotAPhoto { found: format });
    }
    let anatomy = match format {
        MediaType::Jpeg => jpeg::anatomy(bytes)?,
        MediaType::Png => png::anatomy(bytes)?,
        MediaType::WebP => webp::anatomy(bytes)?,
        MediaType::Gif => gif::anatomy(bytes)?,
        MediaType::Heic => return Err(Rejection::unsupported("HEIC")),
        _ => return Err(Rejection::unsupported("AVIF")),
    };
    let (width, height) = (anatomy.width, anatomy.height);
    if width == 0 || height == 0 {
        return Err(Rejection::corrupt(format!("{width}x{height} pixels")));
    }
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(Rejection::TooManyPixels { width, height, limit: limits.max_pixels });
    }
    if width.max(height) > LONGEST_SIDE {
        return Err(Rejection::unsupported(format!("A photo of {width}x{height} pixels")));
    }
    Ok((format, anatomy))
}
