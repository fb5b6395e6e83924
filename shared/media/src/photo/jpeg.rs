//! JPEG: its segments, decoding at reduced size, and cleaning without touching the picture.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use turbojpeg::{
    Colorspace, Compressor, DecompressHeader, Decompressor, Image, OutputBuf, PixelFormat,
    ScalingFactor, Subsamp, Transform, Transformer, YuvImage, YuvPlanesImage, yuv_pixels_len,
};

use super::anatomy::Anatomy;
use super::colour::cmyk_to_rgb;
use super::frame::turn;
use super::orientation::Orientation;
use super::picture::{Layer, Picture, Plane};
use super::{REENCODE_QUALITY, Rejection};

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
const ICC: &[u8] = b"ICC_PROFILE\0";

/// A progressive file may redraw the whole picture in every scan, at the decoder's cost. Encoders write about ten.
const MOST_SCANS: usize = 100;

/// The factors by which libjpeg-turbo reduces a picture while decoding faster than without.
const REDUCTIONS: [usize; 4] = [8, 4, 2, 1];

/// Turning losslessly holds all coefficients twice; above this many bytes the pixels are turned instead.
const MOST_COEFFICIENTS: usize = 600_000_000;

/// One segment of the file.
#[derive(Debug)]
struct Segment<'a> {
    marker: u8,
    /// What follows the length.
    body: &'a [u8],
    /// From the marker to the next one, entropy-coded data included.
    whole: Range<usize>,
}

/// All segments up to the end-of-image marker. What follows it (previews, films) is not looked at.
fn segments(bytes: &[u8]) -> Result<Vec<Segment<'_>>, Rejection> {
    let mut found = Vec::new();
    let mut at = 2; // after the start-of-image marker
    loop {
        // Tolerates fill bytes and stray bytes between segments, as decoders do.
        at += bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|b| *b == 0xff))
            .ok_or(Rejection::Truncated)?;
        let marker = *bytes.get(at + 1).ok_or(Rejection::Truncated)?;
        match marker {
            0xff => at += 1,
            0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
            0xd9 => return Ok(found),
            _ => {
                let length = bytes.get(at + 2..at + 4).ok_or(Rejection::Truncated)?;
                let length = usize::from(length[0]) << 8 | usize::from(length[1]);
                if length < 2 {
                    return Err(Rejection::corrupt("a segment without length"));
                }
                let mut end = at + 2 + length;
                let body = bytes.get(at + 4..end).ok_or(Rejection::Truncated)?;
                if marker == 0xda {
                    end += entropy_length(bytes.get(end..).unwrap_or_default())?;
                }
                found.push(Segment { marker, body, whole: at..end });
                at = end;
            }
        }
    }
}

/// How far the entropy-coded data reaches: to the first marker that is not a restart.
fn entropy_length(bytes: &[u8]) -> Result<usize, Rejection> {
    let mut at = 0;
    loop {
        at += bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|b| *b == 0xff))
            .ok_or(Rejection::Truncated)?;
        match bytes.get(at + 1).ok_or(Rejection::Truncated)? {
            0x00 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Ok(at),
        }
    }
}

/// Reads the structure.
pub(super) fn anatomy(bytes: &[u8]) -> Result<Anatomy<'_>, Rejection> {
    let mut anatomy = Anatomy::default();
    let mut profile: Vec<(u8, &[u8])> = Vec::new();
    let mut scans = 0;
    for Segment { marker, body, .. } in segments(bytes)? {
        match marker {
            0xe1 if body.starts_with(EXIF) => {
                anatomy.exif = anatomy.exif.or(body.get(EXIF.len()..));
            }
            0xe1 if body.starts_with(XMP) && anatomy.xmp.is_none() => {
                anatomy.xmp = body.get(XMP.len()..).map(Cow::Borrowed);
            }
            0xed if body.starts_with(PHOTOSHOP) => {
                anatomy.iptc = anatomy.iptc.or(body.get(PHOTOSHOP.len()..).and_then(iptc_resource));
            }
            0xe2 if body.starts_with(ICC) => {
                profile.extend(body.get(ICC.len()).copied().zip(body.get(ICC.len() + 2..)));
            }
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                if anatomy.width > 0 {
                    return Err(Rejection::corrupt("two frames in one JPEG"));
                }
                (anatomy.width, anatomy.height) = frame_size(marker, body)?;
            }
            0xda => scans += 1,
            _ => {}
        }
    }
    if anatomy.width == 0 || scans == 0 {
        return Err(Rejection::corrupt("a JPEG without a picture"));
    }
    if scans > MOST_SCANS {
        return Err(Rejection::corrupt(format!("{scans} scans")));
    }
    profile.sort_by_key(|(number, _)| *number);
    anatomy.icc = match profile.as_slice() {
        [] => None,
        [(_, whole)] => Some(Cow::Borrowed(whole)),
        _ => Some(profile.iter().flat_map(|(_, part)| part.iter().copied()).collect()),
    };
    Ok(anatomy)
}

/// Width and height of a frame header, if libjpeg-turbo decodes its kind.
fn frame_size(marker: u8, body: &[u8]) -> Result<(u32, u32), Rejection> {
    let Some([precision, h1, h0, w1, w0]) = body.first_chunk() else {
        return Err(Rejection::corrupt("a short frame header"));
    };
    if *precision != 8 {
        return Err(Rejection::unsupported(format!("A JPEG with {precision} bits to a colour")));
    }
    if !matches!(marker, 0xc0..=0xc2 | 0xc9 | 0xca) {
        return Err(Rejection::unsupported("A lossless or hierarchical JPEG"));
    }
    let (width, height) = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
    if width == 0 || height == 0 {
        return Err(Rejection::corrupt(format!("{width}x{height} pixels")));
    }
    Ok((width.into(), height.into()))
}

/// The IPTC resource (0x0404) among Photoshop's image resources.
fn iptc_resource(mut resources: &[u8]) -> Option<&[u8]> {
    loop {
        let (head, rest) = resources.split_at_checked(7)?;
        let name = usize::from(head[6]) | 1; // the length byte and the name are padded to an even length
        let rest = rest.get(name..)?;
        let (length, rest) = rest.split_at_checked(4)?;
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        if head.starts_with(b"8BIM\x04\x04") {
            return rest.get(..length);
        }
        resources = rest.get(length.checked_add(length % 2)?..)?;
    }
}

/// Whether a segment belongs to the picture rather than to its story.
fn kept(segment: &Segment<'_>) -> bool {
    match segment.marker {
        0xe0 => segment.body.starts_with(b"JFIF\0"),
        0xe2 => segment.body.starts_with(ICC),
        0xee => segment.body.starts_with(b"Adobe"),
        0xe1..=0xef | 0xfe => false,
        _ => true,
    }
}

/// The same picture, bit for bit, without metadata, previews and whatever follows its end.
pub(super) fn strip(bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&[0xff, 0xd8]);
    for segment in segments(bytes)?.iter().filter(|segment| kept(segment)) {
        match segment.body.get(..12) {
            // The JFIF header, less the preview that may follow it.
            Some(header) if segment.marker == 0xe0 => {
                out.extend_from_slice(&[0xff, 0xe0, 0, 16]);
                out.extend_from_slice(header);
                out.extend_from_slice(&[0, 0]);
            }
            _ => out.extend_from_slice(bytes.get(segment.whole.clone()).unwrap_or_default()),
        }
    }
    out.extend_from_slice(&[0xff, 0xd9]);
    Ok(out)
}

/// The picture turned upright, without metadata but with its profile. Lossless where whole blocks allow it; otherwise
/// the planes are turned and encoded once more, at a quality that cannot be told from the original.
pub(super) fn strip_upright(
    bytes: &[u8],
    anatomy: &Anatomy<'_>,
    orientation: Orientation,
) -> Result<Vec<u8>, Rejection> {
    let header = header(bytes)?;
    anatomy.agrees(header.width, header.height)?;
    let planar = has_planes(&header);
    let (mirror_columns, mirror_rows) = orientation.mirrors();
    let (block_width, block_height) = header.subsamp.mcu_size();
    let whole_blocks = !(mirror_columns && header.width % block_width != 0
        || mirror_rows && header.height % block_height != 0);
    let to_a_colour = header.subsamp.width() * header.subsamp.height();
    let samples = header.width * header.height * (to_a_colour + 2) / to_a_colour;
    let turned = if planar && (!whole_blocks || 4 * samples > MOST_COEFFICIENTS) {
        reencode(&decode(bytes, anatomy, 1, true)?, &header, orientation)?
    } else {
        transform(bytes, orientation, header.is_progressive)?
    };
    Ok(with_profile(strip(&turned)?, anatomy.icc.as_deref()))
}

/// Turns the coefficients. Without planes (CMYK and the like) a part of a block at the edge is cut off.
fn transform(
    bytes: &[u8],
    orientation: Orientation,
    progressive: bool,
) -> Result<Vec<u8>, Rejection> {
    let mut transform = Transform::op(orientation.transform());
    (transform.trim, transform.progressive, transform.copy_none) = (true, progressive, true);
    let mut out = OutputBuf::new_owned();
    let mut transformer = Transformer::new().map_err(Rejection::engine)?;
    tolerate(transformer.transform(&transform, bytes, &mut out))?;
    Ok(out.to_vec())
}

/// Turns the planes and encodes them again, colour resolution unchanged.
fn reencode(
    picture: &Picture,
    header: &DecompressHeader,
    orientation: Orientation,
) -> Result<Vec<u8>, Rejection> {
    let (width, height) = orientation.turned((header.width, header.height));
    let subsamp = if orientation.swaps_sides() { turned(header.subsamp) } else { header.subsamp };
    let mut planes = picture.layers.iter().map(|layer| turn(unpadded(layer, header), orientation));
    let mut compressor = Compressor::new().map_err(Rejection::engine)?;
    compressor.set_quality(REENCODE_QUALITY).map_err(Rejection::engine)?;
    compressor.set_subsamp(subsamp).map_err(Rejection::engine)?;
    let Some(mut luma) = planes.next() else { return Err(Rejection::engine("no planes")) };
    let (Some(blue), Some(red)) = (planes.next(), planes.next()) else {
        let pixels = luma.samples.as_slice();
        let image = Image { pixels, width, pitch: width, height, format: PixelFormat::GRAY };
        return compressor.compress_to_vec(image).map_err(Rejection::engine);
    };
    luma.pad(subsamp.size());
    let image = YuvPlanesImage {
        y_plane: luma.samples.as_slice(),
        u_plane: blue.samples.as_slice(),
        v_plane: red.samples.as_slice(),
        width,
        height,
        y_stride: luma.width,
        u_stride: blue.width,
        v_stride: red.width,
        subsamp,
    };
    compressor.compress_yuv_planes_to_vec(&image).map_err(Rejection::engine)
}

/// The colour resolution after width and height have changed places.
fn turned(subsamp: Subsamp) -> Subsamp {
    match subsamp {
        Subsamp::Sub2x1 => Subsamp::Sub1x2,
        Subsamp::Sub1x2 => Subsamp::Sub2x1,
        Subsamp::Sub4x1 => Subsamp::Sub1x4,
        Subsamp::Sub1x4 => Subsamp::Sub4x1,
        same => same,
    }
}

/// A plane without its padding, which after turning would stand on the wrong side.
fn unpadded(layer: &Layer, header: &DecompressHeader) -> Plane {
    let width = (header.width as f64 / layer.step.0).ceil() as usize;
    let height = (header.height as f64 / layer.step.1).ceil() as usize;
    let rows = layer.bytes().chunks_exact(layer.width).take(height);
    let mut samples = Vec::with_capacity(width * height);
    rows.for_each(|row| samples.extend(row.iter().take(width)));
    Plane { samples, width, height, channels: 1 }
}

/// Puts a profile behind the first header segment.
fn with_profile(jpeg: Vec<u8>, icc: Option<&[u8]>) -> Vec<u8> {
    /// A segment holds 65,533 bytes; the profile's own header takes 14 of them.
    const PART: usize = 65_519;
    let Some(icc) = icc.filter(|icc| !icc.is_empty() && icc.len() <= 255 * PART) else {
        return jpeg;
    };
    let at = match segments(&jpeg).ok().and_then(|found| found.into_iter().next()) {
        Some(first) if first.marker == 0xe0 => first.whole.end,
        _ => 2,
    };
    let parts = icc.len().div_ceil(PART) as u8;
    let mut chunks = Vec::with_capacity(icc.len() + 18 * usize::from(parts));
    for (number, part) in (1..=parts).zip(icc.chunks(PART)) {
        chunks.extend_from_slice(&[0xff, 0xe2]);
        chunks.extend_from_slice(&((part.len() + 16) as u16).to_be_bytes());
        chunks.extend_from_slice(ICC);
        chunks.extend_from_slice(&[number, parts]);
        chunks.extend_from_slice(part);
    }
    let mut jpeg = jpeg;
    jpeg.splice(at..at, chunks);
    jpeg
}

fn header(bytes: &[u8]) -> Result<DecompressHeader, Rejection> {
    let mut decompressor = Decompressor::new().map_err(Rejection::engine)?;
    decompressor.read_header(bytes).map_err(refusal)
}

/// Whether luma and colour can be had as planes, without a detour over RGB.
fn has_planes(header: &DecompressHeader) -> bool {
    matches!(header.colorspace, Colorspace::YCbCr | Colorspace::Gray)
        && header.subsamp != Subsamp::Unknown
}

/// The largest factor by which decoding may reduce so that `reduction` stored pixels to a sample are left or fewer.
pub(super) fn reduction_for(reduction: f64) -> usize {
    REDUCTIONS.into_iter().find(|factor| *factor as f64 <= reduction).unwrap_or(1)
}

/// Decodes at a size reduced by 1, 2, 4 or 8, as planes if wanted and possible, else as RGB.
pub(super) fn decode(
    bytes: &[u8],
    anatomy: &Anatomy<'_>,
    reduction: usize,
    planes: bool,
) -> Result<Picture, Rejection> {
    let mut decompressor = Decompressor::new().map_err(Rejection::engine)?;
    let factor = ScalingFactor::new(1, reduction.max(1));
    decompressor.set_scaling_factor(factor).map_err(Rejection::engine)?;
    let header = decompressor.read_header(bytes).map_err(refusal)?;
    anatomy.agrees(header.width, header.height)?;
    let scaled = header.scaled(factor);
    let (width, height, step) = (scaled.width, scaled.height, reduction as f64);
    if !(planes && has_planes(&header)) {
        let inks = matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK);
        let format = if inks { PixelFormat::CMYK } else { PixelFormat::RGB };
        let pitch = width * format.size();
        let mut samples = vec![0; pitch * height];
        let pixels = samples.as_mut_slice();
        tolerate(decompressor.decompress(bytes, Image { pixels, width, pitch, height, format }))?;
        if inks {
            cmyk_to_rgb(&mut samples, anatomy.icc.as_deref())?;
        }
        let samples = Arc::new(samples);
        let layer = Layer { samples, start: 0, width, height, channels: 3, step: (step, step) };
        return Ok(Picture { layers: vec![layer], video_range: false });
    }
    let subsamp = header.subsamp;
    let length = yuv_pixels_len(width, 1, height, subsamp).map_err(refusal)?;
    let mut image = YuvImage { pixels: vec![0; length], width, align: 1, height, subsamp };
    tolerate(decompressor.decompress_to_yuv(bytes, image.as_deref_mut()))?;
    let (luma, colour) = (image.y_size(), image.uv_size());
    let samples = Arc::new(image.pixels);
    let layer = |start, (width, height), step| Layer {
        samples: Arc::clone(&samples),
        start,
        width,
        height,
        channels: 1,
        step,
    };
    let mut layers = vec![layer(0, luma, (step, step))];
    if subsamp != Subsamp::Gray {
        let (across, down) = subsamp.size();
        let step = (step * across as f64, step * down as f64);
        let (start, length) = (luma.0 * luma.1, colour.0 * colour.1);
        layers.push(layer(start, colour, step));
        layers.push(layer(start + length, colour, step));
    }
    Ok(Picture { layers, video_range: false })
}

/// libjpeg warns of flaws and decodes on; the binding makes each warning an error. Stray bytes between segments, which
/// some cameras write, do no harm. (Only the first warning is told; a file cut short never comes this far.)
fn tolerate(result: turbojpeg::Result<()>) -> Result<(), Rejection> {
    match result {
        Err(turbojpeg::Error::TurboJpegError(why)) if why.contains("extraneous bytes") => Ok(()),
        other => other.map_err(refusal),
    }
}

fn refusal(error: turbojpeg::Error) -> Rejection {
    match error {
        turbojpeg::Error::TurboJpegError(why) if why.to_lowercase().contains("premature end") => {
            Rejection::Truncated
        }
        turbojpeg::Error::TurboJpegError(why) => Rejection::Corrupt { why },
        other => Rejection::engine(other),
    }
}
