//! Puts resampled samples into a frame, turns it upright and writes it as JPEG.

use fast_image_resize::{FilterType, Resizer};
use turbojpeg::{Compressor, PixelFormat, Subsamp, YuvPlanesImage};

use super::colour::ToSrgb;
use super::crop::Plan;
use super::orientation::Orientation;
use super::picture::{Plane, resize_with};
use super::{JPEG_QUALITY, Rejection};

/// How bright the blurred surroundings are, in 256ths: a little darker, so that the photo stands out.
const SURROUNDINGS: u16 = 208;

/// The planes of a whole frame: the sharp ones alone, or over the blurred ones.
pub(super) fn compose(
    plan: &Plan,
    sharp: Vec<Plane>,
    blurred: Option<Vec<Plane>>,
    resizer: &mut Resizer,
) -> Result<Vec<Plane>, Rejection> {
    let Some(blurred) = blurred else { return Ok(sharp) };
    let layers = sharp.into_iter().zip(blurred).enumerate();
    layers.map(|(at, (sharp, blurred))| over(plan, at > 0, sharp, blurred, resizer)).collect()
}

fn over(
    plan: &Plan,
    colour: bool,
    sharp: Plane,
    mut blurred: Plane,
    resizer: &mut Resizer,
) -> Result<Plane, Rejection> {
    let half = |length: usize| if colour { length.div_ceil(2) } else { length };
    let (width, height, channels) = (half(plan.size.0), half(plan.size.1), sharp.channels);
    soften(&mut blurred);
    soften(&mut blurred);
    let rest = if colour { 128 } else { 0 };
    blurred.samples.iter_mut().for_each(|sample| {
        *sample = ((u16::from(*sample) * SURROUNDINGS + rest * (256 - SURROUNDINGS)) / 256) as u8;
    });
    let mut samples = vec![0; width * height * channels];
    resize_with(
        resizer,
        (&blurred.samples, blurred.width, blurred.height),
        (0.0, 0.0, blurred.width as f64, blurred.height as f64),
        (&mut samples, width, height),
        channels,
        FilterType::Mitchell,
    )?;
    let (left, top) = if colour { (plan.at.0 / 2, plan.at.1 / 2) } else { plan.at };
    let rows = samples.chunks_exact_mut(width * channels).skip(top);
    for (row, line) in rows.zip(sharp.samples.chunks_exact(sharp.width * channels)) {
        row.iter_mut().skip(left * channels).zip(line).for_each(|(to, from)| *to = *from);
    }
    Ok(Plane { samples, width, height, channels })
}

/// A small blur, 1-2-1 in both directions; edges repeat.
fn soften(plane: &mut Plane) {
    let (width, channels) = (plane.width, plane.channels);
    let blend =
        |[a, b, c]: [u8; 3]| ((u16::from(a) + 2 * u16::from(b) + u16::from(c) + 2) / 4) as u8;
    for (apart, line) in [(channels, width * channels), (width * channels, plane.samples.len())] {
        let before = plane.samples.clone();
        for (at, sample) in plane.samples.iter_mut().enumerate() {
            let here = at % line;
            let previous = if here >= apart { at - apart } else { at };
            let next = if here + apart < line { at + apart } else { at };
            *sample = blend([before[previous], before[at], before[next]]);
        }
    }
}

/// Turns a frame upright.
pub(super) fn turn(plane: Plane, orientation: Orientation) -> Plane {
    if orientation == Orientation::UPRIGHT {
        return plane;
    }
    let (width, height) = orientation.turned((plane.width, plane.height));
    let samples = match plane.channels {
        3 => orientation.turn::<3>(&plane.samples, plane.width),
        _ => orientation.turn::<1>(&plane.samples, plane.width),
    };
    Plane { samples, width, height, channels: plane.channels }
}

/// Turns a composed frame upright and writes it: JPEG, 4:2:0, sRGB, no metadata.
pub(super) fn encode(
    frame: Vec<Plane>,
    orientation: Orientation,
    to_srgb: Option<&ToSrgb>,
) -> Result<Vec<u8>, Rejection> {
    let mut planes = frame.into_iter().map(|plane| turn(plane, orientation));
    let Some(mut first) = planes.next() else { return Err(Rejection::engine("no planes")) };
    let mut compressor = Compressor::new().map_err(Rejection::engine)?;
    compressor.set_quality(JPEG_QUALITY).map_err(Rejection::engine)?;
    if first.channels == 3 {
        if let Some(to_srgb) = to_srgb {
            to_srgb.convert(&mut first.samples)?;
        }
        compressor.set_subsamp(Subsamp::Sub2x2).map_err(Rejection::engine)?;
        let image = turbojpeg::Image {
            pixels: first.samples.as_slice(),
            width: first.width,
            pitch: first.width * 3,
            height: first.height,
            format: PixelFormat::RGB,
        };
        return compressor.compress_to_vec(image).map_err(Rejection::engine);
    }
    let (width, height) = (first.width, first.height);
    first.pad((2, 2));
    let half = width.div_ceil(2);
    let mut colour = || match planes.next() {
        Some(plane) => plane.samples,
        None => vec![128; half * height.div_ceil(2)], // a grey photo
    };
    let (blue, red) = (colour(), colour());
    let image = YuvPlanesImage {
        y_plane: first.samples.as_slice(),
        u_plane: blue.as_slice(),
        v_plane: red.as_slice(),
        width,
        height,
        y_stride: first.width,
        u_stride: half,
        v_stride: half,
        subsamp: Subsamp::Sub2x2,
    };
    compressor.compress_yuv_planes_to_vec(&image).map_err(Rejection::engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softening_spreads_a_dot_and_keeps_flat_ground_flat() {
        let mut dot = Plane { samples: vec![0; 25], width: 5, height: 5, channels: 1 };
        dot.samples[12] = 160;
        soften(&mut dot);
        assert_eq!(dot.samples[11..14], [20, 40, 20]);
        assert_eq!(dot.samples[6..9], [10, 20, 10]);
        assert_eq!(dot.samples[0], 0);
        let mut flat = Plane { samples: vec![77; 12], width: 2, height: 2, channels: 3 };
        soften(&mut flat);
        assert_eq!(flat.samples, [77; 12]);
    }
}
