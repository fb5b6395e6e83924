//! English phrases and their Spanish, as somebody wrote them: the one translation that no account is needed for.
//!
//! Texts are known line by line, as the adapter sends them. What is not known is not translated.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    en: String,
    es: String,
}

/// Why a phrase book cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BookError {
    #[error("the phrases are no list of objects with `en` and `es`: {0}")]
    Shape(#[from] serde_json::Error),
    #[error("the phrase `{0}` has another number of lines in Spanish")]
    Lines(String),
    #[error("the line `{0}` has two translations")]
    Two(String),
}

/// What is known.
#[derive(Debug, Default)]
pub(crate) struct Phrases(BTreeMap<String, String>);

impl Phrases {
    /// # Errors
    /// It is no phrase book, or contradicts itself.
    pub(crate) fn read(written: &str) -> Result<Self, BookError> {
        let mut known = BTreeMap::new();
        for Pair { en, es } in serde_json::from_str::<Vec<Pair>>(written)? {
            let (english, spanish) = (lines(&en), lines(&es));
            if english.len() != spanish.len() {
                return Err(BookError::Lines(en));
            }
            for (english, spanish) in english.into_iter().zip(spanish) {
                let before = known.insert(english.to_owned(), spanish.to_owned());
                if before.is_some_and(|before| before != spanish) {
                    return Err(BookError::Two(english.to_owned()));
                }
            }
        }
        Ok(Self(known))
    }

    /// The Spanish of a line.
    pub(crate) fn spanish(&self, line: &str) -> Option<&str> {
        self.0.get(line.trim()).map(String::as_str)
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.split('\n').map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_known_by_their_english() {
        let book =
            Phrases::read(r#"[{"en": "Good morning\n\n Come in", "es": "Buenos días\n\nPasa "}]"#)
                .unwrap();
        assert_eq!(book.spanish(" Come in "), Some("Pasa"));
        assert_eq!(book.spanish("Come"), None);
    }

    #[test]
    fn a_book_that_contradicts_itself_is_refused() {
        let told = |written| Phrases::read(written).unwrap_err().to_string();
        assert!(told(r#"[{"en": "a\nb", "es": "a"}]"#).contains("number of lines"));
        assert!(
            told(r#"[{"en": "a", "es": "b"}, {"en": "a", "es": "c"}]"#)
                .contains("two translations")
        );
        assert!(told(r#"[{"en": "a", "es": "b", "fr": "c"}]"#).contains("no list"));
    }
}
