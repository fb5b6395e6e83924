//! Text with what is not to be translated in Translate's own markup: `<span translate="no">House Blend</span>`.
//!
//! Only a text that has such parts is markup; then its own `&`, `<` and `>` are written as entities, and whatever
//! markup comes back is not the text's own.

use nexus_engine::translation::protected;

const OPEN: &str = "<span translate=\"no\">";
const CLOSE: &str = "</span>";

/// Entities that a writer of markup may use for what we send as it is.
const ENTITIES: [(&str, &str); 7] = [
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&#39;", "'"),
    ("&apos;", "'"),
    ("&nbsp;", "\u{a0}"),
    // Last, so that what it gives is not read again.
    ("&amp;", "&"),
];

/// What Translate is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) text: String,
    is_markup: bool,
}

/// The text with its protected parts marked; `None` where nothing else in it could be translated.
pub(super) fn marked(text: &str, terms: &[String]) -> Option<Marked> {
    let spans = protected::spans(text, terms);
    let (mut markup, mut done, mut has_words) = (String::new(), 0, false);
    for span in &spans {
        let before = text.get(done..span.start).unwrap_or_default();
        has_words |= before.contains(char::is_alphabetic);
        markup.push_str(&escaped(before));
        markup.push_str(OPEN);
        markup.push_str(&escaped(text.get(span.clone()).unwrap_or_default()));
        markup.push_str(CLOSE);
        done = span.end;
    }
    let after = text.get(done..).unwrap_or_default();
    has_words |= after.contains(char::is_alphabetic);
    markup.push_str(&escaped(after));
    let is_markup = !spans.is_empty();
    has_words.then(|| Marked { text: if is_markup { markup } else { text.to_owned() }, is_markup })
}

impl Marked {
    /// The translation without the markup.
    pub(super) fn read(&self, translated: &str) -> String {
        if !self.is_markup {
            return translated.trim().to_owned();
        }
        let (mut text, mut rest) = (String::new(), translated);
        while let Some((before, tag)) = rest.split_once('<') {
            text.push_str(before);
            rest = tag.split_once('>').map_or("", |(_, after)| after);
        }
        text.push_str(rest);
        unescaped(text.trim())
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescaped(text: &str) -> String {
    ENTITIES.iter().fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Vec<String> {
        vec!["House Blend".to_owned(), "Fish & Chips".to_owned()]
    }

    #[test]
    fn n31_what_is_protected_is_marked_and_read_back() {
        let cases = [
            (
                "Meet House Blend for 3.50 USD.",
                "Meet <span translate=\"no\">House Blend</span> for <span translate=\"no\">3.50 USD</span>.",
            ),
            (
                "Our Fish & Chips < ours > all: https://luna.com/a?b=1&c=2",
                "Our <span translate=\"no\">Fish &amp; Chips</span> &lt; ours &gt; all: \
                 <span translate=\"no\">https://luna.com/a?b=1&amp;c=2</span>",
            ),
            ("Salt & <b>pepper</b> &amp; more", "Salt & <b>pepper</b> &amp; more"),
        ];
        for (text, expected) in cases {
            let marked = marked(text, &terms()).unwrap();
            assert_eq!(marked.text, expected);
            assert_eq!(marked.read(&marked.text), text, "there and back");
        }
    }

    #[test]
    fn what_is_protected_as_a_whole_is_nothing_to_translate() {
        for text in ["", "☕ …", "#Coffee @luna", "House Blend: 3.50 USD!", "https://luna.com"] {
            assert_eq!(marked(text, &terms()), None, "{text}");
        }
    }

    #[test]
    fn no_markup_reaches_the_reader() {
        let marked = marked("Try House Blend", &terms()).unwrap();
        for answer in [
            " Prueba <span translate='no'>House Blend</span> ",
            "<p>Prueba <span  translate=\"no\" >House Blend</span></p>",
            "Prueba <SPAN>House Blend",
            "Prueba House Blend<span translate=",
        ] {
            assert_eq!(marked.read(answer), "Prueba House Blend", "{answer}");
        }
        assert_eq!(marked.read("d&#39;Or &quot;&amp;lt;&quot;"), "d'Or \"&lt;\"", "read once");
    }
}
