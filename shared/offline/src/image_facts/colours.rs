//! A picture's main colours, by names that everybody knows.
//!
//! Pixels are gathered into a few groups in Oklab, where distances are as large as they look (Björn Ottosson, 2020).
//! A group is called by the part of the colour space that it lies in, as the dictionaries of colour do it.

use std::collections::BTreeMap;

use nexus_media::photo::Rgb;

/// Names told, at most.
const MOST: usize = 4;
/// Parts of the picture below this are not told.
const LEAST_SHARE: f64 = 0.06;
/// Groups of pixels.
const GROUPS: usize = 12;
/// Rounds of gathering; they hardly move after this.
const ROUNDS: usize = 12;
/// Pixels closer than this count as one.
const CELL: f32 = 0.04;

/// A part of the colour space: from, and up to but without.
struct Region {
    name: &'static str,
    /// Degrees; from a larger to a smaller number it passes 0, which is a pinkish red.
    hue: (f32, f32),
    /// 0, black, to 1, white.
    lightness: (f32, f32),
    /// 0, grey, to about 0.32.
    chroma: (f32, f32),
}

type Part = (f32, f32);

const fn region(name: &'static str, hue: Part, lightness: Part, chroma: Part) -> Region {
    Region { name, hue, lightness, chroma }
}

const ALL: Part = (0.0, 360.0);
/// More than there is.
const FULL: f32 = 2.0;

/// A colour has the name of the first region that it lies in. The last five have room for everything.
#[rustfmt::skip]
const REGIONS: [Region; 34] = [
    region("black",      ALL,            (0.00, 0.20), (0.000, 0.060)),
    region("black",      ALL,            (0.00, 0.27), (0.000, 0.025)),
    region("dark grey",  ALL,            (0.00, 0.48), (0.000, 0.025)),
    region("grey",       ALL,            (0.00, 0.72), (0.000, 0.025)),
    region("light grey", ALL,            (0.00, 0.90), (0.000, 0.020)),
    region("white",      ALL,            (0.90, FULL), (0.000, 0.018)),
    region("cream",      (36.0, 118.0),  (0.93, FULL), (0.000, 0.100)),
    region("white",      (100.0, 200.0), (0.93, FULL), (0.000, 0.050)),
    region("beige",      (36.0, 115.0),  (0.80, 0.93), (0.000, 0.075)),
    region("orange",     (38.0, 78.0),   (0.60, FULL), (0.125, FULL)),
    region("yellow",     (78.0, 118.0),  (0.72, FULL), (0.095, FULL)),
    region("tan",        (36.0, 100.0),  (0.63, 0.80), (0.000, 0.150)),
    region("tan",        (36.0, 78.0),   (0.80, FULL), (0.075, 0.125)),
    region("olive",      (95.0, 130.0),  (0.30, 0.70), (0.035, FULL)),
    region("maroon",     (340.0, 36.0),  (0.00, 0.42), (0.070, FULL)),
    region("pink",       (325.0, 38.0),  (0.72, FULL), (0.025, FULL)),
    region("pink",       (325.0, 12.0),  (0.58, FULL), (0.060, FULL)),
    region("red",        (340.0, 40.0),  (0.40, 0.72), (0.135, FULL)),
    region("pink",       (325.0, 36.0),  (0.58, FULL), (0.025, FULL)),
    region("brown",      (8.0, 100.0),   (0.20, 0.63), (0.025, FULL)),
    region("green",      (100.0, 168.0), (0.22, FULL), (0.035, FULL)),
    region("turquoise",  (168.0, 212.0), (0.66, FULL), (0.045, FULL)),
    region("teal",       (168.0, 215.0), (0.25, 0.66), (0.035, FULL)),
    region("light blue", (200.0, 282.0), (0.74, FULL), (0.025, FULL)),
    region("dark blue",  (215.0, 290.0), (0.00, 0.37), (0.030, FULL)),
    region("blue",       (212.0, 288.0), (0.37, 0.74), (0.040, FULL)),
    region("lavender",   (282.0, 328.0), (0.72, FULL), (0.025, FULL)),
    region("purple",     (288.0, 360.0), (0.20, 0.72), (0.035, FULL)),
    region("purple",     (0.0, 8.0),     (0.20, 0.72), (0.035, FULL)),
    region("black",      ALL,            (0.00, 0.27), (0.000, FULL)),
    region("dark grey",  ALL,            (0.00, 0.48), (0.000, FULL)),
    region("grey",       ALL,            (0.00, 0.72), (0.000, FULL)),
    region("light grey", ALL,            (0.00, 0.92), (0.000, FULL)),
    region("white",      ALL,            (0.00, FULL), (0.000, FULL)),
];

/// Shades of one colour: a picture gets one name of a family, the largest's.
fn family(name: &'static str) -> &'static str {
    match name {
        "dark grey" | "light grey" => "grey",
        "cream" | "tan" => "beige",
        "maroon" => "red",
        "olive" => "green",
        "turquoise" => "teal",
        "light blue" | "dark blue" => "blue",
        "lavender" => "purple",
        other => other,
    }
}

/// Lightness, green to red, blue to yellow.
type Lab = [f32; 3];

/// Names with their shares of the picture, 0 to 1, largest first.
pub(super) fn dominant(picture: &Rgb) -> Vec<(&'static str, f64)> {
    let groups = gathered(&cells(picture)).into_iter();
    let groups = groups.map(|(colour, pixels)| (named(colour), pixels));
    let names = summed(groups, |a, b| a == b);
    let families = summed(names.into_iter(), |a, b| family(a) == family(b));
    let all: f32 = families.iter().map(|(_, pixels)| pixels).sum();
    let told = families.into_iter().map(|(name, pixels)| (name, f64::from(pixels / all)));
    told.filter(|(_, share)| *share >= LEAST_SHARE).take(MOST).collect()
}

/// Adds up what is the same, under the first one's name; largest first.
fn summed(
    parts: impl Iterator<Item = (&'static str, f32)>,
    same: impl Fn(&'static str, &'static str) -> bool,
) -> Vec<(&'static str, f32)> {
    let mut sums: Vec<(&'static str, f32)> = Vec::new();
    for (name, pixels) in parts {
        match sums.iter_mut().find(|(first, _)| same(first, name)) {
            Some((_, sum)) => *sum += pixels,
            None => sums.push((name, pixels)),
        }
    }
    sums.sort_by(|a, b| b.1.total_cmp(&a.1));
    sums
}

/// The colours that occur, those of a cell as their mean, with how many pixels have them.
fn cells(picture: &Rgb) -> Vec<(Lab, f32)> {
    let mut cells: BTreeMap<[i32; 3], (Lab, f32)> = BTreeMap::new();
    for pixel in picture.pixels.as_chunks::<3>().0 {
        let colour = oklab(*pixel);
        let (sum, count) = cells.entry(colour.map(|part| (part / CELL) as i32)).or_default();
        *sum = add(*sum, colour, 1.0);
        *count += 1.0;
    }
    cells.into_values().map(|(sum, count)| (sum.map(|part| part / count), count)).collect()
}

/// Groups of colours by k-means. The first seed is the most frequent colour, each next one the colour that most and
/// farthest pixels ask for; nothing is left to chance.
fn gathered(cells: &[(Lab, f32)]) -> Vec<(Lab, f32)> {
    let mut means: Vec<Lab> = Vec::new();
    while means.len() < GROUPS {
        let need = |(colour, weight): &(Lab, f32)| {
            let nearest = means.iter().map(|mean| distance(*mean, *colour)).reduce(f32::min);
            weight * nearest.unwrap_or(1.0)
        };
        match cells.iter().max_by(|a, b| need(a).total_cmp(&need(b))) {
            Some(cell) if need(cell) > 0.0 => means.push(cell.0),
            _ => break,
        }
    }
    let mut groups = Vec::new();
    for _ in 0..ROUNDS {
        groups = vec![([0.0; 3], 0.0); means.len()];
        for (colour, weight) in cells {
            let near = |mean: &Lab| distance(*mean, *colour);
            let pairs = means.iter().zip(groups.iter_mut());
            if let Some((_, group)) = pairs.min_by(|a, b| near(a.0).total_cmp(&near(b.0))) {
                *group = (add(group.0, *colour, *weight), group.1 + weight);
            }
        }
        groups.retain(|(_, weight)| *weight > 0.0);
        for (sum, weight) in &mut groups {
            *sum = sum.map(|part| part / *weight);
        }
        means = groups.iter().map(|(mean, _)| *mean).collect();
    }
    groups
}

/// The name of the region that a colour lies in.
fn named([lightness, a, b]: Lab) -> &'static str {
    let chroma = a.hypot(b);
    let hue = b.atan2(a).to_degrees().rem_euclid(360.0);
    let inside = |value: f32, (from, to): Part| {
        if from < to { (from..to).contains(&value) } else { value >= from || value < to }
    };
    let found = REGIONS.iter().find(|region| {
        inside(lightness, region.lightness)
            && inside(chroma, region.chroma)
            && inside(hue, region.hue)
    });
    // Rounding may lead just below black.
    found.map_or("black", |region| region.name)
}

fn add(sum: Lab, colour: Lab, weight: f32) -> Lab {
    let ([a, b, c], [x, y, z]) = (sum, colour);
    [a + x * weight, b + y * weight, c + z * weight]
}

/// Squared.
fn distance([a, b, c]: Lab, [x, y, z]: Lab) -> f32 {
    (a - x).powi(2) + (b - y).powi(2) + (c - z).powi(2)
}

/// Oklab of an sRGB colour, with the numbers of its definition.
fn oklab(rgb: [u8; 3]) -> Lab {
    let [r, g, b] = rgb.map(|byte| {
        let part = f32::from(byte) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(rgb: u32) -> [u8; 3] {
        let [_, red, green, blue] = rgb.to_be_bytes();
        [red, green, blue]
    }

    fn picture(parts: &[(u32, usize)]) -> Rgb {
        let pixels: Vec<u8> =
            parts.iter().flat_map(|(rgb, count)| bytes(*rgb).repeat(*count)).collect();
        Rgb { width: (pixels.len() / 3) as u32, height: 1, pixels }
    }

    #[test]
    fn oklab_is_as_defined() {
        let near = |found: Lab, expected: Lab| distance(found, expected) < 1e-6;
        assert!(near(oklab([255, 255, 255]), [1.0, 0.0, 0.0]));
        assert!(near(oklab([0, 0, 0]), [0.0, 0.0, 0.0]));
        assert!(near(oklab([255, 0, 0]), [0.627_96, 0.224_86, 0.125_85]));
        assert!(near(oklab([0, 0, 255]), [0.452_01, -0.032_46, -0.311_53]));
    }

    #[test]
    fn a_picture_of_one_colour_has_its_name() {
        let names: [(&str, &[u32]); 23] = [
            ("black", &[0x000000, 0x141414, 0x1a120e, 0x10141c]),
            ("dark grey", &[0x36454f, 0x3c3c3c, 0x505050]),
            ("grey", &[0x696969, 0x708090, 0x808080]),
            ("light grey", &[0xc0c0c0, 0xd3d3d3]),
            ("white", &[0xf2f2f2, 0xfffafa, 0xf0f8ff]),
            ("cream", &[0xf5f5dc, 0xfff5d6, 0xfaebd7]),
            ("beige", &[0xf5deb3, 0xe6d3b0, 0xffdab9]),
            ("tan", &[0xd2b48c, 0xc69c6d, 0xb8860b, 0xcd853f]),
            ("brown", &[0x6f4e37, 0x653700, 0x8b4513, 0xa0522d, 0x3e2413]),
            ("red", &[0xe50000, 0xdc143c, 0xb22222, 0xa52a2a]),
            ("maroon", &[0x800000, 0x722f37]),
            ("orange", &[0xff7f00, 0xffa500, 0xd2691e]),
            ("yellow", &[0xffff14, 0xffd700, 0xf0e68c]),
            ("olive", &[0x808000, 0x6b8e23, 0x556b2f]),
            ("green", &[0x15b01a, 0x228b22, 0x2e8b57, 0x0b5d1e, 0x98d98e, 0x9caf88]),
            ("teal", &[0x008080, 0x2f4f4f]),
            ("turquoise", &[0x40e0d0, 0x00ffff]),
            ("blue", &[0x0343df, 0x4169e1, 0x4682b4, 0x6495ed]),
            ("light blue", &[0x87ceeb, 0xadd8e6, 0xb0c4de]),
            ("dark blue", &[0x000080, 0x191970, 0x14213d, 0x1d3557]),
            ("purple", &[0x800080, 0x6a4c93, 0x4b0082, 0x8a2be2]),
            ("lavender", &[0xe6e6fa, 0xc79fef]),
            ("pink", &[0xffc0cb, 0xff69b4, 0xfa8072, 0xe75480, 0xff00ff]),
        ];
        for (name, colours) in names {
            for rgb in colours {
                assert_eq!(dominant(&picture(&[(*rgb, 64)])), [(name, 1.0)], "{rgb:06x}");
            }
        }
    }

    #[test]
    fn what_has_no_hue_is_given_none() {
        for level in 0..=255u32 {
            let found = dominant(&picture(&[(level * 0x01_01_01, 9)]));
            let [(name, _)] = found.as_slice() else { panic!("{found:?}") };
            assert!(["black", "grey", "white"].contains(&family(name)), "{level}: {name}");
        }
    }

    #[test]
    fn shares_are_told_largest_first_and_small_ones_not() {
        let found = dominant(&picture(&[(0xe50000, 300), (0x0343df, 650), (0xffffff, 50)]));
        assert_eq!(found, [("blue", 0.65), ("red", 0.3)].map(|(n, s): (_, f32)| (n, f64::from(s))));
    }

    #[test]
    fn shades_of_one_family_are_one_name() {
        let greys = dominant(&picture(&[(0x808080, 400), (0xd0d0d0, 300), (0x3c3c3c, 300)]));
        assert_eq!(greys, [("grey", 1.0)]);
        let six = [0xe50000, 0x15b01a, 0x0343df, 0xffff14, 0xffffff, 0x000000].map(|rgb| (rgb, 90));
        assert_eq!(dominant(&picture(&six)).len(), MOST);
    }
}
