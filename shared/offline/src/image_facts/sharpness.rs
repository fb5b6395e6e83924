//! Whether anything in a picture is in focus.
//!
//! Edges in focus change steeply: the second difference of brightness (the Laplacian) varies much where something is
//! in focus, little where nothing is. The picture is looked at in tiles, since a background may well be soft behind a
//! sharp product.

use super::Grey;

/// Tiles across and down.
const TILES: usize = 8;
/// The sharpest tiles may be a speck of dust or a caption: the picture is as sharp as the one after these.
const SPECKS: usize = 3;
/// Brightness that varies less than this (its standard deviation, of 255) shows nothing that could be in focus.
const PLAIN: f64 = 6.0;
/// The variance of the Laplacian that is as likely sharp as soft.
const UNDECIDED: f64 = 150.0;

/// `sharp` or `soft` and how sure that is, 0.5 to 1; `None` for a picture with nothing in it.
pub(super) fn sharpness(grey: &Grey) -> Option<(&'static str, f64)> {
    let levels = grey.levels.iter().map(|level| f64::from(*level));
    if variance(levels) < PLAIN * PLAIN {
        return None;
    }
    let steepness = steepness(grey);
    let sharp = steepness / (steepness + UNDECIDED);
    Some(if sharp >= 0.5 { ("sharp", sharp) } else { ("soft", 1.0 - sharp) })
}

/// The variance of the Laplacian in all but the very sharpest tiles.
fn steepness(grey: &Grey) -> f64 {
    let mut tiles: Vec<Vec<f64>> = vec![Vec::new(); TILES * TILES];
    let rows: Vec<&[u8]> = grey.levels.chunks_exact(grey.width.max(1)).collect();
    for (y, window) in rows.windows(3).enumerate() {
        let [above, here, below] = window else { continue };
        let columns = here.windows(3).zip(above.iter().zip(below.iter()).skip(1));
        for (x, (beside, (above, below))) in columns.enumerate() {
            let [left, middle, right] = beside else { continue };
            let around = [left, right, above, below].map(|level| f64::from(*level));
            let tile = y * TILES / grey.height * TILES + x * TILES / grey.width;
            if let Some(tile) = tiles.get_mut(tile) {
                tile.push(around.iter().sum::<f64>() - 4.0 * f64::from(*middle));
            }
        }
    }
    let mut found: Vec<f64> = tiles.into_iter().map(|tile| variance(tile.into_iter())).collect();
    found.sort_by(|a, b| b.total_cmp(a));
    found.get(SPECKS).copied().unwrap_or_default()
}

fn variance(values: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    if count == 0.0 { 0.0 } else { (squares / count - (sum / count).powi(2)).max(0.0) }
}
