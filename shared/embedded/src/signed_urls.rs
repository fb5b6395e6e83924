//! Addresses that may be used by whoever holds them, for one thing and for a while.
//!
//! `{base}/blobs/{key}?…&until={ms}&signature={hex}`, signed with HMAC-SHA-256 (RFC 2104) over the product, the
//! method, the key, what else the address says and its end, under a random key of this data directory.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::OnceLock;

use hmac::{Hmac, KeyInit as _, Mac as _};
use nexus_core::blobs::{BlobError, BlobKey, SignedPart, SignedUpload, UploadRules};
use nexus_core::scope::Product;
use nexus_kernel::id::Uuid;
use nexus_kernel::{Ambient, Chance, Secret, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::Sha256;

use crate::store::{remove_file, sync_dir};

/// Where the host answers signed addresses.
const ROUTE: &str = "/blobs/";

/// What stands in a path as it is: RFC 3986's unreserved characters, and `/`.
const IN_PATH: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Signs addresses of blobs and verifies them.
pub struct SignedUrls {
    base: OnceLock<String>,
    product: Product,
    key: Secret<Vec<u8>>,
}

/// Why a signed address is not heeded. Whoever answers it tells no more than this: 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It was not signed here, or not for this.
    #[error("this address was not signed for this")]
    Forged,
    /// Its time is over.
    #[error("this address is no longer valid")]
    Expired,
    /// The upload is not of the type that was signed for.
    #[error("this upload is not of the type that was announced")]
    OtherType,
    /// The upload has not the size that was signed for.
    #[error("this upload has not the size that was announced")]
    OtherSize,
}

/// What the holder of a verified upload address may put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadGrant {
    /// Where.
    pub key: BlobKey,
    /// What, and until when.
    pub rules: UploadRules,
}

impl UploadGrant {
    /// Whether this type and size (in bytes) are what was signed for. Ask it of the request's head, and again of
    /// what has really come.
    ///
    /// # Errors
    /// They are not.
    pub fn admits(&self, content_type: &str, size: u64) -> Result<(), UrlError> {
        if content_type != self.rules.content_type {
            return Err(UrlError::OtherType);
        }
        if size != self.rules.size {
            return Err(UrlError::OtherSize);
        }
        Ok(())
    }
}

/// What the holder of a verified address of a part may put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartGrant {
    /// Where the upload will stand.
    pub key: BlobKey,
    /// The upload.
    pub upload: String,
    /// Which part of it, from 1.
    pub number: u32,
    /// Exactly so many bytes.
    pub size: u64,
}

impl PartGrant {
    /// Whether this size (in bytes) is what was signed for. Ask it of the request's head, and again of what has really
    /// come.
    ///
    /// # Errors
    /// It is not.
    pub fn admits(&self, size: u64) -> Result<(), UrlError> {
        if size == self.size { Ok(()) } else { Err(UrlError::OtherSize) }
    }
}

impl SignedUrls {
    /// With the data directory's key, which is drawn and written where there is none.
    pub(crate) fn open(dir: &Path, product: Product, chance: &dyn Chance) -> io::Result<Self> {
        let path = dir.join("signing.key");
        if !path.exists() {
            let mut key = [0; 32];
            chance.fill(&mut key);
            // Whole or not at all, and of several who do this at once the first one's.
            let unnamed: Uuid = Ambient::system().ids.draw();
            let unnamed = dir.join(format!("{}.key", unnamed.simple()));
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unnamed)?;
            file.write_all(&key)?;
            file.sync_all()?;
            let named = fs::hard_link(&unnamed, &path);
            remove_file(&unnamed)?;
            match named {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => sync_dir(dir)?,
            }
        }
        let key = Secret::new(fs::read(path)?);
        if key.reveal().len() != 32 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "signing.key has not 32 bytes"));
        }
        Ok(Self { base: OnceLock::new(), product, key })
    }

    /// Says where the host answers, for example `http://127.0.0.1:8080`; false where it was said before.
    pub fn serve_at(&self, base: &str) -> bool {
        self.base.set(base.trim_end_matches('/').to_owned()).is_ok()
    }

    /// The upload that a request's path and query (as they stand in it, percent-encoded) allow now. What comes with
    /// the request has to be asked of [`UploadGrant::admits`].
    ///
    /// # Errors
    /// They were not signed here for an upload, or their time is over.
    pub fn verify_upload(
        &self,
        path: &str,
        query: &str,
        now: Timestamp,
    ) -> Result<UploadGrant, UrlError> {
        let key = key_in(path)?;
        let [content_type, size, until, signature] =
            values_in(query, ["type", "size", "until", "signature"])?;
        let parts = ["PUT", key.as_str(), &content_type, &size, &until];
        let until = self.verify(&parts, &signature, &until, now)?;
        let size = size.parse().map_err(|_| UrlError::Forged)?;
        Ok(UploadGrant { key, rules: UploadRules { content_type, size, until } })
    }

    /// The part of an upload that a request's path and query (as they stand in it, percent-encoded) allow to put now.
    ///
    /// # Errors
    /// They were not signed here for a part, or their time is over.
    pub fn verify_part(
        &self,
        path: &str,
        query: &str,
        now: Timestamp,
    ) -> Result<PartGrant, UrlError> {
        let key = key_in(path)?;
        let [upload, part, size, until, signature] =
            values_in(query, ["upload", "part", "size", "until", "signature"])?;
        let parts = ["PUT", key.as_str(), &upload, &part, &size, &until];
        self.verify(&parts, &signature, &until, now)?;
        let number = part.parse().map_err(|_| UrlError::Forged)?;
        let size = size.parse().map_err(|_| UrlError::Forged)?;
        Ok(PartGrant { key, upload, number, size })
    }

    /// The blob that a request's path and query (as they stand in it, percent-encoded) allow to read now.
    ///
    /// # Errors
    /// They were not signed here for a download, or their time is over.
    pub fn verify_download(
        &self,
        path: &str,
        query: &str,
        now: Timestamp,
    ) -> Result<BlobKey, UrlError> {
        let key = key_in(path)?;
        let [until, signature] = values_in(query, ["until", "signature"])?;
        self.verify(&["GET", key.as_str(), &until], &signature, &until, now)?;
        Ok(key)
    }

    pub(crate) fn sign_upload(
        &self,
        key: &BlobKey,
        rules: &UploadRules,
    ) -> Result<SignedUpload, BlobError> {
        let (size, until) = (rules.size.to_string(), rules.until.as_millisecond().to_string());
        let parts = ["PUT", key.as_str(), &rules.content_type, &size, &until];
        let pairs = [("type", rules.content_type.as_str()), ("size", &size), ("until", &until)];
        Ok(SignedUpload {
            method: "PUT",
            url: self.url(key, &pairs, &parts)?,
            headers: vec![("content-type".to_owned(), rules.content_type.clone())],
            until: rules.until,
        })
    }

    pub(crate) fn sign_parts(
        &self,
        key: &BlobKey,
        upload: &str,
        rules: &UploadRules,
    ) -> Result<Vec<SignedPart>, BlobError> {
        let until = rules.until.as_millisecond().to_string();
        let sign = |(number, size): (u32, u64)| {
            let (part, bytes) = (number.to_string(), size.to_string());
            let pairs = [("upload", upload), ("part", &part), ("size", &bytes), ("until", &until)];
            let parts = ["PUT", key.as_str(), upload, &part, &bytes, &until];
            let url = self.url(key, &pairs, &parts)?;
            let put = SignedUpload { method: "PUT", url, headers: Vec::new(), until: rules.until };
            Ok(SignedPart { number, size, put })
        };
        (1..).zip(rules.part_sizes()?).map(sign).collect()
    }

    pub(crate) fn sign_download(
        &self,
        key: &BlobKey,
        until: Timestamp,
    ) -> Result<String, BlobError> {
        let until = until.as_millisecond().to_string();
        self.url(key, &[("until", &until)], &["GET", key.as_str(), &until])
    }

    fn url(
        &self,
        key: &BlobKey,
        pairs: &[(&str, &str)],
        parts: &[&str],
    ) -> Result<String, BlobError> {
        let base = self.base.get().ok_or_else(|| {
            BlobError::Unavailable("no address was named yet at which blobs are served".into())
        })?;
        let signature = hex::encode(self.mac(parts)?.finalize().into_bytes());
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .append_pair("signature", &signature)
            .finish();
        Ok(format!("{base}{ROUTE}{}?{query}", utf8_percent_encode(key.as_str(), &IN_PATH)))
    }

    /// Each part is led by its length, so that no two lists of parts are signed alike.
    fn mac(&self, parts: &[&str]) -> Result<Hmac<Sha256>, BlobError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.reveal())
            .map_err(|error| BlobError::Unavailable(Box::new(error)))?;
        for part in [self.product.name()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Ok(mac)
    }

    fn verify(
        &self,
        parts: &[&str],
        signature: &str,
        until: &str,
        now: Timestamp,
    ) -> Result<Timestamp, UrlError> {
        let signature = hex::decode(signature).map_err(|_| UrlError::Forged)?;
        let mac = self.mac(parts).map_err(|_| UrlError::Forged)?;
        mac.verify_slice(&signature).map_err(|_| UrlError::Forged)?;
        let until = until.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let until = until.ok_or(UrlError::Forged)?;
        if now < until { Ok(until) } else { Err(UrlError::Expired) }
    }
}

impl fmt::Debug for SignedUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedUrls({:?})", self.base.get())
    }
}

fn key_in(path: &str) -> Result<BlobKey, UrlError> {
    let key = path.strip_prefix(ROUTE).ok_or(UrlError::Forged)?;
    let key = percent_decode_str(key).decode_utf8().map_err(|_| UrlError::Forged)?;
    Ok(BlobKey::stored(key))
}

/// The values of exactly these fields, in this order, and no others.
fn values_in<const N: usize>(query: &str, names: [&str; N]) -> Result<[String; N], UrlError> {
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if !pairs.iter().map(|(name, _)| name.as_str()).eq(names) {
        return Err(UrlError::Forged);
    }
    let values: Vec<String> = pairs.into_iter().map(|(_, value)| value).collect();
    values.try_into().map_err(|_| UrlError::Forged)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_drawn_once_and_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let chance = Ambient::system().chance;
        let open = || SignedUrls::open(dir.path(), Product::Engine, &*chance).unwrap();
        let (a, b) = (open(), open());
        assert_eq!(a.key.reveal(), b.key.reveal());
        let mode = fs::metadata(dir.path().join("signing.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        fs::write(dir.path().join("signing.key"), b"short").unwrap();
        assert!(SignedUrls::open(dir.path(), Product::Engine, &*chance).is_err());
    }

    #[test]
    fn an_address_is_signed_for_one_product_and_only_once_it_is_known_where() {
        let dir = tempfile::tempdir().unwrap();
        let chance = Ambient::system().chance;
        let open = |product| SignedUrls::open(dir.path(), product, &*chance).unwrap();
        let (engine, sentry) = (open(Product::Engine), open(Product::Sentry));
        let key = BlobKey::stored("media/owner/a b");
        let until = Timestamp::from_millisecond(10_000).unwrap();
        assert!(engine.sign_download(&key, until).is_err());
        assert!(engine.serve_at("http://127.0.0.1:8080/") && !engine.serve_at("http://other"));
        let url = engine.sign_download(&key, until).unwrap();
        let rest = url.strip_prefix("http://127.0.0.1:8080").unwrap();
        let (path, query) = rest.split_once('?').unwrap();
        assert_eq!(path, "/blobs/media/owner/a%20b");
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert_eq!(engine.verify_download(path, query, at(9_999)), Ok(key));
        assert_eq!(engine.verify_download(path, query, at(10_000)), Err(UrlError::Expired));
        assert_eq!(sentry.verify_download(path, query, at(0)), Err(UrlError::Forged));
    }
}
