//! A picture made in code that is as hard on codecs as a photo: soft light, texture in several sizes, hard edges, grain.

/// RGB pixels; the same for the same size on every machine.
pub(crate) fn scene(width: usize, height: usize) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(3 * width * height);
    let unit = width.min(height) as f32;
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (x as f32 / unit, y as f32 / unit);
            let texture = texture(u, v);
            let light = 0.35 + 0.35 * (1.0 - v) + 0.15 * (u * 3.0).sin();
            // A grid of discs and bars with hard edges, some of them fine.
            let (column, row) = ((u * 4.0).floor(), (v * 4.0).floor());
            let (du, dv) = (u * 4.0 - column - 0.5, v * 4.0 - row - 0.5);
            let hue = noise(column * 7.3, row * 5.1, 5);
            let inside = match (column + 2.0 * row) as i32 % 3 {
                0 => du * du + dv * dv < 0.12,
                1 => du.abs() < 0.3 && (dv * 40.0).floor() as i32 % 2 == 0,
                _ => du.abs().max(dv.abs()) < 0.2 + 0.1 * hue,
            };
            let grain = |salt: u32| (hash(x as u32, y as u32, salt) % 1024) as f32 / 1024.0 - 0.5;
            let paint = if inside { 0.35 } else { 0.0 };
            let shades = [
                light + 0.75 * (texture - 0.5) + paint * hue,
                light * 0.9 + 0.80 * (texture - 0.5) + paint * (1.0 - hue),
                light * 0.8 + 0.70 * (texture - 0.5) - paint * 0.5,
            ];
            for (salt, shade) in (10..).zip(shades) {
                pixels.push((255.0 * shade + 12.0 * grain(salt)).clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}

/// Texture from 0 to 1 in ten sizes, each half the size and three quarters the strength of the one before, down to
/// single pixels: natural scenes have detail in all sizes, and lenses soften the finest.
fn texture(u: f32, v: f32) -> f32 {
    let (mut sum, mut total, mut strength, mut hills) = (0.0, 0.0, 1.0, 4.0);
    for salt in 20..30 {
        sum += strength * noise(u * hills, v * hills, salt);
        total += strength;
        strength *= 0.75;
        hills *= 2.0;
    }
    (1.8 * (sum / total - 0.5) + 0.5).clamp(0.0, 1.0)
}

/// Smooth noise from 0 to 1 with one hill to a unit.
fn noise(x: f32, y: f32, salt: u32) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (smooth(x - left), smooth(y - top));
    let corner = |dx: i32, dy: i32| {
        let (x, y) = ((left as i32 + dx) as u32, (top as i32 + dy) as u32);
        (hash(x, y, salt) & 0xffff) as f32 / 65535.0
    };
    let above = corner(0, 0) * (1.0 - u) + corner(1, 0) * u;
    let below = corner(0, 1) * (1.0 - u) + corner(1, 1) * u;
    above * (1.0 - v) + below * v
}

fn hash(x: u32, y: u32, salt: u32) -> u32 {
    let mut h =
        x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77) ^ salt.wrapping_mul(0xc2b2_ae3d);
    h = (h ^ h >> 15).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ h >> 12).wrapping_mul(0x297a_2d39);
    h ^ h >> 15
}
