//! Whose address a request came from.
//!
//! On AWS API Gateway tells it. On one machine it is the peer of the connection, unless that is a proxy which its
//! operator trusts: then the one hop counts that the last trusted proxy saw, however much a client wrote into the header
//! before it. A client's own words are never believed.
//!
//! **Never here:** reading a request, a log.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use nexus_kernel::ClientIp;

/// In which header a proxy writes whom it saw. Only one is read: a client may write the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ToldBy {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ToldBy {
    /// The header's name.
    pub const fn header(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// The proxies before the house that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The networks in which they are.
    pub trusted: Vec<IpNet>,
    /// Where they write whom they saw.
    pub told_by: ToldBy,
}

/// A list of networks that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write networks such as `10.0.0.0/8 2001:db8::/32`, or single addresses, a space or a comma between them"
)]
pub struct BadNetworks;

impl Proxies {
    /// The proxies in these networks, as a person lists them.
    ///
    /// # Errors
    /// One of them is no network.
    pub fn parse(list: &str, told_by: ToldBy) -> Result<Self, BadNetworks> {
        let words = list.split([' ', ',']).filter(|word| !word.is_empty());
        let network = |word: &str| -> Option<IpNet> {
            word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
        };
        let trusted = words.map(network).collect::<Option<Vec<_>>>().ok_or(BadNetworks)?;
        Ok(Self { trusted, told_by })
    }

    /// Whose address it is: `told` are the values of [`ToldBy::header`] in the order in which they came.
    pub fn client<'h>(&self, peer: IpAddr, told: impl IntoIterator<Item = &'h str>) -> ClientIp {
        let mut seen = peer.to_canonical();
        if !self.trusts(seen) {
            return ClientIp::new(seen);
        }
        let told: Vec<&str> = told.into_iter().collect();
        for element in told.iter().rev().flat_map(|value| value.rsplit(',')) {
            let named = match self.told_by {
                ToldBy::XForwardedFor => node(element),
                ToldBy::Forwarded => forwarded_for(element).and_then(node),
            };
            // Nobody knows who stands behind a hop that is hidden or no address: the one who told of it counts.
            let Some(hop) = named else { break };
            seen = hop;
            if !self.trusts(seen) {
                break;
            }
        }
        ClientIp::new(seen)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// What an element of `Forwarded` says of `for`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    })
}

/// An address, with or without quotation marks, brackets, port and zone.
fn node(raw: &str) -> Option<IpAddr> {
    let raw = raw.trim().trim_matches('"').trim();
    if let Ok(address) = raw.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = raw.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let inner = raw.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(raw);
    let without_zone = inner.split('%').next().unwrap_or_default();
    without_zone.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(told_by: ToldBy, peer: &str, told: &[&str]) -> String {
        let proxies = Proxies::parse("10.0.0.0/8, 192.0.2.1 fd00::/8", told_by).unwrap();
        let client = proxies.client(peer.parse().unwrap(), told.iter().copied());
        client.reveal().to_string()
    }

    #[test]
    fn n10_the_rightmost_hop_that_is_not_trusted_counts() {
        let by = |peer: &str, told: &[&str]| seen(ToldBy::XForwardedFor, peer, told);
        assert_eq!(by("203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "nobody trusts the peer");
        assert_eq!(by("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            by("10.0.0.1", &["6.6.6.6, 203.0.113.9"]),
            "203.0.113.9",
            "what it forged is left of it"
        );
        assert_eq!(by("10.0.0.1", &["6.6.6.6", "203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(by("::ffff:10.0.0.1", &["::ffff:203.0.113.9"]), "203.0.113.9");
        assert_eq!(by("fd00::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(by("10.0.0.1", &["203.0.113.9:5000"]), "203.0.113.9");
        assert_eq!(by("10.0.0.1", &["fe80::1%eth0"]), "fe80::1");
        assert_eq!(by("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(by("10.0.0.1", &["10.0.0.3, 192.0.2.1"]), "10.0.0.3", "all of them are trusted");
        assert_eq!(
            by("10.0.0.1", &["203.0.113.9, unknown"]),
            "10.0.0.1",
            "who stands behind it is hidden"
        );
        assert_eq!(by("10.0.0.1", &["203.0.113.9, ' OR 1=1, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(by("10.0.0.1", &["for=203.0.113.9"]), "10.0.0.1", "the other header's words");
    }

    #[test]
    fn n10_the_header_of_the_standard_is_read_where_it_is_the_one() {
        let by = |peer: &str, told: &[&str]| seen(ToldBy::Forwarded, peer, told);
        assert_eq!(by("10.0.0.1", &["for=203.0.113.9;proto=https;by=10.0.0.1"]), "203.0.113.9");
        assert_eq!(by("10.0.0.1", &["for=6.6.6.6, For=\"[2001:db8::7]:4711\""]), "2001:db8::7");
        assert_eq!(by("10.0.0.1", &["for=203.0.113.9, for=_hidden"]), "10.0.0.1");
        assert_eq!(by("10.0.0.1", &["203.0.113.9"]), "10.0.0.1");
        assert_eq!(by("203.0.113.9", &["for=198.51.100.1"]), "203.0.113.9");
    }

    #[test]
    fn networks_are_read_or_refused() {
        assert_eq!(Proxies::parse("", ToldBy::default()), Ok(Proxies::default()));
        for wrong in ["10.0.0.0/33", "proxy", "10.0.0.0/8;::1"] {
            assert_eq!(Proxies::parse(wrong, ToldBy::default()), Err(BadNetworks), "{wrong}");
        }
    }
}
