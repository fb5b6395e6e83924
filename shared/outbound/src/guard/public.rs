//! Which addresses are public.
//!
//! `http-acl` knows the special-purpose registries of IANA (RFC 6890 and what was added to it): loopback, private,
//! shared, link-local and documentation networks, and the IPv6 networks that carry an IPv4 address. What it takes
//! for public and is not, or is nothing that a third party lives at, is written down here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use http_acl::HttpAcl;
use ipnet::IpNet;

/// The public addresses.
#[derive(Clone)]
pub(super) struct Public(Arc<HttpAcl>);

impl Default for Public {
    fn default() -> Self {
        Self(Arc::new(HttpAcl::builder().ip_acl_default(true).build()))
    }
}

impl Public {
    /// Whether this address is one of them.
    pub(super) fn holds(&self, address: IpAddr) -> bool {
        self.0.is_ip_allowed(&address).is_allowed()
            && !BESIDE.iter().any(|network| network.contains(&address))
            && match address {
                IpAddr::V4(_) => true,
                IpAddr::V6(address) => {
                    ALLOCATED.contains(&IpAddr::V6(address)) && !is_isatap(address)
                }
            }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix)
}

const fn v6(first: u16, second: u16, prefix: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)), prefix)
}

/// What IANA has given out for unicast on the internet. Everything else of IPv6 is special (multicast `ff00::/8`,
/// the old site-local `fec0::/10`, segment routing `5f00::/16`) or not in use.
const ALLOCATED: IpNet = v6(0x2000, 0, 3);

/// Not public, and taken for public by `http-acl` 0.14, wholly or in part.
const BESIDE: &[IpNet] = &[
    // Multicast (RFC 5771).
    v4(224, 0, 0, 0, 4),
    // Relays of 6to4, which is withdrawn (RFC 7526).
    v4(192, 88, 99, 0, 24),
    // The platform itself behind every machine on Azure: a public number that is only reached from inside.
    v4(168, 63, 129, 16, 32),
    // Protocols of the IETF: Teredo, ORCHID, benchmarking, anycast services.
    v6(0x2001, 0, 23),
    // Documentation (RFC 9637).
    v6(0x3fff, 0, 20),
];

/// An address whose lower half is an IPv4 address for a tunnel (ISATAP, RFC 5214), whatever network it is in.
fn is_isatap(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [_, _, _, _, 0x0000 | 0x0200, 0x5efe, _, _])
}
