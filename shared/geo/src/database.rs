//! One file of GeoLite2 City (or GeoIP2 City, which is sold), whole in memory: a file that is replaced while it is
//! mapped would take the process down.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use maxminddb::{LookupResult, MaxMindDbError, Reader, geoip2, path};
use nexus_engine::clicks::{Locator, Place};
use nexus_kernel::{ClientIp, Timestamp};

use crate::record::{Record, any_name};

/// How long after it was built a database is used: MaxMind's licence wants the old ones destroyed within 30 days of a
/// new release, and there are two a week.
pub const MOST_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The most bytes that a file may have. GeoLite2 City has about 65 million.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// The sorts of database that hold towns, and how MaxMind wants each named where its data is shown.
const SORTS: [(&str, &str); 2] =
    [("GeoLite2-City", "GeoLite Data"), ("GeoIP2-City", "GeoIP2 Data")];

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is no MaxMind database, or only a part of one.
    #[error(
        "this is no MaxMind database, or only a part of one ({0}): unpack the archive, or download it again"
    )]
    Unreadable(MaxMindDbError),
    /// It holds something else than towns.
    #[error("this is a database of `{0}`, and places are found in `GeoLite2-City`: download that")]
    OtherSort(String),
    /// It knows IPv4 alone.
    #[error("this database knows no IPv6 addresses: download MaxMind's own `GeoLite2-City`")]
    NoIpv6,
    /// It is older than its licence allows.
    #[error(
        "this database was built on {0}, more than 30 days ago, and its licence wants it replaced: \
         run `nexus geo install` with a new one"
    )]
    Stale(jiff::civil::Date),
    /// It does not say when it was built.
    #[error(
        "this database does not say when it was built, so that nobody can tell whether it may still be used"
    )]
    NoDate,
}

/// A database in memory.
pub struct Database {
    reader: Reader<Vec<u8>>,
    built: Timestamp,
    named: &'static str,
    /// Whether it was told that a record cannot be read: once is enough.
    told: AtomicBool,
}

impl Database {
    /// A database of these bytes, if it may be used at this moment.
    ///
    /// # Errors
    /// It is none, holds something else than towns, or is too old.
    pub fn open(bytes: Vec<u8>, now: Timestamp) -> Result<Self, OpenError> {
        let reader = Reader::from_source(bytes).map_err(OpenError::Unreadable)?;
        let about = reader.metadata();
        let sort = SORTS.iter().find(|(sort, _)| *sort == about.database_type);
        let Some((_, named)) = sort else {
            return Err(OpenError::OtherSort(about.database_type.chars().take(60).collect()));
        };
        if about.ip_version != 6 {
            return Err(OpenError::NoIpv6);
        }
        let built = i64::try_from(about.build_epoch).ok().filter(|seconds| *seconds > 0);
        let built = built.and_then(|seconds| Timestamp::from_second(seconds).ok());
        let built = built.ok_or(OpenError::NoDate)?;
        let database = Self { reader, built, named, told: AtomicBool::new(false) };
        if !database.may_be_used(now) {
            return Err(OpenError::Stale(database.built_on()));
        }
        Ok(database)
    }

    /// Walks through all of it, so that no look-up finds it broken later. Takes seconds for a whole GeoLite2 City.
    ///
    /// # Errors
    /// Something in it cannot be read.
    pub fn verify(&self) -> Result<(), OpenError> {
        self.reader.verify().map_err(OpenError::Unreadable)
    }

    /// When it was built.
    pub fn built(&self) -> Timestamp {
        self.built
    }

    /// On which day that was.
    pub fn built_on(&self) -> jiff::civil::Date {
        self.built.to_zoned(TimeZone::UTC).date()
    }

    /// Whether it is still young enough.
    pub fn may_be_used(&self, now: Timestamp) -> bool {
        now.duration_since(self.built) <= MOST_AGE
    }

    fn find(&self, address: IpAddr) -> Result<Place, MaxMindDbError> {
        let found = self.reader.lookup(address.to_canonical())?;
        let Some(record) = found.decode::<Record<'_>>()? else { return Ok(Place::Unlocated) };
        if record.lacks_english() {
            return Ok(record.place(other_name(&found)?));
        }
        Ok(record.place(None))
    }
}

/// The name of the town in another language than English.
fn other_name<'d>(found: &LookupResult<'d, Vec<u8>>) -> Result<Option<&'d str>, MaxMindDbError> {
    let names = found.decode_path::<geoip2::Names<'d>>(&path!["city", "names"])?;
    Ok(names.as_ref().and_then(any_name))
}

impl Locator for Database {
    fn locate(&self, address: ClientIp) -> Place {
        match self.find(address.reveal()) {
            Ok(place) => place,
            Err(error) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    // The error tells a place in the file, and nothing of the address.
                    tracing::warn!(
                        %error,
                        "a record of the geographic database cannot be read: install it again"
                    );
                }
                Place::Unlocated
            }
        }
    }

    fn attribution(&self) -> Option<String> {
        let (named, day) = (self.named, self.built_on());
        Some(format!(
            "This product includes {named} created by MaxMind, available from https://www.maxmind.com \
             (built on {day})."
        ))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("built", &self.built).finish_non_exhaustive()
    }
}
