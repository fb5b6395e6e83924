//! Resamples a photo while its rows come out of the decoder, so that it never stands in memory as a whole.

use std::sync::mpsc::sync_channel;

use fast_image_resize::Resizer;

use super::Rejection;
use super::crop::Target;
use super::picture::{Plane, resize, within};

/// About how many bytes of rows are gathered before they are resampled: large enough that the resizer's preparations
/// do not count, small beside a photo.
const BAND: usize = 3 << 20;

/// The reach of the resizer's filter in either direction, in pixels of the coarser side, and a little more.
const REACH: f64 = 3.5;

/// RGB of a pixel with transparency, laid over white: the background that shops and networks show photos on.
pub(super) fn flatten([red, green, blue, alpha]: [u8; 4]) -> [u8; 3] {
    let over = u16::from(255 - alpha);
    [red, green, blue].map(|c| ((u16::from(c) * u16::from(alpha) + 127) / 255 + over) as u8)
}

/// Takes a photo's rows, from the top.
pub(super) struct Rows<'a> {
    take: &'a mut dyn FnMut(&[u8]) -> Result<(), Rejection>,
    row: Vec<[u8; 3]>,
}

impl<'a> Rows<'a> {
    /// Hands each row to `take`.
    pub(super) fn new(take: &'a mut dyn FnMut(&[u8]) -> Result<(), Rejection>) -> Self {
        Self { take, row: Vec::new() }
    }

    /// Takes a row of RGB.
    pub(super) fn row(&mut self, rgb: &[u8]) -> Result<(), Rejection> {
        (self.take)(rgb)
    }

    /// Takes a row of other pixels.
    pub(super) fn row_of<T>(
        &mut self,
        pixels: &[T],
        rgb: impl Fn(&T) -> [u8; 3],
    ) -> Result<(), Rejection> {
        self.row.clear();
        self.row.extend(pixels.iter().map(rgb));
        (self.take)(self.row.as_flattened())
    }
}

/// One target on its way.
struct Job {
    target: Target,
    out: Vec<u8>,
    /// Rows of `out` that are finished.
    done: usize,
}

impl Job {
    fn rows_to_a_row(&self) -> f64 {
        self.target.height / self.target.to.1 as f64
    }

    fn reach(&self) -> f64 {
        REACH * self.rows_to_a_row().max(1.0) + 1.0
    }

    /// The first stored row that the unfinished rows need.
    fn needs_from(&self) -> usize {
        if self.done == self.target.to.1 {
            return usize::MAX;
        }
        let top = self.target.top + self.done as f64 * self.rows_to_a_row();
        (top - self.reach()).max(0.0) as usize
    }

    /// How many rows can be finished with the stored rows before `end`.
    fn possible(&self, end: usize, height: usize) -> usize {
        if end >= height {
            return self.target.to.1;
        }
        let rows = (end as f64 - self.reach() - self.target.top) / self.rows_to_a_row();
        (rows.max(0.0) as usize).min(self.target.to.1)
    }
}

/// Resamples parts of a photo from its rows.
struct Shrinker {
    size: (usize, usize),
    /// Stored rows, from `first` on.
    window: Vec<u8>,
    first: usize,
    jobs: Vec<Job>,
    resizer: Resizer,
    /// Rows that make it worth while to resample.
    band: usize,
}

impl Shrinker {
    fn new(size: (usize, usize), targets: &[Target]) -> Self {
        let job = |target: &Target| Job {
            target: *target,
            out: vec![0; 3 * target.to.0 * target.to.1],
            done: 0,
        };
        let jobs: Vec<Job> = targets.iter().map(job).collect();
        // Twice the reach stays behind from one band to the next.
        let kept = jobs.iter().map(Job::reach).fold(0.0, f64::max) * 2.0;
        let line = 3 * size.0.max(1);
        let band = BAND / line + kept as usize + 1;
        let window = Vec::with_capacity(line * band.min(size.1 + 1) + BAND / 4);
        Self { size, window, first: 0, jobs, resizer: Resizer::new(), band }
    }

    /// The stored row after the last one in the window.
    fn end(&self) -> usize {
        self.first + self.window.len() / (3 * self.size.0).max(1)
    }

    /// Takes one row or several.
    fn push(&mut self, rows: &[u8]) -> Result<(), Rejection> {
        self.window.extend_from_slice(rows);
        let end = self.end();
        if end - self.first >= self.band || end >= self.size.1 {
            self.resample(end)
        } else {
            Ok(())
        }
    }

    fn resample(&mut self, end: usize) -> Result<(), Rejection> {
        let (width, height) = self.size;
        for job in &mut self.jobs {
            let Target { left, top, width: part, to, .. } = job.target;
            let possible = job.possible(end, height);
            if possible <= job.done {
                continue;
            }
            let rows = possible - job.done;
            let from = top + job.done as f64 * job.rows_to_a_row() - self.first as f64;
            let (from, length) = within(from, rows as f64 * job.rows_to_a_row(), end - self.first);
            let (left, part) = within(left, part, width);
            let out = job.out.get_mut(3 * to.0 * job.done..3 * to.0 * possible).unwrap_or_default();
            resize(
                &mut self.resizer,
                (&self.window, width, end - self.first),
                (left, from, part, length),
                (out, to.0, rows),
                3,
            )?;
            job.done = possible;
        }
        let needed = self.jobs.iter().map(Job::needs_from).min().unwrap_or(usize::MAX);
        let gone = needed.clamp(self.first, end) - self.first;
        self.window.drain(..gone * 3 * width);
        self.first += gone;
        Ok(())
    }

    fn finish(self) -> Result<Vec<Plane>, Rejection> {
        if self.end() < self.size.1 {
            return Err(Rejection::Truncated);
        }
        let plane = |job: Job| Plane {
            samples: job.out,
            width: job.target.to.0,
            height: job.target.to.1,
            channels: 3,
        };
        Ok(self.jobs.into_iter().map(plane).collect())
    }
}

/// Resamples parts of a photo from the rows that `decode` hands over. With two threads or more, decoding and resampling
/// go side by side.
pub(super) fn shrink(
    size: (u32, u32),
    targets: &[Target],
    threads: usize,
    decode: impl FnOnce(&mut Rows<'_>) -> Result<(), Rejection>,
) -> Result<Vec<Plane>, Rejection> {
    let size = (size.0 as usize, size.1 as usize);
    let mut shrinker = Shrinker::new(size, targets);
    if threads < 2 {
        decode(&mut Rows::new(&mut |row| shrinker.push(row)))?;
        return shrinker.finish();
    }
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel::<Vec<u8>>(2);
        let resampling = scope.spawn(move || {
            for rows in receive {
                shrinker.push(&rows)?;
            }
            shrinker.finish()
        });
        let full = BAND / 4;
        let mut band = Vec::with_capacity(full + 3 * size.0);
        let mut take = |row: &[u8]| {
            band.extend_from_slice(row);
            if band.len() >= full {
                let rows = std::mem::replace(&mut band, Vec::with_capacity(full + 3 * size.0));
                // A refusal means that the other thread gave up; its reason comes with the join.
                send.send(rows).map_err(|_| Rejection::engine("the resampler stopped"))?;
            }
            Ok(())
        };
        let decoded = decode(&mut Rows::new(&mut take));
        let sent = decoded.and_then(|()| send.send(band).map_err(Rejection::engine));
        drop(send);
        match resampling.join() {
            Ok(Err(why)) if sent.is_ok() || why != Rejection::Truncated => Err(why),
            Ok(result) => sent.and(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparency_shows_white() {
        assert_eq!(flatten([10, 20, 30, 255]), [10, 20, 30]);
        assert_eq!(flatten([10, 20, 30, 0]), [255, 255, 255]);
        assert_eq!(flatten([0, 100, 255, 128]), [127, 177, 255]);
    }

    #[test]
    fn rows_give_what_the_whole_gives() {
        let (width, height) = (700usize, 9000usize);
        let pixel = |i: usize| ((i * i / 977 + i / 3 + (i / 2100) * 5) % 256) as u8;
        let samples: Vec<u8> = (0..3 * width * height).map(pixel).collect();
        let targets = [
            Target { left: 30.5, top: 1000.25, width: 600.0, height: 7000.5, to: (300, 777) },
            Target { left: 0.0, top: 8000.0, width: 700.0, height: 1000.0, to: (1050, 1500) },
            Target::whole((700, 9000), (5, 64)),
        ];
        for threads in [1, 2] {
            let planes = shrink((700, 9000), &targets, threads, |rows| {
                samples.chunks_exact(3 * width).try_for_each(|row| rows.row(row))
            });
            for (plane, target) in planes.unwrap().iter().zip(&targets) {
                let mut whole = vec![0; plane.samples.len()];
                let part = (target.left, target.top, target.width, target.height);
                let mut resizer = Resizer::new();
                let from = (samples.as_slice(), width, height);
                resize(&mut resizer, from, part, (&mut whole, target.to.0, target.to.1), 3)
                    .unwrap();
                let apart = plane.samples.iter().zip(&whole).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(apart <= Some(2), "{target:?}: {apart:?}");
            }
        }
    }

    #[test]
    fn missing_rows_are_noticed() {
        let target = [Target::whole((4, 4), (2, 2))];
        for threads in [1, 2] {
            let result = shrink((4, 4), &target, threads, |rows| rows.row(&[0; 12]));
            assert_eq!(result.unwrap_err(), Rejection::Truncated);
            let result = shrink((4, 4), &target, threads, |_| Err(Rejection::Animated));
            assert_eq!(result.unwrap_err(), Rejection::Animated);
        }
    }
}
