//! What a translation must bring through to the byte: links, @names, #tags, the brand's terms and numbers with what
//! belongs to them (currency, percent, time, unit). To find it, to compare it, and to hide it from a translator
//! that would touch it.
//!
//! **Never here:** translating.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use iso_currency::Currency;
use regex::{Captures, Regex};

use crate::copy::links;

/// A name or a hashtag.
#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by every test")]
static MARKED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"@\w(?:[\w.]*\w)?|#\w+").unwrap());

/// A number with its currency, percent sign or unit. Letters that touch its digits belong to it: `B12`, `250ml`.
#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by every test")]
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?x)
        (?: \b(?<code>[A-Z]{3}) [\x20\u{a0}] | (?<sign>\p{Sc}) [\x20\u{a0}]? )?
        (?<core> [-−+±]? [\p{L}_]* \d\w* (?: [.,:/'’] \d\w* )* )
        (?<after> [\x20\u{a0}\u{202f}]? (?:
            [%‰] | \p{Sc} | °[CF]? | (?:a\.m\.|p\.m\.)
          | (?i: ml|cl|dl|l|mg|g|kg|mm|cm|m|km|oz|lbs?|ft|yd|kcal|kj|w|kw|v|hz|gb|mb|tb|s|min|h|am|pm )\b
          | (?<after_code>[A-Z]{3})\b
        ))?";
    Regex::new(pattern).unwrap()
});

/// `1st`, `3rd`, `2.ª`: their number is kept, the rest is the language's own.
#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by every test")]
static ORDINAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^(\d+)(?:st|nd|rd|th|º|ª|er|ro|ra|do|da|to|ta|mo|ma|vo|va|no|na)$").unwrap()
});

/// The protected parts of a text, in order and as they are written; what occurs twice stands there twice.
pub fn find(text: &str, brand_terms: &[String]) -> Vec<String> {
    spans(text, brand_terms).into_iter().filter_map(|s| text.get(s)).map(str::to_owned).collect()
}

/// The bytes that the protected parts take in the text, in order. Where two begin together, the longer counts.
pub fn spans(text: &str, brand_terms: &[String]) -> Vec<Range<usize>> {
    let mut named: Vec<Range<usize>> = links::visible(text).map(|l| l.range).collect();
    named.extend(brand_terms.iter().flat_map(|term| occurrences(text, term.trim())));
    let marked = MARKED.find_iter(text).map(|m| m.range());
    named.extend(marked.filter(|m| !ends_in_word(text, m.start)));
    named.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));

    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut done = 0;
    for span in named {
        if done <= span.start {
            spans.extend(numbers(text, done..span.start));
            done = span.end;
            spans.push(span);
        }
    }
    spans.extend(numbers(text, done..text.len()));
    spans
}

/// Whether a translation has exactly the protected parts of its source, as often and to the byte, in any order.
///
/// # Errors
/// The parts that are missing, too many or new, each once.
pub fn kept(source: &str, translated: &str, brand_terms: &[String]) -> Result<(), Vec<String>> {
    let mut balance: BTreeMap<String, i64> = BTreeMap::new();
    for part in find(source, brand_terms) {
        *balance.entry(part).or_default() += 1;
    }
    for part in find(translated, brand_terms) {
        *balance.entry(part).or_default() -= 1;
    }
    let changed: Vec<String> =
        balance.into_iter().filter(|(_, count)| *count != 0).map(|(part, _)| part).collect();
    if changed.is_empty() { Ok(()) } else { Err(changed) }
}

/// Where a brand's term stands as a word of its own.
fn occurrences<'a>(text: &'a str, term: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let found = text.match_indices(term).filter(|_| !term.is_empty());
    let spans = found.map(|(start, _)| start..start + term.len());
    spans.filter(move |span| {
        let open = !term.starts_with(char::is_alphanumeric) || !ends_in_word(text, span.start);
        let after = text.get(span.end..).unwrap_or_default();
        open && !(term.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric))
    })
}

/// Whether a word reaches up to here.
fn ends_in_word(text: &str, at: usize) -> bool {
    text.get(..at).is_some_and(|t| t.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The numbers in a part of the text.
fn numbers(text: &str, part: Range<usize>) -> Vec<Range<usize>> {
    let within = text.get(part.clone()).unwrap_or_default();
    let spans = NUMBER.captures_iter(within).filter_map(|number| number_span(within, &number));
    let spans = spans.map(|span| part.start + span.start..part.start + span.end);
    spans.collect()
}

fn number_span(text: &str, number: &Captures<'_>) -> Option<Range<usize>> {
    let is_currency =
        |name| number.name(name).is_none_or(|code| Currency::from_code(code.as_str()).is_some());
    let (all, core) = (number.get(0)?, number.name("core")?);
    let mut span = all.range();
    if !is_currency("code") {
        span.start = core.start();
    }
    if !is_currency("after_code") {
        span.end = core.end();
    }
    let unsigned = core.as_str().trim_start_matches(['-', '−', '+', '±']);
    let digits_at = core.end() - unsigned.len();
    if span.start == core.start() && ends_in_word(text, core.start()) {
        span.start = digits_at;
    }
    if let Some(ordinal) = ORDINAL.captures(unsigned) {
        span.end = digits_at + ordinal.get(1)?.len();
    }
    Some(span)
}

/// A text whose protected parts were replaced by words that no dictionary has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// What the translator is given.
    pub text: String,
    /// The words that stand in for the protected parts, and these.
    hidden: Vec<(String, String)>,
}

/// Hides the protected parts of a text from a translator.
pub fn mask(text: &str, brand_terms: &[String]) -> Masked {
    let spans = spans(text, brand_terms);
    let stem = stem(text);
    let width = letters(spans.len()).len();
    let (mut masked, mut hidden, mut done) = (String::new(), Vec::new(), 0);
    for (i, span) in spans.into_iter().enumerate() {
        let (Some(before), Some(part)) = (text.get(done..span.start), text.get(span.clone()))
        else {
            continue;
        };
        let stand_in = format!("{stem}{:a>width$}x", letters(i));
        masked.push_str(before);
        masked.push_str(&stand_in);
        hidden.push((stand_in, part.to_owned()));
        done = span.end;
    }
    masked.push_str(text.get(done..).unwrap_or_default());
    Masked { text: masked, hidden }
}

impl Masked {
    /// The translation with the protected parts in their places; `None` where the translator lost, doubled or
    /// changed one of the stand-ins.
    pub fn unmask(&self, translated: &str) -> Option<String> {
        let mut text = String::new();
        let mut rest = translated;
        let mut used = 0;
        let next = |rest: &str| {
            let found = self.hidden.iter().filter_map(|h| Some((rest.find(&h.0)?, h)));
            found.min_by_key(|(at, _)| *at).map(|(at, hidden)| (at, hidden.clone()))
        };
        while let Some((at, (stand_in, part))) = next(rest) {
            text.push_str(rest.get(..at)?);
            text.push_str(&part);
            rest = rest.get(at + stand_in.len()..)?;
            used += 1;
        }
        text.push_str(rest);
        let each_once =
            self.hidden.iter().all(|(s, _)| translated.matches(s.as_str()).count() == 1);
        (each_once && used == self.hidden.len()).then_some(text)
    }
}

/// The beginning of every stand-in: letters only, so that a translator takes it for one unknown word, and none that
/// the text has already.
fn stem(text: &str) -> String {
    let mut stem = String::from("Zq");
    while text.contains(&stem) {
        stem.push('q');
    }
    stem
}

/// A number in letters: a, b, … z, ba, bb, …
fn letters(mut number: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or_default()));
        number /= 26;
        if number == 0 {
            return letters.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn terms(raw: &[&str]) -> Vec<String> {
        raw.iter().map(|t| (*t).to_owned()).collect()
    }

    #[test]
    fn n31_links_names_tags_brands_and_numbers_are_found() {
        let text = "Meet House Blend at https://luna.coffee/x?y=1, by @luna.roasters. #Coffee \
                    250 g for 12.50 USD, 20% off until 10:30 pm!";
        let expected = [
            "House Blend",
            "https://luna.coffee/x?y=1",
            "@luna.roasters",
            "#Coffee",
            "250 g",
            "12.50 USD",
            "20%",
            "10:30 pm",
        ];
        assert_eq!(find(text, &terms(&["House Blend"])), expected);
    }

    #[test]
    fn n31_a_number_keeps_what_belongs_to_it() {
        let cases: &[(&str, &[&str])] = &[
            ("$5, € 4,50 and 3 £", &["$5", "€ 4,50", "3 £"]),
            ("USD 12.50 or MXN\u{a0}250", &["USD 12.50", "MXN\u{a0}250"]),
            ("BUY 2 GET 1", &["2", "1"]),
            ("1,250.00 and 24/7 and 1/2", &["1,250.00", "24/7", "1/2"]),
            ("vitamin B12, 3D, 4K, 250ml", &["B12", "3D", "4K", "250ml"]),
            ("the 1st, the 22nd, el 3.er piso, el 1º", &["1", "22", "3", "1"]),
            ("-5 °C outside, 10-12 people, COVID-19", &["-5 °C", "10", "12", "19"]),
            ("at 9 a.m. or 10 h", &["9 a.m.", "10 h"]),
            ("3 in the morning, 5 minutes", &["3", "5"]),
            ("100.", &["100"]),
        ];
        for (text, parts) in cases {
            assert_eq!(find(text, &[]), *parts, "{text}");
        }
    }

    #[test]
    fn n31_a_brand_is_a_word_of_its_own_and_the_longer_one_counts() {
        let terms = terms(&["Luna", "Luna 24", "Café"]);
        assert_eq!(find("Luna, Luna 24, Lunatic, Café", &terms), ["Luna", "Luna 24", "Café"]);
        assert_eq!(find("luna", &terms), Vec::<String>::new(), "to the byte");
    }

    #[test]
    fn n31_what_was_lost_changed_or_added_is_named() {
        let brand = terms(&["Luna"]);
        kept("At Luna for 5 USD: https://luna.com", "En Luna por 5 USD: https://luna.com", &brand)
            .unwrap();
        kept("2 cups for 5 USD", "Por 5 USD, 2 tazas", &brand).unwrap();
        let cases: &[(&str, &str, &[&str])] = &[
            ("12.50 USD", "12,50 USD", &["12,50 USD", "12.50 USD"]),
            ("At Luna", "En la luna", &["Luna"]),
            ("#Coffee by @luna", "#Café de @luna", &["#Café", "#Coffee"]),
            ("5 and 5", "5", &["5"]),
            ("a cup", "1 taza", &["1"]),
            (
                "https://luna.com/a",
                "https://luna.com/A",
                &["https://luna.com/A", "https://luna.com/a"],
            ),
        ];
        for (source, translated, changed) in cases {
            assert_eq!(kept(source, translated, &brand).unwrap_err(), *changed, "{source}");
        }
    }

    #[test]
    fn n31_a_translator_sees_words_instead_of_what_is_protected() {
        let masked = mask("Luna has 2 cups. Zq!", &terms(&["Luna"]));
        assert_eq!(masked.text, "Zqqax has Zqqbx cups. Zq!");
        assert_eq!(masked.unmask("Zqqbx tazas tiene Zqqax.").unwrap(), "2 tazas tiene Luna.");
        assert_eq!(masked.unmask("Zqqbx tazas."), None, "one was lost");
        assert_eq!(masked.unmask("Zqqbx Zqqbx Zqqax"), None, "one was doubled");
    }

    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "\\PC{0,8}",
            "[a-zA-ZñáÁ ,.!]{0,12}",
            "[$€#@]?[0-9]{1,4}([.,:/][0-9]{1,3})?( (USD|ml|%|pm))?",
            Just(" https://shop.com/a?b=1 ".to_owned()),
            Just(" @luna.roasters ".to_owned()),
            Just(" Luna ".to_owned()),
            Just("Zq".to_owned()),
            Just("Zqax".to_owned()),
        ];
        prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2027), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn n31_masking_is_undone_to_the_byte(text in texts()) {
            let masked = mask(&text, &terms(&["Luna"]));
            prop_assert_eq!(masked.unmask(&masked.text), Some(text));
        }

        #[test]
        fn n31_a_text_keeps_its_own_parts(text in texts()) {
            let brand = terms(&["Luna"]);
            prop_assert_eq!(kept(&text, &text, &brand), Ok(()));
            let spans = spans(&text, &brand);
            prop_assert!(spans.iter().all(|s| s.start < s.end && text.get(s.clone()).is_some()));
            prop_assert!(spans.windows(2).all(|w| w[0].end <= w[1].start));
        }

        #[test]
        fn n31_no_digit_is_left_unprotected(text in texts()) {
            let masked = mask(&text, &[]);
            prop_assert!(!masked.text.chars().any(|c| c.is_ascii_digit()), "{}", masked.text);
        }
    }
}
