//! E-mail addresses: what is taken for one, and what makes two of them the same.

use std::sync::LazyLock;

use nexus_kernel::Pii;
use regex::Regex;
use unicode_normalization::UnicodeNormalization;

/// The most bytes of an address: what fits into SMTP's envelope (RFC 5321, 4.5.3.1.3, less the brackets).
pub const MAX_EMAIL_BYTES: usize = 254;
/// The most bytes before the `@` (RFC 5321, 4.5.3.1.1).
const MAX_USER_BYTES: usize = 64;

/// What browsers take for a valid address (HTML, "valid e-mail address"), with letters and digits of every script
/// (RFC 6531). No space, no bracket, no quote and no control character is among it, so that an address can end no
/// header and begin no other.
static SHAPE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let label = r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{M}\p{N}])?";
    let user = r"[\p{L}\p{M}\p{N}.!#$%&'*+/=?^_`{|}~-]+";
    Regex::new(&format!(r"\A{user}@{label}(?:\.{label})+\z")).ok()
});

/// An address that a message could be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(Pii<String>);

impl Email {
    /// Reads an address; spaces around it are forgiven, and nothing else.
    pub fn parse(raw: &str) -> Option<Self> {
        let typed = raw.trim_matches(' ');
        let (user, host) = typed.rsplit_once('@')?;
        let dotted = user.split('.').all(|part| !part.is_empty());
        // A number there is a machine and no mail domain.
        let named = !host.rsplit('.').next()?.chars().all(char::is_numeric);
        let fits = typed.len() <= MAX_EMAIL_BYTES && user.len() <= MAX_USER_BYTES;
        let shaped = SHAPE.as_ref()?.is_match(typed);
        (dotted && named && fits && shaped).then(|| Self(Pii::new(typed.to_owned())))
    }

    /// As it was written.
    pub fn written(&self) -> &Pii<String> {
        &self.0
    }

    /// The same for every way of writing it: NFKC, in lower case. A few mail systems tell `Ada@` from `ada@`; for
    /// telling whether somebody is the same person they are one.
    pub fn normal(&self) -> Pii<String> {
        normal(self.0.reveal())
    }
}

/// As [`Email::normal`], of an address that stands in a row.
pub(super) fn normal(written: &str) -> Pii<String> {
    Pii::new(written.trim().nfkc().collect::<String>().to_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_told_from_what_is_none() {
        let long_user = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}.org", "b.".repeat(130));
        for right in [
            "ada@example.org",
            " ada@example.org ",
            "ada.l+bread@mail.example.co.uk",
            "o'brien@example.org",
            "añá@correo.example",
            "用户@例子.example",
            "a@b.co",
        ] {
            assert!(Email::parse(right).is_some(), "{right}");
        }
        for wrong in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "ada@example",
            "ada@@example.org",
            "ada@example..org",
            ".ada@example.org",
            "ada.@example.org",
            "a..b@example.org",
            "ada@-example.org",
            "ada@example-.org",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            "Ada <ada@example.org>",
            "\"ada\"@example.org",
            "ada@example.org\r\nBcc: all@example.org",
            "ada@example.org\nBcc:all@example.org",
            "ada\0@example.org",
            "ada@example.org,bob@example.org",
            "ada bob@example.org",
            "\tada@example.org",
            &long_user,
            &long,
        ] {
            assert!(Email::parse(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn two_ways_of_writing_it_are_one_address() {
        let normal = |raw: &str| Email::parse(raw).unwrap().normal().reveal().clone();
        assert_eq!(normal("Ada@Example.ORG"), normal(" ada@example.org "));
        assert_eq!(normal("a\u{301}da@example.org"), normal("\u{e1}da@example.org"));
        assert_ne!(normal("ada@example.org"), normal("ada@example.com"));
    }

    proptest! {
        #[test]
        fn nothing_that_is_read_can_break_a_header(raw in "\\PC{0,20}[@\r\n\0 <>,;\"]{0,4}\\PC{0,20}") {
            if let Some(email) = Email::parse(&raw) {
                let odd = |c: char| c.is_control() || c.is_whitespace() || "<>,;:\"[]()\\".contains(c);
                prop_assert!(!email.written().reveal().contains(odd));
            }
        }
    }
}
