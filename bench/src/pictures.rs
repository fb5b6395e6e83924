//! Photos that are drawn, so that nobody has to keep large ones.

use turbojpeg::{Image, PixelFormat, Subsamp};

/// A photo with gradients and edges, as JPEG.
///
/// # Errors
/// libjpeg-turbo takes no picture of this size.
pub fn photo(width: usize, height: usize) -> turbojpeg::Result<Vec<u8>> {
    let mut pixels = vec![0u8; width * height * 3];
    for (at, pixel) in pixels.chunks_exact_mut(3).enumerate() {
        let (x, y) = (at % width, at / width);
        let grain = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 7 & 15;
        let disc = if (x % 512).abs_diff(256).pow(2) + (y % 512).abs_diff(256).pow(2) < 30_000 {
            90
        } else {
            0
        };
        pixel.copy_from_slice(&[
            (x * 160 / width + grain + disc) as u8,
            (y * 200 / height + grain) as u8,
            (120 + grain) as u8,
        ]);
    }
    let image = Image {
        pixels: pixels.as_slice(),
        width,
        pitch: width * 3,
        height,
        format: PixelFormat::RGB,
    };
    Ok(turbojpeg::compress(image, 90, Subsamp::Sub2x2)?.to_vec())
}

/// The same photo with another comment, and so another content.
pub fn numbered(jpeg: &[u8], number: u32) -> Vec<u8> {
    let comment = format!("photo {number:06}");
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xfe, 0, comment.len() as u8 + 2];
    bytes.extend(comment.as_bytes());
    bytes.extend(jpeg.iter().skip(2));
    bytes
}
