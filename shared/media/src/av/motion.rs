//! Stills that move, clips that play, one fading into the next: the frames before captions.
//!
//! Frames are drawn here and piped to the encoder. ffmpeg's own `zoompan` moves by whole pixels,
//! which trembles at this pace; `perspective` does not, but is several times slower than
//! `fast_image_resize`, which too takes a crop box in fractions of a pixel. That one works on columns
//! eight times faster than on rows, hence stills lie on their side until they are drawn.

use std::{
    f64::consts::PI,
    io::{self, Read, Write},
};

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

/// A still is held this much larger than the frame, so that it is never enlarged while it moves.
pub(super) const OVERSAMPLED: f64 = 1.25;

/// How far a still is zoomed into, at most.
const ZOOM: f64 = 1.14;

/// The camera turns about this often, seconds.
const TURN: u32 = 6;

/// How long one picture fades into the next, milliseconds.
const FADE_MS: u32 = 500;

/// Width and height of a frame in pixels, both even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Size {
    /// The size that a still is held in.
    pub(super) fn oversampled(self) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few thousand pixels"
        )]
        let larger = |pixels: u32| (f64::from(pixels) * OVERSAMPLED / 2.0).round() as u32 * 2;
        Self { width: larger(self.width), height: larger(self.height) }
    }

    /// Width and height of the three planes of a 4:2:0 picture.
    fn planes(self) -> [(u32, u32); 3] {
        let half = (self.width / 2, self.height / 2);
        [(self.width, self.height), half, half]
    }

    /// Bytes of a 4:2:0 picture.
    pub(super) fn bytes(self) -> usize {
        self.planes().into_iter().map(|(width, height)| width as usize * height as usize).sum()
    }
}

/// What is seen of a still: left, top and size, as parts of it.
///
/// The camera comes closer and draws away by turns, once a `phase`, while it wanders; it is slowest
/// where it turns, so that nothing jerks however long a still stands.
pub(super) fn seen_at(phase: f64) -> (f64, f64, f64) {
    let near = (1.0 - (PI * phase).cos()) / 2.0;
    let slack = (1.0 - 1.0 / ZOOM) * near;
    let (aside, down) = (PI * phase / 2.0).sin_cos();
    (slack * (0.5 + 0.4 * aside), slack * (0.5 - 0.4 * down), 1.0 - slack)
}

/// One shot in the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// The first frame that it is seen in.
    pub(super) start: u32,
    /// The frame after the last that is its own.
    pub(super) end: u32,
    /// So many frames from `start` on, the shot before shows through.
    pub(super) fade_in: u32,
    /// So many frames from `end` on, it shows through the next.
    pub(super) fade_out: u32,
}

impl Look {
    /// How many frames it is seen in.
    pub(super) fn frames(&self) -> u32 {
        self.end - self.start + self.fade_out
    }
}

/// Shares `frames` out evenly among `shots`.
pub(super) fn plan(shots: usize, frames: u32, fps: u32) -> Vec<Look> {
    let count = u32::try_from(shots).unwrap_or(u32::MAX);
    let shortest = frames / count.max(1);
    let fade = (FADE_MS * fps / 1000).min(shortest / 2);
    let look = |index| Look {
        start: share(frames, index, count),
        end: share(frames, index + 1, count),
        fade_in: if index == 0 { 0 } else { fade },
        fade_out: if index + 1 == count { 0 } else { fade },
    };
    (0..count).map(look).collect()
}

/// Where the part `index` of `count` begins.
fn share(frames: u32, index: u32, count: u32) -> u32 {
    // At most `frames`, so it fits.
    u32::try_from(u64::from(frames) * u64::from(index) / u64::from(count)).unwrap_or(frames)
}

/// What a shot shows.
pub(super) enum Material {
    /// A 4:2:0 picture in the oversampled size, transposed: its rows are the picture's columns.
    Still(Vec<u8>),
    /// A stream of 4:2:0 frames in the frame's size.
    Clip(io::PipeReader),
}

/// Draws all frames of a plan.
pub(super) struct Film {
    pub(super) size: Size,
    pub(super) fps: u32,
    pub(super) shots: Vec<(Look, Material)>,
}

impl Film {
    /// Writes frame after frame to `out`.
    pub(super) fn draw(mut self, out: &mut impl Write) -> io::Result<()> {
        let mut pen = Pen::default();
        let mut frame = vec![0; self.size.bytes()];
        let mut fading = frame.clone();
        for index in 0..self.shots.len() {
            let Some(look) = self.shots.get(index).map(|shot| shot.0) else { continue };
            for number in look.start..look.end {
                self.show(index, number, &mut pen, &mut frame)?;
                let shown = number - look.start;
                if let Some(before) = index.checked_sub(1).filter(|_| shown < look.fade_in) {
                    self.show(before, number, &mut pen, &mut fading)?;
                    blend(&mut frame, &fading, shown + 1, look.fade_in + 1);
                }
                out.write_all(&frame)?;
            }
        }
        out.flush()
    }

    /// Fills `frame` with what a shot shows in frame `number`.
    fn show(
        &mut self,
        index: usize,
        number: u32,
        pen: &mut Pen,
        frame: &mut [u8],
    ) -> io::Result<()> {
        match self.shots.get_mut(index) {
            Some((_, Material::Clip(frames))) => frames.read_exact(frame),
            Some((look, Material::Still(picture))) => {
                let turns = (look.frames() / (TURN * self.fps)).max(1);
                let passed = f64::from(number - look.start) / f64::from(look.frames());
                // Every other shot begins close.
                let phase =
                    passed * f64::from(turns) + f64::from(u8::from(!index.is_multiple_of(2)));
                pen.draw(picture, self.size, seen_at(phase), frame)
            }
            None => Ok(()),
        }
    }
}

/// Draws stills; keeps the room it works in.
#[derive(Default)]
struct Pen {
    resizer: Resizer,
    narrowed: Vec<u8>,
    upright: Vec<u8>,
}

impl Pen {
    /// Draws the part of a still that is seen, plane by plane.
    fn draw(
        &mut self,
        mut still: &[u8],
        size: Size,
        (left, top, part): (f64, f64, f64),
        mut frame: &mut [u8],
    ) -> io::Result<()> {
        let planes = size.oversampled().planes().into_iter().zip(size.planes());
        for ((from_width, from_height), (width, height)) in planes {
            let (source, rest) =
                still.split_at_checked(area(from_width, from_height)).ok_or_else(too_small)?;
            let (target, others) = std::mem::take(&mut frame)
                .split_at_mut_checked(area(width, height))
                .ok_or_else(too_small)?;
            (still, frame) = (rest, others);
            self.narrowed.resize(area(from_height, width), 0);
            self.upright.resize(area(from_height, width), 0);
            let source = (source, from_height, from_width);
            stretch(&mut self.resizer, source, (left, part), &mut self.narrowed, width)?;
            transpose(&self.narrowed, from_height as usize, &mut self.upright, width as usize);
            let source = (self.upright.as_slice(), width, from_height);
            stretch(&mut self.resizer, source, (top, part), target, height)?;
        }
        Ok(())
    }
}

fn area(width: u32, height: u32) -> usize {
    width as usize * height as usize
}

fn too_small() -> io::Error {
    io::Error::other("a picture is too small")
}

/// Draws the rows from `begin` on, `part` of them all, onto `rows` rows of the same width.
fn stretch(
    resizer: &mut Resizer,
    (source, width, height): (&[u8], u32, u32),
    (begin, part): (f64, f64),
    target: &mut [u8],
    rows: u32,
) -> io::Result<()> {
    let source = ImageRef::new(width, height, source, PixelType::U8).map_err(io::Error::other)?;
    let mut target =
        Image::from_slice_u8(width, rows, target, PixelType::U8).map_err(io::Error::other)?;
    let height = f64::from(height);
    // A hair less, lest rounding ask for more than there is.
    let part = part * height * (1.0 - 1e-9);
    let seen = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom))
        .crop(0.0, begin * height, width.into(), part);
    resizer.resize(&source, &mut target, &seen).map_err(io::Error::other)
}

/// Turns rows of `width` into columns. Eight at a time, since a column of its own would go through
/// all of memory for every row.
fn transpose(from: &[u8], width: usize, to: &mut [u8], height: usize) {
    for (group, rows) in to.chunks_mut(height * 8).enumerate() {
        let mut rows: Vec<&mut [u8]> = rows.chunks_mut(height).collect();
        for (y, source) in from.chunks_exact(width).enumerate() {
            let pixels = source.get(group * 8..).unwrap_or_default();
            for (row, pixel) in rows.iter_mut().zip(pixels) {
                if let Some(place) = row.get_mut(y) {
                    *place = *pixel;
                }
            }
        }
    }
}

/// Lets `before` show through `frame`, less with each `step` of `steps`.
fn blend(frame: &mut [u8], before: &[u8], step: u32, steps: u32) {
    let new = step * 256 / steps;
    let old = 256 - new;
    for (pixel, before) in frame.iter_mut().zip(before) {
        #[expect(clippy::cast_possible_truncation, reason = "a mean of two bytes is a byte")]
        let mixed = ((u32::from(*pixel) * new + u32::from(*before) * old + 128) >> 8) as u8;
        *pixel = mixed;
    }
}
