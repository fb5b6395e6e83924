//! How the client's own address may be written where it has no shape of one: as one number, as digits, encoded.
//!
//! In a text it looks like any other word. Whose request it is tells what to look for.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use nexus_kernel::ClientIp;

use super::scrub::NOWHERE;

/// Shorter ones stand in many texts, and those of an address have the shape of one.
const FEWEST_CHARS: usize = 6;

/// The spellings of one address. It tells them to nobody.
#[derive(Default)]
pub struct Spellings {
    all: Words,
    beginnings: Beginnings,
}

impl Spellings {
    /// Those of a client's address.
    pub fn of(client: ClientIp) -> Self {
        let (mut texts, mut all) = (Words::with_room(16, 400), Words::with_room(64, 2_000));
        let (told, canonical) = (client.reveal(), client.reveal().to_canonical());
        // One of the two is enough where they are one.
        for address in
            [Some(told), Some(canonical).filter(|other| *other != told)].into_iter().flatten()
        {
            match address {
                IpAddr::V4(four) => {
                    texts.add(|to| write!(to, "{four}"));
                    let [a, b, c, d] = four.octets();
                    texts.add(|to| write!(to, "{a}-{b}-{c}-{d}"));
                    texts.add(|to| write!(to, "{}", four.to_bits()));
                    all.add_bytes(&four.octets());
                }
                IpAddr::V6(six) => {
                    let short = six.to_string();
                    for mark in [":", "-"] {
                        texts.add(|to| write!(to, "{}", short.replace(':', mark)));
                        texts.add(|to| {
                            joined(to, mark, six.segments(), |to, s| write!(to, "{s:x}"))
                        });
                        texts.add(|to| {
                            joined(to, mark, six.segments(), |to, s| write!(to, "{s:04x}"))
                        });
                    }
                    all.add_bytes(&six.octets());
                }
            }
        }
        for text in texts.each() {
            all.add(|to| to.write_str(text));
            all.add_encoded(text.as_bytes());
        }
        let beginnings = Beginnings::of(&all);
        Self { all, beginnings }
    }

    /// The text, which is ASCII, without any of them, in letters of either case.
    pub(super) fn taken_from(&self, mut text: String) -> String {
        if !self.beginnings.stand_in(&text, &self.all) {
            return text;
        }
        let mut spellings: Vec<&str> = self.all.each().collect();
        // One may be the beginning of another.
        spellings.sort_unstable_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        let mut lower = text.to_ascii_lowercase();
        for spelling in spellings {
            if !lower.contains(spelling) {
                continue;
            }
            // From the end, so that what stands before it keeps its place.
            for (at, _) in lower.rmatch_indices(spelling) {
                text.replace_range(at..at + spelling.len(), NOWHERE);
            }
            lower = text.to_ascii_lowercase();
        }
        text
    }
}

/// Words in small letters, in one piece of memory: they are made for every click.
#[derive(Default)]
struct Words {
    text: String,
    /// Where each ends in it.
    ends: Vec<usize>,
}

impl Words {
    fn with_room(words: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ends: Vec::with_capacity(words) }
    }

    /// Adds what is written, if it is long enough.
    fn add(&mut self, write: impl FnOnce(&mut String) -> fmt::Result) {
        let begun = self.text.len();
        // To write into memory does not fail.
        write(&mut self.text).ok();
        match self.text.get_mut(begun..) {
            Some(word) if word.len() >= FEWEST_CHARS => {
                word.make_ascii_lowercase();
                self.ends.push(self.text.len());
            }
            _ => self.text.truncate(begun),
        }
    }

    fn add_encoded(&mut self, bytes: &[u8]) {
        for encoding in [&HEXLOWER, &BASE64_NOPAD, &BASE64URL_NOPAD] {
            self.add(|to| {
                encoding.encode_append(bytes, to);
                Ok(())
            });
        }
    }

    /// Adds what bytes look like as numbers, and encoded.
    fn add_bytes(&mut self, bytes: &[u8]) {
        for mark in [", ", ","] {
            self.add(|to| joined(to, mark, bytes.iter(), |to, byte| write!(to, "{byte}")));
        }
        self.add_encoded(bytes);
    }

    fn each(&self) -> impl Iterator<Item = &str> {
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        begins.zip(&self.ends).filter_map(|(begin, end)| self.text.get(begin..*end))
    }
}

fn joined<T>(
    to: &mut String,
    mark: &str,
    parts: impl IntoIterator<Item = T>,
    write: impl Fn(&mut String, T) -> fmt::Result,
) -> fmt::Result {
    for (n, part) in parts.into_iter().enumerate() {
        if n > 0 {
            to.push_str(mark);
        }
        write(to, part)?;
    }
    Ok(())
}

/// With which characters spellings begin: hardly any text has them, and then none of the spellings need be looked for.
#[derive(Default)]
struct Beginnings {
    /// A bit for each of them, of which others may have the same.
    filter: [u64; 16],
}

impl Beginnings {
    fn of(spellings: &Words) -> Self {
        let mut filter = [0_u64; 16];
        for spelling in spellings.each() {
            let (word, bit) = Self::place(Self::beginning(spelling));
            if let Some(bits) = filter.get_mut(word) {
                *bits |= bit;
            }
        }
        Self { filter }
    }

    fn stand_in(&self, text: &str, spellings: &Words) -> bool {
        let mut bytes = text.bytes().map(|byte| byte.to_ascii_lowercase());
        let first = bytes.by_ref().take(FEWEST_CHARS - 1).fold(0, Self::with);
        let mut windows = bytes.scan(first, |window, byte| {
            *window = Self::with(*window, byte);
            Some(*window)
        });
        windows.any(|window| {
            let (word, bit) = Self::place(window);
            self.filter.get(word).is_some_and(|bits| bits & bit != 0)
                && spellings.each().any(|spelling| Self::beginning(spelling) == window)
        })
    }

    /// The first [`FEWEST_CHARS`] bytes in a number.
    fn beginning(spelling: &str) -> u64 {
        spelling.bytes().take(FEWEST_CHARS).fold(0, Self::with)
    }

    /// The last [`FEWEST_CHARS`] bytes of those before and this one.
    fn with(window: u64, byte: u8) -> u64 {
        (window << 8 | u64::from(byte)) & ((1 << (8 * FEWEST_CHARS)) - 1)
    }

    /// Where its bit is: in which word, and which of its bits.
    fn place(window: u64) -> (usize, u64) {
        // Fibonacci hashing: the upper bits of a product with 2^64 divided by the golden ratio.
        let hash = window.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((hash >> 60) as usize, 1 << (hash >> 54 & 63))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clicks::{Page, Presented};

    fn kept_text(raw: &str, own: &Spellings) -> String {
        Presented::of(raw, own).kept().text().to_owned()
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
            for spelling in own.all.each() {
                let spelling = if upper { spelling.to_uppercase() } else { spelling.to_owned() };
                let text = own.taken_from(format!("{before}{spelling}{after}"));
                prop_assert!(!text.contains(&spelling) || spelling.contains(NOWHERE), "{text}");
            }
        }
    }
}
