//! The one spelling of a server's address: two of one server would make two accounts of one.
//!
//! **Never here:** whether an address may be reached: that is the way out's, try by try.

use url::{Host, Url};

/// The most characters of an address that is looked at.
const LONGEST: usize = 300;

/// A server's address as it is kept and compared: `https://social.example`, its host in small letters and ASCII, a port
/// only where it is unusual, nothing after it. A bare name means https.
///
/// # Errors
/// What to write instead.
pub fn spelled(written: &str) -> Result<String, &'static str> {
    const WANTED: &str = "write the address of your server, for example https://social.example";
    let written = written.trim();
    if written.is_empty() || written.chars().count() > LONGEST {
        return Err(WANTED);
    }
    let whole = match written.contains("://") {
        true => written.to_owned(),
        false => format!("https://{written}"),
    };
    let mut url = Url::parse(&whole).map_err(|_| WANTED)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(WANTED);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("write your server's address alone, without a name before the `@`");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("write your server's address alone, without what follows its name");
    }
    let bare = match url.host().ok_or(WANTED)? {
        Host::Domain(name) => name.strip_suffix('.').map(str::to_owned),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    };
    if let Some(bare) = bare {
        url.set_host(Some(&bare)).map_err(|_| WANTED)?;
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(WANTED);
    }
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_one_spelling() {
        for (written, kept) in [
            ("https://social.example", "https://social.example"),
            (" HTTPS://Social.Example:443/ ", "https://social.example"),
            ("social.example.", "https://social.example"),
            ("social.example:8443", "https://social.example:8443"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://127.0.0.1:8001", "http://127.0.0.1:8001"),
            ("http://0x7f.1:80", "http://127.0.0.1"),
            ("https://[::1]:443", "https://[::1]"),
        ] {
            assert_eq!(spelled(written).as_deref(), Ok(kept), "{written}");
        }
    }

    #[test]
    fn n40_what_is_no_server_is_refused_and_not_repeated() {
        for wrong in [
            "",
            "https://",
            "ftp://social.example",
            "ada@social.example",
            "@ada@social.example",
            "https://ada:secret@social.example",
            "https://social.example/@ada",
            "https://social.example/?secret",
            "https://social.example#secret",
            "https://social.example?",
            "social secret",
            "https://.",
            &"secret".repeat(100),
        ] {
            let why = spelled(wrong).unwrap_err();
            assert!(!why.contains("secret"), "{wrong}: {why}");
        }
    }
}
