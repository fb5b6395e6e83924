//! Where links stand in running text: one answer for every rule that treats them specially, which are X's
//! lengths, the shortening of texts, translation and speech.
//!
//! **Never here:** opening a link, or saying where it leads.

use std::ops::Range;

use linkify::{LinkFinder, LinkKind};

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A web page under a top-level domain of IANA's list, with or without `https://`.
    Web,
    /// Anything else with a scheme: a host of the local network, an IP address, another protocol.
    Other,
    /// A mail address.
    Mail,
    /// What X takes for a link and a reader for a Spanish ordinal: `1.er`.
    Ordinal,
}

/// A link in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link<'t> {
    /// The bytes that it takes in the text.
    pub range: Range<usize>,
    /// The link as it is written.
    pub text: &'t str,
    /// What it leads to.
    pub kind: Kind,
}

/// The links of a text, in order. Without a scheme, only what ends in a known top-level domain is one, so that
/// `node.js` and `12.50` are words.
pub fn find(text: &str) -> Vec<Link<'_>> {
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false);
    let links = finder.links(text).filter_map(|found| {
        let kind = match found.kind() {
            LinkKind::Email => Kind::Mail,
            _ => web_or_other(text.get(..found.start())?, found.as_str())?,
        };
        Some(Link { range: found.start()..found.end(), text: found.as_str(), kind })
    });
    links.collect()
}

fn web_or_other(before: &str, link: &str) -> Option<Kind> {
    let known = has_known_domain(host(link));
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if link.strip_suffix(".er").is_some_and(is_number) {
        return Some(Kind::Ordinal);
    }
    match link.split_once("://") {
        Some((scheme, _)) if scheme.to_ascii_lowercase().starts_with("http") && known => {
            Some(Kind::Web)
        }
        Some(_) => Some(Kind::Other),
        None => (known && !before.ends_with(['-', '_', '.', '/', '@', '＠', '$', '#', '＃']))
            .then_some(Kind::Web),
    }
}

/// The links of a text that a reader takes for one.
pub fn visible(text: &str) -> impl Iterator<Item = Link<'_>> {
    find(text).into_iter().filter(|link| link.kind != Kind::Ordinal)
}

/// The part between the scheme (and a user's name) and the port or path.
fn host(link: &str) -> &str {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default()
}

fn has_known_domain(host: &str) -> bool {
    host.trim_end_matches('.').rsplit_once('.').is_some_and(|(name, top)| {
        !name.is_empty() && (!top.is_ascii() || tld::exist(&top.to_ascii_lowercase()))
    })
}

/// What of a link stands after its host: the port, path, query and fragment.
pub(crate) fn after_host(link: &str) -> &str {
    let host = host(link);
    link.find(host).and_then(|at| link.get(at + host.len()..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, Kind)> {
        find(text).into_iter().map(|l| (l.text, l.kind)).collect()
    }

    #[test]
    fn links_end_before_the_sentence_does() {
        let text = "See https://shop.com/a?b=1, www.shop.com. Or (shop.es/café)!";
        assert_eq!(
            found(text),
            [
                ("https://shop.com/a?b=1", Kind::Web),
                ("www.shop.com", Kind::Web),
                ("shop.es/café", Kind::Web)
            ]
        );
    }

    #[test]
    fn words_with_points_are_no_links() {
        assert_eq!(found("node.js costs 12.50, e.g. at 10.30 or v2.0"), []);
    }

    #[test]
    fn mail_addresses_and_local_hosts_are_told_apart() {
        assert_eq!(found("me@shop.com"), [("me@shop.com", Kind::Mail)]);
        assert_eq!(found("http://localhost:8080/x"), [("http://localhost:8080/x", Kind::Other)]);
        assert_eq!(found("ftp://shop.com/x"), [("ftp://shop.com/x", Kind::Other)]);
    }

    #[test]
    fn a_spanish_ordinal_is_a_link_to_x_alone() {
        assert_eq!(found("el 1.er piso"), [("1.er", Kind::Ordinal)]);
        assert_eq!(
            visible("el 1.er piso, 360.com").map(|l| l.text).collect::<Vec<_>>(),
            ["360.com"]
        );
    }

    #[test]
    fn a_host_is_what_stands_before_port_and_path() {
        assert_eq!(after_host("https://me@shop.com:8443/a"), ":8443/a");
        assert_eq!(after_host("shop.com?x"), "?x");
        assert_eq!(after_host("https://shop.com"), "");
    }
}
