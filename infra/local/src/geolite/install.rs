//! A database takes its place: written beside it, looked into as it lies on the disk, and renamed. So there is always the
//! old one or the new one, and of two of them the old one is gone.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use nexus_geo::{Database, FILE_NAME, MOST_BYTES, OpenError};
use nexus_kernel::Timestamp;
use tempfile::Builder;

use super::archive::{self, ArchiveError};
use super::file;

/// How the name of a file begins that is being written.
const UNDER_WAY: &str = ".new-";

/// Why a database was not installed; the one that was there still is.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The file cannot be read.
    #[error("{} cannot be read: {}", .0.display(), .1)]
    Unreadable(PathBuf, io::Error),
    /// The file is far too large.
    #[error("{} is larger than {MOST_BYTES} bytes, which GeoLite2 City is not", .0.display())]
    TooLarge(PathBuf),
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The folder cannot be written to.
    #[error("{} cannot be written to: {}", .0.display(), .1)]
    Folder(PathBuf, io::Error),
}

/// A database from a file: itself, or the archive in which MaxMind ships it.
///
/// # Errors
/// It cannot be read.
pub fn read(from: &Path) -> Result<Vec<u8>, InstallError> {
    let unreadable = |error| InstallError::Unreadable(from.to_owned(), error);
    let mut bytes = Vec::new();
    File::open(from)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(InstallError::TooLarge(from.to_owned()));
    }
    if archive::is_one(&bytes) { Ok(archive::database(&bytes)?) } else { Ok(bytes) }
}

/// Puts a database into a folder, in the place of the one that was there, which is destroyed; tells when it was built.
///
/// # Errors
/// It cannot be used, or not be written; nothing is changed then.
pub fn install(folder: &Path, bytes: &[u8], now: Timestamp) -> Result<Date, InstallError> {
    let failed = |error| InstallError::Folder(folder.to_owned(), error);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    // Its owner's alone, and deleted again unless it is kept.
    let mut new = Builder::new().prefix(UNDER_WAY).tempfile_in(folder).map_err(failed)?;
    new.write_all(bytes).and_then(|()| new.as_file().sync_all()).map_err(failed)?;
    let database = Database::open(fs::read(new.path()).map_err(failed)?, now)?;
    database.verify()?;
    new.persist(file(folder)).map_err(|refused| failed(refused.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    destroy_others(folder).map_err(failed)?;
    Ok(database.built_on())
}

/// Deletes the database, and whatever lies beside it; whether there was one.
///
/// # Errors
/// It cannot be deleted.
pub fn destroy(folder: &Path) -> Result<bool, InstallError> {
    let failed = |error| InstallError::Folder(folder.to_owned(), error);
    let found = match fs::remove_file(file(folder)) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(failed(error)),
    };
    destroy_others(folder).map_err(failed)?;
    Ok(found)
}

/// Deletes what an installation left that was killed, and databases under other names: no old copy stays.
fn destroy_others(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_copy = name.starts_with(UNDER_WAY) || (name.contains(".mmdb") && name != FILE_NAME);
        if !is_copy {
            continue;
        }
        match fs::remove_file(&path) {
            // Another installation was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}
