//! The way out on loopback: no internal address is reached by any spelling, no host that is not listed is reached at
//! all, and whatever the other side does, a try ends within its time and says truly whether it was sent.

#![expect(clippy::unwrap_used, reason = "a test")]

mod fault_server;
mod faults;
mod spellings;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method};
use nexus_outbound::guard::Names;
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Answer, Guard, Https, TlsFloor, Transport, TransportError};

/// More than any answer on loopback takes. Where a test expects the time to run out, it gives less.
const AMPLE: Duration = Duration::from_secs(20);

/// A request that only reads, with nothing in it.
fn get(url: &str, hosts: &[&str]) -> WireRequest {
    WireRequest {
        method: Method::GET,
        url: url.to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        max_answer: 64 * 1024,
    }
}

/// A way out to what the operator opened, with names of our own.
fn https(opened: &[&str], names: Told) -> Https {
    let guard = Guard::allowing(opened).unwrap().with_names(Arc::new(names));
    Https::new(guard, TlsFloor::Tls12, &tls::certificate().pem).unwrap()
}

/// Names as a test tells them. What it does not tell, nobody knows: no test asks a resolver outside.
#[derive(Debug, Clone, Default)]
struct Told(BTreeMap<String, Vec<IpAddr>>);

impl Told {
    fn name(mut self, name: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.0.insert(name.to_owned(), addresses);
        self
    }
}

#[async_trait]
impl Names for Told {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.0.get(host).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// How a try ended, in one word, so that it can be compared.
fn class(ended: &Result<Answer, TransportError>) -> &'static str {
    match ended {
        Ok(_) => "answer",
        Err(TransportError::Forbidden(_)) => "forbidden",
        Err(TransportError::NotSent(_)) => "not sent",
        Err(TransportError::Lost(_)) => "lost",
    }
}

async fn send(https: &Https, request: WireRequest) -> Result<Answer, TransportError> {
    https.send(request, AMPLE).await
}
