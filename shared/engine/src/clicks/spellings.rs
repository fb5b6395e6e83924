//! How the client's own address may be written where it has no shape of one: as one number, as digits, encoded.
//!
//! In a text it looks like any other word. Whose request it is tells what to look for.

use std::net::IpAddr;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use nexus_kernel::ClientIp;

use super::scrub::NOWHERE;

/// Shorter ones stand in many texts, and those of an address have the shape of one.
const FEWEST_CHARS: usize = 6;

/// The spellings of one address, in small letters, the longest first. It tells them to nobody.
#[derive(Default)]
pub struct Spellings(Vec<String>);

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
        Self(all)
    }

    /// The text, which is ASCII, without any of them, in letters of either case.
    pub(super) fn taken_from(&self, mut text: String) -> String {
        let mut lower = text.to_ascii_lowercase();
        for spelling in &self.0 {
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

fn encoded(bytes: &[u8]) -> [String; 3] {
    [hex::encode(bytes), BASE64_NOPAD.encode(bytes), BASE64URL_NOPAD.encode(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicks::{Agent, Referrer};

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
                let kept = Agent::kept_text(&format!("probe/{spelling}x Firefox/121.0"), &own);
                assert!(!kept.contains(spelling) && kept.ends_with("x Firefox/121.0"), "{kept}");
                let page = Referrer::of(&format!("https://a.example/seen/x{spelling}"), &own);
                let path = page.unwrap().path;
                assert!(!path.contains(spelling) && path.starts_with("/seen/x"), "{path}");
            }
        }
    }

    #[test]
    fn what_is_another_word_stays() {
        let own = Spellings::of(ClientIp::new("203.0.113.137".parse().unwrap()));
        for text in ["Gecko/20100101 Firefox/121.0", "order/3405803914", "cb007188"] {
            assert_eq!(Agent::kept_text(text, &own), text);
        }
        let nowhere = Spellings::of(ClientIp::new("0.0.0.0".parse().unwrap()));
        assert_eq!(Agent::kept_text("Chrome/120.0.0.0", &nowhere), "Chrome/120.0.0.0");
    }
}
