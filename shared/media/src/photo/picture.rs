//! Decoded samples in memory, and resampling parts of them.

use std::sync::Arc;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::Rejection;
use super::crop::Target;

/// One grid of decoded samples: a luma or colour plane, or interleaved RGB.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// May hold several layers, one after the other.
    pub(super) samples: Arc<Vec<u8>>,
    /// Where this layer begins in `samples`.
    pub(super) start: usize,
    /// Samples to a row, padding included.
    pub(super) width: usize,
    /// Rows.
    pub(super) height: usize,
    /// Bytes to a sample: 1, or 3 for RGB.
    pub(super) channels: usize,
    /// How many stored pixels a sample spans, across and down.
    pub(super) step: (f64, f64),
}

impl Layer {
    /// The samples of this layer alone.
    pub(super) fn bytes(&self) -> &[u8] {
        let length = self.width * self.height * self.channels;
        self.samples.get(self.start..self.start + length).unwrap_or_default()
    }
}

/// A decoded picture: `[RGB]`, `[luma]` or `[luma, blue difference, red difference]`, unturned.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// The layers.
    pub(super) layers: Vec<Layer>,
    /// Luma from 16 to 235 (as WebP has it) rather than from 0 to 255 (as JPEG has it).
    pub(super) video_range: bool,
}

/// Resampled samples on their way into a frame.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    /// Row after row, without padding.
    pub(super) samples: Vec<u8>,
    /// Samples to a row.
    pub(super) width: usize,
    /// Rows.
    pub(super) height: usize,
    /// Bytes to a sample: 1, or 3 for RGB.
    pub(super) channels: usize,
}

impl Plane {
    /// Repeats the last column and row until the sides are multiples: libjpeg-turbo reads luma in whole groups.
    pub(super) fn pad(&mut self, (across, down): (usize, usize)) {
        let missing = self.width.next_multiple_of(across) - self.width;
        if missing > 0 {
            let mut padded = Vec::with_capacity((self.width + missing) * self.height);
            for row in self.samples.chunks_exact(self.width) {
                padded.extend_from_slice(row);
                padded.extend(
                    row.last()
                        .map(|last| std::iter::repeat_n(*last, missing))
                        .into_iter()
                        .flatten(),
                );
            }
            self.samples = padded;
            self.width += missing;
        }
        while !self.height.is_multiple_of(down) {
            self.samples.extend_from_within(self.samples.len() - self.width..);
            self.height += 1;
        }
    }
}

impl Picture {
    /// One part of the picture at its size; colour planes come out at half of it, rounded up.
    pub(super) fn resample(
        &self,
        target: &Target,
        resizer: &mut Resizer,
    ) -> Result<Vec<Plane>, Rejection> {
        let planes = self.layers.iter().enumerate().map(|(at, layer)| {
            let mut plane =
                resample(layer, &if at > 0 { halved(target) } else { *target }, resizer)?;
            if self.video_range {
                to_full_range(&mut plane.samples, at > 0);
            }
            Ok(plane)
        });
        planes.collect()
    }
}

/// The same part at half the size. With an odd size the last colour sample reaches half a pixel beyond the part.
fn halved(target: &Target) -> Target {
    let to = (target.to.0.div_ceil(2), target.to.1.div_ceil(2));
    Target {
        width: target.width * (2 * to.0) as f64 / target.to.0 as f64,
        height: target.height * (2 * to.1) as f64 / target.to.1 as f64,
        to,
        ..*target
    }
}

fn resample(layer: &Layer, target: &Target, resizer: &mut Resizer) -> Result<Plane, Rejection> {
    let mut samples = vec![0; target.to.0 * target.to.1 * layer.channels];
    let (left, width) =
        within(target.left / layer.step.0, target.width / layer.step.0, layer.width);
    let (top, height) =
        within(target.top / layer.step.1, target.height / layer.step.1, layer.height);
    resize(
        resizer,
        (layer.bytes(), layer.width, layer.height),
        (left, top, width, height),
        (&mut samples, target.to.0, target.to.1),
        layer.channels,
    )?;
    Ok(Plane { samples, width: target.to.0, height: target.to.1, channels: layer.channels })
}

/// Keeps a span within `0..limit`, to the last bit: the resizer checks `start + length <= limit`.
pub(super) fn within(start: f64, length: f64, limit: usize) -> (f64, f64) {
    let limit = limit as f64;
    let start = start.clamp(0.0, (limit - 0.01).max(0.0));
    let mut length = length.min(limit - start);
    while start + length > limit {
        length = length.next_down();
    }
    (start, length)
}

/// Rows of single channels that are resampled at a time, so that what stands between the two directions stays small.
const STRIP: usize = 640;

/// Resamples a part `(left, top, width, height)` of samples `(bytes, width, height)` into others of the same kind.
///
/// Lanczos with three lobes, as `sharp` does: the sharpest that does not ring visibly.
pub(super) fn resize(
    resizer: &mut Resizer,
    from: (&[u8], usize, usize),
    part: (f64, f64, f64, f64),
    (samples, width, height): (&mut [u8], usize, usize),
    channels: usize,
) -> Result<(), Rejection> {
    if channels != 1 || height < 4 {
        let to = (samples, width, height);
        return resize_with(resizer, from, part, to, channels, FilterType::Lanczos3);
    }
    let strip = height.div_ceil(height.div_ceil(STRIP)).next_multiple_of(4);
    let step = part.3 / height as f64;
    for (at, samples) in samples.chunks_mut(width * strip).enumerate() {
        let rows = samples.len() / width;
        let (top, length) = within(part.1 + (at * strip) as f64 * step, rows as f64 * step, from.2);
        resize_strip(resizer, from, (part.0, top, part.2, length), (samples, width, rows))?;
    }
    Ok(())
}

/// Resamples single channels down first and then across, four rows at a time as if they were the channels of one row:
/// the resizer is up to twice as fast on those.
fn resize_strip(
    resizer: &mut Resizer,
    from: (&[u8], usize, usize),
    (left, top, width, height): (f64, f64, f64, f64),
    (samples, across, rows): (&mut [u8], usize, usize),
) -> Result<(), Rejection> {
    let lanczos = FilterType::Lanczos3;
    let reach = 4.0 * (width / across as f64).max(1.0);
    let first = (left - reach).max(0.0).floor();
    let columns = (left + width + reach).ceil().min(from.1 as f64) - first;
    let (between, groups) = (columns as usize, rows.div_ceil(4));
    let mut narrow = vec![0; 4 * between * groups];
    let (whole, _) = narrow.split_at_mut(between * rows);
    resize_with(resizer, from, (first, top, columns, height), (whole, between, rows), 1, lanczos)?;
    let mut fours = vec![[0; 4]; between * groups];
    for (rows, fours) in narrow.chunks_exact(4 * between).zip(fours.chunks_exact_mut(between)) {
        let (a, b) = rows.split_at(2 * between);
        let rows = a.iter().zip(&a[between..]).zip(b).zip(&b[between..]);
        fours.iter_mut().zip(rows).for_each(|(four, (((a, b), c), d))| *four = [*a, *b, *c, *d]);
    }
    drop(narrow);
    let mut out = vec![[0; 4]; across * groups];
    let part = (left - first, 0.0, width, groups as f64);
    let sink = (out.as_flattened_mut(), across, groups);
    resize_with(resizer, (fours.as_flattened(), between, groups), part, sink, 4, lanczos)?;
    for (fours, rows) in out.chunks_exact(across).zip(samples.chunks_mut(4 * across)) {
        for (at, row) in rows.chunks_exact_mut(across).enumerate() {
            row.iter_mut().zip(fours).for_each(|(sample, four)| *sample = four[at]);
        }
    }
    Ok(())
}

/// [`resize`] with another filter.
pub(super) fn resize_with(
    resizer: &mut Resizer,
    from: (&[u8], usize, usize),
    part: (f64, f64, f64, f64),
    to: (&mut [u8], usize, usize),
    channels: usize,
    filter: FilterType,
) -> Result<(), Rejection> {
    let kind = match channels {
        1 => PixelType::U8,
        3 => PixelType::U8x3,
        _ => PixelType::U8x4,
    };
    let side = |length: usize| u32::try_from(length).map_err(Rejection::engine);
    let source =
        ImageRef::new(side(from.1)?, side(from.2)?, from.0, kind).map_err(Rejection::engine)?;
    let mut sink =
        Image::from_slice_u8(side(to.1)?, side(to.2)?, to.0, kind).map_err(Rejection::engine)?;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .use_alpha(false)
        .crop(part.0, part.1, part.2, part.3);
    resizer.resize(&source, &mut sink, &options).map_err(Rejection::engine)
}

/// Stretches video levels (ITU-R BT.601: luma 16 to 235, colour 16 to 240) to JPEG's 0 to 255.
fn to_full_range(samples: &mut [u8], colour: bool) {
    let table: [u8; 256] = std::array::from_fn(|level| {
        let level = level as f64;
        let full = if colour {
            (level - 128.0) * 255.0 / 224.0 + 128.0
        } else {
            (level - 16.0) * 255.0 / 219.0
        };
        full.round().clamp(0.0, 255.0) as u8
    });
    samples.iter_mut().for_each(|sample| *sample = table[usize::from(*sample)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_rows_at_a_time_give_what_single_rows_give() {
        let (width, height) = (301usize, 203usize);
        let samples: Vec<u8> = (0..width * height).map(|i| (i * i / 97 % 251) as u8).collect();
        for (part, (w, h)) in [
            ((0.0, 0.0, 301.0, 203.0), (100, 50)),
            ((11.25, 3.5, 200.0, 190.0), (90, 47)),
            ((200.0, 100.0, 101.0, 103.0), (150, 161)),
            ((0.5, 0.5, 300.5, 202.5), (450, 1301)),
            ((300.0, 0.0, 1.0, 203.0), (1, 6)),
        ] {
            let from = (samples.as_slice(), width, height);
            let (mut quick, mut plain) = (vec![0; w * h], vec![0; w * h]);
            let mut resizer = Resizer::new();
            resize(&mut resizer, from, part, (&mut quick, w, h), 1).unwrap();
            let lanczos = FilterType::Lanczos3;
            resize_with(&mut resizer, from, part, (&mut plain, w, h), 1, lanczos).unwrap();
            let apart = quick.iter().zip(&plain).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(apart <= Some(1), "{part:?} to {w}x{h}: {apart:?}");
        }
    }

    #[test]
    fn a_span_never_passes_its_limit() {
        for (start, length, limit) in
            [(0.1, 0.2, 1), (1.0 / 3.0, 10.0, 7), (9.0, 5.0, 3), (0.0, 0.3, 0)]
        {
            let (start, length) = within(start, length, limit);
            assert!(start >= 0.0 && start + length <= limit as f64);
        }
    }

    #[test]
    fn padding_repeats_the_last_column_and_row() {
        let mut plane = Plane { samples: (1..10).collect(), width: 3, height: 3, channels: 1 };
        plane.pad((2, 2));
        assert_eq!(plane.samples, [1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9, 7, 8, 9, 9]);
        assert_eq!((plane.width, plane.height), (4, 4));
    }

    #[test]
    fn video_levels_reach_black_and_white() {
        let mut luma = [16, 235, 0, 255, 126];
        to_full_range(&mut luma, false);
        assert_eq!(luma, [0, 255, 0, 255, 128]);
        let mut colour = [16, 128, 240];
        to_full_range(&mut colour, true);
        assert_eq!(colour, [1, 128, 255]);
    }
}
