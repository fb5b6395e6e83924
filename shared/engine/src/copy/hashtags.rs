//! Hashtags: made from a tenant's own words, and set under a caption as far as there is room.
//!
//! **Never here:** a list of tags that are in fashion.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::{Network, limits};

/// The most hashtags of a post.
pub const MOST: usize = 10;
/// The most characters of a hashtag.
pub const LONGEST: usize = 30;

/// A hashtag's letters from any words: the words of a phrase are joined and each begins with a capital, a word
/// alone stays as it is. Letters of any script, digits and `_` are kept, apostrophes vanish, anything else parts
/// words. `None` where no letter remains, or more than [`LONGEST`] characters: half a phrase is no hashtag.
pub fn normalise(raw: &str) -> Option<String> {
    let text: String = raw.nfc().filter(|c| !matches!(c, '\'' | '’')).collect();
    let words: Vec<&str> = text.split(|c| !is_tag_char(c)).filter(|w| !w.is_empty()).collect();
    let tag: String = match words.as_slice() {
        [word] => (*word).to_owned(),
        words => words.iter().map(|word| capitalised(word)).collect::<String>().nfc().collect(),
    };
    is_valid(&tag).then_some(tag)
}

/// Hashtags from words, in their order: each once (whatever its capitals), at most [`MOST`].
pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let tags = words.into_iter().filter_map(normalise);
    tags.filter(|tag| seen.insert(tag.to_lowercase())).take(MOST).collect()
}

/// Whether networks take it as a hashtag: letters, digits and `_`, at least one letter, not too long.
pub fn is_valid(tag: &str) -> bool {
    is_short(tag) && tag.chars().all(is_tag_char) && tag.chars().any(char::is_alphabetic)
}

/// The caption and as many of the hashtags, in their order, as the network's limit leaves room for. A tag that the
/// caption has already is not said twice.
pub fn joined(caption: &str, tags: &[String], network: Network) -> String {
    let mut kept: Vec<String> = Vec::new();
    for tag in tags.iter().filter(|tag| !has(caption, tag)) {
        kept.push(tag.clone());
        if !limits::fits(&with_all(caption, &kept), network) {
            kept.pop();
        }
    }
    with_all(caption, &kept)
}

/// The caption with all these hashtags, however long that is.
pub(super) fn with_all(caption: &str, tags: &[String]) -> String {
    let line: Vec<String> = tags.iter().map(|tag| format!("#{tag}")).collect();
    let parts = [caption.trim_end(), &line.join(" ")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn has(caption: &str, tag: &str) -> bool {
    let (caption, tag) = (caption.to_lowercase(), tag.to_lowercase());
    let mut said = caption.split('#').skip(1);
    said.any(|rest| rest.split(|c| !is_tag_char(c)).next() == Some(tag.as_str()))
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_combining_mark(c)
}

fn is_short(tag: &str) -> bool {
    tag.chars().count() <= LONGEST
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn tags(raw: &[&str]) -> Vec<String> {
        raw.iter().map(|t| (*t).to_owned()).collect()
    }

    #[test]
    fn words_become_tags() {
        let cases = [
            ("coffee", Some("coffee")),
            ("#Coffee", Some("Coffee")),
            ("specialty coffee", Some("SpecialtyCoffee")),
            ("Mum's cake & tea-time", Some("MumsCakeTeaTime")),
            ("café con leche", Some("CaféConLeche")),
            ("cafe\u{301}", Some("café")),
            ("ashtanga yoga 2 go", Some("AshtangaYoga2Go")),
            ("コーヒー", Some("コーヒー")),
            ("1st", Some("1st")),
            ("2026", None),
            ("☕ & 🍰", None),
            ("", None),
        ];
        for (raw, tag) in cases {
            assert_eq!(normalise(raw).as_deref(), tag, "{raw}");
        }
        assert_eq!(normalise("the long name of a product with far too many words"), None);
        assert_eq!(normalise(&"x".repeat(31)), None);
    }

    #[test]
    fn a_tag_is_listed_once() {
        assert_eq!(from_words(["Coffee", "coffee", "!", "flat white"]), ["Coffee", "FlatWhite"]);
        let many: Vec<String> = (0..20).map(|i| format!("tag{i}")).collect();
        assert_eq!(from_words(many.iter().map(String::as_str)).len(), MOST);
    }

    #[test]
    fn tags_stand_under_the_caption() {
        let post = joined("Good morning.\n", &tags(&["Coffee", "Luna"]), Network::Feed);
        assert_eq!(post, "Good morning.\n\n#Coffee #Luna");
        assert_eq!(joined("", &tags(&["Coffee"]), Network::X), "#Coffee");
        assert_eq!(joined("Alone.", &[], Network::X), "Alone.");
    }

    #[test]
    fn a_tag_that_the_caption_has_is_not_repeated() {
        let tags = tags(&["coffee", "Coffeehouse"]);
        assert_eq!(joined("Good #Coffee.", &tags, Network::X), "Good #Coffee.\n\n#Coffeehouse");
    }

    #[test]
    fn only_tags_that_fit_are_set() {
        let caption = "a".repeat(270);
        let tags = tags(&["FarTooLongForTheRest", "short"]);
        assert_eq!(joined(&caption, &tags, Network::X), format!("{caption}\n\n#short"));
        let full = "a".repeat(280);
        assert_eq!(joined(&full, &tags, Network::X), full);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2027), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_tag_stays_as_it_is(raw in "\\PC{0,60}") {
            if let Some(tag) = normalise(&raw) {
                prop_assert!(is_valid(&tag));
                prop_assert_eq!(normalise(&tag), Some(tag));
            }
        }

        #[test]
        fn a_post_keeps_its_caption_and_its_limit(
            caption in "\\PC{0,300}",
            raw in prop::collection::vec("\\PC{1,20}", 0..12),
        ) {
            let tags = from_words(raw.iter().map(String::as_str));
            for network in Network::ALL {
                let post = joined(&caption, &tags, network);
                prop_assert!(post.starts_with(caption.trim_end()));
                prop_assert!(limits::fits(&post, network) || !limits::fits(caption.trim_end(), network));
            }
        }
    }
}
