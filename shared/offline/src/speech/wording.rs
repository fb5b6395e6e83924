//! What an engine is given to read, so that it says what a person would say.
//!
//! Amounts become words (`$3.50` is "3 dollars and 50 cents"), since espeak-ng reads the sign where it stands and flite
//! passes over all but `$`. Pictographs, brackets and other signs that would be spelled out are left out. flite knows
//! ASCII alone, so English is transliterated: `Crème` is read as `Creme`.

use deunicode::deunicode_char;
use nexus_kernel::{Failure, Language};
use regex::{Captures, Regex};
use unicode_normalization::UnicodeNormalization as _;

/// The words of a currency: one, several, and the same of its hundredth.
type Words = [&'static str; 4];

struct Currency {
    marks: &'static [&'static str],
    english: Words,
    spanish: Words,
}

const CURRENCIES: [Currency; 6] = [
    Currency {
        marks: &["$", "US$", "USD"],
        english: ["1 dollar", "dollars", "1 cent", "cents"],
        spanish: ["un dólar", "dólares", "un centavo", "centavos"],
    },
    Currency {
        marks: &["€", "EUR"],
        english: ["1 euro", "euros", "1 cent", "cents"],
        spanish: ["un euro", "euros", "un céntimo", "céntimos"],
    },
    Currency {
        marks: &["£", "GBP"],
        english: ["1 pound", "pounds", "1 penny", "pence"],
        spanish: ["una libra", "libras", "un penique", "peniques"],
    },
    Currency {
        marks: &["MX$", "MXN"],
        english: ["1 peso", "pesos", "1 centavo", "centavos"],
        spanish: ["un peso", "pesos", "un centavo", "centavos"],
    },
    Currency {
        marks: &["CA$", "CAD"],
        english: ["1 Canadian dollar", "Canadian dollars", "1 cent", "cents"],
        spanish: ["un dólar canadiense", "dólares canadienses", "un centavo", "centavos"],
    },
    Currency {
        marks: &["¥", "JPY"],
        english: ["1 yen", "yen", "1 sen", "sen"],
        spanish: ["un yen", "yenes", "un sen", "sen"],
    },
];

/// A mark before a number, or after it, or both: then the code after it decides (`$20 MXN`).
const AMOUNT: &str = r"(?x)
    (?<before> US\$ | MX\$ | CA\$ | [$€£¥] | \b(?:USD|EUR|GBP|MXN|CAD|JPY) ) \x20?
    (?<first> [0-9]+ (?:[.,][0-9]+)* ) (?: \x20? (?<code> USD|EUR|GBP|MXN|CAD|JPY ) \b )?
  | (?<second> [0-9]+ (?:[.,][0-9]+)* ) \x20? (?<after> [$€£¥] | (?:USD|EUR|GBP|MXN|CAD|JPY)\b )";

/// The sentence as the engine of a language is to read it.
///
/// # Errors
/// Nothing is left that can be spoken.
pub(super) fn speakable(sentence: &str, language: Language) -> Result<String, Failure> {
    let plain = |c: char| if c.is_whitespace() || c.is_control() { ' ' } else { c };
    let sentence: String = sentence.nfc().map(plain).collect();
    let amount = Regex::new(AMOUNT).map_err(Failure::bug)?;
    let worded = amount.replace_all(&sentence, |found: &Captures<'_>| in_words(found, language));
    let mut spoken = String::new();
    for c in worded.chars() {
        push(&mut spoken, c, language);
    }
    let spoken = spoken.split_whitespace().collect::<Vec<_>>().join(" ");
    if spoken.chars().any(char::is_alphanumeric) {
        Ok(spoken)
    } else {
        Err(Failure::invalid("A sentence to be spoken needs at least one letter or digit."))
    }
}

/// An amount in words, or as it was where its number cannot be told.
fn in_words(found: &Captures<'_>, language: Language) -> String {
    let part = |name| found.name(name).map(|part| part.as_str());
    let mark = part("code").or(part("before")).or(part("after"));
    let currency = CURRENCIES.iter().find(|c| mark.is_some_and(|mark| c.marks.contains(&mark)));
    let number = part("first").or(part("second")).and_then(number);
    match (currency, number) {
        (Some(currency), Some((whole, hundredths))) => {
            amount(whole, hundredths, currency, language)
        }
        _ => found.get(0).map_or("", |all| all.as_str()).to_owned(),
    }
}

/// Whole units and hundredths of `1,250.50`, `1.250,5` or `3`; `None` where separators stand in odd places.
fn number(text: &str) -> Option<(u64, u64)> {
    let mut groups: Vec<&str> = text.split(['.', ',']).collect();
    let hundredths = match groups.as_slice() {
        [_, .., last] if last.len() <= 2 => {
            let digits: u64 = last.parse().ok()?;
            let digits = if last.len() == 1 { digits * 10 } else { digits };
            groups.pop();
            digits
        }
        _ => 0,
    };
    let (first, rest) = groups.split_first()?;
    let grouped = !first.starts_with('0') && first.len() <= 3 && rest.iter().all(|g| g.len() == 3);
    if !rest.is_empty() && !grouped {
        return None;
    }
    Some((groups.concat().parse().ok()?, hundredths))
}

fn amount(whole: u64, hundredths: u64, currency: &Currency, language: Language) -> String {
    let (words, and) = match language {
        Language::En => (&currency.english, "and"),
        Language::Es => (&currency.spanish, "con"),
    };
    let [one, many, one_part, many_parts] = words;
    let count = |number: u64, one: &str, many: &str| match number {
        1 => one.to_owned(),
        _ => format!("{} {many}", digits(number, language)),
    };
    match (whole, hundredths) {
        (_, 0) => count(whole, one, many),
        (0, _) => count(hundredths, one_part, many_parts),
        _ => {
            format!("{} {and} {}", count(whole, one, many), count(hundredths, one_part, many_parts))
        }
    }
}

/// flite takes four digits for a year unless a comma stands between them; espeak-ng takes the comma for a decimal one.
fn digits(number: u64, language: Language) -> String {
    let digits = number.to_string();
    if language == Language::Es {
        return digits;
    }
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Adds a sign as it is read.
fn push(spoken: &mut String, c: char, language: Language) {
    let english = language == Language::En;
    let words = match c {
        '&' => [" and ", " y "],
        '@' => [" at ", " arroba "],
        '°' => [" degrees ", " grados "],
        '×' => [" by ", " por "],
        '½' => [" a half ", " medio "],
        '¼' => [" a quarter ", " un cuarto "],
        '¾' => [" three quarters ", " tres cuartos "],
        '‘' | '’' => ["'"; 2],
        '“' | '”' | '«' | '»' => ["\""; 2],
        '–' | '‑' => ["-"; 2],
        '—' => [", "; 2],
        '…' => ["..."; 2],
        '¿' => ["", "¿"],
        '¡' => ["", "¡"],
        // Soft hyphens, joiners and the like stand inside words.
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' => [""; 2],
        '\u{300}'..='\u{36f}' => [""; 2],
        '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '"' | '(' | ')' | '-' | '/' | '%' | '+' => {
            return spoken.push(c);
        }
        _ if !c.is_alphanumeric() => [" "; 2],
        _ if english => return spoken.push_str(deunicode_char(c).unwrap_or(" ")),
        _ => return spoken.push(c),
    };
    let [in_english, in_spanish] = words;
    spoken.push_str(if english { in_english } else { in_spanish });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, cases: &[(&str, &str)]) {
        for (sentence, expected) in cases {
            assert_eq!(speakable(sentence, language).unwrap(), *expected, "{sentence}");
        }
    }

    #[test]
    fn english_amounts_are_words() {
        check(
            Language::En,
            &[
                ("It costs $3.50.", "It costs 3 dollars and 50 cents."),
                ("3,50 € today", "3 euros and 50 cents today"),
                ("3,50\u{a0}€", "3 euros and 50 cents"),
                ("12.50 USD", "12 dollars and 50 cents"),
                ("USD 1", "1 dollar"),
                ("£1.01", "1 pound and 1 penny"),
                ("$0.99", "99 cents"),
                ("$1,250.00 or 1.250,5 EUR", "1,250 dollars or 1,250 euros and 50 cents"),
                ("$20 MXN, CA$5", "20 pesos, 5 Canadian dollars"),
                ("1250 JPY", "1,250 yen"),
                ("Was $5, now $4!", "Was 5 dollars, now 4 dollars!"),
                ("2 for $5", "2 for 5 dollars"),
                ("EUROPE 2026, 50 USDX", "EUROPE 2026, 50 USDX"),
                ("$1.2.3.4 and $0.999", "1.2.3.4 and 0.999"),
                ("$99999999999999999999", "99999999999999999999"),
            ],
        );
    }

    #[test]
    fn spanish_amounts_are_words() {
        check(
            Language::Es,
            &[
                ("Cuesta $3.50.", "Cuesta 3 dólares con 50 centavos."),
                ("Cuesta 3,50 €.", "Cuesta 3 euros con 50 céntimos."),
                ("1.250,00 € o $1,250.00", "1250 euros o 1250 dólares"),
                ("US$ 1, £1", "un dólar, una libra"),
                ("0,99 €", "99 céntimos"),
                ("12.50 MXN", "12 pesos con 50 centavos"),
            ],
        );
    }

    #[test]
    fn english_is_plain_ascii() {
        let sentence =
            "Crème brûlée—“jalapeño” & 20°C… it’s ½ off at @roastery #good_coffee ☕✨ 日本";
        let spoken = speakable(sentence, Language::En).unwrap();
        assert_eq!(
            spoken,
            "Creme brulee, \"jalapeno\" and 20 degrees C... it's a half off at at roastery \
             good coffee Ri Ben"
        );
        assert!(spoken.is_ascii());
    }

    #[test]
    fn spanish_keeps_its_letters_and_marks() {
        check(
            Language::Es,
            &[
                ("¿Café & pingüino? ¡Mañana!", "¿Café y pingüino? ¡Mañana!"),
                ("man\u{303}ana", "mañana"),
                ("Sigue a @roastery\n#cafe_bueno ☕", "Sigue a arroba roastery cafe bueno"),
                ("Hola [[h@l0]] <b>{x}</b>\u{1}", "Hola h arroba l0 b x /b"),
            ],
        );
    }

    #[test]
    fn nothing_to_say_is_refused() {
        for text in ["", " ", "☕✨", "¡…!", "$$$", "\u{0}\u{1}"] {
            assert!(speakable(text, Language::Es).is_err(), "{text}");
        }
    }
}
