//! The closed list of hosts (N35), and how names are compared: as the URL's parser writes them (small letters,
//! punycode, an address in its one spelling), without a final dot.

use std::net::IpAddr;

use url::{Host, Url};

/// The same address without the final dot of its name; none where nothing else is left of the name.
pub(super) fn without_final_dot(mut url: Url) -> Option<Url> {
    let bare = match url.host()? {
        Host::Domain(name) => name.strip_suffix('.').map(str::to_owned),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    };
    if let Some(bare) = bare {
        url.set_host(Some(&bare)).ok()?;
    }
    Some(url)
}

/// Whether a host is on the list.
pub(super) fn is_listed(host: &Host<&str>, list: &[String]) -> bool {
    list.iter().any(|entry| match (entry.strip_prefix('.'), host) {
        (Some(above), Host::Domain(name)) => is_below(name, above),
        // An address is below nothing.
        (Some(_), Host::Ipv4(_) | Host::Ipv6(_)) => false,
        (None, _) => read(entry).is_some_and(|listed| match (&listed, host) {
            (Host::Domain(listed), Host::Domain(name)) => listed == name,
            (Host::Ipv4(listed), Host::Ipv4(address)) => listed == address,
            (Host::Ipv6(listed), Host::Ipv6(address)) => listed == address,
            _ => false,
        }),
    })
}

fn is_below(name: &str, above: &str) -> bool {
    let Some(Host::Domain(above)) = read(above) else { return false };
    name.strip_suffix(above.as_str())
        .and_then(|rest| rest.strip_suffix('.'))
        .is_some_and(|label| !label.is_empty())
}

/// An entry as it is compared. What is no host is on no list.
fn read(entry: &str) -> Option<Host> {
    // A list may have an IPv6 address with or without brackets.
    if let Ok(IpAddr::V6(address)) = entry.parse::<IpAddr>() {
        return Some(Host::Ipv6(address));
    }
    Host::parse(entry.strip_suffix('.').unwrap_or(entry)).ok()
}
