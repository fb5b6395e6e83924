//! How the client's own address may be written where it has no shape of one: as one number, as digits, encoded.
//!
//! In a text it looks like any other word. Whose request it is tells what to look for.

use std::net::IpAddr;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use nexus_kernel::ClientIp;

use super::scrub::NOWHERE;

/// Shorter ones stand in many texts, and those of an address have the shape of one.
const FEWEST_CHARS: usize = 6;

/// The spellings of one address. It tells them to nobody.
#[derive(Default)]
pub struct Spellings {
    /// In small letters, the longest first.
    all: Vec<String>,
    beginnings: Beginnings,
}

impl Spellings {
    /// Those of a client's address.
    pub fn of(client: ClientIp) -> Self {
        let (mut texts, mut all) = (Vec::new(), Vec::new());
        let (told, canonical) = (client.reveal(), client.reveal().to_canonical());
        // One of the two is enough where they are one.
        for address in
            [Some(told), Some(canonical).filter(|other| *other != told)].into_iter().flatten()
        {
            texts.push(address.to_string());
            let bytes = match address {
                IpAddr::V4(four) => {
                    texts.push(four.to_string().replace('.', "-"));
                    texts.push(four.to_bits().to_string());
                    four.octets().to_vec()
                }
                IpAddr::V6(six) => {
                    for mark in [":", "-"] {
                        texts.push(six.to_string().replace(':', mark));
                        texts.push(six.segments().map(|s| format!("{s:x}")).join(mark));
                        texts.push(six.segments().map(|s| format!("{s:04x}")).join(mark));
                    }
                    six.octets().to_vec()
                }
            };
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            all.extend([numbers.join(", "), numbers.join(",")]);
            all.extend(encoded(&bytes));
        }
        all.extend(texts.iter().flat_map(|text| encoded(text.as_bytes())));
        all.extend(texts);
        all.iter_mut().for_each(|spelling| spelling.make_ascii_lowercase());
        all.retain(|spelling| spelling.len() >= FEWEST_CHARS);
        all.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        let beginnings = Beginnings::of(&all);
        Self { all, beginnings }
    }

    /// The text, which is ASCII, without any of them, in letters of either case.
    pub(super) fn taken_from(&self, mut text: String) -> String {
        if !self.beginnings.stand_in(&text) {
            return text;
        }
        let mut lower = text.to_ascii_lowercase();
        for spelling in &self.all {
            if !lower.contains(spelling.as_str()) {
                continue;
            }
            // From the end, so that what stands before it keeps its place.
            for (at, _) in lower.rmatch_indices(spelling.as_str()) {
                text.replace_range(at..at + spelling.len(), NOWHERE);
            }
            lower = text.to_ascii_lowercase();
        }
        text
    }
}

/// With which characters spellings begin: hardly any text has them, and then none of the spellings need be looked for.
#[derive(Default)]
struct Beginnings {
    /// [`FEWEST_CHARS`] bytes in a number.
    all: Vec<u64>,
    /// A bit for each of them, of which others may have the same.
    filter: u64,
}

impl Beginnings {
    fn of(spellings: &[String]) -> Self {
        let beginning = |text: &String| text.bytes().take(FEWEST_CHARS).fold(0, Self::with);
        let all: Vec<u64> = spellings.iter().map(beginning).collect();
        let filter = all.iter().fold(0, |filter, beginning| filter | Self::bit(*beginning));
        Self { all, filter }
    }

    fn stand_in(&self, text: &str) -> bool {
        let mut bytes = text.bytes().map(|byte| byte.to_ascii_lowercase());
        let first = bytes.by_ref().take(FEWEST_CHARS - 1).fold(0, Self::with);
        let mut windows = bytes.scan(first, |window, byte| {
            *window = Self::with(*window, byte);
            Some(*window)
        });
        windows.any(|window| self.filter & Self::bit(window) != 0 && self.all.contains(&window))
    }

    /// The last [`FEWEST_CHARS`] bytes of those before and this one.
    fn with(window: u64, byte: u8) -> u64 {
        (window << 8 | u64::from(byte)) & ((1 << (8 * FEWEST_CHARS)) - 1)
    }

    fn bit(window: u64) -> u64 {
        // Fibonacci hashing: the upper bits of a product with 2^64 divided by the golden ratio.
        1 << (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
    }
}

fn encoded(bytes: &[u8]) -> [String; 3] {
    [hex::encode(bytes), BASE64_NOPAD.encode(bytes), BASE64URL_NOPAD.encode(bytes)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clicks::{Page, Presented};

    fn kept_text(raw: &str, own: &Spellings) -> String {
        Presented::of(raw, own).read().text
    }

    #[test]
    fn n10_the_clients_own_address_goes_however_it_is_spelled() {
        for (address, spellings) in [
            (
                "203.0.113.137",
                &[
                    "203.0.113.137",
                    "cb007189",
                    "CB007189",
                    "3405803913",
                    "ywBxiQ",
                    "ywBxiQ==",
                    "MjAzLjAuMTEzLjEzNw",
                    "3230332e302e3131332e313337",
                    "[203, 0, 113, 137]",
                    "%63b007189",
                ][..],
            ),
            (
                "2001:db8::7",
                &[
                    "2001-db8--7",
                    "2001-0db8-0000-0000-0000-0000-0000-0007",
                    "20010db8000000000000000000000007",
                    "IAENuAAAAAAAAAAAAAAABw",
                ][..],
            ),
            ("::ffff:203.0.113.137", &["cb007189", "ywBxiQ"][..]),
        ] {
            let own = Spellings::of(ClientIp::new(address.parse().unwrap()));
            for spelling in spellings {
                let kept = kept_text(&format!("probe/{spelling}x Firefox/121.0"), &own);
                assert!(!kept.contains(spelling) && kept.ends_with("x Firefox/121.0"), "{kept}");
                let page = Page::of(&format!("https://a.example/seen/x{spelling}"), &own);
                let path = page.unwrap().kept().path;
                assert!(!path.contains(spelling) && path.starts_with("/seen/x"), "{path}");
            }
        }
    }

    #[test]
    fn what_is_another_word_stays() {
        let own = Spellings::of(ClientIp::new("203.0.113.137".parse().unwrap()));
        for text in ["Gecko/20100101 Firefox/121.0", "order/3405803914", "cb007188"] {
            assert_eq!(kept_text(text, &own), text);
        }
        let nowhere = Spellings::of(ClientIp::new("0.0.0.0".parse().unwrap()));
        assert_eq!(kept_text("Chrome/120.0.0.0", &nowhere), "Chrome/120.0.0.0");
    }

    proptest! {
        #[test]
        fn n10_wherever_a_spelling_stands_it_is_found(
            address in any::<std::net::IpAddr>(),
            before in "[ -~]{0,12}",
            after in "[ -~]{0,12}",
            upper in any::<bool>(),
        ) {
            let own = Spellings::of(ClientIp::new(address));
            for spelling in &own.all {
                let spelling = if upper { spelling.to_uppercase() } else { spelling.clone() };
                let text = own.taken_from(format!("{before}{spelling}{after}"));
                prop_assert!(!text.contains(&spelling) || spelling.contains(NOWHERE), "{text}");
            }
        }
    }
}
