//! GeoLite2 City from MaxMind: the checksum, then the archive, each by a redirect to where it is stored.
//!
//! The house's way out judges every address and shows the licence key to MaxMind's own host alone; what comes is
//! believed by its checksum.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use nexus_kernel::Timestamp;
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Answer, Transport, TransportError};
use sha2::{Digest as _, Sha256};

use super::account::Account;
use super::archive::{self, ArchiveError};

/// Where MaxMind is.
pub const BASE: &str = "https://download.maxmind.com";
/// The setting that replaces [`BASE`].
pub const BASE_SETTING: &str = "GEOLITE_BASE";

/// Where the files are stored to which MaxMind sends everybody: a bucket of theirs at Cloudflare, whose name is theirs to
/// change.
const STORES: &str = ".r2.cloudflarestorage.com";
/// Of every edition: the latest.
const PATH: &str = "/geoip/databases/GeoLite2-City/download?suffix=tar.gz";
/// What stands behind the path for the checksum.
const CHECKSUM: &str = ".sha256";

/// The longest that the checksum may take.
const CHECKSUM_WITHIN: Duration = Duration::from_secs(30);
/// The longest that the archive may take; it has about 35 million bytes.
const ARCHIVE_WITHIN: Duration = Duration::from_secs(15 * 60);
/// The most bytes of an archive.
const MOST_ARCHIVE: u64 = 256 * 1024 * 1024;

/// Why no database came.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The address of the source is none.
    #[error("{BASE_SETTING} is no address of a host, like `{BASE}`")]
    Base,
    /// It was not reached, or its answer was lost.
    #[error("MaxMind was not reached, or its answer was lost: {0}")]
    Way(#[from] TransportError),
    /// The account and the key do not fit.
    #[error(
        "MaxMind does not know this account and licence key: look both up at maxmind.com, under \
         `Manage License Keys`, and run `nexus geo install --license-key --anew`"
    )]
    Unknown,
    /// The account may not have it.
    #[error(
        "MaxMind does not give GeoLite2 City to this account: accept its licence at maxmind.com"
    )]
    NotAllowed,
    /// It was downloaded too often.
    #[error("MaxMind gives no more downloads for now (30 a day): try again {}", .0.as_deref().unwrap_or("tomorrow"))]
    TooOften(Option<String>),
    /// It said something else.
    #[error("MaxMind answered with the status {0}: try again later")]
    Status(u16),
    /// The checksum is none.
    #[error("what came in the place of the checksum is none: try again later")]
    NoChecksum,
    /// The archive is another one than the checksum says.
    #[error(
        "the archive does not have its checksum, so that nothing was changed: it was cut short or altered on its way, or a \
         new one was published meanwhile. Try again"
    )]
    Checksum,
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Where GeoLite2 City comes from, and by which way.
pub struct Source<'w> {
    /// The way out.
    pub transport: &'w dyn Transport,
    /// The address without a path: [`BASE`], or a stand-in's.
    pub base: &'w str,
}

impl Source<'_> {
    /// The latest database, its checksum compared.
    ///
    /// # Errors
    /// It did not come whole; nothing else happened then.
    pub async fn latest(
        &self,
        account: &Account,
        now: Timestamp,
    ) -> Result<Vec<u8>, DownloadError> {
        let checksum = self.ask(CHECKSUM, 1024, CHECKSUM_WITHIN, account, now).await?;
        let wanted = read_checksum(&checksum.body).ok_or(DownloadError::NoChecksum)?;
        let archive = self.ask("", MOST_ARCHIVE, ARCHIVE_WITHIN, account, now).await?;
        if Sha256::digest(&archive.body).as_slice() != wanted {
            return Err(DownloadError::Checksum);
        }
        Ok(archive::database(&archive.body)?)
    }

    async fn ask(
        &self,
        suffix: &str,
        max_answer: u64,
        within: Duration,
        account: &Account,
        now: Timestamp,
    ) -> Result<Answer, DownloadError> {
        let base = self.base.trim_end_matches('/');
        let host = base.split_once("://").ok_or(DownloadError::Base)?.1;
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let mut headers = HeaderMap::new();
        let basic = format!("Basic {}", STANDARD.encode(account.reveal()));
        let mut basic = HeaderValue::try_from(basic).map_err(|_| DownloadError::Unknown)?;
        basic.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, basic);
        // The archive is wanted as it lies there: its checksum is over those bytes.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let request = WireRequest {
            method: Method::GET,
            url: format!("{base}{PATH}{suffix}"),
            headers,
            body: Bytes::new(),
            hosts: vec![host.to_owned(), STORES.to_owned()],
            max_answer,
        };
        let answer = self.transport.send(request, within).await?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            StatusCode::UNAUTHORIZED => Err(DownloadError::Unknown),
            StatusCode::FORBIDDEN | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => {
                Err(DownloadError::NotAllowed)
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let wait = answer.retry_after(now).map(|wait| format!("in {} s", wait.as_secs()));
                Err(DownloadError::TooOften(wait))
            }
            other => Err(DownloadError::Status(other.as_u16())),
        }
    }
}

/// The first word of a line as `sha256sum` writes it.
fn read_checksum(body: &[u8]) -> Option<[u8; 32]> {
    let word = std::str::from_utf8(body).ok()?.split_whitespace().next()?;
    let mut sum = [0; 32];
    hex::decode_to_slice(word, &mut sum).ok()?;
    Some(sum)
}
