//! How long words may be, per network and per kind, and how a text is shortened so that it still reads.
//!
//! **Never here:** writing words, choosing hashtags.

use nexus_kernel::{Failure, FieldProblem};
use unicode_segmentation::UnicodeSegmentation;

use super::{Copy, Network, hashtags, weighted};
use crate::narration::sentences;
use crate::translation::protected;

/// The most graphemes of a post in the local feed.
pub const FEED_GRAPHEMES: usize = 1_000;
/// The most UTF-16 units of a TikTok caption with its hashtags (Content Posting API, `title`).
pub const TIKTOK_UTF16: usize = 2_200;
/// The most characters of a status on a Mastodon-compatible server that says nothing else, links counted whole.
pub const MASTODON_CHARS: usize = 500;
/// The most characters of a product's description.
pub const DESCRIPTION: usize = 1_000;
/// The most characters of a video prompt.
pub const VIDEO_PROMPT: usize = 500;
/// How many sentences a script has.
pub const SCRIPT: std::ops::RangeInclusive<usize> = 2..=8;
/// The most characters of a sentence of the script: more would not be read in the time that it is heard.
pub const SENTENCE: usize = 200;
/// A caption has to leave room for this many of its hashtags.
pub const HASHTAGS_KEPT: usize = 2;

/// A text's length as the network counts it: graphemes, UTF-16 units or weighted characters.
pub fn length(text: &str, network: Network) -> usize {
    match network {
        Network::Feed => text.graphemes(true).count(),
        Network::Mastodon => text.chars().count(),
        Network::TikTok => text.encode_utf16().count(),
        Network::X => weighted::weighted_length(text),
    }
}

/// The longest post of a network, in what [`length`] counts.
pub const fn most(network: Network) -> usize {
    match network {
        Network::Feed => FEED_GRAPHEMES,
        Network::Mastodon => MASTODON_CHARS,
        Network::TikTok => TIKTOK_UTF16,
        Network::X => weighted::LIMIT,
    }
}

/// What [`length`] counts, in a word.
const fn unit(network: Network) -> &'static str {
    match network {
        Network::Feed | Network::Mastodon => "characters",
        Network::TikTok => "UTF-16 units",
        Network::X => "weighted characters",
    }
}

/// Whether a network takes a text of this length.
pub fn fits(text: &str, network: Network) -> bool {
    length(text, network) <= most(network)
}

/// Whether a caption fits together with the first [`HASHTAGS_KEPT`] of these hashtags.
pub fn fits_with_hashtags(caption: &str, tags: &[String], network: Network) -> bool {
    let kept = tags.get(..HASHTAGS_KEPT).unwrap_or(tags);
    fits(&hashtags::with_all(caption, kept), network)
}

/// Checks words before they are kept: captions for every wanted network, and everything within its limit.
///
/// # Errors
/// Every field that breaks a rule, by its path in [`Copy`], for example `captions.x` or `script[2]`.
pub fn check(copy: &Copy, networks: &[Network]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut refuse =
        |field: String, problem: String| problems.push(FieldProblem { field, problem });

    for network in networks {
        let caption = copy.captions.get(network).map(String::as_str).unwrap_or_default();
        let field = format!("captions.{network}");
        if caption.trim().is_empty() {
            refuse(field, format!("write a caption for {network}"));
        } else if caption.chars().any(|c| c != '\n' && is_unprintable(c)) {
            refuse(field, "remove the invisible control characters".into());
        } else if !fits_with_hashtags(caption, &copy.hashtags, *network) {
            let (most, unit) = (most(*network), unit(*network));
            let problem = format!(
                "with two hashtags at most {most} {unit}; the caption alone has {}",
                length(caption, *network)
            );
            refuse(field, problem);
        }
    }
    let mut text = |field: String, text: &str, most: usize, newlines: bool| {
        let length = text.chars().count();
        if text.trim().is_empty() || length > most {
            refuse(field, format!("write 1 to {most} characters; these are {length}"));
        } else if text.chars().any(|c| is_unprintable(c) && !(newlines && c == '\n')) {
            refuse(field, "remove the invisible control characters".into());
        }
    };
    text("description".into(), &copy.description, DESCRIPTION, true);
    text("video_prompt".into(), &copy.video_prompt, VIDEO_PROMPT, false);
    for (i, sentence) in copy.script.iter().enumerate() {
        text(format!("script[{i}]"), sentence, SENTENCE, false);
    }
    if !SCRIPT.contains(&copy.script.len()) {
        let (min, max) = (SCRIPT.start(), SCRIPT.end());
        refuse("script".into(), format!("write {min} to {max} sentences"));
    }
    if copy.hashtags.len() > hashtags::MOST {
        refuse("hashtags".into(), format!("at most {}", hashtags::MOST));
    }
    for (i, tag) in copy.hashtags.iter().enumerate().filter(|(_, tag)| !hashtags::is_valid(tag)) {
        let problem = format!(
            "`{}`: letters, digits and `_` only, without `#`, at least one letter, at most {} characters",
            tag.escape_debug(),
            hashtags::LONGEST
        );
        refuse(format!("hashtags[{i}]"), problem);
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid("Some of the words break a rule.").with_fields(problems))
}

/// Characters that no text for people holds: control characters, those that turn the direction of what follows,
/// and those that X refuses.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// The text, or the longest beginning of it that `fits` takes: up to the end of a sentence where that keeps at
/// least half of what would fit, else up to the end of a word, with an ellipsis. A link, a name, a hashtag, an
/// amount or what a person sees as one character is never cut. Empty where nothing fits.
///
/// `fits` must take every beginning of a text that it takes.
pub fn shortened(text: &str, fits: &dyn Fn(&str) -> bool) -> String {
    let text = text.trim();
    if fits(text) {
        return text.to_owned();
    }
    let whole = protected::spans(text, &[]);
    let is_cut_free = |at: &usize| !whole.iter().any(|span| span.start < *at && *at < span.end);
    let ellipsis = |at: usize| {
        let kept = text.get(..at).unwrap_or_default();
        let kept = kept.trim_end_matches(|c: char| c.is_whitespace() || ",;:.–—-(¿¡".contains(c));
        if kept.is_empty() { String::new() } else { format!("{kept}…") }
    };
    let longest = |cuts: Vec<usize>| {
        let cuts: Vec<usize> = cuts.into_iter().filter(is_cut_free).collect();
        let first_too_long = cuts.partition_point(|at| fits(&ellipsis(*at)));
        let kept = cuts.get(..first_too_long).unwrap_or_default();
        kept.last().map(|at| ellipsis(*at)).unwrap_or_default()
    };

    let words = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at);
    let mut best = longest(words.collect());
    if best.is_empty() {
        best = longest(text.grapheme_indices(true).map(|(at, _)| at).collect());
    }
    let ends = sentences::ranges(text).into_iter().filter_map(|range| text.get(..range.end));
    let sentence = ends.take_while(|kept| fits(kept)).last().unwrap_or_default();
    if 2 * sentence.len() >= best.len() { sentence.to_owned() } else { best }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn words() -> Copy {
        Copy {
            captions: Network::ALL.map(|n| (n, "A good morning.".to_owned())).into(),
            description: "A cup.\n\nFor coffee.".into(),
            hashtags: vec!["Coffee".into(), "LunaRoasters".into()],
            video_prompt: "Slow push-in.".into(),
            script: vec!["A cup.".into(), "For coffee.".into()],
        }
    }

    fn problems(copy: &Copy) -> Vec<String> {
        let failure = check(copy, &Network::ALL).unwrap_err();
        failure.fields().iter().map(|p| p.field.clone()).collect()
    }

    #[test]
    fn n26_words_within_the_limits_are_taken() {
        check(&words(), &Network::ALL).unwrap();
    }

    #[test]
    fn n26_a_caption_is_needed_for_each_wanted_network_only() {
        let mut copy = words();
        copy.captions = BTreeMap::from([(Network::Feed, "Hi.".into()), (Network::X, " \n".into())]);
        assert_eq!(problems(&copy), ["captions.tiktok", "captions.x", "captions.mastodon"]);
        check(&copy, &[Network::Feed]).unwrap();
    }

    #[test]
    fn n26_each_network_counts_in_its_own_way() {
        let mut copy = words();
        copy.hashtags.clear();
        let family = "👨‍👩‍👧‍👦";
        for (network, fitting) in [
            (Network::Feed, family.repeat(1_000)),
            (Network::TikTok, family.repeat(200)),
            (Network::X, family.repeat(140)),
        ] {
            assert_eq!(length(&fitting, network), most(network), "{network}");
            copy.captions.insert(network, fitting.clone());
            check(&copy, &[network]).unwrap();
            copy.captions.insert(network, fitting + "!");
            assert!(check(&copy, &[network]).is_err(), "{network}");
        }
    }

    #[test]
    fn n26_a_caption_leaves_room_for_two_hashtags() {
        let mut copy = words();
        let room = 280 - "\n\n#Coffee #LunaRoasters".len();
        copy.captions.insert(Network::X, "a".repeat(room));
        check(&copy, &[Network::X]).unwrap();
        copy.captions.insert(Network::X, "a".repeat(room + 1));
        assert_eq!(problems(&copy), ["captions.x"]);
    }

    #[test]
    fn n26_everything_that_breaks_a_rule_is_named() {
        let mut copy = words();
        copy.captions.insert(Network::Feed, "turned \u{202e}round".into());
        copy.description = "x".repeat(1_001);
        copy.video_prompt = "two\nlines".into();
        copy.script = vec!["Hi.".into(), "y".repeat(201), "a\u{7}".into()];
        copy.script.extend(std::iter::repeat_n("Hi.".to_owned(), 6));
        copy.hashtags = vec!["#Coffee".into(), "2026".into(), "ok".into()];
        let expected = [
            "captions.feed",
            "description",
            "video_prompt",
            "script[1]",
            "script[2]",
            "script",
            "hashtags[0]",
            "hashtags[1]",
        ];
        assert_eq!(problems(&copy), expected);
    }

    fn at_most(length: usize) -> impl Fn(&str) -> bool {
        move |text| text.chars().count() <= length
    }

    #[test]
    fn a_text_is_shortened_where_a_reader_would_pause() {
        let text = "One two three. Four five six. Seven eight nine.";
        assert_eq!(shortened(text, &at_most(99)), text);
        assert_eq!(shortened(text, &at_most(35)), "One two three. Four five six.");
        assert_eq!(shortened("One. Two three four five six", &at_most(20)), "One. Two three four…");
        assert_eq!(shortened("Unpronounceable", &at_most(8)), "Unprono…");
    }

    #[test]
    fn links_names_tags_and_amounts_are_never_cut() {
        assert_eq!(shortened("See https://shop.com/long/path", &at_most(20)), "See…");
        assert_eq!(shortened("https://shop.com/long/path", &at_most(20)), "");
        assert_eq!(shortened("Only 12.50 USD here", &at_most(12)), "Only…");
        assert_eq!(shortened("By @luna.roasters", &at_most(10)), "By…");
        assert_eq!(shortened("#CoffeeOfTheDay", &at_most(10)), "");
    }

    #[test]
    fn what_is_seen_as_one_character_is_never_cut() {
        let family = "👨‍👩‍👧‍👦";
        let fits = |text: &str| length(text, Network::TikTok) <= 25;
        assert_eq!(shortened(&family.repeat(5), &fits), format!("{}…", family.repeat(2)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2027), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_shortened_text_fits_and_begins_as_the_text_does(
            text in "(\\PC{0,12}[ .!\n]){0,30}",
            most in 0usize..200,
        ) {
            for network in Network::ALL {
                let fits = |t: &str| length(t, network) <= most;
                let short = shortened(&text, &fits);
                prop_assert!(fits(&short), "{short:?}");
                prop_assert!(text.trim().starts_with(short.strip_suffix('…').unwrap_or(&short)));
            }
        }
    }
}
