//! QR codes in a picture.

use std::collections::BTreeSet;

use nexus_media::photo::Rgb;
use rqrr::PreparedImage;

use super::Grey;

/// Codes told, at most.
const MOST: usize = 8;
/// Characters of a code's content, at most; a longer one is nothing that a person wants to read.
const LONGEST: usize = 1_000;

/// The contents of the codes that can be read, each once.
pub(super) fn read(picture: &Rgb) -> BTreeSet<String> {
    let Grey { width, height, levels } = Grey::of(picture);
    let level = |x: usize, y: usize| levels.get(y * width + x).copied().unwrap_or(u8::MAX);
    let mut prepared = PreparedImage::prepare_from_greyscale(width, height, level);
    let contents = prepared.detect_grids().into_iter().filter_map(|grid| grid.decode().ok());
    let readable = |content: &String| {
        !content.is_empty()
            && content.chars().count() <= LONGEST
            && !content.chars().any(|c| c.is_control() && c != '\n')
    };
    contents.map(|(_, content)| content).filter(readable).take(MOST).collect()
}
