//! Takes the shapes of addresses out of texts that somebody else wrote: network addresses of both versions, however
//! they are written, with zones, in host names, percent-encoded however often; hardware addresses; mail addresses.
//!
//! What looks like an address goes, whether it is one or not. A version number may look like one; the one that stays
//! is that of browsers which hide their own (`120.0.0.0`): no machine has it as its address.

use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::{Captures, Regex};

/// Stands for an address of four numbers: that of no machine, so that a version number is still read as one.
const NOWHERE: &str = "0.0.0.0";
/// Stands for an address with colons.
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
/// Four and more numbers with a mark between them, as addresses and the names made from them have it.
static NUMBERS: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"[0-9]+(?:[._-][0-9]+){3,}"));

/// The text in visible ASCII, without what is shaped like an address. Scrubbing twice is scrubbing once.
pub fn scrub(raw: &str) -> String {
    let mut text = decoded(raw);
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
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
    };
    let mut text = plain(raw);
    // Each round that changes anything makes it shorter.
    while text.contains('%') {
        let next = plain(&percent_decode_str(&text).decode_utf8_lossy());
        if next == text {
            break;
        }
        text = next;
    }
    text
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
    let octet = |group: &&str| group.len() <= 3 && group.parse::<u8>().is_ok();
    groups.windows(4).any(|four| four.get(1..3).is_some_and(|two| two.iter().all(octet)))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_patterns_can_be_read() {
        assert!(MAIL.is_some() && COLONS.is_some() && NUMBERS.is_some());
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
        ] {
            assert_eq!(scrub(text), scrubbed, "{text}");
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
            four.prop_map(|a| format!("::ffff:{a}")),
            six.clone().prop_map(|a| a.to_string()),
            six.clone().prop_map(|a| a.to_string().to_uppercase()),
            six.prop_map(|a| a.segments().map(|s| format!("{s:04x}")).join(":")),
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
