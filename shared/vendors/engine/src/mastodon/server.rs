//! The one spelling of a server's address, and the way there.
//!
//! **Never here:** whether an address may be reached: that is the guard's, try by try.

use nexus_outbound::{CallError, Outbound};
use url::{Host, Url};

use super::{Mastodon, VENDOR};

/// The most characters of an address that is looked at.
const LONGEST: usize = 300;

/// What is wrong with an address, in words for who wrote it.
pub(super) type Wrong = &'static str;

/// A server's address as it is kept and compared: `https://social.example`, its host in small letters and ASCII, a port
/// only where it is unusual, nothing after it. A bare name means https.
///
/// # Errors
/// What to write instead.
pub(super) fn spelled(written: &str) -> Result<String, Wrong> {
    const WANTED: Wrong =
        "server: write the address of your server, for example https://social.example";
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
        return Err("server: write your server's address alone, without a name before the `@`");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("server: write your server's address alone, without what follows its name");
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

/// A server that is asked for the first time did not let itself be asked.
pub(super) const UNREACHABLE: Wrong = "server: this address cannot be asked from here. It has to be public and speak \
                                       https, or stand in a network that whoever operates this has opened; and it must \
                                       not lead on to another: write the one that your browser shows.";

impl Mastodon {
    /// The way to a server, whose address is spelled as it should be.
    pub(super) fn way(&self, server: Option<&str>) -> Result<(String, Outbound), CallError> {
        let refused =
            |why: Wrong| CallError::Refused { code: "server".to_owned(), why: why.to_owned() };
        let server = server.ok_or_else(|| refused("server: say at which server the account is"))?;
        let server = spelled(server).map_err(refused)?;
        if let Some(way) = self.ways.get(&server) {
            return Ok((server, way));
        }
        let made = Outbound::new(&VENDOR, Some(server.clone()), self.parts.clone());
        let made = made.map_err(|error| CallError::Bug(Box::new(error)))?;
        // Of two that were made at once all take the same.
        let way = self.ways.get_with_by_ref(&server, || made);
        Ok((server, way))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn n40_what_is_no_server_is_refused_by_its_field_and_not_repeated() {
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
            "https://.",
            &"secret".repeat(100),
        ] {
            let why = spelled(wrong).unwrap_err();
            assert!(why.starts_with("server: ") && !why.contains("secret"), "{wrong}: {why}");
        }
    }

    proptest! {
        #[test]
        fn a_spelling_is_spelled_as_itself(written in "\\PC{0,40}") {
            if let Ok(kept) = spelled(&written) {
                prop_assert_eq!(spelled(&kept), Ok(kept.clone()));
                prop_assert!(Outbound::check_base(&VENDOR, &kept).is_ok());
            }
        }
    }
}
