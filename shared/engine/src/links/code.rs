//! The code of a link: what stands after the last slash of its address.
//!
//! A code that is made has [`CODE_CHARS`] characters without look-alikes; one that a tenant chooses is its own affair
//! within [`LinkCode::chosen`]'s rule.

use std::fmt;

use nexus_kernel::{Digest, Failure};
use serde::{Deserialize, Serialize};

/// The characters of a code. None looks like another, or like two others: no `0`/`o`, `1`/`l`/`i`, `2`/`z`, `5`/`s`,
/// `6`/`b`, `9`/`g`/`q`, `m`/`rn`, `w`/`vv`, and letters of one case alone. No vowels, so that no code spells a word.
const ALPHABET: &[u8; 21] = b"23456789cdfhjknprtvxy";
/// How many of them: 52 bits, so that among a million codes of a deployment two alike are as unlikely as one in fourteen
/// thousand; the second one is refused, and nothing leads wrongly.
pub const CODE_CHARS: usize = 12;
/// The fewest and the most characters of a code that a tenant chooses.
pub const CHOSEN_CHARS: std::ops::RangeInclusive<usize> = 4..=40;

/// So many of the characters that codes are made of, which follow from these parts: at most 32.
pub(crate) fn spelled(parts: &[&str], chars: usize) -> String {
    let digest = Digest::of_parts(parts.iter().map(|part| part.as_bytes()));
    let letter = |byte: &u8| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]);
    digest.as_bytes().iter().take(chars).map(letter).collect()
}

/// Whether this is spelled with so many of the characters that codes are made of.
pub(crate) fn is_spelled(text: &str, chars: usize) -> bool {
    text.len() == chars && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// A code, as it may stand in an address: letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkCode(String);

impl LinkCode {
    /// The code that follows from these parts.
    pub fn derived(parts: &[&str]) -> Self {
        Self(spelled(parts, CODE_CHARS))
    }

    /// A code as it stands in an address; `None` for what can be no code.
    pub fn parse(raw: &str) -> Option<Self> {
        let fits = CHOSEN_CHARS.contains(&raw.len())
            && raw.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        fits.then(|| Self(raw.to_owned()))
    }

    /// A code that a tenant chose: `CHOSEN_CHARS` letters, digits, `-` and `_`, a letter or digit first and last.
    ///
    /// # Errors
    /// It is none.
    pub fn chosen(raw: &str) -> Result<Self, Failure> {
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let code = Self::parse(raw)
            .filter(|_| edge(raw.as_bytes().first()) && edge(raw.as_bytes().last()));
        code.ok_or_else(|| {
            let (least, most) = CHOSEN_CHARS.into_inner();
            Failure::field(
                "code",
                format!("write {least} to {most} of a-z, A-Z, 0-9, `-` and `_`; a letter or digit first and last"),
            )
        })
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LinkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_no_look_alikes_and_follows_from_its_parts() {
        let one = LinkCode::derived(&["drf_1", "x", "en"]);
        assert_eq!(one.as_str().len(), CODE_CHARS);
        assert_eq!(one, LinkCode::derived(&["drf_1", "x", "en"]));
        assert_ne!(one, LinkCode::derived(&["drf_1", "x", "es"]));
        let alike: Vec<char> = "01abegilmoqsuwzABCDEFGHIJKLMNOPQRSTUVWXYZ".chars().collect();
        for n in 0..200 {
            let code = LinkCode::derived(&[&n.to_string()]);
            assert!(!code.as_str().contains(&*alike), "{code}");
            assert_eq!(LinkCode::parse(code.as_str()), Some(code.clone()));
        }
        let mut alphabet = ALPHABET.to_vec();
        alphabet.sort_unstable();
        alphabet.dedup();
        assert_eq!(alphabet.len(), 21);
        assert!((ALPHABET.len() as f64).log2() * CODE_CHARS as f64 >= 50.0);
    }

    #[test]
    fn a_chosen_code_is_plain() {
        for code in ["Sale24", "a1b2", "spring-sale_2027", &"x".repeat(40)] {
            assert_eq!(LinkCode::chosen(code).unwrap().as_str(), code);
        }
        for wrong in [
            "",
            "a1b",
            "-a1b",
            "a1b-",
            "a1/b",
            "a1.b",
            "a1 b",
            "ä1bc",
            "%2e%",
            "a\r\nb",
            &"x".repeat(41),
        ] {
            assert_eq!(LinkCode::chosen(wrong).unwrap_err().fields()[0].field, "code", "{wrong:?}");
        }
    }
}
