//! Texts as they are spoken: cut into sentences, and freed of what no voice can read. Captions keep the original.
//!
//! **Never here:** speaking.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

use crate::copy::links;

/// A hashtag, and what stands before it.
#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by every test")]
static HASHTAG: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(^|[^\w&/])#\w+").unwrap());

/// Words whose point does not end a sentence, whatever follows.
const ABBREVIATIONS: &[&str] = &[
    "approx.", "aprox.", "av.", "avda.", "ave.", "dr.", "dra.", "e.g.", "ee.", "ej.", "fig.",
    "gral.", "i.e.", "ing.", "lic.", "mr.", "mrs.", "ms.", "prof.", "profa.", "sr.", "sra.",
    "srta.", "st.", "ud.", "uds.", "vs.",
];
/// Words whose point does not end a sentence where a number follows.
const BEFORE_NUMBERS: &[&str] =
    &["no.", "nos.", "nr.", "núm.", "pág.", "p.", "pp.", "tel.", "vol."];

/// The sentences of an English or Spanish text, without the space around them.
pub fn split(text: &str) -> Vec<&str> {
    ranges(text).into_iter().filter_map(|range| text.get(range)).collect()
}

/// The bytes that the sentences take in the text: the boundaries of Unicode's UAX 29, without those after
/// abbreviations, inside of links and before a small letter, and with those after an ellipsis.
pub(crate) fn ranges(text: &str) -> Vec<Range<usize>> {
    let mut sentences: Vec<Range<usize>> = Vec::new();
    for (start, piece) in text.split_sentence_bound_indices() {
        let end = start + piece.len();
        match sentences.last_mut() {
            Some(last) if !ends(text.get(last.clone()).unwrap_or_default(), piece) => {
                last.end = end
            }
            _ => sentences.push(start..end),
        }
    }
    let halves = sentences.into_iter().flat_map(|range| at_ellipses(text, range));
    halves.map(|range| trimmed(text, range)).filter(|range| !range.is_empty()).collect()
}

/// Whether a sentence ends between these two pieces of a text.
fn ends(before: &str, after: &str) -> bool {
    if before.ends_with(['\n', '\u{2029}']) {
        return true;
    }
    if !before.ends_with(char::is_whitespace) || after.starts_with(char::is_lowercase) {
        return false;
    }
    let mut words = before.split_whitespace().rev();
    let word = words.next().unwrap_or_default();
    let word = word.trim_start_matches(['(', '[', '¿', '¡', '"', '“', '«', '\'']);
    let is_letter = word.strip_suffix('.').is_some_and(|w| w.chars().count() == 1);
    let is_unit = words.next().is_some_and(|w| w.ends_with(|c: char| c.is_numeric()));
    let is_initial = is_letter && !is_unit && word.starts_with(char::is_uppercase);
    let word = word.to_lowercase();
    let is_abbreviation = is_initial
        || ABBREVIATIONS.contains(&word.as_str())
        || (after.starts_with(|c: char| c.is_numeric()) && BEFORE_NUMBERS.contains(&word.as_str()));
    !is_abbreviation
}

/// The sentences of a range, cut after an ellipsis that something new follows.
fn at_ellipses(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let sentence = text.get(range.clone()).unwrap_or_default();
    let mut cuts = vec![range.start];
    for (at, ellipsis) in sentence.match_indices('…') {
        let at = at + ellipsis.len();
        let after = sentence.get(at..).unwrap_or_default();
        let next = after.trim_start().chars().next();
        let begins = next.is_some_and(|c| c.is_uppercase() || matches!(c, '¿' | '¡'));
        if after.starts_with(char::is_whitespace) && begins {
            cuts.push(range.start + at);
        }
    }
    cuts.push(range.end);
    cuts.windows(2).filter_map(|cut| Some(*cut.first()?..*cut.last()?)).collect()
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = text.get(range.clone()).unwrap_or_default();
    let start = range.start + (part.len() - part.trim_start().len());
    start..(start + part.trim().len())
}

/// What a voice should be given of a sentence: without links, hashtags, emoji and signs that are not read, ending
/// as a sentence does. Empty where nothing is left to say. Amounts and signs stay: each engine
/// has its own way to be told of them.
pub fn speakable(sentence: &str) -> String {
    let text = without_links(sentence);
    let text = HASHTAG.replace_all(&text, "$1");
    let mut said = String::new();
    for cluster in text.graphemes(true).filter(|cluster| emojis::get(cluster).is_none()) {
        cluster.chars().for_each(|c| push_sayable(&mut said, c));
    }
    tidied(&said)
}

fn without_links(sentence: &str) -> String {
    let (mut text, mut done) = (String::new(), 0);
    for link in links::visible(sentence) {
        text.push_str(sentence.get(done..link.range.start).unwrap_or_default());
        done = link.range.end;
    }
    text + sentence.get(done..).unwrap_or_default()
}

fn push_sayable(said: &mut String, c: char) {
    match c {
        '‘' | '’' => said.push('\''),
        '—' | '…' | '•' | '·' | '|' => said.push_str(", "),
        '–' | '−' => said.push('-'),
        '@' => {}
        // Letters in a fancy dress: 𝐁𝐨𝐥𝐝 and Ｗｉｄｅ are read as letters.
        '\u{1d400}'..='\u{1d7ff}' | '\u{ff01}'..='\u{ff5e}' => {
            said.extend(std::iter::once(c).nfkc().filter(|c| c.is_alphanumeric()));
        }
        c if c.is_alphanumeric() || is_combining_mark(c) => said.push(c),
        c if ".,;:!?¿¡'()-/+°$€£%&".contains(c) => said.push(c),
        _ => said.push(' '),
    }
}

/// One space between words, none before a point, no pause doubled, and an end.
fn tidied(text: &str) -> String {
    let is_pause = |c: char| matches!(c, ',' | ';' | ':');
    let is_end = |c: char| matches!(c, '.' | '!' | '?');
    let mut tidy = String::new();
    for word in text.replace("...", ", ").replace("()", " ").split_whitespace() {
        let is_sign = word.chars().all(|c| is_pause(c) || is_end(c));
        let word = if word == "-" { "," } else { word };
        if is_sign || word == "," {
            let ended = tidy.ends_with(is_end);
            tidy.truncate(tidy.trim_end_matches(is_pause).len());
            tidy.push_str(if ended { "" } else { word });
        } else {
            tidy.push_str(if tidy.is_empty() { "" } else { " " });
            tidy.push_str(word);
        }
    }
    let tidy = tidy.trim_start_matches(|c: char| is_pause(c) || is_end(c) || " )-/".contains(c));
    let tidy = tidy.trim_end_matches(|c: char| is_pause(c) || " (-/¿¡".contains(c));
    if !tidy.contains(char::is_alphanumeric) {
        return String::new();
    }
    if tidy.ends_with(is_end) { tidy.to_owned() } else { format!("{tidy}.") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn texts_are_cut_where_a_sentence_ends() {
        let cases: &[(&str, &[&str])] = &[
            ("Good coffee. Good morning!", &["Good coffee.", "Good morning!"]),
            ("¿Qué tal? ¡Muy bien! Gracias.", &["¿Qué tal?", "¡Muy bien!", "Gracias."]),
            ("«¿Vienes?», dijo. Fui.", &["«¿Vienes?», dijo.", "Fui."]),
            ("Ask Dr. Smith. Or Mr. Jones.", &["Ask Dr. Smith.", "Or Mr. Jones."]),
            ("La Sra. Díaz y el Sr. Gil. Hoy.", &["La Sra. Díaz y el Sr. Gil.", "Hoy."]),
            ("J. R. R. Tolkien wrote. We read.", &["J. R. R. Tolkien wrote.", "We read."]),
            ("See No. 5 today. No. Really.", &["See No. 5 today.", "No.", "Really."]),
            ("It costs 3.50 USD. Or 4,25.", &["It costs 3.50 USD.", "Or 4,25."]),
            ("At https://a.com/x?y=Z. Then go.", &["At https://a.com/x?y=Z.", "Then go."]),
            ("It holds 250 g. Or 2 L. Enjoy", &["It holds 250 g.", "Or 2 L.", "Enjoy"]),
            ("Wait… What? Wait… no.", &["Wait…", "What?", "Wait… no."]),
            ("Wait... what now", &["Wait... what now"]),
            ("One line\nanother\n\n third ", &["One line", "another", "third"]),
            ("She said “Go.” He went.", &["She said “Go.”", "He went."]),
            (
                "Café at 9 a.m. and tea, e.g. Earl Grey.",
                &["Café at 9 a.m. and tea, e.g. Earl Grey."],
            ),
            ("", &[]),
            (" \n ", &[]),
        ];
        for (text, sentences) in cases {
            assert_eq!(split(text), *sentences, "{text}");
        }
    }

    #[test]
    fn a_voice_gets_no_links_tags_or_emoji() {
        let cases = [
            ("See it at https://luna.com/x.", "See it at."),
            ("Good morning ☕️ from @luna_coffee #Coffee #Luna", "Good morning from luna coffee."),
            ("“Quotes” — and dashes – too…", "Quotes, and dashes, too."),
            ("¿Café? ¡Sí!", "¿Café? ¡Sí!"),
            ("1️⃣ 👨‍👩‍👧‍👦 #only https://luna.com", ""),
            ("𝐁𝐨𝐥𝐝 words *here* (☕)", "Bold words here."),
            ("Wait... what", "Wait, what."),
            ("Don’t stop!", "Don't stop!"),
            ("El 1.er café: 12.50 USD, $3 & 20%", "El 1.er café: 12.50 USD, $3 & 20%."),
        ];
        for (sentence, said) in cases {
            assert_eq!(speakable(sentence), said, "{sentence}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2027), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn sentences_hold_every_word_once(text in "([\\PC]{0,10}[ .!?…\n]){0,20}") {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&split(&text).join(" ")), words(&text));
        }

        #[test]
        fn what_is_spoken_can_be_read(text in "\\PC{0,80}") {
            let said = speakable(&text);
            prop_assert!(!said.contains(['#', '@', '\n', '"']), "{said}");
            prop_assert!(said.is_empty() || said.ends_with(['.', '!', '?']), "{said}");
            prop_assert!(said.graphemes(true).all(|g| emojis::get(g).is_none()), "{said}");
        }
    }
}
