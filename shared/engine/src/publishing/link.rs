//! The short link of a post: made unique for each post, network, account and language, so that a click tells which
//! post it came from, and a post can be found again at its network by the link in it.
//!
//! **Never here:** answering a click.

use nexus_core::directory::OutsideKind;
use nexus_core::effect::EffectId;
use nexus_core::{Directory, Key, Op, Record, RecordKind, Scope, records};
use nexus_kernel::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::Network;
use crate::copy::{limits, links};

/// The characters of a code: no `0`/`O`, `1`/`I`/`l`, and no vowels, so that no code spells a word.
const ALPHABET: &[u8; 32] = b"23456789BCDFGHJKMNPQRSTVWXYZbcdf";
/// How many of them: 50 bits, so that among a million codes of a deployment two alike are as unlikely as one in two
/// thousand; the second one's approval would be refused, and nothing would be sent wrongly.
const CODE_CHARS: usize = 10;

/// A link that leads to a product, from one post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShortLink {
    /// What stands after the last slash of its address.
    pub code: String,
    /// Where it leads.
    pub target: String,
    /// The post that it stands in.
    pub post: EffectId,
    /// When it was made.
    pub created: Timestamp,
}

impl Record for ShortLink {
    const KIND: RecordKind = RecordKind::Link;

    fn key(&self, scope: &Scope) -> Key {
        scope.key("link", &*self.code)
    }
}

impl ShortLink {
    /// The operations that make it known: the link, and whose its code is.
    pub(super) fn ops(&self, scope: &Scope) -> [Op; 2] {
        let directory = Directory::of(scope.product());
        [
            records::create(scope, self),
            directory.claim(scope, OutsideKind::Link, &self.code, &self.code),
        ]
    }
}

/// The code that follows from what a post is.
pub(super) fn code(parts: &[&str]) -> String {
    let digest = Digest::of_parts(parts.iter().map(|part| part.as_bytes()));
    let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
    digest.as_bytes().iter().take(CODE_CHARS).map(letter).collect()
}

/// The text with the short link in place of the product's address; `None` where the address does not stand in it, or
/// the text would not fit any more.
pub(super) fn shortened(text: &str, target: &str, short: &str, network: Network) -> Option<String> {
    let found = links::find(text).into_iter().find(|link| link.text == target)?;
    let (before, after) = (text.get(..found.range.start)?, text.get(found.range.end..)?);
    let shortened = format!("{before}{short}{after}");
    limits::fits(&shortened, network).then_some(shortened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_no_look_alikes_and_follows_from_the_post() {
        let one = code(&["drf_1", "x", "en"]);
        assert_eq!((one.len(), &one), (CODE_CHARS, &code(&["drf_1", "x", "en"])));
        assert_ne!(one, code(&["drf_1", "x", "es"]));
        assert!(!one.contains(['0', 'O', '1', 'I', 'l', 'a', 'e', 'i', 'o', 'u']));
        let mut alphabet = ALPHABET.to_vec();
        alphabet.sort_unstable();
        alphabet.dedup();
        assert_eq!(alphabet.len(), 32);
    }

    #[test]
    fn the_products_address_alone_is_shortened() {
        let (target, short) = ("https://shop.example.com/loaf?a=1", "https://l.example.com/c/BCD");
        let text = "Fresh: https://shop.example.com/loaf?a=1. Also https://shop.example.com/loaf";
        let told = shortened(text, target, short, Network::X).unwrap();
        assert_eq!(told, "Fresh: https://l.example.com/c/BCD. Also https://shop.example.com/loaf");
        assert_eq!(shortened("No link.", target, short, Network::X), None);
        let full = format!("{} {target}", "a".repeat(limits::MASTODON_CHARS - target.len() - 1));
        assert!(
            shortened(&full, target, &format!("{short}/{}", "x".repeat(20)), Network::Mastodon)
                .is_none()
        );
    }
}
