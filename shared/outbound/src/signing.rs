//! How the house shows a vendor who it is: its key, read from the vault when it is needed, in one header (N44).
//!
//! Nothing is kept here: the vault's cache is the only one, so that a rotated key is in use within five minutes, and
//! at once where a vendor refuses the old one.
//!
//! **Never here:** a key in a text, an error or a log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use nexus_core::vault::{BadSecretName, Freshness, Held, VaultError};
use nexus_core::{Product, SecretName, Vault};
use nexus_kernel::Secret;

use crate::error::CallError;
use crate::request::Authorization;
use crate::vendor::{Auth, Vendor};

/// Signs one vendor's requests.
#[derive(Debug)]
pub(crate) struct Signing {
    vendor: &'static str,
    how: Option<InHeader>,
}

#[derive(Debug)]
struct InHeader {
    secret: SecretName,
    name: HeaderName,
    prefix: &'static str,
}

/// Why a vendor's description leads to no signature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsignable {
    #[error("its name cannot stand in the vault: {0}")]
    Name(#[from] BadSecretName),
    #[error("its key's header is none")]
    Header,
}

impl Signing {
    pub(crate) fn new(product: Product, vendor: &Vendor) -> Result<Self, Unsignable> {
        let how = match vendor.auth {
            Auth::None | Auth::Account => None,
            Auth::Header { name, prefix } => Some(InHeader {
                secret: SecretName::of_house(product, vendor.name)?,
                name: HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unsignable::Header)?,
                prefix,
            }),
        };
        Ok(Self { vendor: vendor.name, how })
    }

    /// The header that the key goes in.
    pub(crate) fn header(&self) -> Option<&HeaderName> {
        self.how.as_ref().map(|how| &how.name)
    }

    /// Whether the vault has a key, or none is needed.
    pub(crate) async fn has_key(&self, vault: &dyn Vault) -> Result<bool, VaultError> {
        match &self.how {
            None => Ok(true),
            Some(how) => Ok(vault.read(&how.secret, Freshness::Cached).await?.is_some()),
        }
    }

    /// The key, if one is there.
    pub(crate) async fn key(
        &self,
        vault: &dyn Vault,
        how_old: Freshness,
    ) -> Result<Option<Held>, VaultError> {
        match &self.how {
            None => Ok(None),
            Some(how) => vault.read(&how.secret, how_old).await,
        }
    }

    /// Whether a request cannot go without a key.
    pub(crate) fn needs_key(&self) -> bool {
        self.how.is_some()
    }

    /// Nobody has given a key yet.
    pub(crate) fn no_key(&self) -> CallError {
        let vendor = self.vendor;
        CallError::Login {
            why: format!(
                "There is no key for {vendor} in the vault. Whoever operates this gives it with `nexus secret set \
                 {vendor}`."
            ),
        }
    }

    /// Puts the key into its header.
    pub(crate) fn sign(&self, headers: &mut HeaderMap, key: &Held) -> Result<(), CallError> {
        let Some(InHeader { name, prefix, .. }) = &self.how else { return Ok(()) };
        // A key that was pasted or piped ends in a line break.
        let value = Secret::new(format!("{prefix}{}", key.value.reveal().trim()));
        let Ok(mut value) = HeaderValue::from_str(value.reveal()) else {
            let vendor = self.vendor;
            return Err(CallError::Login {
                why: format!(
                    "The key for {vendor} in the vault is none: it has characters that no key has. Whoever operates \
                     this gives the right one with `nexus secret set {vendor}`."
                ),
            });
        };
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    }
}

/// An account's token, or an application's name and secret, as they stand in the header `authorization`.
pub(crate) fn authorization(who: &Authorization) -> Result<HeaderValue, CallError> {
    let text = Secret::new(match who {
        Authorization::Bearer(token) => format!("Bearer {}", token.reveal()),
        Authorization::Basic(name, secret) => {
            let pair = Secret::new(format!("{name}:{}", secret.reveal()));
            format!("Basic {}", STANDARD.encode(pair.reveal()))
        }
    });
    let mut value = HeaderValue::from_str(text.reveal()).map_err(|_| CallError::Login {
        why: "The token has characters that no token has. Connect the account anew.".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use nexus_core::vault::Generation;

    use super::*;

    fn signing() -> Signing {
        let how = InHeader {
            secret: SecretName::of_house(Product::Engine, "acme").unwrap(),
            name: HeaderName::from_static("authorization"),
            prefix: "Bearer ",
        };
        Signing { vendor: "acme", how: Some(how) }
    }

    fn held(value: &str) -> Held {
        Held { value: Secret::new(value.to_owned()), generation: Generation::stored(1) }
    }

    #[test]
    fn n44_the_signature_is_marked_so_that_nobody_prints_it() {
        let mut headers = HeaderMap::new();
        signing().sign(&mut headers, &held(" sk-canary\n")).unwrap();
        assert_eq!(headers["authorization"].to_str().unwrap(), "Bearer sk-canary");
        assert!(headers["authorization"].is_sensitive());
        assert!(!format!("{headers:?}").contains("canary"));
    }

    #[test]
    fn n44_a_key_that_is_none_is_told_of_without_telling_it() {
        for wrong in ["canary\r\nx: y", "canary\0", "canary\u{7f}"] {
            let error = signing().sign(&mut HeaderMap::new(), &held(wrong)).unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(told.contains("nexus secret set acme") && !told.contains("canary"), "{told}");
        }
    }
}
