//! X's own way of counting a post's length.
//!
//! The rules are those of twitter-text 3 (`config/v3.json`, <https://docs.x.com/fundamentals/counting-characters>):
//! of the text in NFC, a code point of most alphabets weighs one and any other two, a web link weighs 23 whatever
//! its length, and an emoji weighs two however many code points it is made of.
//!
//! The crate `twitter-text` was tried and left: it brings a C++ bridge, two parsers and a copy of ICU for these few
//! rules. The tests' lengths were measured with X's own JavaScript library, version 3.1.0. Where the rules leave
//! room, a length is rather told too long than too short, since X refuses a post that is one too long.

use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::links::{self, Kind};

/// The longest post of an account without a subscription.
pub const LIMIT: usize = 280;
/// What any web link weighs: X replaces it by one of its own.
pub const LINK: usize = 23;

/// Code points that weigh one; all others weigh two.
const LIGHT: [RangeInclusive<u32>; 4] = [0..=4351, 8192..=8205, 8208..=8223, 8242..=8247];
/// The newest emoji that X's library knows; the sequences of newer ones are counted piece by piece.
const NEWEST_EMOJI: (u32, u32) = (11, 0);
/// Joins emoji into one.
const JOINER: char = '\u{200d}';

/// How long X says that a text is.
pub fn weighted_length(text: &str) -> usize {
    let text: String = text.nfc().collect();
    let (mut length, mut done) = (0, 0);
    let links = links::find(&text).into_iter();
    for link in links.filter(|l| matches!(l.kind, Kind::Web | Kind::Ordinal)) {
        let before = text.get(done..link.range.start).unwrap_or_default();
        length += weight(before) + LINK + weight(beyond_the_path(link.text));
        done = link.range.end;
    }
    length + weight(text.get(done..).unwrap_or_default())
}

fn weight(text: &str) -> usize {
    text.graphemes(true).map(cluster_weight).sum()
}

/// The weight of what a person sees as one character.
fn cluster_weight(cluster: &str) -> usize {
    if is_emoji_sequence(cluster) {
        return 2;
    }
    let joiners = cluster.chars().filter(|c| *c == JOINER).count();
    let pieces = cluster.split(JOINER).map(|piece| match is_emoji_sequence(piece) {
        true => 2,
        false => piece.chars().map(char_weight).sum(),
    });
    pieces.sum::<usize>() + joiners
}

/// Several code points that X's library knows as one emoji. A single one weighs what its range says: `©` one.
fn is_emoji_sequence(text: &str) -> bool {
    let known = |emoji: &emojis::Emoji| {
        let version = emoji.emoji_version();
        (version.major(), version.minor()) <= NEWEST_EMOJI
    };
    text.chars().nth(1).is_some() && emojis::get(text).is_some_and(known)
}

fn char_weight(c: char) -> usize {
    if LIGHT.iter().any(|range| range.contains(&u32::from(c))) { 1 } else { 2 }
}

/// The part of a link that X leaves outside of it: its paths hold Latin and Cyrillic letters and some signs.
fn beyond_the_path(link: &str) -> &str {
    let path = links::after_host(link);
    let inside = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '\u{c0}'..='\u{24f}' | '\u{400}'..='\u{4ff}' | '–')
            || "!*';:=+,.$/%#[]-_~@|&()?".contains(c)
    };
    path.find(|c| !inside(c)).and_then(|at| path.get(at..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    /// Texts and their lengths by npm's `twitter-text` 3.1.0, `parseTweet(text).weightedLength`.
    const MEASURED: &[(usize, &str)] = &[
        (0, ""),
        (12, "I am a Tweet"),
        (10, "Line\nbreak"),
        (21, "“quotes” — dash… ‘x’"),
        (5, "ñandú"),
        (1, "é"),
        (1, "e\u{301}"),
        (5, "n\u{303}andu\u{301}"),
        (4, "ạ\u{308}\u{305}"),
        (5, "مرحبا"),
        (1, "ก"),
        (1, "ბ"),
        (2, "ᄀ"),
        (4, "のの"),
        (8, "저찀쯿쿿"),
        (10, "你好 world"),
        (2, "𐀀"),
        (5, "H🐱☺"),
        (2, "👨‍👩‍👧‍👦"),
        (2, "👩🏽‍💻"),
        (7, "👩‍❤️‍💋‍👨 love"),
        (8, "🧑‍🧑‍🧒"),
        (5, "🙂‍↔️"),
        (9, "🫱🏻‍🫲🏼"),
        (2, "👍🏿"),
        (2, "🇪🇸"),
        (4, "🇦🇧"),
        (2, "🇪"),
        (2, "🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
        (2, "1️⃣"),
        (2, "#️⃣"),
        (1, "©"),
        (2, "©️"),
        (2, "™"),
        (2, "❤"),
        (2, "❤️"),
        (4, "☕️☕"),
        (3, "a\u{200d}b"),
        (23, "http://test.com"),
        (23, "https://test.com"),
        (23, "test.com"),
        (23, "t.co"),
        (23, "foo.co.jp"),
        (23, "1.5.com"),
        (23, "HTTPS://EXAMPLE.COM/A"),
        (86, "Test https://test.com test https://test.com test.com test"),
        (
            23,
            "https://example.com/a/very/long/path/that/is/longer/than/twenty-three?with=query#frag",
        ),
        (28, "See https://example.com/a."),
        (25, "(https://example.com/a)"),
        (24, "https://example.com/?q=1."),
        (24, "example.com/path."),
        (23, "https://example.com/a,b"),
        (23, "https://example.com:8443/x"),
        (23, "https://example.com/ñandú"),
        (29, "https://example.com/日本語"),
        (23, "https://münchen.de/"),
        (23, "http://例え.jp/"),
        (35, "Visit www.example.com today"),
        (48, "ideas.com, ideas.es"),
        (27, "end.Next one"),
        (24, "https://localhost:8080/x"),
        (19, "http://192.168.0.1/"),
        (29, "https://shop.example/espresso"),
        (19, "ftp://example.com/x"),
        (16, "user@example.com"),
        (12, "@example.com"),
        (12, "-example.com"),
        (12, "/example.com"),
        (12, "end.Zzzz one"),
        (7, "node.js"),
        (31, "el 1.er piso"),
        (17, "v2.0 and 3.50 USD"),
        (11, "U.S.A. trip"),
        (16, "#tag @name $CASH"),
    ];

    #[test]
    fn lengths_are_those_of_xs_own_library() {
        for (length, text) in MEASURED {
            assert_eq!(weighted_length(text), *length, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2027), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn plain_latin_text_is_as_long_as_it_has_letters(text in "[a-zA-Z ñáéíóú]{0,300}") {
            prop_assert_eq!(weighted_length(&text), text.nfc().count());
        }

        #[test]
        fn ideographs_weigh_two(text in "[一-龥]{0,150}") {
            prop_assert_eq!(weighted_length(&text), 2 * text.chars().count());
        }

        #[test]
        fn the_spelling_of_an_accent_changes_nothing(text in "\\PC{0,60}") {
            let (composed, decomposed): (String, String) = (text.nfc().collect(), text.nfd().collect());
            prop_assert_eq!(weighted_length(&composed), weighted_length(&decomposed));
        }

        #[test]
        fn no_text_is_weighed_above_two_a_code_point_but_for_links(text in "\\PC{0,80}") {
            let links = links::find(&text.nfc().collect::<String>()).len();
            prop_assert!(weighted_length(&text) <= 2 * text.nfc().count() + LINK * links);
        }

        #[test]
        fn a_long_path_costs_nothing(path in "[a-z0-9/]{0,200}") {
            prop_assert_eq!(weighted_length(&format!("https://shop.com/{path}")), LINK);
        }
    }
}
