//! The archive in which MaxMind ships the database: a gzipped tar with a folder that is named for the day.

use std::ffi::OsStr;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use nexus_geo::{FILE_NAME, MOST_BYTES};
use tar::Archive;

/// The most files of an archive that are looked at.
const MOST_FILES: usize = 50;

/// Why no database comes out of an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no gzipped tar, or not a whole one.
    #[error("the archive is broken or was cut short ({0}): download it again")]
    Broken(#[from] io::Error),
    /// It holds no such file.
    #[error("the archive holds no `{FILE_NAME}`: take the one of GeoLite2 City")]
    NoDatabase,
    /// It is far larger than any that MaxMind ships.
    #[error("the archive unpacks to more than {MOST_BYTES} bytes, which GeoLite2 City does not")]
    TooLarge,
}

/// Whether these bytes begin as an archive does.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// The database in an archive. Nothing is unpacked to a disk, so that no name in it leads anywhere.
pub(super) fn database(archive: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let most = MOST_BYTES + 1024 * 1024;
    let mut unpacked = Archive::new(GzDecoder::new(archive).take(most));
    for entry in unpacked.entries()?.take(MOST_FILES) {
        let entry = entry?;
        let is_it = entry.header().entry_type().is_file()
            && entry.path()?.file_name() == Some(OsStr::new(FILE_NAME));
        if !is_it {
            continue;
        }
        let size = entry.size();
        if size > MOST_BYTES {
            return Err(ArchiveError::TooLarge);
        }
        let mut bytes = Vec::new();
        entry.take(MOST_BYTES).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != size {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        return Ok(bytes);
    }
    Err(ArchiveError::NoDatabase)
}
