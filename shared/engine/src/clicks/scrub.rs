//! Takes the shapes of addresses out of texts that somebody else wrote: network addresses of both versions, however
//! they are written, with zones, in host names, percent-encoded however often; hardware addresses; mail addresses. Of
//! the one address that is known, the client's own, also the spellings that have no shape ([`Spellings`]).
//!
//! What looks like an address goes, whether it is one or not. A version number may look like one; the one that stays
//! is that of browsers which hide their own (`120.0.0.0`): no machine has it as its address.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::spellings::Spellings;

/// The most bytes of a text that are looked at. What browsers send is shorter.
const MOST_BYTES: usize = 2_048;
/// Stands for an address of four numbers: that of no machine, so that a version number is still read as one.
pub(super) const NOWHERE: &str = "0.0.0.0";
/// Stands for an address with colons, or in hexadecimal digits.
const NOWHERE_6: &str = "::";
/// Stands for a mail address.
const NOBODY: &str = "@";
/// How often a text is looked through at most: each round but the last makes it shorter.
const ROUNDS: usize = 16;

fn pattern(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// Something on both sides of an `@`.
static MAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"[^\s@/;,:()<>\[\]"']+@[^\s@/;,()<>\[\]"']+"#));
/// Groups of hexadecimal digits between colons: two colons together, or five and more; and a zone behind them.
static COLONS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"[0-9A-Fa-f:.]*(?:::|(?:[0-9A-Fa-f]*:){5})[0-9A-Fa-f:.]*(?:%[0-9A-Za-z_.~-]+)?")
});
/// All the digits of an address in one run or with dashes for its colons, and the names that Windows makes from those.
static DIGITS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)0x[0-9a-f]{8}|[0-9a-f]{32,}|[0-9a-f]{1,4}(?:-[0-9a-f]{1,4}){7,}|[0-9a-f-]+\.ipv6-literal\.net",
    )
});
/// Four and more numbers with a mark between them, as addresses and the names made from them have it.
static NUMBERS: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)(?:0x[0-9a-f]+|[0-9]+)(?:[._-](?:0x[0-9a-f]+|[0-9]+)){3,}"));

/// The beginning of a text, up to a mark that stands in no address: no half of one is left at its end.
pub(super) fn bounded(raw: &str) -> &str {
    if raw.len() <= MOST_BYTES {
        return raw;
    }
    let most = (0..=MOST_BYTES).rev().find(|at| raw.is_char_boundary(*at)).unwrap_or(0);
    let begun = raw.get(..most).unwrap_or_default();
    let end = begun.rfind([' ', '/', ';']).map_or(0, |mark| mark + 1);
    begun.get(..end).unwrap_or_default()
}

/// What somebody wrote: bounded, in visible ASCII, without the client's own address. That of another may still stand in
/// it, so that it is told to nobody and kept nowhere; all that may be kept follows from it.
#[derive(Hash)]
pub(super) struct Told(String);

impl Told {
    /// What this says.
    pub(super) fn of(raw: &str, own: &Spellings) -> Self {
        Self(own.taken_from(decoded(bounded(raw))))
    }

    /// The text without what is shaped like an address. Scrubbing twice is scrubbing once.
    pub(super) fn scrubbed(&self) -> String {
        settled(self.0.clone())
    }

    /// As [`scrubbed`](Self::scrubbed), for the name of a host: what providers make from the digits of an address goes
    /// besides.
    pub(super) fn scrubbed_host(&self) -> String {
        let labels = self.0.split('.');
        let labels = labels.map(|label| if is_of_digits(label) { NOWHERE } else { label });
        settled(labels.collect::<Vec<_>>().join("."))
    }
}

fn settled(mut text: String) -> String {
    // What stands on both sides of something that went may be a shape of its own: a few rounds end that.
    for _ in 0..ROUNDS {
        let next = without_shapes(&text);
        if next == text {
            break;
        }
        text = next;
    }
    text
}

fn without_shapes(text: &str) -> String {
    let text = replaced(&MAIL, text, |_| NOBODY.to_owned());
    let text = replaced(&DIGITS, &text, |_| NOWHERE_6.to_owned());
    let text = replaced(&COLONS, &text, |_| NOWHERE_6.to_owned());
    replaced(
        &NUMBERS,
        &text,
        |found| {
            if is_address(found) { NOWHERE.to_owned() } else { found.to_owned() }
        },
    )
}

/// All percent-encoding taken off, as often as there is any; what is not visible ASCII is told as `?`.
fn decoded(raw: &str) -> String {
    if raw.bytes().all(|b| b == b' ' || (b.is_ascii_graphic() && b != b'%')) {
        return raw.to_owned();
    }
    let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    let mut text = String::with_capacity(raw.len());
    for c in raw.chars() {
        text.push(plain(c));
        // What was taken off may be the end of what was encoded before it. Each time the text gets shorter.
        while let Some(byte) = encoded_end(text.as_bytes()) {
            text.truncate(text.len().saturating_sub(3));
            text.push(plain(char::from(byte)));
        }
    }
    text
}

/// The byte that the last three characters encode, if they do.
fn encoded_end(text: &[u8]) -> Option<u8> {
    let [.., b'%', high, low] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn replaced(pattern: &Option<Regex>, text: &str, with: impl Fn(&str) -> String) -> String {
    // Without its pattern nothing can be told apart: nothing is kept then. A test excludes that.
    let Some(pattern) = pattern else { return String::new() };
    pattern.replace_all(text, |found: &Captures<'_>| with(&found[0])).into_owned()
}

/// Whether an address stands in numbers between marks. Its first number may be the end of a longer one and its last the
/// beginning of a longer one; the two between them tell.
fn is_address(numbers: &str) -> bool {
    let groups: Vec<&str> = numbers.split(['.', '_', '-']).collect();
    if let [first, "0", "0", "0"] = groups.as_slice()
        && numbers.bytes().filter(|b| *b == b'.').count() == 3
    {
        return first.len() > 3;
    }
    let octet = |group: &&str| is_octet(group);
    groups.windows(4).any(|four| four.get(1..3).is_some_and(|two| two.iter().all(octet)))
}

/// Whether it is a byte in decimal, hexadecimal (`0xcb`) or octal digits (`0313`).
fn is_octet(group: &str) -> bool {
    if let Some(digits) = group.strip_prefix("0x").or_else(|| group.strip_prefix("0X")) {
        return u8::from_str_radix(digits, 16).is_ok();
    }
    match group.len() {
        0..=3 => group.parse::<u8>().is_ok(),
        4 => group.starts_with('0') && u8::from_str_radix(group, 8).is_ok(),
        _ => false,
    }
}

/// Whether a label holds the digits of an address: eight and more hexadecimal ones in a run (`p4fc1a2b3`), or groups of
/// them with dashes for colons (`2001-db8--7`). One of them is no letter: else it may be a word.
fn is_of_digits(label: &str) -> bool {
    let counts = |run: &str| run.bytes().any(|b| b.is_ascii_digit());
    let mut runs = label.split(|c: char| !c.is_ascii_hexdigit());
    if runs.any(|run| run.len() >= 8 && counts(run)) {
        return true;
    }
    let group = |g: &str| g.len() <= 4 && g.bytes().all(|b| b.is_ascii_hexdigit());
    let dashes = label.contains("--") || label.matches('-').count() == 7;
    dashes && counts(label) && label.split('-').all(group)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn scrub(raw: &str) -> String {
        Told::of(raw, &Spellings::default()).scrubbed()
    }

    #[test]
    fn the_patterns_can_be_read() {
        assert!(MAIL.is_some() && COLONS.is_some() && DIGITS.is_some() && NUMBERS.is_some());
    }

    #[test]
    fn n10_shapes_of_addresses_go() {
        for (text, scrubbed) in [
            ("curl 203.0.113.9", "curl 0.0.0.0"),
            ("a/203.0.113.9:8080;", "a/0.0.0.0:8080;"),
            ("[2001:db8::7]:443", "[::]:443"),
            ("x 2001:DB8:0:0:0:0:0:7 y", "x :: y"),
            ("::ffff:203.0.113.9", "::"),
            ("0:0:0:0:0:ffff:203.0.113.9", "::"),
            ("fe80::1%eth0 end", ":: end"),
            ("fe80::1%25eth0 end", ":: end"),
            ("00:1b:44:11:3a:b7", "::"),
            ("203%2E0%2E113%2e9", "0.0.0.0"),
            ("%32%30%33.0.113.9", "0.0.0.0"),
            ("203%252E0%25252E113.9", "0.0.0.0"),
            ("2001%3Adb8%3a%3A7", "::"),
            ("ip-203-0-113-9.ec2.internal", "ip-0.0.0.0.ec2.internal"),
            ("203_000_113_009", "0.0.0.0"),
            ("ada@example.org", "@"),
            ("mail%3Aada%40example.org", "mail:@"),
            ("1.203.0.113.9", "0.0.0.0"),
            ("７203.0.113.9", "?0.0.0.0"),
            ("0xcb007109", "::"),
            ("0xcb.0x00.0x71.0x09", "0.0.0.0"),
            ("0313.0000.0161.0011", "0.0.0.0"),
            ("20010db8000000000000000000000007", "::"),
            ("2001-db8-0-0-0-0-0-7", "::"),
            ("//2001-db8--7.ipv6-literal.net/x", "//::/x"),
        ] {
            assert_eq!(scrub(text), scrubbed, "{text}");
        }
    }

    #[test]
    fn n10_labels_made_from_the_digits_of_an_address_go() {
        for (host, scrubbed) in [
            ("p4fc1a2b3.dip0.example", "0.0.0.0.dip0.example"),
            ("0xcb007109.example", "0.0.0.0.example"),
            ("cb007109.dyn.example", "0.0.0.0.dyn.example"),
            ("3405803785.example", "0.0.0.0.example"),
            ("2001-db8--7.dyn.example", "0.0.0.0.dyn.example"),
            ("www.facebook.com", "www.facebook.com"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("my--shop.fabaceae.example", "my--shop.fabaceae.example"),
        ] {
            let told = Told::of(host, &Spellings::default());
            assert_eq!(told.scrubbed_host(), scrubbed, "{host}");
        }
    }

    #[test]
    fn n10_however_long_a_text_and_however_often_encoded_no_address_is_left() {
        let layers = |text: &str, layers: usize| {
            text.replace('.', &format!("%{}2E", "25".repeat(layers))).replace(':', "%3A")
        };
        for depth in [0, 1, 9, 300] {
            let kept = scrub(&format!("a {} b", layers("203.0.113.9", depth)));
            assert_eq!(kept, "a 0.0.0.0 b", "{depth}");
        }
        // Each pass over it would take two bytes off.
        let deep = format!("%{}", "25".repeat(50_000));
        assert_eq!(scrub(&deep), "", "it has no mark at which it could be cut");
        let kept = scrub(&format!("Firefox/121.0 {deep} 203.0.113.9"));
        assert_eq!(kept, "Firefox/121.0 ");
        assert_eq!(decoded(&deep), "%");
        // Wherever the cut comes, no half of an address is left before it.
        for before in MOST_BYTES - 25..MOST_BYTES {
            for address in ["203.0.113.9", "203%252E0%252E113%252E9", "2001:db8::7"] {
                let text = format!("{};{address}", "x".repeat(before));
                let kept = scrub(&text);
                assert_eq!(kept.trim_end_matches(['.', '0', ':']).trim_matches('x'), ";", "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_address_stays() {
        for text in [
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2_1 like Mac OS X) AppleWebKit/605.1.15",
            "Chrome/120.0.0.0 Safari/537.36",
            "Chrome/120.0.6099.144 Mobile",
            "12:34:56 on 2027-03-01",
            "100% cotton",
            "okhttp/4.9.3",
        ] {
            assert_eq!(scrub(text), text);
        }
    }

    /// An address in one of the ways in which it is written.
    fn written() -> impl Strategy<Value = String> {
        let four = any::<u32>()
            .prop_map(Ipv4Addr::from)
            .prop_filter("hidden versions", |a| !a.octets()[1..].iter().all(|octet| *octet == 0));
        let six = any::<u128>().prop_map(Ipv6Addr::from);
        prop_oneof![
            four.clone().prop_map(|a| a.to_string()),
            four.clone().prop_map(|a| a.to_string().replace('.', "-")),
            four.clone().prop_map(|a| format!("::ffff:{a}")),
            six.clone().prop_map(|a| a.to_string()),
            six.clone().prop_map(|a| a.to_string().to_uppercase()),
            six.clone().prop_map(|a| a.segments().map(|s| format!("{s:04x}")).join(":")),
            six.clone().prop_map(|a| a.segments().map(|s| format!("{s:x}")).join("-")),
            six.prop_map(|a| format!("{:032x}", a.to_bits())),
            four.clone().prop_map(|a| format!("{:#010x}", a.to_bits())),
            four.clone().prop_map(|a| a.octets().map(|o| format!("{o:#04x}")).join(".")),
            four.prop_map(|a| a.octets().map(|o| format!("{o:04o}")).join(".")),
        ]
    }

    fn encoded(text: &str, which: u64) -> String {
        let one = |(at, c): (usize, char)| {
            if which >> (at % 64) & 1 == 1 { format!("%{:02X}", c as u32) } else { c.to_string() }
        };
        text.chars().enumerate().map(one).collect()
    }

    proptest! {
        #[test]
        fn n10_no_address_is_left_wherever_it_stands(
            address in written(),
            before in "[ -~]{0,12}",
            after in "[ -~]{0,12}",
            which in any::<u64>(),
        ) {
            for text in [format!("{before}{address}{after}"), format!("{before}{}{after}", encoded(&address, which))] {
                let kept = scrub(&text);
                prop_assert!(!kept.contains(&address), "{text} left {kept}");
                prop_assert_eq!(scrub(&kept), kept.clone(), "twice is once: {}", text);
                let words = kept.split(|c: char| !(c.is_ascii_hexdigit() || ".:".contains(c)));
                for word in words {
                    let Ok(address) = word.parse::<IpAddr>() else { continue };
                    let hidden = matches!(address, IpAddr::V4(a) if a.octets()[1..] == [0, 0, 0]);
                    prop_assert!(hidden || address.is_unspecified(), "{text} left {kept}");
                }
            }
        }

        #[test]
        fn nothing_makes_it_fail(text in "\\PC{0,80}") {
            let kept = scrub(&text);
            prop_assert!(kept.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
            prop_assert_eq!(scrub(&kept), kept);
        }
    }
}
