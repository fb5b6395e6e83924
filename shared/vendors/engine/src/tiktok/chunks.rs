//! In which pieces a video is uploaded. TikTok wants `floor(size / chunk_size)` of them, each of 5 to 64 MB, the last
//! with what is left over (up to 128 MB), and a video below 5 MB whole.

use std::ops::Range;

/// The usual piece, in bytes. What is lost with a connection is small, and the largest video that TikTok takes has 400
/// of them; it may have 1,000.
pub(super) const USUAL: u64 = 10_000_000;

/// The pieces of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    /// Bytes of the whole, at least 1.
    pub(super) size: u64,
    /// Bytes of each piece but the last.
    pub(super) each: u64,
    /// How many.
    pub(super) count: u64,
}

impl Chunks {
    /// Those of a video of so many bytes. One that has no two usual pieces goes whole.
    pub(super) fn of(size: u64) -> Self {
        let each = if size < 2 * USUAL { size.max(1) } else { USUAL };
        Self { size, each, count: (size / each).max(1) }
    }

    /// Where each begins and ends, in order.
    pub(super) fn ranges(self) -> impl Iterator<Item = Range<u64>> {
        (0..self.count).map(move |nth| {
            let end = if self.is_last(nth) { self.size } else { (nth + 1) * self.each };
            nth * self.each..end
        })
    }

    fn is_last(self, nth: u64) -> bool {
        nth + 1 == self.count
    }
}
