//! The eight ways a camera may have been held (EXIF tag 0x0112), and turning pixels upright.

use serde::{Deserialize, Serialize};
use turbojpeg::TransformOp;

/// How stored pixels have to be turned to stand upright: 1 (not at all) to 8, as EXIF numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Orientation(u8);

impl Orientation {
    /// Already upright.
    pub const UPRIGHT: Self = Self(1);

    /// From EXIF; anything outside 1 to 8 counts as upright, as every viewer does.
    #[must_use]
    pub fn from_exif(value: u32) -> Self {
        match value {
            2..=8 => Self(value as u8),
            _ => Self::UPRIGHT,
        }
    }

    /// The EXIF number, 1 to 8.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// Whether width and height change places.
    #[must_use]
    pub fn swaps_sides(self) -> bool {
        self.0 >= 5
    }

    /// Width and height after turning.
    pub(super) fn turned<T>(self, (width, height): (T, T)) -> (T, T) {
        if self.swaps_sides() { (height, width) } else { (width, height) }
    }

    /// Whether the stored columns, and the stored rows, are read backwards.
    pub(super) fn mirrors(self) -> (bool, bool) {
        (matches!(self.0, 2 | 3 | 7 | 8), matches!(self.0, 3 | 4 | 6 | 7))
    }

    /// The same turn, as libjpeg-turbo names it.
    pub(super) fn transform(self) -> TransformOp {
        match self.0 {
            2 => TransformOp::Hflip,
            3 => TransformOp::Rot180,
            4 => TransformOp::Vflip,
            5 => TransformOp::Transpose,
            6 => TransformOp::Rot90,
            7 => TransformOp::Transverse,
            8 => TransformOp::Rot270,
            _ => TransformOp::None,
        }
    }

    /// Turns samples of `N` bytes each, `width` to a row. Incomplete rows are dropped.
    pub(super) fn turn<const N: usize>(self, samples: &[u8], width: usize) -> Vec<u8> {
        /// Side of the squares that are turned at once, so that reads and writes both stay in the cache.
        const TILE: usize = 32;
        let rows: Vec<&[[u8; N]]> = samples.as_chunks::<N>().0.chunks_exact(width.max(1)).collect();
        let height = rows.len();
        let (mirror_columns, mirror_rows) = self.mirrors();
        let mut out = vec![[0u8; N]; width * height];
        if self.swaps_sides() {
            for tile_top in (0..width).step_by(TILE) {
                for tile_left in (0..height).step_by(TILE) {
                    for (y, line) in
                        out.chunks_exact_mut(height.max(1)).enumerate().skip(tile_top).take(TILE)
                    {
                        let column = if mirror_columns { width - 1 - y } else { y };
                        for (x, sample) in line.iter_mut().enumerate().skip(tile_left).take(TILE) {
                            let row = if mirror_rows { height - 1 - x } else { x };
                            *sample = rows[row][column];
                        }
                    }
                }
            }
        } else {
            for (y, line) in out.chunks_exact_mut(width.max(1)).enumerate() {
                line.copy_from_slice(rows[if mirror_rows { height - 1 - y } else { y }]);
                if mirror_columns {
                    line.reverse();
                }
            }
        }
        out.into_flattened()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_orientation_turns_as_exif_says() {
        // Stored 3x2: the letters say where they stand upright after each turn (EXIF 2.32, 4.6.4).
        let stored = b"abcdef";
        let expected: [&[u8]; 8] = [
            b"abcdef", b"cbafed", b"fedcba", b"defabc", b"adbecf", b"daebfc", b"fcebda", b"cfbead",
        ];
        for (number, upright) in (1..).zip(expected) {
            let orientation = Orientation::from_exif(number);
            assert_eq!(orientation.turn::<1>(stored, 3), upright, "orientation {number}");
        }
    }

    #[test]
    fn samples_of_several_bytes_stay_together() {
        let stored = b"a0b1c2d3";
        assert_eq!(Orientation::from_exif(6).turn::<2>(stored, 2), b"c2a0d3b1");
    }

    #[test]
    fn large_pictures_turn_back_to_themselves() {
        let (width, height) = (71, 45);
        let stored: Vec<u8> = (0..width * height).map(|i| (i * 7 % 251) as u8).collect();
        for (there, back) in [(2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)] {
            let (there, back) = (Orientation::from_exif(there), Orientation::from_exif(back));
            let turned = there.turn::<1>(&stored, width);
            let (turned_width, _) = there.turned((width, height));
            assert_eq!(back.turn::<1>(&turned, turned_width), stored);
        }
    }

    #[test]
    fn numbers_that_exif_does_not_know_are_upright() {
        assert_eq!(Orientation::from_exif(0), Orientation::UPRIGHT);
        assert_eq!(Orientation::from_exif(9), Orientation::UPRIGHT);
        assert_eq!(Orientation::from_exif(256 + 6), Orientation::UPRIGHT);
    }
}
