//! What carries one try: HTTPS, or a recording.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use crate::answer::Answer;

/// One try as it goes over the wire. Its `Debug` tells no header's value, no query and no body.
#[derive(Clone)]
pub struct WireRequest {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// The headers, the signature included. The host's is not among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The hosts that this request and its redirects may reach; a leading `.` stands for any host below it.
    pub hosts: Vec<String>,
    /// The most bytes of the answer, after decompression.
    pub max_answer: u64,
}

impl fmt::Debug for WireRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = Url::parse(&self.url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or("[unreadable]");
        let headers: Vec<&str> = self.headers.keys().map(http::HeaderName::as_str).collect();
        f.debug_struct("WireRequest")
            .field("method", &self.method)
            .field("host", &host)
            .field("path", &url.as_ref().map_or("", Url::path))
            .field("headers", &headers)
            .field("body", &format_args!("[{} bytes]", self.body.len()))
            .field("hosts", &self.hosts)
            .field("max_answer", &self.max_answer)
            .finish()
    }
}

/// Why no whole answer came. What it prints holds no query, no header's value and no body.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nothing was sent to where it is not allowed, and it makes no sense to try again. Where it was a redirect that
    /// led there, what was asked before it only read.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// Nothing was sent: no such host, no connection, no TLS.
    #[error("no connection: {0}")]
    NotSent(String),
    /// It was sent, or may have been, and no whole answer came.
    #[error("the answer was lost: {0}")]
    Lost(String),
}

/// Carries one try.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends it and reads the whole answer, within that time.
    ///
    /// # Errors
    /// No whole answer came; [`TransportError`] says whether it was sent.
    async fn send(&self, request: WireRequest, within: Duration) -> Result<Answer, TransportError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_printed_tells_no_query_no_header_and_no_body() {
        let mut headers = HeaderMap::new();
        headers.insert("xi-api-key", "planted".parse().unwrap());
        let request = WireRequest {
            method: Method::POST,
            url: "https://planted:planted@api.example.com/v1/speech?key=planted#planted".to_owned(),
            headers,
            body: Bytes::from_static(b"planted"),
            hosts: vec!["api.example.com".to_owned()],
            max_answer: 9,
        };
        let printed = format!("{request:?} {request:#?}");
        assert!(!printed.contains("planted"), "{printed}");
        for told in ["POST", "api.example.com", "/v1/speech", "xi-api-key", "[7 bytes]"] {
            assert!(printed.contains(told), "{told} in {printed}");
        }
    }
}
