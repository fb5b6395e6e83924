//! Embedded colour profiles, and bringing pixels into sRGB, the one space every network and player assumes.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};

use super::Rejection;

/// How much a channel may differ, of 255, for a profile to count as sRGB itself.
const SAME: u8 = 3;

/// Pixels to a step, so that no second buffer of the picture's size is needed.
const STEP: usize = 4096;

/// A conversion of pixels with an embedded profile to sRGB.
pub(super) struct ToSrgb(Arc<Transform8BitExecutor>);

impl ToSrgb {
    /// For RGB pixels; `None` if the profile is sRGB in all but name, of another kind, or unreadable (then the pixels
    /// are taken for sRGB, as browsers do).
    pub(super) fn from_rgb(profile: &[u8]) -> Option<Self> {
        let convert = Self::new(profile, DataColorSpace::Rgb, Layout::Rgb)?;
        let steps = [0u8, 51, 102, 153, 204, 255];
        let probe: Vec<u8> = steps
            .iter()
            .flat_map(|r| steps.iter().map(move |g| (r, g)))
            .flat_map(|(r, g)| steps.iter().flat_map(move |b| [*r, *g, *b]))
            .collect();
        let mut converted = probe.clone();
        convert.convert(&mut converted).ok()?;
        let same = probe.iter().zip(&converted).all(|(a, b)| a.abs_diff(*b) <= SAME);
        (!same).then_some(convert)
    }

    /// For CMYK pixels; `None` if the profile is of another kind or unreadable.
    pub(super) fn from_cmyk(profile: &[u8]) -> Option<Self> {
        Self::new(profile, DataColorSpace::Cmyk, Layout::Rgba)
    }

    fn new(profile: &[u8], space: DataColorSpace, layout: Layout) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(profile).ok()?;
        if profile.color_space != space {
            return None;
        }
        let srgb = ColorProfile::new_srgb();
        let options = TransformOptions::default();
        profile.create_transform_8bit(layout, &srgb, Layout::Rgb, options).ok().map(Self)
    }

    /// Converts RGB pixels where they stand.
    pub(super) fn convert(&self, rgb: &mut [u8]) -> Result<(), Rejection> {
        let mut before = [0; 3 * STEP];
        for pixels in rgb.chunks_mut(before.len()) {
            let (before, _) = before.split_at_mut(pixels.len());
            before.copy_from_slice(pixels);
            self.0.transform(before, pixels).map_err(Rejection::engine)?;
        }
        Ok(())
    }

    /// Converts CMYK pixels (255 is full ink) to RGB pixels.
    pub(super) fn convert_cmyk(&self, cmyk: &[u8], rgb: &mut [u8]) -> Result<(), Rejection> {
        self.0.transform(cmyk, rgb).map_err(Rejection::engine)
    }
}

/// Makes RGB of CMYK in place, front to back: 4 bytes a pixel become 3. Photoshop's CMYK JPEGs, which are the ones in
/// the wild, are stored inverted (255 is no ink), and libjpeg hands them over as stored.
pub(super) fn cmyk_to_rgb(samples: &mut Vec<u8>, profile: Option<&[u8]>) -> Result<(), Rejection> {
    let convert = profile.and_then(ToSrgb::from_cmyk);
    let pixels = samples.len() / 4;
    let mut rgb = vec![0; 3 * STEP];
    for first in (0..pixels).step_by(STEP) {
        let count = STEP.min(pixels - first);
        let cmyk = &mut samples[4 * first..4 * (first + count)];
        let rgb = &mut rgb[..3 * count];
        if let Some(convert) = &convert {
            cmyk.iter_mut().for_each(|ink| *ink = 255 - *ink);
            convert.convert_cmyk(cmyk, rgb)?;
        } else {
            for (ink, colour) in cmyk.as_chunks::<4>().0.iter().zip(rgb.as_chunks_mut::<3>().0) {
                *colour = [ink[0], ink[1], ink[2]]
                    .map(|paper| (u16::from(paper) * u16::from(ink[3]) / 255) as u8);
            }
        }
        samples[3 * first..3 * (first + count)].copy_from_slice(rgb);
    }
    samples.truncate(3 * pixels);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srgb_needs_no_conversion_and_display_p3_does() {
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        assert!(ToSrgb::from_rgb(&srgb).is_none());
        let p3 = ColorProfile::new_display_p3().encode().unwrap();
        let convert = ToSrgb::from_rgb(&p3).unwrap();
        let mut pixels = [200, 60, 50, 128, 128, 128];
        convert.convert(&mut pixels).unwrap();
        assert!(pixels[0] > 205 && pixels[1] < 60, "the same red has more red in sRGB: {pixels:?}");
        assert!(pixels[3..].iter().all(|grey| grey.abs_diff(128) <= 1), "{pixels:?}");
    }

    #[test]
    fn rubbish_is_no_profile() {
        assert!(ToSrgb::from_rgb(b"").is_none());
        assert!(ToSrgb::from_rgb(&[7; 300]).is_none());
    }

    #[test]
    fn inverted_cmyk_becomes_rgb() {
        let mut samples = vec![255, 255, 255, 255, 255, 0, 0, 255, 200, 100, 50, 127];
        cmyk_to_rgb(&mut samples, None).unwrap();
        assert_eq!(samples, [255, 255, 255, 255, 0, 0, 99, 49, 24]);
    }
}
