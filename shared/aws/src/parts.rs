//! A text in parts that a service takes: cut where a sentence ends, else after a clause, else between words, else
//! between graphemes.
//!
//! **Never here:** what the parts are for.

use nexus_engine::narration::sentences;
use unicode_segmentation::UnicodeSegmentation;

/// Whether a sentence ends at the limit shows in what follows it; this many bytes are enough to see it.
const AHEAD: usize = 256;

/// How much a part weighs for a service: bytes, or characters as it bills them. Adding to a text never makes it lighter.
pub(crate) type Weight = fn(&str) -> usize;

/// The text in parts none of which weighs more than `most`; joined they are the text. Of an empty text there is none.
/// A single character that weighs more than `most` is a part all the same.
pub(crate) fn within(text: &str, most: usize, weight: Weight) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (part, after) = rest.split_at(cut(rest, most, weight));
        parts.push(part);
        rest = after;
    }
    parts
}

/// Where the first part ends.
fn cut(text: &str, most: usize, weight: Weight) -> usize {
    let fits = fitting(text, most, weight);
    if fits == text.len() {
        return fits;
    }
    let seen = text.get(..text.floor_char_boundary(fits + AHEAD)).unwrap_or(text);
    let last = |ends: &mut dyn Iterator<Item = usize>| {
        ends.take_while(|end| *end <= fits).filter(|end| *end > 0).last()
    };
    let graphemes = || seen.grapheme_indices(true).map(|(at, _)| at);
    last(&mut sentence_ends(seen).into_iter())
        .or_else(|| last(&mut after_spaces(seen, |before| before.ends_with([',', ';', ':', '—']))))
        .or_else(|| last(&mut after_spaces(seen, |_| true)))
        .or_else(|| last(&mut graphemes()))
        .unwrap_or(fits)
}

/// The bytes of the longest beginning that is not too heavy, one character at least.
fn fitting(text: &str, most: usize, weight: Weight) -> usize {
    if weight(text) <= most {
        return text.len();
    }
    let ends: Vec<usize> = text.char_indices().map(|(at, c)| at + c.len_utf8()).collect();
    let light = ends.partition_point(|end| text.get(..*end).is_some_and(|t| weight(t) <= most));
    ends.get(light.saturating_sub(1)).copied().unwrap_or(text.len())
}

/// Where each sentence but the first begins: the space before it belongs to the one before.
fn sentence_ends(text: &str) -> Vec<usize> {
    let mut at = 0;
    let mut begins = Vec::new();
    for sentence in sentences::split(text) {
        let rest = text.get(at..).unwrap_or_default();
        at += rest.len() - rest.trim_start().len();
        begins.push(at);
        at += sentence.len();
    }
    begins.into_iter().skip(1).collect()
}

/// Where a word begins, if what stands before the space is as asked.
fn after_spaces<'t>(
    text: &'t str,
    is_end: impl Fn(&str) -> bool + 't,
) -> impl Iterator<Item = usize> + 't {
    let words = text.split_word_bound_indices();
    let words = words.filter(|(_, word)| !word.starts_with(char::is_whitespace));
    words.map(|(at, _)| at).filter(move |at| {
        let before = text.get(..*at).unwrap_or_default();
        before.ends_with(char::is_whitespace) && is_end(before.trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: Weight = str::len;

    #[test]
    fn a_text_is_cut_at_the_best_place_there_is() {
        let cases: &[(&str, usize, &[&str])] = &[
            ("", 5, &[]),
            ("It fits.", 8, &["It fits."]),
            ("One. Two. Three.", 10, &["One. Two. ", "Three."]),
            ("One.\n\n Two.", 8, &["One.\n\n ", "Two."]),
            ("Ask Dr. Smith. Now.", 16, &["Ask Dr. Smith. ", "Now."]),
            ("one, two three; four", 13, &["one, ", "two three; ", "four"]),
            ("one two three", 9, &["one two ", "three"]),
            ("abcdef", 4, &["abcd", "ef"]),
            ("añañ", 4, &["aña", "ñ"]),
            ("e\u{301}e\u{301}", 4, &["e\u{301}", "e\u{301}"]),
            ("☕☕", 1, &["☕", "☕"]),
        ];
        for (text, most, parts) in cases {
            assert_eq!(within(text, *most, BYTES), *parts, "{text}");
        }
    }

    #[test]
    fn joined_parts_are_the_text_and_none_is_too_heavy() {
        let sentence = "Ñandú, café; ¿qué? 👨‍👩‍👧 e\u{301}e\u{301} palabra—sin fin. ";
        let text = format!("{}{}", sentence.repeat(40), "x".repeat(300));
        for most in [4, 5, 17, 64, 200, 1_000] {
            let parts = within(&text, most, BYTES);
            assert_eq!(parts.concat(), text, "{most}");
            assert!(parts.iter().all(|p| p.len() <= most && !p.is_empty()), "{most}");
            let units: Weight = |text| text.encode_utf16().count();
            let parts = within(&text, most, units);
            assert_eq!(parts.concat(), text, "{most}");
            assert!(parts.iter().all(|p| units(p) <= most), "{most}");
        }
    }
}
