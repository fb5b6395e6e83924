//! The short link in a post's text: made unique for each post, network, account and language, so that a click tells
//! which post it came from, and a post can be found again at its network by the link in it.
//!
//! **Never here:** what a link is and where it leads ([`crate::links`]).

use super::Network;
use crate::copy::{limits, links};

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
