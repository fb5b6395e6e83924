//! Whether a post that X shows is the one that was sent.
//!
//! X shows a text otherwise than it was sent: every link is one of its own (`t.co`), `&`, `<` and `>` are escaped,
//! accents are composed, white space at the ends is gone, and a link to what the post shows stands at its end. All of
//! that is undone here; of links only the scheme, the case of the host and a lone slash at the end make no difference.
//!
//! **Never here:** which of several equal posts is meant; that is a question of time.

use nexus_engine::copy::links;
use nexus_kernel::Timestamp;
use unicode_normalization::UnicodeNormalization as _;

/// A post as X shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its number.
    pub(super) id: String,
    /// Its text.
    pub(super) text: String,
    /// The links in it.
    pub(super) links: Vec<ShownLink>,
    /// When it was made, where X says so.
    pub(super) created: Option<Timestamp>,
}

/// A link in a text as X shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShownLink {
    /// What stands in the text.
    pub(super) short: String,
    /// Where it leads, where X says so.
    pub(super) long: Option<String>,
    /// Whether it leads to what the post itself shows.
    pub(super) is_of_media: bool,
}

/// What X puts before each of its own links.
const SHORT: &str = "https://t.co/";

impl Shown {
    /// Whether this is the text that was sent.
    pub(super) fn is(&self, sent: &str, has_media: bool) -> bool {
        plain(sent) == plain(&self.original(has_media))
    }

    /// The text as it was written.
    fn original(&self, has_media: bool) -> String {
        let mut text = unescaped(&self.text);
        for link in self.links.iter().filter(|link| !link.short.is_empty()) {
            match &link.long {
                _ if link.is_of_media => text = text.replace(&link.short, ""),
                Some(long) => text = text.replace(&link.short, long),
                None => {}
            }
        }
        // The list of links may leave out the one to what the post shows.
        let last = text.split_whitespace().next_back().unwrap_or_default();
        if has_media && last.starts_with(SHORT) {
            text = text.trim_end().strip_suffix(last).unwrap_or_default().to_owned();
        }
        text
    }
}

/// With the three characters that X escapes. The ampersand last: `&amp;lt;` was written as `&lt;`.
pub(super) fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// A text without what makes no difference.
fn plain(text: &str) -> String {
    let text: String = text.nfc().collect();
    let (mut plain, mut done) = (String::with_capacity(text.len()), 0);
    for link in links::find(&text) {
        plain.push_str(text.get(done..link.range.start).unwrap_or_default());
        plain.push_str(&bare(link.text));
        done = link.range.end;
    }
    plain.push_str(text.get(done..).unwrap_or_default());
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A link without its scheme, its host in small letters, without a lone slash at the end.
fn bare(link: &str) -> String {
    let rest = match link.split_once("://") {
        Some((scheme, rest)) if scheme.to_ascii_lowercase().starts_with("http") => rest,
        _ => link,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let path = if path == "/" { "" } else { path };
    format!("{}{path}", host.to_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn shown(text: &str, links: &[(&str, &str)]) -> Shown {
        let links = links.iter().map(|(short, long)| ShownLink {
            short: (*short).to_owned(),
            long: Some((*long).to_owned()),
            is_of_media: long.contains("/video/"),
        });
        let text = text.to_owned();
        Shown { id: "1".into(), text, links: links.collect(), created: None }
    }

    #[test]
    fn n15_a_text_is_known_again_whatever_x_made_of_it() {
        let video = ("https://t.co/med1a", "https://x.com/ada/status/1/video/1");
        for (sent, text, links, has_media) in [
            ("Bread & jam", "Bread &amp; jam", vec![], false),
            ("1 < 2 &lt; 3 > 0", "1 &lt; 2 &amp;lt; 3 &gt; 0", vec![], false),
            (
                "New: https://shop.com/a",
                "New: https://t.co/x1",
                vec![("https://t.co/x1", "https://shop.com/a")],
                false,
            ),
            (
                "New: shop.com.",
                "New: https://t.co/x1.",
                vec![("https://t.co/x1", "http://shop.com")],
                false,
            ),
            (
                "HTTPS://Shop.com/",
                "https://t.co/x1",
                vec![("https://t.co/x1", "https://shop.com")],
                false,
            ),
            ("With a film", "With a film https://t.co/med1a", vec![video], true),
            ("With a film", "With a film https://t.co/unlisted", vec![], true),
            ("  Two\nlines ", "Two\nlines", vec![], false),
            ("cafe\u{301}", "café", vec![], false),
            (
                "shop.com/a and shop.com/b",
                "https://t.co/x1 and https://t.co/x2 https://t.co/med1a",
                vec![
                    ("https://t.co/x1", "http://shop.com/a"),
                    ("https://t.co/x2", "http://shop.com/b"),
                    video,
                ],
                true,
            ),
        ] {
            assert!(shown(text, &links).is(sent, has_media), "{sent:?} of {text:?}");
        }
    }

    #[test]
    fn n15_another_text_is_another_post() {
        let link = [("https://t.co/x1", "https://shop.com/a")];
        for (sent, text) in [
            ("New: https://shop.com/b", "New: https://t.co/x1"),
            ("New: https://shop.com/A", "New: https://t.co/x1"),
            ("New:", "New: https://t.co/x1"),
            ("Bread", "Bread."),
            ("Bread", "bread"),
            ("", "Bread"),
        ] {
            assert!(!shown(text, &link).is(sent, false), "{sent:?} of {text:?}");
        }
        assert!(!shown("New: https://t.co/unlisted", &[]).is("New:", false), "a link that it had");
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(38), failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever a text is: shown as X shows it, it is known again.
        #[test]
        fn n15_every_text_is_known_again(
            words in prop::collection::vec("[a-zA-Zñé&<>#!.]{1,8}|https://shop\\.com/[a-z]{1,5}|www\\.shop\\.com", 1..8),
            with_media: bool,
        ) {
            let sent = words.join(" ");
            let mut text = sent.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let mut links = Vec::new();
            for (n, word) in words.iter().filter(|w| w.contains("shop.com")).enumerate() {
                let short = format!("https://t.co/link{n:03}");
                text = text.replacen(word.as_str(), &short, 1);
                let long = if word.contains("://") { word.clone() } else { format!("http://{word}") };
                links.push(ShownLink { short, long: Some(long), is_of_media: false });
            }
            if with_media {
                text.push_str(" https://t.co/film");
            }
            let shown = Shown { id: "1".into(), text, links, created: None };
            prop_assert!(shown.is(&sent, with_media), "{shown:?}");
        }

        #[test]
        fn n29_no_text_makes_the_comparison_panic(text in "\\PC{0,60}", short in "\\PC{0,6}", long in "\\PC{0,9}", media: bool) {
            let links = vec![ShownLink { short, long: Some(long), is_of_media: media }];
            let shown = Shown { id: "1".into(), text: text.clone(), links, created: None };
            let _same = shown.is(&text, media);
        }
    }
}
