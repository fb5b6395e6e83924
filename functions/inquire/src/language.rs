//! In which of the two languages somebody is answered.

use nexus_kernel::Language;

/// The language of that code.
pub(crate) fn named(code: &str) -> Option<Language> {
    Language::ALL.into_iter().find(|language| language.code() == code)
}

/// The language that an `Accept-Language` likes best (RFC 9110, 12.5.4): by weight, then by place. English where it
/// names neither.
pub(crate) fn preferred(accepts: &str) -> Language {
    let mut best: Option<(u16, Language)> = None;
    for part in accepts.split(',') {
        let (range, weight) = match part.split_once(';') {
            Some((range, weight)) => (range, thousandths(weight)),
            None => (part, Some(1_000)),
        };
        let primary = range.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
        let (Some(language), Some(weight)) = (named(&primary), weight) else { continue };
        if weight > 0 && best.is_none_or(|(so_far, _)| weight > so_far) {
            best = Some((weight, language));
        }
    }
    best.map_or(Language::En, |(_, language)| language)
}

/// A weight `q=0.8`, in thousandths; `None` where it is none.
fn thousandths(weight: &str) -> Option<u16> {
    let number = weight.trim().strip_prefix("q=")?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
    match (whole, digits) {
        ("0", true) => format!("{part:0<3}").parse().ok(),
        ("1", true) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_language_is_the_one_that_is_liked_best() {
        for (accepts, language) in [
            ("", Language::En),
            ("es", Language::Es),
            ("es-MX,es;q=0.9,en;q=0.8", Language::Es),
            ("en-GB,en;q=0.9,es;q=0.8", Language::En),
            ("fr, de;q=0.9, es;q=0.2", Language::Es),
            ("en;q=0.3, es;q=0.7", Language::Es),
            ("es;q=0, en;q=0.1", Language::En),
            ("es;q=0", Language::En),
            ("*, es;q=0.5", Language::Es),
            ("ES", Language::Es),
            ("estonian, en", Language::En),
            ("es;q=2, en;q=0.1", Language::En),
        ] {
            assert_eq!(preferred(accepts), language, "{accepts}");
        }
    }

    proptest! {
        #[test]
        fn any_header_has_an_answer(accepts in "\\PC{0,60}") {
            preferred(&accepts);
        }
    }
}
