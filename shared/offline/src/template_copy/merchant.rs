//! What the merchant said, made fit to stand in a sentence: cleaned names, and the sentences of descriptions beside
//! their Spanish.

use nexus_engine::copy::{Brief, limits};
use nexus_engine::narration::sentences;
use nexus_engine::translation::protected;
use nexus_kernel::Language;

/// A text on one line, without characters that cannot be printed.
pub(super) fn clean(text: &str) -> String {
    let plain = |c: char| if limits::is_unprintable(c) { ' ' } else { c };
    let text: String = text.chars().map(plain).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text's words in small letters without accents.
pub(super) fn words(text: &str) -> Vec<String> {
    use unicode_normalization::UnicodeNormalization as _;
    use unicode_normalization::char::is_combining_mark;
    let plain: String = text.nfd().filter(|c| !is_combining_mark(*c)).collect();
    let plain = plain.to_lowercase();
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_owned).collect()
}

/// What the merchant told of the product, or whoever made the picture told of it, in one or both languages.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) en: Option<String>,
    pub(super) es: Option<String>,
}

impl Told {
    pub(super) fn by(brief: &Brief) -> Self {
        let filled = |text: &str| Some(clean(text)).filter(|t| !t.is_empty());
        if let Some(product) = &brief.product {
            let es = product.description_es.as_deref().and_then(filled);
            return Self { en: filled(&product.description), es };
        }
        let Some(text) = brief.embedded_description.as_deref().and_then(filled) else {
            return Self::default();
        };
        match language(&text) {
            Some(Language::En) => Self { en: Some(text), es: None },
            Some(Language::Es) => Self { en: None, es: Some(text) },
            None => Self::default(),
        }
    }

    /// Sentences that may be quoted one for one, from the beginning: of both languages where the merchant gave both,
    /// else of the one alone. A sentence whose protected parts the other language would not have is not among them;
    /// of the product's name one mention is let through, which [`Quote::names_product`] tells.
    pub(super) fn quotes(
        &self,
        name: &str,
        brand_terms: &[String],
        longest: usize,
        most: usize,
    ) -> Quote {
        let terms: Vec<String> = brand_terms
            .iter()
            .cloned()
            .chain([name.to_owned()])
            .filter(|t| !t.is_empty())
            .collect();
        let split = |text: &Option<String>| -> Vec<String> {
            let text = text.as_deref().unwrap_or_default();
            sentences::split(text).into_iter().map(ended).collect()
        };
        let (mut en, mut es) = (split(&self.en), split(&self.es));
        if !en.is_empty() && !es.is_empty() && en.len() != es.len() {
            en.truncate(1);
            es.truncate(1);
        }
        let mut quote = Quote::default();
        for i in 0..en.len().max(es.len()) {
            let (one, other) = (en.get(i), es.get(i));
            let texts = [one, other].map(|t| t.map(String::as_str).unwrap_or_default());
            let length =
                quote.len() + texts.map(|t| t.chars().count()).into_iter().max().unwrap_or(0);
            let fits = length <= most && texts.iter().all(|t| t.chars().count() <= longest);
            let in_both = one.is_some() && other.is_some();
            let parts = match texts {
                [en, es] if in_both => protected::kept(en, es, &terms).err().unwrap_or_default(),
                texts => protected::find(&texts.concat(), &terms),
            };
            let is_name = !in_both && !quote.names_product && parts == [name];
            if fits && (parts.is_empty() || is_name) {
                quote.names_product |= is_name;
                quote.en.extend(one.cloned());
                quote.es.extend(other.cloned());
            } else if quote.len() > 0 {
                break;
            }
        }
        quote
    }
}

/// Sentences to be quoted.
#[derive(Debug, Default)]
pub(super) struct Quote {
    pub(super) en: Vec<String>,
    pub(super) es: Vec<String>,
    /// Whether one side names the product and the other side, not being there, cannot.
    pub(super) names_product: bool,
}

impl Quote {
    fn len(&self) -> usize {
        let length = |texts: &[String]| texts.iter().map(|t| t.chars().count() + 1).sum();
        usize::max(length(&self.en), length(&self.es))
    }
}

/// A sentence of a merchant who left out the point.
fn ended(sentence: &str) -> String {
    let closed = sentence.ends_with(|c: char| !c.is_alphanumeric() && !",;:-–—".contains(c));
    let sentence = sentence.trim_end_matches([',', ';', ':', '-', '–', '—', ' ']);
    if closed { sentence.to_owned() } else { format!("{sentence}.") }
}

/// The language of a text by its little words; `None` where they do not tell.
fn language(text: &str) -> Option<Language> {
    const ENGLISH: [&str; 14] = [
        "the", "of", "and", "with", "for", "on", "at", "from", "is", "are", "an", "by", "our",
        "this",
    ];
    const SPANISH: [&str; 16] = [
        "el", "la", "los", "las", "de", "del", "y", "con", "una", "un", "en", "es", "por", "para",
        "nuestro", "nuestra",
    ];
    let words = words(text);
    let count = |little: &[&str]| words.iter().filter(|w| little.contains(&w.as_str())).count();
    match (count(&ENGLISH), count(&SPANISH)) {
        (english, 0) if english > 0 => Some(Language::En),
        (0, spanish) if spanish > 0 => Some(Language::Es),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned_to_one_line() {
        assert_eq!(clean("  a\n\tb\u{0} c\u{202e}d  "), "a b c d");
    }

    #[test]
    fn a_language_is_told_by_its_little_words() {
        assert_eq!(language("A cup of coffee on the table"), Some(Language::En));
        assert_eq!(language("Una taza de café en la mesa"), Some(Language::Es));
        assert_eq!(language("IMG 2041"), None);
        assert_eq!(language("Chicken and la vida"), None);
    }

    fn quotes(en: &str, es: Option<&str>) -> Quote {
        let told = Told { en: Some(en.into()), es: es.map(str::to_owned) };
        told.quotes("Luna Blend", &[], 100, 200)
    }

    #[test]
    fn without_spanish_only_sentences_are_quoted_whose_facts_are_not_lost() {
        let quote = quotes("Our Luna Blend is nutty. It is smooth. It holds 250 g. Enjoy", None);
        assert_eq!(quote.en, ["Our Luna Blend is nutty.", "It is smooth."]);
        assert!(quote.names_product);
        assert_eq!(quotes("It holds 250 g. Enjoy", None).en, ["Enjoy."]);
    }

    #[test]
    fn with_spanish_sentences_are_quoted_in_pairs() {
        let quote = quotes("It holds 250 g. Enjoy", Some("Contiene 250 g. Disfruta"));
        assert_eq!((quote.en.len(), quote.es.len(), quote.names_product), (2, 2, false));
        let quote = quotes("It holds 250 g. Enjoy", Some("Contiene 0.25 kg. Disfruta"));
        assert_eq!(quote.es, ["Disfruta."]);
    }
}
