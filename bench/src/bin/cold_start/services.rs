//! AWS's services, as far as the samples of `events/` call them: an empty table, empty queues, an empty bucket. Over
//! HTTP and over TLS, on loopback.
//!
//! What is not known here is refused by name, so that a function that calls more than it did shows it.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::Outcome;
use crate::certificate::{self, Trust};

const DEPTH: &str = concat!(
    r#"{"Attributes":{"ApproximateNumberOfMessages":"0","ApproximateNumberOfMessagesNotVisible":"0","#,
    r#""ApproximateNumberOfMessagesDelayed":"0"}}"#
);
const NO_BLOBS: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    r#"<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><KeyCount>0</KeyCount>"#,
    "<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"
);

/// The services. They listen until the process ends.
pub(crate) struct Services {
    /// Where they are without TLS.
    pub(crate) plain: SocketAddr,
    /// Where they are over TLS.
    pub(crate) tls: SocketAddr,
    /// Whom to trust.
    pub(crate) trust: Trust,
    calls: Calls,
}

#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Services {
    /// Starts them; certificates go into the folder.
    pub(crate) async fn start(folder: &Path) -> Outcome<Self> {
        let (acceptor, trust) = certificate::make(folder)?;
        let calls = Calls::default();
        let plain = listen(None, calls.clone()).await?;
        let tls = listen(Some(acceptor), calls.clone()).await?;
        Ok(Self { plain, tls, trust, calls })
    }

    /// The names of the calls since this was asked last.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn listen(tls: Option<TlsAcceptor>, calls: Calls) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if stream.set_nodelay(true).is_err() {
                continue;
            }
            let (tls, calls) = (tls.clone(), calls.clone());
            tokio::spawn(async move {
                match tls {
                    None => serve(stream, calls).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, calls).await;
                        }
                    }
                }
            });
        }
    });
    Ok(address)
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, calls: Calls) {
    let service = service_fn(|request| answer(request, calls.clone()));
    // A function that is killed breaks its connections off.
    let io = TokioIo::new(stream);
    drop(hyper::server::conn::http1::Builder::new().serve_connection(io, service).await);
}

async fn answer(
    request: Request<Incoming>,
    calls: Calls,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers().get("x-amz-target").and_then(|v| v.to_str().ok());
    let name = match (target, request.method()) {
        (Some(target), _) => target.split('.').next_back().unwrap_or_default().to_owned(),
        (None, method) => format!("S3 {method}"),
    };
    let lists = *request.method() == Method::GET && target.is_none();
    let target = target.map(str::to_owned);
    // The body is read whole, as the service would: what is in it makes no difference to emptiness.
    drop(request.into_body().collect().await);
    let (status, kind, body) = match name.as_str() {
        "GetItem" | "TransactWriteItems" => (200, "application/x-amz-json-1.0", "{}"),
        "BatchGetItem" => {
            (200, "application/x-amz-json-1.0", r#"{"Responses":{},"UnprocessedKeys":{}}"#)
        }
        "Query" | "Scan" => {
            (200, "application/x-amz-json-1.0", r#"{"Items":[],"Count":0,"ScannedCount":0}"#)
        }
        "GetQueueAttributes" => (200, "application/x-amz-json-1.0", DEPTH),
        _ if lists => (200, "application/xml", NO_BLOBS),
        _ if target.is_some() => (
            400,
            "application/x-amz-json-1.0",
            r#"{"__type":"UnknownOperationException","message":"the bench does not know it"}"#,
        ),
        _ => (404, "application/xml", "<Error><Code>NoSuchKey</Code></Error>"),
    };
    calls.0.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    let response = Response::builder()
        .status(status)
        .header("content-type", kind)
        .header("x-amzn-requestid", "4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG")
        .body(Full::new(Bytes::from_static(body.as_bytes())));
    Ok(response.unwrap_or_default())
}
