//! PNG: its chunks, decoding row by row, and cleaning without touching the picture.

use std::borrow::Cow;
use std::io::Cursor;

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use png::{BitDepth, ColorType, Compression, Decoder, DecodingError, Transformations};

use super::Rejection;
use super::anatomy::Anatomy;
use super::orientation::Orientation;
use super::shrink::{Rows, flatten};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The most that a compressed profile or text may unfold to; more is passed over.
const MOST_UNFOLDED: usize = 4 << 20;

/// So many texts are read at most, and only those under these keys.
const MOST_TEXTS: usize = 16;
const KEYS: [&str; 4] = ["title", "description", "keywords", XMP_KEY];
const XMP_KEY: &str = "xml:com.adobe.xmp";

/// The chunks that the picture needs, or that say what its numbers mean. Everything else goes.
const KEPT: [&[u8; 4]; 11] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP",
    b"sBIT",
];

struct Chunk<'a> {
    kind: &'a [u8; 4],
    body: &'a [u8],
    /// Length, kind, body and checksum.
    whole: &'a [u8],
}

/// All chunks to the last one. What follows it is not looked at.
fn chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, Rejection> {
    let mut found = Vec::new();
    let mut rest = bytes.get(SIGNATURE.len()..).ok_or(Rejection::Truncated)?;
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk().ok_or(Rejection::Truncated)?) as usize;
        let (whole, next) = rest.split_at_checked(length + 12).ok_or(Rejection::Truncated)?;
        let kind = whole.get(4..).and_then(<[u8]>::first_chunk).ok_or(Rejection::Truncated)?;
        let body = whole.get(8..8 + length).ok_or(Rejection::Truncated)?;
        found.push(Chunk { kind, body, whole });
        if kind == b"IEND" {
            return Ok(found);
        }
        rest = next;
    }
}

/// Reads the structure.
pub(super) fn anatomy(bytes: &[u8]) -> Result<Anatomy<'_>, Rejection> {
    let mut anatomy = Anatomy::default();
    let (mut has_pixels, mut has_profile, mut texts) = (false, false, 0);
    for Chunk { kind, body, .. } in chunks(bytes)? {
        match kind {
            b"IHDR" if anatomy.width == 0 => {
                let (width, height) =
                    (body.first_chunk(), body.get(4..).and_then(<[u8]>::first_chunk));
                anatomy.width = width.copied().map_or(0, u32::from_be_bytes);
                anatomy.height = height.copied().map_or(0, u32::from_be_bytes);
            }
            b"acTL" => {
                let frames = body.first_chunk().copied().map_or(0, u32::from_be_bytes);
                if frames > 1 {
                    return Err(Rejection::Animated);
                }
            }
            b"IDAT" => has_pixels = true,
            b"eXIf" => anatomy.exif = anatomy.exif.or(Some(body)),
            b"iCCP" if !has_profile => {
                has_profile = true;
                let profile = split_at_nul(body).and_then(|(_, rest)| unfold(rest.get(1..)?));
                anatomy.icc = profile.map(Cow::Owned);
            }
            b"tEXt" | b"zTXt" | b"iTXt" if texts < MOST_TEXTS => {
                let Some((key, rest)) = known_key(body) else { continue };
                texts += 1;
                match text(kind, rest) {
                    Some(text) if key == XMP_KEY => {
                        anatomy.xmp = anatomy.xmp.or(Some(Cow::Owned(text.into_bytes())));
                    }
                    Some(text) => anatomy.texts.push((key, text)),
                    None => {}
                }
            }
            _ => {}
        }
    }
    if anatomy.width == 0 || !has_pixels {
        return Err(Rejection::corrupt("a PNG without a picture"));
    }
    Ok(anatomy)
}

fn split_at_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

fn unfold(compressed: &[u8]) -> Option<Vec<u8>> {
    decompress_to_vec_zlib_with_limit(compressed, MOST_UNFOLDED).ok()
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The key of a text chunk, in small letters, if it is one that is read; and what follows it.
fn known_key(body: &[u8]) -> Option<(&'static str, &[u8])> {
    let (key, rest) = split_at_nul(body)?;
    let known = KEYS.into_iter().find(|known| key.eq_ignore_ascii_case(known.as_bytes()))?;
    Some((known, rest))
}

/// What follows the key in one of the three kinds of text chunk (PNG 3rd edition, 11.3.3).
fn text(kind: &[u8; 4], rest: &[u8]) -> Option<String> {
    match kind {
        b"tEXt" => Some(latin1(rest)),
        b"zTXt" => Some(latin1(&unfold(rest.get(1..)?)?)),
        _ => {
            let (_language, after) = split_at_nul(rest.get(2..)?)?;
            let (_translated_key, text) = split_at_nul(after)?;
            let compressed = rest.first() == Some(&1);
            let text = if compressed { unfold(text)? } else { text.to_vec() };
            String::from_utf8(text).ok()
        }
    }
}

/// The same picture, bit for bit, without metadata, animation leftovers and whatever follows its end.
pub(super) fn strip(bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(SIGNATURE);
    for chunk in chunks(bytes)?.iter().filter(|chunk| KEPT.contains(&chunk.kind)) {
        out.extend_from_slice(chunk.whole);
    }
    Ok(out)
}

fn decoder(bytes: &[u8]) -> Decoder<Cursor<&[u8]>> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder
}

/// Decodes and hands over RGB rows from the top, transparency laid over white.
pub(super) fn rows(
    bytes: &[u8],
    anatomy: &Anatomy<'_>,
    sink: &mut Rows<'_>,
) -> Result<(), Rejection> {
    let mut reader = decoder(bytes).read_info().map_err(refusal)?;
    anatomy.agrees(reader.info().width as usize, reader.info().height as usize)?;
    let (color, _) = reader.output_color_type();
    if reader.info().interlaced {
        let (samples, line) = whole(&mut reader)?;
        for row in samples.chunks_exact(line) {
            rgb_row(row, color, sink)?;
        }
    } else {
        while let Some(row) = reader.next_row().map_err(refusal)? {
            rgb_row(row.data(), color, sink)?;
        }
    }
    reader.finish().map_err(refusal)
}

/// All samples, and the bytes in a row.
fn whole(reader: &mut png::Reader<Cursor<&[u8]>>) -> Result<(Vec<u8>, usize), Rejection> {
    let length = reader.output_buffer_size().ok_or_else(|| Rejection::corrupt("its size"))?;
    let mut samples = vec![0; length];
    let info = reader.next_frame(&mut samples).map_err(refusal)?;
    Ok((samples, info.line_size.max(1)))
}

fn rgb_row(row: &[u8], color: ColorType, sink: &mut Rows<'_>) -> Result<(), Rejection> {
    match color {
        ColorType::Rgb => sink.row(row),
        ColorType::Rgba => sink.row_of(row.as_chunks::<4>().0, |pixel| flatten(*pixel)),
        ColorType::GrayscaleAlpha => sink
            .row_of(row.as_chunks::<2>().0, |[grey, alpha]| flatten([*grey, *grey, *grey, *alpha])),
        _ => sink.row_of(row, |grey| [*grey; 3]),
    }
}

/// The picture turned upright and written anew, 8 bits to a colour, without metadata but with its profile.
pub(super) fn strip_upright(
    bytes: &[u8],
    anatomy: &Anatomy<'_>,
    orientation: Orientation,
) -> Result<Vec<u8>, Rejection> {
    let mut reader = decoder(bytes).read_info().map_err(refusal)?;
    anatomy.agrees(reader.info().width as usize, reader.info().height as usize)?;
    let (color, _) = reader.output_color_type();
    let (samples, line) = whole(&mut reader)?;
    reader.finish().map_err(refusal)?;
    let width = line / color.samples();
    let upright = match color.samples() {
        1 => orientation.turn::<1>(&samples, width),
        2 => orientation.turn::<2>(&samples, width),
        3 => orientation.turn::<3>(&samples, width),
        _ => orientation.turn::<4>(&samples, width),
    };
    drop(samples);
    let info = reader.info();
    let (width, height) = orientation.turned((info.width, info.height));
    let mut upright_info = png::Info::with_size(width, height);
    upright_info.color_type = color;
    upright_info.bit_depth = BitDepth::Eight;
    upright_info.icc_profile = anatomy.icc.as_deref().map(|icc| Cow::Owned(icc.to_vec()));
    let mut out = Vec::new();
    let mut encoder = png::Encoder::with_info(&mut out, upright_info).map_err(Rejection::engine)?;
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header().map_err(Rejection::engine)?;
    writer.write_image_data(&upright).map_err(Rejection::engine)?;
    writer.finish().map_err(Rejection::engine)?;
    Ok(out)
}

fn refusal(error: DecodingError) -> Rejection {
    match error {
        DecodingError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            Rejection::Truncated
        }
        other => Rejection::corrupt(other),
    }
}
