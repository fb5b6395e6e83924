//! Where in a photo a frame's pixels come from. Geometry only; all of it in the photo's stored (unturned) pixels.

/// A part of a photo, resampled to a size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Target {
    /// Left edge of the part, in stored pixels.
    pub(super) left: f64,
    /// Top edge of the part.
    pub(super) top: f64,
    /// Width of the part; above 0.
    pub(super) width: f64,
    /// Height of the part; above 0.
    pub(super) height: f64,
    /// Width and height to resample it to; at least 1.
    pub(super) to: (usize, usize),
}

impl Target {
    /// The whole photo at the given size.
    pub(super) fn whole((width, height): (u32, u32), to: (usize, usize)) -> Self {
        Self { left: 0.0, top: 0.0, width: width.into(), height: height.into(), to }
    }

    /// How many stored pixels become one, by the direction in which they are fewer.
    pub(super) fn reduction(&self) -> f64 {
        (self.width / self.to.0 as f64).min(self.height / self.to.1 as f64)
    }
}

/// How a photo fills a frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// The frame's size before turning.
    pub(super) size: (usize, usize),
    /// The photo, or the part of it, that is seen sharp.
    pub(super) sharp: Target,
    /// Where it stands in the frame.
    pub(super) at: (usize, usize),
    /// What is seen blurred around it, resampled to a thumbnail; `None` if the sharp part covers the frame.
    pub(super) blurred: Option<Target>,
}

/// A photo that cannot cover a frame is enlarged by at most this factor: beyond it, it looks soft on a phone.
pub(super) const MOST_ENLARGED: f64 = 1.5;

/// The blurred cover is made from a thumbnail this many times smaller than the frame.
const BLUR: usize = 24;

impl Plan {
    /// Covers the frame with the photo's middle if the photo is large enough, else fits all of the photo over a
    /// blurred cover of itself. Sizes are as stored, so the frame's too.
    pub(super) fn new(photo: (u32, u32), frame: (usize, usize)) -> Self {
        let scales = [
            frame.0 as f64 / f64::from(photo.0.max(1)),
            frame.1 as f64 / f64::from(photo.1.max(1)),
        ];
        let cover = scales[0].max(scales[1]);
        let middle = |to| cover_crop(photo, frame, cover, to);
        if cover <= 1.0 {
            return Self { size: frame, sharp: middle(frame), at: (0, 0), blurred: None };
        }
        let fit = scales[0].min(scales[1]).min(MOST_ENLARGED);
        let inner =
            (even(f64::from(photo.0) * fit, frame.0), even(f64::from(photo.1) * fit, frame.1));
        // Even positions and sizes, here and of the thumbnail, keep halved colour planes in step with the luma plane.
        let at = ((frame.0 - inner.0) / 4 * 2, (frame.1 - inner.1) / 4 * 2);
        let thumbnail = (frame.0.div_ceil(2 * BLUR) * 2, frame.1.div_ceil(2 * BLUR) * 2);
        Self {
            size: frame,
            sharp: Target::whole(photo, inner),
            at,
            blurred: Some(middle(thumbnail)),
        }
    }

    /// The parts of the photo that have to be resampled.
    pub(super) fn targets(&self) -> impl Iterator<Item = Target> {
        [self.sharp].into_iter().chain(self.blurred)
    }
}

/// The middle of the photo with the frame's proportions, as large as fits.
fn cover_crop(photo: (u32, u32), frame: (usize, usize), cover: f64, to: (usize, usize)) -> Target {
    let (whole_width, whole_height) = (f64::from(photo.0), f64::from(photo.1));
    let width = (frame.0 as f64 / cover).min(whole_width);
    let height = (frame.1 as f64 / cover).min(whole_height);
    Target {
        left: (whole_width - width) / 2.0,
        top: (whole_height - height) / 2.0,
        width,
        height,
        to,
    }
}

/// The nearest even number, at least 2, at most `most` (which itself may be odd, or 1).
fn even(value: f64, most: usize) -> usize {
    if value >= most as f64 - 0.5 {
        most
    } else {
        ((value / 2.0).round() as usize * 2).max(2).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_photo_covers_the_frame_with_its_middle() {
        let plan = Plan::new((4000, 3000), (1080, 1920));
        assert_eq!(plan.blurred, None);
        assert_eq!((plan.sharp.left, plan.sharp.top), (1156.25, 0.0));
        assert_eq!((plan.sharp.width, plan.sharp.height), (1687.5, 3000.0));
        assert_eq!(plan.sharp.to, (1080, 1920));
        assert_eq!(Plan::new((1080, 1920), (1080, 1920)).sharp.left, 0.0);
    }

    #[test]
    fn a_small_photo_is_fitted_and_enlarged_by_half_at_most() {
        let plan = Plan::new((600, 400), (1080, 1920));
        assert_eq!(plan.sharp.to, (900, 600), "1.5 times, though 1.8 would fit");
        assert_eq!(plan.at, (90, 660));
        let blurred = plan.blurred.unwrap();
        assert_eq!((blurred.width, blurred.height), (225.0, 400.0));
        assert_eq!(blurred.to, (46, 80));
    }

    #[test]
    fn a_strip_is_fitted_and_scaled_down() {
        let plan = Plan::new((8000, 500), (1080, 1080));
        assert_eq!(plan.sharp.to, (1080, 68));
        assert_eq!(plan.at, (0, 506));
    }

    #[test]
    fn no_size_leaves_the_frame_or_the_photo() {
        for photo in [(1, 1), (1, 65_000), (65_000, 1), (3, 2), (1079, 1920), (1081, 1919)] {
            for frame in [(1080, 1920), (1080, 1080), (1200, 675), (675, 1200), (1, 1), (3, 5)] {
                let plan = Plan::new(photo, frame);
                assert!(plan.at.0 + plan.sharp.to.0 <= frame.0, "{photo:?} {frame:?}");
                assert!(plan.at.1 + plan.sharp.to.1 <= frame.1, "{photo:?} {frame:?}");
                for part in plan.targets() {
                    assert!(part.to.0 >= 1 && part.to.1 >= 1);
                    assert!(part.left >= 0.0 && part.left + part.width <= f64::from(photo.0));
                    assert!(part.top >= 0.0 && part.top + part.height <= f64::from(photo.1));
                }
            }
        }
    }
}
