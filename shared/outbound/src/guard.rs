//! Who may be reached: public addresses, what the operator opened, and of them only the hosts that a request lists.
//!
//! An address is judged three times, because each way alone can be walked around:
//!
//! 1. **as a URL**, by [`Guard::permit`], before the first connection and again for every redirect: scheme, host
//!    list (N35), and the literal address, once the URL's parser has made one of its many spellings (`0x7f.1`,
//!    `017700000001`, `１２７.０.０.１`, `[::ffff:7f00:1]`). A connector never asks a resolver for a literal.
//! 2. **as a name**, by [`Guard::look_up`], at the moment of connecting: every address of the name has to be
//!    allowed, and those that were judged are those that are connected to. So no name changes its mind in between.
//! 3. **as a redirect**: the carrier follows none by itself ([`https`](crate::https)).
//!
//! **Never here:** sending, a vendor's name, which hosts a vendor has.

mod host;
mod names;
mod public;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use url::{Host, Url};

pub use self::names::{Names, SystemNames};

/// Who may be reached.
#[derive(Clone)]
pub struct Guard {
    opened: Arc<[IpNet]>,
    public: public::Public,
    names: Arc<dyn Names>,
}

/// An address that may be asked, in the form in which it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Permitted {
    /// The address: the host in small letters, without a final dot.
    pub(crate) url: Url,
    /// By which way.
    pub(crate) way: Way,
}

/// By which way an address may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// TLS: to public addresses and to what the operator opened.
    Secure,
    /// Without TLS: only to what the operator opened.
    Plain,
}

/// Why an address may not be asked. What it prints holds no path, no query and no user name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// It cannot be read as a URL with a host.
    #[error("the address cannot be read as a URL with a host")]
    Unreadable,
    /// It has a user name or a password: who asks is said in headers.
    #[error("the address of `{0}` has a user name or a password in it")]
    UserInfo(HostName),
    /// It is another protocol.
    #[error("`{0}` is asked by another protocol than https")]
    Scheme(HostName),
    /// It would go without TLS to somewhere that the operator did not open.
    #[error(
        "`{0}` would be asked without TLS, and is not in the networks that the operator opened"
    )]
    Plain(HostName),
    /// It is not on the request's list of hosts (N35).
    #[error("`{0}` is not on the list of hosts")]
    Unlisted(HostName),
    /// It is, or leads to, an address that is not public and not opened by the operator.
    #[error("`{0}` is or leads to an address that is not public")]
    NotPublic(HostName),
}

/// A host's name in an error, shortened: it may have been chosen by a stranger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    fn of(host: &str) -> Self {
        Self(host.chars().take(100).collect())
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookUpError {
    /// It leads to an address that may not be asked.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// It has no address, or nobody could be asked for it.
    #[error("no address was found for the name")]
    NotFound(#[source] std::io::Error),
}

/// Why a list of networks is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It is not a network.
    #[error("`{0}` is no network: write it as `192.168.7.0/24`, `fd12::/16` or one address")]
    Unreadable(String),
    /// It is everything.
    #[error("`{0}` is every address there is, and would switch the guard off")]
    Everything(String),
}

impl Guard {
    /// Public addresses and nothing else.
    pub fn public() -> Self {
        Self::with(Vec::new())
    }

    /// Public addresses, and the networks that the operator opened: loopback for tests and emulators, the networks
    /// of cameras and of peers. They may also be asked without TLS. An IPv4 network does not open the IPv6 spellings
    /// of its addresses.
    ///
    /// # Errors
    /// One is not a network, or is every address there is.
    pub fn allowing<N: AsRef<str>>(
        networks: impl IntoIterator<Item = N>,
    ) -> Result<Self, NetworkError> {
        let networks = networks.into_iter().map(|n| network(n.as_ref().trim()));
        Ok(Self::with(networks.collect::<Result<_, _>>()?))
    }

    fn with(opened: Vec<IpNet>) -> Self {
        Self {
            opened: opened.into(),
            public: public::Public::default(),
            names: Arc::new(SystemNames),
        }
    }

    /// The same, with another way to find a name's addresses.
    #[must_use]
    pub fn with_names(mut self, names: Arc<dyn Names>) -> Self {
        self.names = names;
        self
    }

    /// Whether the operator opened anything.
    pub(crate) fn opens_anything(&self) -> bool {
        !self.opened.is_empty()
    }

    fn is_open(&self, address: IpAddr) -> bool {
        self.opened.iter().any(|network| network.contains(&address))
    }

    /// Whether this address may be connected to by this way.
    fn is_allowed(&self, address: IpAddr, way: Way) -> bool {
        self.is_open(address) || (way == Way::Secure && self.public.holds(address))
    }

    /// Whether this may be asked, as far as can be told without looking a name up. `hosts` is the closed list: a
    /// host, or with a leading `.` any host below it; an empty list is none.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub(crate) fn permit(&self, url: &str, hosts: &[String]) -> Result<Permitted, NotAllowed> {
        self.permit_url(Url::parse(url).map_err(|_| NotAllowed::Unreadable)?, hosts)
    }

    /// As [`permit`](Self::permit), for an address that has been parsed.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub(crate) fn permit_url(&self, url: Url, hosts: &[String]) -> Result<Permitted, NotAllowed> {
        let url = host::without_final_dot(url).ok_or(NotAllowed::Unreadable)?;
        let host = url.host().ok_or(NotAllowed::Unreadable)?;
        let name = || HostName::of(&host.to_string());
        let way = match url.scheme() {
            "https" => Way::Secure,
            "http" if self.opens_anything() => Way::Plain,
            "http" => return Err(NotAllowed::Plain(name())),
            _ => return Err(NotAllowed::Scheme(name())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAllowed::UserInfo(name()));
        }
        if !host::is_listed(&host, hosts) {
            return Err(NotAllowed::Unlisted(name()));
        }
        let literal = match &host {
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
            Host::Domain(_) => None,
        };
        match literal {
            Some(address) if !self.is_allowed(address, way) => Err(self.refusal(name(), address)),
            Some(_) | None => Ok(Permitted { url, way }),
        }
    }

    /// The addresses of a name, all of them judged: where one is not allowed, none is given, for a name that leads
    /// inside and outside is a name that somebody plays with.
    ///
    /// # Errors
    /// One of its addresses is not allowed; it has none.
    pub(crate) async fn look_up(&self, host: &str, way: Way) -> Result<Vec<IpAddr>, LookUpError> {
        let found = self.names.addresses(host).await.map_err(LookUpError::NotFound)?;
        if found.is_empty() {
            return Err(LookUpError::NotFound(std::io::ErrorKind::NotFound.into()));
        }
        match found.iter().find(|address| !self.is_allowed(**address, way)) {
            Some(address) => Err(self.refusal(HostName::of(host), *address).into()),
            None => Ok(found),
        }
    }

    /// Why an address that is not allowed is not.
    fn refusal(&self, host: HostName, address: IpAddr) -> NotAllowed {
        if self.public.holds(address) {
            NotAllowed::Plain(host)
        } else {
            NotAllowed::NotPublic(host)
        }
    }
}

/// Tells what was opened.
impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("opened", &self.opened).finish_non_exhaustive()
    }
}

/// A network as an operator writes it: with a prefix length, or one address.
fn network(written: &str) -> Result<IpNet, NetworkError> {
    let network = match written.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => written
            .parse::<IpNet>()
            .map_err(|_| NetworkError::Unreadable(written.to_owned()))?
            .trunc(),
    };
    if network.prefix_len() == 0 {
        return Err(NetworkError::Everything(written.to_owned()));
    }
    Ok(network)
}

#[cfg(test)]
mod tests;
