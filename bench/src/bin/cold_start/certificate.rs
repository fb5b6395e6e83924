//! An authority for the length of a run, and what it vouches for: `127.0.0.1`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Outcome;

/// Where Debian, Amazon Linux and Alpine keep whom they trust.
const TRUSTED: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What a run trusts.
pub(crate) struct Trust {
    /// The run's own authority alone.
    pub(crate) own: PathBuf,
    /// All that this machine trusts, and the run's own authority: a client reads as many as it would on Lambda.
    pub(crate) all: PathBuf,
}

/// Makes an authority and a certificate of `127.0.0.1`, and writes down what is to be trusted.
pub(crate) fn make(folder: &Path) -> Outcome<(TlsAcceptor, Trust)> {
    let mut authority = CertificateParams::default();
    // OpenSSL takes a certificate whose issuer has its own name for a self-signed one.
    authority.distinguished_name.push(DnType::CommonName, "an authority for this run");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate()?;
    let pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate()?;
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;

    let trust = Trust { own: folder.join("own.pem"), all: folder.join("all.pem") };
    fs::write(&trust.own, &pem)?;
    let known = TRUSTED.iter().find_map(|place| fs::read_to_string(place).ok());
    fs::write(&trust.all, known.unwrap_or_default() + "\n" + &pem)?;
    Ok((TlsAcceptor::from(Arc::new(config)), trust))
}
