//! How alike two pictures are: SSIM of their luma (Wang and others, 2004: Gaussian window, sigma 1.5, 11 wide), and the
//! reference it is taken against: the middle of the decoded photo scaled with a Lanczos filter in 32-bit floats. Both
//! are written out here, apart from what is measured.

/// Luma from 0 to 255.
pub(crate) struct Luma {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) levels: Vec<f32>,
}

/// ITU-R BT.601, as in JPEG.
pub(crate) fn luma(rgb: &[u8], width: usize) -> Luma {
    let level =
        |[r, g, b]: &[u8; 3]| 0.299 * f32::from(*r) + 0.587 * f32::from(*g) + 0.114 * f32::from(*b);
    let levels: Vec<f32> = rgb.as_chunks::<3>().0.iter().map(level).collect();
    Luma { width, height: levels.len() / width, levels }
}

/// The middle of a picture with the frame's proportions, scaled to the frame. `shift` moves the middle by that part of a
/// pixel of the frame: some programs cut at whole pixels after scaling, which is no worse a picture.
pub(crate) fn reference(picture: &Luma, frame: (usize, usize), shift: f64) -> Luma {
    let (w, h) = (picture.width as f64, picture.height as f64);
    let scale = (frame.0 as f64 / w).max(frame.1 as f64 / h);
    let (part_w, part_h) = (frame.0 as f64 / scale, frame.1 as f64 / scale);
    let start = |spare: f64| if spare > 1.0 { spare / 2.0 + shift / scale } else { 0.0 };
    let across = weights(picture.width, start(w - part_w), part_w, frame.0);
    let down = weights(picture.height, start(h - part_h), part_h, frame.1);
    let mut narrow = vec![0.0f32; frame.0 * picture.height];
    for (row, out) in
        picture.levels.chunks_exact(picture.width).zip(narrow.chunks_exact_mut(frame.0))
    {
        for ((from, taps), sum) in across.iter().zip(out) {
            *sum = row[*from..].iter().zip(taps).map(|(level, weight)| level * weight).sum();
        }
    }
    let mut levels = vec![0.0f32; frame.0 * frame.1];
    for ((from, taps), out) in down.iter().zip(levels.chunks_exact_mut(frame.0)) {
        for (row, weight) in narrow.chunks_exact(frame.0).skip(*from).zip(taps) {
            out.iter_mut().zip(row).for_each(|(sum, level)| *sum += level * weight);
        }
    }
    levels.iter_mut().for_each(|level| *level = level.clamp(0.0, 255.0));
    Luma { width: frame.0, height: frame.1, levels }
}

/// For each of `to` samples the first of the `limit` samples it is made of, and their weights.
fn weights(limit: usize, start: f64, length: f64, to: usize) -> Vec<(usize, Vec<f32>)> {
    let step = length / to as f64;
    let reach = 3.0 * step.max(1.0);
    let lanczos = |x: f64| {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x)
            }
        };
        if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
    };
    let one = |at: usize| {
        let centre = start + (at as f64 + 0.5) * step;
        let from = (centre - reach).max(0.0) as usize;
        let end = ((centre + reach).ceil() as usize).min(limit);
        let taps: Vec<f64> =
            (from..end).map(|i| lanczos((i as f64 + 0.5 - centre) / step.max(1.0))).collect();
        let sum: f64 = taps.iter().sum();
        (from, taps.into_iter().map(|tap| (tap / sum) as f32).collect())
    };
    (0..to).map(one).collect()
}

/// Structural similarity, 1 for equal pictures.
pub(crate) fn ssim(a: &Luma, b: &Luma) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let product = |a: &Luma, b: &Luma| Luma {
        width: a.width,
        height: a.height,
        levels: a.levels.iter().zip(&b.levels).map(|(a, b)| a * b).collect(),
    };
    let (mean_a, mean_b) = (blur(a), blur(b));
    let (aa, bb, ab) = (blur(&product(a, a)), blur(&product(b, b)), blur(&product(a, b)));
    let (c1, c2) = ((0.01f32 * 255.0).powi(2), (0.03f32 * 255.0).powi(2));
    let sum: f64 = (0..mean_a.len())
        .map(|i| {
            let (ma, mb) = (mean_a[i], mean_b[i]);
            let (va, vb, cov) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
            let likeness = (2.0 * ma * mb + c1) * (2.0 * cov + c2)
                / ((ma * ma + mb * mb + c1) * (va + vb + c2));
            f64::from(likeness)
        })
        .sum();
    sum / mean_a.len() as f64
}

/// Gaussian means of all whole 11x11 windows.
fn blur(picture: &Luma) -> Vec<f32> {
    let raw: Vec<f32> = (-5..=5).map(|i| (-(i * i) as f32 / (2.0 * 1.5 * 1.5)).exp()).collect();
    let total: f32 = raw.iter().sum();
    let kernel: Vec<f32> = raw.iter().map(|weight| weight / total).collect();
    let mean = |window: &[f32]| window.iter().zip(&kernel).map(|(l, w)| l * w).sum::<f32>();
    let narrow: Vec<f32> = picture
        .levels
        .chunks_exact(picture.width)
        .flat_map(|row| row.windows(11).map(mean))
        .collect();
    let width = picture.width - 10;
    let mut out = vec![0.0; width * (picture.height - 10)];
    for (y, line) in out.chunks_exact_mut(width).enumerate() {
        for (row, weight) in narrow.chunks_exact(width).skip(y).zip(&kernel) {
            line.iter_mut().zip(row).for_each(|(sum, level)| *sum += level * weight);
        }
    }
    out
}
