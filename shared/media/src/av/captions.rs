//! Captions: text laid out by the font's own widths, and written as an ASS script for libass.
//!
//! Lines are broken here rather than by libass, so that a long sentence becomes several captions
//! after one another instead of growing out of the top third of the picture.

use std::{fmt::Write as _, time::Duration};

use ttf_parser::Face;

use super::AvError;

/// The font that captions are set in; it has to lie in [`Assembly::fonts_dir`].
///
/// [`Assembly::fonts_dir`]: super::Assembly::fonts_dir
pub const FONT_FILE: &str = "DejaVuSansCondensed-Bold.ttf";

/// What the font calls itself.
const FAMILY: &str = "DejaVu Sans Condensed";

/// Lines shown at once.
const MAX_LINES: usize = 3;

/// Height of a line, distance from the top, and width of the text, as parts of the frame. Three
/// lines end at 0.23, well within the top third and below what the networks lay over a video.
const LINE: f64 = 0.046;
const TOP: f64 = 0.085;
const TEXT_WIDTH: f64 = 0.86;

/// A pause shorter than this leaves the caption standing, so that it does not flicker.
const BRIDGED: Duration = Duration::from_millis(600);

/// A line of speech to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// Shown from here.
    pub start: Duration,
    /// Gone from here, or up to 0.6 s later if the next one follows by then.
    pub end: Duration,
    /// What is read. Any text: line breaks become spaces, signs that the font lacks are left out.
    pub text: String,
}

/// Gives each text the time it takes to be read (15 signs a second, and 0.7 s to find it; at least
/// 1.6 s), one after the other.
#[must_use]
pub fn timed_by_reading(texts: &[impl AsRef<str>]) -> Vec<Caption> {
    let mut start = Duration::ZERO;
    let captions = texts.iter().map(|text| {
        let text = text.as_ref().to_owned();
        let signs = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let reading = Duration::from_millis(700) + Duration::from_secs(1) / 15 * signs;
        let end = start + reading.max(Duration::from_millis(1600));
        let caption = Caption { start, end, text };
        start = end;
        caption
    });
    captions.collect()
}

/// The ASS script that shows `captions` in the top third of a `width` x `height` picture.
pub(super) fn script(
    captions: &[Caption],
    font: &[u8],
    width: u32,
    height: u32,
) -> Result<String, AvError> {
    let (width, height) = (f64::from(width), f64::from(height));
    let line = height * LINE;
    let type_ = Typeface::new(font, line)?;
    let mut script = format!(
        "[Script Info]\n\
         ScriptType: v4.00+\n\
         PlayResX: {width}\n\
         PlayResY: {height}\n\
         WrapStyle: 2\n\
         ScaledBorderAndShadow: yes\n\
         YCbCr Matrix: TV.709\n\
         \n\
         [V4+ Styles]\n\
         Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, \
         BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, \
         BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n\
         Style: Caption,{FAMILY},{line:.2},&H00FFFFFF,&H00FFFFFF,&H00141414,&H78000000,-1,0,0,0,\
         100,100,0,0,1,{outline:.2},{shadow:.2},8,0,0,{top:.0},1\n\
         \n\
         [Events]\n\
         Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n",
        outline = line * 0.07,
        shadow = line * 0.04,
        top = height * TOP,
    );
    for (index, caption) in captions.iter().enumerate() {
        let next = captions.get(index + 1).map(|next| next.start);
        let end = match next {
            Some(next) if next < caption.end => {
                return Err(AvError::Asked("captions overlap or are out of order".to_owned()));
            }
            Some(next) if next - caption.end < BRIDGED => next,
            _ => caption.end,
        };
        let pages = type_.pages(&caption.text, width * TEXT_WIDTH);
        let signs = |page: &[String]| page.iter().map(|line| line.chars().count()).sum::<usize>();
        let total = pages.iter().map(|page| signs(page)).sum::<usize>().max(1);
        let mut before = 0;
        let at = |signs: usize| {
            caption.start + (end.saturating_sub(caption.start)).mul_f64(part(signs, total))
        };
        for page in &pages {
            let (from, to) = (at(before), at(before + signs(page)));
            before += signs(page);
            let text: Vec<String> = page.iter().map(|line| escaped(line)).collect();
            // Writing to a string does not fail.
            writeln!(
                script,
                "Dialogue: 0,{},{},Caption,,0,0,0,,{}",
                clock(from),
                clock(to),
                text.join("\\N")
            )
            .map_err(std::io::Error::other)?;
        }
    }
    Ok(script)
}

#[expect(clippy::cast_precision_loss, reason = "counts of signs in a caption")]
fn part(of: usize, total: usize) -> f64 {
    of as f64 / total as f64
}

/// `0:01:02.34`, the finest that ASS knows.
fn clock(time: Duration) -> String {
    let hundredths = (time.as_millis() + 5) / 10;
    let (seconds, rest) = (hundredths / 100, hundredths % 100);
    format!("{}:{:02}:{:02}.{rest:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Braces would begin a command; a backslash too, and has no escape, so its twin U+2216 stands in.
fn escaped(line: &str) -> String {
    line.replace('\\', "\u{2216}").replace('{', "\\{").replace('}', "\\}")
}

/// A font at a size, for measuring.
struct Typeface<'a> {
    face: Face<'a>,
    /// Pixels a font unit.
    scale: f64,
}

impl<'a> Typeface<'a> {
    /// libass takes a size for the height from the top of the highest to the foot of the lowest
    /// sign (`usWinAscent` and `usWinDescent`), not for the em.
    fn new(font: &'a [u8], line: f64) -> Result<Self, AvError> {
        let unusable = || AvError::Asked(format!("{FONT_FILE} is not a usable font"));
        let face = Face::parse(font, 0).map_err(|_| unusable())?;
        let os2 = face.tables().os2.ok_or_else(unusable)?;
        let units = f64::from(os2.windows_ascender()) - f64::from(os2.windows_descender());
        if units <= 0.0 {
            return Err(unusable());
        }
        Ok(Self { face, scale: line / units })
    }

    /// Pixels from the beginning to the end of a text; what the font lacks takes no room.
    fn width(&self, text: &str) -> f64 {
        let advance = |c| self.face.glyph_hor_advance(self.face.glyph_index(c)?);
        text.chars().filter_map(advance).map(|units| f64::from(units) * self.scale).sum()
    }

    /// The words that can be shown, none wider than `limit`.
    fn words(&self, text: &str, limit: f64) -> Vec<Word> {
        let mut words = Vec::new();
        for word in text.split_whitespace() {
            let mut piece = Word { text: String::new(), width: 0.0 };
            for c in word.chars() {
                // A backslash is shown as its twin.
                let shown = if c == '\\' { '\u{2216}' } else { c };
                if c.is_control() || self.face.glyph_index(shown).is_none() {
                    continue;
                }
                let width = self.width(shown.encode_utf8(&mut [0; 4]));
                if piece.width + width > limit {
                    words.push(std::mem::take(&mut piece));
                }
                piece.text.push(c);
                piece.width += width;
            }
            if !piece.text.is_empty() {
                words.push(piece);
            }
        }
        words
    }

    /// Breaks a text into captions of at most [`MAX_LINES`] lines, the captions and their lines as
    /// even as the words allow.
    fn pages(&self, text: &str, limit: f64) -> Vec<Vec<String>> {
        let words = self.words(text, limit);
        let space = self.width(" ");
        let lines = filled(&words, space, limit).len();
        let total: f64 = words.iter().map(|word| word.width + space).sum();
        for count in lines.div_ceil(MAX_LINES)..=words.len() {
            let pages: Vec<_> = even(&words, space, total, count)
                .into_iter()
                .map(|page| even(page, space, limit, filled(page, space, limit).len()))
                .collect();
            if pages.iter().all(|page| page.len() <= MAX_LINES) {
                let line = |line: &&[Word]| {
                    line.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
                };
                return pages.iter().map(|page| page.iter().map(line).collect()).collect();
            }
        }
        Vec::new()
    }
}

/// A word and how wide it is.
#[derive(Debug, Default)]
struct Word {
    text: String,
    width: f64,
}

/// Fills lines up to `limit`, one after the other.
fn filled(words: &[Word], space: f64, limit: f64) -> Vec<&[Word]> {
    let mut lines = Vec::new();
    let mut rest = words;
    while !rest.is_empty() {
        let mut width = -space;
        let fits = rest.iter().take_while(|word| {
            width += space + word.width;
            width <= limit
        });
        let (line, after) = rest.split_at(fits.count().max(1));
        lines.push(line);
        rest = after;
    }
    lines
}

/// Fills at most `count` lines, none wider than `limit`, with the longest as short as can be.
fn even(words: &[Word], space: f64, limit: f64, count: usize) -> Vec<&[Word]> {
    let (mut narrow, mut wide) = (0.0, limit);
    for _ in 0..16 {
        let middle = f64::midpoint(narrow, wide);
        if filled(words, space, middle).len() <= count
            && words.iter().all(|word| word.width <= middle)
        {
            wide = middle;
        } else {
            narrow = middle;
        }
    }
    filled(words, space, wide)
}
