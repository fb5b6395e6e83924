//! WebP: its chunks, decoding, and cleaning without touching the picture.

use std::borrow::Cow;
use std::sync::Arc;

use webpx::{BitstreamFormat, Decoder, DecoderConfig, Encoder, Limits, Unstoppable, YuvPlanesRef};

use super::anatomy::Anatomy;
use super::orientation::Orientation;
use super::picture::{Layer, Picture};
use super::shrink::flatten;
use super::{REENCODE_QUALITY, Rejection};

const EXIF_FLAG: u8 = 0x08;
const XMP_FLAG: u8 = 0x04;
const ANIMATION_FLAG: u8 = 0x02;
const ICC_FLAG: u8 = 0x20;
const ALPHA_FLAG: u8 = 0x10;

/// Encoding without loss takes some 40 bytes a pixel, so that larger pictures are not turned.
const MOST_PIXELS_ENCODED: u64 = 16_000_000;

struct Chunk<'a> {
    kind: &'a [u8; 4],
    body: &'a [u8],
}

/// All chunks within the length that the file declares (RIFF). What follows it is not looked at.
fn chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, Rejection> {
    let length = |bytes: &[u8]| bytes.first_chunk().copied().map(u32::from_le_bytes);
    let declared = bytes.get(4..).and_then(length).ok_or(Rejection::Truncated)? as usize;
    let mut rest = bytes.get(12..declared + 8).ok_or(Rejection::Truncated)?;
    let mut found = Vec::new();
    while let Some(kind) = rest.first_chunk() {
        let length = rest.get(4..).and_then(length).ok_or(Rejection::Truncated)? as usize;
        let body = rest.get(8..8 + length).ok_or(Rejection::Truncated)?;
        found.push(Chunk { kind, body });
        // Some writers forget the padding of an odd last chunk.
        rest = rest.get(8 + length + length % 2..).unwrap_or_default();
    }
    Ok(found)
}

/// Reads the structure.
pub(super) fn anatomy(bytes: &[u8]) -> Result<Anatomy<'_>, Rejection> {
    let mut anatomy = Anatomy::default();
    let mut size = None;
    for Chunk { kind, body } in chunks(bytes)? {
        match kind {
            b"VP8X" if body.first().is_some_and(|flags| flags & ANIMATION_FLAG != 0) => {
                return Err(Rejection::Animated);
            }
            b"ANIM" | b"ANMF" => return Err(Rejection::Animated),
            b"VP8 " => size = size.or(lossy_size(body)),
            b"VP8L" => size = size.or(lossless_size(body)),
            // Some writers put JPEG's prefix before the TIFF structure.
            b"EXIF" => {
                anatomy.exif = anatomy.exif.or(Some(body.strip_prefix(b"Exif\0\0").unwrap_or(body)))
            }
            b"XMP " if anatomy.xmp.is_none() => anatomy.xmp = Some(Cow::Borrowed(body)),
            b"ICCP" if anatomy.icc.is_none() => anatomy.icc = Some(Cow::Borrowed(body)),
            _ => {}
        }
    }
    (anatomy.width, anatomy.height) =
        size.ok_or_else(|| Rejection::corrupt("a WebP without a picture"))?;
    Ok(anatomy)
}

/// Width and height of a VP8 key frame (RFC 6386, 9.1).
fn lossy_size(body: &[u8]) -> Option<(u32, u32)> {
    let [.., w0, w1, h0, h1] = body.first_chunk::<10>()?;
    let side = |bytes: [u8; 2]| u32::from(u16::from_le_bytes(bytes) & 0x3fff);
    (body.get(3..6)? == [0x9d, 0x01, 0x2a]).then(|| (side([*w0, *w1]), side([*h0, *h1])))
}

/// Width and height of a VP8L picture (WebP lossless bitstream, 3).
fn lossless_size(body: &[u8]) -> Option<(u32, u32)> {
    let bits = body.strip_prefix(&[0x2f])?.first_chunk().copied().map(u32::from_le_bytes)?;
    Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
}

/// Writes a file of chunks.
fn assemble<'a>(chunks: impl Iterator<Item = (&'a [u8; 4], Cow<'a, [u8]>)>) -> Vec<u8> {
    let mut out = b"RIFF\0\0\0\0WEBP".to_vec();
    for (kind, body) in chunks {
        out.extend_from_slice(kind);
        out.extend_from_slice(&(body.len() as u32).to_le_bytes());
        out.extend_from_slice(&body);
        out.extend((body.len() % 2 == 1).then_some(0));
    }
    let length = (out.len() - 8) as u32;
    if let Some(field) = out.get_mut(4..8) {
        field.copy_from_slice(&length.to_le_bytes());
    }
    out
}

/// The same picture, bit for bit, without metadata and whatever follows its end.
pub(super) fn strip(bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    let found = chunks(bytes)?;
    let kept = found.iter().filter_map(|Chunk { kind, body }| match *kind {
        b"VP8X" => {
            let mut head = body.to_vec();
            *head.first_mut()? &= !(EXIF_FLAG | XMP_FLAG);
            Some((*kind, Cow::Owned(head)))
        }
        b"VP8 " | b"VP8L" | b"ALPH" | b"ICCP" => Some((*kind, Cow::Borrowed(*body))),
        _ => None,
    });
    Ok(assemble(kept))
}

fn decoder<'a>(bytes: &'a [u8], anatomy: &Anatomy<'_>) -> Result<Decoder<'a>, Rejection> {
    // The size was held against our own limits before.
    let config = DecoderConfig::new().limits(Limits::none());
    let decoder = Decoder::new(bytes).map_err(Rejection::corrupt)?.config(config);
    anatomy.agrees(decoder.info().width as usize, decoder.info().height as usize)?;
    Ok(decoder)
}

/// Decodes, as planes if wanted and the picture is lossy and opaque, else as RGB with transparency over white.
pub(super) fn decode(
    bytes: &[u8],
    anatomy: &Anatomy<'_>,
    planes: bool,
) -> Result<Picture, Rejection> {
    let decoder = decoder(bytes, anatomy)?;
    let info = decoder.info();
    let (width, height) = (info.width as usize, info.height as usize);
    if planes && info.format == BitstreamFormat::Lossy && !info.has_alpha {
        let planes = decoder.decode_yuv().map_err(Rejection::corrupt)?;
        let layer = |samples, width, height, step| {
            let samples = Arc::new(samples);
            Layer { samples, start: 0, width, height, channels: 1, step: (step, step) }
        };
        let half = height.div_ceil(2);
        return Ok(Picture {
            layers: vec![
                layer(planes.y, planes.y_stride, height, 1.0),
                layer(planes.u, planes.u_stride, half, 2.0),
                layer(planes.v, planes.v_stride, half, 2.0),
            ],
            video_range: true,
        });
    }
    let (mut samples, channels) = interleaved(decoder)?;
    if channels == 4 {
        for at in 0..width * height {
            let pixel = std::array::from_fn(|channel| samples[4 * at + channel]);
            samples[3 * at..3 * at + 3].copy_from_slice(&flatten(pixel));
        }
        samples.truncate(3 * width * height);
    }
    let samples = Arc::new(samples);
    let layer = Layer { samples, start: 0, width, height, channels: 3, step: (1.0, 1.0) };
    Ok(Picture { layers: vec![layer], video_range: false })
}

/// RGBA if there is transparency, else RGB; and how many bytes a pixel takes.
fn interleaved(decoder: Decoder<'_>) -> Result<(Vec<u8>, usize), Rejection> {
    let (width, height) = (decoder.info().width, decoder.info().height);
    let channels = if decoder.info().has_alpha { 4 } else { 3 };
    let mut samples = vec![0; width as usize * height as usize * channels];
    let result = match channels {
        4 => decoder.decode_rgba_into(&mut samples, 4 * width),
        _ => decoder.decode_rgb_into(&mut samples, 3 * width),
    };
    result.map_err(Rejection::corrupt)?;
    Ok((samples, channels))
}

/// The picture turned upright and encoded anew (lossless if it was), without metadata but with its profile.
pub(super) fn strip_upright(
    bytes: &[u8],
    anatomy: &Anatomy<'_>,
    orientation: Orientation,
) -> Result<Vec<u8>, Rejection> {
    let decoder = decoder(bytes, anatomy)?;
    let info = decoder.info().clone();
    let stored_width = info.width as usize;
    let (width, height) = orientation.turned((info.width, info.height));
    let lossless = info.format == BitstreamFormat::Lossless;
    let encode = |encoder: Encoder<'_>| {
        let encoder = encoder.quality(REENCODE_QUALITY as f32).lossless(lossless);
        encoder.encode(Unstoppable).map_err(Rejection::engine)
    };
    let turned = if lossless || info.has_alpha {
        let limit = MOST_PIXELS_ENCODED;
        if u64::from(width) * u64::from(height) > limit {
            return Err(Rejection::TooManyPixels { width, height, limit });
        }
        let (samples, channels) = interleaved(decoder)?;
        if channels == 4 {
            let upright = orientation.turn::<4>(&samples, stored_width);
            drop(samples);
            encode(Encoder::new_rgba(&upright, width, height))?
        } else {
            let upright = orientation.turn::<3>(&samples, stored_width);
            drop(samples);
            encode(Encoder::new_rgb(&upright, width, height))?
        }
    } else {
        let stored = decoder.decode_yuv().map_err(Rejection::corrupt)?;
        let half = stored_width.div_ceil(2);
        let turn = |samples: &[u8], stride: usize, width: usize| {
            let rows = samples.chunks_exact(stride);
            let unpadded: Vec<u8> = rows.flat_map(|row| row.iter().take(width)).copied().collect();
            orientation.turn::<1>(&unpadded, width)
        };
        let (turned_half, _) = orientation.turned((half, (info.height as usize).div_ceil(2)));
        encode(Encoder::new_yuv(YuvPlanesRef {
            y: &turn(&stored.y, stored.y_stride, stored_width),
            y_stride: width as usize,
            u: &turn(&stored.u, stored.u_stride, half),
            u_stride: turned_half,
            v: &turn(&stored.v, stored.v_stride, half),
            v_stride: turned_half,
            a: None,
            a_stride: 0,
            width,
            height,
        }))?
    };
    with_profile(turned, (width, height), info.has_alpha, anatomy.icc.as_deref())
}

/// Puts a profile into a freshly encoded file: that takes the extended file format, whose head comes first.
fn with_profile(
    webp: Vec<u8>,
    (width, height): (u32, u32),
    has_alpha: bool,
    icc: Option<&[u8]>,
) -> Result<Vec<u8>, Rejection> {
    let Some(icc) = icc else { return Ok(webp) };
    let mut head = vec![ICC_FLAG | if has_alpha { ALPHA_FLAG } else { 0 }, 0, 0, 0];
    for side in [width, height] {
        head.extend(side.saturating_sub(1).to_le_bytes().into_iter().take(3));
    }
    let found = chunks(&webp)?;
    let picture = found.iter().filter(|chunk| chunk.kind != b"VP8X");
    let picture = picture.map(|Chunk { kind, body }| (*kind, Cow::Borrowed(*body)));
    let front = [(b"VP8X", Cow::Owned(head)), (b"ICCP", Cow::Borrowed(icc))];
    Ok(assemble(front.into_iter().chain(picture)))
}
