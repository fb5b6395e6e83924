//! Amazon Translate's `TranslateText`, from a phrase book.
//!
//! Text may be markup whose `<span translate="no">` holds what stays as it is; it comes back in the same markup.

use serde::{Deserialize, Serialize};

use crate::door::Refusal;
use crate::phrases::Phrases;

/// Bytes of a text, at most.
const MOST_BYTES: usize = 10_000;
const SOURCE: &str = "en";
/// The forms of Spanish that Translate knows.
const TARGETS: [&str; 2] = ["es", "es-MX"];

const OPEN: &str = "<span translate=\"no\">";
const CLOSE: &str = "</span>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TranslateText {
    text: String,
    source_language_code: String,
    target_language_code: String,
    settings: Option<Settings>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    formality: Option<Formality>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Formality {
    Formal,
    Informal,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TranslatedText {
    translated_text: String,
    source_language_code: &'static str,
    target_language_code: String,
    applied_settings: Option<Settings>,
}

/// The text in Spanish.
///
/// # Errors
/// As Translate; `InvalidRequestException` for a line that the phrase book does not have.
pub(crate) fn translate_text(
    phrases: &Phrases,
    asked: TranslateText,
) -> Result<TranslatedText, Refusal> {
    let TranslateText { text, source_language_code, target_language_code, settings } = asked;
    if text.is_empty() {
        return Err(Refusal::new("InvalidRequestException", "the text is empty"));
    }
    if text.len() > MOST_BYTES {
        return Err(Refusal::new("TextSizeLimitExceededException", "the text is too long"));
    }
    if source_language_code != SOURCE || !TARGETS.contains(&target_language_code.as_str()) {
        let pair = format!("{source_language_code} to {target_language_code}");
        return Err(Refusal::new("UnsupportedLanguagePairException", pair));
    }
    let (plain, kept) = read(&text)?;
    let spanish = phrases.spanish(&plain).ok_or_else(|| {
        Refusal::new("InvalidRequestException", format!("the phrase book does not have `{plain}`"))
    })?;
    let translated_text = if kept.is_empty() { spanish.to_owned() } else { marked(spanish, kept)? };
    Ok(TranslatedText {
        translated_text,
        source_language_code: SOURCE,
        target_language_code,
        applied_settings: settings,
    })
}

/// Markup as a person reads it, and the parts that are to stay as they are, in order.
fn read(text: &str) -> Result<(String, Vec<String>), Refusal> {
    if !text.contains(OPEN) {
        return Ok((text.to_owned(), Vec::new()));
    }
    let (mut plain, mut kept, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, inner)) = rest.split_once(OPEN) {
        let Some((part, after)) = inner.split_once(CLOSE) else {
            return Err(Refusal::new("InvalidRequestException", "a span is not closed"));
        };
        let part = unescaped(part);
        plain.push_str(&unescaped(before));
        plain.push_str(&part);
        kept.push(part);
        rest = after;
    }
    plain.push_str(&unescaped(rest));
    Ok((plain, kept))
}

/// The Spanish with the same parts marked; the longer first, where two begin together.
fn marked(spanish: &str, mut kept: Vec<String>) -> Result<String, Refusal> {
    kept.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let (mut markup, mut rest) = (String::new(), spanish);
    'next: while let Some(sign) = rest.chars().next() {
        for (n, part) in kept.iter().enumerate() {
            if let Some(after) = rest.strip_prefix(part.as_str()) {
                markup.push_str(&format!("{OPEN}{}{CLOSE}", escaped(part)));
                rest = after;
                kept.remove(n);
                continue 'next;
            }
        }
        let (sign, after) = rest.split_at(sign.len_utf8());
        markup.push_str(&escaped(sign));
        rest = after;
    }
    if kept.is_empty() {
        Ok(markup)
    } else {
        Err(Refusal::ours(
            "InternalServerException",
            format!("the Spanish lacks {}", kept.join(", ")),
        ))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(text: &str, more: &str) -> Result<String, Refusal> {
        let book = r#"[{"en": "Meet House & Co for 3 USD: 3 cups.", "es": "Prueba House & Co: 3 tazas por 3 USD."},
                       {"en": "Good morning.", "es": "Buenos días."}]"#;
        let phrases = Phrases::read(book).unwrap();
        let asked = format!(
            r#"{{"Text": {}, "SourceLanguageCode": "en", "TargetLanguageCode": "es-MX"{more}}}"#,
            serde_json::to_string(text).unwrap()
        );
        let asked = serde_json::from_str(&asked)
            .map_err(|e| Refusal::new("SerializationException", e.to_string()))?;
        Ok(translate_text(&phrases, asked)?.translated_text)
    }

    #[test]
    fn plain_text_and_markup_are_translated_by_the_book() {
        assert_eq!(translated("Good morning.", "").unwrap(), "Buenos días.");
        let marked = "Meet <span translate=\"no\">House &amp; Co</span> for <span translate=\"no\">3 USD</span>: \
                      <span translate=\"no\">3</span> cups.";
        let expected = "Prueba <span translate=\"no\">House &amp; Co</span>: <span translate=\"no\">3</span> tazas por \
                        <span translate=\"no\">3 USD</span>.";
        assert_eq!(translated(marked, "").unwrap(), expected);
    }

    #[test]
    fn what_the_book_does_not_have_is_refused() {
        let refusal = translated("Good night.", "").unwrap_err();
        assert_eq!((refusal.code, refusal.status.as_u16()), ("InvalidRequestException", 400));
        assert!(refusal.message.contains("Good night."));
    }

    #[test]
    fn unknown_fields_and_long_texts_are_refused() {
        let code = |text: &str, more: &str| translated(text, more).unwrap_err().code;
        assert_eq!(code("Good morning.", r#", "Tone": "WARM""#), "SerializationException");
        assert_eq!(
            code("Good morning.", r#", "Settings": {"Brevity": "ON"}"#),
            "SerializationException"
        );
        assert_eq!(code(&"ñ".repeat(5_001), ""), "TextSizeLimitExceededException");
        assert_eq!(code("", ""), "InvalidRequestException");
    }
}
