//! The vault on one machine: values sealed in their own rows, under data keys that a master key in a file wraps.
//!
//! The file holds 32 random bytes, is made once and whole, and is its owner's alone (mode 0600). Without it no secret
//! opens, so it belongs into a backup; beside the table in the same backup it protects nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use nexus_core::Table;
use nexus_core::vault::VaultError;
use nexus_kernel::id::Uuid;
use nexus_kernel::{Ambient, Digest, Secret};
use nexus_vault::{
    DataKey, DataKeys, Envelope, KEY_BYTES, KeyUse, RowVault, open, random_key, seal,
};

use crate::store::{remove_file, sync_dir};

/// A vault whose values stand sealed in their rows.
pub type FileVault = RowVault<Envelope<MasterKey>>;

/// The vault whose rows stand in this table, under the master key in this file, which is made where it is missing.
///
/// # Errors
/// As [`MasterKey::open`].
pub fn vault(
    master: &Path,
    table: Arc<dyn Table>,
    ambient: Ambient,
) -> Result<FileVault, MasterKeyError> {
    let keys = MasterKey::open(master)?;
    Ok(RowVault::new(table, Envelope::new(keys, ambient.clone()), ambient))
}

/// What wraps the data keys.
pub struct MasterKey(Secret<Vec<u8>>);

/// Why the master key cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// Others may read it.
    #[error(
        "others than its owner may read or write {} (mode {mode:03o}): run `chmod 600 {}`, and \
         renew the secrets if somebody may have read it",
        path.display(), path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is not a key.
    #[error(
        "{} holds no master key of {KEY_BYTES} bytes: put the right file back from a backup, or \
         remove it and connect every account anew",
        .0.display()
    )]
    NoKey(PathBuf),
    /// It cannot be read or made.
    #[error("{} cannot be read or made", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl MasterKey {
    /// The key in this file. Where there is none, one is drawn and written; of several processes that do so at once
    /// all get the first one's.
    ///
    /// # Errors
    /// Others than its owner may read or write the file; it holds something else; it cannot be read or made.
    pub fn open(path: &Path) -> Result<Self, MasterKeyError> {
        let at = |source| MasterKeyError::Io { path: path.to_owned(), source };
        let mut file = match fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(at)?;
                fs::File::open(path).map_err(at)?
            }
            opened => opened.map_err(at)?,
        };
        // Of the file that was opened, so that nobody can exchange it in between.
        let mode = file.metadata().map_err(at)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Open { path: path.to_owned(), mode });
        }
        // With room for all that may be read, so that no growing leaves a copy behind.
        let mut bytes = Vec::with_capacity(2 * KEY_BYTES);
        let read = (&mut file).take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes);
        let key = Secret::new(bytes);
        read.map_err(at)?;
        if key.reveal().len() != KEY_BYTES {
            return Err(MasterKeyError::NoKey(path.to_owned()));
        }
        Ok(Self(key))
    }
}

fn create(path: &Path) -> io::Result<()> {
    let key = random_key().map_err(io::Error::other)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Whole or not at all, and of several who do this at once the first one's.
    let unnamed: Uuid = Ambient::system().ids.draw();
    let unnamed = dir.join(format!("{}.key", unnamed.simple()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unnamed)?;
    file.write_all(key.reveal())?;
    file.sync_all()?;
    let named = fs::hard_link(&unnamed, path);
    remove_file(&unnamed)?;
    match named {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_dir(dir),
    }
}

fn place(used: &KeyUse) -> Digest {
    Digest::of_parts([b"nexus data key 1", used.product.as_bytes(), used.owner.as_bytes()])
}

#[async_trait]
impl DataKeys for MasterKey {
    async fn draw(&self, used: &KeyUse) -> Result<DataKey, VaultError> {
        let cannot = |e| VaultError::Unavailable(Box::new(e));
        let plain = random_key().map_err(cannot)?;
        let wrapped = seal(&self.0, &place(used), plain.reveal()).map_err(cannot)?;
        Ok(DataKey { plain, wrapped })
    }

    async fn unwrap(&self, used: &KeyUse, wrapped: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        let mut plain = open(&self.0, &place(used), wrapped)
            .map_err(|tampered| VaultError::Corrupt(Box::new(tampered)))?;
        Ok(Secret::new(std::mem::take(&mut *plain)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_key_is_made_once_and_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let keys: Vec<Vec<u8>> = std::thread::scope(|all| {
            let tasks: Vec<_> = (0..8)
                .map(|_| all.spawn(|| MasterKey::open(&path).unwrap().0.reveal().clone()))
                .collect();
            tasks.into_iter().map(|task| task.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0] && *key != [0; KEY_BYTES]));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn n44_a_key_that_others_may_read_is_refused_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        MasterKey::open(&path).unwrap();
        for wrong in [0o640, 0o604, 0o620, 0o666] {
            mode(&path, wrong);
            let Err(error) = MasterKey::open(&path) else { panic!("{wrong:o} was taken") };
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        for right in [0o600, 0o400] {
            mode(&path, right);
            assert!(MasterKey::open(&path).is_ok());
        }
    }

    #[test]
    fn what_is_no_key_is_neither_used_nor_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        for wrong in [vec![], vec![1; KEY_BYTES - 1], vec![1; KEY_BYTES + 1]] {
            fs::write(&path, &wrong).unwrap();
            mode(&path, 0o600);
            assert!(matches!(MasterKey::open(&path), Err(MasterKeyError::NoKey(_))));
            assert_eq!(fs::read(&path).unwrap(), wrong);
        }
        let nowhere = MasterKey::open(&dir.path().join("no").join("master.key"));
        assert!(matches!(nowhere, Err(MasterKeyError::Io { .. })));
    }
}
