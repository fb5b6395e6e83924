//! GeoLite2 City on this machine: brought by a person or from MaxMind, looked into, put in the place of the old one, and
//! renewed while a host runs.
//!
//! MaxMind's licence wants old copies destroyed: one file stands in `DATA/geo`, a new one takes its name by a rename, and
//! whatever an installation left that was killed goes with the next. The running host reads the new one within a minute
//! (`nexus_geo::Installed`).
//!
//! **Never here:** looking an address up, a licence key outside the vault.

mod account;
mod archive;
mod download;
mod install;
mod keeper;
#[cfg(test)]
mod layer_tests;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use account::{Account, NoAccount, account, forget, keep};
pub use archive::ArchiveError;
pub use download::{BASE, BASE_SETTING, DownloadError, Source};
pub use install::{InstallError, destroy, install, read};
pub use keeper::{Keeper, Kept};

/// Why there is no new database.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// It did not come.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// It came, and cannot be used.
    #[error(transparent)]
    Install(#[from] InstallError),
}

/// The folder of a data directory that holds the database and nothing else.
pub fn folder(data: &Path) -> PathBuf {
    data.join("geo")
}

/// Where in that folder it stands.
pub fn file(folder: &Path) -> PathBuf {
    folder.join(nexus_geo::FILE_NAME)
}
