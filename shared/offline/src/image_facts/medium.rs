//! Whether a picture was photographed or drawn.
//!
//! A photo has many colours, or neighbours that are nearly alike and yet not quite; a drawing has few colours in even
//! areas. The ground, which is the most frequent colour, says little: products are photographed on white as logos
//! stand on it.

use std::collections::BTreeMap;

use nexus_media::photo::Rgb;

/// Colours that cover four fifths of what is not ground: so many look drawn, so many photographed.
const DRAWN_COLOURS: f64 = 12.0;
const PHOTOGRAPHED_COLOURS: f64 = 40.0;
/// Parts of the picture that are nearly even: so much is what a JPEG does to a drawing's edges, so much is texture.
const EDGES: f64 = 0.25;
const TEXTURE: f64 = 0.5;
/// Less that is not even than this part is a smooth blend of colours, drawn or out of focus: who knows?
const SMOOTH: f64 = 0.02;
/// Nobody can be surer than this from pixels alone.
const SUREST: f64 = 0.95;

/// `photo` or `graphic` and how sure that is, 0.5 to 0.95; `None` where nothing can be said.
pub(super) fn medium(picture: &Rgb) -> Option<(&'static str, f64)> {
    let pixels = picture.pixels.as_chunks::<3>().0;
    let mut counts: BTreeMap<[u8; 3], usize> = BTreeMap::new();
    for pixel in pixels {
        *counts.entry(coarse(*pixel)).or_default() += 1;
    }
    let (ground, covered) = counts.iter().max_by_key(|(_, count)| **count)?;
    let beside_ground = 1.0 - *covered as f64 / pixels.len() as f64;
    let (nearly, rough) = unevenness(pixels, picture.width as usize);
    let many =
        ramp(colours(&counts, *ground).log2(), DRAWN_COLOURS.log2(), PHOTOGRAPHED_COLOURS.log2());
    if many > 0.0 && rough < SMOOTH * beside_ground {
        return None;
    }
    // Texture on a ground may be a product or the edges of fine print: that leaves it open.
    let texture = ramp(nearly, EDGES, TEXTURE);
    let on_ground = ramp(nearly / beside_ground.max(f64::EPSILON), EDGES, TEXTURE) / 2.0;
    let photo = many.max(texture).max(on_ground).clamp(1.0 - SUREST, SUREST);
    Some(if photo >= 0.5 { ("photo", photo) } else { ("graphic", 1.0 - photo) })
}

/// 16 steps a channel.
fn coarse(pixel: [u8; 3]) -> [u8; 3] {
    pixel.map(|channel| channel / 16)
}

/// How many colours cover four fifths of what is not ground; at least 1.
fn colours(counts: &BTreeMap<[u8; 3], usize>, ground: [u8; 3]) -> f64 {
    let mut rest: Vec<usize> =
        counts.iter().filter(|(colour, _)| **colour != ground).map(|(_, count)| *count).collect();
    rest.sort_unstable_by(|a, b| b.cmp(a));
    let mut missing = (rest.iter().sum::<usize>() * 4 / 5) as i64;
    let needed = rest.iter().take_while(|count| {
        let needed = missing > 0;
        missing -= **count as i64;
        needed
    });
    needed.count().max(1) as f64
}

/// The parts of the pixels that differ a little (2 to 12 of 255 in some channel) and more than a little (4 and up)
/// from the neighbour to the right or below.
fn unevenness(pixels: &[[u8; 3]], width: usize) -> (f64, f64) {
    let apart = |a: &[u8; 3], b: &[u8; 3]| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max();
    let (mut nearly, mut rough) = (0.0, 0.0);
    let neighbours = pixels.iter().skip(1).zip(pixels.iter().skip(width));
    for (pixel, (right, below)) in pixels.iter().zip(neighbours) {
        let apart = apart(pixel, right).max(apart(pixel, below)).unwrap_or_default();
        nearly += f64::from((2..=12).contains(&apart));
        rough += f64::from(apart >= 4);
    }
    let all = pixels.len().max(1) as f64;
    (nearly / all, rough / all)
}

/// 0 up to `from`, 1 from `to` on, even in between.
fn ramp(value: f64, from: f64, to: f64) -> f64 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}
