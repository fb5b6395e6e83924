//! GIF, still ones: its blocks, decoding, and cleaning without touching the picture.

use std::borrow::Cow;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::Rejection;
use super::anatomy::Anatomy;
use super::shrink::Rows;

/// The parts of the file after its head, in order.
#[derive(PartialEq)]
enum Kind {
    /// A picture with its colour table.
    Image,
    /// How the next picture is shown: transparency, delay.
    Control,
    /// The XMP packet's application block.
    Xmp,
    /// Comments, plain text, other applications' blocks.
    Other,
}

struct Blocks<'a> {
    /// Signature, screen size and global colour table.
    head: &'a [u8],
    blocks: Vec<(Kind, &'a [u8])>,
}

/// All blocks to the trailer (GIF89a specification).
fn blocks(bytes: &[u8]) -> Result<Blocks<'_>, Rejection> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let byte = |at: usize| bytes.get(at).copied().ok_or(Rejection::Truncated);
    // Length-prefixed pieces up to an empty one; answers what follows it.
    let skip = |mut at: usize| loop {
        match byte(at)? {
            0 => return Ok::<usize, Rejection>(at + 1),
            length => at += 1 + usize::from(length),
        }
    };
    let mut at = 13 + table(byte(10)?);
    let head = bytes.get(..at).ok_or(Rejection::Truncated)?;
    let mut found = Vec::new();
    loop {
        let start = at;
        let kind = match byte(at)? {
            0x3b => return Ok(Blocks { head, blocks: found }),
            0x2c => {
                at = skip(at + 11 + table(byte(at + 9)?))?;
                Kind::Image
            }
            0x21 => {
                let label = byte(at + 1)?;
                at = skip(at + 2)?;
                let block = bytes.get(start + 2..at).unwrap_or_default();
                match label {
                    0xf9 => Kind::Control,
                    0xff if block.starts_with(b"\x0bXMP DataXMP") => Kind::Xmp,
                    _ => Kind::Other,
                }
            }
            _ => return Err(Rejection::corrupt("an unknown GIF block")),
        };
        found.push((kind, bytes.get(start..at).ok_or(Rejection::Truncated)?));
    }
}

/// Reads the structure.
pub(super) fn anatomy(bytes: &[u8]) -> Result<Anatomy<'_>, Rejection> {
    let found = blocks(bytes)?;
    match found.blocks.iter().filter(|(kind, _)| *kind == Kind::Image).count() {
        0 => return Err(Rejection::corrupt("a GIF without a picture")),
        1 => {}
        _ => return Err(Rejection::Animated),
    }
    let side = |at: usize| {
        let bytes = found.head.get(at..).and_then(<[u8]>::first_chunk).copied();
        u32::from(bytes.map_or(0, u16::from_le_bytes))
    };
    // The packet stands in the block as it is, followed by a ramp of 258 bytes that lets decoders skip it.
    let xmp = found.blocks.iter().find(|(kind, _)| *kind == Kind::Xmp);
    let xmp = xmp.and_then(|(_, block)| block.get(14..block.len().checked_sub(258)?));
    Ok(Anatomy {
        width: side(6),
        height: side(8),
        xmp: xmp.map(Cow::Borrowed),
        ..Anatomy::default()
    })
}

/// The same picture, bit for bit, without comments, applications' blocks and whatever follows its end.
pub(super) fn strip(bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    let found = blocks(bytes)?;
    let kept = found.blocks.iter().filter(|(kind, _)| matches!(kind, Kind::Image | Kind::Control));
    let mut out = found.head.to_vec();
    kept.for_each(|(_, block)| out.extend_from_slice(block));
    out.push(0x3b);
    Ok(out)
}

/// Decodes and hands over RGB rows from the top; what is transparent or outside the picture is white.
pub(super) fn rows(bytes: &[u8], sink: &mut Rows<'_>) -> Result<(), Rejection> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Unlimited); // the size was held against the limits before
    options.check_frame_consistency(true);
    let mut decoder = options.read_info(bytes).map_err(refusal)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.read_next_frame().map_err(refusal)?.ok_or(Rejection::Truncated)?;
    let palette = frame.palette.as_deref().or(global.as_deref()).unwrap_or_default();
    let mut colours = [[255u8; 3]; 256];
    for (colour, entry) in colours.iter_mut().zip(palette.as_chunks::<3>().0) {
        *colour = *entry;
    }
    if let Some(transparent) = frame.transparent {
        colours[usize::from(transparent)] = [255; 3];
    }
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let mut lines = frame.buffer.chunks_exact(usize::from(frame.width).max(1));
    let mut row = vec![[255u8; 3]; width];
    for y in 0..height {
        row.fill([255; 3]);
        if let Some(line) = (y >= top).then(|| lines.next()).flatten() {
            for (pixel, index) in row.iter_mut().skip(left).zip(line) {
                *pixel = colours[usize::from(*index)];
            }
        }
        sink.row(row.as_flattened())?;
    }
    Ok(())
}

fn refusal(error: gif::DecodingError) -> Rejection {
    match error {
        gif::DecodingError::Io(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            Rejection::Truncated
        }
        other => Rejection::corrupt(other),
    }
}
