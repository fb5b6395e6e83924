//! HTTPS: one try, from the guard to the answer's last byte.
//!
//! What it does not do is as important: no proxy from the environment, no cookies, no referer, no repetition of its
//! own that could make a thing happen twice, no redirect that was not judged as the first address was.
//!
//! **Connections.** A connection that was kept may have been closed by the other side without our knowing. What is
//! written to it then is lost, and nobody can tell whether it was read. hyper takes a request over to a new
//! connection only where it has not begun to write it; otherwise the try ends as [`TransportError::Lost`]. For `GET`
//! and `HEAD` that is harmless, so they share kept connections. Everything else gets a connection of its own (TLS
//! resumes the session), so that "nobody knows whether it happened" is never said because of a stale connection.
//!
//! **Never here:** a vendor's name, what an answer means, retrying, a header's value or a query in an error.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, StatusCode};
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{Client, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use url::Url;

use crate::answer::Answer;
use crate::guard::{Guard, LookUpError, NotAllowed, Permitted, Way};
use crate::transport::{Transport, TransportError, WireRequest};

/// The longest that looking up, connecting and shaking hands may take together. Where it passes, nothing was sent;
/// where a try's own time is shorter and runs out meanwhile, the try counts as lost.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long an unused connection is kept: less than servers commonly do.
const KEEP: Duration = Duration::from_secs(20);

/// The most redirects that are followed.
const REDIRECTS: usize = 3;

/// The headers that follow to another host; all others were meant for the first one.
const FOLLOWING: &[HeaderName] = &[
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::RANGE,
    header::USER_AGENT,
];

/// The oldest TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsFloor {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

impl TlsFloor {
    fn versions(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Tls12 => vec![&rustls::version::TLS13, &rustls::version::TLS12],
            Self::Tls13 => vec![&rustls::version::TLS13],
        }
    }
}

/// Why no way out could be set up.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// The operator's certificates cannot be read.
    #[error("the additional root certificates are no PEM certificates: {0}")]
    ExtraRoots(String),
    /// There is nobody to trust.
    #[error(
        "this machine has no root certificates, and none were added: install `ca-certificates`"
    )]
    NoRoots,
    /// TLS or the client cannot be set up.
    #[error("HTTPS cannot be set up: {0}")]
    SetUp(String),
}

/// Carries tries by HTTPS, and without TLS to the networks that the operator opened.
#[derive(Debug)]
pub struct Https {
    guard: Guard,
    secure: Lane,
    /// There only where the operator opened a network.
    plain: Option<Lane>,
}

/// The two clients of one way.
#[derive(Debug)]
struct Lane {
    /// For what only reads.
    kept: Client,
    /// For everything else: one request, one connection, and not even the repetitions that HTTP/2 calls safe.
    single: Client,
}

impl Https {
    /// A way out that this guard watches over. It trusts the machine's root certificates and, beside them, those of
    /// `extra_roots`: PEM, empty for none.
    ///
    /// # Errors
    /// The extra roots are no certificates; there is no root certificate at all; TLS cannot be set up.
    pub fn new(guard: Guard, floor: TlsFloor, extra_roots: &str) -> Result<Self, HttpsError> {
        let tls = tls(floor, extra_roots)?;
        let secure = Lane::new(&guard, Way::Secure, &tls)?;
        let plain =
            guard.opens_anything().then(|| Lane::new(&guard, Way::Plain, &tls)).transpose()?;
        Ok(Self { guard, secure, plain })
    }

    fn client(&self, way: Way, method: &Method) -> Option<&Client> {
        let lane = match way {
            Way::Secure => Some(&self.secure),
            Way::Plain => self.plain.as_ref(),
        }?;
        Some(if only_reads(method) { &lane.kept } else { &lane.single })
    }

    /// Sends it to where the guard permits, and follows redirects there.
    async fn follow(
        &self,
        request: WireRequest,
        first: Permitted,
    ) -> Result<Answer, TransportError> {
        let WireRequest { method, mut headers, mut body, hosts, max_answer, .. } = request;
        let mut at = first;
        for _ in 0..=REDIRECTS {
            let Some(client) = self.client(at.way, &method) else {
                return Err(TransportError::Forbidden("no network is open without TLS".to_owned()));
            };
            let response = client
                .request(method.clone(), at.url.clone())
                .headers(headers.clone())
                .body(body.clone())
                .send()
                .await
                .map_err(|error| unanswered(&error))?;
            let Some(to) = redirection(&method, &at.url, &response)? else {
                return whole(&method, response, max_answer).await;
            };
            let next = self.guard.permit_url(to, &hosts)?;
            if at.way == Way::Secure && next.way == Way::Plain {
                return Err(TransportError::Forbidden("a redirect leaves TLS".to_owned()));
            }
            if !is_same_place(&at.url, &next.url) {
                headers = headers_elsewhere(&headers);
                body = Bytes::new();
            }
            at = next;
        }
        Err(TransportError::Lost(format!("more than {REDIRECTS} redirects")))
    }
}

#[async_trait]
impl Transport for Https {
    async fn send(&self, request: WireRequest, within: Duration) -> Result<Answer, TransportError> {
        if request.headers.contains_key(header::HOST) {
            // It would ask one host by the name of another.
            return Err(TransportError::Forbidden("the request brings its own `host`".to_owned()));
        }
        let first = self.guard.permit(&request.url, &request.hosts)?;
        if within.is_zero() {
            return Err(TransportError::NotSent("there is no time left".to_owned()));
        }
        match tokio::time::timeout(within, self.follow(request, first)).await {
            Ok(done) => done,
            Err(_) => Err(TransportError::Lost(format!("no whole answer within {within:?}"))),
        }
    }
}

impl From<NotAllowed> for TransportError {
    fn from(why: NotAllowed) -> Self {
        Self::Forbidden(why.to_string())
    }
}

impl Lane {
    fn new(guard: &Guard, way: Way, tls: &ClientConfig) -> Result<Self, HttpsError> {
        let client = || {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .https_only(way == Way::Secure)
                .dns_resolver(Arc::new(Watched { guard: guard.clone(), way }))
                .no_proxy()
                .referer(false)
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_WITHIN)
                .user_agent(concat!("nexus/", env!("CARGO_PKG_VERSION")))
        };
        let built = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| HttpsError::SetUp(error.without_url().to_string()))
        };
        Ok(Self {
            kept: built(client().pool_idle_timeout(KEEP))?,
            single: built(client().pool_max_idle_per_host(0).retry(reqwest::retry::never()))?,
        })
    }
}

/// The guard as the connector's resolver: what it judged is what is connected to.
struct Watched {
    guard: Guard,
    way: Way,
}

impl Resolve for Watched {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, way) = (self.guard.clone(), self.way);
        Box::pin(async move {
            let found = guard.look_up(name.as_str(), way).await.map_err(|error| match error {
                LookUpError::NotAllowed(why) => Box::new(why) as Box<dyn StdError + Send + Sync>,
                other @ LookUpError::NotFound(_) => Box::new(other),
            })?;
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as reqwest::dns::Addrs)
        })
    }
}

fn tls(floor: TlsFloor, extra_roots: &str) -> Result<ClientConfig, HttpsError> {
    let mut roots = RootCertStore::empty();
    // A machine's store may hold certificates of another age; those that can be read are trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut added = 0;
    for certificate in CertificateDer::pem_slice_iter(extra_roots.as_bytes()) {
        let certificate = certificate.map_err(|error| HttpsError::ExtraRoots(error.to_string()))?;
        roots.add(certificate).map_err(|error| HttpsError::ExtraRoots(error.to_string()))?;
        added += 1;
    }
    if added == 0 && !extra_roots.trim().is_empty() {
        return Err(HttpsError::ExtraRoots("there is no certificate in them".to_owned()));
    }
    if roots.is_empty() {
        return Err(HttpsError::NoRoots);
    }
    // Named here, so that it does not matter what else in the process installed a provider, or when.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&floor.versions())
        .map_err(|error| HttpsError::SetUp(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Where a response sends us, if it does: only what reads is sent on. Anything else, and a redirect that says no
/// place, is an answer.
fn redirection(
    method: &Method,
    at: &Url,
    response: &Response,
) -> Result<Option<Url>, TransportError> {
    let redirects = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(location) = response.headers().get(header::LOCATION) else { return Ok(None) };
    if !redirects || !only_reads(method) {
        return Ok(None);
    }
    let to = std::str::from_utf8(location.as_bytes()).ok().and_then(|to| at.join(to).ok());
    to.map(Some).ok_or_else(|| NotAllowed::Unreadable.into())
}

/// Whether two addresses are asked in the same place: scheme, host and port.
fn is_same_place(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

/// What of a request's headers may be shown to another host.
fn headers_elsewhere(headers: &HeaderMap) -> HeaderMap {
    let may_follow = |(name, value): &(&HeaderName, &header::HeaderValue)| {
        FOLLOWING.contains(name) && !value.is_sensitive()
    };
    let following = headers.iter().filter(may_follow);
    following.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Reads a response to its last byte, or to the first that is too many.
async fn whole(
    method: &Method,
    mut response: Response,
    max_answer: u64,
) -> Result<Answer, TransportError> {
    let too_large =
        || TransportError::Lost(format!("the answer is larger than {max_answer} bytes"));
    let (status, headers) = (response.status(), response.headers().clone());
    if status.is_informational() {
        // The client passes all others over; this one is a switch to another protocol, which nobody asked for.
        return Err(TransportError::Lost(format!("it ended with {status}, which is no answer")));
    }
    let mut body = BytesMut::new();
    let has_no_body = *method == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !has_no_body {
        // Of the compressed body the length says nothing, and the client has removed it.
        if response.content_length().is_some_and(|length| length > max_answer) {
            return Err(too_large());
        }
        while let Some(chunk) = response.chunk().await.map_err(|error| cut_short(&error))? {
            if (body.len() + chunk.len()) as u64 > max_answer {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
    }
    Ok(Answer { status, headers, body: body.freeze() })
}

/// Why no response came. Only what certainly happened before the first byte is anything else than lost.
fn unanswered(error: &reqwest::Error) -> TransportError {
    if let Some(why) = cause::<NotAllowed>(error) {
        return why.clone().into();
    }
    if error.is_builder() {
        return TransportError::Forbidden("it cannot be written as a request".to_owned());
    }
    // Of a connection's making: the name, TCP, TLS. hyper hands no byte of a request to what is not made yet.
    if error.is_connect() {
        return TransportError::NotSent(if error.is_timeout() {
            format!("no connection within {CONNECT_WITHIN:?}")
        } else if error.is_dns() {
            "no address was found for the name".to_owned()
        } else if let Some(tls) = cause::<rustls::Error>(error) {
            format!("TLS was not agreed on: {tls}")
        } else {
            io_kind(error).map_or_else(|| "it was not made".to_owned(), |kind| kind.to_string())
        });
    }
    cut_short(error)
}

/// Why a response, or its body, did not come whole. Sentences of our own: what the libraries print may repeat what
/// the other side said.
fn cut_short(error: &reqwest::Error) -> TransportError {
    TransportError::Lost(match io_kind(error) {
        Some(kind) => format!("the connection or the compressed body broke: {kind}"),
        None => "the connection ended, or what came was no HTTP".to_owned(),
    })
}

/// The first error of this type among the causes.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An I/O error passes its inner error over when asked for its source.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    cause::<io::Error>(error).map(io::Error::kind)
}
