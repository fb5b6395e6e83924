//! Which addresses a link may lead to.
//!
//! The rule is that what a person reads is where a browser goes: an address is `http` or `https`, names its host as
//! the host is written on the wire, and says nothing beside it. So there is no user name that looks like a host, no
//! host in letters that look like others, no number that reads as another, and nothing that a parser drops in silence.

use url::{Host, Url};

/// The most characters of an address.
pub const MAX_ADDRESS_CHARS: usize = 2_000;

/// Why an address cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is longer than [`MAX_ADDRESS_CHARS`].
    #[error("write at most {MAX_ADDRESS_CHARS} characters")]
    TooLong,
    /// It holds a space, a control character or a backslash, which parsers drop or read as something else.
    #[error("leave out spaces, line ends and backslashes")]
    OddCharacter,
    /// It is no address, or one of another scheme.
    #[error("write an address that begins with https:// or http://")]
    NotWeb,
    /// It holds a user name or a password.
    #[error("leave out what stands before `@`: it reads like a host and is none")]
    UserInfo,
    /// Its host is not written as it is looked up.
    #[error(
        "write the host as it is looked up: in letters of ASCII (`xn--…` for others), an address in digits"
    )]
    OddHost,
}

/// The address, written as browsers write it.
///
/// # Errors
/// Which rule it breaks.
pub fn parse(raw: &str) -> Result<Url, BadAddress> {
    if raw.chars().count() > MAX_ADDRESS_CHARS {
        return Err(BadAddress::TooLong);
    }
    // What `char` calls a control or a space, and what directs text or is not seen at all.
    let odd = |c: char| {
        c.is_control()
            || c.is_whitespace()
            || c == '\\'
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if raw.chars().any(odd) {
        return Err(BadAddress::OddCharacter);
    }
    let (scheme, rest) = raw.split_once("://").ok_or(BadAddress::NotWeb)?;
    let web = ["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if !web || rest.starts_with('/') {
        return Err(BadAddress::NotWeb);
    }
    let url = Url::parse(raw).map_err(|_| BadAddress::NotWeb)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
        return Err(BadAddress::UserInfo);
    }
    let host = url.host_str().ok_or(BadAddress::NotWeb)?;
    let written = match url.host() {
        // The closing bracket ends the host; a colon behind it begins the port.
        Some(Host::Ipv6(_)) => authority.split_inclusive(']').next().unwrap_or_default(),
        _ => authority.split(':').next().unwrap_or_default(),
    };
    let named =
        matches!(url.host(), Some(Host::Domain(name)) if name.contains('.') || name == "localhost");
    let numbered = matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
    if !(named || numbered) || !written.eq_ignore_ascii_case(host) {
        return Err(BadAddress::OddHost);
    }
    if url.as_str().chars().count() > MAX_ADDRESS_CHARS {
        return Err(BadAddress::TooLong);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_as_a_browser_writes_it() {
        for (raw, kept) in [
            ("https://shop.example.com/loaf?a=1#top", "https://shop.example.com/loaf?a=1#top"),
            ("HTTPS://Shop.Example.com", "https://shop.example.com/"),
            ("http://127.0.0.1:8080/p", "http://127.0.0.1:8080/p"),
            ("http://[::1]:8080/p", "http://[::1]:8080/p"),
            ("https://xn--bckerei-5wa.example/", "https://xn--bckerei-5wa.example/"),
            (
                "https://shop.example.com/pan/masa madre".replace(' ', "%20").as_str(),
                "https://shop.example.com/pan/masa%20madre",
            ),
            ("https://shop.example.com/café", "https://shop.example.com/caf%C3%A9"),
        ] {
            assert_eq!(parse(raw).map(String::from), Ok(kept.to_owned()), "{raw}");
        }
    }

    #[test]
    fn what_reads_as_another_place_is_refused() {
        use BadAddress::{NotWeb, OddCharacter, OddHost, TooLong, UserInfo};
        let long = format!("https://a.example/{}", "x".repeat(MAX_ADDRESS_CHARS));
        for (raw, why) in [
            ("javascript:alert(1)", NotWeb),
            ("javascript://a.example/%0aalert(1)", NotWeb),
            ("data:text/html,x", NotWeb),
            ("file:///etc/passwd", NotWeb),
            ("ftp://a.example/", NotWeb),
            ("//a.example/", NotWeb),
            ("https:a.example", NotWeb),
            ("https:///a.example", NotWeb),
            ("https://", NotWeb),
            ("", NotWeb),
            ("/p", NotWeb),
            ("https://shop.example.com@evil.example/", UserInfo),
            ("https://u:p@evil.example/", UserInfo),
            ("https://@evil.example/", UserInfo),
            ("https://shop.example.com\\@evil.example/", OddCharacter),
            ("https://shop.example.com\r\nSet-Cookie: a=b", OddCharacter),
            ("https://sh\top.example.com/", OddCharacter),
            (" https://shop.example.com/", OddCharacter),
            ("https://shop.example.com/\u{202e}moc", OddCharacter),
            ("https://shop\u{200b}.example.com/", OddCharacter),
            ("https://shор.example.com/", OddHost),
            ("https://shop。example.com/", OddHost),
            ("https://ｓhop.example.com/", OddHost),
            ("https://shop%2eexample.com/", OddHost),
            ("https://0x7f.1/", OddHost),
            ("https://2130706433/", OddHost),
            ("https://127.1/", OddHost),
            ("https://intranet/", OddHost),
            (&long, TooLong),
        ] {
            assert_eq!(parse(raw), Err(why), "{raw:?}");
        }
    }
}
