//! TLS: which versions are spoken, whom we trust, and HTTP/2 over it.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use nexus_outbound::https::HttpsError;
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Guard, Https, TlsFloor, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, version};

use crate::fault_server::{Fault, FaultServer};
use crate::{Told, class, get, send};

/// A certificate for `localhost`, `tls.test` and 127.0.0.1, and its key: made anew for each run.
pub(crate) struct Certificate {
    /// The certificate, which is its own root.
    pub(crate) pem: String,
    signed: rcgen::CertifiedKey<rcgen::KeyPair>,
}

pub(crate) fn certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let names = ["localhost", "tls.test", "127.0.0.1"].map(str::to_owned);
        let signed = rcgen::generate_simple_self_signed(names).unwrap();
        Certificate { pem: signed.cert.pem(), signed }
    })
}

/// A server's side with these versions and protocols.
fn server(versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> Arc<ServerConfig> {
    let Certificate { signed, .. } = certificate();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// A server's side that speaks any version, and HTTP/1.1.
pub(crate) fn any_version() -> Arc<ServerConfig> {
    server(&[&version::TLS13, &version::TLS12], &[])
}

fn https(floor: TlsFloor, extra_roots: &str) -> Https {
    let names = Told::default().name("tls.test", &["127.0.0.1"]).name("other.test", &["127.0.0.1"]);
    let guard = Guard::allowing(["127.0.0.0/8"]).unwrap().with_names(Arc::new(names));
    Https::new(guard, floor, extra_roots).unwrap()
}

#[tokio::test]
async fn the_floor_of_tls_holds() {
    let trusted = &certificate().pem;
    for (versions, floor, expected) in [
        (&version::TLS12, TlsFloor::Tls12, "answer"),
        (&version::TLS13, TlsFloor::Tls12, "answer"),
        (&version::TLS12, TlsFloor::Tls13, "not sent"),
        (&version::TLS13, TlsFloor::Tls13, "answer"),
    ] {
        let server = FaultServer::start_tls(server(&[versions], &[])).await;
        server.on("/", Fault::answer("200 OK", &[], b"hello"));
        let ended = send(&https(floor, trusted), get(&server.url("/"), &["127.0.0.1"])).await;
        assert_eq!(class(&ended), expected, "{:?} below {floor:?}: {ended:?}", versions.version);
        assert_eq!(server.asked().len(), usize::from(expected == "answer"));
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn nobody_is_trusted_whom_neither_the_machine_nor_the_operator_trusts() {
    let server = FaultServer::start_tls(server(&[&version::TLS13], &[])).await;
    server.on("/", Fault::answer("200 OK", &[], b"hello"));
    // Another root, so that there is one on a machine that has none.
    let other = rcgen::generate_simple_self_signed(["other.test".to_owned()]).unwrap();
    let stranger = https(TlsFloor::Tls12, &other.cert.pem());
    let ended = send(&stranger, get(&server.url("/?key=planted"), &["127.0.0.1"])).await;
    let Err(TransportError::NotSent(why)) = &ended else { panic!("{ended:?}") };
    assert!(why.starts_with("TLS was not agreed on"), "{why}");
    assert!(!why.contains("planted"), "{why}");

    // A name that the certificate does not have.
    let known = https(TlsFloor::Tls12, &certificate().pem);
    let ended = send(&known, get(&server.url_at("other.test", "/"), &["other.test"])).await;
    assert_eq!(class(&ended), "not sent", "{ended:?}");
    let ended = send(&known, get(&server.url_at("TLS.test.", "/"), &["tls.test"])).await;
    assert_eq!(class(&ended), "answer", "{ended:?}");
    assert_eq!(server.asked().len(), 1, "the two before have sent nothing");
}

#[tokio::test]
async fn a_server_without_tls_gets_no_request() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://127.0.0.1:{}/?key=planted", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        stream.read_buf(&mut read).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\nplanted").await.unwrap();
        stream.shutdown().await.unwrap();
        // Until the client is gone.
        while stream.read_buf(&mut read).await.is_ok_and(|length| length > 0) {}
        String::from_utf8_lossy(&read).into_owned()
    });
    let ended = send(&https(TlsFloor::Tls12, &certificate().pem), get(&url, &["127.0.0.1"])).await;
    assert_eq!(class(&ended), "not sent", "{ended:?}");
    assert!(!ended.unwrap_err().to_string().contains("planted"));
    assert!(!server.await.unwrap().contains("planted"));
}

/// Time stands still but for what is waited for, so this takes none.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_in_time_was_not_sent() {
    // It waits for a request, and what it gets is the beginning of TLS.
    let server = FaultServer::start().await;
    let url = server.url("/").replace("http://", "https://");
    let ended = send(&https(TlsFloor::Tls12, &certificate().pem), get(&url, &["127.0.0.1"])).await;
    let Err(TransportError::NotSent(why)) = &ended else { panic!("{ended:?}") };
    assert_eq!(why, "no connection within 10s");
}

#[test]
fn roots_that_are_none_are_said() {
    for wrong in
        ["not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        let error = Https::new(Guard::public(), TlsFloor::Tls12, wrong).unwrap_err();
        assert!(matches!(error, HttpsError::ExtraRoots(_)), "{error}");
    }
}

/// Speaks HTTP/2 on every connection; ends its connections when it is ended.
async fn speak_http2(listener: TcpListener, tls: TlsAcceptor) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let tls = tls.clone();
        connections.spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| async move {
                let said = format!("{:?} by {}", request.version(), request.method());
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(said))))
            });
            let stream = TokioIo::new(tls.accept(stream).await.unwrap());
            let server = Builder::new(TokioExecutor::new()).http2_only();
            // How the client takes its leave is no part of the test.
            drop(server.serve_connection(stream, answer).await);
        });
    }
}

#[tokio::test]
async fn http2_is_spoken_where_the_other_side_speaks_it() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://tls.test:{}/", listener.local_addr().unwrap().port());
    let tls = TlsAcceptor::from(server(&[&version::TLS13], &["h2", "http/1.1"]));
    let serving = tokio::spawn(speak_http2(listener, tls));
    let https = https(TlsFloor::Tls13, &certificate().pem);
    for method in [Method::GET, Method::POST, Method::GET] {
        let expected = format!("HTTP/2.0 by {method}");
        let request = WireRequest { method, ..get(&url, &["tls.test"]) };
        assert_eq!(send(&https, request).await.unwrap().body, expected);
    }
    serving.abort();
}
